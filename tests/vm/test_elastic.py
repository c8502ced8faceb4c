# SPDX-License-Identifier: GPL-3.0-or-later
"""virtio-mem devices with steps of several sizes: what adds up in any order is reached, and the next totals are named."""
import re

import pytest
from report import done, refused
from truth import total
from vm import MIB

STEPS = {"vm0": 2, "vm1": 64, "vm2": 256}  # MiB
SIZES = {"vm0": 128, "vm1": 512, "vm2": 512}
DEVICES = [word for name, step in STEPS.items() for word in (
    "-object", f"memory-backend-ram,id={name}-mem,size={SIZES[name]}M",
    "-device", f"virtio-mem-pci,id={name},memdev={name}-mem,block-size={step}M,requested-size=0")]


@pytest.fixture
def elastic(boot):
    return boot(DEVICES)


def sizes(vm):
    return {d["id"]: d["size"] // MIB for d in vm.devices()}


def test_a_total_for_which_large_steps_come_first_is_reached_and_left_again(elastic):
    vm = elastic
    base = vm.mem_total()
    for mib, parts in ((662, (22, 128, 0)), (512, (0, 0, 0)), (702, (62, 128, 0)), (1474, (2, 448, 512)),
                       (1026, (2, 0, 512)), (512, (0, 0, 0))):
        done(vm.memhp("resize", f"{mib}M", "--zone", "movable"))
        assert total(vm) == mib * MIB and vm.mem_total() == base + (mib - 512) * MIB
        assert sum(sizes(vm).values()) == mib - 512 == sum(parts)
        assert all(size % STEPS[name] == 0 for name, size in sizes(vm).items())


def test_what_steps_are_too_large_for_is_a_dimms(boot):
    vm = boot(DEVICES[-4:])  # steps of 256 MiB only
    done(vm.memhp("resize", "640M", "--zone", "movable"))
    assert sizes(vm) == {"vm2": 0, "memhp0-dimm": 128}
    done(vm.memhp("resize", "+384M", "--zone", "movable"))
    assert sizes(vm) == {"vm2": 256, "memhp0-dimm": 128, "memhp1-dimm": 128}
    done(vm.memhp("resize", "-128M"))
    assert sizes(vm) == {"vm2": 256, "memhp0-dimm": 128}
    done(vm.memhp("resize", "512M"))
    assert sizes(vm) == {"vm2": 0}


def test_the_totals_next_to_one_that_steps_do_not_make_can_be_reached(elastic):
    message, said = refused(elastic, 1, "resize", "703M")
    assert "pieces of 2 MiB" in message and said == "702 MiB and 704 MiB can be reached"
    for mib in re.findall(r"(\d+) MiB", said):
        done(elastic.memhp("--dry-run", "resize", f"{mib}M"))


def test_the_total_above_needs_no_more_of_virtio_mem_than_must_be(boot):
    vm = boot(DEVICES[:4])  # steps of 2 MiB, 128 MiB in all
    done(vm.memhp("resize", "590M", "--zone", "movable"))
    _, said = refused(vm, 1, "resize", "650M", "--dimm", "128M")
    assert said == "640 MiB and 718 MiB can be reached"  # 50 MiB more of the device, or a DIMM alone
    for mib in (718, 640):
        done(vm.memhp("resize", f"{mib}M", "--zone", "movable"))
        assert total(vm) == mib * MIB
    done(vm.memhp("resize", "512M"))
