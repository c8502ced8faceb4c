# SPDX-License-Identifier: GPL-3.0-or-later
"""Plug, online, offline and unplug a real machine's memory, over every channel and under every shell."""
import json
import os
import pty
import re
import select
import subprocess

import pytest
from vm import (BINARY, BLOCK, FIRST, GIB, MIB, Qmp, clean_environment, connect, end_process,
                wait_until)

SHELLS = ["ash", "dash", "bash"]
CHANGES = ("object-add", "device_add", "device_del", "object-del")
TRACE = re.compile(r"\[\d+\.\d+\] (\S+) ([<>]) (.*)")


def done(result):
    """The stdout of a memhp that succeeded."""
    assert result.returncode == 0, result
    return result.stdout


def rows(table):
    """The rows of a table that memhp printed, each a list of its cells."""
    return [re.split(r" {2,}", line.strip()) for line in table.splitlines()]


def trace(text, channel, direction):
    """What --verbose shows in one direction of one channel."""
    found = [m.groups() for m in map(TRACE.fullmatch, text.splitlines()) if m]
    return [words for c, d, words in found if (c, d) == (channel, direction)]


def without_ids(requests):
    """QMP requests as JSON objects, without the ids that match replies to them."""
    objects = [json.loads(r) for r in requests]
    for o in objects:
        o.pop("id", None)
    return objects


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


@pytest.fixture
def shell_vm(boot, request):
    return boot() if request.param == "ash" else boot(shell=request.param)


