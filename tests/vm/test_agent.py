# SPDX-License-Identifier: GPL-3.0-or-later
"""The real guest agent, in a real guest, as the only channel."""
import json
import re
import signal
import subprocess

import pytest
from report import done
from stuck import HOLD, LET_GO
from vm import BINARY, LAB, MIB, clean_environment, connect, end_process, run_memhp, wait_until

POLICY = "/sys/devices/system/memory/auto_online_blocks"
DIRECTORIES = "ls -d /run/memhp-* 2>/dev/null; :"
STATES = "cat /sys/devices/system/memory/memory3[2-5]/state; :"


def boot_agent(boot, kind):
    """A guest with an agent; machine.agent is the environment in which memhp takes it for its channel."""
    machine = boot(agent=kind)
    machine.agent = {"MEMHP_GUEST": f"qga:{machine.path('qga.sock')}"}
    return machine


@pytest.fixture
def vm(boot):
    """A guest with an agent that allows guest-exec."""
    machine = boot_agent(boot, "exec")
    yield machine
    assert machine.guest(DIRECTORIES) == ""


def agent_of(vm):
    """The agent's pid, asked for before there is work: until it becomes a shell, a child of the agent's has that name too."""
    pid, = vm.guest("pidof qemu-ga").split()
    return pid


def nothing_left(vm, programs):
    """Wait until neither a process nor a directory of memhp's is in the guest."""
    wait_until(lambda: not vm.guest(DIRECTORIES), what="the end of memhp's directory")
    # an agent whose client went before it had the answer waits for the next one, and its dead children wait with it:
    # as many clients as there were requests on their way
    def is_clean():
        done(vm.memhp("blocks", env=vm.agent))
        # one of the agent's dead children may have been among those before
        return vm.processes().items() <= programs.items()

    wait_until(is_clean, what="the end of memhp's processes")


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


def follow(vm):
    """What happens to a DIMM is told by its guest's agent."""
    run = subprocess.Popen(  # pylint: disable=consider-using-with
        [BINARY, "--verbose", "--qmp", vm.path("qmp.sock"), "events", "--guest-events"], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=clean_environment(**vm.agent))
    with run:
        asked = 0
        while asked < 2:
            line = run.stderr.readline()
            assert line, run.wait()
            asked += "guest > watch" in line
        def told(words):
            while (line := run.stdout.readline()) and words not in line:
                pass
            assert line, words

        vm.add_dimm(128 * MIB, "f-mem", "f-dimm")
        told("memory32: added, offline")
        vm.guest("echo online_movable >/sys/devices/system/memory/memory32/state")
        told("memory32: online")
        vm.monitor.execute("stop")
        told("the VM is paused")
        vm.monitor.execute("cont")
        told("the VM runs again")
        run.send_signal(signal.SIGINT)
        run.communicate()
        assert run.returncode == 130
    vm.guest("echo offline >/sys/devices/system/memory/memory32/state")
    vm.monitor.execute("device_del", id="f-dimm")
    vm.monitor.wait_event("DEVICE_DELETED", lambda data: data.get("device") == "f-dimm")
    vm.monitor.execute("object-del", id="f-mem")


def test_the_guest_is_followed_through_the_agent(vm):
    programs = vm.processes()
    follow(vm)
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
    vm.guest(LET_GO)
    done(vm.memhp("online", "32-35", env=vm.agent))
    done(vm.memhp("unplug", env=vm.agent))


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_guest_that_onlines_by_itself_gets_its_policy_back(vm, is_killed):
    programs, agent = vm.processes(), agent_of(vm)
    vm.guest(f"echo online >{POLICY}")
    process = vm.start_memhp("--timeout", "4", "plug", "256M", "--zone", "movable", env=vm.agent)
    if is_killed:
        # the DIMM comes behind the hold
        wait_until(vm.devices, what="the DIMM")
        # what memhp sends now is served when it is gone: such an agent gives the processes no input and stands still
        vm.guest(f"kill -STOP {agent}")
        wait_until(lambda: 33 in vm.blocks(), what="the new blocks")
        process.kill()
        process.wait()
        vm.guest(f"kill -CONT {agent}")
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
    before, agent = vm.state(), agent_of(vm)
    vm.guest(f"kill -STOP {agent}")
    found = vm.json("--timeout", "2", "plug", "256M", env=vm.agent, code=4)
    assert "does not answer" in found["error"]["message"] and found["state"] == "unchanged"
    assert vm.state() == before
    vm.guest(f"kill -CONT {agent}")
    done(vm.memhp("blocks", env=vm.agent))


