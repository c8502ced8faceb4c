# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp, or the shell that works for it in the guest, dies at every moment there is: memhp repair puts it right.

The moments are found by counting messages. Those of every kind are tried here; MEMHP_CRASH=1 (make crash) tries
all, one by one, until memhp comes to its end.
"""
import os

import pytest
from fate import KILL_SHELL
from relay import AFTER, BEFORE, Relay, at, nth
from report import done
from vm import BLOCK, MIB, wait_until

IS_WHOLE = bool(os.environ.get("MEMHP_CRASH"))


def kill_memhp(relay):
    """memhp is killed."""
    relay.kill()


def kill_shell(relay):
    """The shell in the guest is killed."""
    relay.vm.guest(KILL_SHELL)


# What each command is run on, and that command; those of ELASTIC on a machine with a virtio-mem device.
SCENES = {
    "plug": ((), ("plug", "256M")),
    "unplug": (("plug", "256M"), ("unplug",)),
    "grow": (("plug", "128M"), ("resize", "1G")),
    "shrink": (("plug", "384M", "--dimm", "128M"), ("resize", "640M")),
    "elastic": ((), ("resize", "1G")),
    "elastic back": (("resize", "1G"), ("resize", "640M")),
    "both": ((), ("resize", "1664M")),
    "both back": (("resize", "1664M"), ("resize", "512M")),
}
ELASTIC = ("elastic", "elastic back", "both", "both back")  # "both": its 1 GiB and a DIMM
VIRTIO_MEM = ["-object", "memory-backend-ram,id=vmem0,size=1G", "-device", "virtio-mem-pci,id=vm0,memdev=vmem0"]
# One message of every kind; what is true after one is true before the next.
MOMENTS = {
    "plug": ["qmp > object-add", "qmp > device_add", "qmp < object-add", "qmp < query-memory-devices",
             "qmp < ACPI_DEVICE_OST", "guest > swift", "guest < blocks"],
    "unplug": ["guest > ease", "guest < blocks", "qmp > device_del", "qmp < device_del",
               "qmp < DEVICE_DELETED", "qmp > object-del", "qmp < object-del"],
    "grow": ["qmp > device_add", "guest > swift"],
    "shrink": ["guest > ease", "qmp > device_del", "qmp > object-del"],
    "elastic": ["qmp > qom-set", "guest > swift"],
    "elastic back": ["qmp > qom-set", "qmp < qom-set"],
    "both": ["qmp > device_add"],
    "both back": ["qmp > device_del"],
}


def check_whole(vm):
    """No orphan, no half DIMM: seen through the second monitor and the second console."""
    devices, memory = vm.devices(), vm.memory()
    assert vm.backends() == sorted(d["memdev"].removeprefix("/objects/") for d in devices)
    assert {n for n, b in memory.blocks.items() if b.state != "online"} == set()
    for device in devices:
        first = device.get("addr", device.get("memaddr")) // BLOCK
        assert set(range(first, first + device["size"] // BLOCK)) <= set(memory.blocks)
        assert device.get("requested-size", device["size"]) == device["size"]
    assert memory.total == vm.at_boot["memory"].total + sum(d["size"] for d in devices)


def check_next(vm):
    """The next plug and the next unplug work, and all can be as at boot."""
    total = vm.mem_total()
    done(vm.memhp("plug", "128M", "--name", "next"))
    assert vm.mem_total() == total + 128 * MIB
    done(vm.memhp("unplug", "next"))
    if len(vm.devices()) > len(vm.at_boot["devices"]):
        done(vm.memhp("unplug", "--all"))
    done(vm.memhp("resize", "512M"))
    # the blocks of a virtio-mem device go after what is in them
    wait_until(lambda: vm.difference() is None, what="the state at boot")


def strike(vm, scene, moment, fate, how=()):
    """Let fate strike at that moment, then repair; False when the command came to its end before."""
    before, command = SCENES[scene]
    if before:
        done(vm.memhp(*before))
    relay = Relay(vm, moment, fate)
    code, out, err = relay.run(*command)
    if not relay.has_struck:
        assert code == 0, err
    elif fate is kill_shell:
        assert code in (0, 4, 5, 7), (code, out, err)
    done(vm.memhp("repair", *how))
    check_whole(vm)
    assert vm.json("repair")["findings"] == []
    check_next(vm)
    return relay.has_struck


@pytest.fixture
def machine(boot):
    """machine(scene): what it plays on."""
    return lambda scene: boot(VIRTIO_MEM if scene in ELASTIC else [])


def each(kinds, *whens):
    """All moments of these kinds, with their scenes."""
    return [pytest.param(scene, name, when, id=f"{scene}: {when} {name}")
            for scene, names in kinds.items() for name in names for when in whens]


@pytest.mark.parametrize("scene, name, when", each(MOMENTS, BEFORE) + each({
    "plug": ["guest > swift"], "unplug": ["guest > ease", "qmp > device_del"]}, AFTER))
def test_what_a_killed_memhp_leaves_is_repaired(machine, scene, name, when):
    assert strike(machine(scene), scene, at(name, when), kill_memhp)


@pytest.mark.parametrize("scene, name, when", each({
    "plug": ["qmp < query-memory-devices", "guest > swift"], "unplug": ["guest > ease", "guest < blocks"]}, BEFORE, AFTER))
def test_what_a_killed_shell_in_the_guest_leaves_is_repaired(machine, scene, name, when):
    assert strike(machine(scene), scene, at(name, when), kill_shell)


@pytest.mark.skipif(not IS_WHOLE, reason="make crash")
@pytest.mark.parametrize("fate", [kill_memhp, kill_shell])
@pytest.mark.parametrize("scene", SCENES)
def test_every_moment(machine, scene, fate):
    number = 1
    while strike(machine(scene), scene, nth(number), fate, [(), ("--forward",), ("--back",)][number // 2 % 3]):
        number += 1
    print(f"{scene}: {fate.__name__} at {number - 1} moments")
