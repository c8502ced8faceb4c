# SPDX-License-Identifier: GPL-3.0-or-later
"""NUMA nodes that the guest counts otherwise than QEMU, and nodes that had nothing at boot."""
import pytest
from devices import GAP, SWAPPED
from report import done, refused, rows
from truth import totals
from vm import FIRST, GIB, MIB


@pytest.fixture
def gap(boot):
    return boot(GAP)


@pytest.fixture
def swapped(boot):
    return boot(SWAPPED)


def guest_nodes(vm):
    """KiB of each of the guest's nodes, as its kernel counts them."""
    lines = vm.guest("sed -n 's/MemTotal: *//p' /sys/devices/system/node/node[0-9]*/meminfo").splitlines()
    return {int(line.split()[1]): int(line.split()[2]) for line in lines}


def test_memory_comes_to_the_node_that_was_meant(gap):
    vm, before = gap, guest_nodes(gap)
    assert set(before) == {0, 1}
    done(vm.memhp("plug", "128M", "--node", "2", "--zone", "movable"))
    assert totals(vm) == [256, 0, 384] and guest_nodes(vm) == {0: before[0], 1: before[1] + 128 * 1024}
    done(vm.memhp("plug", "128M", "--node", "0", "--zone", "movable"))
    assert guest_nodes(vm)[0] == before[0] + 128 * 1024
    done(vm.memhp("unplug", "--all"))


@pytest.mark.parametrize("command", [["plug", "256M", "--dimm", "128M"], ["resize", "256M"]], ids=["plug", "resize"])
def test_memory_that_the_guest_puts_on_another_node_is_taken_back(gap, command):
    vm, before = gap, gap.state()
    message, hint = refused(vm, 5, *command, "--node", "1", "--zone", "movable", state="rolled-back")
    assert f"'memory{FIRST}" in message and "on QEMU's node 0, not on node 1" in message and "another node" in hint
    assert vm.state() == before


def test_a_device_that_stays_is_not_made_on_a_node_that_the_guest_does_not_count(gap):
    before = gap.state()
    message, _ = refused(gap, 1, "plug", "256M", "--virtio-mem", "--node", "1")
    assert "does not count QEMU's node 1" in message and gap.state() == before


def columns(text):
    heading, *lines = text.splitlines()
    names = heading.replace("GUEST NODE", "GUEST_NODE").split()
    return [dict(zip(names, row)) for row in rows("\n".join(lines)) if len(row) == len(names)]


def test_list_blocks_and_status_keep_the_two_countings_apart(swapped):
    vm = swapped
    for node in (0, 1, 2):
        done(vm.memhp("plug", "128M", "--node", str(node), "--zone", "movable"))
    listed = columns(done(vm.memhp("list")))
    assert [(row["NODE"], row["GUEST_NODE"]) for row in listed] == [("0", "1"), ("1", "0"), ("2", "2")]
    assert [(d["node"], d["blocks"][0]["node"]) for d in vm.json("list")["devices"]] == [(0, 1), (1, 0), (2, 2)]
    blocks = [b for b in vm.json("blocks")["blocks"] if b["device"]]
    assert [b["node"] for b in blocks] == [1, 0, 2]
    counted = {n: {node: len(vm.guest(f"echo /sys/devices/system/node/node{node}/memory[0-9]*").split())
                   for node in (0, 1, 2)}[n] for n in (0, 1, 2)}
    nodes = vm.json("status")["nodes"]
    assert [(n["node"], n["guest_node"], n["plugged"]) for n in nodes] == [
        (0, 1, 128 * MIB), (1, 0, 128 * MIB), (2, 2, 128 * MIB)]
    assert [n["online"] for n in nodes] == [counted[g] * 128 * MIB for g in (1, 0, 2)]
    assert "Node 0   plugged 128 MiB; the guest's node 1: 384 MiB online" in done(vm.memhp("status"))
    done(vm.memhp("unplug", "--all"))


def test_where_both_count_alike_there_is_one_column(vm):
    done(vm.memhp("plug", "128M"))
    assert "GUEST NODE" not in done(vm.memhp("list"))
    done(vm.memhp("unplug"))


def test_memory_on_the_wrong_node_is_not_counted_twice(gap):
    """Plugged without a channel, it is QEMU's node 1, and the guest's node 0."""
    vm = gap
    done(vm.memhp("--guest", "none", "plug", "128M", "--node", "1"))
    [device] = vm.json("list")["devices"]
    assert device["node"] == 1 and [b["node"] for b in device["blocks"]] == [0]
    nodes = {n["node"]: n for n in vm.json("status")["nodes"]}
    assert nodes[1]["plugged"] == 128 * MIB and nodes[1]["guest_node"] is nodes[1]["online"] is None
    assert (nodes[0]["guest_node"], nodes[2]["guest_node"]) == (0, 1)
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("word", ["0M", "0", "0G"])
def test_a_node_that_had_nothing_is_emptied_again(swapped, word):
    vm, before = swapped, guest_nodes(swapped)
    done(vm.memhp("resize", "384M", "--node", "2", "--zone", "movable"))
    assert totals(vm) == [256, 256, 384] and guest_nodes(vm)[2] == 384 * 1024
    answer = vm.json("resize", word, "--node", "2")
    assert (answer["total_before"], answer["target"], answer["total_after"]) == (384 * MIB, 0, 0)
    assert vm.devices() == [] and {n: kib for n, kib in guest_nodes(vm).items() if kib} == before
    assert "nothing to do" in done(vm.memhp("resize", word, "--node", "2"))


def test_a_node_is_emptied_by_a_difference_too(swapped):
    done(swapped.memhp("resize", "+256M", "--node", "2", "--zone", "movable"))
    assert swapped.json("resize", "-256M", "--node", "2")["total_after"] == 0
    assert swapped.devices() == []


def test_nothing_is_no_total_of_a_vm_and_of_a_node_with_memory(swapped):
    message, _ = refused(swapped, 2, "resize", "0M")
    assert "zero" in message
    message, hint = refused(swapped, 1, "resize", "0M", "--node", "0")
    assert "does not add up" in message and "booted with stays" in hint
    message, _ = refused(swapped, 2, "resize", "-0M", "--node", "2")
    assert "zero" in message


def test_virtio_mem_comes_to_the_node_that_was_meant_and_leaves_it(swapped):
    vm = swapped
    vm.discard()  # QEMU lets go of no virtio-mem device
    before = guest_nodes(vm)
    done(vm.memhp("plug", "1G", "--virtio-mem", "--node", "0", "--zone", "movable"))
    assert guest_nodes(vm)[1] == before[1] + GIB // 1024
    done(vm.memhp("resize", "256M", "--node", "0"))
    assert guest_nodes(vm) == before