def test_a_shell_of_commands_keeps_to_each_ones_deadline(vm):
    result = run_memhp("shell", input="blocks\nblocks\n", env={"MEMHP_QMP": vm.path("qmp.sock"), **vm.agent})
    assert done(result).count("memory0") == 2, result


# An agent that forbids guest-exec: its own commands for memory blocks do what they can.


ONLINE_POLICY = "/sys/module/memory_hotplug/parameters/online_policy"
LIMITS = "the guest agent forbids guest-exec"


@pytest.fixture
def limited(boot):
    """A guest with an agent that forbids guest-exec, and whose kernel takes Movable where it may choose."""
    machine = boot_agent(boot, "noexec")
    machine.guest(f"echo auto-movable >{ONLINE_POLICY}")
    yield machine
    machine.guest(f"echo contig-zones >{ONLINE_POLICY}")


def test_without_guest_exec_memory_comes_and_goes(limited):
    before = limited.mem_total()
    plugged = limited.json("plug", "512M", env=limited.agent)
    assert plugged["guest"] == {"block_size": 128 * MIB, "mem_total_before": None, "mem_total_after": None}
    assert limited.mem_total() == before + 512 * MIB and limited.zones(32, 33, 34, 35) == ["Movable"] * 4
    (device,) = limited.json("list", env=limited.agent)["devices"]
    assert device["blocks"] == [
        {"first": 32, "last": 35, "state": "online", "zone": None, "node": None, "removable": True}]
    offline = limited.memhp("offline", "33", env=limited.agent)
    assert "memory33: offline\n" in done(offline) and LIMITS in offline.stderr
    assert limited.zones(32, 33, 34) == ["Movable", "offline", "Movable"]
    blocks = limited.json("blocks", env=limited.agent)["blocks"]
    assert [(b["first"], b["last"], b["state"], b["device"]) for b in blocks] == [
        (0, 3, "online", None), (32, 32, "online", "memhp0-dimm"), (33, 33, "offline", "memhp0-dimm"),
        (34, 35, "online", "memhp0-dimm")]
    assert limited.json("repair", env=limited.agent)["ok"] and limited.zones(33) == ["Movable"]
    assert limited.json("unplug", env=limited.agent)["guest"]["mem_total_after"] is None
    assert limited.devices() == [] and limited.backends() == [] and limited.mem_total() == before


def test_without_guest_exec_the_guest_is_followed(limited):
    follow(limited)


def test_without_guest_exec_what_is_not_known_is_null(limited):
    found = limited.json("status", env=limited.agent)
    kernel = limited.guest("uname -r").strip()
    assert found["guest"] == {
        "channel": limited.agent["MEMHP_GUEST"], "kernel": kernel, "block_size": 128 * MIB, "mem_total": None,
        "mem_available": None, "blocks_online": 4, "blocks_offline": 0, "auto_online": None, "udev_rule": None}
    result = limited.memhp("status", env=limited.agent)
    assert "MemTotal -, available -" in done(result) and LIMITS in result.stderr


@pytest.mark.parametrize("words", [("plug", "256M", "--zone", "movable"), ("plug", "256M", "--zone", "kernel"),
                                   ("resize", "+256M", "--zone", "movable"), ("online", "3", "--zone", "kernel"),
                                   ("plug", "256M", "--virtio-mem", "--zone", "movable")], ids=" ".join)
def test_without_guest_exec_no_zone_can_be_had(limited, words):
    before = limited.state()
    found = limited.json(*words, env=limited.agent, code=1)
    assert f"{LIMITS}: without it memhp cannot choose zone {words[-1]}" in found["error"]["message"]
    assert found["error"]["hint"].startswith("--zone auto") and found["state"] == "unchanged"
    assert limited.state() == before


