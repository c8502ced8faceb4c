# SPDX-License-Identifier: GPL-3.0-or-later
"""A QMP session with a monitor that breaks off, lies, talks without end or says nothing."""
import json
import threading

import peer
import pytest
from binary import SHORT, host, listed
from peer import Close, Default, Hold, Monitor, Quietly, Release, Vm, deleted, encode, error, event, memhp, reply

# What `list` sends; the first is part of opening the session.
QUERIES = ["qmp_capabilities", "query-status", "query-memory-devices", "query-memory-size-summary",
           "qom-list", "qom-get", "query-acpi-ospm-status", "query-migrate", "query-target"]


# A monitor that breaks off


@pytest.mark.parametrize("command", QUERIES)
def test_a_monitor_that_closes_instead_of_an_answer(path, command):
    with Monitor(path, on={command: [Close]}):
        host(path, "list").failed(3, "went away", code="qemu-unreachable", state="unchanged")


@pytest.mark.parametrize("command", QUERIES)
def test_a_monitor_that_closes_in_the_middle_of_an_answer(path, command):
    with Monitor(path, on={command: [b"{\"return\": {\"sta", Close]}):
        host(path, "plug", "512M").failed(3, "went away", code="qemu-unreachable", state="unchanged")


def test_qemu_gone_before_the_backend_is_not_said_to_be_rolled_back(path):
    with Monitor(path, on={"object-add": [Close]}):
        result = host(path, "plug", "512M")
    assert result.code in (3, 7), result
    assert result.json["state"] not in ("rolled-back", "unchanged"), result


def test_qemu_gone_between_backend_and_dimm_is_told_as_partly_done(path):
    with Monitor(path, on={"device_add": [Close]}):
        host(path, "plug", "512M").failed(7, "memhp0-mem", code="partial", state="partial")


def test_qemu_gone_after_the_dimm_is_told_as_partly_done(path):
    with Monitor(path, on={"query-memory-devices": [[Default], [Close]]}):
        host(path, "plug", "512M").failed(7, "memhp0-dimm", code="partial", state="partial")


def test_qemu_gone_while_it_unplugs_is_not_said_to_be_rolled_back(path, plugged):
    with Monitor(path, plugged, on={"device_del": [reply(), Close]}):
        result = host(path, "unplug", "d0")
    assert result.code in (3, 7), result
    assert result.json["state"] in ("partial", "pending"), result


def test_qemu_gone_before_the_backend_is_deleted_is_told_as_partly_done(path, plugged):
    with Monitor(path, plugged, on={"object-del": [Close]}):
        host(path, "unplug", "d0").failed(7, "d0-mem", code="partial", state="partial")


# Replies


def test_replies_in_the_opposite_order(path, plugged):
    scripts = {command: [Hold, Default] for command in QUERIES[1:]}
    scripts["query-target"] = [Default, Release]
    with Monitor(path, plugged, on=scripts) as monitor:
        assert listed(host(path, "list")) == ["d0-dimm"]
    assert len(monitor.requests) > len(QUERIES) and not monitor.held


def test_doubled_replies(path):
    scripts = {command: [lambda request: None, Default, Default] for command in QUERIES[1:]}
    scripts["device_add"] = [Default, lambda request: {"return": {}, "id": request["id"]}]
    vm = Vm()
    with Monitor(path, vm, on=scripts):
        host(path, "plug", "512M").succeeded()
        assert listed(host(path, "list")) == ["memhp0-dimm"]


@pytest.mark.parametrize("wrong", [
    lambda request: {"return": {"stray": 1}, "id": request["id"] + 1000},
    lambda request: {"return": {"stray": 1}, "id": str(request["id"])},
    lambda request: {"return": {"stray": 1}, "id": -request["id"]},
    lambda request: {"return": {"stray": 1}, "id": request["id"] + 0.5},
    lambda request: {"return": {"stray": 1}, "id": None},
    lambda request: {"return": {"stray": 1}},
    lambda request: {"error": {"class": "GenericError", "desc": "stray"}},
], ids=["other", "string", "negative", "fraction", "null", "none", "error without id"])
def test_a_reply_to_nobody_is_no_reply(path, plugged, wrong):
    scripts = {command: [wrong, Default] for command in QUERIES[1:]}
    with Monitor(path, plugged, on=scripts):
        assert listed(host(path, "list")) == ["d0-dimm"]
    with Monitor(path.with_name("second"), plugged, on={"query-status": [wrong]}):
        host(path.with_name("second"), "list", more=SHORT).failed(6, code="timeout", state="unchanged")


