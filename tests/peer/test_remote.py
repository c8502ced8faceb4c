# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitors of another machine, by way of a real ssh server."""
import os
import socket
import subprocess

import pytest
from peer import Monitor, Vm, memhp
from vm import MIB, wait_until

SSHD = "/usr/sbin/sshd"

# Its package would start a server for everybody: it is used where it is, not installed for the tests.
with_server = pytest.mark.skipif(not os.path.exists(SSHD), reason="no sshd: install openssh-server")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The environment in which "far" is a host that ssh reaches: this one."""
    root = tmp_path_factory.mktemp("sshd")
    for key in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / key], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (root / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {root}/host\nAuthorizedKeysFile {root}/id.pub\n"
        "StrictModes no\nPidFile none\nUsePAM no\n", encoding="ascii")
    (root / "known").write_text(f"[127.0.0.1]:{port} {(root / 'host.pub').read_text(encoding='ascii')}",
                                encoding="ascii")
    (root / "ssh_config").write_text(
        f"Host far stranger\nHostName 127.0.0.1\nPort {port}\nIdentityFile {root}/id\nIdentitiesOnly yes\n"
        f"Host far\nUserKnownHostsFile {root}/known\nHost stranger\nUserKnownHostsFile {root}/unknown\n",
        encoding="ascii")
    wrapper = root / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/sh\nexec /usr/bin/ssh -F {root}/ssh_config \"$@\"\n", encoding="ascii")
    wrapper.chmod(0o755)
    os.makedirs("/run/sshd", exist_ok=True)
    with subprocess.Popen([SSHD, "-D", "-f", root / "sshd_config"], stderr=subprocess.DEVNULL) as sshd:

        def listens():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        wait_until(listens, what="the ssh server")
        yield {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
        sshd.terminate()


@pytest.fixture
def env(server, tmp_path):
    """That, and a directory for memhp's sockets that has to be empty at the end."""
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    yield {**server, "XDG_RUNTIME_DIR": str(run)}
    assert not list(run.iterdir())


@with_server
def test_a_monitor_of_another_machine(env, tmp_path):
    machine = Vm()
    machine.plug("d0", 512)
    with Monitor(tmp_path / "qmp", machine):
        found = memhp("--qmp", f"ssh://far{tmp_path}/qmp", "--guest", "none", "--json", "list", env=env).succeeded()
    assert [d["id"] for d in found["devices"]] == ["d0-dimm"]


@with_server
def test_monitor_and_console_through_one_connection(env, vm):
    before = vm.mem_total()
    address = f"ssh://far{vm.path('qmp.sock')}"
    result = vm.memhp("--qmp", address, "plug", "256M", env=env)
    assert result.returncode == 0, result
    assert vm.mem_total() == before + 256 * MIB
    result = vm.memhp("--qmp", address, "unplug", env=env)
    assert result.returncode == 0, result
    assert vm.mem_total() == before and vm.devices() == [] and vm.backends() == []


@with_server
def test_a_socket_that_is_not_there(env):
    memhp("--qmp", "ssh://far/nowhere/qmp", "--json", "list", env=env).failed(
        3, "cannot reach 'ssh://far/nowhere/qmp'", "failed", code="qemu-unreachable")


@with_server
def test_a_host_whose_key_is_not_known(env):
    value = memhp("--qmp", "ssh://stranger/qmp", "--json", "list", env=env).failed(
        3, "Host key verification failed", code="qemu-unreachable")
    assert "by hand" in value["error"]["hint"]


@pytest.mark.parametrize("address", ["ssh://", "ssh://far", "ssh://far/", "ssh:///qmp", "ssh://far/a:b", "ssh://far/$x",
                                     "ssh://far/a b", "ssh://-oProxyCommand=x/qmp", "ssh://far;x/qmp", "ssh://far:0/qmp"])
def test_a_bad_address_reaches_no_ssh(tmp_path, address):
    called = tmp_path / "called"
    wrapper = tmp_path / "ssh"
    wrapper.write_text(f"#!/bin/sh\n: >{called}\n", encoding="ascii")
    wrapper.chmod(0o755)
    memhp("--qmp", address, "--json", "list", env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}).failed(
        2, "bad address", code="usage")
    assert not called.exists()
