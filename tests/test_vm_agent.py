# SPDX-License-Identifier: GPL-3.0-or-later
"""The real guest agent, in a real guest, as the only channel."""
import json
import signal

import pytest
from test_vm_held import HOLD
from vm import MIB, connect, end_process, run_memhp, wait_until

POLICY = "/sys/devices/system/memory/auto_online_blocks"
DIRECTORIES = "ls -d /run/memhp-* 2>/dev/null; :"
STATES = "cat /sys/devices/system/memory/memory3[2-5]/state; :"


@pytest.fixture
def vm(boot):
    """A guest with an agent that allows guest-exec."""
    machine = boot(agent="exec")
    machine.agent = {"MEMHP_GUEST": f"qga:{machine.path('qga.sock')}"}
    yield machine
    assert machine.guest(DIRECTORIES) == ""


def done(result):
    assert result.returncode == 0, result
    return result.stdout


def nothing_left(vm, programs):
    """Wait until neither a process nor a directory of memhp's is in the guest."""
    wait_until(lambda: not vm.guest(DIRECTORIES), what="the end of memhp's directory")
    # an agent whose client went before it had the answer waits for the next one, and its dead children wait with it
    done(vm.memhp("blocks", env=vm.agent))
    wait_until(lambda: vm.processes() == programs, what="the end of memhp's processes")


def test_every_command_works_through_the_agent(vm):
    before = vm.mem_total()
    programs = vm.processes()
    found = vm.json("plug", "512M", "--zone", "movable", env=vm.agent)
    assert found["guest"]["mem_total_after"] == before + 512 * MIB == vm.mem_total()
    assert vm.zones(32, 33, 34, 35) == ["Movable"] * 4
    done(vm.memhp("offline", "33", env=vm.agent))
    assert vm.zones(32, 33) == ["Movable", "offline"]
    (device,) = vm.json("list", env=vm.agent)["devices"]
    assert [(b["first"], b["last"], b["state"]) for b in device["blocks"]] == [
        (32, 32, "online"), (33, 33, "offline"), (34, 35, "online")]
    done(vm.memhp("online", "33", env=vm.agent))
    assert vm.zones(33) == ["Movable"]
    assert vm.json("status", env=vm.agent)["guest"]["channel"] == vm.agent["MEMHP_GUEST"]
    done(vm.memhp("unplug", env=vm.agent))
    assert vm.devices() == [] and vm.mem_total() == before
    assert vm.guest(DIRECTORIES) == ""
    nothing_left(vm, programs)


def test_half_a_request_and_unread_answers_of_others_do_no_harm(vm):
    with connect(vm.path("qga.sock")) as other:
        other.sendall(b'{"execute":"guest-info"}\n' * 20 + b'{"execute":"guest-exec","arguments":{"path":"')
    done(vm.memhp("blocks", env=vm.agent))
    with connect(vm.path("qga.sock")) as other:
        other.sendall(b'\xff{"execute":"guest-sync-delimited","arguments":{"id":1}}\n"')
    done(vm.memhp("blocks", env=vm.agent))


def test_an_offline_is_interrupted_and_undone(vm):
    done(vm.memhp("plug", "512M", "--zone", "movable", env=vm.agent))
    vm.guest(HOLD)
    before, programs = vm.state(), vm.processes()
    process = vm.start_memhp("--json", "offline", "32-35", env=vm.agent)
    wait_until(lambda: "going-offline" in vm.guest(STATES), what="the write that hangs")
    process.send_signal(signal.SIGINT)
    out, _ = end_process(process)
    assert process.returncode == 130 and json.loads(out)["state"] in ("rolled-back", "unchanged"), out
    assert vm.state() == before
    nothing_left(vm, programs)
    killed = vm.start_memhp("--timeout", "4", "offline", "32-35", env=vm.agent)
    wait_until(lambda: "going-offline" in vm.guest(STATES), what="the write that hangs")
    killed.kill()
    killed.communicate()
    nothing_left(vm, programs)
    vm.guest("killall sleep; sleep 1; umount /tmp/full && rmdir /tmp/full")
    done(vm.memhp("online", "32-35", env=vm.agent))
    done(vm.memhp("unplug", env=vm.agent))


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_guest_that_onlines_by_itself_gets_its_policy_back(vm, is_killed):
    programs = vm.processes()
    vm.guest(f"echo online >{POLICY}")
    process = vm.start_memhp("--timeout", "4", "plug", "256M", "--zone", "movable", env=vm.agent)
    if is_killed:
        wait_until(lambda: vm.guest(f"cat {POLICY}") == "offline\n", what="the hold")
        process.kill()
    process.communicate()
    nothing_left(vm, programs)
    assert vm.guest(f"cat {POLICY}") == "online\n"
    vm.guest(f"echo offline >{POLICY}")
    if not is_killed:
        assert process.returncode == 0 and vm.zones(32, 33) == ["Movable"] * 2
    if vm.devices():
        done(vm.memhp("unplug", "--all", env=vm.agent))
    elif vm.backends():
        done(vm.memhp("repair", env=vm.agent))


def test_an_agent_that_has_stopped_is_not_waited_for_beyond_the_deadline(vm):
    before = vm.state()
    vm.guest("kill -STOP $(pidof qemu-ga)")
    found = vm.json("--timeout", "2", "plug", "256M", env=vm.agent, code=4)
    assert "does not answer" in found["error"]["message"] and found["state"] == "unchanged"
    assert vm.state() == before
    vm.guest("kill -CONT $(pidof qemu-ga)")
    done(vm.memhp("blocks", env=vm.agent))


def test_a_shell_of_commands_keeps_to_each_ones_deadline(vm):
    result = run_memhp("shell", input="blocks\nblocks\n", env={"MEMHP_QMP": vm.path("qmp.sock"), **vm.agent})
    assert done(result).count("memory0") == 2, result


def test_an_agent_that_forbids_guest_exec_is_told_so(boot):
    vm = boot(agent="noexec")
    found = vm.json("plug", "256M", env={"MEMHP_GUEST": f"qga:{vm.path('qga.sock')}"}, code=4)
    assert "does not allow guest-exec" in found["error"]["message"] and found["state"] == "unchanged"
    assert vm.devices() == [] and vm.backends() == []
