# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest with two NUMA nodes, each with a virtio-mem device: what is changed, and counted, is the node's."""
import re

import pytest
from devices import NODES
from report import changes, done, refused, rows
from truth import totals
from vm import GIB, MIB

DEVICES = [word for n in (0, 1) for word in (
    "-object", f"memory-backend-ram,id=vmem{n},size=1G",
    "-device", f"virtio-mem-pci,id=vm{n},memdev=vmem{n},requested-size=0,node={n}")]


@pytest.fixture
def numa(boot):
    """Two nodes of 256 MiB, without memory devices."""
    return boot(NODES)


@pytest.fixture
def elastic(boot):
    """The same with an empty virtio-mem device on each."""
    return boot(NODES + DEVICES)


def node_totals(vm):
    """KiB of each node, as the guest's kernel has it."""
    return [int(vm.guest(f"sed -n 's/.*MemTotal: *//p' /sys/devices/system/node/node{n}/meminfo").split()[0])
            for n in (0, 1)]


def test_plug_puts_dimms_on_the_node_asked_for(numa):
    vm, before = numa, node_totals(numa)
    done(vm.memhp("plug", "512M", "--dimm", "256M", "--node", "1", "--zone", "movable"))
    assert [d["node"] for d in vm.devices()] == [1, 1] and totals(vm) == [256, 768]
    assert node_totals(vm) == [before[0], before[1] + 512 * 1024]
    done(vm.memhp("plug", "128M", "--node", "0", "--zone", "movable"))
    heading, *listed = rows(done(vm.memhp("list")))
    assert [row[heading.index("NODE")] for row in listed] == ["1", "1", "0"]
    heading, *blocks = rows(done(vm.memhp("blocks")))
    nodes = {row[0]: row[heading.index("NODE")] for row in blocks[:-1]}
    assert nodes["memory32-memory33"] == nodes["memory34-memory35"] == "1" and nodes["memory36"] == "0"
    done(vm.memhp("unplug", "--all"))
    assert node_totals(vm) == before


def test_status_shows_each_node(numa):
    vm = numa
    done(vm.memhp("plug", "256M", "--node", "1", "--zone", "movable"))
    done(vm.memhp("plug", "128M", "--node", "0", "--no-online"))
    zero, one = vm.json("status")["nodes"]
    assert zero == {"node": 0, "guest_node": 0, "plugged": 128 * MIB, "online": 256 * MIB, "offline": 128 * MIB, "movable": 0}
    assert one == {"node": 1, "guest_node": 1, "plugged": 256 * MIB, "online": 512 * MIB, "offline": 0, "movable": 256 * MIB}
    text = done(vm.memhp("status"))
    assert len(re.findall(r"(?i)node [01]\b", text)) == 2
    done(vm.memhp("unplug", "--all"))


def test_resize_of_a_node_counts_and_changes_that_node_only(numa):
    vm = numa
    done(vm.memhp("plug", "256M", "--node", "0", "--zone", "movable", "--name", "zero"))
    answer = vm.json("resize", "1G", "--node", "1", "--zone", "movable")
    assert (answer["total_before"], answer["total_after"]) == (256 * MIB, GIB)
    assert totals(vm) == [512, 1024]
    result = vm.memhp("--verbose", "resize", "1G", "--node", "1")
    assert "nothing to do" in done(result) and changes(result.stderr) == []
    done(vm.memhp("resize", "-256M", "--node", "1"))
    assert totals(vm) == [512, 768]
    before = vm.state()
    for word, node, words, hint in (("128M", "1", "does not add up", "256 MiB"), ("256M", "7", "no NUMA node 7", None),
                                    ("+100M", "0", "pieces of 128 MiB", "640 MiB")):
        message, said = refused(vm, 1, "resize", word, "--node", node)
        assert words in message and (hint is None or hint in said)
    assert vm.state() == before
    done(vm.memhp("resize", "256M", "--node", "1"))
    assert [d["id"] for d in vm.devices()] == ["zero-dimm"] and totals(vm) == [512, 256]
    done(vm.memhp("resize", "512M"))
    assert totals(vm) == [256, 256]


def sizes(vm):
    return [d["size"] // MIB for d in sorted(vm.devices(), key=lambda d: d["id"]) if d["id"].startswith("vm")]


def test_two_virtio_mem_devices_are_resized_each_on_its_node(elastic):
    vm, before = elastic, node_totals(elastic)
    done(vm.memhp("resize", "768M", "--node", "1", "--zone", "movable"))
    assert sizes(vm) == [0, 512]
    done(vm.memhp("resize", "384M", "--node", "0", "--zone", "movable"))
    assert sizes(vm) == [128, 512] and totals(vm) == [384, 768]
    assert node_totals(vm) == [before[0] + 128 * 1024, before[1] + 512 * 1024]
    done(vm.memhp("resize", "256M", "--node", "1"))
    assert sizes(vm) == [128, 0]
    # more than the node's device can take: a DIMM on the same node
    done(vm.memhp("resize", "1408M", "--node", "1", "--zone", "movable"))
    assert sizes(vm) == [128, 1024]
    assert [(d["node"], d["size"]) for d in vm.devices() if d["id"] == "memhp0-dimm"] == [(1, 128 * MIB)]
    # of the whole VM: all devices at once
    done(vm.memhp("resize", "512M"))
    assert sizes(vm) == [0, 0] and len(vm.devices()) == 2 and node_totals(vm) == before


def test_both_devices_make_up_one_total(elastic):
    vm, before = elastic, elastic.mem_total()
    done(vm.memhp("resize", "2G", "--zone", "movable"))
    assert sizes(vm) == [1024, 512] and vm.mem_total() == before + 1536 * MIB
    text = done(vm.memhp("list"))
    assert "vm0: 1 GiB of at most 1 GiB" in text and "vm1: 512 MiB of at most 1 GiB" in text
    done(vm.memhp("resize", "512M"))
    assert sizes(vm) == [0, 0] and vm.mem_total() == before