@pytest.fixture
def ssh_env(vm, tmp_path):
    """An environment in which "ssh" knows the machine as "lab"."""
    wrapper = tmp_path / "ssh"
    wrapper.write_text(f"#!/bin/sh\nexec /usr/bin/ssh -F '{vm.path('ssh_config')}' \"$@\"\n",
                       encoding="ascii")
    wrapper.chmod(0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


def run_on_terminal(command, env):
    """Run a command whose stdin, stdout and stderr are an 80-column terminal; its output and status."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
                          start_new_session=True) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # how a terminal says that its last user has gone
                break
            if not more:
                break
            seen += more
        status = process.wait()
    os.close(ours)
    text = seen.decode()
    assert "Sanitizer" not in text and "runtime error: " not in text, text
    return text, status


def on_terminal(vm, *words, **env):
    full = clean_environment(MEMHP_QMP=vm.path("qmp.sock"), TERM="xterm", **env)
    text, status = run_on_terminal([BINARY, *words], full)
    assert status == 0, text
    return text


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


# ---- JSON


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


# ---- --dry-run, --verbose, --quiet


def steps(plan, where):
    """The steps of a plan on one side, the seconds that depend on the clock taken out."""
    found = [line.split(None, 1) for line in plan.splitlines()]
    return [re.sub(r"(change|ease) \d+", r"\1", rest) for side, rest in found if side == where]


def sent_to_guest(verbose):
    """The steps that changed something in the guest, as --verbose shows them."""
    sent = [s for s in trace(verbose, "guest", ">") if re.match("change|ease|appear|swift", s)]
    return [re.sub(r"(change|ease) \d+", r"\1", s) for s in sent]


def changes_sent(verbose):
    return [r for r in without_ids(trace(verbose, "qmp", ">")) if r["execute"] in CHANGES]


def check_dry_run(vm, *command):
    """--dry-run changes nothing, and prints what --verbose then shows to be sent."""
    before = vm.state()
    plan = done(vm.memhp("--dry-run", *command))
    objects = vm.json("--dry-run", *command)["plan"]
    assert [step["qmp"] for step in objects if "qmp" in step] == list(map(json.loads, steps(plan, "qmp")))
    assert [re.sub(r"(change|ease) \d+", r"\1", s["guest"]) for s in objects if "guest" in s] == steps(plan, "guest")
    assert vm.state() == before
    result = vm.memhp("--verbose", *command)
    done(result)
    assert without_ids(steps(plan, "qmp")) == changes_sent(result.stderr)
    assert steps(plan, "guest") == sent_to_guest(result.stderr)
    return plan


def test_dry_run_changes_nothing_and_prints_what_is_sent_later(vm):
    plan = check_dry_run(vm, "plug", "512M", "--slot", "3", "--addr", "0x180000000", "--node", "0")
    assert "48-51" in plan
    assert check_dry_run(vm, "offline", "49-50")
    assert check_dry_run(vm, "online", "all")
    plan = check_dry_run(vm, "unplug")
    assert "DEVICE_DELETED" in plan
    assert vm.devices() == []


def test_dry_run_predicts_the_blocks_also_without_an_address(vm):
    done(vm.memhp("plug", "256M", "--no-online"))
    assert "34-37" in check_dry_run(vm, "plug", "512M")
    assert vm.zones(34, 37, 38) == ["Movable", "Movable", None]
    done(vm.memhp("unplug", "--all"))


def test_dry_run_of_something_impossible_fails_as_the_command_would(vm):
    result = vm.memhp("--dry-run", "plug", "130M")
    assert result.returncode == 1 and result.stdout == ""


def test_a_command_costs_at_most_two_guest_round_trips(vm):
    for command in (["plug", "512M"], ["offline", "memory33"], ["online", "memory33"], ["list"],
                    ["blocks"], ["status"], ["unplug"]):
        result = vm.memhp("--verbose", *command)
        done(result)
        trips = [s for s in trace(result.stderr, "guest", ">") if s != ":"]  # ":" uploads the program
        assert 1 <= len(trips) <= 2, trips


def test_the_qmp_commands_of_a_step_are_sent_together(vm):
    result = vm.memhp("--verbose", "plug", "512M")
    done(result)
    lines = [TRACE.fullmatch(line) for line in result.stderr.splitlines()]
    log = [(m[2], m[3]) for m in lines if m and m[1] == "qmp"]
    at = [i for i, (way, text) in enumerate(log)
          if way == ">" and json.loads(text)["execute"] in ("device_add", "query-memory-devices")]
    assert at[2] == at[1] + 1  # the first is the look
    done(vm.memhp("unplug"))


def test_quiet_prints_nothing_on_success_and_the_error_on_failure(vm):
    for command in (["plug", "256M"], ["offline", "33"], ["online", "33"], ["unplug"]):
        result = vm.memhp("--quiet", *command)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), result
    result = vm.memhp("-q", "unplug")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("memhp: ")


# ---- on a terminal


REPORTS = [["plug", "512M"], ["list"], ["blocks"], ["status"], ["offline", "33-34"], ["list"],
           ["online", "33-34"], ["unplug"]]


def test_a_pipe_gets_no_escapes_and_no_line_longer_than_80_columns(vm):
    for command in REPORTS:
        result = vm.memhp(*command, env={"TERM": "xterm"})
        text = done(result)
        assert "\033" not in text + result.stderr and "\r" not in text + result.stderr
        too_long = [line for line in text.splitlines() if len(line) > 80]
        assert not too_long, command


def test_a_terminal_gets_colour(vm):
    done(vm.memhp("plug", "128M"))
    assert "\033[1m" in on_terminal(vm, "list")
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "TERM=dumb"])
def test_a_terminal_without_colour_gets_the_same_text_as_a_pipe(vm, env):
    done(vm.memhp("plug", "128M"))
    full = {"MEMHP_QMP": vm.path("qmp.sock"), "TERM": "xterm", **env}
    text, status = run_on_terminal([BINARY, "list"], clean_environment(**full))
    assert status == 0
    assert text.replace("\r\n", "\n") == done(vm.memhp("list"))
    done(vm.memhp("unplug"))


def slow_channel(vm):
    """A channel that takes more than a second to open."""
    return f"exec:sleep 2.2; exec ssh -F {vm.path('ssh_config')} lab sh"


def test_a_terminal_gets_a_progress_line_that_is_gone_in_the_end(vm):
    text = on_terminal(vm, "--guest", slow_channel(vm), "list")
    progress = list(re.finditer(r"\r\033\[K\w+  \d+ s so far", text))
    assert progress
    assert text[progress[-1].end():].startswith("\r\033[K")
    assert "so far" not in text[progress[-1].end():]


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_no_progress_line_gets_into_quiet_or_json_output(vm, option):
    done(vm.memhp("plug", "128M"))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
            [BINARY, option, "--guest", slow_channel(vm), "unplug"], stdout=subprocess.PIPE,
            stderr=theirs, stdin=subprocess.DEVNULL, text=True,
            env=clean_environment(MEMHP_QMP=vm.path("qmp.sock"), TERM="xterm")) as process:
        out, _ = process.communicate()
    os.close(theirs)
    err = b""
    while select.select([ours], [], [], 0)[0]:
        try:
            err += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.returncode == 0, err
    if option == "--quiet":
        assert (out, err) == ("", b"")
    else:
        assert json.loads(out)["ok"] is True


# ---- channels


def check_channel(vm, channel, env=None, expected=None):
    """Everything works over this channel; expected: what status calls it."""
    words = ["--guest", channel] if channel else []
    before = vm.mem_total()
    done(vm.memhp(*words, "plug", "512M", env=env))
    assert vm.mem_total() == before + 512 * MIB
    done(vm.memhp(*words, "offline", "memory33", env=env))
    assert vm.mem_total() == before + 384 * MIB
    done(vm.memhp(*words, "online", "memory33", env=env))
    assert vm.zones(32, 33, 34, 35) == ["Movable"] * 4
    status = vm.json(*words, "status", env=env)
    assert status["guest"]["channel"] == (expected or channel)
    done(vm.memhp(*words, "unplug", env=env))
    assert vm.mem_total() == before and vm.devices() == [] and vm.backends() == []


def test_the_console_is_found_by_asking_qemu(vm):
    check_channel(vm, None, expected=f"serial:{vm.path('serial.sock')}")


def test_a_console_can_be_named(vm):
    check_channel(vm, f"serial:{vm.path('serial.sock')}")


def test_the_channel_can_come_from_the_environment(vm):
    channel = f"serial:{vm.path('serial.sock')}"
    check_channel(vm, None, env={"MEMHP_GUEST": channel}, expected=channel)


def test_ssh_works(vm, ssh_env):
    check_channel(vm, "ssh:lab", env=ssh_env)


def test_ssh_takes_a_user(vm, ssh_env):
    result = vm.json("--guest", "ssh:root@lab", "status", env=ssh_env)
    assert result["guest"]["mem_total"] == vm.mem_total()


@pytest.mark.parametrize("shell_vm", ["dash", "bash"], indirect=True)
def test_exec_runs_any_command_that_gives_a_shell(shell_vm):
    vm = shell_vm
    check_channel(vm, f"exec:exec ssh -F {vm.path('ssh_config')} lab sh")


def test_guest_none_does_the_host_half_and_leaves_the_rest_to_the_guest(vm):
    before = vm.mem_total()
    result = vm.memhp("--guest", "none", "plug", "512M")
    out = done(result)
    assert "online" in out + result.stderr and "left" in out + result.stderr
    wait_until(lambda: vm.zones(32, 33, 34, 35) == ["offline"] * 4)
    assert vm.mem_total() == before
    done(vm.memhp("--guest", "none", "unplug"))
    assert vm.devices() == [] and vm.backends() == []


def test_json_says_null_for_a_guest_that_is_not_known(vm):
    result = vm.json("--guest", "none", "plug", "128M")
    assert result["guest"] is None and result["devices"][0]["blocks"] is None
    listed = vm.json("--guest", "none", "list")
    assert listed["boot_blocks"] is None and listed["devices"][0]["blocks"] is None
    assert vm.json("--guest", "none", "status")["guest"] is None
    wait_until(lambda: vm.zones(32) == ["offline"])
    done(vm.memhp("--guest", "none", "unplug"))


def test_blocks_needs_no_monitor(vm, ssh_env):
    result = vm.json("--guest", "ssh:lab", "blocks", env={**ssh_env, "MEMHP_QMP": ""})
    seen = [n for run in result["blocks"] for n in range(run["first"], run["last"] + 1)]
    assert seen == list(vm.blocks())


def change_console(vm, backend):
    """Give the first serial port another character device while the machine runs."""
    vm.discard()
    return vm.monitor.execute("chardev-change", id="serial0", backend=backend)


def test_a_console_with_a_relative_path_is_found_from_another_directory(vm, tmp_path):
    change_console(vm, {"type": "socket", "data": {
        "addr": {"type": "unix", "data": {"path": "relative.sock"}}, "server": True, "wait": False}})
    found = os.path.join(os.readlink(f"/proc/{vm.pid}/cwd"), "relative.sock")
    assert os.path.exists(found)
    result = vm.memhp("--json", "status", cwd=tmp_path)
    assert json.loads(done(result))["guest"]["channel"] == f"serial:{found}"
    done(vm.memhp("plug", "128M", cwd=tmp_path))
    assert vm.zones(32) == ["Movable"]
    done(vm.memhp("unplug", cwd=tmp_path))


def test_a_console_on_a_pty_is_found_and_works(vm):
    path = change_console(vm, {"type": "pty", "data": {}})["pty"]
    check_channel(vm, None, expected=f"serial:{path}")
    check_channel(vm, f"serial:{path}")


@pytest.mark.parametrize("address", ["unix:{}", "{}"])
def test_the_monitor_can_be_named_in_every_way(vm, address):
    path = vm.path("qmp.sock")
    result = vm.memhp("--qmp", address.format(path), "list", env={"MEMHP_QMP": "/nonexistent"})
    assert "no memory devices" in done(result)
    relative = vm.memhp("-Q", address.format("qmp.sock"), "list", cwd=os.path.dirname(path))
    assert "no memory devices" in done(relative)


def test_a_monitor_on_tcp_works(boot):
    vm = boot(arguments=["-chardev", "socket,id=tcpmon,host=127.0.0.1,port=0,server=on,wait=off",
                         "-mon", "chardev=tcpmon,mode=control"])
    [name] = [c["filename"] for c in vm.monitor.execute("query-chardev") if c["label"] == "tcpmon"]
    port = re.search(r"tcp:127\.0\.0\.1:(\d+)", name)[1]
    result = vm.memhp("--qmp", f"tcp:127.0.0.1:{port}", "plug", "128M")
    done(result)
    assert vm.zones(32) == ["Movable"]
    done(vm.memhp("--qmp", f"tcp:localhost:{port}", "unplug"))


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
