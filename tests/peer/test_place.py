# SPDX-License-Identifier: GPL-3.0-or-later
"""Places, sizes and names of devices, with machines and monitors that are not to be had on demand."""
import peer
import pytest
from peer import BASE, Default, Monitor, Quietly, Tree, Vm as Model, event, reply
from vm import GIB, MIB


class Shifted(Model):
    """A machine whose address space for devices begins inside a block of its guest, as loongarch has it."""

    def __init__(self, tree, base, size):
        super().__init__(tree, slots=16)
        self.known = {"addr": base, "size": size}

    def do_query_target(self):
        return {"arch": "loongarch64"}

    def do_qom_get(self, path, property):  # pylint: disable=redefined-builtin
        if path == "/machine/device-memory[0]":
            return self.known[property]
        return super().do_qom_get(path, property)


def memhp(path, *words, guest="none"):
    return peer.memhp("--qmp", path, "--guest", guest, "--json", "--timeout", "8", *words)


# ---- places


def test_device_memory_that_begins_inside_a_block_is_used_from_the_next(path, tmp_path):
    tree = Tree(tmp_path / "large", block_mib=512, boot=1)
    vm = Shifted(tree, 0xb0000000, 8 * GIB - 512 * MIB)
    with Monitor(path, vm) as monitor:
        plan = memhp(path, "--dry-run", "plug", "1G", "--dimm", "512M", guest=tree.kernel_channel()).succeeded()["plan"]
        memhp(path, "plug", "1G", "--dimm", "512M", guest=tree.kernel_channel()).succeeded()
        sent = [arguments["addr"] for arguments in monitor.sent("device_add")]
    assert sent == [0xc0000000, 0xe0000000]
    assert [line["qmp"]["arguments"]["addr"] for line in plan if line.get("qmp", {}).get("execute") == "device_add"] == sent
    assert tree.states(6, 7) == {"online Movable"}


def test_the_rest_of_it_that_is_in_no_whole_block_is_not_promised(path, tmp_path):
    tree = Tree(tmp_path / "large", block_mib=512, boot=1)
    vm = Shifted(tree, 0xb0000000, 1 * GIB)
    vm.max = vm.base + 1 * GIB
    with Monitor(path, vm) as monitor:
        memhp(path, "plug", "1G", guest=tree.kernel_channel()).failed(
            1, "no gap of 1 GiB", "512 MiB", state="unchanged")
        memhp(path, "resize", "1536M", guest=tree.kernel_channel()).failed(1, "gaps for only 1 of 2 DIMMs", state="unchanged")
        value = memhp(path, "resize", "1100M", guest=tree.kernel_channel()).failed(1, "pieces of 512 MiB", state="unchanged")
        assert value["error"]["hint"] == "1 GiB can be reached"
        assert monitor.changes == []


def test_where_qemu_does_not_say_where_devices_begin_it_chooses(path, tree):
    vm = Model(tree)
    vm.plug("d0", 256)
    with Monitor(path, vm, on={"qom-get": [reply(None)]}) as monitor:
        memhp(path, "plug", "128M", guest=tree.kernel_channel()).succeeded()
        assert "addr" not in monitor.sent("device_add")[0]


