# SPDX-License-Identifier: GPL-3.0-or-later
"""Real QEMUs that do not show what they are: other programs' names, monitors that the command line does not have."""
import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import socket
import subprocess
import sys

import pytest
import vm as virtual
from world import is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")
QEMU = os.path.realpath(shutil.which("qemu-system-x86_64") or "/usr/bin/qemu-system-x86_64")
BARE = ["-nodefaults", "-display", "none", "-machine", "none"]
# a copy of the program looks for its modules beside itself
MODULES = {"QEMU_MODULE_DIR": next(map(str, pathlib.Path("/usr/lib").glob("*/qemu/accel-tcg-x86_64.so")), "/.")[:-len("/accel-tcg-x86_64.so")]}


class Started:
    """A command in the world; the processes that it is made of, as memhp sees them."""

    def __init__(self, here, *command, **options):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*here.prefix, *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env=virtual.clean_environment(**MODULES), **options)

    def ready(self, path):
        """Wait until somebody listens at that path."""
        def connects():
            assert self.process.poll() is None, "it has ended"
            with socket.socket(socket.AF_UNIX) as client:
                return not client.connect_ex(str(path))

        virtual.wait_until(connects, what=f"a socket at {path}")
        return self


def pids(here, pattern):
    """The processes of the world whose command line has that, as memhp sees them."""
    done = subprocess.run([*here.prefix, "pgrep", "-f", "--", pattern], capture_output=True, text=True, check=False)
    return [int(pid) for pid in done.stdout.split()]


def qmp(here, name="m.sock"):
    """A monitor's path and the words that make it."""
    path = here.directory / name
    return path, ["-qmp", f"unix:{path},server=on,wait=off"]


def copy_of(here, name):
    """QEMU's program by another name."""
    path = here.directory / "bin" / name
    path.parent.mkdir(exist_ok=True)
    shutil.copy(QEMU, path)
    return path


def loader():
    """The dynamic loader that QEMU's program asks for."""
    return re.search(rb"/lib[^\0]*/ld-[^\0]*\.so[^\0]*", pathlib.Path(QEMU).read_bytes())[0].decode()


def name_of_only(here):
    """What the only VM says its name is."""
    return here.json("qmp", "query-name")["return"]["name"]


# Programs of other names

@pytest.mark.parametrize("program", [".qemu-system-x86_64-wrapped", ".qemu-system-x86_64-real", "vmm", "qemu", "sh"])
def test_qemu_is_found_whatever_its_program_is_called(here, program):
    path, words = qmp(here)
    Started(here, copy_of(here, program), "-name", "web", *BARE, *words).ready(path)
    assert name_of_only(here) == "web"
    pid = here.vms()["web"]["pid"]
    assert here.json("--vm", pid, "qmp", "query-name")["return"] == {"name": "web"}
    assert here.json("--vm", "web", "qmp", "query-name")["return"] == {"name": "web"}


@pytest.mark.parametrize("options", [[], ["--argv0", "qemu"]], ids=" ".join)
def test_qemu_is_found_when_the_loader_runs_it(here, options):
    path, words = qmp(here)
    Started(here, loader(), *options, QEMU, "-name", "web", *BARE, *words).ready(path)
    assert name_of_only(here) == "web"


def test_a_program_that_was_replaced_on_disk_is_still_qemu(here):
    """It does not tell its monitor either: only its options and its file tell that it is QEMU."""
    program = copy_of(here, "vmm")
    path, _ = qmp(here)
    config = write_config(here, path)
    Started(here, program, "-name", "web", *BARE, "-readconfig", config).ready(path)
    program.unlink()
    assert name_of_only(here) == "web"


def test_the_process_that_async_teardown_makes_is_no_vm(here):
    path, words = qmp(here)
    Started(here, QEMU, "-name", "web", *BARE, "-async-teardown", *words).ready(path)
    virtual.wait_until(lambda: len(pids(here, "async-teardown")) >= 2, what="the second process")
    assert name_of_only(here) == "web"
    assert list(here.vms()) == ["web"]


