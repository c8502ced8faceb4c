# SPDX-License-Identifier: GPL-3.0-or-later
"""The VM that was meant: every path that a QEMU tells is opened where that QEMU sees it, and its peer compared."""
import array
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import termios
import threading

import pytest
import vm as virtual
from vm import MIB, Console, Qmp, Vm, run_memhp, wait_until
from world import IS_ROOT

as_root = pytest.mark.skipif(not IS_ROOT, reason="needs root: namespaces, another process's descriptors")


def take_over(vm, path, device="serial0", **more):
    """Have a running QEMU listen at a path: what is there goes without a word, as at its start."""
    vm.monitor.execute("chardev-change", id=device, backend={"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": str(path), **more}}, "server": True, "wait": False}})


@contextlib.contextmanager
def taken_over(vm, other, name="serial.sock", device="serial0"):
    """The path of @vm's socket is that of @other's for a while; at the end each listens at its own again."""
    take_over(other, vm.path(name), device)
    try:
        yield
    finally:
        take_over(other, other.path(name), device)
        take_over(vm, vm.path(f"{name}.new"), device)  # what it leaves it removes, whoever listens there
        take_over(vm, vm.path(name), device)


def give_dimm(vm, *blocks):
    """A DIMM plugged by hand, "h-dimm", online in zone Movable."""
    vm.add_dimm(len(blocks) * 128 * MIB, "h", "h-dimm")
    vm.guest(f"for n in {' '.join(map(str, reversed(blocks)))}; do "
             "echo online_movable >/sys/devices/system/memory/memory$n/state; done")


def take_back(vm):
    """No DIMM is left, nor its backend."""
    done = vm.memhp("unplug", "--all")
    assert done.returncode == 0, done
    if "h" in vm.backends():  # it was not memhp that has made it
        vm.monitor.execute("object-del", id="h")


@pytest.fixture
def pair(boot):
    """Two VMs, each with a DIMM plugged by hand, online in zone Movable: "h-dimm", memory32 and memory33."""
    vms = [boot(), boot(shell="dash")]
    for vm in vms:
        give_dimm(vm, 32, 33)
    yield vms
    for vm in vms:
        take_back(vm)


def refused(done, other, what="console"):
    """memhp has refused to talk to the wrong process, in these words."""
    assert done.returncode == 4, done
    assert f"the {what} '" in done.stderr and "not to this VM" in done.stderr, done
    assert f"belongs to another process (pid {other.pid}, 'qemu-system-" in done.stderr, done


def look(*vms):
    """All that memhp may change."""
    return [vm.state() for vm in vms]


# Two VMs with one path

@pytest.mark.parametrize("words", [("offline", "memory33"), ("unplug", "h-dimm"), ("plug", "128M"), ("resize", "1G")],
                         ids=" ".join)
def test_a_console_that_another_vm_has_taken_over_is_not_used(pair, words):
    a, b = pair
    before = look(a, b)
    with taken_over(a, b):
        refused(a.memhp(*words), b)
        refused(a.memhp("--guest", f"serial:{a.path('serial.sock')}", *words), b)
        assert look(a, b) == before
        b.json("list", env={"MEMHP_QMP": b.path("qmp.sock")})  # whose it is now may use it
    a.json("list")


def test_a_profile_that_names_the_console_of_another_vm_is_refused(boot, tmp_path):
    a, b = boot(), boot(shell="dash")
    config = tmp_path / "memhp" / "config"
    config.parent.mkdir()
    config.write_text(f"[vm first-of-two]\nqmp = {a.path('qmp.sock')}\nguest = serial:{b.path('serial.sock')}\n")
    config.chmod(0o600)
    refused(run_memhp("--vm", "first-of-two", "list", env={"XDG_CONFIG_HOME": tmp_path}), b)


def test_the_table_of_vms_says_whose_console_it_is(pair):
    a, b = pair
    with taken_over(a, b):
        done = run_memhp("vms")
        said = [line for line in done.stderr.splitlines() if f"(pid {a.pid})" in line]
        assert said and f"the console '{a.path('serial.sock')}' belongs to another process" in said[0], done