def test_without_guest_exec_a_refusal_has_its_reason_and_is_undone(limited):
    at_first = limited.state()
    limited.inject("MEM_GOING_ONLINE", -12)
    found = limited.json("plug", "256M", env=limited.agent, code=5)
    limited.inject("MEM_GOING_ONLINE", 0)
    assert "the guest cannot bring 'memory32' online: Cannot allocate memory" in found["error"]["message"]
    assert found["state"] == "rolled-back" and limited.state() == at_first
    done(limited.memhp("plug", "256M", env=limited.agent))
    plugged = limited.state()
    limited.inject("MEM_GOING_OFFLINE", -16)
    found = limited.json("unplug", env=limited.agent, code=5)
    limited.inject("MEM_GOING_OFFLINE", 0)
    assert "the guest cannot take 'memory33' offline: Device or resource busy" in found["error"]["message"]
    assert found["error"]["hint"].startswith("the guest's kernel chose its zone")
    assert found["state"] == "rolled-back" and limited.state() == plugged
    done(limited.memhp("unplug", env=limited.agent))


def test_without_guest_exec_a_size_is_reached_and_left(limited):
    before = limited.mem_total()
    assert limited.json("resize", "1G", env=limited.agent)["total_after"] == 1024 * MIB
    assert limited.mem_total() == before + 512 * MIB
    assert limited.json("resize", "512M", env=limited.agent)["total_after"] == 512 * MIB
    assert limited.mem_total() == before


def test_without_guest_exec_a_guest_that_onlines_by_itself_is_left_to(limited):
    limited.guest(f"echo online >{POLICY}")
    plugged = limited.json("plug", "256M", env=limited.agent)
    limited.guest(f"echo offline >{POLICY}")
    assert [b["state"] for b in plugged["devices"][0]["blocks"]] == ["online"]
    done(limited.memhp("unplug", env=limited.agent))


def test_without_guest_exec_an_offline_that_hangs_is_told_and_repaired_later(limited):
    """Nothing ends that write: what memhp does not know it does not claim."""
    done(limited.memhp("plug", "256M", env=limited.agent))
    limited.guest(HOLD)
    found = limited.json("--timeout", "4", "unplug", env=limited.agent, code=7)
    assert re.search(r"has not said yet whether 'memory3[23]' is offline", found["error"]["message"]), found
    assert found["state"] == "partial" and len(limited.devices()) == 1
    busy = limited.json("--timeout", "1", "blocks", env=limited.agent, code=4)
    assert "does not answer" in busy["error"]["message"]
    limited.guest(LET_GO)
    done(limited.memhp("repair", env=limited.agent))
    assert limited.zones(32, 33) == ["Movable"] * 2
    done(limited.memhp("unplug", env=limited.agent))


def test_the_lab_refuses_an_agent_where_no_port_can_be():
    result = subprocess.run([LAB, "start", "--machine", "isapc", "--agent", "exec"], text=True, capture_output=True,
                            env=clean_environment(), check=False)
    assert result.returncode == 2 and "machine type 'isapc' has no bus" in result.stderr


def test_an_agent_that_forbids_changes_too_is_told_so(limited):
    """Another agent takes the place of the lab's for the time."""
    port = limited.guest("tr '\\0' '\\n' </proc/$(pidof qemu-ga)/cmdline | grep /dev/").strip()
    agent = ("killall qemu-ga; while pidof qemu-ga; do :; done; "
             f"qemu-ga -d -m virtio-serial -p {port} --blacklist=guest-exec")
    before = limited.state()
    limited.guest(f"{agent},guest-set-memory-blocks")
    found = limited.json("plug", "256M", env=limited.agent, code=4)
    assert "neither guest-exec nor guest-set-memory-blocks" in found["error"]["message"]
    assert found["state"] == "unchanged"
    assert len(limited.json("blocks", env=limited.agent)["blocks"]) == 1
    limited.guest(f"{agent},guest-get-memory-blocks")
    found = limited.json("plug", "256M", env=limited.agent, code=4)
    assert "does not allow guest-exec" in found["error"]["message"] and found["state"] == "unchanged"
    limited.guest(f"{agent},guest-exec-status")
    assert limited.state() == before
