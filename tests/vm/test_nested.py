# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that is itself a host: a QEMU in it, within limits that nobody would set on the machine of the tests.

It has two NUMA nodes of 1 GiB and cgroups of version 2; QEMU, its libraries and memhp are on a disk.
"""
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from binary import IS_SANITIZED
from vm import BINARY, MIB, LabError

PROGRAMS = {"qemu-system-x86_64": "usr/bin", "setpriv": "bin", "prlimit": "bin", "unshare": "bin"}
MODULE = Path("/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so")
FIRMWARE = ["/usr/share/seabios", "/usr/share/qemu"]
NODES = [word for n in (0, 1) for word in (
    "-object", f"memory-backend-ram,id=n{n}.ram,size=1G", "-numa", f"node,nodeid={n},memdev=n{n}.ram,cpus={n}")]

SET_UP = """
[ -d /n/proc/1 ] || {
modprobe virtio_blk && mkdir -p /n && mount -t ext4 -o ro /dev/vda /n && mount -t proc none /n/proc &&
mount -t sysfs none /n/sys && mount --rbind /dev /n/dev && mount -t tmpfs -o mode=1777 none /n/tmp &&
mount -t cgroup2 none /n/sys/fs/cgroup && cd /n/sys/fs/cgroup &&
echo '+memory +hugetlb +cpuset' >cgroup.subtree_control && mkdir -p a/b &&
echo '+memory +hugetlb +cpuset' >a/cgroup.subtree_control
}"""
CGROUPS = "/n/sys/fs/cgroup"


def copy(source, root):
    """A file at its own place below another root."""
    target = root / str(source).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A read-only disk with what a host needs."""
    if not MODULE.exists() or not shutil.which("mke2fs"):
        pytest.skip("the nested QEMU is x86_64 Debian's")
    root = tmp_path_factory.mktemp("nested") / "root"
    for name in ("proc", "sys", "dev", "tmp"):
        (root / name).mkdir(parents=True)
    files = {Path(shutil.which(name)): root / where / name for name, where in PROGRAMS.items()}
    files[Path(BINARY)] = root / "bin" / "memhp"
    for source, target in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        listed = subprocess.run(["ldd", source], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            copy(library, root)
    copy(MODULE, root)
    for directory in FIRMWARE:
        for file in Path(directory).glob("*.bin"):
            copy(file, root)
    image = root.parent / "disk"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, image, "160M"], check=True)
    return image


class Host:
    """The guest as a host."""

    def __init__(self, vm):
        self.vm = vm
        self.count = 0
        self.pid = None
        vm.guest(SET_UP)

    def limit(self, file, value):
        self.vm.guest(f"echo {value} >{CGROUPS}/{file}")

    def start(self, *arguments, cgroup="a/b", before="true", user=None, within=""):
        """A QEMU in that cgroup, after the shell's command before; @within: the command that starts it."""
        self.count += 1
        became = f"/bin/setpriv --reuid {user} --clear-groups " if user else ""
        self.vm.guest(f"""rm -f /n/tmp/q /n/tmp/pid; ( echo 0 >/proc/self/oom_score_adj; echo 0 >{CGROUPS}/{cgroup}/cgroup.procs; {before}
            exec chroot /n {within}{became}/usr/bin/qemu-system-x86_64 -nodefaults -no-user-config -display none \\
            -m 64M,slots=8,maxmem=8G -qmp unix:/tmp/q,server=on,wait=off -pidfile /tmp/pid {" ".join(arguments)} \\
            >/n/tmp/log 2>&1 ) & until [ -S /n/tmp/q ] && [ -s /n/tmp/pid ]; do
            kill -0 $! || {{ cat /n/tmp/log; break; }}; sleep 0.1; done""")
        self.pid = int(self.vm.guest("cat /n/tmp/pid"))

    def run(self, *words):
        """memhp's exit code and JSON."""
        said = self.vm.guest("chroot /n /bin/memhp --json --qmp /tmp/q --guest none " + " ".join(words)
                             + " 2>/n/tmp/err; echo $?; cat /n/tmp/err")
        match = re.fullmatch(r"(?s)(\{.*\})\n(\d+)\n(.*)", said)
        assert match, said
        return int(match[2]), json.loads(match[1])

    def refused(self, *words):
        code, answer = self.run("plug", *words)
        assert (code, answer.get("state")) == (1, "unchanged"), answer
        assert self.is_alive()
        return answer["error"]["message"], answer["error"]["hint"]

    def plugged(self, *words):
        """The warnings of a plug that is done, and leaves QEMU alive."""
        code, answer = self.run("plug", *words)
        assert code == 0 and self.is_alive(), answer
        return answer.get("warnings", [])

    def paste(self, hint):
        command = re.search(r": (.*?)(; --force tries anyway)?$", hint)[1]
        self.vm.guest(command.replace("/sys/fs/cgroup", CGROUPS))

    def is_alive(self):
        return self.vm.guest(f"kill -0 {self.pid} 2>/dev/null && echo yes; :") == "yes\n"

    def stop(self):
        """End the QEMU, and what was set."""
        self.vm.guest(f"kill -9 {self.pid or ''} 2>/dev/null; cd {CGROUPS}; "
                      "while read -r p <a/b/cgroup.procs; do sleep 0.1; done; "
                      "for f in a a/b; do echo max >$f/memory.max; echo max >$f/memory.high; echo 0-1 >$f/cpuset.mems; done; "
                      "echo 0 >/proc/sys/vm/overcommit_memory; echo 0 >/proc/sys/vm/nr_hugepages")


