# SPDX-License-Identifier: GPL-3.0-or-later
"""Other processes and their file systems that never answer: no command waits for them longer than its deadline."""
import os
import pathlib
import select
import signal
import subprocess
import sys

import dead_fs
import peer
import pytest
from world import IS_ROOT, NOBODY, is_possible, world

pytestmark = [pytest.mark.skipif(not is_possible(), reason="no namespaces for this user"),
              pytest.mark.skipif(not IS_ROOT or not os.path.exists("/dev/fuse"), reason="FUSE is root's, or is not there")]
SCRIPT = pathlib.Path(dead_fs.__file__)
TIMEOUT = ("--timeout", 8)


@pytest.fixture
def here(tmp_path):
    """A world without any VM; in "dead" there is a file system that answers no question for a name that begins with
    "stuck"."""
    dead = tmp_path / "dead"
    dead.mkdir()
    server = dead_fs.start(dead)
    with world(tmp_path) as made:
        made.dead = dead
        yield made
        os.kill(server, signal.SIGKILL)  # what waits for it ends with it, and then the world can end
        os.waitpid(server, 0)
    subprocess.run(["umount", "--lazy", dead], check=True)


class Locked:
    """A process whose memory is locked; it is a program of that name, as memhp sees it with that number."""

    def __init__(self, here, program, uid=None):
        directory = here.directory / "locked"
        directory.mkdir()
        user = [f"{uid}"] if uid else []
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*here.prefix, "env", f"PYTHONHOME={sys.base_prefix}", here.program(program), SCRIPT, directory, *user],
            text=True, stdout=subprocess.PIPE)
        self.pid, self.server = map(int, self.process.stdout.readline().split())
        self.here = here
        self.wait()

    def wait(self):
        """Until it is, or it is known that it will not be."""
        reader = [*self.here.prefix, "timeout", "-s", "KILL", "2", "cat", f"/proc/{self.pid}/cmdline"]
        self.process.stdout.readline()  # it is about to try
        while not select.select([self.process.stdout], [], [], 0.1)[0]:
            if subprocess.run(reader, stdout=subprocess.DEVNULL, check=False).returncode:
                assert self.process.poll() is None
                return
        pytest.skip("this kernel does not keep the lock of a process's memory while it waits for a file")

    def end(self):
        """The end of the file system is that of all that waits for it."""
        subprocess.run([*self.here.prefix, "kill", "-KILL", str(self.server), str(self.pid)], check=True)
        self.process.communicate()


@pytest.fixture
def locked(here):
    """locked(PROGRAM): such a process."""
    made = []

    def start(*words, **options):
        made.append(Locked(here, *words, **options))
        return made[-1]

    yield start
    for process in made:
        process.end()


def test_a_process_whose_memory_is_locked_hides_no_vm(here, locked):
    here.vm("web", plugged=256)
    locked("anything")
    assert list(here.vms(*TIMEOUT)) == ["web"]
    [device] = here.json(*TIMEOUT, "--guest", "none", "list")["devices"]
    assert device["size"] == 256 * peer.MIB


def test_who_is_behind_a_relay_is_found_beside_one(here, locked):
    """Root goes through the processes of all users: one of them keeps it from an answer no longer than its deadline."""
    path = here.directory / "m"
    here.qemu(program="relay", listen=[{"path": str(path), "plugged": 256}])
    locked("theirs", uid=NOBODY)
    [device] = here.json(*TIMEOUT, "--qmp", path, "--guest", "none", "list")["devices"]
    assert device["size"] == 256 * peer.MIB


def test_a_qemu_whose_memory_is_locked_is_a_vm_all_the_same(here, locked):
    """With it there are two: none is chosen for the user."""
    first = here.vm("web", plugged=256)
    theirs = locked("qemu-system-x86_64")
    value = here.memhp("--json", *TIMEOUT, "plug", "128M").failed(2, "2 VMs are running", "'web'", f"pid {theirs.pid}", code="usage")
    assert "--vm" in value["error"]["hint"]
    value = here.memhp("--json", *TIMEOUT, "--vm", theirs.pid, "list").failed(
        3, f"the command line of pid {theirs.pid} cannot be read: something keeps its memory locked")
    assert "--qmp" in value["error"]["hint"]
    value = here.memhp("--json", *TIMEOUT, "--vm", "db", "list").failed(3, "no running VM 'db'", f"the name of VM {theirs.pid} cannot be read")
    [device] = here.json(*TIMEOUT, "--vm", "web", "--guest", "none", "list")["devices"]
    assert device["size"] == 256 * peer.MIB
    assert "device_add" not in first.commands()


def test_a_process_that_is_named_by_its_number_and_locked_is_told_so(here, locked):
    process = locked("anything")
    here.memhp("--json", *TIMEOUT, "--vm", process.pid, "list").failed(
        3, f"the command line of pid {process.pid}, 'anything' cannot be read")


@pytest.mark.parametrize("uid", [None, NOBODY])
def test_a_console_on_a_file_system_that_does_not_answer_is_refused(here, tmp_path, uid):
    home = tmp_path if uid is None else pathlib.Path("/tmp")
    path = home / f"memhp-stuck-{os.getpid()}"
    here.qemu(listen=[{"path": str(path), "serial": str(here.dead / "stuck")}], uid=uid)
    here.memhp("--json", *TIMEOUT, "--qmp", path, "blocks").failed(
        4, f"cannot open the console '{here.dead}/stuck': its file system does not answer")
    path.unlink(missing_ok=True)


def test_a_monitor_on_a_file_system_that_does_not_answer_is_refused(here, tmp_path):
    vm = here.qemu("-name", "web", "-qmp", f"unix:{here.dead}/stuck,server=on,wait=off",
                   listen=[{"path": str(tmp_path / "m"), "plugged": 256}])
    here.memhp("--json", *TIMEOUT, "--vm", vm.pid, "--guest", "none", "list").failed(
        3, f"cannot connect to '{here.dead}/stuck': its file system does not answer")


def test_a_configuration_on_a_file_system_that_does_not_answer_hides_no_vm(here, tmp_path):
    here.vm("web", plugged=256)
    here.qemu("-name", "db", "-readconfig", f"{here.dead}/stuck", "-qmp", f"unix:{tmp_path}/m,server=on,wait=off",
              listen=[{"path": str(tmp_path / "m")}])
    assert set(here.vms(*TIMEOUT)) == {"web", "db"}
