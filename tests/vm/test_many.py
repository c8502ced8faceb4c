# SPDX-License-Identifier: GPL-3.0-or-later
"""Several DIMMs in one command: plugged together, all or none, taken by name, by size, or all."""
import json
import re
import signal

import pytest
from fate import KILL_SHELL
from lasting import PATIENT, patient, watch
from relay import AFTER, BEFORE, Relay, at, at_work
from report import done, refused, rows, trace, without_ids
from truth import ids, slots
from vm import BLOCK, FIRST, GIB, MIB, end_process

ENOMEM = -12
BIG_VM = {"slots": "256", "maxmem": "80G"}


# ---- plug


def test_plug_splits_a_size_into_dimms_of_one_size(vm):
    before = vm.mem_total()
    answer = vm.json("plug", "2G", "--dimm", "256M", "--zone", "movable")
    names = [f"memhp{n}-dimm" for n in range(8)]
    assert [d["id"] for d in answer["devices"]] == names
    assert all(d["blocks"][0]["state"] == "online" for d in answer["devices"])
    assert [(d["id"], d["size"], d["slot"]) for d in vm.devices()] == [
        (name, 256 * MIB, slot) for slot, name in enumerate(names)]
    assert vm.backends() == [f"memhp{n}-mem" for n in range(8)]
    assert vm.zones(*range(32, 48)) == ["Movable"] * 16
    assert vm.mem_total() == before + 2 * GIB
    done(vm.memhp("unplug", "--all"))
    assert vm.mem_total() == before


def test_the_names_and_slots_of_others_are_left_to_them(vm):
    vm.add_dimm(128 * MIB, "memhp4-mem", "memhp4-dimm", slot=1)
    vm.add_dimm(128 * MIB, "other-mem", "other", slot=3)
    done(vm.memhp("plug", "512M", "--dimm", "128M"))
    assert slots(vm) == {"memhp4-dimm": 1, "other": 3, "memhp5-dimm": 0, "memhp6-dimm": 2,
                         "memhp7-dimm": 4, "memhp8-dimm": 5}
    done(vm.memhp("unplug", "memhp6", "memhp8", "other"))
    done(vm.memhp("plug", "384M", "--dimm", "128M"))
    assert slots(vm) == {"memhp4-dimm": 1, "memhp5-dimm": 0, "memhp7-dimm": 4, "memhp8-dimm": 2,
                         "memhp9-dimm": 3, "memhp10-dimm": 5}
    done(vm.memhp("unplug", "--all"))


def test_a_name_given_to_several_is_numbered(vm):
    done(vm.memhp("plug", "384M", "--dimm", "128M", "--name", "cache"))
    assert ids(vm) == ["cache0-dimm", "cache1-dimm", "cache2-dimm"]
    done(vm.memhp("plug", "256M", "--dimm", "128M", "--name", "cache"))
    assert ids(vm)[3:] == ["cache3-dimm", "cache4-dimm"]
    done(vm.memhp("plug", "128M", "--dimm", "128M", "--name", "cache"))
    assert ids(vm)[0] == "cache-dimm"
    done(vm.memhp("unplug", "cache1", "cache"))
    assert ids(vm) == ["cache0-dimm", "cache2-dimm", "cache3-dimm", "cache4-dimm"]
    done(vm.memhp("unplug", "--all"))


def test_all_dimms_cost_two_batches_and_two_guest_round_trips(vm):
    result = vm.memhp("--verbose", "plug", "2G", "--dimm", "256M", "--zone", "movable")
    done(result)
    assert len(trace(result.stderr, "guest", ">")) == 2
    lines = [line for line in result.stderr.splitlines() if " qmp " in line]
    first = next(i for i, line in enumerate(lines) if '"object-add"' in line)
    assert all('"object-add"' in line for line in lines[first:first + 8])
    first = next(i for i, line in enumerate(lines) if '"device_add"' in line)
    batch = without_ids(re.sub(r".*? qmp > ", "", line) for line in lines[first:first + 9])
    assert [r["execute"] for r in batch] == ["device_add"] * 8 + ["query-memory-devices"]
    result = vm.memhp("--verbose", "unplug", "--all")
    done(result)
    assert len(trace(result.stderr, "guest", ">")) <= 2
    lines = [line for line in result.stderr.splitlines() if " qmp " in line]
    first = next(i for i, line in enumerate(lines) if '"device_del"' in line)
    assert all('"device_del"' in line for line in lines[first:first + 8])


