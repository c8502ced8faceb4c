# SPDX-License-Identifier: GPL-3.0-or-later
"""Plug and unplug, both halves: a scripted monitor and a tree with the kernel of kernel.sh."""
import peer
import pytest
from peer import Default, Monitor, Quietly, Vm, memhp, ost, reply


def whole(path, tree, *words, more=()):
    """memhp --json with the guest whose kernel is kernel.sh."""
    return memhp("--qmp", path, "--guest", tree.kernel_channel(), "--json", *more, *words)


def test_plug_and_unplug_with_a_guest(path, tree):
    vm = Vm(tree)
    with Monitor(path, vm) as monitor:
        value = whole(path, tree, "plug", "512M").succeeded()
        assert value["devices"][0]["blocks"] == [
            {"first": 32, "last": 35, "state": "online", "zone": "Movable", "node": 0, "removable": True}]
        assert tree.states(32, 35) == {"online Movable"}
        whole(path, tree, "unplug").succeeded()
    assert not tree.block(32).exists()
    assert monitor.changes == ["object-add memhp0-mem", "device_add memhp0-dimm", "device_del memhp0-dimm",
                               "object-del memhp0-mem"]


def test_the_blocks_prove_a_plug_that_sends_no_answer(path, tree):
    with Monitor(path, Vm(tree), on={"device_add": [Quietly]}):
        whole(path, tree, "plug", "256M", "--zone", "kernel").succeeded()
    assert tree.states(32, 33) == {"online Normal"}