@contextlib.contextmanager
def relay(kind, path):
    """Another process that passes on what a monitor says; memhp cannot know its QEMU's process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where, address = {
        "tcp": (f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"tcp:127.0.0.1:{port}"),
        "unix": (f"UNIX-LISTEN:{path}.relay,fork", f"{path}.relay"),
    }[kind]
    with subprocess.Popen(["socat", "-d", "-d", where, f"UNIX-CONNECT:{path}"], stderr=subprocess.PIPE, text=True) as socat:
        assert any("listening on" in line for line in socat.stderr)
        drain = threading.Thread(target=socat.stderr.read)
        drain.start()
        try:
            yield address
        finally:
            socat.terminate()
            drain.join()


def test_the_table_of_vms_says_what_cannot_be_compared(boot, tmp_path):
    vm = boot()
    config = tmp_path / "memhp" / "config"
    config.parent.mkdir()
    with relay("unix", vm.path("qmp.sock")) as address:
        config.write_text(f"[vm behind-a-relay]\nqmp = {address}\n")
        config.chmod(0o600)
        done = run_memhp("vms", env={"XDG_CONFIG_HOME": tmp_path})
        said = [line for line in done.stderr.splitlines() if "VM 'behind-a-relay': " in line]
        assert said and f"the console '{vm.path('serial.sock')}' cannot be compared" in said[0], done


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_behind_a_relay_qemu_says_whether_it_is_its_console(pair, kind):
    """No process can be compared: QEMU sees who connects to its own device, before a byte is sent."""
    a, b = pair
    with relay(kind, a.path("qmp.sock")) as address:
        done = run_memhp("--qmp", address, "plug", "128M")
        assert done.returncode == 0 and "memory34: online" in done.stdout, done
        before = look(a, b)
        with taken_over(a, b):
            done = run_memhp("--qmp", address, "offline", "memory33")
            assert done.returncode == 4 and "sees no connection" in done.stderr, done
            assert look(a, b) == before


# The agent, and a monitor on a TCP port

def arguments_of(vm):
    """The words that a running QEMU was started with."""
    return pathlib.Path(f"/proc/{vm.pid}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]


class Copy(Vm):
    """A QEMU with the words of a lab VM, changed by @edit, in other namespaces, or with other paths."""

    def __init__(self, words, run_dir, prefix=()):  # pylint: disable=super-init-not-called
        self.name = "copy"
        self.is_discarded = False
        self.process = subprocess.Popen([*prefix, *words], stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.leaf().startswith("qemu"), what="a QEMU")
            self.run_dir = pathlib.Path(f"/proc/{self.pid}/root/{run_dir}")
            wait_until(lambda: self.is_up("console2.log") and "memhp-lab: ready" in self.console_log() and
                       self.is_up("console.log"), timeout=3 * virtual.PATIENCE, what="the guest")
            self.monitor = Qmp(self.path("qmp2.sock"))
            self.console = Console(self.path("serial2.sock"))
        except BaseException:
            self.stop()
            raise

    def is_up(self, name):
        """Is there a prompt on that console?"""
        with contextlib.suppress(OSError):
            return "# " in (self.run_dir / name).read_text(encoding="utf-8", errors="replace")
        return False

    @property
    def pid(self):
        """The last of the chain of children."""
        pid = self.process.pid
        while children := pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
            pid = int(children[0])
        return pid

    def leaf(self):
        """The name of that."""
        assert self.process.poll() is None, "it has ended"
        return pathlib.Path(f"/proc/{self.pid}/comm").read_text(encoding="utf-8")

    def stop(self):
        """The end of its first process is that of all."""
        for name in ("monitor", "console"):
            with contextlib.suppress(AttributeError, OSError):
                getattr(self, name).close()
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def agents(boot, tmp_path):
    """A VM that has an agent but no console that is called one, and whose monitor is a TCP port; and another."""
    other = boot(agent="exec")
    place = pathlib.Path(str(other.run_dir) + "c")
    place.mkdir(mode=0o700)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [w.replace(str(other.run_dir), str(place)).replace("serial0", "line0").replace("serial1", "line1")
             for w in arguments_of(other)]
    vm = Copy([*words, "-qmp", f"tcp:127.0.0.1:{port},server=on,wait=off"], place)
    vm.tcp = f"tcp:127.0.0.1:{port}"
    yield vm, other
    vm.stop()
    for file in place.iterdir():
        file.unlink()
    place.rmdir()


def test_an_agent_that_another_vm_has_taken_over_is_not_used(agents):
    """Found by a monitor on a TCP port, whose process the kernel tells, and named; both have a block of that number."""
    vm, other = agents
    wait_until(lambda: run_memhp("--qmp", vm.tcp, "status", "--json").stdout.find('"channel":"qga:') > 0, what="its agent")
    done = run_memhp("--qmp", vm.tcp, "plug", "128M", "--zone", "movable")
    assert done.returncode == 0 and "memory32: online" in done.stdout, done
    give_dimm(other, 32)
    before = look(vm, other)
    with taken_over(vm, other, "qga.sock", "qga0"):
        for guest in ([], ["--guest", f"qga:{vm.path('qga.sock')}"]):
            for words in (["offline", "memory32"], ["unplug"], ["plug", "128M"]):
                done = run_memhp("--qmp", vm.tcp, *guest, *words)
                assert look(vm, other) == before, done
                refused(done, other, "guest agent's socket")
        refused(run_memhp("--qmp", vm.tcp, "--guest", f"serial:{other.path('serial.sock')}", "unplug"), other)
        assert look(vm, other) == before
    take_back(other)


# Other namespaces

@pytest.fixture
def container(boot):
    """A copy of a running VM, with the very same paths, in namespaces of its own; and that VM."""
    vm = boot()
    run_dir = str(vm.run_dir)
    words = [w.replace(f"path={run_dir}/serial.sock", "path=serial.sock") for w in arguments_of(vm)]
    at = words.index("-netdev")
    assert words[at + 2] == "-device"
    del words[at:at + 4]
    prefix = ["unshare", "-mpnf", "--kill-child", "--mount-proc", "sh", "-c",
              'mount -t tmpfs tmpfs "$0" && cd "$0" && mkdir mem && mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts && '
              'busybox ip link set lo up && exec "$@"', run_dir]
    copy = Copy([*words, "-qmp", "tcp:127.0.0.1:4444,server=on,wait=off"], run_dir, prefix)
    yield copy, vm
    copy.stop()


@as_root
def test_a_vm_in_a_container_is_plugged_and_none_other(container):
    copy, vm = container
    pids = {v["pid"]: v for v in json.loads(run_memhp("--json", "vms").stdout)["vms"]}
    assert {copy.pid, vm.pid} <= set(pids)
    assert pids[copy.pid]["problem"] is None and pids[copy.pid]["guest"] == f"serial:{vm.run_dir}/serial.sock"
    done = run_memhp("--vm", copy.pid, "plug", "256M")
    assert done.returncode == 0 and "memory32-memory33: online in zone Movable" in done.stdout, done
    assert [d["id"] for d in copy.devices()] == ["memhp0-dimm"] and copy.zones(32, 33) == ["Movable"] * 2
    assert vm.devices() == [] and vm.blocks().keys() == vm.at_boot["memory"].blocks.keys()
    with virtual.connect(copy.path("qmp.sock")):  # it is in use: the TCP port is left, in another network namespace
        done = run_memhp("--vm", copy.pid, "list")
        assert done.returncode == 0 and "memory32-memory33" in done.stdout, done
        done = run_memhp("--vm", copy.pid, "unplug")
        assert done.returncode == 0, done
    assert copy.devices() == [] and copy.zones(32, 33) == [None, None]
    # a directory that is only there, from its working directory: several DIMMs may have their files in it
    done = run_memhp("--vm", copy.pid, "plug", "256M", "--dimm", "128M", "--backend", "file", "--mem-path", "mem")
    assert done.returncode == 0 and len(copy.devices()) == 2, done
    assert copy.memhp("unplug", "--all").returncode == 0  # with its monitor named, by way of /proc
    assert copy.devices() == []


def small_qemu(words, prefix=(), **options):
    """A QEMU without a machine."""
    return subprocess.Popen([*prefix, "qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "none", *words],
                            stdin=subprocess.DEVNULL, **options)


def monitor_of(pid):
    """What `vms` tells of a process."""
    found = json.loads(run_memhp("--json", "vms").stdout)["vms"]
    return next((v for v in found if v["pid"] == pid and not v["problem"]), None)


@as_root
@pytest.mark.parametrize("words", ["-qmp unix:/run/m,server=on,wait=off", "-qmp unix:/link/m,server=on,wait=off",
                                   "-qmp unix:m,server=on,wait=off", "-qmp unix:../run/m,server=on,wait=off"])
def test_a_monitor_in_another_root_is_reached(tmp_path, words):
    """/link leads to /run of that root; and so does no path of this one."""
    script = ('mount --rbind / "$0" && mount -t tmpfs tmpfs "$0/run" && mount -t tmpfs tmpfs "$0/srv" && '
              'exec chroot "$0" sh -c \'ln -s /run /srv/link && mount --bind /srv /mnt && cd /run && exec "$@"\' sh "$@"')
    words = words.replace("/link/", "/srv/link/").split()
    qemu = small_qemu(words, ["unshare", "-m", "sh", "-c", script, str(tmp_path)])
    try:
        wait_until(lambda: monitor_of(qemu.pid), what="its monitor")
        done = run_memhp("--json", "--vm", qemu.pid, "qmp", "query-name")
        assert done.returncode == 0, done
    finally:
        qemu.kill()
        qemu.wait()


def test_a_monitor_that_another_qemu_has_taken_over_is_not_used(tmp_path):
    """Two that were started with the same -qmp: the path is that of the second."""
    words = ["-qmp", f"unix:{tmp_path}/m,server=on,wait=off"]
    with small_qemu(words) as first:
        try:
            wait_until(lambda: monitor_of(first.pid), what="its monitor")
            with small_qemu(words) as second:
                try:
                    wait_until(lambda: monitor_of(second.pid), what="the other monitor")
                    done = run_memhp("--vm", first.pid, "qmp", "query-name")
                    assert done.returncode == 3, done
                    assert f"belongs to another process (pid {second.pid}, 'qemu-system-x86'), not to VM {first.pid}" \
                        in done.stderr, done
                finally:
                    second.kill()
        finally:
            first.kill()


# Names that are no plain paths

@pytest.mark.parametrize("name, more", [("console,server=on,1", {}), ("x" * 150, {}), ("{pid}", {"abstract": True}),
                                        ("{pid}", {"abstract": True, "tight": False})], ids=str)
def test_a_console_of_any_name_is_found(pair, name, more):
    a, b = pair
    if len(name) > 107:  # longer than the address of a socket: by way of a working directory
        path = pathlib.Path(a.path("d" * 150)) / "s"
        path.parent.mkdir()
        take_over(a, a.path("s"))
        pathlib.Path(a.path("s")).rename(path)
        words = ["--guest", f"serial:{path}"]
    else:
        path = name.format(pid=os.getpid()) if more else a.path(name)
        take_over(a, path, **more)
        words = []
    try:
        done = a.memhp(*words, "plug", "128M")
        assert done.returncode == 0 and "memory34: online" in done.stdout, done
        if more:
            refused(b.memhp("--guest", f"serial:@{path}", "list"), a)
            assert next(v for v in json.loads(run_memhp("--json", "vms").stdout)["vms"]
                        if v["pid"] == a.pid)["guest_problem"] is None
    finally:
        take_over(a, a.path("serial.sock"))


# Descriptors that another process has listened on

def pass_console(vm, path):
    """Listen at a path, and hand the socket to QEMU as its console (QMP getfd)."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        vm.monitor.socket.sendmsg([b" "], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))])
        vm.monitor.execute("getfd", fdname="console")
    vm.monitor.execute("chardev-change", id="serial0", backend={"type": "socket", "data": {
        "addr": {"type": "fd", "data": {"str": "console"}}, "server": True, "wait": False}})


