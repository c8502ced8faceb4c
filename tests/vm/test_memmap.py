# SPDX-License-Identifier: GPL-3.0-or-later
"""A small guest with memory_hotplug.memmap_on_memory=1, of which Linux 6.1 makes use only for DIMMs of one block."""
import pytest
from vm import FIRST, MIB

SMALL = {"memory": "256M", "maxmem": "200G", "append": "memory_hotplug.memmap_on_memory=1"}


@pytest.fixture
def small(boot):
    """That machine."""
    vm = boot(**SMALL)
    assert vm.guest("cat /sys/module/memory_hotplug/parameters/memmap_on_memory").strip() == "Y"
    return vm


@pytest.mark.parametrize("words", [("plug", "20G", "--reserve", "off"), ("--dry-run", "plug", "20G"),
                                   ("plug", "20G", "--reserve", "off", "--virtio-mem", "--zone", "movable"),
                                   ("plug", "40G", "--dimm", "20G", "--reserve", "off")], ids=" ".join)
def test_what_would_make_it_panic_is_refused_with_what_fits(small, words):
    before = small.state()
    found = small.json(*words, code=5)
    assert found["state"] == "unchanged" and "for its memory map" in found["error"]["message"]
    assert "at most" in found["error"]["hint"] and "--force" in found["error"]["hint"]
    assert small.state() == before


def test_a_dimm_of_one_block_holds_its_own_map(small):
    """MemTotal grows by the block without its map; a DIMM of two blocks has it elsewhere."""
    before = small.mem_total()
    assert small.memhp("plug", "128M", "--zone", "movable").returncode == 0
    assert small.mem_total() - before == 126 * MIB
    assert small.memhp("unplug").returncode == 0
    assert small.memhp("plug", "256M", "--zone", "movable").returncode == 0
    assert small.mem_total() - before == 256 * MIB
    assert small.memhp("unplug").returncode == 0 and small.mem_total() == before


def test_dimms_of_one_block_need_no_room(small):
    """What is left to the kernel would not do for the map of them all."""
    small.guest("mkdir -p /tmp/full && mount -t tmpfs none /tmp/full && "
                "dd if=/dev/zero of=/tmp/full/hoard bs=1M count=70 2>/dev/null")
    try:
        wanted = ("plug", "3G", "--zone", "movable")
        assert small.memhp("--dry-run", *wanted).returncode == 5
        done = small.memhp(*wanted, "--dimm", "128M")
        assert done.returncode == 0 and len(small.devices()) == 24, done.stderr
        assert set(small.zones(*range(FIRST, FIRST + 24))) == {"Movable"}
        done = small.memhp("unplug", "--all")
        assert done.returncode == 0 and not small.devices(), done.stderr
    finally:
        small.guest("umount /tmp/full && rmdir /tmp/full")
