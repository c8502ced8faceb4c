# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers whose numbers do not fit, or are so many that counting them one by one would take for ever."""
import json
import os

import pytest
from limits import limited
from peer import BASE, GIB, IS_SANITIZED, MIB, Liar, Monitor, Tree, Vm, reply

CPU_SECONDS = 60 if IS_SANITIZED else 10  # what any of these takes is far below a second


def bounded(*words, mebibytes=200):
    """memhp with what it may take for any numbers."""
    return limited(*words, mebibytes=mebibytes, seconds=CPU_SECONDS)


def host(path, *words):
    """The same with --json and without a guest."""
    return bounded("--qmp", path, "--guest", "none", "--json", *words)


def dimms(sizes, step=None):
    """query-memory-devices of DIMMs of those sizes, each at its own place."""
    return [{"type": "dimm", "data": {"id": f"d{n}-dimm", "memdev": f"/objects/d{n}-mem", "addr": BASE + n * (step or size),
                                      "size": size, "slot": n, "node": 0, "hotplugged": True, "hotpluggable": True}}
            for n, size in enumerate(sizes)]


def telling(path, devices, **more):
    """A monitor that tells of those devices."""
    on = {"query-memory-devices": [reply(devices)], **{name.replace("_", "-"): [reply(value)] for name, value in more.items()}}
    return Monitor(path, on=on)


# Sizes whose sum does not fit


HUGE = 1 << 61


@pytest.mark.parametrize("sizes", [[HUGE] * 100, [HUGE] * 8 + [128 * MIB], [1 << 60] * 16, [1 << 59] * 3, [(1 << 64) - 1],
                                   [1 << 60, 128 * MIB]],
                         ids=["100 x 2^61", "8 x 2^61 + 128M", "16 x 2^60", "3 x 2^59", "2^64-1", "2^60 + 128M"])
@pytest.mark.parametrize("words", [("-n", "unplug", "1G"), ("unplug", "128M"), ("-n", "unplug", "--all"), ("-n", "resize", "1G"),
                                   ("-n", "resize", "+1G"), ("-n", "plug", "128M"), ("list",), ("status",)],
                         ids=" ".join)
def test_sizes_that_add_up_beyond_reason_are_refused(path, sizes, words):
    with telling(path, dimms(sizes, step=GIB)) as monitor:
        host(path, *words).failed(1, "beyond reason", state="unchanged")
        assert not monitor.changes


@pytest.mark.parametrize("words", [("-n", "resize", "1G"), ("-n", "resize", "+7E"), ("-n", "plug", "128M"), ("status",)],
                         ids=" ".join)
@pytest.mark.parametrize("base, plugged", [((1 << 64) - 1, 0), (512 * MIB, (1 << 64) - 1), (1 << 63, 1 << 63)])
def test_totals_beyond_reason_are_refused(path, words, base, plugged):
    summary = {"base-memory": base, "plugged-memory": plugged}
    with telling(path, [], query_memory_size_summary=summary):
        host(path, *words).failed(1, "beyond reason", state="unchanged")


@pytest.mark.parametrize("limits", [{"size": GIB, "max-size": (1 << 64) - 1, "slots": 256},
                                    {"size": GIB, "max-size": 8 * GIB, "slots": 1 << 63}], ids=["maxmem", "slots"])
def test_limits_beyond_reason_are_refused(path, limits):
    """A plan of as many DIMMs as there are slots would not fit the memory."""
    with telling(path, [], qom_get=limits):
        host(path, "-n", "resize", "4G").failed(1, "beyond reason", state="unchanged")


@pytest.mark.parametrize("size", ["1024P", "1025P", "7E"])
@pytest.mark.parametrize("words", [("plug",), ("resize",), ("plug", "512M", "--dimm"), ("plug", "512M", "--virtio-mem", "--max")],
                         ids=" ".join)
def test_a_size_of_the_users_beyond_reason_is_refused(path, words, size):
    with Monitor(path) as monitor:
        result = host(path, "-n", *words, size)
        assert result.code in (1, 2) and not monitor.changes, result