def test_a_console_that_another_process_has_listened_on_is_the_vms(pair, tmp_path):
    """SO_PEERCRED tells that process: who holds the socket is compared."""
    a, b = pair
    path = pathlib.Path(a.path("passed"))
    pass_console(a, path)
    try:
        done = a.memhp("plug", "128M")
        assert done.returncode == 0 and "memory34: online" in done.stdout, done
        refused(b.memhp("--guest", f"serial:{path}", "list"), a)
        before = look(a, b)
        take_over(b, path)
        refused(a.memhp("offline", "memory33"), b)
        assert look(a, b) == before
    finally:
        take_over(b, b.path("serial.sock"))
        take_over(a, a.path("serial.sock"))
        path.unlink(missing_ok=True)


def test_a_monitor_that_another_process_has_listened_on_is_that_of_its_qemu(tmp_path):
    """What QEMU tells is looked for where QEMU is: a relative path in its working directory."""
    path = tmp_path / "m"
    there = tmp_path / "there"
    (there / "mem").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-m", "64M,slots=4,maxmem=4G",
             "-chardev", f"socket,id=m,fd={listener.fileno()},server=on,wait=off", "-mon", "m,mode=control"],
            cwd=there, pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL)
    try:
        words = ["--qmp", path, "--guest", "none", "--dry-run", "plug", "256M", "--dimm", "128M", "--backend", "file"]
        done = run_memhp(*words, "--mem-path", "mem")
        assert done.returncode == 0 and '"mem-path":"mem"' in done.stdout, done
        done = run_memhp(*words, "--mem-path", "elsewhere")
        assert "several DIMMs cannot share the file 'elsewhere'" in done.stderr, done
    finally:
        qemu.kill()
        qemu.wait()