def boot_host(boot, disk, **options):
    """The host; @options of the lab."""
    return boot([*NODES, "-drive", f"file={disk},if=none,id=disk,format=raw,readonly=on",
               "-device", "virtio-blk-pci,drive=disk"], memory="2G", slots=0, cpus=2, **options)


@pytest.fixture
def host(boot, disk):
    """One whose QEMU ends with the test."""
    vm = boot_host(boot, disk)
    made = Host(vm)
    yield made
    made.stop()


@pytest.fixture
def later_host(boot, disk):
    """One with a Linux whose cgroups may count huge pages as memory, and do."""
    try:
        vm = boot_host(boot, disk, kernel="6.12")
    except LabError as error:
        pytest.skip(f"no Linux 6.12: {error}")
    made = Host(vm)
    vm.guest(f"mount -o remount,memory_hugetlb_accounting {CGROUPS}")
    yield made
    made.stop()


def mib(message, pattern):
    match = re.search(pattern.replace("<N>", r"([\d.]+)"), message)
    assert match, message
    return float(match[1])


def test_cgroups_of_version_2_at_each_level(host):
    host.start()
    host.limit("a/memory.max", "300M")
    message, hint = host.refused("512M", "--prealloc")
    assert 200 < mib(message, "QEMU's cgroup leaves <N> MiB") < 300 and ">/sys/fs/cgroup/a/memory.max" in hint
    host.limit("a/b/memory.max", "200M")
    message, hint = host.refused("256M", "--prealloc")
    assert mib(message, "QEMU's cgroup leaves <N> MiB") < 200 and ">/sys/fs/cgroup/a/b/memory.max" in hint
    [warning] = host.plugged("256M")
    assert mib(warning, "QEMU's cgroup leaves <N> MiB") < 200 and "the kernel may then kill QEMU" in warning
    host.limit("a/b/memory.max", "max")
    host.paste(host.refused("512M", "--prealloc")[1])
    host.plugged("512M", "--prealloc")


def test_without_the_check_the_kernel_kills_qemu(host):
    host.start()
    host.limit("a/memory.max", "300M")
    host.run("plug", "--force", "512M", "--prealloc")
    assert not host.is_alive()


def test_memory_high_counts_too(host):
    """Also for a QEMU that sees itself in the highest cgroup of its namespace."""
    host.start(within="/bin/unshare --cgroup --mount ")
    host.limit("a/b/memory.high", "200M")
    message, hint = host.refused("256M", "--prealloc")
    assert mib(message, "QEMU's cgroup leaves <N> MiB") < 200
    host.paste(hint)
    host.plugged("256M", "--prealloc")


