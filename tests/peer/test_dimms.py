# SPDX-License-Identifier: GPL-3.0-or-later
"""Plug and unplug without a guest, against a scripted monitor."""
import peer
import pytest
from binary import SHORT, host, listed
from peer import Default, Monitor, Quietly, Vm, deleted, error, event, ost, reply


# Plug, the host half


def test_plug_asks_for_a_backend_and_a_dimm_on_it(path):
    vm = Vm()
    with Monitor(path, vm) as monitor:
        value = host(path, "plug", "512M").succeeded()
    assert monitor.sent("object-add") == [
        {"qom-type": "memory-backend-ram", "id": "memhp0-mem", "size": 512 * peer.MIB}]
    assert monitor.sent("device_add") == [{"driver": "pc-dimm", "id": "memhp0-dimm", "memdev": "memhp0-mem"}]
    assert monitor.changes == ["object-add memhp0-mem", "device_add memhp0-dimm"]
    assert value["devices"][0]["id"] == "memhp0-dimm" and value["devices"][0]["blocks"] is None
    assert value["guest"] is None


def test_a_dry_run_changes_nothing(path, plugged):
    with Monitor(path, plugged) as monitor:
        plan = host(path, "--dry-run", "plug", "512M").succeeded()["plan"]
        assert [line["qmp"]["execute"] for line in plan] == ["object-add", "device_add"]
        plan = host(path, "--dry-run", "unplug", "d0").succeeded()["plan"]
        assert [*plan[0], *plan[1], *plan[2]] == ["qmp", "event", "qmp"]
        assert not monitor.changes


def test_a_dimm_that_qemu_refuses_takes_its_backend_along(path):
    vm = Vm()
    with Monitor(path, vm, on={"device_add": [error("no free slots available")]}) as monitor:
        host(path, "plug", "512M").failed(1, "no free slots available", code="qemu-refused",
                                          state="rolled-back")
    assert monitor.changes == ["object-add memhp0-mem", "device_add memhp0-dimm", "object-del memhp0-mem"]
    assert "memhp0-mem" not in vm.objects


def test_a_backend_that_qemu_refuses_leaves_nothing_to_delete(path):
    vm = Vm()
    with Monitor(path, vm, on={"object-add": [error("cannot set up guest memory: Out of memory")]}) as monitor:
        host(path, "plug", "512M").failed(1, "Out of memory", code="qemu-refused",
                                          state=("unchanged", "rolled-back"))
    assert not [c for c in monitor.changes if "del" in c], monitor.changes


@pytest.mark.parametrize("words", [(), ("--name", "memhp0")])
def test_a_backend_that_somebody_else_made_meanwhile_is_not_touched(path, words):
    """The next free name is taken, unless it was asked for by name."""
    vm = Vm()

    def somebody_is_faster(request):
        vm.objects["memhp0-mem"] = 512 * peer.MIB
        return error("attempt to add duplicate property 'memhp0-mem'")(request)

    with Monitor(path, vm, on={"object-add": [[somebody_is_faster], [Default]]}) as monitor:
        result = host(path, "plug", "512M", *words)
    if words:
        result.failed(1, "duplicate property", code="qemu-refused", state="rolled-back")
        assert monitor.changes == ["object-add memhp0-mem"] and not vm.devices
    else:
        assert listed(result) == ["memhp1-dimm"]
        assert monitor.changes == ["object-add memhp0-mem", "object-add memhp1-mem", "device_add memhp1-dimm"]
    assert "memhp0-mem" in vm.objects


def test_a_backend_that_cannot_be_taken_back_is_told_as_partly_done(path):
    vm = Vm()
    scripts = {"device_add": [error("no")], "object-del": [error("is in use, can not be deleted")]}
    with Monitor(path, vm, on=scripts):
        host(path, "plug", "512M").failed(7, "memhp0-mem", "in use", code="partial", state="partial")