# Pseudo-terminals

@pytest.fixture
def pty_console(pair):
    """The first of two VMs has a pty as its console."""
    a, b = pair
    name = a.monitor.execute("chardev-change", id="serial0", backend={"type": "pty", "data": {}})["pty"]
    yield a, b, name
    take_over(a, a.path("serial.sock"))


@as_root
def test_a_pty_is_opened_by_the_process_that_has_its_other_end(pty_console):
    a, b, name = pty_console
    done = a.memhp("plug", "128M")
    assert done.returncode == 0 and "memory34: online" in done.stdout, done
    done = a.memhp("--guest", f"serial:{name}", "list")
    assert done.returncode == 0 and "memory34" in done.stdout, done
    before = look(a, b)
    refused(b.memhp("--guest", f"serial:{name}", "offline", "memory33"), a)
    with relay("unix", a.path("qmp.sock")) as address:  # it may be any terminal of this machine
        done = run_memhp("--qmp", address, "offline", "memory33")
        assert done.returncode == 4 and f"--guest serial:{name}" in done.stderr, done
    assert look(a, b) == before


def give_pty(copy, name):
    """Make a pty the console of a VM in a container, whose ptys have numbers of their own: the one that has that name."""
    copy.monitor.execute("chardev-change", id="serial0", backend={"type": "null", "data": {}})
    fillers = [f"filler{n}" for n in range(int(pathlib.Path(name).name) + 1)]
    for filler in fillers:  # the lowest that is free
        last = copy.monitor.execute("chardev-add", id=filler, backend={"type": "pty", "data": {}})["pty"]
    assert last == name
    copy.monitor.execute("chardev-remove", id=fillers.pop())
    assert copy.monitor.execute("chardev-change", id="serial0", backend={"type": "pty", "data": {}})["pty"] == name
    for filler in fillers:
        copy.monitor.execute("chardev-remove", id=filler)


