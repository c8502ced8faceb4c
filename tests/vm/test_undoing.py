# SPDX-License-Identifier: GPL-3.0-or-later
"""What an undo meets that had begun before: a DIMM that goes all the same, a guest that is slow to explain itself."""
import contextlib
import json
import signal

import pytest
from relay import BEFORE, Relay
from report import done, fail
from stuck import pin, unpin
from vm import wait_until


def has_heard_of(process):
    """Has it read the signal? It waits for none of its own accord before."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return not any(line.startswith("ShdPnd:") and int(line.split()[1], 16) for line in status)


def interrupt_and_wait(relay):
    """Ctrl-C, which memhp has read before anything else comes."""
    relay.process.send_signal(signal.SIGINT)
    wait_until(lambda: has_heard_of(relay.process), what="the reading of the signal")


def interrupt_before_the_reply(vm, *command):
    """Ctrl-C comes between a device_del and its reply, which comes when the first DIMM has gone; memhp has not heard
    of it when it begins to undo."""
    count = len(vm.devices())

    def interrupt(relay):
        relay.process.send_signal(signal.SIGINT)
        wait_until(lambda: len(vm.devices()) < count, what="the end of the DIMM")

    relay = Relay(vm, lambda _, *now: now == ("qmp < device_del", BEFORE), interrupt)
    code, out, said = relay.run("--json", *command)
    assert relay.has_struck and code == 130, said
    return json.loads(out), said


def test_a_dimm_that_goes_while_its_unplug_is_undone_is_said_to_be_gone(vm):
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    found, said = interrupt_before_the_reply(vm, "unplug")
    assert found["state"] == "partial" and "1 of 1 devices are gone ('memhp0-dimm')" in said, said
    assert "memory32" not in said and "directory" not in said and "QEMU does not" not in said, said
    assert not vm.devices() and not vm.backends()


@contextlib.contextmanager
def slow_dmesg(vm):
    """The guest does not come to tell what holds a block."""
    vm.guest("d=$(which dmesg) && mv $d $d.was && printf '#!/bin/sh\\nexec sleep 1000\\n' >$d && chmod +x $d")
    yield
    vm.guest("d=$(which dmesg) && mv $d.was $d; for p in /proc/[0-9]*; do "
             "grep -q '^sleep.1000.$' $p/cmdline && kill ${p##*/}; done", check=False)


def test_a_slow_explanation_takes_no_time_from_the_undoing(boot):
    """Of two seconds for undoing a guest gets nothing done when its dmesg takes them all."""
    vm = boot(shell="dash")
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    with slow_dmesg(vm):
        before = vm.state()
        error = fail(vm, 6, "--timeout", "8", "unplug")
    assert "not managed to take 'memory" in error["message"] and "deadline" in error["message"], error
    unpin(vm)
    assert vm.state() == before
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("command, left", [("object-add", []), ("device_add", ["memhp0-vmem"])])
def test_what_qemu_still_makes_of_a_virtio_mem_device_after_ctrl_c_is_undone_too(boot, command, left):
    """Such as a backend that is preallocated. A QEMU before 8.2 takes no virtio-mem device away: that is said."""
    vm = boot()
    relay = Relay(vm, lambda _, *now: now == (f"qmp < {command}", BEFORE), interrupt_and_wait)
    code, out, said = relay.run("--json", "plug", "512M", "--virtio-mem")
    assert relay.has_struck and code == 130, said
    if vm.devices():
        vm.discard()
        assert [d["id"] for d in vm.devices()] == left and json.loads(out)["state"] == "partial", said
        assert "'memhp0-vmem' stays plugged" in said, said
    else:
        assert not vm.backends() and json.loads(out)["state"] == "rolled-back", said


def test_with_keep_going_a_slow_explanation_does_not_keep_blocks_offline(boot):
    """Of the DIMM that hangs, which comes first, the blocks are back before anything is asked about it."""
    vm = boot(shell="dash")
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    with slow_dmesg(vm):
        before = vm.state()
        result = vm.memhp("--json", "--timeout", "12", "unplug", "--all", "--keep-going")
    unpin(vm)
    assert result.returncode in (5, 6) and json.loads(result.stdout)["state"] == "rolled-back", result
    assert vm.state() == before
    done(vm.memhp("unplug"))
