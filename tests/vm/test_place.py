# SPDX-License-Identifier: GPL-3.0-or-later
"""Where new memory goes: at multiples of the guest's memory block size, whatever lies beside it."""
import re

import pytest
from devices import NVDIMM, add_odd
from plan import check_dry_run
from relay import BEFORE, Relay, at
from report import done, refused
from truth import ids, total
from vm import BLOCK, FIRST, GIB, MIB

SHIFTED = ["-object", "memory-backend-ram,id=vmem0,size=1G",
           "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0,memaddr=0x100200000"]


def remove(vm, *names):
    done(vm.memhp("unplug", *names))


@pytest.fixture
def odd(vm):
    """The default machine with a neighbour that ends inside a block; the test takes it away."""
    add_odd(vm)
    return vm


def places(vm):
    return {d["id"]: d.get("addr", d.get("memaddr")) for d in vm.devices()}


def check_blocks(vm, device, first, count):
    """The device is where its blocks are, and all of them are online."""
    assert places(vm)[device] == first * BLOCK
    assert vm.zones(*range(first, first + count)) == ["Movable"] * count


def sent_addresses(plan):
    return re.findall(r'"(?:mem)?addr":(\d+)', plan)


# ---- DIMMs


def test_a_dimm_goes_behind_a_neighbour_that_ends_inside_a_block(odd):
    plan = check_dry_run(odd, "plug", "128M", "--zone", "movable")
    assert sent_addresses(plan) == [str((FIRST + 2) * BLOCK)] and f"memory{FIRST + 2}/state" in plan
    check_blocks(odd, "memhp0-dimm", FIRST + 2, 1)
    remove(odd, "memhp0", "odd")


def test_several_dimms_go_behind_it_and_into_gaps(odd):
    done(odd.memhp("plug", "128M", "--addr", hex((FIRST + 3) * BLOCK), "--name", "mid", "--zone", "movable"))
    check_dry_run(odd, "plug", "512M", "--dimm", "256M", "--zone", "movable")
    check_blocks(odd, "memhp0-dimm", FIRST + 4, 2)
    check_blocks(odd, "memhp1-dimm", FIRST + 6, 2)
    check_dry_run(odd, "plug", "128M", "--zone", "movable")
    check_blocks(odd, "memhp2-dimm", FIRST + 2, 1)
    remove(odd, "--all")


def test_without_a_channel_it_goes_where_any_guest_of_that_kind_can_use_it(odd):
    plan = done(odd.memhp("--guest", "none", "--dry-run", "plug", "128M"))
    done(odd.memhp("--guest", "none", "plug", "128M"))
    assert sent_addresses(plan) == [str(places(odd)["memhp0-dimm"])] == [str((FIRST + 2) * BLOCK)]
    remove(odd, "memhp0", "odd")


@pytest.mark.parametrize("backend", [[], ["--backend", "memfd"]], ids=["ram", "memfd"])
def test_where_qemu_would_choose_the_same_it_is_left_to_it(vm, backend):
    """Behind whole neighbours, and in the gap before one that ends inside a block."""
    done(vm.memhp("plug", "256M", "--zone", "movable", "--addr", hex((FIRST + 1) * BLOCK), "--name", "whole"))
    for size in ("128M", "256M"):
        assert sent_addresses(check_dry_run(vm, "plug", size, "--zone", "movable", *backend)) == []
    add_odd(vm, addr=(FIRST + 7) * BLOCK)
    assert sent_addresses(check_dry_run(vm, "plug", "256M", "--zone", "movable", *backend)) == []
    assert sorted(places(vm).values()) == [(FIRST + n) * BLOCK for n in (0, 1, 3, 5, 7)]
    remove(vm, "--all")


def test_a_place_that_another_tool_takes_at_the_last_moment_is_chosen_anew(odd):
    def strike(_relay):
        add_odd(odd, 128, "theirs", addr=(FIRST + 2) * BLOCK)

    relay = Relay(odd, at("qmp > device_add", BEFORE), strike)
    code, _, err = relay.run("plug", "128M", "--zone", "movable")
    assert relay.has_struck and code == 0, err
    check_blocks(odd, "memhp0-dimm", FIRST + 3, 1)
    remove(odd, "--all")


def test_a_neighbour_that_comes_at_the_last_moment_is_gone_around(vm):
    relay = Relay(vm, at("qmp > device_add", BEFORE), lambda _relay: add_odd(vm))
    code, _, err = relay.run("plug", "256M", "--dimm", "128M", "--zone", "movable")
    assert relay.has_struck and code == 0, err
    check_blocks(vm, "memhp0-dimm", FIRST + 2, 1)
    check_blocks(vm, "memhp1-dimm", FIRST + 3, 1)
    remove(vm, "--all")


@pytest.mark.parametrize("kind", [[], ["--virtio-mem"]], ids=["dimm", "virtio-mem"])
def test_an_address_that_cannot_be_is_refused_before_anything_is_sent(odd, kind):
    before = odd.state()
    for address, words in (((FIRST + 1) * BLOCK, "'odd' lies at 0x100000000 to 0x1081fffff"),
                           ((FIRST - 1) * BLOCK, "outside of the address space for memory devices"),
                           (FIRST * BLOCK + 1024 * GIB, "outside of the address space for memory devices"),
                           (FIRST * BLOCK + 130 * MIB, "not a multiple of the guest's memory block size")):
        message, _ = refused(odd, 1, "plug", "128M", "--addr", hex(address), *kind)
        assert words in message
    assert odd.state() == before
    remove(odd, "odd")


