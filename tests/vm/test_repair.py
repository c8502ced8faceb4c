# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp repair on a real VM."""
import pytest
from report import done
from vm import BLOCK, MIB, wait_until


def due(vm):
    """What status says."""
    return vm.json("status")["repair_due"]


def test_every_kind_of_leftover_is_found_shown_and_repaired(vm):
    """A backend, a DIMM offline, one half online: seen by status, planned, repaired, and then nothing is left."""
    assert due(vm) == 0 and "nothing to repair" in done(vm.memhp("repair"))
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="memhp7-mem", size=128 * MIB)
    done(vm.memhp("plug", "256M", "--name", "a", "--no-online"))
    done(vm.memhp("plug", "256M", "--name", "b", "--no-online"))
    done(vm.memhp("online", "b", "--zone", "movable"))
    done(vm.memhp("offline", "memory35"))
    assert due(vm) == 3
    assert "Repair  due for a-dimm b-dimm memhp7-mem" in done(vm.memhp("status"))
    before = vm.state()
    plan = done(vm.memhp("--dry-run", "repair"))
    assert "object-del" in plan and "seq 32 33" in plan and vm.state() == before
    found = {f["id"]: (f["kind"], f["action"]) for f in vm.json("repair")["findings"]}
    assert found == {"memhp7-mem": ("unused-backend", "remove"), "a-dimm": ("offline", "online"),
                     "b-dimm": ("partly-offline", "online")}
    assert vm.zones(32, 33, 34, 35) == ["Movable"] * 4 and vm.backends() == ["a-mem", "b-mem"]
    assert due(vm) == 0 and vm.json("repair")["findings"] == []
    done(vm.memhp("unplug", "a", "b"))


def test_back_takes_away_what_is_not_whole(vm):
    done(vm.memhp("plug", "256M", "--name", "a", "--no-online"))
    done(vm.memhp("plug", "256M", "--name", "b"))
    assert {f["id"]: f["action"] for f in vm.json("repair", "--back")["findings"]} == {"a-dimm": "unplug"}
    assert [d["id"] for d in vm.devices()] == ["b-dimm"] and vm.backends() == ["b-mem"]
    done(vm.memhp("unplug"))


def test_backends_of_others_are_shown_and_left(vm):
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="theirs", size=128 * MIB)
    assert "theirs: a backend without a device: left alone" in done(vm.memhp("repair"))
    assert due(vm) == 0 and vm.backends() == ["theirs"]
    done(vm.memhp("repair", "--all"))
    assert vm.backends() == []


def test_the_memory_of_numa_nodes_is_not_taken_for_a_leftover(boot):
    vm = boot(arguments=["-object", "memory-backend-ram,id=m0-mem,size=512M", "-numa", "node,memdev=m0-mem"])
    assert vm.backends() == ["m0-mem"]
    assert due(vm) == 0 and vm.json("repair", "--all")["findings"] == []


def test_a_paused_machine_is_not_repaired(vm):
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="memhp0-mem", size=128 * MIB)
    vm.monitor.execute("stop")
    assert "paused" in vm.json("repair", code=1)["error"]["message"]
    vm.monitor.execute("cont")
    done(vm.memhp("--guest", "none", "repair"))
    assert vm.backends() == []


VIRTIO_MEM = ["-object", "memory-backend-ram,id=vmem0,size=1G", "-device", "virtio-mem-pci,id=vm0,memdev=vmem0"]


def virtio_mem(vm):
    """Its size, and what it was asked for."""
    data = vm.devices()[0]
    return data["size"], data["requested-size"]


@pytest.mark.parametrize("direction", [[], ["--forward"], ["--back"]])
def test_a_virtio_mem_between_two_sizes_is_settled_or_resized(boot, direction):
    """Its driver comes no further while too many blocks are offline; memhp repair brings them online."""
    vm = boot(arguments=VIRTIO_MEM)
    vm.monitor.execute("qom-set", path="/machine/peripheral/vm0", property="requested-size", value=1024 * MIB)
    wait_until(lambda: virtio_mem(vm)[0], what="the first block")
    done(vm.memhp("repair", *direction))
    size, requested = virtio_mem(vm)
    assert size == requested and (direction != ["--forward"] or size == 1024 * MIB)
    assert {b.state for b in vm.blocks().values()} == {"online"}
    assert vm.mem_total() == vm.at_boot["memory"].total + size and size % BLOCK == 0
    assert due(vm) == 0
    done(vm.memhp("resize", "512M"))
    wait_until(lambda: vm.difference() is None, what="as at boot")