class Large(Shifted):
    """A q35 machine whose memory at boot ends at 64 GiB or above."""

    def __init__(self, base_mib):
        Model.__init__(self, None, base_mib=base_mib, max_mib=256 << 10)  # pylint: disable=non-parent-init-called
        end = base_mib * MIB + 2 * GIB  # behind the hole below 4 GiB
        self.known = {"addr": (end + GIB - 1) // GIB * GIB, "size": 256 * GIB}

    def do_query_target(self):
        return Model.do_query_target(self)


@pytest.mark.parametrize("base_gib, size, block", [
    (64, "256M", "2 GiB"), (64, "3G", "2 GiB"), (64, "2G", None), (63, "512M", "1 GiB"), (63, "1G", None), (61, "256M", None),
    (64.125, "128M", None)])
@pytest.mark.parametrize("kind", [[], ["--dry-run"]], ids=["done", "planned"])
def test_without_a_channel_it_is_said_that_a_large_guest_may_have_large_blocks(path, base_gib, size, block, kind):
    with Monitor(path, Large(int(base_gib * 1024))):
        value = memhp(path, *kind, "plug", size).succeeded()
    assert [f"blocks of {block}" in text for text in value.get("warnings", [])] == ([True] if block else [])


def test_a_dimm_that_lands_inside_a_block_all_the_same_is_taken_back(path, tree):
    """Another tool's comes at this moment, and QEMU puts ours behind it."""
    vm = Model(tree)
    vm.tree = None

    def beside(request):
        vm.insert({**request["arguments"], "addr": BASE + 130 * MIB})
        return {"return": {}, "id": request["id"]}

    with Monitor(path, vm, on={"device_add": [beside]}) as monitor:
        value = memhp(path, "plug", "128M", guest=tree.kernel_channel()).failed(
            1, "inside a memory block", state="rolled-back")
        assert "try again" in value["error"]["hint"]
        assert monitor.changes[-2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"] and not vm.devices


# ---- DIMMs that the guest has added in part


@pytest.mark.parametrize("state, direction, finding", [
    ("online", [], ("partly-absent", "none")),
    ("online", ["--back"], ("partly-absent", "unplug")),
    ("offline", [], ("partly-absent", "unplug")),
])
def test_a_dimm_that_the_guest_has_added_in_part_is_said_and_what_is_in_use_is_kept(path, tree, state, direction, finding):
    vm = Model(tree)
    vm.plug("d0", 256)
    tree.remove(32, 33)
    tree.add(32, 32, state, "Movable")
    vm.tree = None
    mtree = {"human-monitor-command": [reply("  0000000000000000-000000001fffffff (prio 0, ram): pc.ram\r\n")]}
    with Monitor(path, vm, on=mtree) as monitor:
        listed = peer.memhp("--qmp", path, "--guest", tree.kernel_channel(), "list")
        assert "d0-dimm: the guest has not added all of it" in listed.stdout
        answer = memhp(path, "repair", *direction, guest=tree.kernel_channel()).succeeded()
        assert [(f["kind"], f["action"]) for f in answer["findings"] if f["id"] == "d0-dimm"] == [finding]
        assert bool(vm.devices) == (finding[1] == "none") == (monitor.changes == [])


# ---- what QEMU says


def elastic(name, size=0, requested=0):
    return {"type": "virtio-mem", "data": {
        "id": name, "memdev": f"/objects/{name}-mem", "memaddr": BASE + (GIB if name == "vm1" else 0), "node": 0,
        "size": size, "requested-size": requested, "max-size": GIB, "block-size": 2 * MIB}}


@pytest.mark.parametrize("size", ["1G", "2G"], ids=["one device", "two devices"])
def test_a_monitor_that_refuses_every_new_size_leaves_all_as_it_was(path, size):
    devices = {"query-memory-devices": [reply([elastic("vm0"), elastic("vm1")])]}
    with Monitor(path, Model(), on={**devices, "qom-set": [peer.error("no, never")]}) as monitor:
        result = memhp(path, "resize", size)
        value = result.failed(1, "no, never", "'vm0'", state="rolled-back")
        assert value["error"]["message"].count("no, never") == 1 and value["total_after"] == 512 * MIB
        assert len(monitor.sent("qom-set")) == (1 if size == "1G" else 2)


def test_of_two_devices_the_one_that_took_its_new_size_is_asked_for_the_old_one(path):
    sizes = {"vm0": (0, 0), "vm1": (0, 0)}

    def take(request):
        arguments = request["arguments"]
        sizes[arguments["path"].rsplit("/", 1)[1]] = (arguments["value"],) * 2
        return {"return": {}, "id": request["id"]}

    def show(request):
        return {"return": [elastic(name, *value) for name, value in sizes.items()], "id": request["id"]}

    on = {"query-memory-devices": [show], "qom-set": [[peer.error("no, never")], [take]]}
    with Monitor(path, Model(), on=on) as monitor:
        memhp(path, "resize", "2G").failed(1, "no, never", "'vm0'", state="rolled-back")
        assert [(a["path"][-3:], a["value"]) for a in monitor.sent("qom-set")] == [
            ("vm0", GIB), ("vm1", 512 * MIB), ("vm1", 0)]
    assert sizes == {"vm0": (0, 0), "vm1": (0, 0)}


@pytest.mark.parametrize("name", ["DEVICE_UNPLUG_GUEST_ERROR", "MEM_UNPLUG_ERROR"])
def test_a_refusal_that_has_only_the_path_of_a_device_with_an_id_is_one(path, name):
    vm = Model()
    device = vm.plug("d0", 256)
    vm.do_device_del = lambda id: {}  # pylint: disable=redefined-builtin
    script = [Quietly, event(name, path="/machine/peripheral/d0-dimm", msg="it is busy")]
    with Monitor(path, vm, on={"device_del": script}):
        memhp(path, "unplug", "d0").failed(5, "does not give up 'd0-dimm'", code="guest-refused")
    assert vm.devices == [device]


def test_a_release_that_has_only_the_path_is_one(path):
    vm = Model()
    vm.plug("d0", 256)
    script = [Quietly, event("DEVICE_DELETED", path="/machine/peripheral/d0-dimm/x"),
              event("DEVICE_DELETED", path="/machine/peripheral/d0-dimm")]
    with Monitor(path, vm, on={"device_del": script, "object-del": [[Default]]}):
        memhp(path, "unplug", "d0").succeeded()
    assert not vm.devices and "d0-mem" not in vm.objects
