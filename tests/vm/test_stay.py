# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp unplug --keep-going: what can be taken is, what cannot stays as it was and is named with its reason. And a
DIMM that was half online is finished in the zone that it has begun in."""
import pytest
from report import done, fail
from stuck import pin, plug_half_kernel, unpin
from truth import ids, settled
from vm import BLOCK, MIB


def plug(vm, *names):
    for name in names:
        done(vm.memhp("plug", "256M", "--name", name, "--zone", "movable"))


def partly(vm, *words):
    """An unplug that is partly done: its JSON."""
    result = vm.json("unplug", "--keep-going", *words, code=7)
    assert (result["ok"], result["state"], result["error"]["code"]) == (False, "partial", "partial"), result
    return result


def stays(result):
    return {s["id"]: s["reason"] for s in result["staying"]}


def check_partly(vm, words, before):
    """Of three DIMMs the kernel's stays as it was, and is named; the two others go."""
    result = partly(vm, *words)
    assert ids(vm) == ["memhp0-dimm"] and vm.backends() == ["memhp0-mem"]
    assert vm.blocks() == {n: block for n, block in before.items() if n < 36}
    assert sorted(d["id"] for d in result["devices"]) == ["a-dimm", "b-dimm"]
    assert list(stays(result)) == ["memhp0-dimm"] and "memory32" in stays(result)["memhp0-dimm"], result
    message = result["error"]["message"]
    assert "2 of 3 are unplugged" in message and "'memhp0-dimm' is not: the guest cannot take 'memory32'" in message


def test_one_dimm_that_the_kernel_sits_in_stays_and_the_others_go(vm):
    """memory32 is the kernel's, memory33-memory35 of the same DIMM come back into their zones."""
    plug_half_kernel(vm)
    alone = settled(vm)
    for words in (["--all"], ["memhp0"], ["512M"]):  # when all stay nothing has changed
        result = vm.json("unplug", "--keep-going", *words, code=5)
        assert "memory32" in result["error"]["message"] and result["state"] in ("rolled-back", "unchanged"), result
        assert list(stays(result)) == ["memhp0-dimm"] and result["devices"] == []
        assert settled(vm) == alone
    for words in (["--all"], ["a", "memhp0", "b"], ["memhp0", "a", "b"], ["512M", "memhp0"], ["1G"]):
        plug(vm, "a", "b")
        before = vm.blocks()
        fail(vm, 5, "unplug", *(words if words[0] == "--all" else ["a", "memhp0"]))  # without --keep-going none goes
        assert ids(vm) == ["a-dimm", "b-dimm", "memhp0-dimm"]
        check_partly(vm, words, before)


def test_names_of_nothing_and_sizes_that_cannot_be_had_are_named(vm):
    plug(vm, "a", "b")
    result = partly(vm, "nosuch", "a")
    assert stays(result) == {"nosuch": "no memory device 'nosuch'"} and ids(vm) == ["b-dimm"]
    result = partly(vm, "1G")
    assert stays(result) == {"1G": "no hotplugged DIMMs add up to 1G"} and ids(vm) == []
    assert "no memory device" in vm.json("unplug", "--keep-going", "nosuch", code=1)["error"]["message"]


def test_a_guest_without_room_for_all_gives_up_what_it_can(vm):
    plug(vm, "a", "b", "c")
    vm.guest("mkdir /tmp/full && mount -t tmpfs -o size=90% none /tmp/full && "
             "dd if=/dev/zero of=/tmp/full/hoard bs=1M count=450 2>/dev/null")
    assert "uses that memory" in fail(vm, 5, "unplug", "--all", states=("unchanged",))["message"]
    result = partly(vm, "--all")
    assert result["staying"] and all("uses that memory" in reason for reason in stays(result).values()), result
    assert ids(vm) == sorted(stays(result))
    vm.guest("umount /tmp/full && rmdir /tmp/full")
    done(vm.memhp("unplug", "--all"))


def test_one_that_hangs_does_not_take_the_time_of_the_others(vm):
    """Its pages cannot be moved: without a limit the kernel tries for ever. It has the newest name, so that a size
    means it first."""
    done(vm.memhp("plug", "256M", "--zone", "movable"))
    pin(vm)
    plug(vm, "b", "c")
    result = vm.json("--timeout", "20", "unplug", "--keep-going", "256M")
    assert [d["id"] for d in result["devices"]] == ["c-dimm"] and ids(vm) == ["b-dimm", "memhp0-dimm"]
    assert "its share of the time passed; it is held by a file" in stays(result)["memhp0-dimm"], result
    result = partly(vm, "--timeout", "20", "--all")
    assert ids(vm) == ["memhp0-dimm"] and vm.zones(32, 33) == ["Movable"] * 2
    assert "its share of the time passed; it is held by a file" in stays(result)["memhp0-dimm"], result
    unpin(vm)
    done(vm.memhp("unplug", "--all"))


