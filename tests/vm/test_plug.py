# SPDX-License-Identifier: GPL-3.0-or-later
"""Plug, online, offline and unplug on a real machine, under every shell."""
import pytest
from report import done, rows
from vm import GIB, MIB, Qmp, connect, end_process

SHELLS = ["ash", "dash", "bash"]


# ---- the two commands


@pytest.mark.parametrize("shell_vm", SHELLS, indirect=True)
def test_plug_512M_gives_the_guest_exactly_512_MiB_and_unplug_takes_them_back(shell_vm):
    vm = shell_vm
    before = vm.mem_total()
    assert "memhp0-dimm" in done(vm.memhp("plug", "512M"))
    assert vm.mem_total() == before + 512 * MIB
    assert vm.zones(32, 33, 34, 35, 36) == ["Movable"] * 4 + [None]
    [device] = vm.devices()
    assert (device["id"], device["size"], device["slot"]) == ("memhp0-dimm", 512 * MIB, 0)
    assert device["memdev"] == "/objects/memhp0-mem"
    assert vm.backends() == ["memhp0-mem"]
    assert "memhp0-dimm" in done(vm.memhp("unplug"))
    assert vm.mem_total() == before
    assert vm.zones(32, 35) == [None, None]
    assert vm.devices() == []
    assert vm.backends() == []


def test_list_joins_the_dimm_with_its_blocks(vm):
    assert "memhp0" not in done(vm.memhp("list"))
    done(vm.memhp("plug", "512M"))
    heading, row = rows(done(vm.memhp("list")))
    assert dict(zip(heading, row)) == {
        "DEVICE": "memhp0-dimm", "TYPE": "dimm", "SIZE": "512 MiB", "SLOT": "0", "NODE": "0",
        "BLOCKS": "memory32-memory35", "STATE": "online", "ZONE": "Movable"}
    done(vm.memhp("unplug"))
    assert "memhp0" not in done(vm.memhp("list"))


@pytest.mark.parametrize("shell_vm", SHELLS, indirect=True)
def test_the_procedure_by_hand_works_one_to_one(shell_vm):
    vm = shell_vm
    before = vm.mem_total()
    done(vm.memhp("plug", "512M", "--name", "BiscuitOS", "--no-online"))
    assert [d["id"] for d in vm.devices()] == ["BiscuitOS-dimm"]
    assert vm.backends() == ["BiscuitOS-mem"]
    assert vm.zones(32, 33, 34, 35) == ["offline"] * 4
    assert vm.mem_total() == before
    done(vm.memhp("online", "memory33"))
    assert vm.mem_total() == before + 128 * MIB
    assert vm.zones(32, 33, 34, 35) == ["offline", "Movable", "offline", "offline"]
    done(vm.memhp("offline", "memory33"))
    assert vm.mem_total() == before
    assert vm.zones(32, 33, 34, 35) == ["offline"] * 4
    done(vm.memhp("unplug", "BiscuitOS"))
    assert vm.devices() == [] and vm.backends() == []


def test_list_shows_each_run_of_blocks_of_a_half_online_dimm(vm):
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "33-34"))
    heading, first, *others = rows(done(vm.memhp("list")))
    assert first[heading.index("BLOCKS"):] == ["memory32", "offline", "-"]
    assert others == [["memory33-memory34", "online", "Movable"], ["memory35", "offline", "-"]]
    done(vm.memhp("unplug"))


# ---- DIMMs of others


def test_a_dimm_plugged_by_somebody_else_is_listed_and_unplugged_by_its_own_id(vm):
    vm.add_dimm(256 * MIB, "ram7", "stick")
    heading, row = rows(done(vm.memhp("list")))
    assert row[heading.index("DEVICE")] == "stick"
    assert row[heading.index("BLOCKS"):] == ["memory32-memory33", "offline", "-"]
    done(vm.memhp("online", "stick"))
    assert vm.zones(32, 33) == ["Movable", "Movable"]
    done(vm.memhp("unplug", "stick"))
    assert vm.devices() == [] and vm.backends() == []


