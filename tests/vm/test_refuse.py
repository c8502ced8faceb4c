# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one clear line, the right exit code, nothing changed, QEMU alive."""
import json

import pytest
from refusal import UNDONE, check_lines, check_refused
from vm import BLOCK, GIB, MIB, connect


# ---- sizes, limits, slots, nodes, addresses, names


@pytest.mark.parametrize("size", ["0", "-1", "512", "1.3M", "99999999T", "abc", "", "M", "-512M", "+512M",
                                  "512X", "512 M", "0M", "1e3M", "0x10M", "16777216T", "512M,slot=1"])
def test_a_size_that_is_none_is_bad_usage(vm, size):
    found = check_refused(vm, ["plug", "--", size], 2, f"'{size}'")
    assert found["error"]["code"] == "usage" and found["error"]["hint"]


@pytest.mark.parametrize("size", ["-1", "-512M"])
def test_a_size_with_a_minus_is_never_plugged(vm, size):
    check_refused(vm, ["plug", size], 2, f"'{size}'" if size == "-1" else "")


@pytest.mark.parametrize("size,next_sizes", [
    ("130M", ["128 MiB", "256 MiB"]), ("300M", ["256 MiB", "384 MiB"]), ("1M", ["128 MiB"]),
    ("192M", ["128 MiB", "256 MiB"]), ("1B", ["128 MiB"]), ("536870913B", ["512 MiB", "640 MiB"])])
def test_a_size_that_is_no_multiple_of_the_block_size_is_refused_with_the_next_ones(vm, size, next_sizes):
    found = check_refused(vm, ["plug", size], 1, "multiple", "block size", "128 MiB")
    assert all(n in found["error"]["hint"] for n in next_sizes)


@pytest.mark.parametrize("size", ["8G", "7808M", "1T"])
def test_more_than_maxmem_is_refused_with_what_is_left(vm, size):
    # 512 MiB of 8 GiB are there from the start.
    check_refused(vm, ["plug", size, "--force"], 1, "maxmem", "7.5 GiB", "8 GiB")


def test_plugged_memory_counts_towards_maxmem(boot):
    vm = boot(maxmem="1G")
    before = vm.state()
    assert vm.memhp("plug", "384M").returncode == 0
    check_refused(vm, ["plug", "256M"], 1, "128 MiB left", "maxmem")
    assert vm.memhp("plug", "128M").returncode == 0
    check_refused(vm, ["plug", "128M"], 1, "maxmem")
    assert vm.memhp("unplug", "--all").returncode == 0
    assert vm.state() == before


def test_no_slot_left_is_refused_and_leaves_no_backend(boot):
    vm = boot(slots="2")
    for _ in range(2):
        assert vm.memhp("plug", "128M").returncode == 0
    check_refused(vm, ["plug", "128M"], 1, "no free slot", "2 of 2")
    assert vm.backends() == ["memhp0-mem", "memhp1-mem"]
    assert vm.memhp("unplug", "--all").returncode == 0


def test_a_slot_in_use_is_refused_with_its_owner(vm):
    assert vm.memhp("plug", "128M", "--slot", "5").returncode == 0
    check_refused(vm, ["plug", "128M", "--slot", "5"], 1, "slot 5", "memhp0-dimm")
    assert vm.memhp("unplug").returncode == 0


@pytest.mark.parametrize("slot", ["32", "255", "4294967296", "18446744073709551615"])
def test_a_slot_that_the_vm_does_not_have_is_refused(vm, slot):
    check_refused(vm, ["plug", "128M", "--slot", slot], 1, f"slot {slot}", "0 to 31")


@pytest.mark.parametrize("node", ["1", "128", "4294967295"])
def test_a_node_that_the_vm_does_not_have_is_refused(vm, node):
    check_refused(vm, ["plug", "128M", "--node", node], 1, "node", node, states=UNDONE)


@pytest.mark.parametrize("address,words", [
    ("0x100000001", ["address", "block size"]),
    ("0x104000000", ["address", "block size"]),  # a multiple of 64 MiB
    ("0x8000000", ["0x8000000"]),  # below 4 GiB
    ("0x10000000000", []),  # above all that maxmem allows
    ("0xfffffffff8000000", []),
])
def test_an_address_that_cannot_be_is_refused(vm, address, words):
    check_refused(vm, ["plug", "128M", "--addr", address], 1, *words, states=UNDONE)


def test_an_address_in_use_is_refused(vm):
    assert vm.memhp("plug", "256M", "--addr", "0x100000000").returncode == 0
    check_refused(vm, ["plug", "128M", "--addr", "0x108000000"], 1, states=UNDONE)
    assert vm.backends() == ["memhp0-mem"]
    assert vm.memhp("unplug").returncode == 0


