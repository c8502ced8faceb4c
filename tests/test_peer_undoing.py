# SPDX-License-Identifier: GPL-3.0-or-later
"""Undoing: what it is about is shown while it lasts, and what QEMU makes of requests that were under way."""
import pytest
from peer import Default, Monitor, Run, Vm, deleted, event
from test_progress import answer_late, never, silent
from watch import Watcher

FAR = ("--timeout", "600")
RESET = event("RESET", guest=True, reason="guest-reset")


def test_a_guest_that_was_reset_is_shown_while_the_undo_waits_for_it(tmp_path):
    path, vm = tmp_path / "qmp", Vm()
    with Monitor(path, vm, on={"device_add": [[Default, RESET]], "device_del": [never]}) as monitor, \
            Watcher("--qmp", path, "--guest", "none", *FAR, "plug", "512M") as watcher:
        watcher.wait_for(r"undo: the guest has been reset  (512 MiB  )?\d+ s so far")
        vm.remove(vm.find("memhp0-dimm"))
        monitor.say(deleted("memhp0-dimm"))
        assert watcher.finish() == 4


@pytest.mark.parametrize("command, left", [("object-add", []), ("device_add", ["memhp0-vmem"])])
def test_what_qemu_still_makes_of_a_virtio_mem_after_ctrl_c_is_undone_too(tmp_path, command, left):
    """Such as a backend that is preallocated. QEMU 7.2 takes no virtio-mem device away: that is said."""
    path, vm = tmp_path / "qmp", Vm()
    with Monitor(path, vm, on={command: [silent]}) as monitor:
        run = Run("--qmp", path, "--guest", "none", "--json", *FAR, "plug", "512M", "--virtio-mem")
        monitor.wait_for(command)
        run.interrupt()
        answer_late(monitor, monitor.requests[-1])
        result = run.finish()
    assert [d.id for d in vm.devices] == left, result
    assert ("memhp0-mem" in vm.objects) == bool(left), result
    result.failed(130, *(["'memhp0-vmem' stays plugged"] if left else ["interrupted"]),
                  state="partial" if left else "rolled-back")
