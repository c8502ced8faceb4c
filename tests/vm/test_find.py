# SPDX-License-Identifier: GPL-3.0-or-later
"""Real QEMUs, found by themselves: whatever their command lines look like, one of them or several, busy or not."""
import contextlib
import pathlib
import re
import socket
import subprocess

import peer
import pytest
import vm as virtual
from world import IS_ROOT, is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")


def free_port(family=socket.AF_INET, host="127.0.0.1"):
    """A port that nobody listens on."""
    with socket.create_server((host, 0), family=family) as server:
        return server.getsockname()[1]


def start(here, *words, listens=True):
    """A QEMU without a machine, in a directory of its own. Its pid file comes before its monitors."""
    cwd = here.directory / "run"
    cwd.mkdir(exist_ok=True)
    pidfile = here.directory / f"{len(list(here.directory.glob('*.pid')))}.pid"
    process = subprocess.Popen(  # pylint: disable=consider-using-with
        [*here.prefix, "env", f"--chdir={cwd}", "qemu-system-x86_64", "-nodefaults", "-display", "none",
         "-machine", "none", "-pidfile", pidfile, *words], stdin=subprocess.DEVNULL)

    def written():
        assert not process.poll(), "QEMU has failed"
        return pidfile.exists() and pidfile.read_text().endswith("\n") and pidfile.read_text()

    pid = int(virtual.wait_until(written, what="the pid file"))
    if "-daemonize" in words:
        process.wait()  # until the daemon is ready there are two of them
    if listens:
        virtual.wait_until(lambda: not any(vm["problem"] for vm in here.vms().values()), what="a monitor")
    return pid


@pytest.mark.parametrize("words", [
    ["-qmp", "unix:{dir}/m.sock,server=on,wait=off"],
    ["-qmp", "unix:{dir}/m.sock,server,nowait"],
    ["--qmp-pretty", "unix:{dir}/m.sock,server=on,wait=off"],
    ["-qmp", "unix:m.sock,server=on,wait=off"],
    ["-qmp", "unix:{dir}/a,,b c.sock,server=on,wait=off"],
    ["-qmp", "tcp:127.0.0.1:{port},server=on,wait=off"],
    ["-qmp", "tcp::{port},server=on,wait=off"],
    ["-chardev", "socket,id=x,host=::1,port={port6},server=on,wait=off", "-mon", "x,mode=control"],
    ["-chardev", "socket,id=x,path={dir}/m.sock,server=on,wait=off", "-mon", "chardev=x,mode=control"],
    ["-mon", "x,mode=control,pretty=on", "-chardev", "socket,id=x,path=m.sock,server=on,wait=off"],
    ["-chardev", "socket,id=x,host=localhost,port={port},server=on,wait=off", "-mon", "x,mode=control"],
    ["-chardev", "socket,id=x,path={dir}/m.sock,server=on,wait=off", "-qmp", "chardev:x"],
    ["-monitor", "unix:{dir}/hmp.sock,server=on,wait=off", "-qmp", "unix:{dir}/m.sock,server=on,wait=off"],
], ids=" ".join)
def test_a_monitor_is_found_however_it_was_asked_for(here, words):
    places = {"dir": here.directory, "port": free_port()}
    if "{port6}" in " ".join(words):
        try:
            places["port6"] = free_port(socket.AF_INET6, "::1")
        except OSError:
            pytest.skip("no IPv6 here")
    pid = start(here, "-name", "web,debug-threads=on", *(w.format(**places) for w in words))
    assert here.json("qmp", "query-name")["return"] == {"name": "web"}
    found = here.vms()
    assert list(found) == ["web"] and found["web"]["pid"] == pid and found["web"]["problem"] is None