@pytest.mark.parametrize("option", ["--slot", "--node", "--addr"])
@pytest.mark.parametrize("value", ["abc", "", "-1", "1x", "99999999999999999999999"])
def test_a_number_that_is_none_is_bad_usage(vm, option, value):
    check_refused(vm, ["plug", "128M", f"{option}={value}"], 2, f"'{value}'", option)


@pytest.mark.parametrize("name", ["1x", "", "a b", "a/b", "-x", ".x", "ä", "x,y", "x" * 200])
def test_a_name_that_qemu_forbids_is_bad_usage(vm, name):
    check_refused(vm, ["plug", "128M", f"--name={name}"], 2, "name")


def test_control_characters_do_not_reach_the_terminal(vm):
    for command in (["plug", "128M", "--name=a\033[2J\nb"], ["unplug", "a\033[2J\nb"], ["a\033[2J\nb"],
                    ["--guest=a\033[2J\nb", "list"], ["--qmp=/a\033[2J\nb", "list"]):
        result = vm.memhp(*command)
        assert result.returncode in (1, 2, 3)
        check_lines(result.stderr)
        assert "\033" not in result.stderr


def test_the_longest_name_and_all_allowed_characters_work(vm):
    name = "aZ9-._" + "x" * 50
    assert vm.memhp("plug", "128M", "--name", name).returncode == 0
    assert [d["id"] for d in vm.devices()] == [f"{name}-dimm"]
    assert vm.memhp("unplug", name).returncode == 0


def test_the_name_of_a_dimm_is_in_use(vm):
    assert vm.memhp("plug", "128M", "--name", "mine").returncode == 0
    check_refused(vm, ["plug", "128M", "--name", "mine"], 1, "'mine'", "in use")
    assert vm.memhp("unplug", "mine").returncode == 0


def test_the_name_of_an_orphan_backend_is_in_use_and_the_orphan_stays(vm):
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="mine-mem", size=128 * MIB)
    check_refused(vm, ["plug", "128M", "--name", "mine"], 1, "'mine'", "in use")
    assert vm.backends() == ["mine-mem"]
    vm.monitor.execute("object-del", id="mine-mem")


def test_the_default_name_avoids_what_is_there(vm):
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="memhp0-mem", size=128 * MIB)
    assert vm.memhp("plug", "128M").returncode == 0
    assert [d["memdev"] for d in vm.devices()] != ["/objects/memhp0-mem"]
    assert vm.memhp("unplug").returncode == 0
    vm.monitor.execute("object-del", id="memhp0-mem")


def test_a_name_of_another_kind_of_device_is_in_use(vm):
    """QEMU refuses the second device of an id, after it has taken the backend."""
    vm.monitor.execute("device_add", driver="virtio-rng-pci", id="net7-dimm", bus="rp0")
    check_refused(vm, ["plug", "128M", "--name", "net7"], 1, "net7", states=UNDONE)
    assert vm.backends() == []
    vm.discard()


# ---- machines that cannot


@pytest.mark.parametrize("options,words", [
    ({"slots": "0"}, ["slots"]),
    ({"machine": "microvm"}, ["hotplug"]),
    ({"machine": "isapc"}, ["slots"]),
], ids=["without slots", "microvm", "isapc"])
def test_a_machine_that_cannot_hotplug_is_refused(boot, options, words):
    vm = boot(**options)
    for command in (["plug", "128M"], ["--guest", "none", "plug", "128M"]):
        check_refused(vm, command, 1, *words, states=UNDONE)


def test_what_only_looks_works_on_a_machine_that_cannot_hotplug(boot):
    vm = boot(machine="microvm")
    assert vm.json("list")["devices"] == []
    assert vm.json("status")["guest"]["mem_total"] == vm.mem_total()
    assert vm.memhp("blocks").returncode == 0


# ---- unknown things


@pytest.mark.parametrize("command", [
    ["online", "memory32"], ["offline", "memory32"], ["online", "99999"], ["online", "0-99"],
    ["offline", "stick"], ["online", "memory"], ["online", "memory1x"], ["online", ""],
    ["offline", "3-1"], ["online", "18446744073709551616"], ["unplug", "stick"], ["unplug", ""],
    ["unplug", "memory0"], ["unplug"], ["unplug", "--all"], ["offline", "128M"], ["online", "128M"],
    ["online", "64M"],
], ids=" ".join)
def test_an_unknown_block_or_device_is_refused(vm, command):
    check_refused(vm, command, 1, "cannot")