@pytest.mark.parametrize("command,words", [
    (["plug", "1G", "--dimm", "384M"], "not a multiple of --dimm"),
    (["plug", "512M", "--dimm", "1G"], "not a multiple of --dimm"),
    (["plug", "256M", "--dimm", "128M", "--slot", "3"], "single DIMM"),
    (["plug", "256M", "--dimm", "128M", "--addr", "0x140000000"], "single DIMM"),
    (["plug", "256G", "--dimm", "128M"], "1024 DIMMs"),
])
def test_what_cannot_be_split_is_bad_usage(vm, command, words):
    message, _ = refused(vm, 2, *command)
    assert words in message


def test_dimms_are_checked_together_before_anything_is_sent(vm):
    message, hint = refused(vm, 1, "plug", "200M", "--dimm", "100M")
    assert "block size, 128 MiB" in message and "128 MiB" in hint
    message, _ = refused(vm, 1, "plug", "4224M", "--dimm", "128M")
    assert "33 DIMMs, but only 32 free slots" in message
    message, hint = refused(vm, 1, "plug", "8G", "--dimm", "1G")
    assert "7.5 GiB left" in message


def test_one_dimm_that_qemu_refuses_takes_all_back_or_with_keep_going_none(vm):
    """The id of the third is taken by a device that is no memory, which only QEMU knows."""
    vm.monitor.execute("device_add", driver="virtio-rng-pci", id="x2-dimm", bus="rp0")
    before = vm.state()
    command = ["plug", "512M", "--dimm", "128M", "--name", "x"]
    message, _ = refused(vm, 1, *command, state="rolled-back")
    assert "x2-dimm" in message
    assert vm.state() == before
    message, _ = refused(vm, 7, *command, "--keep-going", state="partial")
    assert "3 of 4 DIMMs" in message and "x2-dimm" in message
    assert ids(vm) == ["x0-dimm", "x1-dimm", "x3-dimm"]
    assert vm.backends() == ["x0-mem", "x1-mem", "x3-mem"]
    assert vm.zones(32, 33, 34, 35) == ["Movable"] * 3 + [None]
    assert vm.mem_total() == before["memory"].total + 384 * MIB
    done(vm.memhp("unplug", "--all"))
    assert vm.state() == before
    vm.discard()  # the other device stays


@pytest.mark.parametrize("more", [[], ["--keep-going"]])
def test_dimms_that_the_guest_brings_not_online_leave_nothing(vm, more):
    before = vm.state()
    vm.inject("MEM_GOING_ONLINE", ENOMEM)
    message, _ = refused(vm, 5, "plug", "512M", "--dimm", "128M", *more, state="rolled-back")
    vm.inject("MEM_GOING_ONLINE", 0)
    assert "memory32" in message and "Cannot allocate memory" in message
    assert vm.state() == before


@pytest.mark.parametrize("moment", [at("qmp > device_add", AFTER), at_work(AFTER)], ids=["attach", "online"])
def test_ctrl_c_in_the_middle_of_many_takes_all_back(vm, moment):
    before = vm.state()
    relay = Relay(vm, moment, lambda relay: relay.process.send_signal(signal.SIGINT))
    code, out, err = relay.run("--json", "plug", "7G", "--dimm", "512M", "--zone", "movable")
    assert code == 130, err
    assert json.loads(out)["state"] == "rolled-back"
    assert vm.state() == before


# In the guest, which is in time however slow the host is: a signal for all processes of memhp's, and when that comes.
TO_ALL = """to_all() {
for p in /proc/[0-9]*; do [ ! -e $p/exe ] || ! grep -q MEMHP= $p/environ || kill -$1 ${p##*/}; done 2>/dev/null; }"""
STOP_AT_39 = """(until read -r s </sys/devices/system/memory/memory39/state && [ "$s" = online ]; do usleep 5000; done 2>/dev/null
to_all STOP) &"""


