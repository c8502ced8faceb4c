# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines that end, stop, restart or panic while memhp is at work on them."""
import contextlib
import json
import os
import re
import signal
import subprocess

import pytest
from fate import freeze, kill, panic, pause, plugged, power_down, reboot, reset
from relay import AFTER, BEFORE, Relay, at, at_work
from stuck import is_stuck, pin, unpin
from vm import Qmp, end_process, run_memhp, wait_until

SHORT = ("--timeout", "8")  # for what memhp has to wait for in vain ...
LONG = ("--timeout", "20")  # ... and for what may come, but need not


def check_said(code, out, err):
    """The exit code, memhp's JSON object and what it said in words."""
    assert code in (0, 1, 3, 4, 5, 6, 7), err
    found = json.loads(out)
    assert found["ok"] is (code == 0) and (found["ok"] or err.startswith("memhp: ")), (out, err)
    return code, found, err


def struck(vm, fate, moment, *command):
    """Run memhp, and let fate strike before what it says then reaches the machine."""
    relay = Relay(vm, moment, lambda _: fate(vm))
    code, out, err = relay.run("--json", *command)
    assert relay.has_struck, err
    return check_said(code, out, err)


MOMENTS = {"plug": (at_work(BEFORE), ("plug", "1G", "--zone", "movable")), "unplug": (at_work(BEFORE), ("unplug",)),
           "release": (at("qmp > device_del", BEFORE), ("unplug",))}


def strike(vm, fate, name, more=()):
    """The same for one of the moments."""
    moment, command = MOMENTS[name]
    if name != "plug":
        plugged(vm)
    return struck(vm, fate, moment, *more, *command)


# ---- the machine is gone


@pytest.mark.parametrize("fate, moment", [(kill, "plug"), (kill, "release"), (power_down, "unplug")],
                         ids=lambda value: getattr(value, "__name__", value))
def test_a_qemu_that_ends_is_said_to_have_ended(boot, fate, moment):
    vm = boot()
    vm.discard()
    code, found, said = strike(vm, fate, moment)
    assert code in (3, 7) and found["state"] == "partial", said
    assert "monitor" in said or "SHUTDOWN" in said, said
    assert "memory:" not in said, f"the guest is blamed: {said}"


# ---- the guest starts anew, or never again


@pytest.mark.parametrize("fate, moment", [(reset, "plug"), (reset, "unplug"), (reboot, "release")],
                         ids=lambda value: getattr(value, "__name__", value))
def test_a_guest_that_restarts_is_told_and_the_machine_is_as_memhp_says(boot, fate, moment):
    vm = boot()
    vm.discard()
    code, found, said = strike(vm, fate, moment, LONG)
    with contextlib.suppress(OSError):
        vm.console.close()
    ids = [d["id"] for d in vm.devices()]
    if code == 0:
        assert moment == "release" and not ids and not vm.backends()
        return
    assert "memory:" not in said, f"the guest is blamed: {said}"
    if found["state"] == "rolled-back":
        assert ids == ([] if moment == "plug" else ["memhp0-dimm"]) and len(vm.backends()) == len(ids), said
    else:
        assert found["state"] in ("partial", "pending"), said
        assert not ids or "memhp0" in said or "memory32" in said, said


def test_a_guest_that_panics_costs_no_more_than_the_deadline(boot):
    vm = boot()
    vm.discard()
    code, found, said = strike(vm, panic, "unplug", SHORT)
    assert code in (4, 6, 7) and found["state"] == "partial", said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"] and "memhp0-dimm" in said


# ---- the machine stands still, and goes on later


@contextlib.contextmanager
def standing_still(vm, fate):
    """What holds while the machine does not run; it goes on at the end."""
    try:
        yield
        if fate is pause:
            assert vm.monitor.execute("query-status")["status"] == "paused"
    finally:
        if fate is freeze:
            os.kill(vm.pid, signal.SIGCONT)
        else:
            vm.monitor.execute("cont")


def bring_back(vm):
    """Take away what memhp has named as left, the way its hint says: look, and unplug."""
    wait_until(lambda: vm.memhp("list").returncode == 0)
    if vm.devices():
        assert vm.memhp("unplug", "--all").returncode == 0
    for backend in vm.backends():
        vm.monitor.execute("object-del", id=backend)


@pytest.mark.parametrize("fate, moment", [(pause, "plug"), (pause, "release"), (freeze, "plug"), (freeze, "unplug")],
                         ids=lambda value: getattr(value, "__name__", value))
def test_a_machine_that_stands_still_is_left_at_the_deadline_with_words_for_what_is_left(vm, fate, moment):
    with standing_still(vm, fate):
        code, found, said = strike(vm, fate, moment, SHORT)
        assert code in (6, 7) and found["state"] in ("partial", "pending"), said
        assert "memhp0-dimm" in said and "deadline" in said, said
    bring_back(vm)


