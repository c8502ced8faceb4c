# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitors that tell of a guest's end while memhp waits: for QEMU, for a console, for an agent."""
import re

import pytest
from peer import Agent, Close, Default, Liar, Monitor, Vm, event, memhp, reply

FAR = ("--timeout", "600")  # a wait that goes on is ended by the test, which then fails


def unplug_alone(path):
    """Without a guest."""
    return memhp("--qmp", path, "--guest", "none", "--json", *FAR, "unplug", "d0")


RESET = event("RESET", guest=True, reason="guest-reset")
PANICKED = event("GUEST_PANICKED", action="none")
ENDS = {
    "reset": ([RESET], "the guest has been reset (guest-reset)"),
    "an old QEMU's reset": ([event("RESET")], "the guest has been reset"),
    "panic, then reset": ([PANICKED, RESET], "the guest's kernel has panicked"),
    "crash kernel": ([event("GUEST_CRASHLOADED", action="run"), RESET], "panicked and starts its crash kernel"),
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_of_the_guest_ends_the_wait_for_a_release(path, plugged, name):
    events, words = ENDS[name]
    with Monitor(path, plugged, on={"device_del": [reply(), *events]}):
        result = unplug_alone(path)
    result.failed(7, words, "while memhp waited for it to let go of memory",
                  "'d0-dimm' is still plugged and may still go", state="partial")


def test_a_dimm_that_a_reset_releases_is_read_back_as_gone(path, plugged):
    """As pseries does: no event tells of it, and the backend goes too."""
    def let_go(request):
        plugged.remove(plugged.devices[0])
        return reply()(request)

    with Monitor(path, plugged, on={"device_del": [let_go, RESET]}) as monitor:
        result = unplug_alone(path)
    result.failed(7, "the guest has been reset", "1 of 1 devices are gone", state="partial")
    assert "object-del d0-mem" in monitor.changes


def test_a_vm_that_panics_and_stands_still_is_not_waited_for(path, plugged):
    def panic(request):
        plugged.status = "guest-panicked"
        return reply()(request)

    with Monitor(path, plugged, on={"device_del": [panic, PANICKED, event("STOP")]}):
        result = unplug_alone(path)
    result.failed(7, "the guest's kernel has panicked", "'d0-dimm' is still plugged", state="partial")


def test_a_qemu_that_ends_with_its_guest_is_said_to_have_ended(path, plugged):
    end = event("SHUTDOWN", guest=True, reason="guest-shutdown")
    with Monitor(path, plugged, on={"device_del": [reply(), end, Close]}):
        result = unplug_alone(path)
    result.failed(3, "the VM has shut down (guest-shutdown)", "QEMU has ended", state="partial")


@pytest.mark.parametrize("name", ["POWERDOWN", "WATCHDOG", "WAKEUP", "RESUME"])
def test_what_is_no_end_ends_no_wait(path, plugged, name):
    with Monitor(path, plugged, on={"device_del": [event(name, action="none"), Default]}):
        unplug_alone(path).succeeded()


def test_a_reset_after_the_release_does_not_keep_the_backend(path, plugged):
    with Monitor(path, plugged, on={"object-del": [RESET, Default]}):
        unplug_alone(path).succeeded()
    assert not plugged.devices and "d0-mem" not in plugged.objects


def test_a_guest_that_cannot_boot_is_left_at_its_second_end(path):
    """It is reset at the new DIMM, and panics and is reset whenever device_del comes."""
    vm = Vm()
    resets = {"object-add": [RESET, Default], "device_del": [reply(), PANICKED, RESET]}
    with Monitor(path, vm, on=resets):
        result = memhp("--qmp", path, "--guest", "none", "--json", *FAR, "plug", "512M")
    result.failed(7, "the guest has been reset", "'memhp0-dimm' may still be plugged", "again", state="partial")


class Deaf(Liar):
    """A console whose guest ends at the first line of commands that matches."""

    def __init__(self, path, monitor, pattern):
        super().__init__(path)
        self.monitor, self.pattern, self.length = monitor, pattern, None

    def answer(self, connection, session, exchange, commands):
        if self.length is None and not re.search(self.pattern, commands):
            return super().answer(connection, session, exchange, commands)
        if self.length is None:
            self.length = len(self.received)
            self.monitor.say(RESET)
        return True

    def check_left_alone(self):
        """What was on its way may still have come; no goodbye, no cancel, no command, no new session."""
        late = self.received[self.length:]
        assert not re.search(rb"MEMHP \]&&(exit|q)|begin \d|;i=[0-9a-f]{8};", late), late


@pytest.mark.parametrize("words, pattern, code, state", [
    (("plug", "512M"), b"scan", 4, "unchanged"), (("plug", "512M"), b"swift|change", 4, "rolled-back"),
    (("unplug", "--force"), b"ease|change", 7, "partial"), (("offline", "33"), b"ease|change", 7, "partial"),
       (("repair",), b"facts|scan", 4, "unchanged"), (("resize", "1G"), b"swift|change", 4, "rolled-back")],
    ids=lambda value: value[0] if isinstance(value, tuple) else None)
def test_a_reset_ends_the_wait_for_a_console_and_nothing_more_is_typed(path, tmp_path, words, pattern, code, state):
    vm = Vm()
    if words[0] in ("unplug", "offline"):
        vm.plug("d0", 512)
    with Monitor(path, vm) as monitor, Deaf(tmp_path / "console", monitor, pattern) as console:
        vm.connect_console(tmp_path / "console")
        result = memhp("--qmp", path, "--json", *FAR, *words)
    result.failed(code, "the guest has been reset (guest-reset)", state=state)
    console.check_left_alone()


@pytest.mark.parametrize("command", ["list", "status"])
def test_what_can_do_without_the_guest_says_so_after_a_reset(path, tmp_path, command):
    vm = Vm()
    with Monitor(path, vm) as monitor, Deaf(tmp_path / "console", monitor, b"facts|scan"):
        vm.connect_console(tmp_path / "console")
        result = memhp("--qmp", path, "--json", *FAR, command)
    result.succeeded()
    assert "nothing known about the guest: the guest has been reset (guest-reset)" in result.stderr


def test_a_reset_ends_the_first_look_of_events(path, tmp_path):
    with Monitor(path, Vm()) as monitor, Deaf(tmp_path / "console", monitor, b"watch") as console:
        result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", "events", "--guest-events")
    result.failed(4, "the guest has been reset (guest-reset) while memhp waited for its answer")
    console.check_left_alone()


def test_a_reset_ends_the_wait_for_an_agent(path, tmp_path):
    vm = Vm()
    with Monitor(path, vm) as monitor:
        def fall_silent(_request):
            monitor.say(RESET)

        with Agent(tmp_path / "agent", guest_exec_status=fall_silent):
            result = memhp("--qmp", path, "--guest", f"qga:{tmp_path}/agent", "--json", *FAR, "plug", "512M")
    result.failed(4, "the guest has been reset (guest-reset) while memhp waited for its answer", state="unchanged")


def test_a_reset_ends_the_wait_for_a_console_that_never_answers(path, tmp_path):
    """As while a login is awaited, or a shell."""
    vm = Vm()
    with Monitor(path, vm) as monitor:
        def say_nothing(_session):
            monitor.say(RESET)
            return b""

        with Liar(tmp_path / "console", opening=say_nothing) as console:
            result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", *FAR, "plug", "512M")
    result.failed(4, "the guest has been reset (guest-reset) while memhp waited for its answer", state="unchanged")
    assert b"&&exit" not in console.received
