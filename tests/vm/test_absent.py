# SPDX-License-Identifier: GPL-3.0-or-later
"""DIMMs that the guest has not added: said by list, status and repair, which takes them away where it may."""
import json
import os
import subprocess

import pytest
from devices import COLD, NVDIMM, add_odd
from report import done
from vm import BLOCK, FIRST, LAB, MIB, Console, Qmp, clean_environment, run_memhp, wait_until

NOT_ADDED = "the guest has not added it"


def findings(answer):
    return {f["id"]: (f["kind"], f["action"]) for f in answer["findings"]}


@pytest.mark.parametrize("more", [{"mib": 130}, {"mib": 128, "addr": 0x150200000}, {"mib": 2}],
                         ids=["odd size", "odd address", "less than a block"])
def test_a_dimm_that_the_guest_rejects_is_shown_and_taken_away(vm, more):
    done(vm.memhp("plug", "128M", "--zone", "movable"))
    add_odd(vm, **more)
    for command in ("list", "status"):
        lines = done(vm.memhp(command)).splitlines()
        assert [line.strip() for line in lines if NOT_ADDED in line] == [f"odd: {NOT_ADDED}"]
    devices = {d["id"]: d for d in vm.json("list")["devices"]}
    assert devices["odd"]["blocks"] == [] and devices["memhp0-dimm"]["blocks"]
    assert vm.json("--guest", "none", "list")["devices"][1]["blocks"] is None
    assert NOT_ADDED not in done(vm.memhp("--guest", "none", "list"))
    assert vm.json("status")["repair_due"] == 1 and "Repair  due for odd:" in done(vm.memhp("status"))
    before = vm.state()
    assert "device_del" in done(vm.memhp("--dry-run", "repair")) and vm.state() == before
    assert f"odd: {NOT_ADDED}: unplugged" in done(vm.memhp("repair"))
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"] and vm.backends() == ["memhp0-mem"]
    assert vm.json("status")["repair_due"] == 0 and vm.json("repair")["findings"] == []
    done(vm.memhp("unplug", "--all"))


def test_its_blocks_cannot_be_brought_online(vm):
    add_odd(vm)
    result = vm.memhp("online", "odd")
    assert result.returncode == 1 and "the guest has not added 'odd'" in result.stderr
    assert "memhp repair" in result.stderr
    done(vm.memhp("repair"))


def test_one_without_an_id_has_a_handle(vm):
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="nameless", size=130 * MIB)
    vm.monitor.execute("device_add", driver="pc-dimm", memdev="nameless")
    [device] = vm.json("list")["devices"]
    assert device["id"] is None and device["handle"].startswith("/machine/peripheral-anon/device[")
    size = vm.monitor.execute("qom-get", path=device["handle"], property="size")
    assert size == 130 * MIB
    assert findings(vm.json("repair")) == {device["handle"]: ("absent", "unplug")}
    assert vm.devices() == [] and vm.backends() == []


def test_every_device_has_a_handle_that_unplug_takes(vm):
    vm.add_dimm(128 * MIB, "ram7")
    done(vm.memhp("plug", "128M"))
    devices = vm.json("list")["devices"]
    assert [d["handle"] for d in devices] == [b["device"] for b in vm.json("blocks")["blocks"] if b["device"]]
    for device in devices:
        done(vm.memhp("unplug", device["handle"]))
    assert vm.devices() == []


def test_an_nvdimm_is_no_leftover(boot):
    vm = boot(NVDIMM, machine="q35,nvdimm=on")
    assert NOT_ADDED not in done(vm.memhp("list")) + done(vm.memhp("status"))
    assert vm.json("status")["repair_due"] == 0 and "nothing to repair" in done(vm.memhp("repair"))


def test_one_of_qemus_command_line_is_left_alone_unless_all_is_asked_for(boot):
    vm = boot(COLD)
    assert f"cold: {NOT_ADDED}" in done(vm.memhp("list")) and vm.json("status")["repair_due"] == 0
    assert f"cold: {NOT_ADDED}: left alone: see --all" in done(vm.memhp("repair"))
    assert [d["id"] for d in vm.devices()] == ["cold"]
    vm.discard()
    assert findings(vm.json("repair", "--all")) == {"cold": ("absent", "unplug")}
    assert vm.devices() == [] and vm.backends() == []


@pytest.fixture
def booting(machines):
    """A machine that has just begun to boot: its monitor, a function that waits for it, and its directory."""
    name, env = "young", clean_environment(MEMHP_LAB_DIR=machines.dir)
    run = machines.dir + "/" + name
    with subprocess.Popen([LAB, "start", "-q", name], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as lab:
        wait_until(lambda: os.path.exists(f"{run}/qmp2.sock"))
        with Qmp(f"{run}/qmp2.sock") as monitor:
            yield monitor, lab.wait, run
        lab.wait()
        subprocess.run([LAB, "stop", "-q", name], env=env, check=True, stdin=subprocess.DEVNULL)


def test_dimms_that_come_while_the_guest_boots_are_not_taken_for_rejected(booting):
    monitor, wait, run = booting
    for n in range(2):
        monitor.execute("object-add", qom_type="memory-backend-ram", id=f"d{n}-mem", size=BLOCK)
        monitor.execute("device_add", driver="pc-dimm", id=f"d{n}", memdev=f"d{n}-mem")
    assert wait() == 0
    env = {"MEMHP_QMP": f"{run}/qmp.sock"}
    listed = run_memhp("list", env=env)
    assert NOT_ADDED not in done(listed)
    answer = json.loads(done(run_memhp("--json", "repair", env=env)))
    assert {f["kind"] for f in answer["findings"]} <= {"offline"}
    assert len(monitor.execute("query-memory-devices")) == 2
    with Console(f"{run}/serial2.sock") as console:
        assert console.run(f"cat /sys/devices/system/memory/memory{FIRST}/state "
                           f"/sys/devices/system/memory/memory{FIRST + 1}/state").split() == ["online"] * 2
