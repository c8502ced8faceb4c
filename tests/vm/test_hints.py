# SPDX-License-Identifier: GPL-3.0-or-later
"""Hints of refusals can be pasted and work, and a plan tells what would be refused."""
import re

import pytest
from devices import COLD, GAP, add_odd
from report import done, refused
from vm import BLOCK, FIRST, MIB


@pytest.mark.parametrize("kind", [[], ["--virtio-mem"]], ids=["dimm", "virtio-mem"])
@pytest.mark.parametrize("address", [FIRST * BLOCK, FIRST * BLOCK + 2 * MIB, 0, 1 << 50])
def test_instead_of_an_address_that_cannot_be_a_free_one_is_named(vm, kind, address):
    add_odd(vm)
    _, hint = refused(vm, 1, "plug", "256M", *kind, "--addr", hex(address))
    [free] = re.findall(r"leave out --addr, or take (0x[0-9a-f]+), which is free", hint)
    assert int(free, 16) == (FIRST + 2) * BLOCK
    done(vm.memhp("--dry-run", "plug", "256M", *kind, "--addr", free))
    done(vm.memhp("unplug", "odd"))


def test_a_free_address_can_be_plugged_to(vm):
    add_odd(vm)
    _, hint = refused(vm, 1, "plug", "256M", "--addr", hex(FIRST * BLOCK))
    free = re.search("0x[0-9a-f]+", hint).group()
    done(vm.memhp("plug", "256M", "--addr", free, "--zone", "movable"))
    assert {d["id"]: d["addr"] for d in vm.devices()}["memhp0-dimm"] == int(free, 16)
    done(vm.memhp("unplug", "--all"))


def test_instead_of_a_slot_that_cannot_be_a_free_one_is_named(vm):
    done(vm.memhp("plug", "128M", "--slot", "0", "--zone", "movable"))
    for slot, words in (("0", "slot 0 holds 'memhp0-dimm'"), ("99", "no slot 99")):
        message, hint = refused(vm, 1, "plug", "128M", "--slot", slot)
        assert words in message and hint == "leave out --slot, or take 1, which is free"
    done(vm.memhp("plug", "128M", "--slot", "1", "--zone", "movable"))
    assert [d["slot"] for d in vm.devices()] == [0, 1]
    done(vm.memhp("unplug", "--all"))


@pytest.mark.parametrize("size, hint", [("384M", "take 256 MiB or 512 MiB"), ("128M", "take 256 MiB")])
def test_sizes_that_dimms_make_are_named(vm, size, hint):
    result = vm.memhp("plug", size, "--dimm", "256M")
    assert result.returncode == 2 and f"'{size}' is not a multiple of --dimm, 256 MiB" in result.stderr
    assert f"hint: {hint}\n" in result.stderr


# ---- nodes


@pytest.mark.parametrize("command", [["plug", "128M"], ["plug", "128M", "--virtio-mem"], ["resize", "1G"],
                                     ["--guest", "none", "plug", "128M"]], ids=" ".join)
@pytest.mark.parametrize("run", [[], ["--dry-run"]], ids=["done", "planned"])
def test_a_node_that_the_vm_does_not_have_is_refused_before_anything_is_sent(vm, command, run):
    before = vm.state()
    message, hint = refused(vm, 1, *run, *command, "--node", "1")
    assert "the VM has no NUMA node 1" in message and hint == "there is only node 0: leave out --node"
    assert vm.state() == before


def test_the_nodes_that_there_are_are_named_and_all_of_them_are_in_status(boot):
    vm = boot(GAP)
    _, hint = refused(vm, 1, "--dry-run", "plug", "128M", "--node", "3")
    assert hint == "there are nodes 0 to 2"
    nodes = vm.json("status")["nodes"]
    assert [n["node"] for n in nodes] == [0, 1, 2] and nodes[1]["guest_node"] is nodes[1]["online"] is None
    lines = [line for line in done(vm.memhp("status")).splitlines() if line.startswith("Node ")]
    assert [line.split()[1] for line in lines] == ["0", "1", "2"]
    assert lines[1].split(None, 2)[2] == "plugged 0 B; the guest has no memory there"


@pytest.mark.parametrize("command", [["plug", "128M"], ["resize", "128M"]], ids=" ".join)
def test_a_plan_does_not_promise_a_node_that_the_guest_does_not_count(boot, command):
    vm = boot(GAP)
    planned, _ = refused(vm, 5, "--dry-run", *command, "--node", "1")
    assert "the guest does not count QEMU's node 1" in planned
    refused(vm, 5, *command, "--node", "1", state="rolled-back")


# ---- DIMMs that the guest has not added


def test_the_plan_of_repair_tells_what_was_found(vm):
    assert done(vm.memhp("--dry-run", "repair")) == "nothing to do\n"
    add_odd(vm)
    done(vm.memhp("plug", "128M", "--no-online"))
    before = vm.state()
    plan = done(vm.memhp("--dry-run", "repair")).splitlines()
    assert plan[:2] == ["odd: the guest has not added it: to be unplugged",
                        "memhp0-dimm: all of its blocks are offline: to be brought online"]
    assert "device_del" in "".join(plan[2:]) and vm.state() == before
    done(vm.memhp("unplug", "--all"))


def test_what_repair_leaves_alone_is_in_its_plan_and_the_hint_about_it_works(boot):
    vm = boot(COLD)
    assert done(vm.memhp("--dry-run", "repair")) == (
        "cold: the guest has not added it: left alone: see --all\nnothing to do\n")
    result = vm.memhp("online", "cold")
    [hint] = re.findall("hint: take it away with: memhp (.*)", result.stderr)
    assert result.returncode == 1 and hint == "unplug cold"
    vm.discard()
    done(vm.memhp(*hint.split()))
    assert vm.devices() == [] and vm.backends() == []


def test_a_total_that_counts_what_the_guest_has_not_added_says_so(vm):
    before = vm.mem_total()
    add_odd(vm, 128, "shifted", addr=0x150200000)
    words = "'shifted' counts with 128 MiB, but the guest has not added it: take it away with: memhp repair"
    for command in (["resize", "640M"], ["--dry-run", "resize", "768M"], ["resize", "768M", "--zone", "movable"]):
        assert vm.json(*command)["warnings"] == [words]
    assert vm.mem_total() == before + 128 * MIB
    done(vm.memhp("repair"))
    assert "warnings" not in vm.json("resize", "768M", "--zone", "movable") and vm.mem_total() == before + 256 * MIB
    add_odd(vm)
    answer = vm.json("resize", "512M")  # all of it leaves
    assert "warnings" not in answer and vm.devices() == []


@pytest.mark.parametrize("more", [[], ["--dimm", "128M"], ["--no-online"]], ids=["one", "two", "offline"])
def test_a_guest_that_adds_no_memory_is_named_as_the_reason(boot, more):
    vm = boot(append="acpi_no_memhotplug")
    before = vm.state()
    message, hint = refused(vm, 5, "plug", "256M", *more, state="rolled-back")
    assert f"the guest has not added the memory: it shows no 'memory{FIRST}'" in message
    assert "directory" not in message and "acpi_no_memhotplug" in hint
    assert vm.state() == before
