# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user names is compared with the VM that is meant, on real VMs: sockets, ports, and what they are for."""
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import threading

import pytest
from vm import BINARY, clean_environment, run_memhp, wait_until


class Impostor:
    """This process listens where a QEMU did, and keeps what it is told; the QEMU's socket is kept aside."""

    def __init__(self, path):
        self.path, self.aside = pathlib.Path(path), pathlib.Path(f"{path}.aside")
        self.heard = b""
        self.path.rename(self.aside)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        """One client after the other, until this listens no more."""
        with contextlib.suppress(OSError):
            while True:
                with self.listener.accept()[0] as client:
                    while data := client.recv(4096):
                        self.heard += data

    def close(self):
        """Put the socket back."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()
        self.aside.rename(self.path)


@pytest.fixture
def agent_vm(boot):
    """A VM with a console and an agent."""
    return boot(agent="exec")


@pytest.mark.parametrize("scheme, name", [("serial", "serial.sock"), ("qga", "qga.sock")])
@pytest.mark.parametrize("link", [False, True])
def test_a_named_path_of_the_vms_that_another_process_has_taken_over_is_not_used(agent_vm, tmp_path, scheme, name, link):
    """A guest's program went to a shell of the host's, as root."""
    before = agent_vm.state()
    path = agent_vm.path(name)
    if link:
        (tmp_path / "link").symlink_to(path)
    impostor = Impostor(path)
    try:
        done = agent_vm.memhp("--guest", f"{scheme}:{tmp_path / 'link' if link else path}", "plug", "128M")
        assert done.returncode == 4 and f"belongs to another process (pid {os.getpid()}, " in done.stderr, done
        assert "not to this VM" in done.stderr and "hint: name a channel of this VM" in done.stderr, done
        done = agent_vm.memhp("--guest", f"{scheme}:{impostor.aside}", "list")  # it still is that QEMU's
        assert done.returncode == 0, done
    finally:
        impostor.close()
    assert impostor.heard == b"" and agent_vm.state() == before


def test_a_relay_at_a_path_of_its_own_is_believed(agent_vm, tmp_path):
    path = tmp_path / "relay"
    with subprocess.Popen(["socat", "-d", "-d", f"UNIX-LISTEN:{path},fork", f"UNIX-CONNECT:{agent_vm.path('serial.sock')}"],
                          stderr=subprocess.DEVNULL) as socat:
        try:
            wait_until(path.exists, what="the relay")
            done = agent_vm.memhp("--guest", f"serial:{path}", "list")
            assert done.returncode == 0, done
        finally:
            socat.terminate()


def test_a_monitor_is_no_console_and_a_console_no_agent(agent_vm):
    """At once, and without a word to it."""
    for address, purpose in ((f"serial:{agent_vm.path('qmp2.sock')}", "a monitor"), (f"qga:{agent_vm.path('qmp2.sock')}", "a monitor"),
                             (f"qga:{agent_vm.path('serial.sock')}", "a console")):
        done = agent_vm.memhp("--guest", address, "offline", "memory1")
        assert done.returncode == 4 and f"' is {purpose} of the VM with pid {agent_vm.pid}, not " in done.stderr, done
    done = agent_vm.memhp("--guest", f"serial:{agent_vm.path('serial.sock')}", "list")
    assert done.returncode == 0, done


@pytest.mark.parametrize("words, address", [
    ("-monitor unix:{0}/hmp,server=on,wait=off", "{0}/hmp"),
    ("-chardev socket,id=m,path={0}/hmp,server=on,wait=off -mon m", "{0}/hmp"),
    ("-chardev socket,id=m,path=memhp-hmp-{1},abstract=on,server=on,wait=off -mon m", "@memhp-hmp-{1}"),
    ("-qmp unix:{0}/hmp,server=on,wait=off", "{0}/hmp")], ids=str)
def test_a_guests_program_is_not_typed_into_a_monitor(tmp_path, words, address):
    """Where no VM is named either: whose socket it is tells what it is for."""
    words, address = (text.format(tmp_path, os.getpid()) for text in (words, address))
    with subprocess.Popen(["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "none", *words.split(),
                           "-chardev", f"socket,id=last,path={tmp_path}/last,server=on,wait=off"]) as qemu:
        try:
            wait_until((tmp_path / "last").exists, what="its sockets")
            done = run_memhp("--guest", f"serial:{address}", "blocks")
            assert done.returncode == 4, done
            assert f"'{address}' is a monitor of the VM with pid {qemu.pid}, not a console" in done.stderr, done
            assert qemu.poll() is None
        finally:
            qemu.kill()


@pytest.fixture
def taken_over(bare, tmp_path):
    """Two QEMUs that were started with the same -qmp, "web" and then "db", and that path: it is the second's."""
    path = tmp_path / "m"
    words = ["-qmp", f"unix:{path},server=on,wait=off"]
    return bare("-name", "web", *words), bare("-name", "db", *words), path


