# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON of every command has the documented fields."""
import json

from report import done, is_whole
from vm import BLOCK, FIRST, GIB, MIB


def check_device(device, **expected):
    assert set(device) == {"id", "handle", "type", "backend", "address", "size", "slot", "node", "hotplugged",
                           "blocks"}
    assert all(is_whole(device[k]) for k in ("address", "size", "slot", "node"))
    assert device["hotplugged"] is True
    assert {k: device[k] for k in expected} == expected


def check_times(result):
    assert is_whole(result["elapsed_ms"]) and result["elapsed_ms"] >= 0
    assert result["phases_ms"] and all(is_whole(v) for v in result["phases_ms"].values())
    # the one is measured from start to end, the other phase by phase
    assert abs(sum(result["phases_ms"].values()) - result["elapsed_ms"]) * 50 <= result["elapsed_ms"]


BLOCKS_ONLINE = [{"first": 32, "last": 35, "state": "online", "zone": "Movable", "node": 0,
                  "removable": True}]


def test_json_of_plug_and_unplug_has_the_documented_fields(vm):
    before = vm.mem_total()
    plugged = vm.json("plug", "512M")
    unplugged = vm.json("unplug")
    for result, command, totals in ((plugged, "plug", (before, before + 512 * MIB)),
                                    (unplugged, "unplug", (before + 512 * MIB, before))):
        assert (result["command"], result["ok"]) == (command, True)
        [device] = result["devices"]
        check_device(device, id="memhp0-dimm", type="dimm", backend="memhp0-mem", size=512 * MIB,
                     slot=0, node=0, address=4 * GIB, blocks=BLOCKS_ONLINE)
        guest = result["guest"]
        taken = {"huge_pages_taken": []} if command == "unplug" else {}
        assert guest == {"block_size": BLOCK, "mem_total_before": totals[0],
                         "mem_total_after": totals[1], **taken}
        check_times(result)


def test_json_of_list_and_blocks_has_the_documented_fields(vm):
    done(vm.memhp("plug", "512M"))
    listed = vm.json("list")
    [device] = listed["devices"]
    check_device(device, id="memhp0-dimm", blocks=BLOCKS_ONLINE)
    guest = vm.memory()
    for run in listed["boot_blocks"]:
        for n in range(run["first"], run["last"] + 1):
            assert guest.blocks[n].state == run["state"] and n < FIRST
    found = vm.json("blocks")
    assert found["block_size"] == BLOCK
    seen = []
    for run in found["blocks"]:
        assert set(run) == {"first", "last", "state", "zone", "node", "removable", "device"}
        assert run["device"] == ("memhp0-dimm" if run["first"] >= FIRST else None)
        seen += range(run["first"], run["last"] + 1)
    assert seen == list(guest.blocks)
    done(vm.memhp("unplug"))


def test_json_of_status_has_the_documented_fields(vm):
    done(vm.memhp("plug", "256M", "--no-online"))
    done(vm.memhp("online", "memory32"))
    status = vm.json("status")
    qemu = status["qemu"]
    assert {k: qemu[k] for k in qemu if k not in ("version", "machine")} == {
        "status": "running", "base_memory": 512 * MIB, "plugged_memory": 256 * MIB,
        "max_memory": 8 * GIB, "slots": 32, "slots_used": 1}
    version = vm.monitor.execute("query-version")["qemu"]
    assert qemu["version"].startswith(f"{version['major']}.{version['minor']}.")
    assert "q35" in qemu["machine"]
    guest = status["guest"]
    assert set(guest) == {"channel", "kernel", "block_size", "mem_total", "mem_available",
                          "blocks_online", "blocks_offline", "auto_online", "udev_rule"}
    assert guest["channel"] == f"serial:{vm.path('serial.sock')}"
    assert guest["kernel"] == vm.guest("uname -r").strip()
    assert guest["block_size"] == BLOCK
    assert guest["mem_total"] == vm.mem_total()
    assert is_whole(guest["mem_available"]) and 0 < guest["mem_available"] < guest["mem_total"]
    states = [b.state for b in vm.blocks().values()]
    assert guest["blocks_online"] == states.count("online")
    assert guest["blocks_offline"] == states.count("offline") == 1
    assert guest["auto_online"] == "offline"
    done(vm.memhp("unplug"))


def test_json_of_online_and_offline_tells_what_changed(vm):
    done(vm.memhp("plug", "512M", "--no-online"))
    online = vm.json("online", "32-33")
    assert (online["command"], online["ok"], online["changed"]) == ("online", True, 256 * MIB)
    assert [(b["first"], b["last"], b["state"]) for b in online["blocks"]] == [(32, 33, "online")]
    assert online["guest"]["mem_total_after"] - online["guest"]["mem_total_before"] == 256 * MIB
    again = vm.json("online", "32-33")
    assert again["changed"] == 0 and again["ok"] is True
    offline = vm.json("offline", "32-35")
    assert offline["changed"] == 256 * MIB
    done(vm.memhp("unplug"))


def test_qmp_sends_one_command_and_prints_the_reply(vm):
    reply = json.loads(done(vm.memhp("qmp", "qom-get", "path=/machine", "property=memory")))
    assert reply == vm.monitor.execute("qom-get", path="/machine", property="memory")
    result = vm.json("qmp", "query-status")
    assert result["ok"] is True and result["return"]["status"] == "running"
    refused = vm.memhp("qmp", "no-such-command")
    assert refused.returncode == 1 and refused.stderr.startswith("memhp: ")
