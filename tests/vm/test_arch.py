# SPDX-License-Identifier: GPL-3.0-or-later
"""Other architectures than x86_64: other block sizes, other events, kernels with habits of their own."""
import pytest
from report import done
from vm import MIB, wait_until


@pytest.fixture(params=["arm64", "ppc64el"])
def other(boot, request):
    return boot(arch=request.param)


def block_size(vm):
    return int(vm.guest("cat /sys/devices/system/memory/block_size_bytes"), 16)


def check_new_blocks(vm, before, size, zone):
    now = vm.memory()
    new = sorted(set(now.blocks) - set(before.blocks))
    assert len(new) == size // block_size(vm)
    assert {b.state for n, b in now.blocks.items() if n in new} == {"online"}
    assert {b.zones[0] for n, b in now.blocks.items() if n in new} == {zone}
    assert now.total == before.total + size
    return new


def test_plug_list_and_unplug(other):
    vm = other
    before, size = vm.memory(), 2 * block_size(vm)
    result = vm.json("plug", f"{size // MIB}M", "--zone", "movable")
    new = check_new_blocks(vm, before, size, "Movable")
    assert result["guest"] == {"block_size": block_size(vm), "mem_total_before": before.total,
                               "mem_total_after": before.total + size}
    [device] = vm.json("list")["devices"]
    assert (device["id"], device["size"]) == ("memhp0-dimm", size)
    assert [(b["first"], b["last"], b["zone"]) for b in device["blocks"]] == [(new[0], new[-1], "Movable")]
    assert f"memory{new[0]}-memory{new[-1]}" in done(vm.memhp("list"))
    done(vm.memhp("unplug"))
    assert vm.memory() == before
    assert vm.devices() == [] and vm.backends() == []


def test_one_block_goes_offline_and_online_by_hand(other):
    vm = other
    before, size = vm.memory(), block_size(vm)
    done(vm.memhp("plug", f"{2 * size // MIB}M", "--name", "BiscuitOS", "--zone", "movable"))
    new = sorted(set(vm.blocks()) - set(before.blocks))
    done(vm.memhp("offline", f"memory{new[1]}"))
    assert vm.zones(*new) == ["Movable", "offline"]
    assert vm.mem_total() == before.total + size
    done(vm.memhp("online", str(new[1])))
    assert vm.mem_total() == before.total + 2 * size
    done(vm.memhp("unplug", "BiscuitOS"))
    assert vm.memory() == before


def test_zone_kernel_is_obeyed(other):
    vm = other
    before, size = vm.memory(), block_size(vm)
    done(vm.memhp("plug", f"{size // MIB}M", "--zone", "kernel"))
    new = sorted(set(vm.blocks()) - set(before.blocks))
    assert len(new) == 1 and vm.zones(*new)[0] in ("Normal", "DMA", "DMA32")
    vm.discard()


def test_a_size_that_is_no_multiple_of_the_block_size_is_refused(other):
    vm = other
    half = block_size(vm) // 2 // MIB
    result = vm.memhp("plug", f"{3 * half}M")
    assert result.returncode == 1 and "block size" in result.stderr
    assert vm.devices() == [] and vm.backends() == []


def test_a_refused_unplug_leaves_all_as_it_was(other):
    vm = other
    size = block_size(vm)
    done(vm.memhp("plug", f"{2 * size // MIB}M", "--zone", "movable"))
    before = vm.state()
    vm.inject("MEM_GOING_OFFLINE", -16)
    result = vm.json("unplug", code=5)
    assert result["state"] == "rolled-back"
    assert f"memory{max(vm.blocks())}" in result["error"]["message"]
    assert "busy" in result["error"]["message"]
    assert vm.state() == before
    vm.inject("MEM_GOING_OFFLINE", 0)
    done(vm.memhp("unplug"))


def test_a_refused_plug_leaves_nothing_or_says_what(other):
    vm = other
    before, size = vm.state(), 2 * block_size(vm)
    vm.inject("MEM_GOING_ONLINE", -12)
    # the kernel of a pseries brings memory online by itself, and forgets the DIMM when that fails: it never lets go
    forgets = vm.guest("uname -m").strip() == "ppc64le"
    result = vm.json("plug", f"{size // MIB}M", code=7 if forgets else 5)
    if forgets:
        assert "shows no 'memory" in result["error"]["message"]
        assert "'memhp0-dimm' may still be plugged" in result["error"]["message"]
        assert result["state"] == "partial" and [d["id"] for d in vm.devices()] == ["memhp0-dimm"]
        assert vm.memory() == before["memory"]
        vm.discard()
        return
    assert result["state"] == "rolled-back", result
    vm.inject("MEM_GOING_ONLINE", 0)
    wait_until(lambda: vm.state() == before)


def test_without_a_channel_the_host_half_works(other):
    vm = other
    before = vm.memory()
    done(vm.memhp("--guest", "none", "plug", f"{block_size(vm) // MIB}M"))
    wait_until(lambda: len(vm.blocks()) == len(before.blocks) + 1)
    done(vm.memhp("--guest", "none", "unplug"))
    wait_until(lambda: vm.memory() == before)
    assert vm.devices() == [] and vm.backends() == []