@pytest.mark.parametrize("status", [1, 0x81, 0x82])
def test_a_dimm_that_the_guest_does_not_take_is_undone(path, tree, status):
    vm = Vm(tree)
    with Monitor(path, vm, on={"device_add": [Quietly, ost(1, status)]}) as monitor:
        whole(path, tree, "plug", "512M").failed(5, f"OST status {status}", code="guest-refused",
                                                 state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not vm.devices and "memhp0-mem" not in vm.objects


def test_blocks_that_never_appear_are_undone_at_the_deadline(path, tree):
    vm = Vm()  # takes the DIMM, but gives the guest no blocks
    with Monitor(path, vm, on={"device_add": [Quietly]}) as monitor:
        result = whole(path, tree, "plug", "512M", more=("--timeout", "6"))
    result.failed(6, "blocks", code="timeout", state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]


GOING = ("--keep-going", "--name", "d")


def test_what_is_verified_at_the_deadline_stays_and_a_write_that_hangs_is_undone(path, tree):
    """So many blocks go the long way, in order: the third DIMM's hang."""
    vm = Vm(tree, max_mib=65536)
    add = tree.add

    def add_hanging(first, last, **facts):
        add(first, last, **facts)
        if first <= 80 <= last:
            tree.hang(80, "online_movable")

    tree.add = add_hanging
    with Monitor(path, vm) as monitor:
        value = whole(path, tree, "plug", "10G", "--dimm", "2560M", "--zone", "movable", *GOING,
                      more=("--timeout", "12")).failed(7, "memory80", "the deadline passed", code="partial",
                                                      state="partial")
    assert "2 of 4 DIMMs are plugged ('d0-dimm', 'd1-dimm'), 2 are not ('d2-dimm', 'd3-dimm')" in \
        value["error"]["message"]
    assert monitor.changes[8:] == ["device_del d2-dimm", "device_del d3-dimm", "object-del d2-mem",
                                   "object-del d3-mem"]
    assert tree.states(32, 71) == {"online Movable"} and not tree.block(72).exists()
    assert sorted(vm.objects) == ["d0-mem", "d1-mem", "pc.ram"]


def test_the_rounds_before_the_deadline_stay(path, tmp_path):
    """The guest never shows the second DIMM."""
    def insert(request):
        vm.insert(request["arguments"])
        tree.remove(33, 33)
        return {"return": {}, "id": request["id"]}

    tree = peer.Tree(tmp_path / "guest", available_mib=19)
    vm = Vm(tree)
    remove = vm.remove

    def remove_unseen(device):
        tree.add(33, 33)
        remove(device)

    vm.remove = remove_unseen
    with Monitor(path, vm, on={"device_add": [[Default], [insert]]}) as monitor:
        result = whole(path, tree, "plug", "384M", "--dimm", "128M", "--zone", "kernel", *GOING,
                       more=("--timeout", "6"))
    result.failed(7, "1 of 3 DIMMs are plugged ('d0-dimm'), 2 are not ('d1-dimm', 'd2-dimm')", "blocks",
                  code="partial", state="partial")
    assert monitor.changes == ["object-add d0-mem", "device_add d0-dimm", "object-add d1-mem", "device_add d1-dimm",
                               "device_del d1-dimm", "object-del d1-mem"]
    assert tree.states(32, 32) == {"online Normal"} and sorted(vm.objects) == ["d0-mem", "pc.ram"]


def test_a_block_that_the_kernel_refuses_to_bring_online_undoes_the_plug(path, tree):
    vm = Vm(tree)
    add = tree.add

    def add_refusing(first, last, **facts):
        add(first, last, **facts)
        for word in ("online_movable", "online_kernel", "online"):
            tree.refuse(34, word, "Cannot allocate memory")

    tree.add = add_refusing
    with Monitor(path, vm) as monitor:
        whole(path, tree, "plug", "512M").failed(5, "memory34", "Cannot allocate memory", code="guest-refused",
                                                 state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not tree.block(32).exists() and not vm.devices


def test_a_block_that_cannot_go_offline_keeps_the_others_online(path, tree):
    vm = Vm(tree)
    with Monitor(path, vm) as monitor:
        whole(path, tree, "plug", "512M").succeeded()
        tree.refuse(33, "offline", "Device or resource busy")
        whole(path, tree, "unplug").failed(5, "memory33", "Device or resource busy", code="guest-refused",
                                           state="rolled-back")
    assert tree.states(32, 35) == {"online Movable"}
    assert "device_del memhp0-dimm" not in monitor.changes


def test_a_refused_ejection_brings_the_blocks_back_online_in_their_zones(path, tree):
    vm = Vm(tree)
    with Monitor(path, vm, on={"device_del": [reply(), ost(3, 0x82)]}):
        whole(path, tree, "plug", "512M", "--zone", "movable").succeeded()
        for name, text in (("valid_zones", "Normal"),):
            (tree.block(32) / name).write_text(text + "\n")
        whole(path, tree, "unplug").failed(5, "busy", code="guest-refused", state="rolled-back")
    assert tree.states(33, 35) == {"online Movable"}
    assert tree.state(32) == "online Normal"


def test_an_ejection_that_is_never_answered_brings_the_blocks_back_and_stays_pending(path, tree):
    with Monitor(path, Vm(tree), on={"device_del": [reply()]}):
        whole(path, tree, "plug", "512M").succeeded()
        whole(path, tree, "unplug", more=("--timeout", "5")).failed(
            6, "has not let go of 'memhp0-dimm'", code="timeout", state="pending")
    assert tree.states(32, 35) == {"online Movable"}


def test_an_offline_that_hangs_is_ended_and_undone_at_the_deadline(path, tree):
    with Monitor(path, Vm(tree)) as monitor:
        whole(path, tree, "plug", "512M").succeeded()
        tree.hang(33, "offline")
        whole(path, tree, "unplug", more=("--timeout", "6")).failed(
            6, "memory33", code="timeout", state="rolled-back")
        assert "device_del memhp0-dimm" not in monitor.changes
    assert tree.states(32, 35) == {"online Movable"}


def test_a_guest_without_room_for_what_is_in_the_memory_keeps_it(path, tree):
    with Monitor(path, Vm(tree)) as monitor:
        whole(path, tree, "plug", "512M").succeeded()
        tree.write("proc/meminfo", "MemTotal: 1048576 kB\nMemFree: 1000 kB\nMemAvailable: 400000 kB")
        whole(path, tree, "unplug").failed(5, "available", code="guest-refused", state="unchanged")
        assert "device_del memhp0-dimm" not in monitor.changes
        whole(path, tree, "unplug", "--force").succeeded()


def test_a_guest_whose_shell_is_not_root_is_left_alone(path, tree):
    (tree.memory / "uevent").unlink()
    with Monitor(path, Vm(tree)) as monitor:
        whole(path, tree, "plug", "512M").failed(4, "root", code="guest-unreachable", state="unchanged")
        assert not monitor.changes


@pytest.mark.parametrize("words, boot, zone", [
    ((), 8, "Movable"), ((), 2, "Movable"), ((), 1, "Normal"), (("--zone", "movable"), 1, "Movable"),
    (("--zone", "kernel"), 8, "Normal"), (("--zone", "auto"), 1, "Normal"),
], ids=str)
def test_the_zone_is_movable_up_to_three_times_the_kernels(path, tmp_path, words, boot, zone):
    """512 MiB beside so many blocks of 128 MiB at boot."""
    tree = peer.Tree(tmp_path / "small", boot=boot)
    with Monitor(path, Vm(tree)):
        blocks = whole(path, tree, "plug", "512M", *words).succeeded()["devices"][0]["blocks"]
        assert [b["zone"] for b in blocks] == [zone]
    assert tree.states(32, 35) == {f"online {zone}"}


def test_three_times_the_kernels_is_counted_with_what_is_movable_already(path, tmp_path):
    tree = peer.Tree(tmp_path / "small", boot=2)
    with Monitor(path, Vm(tree)):
        whole(path, tree, "plug", "512M").succeeded()
        whole(path, tree, "plug", "256M").succeeded()
        whole(path, tree, "plug", "128M").succeeded()
    assert tree.states(32, 37) == {"online Movable"} and tree.state(38) == "online Normal"


@pytest.mark.parametrize("policy", ["online", "online_kernel", "online_movable"])
def test_a_guest_that_brings_memory_online_by_itself_gets_the_zone_asked_for(path, tree, policy):
    name = "sys/devices/system/memory/auto_online_blocks"
    tree.write(name, policy)
    add = tree.add

    def add_as_the_policy_says(first, last):
        """What the kernel does, and udev in its place."""
        zone = "Movable" if policy == "online_movable" else "Normal"
        add(first, last, "online", zone)

    tree.add = add_as_the_policy_says
    with Monitor(path, Vm(tree)):
        whole(path, tree, "plug", "256M", "--zone", "movable").succeeded()
        whole(path, tree, "plug", "256M", "--zone", "kernel").succeeded()
    assert tree.states(32, 33) == {"online Movable"} and tree.states(34, 35) == {"online Normal"}
    assert (tree.root / name).read_text().strip() == policy
