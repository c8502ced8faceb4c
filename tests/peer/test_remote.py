# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitors of another machine, by way of a real ssh server."""
import os

import pytest
from peer import Monitor, Vm, memhp
from sshd import with_server


@with_server
def test_a_monitor_of_another_machine(far, tmp_path):
    machine = Vm()
    machine.plug("d0", 512)
    with Monitor(tmp_path / "qmp", machine):
        found = memhp("--qmp", f"ssh://far{tmp_path}/qmp", "--guest", "none", "--json", "list", env=far).succeeded()
    assert [d["id"] for d in found["devices"]] == ["d0-dimm"]


@with_server
def test_a_socket_that_is_not_there(far):
    memhp("--qmp", "ssh://far/nowhere/qmp", "--json", "list", env=far).failed(
        3, "cannot reach 'ssh://far/nowhere/qmp'", "failed", code="qemu-unreachable")


@with_server
def test_a_host_whose_key_is_not_known(far):
    value = memhp("--qmp", "ssh://stranger/qmp", "--json", "list", env=far).failed(
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