def test_a_virtio_mem_device_that_claims_everything_takes_no_memory_of_ours(path):
    """2^40 blocks would be added: they are not listed."""
    device = {"type": "virtio-mem", "data": {"id": "v0", "memdev": "/objects/v0-mem", "memaddr": BASE, "size": 0,
                                             "max-size": (1 << 60) - BASE, "requested-size": 0, "block-size": MIB, "node": 0}}

    def say(session, exchange, commands):
        return ["guest 6.1.0 1 offline contig-zones N", "memory 524288 204800 409600", "size 100000", "blocks 0 511 online 0 0 none"]

    with telling(path, [device]), Liar(f"{path}-console", say):
        result = bounded("--qmp", path, "--guest", f"serial:{path}-console", "--json", "-n", "resize", str((1 << 60) - 2 * BASE) + "B")
        assert result.code in (0, 1, 5), result


# So many that each for itself takes too long


def test_four_thousand_dimms_are_more_than_qemu_has(path):
    with telling(path, dimms([2 * MIB * (n % 61 + 1) for n in range(4000)], step=128 * MIB)):
        host(path, "-n", "unplug", "1G").failed(1, "more than 1024", state="unchanged")


def test_the_most_dimms_with_the_most_sums(path):
    """1024 DIMMs, 16 million sums, none of which is right: all are looked at, in a moment."""
    sizes = [2 * MIB * (n * 31 % 16000 + 3) for n in range(1024)]
    total = sum(sizes)
    with telling(path, dimms(sizes, step=64 * GIB)):
        host(path, "-n", "unplug", f"{total - 2 * MIB}B").failed(1, "add up to", "can be reached", state="unchanged")
        plan = host(path, "-n", "unplug", f"{total - sizes[5]}B").succeeded()["plan"]
    deleted = {step["qmp"]["arguments"]["id"] for step in plan if "qmp" in step}
    assert sum(sizes[int(name[1:-5])] for name in deleted if name.endswith("-dimm")) == total - sizes[5]


def test_sums_that_are_too_many_are_not_said_to_be_none(path):
    with telling(path, dimms([64 * GIB, 128 * MIB + 4096], step=128 * GIB)):
        host(path, "-n", "unplug", "65G").failed(1, "too many sums", "memhp list", state="unchanged")
        assert host(path, "-n", "unplug", "64G").succeeded()["plan"][0]["qmp"]["arguments"]["id"] == "d0-dimm"


def test_a_name_that_would_fill_the_screen_is_refused(path):
    for key in ("id", "memdev"):
        devices = dimms([128 * MIB] * 1000)
        devices[0]["data"][key] = "/objects/" + "x" * 100000
        with telling(path.with_name(key), devices):
            host(path.with_name(key), "list").failed(1, "more than 255 bytes", state="unchanged")


def test_devices_without_an_id_are_looked_for_no_longer_than_the_deadline(path):
    """A question to each of twenty thousand devices, for each of a thousand DIMMs."""
    devices = dimms([128 * MIB] * 1000)
    for device in devices:
        del device["data"]["id"]
    children = [{"name": f"device[{n}]", "type": "child<x>"} for n in range(20000)]
    on = {"query-memory-devices": [reply(devices)], "qom-get": [[reply({})], [reply({})], [reply({})], []],
          "qom-list": [[reply([])], [reply(children)]]}
    with Monitor(path, on=on):
        result = host(path, "--timeout", "2", "list")
    assert result.code == 6 or len(result.succeeded()["devices"]) == 1000, result


# Blocks of a guest that has no end


LAST = 9999998


@pytest.fixture
def console(path):
    """A guest that tells of ten million blocks."""
    def say(session, exchange, commands):
        return ["guest 6.1.0 1 offline contig-zones N", "memory 524288 204800 409600", "size 8000000",
                f"blocks 0 {LAST} offline 0 1 Movable"]

    with Liar(f"{path}-console", say):
        yield f"serial:{path}-console"


@pytest.mark.parametrize("word, some", [("", "memory0"), ("memory", "memory9"), ("memory12", "memory12"), ("5", "5"),
                                        ("99999", "9999998")])
def test_some_hundred_of_ten_million_blocks_are_offered(path, console, word, some):
    with Monitor(path):
        done = bounded("--qmp", path, "--guest", console, "__complete", "online", word)
    offers = done.stdout.split()
    assert some in offers and 10 <= len(offers) <= 300, done
    assert all(offer.startswith(word) for offer in offers)
    if word:
        assert os.path.commonprefix(offers) == word