def test_one_unknown_name_among_known_ones_stops_the_whole_command(vm):
    assert vm.memhp("plug", "256M", "--no-online").returncode == 0
    check_refused(vm, ["online", "memory32", "memory77"], 1, "memory77")
    check_refused(vm, ["unplug", "memhp0", "stick"], 1, "stick")
    assert vm.memhp("unplug").returncode == 0


@pytest.mark.parametrize("command,word", [
    (["frobnicate"], "frobnicate"), ([""], "''"), (["plug"], "SIZE"), (["plug", "128M", "128M"], "128M"),
    (["plug", "--frob", "128M"], "--frob"), (["--frob"], "--frob"), (["-x", "list"], "-x"),
    (["online"], "BLOCKS"), (["offline"], "BLOCKS"), (["list", "memory0"], "memory0"),
    (["plug", "128M", "--zone", "dma"], "dma"), (["plug", "128M", "--zone"], "--zone"),
    (["unplug", "--all", "memhp0"], "--all"), (["list", "--timeout", "soon"], "soon"),
    (["list", "--timeout", "-1"], "-1"), (["list", "--zone", "movable"], "--zone"),
    (["qmp", "query-status", "x"], "x"), (["qmp"], "COMMAND"),
    (["plug", "128M", "--no-online", "--zone", "movable"], "--no-online"),
], ids=lambda w: " ".join(w) if isinstance(w, list) else None)
def test_an_unknown_command_option_or_word_is_bad_usage(vm, command, word):
    check_refused(vm, command, 2, word)


@pytest.mark.parametrize("channel", ["foo:bar", "serial", "serial:", "ssh:", "exec:", "foo", "", "ssh:-oX=y"])
def test_a_guest_channel_that_is_none_is_bad_usage(vm, channel):
    check_refused(vm, [f"--guest={channel}", "plug", "128M"], 2, "guest channel")


# ---- room in the guest


def test_memory_that_the_guest_uses_is_not_taken_from_it(vm):
    """The check of free memory comes before anything is changed; --force skips it."""
    assert vm.memhp("plug", "512M", "--zone", "movable").returncode == 0
    vm.guest("mkdir -p /tmp/full && mount -t tmpfs -o size=90% none /tmp/full && "
             "dd if=/dev/zero of=/tmp/full/file bs=1M count=600 2>/dev/null")
    before = vm.blocks()
    result = vm.memhp("--json", "unplug")
    assert result.returncode == 5, result
    check_lines(result.stderr, ["512 MiB"])
    found = json.loads(result.stdout)
    assert found["state"] == "unchanged" and found["error"]["code"] == "guest-refused"
    assert "--force" in found["error"]["hint"]
    assert vm.blocks() == before and len(vm.devices()) == 1
    vm.guest("umount /tmp/full && rmdir /tmp/full")
    assert vm.memhp("unplug").returncode == 0


def test_a_guest_without_room_for_the_memory_map_is_not_given_more(boot):
    """64 bytes per page: 7.5 GiB need 120 MiB."""
    vm = boot()
    vm.guest("mkdir -p /tmp/full && mount -t tmpfs -o size=90% none /tmp/full && "
             "dd if=/dev/zero of=/tmp/full/file bs=1M count=280 2>/dev/null")
    found = check_refused_loosely(vm, ["plug", "7680M"], 5, "memory map")
    assert "--force" in found["error"]["hint"]
    vm.guest("umount /tmp/full && rmdir /tmp/full")


def check_refused_loosely(vm, command, code, *words):
    """As check_refused(), but once, and for a machine whose free memory changes."""
    result = vm.memhp("--json", *command)
    assert result.returncode == code, result
    check_lines(result.stderr, words)
    assert vm.devices() == [] and vm.backends() == []
    return json.loads(result.stdout)


def test_a_block_of_the_memory_at_boot_can_stay(vm):
    """Nothing forbids to try; whatever comes of it, it is told."""
    result = vm.memhp("--json", "offline", "memory0")
    assert result.returncode == 5, result
    check_lines(result.stderr, ["memory0"])
    assert vm.memory() == vm.at_boot["memory"]
    assert json.loads(result.stdout)["state"] in UNDONE


def test_the_refusals_leave_a_working_machine(vm):
    """Last: after all of the above the machine still does its job."""
    before = vm.mem_total()
    assert vm.memhp("plug", "512M").returncode == 0
    assert vm.mem_total() == before + 4 * BLOCK
    assert vm.memhp("unplug").returncode == 0
    connect(vm.path("qmp.sock")).close()
    assert vm.devices() == [] and vm.json("status")["qemu"]["max_memory"] == 8 * GIB