def test_what_is_online_at_the_deadline_stays_and_the_rest_is_taken_back(boot):
    """What works for memhp in the guest stands still from when the first DIMM is online until memhp gives up."""
    vm = boot(memory="1G", maxmem="32G")
    before = vm.state()
    vm.guest(TO_ALL)
    vm.guest(STOP_AT_39)
    process = vm.catch_memhp("guest > q", "--json", "--timeout", "8", "plug", "12G", "--dimm", "1G",
                             "--zone", "movable", "--keep-going")
    vm.guest("to_all CONT")
    out, err = end_process(process)
    left = ids(vm)
    assert process.returncode == 7, err
    found = json.loads(out)
    assert found["state"] == "partial" and 1 <= len(left) < 12, err
    assert f"{len(left)} of 12 DIMMs are plugged ('memhp0-dimm'" in found["error"]["message"]
    assert f"{12 - len(left)} are not (" in found["error"]["message"] or len(left) == 11
    assert "has not managed to bring 'memory" in found["error"]["message"]
    assert set(left) == {f"memhp{n}-dimm" for n in range(len(left))} and len(vm.backends()) == len(left)
    memory = vm.memory()
    assert memory.total == before["memory"].total + len(left) * GIB
    assert [n for n, b in memory.blocks.items() if n >= FIRST and b.state == "online"] == \
        list(range(FIRST, FIRST + len(left) * GIB // BLOCK)) and len(memory.blocks) == \
        len(before["memory"].blocks) + len(left) * GIB // BLOCK
    done(vm.memhp("unplug", "--all"))
    assert vm.state() == before


def test_a_shell_that_stands_still_costs_only_the_dimm_it_was_at(boot):
    """It is stopped when the second DIMM comes, whose memory map the first has to pay for."""
    vm = boot(memory="256M", maxmem="16G")
    vm.guest("dd if=/dev/zero of=/tmp/ballast bs=1M count=60")
    before = vm.state()

    def send(name):
        vm.guest(KILL_SHELL.replace("kill -9", f"kill -{name}"))

    def is_second(relay, *now):
        return now == ("qmp > device_add", BEFORE) and relay.seen.count("before qmp > device_add") == 2

    relay = Relay(vm, is_second, lambda relay: send("STOP"))
    code, out, said = relay.run("--json", "plug", "4G", "--dimm", "2G", "--zone", "kernel", "--keep-going", timeout=8)
    send("CONT")
    assert relay.has_struck and code == 7 and json.loads(out)["state"] == "partial", said
    assert "1 of 2 DIMMs are plugged ('memhp0-dimm'), 1 is not ('memhp1-dimm')" in said, said
    assert ids(vm) == ["memhp0-dimm"] and vm.backends() == ["memhp0-mem"]
    assert vm.mem_total() == before["memory"].total + 2 * GIB
    assert all(block.state == "online" for block in vm.blocks().values())
    vm.discard()  # the kernel's zone keeps its memory


# ---- unplug


@pytest.fixture
def assorted(vm):
    """DIMMs of 512, 256, 256 and 128 MiB, plugged in that order."""
    for size in ("512M", "256M", "256M", "128M"):
        done(vm.memhp("plug", size, "--zone", "movable"))
    return vm


@pytest.mark.parametrize("words,left", [
    (["128M"], [512, 256, 256]),
    (["256M"], [512, 256, 128]),
    (["384M"], [512, 256]),
    (["512M"], [512, 128]),
    (["768M"], [256, 128]),
    (["1152M"], []),
    (["memhp0", "384M"], [256]),
    (["256M", "256M"], [512, 128]),
    (["memhp3", "memhp1", "memhp3-dimm"], [512, 256]),
])
def test_unplug_takes_the_newest_dimms_that_add_up(assorted, words, left):
    vm, total = assorted, assorted.mem_total()
    done(vm.memhp("unplug", *words))
    assert [d["size"] // MIB for d in vm.devices()] == left
    assert vm.mem_total() == total - (1152 - sum(left)) * MIB
    if words == ["256M"]:
        assert "memhp2-dimm" not in ids(vm)
    if left:
        done(vm.memhp("unplug", "--all"))


def test_a_size_that_does_not_add_up_is_refused_with_its_neighbours(assorted):
    vm, before = assorted, assorted.state()
    for size, sizes in (("200M", ["128 MiB", "256 MiB"]), ("1088M", ["1 GiB", "1152 MiB"]),
                        ("8G", ["1152 MiB"]), ("64M", ["128 MiB"])):
        message, hint = refused(vm, 1, "unplug", size)
        assert f"add up to {size}" in message
        assert re.findall(r"[\d.]+ [MG]iB", hint) == sizes
    message, _ = refused(vm, 1, "unplug", "memhp0", "memhp1", "memhp2", "memhp3", "128M")
    assert vm.state() == before
    done(vm.memhp("unplug", "--all"))


def test_unplug_prefers_memory_in_movable(vm):
    done(vm.memhp("plug", "128M", "--zone", "movable"))
    done(vm.memhp("plug", "128M", "--zone", "kernel"))
    plan = vm.json("--dry-run", "unplug", "128M")["plan"]
    assert [p["qmp"]["arguments"]["id"] for p in plan if "qmp" in p] == ["memhp0-dimm", "memhp0-mem"]
    done(vm.memhp("unplug", "128M"))
    assert ids(vm) == ["memhp1-dimm"]
    vm.discard()


# ---- scale


def test_a_small_guest_grows_to_64_gib_that_one_dimm_would_kill_it_with(boot):
    """1 GiB of memory map does not fit into 512 MiB: what is online pays for what comes next."""
    vm = boot(**BIG_VM)
    before = vm.state()
    message, hint = refused(vm, 5, "plug", "64G")
    assert "1 GiB for its memory map" in message
    largest, unit = re.search(r"at most ([\d.]+) ([MG])iB fits in one DIMM", hint).groups()
    assert 4 * GIB < float(largest) * {"M": GIB // 1024, "G": GIB}[unit] < 32 * GIB
    assert vm.state() == before
    result = patient(vm, "--verbose", "plug", "64G", "--dimm", "1G")
    done(result)
    assert len(trace(result.stderr, "guest", ">")) <= 3
    assert [d["size"] for d in vm.devices()] == [GIB] * 64
    memory = vm.memory()
    assert memory.total == before["memory"].total + 64 * GIB
    assert all(memory.blocks[n].state == "online" for n in range(FIRST, FIRST + 64 * GIB // BLOCK))
    movable = [n for n in memory.blocks if memory.blocks[n] == ("online", ("Movable",))]
    with watch(vm, 80, "offline", "all") as watcher:
        assert watcher.finish(PATIENT) == 0
    assert watcher.totals("offline") == {len(movable)} and "blocks" in watcher.drawn[-1]
    assert set(vm.zones(*movable)) == {"offline"}
    vm.discard()


def test_256_dimms_are_plugged_listed_and_unplugged_in_one_command_each(boot):
    vm = boot(memory="2G", **BIG_VM)
    before = vm.mem_total()
    result = patient(vm, "--verbose", "plug", "32G", "--dimm", "128M", "--zone", "movable")
    assert "256 DIMMs of 128 MiB: memhp0-dimm to memhp255-dimm" in done(result)
    assert len(trace(result.stderr, "guest", ">")) <= 3
    assert len(vm.devices()) == len(vm.backends()) == 256
    assert vm.mem_total() == before + 32 * GIB
    table = rows(done(vm.memhp("list")))
    assert len(table) == 257 and all(row[-2:] == ["online", "Movable"] for row in table[1:])
    message, _ = refused(vm, 1, "plug", "128M")
    assert "no free slot (256 of 256 used)" in message
    done(vm.memhp("unplug", "1G"))
    assert len(vm.devices()) == 248 and vm.mem_total() == before + 31 * GIB
    with watch(vm, 40, "unplug", "--all") as watcher:
        assert watcher.finish(PATIENT) == 0
    assert watcher.totals("offline", "release") == {248}
    assert watcher.screen().startswith("248 DIMMs: unplugged 31 GiB\n")
    assert vm.devices() == [] and vm.backends() == []