def not_qemu(here, path, words):
    """Commands that have QEMU's words, or its name, and are none; the last of them starts one."""
    script = here.directory / "bin" / "qemu-system-x86_64"
    script.parent.mkdir(exist_ok=True)
    script.write_text('#!/bin/sh\nsleep 1000 &\nwait\n')
    script.chmod(0o755)
    daemon = here.directory / "qsd.sock"
    copy = here.directory / "bin" / "storage"
    shutil.copy(shutil.which("qemu-storage-daemon"), copy)
    launcher = here.directory / "launch.py"
    launcher.write_text("import os, socket, time\nlistening = socket.socket(socket.AF_UNIX)\n"
                        f"listening.bind('{here.directory}/launcher')\nlistening.listen()\ntime.sleep(1000)\n")
    line = shlex.join([QEMU, "-name", "web", *BARE, *words])
    return {
        "a script": [script, "-name", "script", "-machine", "q35", *words],
        "a launcher": [sys.executable, launcher, "-machine", "q35", "-nodefaults"],
        "a file's name": ["tail", "-f", "/dev/null", "--pid=1", script],
        "qemu-storage-daemon": ["qemu-storage-daemon", "--chardev", f"socket,path={daemon},server=on,wait=off,id=c",
                                "--monitor", "c"],
        "a copy of it": [copy, "--chardev", f"socket,path={daemon}2,server=on,wait=off,id=c", "--monitor", "c"],
        "a wrapper": ["env", "sh", "-c", f"{line}; true"],
        "timeout": ["timeout", "1000", QEMU, "-name", "db", *BARE, *qmp(here, "db.sock")[1]],
    }


def test_what_only_has_qemus_name_or_words_is_not_taken_for_it(here):
    path, words = qmp(here)
    commands = not_qemu(here, path, words)
    started = {what: Started(here, *command) for what, command in commands.items()}
    started["a wrapper"].ready(path)
    started["timeout"].ready(here.directory / "db.sock")
    started["qemu-storage-daemon"].ready(here.directory / "qsd.sock")
    started["a copy of it"].ready(here.directory / "qsd.sock2")
    virtual.wait_until((here.directory / "launcher").exists, what="the launcher")
    found = here.vms()
    assert sorted(found) == ["db", "web"], found
    shown = here.memhp("vms")
    assert "no QMP socket" not in shown.stderr and "is known" not in shown.stderr, shown
    for what, pattern in (("a script", "-name script"), ("a launcher", "launch.py"), ("a copy of it", "qsd.sock2")):
        pid = pids(here, pattern)[0]
        value = here.memhp("--json", "--vm", pid, "list").failed(3, f"process {pid} is '", "not QEMU",
                                                                code="qemu-unreachable")
        assert "--qmp" in value["error"]["hint"], what
    wrapper = pids(here, "^timeout 1000")[0]
    value = here.memhp("--json", "--vm", wrapper, "list").failed(3, "'timeout'", "not QEMU")
    assert value["error"]["hint"] == f"it has started VM 'db' (pid {found['db']['pid']})"


# Monitors that the command line does not show

def write_config(here, path, **sections):
    """A file for -readconfig with a monitor."""
    config = here.directory / "vm.cfg"
    sections = {'chardev "c"': {"backend": "socket", "path": path, "server": "on", "wait": "off"},
                'mon "m"': {"mode": "control", "chardev": "c"}, **sections}
    config.write_text("# a comment\n\n" + "".join(
        f"[{name}]\n" + "".join(f'  {key} = "{value}"\n' for key, value in section.items())
        for name, section in sections.items()))
    return config


@pytest.mark.parametrize("relative", [False, True])
def test_a_monitor_of_a_configuration_file_is_found(here, relative):
    path, _ = qmp(here)
    config = write_config(here, path, name={"guest": "web"})
    Started(here, "env", f"--chdir={here.directory}", QEMU, *BARE, "-readconfig",
            config.name if relative else config).ready(path)
    assert name_of_only(here) == "web"
    assert here.vms()["web"]["monitor"] == str(path)


