# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of docs/, command by command, on real virtual machines and with the real tools they are for."""
import concurrent.futures
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import subprocess
import tempfile
import time

import pytest
import vm as virtual
from binary import check_sanitizers
from vm import GIB, MIB, PATIENCE, ROOT, wait_until
from world import IS_ROOT, NOBODY, is_possible, world

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")

FILES = ROOT / "docs/recipes"
TEXT = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")
CACHE = pathlib.Path(os.environ.get("MEMHP_LAB_CACHE")
                     or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache", "memhp-lab"))


def blocks(title, kind="sh"):
    """The blocks of code of a section."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)[1]
    return re.findall(rf"^```{kind}\n(.*?)^```$", section, re.M | re.S)


class Host:
    """A machine of one's own: nothing is to be seen there but the VMs that it has."""

    def __init__(self, made, uid=None):
        self.directory = made.directory
        self.lab = self.directory / "lab"
        self.bin = self.directory / "bin"
        self.lab.mkdir(mode=0o700)
        self.bin.mkdir()
        shutil.copy(virtual.BINARY, self.bin / "memhp")  # where any user can reach it
        for tool in (virtual.LAB, FILES / "grow.sh", FILES / "ci.sh"):
            (self.bin / tool.name).symlink_to(tool)
        self.prefix = made.prefix
        self.user = [] if uid is None else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        self.env = {"HOME": self.directory, "PATH": f"{self.bin}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
                    "MEMHP_LAB_DIR": self.lab, "MEMHP_LAB_CACHE": CACHE, "XDG_RUNTIME_DIR": self.directory,
                    "LIBVIRT_DEFAULT_URI": "qemu:///session"}

    def command(self, script, env=None):
        assignments = [f"{k}={v}" for k, v in (env or self.env).items()]
        return [*self.prefix, "env", "-i", f"--chdir={self.directory}", *assignments, *self.user, "sh", "-ec", script]

    def run(self, script, status=0, env=None):
        """What the script prints on stdout and stderr; it ends with that status."""
        done = subprocess.run(self.command(script, env), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=2 * PATIENCE, check=False)
        check_sanitizers(done.stdout)
        assert done.returncode == status, done.stdout
        return done.stdout

    def boot(self, name):
        return virtual.Vm(self.lab, name, {}, (), prefix=self.prefix)


@pytest.fixture(name="host", scope="module")
def host_(tmp_path_factory):
    with world(tmp_path_factory.mktemp("h")) as made:
        yield Host(made)


@pytest.fixture(scope="module")
def vms(host):
    """The VMs "web" and "db"; they end with their world."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(host.boot, ["web", "db"]))


@pytest.fixture(name="web")
def web_(vms):
    web = vms[0]
    yield web
    assert web.difference() is None


def total(machine):
    """QEMU's memory, in MiB, which is that of the guest's blocks that are online."""
    summary = machine.monitor.execute("query-memory-size-summary")
    size = summary["base-memory"] + summary["plugged-memory"]
    assert sum(b.state == "online" for b in machine.blocks().values()) * virtual.BLOCK == size
    return size // MIB


# ---- scripts, cron, CI

def test_scripts(host, web):
    answer, repeated, *asked = blocks("Scripts")
    web.inject("MEM_GOING_OFFLINE", -16)
    host.run("memhp --vm web --quiet plug 256M")
    assert "not now: cannot unplug 'memhp0-dimm'" in host.run(answer)
    web.inject("MEM_GOING_OFFLINE", 0)
    host.run(answer)
    assert total(web) == 512
    assert "false" not in host.run(repeated) and total(web) == 512
    host.run("memhp --vm web --quiet plug 256M")
    [available], [device] = (host.run(script).splitlines()[:1] for script in asked[0].splitlines(keepends=True))
    assert 512 < int(available) < 768 and device == "memhp0-dimm"
    host.run("memhp --vm web unplug")


@pytest.mark.parametrize("status, said", [(6, "pending"), (7, "repaired with --vm web repair --forward"), (3, "")])
def test_scripts_that_meet_other_exit_codes(host, tmp_path, status, said):
    stub = tmp_path / "memhp"
    stub.write_text('#!/bin/sh\ncase $* in *repair*) echo "repaired with $*" && exit ;; esac\n'
                    f'echo \'{{"state":"pending"}}\'\nexit {status}\n')
    stub.chmod(0o755)
    env = {**host.env, "PATH": f"{tmp_path}:{host.env['PATH']}"}
    assert host.run(blocks("Scripts")[0], status=1 if status == 3 else 0, env=env).strip() == said


def crontab(host):
    """The commands, each with the environment that cron gives it."""
    lines = [line for line in (FILES / "crontab").read_text().splitlines() if not line.startswith("#")]
    path = lines.pop(0).removeprefix("PATH=").replace("/usr/local/bin", str(host.bin))
    env = {"HOME": host.directory, "LOGNAME": "root", "SHELL": "/bin/sh", "PATH": path}
    return [line.split(None, 5)[5] for line in lines], env


def test_cron(host, web):
    (day, night, often), env = crontab(host)
    for command, size in ((day, 1024), (day, 1024), (night, 512)):
        assert host.run(command, env=env) == "" and total(web) == size
    assert host.run(often, env=env) == "" and total(web) == 512  # there is no need
    web.guest("mount -o remount,size=420m /tmp; dd if=/dev/zero of=/tmp/file bs=1M count=300 2>/dev/null")
    assert host.run(often, env=env) == "" and total(web) == 768
    web.guest("dd if=/dev/zero of=/tmp/file bs=1M count=415 2>/dev/null; mount -o remount,size=620m /tmp; "
              "dd if=/dev/zero of=/tmp/file2 bs=1M count=150 2>/dev/null")
    assert host.run(often.replace("2048", "800"), env=env) == "" and total(web) == 768
    assert "cannot" in host.run(night, status=5, env=env)
    web.guest("rm /tmp/file*; mount -o remount,size=50% /tmp")
    host.run(night, env=env)


def test_ci(host):
    assert "true" in host.run("ci.sh")
    assert host.run("memhp-lab status ci || echo none").splitlines()[-1] == "none"
    assert json.loads((host.directory / "unplug.json").read_text())["ok"] is True


# ---- many VMs, many hosts

def test_many_vms(host, vms):
    for script, size in zip(blocks("Many VMs on one host"), (768, 512)):
        host.run(script)
        assert [total(machine) for machine in vms] == [size, size]
    jobs = (host.directory / "log").read_text().splitlines()[1:]
    assert len(jobs) == 2 and all(job.split("\t")[6] == "0" for job in jobs)
    assert host.run("parallel --tag memhp --vm {} unplug nothing :::: names", status=2).count("hint: ") == 2


def recap(output):
    return {k: int(v) for k, v in re.findall(r"\b(ok|changed|failed)=(\d+)", output)}


def test_many_hosts(host, vms):
    for name in ("hosts.yml", "memory.yml"):
        shutil.copy(FILES / name, host.directory)
    checked, done, again = blocks("Many hosts")[0].splitlines()
    assert recap(host.run(checked)) == {"ok": 1, "changed": 1, "failed": 0}
    assert [total(machine) for machine in vms] == [512, 512]
    assert recap(host.run(done)) == {"ok": 1, "changed": 1, "failed": 0}
    assert [total(machine) for machine in vms] == [1024, 768]
    assert recap(host.run(again)) == {"ok": 1, "changed": 0, "failed": 0}
    impossible = (FILES / "hosts.yml").read_text().replace("1G", "100G")
    (host.directory / "hosts.yml").write_text(impossible)
    output = host.run(done, status=2)
    assert recap(output)["failed"] == 1 and "cannot resize to '100G'" in output
    host.run(blocks("Many VMs on one host")[1])


# ---- libvirt

@pytest.fixture(name="domain")
def domain_():
    """A host of a user of libvirt's, who has the domain "web" of the recipe."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="mh", dir="/tmp"))
    try:
        with world(directory) as made:
            host = Host(made, uid=NOBODY if IS_ROOT else None)
            define(host)
            yield host
    finally:
        shutil.rmtree(directory)


DOMAIN = """<name>web</name><memory unit='MiB'>512</memory><vcpu>1</vcpu><features><acpi/></features>
<os><type machine='q35'>hvm</type><kernel>{0}/vmlinuz</kernel><initrd>{0}/initrd</initrd>
<cmdline>console=ttyS0 quiet panic=-1 mitigations=off</cmdline></os>"""


def wait_for_shell(tty):
    """Read what the guest prints while it boots, up to its prompt."""
    text, end = b"", time.monotonic() + PATIENCE
    terminal = os.open(tty, os.O_RDONLY | os.O_NOCTTY)
    while not re.search(rb"ready[^#$]*[#$] ", text):
        assert select.select([terminal], [], [], end - time.monotonic())[0], text
        text += os.read(terminal, 4096)
    os.close(terminal)


def define(host):
    """The recipe's XML, with what a domain has besides; started, and its guest up."""
    text, dimm = blocks("libvirt", "xml")
    text = text.replace("type='kvm'", "type='qemu'").replace("/run/memhp", str(host.directory))
    text = text.replace("...", DOMAIN.format(host.directory), 1)
    text = text.replace("...", "<devices><serial type='pty'/></devices>", 1)
    (host.directory / "web.xml").write_text(text)
    (host.directory / "dimm.xml").write_text(dimm)
    # other tests may have had the lab fetch other kernels, some of which bring memory online by themselves
    plan = (CACHE / "plan-amd64-default").read_text(encoding="utf-8")
    image = next(i for i in CACHE.glob("image-amd64-*") if (i / "release").read_text("utf-8").strip() in plan)
    for name in ("vmlinuz", "initrd"):
        shutil.copy(image / name, host.directory)
    subprocess.run(["chmod", "-R", "a+rX", host.directory], check=True)
    if IS_ROOT:
        os.chown(host.directory, NOBODY, NOBODY)
    host.run("virsh -q create web.xml")
    wait_for_shell(host.run("virsh ttyconsole web").strip())


def plugged(host):
    """What libvirt's own monitor says."""
    answer = host.run("""virsh qemu-monitor-command web '{"execute": "query-memory-devices"}'""")
    return {device["data"]["id"]: device["data"]["size"] // MIB for device in json.loads(answer)["return"]}


def test_libvirt(domain):
    together, alone = blocks("libvirt")
    attach, *online, offline, detach = together.splitlines()
    domain.run(attach)
    domain.run("memhp events --until plugged=256M; " + "\n".join(online))
    assert plugged(domain) == {"dimm0": 256}
    blocks_there = json.loads(domain.run("memhp --json list"))["devices"][0]["blocks"]
    assert [(b["state"], b["zone"]) for b in blocks_there] == [("online", "Movable")]
    domain.run(f"{offline}\n{detach}")
    wait_until(lambda: plugged(domain) == {})
    assert "<memory model" not in domain.run("virsh dumpxml web")

    domain.run(alone)
    assert "running" in domain.run("virsh domstate web") and plugged(domain) == {}
    assert "Linux" in domain.run("memhp --vm web status")
    domain.run("memhp --vm web plug 256M")
    assert plugged(domain) == {"memhp0-dimm": 256} and "<memory model" not in domain.run("virsh dumpxml web")
    # what the recipe warns of
    assert "slot 0 is busy" in domain.run(attach, status=1)
    domain.run("virsh save web web.saved")
    assert 'Unknown ramblock "memhp0-mem", cannot accept migration' in domain.run("virsh restore web.saved", status=1)
    assert domain.run("virsh -q list --all").strip() == ""


# ---- migration; the last, as "web" goes

@pytest.fixture(name="other")
def other_(tmp_path_factory):
    with world(tmp_path_factory.mktemp("h")) as made:
        yield Host(made)


def adopt(run_dir):
    """The machine with its sockets there, which the lab did not start."""
    found = virtual.Vm.__new__(virtual.Vm)
    found.run_dir = run_dir
    found.monitor, found.console = virtual.Qmp(run_dir / "qmp2.sock"), virtual.Console(run_dir / "serial2.sock")
    return found


def start_target(other, web, line, script):
    """Run the recipe's line, with the options of the source and sockets of its own, until it listens."""
    line = [word.replace(web.path(""), f"{other.lab}/") for word in line]
    path = other.lab / "incoming"
    script = script.replace("qemu-system-x86_64 ...", shlex.join(line)).replace("tcp:127.0.0.1:4444", f"unix:{path}")
    with subprocess.Popen(other.command(script), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL):
        wait_until(path.exists)
    return path


def test_migration(host, vms, other):
    prepare, incoming, move, there = blocks("Migration")
    web = vms[0]
    web.guest("dd if=/dev/urandom of=/tmp/file bs=1M count=100 2>/dev/null")
    content = web.guest("md5sum /tmp/file")
    host.run(prepare)
    shutil.copy(host.directory / "web.args", other.directory)
    pid = host.run("memhp --json vms | jq '.vms[] | select(.name == \"web\") | .pid'").strip()
    line = host.run(f"tr '\\0' '\\n' </proc/{pid}/cmdline").splitlines()
    path = start_target(other, web, line, incoming)
    host.run(move.replace("tcp:127.0.0.1:4444", f"unix:{path}"))
    assert web.monitor.execute("query-status")["status"] == "postmigrate"
    target = adopt(other.lab)
    assert target.guest("md5sum /tmp/file") == content
    assert total(target) == 1024 and [d["id"] for d in target.devices()] == ["cache-dimm"]
    for command, size in zip(there.splitlines(), (1024, 1280, 1024, 512)):
        other.run(command)
        assert total(target) == size, command
    assert target.mem_total() < GIB // 2 and target.backends() == []