@pytest.mark.parametrize("command", QUERIES[:3] + ["query-target"])
def test_a_reply_that_never_comes_ends_with_the_deadline(path, command):
    with Monitor(path, on={command: []}):
        host(path, "plug", "512M", more=SHORT).failed(6, "deadline", code="timeout", state="unchanged")


def test_an_optional_query_that_is_refused_leaves_its_fact_unknown(path, plugged):
    refusals = {command: [error("The command has not been found", "CommandNotFound")]
                for command in ("qom-get", "query-acpi-ospm-status", "query-migrate", "query-target")}
    with Monitor(path, plugged, on=refusals):
        qemu = host(path, "status").succeeded()["qemu"]
    assert qemu["slots"] is None and qemu["max_memory"] is None and qemu["machine"] is None
    assert qemu["slots_used"] == 1 and qemu["plugged_memory"] == 512 * peer.MIB


@pytest.mark.parametrize("command, value", [
    ("query-status", {}), ("query-status", {"status": 7}), ("query-status", []),
    ("query-memory-devices", {}), ("query-memory-devices", [{"type": "dimm"}]),
    ("query-memory-devices", [{"type": "dimm", "data": {"id": "d0", "size": "512M"}}]),
    ("query-memory-devices", [{"type": "dimm", "data": {"id": "d0", "size": -1}}]),
    ("query-memory-size-summary", {"base-memory": "512M"}), ("query-memory-size-summary", 7),
    ("qom-list", {}), ("qom-list", 7),
])
def test_an_answer_that_makes_no_sense_is_refused_by_name(path, command, value):
    with Monitor(path, on={command: [reply(value)]}) as monitor:
        host(path, "plug", "512M").failed(1, command, state="unchanged")
        assert not monitor.changes


@pytest.mark.parametrize("value", [{}, [], 7, "text", None, [{}], [{"name": 7, "type": []}],
                                   {"size": "x", "slots": -1, "max-size": None}])
def test_an_odd_answer_to_an_optional_query_does_no_harm(path, plugged, value):
    scripts = {command: [reply(value)] for command in (
        "qom-get", "query-acpi-ospm-status", "query-migrate", "query-target")}
    with Monitor(path, plugged, on=scripts):
        assert listed(host(path, "list")) == ["d0-dimm"]
        host(path, "status").succeeded()


@pytest.mark.parametrize("size", [2**63, 2**64 - 2**27, 2**64 - 1, 2**40, 1, 0])
@pytest.mark.parametrize("address", [0, 2**27, 2**63, 2**64 - 2**27, 2**64 - 1])
def test_a_device_of_absurd_size_or_place_does_no_harm(path, tree, size, address):
    vm = Vm()
    vm.plug("x", 128)
    vm.devices[0].update(size=size, addr=address)
    with Monitor(path, vm):
        for words in (("list",), ("blocks",), ("status",), ("--dry-run", "plug", "512M"),
                      ("--dry-run", "unplug", "x")):
            result = memhp("--qmp", path, "--guest", tree.local_channel(), "--json", *words)
            assert result.code in (0, 1, 5) and result.json, result


# Events


@pytest.mark.parametrize("count", [1, 10000])
def test_events_before_every_reply(path, plugged, count):
    noise = [event("RTC_CHANGE", offset=n, **{"qom-path": "/machine/rtc"}) for n in range(count)]
    with Monitor(path, plugged, on={"query-memory-devices": noise + [Default]}):
        assert listed(host(path, "list")) == ["d0-dimm"]


def test_a_flood_of_events_does_not_wash_away_the_one_that_counts(path, plugged):
    noise = [event("RTC_CHANGE", offset=n) for n in range(10000)]
    other = [deleted(f"other{n}") for n in range(5000)]
    script = [Quietly, deleted("d0-dimm")] + noise + other
    with Monitor(path, plugged, on={"device_del": script}) as monitor:
        host(path, "unplug", "d0", more=("--timeout", "30")).succeeded()
        assert monitor.changes[-1] == "object-del d0-mem"


