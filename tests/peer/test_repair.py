# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp repair: what is found half done, and what comes of it."""
import peer
import pytest
from peer import Default, Monitor, Quietly, Vm as Model, deleted, error, ost, reply
from vm import MIB

MTREE = "  0000000000000000-000000001fffffff (prio 0, ram): pc.ram\r\n"


def mapped(text=MTREE):
    """The answer to info mtree."""
    return {"human-monitor-command": [reply(text)]}


def repair(path, *words, guest="none"):
    """memhp --json repair."""
    return peer.memhp("--qmp", path, "--guest", guest, "--json", "--timeout", "8", *words, "repair")


def findings(result):
    """{id: (kind, action)} of one that succeeded."""
    return {f["id"]: (f["kind"], f["action"]) for f in result.succeeded()["findings"]}


# ---- backends


def test_a_clean_machine_is_left_alone(path, tree):
    vm = Model(tree)
    vm.plug("d0", 256)
    tree.remove(32, 33)
    tree.add(32, 33, "online", "Movable")
    with Monitor(path, vm, on=mapped()) as monitor:
        assert findings(repair(path, guest=tree.kernel_channel())) == {}
        assert monitor.changes == []


def test_a_backend_of_memhps_without_a_device_is_removed(path):
    vm = Model()
    vm.objects["memhp3-mem"] = 128 * MIB
    with Monitor(path, vm, on=mapped()) as monitor:
        assert findings(repair(path)) == {"memhp3-mem": ("unused-backend", "remove")}
        assert monitor.changes == ["object-del memhp3-mem"]
        assert findings(repair(path)) == {}


def test_the_backend_of_somebody_else_is_removed_only_when_all_are_asked_for(path):
    vm = Model()
    vm.objects["theirs"] = 128 * MIB
    with Monitor(path, vm, on=mapped()) as monitor:
        assert findings(repair(path)) == {"theirs": ("unused-backend", "none")}
        assert monitor.changes == []
        with_all = peer.memhp("--qmp", path, "--guest", "none", "--json", "repair", "--all")
        assert findings(with_all) == {"theirs": ("unused-backend", "remove")}
        assert monitor.changes == ["object-del theirs"]


def test_the_memory_of_the_vm_itself_counts_as_used(path):
    """-object memory-backend-ram,id=m0-mem -numa node,memdev=m0-mem"""
    vm = Model()
    vm.objects["m0-mem"] = 512 * MIB
    text = MTREE + "  0000000020000000-000000003fffffff (prio 0, ram): m0-mem @0000000000000000\r\n"
    with Monitor(path, vm, on=mapped(text)) as monitor:
        assert findings(repair(path, "--dry-run")) == {}
        assert findings(repair(path)) == {}
        assert monitor.changes == []


def test_without_the_map_of_memory_nothing_is_removed(path):
    vm = Model()
    vm.objects["memhp0-mem"] = 128 * MIB
    with Monitor(path, vm) as monitor:  # which knows no human-monitor-command
        repair(path).failed(1, "info mtree", state="unchanged")
        assert monitor.changes == []


def test_a_backend_that_qemu_needs_all_the_same_is_told(path):
    vm = Model()
    vm.objects.update({"memhp0-mem": 128 * MIB, "memhp1-mem": 128 * MIB})
    on = {**mapped(), "object-del": [[error("object 'memhp0-mem' is in use, can not be deleted")], [Default]]}
    with Monitor(path, vm, on=on):
        found = repair(path)
    value = found.failed(1, "memhp0-mem", "is in use", state="unchanged")
    assert {f["id"] for f in value["findings"]} == {"memhp0-mem", "memhp1-mem"}


def test_a_plan_is_shown_and_changes_nothing(path):
    vm = Model()
    vm.objects["memhp0-mem"] = 128 * MIB
    with Monitor(path, vm, on=mapped()) as monitor:
        plan = repair(path, "--dry-run").succeeded()["plan"]
        assert [line["qmp"]["execute"] for line in plan] == ["object-del"]
        assert monitor.changes == []


# ---- DIMMs


