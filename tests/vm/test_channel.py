# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to the guest and to the monitor."""
import json
import os
import re

import pytest
from report import done
from vm import MIB, wait_until


def check_channel(vm, channel, env=None, expected=None):
    """Everything works over this channel; expected: what status calls it."""
    words = ["--guest", channel] if channel else []
    before = vm.mem_total()
    done(vm.memhp(*words, "plug", "512M", env=env))
    assert vm.mem_total() == before + 512 * MIB
    done(vm.memhp(*words, "offline", "memory33", env=env))
    assert vm.mem_total() == before + 384 * MIB
    done(vm.memhp(*words, "online", "memory33", env=env))
    assert vm.zones(32, 33, 34, 35) == ["Movable"] * 4
    status = vm.json(*words, "status", env=env)
    assert status["guest"]["channel"] == (expected or channel)
    done(vm.memhp(*words, "unplug", env=env))
    assert vm.mem_total() == before and vm.devices() == [] and vm.backends() == []


def test_the_console_is_found_by_asking_qemu(vm):
    check_channel(vm, None, expected=f"serial:{vm.path('serial.sock')}")


def test_a_console_can_be_named(vm):
    check_channel(vm, f"serial:{vm.path('serial.sock')}")


def test_the_channel_can_come_from_the_environment(vm):
    channel = f"serial:{vm.path('serial.sock')}"
    check_channel(vm, None, env={"MEMHP_GUEST": channel}, expected=channel)


def test_ssh_works(vm, ssh_env):
    check_channel(vm, "ssh:lab", env=ssh_env)


def test_ssh_takes_a_user(vm, ssh_env):
    result = vm.json("--guest", "ssh:root@lab", "status", env=ssh_env)
    assert result["guest"]["mem_total"] == vm.mem_total()


@pytest.mark.parametrize("shell_vm", ["dash", "bash"], indirect=True)
def test_exec_runs_any_command_that_gives_a_shell(shell_vm):
    vm = shell_vm
    check_channel(vm, f"exec:exec ssh -F {vm.path('ssh_config')} lab sh")


def test_guest_none_does_the_host_half_and_leaves_the_rest_to_the_guest(vm):
    before = vm.mem_total()
    result = vm.memhp("--guest", "none", "plug", "512M")
    out = done(result)
    assert "online" in out + result.stderr and "left" in out + result.stderr
    wait_until(lambda: vm.zones(32, 33, 34, 35) == ["offline"] * 4)
    assert vm.mem_total() == before
    done(vm.memhp("--guest", "none", "unplug"))
    assert vm.devices() == [] and vm.backends() == []


def test_json_says_null_for_a_guest_that_is_not_known(vm):
    result = vm.json("--guest", "none", "plug", "128M")
    assert result["guest"] is None and result["devices"][0]["blocks"] is None
    listed = vm.json("--guest", "none", "list")
    assert listed["boot_blocks"] is None and listed["devices"][0]["blocks"] is None
    assert vm.json("--guest", "none", "status")["guest"] is None
    wait_until(lambda: vm.zones(32) == ["offline"])
    done(vm.memhp("--guest", "none", "unplug"))


def test_blocks_needs_no_monitor(vm, ssh_env):
    result = vm.json("--guest", "ssh:lab", "blocks", env={**ssh_env, "MEMHP_QMP": ""})
    seen = [n for run in result["blocks"] for n in range(run["first"], run["last"] + 1)]
    assert seen == list(vm.blocks())


def change_console(vm, backend):
    """Give the first serial port another character device while the machine runs."""
    vm.discard()
    return vm.monitor.execute("chardev-change", id="serial0", backend=backend)


def test_a_console_with_a_relative_path_is_found_from_another_directory(vm, tmp_path):
    change_console(vm, {"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": "relative.sock"}}, "server": True, "wait": False}})
    found = os.path.join(os.readlink(f"/proc/{vm.pid}/cwd"), "relative.sock")
    assert os.path.exists(found)
    result = vm.memhp("--json", "status", cwd=tmp_path)
    assert json.loads(done(result))["guest"]["channel"] == f"serial:{found}"
    done(vm.memhp("plug", "128M", cwd=tmp_path))
    assert vm.zones(32) == ["Movable"]
    done(vm.memhp("unplug", cwd=tmp_path))


def test_a_console_on_a_pty_is_found_and_works(vm):
    path = change_console(vm, {"type": "pty", "data": {}})["pty"]
    check_channel(vm, None, expected=f"serial:{path}")
    check_channel(vm, f"serial:{path}")


@pytest.mark.parametrize("address", ["unix:{}", "{}"])
def test_the_monitor_can_be_named_in_every_way(vm, address):
    path = vm.path("qmp.sock")
    result = vm.memhp("--qmp", address.format(path), "list", env={"MEMHP_QMP": "/nonexistent"})
    assert "no memory devices" in done(result)
    relative = vm.memhp("-Q", address.format("qmp.sock"), "list", cwd=os.path.dirname(path))
    assert "no memory devices" in done(relative)


def test_a_monitor_on_tcp_works(boot):
    vm = boot(arguments=["-chardev", "socket,id=tcpmon,host=127.0.0.1,port=0,server=on,wait=off",
                         "-mon", "chardev=tcpmon,mode=control"])
    [name] = [c["filename"] for c in vm.monitor.execute("query-chardev") if c["label"] == "tcpmon"]
    port = re.search(r"tcp:127\.0\.0\.1:(\d+)", name)[1]
    result = vm.memhp("--qmp", f"tcp:127.0.0.1:{port}", "plug", "128M")
    done(result)
    assert vm.zones(32) == ["Movable"]
    done(vm.memhp("--qmp", f"tcp:localhost:{port}", "unplug"))
