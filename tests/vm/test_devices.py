# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory devices that are no DIMMs: listed as what they are, and left alone by what takes memory away."""
import shlex

import pytest
from report import done, refused, rows
from truth import ids
from vm import GIB, MIB

PMEM = ["-object", "memory-backend-ram,id=pm-mem,size=256M", "-device", "virtio-pmem-pci,id=pm0,memdev=pm-mem"]


@pytest.fixture
def mixed(boot):
    """A virtio-pmem device from the start, and an nvdimm and two DIMMs, one without an id, plugged later."""
    vm = boot(PMEM, machine="q35,nvdimm=on")
    if "nv0" not in str(vm.devices()):  # QEMU lets go of no nvdimm: the next test finds it
        vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="nv-mem", size=256 * MIB)
        vm.monitor.execute("device_add", driver="nvdimm", id="nv0", memdev="nv-mem")
        vm.at_boot = vm.state()
    done(vm.memhp("plug", "256M", "--zone", "movable"))
    vm.add_dimm(128 * MIB, "ram7")
    done(vm.memhp("online", "all"))
    return vm


def test_each_kind_of_device_is_listed_as_what_it_is(mixed):
    vm = mixed
    heading, *listed = rows(done(vm.memhp("list")))
    kinds = {row[0]: row[1:3] + row[5:] for row in listed}
    path = next(name for name in kinds if name.startswith("/machine/peripheral-anon/"))
    assert heading[:3] == ["DEVICE", "TYPE", "SIZE"] and len(kinds) == 4
    assert kinds["pm0"] == ["virtio-pmem", "256 MiB", "-", "-", "-"]
    assert kinds["nv0"] == ["nvdimm", "256 MiB", "-", "-", "-"]
    assert kinds["memhp0-dimm"][:2] == ["dimm", "256 MiB"] and kinds[path][:2] == ["dimm", "128 MiB"]
    devices = {d["id"]: d for d in vm.json("list")["devices"]}
    assert devices["pm0"]["slot"] is None and devices["pm0"]["node"] is None and devices["pm0"]["blocks"] == []
    assert devices["nv0"]["type"] == "nvdimm" and devices["nv0"]["slot"] is not None
    status = vm.json("status")
    assert status["qemu"]["plugged_memory"] == 896 * MIB and status["qemu"]["slots_used"] == 3
    assert status["repair_due"] == 0
    done(vm.memhp("unplug", "--all"))


def test_only_dimms_are_taken_away(mixed):
    vm = mixed
    message, _ = refused(vm, 1, "unplug", "nv0")
    assert "'nv0' is a nvdimm device: only DIMMs" in message
    message, hint = refused(vm, 1, "unplug", "512M")
    assert "add up to 512M" in message and "384 MiB" in hint
    message, hint = refused(vm, 1, "resize", "768M")
    assert "does not add up to 640 MiB" in message and "1 GiB can be reached" in hint
    done(vm.memhp("resize", "1280M"))
    assert ids_and_anonymous(vm) == ["memhp0-dimm", "nv0", "pm0"]
    done(vm.memhp("unplug", "--all"))
    assert ids(vm) == ["nv0", "pm0"]


def ids_and_anonymous(vm):
    return sorted(d.get("id") or "-" for d in vm.devices())


def test_the_total_counts_what_qemu_counts(mixed):
    answer = mixed.json("--dry-run", "resize", "2G")
    assert answer["total_before"] == 512 * MIB + 896 * MIB and answer["target"] == 2 * GIB
    done(mixed.memhp("unplug", "--all"))


def test_the_arguments_of_an_nvdimm_are_its_own(mixed):
    words = shlex.split(done(mixed.memhp("list", "--qemu-args")))
    [device] = [word for word in words if word.startswith("nvdimm,")]
    assert "id=nv0" in device and ",addr=" in device and "memaddr" not in device and "bus=" not in device
    assert not any("virtio-pmem" in word for word in words)
    done(mixed.memhp("unplug", "--all"))