def test_blocks_that_are_offline_go_online(path, tree):
    vm = Model(tree)
    vm.plug("d0", 256)
    with Monitor(path, vm, on=mapped()) as monitor:
        assert findings(repair(path, guest=tree.kernel_channel())) == {"d0-dimm": ("offline", "online")}
        assert tree.states(32, 33) == {"online Movable"}
        assert monitor.changes == []


@pytest.mark.parametrize("direction", ["--forward", "--back"])
def test_a_dimm_that_is_partly_online_is_finished_or_undone(path, tree, direction):
    vm = Model(tree)
    vm.plug("d0", 256)
    tree.remove(33, 33)
    tree.add(33, 33, "online", "Movable")
    with Monitor(path, vm, on=mapped()) as monitor:
        result = peer.memhp("--qmp", path, "--guest", tree.kernel_channel(), "--json", "repair", direction)
        if direction == "--forward":
            assert findings(result) == {"d0-dimm": ("partly-offline", "online")}
            assert tree.states(32, 33) == {"online Movable"} and monitor.changes == []
        else:
            assert findings(result) == {"d0-dimm": ("partly-offline", "unplug")}
            assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"] and not vm.devices


def test_forward_and_back_exclude_each_other(path):
    result = peer.memhp("--qmp", path, "repair", "--forward", "--back")
    assert result.code == 2 and "exclude each other" in result.stderr


def test_a_dimm_without_blocks_is_unplugged(path, tree):
    vm = Model(tree)
    vm.plug("d0", 256)
    tree.remove(32, 33)
    vm.tree = None
    with Monitor(path, vm, on=mapped()) as monitor:
        assert findings(repair(path, guest=tree.kernel_channel())) == {"d0-dimm": ("absent", "unplug")}
        assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"]


def test_a_dimm_that_was_plugged_a_moment_ago_is_waited_for(path, tree):
    """Its blocks come with the guest's answer, while memhp looks."""
    vm = Model(tree)
    device = vm.plug("d0", 256)
    tree.remove(32, 33)

    def appears(request):
        tree.add(32, 33)
        return {"return": [{"source": 0, "status": 0, "slot": "0", "slot-type": "DIMM"}], "id": request["id"]}

    # the first is memhp's look at QEMU, the second comes because of a DIMM without blocks
    on = {**mapped(), "query-acpi-ospm-status": [[Default], [appears, ost(1, 0, device["slot"], "d0-dimm")], [Default]]}
    with Monitor(path, vm, on=on) as monitor:
        assert findings(repair(path, guest=tree.kernel_channel())) == {"d0-dimm": ("offline", "online")}
        assert monitor.changes == [] and tree.states(32, 33) == {"online Movable"}


def test_a_dimm_that_is_let_go_of_at_this_moment_takes_its_backend_along(path, tree):
    vm = Model(tree)
    device = vm.plug("d0", 256)
    tree.remove(32, 33)

    def goes(request):
        vm.devices.remove(device)
        return {"return": [], "id": request["id"]}

    on = {**mapped(), "query-acpi-ospm-status": [[Default], [goes, deleted("d0-dimm")], [Default]]}
    with Monitor(path, vm, on=on) as monitor:
        found = findings(repair(path, guest=tree.kernel_channel()))
        assert found["d0-mem"] == ("unused-backend", "remove")
        assert monitor.changes == ["object-del d0-mem"]


def test_a_dimm_that_goes_while_it_is_repaired_is_another_look(path, tree):
    """It is there at the look, and gone when it is to be unplugged."""
    vm = Model(tree)
    device = vm.plug("d0", 256)

    def gone(request):
        vm.remove(device)
        return error("Device 'd0-dimm' not found", "DeviceNotFound")(request)

    with Monitor(path, vm, on={**mapped(), "device_del": [gone]}) as monitor:
        result = peer.memhp("--qmp", path, "--guest", tree.kernel_channel(), "--json", "repair", "--back")
        assert findings(result)["d0-mem"] == ("unused-backend", "remove")
        assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"]


def pending(slot, source=3):
    """ACPI: the guest is at the ejection of that slot."""
    return reply([{"device": "d0-dimm", "source": source, "status": 0x84, "slot": str(slot), "slot-type": "DIMM"}])