def test_of_dimms_that_leave_those_gone_and_those_that_may_still_go_are_named(vm):
    """The machine stands still from when the first is released, before it hears of the others."""
    assert vm.memhp("plug", "384M", "--dimm", "128M", "--zone", "movable").returncode == 0

    def pause_after_the_first(_):
        wait_until(lambda: len(vm.devices()) == 2, what="the release of the first")
        pause(vm)

    relay = Relay(vm, lambda relay, *_: relay.seen.count("before qmp > device_del") == 2, pause_after_the_first)
    with standing_still(vm, pause):
        code, out, said = relay.run("--json", "unplug", "--all", timeout=4)
        left = [d["id"] for d in vm.devices()]
        assert code == 7 and json.loads(out)["state"] == "partial", said
        assert left == ["memhp1-dimm", "memhp2-dimm"]
        gone, pending = (re.findall(r"memhp\d-dimm", part) for part in said.split("are gone")[1].split("let go of"))
        assert pending == left and gone == ["memhp0-dimm"] and vm.backends() == ["memhp1-mem", "memhp2-mem"], said
    wait_until(lambda: not vm.devices(), what="the end of what was pending")
    assert vm.memhp("repair").returncode == 0


def test_a_monitor_that_is_frozen_is_not_waited_for_beyond_the_deadline(vm):
    with standing_still(vm, freeze):
        freeze(vm)
        found = vm.json("--timeout", "1", "plug", "128M", code=3)
        assert found["state"] == "unchanged" and "greet" in found["error"]["message"]
    assert not vm.devices()


# ---- the machine moves away


def migrate(vm):
    """Somebody moves the machine, which stands still for it: what it was is somewhere else then."""
    vm.monitor.execute("stop")
    vm.monitor.execute("migrate", uri="exec:cat >/dev/null")
    wait_until(lambda: vm.monitor.execute("query-status")["status"] == "postmigrate", what="the end of the migration")


def start_migration(vm):
    """Somebody begins to move the machine, which runs on meanwhile; that takes for ever."""
    vm.monitor.execute("migrate-set-parameters", max_bandwidth=4096)
    vm.monitor.execute("migrate", uri="exec:cat >/dev/null")
    wait_until(lambda: vm.monitor.execute("query-migrate")["status"] == "active", what="the migration")


def cancel_migration(vm):
    """He has thought better of it."""
    vm.monitor.execute("migrate_cancel")
    wait_until(lambda: vm.monitor.execute("query-migrate")["status"] == "cancelled", what="the end of the migration")


@pytest.mark.parametrize("moment", ["plug", "unplug"])
def test_a_machine_that_has_migrated_away_is_not_waited_for(boot, moment):
    vm = boot()
    vm.discard()
    code, found, said = strike(vm, migrate, moment, ("--timeout", "600"))
    assert code == 7 and found["state"] == "partial" and "has migrated away (postmigrate)" in said, said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"] and ("memhp0-dimm" in said or "memory" in said), said


def test_a_device_del_during_a_migration_is_undone_and_works_afterwards(vm):
    plugged(vm)
    before = vm.memory()

    code, found, said = struck(vm, start_migration, at_work(BEFORE), "unplug")
    cancel_migration(vm)
    assert code == 1 and found["state"] == "rolled-back" and "not allowed while migrating" in said, said
    assert vm.memory() == before and vm.memhp("unplug").returncode == 0


@pytest.mark.parametrize("when", [BEFORE, AFTER])
@pytest.mark.parametrize("count, command", [
    (2, ("plug", "256M", "--dimm", "128M")), (1, ("plug", "256M", "--virtio-mem")), (1, ("resize", "640M"))])
def test_a_migration_that_begins_between_object_add_and_device_add_leaves_no_backend(vm, command, count, when):
    """Behind the last object-add: one beside a migration that is being set up can lock up QEMU 7.2."""
    before = vm.state()
    relay = Relay(vm, lambda relay, *_: relay.seen.count(f"{when} qmp < object-add") == count,
                  lambda relay: start_migration(vm))
    code, out, said = relay.run("--json", *command)
    assert relay.has_struck and vm.devices() == [] and vm.backends() == [], said
    cancel_migration(vm)
    assert code == 1 and json.loads(out)["state"] == "rolled-back" and "not allowed while migrating" in said, said
    assert vm.state() == before


def test_a_plug_that_cannot_be_undone_during_a_migration_is_named(vm):
    before = vm.state()
    vm.inject("MEM_GOING_ONLINE", -12)
    relay = Relay(vm, at("guest > swift", BEFORE), lambda relay: start_migration(vm))
    code, out, said = relay.run("--json", "plug", "256M")
    vm.inject("MEM_GOING_ONLINE", 0)
    cancel_migration(vm)
    assert code == 7 and json.loads(out)["state"] == "partial", said
    assert "'memhp0-dimm' may still be plugged" in said and "not allowed while migrating" in said, said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"] and vm.backends() == ["memhp0-mem"]
    assert vm.memhp("repair", "--back").returncode == 0 and vm.state() == before