@pytest.mark.parametrize("size, hint", [("1000M", "take 896 MiB or 1 GiB"), ("2M", "the smallest size is 128 MiB")])
def test_a_virtio_mem_device_that_ends_inside_a_block_is_refused(vm, size, hint):
    message, said = refused(vm, 1, "plug", size, "--virtio-mem")
    assert "not a multiple of the guest's memory block size" in message and said == hint


# ---- resize


def test_totals_that_are_offered_can_be_reached(odd):
    offered = done(odd.memhp("__complete", "resize", "")).splitlines()
    assert offered == ["512M", "1026M", "2050M", "4098M"]
    for word in offered[:3]:  # more is too much for the memory map of so small a guest
        done(odd.memhp("--dry-run", "resize", word))
    remove(odd, "odd")


def test_the_totals_that_resize_names_can_be_reached(odd):
    base = odd.mem_total()
    message, hint = refused(odd, 1, "resize", "1G")
    assert "pieces of 128 MiB" in message
    named = re.findall(r"(\d+) MiB", hint)
    assert named == ["898", "1026"]
    for mib in map(int, named):
        done(odd.memhp("resize", f"{mib}M", "--zone", "movable"))
        assert total(odd) == mib * MIB and odd.mem_total() == base + (mib - 642) * MIB
    done(odd.memhp("resize", "512M"))
    assert odd.devices() == []


def test_no_total_is_named_that_maxmem_or_the_slots_forbid(boot):
    vm = boot(slots="2", maxmem="1G")
    add_odd(vm)
    _, hint = refused(vm, 1, "resize", "1000M")
    assert hint == "898 MiB can be reached"
    done(vm.memhp("resize", "898M", "--zone", "movable"))
    remove(vm, "--all")
    done(vm.memhp("plug", "256M", "--dimm", "128M"))
    before = vm.state()
    _, hint = refused(vm, 1, "resize", "900M")
    assert hint == "768 MiB can be reached" and vm.state() == before
    remove(vm, "--all")


@pytest.fixture
def narrow(boot):
    """A machine whose address space for devices is no larger than maxmem, cut in two by a DIMM of 130 MiB."""
    vm = boot(machine="pc-i440fx-2.1", maxmem="1536M", slots="8")
    add_odd(vm, addr=FIRST * BLOCK + 448 * MIB)
    return vm


def test_memory_for_which_there_is_no_gap_is_refused_before_anything_is_sent(narrow):
    before = narrow.state()
    message, hint = refused(narrow, 1, "plug", "512M")
    assert "no gap of 512 MiB" in message and "384 MiB" in message and "--dimm" in hint
    message, _ = refused(narrow, 1, "plug", "768M", "--dimm", "256M")
    assert "gaps for only 2 of 3 DIMMs" in message
    assert narrow.state() == before
    check_dry_run(narrow, "plug", "768M", "--dimm", "384M", "--zone", "movable")
    check_blocks(narrow, "memhp0-dimm", FIRST, 3)
    check_blocks(narrow, "memhp1-dimm", FIRST + 5, 3)
    remove(narrow, "--all")


def test_resize_takes_dimms_that_fit_into_the_gaps(narrow):
    base = narrow.mem_total()
    done(narrow.memhp("resize", "+768M", "--zone", "movable"))
    assert narrow.mem_total() == base + 768 * MIB
    message, hint = refused(narrow, 1, "resize", "+100M")
    assert "pieces" in message and "1410" in hint
    remove(narrow, "--all")


# ---- NVDIMMs and virtio-mem


@pytest.fixture
def image(boot):
    """A machine with an NVDIMM of 126 MiB, which stays."""
    return boot(NVDIMM, machine="q35,nvdimm=on")


def test_a_dimm_goes_behind_an_nvdimm_that_ends_inside_a_block(image):
    before = image.mem_total()
    check_dry_run(image, "plug", "512M", "--dimm", "128M", "--zone", "movable")
    assert image.mem_total() == before + 512 * MIB
    assert sorted(places(image).values())[1:] == [(FIRST + n) * BLOCK for n in range(1, 5)]
    remove(image, "--all")


def test_virtio_mem_goes_behind_a_neighbour_and_gives_all_of_its_size(image):
    vm, before = image, image.mem_total()
    vm.discard()  # QEMU lets go of no virtio-mem device
    plan = vm.json("--dry-run", "plug", "1G", "--virtio-mem", "--zone", "movable")["plan"]
    done(vm.memhp("plug", "1G", "--virtio-mem", "--zone", "movable"))
    [added] = [line["qmp"]["arguments"] for line in plan if line.get("qmp", {}).get("execute") == "device_add"]
    assert added["memaddr"] == places(vm)["memhp0-vmem"] == (FIRST + 1) * BLOCK
    assert vm.mem_total() == before + GIB
    check_blocks(vm, "memhp0-vmem", FIRST + 1, 8)


def test_what_of_a_virtio_mem_device_lies_in_no_whole_block_is_not_counted_on(boot):
    vm = boot(SHIFTED)
    base = vm.mem_total()
    done(vm.memhp("resize", "1408M", "--zone", "movable"))  # all that the guest can use of it
    assert vm.mem_total() == base + 896 * MIB and ids(vm) == ["vm0"]
    done(vm.memhp("resize", "1536M", "--zone", "movable"))  # the rest is a DIMM's
    assert vm.mem_total() == base + GIB and ids(vm) == ["memhp0-dimm", "vm0"]
    done(vm.memhp("resize", "512M"))
    assert vm.mem_total() == base