@pytest.mark.parametrize("name", ["m.sock", "it's a $(touch x).sock"])
def test_what_is_not_known_to_be_a_monitor_is_named_with_a_hint_that_works(here, name):
    path, _ = qmp(here, name)
    config = write_config(here, path)
    started = Started(here, QEMU, "-name", "web", *BARE, "-readconfig", config,
                      "-serial", f"unix:{here.directory}/serial,server=on,wait=off").ready(path)
    config.unlink()
    pid = pids(here, "-name web")[0]
    for words in ([], ["--vm", "web"], ["--vm", pid]):
        value = here.memhp("--json", *words, "qmp", "query-name").failed(
            3, f"(pid {pid})", f"listens on '{path}'", code="qemu-unreachable", state="unchanged")
        assert "serial" not in value["error"]["message"] and "has no" not in value["error"]["message"]
        typed = shlex.split(re.search("--qmp .*", value["error"]["hint"])[0])
        assert here.json(*typed, "qmp", "query-name")["return"] == {"name": "web"}
    shown = here.memhp("vms")
    assert f"listens on '{path}'" in shown.stderr and "--qmp " in shown.stderr, shown
    assert started.process.poll() is None


def test_nothing_is_connected_to_for_a_guess(here):
    """A gdb stub stops the VM when it is connected to, and a migration that comes in ends it."""
    path, _ = qmp(here, "gdb.sock")
    config = write_config(here, here.directory / "m.sock")
    started = Started(here, QEMU, "-name", "web", *BARE, "-readconfig", config,
                      "-incoming", f"unix:{path}").ready(here.directory / "m.sock")
    config.unlink()
    value = here.memhp("--json", "list").failed(3, "m.sock")
    assert "gdb.sock" not in value["error"]["message"]
    here.memhp("vms")
    status = here.json("--qmp", here.directory / "m.sock", "qmp", "query-status")["return"]
    assert status["status"] == "inmigrate" and started.process.poll() is None


def test_a_monitor_for_people_is_said_to_be_one(here):
    path, _ = qmp(here)
    Started(here, QEMU, "-name", "web", *BARE, "-monitor", f"unix:{path},server=on,wait=off").ready(path)
    pid = pids(here, "-name web")[0]
    value = here.memhp("--json", "list").failed(3, "has no QMP socket", f"'{path}'", "HMP")
    assert value["error"]["hint"] == f"start the one with pid {pid} with -qmp unix:PATH,server=on,wait=off"
    with socket.socket(socket.AF_UNIX) as human:
        human.connect(str(path))
        human.settimeout(virtual.PATIENCE)
        assert b"QEMU" in human.recv(4096)  # nobody was connected


PASS_ON = """import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen(1)
listening.set_inheritable(True)
words = [w.replace("FD", str(listening.fileno())) for w in sys.argv[2:]]
if os.fork():
    os.execvp(words[0], words)
os.pause() if hasattr(os, "pause") else __import__("time").sleep(1000)
"""


def test_a_monitor_whose_socket_was_passed_is_found(here):
    """As libvirt does: "fd=3" is no path, and the one who has made the socket still holds it too."""
    path, _ = qmp(here)
    (here.directory / "run" / "fd=3").parent.mkdir()
    Started(here, "env", f"--chdir={here.directory}/run", sys.executable, "-c", PASS_ON, path, QEMU, "-name", "web",
            *BARE, "-chardev", "socket,id=c,fd=FD,server=on,wait=off", "-mon", "c,mode=control").ready(path)
    assert name_of_only(here) == "web"
    assert here.vms()["web"]["monitor"] == str(path)


@pytest.mark.parametrize("words", [
    ["-qmp", "unix:{name},abstract=on,server=on,wait=off"],
    ["-qmp", "unix:{name},abstract=on,tight=off,server=on,wait=off"],
    ["-chardev", "socket,id=c,path={name},abstract=on,server=on,wait=off", "-mon", "c,mode=control"],
], ids=" ".join)
def test_an_abstract_socket_is_an_address(here, words):
    name = here.directory.name
    Started(here, QEMU, "-name", "web", *BARE, *(w.format(name=name) for w in words))
    virtual.wait_until(lambda: here.vms().get("web", {}).get("plugged_memory") == 0, what="the monitor")
    address = here.vms()["web"]["monitor"]
    assert address == f"unix:@{name}"
    assert name_of_only(here) == "web"
    assert here.json("--qmp", address, "qmp", "query-name")["return"] == {"name": "web"}
    assert here.json("qmp", "query-name", env={"MEMHP_QMP": address})["return"] == {"name": "web"}
    here.configure(f"[vm w]\nqmp = {address}\n")
    assert here.json("--vm", "w", "qmp", "query-name")["return"] == {"name": "web"}
    assert here.vms()["w"]["pid"] == pids(here, "-name web")[0]


