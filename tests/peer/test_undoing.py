# SPDX-License-Identifier: GPL-3.0-or-later
"""While an undo lasts it is shown what it waits for."""
from peer import Default, Monitor, Vm, answer_late, deleted, event, never, ost, reply
from watch import Watcher


def test_a_guest_that_was_reset_is_shown_while_the_undo_waits_for_it(tmp_path):
    path, vm = tmp_path / "qmp", Vm()
    reset = event("RESET", guest=True, reason="guest-reset")
    with Monitor(path, vm, on={"device_add": [reset], "device_del": [never]}) as monitor, \
            Watcher("--qmp", path, "--guest", "none", "--timeout", "600", "plug", "512M") as watcher:
        watcher.wait_for(r"undo: the guest has been reset  \d+ s so far")
        answer_late(monitor, next(r for r in monitor.requests if r["execute"] == "device_add"))
        monitor.wait_for("device_del")
        watcher.wait_for(r"undo: the guest has been reset  512 MiB  \d+ s so far")
        vm.remove(vm.find("memhp0-dimm"))
        monitor.say(deleted("memhp0-dimm"))
        assert watcher.finish() == 4


def test_a_dimm_that_a_booting_guest_refuses_to_give_up_is_asked_for_again(tmp_path):
    """Its kernel has begun with ACPI by then, and not with its memory."""
    path, vm = tmp_path / "qmp", Vm()
    reset = event("RESET", guest=True, reason="guest-reset")
    refusal = [reply(), ost(3, 1)]
    with Monitor(path, vm, on={"device_add": [reset], "device_del": [refusal, refusal, [Default]]}) as monitor, \
            Watcher("--qmp", path, "--guest", "none", "--timeout", "600", "plug", "512M") as watcher:
        watcher.wait_for(r"undo: the guest has been reset  \d+ s so far")
        answer_late(monitor, next(r for r in monitor.requests if r["execute"] == "device_add"))
        assert watcher.finish() == 4
    assert monitor.changes == ["object-add memhp0-mem", "device_add memhp0-dimm", *["device_del memhp0-dimm"] * 3, "object-del memhp0-mem"]
    assert not vm.devices
