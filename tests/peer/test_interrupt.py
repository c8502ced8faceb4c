# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C against a scripted monitor."""
import peer
from peer import Default, Monitor, Quietly, Vm, reply


def start(path, *words):
    """memhp --json without a guest, under way."""
    return peer.Run("--qmp", path, "--guest", "none", "--json", *words)


def test_an_interrupted_plug_is_undone(path, tree):
    vm = Vm()  # takes the DIMM, but gives the guest no blocks
    with Monitor(path, vm, on={"device_add": [Quietly]}) as monitor:
        run = peer.Run("--qmp", path, "--guest", tree.kernel_channel(), "--json", "plug", "512M")
        monitor.wait_for("device_add")
        run.interrupt()
        run.finish().failed(130, "interrupted", code="interrupted", state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not vm.devices and "memhp0-mem" not in vm.objects


def test_an_interrupted_query_changes_nothing(path):
    with Monitor(path, on={"query-target": []}) as monitor:
        run = start(path, "plug", "512M")
        monitor.wait_for("query-target")
        run.interrupt()
        run.finish().failed(130, "interrupted", code="interrupted", state="unchanged")
        assert not monitor.changes


def test_an_interrupted_unplug_says_what_is_pending(path, plugged):
    with Monitor(path, plugged, on={"device_del": [reply()]}) as monitor:
        run = start(path, "unplug", "d0")
        monitor.wait_for("device_del")
        run.interrupt()
        run.finish().failed(130, "d0-dimm", code="interrupted", state="pending")


def test_a_second_interrupt_ends_the_undoing_and_says_what_is_left(path):
    vm = Vm()
    with Monitor(path, vm, on={"query-memory-devices": [[Default], []], "device_del": [reply()]}) as monitor:
        run = start(path, "plug", "512M")
        monitor.wait_for("query-memory-devices", 2)
        run.interrupt()
        monitor.wait_for("query-memory-devices", 3)
        run.interrupt()
        run.finish().failed(130, "memhp0-dimm", code="interrupted", state="partial")
