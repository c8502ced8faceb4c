# SPDX-License-Identifier: GPL-3.0-or-later
"""Several at one machine: memhp beside memhp, and memhp beside another tool at the second monitor."""
import threading

import pytest
from relay import BEFORE, Relay, at
from report import done
from vm import MIB, Qmp, connect, end_process


def together(vm, *commands):
    """Run them at the same time; each one's exit code and stderr."""
    runs = [vm.start_memhp("--timeout", "40", *command) for command in commands]
    return [(run.returncode, err) for run, (_, err) in [(run, end_process(run)) for run in runs]]


def codes(ended):
    """The exit codes, of runs of which some may have been told that the monitor is in use."""
    for code, err in ended:
        assert code == 0 or code in (3, 4) and ("does not greet" in err or "in use" in err), (code, err)
    return [code for code, _ in ended]


def check_sum(vm, mib):
    """So much is plugged, and online, and there is no backend without a DIMM."""
    assert sum(d["size"] for d in vm.devices()) == mib * MIB
    assert vm.mem_total() == vm.at_boot["memory"].total + mib * MIB
    assert len(vm.backends()) == len(vm.devices())


def test_four_at_the_same_time_take_turns(vm):
    """A monitor greets the next client when the one before leaves."""
    done(vm.memhp("plug", "512M", "--name", "old"))
    ended = together(vm, ("plug", "128M"), ("plug", "256M"), ("unplug", "old"), ("list",))
    plugged = 512
    for code, mib in zip(codes(ended), (128, 256, -512, 0)):
        plugged += mib if code == 0 else 0
    check_sum(vm, plugged)
    assert codes(ended).count(0) >= 2
    if vm.devices():
        done(vm.memhp("unplug", "--all"))


def test_repair_beside_a_plug_takes_nothing_away(vm):
    """One after the other: neither sees the other's half."""
    ended = codes(together(vm, ("plug", "256M"), ("repair", "--back"), ("plug", "128M")))
    check_sum(vm, 256 * (ended[0] == 0) + 128 * (ended[2] == 0))
    if vm.devices():
        done(vm.memhp("unplug", "--all"))


def test_who_finds_the_monitor_taken_is_told_so_within_the_deadline(vm):
    with Qmp(vm.path("qmp.sock")):
        found = vm.json("--timeout", "1", "plug", "128M", code=3)
    assert "another client is using it" in found["error"]["message"] and found["state"] == "unchanged"


def test_who_finds_the_console_taken_is_told_so(vm):
    with connect(vm.path("serial.sock")):
        found = vm.json("plug", "128M", code=4)
    assert "in use by another program" in found["error"]["message"] and found["state"] == "unchanged"


def theirs(vm, **dimm):
    """What another tool does at that moment: a backend and, unless there is to be none, a DIMM on it."""
    def strike(_relay):
        backend = dimm.get("memdev", "theirs-mem")
        vm.monitor.execute("object-add", qom_type="memory-backend-ram", id=backend, size=128 * MIB)
        if "id" in dimm:
            vm.monitor.execute("device_add", **{"driver": "pc-dimm", "memdev": backend, **dimm})
    return strike


def remove(vm, *names):
    """Take everything away, also what has only a backend."""
    assert vm.json("list")["ok"]
    done(vm.memhp("repair", "--all"))
    done(vm.memhp("unplug", *names))


@pytest.mark.parametrize("words", [("128M",), ("256M", "--dimm", "128M")])
@pytest.mark.parametrize("dimm", [{"memdev": "memhp0-mem"}, {"memdev": "memhp0-mem", "id": "memhp0-dimm"},
                                  {"id": "memhp0-dimm"}], ids=lambda d: "+".join(d.values()))