# Ports

@contextlib.contextmanager
def impostor(family, address, port):
    """Another process that listens at that port, by another family, and counts who comes."""
    with socket.socket(family) as listening:
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen()
        listening.setblocking(False)
        yield listening


@pytest.mark.parametrize("host, family, other", [("0.0.0.0", "127.0.0.1", "::1"), ("::", "[::1]", "127.0.0.1"),
                                                 ("localhost", "127.0.0.1", "::1")])
def test_a_port_is_looked_for_where_qemu_listens(here, host, family, other):
    """Another process has the same port of the other family, which a look-up of "localhost" may give first."""
    kind = socket.AF_INET6 if ":" in other else socket.AF_INET
    try:
        with socket.create_server((other, 0), family=kind) as probe:
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip("no IPv6 here")
    only = ",ipv4=off,ipv6=on" if ":" in host else ",ipv4=on,ipv6=off"
    with impostor(kind, other, port) as listening:
        Started(here, QEMU, "-name", "web", *BARE, "-mon", "c,mode=control",
                "-chardev", f"socket,id=c,host={host},port={port},server=on,wait=off{only}")
        virtual.wait_until(lambda: here.vms().get("web", {}).get("plugged_memory") == 0, what="the monitor")
        assert here.vms()["web"]["monitor"] == f"tcp:{family}:{port}"
        assert name_of_only(here) == "web"
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_a_port_of_a_range_is_the_one_that_was_free(here):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        Started(here, QEMU, "-name", "web", *BARE, "-qmp", f"tcp:127.0.0.1:{port},to={port + 40},server=on,wait=off")
        virtual.wait_until(lambda: here.vms().get("web", {}).get("plugged_memory") == 0, what="the monitor")
        assert here.vms()["web"]["monitor"] != f"tcp:127.0.0.1:{port}"
        assert name_of_only(here) == "web"


def test_a_forwarded_port_is_hinted_at_by_its_number(here):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path, words = qmp(here)
    Started(here, QEMU, "-name", "web", "-nodefaults", "-display", "none", "-S", *words,
            "-nic", f"user,hostfwd=tcp::{port}-:22").ready(path)
    virtual.wait_until(lambda: f"--guest ssh:root@127.0.0.1:{port}" in here.memhp("vms").stderr, what="the hint")
    with virtual.Qmp(path) as monitor:
        monitor.execute("human-monitor-command", **{"command-line": f"hostfwd_remove tcp::{port}"})
    assert "ssh" not in here.memhp("vms").stderr
    assert json.loads(here.memhp("--json", "vms").stdout)["vms"][0]["ssh"] is None


# One that is silent

def test_a_vm_that_stands_still_tells_nothing_and_hides_no_other(here):
    """QEMU is stopped by a signal: its sockets still accept."""
    names = ["a", "b", "c"]
    started = {name: Started(here, QEMU, "-name", name, *BARE, *qmp(here, name)[1]).ready(here.directory / name)
               for name in names}
    subprocess.run([*here.prefix, "kill", "-STOP", str(pids(here, "-name a")[0])], check=True)
    found = here.vms("--all") if os.geteuid() == 0 else here.vms()
    assert {name: vm["plugged_memory"] for name, vm in found.items()} == {"a": None, "b": 0, "c": 0}
    assert "does not greet" in found["a"]["problem"]
    assert found["b"]["problem"] is None and found["c"]["problem"] is None
    for pid in (pids(here, "-name a")[0], None):  # nsenter stands still like its child
        subprocess.run([*(here.prefix if pid else []), "kill", "-CONT", str(pid or started["a"].process.pid)], check=True)