def test_a_monitor_that_qemu_opens_to_somebody_else_is_none_of_ours(here):
    path = here.directory / "m.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        pid = start(here, "-qmp", f"unix:{path}", listens=False)
        value = here.memhp("--json", "qmp", "query-name").failed(3, "QMP socket")
        assert f"pid {pid}" in value["error"]["hint"]
        with listening.accept()[0] as qemu:
            assert b"QMP" in qemu.recv(4096)
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.skipif(not IS_ROOT, reason="needs to write to /")
def test_a_qemu_that_has_left_its_directory_is_not_mistaken(here):
    """With -daemonize a relative path cannot be found again: it must not lead to another socket."""
    decoy = pathlib.Path(f"/{here.directory.name}.sock")
    with contextlib.ExitStack() as stack:
        stack.callback(decoy.unlink, missing_ok=True)
        listening = stack.enter_context(peer.Monitor(decoy))
        start(here, "-daemonize", "-qmp", f"unix:{decoy.name},server=on,wait=off", listens=False)
        here.memhp("--json", "qmp", "query-name").failed(3, str(decoy), "belongs to another process")
        assert listening.commands == []


@contextlib.contextmanager
def client(path):
    """Another client of a monitor."""
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(path))
        assert b"QMP" in other.recv(4096)
        yield


def test_of_several_monitors_a_free_one_is_taken(here):
    paths = [here.directory / f"{n}.sock" for n in range(2)]
    start(here, "-name", "web", *(w for p in paths for w in ("-qmp", f"unix:{p},server=on,wait=off")))
    assert here.vms()["web"]["monitor"] == str(paths[0])
    with client(paths[0]):
        assert here.json("qmp", "query-name")["return"] == {"name": "web"}
        assert here.vms()["web"]["monitor"] == str(paths[1])
        with client(paths[1]):
            found = here.vms()["web"]
            # a monitor keeps one who waits, and refuses the next
            assert re.search("another client|others are waiting", found["problem"])
            assert found["plugged_memory"] is None
            here.memhp("--json", "--timeout", "1", "list").failed(3, ".sock", code="qemu-unreachable")
    # it is free again once QEMU has seen the client go
    virtual.wait_until(lambda: here.vms()["web"]["problem"] is None)


class Lab:
    """A lab VM in a world, seen through its second monitor."""

    def __init__(self, here, name):
        self.env = virtual.clean_environment(MEMHP_LAB_DIR=here.directory / "lab")
        self.command = [*here.prefix, virtual.LAB]
        self.name = name
        self.run("start", "-q", name)
        self.path = here.directory / "lab" / name
        self.monitor = virtual.Qmp(self.path / "qmp2.sock")

    def run(self, *words):
        """Run memhp-lab."""
        subprocess.run([*self.command, *words], env=self.env, check=True, capture_output=True, stdin=subprocess.DEVNULL)

    def plugged(self):
        """What QEMU says, in MiB."""
        return self.monitor.execute("query-memory-size-summary")["plugged-memory"] // virtual.MIB

    def stop(self):
        """Its end."""
        self.monitor.close()
        self.run("stop", "-q", self.name)


def test_plug_needs_no_address(here):
    """With one VM none, with two its name, its pid or a profile; QEMU itself says which it was."""
    web = Lab(here, "web")
    assert here.memhp("plug", "512M").code == 0
    assert web.plugged() == 512
    db = Lab(here, "db")
    here.memhp("--json", "unplug").failed(2, "'web'", "'db'")
    assert here.memhp("--vm", "db", "plug", "256M").code == 0
    assert (web.plugged(), db.plugged()) == (512, 256)
    found = here.vms()
    assert {n: v["plugged_memory"] // virtual.MIB for n, v in found.items()} == {"web": 512, "db": 256}
    assert found["db"]["guest"] == f"serial:{db.path}/serial.sock"
    here.configure(f"[vm w]\nqmp = {web.path}/qmp.sock\nzone = kernel\ndimm = 128M\n")
    plugged = here.json("--vm", "w", "plug", "256M")
    assert [d["size"] // virtual.MIB for d in plugged["devices"]] == [128, 128]
    assert {b["zone"] for d in plugged["devices"] for b in d["blocks"]} == {"Normal"}
    assert (web.plugged(), db.plugged()) == (768, 256)
    assert here.memhp("--vm", found["db"]["pid"], "unplug").code == 0
    assert (web.plugged(), db.plugged()) == (768, 0)
    db.stop()
    assert here.json("list")["devices"] == here.json("--vm", "web", "list")["devices"] != []
    web.stop()