def test_a_profile_whose_monitor_another_vm_has_taken_over_changes_neither(taken_over, tmp_path):
    web, db, path = taken_over
    config = tmp_path / "memhp" / "config"
    config.parent.mkdir()
    config.write_text(f"[vm web]\nqmp = {path}\n")
    config.chmod(0o600)
    before = web.state(), db.state()
    done = run_memhp("--vm", "web", "--guest", "none", "plug", "128M", env={"XDG_CONFIG_HOME": tmp_path})
    assert (web.state(), db.state()) == before, done
    assert done.returncode == 2 and f"('db', pid {db.pid}) than the one that runs under that name (pid {web.pid})" in done.stderr, done


def test_a_shell_whose_monitor_another_vm_has_taken_over_changes_neither(bare, tmp_path):
    path = tmp_path / "m"
    words = ["-qmp", f"unix:{path},server=on,wait=off"]
    web = bare("-name", "web", *words)
    with subprocess.Popen([BINARY, "--qmp", path, "--guest", "none", "shell"], stdin=subprocess.PIPE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_environment()) as shell:
        shell.stdin.write("list\n")
        shell.stdin.flush()
        assert "no memory devices" in shell.stdout.readline()
        db = bare("-name", "db", *words)
        web.stop()
        before = db.state()
        said = shell.communicate("plug 128M\n")[0]
    assert db.state() == before, said
    assert f"another VM is at '{path}' now: 'db', pid {db.pid}, not 'web', pid {web.pid}" in said


def port_of(vm):
    """The port that its QEMU forwards to the guest's ssh."""
    return re.search(r"Port (\d+)", pathlib.Path(vm.path("ssh_config")).read_text(encoding="ascii")).group(1)


@pytest.mark.parametrize("host", ["127.0.0.1", "root@localhost"])
def test_a_port_that_another_vm_forwards_is_not_this_vms(boot, host):
    a, b = boot(), boot(shell="dash")
    before = a.state(), b.state()
    done = a.memhp("--guest", f"ssh:{host}:{port_of(b)}", "plug", "128M")
    assert done.returncode == 4 and f":{port_of(b)}' leads to another VM (" in done.stderr, done
    assert f"pid {b.pid}), not to this one" in done.stderr, done
    assert (a.state(), b.state()) == before
    done = a.memhp("--guest", f"ssh:{host}:{port_of(a)}", "--dry-run", "plug", "128M")
    assert "leads to another VM" not in done.stderr, done


def test_a_monitor_that_is_not_where_its_words_say_has_a_hint(tmp_path):
    """QEMU has left the directory where a relative path begins."""
    pidfile = tmp_path / "pid"
    subprocess.run(["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "none", "-name", "left", "-daemonize",
                    "-pidfile", pidfile, "-qmp", "unix:m,server=on,wait=off"], check=True, cwd=tmp_path)
    pid = int(pidfile.read_text(encoding="ascii"))
    try:
        done = run_memhp("--vm", pid, "qmp", "query-name")
        assert done.returncode == 3 and "cannot connect to '/m': No such file" in done.stderr, done
        assert f"hint: VM {pid} listens there, but its path " in done.stderr and "name its monitor with --qmp" in done.stderr, done
        assert run_memhp("--qmp", tmp_path / "m", "qmp", "query-name").returncode == 0
    finally:
        os.kill(pid, 9)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount namespace")
def test_a_socket_in_a_file_system_of_several_parts_is_known(tmp_path):
    """stat(2) has another device for it than the kernel has for its file system, as on btrfs and in containers."""
    script = ('mount -t tmpfs tmpfs "$0" && mkdir "$0/upper" "$0/work" "$0/all" && '
              'mount -t overlay overlay -o "lowerdir=/srv,upperdir=$0/upper,workdir=$0/work" "$0/all" && cd "$0/all" && exec "$@"')
    qemu = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "none", "-qmp", "unix:m,server=on,wait=off",
            "-serial", f"unix:{tmp_path}/all/s,server=on,wait=off"]
    with subprocess.Popen(["unshare", "-m", "sh", "-c", script, tmp_path, *qemu]) as process:
        try:
            def known():
                found = json.loads(run_memhp("--json", "vms").stdout)["vms"]
                return next((v for v in found if v["pid"] == process.pid and not v["problem"]), None)

            vm = wait_until(known, what="its monitor")
            assert (vm["guest"], vm["guest_problem"]) == (f"serial:{tmp_path}/all/s", None)
        finally:
            process.kill()


def test_a_console_that_is_given_as_the_monitor_is_told_at_once(vm):
    """A monitor that is in use greets late: this one never would, and QEMU's words say so."""
    value = vm.json("--qmp", vm.path("serial.sock"), "--timeout", "600", "list", code=3)
    assert value["error"]["message"].endswith("is a console of the VM with pid %d, not a QMP monitor" % vm.pid), value
    assert f"--qmp {vm.path('qmp.sock')}" in value["error"]["hint"], value
