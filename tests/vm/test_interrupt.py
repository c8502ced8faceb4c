# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C, signals and deadlines in the middle of a command: undone, or told what is left."""
import contextlib
import fcntl
import json
import signal
import struct
import termios

import pytest
from guest_console import check_console
from interrupt import check_interrupted, end_interrupted
from relay import AFTER, BEFORE, Relay, at_work
from report import done
from truth import settled
from vm import Qmp, end_process, wait_until


# ---- Ctrl-C


BIG = "4G"  # 32 blocks: that the guest is caught in the middle is likely


def interrupt_at_work(vm, number, *command):
    """The signal comes when the guest is at work, and before it can answer."""
    relay = Relay(vm, at_work(AFTER), lambda relay: relay.process.send_signal(number))
    return check_interrupted(*relay.run("--json", *command))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_plug_undoes_it(vm, number):
    before = settled(vm)
    found, said = interrupt_at_work(vm, number, "plug", BIG, "--zone", "movable")
    assert found["state"] == "rolled-back"
    assert said[0].startswith("memhp: ") and "interrupted" in said[0].lower()
    assert settled(vm) == before
    check_console(vm)


def test_ctrl_c_before_anything_was_done_changes_nothing(vm):
    before = settled(vm)
    process = vm.catch_memhp("query-chardev", "--json", "plug", BIG, "--zone", "movable")
    process.send_signal(signal.SIGINT)
    found, _ = end_interrupted(process)
    assert found["state"] in ("unchanged", "rolled-back")
    assert settled(vm) == before
    check_console(vm)


def test_ctrl_c_right_after_device_add_undoes_it(vm):
    before = settled(vm)
    process = vm.catch_memhp('"device_add"', "--json", "plug", BIG, "--zone", "movable")
    process.send_signal(signal.SIGINT)
    found, _ = end_interrupted(process)
    assert found["state"] == "rolled-back"
    assert settled(vm) == before
    with Qmp(vm.path("qmp.sock")) as monitor:
        assert monitor.execute("query-status")["running"] is True


@pytest.mark.parametrize("command", [["unplug"], ["offline", "32-63"]], ids=" ".join)
def test_ctrl_c_in_the_middle_brings_the_blocks_back(vm, command):
    done(vm.memhp("plug", BIG, "--zone", "movable"))
    before = settled(vm)
    found, _ = interrupt_at_work(vm, signal.SIGINT, *command)
    assert found["state"] == "rolled-back"
    assert settled(vm) == before
    check_console(vm)
    done(vm.memhp("unplug"))


def has_more_to_read(process):
    return struct.unpack("i", fcntl.ioctl(process.stderr, termios.FIONREAD, bytes(4)))[0]


def test_ctrl_c_that_comes_with_the_last_answer_stops_before_device_del(vm):
    """memhp, which waits for nothing then, takes that request for one that it cannot take back."""
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    before = settled(vm)
    process = vm.catch_memhp("guest > ease", "--json", "unplug")
    # it has the answer, and cannot show more than its first line
    wait_until(lambda: has_more_to_read(process))
    process.send_signal(signal.SIGINT)
    out, err = end_process(process)
    found, _ = check_interrupted(process.returncode, out, err)
    assert found["state"] == "rolled-back" and "device_del" not in err
    assert settled(vm) == before
    done(vm.memhp("unplug"))


def test_ctrl_c_after_device_del_tells_the_truth(vm):
    """The guest may already be letting go: then it is pending or done, and never called undone."""
    done(vm.memhp("plug", "512M"))
    before = vm.memory()
    process = vm.catch_memhp('"device_del"', "--json", "unplug")
    process.send_signal(signal.SIGINT)
    out, err = end_process(process)
    found = json.loads(out)
    assert process.returncode in (0, 7, 130), err
    if process.returncode == 0:
        assert vm.devices() == [] and vm.backends() == []
    elif found["state"] == "rolled-back":
        assert vm.memory() == before and len(vm.devices()) == 1
    else:
        assert found["state"] in ("pending", "partial"), found
        assert found["error"]["message"]
    vm.discard()


@contextlib.contextmanager
def paused_in_the_middle(vm):
    """A memhp that plugs and is interrupted, when the guest has stopped: undoing has to wait."""
    def pause_and_interrupt(relay):
        vm.monitor.execute("stop")
        relay.process.send_signal(signal.SIGINT)

    relay = Relay(vm, at_work(BEFORE), pause_and_interrupt)
    with relay.running("--verbose", "--json", "plug", BIG, "--zone", "movable") as process:
        for moment in ("guest > swift", "guest > "):  # to undo it
            assert any(moment in line for line in process.stderr)
        yield process


def test_undoing_waits_for_a_guest_that_is_slow(vm):
    before = settled(vm)
    with paused_in_the_middle(vm) as process:
        vm.monitor.execute("cont")
        found, _ = end_interrupted(process)
    assert found["state"] == "rolled-back"
    assert settled(vm) == before


def test_a_second_ctrl_c_stops_at_once_and_says_what_is_left(vm):
    vm.discard()
    with paused_in_the_middle(vm) as process:
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        found, said = end_interrupted(process)  # while the guest still cannot answer
    assert vm.monitor.execute("query-status")["status"] == "paused"
    assert found["state"] == "partial"
    assert "memhp0" in said[0] or "memory32" in said[0], said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"]


# ---- deadlines


def test_a_deadline_in_the_middle_of_plug_undoes_it_or_it_was_in_time(vm):
    before = settled(vm)
    for timeout in ("0.2", "0.4", "0.6", "0.8"):
        result = vm.memhp("--json", "--timeout", timeout, "plug", "6G", "--zone",
                          "movable")
        found = json.loads(result.stdout)
        if result.returncode == 0:
            done(vm.memhp("unplug"))
            assert settled(vm) == before
        elif result.returncode == 7 or found["state"] in ("pending", "partial"):
            # said plainly; the next test gets another machine
            assert found["error"]["message"]
            vm.discard()
            return
        else:
            assert result.returncode in (4, 6), result
            assert found["state"] in ("unchanged", "rolled-back")
            # where the console had not answered yet, what was typed there ends after memhp
            wait_until(lambda: settled(vm) == before, what="the end of the session")


def test_a_deadline_with_a_paused_guest_says_what_is_left(vm):
    vm.discard()
    relay = Relay(vm, at_work(BEFORE), lambda _: vm.monitor.execute("stop"))
    code, out, err = relay.run("--json", "plug", BIG, "--zone", "movable", timeout=4)
    found = json.loads(out)
    assert code in (6, 7), err
    assert found["state"] in ("partial", "pending") and found["ok"] is False
    assert "memhp0" in found["error"]["message"] or "memory32" in found["error"]["message"]