@pytest.mark.parametrize("by_name", [True, False], ids=["by its path", "without a name"])
def test_a_dimm_that_has_no_id_is_listed_and_unplugged(vm, by_name):
    vm.add_dimm(128 * MIB, "ram7")
    [device] = vm.json("list")["devices"]
    assert (device["id"], device["backend"], device["size"]) == (None, "ram7", 128 * MIB)
    path = rows(done(vm.memhp("list")))[1][0]
    assert path.startswith("/machine/peripheral-anon/device[")
    done(vm.memhp("unplug", *([path] if by_name else [])))
    assert vm.devices() == [] and vm.backends() == []


# ---- zones


@pytest.mark.parametrize("zone,shown", [("movable", "Movable"), ("kernel", "Normal")])
def test_plug_brings_the_blocks_online_in_the_zone_asked_for(vm, zone, shown):
    done(vm.memhp("plug", "256M", "--zone", zone))
    assert vm.zones(32, 33) == [shown, shown]
    if zone == "kernel":
        vm.discard()  # the kernel may by now sit in it for good
    else:
        done(vm.memhp("unplug"))


@pytest.mark.parametrize("zone,shown", [("movable", "Movable"), ("kernel", "Normal")])
def test_online_moves_blocks_into_the_zone_asked_for(vm, zone, shown):
    other = {"movable": "kernel", "kernel": "movable"}[zone]
    done(vm.memhp("plug", "256M", "--zone", other))
    done(vm.memhp("online", "memory33", "--zone", zone))
    assert vm.zones(33) == [shown]
    assert vm.zones(32) != [shown]
    vm.discard()


def test_zone_auto_keeps_movable_at_most_three_times_the_kernel_zones_and_says_so(vm):
    # 512 MiB at boot: up to 1536 MiB may be Movable.
    out = done(vm.memhp("plug", "1536M"))
    assert set(vm.zones(*range(32, 44))) == {"Movable"}
    assert "Movable" in out
    out = done(vm.memhp("plug", "128M"))
    assert vm.zones(44) == ["Normal"]
    assert "zone Normal" in out and "auto" in out
    # 640 MiB in kernel zones now: 1920 MiB may be Movable.
    done(vm.memhp("plug", "128M", "--zone", "auto"))
    assert vm.zones(45) == ["Movable"]
    vm.discard()


def test_online_leaves_blocks_that_are_online_in_their_zone(vm):
    done(vm.memhp("plug", "256M", "--zone", "movable"))
    before = vm.memory()
    assert "nothing to do" in done(vm.memhp("online", "32-33"))
    assert vm.memory() == before
    done(vm.memhp("unplug"))


# ---- where it goes


def test_plug_uses_the_slot_asked_for(vm):
    done(vm.memhp("plug", "128M", "--slot", "7"))
    assert [d["slot"] for d in vm.devices()] == [7]
    done(vm.memhp("unplug"))


def test_plug_uses_the_address_asked_for(vm):
    done(vm.memhp("plug", "256M", "--addr", "0x140000000"))
    assert [d["addr"] for d in vm.devices()] == [5 * GIB]
    assert vm.zones(40, 41) == ["Movable", "Movable"]
    done(vm.memhp("unplug"))


def test_plug_and_list_know_the_node(boot):
    vm = boot(arguments=[
        "-object", "memory-backend-ram,id=n0.ram,size=512M", "-numa", "node,nodeid=0,memdev=n0.ram",
        "-numa", "node,nodeid=1"])
    done(vm.memhp("plug", "128M", "--node", "1", "--zone", "movable"))
    assert [d["node"] for d in vm.devices()] == [1]
    assert vm.guest("ls -d /sys/devices/system/memory/memory32/node*").strip().endswith("node1")
    [device] = vm.json("list")["devices"]
    assert device["node"] == 1 and device["blocks"][0]["node"] == 1
    done(vm.memhp("unplug"))


def test_plug_accepts_node_0(vm):
    done(vm.memhp("plug", "128M", "--node", "0"))
    assert [d["node"] for d in vm.devices()] == [0]
    done(vm.memhp("unplug"))


# ---- which DIMM


def plug_three(vm):
    for _ in range(3):
        done(vm.memhp("plug", "128M"))
    assert sorted(d["id"] for d in vm.devices()) == ["memhp0-dimm", "memhp1-dimm", "memhp2-dimm"]


def test_unplug_takes_several_names_in_one_command(vm):
    plug_three(vm)
    done(vm.memhp("unplug", "memhp0", "memhp2-dimm"))
    assert [d["id"] for d in vm.devices()] == ["memhp1-dimm"]
    assert vm.backends() == ["memhp1-mem"]
    assert vm.zones(32, 33, 34) == [None, "Movable", None]
    done(vm.memhp("unplug"))