def test_a_migration_that_is_cancelled_while_blocks_go_offline_costs_nothing(vm):
    before = vm.state()
    plugged(vm)

    def begin_and_cancel(_):
        start_migration(vm)
        cancel_migration(vm)

    relay = Relay(vm, at("guest > ease", AFTER), begin_and_cancel)
    code, _, said = relay.run("unplug")
    assert relay.has_struck and code == 0, said
    assert vm.state() == before


# ---- the machine has yet to come


@pytest.fixture
def incoming(tmp_path):
    """The second monitor of a QEMU that waits for a machine, with one DIMM from its start; the first is for memhp."""
    paths = [tmp_path / name for name in ("qmp", "qmp2", "serial")]
    first, second, serial = (f"unix:{path},server=on,wait=off" for path in paths)
    with subprocess.Popen(["qemu-system-x86_64", "-M", "q35", "-m", "512M,slots=4,maxmem=2G", "-display", "none",
                           "-nodefaults", "-qmp", first, "-qmp", second, "-serial", serial, "-incoming", "defer",
                           "-object", "memory-backend-ram,id=d0-mem,size=128M",
                           "-device", "pc-dimm,id=d0-dimm,memdev=d0-mem"]) as qemu:
        try:
            wait_until(paths[2].exists, what="QEMU")
            with Qmp(paths[1]) as monitor:
                yield monitor
        finally:
            qemu.kill()


@pytest.mark.parametrize("command", [
    ("plug", "128M"), ("plug", "128M", "--virtio-mem"), ("unplug", "d0"), ("resize", "1G"), ("online", "all"),
    ("offline", "32"), ("blocks",), ("repair",)], ids=" ".join)
def test_a_machine_that_waits_for_a_migration_is_named_and_left_alone(incoming, tmp_path, command):
    def look():
        return [incoming.execute(query) for query in ("query-memory-devices", "query-status", "query-memdev")]

    before = look()
    result = run_memhp("--json", "--qmp", tmp_path / "qmp", *command)
    found = json.loads(result.stdout)
    assert result.returncode == 1 and found["state"] == "unchanged", result
    assert "the VM waits for a migration to come in (inmigrate)" in found["error"]["message"]
    assert "come in" in found["error"]["hint"] and "cont" not in found["error"]["hint"]
    assert look() == before


def test_a_machine_that_waits_for_a_migration_can_be_looked_at(incoming, tmp_path):
    for command in ("list", "status"):
        assert run_memhp("--qmp", tmp_path / "qmp", command).returncode == 0
    assert incoming.execute("query-status")["status"] == "inmigrate"


# ---- a real ssh


@pytest.fixture
def ssh_env(vm, tmp_path):
    """ssh_env(OPTION...): an environment in which "ssh" knows the machine as "lab", with more options."""
    def make(*options):
        wrapper = tmp_path / "ssh"
        wrapper.write_text(f"#!/bin/sh\nexec /usr/bin/ssh {' '.join(options)} -F '{vm.path('ssh_config')}' \"$@\"\n",
                           encoding="ascii")
        wrapper.chmod(0o755)
        return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "MEMHP_GUEST": "ssh:lab"}

    return make


@pytest.mark.parametrize("policy", ["yes", "ask"])
def test_a_host_key_that_nobody_has_accepted_is_refused_with_a_way_out(vm, ssh_env, policy):
    env = ssh_env("-oUserKnownHostsFile=/dev/null", "-oGlobalKnownHostsFile=/dev/null",
                  f"-oStrictHostKeyChecking={policy}")
    error = vm.json("plug", "128M", code=4, env=env)["error"]
    assert "Host key verification failed" in error["message"] and "ssh lab" in error["hint"]
    assert not vm.devices() and not vm.backends()


def end_sessions(vm):
    """The guest's ssh server loses its connections, but goes on."""
    vm.guest("for p in /proc/[0-9]*; do read -r pid name _ parent _ <$p/stat || continue; "
             "[ \"$name\" != '(dropbear)' ] || [ \"$parent\" = 1 ] || kill -9 \"$pid\"; done 2>/dev/null", check=False)


def test_an_ssh_that_is_killed_at_work_leaves_the_blocks_as_memhp_says(vm, ssh_env):
    plugged(vm)
    pin(vm)
    process = vm.start_memhp("--json", "offline", "32-39", env=ssh_env())
    wait_until(lambda: is_stuck(vm))
    end_sessions(vm)
    out, err = end_process(process)
    code, found, said = check_said(process.returncode, out, err)
    online = [n for n, block in vm.blocks().items() if n >= 32 and block.state == "online"]
    assert code != 0 and "ssh connection to 'lab'" in said, said
    assert found["state"] == "partial" or len(online) == 8, said
    unpin(vm)
    bring_back(vm)
