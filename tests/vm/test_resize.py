# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp resize on machines that have DIMMs only: so much memory in all, proved by QEMU and by the guest."""
import pytest
from lasting import patient
from plan import sent_to_guest
from report import changes, done, refused, trace
from truth import ids, total
from vm import BLOCK, FIRST, GIB, MIB

EBUSY = -16


def test_resize_up_and_down_ends_with_the_total_asked_for(vm):
    base = vm.mem_total()
    for size, mib in (("2G", 2048), ("+512M", 2560), ("-1G", 1536), ("1.75G", 1792), ("640MiB", 640),
                      ("536870912B", 512)):
        done(vm.memhp("resize", size, "--zone", "movable"))
        assert total(vm) == mib * MIB
        assert vm.mem_total() == base + (mib - 512) * MIB
    assert vm.devices() == [] and vm.backends() == []


def test_memory_is_added_in_pieces_and_the_newest_that_fit_best_leave_first(vm):
    done(vm.memhp("resize", "2G", "--zone", "movable"))
    sizes = [d["size"] for d in vm.devices()]
    assert sum(sizes) == 1536 * MIB and 2 <= len(sizes) <= 8
    done(vm.memhp("plug", "256M", "--zone", "movable", "--name", "cache"))
    done(vm.memhp("plug", "128M", "--zone", "movable"))
    newest = ids(vm)[-1]
    done(vm.memhp("resize", "-128M"))
    assert newest not in ids(vm) and "cache-dimm" in ids(vm)
    assert total(vm) == 2 * GIB + 256 * MIB
    done(vm.memhp("resize", "512M"))
    assert ids(vm) == []


@pytest.mark.parametrize("size", ["1G", "512M"])
def test_a_vm_that_has_as_much_already_is_only_asked(vm, size):
    if size == "1G":
        done(vm.memhp("plug", "512M"))
    for word in (size, "1G" if size == "1G" else "0.5G"):
        result = vm.memhp("--verbose", "resize", word)
        assert "nothing to do" in done(result)
        assert changes(result.stderr) == []
        assert trace(result.stderr, "guest", ">") == ["scan"]
        assert vm.json("resize", word)["plugged"] == []
    if size == "1G":
        done(vm.memhp("unplug"))


def test_the_plan_is_what_is_sent(vm):
    for size in ("1664M", "896M"):
        before = vm.state()
        command = ["resize", size, "--zone", "movable"]
        plan = vm.json("--dry-run", *command)["plan"]
        text = done(vm.memhp("--dry-run", *command))
        assert vm.state() == before
        result = vm.memhp("--verbose", *command)
        done(result)
        assert [line["qmp"] for line in plan if "qmp" in line] == changes(result.stderr)
        steps = [line["guest"] for line in plan if "guest" in line]
        assert steps == sent_to_guest(result.stderr)
        assert all(d["id"] in text for d in vm.devices() if size == "1664M")
    done(vm.memhp("resize", "512M"))


def test_json_of_resize_has_the_documented_fields(vm):
    before = vm.mem_total()
    up = vm.json("resize", "1G", "--dimm", "256M")
    assert (up["total_before"], up["target"], up["total_after"]) == (512 * MIB, GIB, GIB)
    assert [d["size"] for d in up["plugged"]] == [256 * MIB] * 2
    assert up["plugged"][0]["blocks"] == [{
        "first": 32, "last": 33, "state": "online", "zone": "Movable", "node": 0, "removable": True}]
    assert up["unplugged"] == up["resized"] == []
    assert up["guest"] == {"block_size": BLOCK, "mem_total_before": before,
                           "mem_total_after": before + 512 * MIB}
    assert {"connect", "look", "attach", "online", "verify"} <= set(up["phases_ms"])
    down = vm.json("resize", "512M")
    assert [d["id"] for d in down["unplugged"]] == ["memhp1-dimm", "memhp0-dimm"]
    assert down["plugged"] == down["resized"] == []
    assert (down["total_after"], down["guest"]["mem_total_after"]) == (512 * MIB, before)


@pytest.mark.parametrize("word,words,hint", [
    ("+100M", "pieces of 128 MiB", "640 MiB can be reached"),
    ("700M", "pieces of 128 MiB", "640 MiB and 768 MiB can be reached"),
    ("256M", "does not add up to 256 MiB", "booted with stays"),
    ("9G", "7.5 GiB left below maxmem", "maxmem"),
    ("-1G", "there is 512 MiB", None),
    ("-512M", "there is 512 MiB", None),
])
def test_what_cannot_be_reached_is_refused_before_anything_is_sent(vm, word, words, hint):
    before = vm.state()
    message, said = refused(vm, 1, "resize", word)
    assert message.startswith(f"cannot resize to '{word}'") and words in message
    assert hint is None or hint in said
    assert changes(vm.memhp("--verbose", "resize", word).stderr) == []
    assert vm.state() == before