def test_a_plan_shows_what_would_be_tried(vm):
    plug(vm, "a")
    before = settled(vm)
    plan = vm.json("--dry-run", "unplug", "--keep-going", "a", "nosuch")
    assert [line["qmp"]["arguments"]["id"] for line in plan["plan"] if "qmp" in line] == ["a-dimm", "a-mem"]
    assert settled(vm) == before
    done(vm.memhp("unplug", "--keep-going"))


# ---- zones


@pytest.fixture
def dimms(vm):
    """dimms(name): a DIMM of 256 MiB, all offline; the first of its blocks. One after the other: they stay."""
    count = 0

    def plug_offline(name):
        nonlocal count
        done(vm.memhp("plug", "256M", "--name", name, "--no-online"))
        count += 2
        return 30 + count

    yield plug_offline
    vm.discard()  # what is in the kernel's zone


def test_a_dimm_is_finished_in_the_zone_that_it_has_begun_in(vm, dimms):
    """As a plug leaves it that was killed behind its first block; unless another zone is asked for."""
    for i, command in enumerate((["repair"], ["repair", "--forward"], ["online", "d{}"], ["online", "all"],
                                 ["online", "128M"], ["online", "{}"])):
        for zone, shown in (("kernel", "Normal"), ("movable", "Movable")):
            first = dimms(f"d{zone}{i}")
            done(vm.memhp("online", first, "--zone", zone))
            done(vm.memhp(*(word.replace("d{}", f"d{zone}{i}").replace("{}", str(first + 1)) for word in command)))
            assert vm.zones(first, first + 1) == [shown] * 2, command
    first = dimms("other")
    done(vm.memhp("online", first, "--zone", "kernel"))
    done(vm.memhp("online", first + 1, "--zone", "movable"))
    assert vm.zones(first, first + 1) == ["Normal", "Movable"]


def test_of_two_dimms_each_is_finished_in_its_own(vm, dimms):
    a, b = dimms("a"), dimms("b")
    done(vm.memhp("online", a, "--zone", "kernel"))
    done(vm.memhp("online", b, "--zone", "movable"))
    done(vm.memhp("repair"))
    assert vm.zones(a, a + 1, b, b + 1) == ["Normal", "Normal", "Movable", "Movable"]
    # of one that lies in several it is said
    done(vm.memhp("plug", "512M", "--name", "c", "--no-online"))
    done(vm.memhp("online", "36", "--zone", "kernel"))
    done(vm.memhp("online", "37", "--zone", "movable"))
    assert "in several zones: c-dimm\n" in done(vm.memhp("repair"))
    assert vm.zones(36, 37, 38, 39) == ["Normal", "Movable", "Movable", "Movable"]


def test_a_plug_that_was_killed_is_repaired_in_its_zone(vm):
    process = vm.catch_memhp("guest < blocks 32 35 online", "plug", "512M", "--zone", "kernel")
    process.kill()
    process.communicate()
    vm.guest("for b in 33 34 35; do echo offline >/sys/devices/system/memory/memory$b/state; done", check=False)
    offline = vm.zones(33, 34, 35).count("offline")
    assert offline and vm.zones(32) == ["Normal"]
    done(vm.memhp("repair"))
    assert vm.zones(32, 33, 34, 35) == ["Normal"] * 4
    vm.discard()


# ---- virtio-mem


def test_blocks_that_a_kernel_zone_refuses_are_told_and_come_in_no_other(boot):
    vm = boot(["-object", "memory-backend-ram,id=vmem0,size=2G",
               "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0"])
    before = vm.blocks()
    vm.inject("MEM_GOING_ONLINE", -12)
    result = vm.json("--timeout", "20", "resize", "1G", "--zone", "kernel", code=5)
    vm.inject("MEM_GOING_ONLINE", 0)
    assert "Cannot allocate memory" in result["error"]["message"] and "memory32" in result["error"]["message"], result
    assert result["state"] == "rolled-back" and vm.blocks() == before
    done(vm.memhp("resize", "1G", "--zone", "kernel"))
    assert {block.zones[0] for n, block in vm.blocks().items() if n >= 32} == {"Normal"}
    assert sum(n >= 32 for n in vm.blocks()) * BLOCK == 512 * MIB
    vm.discard()
