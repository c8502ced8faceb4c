# SPDX-License-Identifier: GPL-3.0-or-later
"""An offline that hangs, for pages that are pinned or a guest that is full: ended, undone and told."""
import collections
import json
import re
import signal

import pytest
from guest_console import check_console
from interrupt import end_interrupted
from report import done, fail
from stuck import HOLD, LET_GO, is_stuck, pin, unpin
from truth import settled
from vm import end_process, wait_until


# ---- an offline that hangs


def names_a_block(error):
    return any(f"memory{n}" in error["message"] for n in range(32, 36))


def check_left_alone(vm, before):
    """All is as it was, and nobody in the guest is still at it."""
    assert vm.devices() == before["devices"] and vm.backends() == before["backends"]
    assert vm.memory() == before["memory"]
    vm.wait_for_end(before["processes"])


@pytest.mark.parametrize("shell, timeout", [("ash", 8), ("ash", 20), ("dash", 8), ("bash", 8)],
                         ids=["ash", "ash, the short way", "dash", "bash"])
def test_an_offline_that_hangs_ends_at_the_deadline_and_is_undone(boot, shell, timeout):
    vm = boot(shell=shell)
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    error = fail(vm, 6, "--timeout", timeout, "unplug")
    assert error["code"] == "timeout" and names_a_block(error), error
    check_left_alone(vm, before)
    check_console(vm)
    unpin(vm)
    done(vm.memhp("unplug"))


def test_an_offline_that_hangs_over_ssh_is_undone_too(vm):
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    channel = f"exec:exec ssh -F {vm.path('ssh_config')} lab sh"
    error = fail(vm, 6, "--guest", channel, "--timeout", "5", "offline", "32-35")
    assert names_a_block(error), error
    check_left_alone(vm, before)
    unpin(vm)
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("command", [["unplug"], ["offline", "32-35"]], ids=" ".join)
def test_ctrl_c_ends_an_offline_that_hangs(vm, command):
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    process = vm.start_memhp("--json", "--timeout", "0", *command)
    wait_until(lambda: is_stuck(vm))
    process.send_signal(signal.SIGINT)
    found, _ = end_interrupted(process)
    assert found["state"] == "rolled-back" and names_a_block(found["error"]), found
    check_left_alone(vm, before)
    check_console(vm)
    unpin(vm)
    done(vm.memhp("unplug"))


def test_an_offline_whose_memhp_was_killed_does_not_go_on_for_ever(vm):
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    process = vm.start_memhp("--timeout", "20", "offline", "32-35")
    wait_until(lambda: is_stuck(vm))
    process.kill()
    end_process(process)
    wait_until(lambda: "going-offline" not in [b.state for b in vm.blocks().values()])
    unpin(vm)
    # whatever the killed one left, the next one brings back
    done(vm.memhp("online", "32-35", "--zone", "movable"))
    assert vm.memory() == before["memory"]
    check_console(vm)
    done(vm.memhp("unplug"))


# ---- a guest that is full


def added(before, now):
    """The names of the processes that are more than before."""
    return collections.Counter(now.values()) - collections.Counter(before.values())


@pytest.mark.parametrize("shell", ["ash", "dash", "bash"])
def test_a_guest_so_full_that_the_offline_hangs_gets_its_memory_back(boot, shell):
    vm = boot(shell=shell)
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    # more than fits into the 405 MiB that it has without the DIMM
    vm.guest("mkdir -p /tmp/full && mount -t tmpfs -o size=95% none /tmp/full && "
             "dd if=/dev/zero of=/tmp/full/file bs=1M count=600 2>/dev/null")
    before = settled(vm)
    result = vm.memhp("--json", "--timeout", "8", "unplug", "--force")
    found = json.loads(result.stdout)
    assert result.returncode in (5, 6), result
    assert found["state"] == "rolled-back"
    assert vm.devices() == before["devices"] and vm.memory() == before["memory"]
    # the kernel may have ended some processes to get memory; none may have come
    wait_until(lambda: not added(before["processes"], vm.processes()), what="the end of all writers")
    check_console(vm)
    vm.discard()
    vm.guest("umount /tmp/full && rmdir /tmp/full")
    done(vm.memhp("unplug"))


def test_a_guest_whose_kernel_ignores_the_dimm_gets_it_taken_back(boot):
    vm = boot(append="acpi_no_memhotplug")
    before = settled(vm)
    error = fail(vm, 5, "plug", "256M")
    assert "memory32" in error["message"]
    assert settled(vm) == before


@pytest.mark.parametrize("shell", ["ash", "dash", "bash"])
def test_an_offline_without_end_is_ended_undone_and_explained(boot, shell):
    vm = boot(shell=shell)
    assert vm.memhp("plug", "512M", "--zone", "movable").returncode == 0
    vm.guest(HOLD)
    before, programs = vm.state(), vm.processes()
    found = vm.json("--timeout", "12", "unplug", code=6)
    assert found["state"] == "rolled-back"
    message = found["error"]["message"]
    assert re.search(r"has not managed to take 'memory3[2-5]' offline: the deadline passed; it is held by a file in "
                     r"tmpfs or shared memory, 'hoard'$", message), message
    assert vm.state() == before
    # no writer stays, nor what was to kill it
    vm.wait_for_end(programs)
    assert "offline" not in vm.guest("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; :")
    vm.guest(LET_GO)
    assert vm.memhp("unplug").returncode == 0