def test_few_blocks_are_all_offered(path, tmp_path):
    tree = Tree(tmp_path / "guest")
    tree.add(32, 131)
    with Monitor(path):
        for word, count in (("memory", 100), ("memory1", 32), ("3", 8), ("131", 1), ("7", 10)):
            done = bounded("--qmp", path, "--guest", tree.local_channel(), "__complete", "online", word)
            assert len(done.stdout.split()) == count, (word, done.stdout)


def test_ten_million_blocks_beside_256_dimms_are_listed(path, console):
    with telling(path, dimms([256 * MIB] * 256)):
        value = bounded("--qmp", path, "--guest", console, "--json", "list").succeeded()
        text = bounded("--qmp", path, "--guest", console, "blocks").stdout
    first = BASE // (128 * MIB)
    assert [(b["first"], b["last"]) for b in value["boot_blocks"]] == [(0, first - 1), (first + 512, LAST)]
    assert [(d["blocks"][0]["first"], d["blocks"][0]["last"]) for d in value["devices"]] == [
        (first + 2 * n, first + 2 * n + 1) for n in range(256)]
    assert len(text.splitlines()) == 260 and "d255-dimm" in text


@pytest.mark.parametrize("words", [("online", f"0-{LAST}"), ("offline", "all"), ("online", "1T"), ("-n", "plug", "128M"), ("status",)],
                         ids=" ".join)
def test_ten_million_blocks_are_worked_on_in_ranges(path, console, words):
    with Monitor(path):
        result = bounded("--qmp", path, "--guest", console, "--json", "--timeout", "3", *words)
    assert result.code in (0, 1, 5, 6, 7) and json.loads(result.stdout), result


def test_a_guest_whose_blocks_all_differ_is_worked_on(path):
    """As many runs as an answer may have, on a channel that takes a long line."""
    states = [("online", "Movable"), ("offline", "Movable"), ("online", "Normal")]
    blocks = [f"blocks {n} {n} {states[n % 3][0]} {n % 2} 1 {states[n % 3][1]}" for n in range(60000)]

    def say(session, exchange, commands):
        return ["guest 6.1.0 1 offline contig-zones N", "memory 524288 204800 409600", "size 8000000", *blocks]

    with telling(path, dimms([GIB] * 256)), Liar(f"{path}-console", say):
        for words in (("list",), ("blocks",), ("status",), ("-n", "offline", "all"), ("-n", "unplug", "3G")):
            result = bounded("--qmp", path, "--guest", f"serial:{path}-console", "--json", *words, mebibytes=500)
            assert result.code in (0, 1, 5), (words, result)


@pytest.mark.parametrize("size", ["1", "2", "1000", "80000", "2000000000", "ffffffffffffffff"])
def test_a_block_size_that_no_kernel_has_is_not_believed(path, size):
    def say(session, exchange, commands):
        return ["guest 6.1.0 1 offline contig-zones N", "memory 524288 204800 409600", f"size {size}", "blocks 0 3 online 0 0 none"]

    with Monitor(path, Vm()), Liar(f"{path}-console", say):
        result = bounded("--qmp", path, "--guest", f"serial:{path}-console", "--json", "blocks")
        result.failed(4, f"size {size}", code="guest-unreachable", state="unchanged")


def test_a_node_with_less_than_its_devices_has_no_total_beyond_reason(path):
    """QEMU says 1 MiB, and tells of DIMMs of 256 MiB there."""
    numa = "1 nodes\r\nnode 0 cpus: 0\r\nnode 0 size: 1 MB\r\nnode 0 plugged: 0 MB\r\n"
    with telling(path, dimms([128 * MIB] * 2), human_monitor_command=numa):
        result = host(path, "resize", "--node", "0", "0M")
    result.failed(1, "QEMU reports devices with more memory than the whole of 1 MiB", code="failed")
    assert "can be reached" not in result.stderr, result


def test_a_name_that_qemu_gives_is_no_mistake_of_the_users(path):
    """A name of a socket that no socket can have: the guest cannot be reached."""
    console = [{"label": "serial0", "filename": f"disconnected:unix:{'q' * 300},abstract=on,server=on", "frontend-open": True}]
    with Monitor(path, on={"query-chardev": [reply(console)]}):
        result = bounded("--qmp", path, "--json", "blocks")
    result.failed(4, "an abstract name has at most 107 bytes", code="guest-unreachable")