@pytest.mark.parametrize("change", [{"size": 256 * peer.MIB}, {"id": "other"}], ids=["size", "id"])
def test_a_dimm_that_qemu_does_not_list_as_asked_for_is_undone(path, change):
    vm = Vm()

    def lie(request):
        devices = vm.do_query_memory_devices()
        devices[0]["data"].update(change)
        return reply(devices)(request)

    with Monitor(path, vm, on={"query-memory-devices": [[Default], [lie], [Default]]}) as monitor:
        host(path, "plug", "512M").failed(1, "memhp0-dimm", state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not vm.devices and "memhp0-mem" not in vm.objects


@pytest.mark.parametrize("vm, words, why", [
    (Vm(slots=0), (), "no memory slots"),
    (Vm(max_mib=600), (), "maxmem"),
    (Vm(), ("--slot", "4"), "slot 4"),
    (Vm(), ("--addr", "0x100000001"), "0x100000001"),
], ids=["no slots", "maxmem", "no such slot", "address inside a block"])
def test_what_cannot_work_is_refused_before_anything_is_changed(path, vm, words, why):
    with Monitor(path, vm) as monitor:
        host(path, "plug", "512M", *words).failed(1, why, state="unchanged")
        assert not monitor.changes


@pytest.mark.parametrize("status, migration, word", [
    ("paused", None, "paused"), ("prelaunch", None, "prelaunch"),
    ("inmigrate", None, "waits for a migration to come in (inmigrate)"),
    ("postmigrate", "completed", "has migrated away (postmigrate)"),
    ("running", "active", "migrating"), ("running", "setup", "migrating"),
])
@pytest.mark.parametrize("words", [("plug", "512M"), ("unplug", "d0")], ids=lambda w: w[0])
def test_a_vm_that_cannot_answer_is_left_alone(path, plugged, words, status, migration, word):
    plugged.status, plugged.migration = status, migration
    with Monitor(path, plugged) as monitor:
        host(path, *words).failed(1, word, code="failed", state="unchanged")
        assert not monitor.changes


# Unplug, the host half


def test_unplug_deletes_the_backend_only_after_the_release(path, plugged):
    with Monitor(path, plugged) as monitor:
        host(path, "unplug", "d0").succeeded()
    assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"]
    assert not plugged.devices and "d0-mem" not in plugged.objects


@pytest.mark.parametrize("source", [3, 0x103])
@pytest.mark.parametrize("status, words", [
    (1, "no reason given"), (0x80, "not supported"), (0x81, "in use"), (0x82, "busy"), (0x83, "depends"),
])
def test_a_refused_ejection_is_told_in_words(path, plugged, source, status, words):
    with Monitor(path, plugged, on={"device_del": [reply(), ost(source, status)]}) as monitor:
        host(path, "unplug", "d0").failed(5, "d0-dimm", words, f"OST status {status}", code="guest-refused",
                                          state="rolled-back")
    assert monitor.changes == ["device_del d0-dimm"]


def test_an_ejection_in_progress_is_waited_for(path, plugged):
    script = [Quietly, ost(3, 0x84), ost(0x103, 0x84), ost(3, 0), deleted("d0-dimm")]
    with Monitor(path, plugged, on={"device_del": script}):
        host(path, "unplug", "d0").succeeded()


@pytest.mark.parametrize("refusal, words", [
    (event("MEM_UNPLUG_ERROR", device="d0-dimm", msg="LMB is in use"), "LMB is in use"),
    (event("DEVICE_UNPLUG_GUEST_ERROR", device="d0-dimm", path="/machine/peripheral/d0-dimm"), "no reason"),
], ids=["MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR"])
def test_the_refusals_of_other_machines(path, plugged, refusal, words):
    with Monitor(path, plugged, on={"device_del": [reply(), refusal]}) as monitor:
        host(path, "unplug", "d0").failed(5, words, code="guest-refused", state="rolled-back")
        assert monitor.changes == ["device_del d0-dimm"]


@pytest.mark.parametrize("events_first", [[ost(3, 0x82)], [deleted("d0-dimm")]], ids=["refusal", "release"])
def test_an_event_before_the_reply_counts(path, plugged, events_first):
    is_release = "device" in events_first[0]["data"]
    script = events_first + ([Quietly] if is_release else [reply()])
    with Monitor(path, plugged, on={"device_del": script}):
        result = host(path, "unplug", "d0")
        if is_release:
            result.succeeded()
        else:
            result.failed(5, "busy", code="guest-refused")


def test_a_device_without_id_is_known_by_its_path(path):
    vm = Vm()
    vm.plug("nameless", 256, anonymous=True)
    place = "/machine/peripheral-anon/device[0]"
    with Monitor(path, vm) as monitor:
        value = host(path, "list").succeeded()
        assert value["devices"][0]["id"] is None
        host(path, "unplug", place).succeeded()
    assert monitor.changes == [f"device_del {place}", "object-del nameless-mem"]
    assert vm.deleted == [None]


def test_the_events_of_other_devices_are_not_ours(path, plugged):
    plugged.plug("d1", 128)
    others = [deleted("d1-dimm"), ost(3, 0x82, slot=1), ost(1, 0, slot=0), ost(1, 0x82, slot=0),
              event("MEM_UNPLUG_ERROR", device="d1-dimm", msg="no"),
              deleted(None, "/machine/peripheral-anon/device[0]"),
              event("DEVICE_UNPLUG_GUEST_ERROR", device="d1-dimm", path="/machine/peripheral/d1-dimm"),
              event("ACPI_DEVICE_OST", info={"source": 3, "status": 0x82, "slot": "0", "slot-type": "CPU"}),
              event("POWERDOWN"), event("DEVICE_DELETED"), {"event": "DEVICE_DELETED"}, {"event": 7}]
    with Monitor(path, plugged, on={"device_del": others + [Default]}) as monitor:
        host(path, "unplug", "d0").succeeded()
        assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"]


def test_nothing_ever_is_pending_and_said_so(path, plugged):
    with Monitor(path, plugged, on={"device_del": [reply()]}) as monitor:
        host(path, "unplug", "d0", more=SHORT).failed(
            6, "the guest has not let go of 'd0-dimm'", code="timeout", state="pending")
    assert monitor.changes == ["device_del d0-dimm"]


def test_a_request_that_the_guest_has_lost_is_made_again(path, plugged):
    with Monitor(path, plugged, on={"device_del": [[reply()], [Default]]}) as monitor:
        host(path, "unplug", "d0").succeeded()
    assert monitor.changes == ["device_del d0-dimm", "device_del d0-dimm", "object-del d0-mem"]


def test_a_release_after_the_deadline_but_before_the_end_is_no_loss(path, plugged):
    released = []

    def late(request):
        """The model lets go when memhp looks for what is left."""
        if not released:
            released.append(plugged.find("d0-dimm"))
            plugged.remove(released[0])
        return None

    script = [[reply()], [late, error("Device 'd0-dimm' not found", "DeviceNotFound"), deleted("d0-dimm")]]
    with Monitor(path, plugged, on={"device_del": script}) as monitor:
        host(path, "unplug", "d0").succeeded()
        assert monitor.changes[-1] == "object-del d0-mem"


def test_an_unplug_that_qemu_refuses_changes_nothing(path, plugged):
    with Monitor(path, plugged, on={"device_del": [error("Device 'd0-dimm' is busy")]}) as monitor:
        host(path, "unplug", "d0").failed(1, "is busy", code="qemu-refused", state=("rolled-back", "unchanged"))
        assert monitor.changes == ["device_del d0-dimm"]


def test_a_backend_that_stays_after_an_unplug_is_told_as_partly_done(path, plugged):
    with Monitor(path, plugged, on={"object-del": [error("object 'd0-mem' is in use, can not be deleted")]}):
        host(path, "unplug", "d0").failed(7, "d0-mem", "in use", code="partial", state="partial")


@pytest.mark.parametrize("words", [(), ("--all",)])
def test_dimms_that_were_there_at_the_start_are_unplugged_by_name_only(path, words):
    """As after a migration, where QEMU is started with them."""
    vm = Vm()
    with Monitor(path, vm) as monitor:
        value = host(path, "unplug", *words).failed(1, "no DIMM has been hotplugged")
        assert value["error"]["hint"] == "see memhp list"
        for name in ("d0", "d1"):
            vm.plug(name, 128)["hotplugged"] = False
        value = host(path, "unplug", *words).failed(1, "no DIMM has been hotplugged", state="unchanged")
        assert value["error"]["hint"] == "2 DIMMs were there when QEMU started: name them to unplug them"
        assert not monitor.changes
        host(path, "unplug", "d0").succeeded()
        value = host(path, "unplug", *words).failed(1, state="unchanged")
        assert value["error"]["hint"] == "1 DIMM was there when QEMU started: name it to unplug it"


def test_of_two_dimms_one_gone_and_one_refused_is_told_as_partly_done(path, plugged):
    plugged.plug("d1", 128)
    scripts = [[Default], [reply(), ost(3, 0x82, slot=1)]]
    with Monitor(path, plugged, on={"device_del": scripts}) as monitor:
        host(path, "unplug", "d0", "d1").failed(7, "d1-dimm", "busy", code="partial", state="partial")
    assert monitor.changes == ["device_del d0-dimm", "device_del d1-dimm", "object-del d0-mem"]


def test_of_three_dimms_those_gone_and_those_pending_at_the_deadline_are_named(path, plugged):
    plugged.plug("d1", 128)
    plugged.plug("d2", 128)
    scripts = [[Default], [reply(), ost(3, 0x82, slot=1)], [reply()]]
    with Monitor(path, plugged, on={"device_del": scripts}) as monitor:
        host(path, "unplug", "--all", more=SHORT).failed(
            7, "the guest has not let go of 'd2-dimm': the deadline passed", "1 of 3 devices are gone ('d0-dimm')",
            "may still let go of 1 ('d2-dimm')", code="partial", state="partial")
    assert monitor.changes[-1] == "object-del d0-mem" and sorted(plugged.objects) == ["d1-mem", "d2-mem", "pc.ram"]