@pytest.mark.parametrize("source", [3, 0x103])
def test_an_unplug_that_is_pending_is_finished(path, tree, source):
    vm = Model(tree)
    device = vm.plug("d0", 256)
    on = {**mapped(), "query-acpi-ospm-status": [pending(device["slot"], source)]}
    with Monitor(path, vm, on=on) as monitor:
        assert findings(repair(path, guest=tree.kernel_channel())) == {"d0-dimm": ("unplug-pending", "unplug")}
        assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"] and not vm.devices


def test_an_unplug_that_was_pending_and_is_refused_then_leaves_the_memory_in_use(path, tree):
    vm = Model(tree)
    device = vm.plug("d0", 256)
    on = {**mapped(), "query-acpi-ospm-status": [[Default], [pending(device["slot"])], [Default]],
          "device_del": [Quietly, ost(3, 0x82, device["slot"], "d0-dimm")]}
    vm.do_device_del = lambda id: {}  # pylint: disable=redefined-builtin
    with Monitor(path, vm, on=on):
        assert findings(repair(path, guest=tree.kernel_channel())) == {"d0-dimm": ("offline", "online")}
    assert tree.states(32, 33) == {"online Movable"} and vm.devices == [device]


def test_a_pending_ejection_of_another_slot_is_not_ours(path, tree):
    vm = Model(tree)
    vm.plug("d0", 256)
    with Monitor(path, vm, on={**mapped(), "query-acpi-ospm-status": [pending(3)]}):
        assert findings(repair(path, guest=tree.kernel_channel())) == {"d0-dimm": ("offline", "online")}


def test_a_block_that_cannot_go_online_is_named_once(path, tree):
    vm = Model(tree)
    vm.plug("d0", 256)
    tree.refuse(33, "online_movable", "Cannot allocate memory")
    with Monitor(path, vm, on=mapped()) as monitor:
        value = repair(path, guest=tree.kernel_channel()).failed(
            5, "memory33", "Cannot allocate memory", code="guest-refused", state="rolled-back")
        assert value["findings"] == [{"id": "d0-dimm", "kind": "offline", "action": "online"}]
        assert tree.states(32, 33) == {"offline Normal Movable"} and monitor.changes == []


def test_what_can_be_repaired_is_although_something_else_cannot(path, tree):
    vm = Model(tree)
    vm.plug("d0", 256)
    vm.objects["memhp0-mem"] = 128 * MIB
    tree.refuse(33, "online_movable", "Cannot allocate memory")
    with Monitor(path, vm, on=mapped()) as monitor:
        repair(path, guest=tree.kernel_channel()).failed(7, "memory33", code="partial", state="partial")
        assert monitor.changes == ["object-del memhp0-mem"]


def test_a_machine_that_never_comes_to_rest_is_given_up(path):
    """Somebody makes a backend for each that is removed."""
    vm = Model()
    vm.objects["memhp0-mem"] = 128 * MIB

    def grows(id):  # pylint: disable=redefined-builtin
        del vm.objects[id]
        vm.objects[f"memhp{int(id[5:-4]) + 1}-mem"] = 128 * MIB
        return {}

    vm.do_object_del = grows
    with Monitor(path, vm, on=mapped()) as monitor:
        repair(path).failed(7, state="partial")
        assert 2 < len(monitor.changes) < 20


def test_without_a_guest_dimms_are_left_alone(path):
    vm = Model()
    vm.plug("d0", 256)
    vm.objects["memhp0-mem"] = 128 * MIB
    with Monitor(path, vm, on=mapped()):
        assert findings(repair(path)) == {"memhp0-mem": ("unused-backend", "remove")}


@pytest.mark.parametrize("status", ["paused", "prelaunch"])
def test_a_vm_that_is_paused_is_left_alone(path, status):
    vm = Model()
    vm.objects["memhp0-mem"] = 128 * MIB
    vm.status = status
    with Monitor(path, vm, on=mapped()) as monitor:
        repair(path).failed(1, "paused", state="unchanged")
        assert monitor.changes == []
