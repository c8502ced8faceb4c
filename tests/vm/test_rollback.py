# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guest refuses is undone, whole or block by block."""
import os

import pytest
from guest_console import check_console
from report import done, fail
from stuck import FILL_KERNEL_MEMORY, plug_half_kernel
from truth import settled
from vm import GIB, MIB, wait_until

ENOMEM, EBUSY = -12, -16


@pytest.fixture
def refusing(vm):
    """refusing(action, errno): the guest's kernel refuses until the test ends."""
    yield vm.inject
    if vm.monitor.execute("query-status")["running"] and not vm.is_discarded:
        vm.inject("MEM_GOING_ONLINE", 0)
        vm.inject("MEM_GOING_OFFLINE", 0)


# ---- the guest's kernel says no


def test_a_plug_that_the_guest_refuses_to_bring_online_leaves_nothing(vm, refusing):
    before = settled(vm)
    refusing("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "plug", "512M")
    assert error["code"] == "guest-refused"
    assert "memory32" in error["message"] and "Cannot allocate memory" in error["message"]
    assert settled(vm) == before
    refusing("MEM_GOING_ONLINE", 0)
    done(vm.memhp("plug", "512M"))
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("errno,words", [(EBUSY, "busy"), (-1, "not permitted"), (-22, "Invalid argument")])
def test_the_reason_of_the_kernel_is_told_in_words(vm, refusing, errno, words):
    refusing("MEM_GOING_ONLINE", errno)
    result = vm.memhp("plug", "128M")
    assert result.returncode == 5 and words in result.stderr, result
    assert result.stderr.count("\n") <= 2
    assert vm.devices() == [] and vm.backends() == []


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_reason_of_the_kernel_is_told_under_every_shell(boot, shell):
    vm = boot(shell=shell)
    done(vm.memhp("plug", "256M"))
    before = vm.state()
    vm.inject("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert "memory33" in error["message"] and "busy" in error["message"]
    assert vm.state() == before
    vm.inject("MEM_GOING_OFFLINE", 0)
    vm.inject("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "plug", "128M")
    assert "memory34" in error["message"] and "Cannot allocate memory" in error["message"]
    assert vm.state() == before
    vm.inject("MEM_GOING_ONLINE", 0)
    done(vm.memhp("unplug"))


def test_an_online_that_fails_half_way_is_undone_but_leaves_what_was_online(vm, refusing):
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "33", "--zone", "movable"))
    before = settled(vm)
    refusing("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "online", "33-35")
    assert "memory34" in error["message"]
    assert settled(vm) == before
    done(vm.memhp("unplug"))


def test_an_unplug_that_the_guest_refuses_leaves_all_as_it_was(vm, refusing):
    done(vm.memhp("plug", "512M"))
    before = settled(vm)
    refusing("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert error["code"] == "guest-refused"
    assert "memory35" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    refusing("MEM_GOING_OFFLINE", 0)
    done(vm.memhp("unplug"))


def test_blocks_that_were_offline_before_a_refused_unplug_stay_offline(vm, refusing):
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "32", "--zone", "kernel"))
    done(vm.memhp("online", "34", "--zone", "movable"))
    assert vm.zones(32, 33, 34, 35) == ["Normal", "offline", "Movable", "offline"]
    refusing("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert "memory34" in error["message"]
    assert vm.zones(32, 33, 34, 35) == ["Normal", "offline", "Movable", "offline"]
    vm.discard()


def test_an_eject_that_the_guest_refuses_is_told_in_words(vm, refusing):
    """Without a channel the guest's kernel takes the blocks offline itself when it is asked to eject."""
    done(vm.memhp("plug", "256M"))
    before = settled(vm)
    refusing("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "--guest", "none", "unplug", states=("unchanged", "rolled-back"))
    assert "memhp0-dimm" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    refusing("MEM_GOING_OFFLINE", 0)
    done(vm.memhp("unplug"))


# ---- memory that the kernel itself sits in


def test_unmovable_kernel_memory_is_refused_with_its_block_and_all_blocks_stay_online(vm):
    done(vm.memhp("plug", "512M", "--zone", "kernel"))
    vm.guest(FILL_KERNEL_MEMORY)
    before = settled(vm)
    error = fail(vm, 5, "unplug")
    assert error["code"] == "guest-refused" and "busy" in error["message"]
    assert any(f"memory{n}" in error["message"] for n in range(32, 36))
    assert error["hint"]
    assert settled(vm) == before
    vm.discard()


def test_blocks_already_offline_come_back_into_their_zones_when_a_later_one_is_refused(vm):
    plug_half_kernel(vm)
    before = settled(vm)
    error = fail(vm, 5, "unplug")
    assert "memory32" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    check_console(vm)


def test_offline_undoes_what_it_did_when_a_later_block_is_refused(vm):
    plug_half_kernel(vm)
    before = settled(vm)
    error = fail(vm, 5, "offline", "32-35")
    assert "memory32" in error["message"]
    assert settled(vm) == before


def test_one_dimm_that_is_refused_keeps_all_dimms_of_the_command(vm):
    plug_half_kernel(vm)
    done(vm.memhp("plug", "256M", "--name", "other", "--zone", "movable"))
    before = settled(vm)
    for words in (["memhp0", "other"], ["other", "memhp0"], ["--all"]):
        error = fail(vm, 5, "unplug", *words)
        assert "memory32" in error["message"]
        assert settled(vm) == before
    done(vm.memhp("unplug", "other"))


# ---- guests that bring new memory online by themselves


@pytest.mark.parametrize("zone,shown", [("movable", "Movable"), ("kernel", "Normal")])
@pytest.mark.parametrize("options", [
    {"append": "memhp_default_state=online"},
    {"append": "memhp_default_state=online_kernel"},
    {"append": "memhp_default_state=online_movable"},
    {"append": "memhp_default_state=online memory_hotplug.online_policy=auto-movable"},
    {"kernel": "6.12"},
], ids=["online", "online_kernel", "online_movable", "auto-movable", "6.12"])
def test_a_guest_that_brings_memory_online_itself_ends_in_the_zone_asked_for(boot, options, zone, shown):
    vm = boot(**options)
    policy = "cat /sys/devices/system/memory/auto_online_blocks"
    before, auto = vm.mem_total(), vm.guest(policy)
    done(vm.memhp("plug", "512M", "--zone", zone))
    assert vm.zones(32, 33, 34, 35) == [shown] * 4
    assert vm.mem_total() == before + 512 * MIB
    assert vm.guest(policy) == auto
    if zone == "movable":
        done(vm.memhp("unplug"))
        assert vm.mem_total() == before
    else:
        vm.discard()


def test_no_online_on_a_guest_that_brings_memory_online_itself_shows_what_is(boot):
    vm = boot(append="memhp_default_state=online_movable")
    result = vm.json("plug", "256M", "--no-online")
    wait_until(lambda: vm.zones(32, 33) == ["Movable", "Movable"])
    assert result["devices"][0]["blocks"][0]["state"] in ("online", "offline")
    listed = vm.json("list")["devices"][0]["blocks"]
    assert [(b["first"], b["last"], b["state"], b["zone"]) for b in listed] == [
        (32, 33, "online", "Movable")]
    done(vm.memhp("unplug"))


def test_a_refused_unplug_on_a_newer_kernel_leaves_all_as_it_was(boot):
    vm = boot(kernel="6.12")
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    before = settled(vm)
    vm.inject("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert "memory35" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    vm.inject("MEM_GOING_OFFLINE", 0)
    done(vm.memhp("unplug"))
    assert vm.devices() == []


def test_a_large_dimm_is_undone_whole(vm, refusing):
    """Most of 7 GiB goes through before nothing does: all 56 blocks leave again."""
    before = settled(vm)
    refusing("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "plug", "7G")
    assert "memory32" in error["message"]
    assert settled(vm) == before
    assert vm.monitor.execute("query-memory-size-summary")["plugged-memory"] == 0
    assert 7 * GIB > vm.mem_total() and os.path.exists(vm.path("qmp.sock"))