def test_unplug_all_takes_every_hotplugged_dimm_whoever_plugged_it(vm):
    plug_three(vm)
    vm.add_dimm(128 * MIB, "ram7", "stick")
    done(vm.memhp("unplug", "--all"))
    assert vm.devices() == [] and vm.backends() == []


def test_unplug_without_a_name_takes_the_dimm_plugged_last(vm):
    plug_three(vm)
    done(vm.memhp("unplug", "memhp0"))
    done(vm.memhp("plug", "128M"))  # lands where memhp0 was
    assert vm.devices()[-1]["id"] != "memhp0-dimm"
    done(vm.memhp("unplug"))
    assert sorted(d["id"] for d in vm.devices()) == ["memhp1-dimm", "memhp2-dimm"]
    done(vm.memhp("unplug"))
    assert [d["id"] for d in vm.devices()] == ["memhp1-dimm"]
    done(vm.memhp("unplug", "--all"))


def test_unplug_all_leaves_the_dimms_that_qemu_was_started_with(boot):
    vm = boot(arguments=["-object", "memory-backend-ram,id=ram0,size=128M",
                         "-device", "pc-dimm,id=cold,memdev=ram0"])
    done(vm.memhp("plug", "128M"))
    done(vm.memhp("unplug", "--all"))
    assert [d["id"] for d in vm.devices()] == ["cold"]
    assert vm.backends() == ["ram0"]


def test_two_machines_of_the_same_user_do_not_mix(boot):
    one, two = boot(), boot(shell="bash")
    done(one.memhp("plug", "128M"))
    assert two.devices() == []
    done(two.memhp("plug", "256M"))
    assert [d["size"] for d in one.devices()] == [128 * MIB]
    done(one.memhp("unplug"))
    done(two.memhp("unplug"))


# ---- naming blocks


@pytest.mark.parametrize("words,changed", [
    (["memory33"], [33]),
    (["33"], [33]),
    (["33-34"], [33, 34]),
    (["memory33-memory35"], [33, 34, 35]),
    (["33", "memory35"], [33, 35]),
    (["256M"], [32, 33]),
    (["memhp0"], [32, 33, 34, 35]),
    (["memhp0-dimm"], [32, 33, 34, 35]),
    (["all"], [32, 33, 34, 35]),
])
def test_online_and_offline_take_blocks_by_any_of_their_names(vm, words, changed):
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", *words))
    assert [n for n in range(32, 36) if vm.zones(n) == ["Movable"]] == changed
    done(vm.memhp("offline", *words))
    assert vm.zones(32, 33, 34, 35) == ["offline"] * 4
    done(vm.memhp("unplug"))


def test_offline_of_a_size_takes_the_highest_movable_blocks(vm):
    done(vm.memhp("plug", "512M"))
    done(vm.memhp("offline", "256M"))
    assert vm.zones(32, 33, 34, 35) == ["Movable", "Movable", "offline", "offline"]
    done(vm.memhp("unplug"))


def test_offline_of_what_is_offline_is_no_failure(vm):
    done(vm.memhp("plug", "128M", "--no-online"))
    done(vm.memhp("offline", "memory32"))
    done(vm.memhp("unplug"))


# ---- with others at work


def test_plug_and_unplug_are_not_confused_by_other_devices_coming_and_going(vm):
    """The second monitor plugs and unplugs DIMMs of its own while memhp works."""
    vm.add_dimm(128 * MIB, "other-mem", "other", slot=20, addr=6 * GIB)
    process = vm.start_memhp("plug", "512M")
    vm.monitor.execute("device_del", id="other")
    out, err = end_process(process)
    assert process.returncode == 0, err
    vm.monitor.wait_event("DEVICE_DELETED", lambda d: d.get("device") == "other")
    vm.monitor.execute("object-del", id="other-mem")
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"]
    assert vm.zones(32, 33, 34, 35) == ["Movable"] * 4
    done(vm.memhp("unplug"))


def test_memhp_lets_go_of_the_monitor_and_the_console_when_it_ends(vm):
    done(vm.memhp("list"))
    Qmp(vm.path("qmp.sock")).close()
    with vm.terminal() as terminal:
        terminal.settle()
    connect(vm.path("serial.sock")).close()