def test_a_total_between_those_that_dimms_can_make_is_refused_with_both(vm):
    done(vm.memhp("plug", "512M"))
    done(vm.memhp("plug", "256M"))
    before = vm.state()
    for word, hint in (("640M", "512 MiB and 768 MiB"), ("896M", "768 MiB and 1 GiB"),
                       ("1152M", "1 GiB can"), ("384M", "512 MiB can")):
        message, said = refused(vm, 1, "resize", word)
        assert "does not add up to" in message and hint in said
    assert vm.state() == before
    done(vm.memhp("resize", "768M"))
    assert ids(vm) == ["memhp1-dimm"]
    done(vm.memhp("resize", "512M"))


@pytest.mark.parametrize("words", [
    ["8"], ["0G"], ["+0M"], ["-0M"], ["++1G"], ["--1G"], ["+-1G"], ["-1"], ["1.2.3G"], ["99999999E"], [""], [],
    ["1G", "2G"], ["1G", "--dimm", "0"], ["1G", "--node", "-1"], ["1G", "--node", "4294967296"],
])
def test_a_total_that_is_none_is_bad_usage(vm, words):
    refused(vm, 2, "resize", *words)


def test_the_size_of_each_dimm_can_be_given(vm):
    message, hint = refused(vm, 1, "resize", "896M", "--dimm", "256M")
    assert "pieces of 256 MiB" in message and "768 MiB and 1 GiB can be reached" in hint
    message, _ = refused(vm, 1, "resize", "1P", "--dimm", "128M")
    assert "more than 1024 DIMMs" in message
    done(vm.memhp("resize", "--dimm", "256M", "+768M"))
    assert [d["size"] for d in vm.devices()] == [256 * MIB] * 3
    done(vm.memhp("resize", "-768M"))


def test_few_slots_are_not_used_up_at_once(boot):
    vm = boot(slots="2")
    done(vm.memhp("resize", "1408M"))
    assert [d["size"] for d in vm.devices()] == [896 * MIB]
    done(vm.memhp("resize", "+128M"))
    assert len(vm.devices()) == 2
    message, _ = refused(vm, 1, "resize", "+128M")
    assert "no free slot (2 of 2 used)" in message
    done(vm.memhp("resize", "512M"))


def test_what_is_added_goes_to_the_zone_asked_for(vm):
    done(vm.memhp("resize", "1G", "--zone", "kernel", "--dimm", "512M"))
    assert vm.zones(32, 33, 34, 35) == ["Normal"] * 4
    done(vm.memhp("resize", "2G", "--zone", "movable"))
    assert vm.zones(*range(36, 44)) == ["Movable"] * 8
    plan = vm.json("--dry-run", "resize", "1G")["plan"]
    assert "memhp0" not in str(plan)  # what is in the kernel's zone stays
    vm.discard()


def test_memory_in_use_is_not_taken(vm):
    done(vm.memhp("resize", "1G", "--zone", "movable"))
    vm.guest("mount -o remount,size=700m /tmp; dd if=/dev/zero of=/tmp/file bs=1M count=500")
    before = vm.state()
    message, hint = refused(vm, 5, "resize", "512M")
    assert "uses that memory" in message and "--force" in hint
    assert vm.state() == before
    vm.guest("rm /tmp/file")
    done(vm.memhp("resize", "512M"))


def test_a_resize_that_the_guest_refuses_is_undone_and_says_what_there_is(vm):
    done(vm.memhp("resize", "1G", "--zone", "movable"))
    before = vm.state()
    vm.inject("MEM_GOING_OFFLINE", EBUSY)
    result = vm.json("resize", "512M", code=5)
    assert result["state"] == "rolled-back" and result["error"]["code"] == "guest-refused"
    assert (result["total_before"], result["target"], result["total_after"]) == (GIB, 512 * MIB, GIB)
    assert vm.state() == before
    vm.inject("MEM_GOING_OFFLINE", 0)
    vm.inject("MEM_GOING_ONLINE", -12)
    result = vm.json("resize", "2G", code=5)
    assert (result["state"], result["total_after"]) == ("rolled-back", GIB)
    assert vm.state() == before
    vm.inject("MEM_GOING_ONLINE", 0)
    done(vm.memhp("resize", "512M"))


def test_without_a_guest_the_hosts_half_is_resized(vm):
    done(vm.memhp("--guest", "none", "resize", "1G"))
    assert total(vm) == GIB
    assert vm.json("--guest", "none", "resize", "1G")["guest"] is None
    done(vm.memhp("resize", "512M"))


def test_a_small_guest_grows_to_64_gib(boot):
    vm = boot(slots="256", maxmem="80G")
    before = vm.mem_total()
    done(patient(vm, "resize", "64G"))
    assert total(vm) == 64 * GIB
    memory = vm.memory()
    assert memory.total == before + 64 * GIB - 512 * MIB
    added = (64 * GIB - 512 * MIB) // BLOCK
    assert all(memory.blocks[n].state == "online" for n in range(FIRST, FIRST + added))
    vm.discard()