@as_root
def test_a_pty_of_a_container_is_not_the_one_of_that_name_here(container, boot):
    """What QEMU calls /dev/pts/N is here the console of another VM, or the terminal of a person."""
    copy, _ = container
    other = boot(shell="dash")
    for vm in (copy, other):
        give_dimm(vm, 32)
    name = other.monitor.execute("chardev-change", id="serial0", backend={"type": "pty", "data": {}})["pty"]
    give_pty(copy, name)
    before = look(other)
    done = copy.memhp("offline", "memory32")
    assert look(other) == before, done
    assert done.returncode == 0 and copy.zones(32) == ["offline"], done
    take_over(other, other.path("serial.sock"))
    take_back(other)
    person, terminal = os.openpty()
    give_pty(copy, os.ttyname(terminal))
    modes = termios.tcgetattr(terminal)
    os.write(person, b"typed\n")  # for the program in that terminal
    done = copy.memhp("online", "memory32")
    assert done.returncode == 0 and copy.zones(32) == ["Movable"], done
    assert os.read(terminal, 100) == b"typed\n" and termios.tcgetattr(terminal) == modes
    os.set_blocking(person, False)
    assert os.read(person, 10000) == b"typed\r\n"  # the echo, and nothing on its screen
    os.close(person)
    os.close(terminal)