def test_the_huge_pages_of_a_cgroup_and_of_a_node(host):
    host.vm.guest("echo 128 >/proc/sys/vm/nr_hugepages")
    host.start()
    host.limit("a/hugetlb.2MB.max", "64M")
    message, hint = host.refused("128M", "--hugetlb")
    assert message.endswith("QEMU's cgroup leaves 64 MiB in huge pages of 2 MiB")
    host.paste(hint)
    host.limit("a/hugetlb.2MB.max", "max")
    # half of them are on each node
    message, _ = host.refused("256M", "--hugetlb", "--policy", "bind", "--host-nodes", "1")
    assert 100 < mib(message, "the NUMA nodes that QEMU may take it from have <N> MiB free in huge pages") < 160
    host.plugged("128M", "--hugetlb", "--prealloc")


def test_huge_pages_that_a_cgroup_counts_as_memory(later_host):
    """Whoever is given none by the cgroup is killed (SIGBUS)."""
    host = later_host
    host.vm.guest("echo 192 >/proc/sys/vm/nr_hugepages")
    host.start()
    host.limit("a/memory.max", "200M")
    message, hint = host.refused("256M", "--hugetlb", "--prealloc")
    assert mib(message, "QEMU's cgroup leaves <N> MiB") < 200 and ">/sys/fs/cgroup/a/memory.max" in hint
    host.paste(hint)
    host.plugged("256M", "--hugetlb", "--prealloc")
    assert int(host.vm.guest(f"cat {CGROUPS}/a/memory.current")) > 256 * MIB


def test_page_cache_of_a_cgroup_is_room(host):
    """It is charged to the group whose process read first."""
    host.start()
    host.vm.guest(f"echo 1 >/proc/sys/vm/drop_caches; (echo 0 >{CGROUPS}/a/b/cgroup.procs; exec head -c 125829120 /dev/vda >/dev/null)")
    used = int(host.vm.guest(f"cat {CGROUPS}/a/b/memory.current"))
    assert used > 120 * MIB
    host.limit("a/memory.max", used + 60 * MIB)
    host.plugged("128M", "--prealloc")
    assert "QEMU's cgroup leaves" in host.refused("128M", "--prealloc")[0]
    # the same beside huge pages, which only the other controller counts
    host.vm.guest("echo 128 >/proc/sys/vm/nr_hugepages")
    assert host.plugged("128M", "--hugetlb", "--prealloc") == []


def test_what_a_resize_is_refused_and_warned_of(host):
    """Of the limits that nobody would set on the machine of the tests."""
    host.start("-overcommit", "mem-lock=on", before="ulimit -l 900000", user=65534)
    code, answer = host.run("resize", "+256M", "--dimm", "256M")
    assert (code, answer["state"]) == (1, "unchanged") and "(RLIMIT_MEMLOCK)" in answer["error"]["message"], answer
    host.stop()
    host.start()
    for file in ("a/memory.max", "a/b/memory.high"):
        host.limit(file, "200M")
        code, answer = host.run("--dry-run", "resize", "+256M")
        assert code == 0 and "QEMU's cgroup leaves" in answer["warnings"][0], answer
        host.limit(file, "max")
    host.limit("a/b/cpuset.mems", "0")
    code, answer = host.run("--dry-run", "resize", "+1152M")
    assert code == 0 and "the NUMA nodes that QEMU may take it from" in answer["warnings"][0], answer
    if IS_SANITIZED:  # and so takes more address space than the host promises
        return
    host.vm.guest("echo 2500000 >/proc/sys/vm/overcommit_kbytes && echo 2 >/proc/sys/vm/overcommit_memory")
    code, answer = host.run("resize", "+3G")
    assert (code, answer["state"]) == (1, "unchanged") and "(vm.overcommit_memory=2)" in answer["error"]["message"], answer