def test_a_name_that_another_tool_takes_at_the_last_moment_is_passed_over(vm, dimm, words):
    relay = Relay(vm, at("qmp > object-add", BEFORE), theirs(vm, **dimm))
    code, _, err = relay.run("plug", *words)
    assert code == 0 and relay.has_struck, err
    ours = [d["id"] for d in vm.devices() if d["id"] != "memhp0-dimm"]
    assert ours == ["memhp1-dimm", "memhp2-dimm"][:len(words) - 1 or 1]
    # theirs is whole: what it was, and nobody else on it
    assert dimm.get("memdev", "theirs-mem") in vm.backends()
    assert [d["memdev"] for d in vm.devices() if d["id"] == "memhp0-dimm"] == (
        [f"/objects/{dimm.get('memdev', 'theirs-mem')}"] if "id" in dimm else [])
    remove(vm, "--all")


def test_a_name_that_was_asked_for_and_is_taken_is_told(vm):
    relay = Relay(vm, at("qmp > object-add", BEFORE), theirs(vm, memdev="cache-mem", id="cache-dimm"))
    code, _, err = relay.run("plug", "128M", "--name", "cache")
    assert code == 1 and "cache-mem" in err and "duplicate" in err, err
    assert [d["id"] for d in vm.devices()] == ["cache-dimm"] and vm.backends() == ["cache-mem"]
    remove(vm, "cache")


@pytest.mark.parametrize("words, there, told", [
    (("--slot", "3"), {"slot": 3}, "slot 3"),
    (("--addr", "0x120000000"), {"addr": 0x120000000}, "conflicts with memory device id='theirs-dimm'"),
], ids=["slot", "address"])
def test_a_place_that_another_tool_takes_at_the_last_moment_is_told(vm, words, there, told):
    relay = Relay(vm, at("qmp > device_add", BEFORE), theirs(vm, id="theirs-dimm", **there))
    code, _, err = relay.run("plug", "128M", *words)
    assert code == 1 and told in err, err
    assert [d["id"] for d in vm.devices()] == ["theirs-dimm"] and vm.backends() == ["theirs-mem"]
    remove(vm, "theirs-dimm")


def test_without_a_place_of_its_own_a_plug_goes_beside_the_other(vm):
    relay = Relay(vm, at("qmp > device_add", BEFORE), theirs(vm, id="theirs-dimm"))
    assert relay.run("plug", "128M")[0] == 0
    assert sorted(d["id"] for d in vm.devices()) == ["memhp0-dimm", "theirs-dimm"]
    remove(vm, "--all")


def test_a_dimm_that_another_tool_unplugs_meanwhile_is_gone_as_it_was_to_be(vm):
    """It is gone when memhp asks for its release: what is left to be done is its backend."""
    done(vm.memhp("plug", "128M"))

    def strike(_relay):
        vm.monitor.execute("device_del", id="memhp0-dimm")
        vm.monitor.wait_event("DEVICE_DELETED", lambda data: data.get("device") == "memhp0-dimm")

    relay = Relay(vm, at("qmp > device_del", BEFORE), strike)
    code, _, err = relay.run("unplug")
    assert relay.has_struck and code == 0, err
    assert vm.devices() == [] and vm.backends() == []


def test_two_monitors_of_one_machine_do_not_mix_two_plugs(vm):
    """Each memhp has a monitor for itself: only the names can tell them apart."""
    vm.monitor.close()
    paths = [vm.path("qmp.sock"), vm.path("qmp2.sock")]
    ended = []

    def plug(path):
        ended.append(vm.memhp("--guest", "none", "plug", "128M", env={"MEMHP_QMP": path}))

    threads = [threading.Thread(target=plug, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    vm.monitor = Qmp(vm.path("qmp2.sock"))
    assert [e.returncode for e in ended] == [0, 0], ended
    assert sorted(d["id"] for d in vm.devices()) == ["memhp0-dimm", "memhp1-dimm"]
    assert vm.backends() == ["memhp0-mem", "memhp1-mem"]
    done(vm.memhp("unplug", "--all"))