def test_a_peer_that_never_stops_talking_meets_the_deadline(path):
    stop = threading.Event()

    class Chatterbox(peer.Server):
        """Greets, and then sends events without end."""

        def serve(self, connection):
            connection.sendall(encode(peer.GREETING))
            data = encode(event("RTC_CHANGE", offset=1)) * 100000
            while not stop.is_set():
                connection.sendall(data)

    with Chatterbox(path):
        result = peer.Run("--qmp", path, "--guest", "none", "--json", "--timeout", "0.5", "list")
        try:
            result.finish(timeout=15).failed(6, code="timeout", state="unchanged")
        finally:
            stop.set()


# JSON


def test_pretty_printed_messages(path, plugged):
    def pretty(data):
        return b"".join(json.dumps(json.loads(line), indent=4).encode() + b"\r\n"
                        for line in data.splitlines() if line)

    with Monitor(path, plugged, dress=pretty):
        assert listed(host(path, "list")) == ["d0-dimm"]
        host(path, "unplug", "d0").succeeded()


def test_messages_byte_by_byte(path, plugged):
    with Monitor(path, plugged, dress=lambda data: [bytes([b]) for b in data]):
        assert listed(host(path, "list")) == ["d0-dimm"]


def test_messages_without_line_ends(path, plugged):
    with Monitor(path, plugged, dress=lambda data: data.replace(b"\r\n", b"")):
        assert listed(host(path, "list")) == ["d0-dimm"]


@pytest.mark.parametrize("mebibytes, is_taken", [(8, True), (17, False), (40, False)])
def test_a_huge_message_is_read_up_to_16_mib(path, plugged, mebibytes, is_taken):
    huge = event("HUGE", text="x" * (mebibytes * peer.MIB))
    with Monitor(path, plugged, on={"query-status": [huge, Default]}):
        result = host(path, "list")
        if is_taken:
            assert listed(result) == ["d0-dimm"]
        else:
            result.failed(3, "16 MiB", code="qemu-unreachable", state="unchanged")


def test_a_huge_greeting_is_refused(path):
    with Monitor(path, greeting=b"{\"QMP\": \"" + b"x" * (17 * peer.MIB)):
        host(path, "list").failed(3, "not a QMP monitor", "16 MiB", code="qemu-unreachable")


@pytest.mark.parametrize("depth, is_taken", [(20, True), (100, False), (100000, False)])
def test_a_deeply_nested_message_is_refused(path, plugged, depth, is_taken):
    deep = b"{\"event\": \"DEEP\", \"data\": " + b"[" * depth + b"]" * depth + b"}\r\n"
    with Monitor(path, plugged, on={"query-status": [deep, Default]}):
        result = host(path, "list")
        if is_taken:
            assert listed(result) == ["d0-dimm"]
        else:
            result.failed(3, code="qemu-unreachable", state="unchanged")


@pytest.mark.parametrize("data", [
    b"{\"return\": {\"status\": \"\xff\xfe\"}, \"id\": 2}\r\n",
    b"{\"return\": {\"status\": \"\xc2\", \"running\": true}, \"id\": 2}\r\n",
    b"{\"return\": {\"status\": \"running\", \"running\": tru}}\r\n",
    b"{\"return\": {\"status\": \"running\" \"running\": true}}\r\n",
    b"{\"return\": 'x'}\r\n",
    b"{return: 1}\r\n",
    b"{\"return\": {}}}\r\n",
    b"garbage\r\n",
    b"\x00\r\n",
    b"{\"return\": \x00}\r\n",
    b"(qemu) \r\n",
    b"[]\r\n",
    b"12\r\n",
    b"\"text\"\r\n",
    b"null\r\n",
    b"{\"neither\": 1}\r\n",
    b"{}\r\n",
], ids=repr)
def test_a_message_that_is_not_qmp_ends_the_session(path, data):
    with Monitor(path, on={"query-status": [data, Default]}) as monitor:
        host(path, "plug", "512M").failed(3, "does not speak QMP", code="qemu-unreachable", state="unchanged")
        assert not monitor.changes


def test_a_message_cut_off_by_the_deadline(path):
    with Monitor(path, on={"query-status": [b"{\"return\": {\"status\": \"run"]}):
        result = host(path, "qmp", "query-status", more=SHORT)
    result.failed(6, "deadline", code="timeout", state="unchanged")