def test_numa_nodes_and_cpusets(host):
    host.start()
    assert host.refused("128M", "--policy", "bind", "--host-nodes", "2")[0].endswith("the host has no NUMA node 2")
    message, hint = host.refused("1280M", "--prealloc", "--policy", "bind", "--host-nodes", "1")
    assert 500 < mib(message, "the NUMA nodes that QEMU may take it from have <N> MiB available") < 1024
    assert "--host-nodes" in hint
    [warning] = host.plugged("1280M", "--policy", "bind", "--host-nodes", "1")
    assert "the NUMA nodes that QEMU may take it from" in warning
    host.plugged("128M", "--prealloc", "--policy", "bind", "--host-nodes", "1")
    host.limit("a/b/cpuset.mems", "0")
    message, hint = host.refused("128M", "--policy", "bind", "--host-nodes", "1")
    assert message.endswith("QEMU may take no memory of the host's NUMA nodes '1'") and "--host-nodes 0" in hint
    assert "the NUMA nodes that QEMU may take it from" in host.refused("1152M", "--prealloc")[0]


def test_locked_memory(host):
    host.start("-overcommit", "mem-lock=on", before="ulimit -l 900000", user=65534)
    message, hint = host.refused("256M")
    assert mib(message, r"QEMU may lock only <N> MiB more \(RLIMIT_MEMLOCK\)") < 256
    code, answer = host.run("plug", "--force", "256M")
    assert code == 1 and "Resource temporarily unavailable" in answer["error"]["message"]
    host.vm.guest("chroot /n /bin/" + re.search(": (prlimit .*?);", hint)[1])
    host.plugged("256M")
    # all of it is taken at once
    host.limit("a/memory.max", int(host.vm.guest(f"cat {CGROUPS}/a/memory.current")) + 200 * MIB)
    host.vm.guest(f"chroot /n /bin/prlimit --pid {host.pid} --memlock=unlimited")
    assert "QEMU's cgroup leaves" in host.refused("256M")[0]


@pytest.mark.parametrize("opened", ["/dev/vfio/7", "/dev/null"])
def test_memory_that_is_pinned_for_a_device(host, opened):
    """As far as it shows without one: all is locked, and /dev/vfio/ is open. New memory is pinned then, huge pages too,
    and not locked twice for a moment."""
    host.start("-overcommit", "mem-lock=on", user=65534,
               before=f"mkdir -p /dev/vfio; : >/dev/vfio/7; exec 9<{opened}; rm -r /dev/vfio; ulimit -l 900000")
    assert host.run("qmp", "query-status")[0] == 0  # it has begun
    locked = int(host.vm.guest(f"grep VmLck: /proc/{host.pid}/status | tr -dc 0-9"))
    host.vm.guest(f"chroot /n /bin/prlimit --pid {host.pid} --memlock={(locked + (200 << 10)) << 10}")
    answers = [host.run("--dry-run", "plug", *words)[1] for words in (["256M", "--hugetlb"], ["128M"])]
    messages = [answer.get("error", {}).get("message", "") for answer in answers]
    assert ["(RLIMIT_MEMLOCK)" in message for message in messages] == [opened != "/dev/null", opened == "/dev/null"], messages


def test_root_may_lock_what_it_likes(host):
    host.start("-overcommit", "mem-lock=on", before="ulimit -l 100000")
    host.plugged("256M")


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer takes more address space than the host promises")
def test_a_host_that_promises_no_more_than_it_has(host):
    host.start()
    host.vm.guest("echo 2500000 >/proc/sys/vm/overcommit_kbytes && echo 2 >/proc/sys/vm/overcommit_memory")
    message, _ = host.refused("3G")
    assert mib(message, r"the host promises only <N> GiB more \(vm.overcommit_memory=2\)") < 2.4
    code, answer = host.run("plug", "--force", "3G")
    assert code == 1 and "Cannot allocate memory" in answer["error"]["message"]
    assert host.plugged("1G", "--reserve", "on") == []
    # a memfd promises nothing
    assert any("available" in text for text in host.plugged("3G", "--backend", "memfd"))
