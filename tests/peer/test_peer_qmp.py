# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp against monitors that are not there, do not speak QMP, break off, lie, refuse or say nothing."""
import json
import os
import socket
import threading

import peer
import pytest
from peer import (Close, Default, Hold, Monitor, Quietly, Release, Vm, deleted, encode, error, event, memhp,
                  ost, reply)

SHORT = ("--timeout", "0.3")  # for what never comes

# What `list` sends; the first is part of opening the session.
QUERIES = ["qmp_capabilities", "query-status", "query-memory-devices", "query-memory-size-summary",
           "qom-list", "qom-get", "query-acpi-ospm-status", "query-migrate", "query-target"]


@pytest.fixture
def path(tmp_path):
    """Where the monitor is."""
    return tmp_path / "qmp"


@pytest.fixture
def plugged():
    """A VM with one DIMM of 512 MiB, "d0-dimm"."""
    vm = Vm()
    vm.plug("d0", 512)
    return vm


@pytest.fixture
def tree(tmp_path):
    """The guest's /sys."""
    return peer.Tree(tmp_path / "guest")


def host(path, *words, more=()):
    """memhp --json without a guest."""
    return memhp("--qmp", path, "--guest", "none", "--json", *more, *words)


def ids(result):
    """The devices of `list`."""
    return [d["id"] for d in result.succeeded()["devices"]]


# A monitor that is none

def test_no_such_socket(path):
    result = host(path, "list")
    result.failed(3, f"cannot connect to '{path}': No such file", code="qemu-unreachable", state="unchanged")


def test_a_socket_that_nobody_listens_on(path):
    with socket.socket(socket.AF_UNIX) as unheard:
        unheard.bind(str(path))
        host(path, "plug", "512M").failed(3, str(path), "refused", code="qemu-unreachable", state="unchanged")


def test_a_file_that_is_no_socket(path):
    path.write_text("text")
    host(path, "list").failed(3, str(path), code="qemu-unreachable")


def test_a_path_longer_than_an_address_of_a_socket(path, tmp_path):
    """A socket's address has 107 bytes; QEMU in a container is often further away than that."""
    deep = tmp_path / "/".join(["d" * 100] * 3)
    deep.mkdir(parents=True)
    with Monitor(path):
        path.rename(deep / "m.sock")
        host(deep / "m.sock", "list").succeeded()
    host("/" + "x" * 107, "list").failed(3, "No such file", code="qemu-unreachable")


def test_an_abstract_socket():
    name = f"memhp-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as taken:
        taken.bind(f"\0{name}")  # it listens to nobody
        host(f"unix:@{name}", "list").failed(3, f"'@{name}'", "refused", code="qemu-unreachable")
    host("unix:@" + "x" * 108, "list").failed(3, "107 bytes", code="qemu-unreachable")


@pytest.mark.parametrize("address", ["tcp:", "tcp:localhost", "tcp::4444", "tcp:localhost:", "tcp:4444"])
def test_a_tcp_address_without_host_or_port_is_bad_usage(address):
    host(address, "list").failed(2, "HOST:PORT", code="usage")


def test_a_tcp_port_that_nobody_listens_on():
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        address = f"tcp:127.0.0.1:{unheard.getsockname()[1]}"
        value = host(address, "list").failed(3, address[4:], "refused", code="qemu-unreachable")
    assert not value["error"].get("hint")  # it may be another machine's


def test_who_finds_no_socket_is_told_where_to_look(path):
    assert "memhp vms" in host(path, "list").failed(3, str(path), code="qemu-unreachable")["error"]["hint"]


def test_the_schemes_of_an_address_lead_to_the_same_monitor(path, plugged):
    with Monitor(path, plugged), socket.create_server(("127.0.0.1", 0)) as listener:
        with peer.relayed(lambda: (listener.accept()[0], peer.connected(path))):
            over_tcp = ids(host(f"tcp:127.0.0.1:{listener.getsockname()[1]}", "list"))
        assert over_tcp == ids(host(path, "list")) == ids(host(f"unix:{path}", "list")) == ["d0-dimm"]


@pytest.mark.parametrize("greeting", [
    b"220 mail.example ESMTP ready\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
    b"\x00\x01\x02\x03\x04\r\n",
    b"\xff\xfe\xfd\r\n",
    b"\033[31m# \033[0m",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"[]\r\n", b"7\r\n", b"\"QMP\"\r\n", b"null\r\n", b"true\r\n",
    b"{\"hello\": 1}\r\n", b"{}\r\n", b"{\"QMP\": 7}\r\n", b"{\"QMP\": {}} garbage\r\n", b"}\r\n",
], ids=repr)
def test_a_socket_that_is_not_qmp_is_reported_as_that(path, greeting):
    with Monitor(path, greeting=greeting):
        value = host(path, "plug", "512M", more=SHORT).failed(3, code="qemu-unreachable", state="unchanged")
    assert str(path) in value["error"]["message"]
    assert "QMP" in value["error"]["message"] or "in use" in value["error"]["message"], value


def test_a_monitor_without_a_greeting_is_in_use(path):
    with Monitor(path, greeting=None):
        value = host(path, "list", more=SHORT).failed(3, "another client", code="qemu-unreachable",
                                                      state="unchanged")
    assert "one client" in value["error"]["hint"]


def test_a_monitor_that_serves_another_client_is_in_use(path):
    with Monitor(path), socket.socket(socket.AF_UNIX) as other:
        other.connect(str(path))
        assert other.recv(3)
        host(path, "list", more=SHORT).failed(3, "another client", code="qemu-unreachable")


@pytest.mark.parametrize("greeting", [[Close], [b"{\"QMP\": {\"ver", Close], [b"\r\n", Close]],
                         ids=["at once", "in the greeting", "after a blank line"])
def test_a_monitor_that_closes_before_it_has_greeted(path, greeting):
    with Monitor(path, greeting=greeting):
        host(path, "list").failed(3, "closed", code="qemu-unreachable", state="unchanged")


def test_a_greeting_that_stops_half_way(path):
    with Monitor(path, greeting=b"{\"QMP\": {\"version\": "):
        host(path, "list", more=SHORT).failed(3, code="qemu-unreachable", state="unchanged")


def test_an_event_before_the_greeting_was_for_another_client(path, plugged):
    with Monitor(path, plugged, greeting=[deleted("d0-dimm"), peer.GREETING], on={"device_del": [Quietly]}) as qemu:
        host(path, "unplug", "d0", more=SHORT).failed(6, "d0-dimm", state="pending")
    assert "object-del" not in qemu.commands


def test_a_greeting_without_a_version_will_do(path, plugged):
    with Monitor(path, plugged, greeting={"QMP": {}}):
        assert host(path, "status").succeeded()["qemu"]["version"] is None


def test_capabilities_that_are_refused(path):
    with Monitor(path, on={"qmp_capabilities": [error("no such thing")]}):
        assert host(path, "list").failed(host(path, "list").code, "no such thing")["state"] == "unchanged"


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
        assert ids(host(path, "list")) == ["d0-dimm"]
    assert len(monitor.requests) > len(QUERIES) and not monitor.held


def test_doubled_replies(path):
    scripts = {command: [lambda request: None, Default, Default] for command in QUERIES[1:]}
    scripts["device_add"] = [Default, lambda request: {"return": {}, "id": request["id"]}]
    vm = Vm()
    with Monitor(path, vm, on=scripts):
        host(path, "plug", "512M").succeeded()
        assert ids(host(path, "list")) == ["memhp0-dimm"]


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
        assert ids(host(path, "list")) == ["d0-dimm"]
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
        assert ids(host(path, "list")) == ["d0-dimm"]
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
        assert ids(host(path, "list")) == ["d0-dimm"]


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
        assert ids(host(path, "list")) == ["d0-dimm"]
        host(path, "unplug", "d0").succeeded()


def test_messages_byte_by_byte(path, plugged):
    with Monitor(path, plugged, dress=lambda data: [bytes([b]) for b in data]):
        assert ids(host(path, "list")) == ["d0-dimm"]


def test_messages_without_line_ends(path, plugged):
    with Monitor(path, plugged, dress=lambda data: data.replace(b"\r\n", b"")):
        assert ids(host(path, "list")) == ["d0-dimm"]


@pytest.mark.parametrize("mebibytes, is_taken", [(8, True), (17, False), (40, False)])
def test_a_huge_message_is_read_up_to_16_mib(path, plugged, mebibytes, is_taken):
    huge = event("HUGE", text="x" * (mebibytes * peer.MIB))
    with Monitor(path, plugged, on={"query-status": [huge, Default]}):
        result = host(path, "list")
        if is_taken:
            assert ids(result) == ["d0-dimm"]
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
            assert ids(result) == ["d0-dimm"]
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


# Plug, the host half

def test_plug_asks_for_a_backend_and_a_dimm_on_it(path):
    vm = Vm()
    with Monitor(path, vm) as monitor:
        value = host(path, "plug", "512M").succeeded()
    assert monitor.sent("object-add") == [
        {"qom-type": "memory-backend-ram", "id": "memhp0-mem", "size": 512 * peer.MIB}]
    assert monitor.sent("device_add") == [{"driver": "pc-dimm", "id": "memhp0-dimm", "memdev": "memhp0-mem"}]
    assert monitor.changes == ["object-add memhp0-mem", "device_add memhp0-dimm"]
    assert value["devices"][0]["id"] == "memhp0-dimm" and value["devices"][0]["blocks"] is None
    assert value["guest"] is None


def test_a_dry_run_changes_nothing(path, plugged):
    with Monitor(path, plugged) as monitor:
        plan = host(path, "--dry-run", "plug", "512M").succeeded()["plan"]
        assert [line["qmp"]["execute"] for line in plan] == ["object-add", "device_add"]
        plan = host(path, "--dry-run", "unplug", "d0").succeeded()["plan"]
        assert [*plan[0], *plan[1], *plan[2]] == ["qmp", "event", "qmp"]
        assert not monitor.changes


def test_a_dimm_that_qemu_refuses_takes_its_backend_along(path):
    vm = Vm()
    with Monitor(path, vm, on={"device_add": [error("no free slots available")]}) as monitor:
        host(path, "plug", "512M").failed(1, "no free slots available", code="qemu-refused",
                                          state="rolled-back")
    assert monitor.changes == ["object-add memhp0-mem", "device_add memhp0-dimm", "object-del memhp0-mem"]
    assert "memhp0-mem" not in vm.objects


def test_a_backend_that_qemu_refuses_leaves_nothing_to_delete(path):
    vm = Vm()
    with Monitor(path, vm, on={"object-add": [error("cannot set up guest memory: Out of memory")]}) as monitor:
        host(path, "plug", "512M").failed(1, "Out of memory", code="qemu-refused",
                                          state=("unchanged", "rolled-back"))
    assert not [c for c in monitor.changes if "del" in c], monitor.changes


@pytest.mark.parametrize("words", [(), ("--name", "memhp0")])
def test_a_backend_that_somebody_else_made_meanwhile_is_not_touched(path, words):
    """The next free name is taken, unless it was asked for by name."""
    vm = Vm()

    def somebody_is_faster(request):
        vm.objects["memhp0-mem"] = 512 * peer.MIB
        return error("attempt to add duplicate property 'memhp0-mem'")(request)

    with Monitor(path, vm, on={"object-add": [[somebody_is_faster], [Default]]}) as monitor:
        result = host(path, "plug", "512M", *words)
    if words:
        result.failed(1, "duplicate property", code="qemu-refused", state="rolled-back")
        assert monitor.changes == ["object-add memhp0-mem"] and not vm.devices
    else:
        assert ids(result) == ["memhp1-dimm"]
        assert monitor.changes == ["object-add memhp0-mem", "object-add memhp1-mem", "device_add memhp1-dimm"]
    assert "memhp0-mem" in vm.objects


def test_a_backend_that_cannot_be_taken_back_is_told_as_partly_done(path):
    vm = Vm()
    scripts = {"device_add": [error("no")], "object-del": [error("is in use, can not be deleted")]}
    with Monitor(path, vm, on=scripts):
        host(path, "plug", "512M").failed(7, "memhp0-mem", "in use", code="partial", state="partial")


@pytest.mark.parametrize("change", [{"size": 256 * peer.MIB}, {"id": "other"}], ids=["size", "id"])
def test_a_dimm_that_qemu_does_not_list_as_asked_for_is_undone(path, change):
    vm = Vm()

    def lie(request):
        devices = vm.do_query_memory_devices()
        devices[0]["data"].update(change)
        return reply(devices)(request)

    with Monitor(path, vm, on={"query-memory-devices": [[Default], [lie], [Default]]}) as monitor:
        host(path, "plug", "512M").failed(1, "memhp0-dimm", state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not vm.devices and "memhp0-mem" not in vm.objects


@pytest.mark.parametrize("vm, words, why", [
    (Vm(slots=0), (), "no memory slots"),
    (Vm(max_mib=600), (), "maxmem"),
    (Vm(), ("--slot", "4"), "slot 4"),
    (Vm(), ("--addr", "0x100000001"), "0x100000001"),
], ids=["no slots", "maxmem", "no such slot", "address inside a block"])
def test_what_cannot_work_is_refused_before_anything_is_changed(path, vm, words, why):
    with Monitor(path, vm) as monitor:
        host(path, "plug", "512M", *words).failed(1, why, state="unchanged")
        assert not monitor.changes


@pytest.mark.parametrize("status, migration, word", [
    ("paused", None, "paused"), ("prelaunch", None, "prelaunch"),
    ("inmigrate", None, "waits for a migration to come in (inmigrate)"),
    ("postmigrate", "completed", "has migrated away (postmigrate)"),
    ("running", "active", "migrating"), ("running", "setup", "migrating"),
])
@pytest.mark.parametrize("words", [("plug", "512M"), ("unplug", "d0")], ids=lambda w: w[0])
def test_a_vm_that_cannot_answer_is_left_alone(path, plugged, words, status, migration, word):
    plugged.status, plugged.migration = status, migration
    with Monitor(path, plugged) as monitor:
        host(path, *words).failed(1, word, code="failed", state="unchanged")
        assert not monitor.changes


# Unplug, the host half

def test_unplug_deletes_the_backend_only_after_the_release(path, plugged):
    with Monitor(path, plugged) as monitor:
        host(path, "unplug", "d0").succeeded()
    assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"]
    assert not plugged.devices and "d0-mem" not in plugged.objects


@pytest.mark.parametrize("source", [3, 0x103])
@pytest.mark.parametrize("status, words", [
    (1, "no reason given"), (0x80, "not supported"), (0x81, "in use"), (0x82, "busy"), (0x83, "depends"),
])
def test_a_refused_ejection_is_told_in_words(path, plugged, source, status, words):
    with Monitor(path, plugged, on={"device_del": [reply(), ost(source, status)]}) as monitor:
        host(path, "unplug", "d0").failed(5, "d0-dimm", words, f"OST status {status}", code="guest-refused",
                                          state="rolled-back")
    assert monitor.changes == ["device_del d0-dimm"]


def test_an_ejection_in_progress_is_waited_for(path, plugged):
    script = [Quietly, ost(3, 0x84), ost(0x103, 0x84), ost(3, 0), deleted("d0-dimm")]
    with Monitor(path, plugged, on={"device_del": script}):
        host(path, "unplug", "d0").succeeded()


@pytest.mark.parametrize("refusal, words", [
    (event("MEM_UNPLUG_ERROR", device="d0-dimm", msg="LMB is in use"), "LMB is in use"),
    (event("DEVICE_UNPLUG_GUEST_ERROR", device="d0-dimm", path="/machine/peripheral/d0-dimm"), "no reason"),
], ids=["MEM_UNPLUG_ERROR", "DEVICE_UNPLUG_GUEST_ERROR"])
def test_the_refusals_of_other_machines(path, plugged, refusal, words):
    with Monitor(path, plugged, on={"device_del": [reply(), refusal]}) as monitor:
        host(path, "unplug", "d0").failed(5, words, code="guest-refused", state="rolled-back")
        assert monitor.changes == ["device_del d0-dimm"]


@pytest.mark.parametrize("events_first", [[ost(3, 0x82)], [deleted("d0-dimm")]], ids=["refusal", "release"])
def test_an_event_before_the_reply_counts(path, plugged, events_first):
    is_release = "device" in events_first[0]["data"]
    script = events_first + ([Quietly] if is_release else [reply()])
    with Monitor(path, plugged, on={"device_del": script}):
        result = host(path, "unplug", "d0")
        if is_release:
            result.succeeded()
        else:
            result.failed(5, "busy", code="guest-refused")


def test_a_device_without_id_is_known_by_its_path(path):
    vm = Vm()
    vm.plug("nameless", 256, anonymous=True)
    place = "/machine/peripheral-anon/device[0]"
    with Monitor(path, vm) as monitor:
        value = host(path, "list").succeeded()
        assert value["devices"][0]["id"] is None
        host(path, "unplug", place).succeeded()
    assert monitor.changes == [f"device_del {place}", "object-del nameless-mem"]
    assert vm.deleted == [None]


def test_the_events_of_other_devices_are_not_ours(path, plugged):
    plugged.plug("d1", 128)
    others = [deleted("d1-dimm"), ost(3, 0x82, slot=1), ost(1, 0, slot=0), ost(1, 0x82, slot=0),
              event("MEM_UNPLUG_ERROR", device="d1-dimm", msg="no"),
              deleted(None, "/machine/peripheral-anon/device[0]"),
              event("DEVICE_UNPLUG_GUEST_ERROR", device="d1-dimm", path="/machine/peripheral/d1-dimm"),
              event("ACPI_DEVICE_OST", info={"source": 3, "status": 0x82, "slot": "0", "slot-type": "CPU"}),
              event("POWERDOWN"), event("DEVICE_DELETED"), {"event": "DEVICE_DELETED"}, {"event": 7}]
    with Monitor(path, plugged, on={"device_del": others + [Default]}) as monitor:
        host(path, "unplug", "d0").succeeded()
        assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"]


def test_nothing_ever_is_pending_and_said_so(path, plugged):
    with Monitor(path, plugged, on={"device_del": [reply()]}) as monitor:
        host(path, "unplug", "d0", more=SHORT).failed(
            6, "the guest has not let go of 'd0-dimm'", code="timeout", state="pending")
    assert monitor.changes == ["device_del d0-dimm"]


def test_a_request_that_the_guest_has_lost_is_made_again(path, plugged):
    with Monitor(path, plugged, on={"device_del": [[reply()], [Default]]}) as monitor:
        host(path, "unplug", "d0").succeeded()
    assert monitor.changes == ["device_del d0-dimm", "device_del d0-dimm", "object-del d0-mem"]


def test_a_release_after_the_deadline_but_before_the_end_is_no_loss(path, plugged):
    released = []

    def late(request):
        """The model lets go when memhp looks for what is left."""
        if not released:
            released.append(plugged.find("d0-dimm"))
            plugged.remove(released[0])
        return None

    script = [[reply()], [late, error("Device 'd0-dimm' not found", "DeviceNotFound"), deleted("d0-dimm")]]
    with Monitor(path, plugged, on={"device_del": script}) as monitor:
        host(path, "unplug", "d0").succeeded()
        assert monitor.changes[-1] == "object-del d0-mem"


def test_an_unplug_that_qemu_refuses_changes_nothing(path, plugged):
    with Monitor(path, plugged, on={"device_del": [error("Device 'd0-dimm' is busy")]}) as monitor:
        host(path, "unplug", "d0").failed(1, "is busy", code="qemu-refused", state=("rolled-back", "unchanged"))
        assert monitor.changes == ["device_del d0-dimm"]


def test_a_backend_that_stays_after_an_unplug_is_told_as_partly_done(path, plugged):
    with Monitor(path, plugged, on={"object-del": [error("object 'd0-mem' is in use, can not be deleted")]}):
        host(path, "unplug", "d0").failed(7, "d0-mem", "in use", code="partial", state="partial")


@pytest.mark.parametrize("words", [(), ("--all",)])
def test_dimms_that_were_there_at_the_start_are_unplugged_by_name_only(path, words):
    """As after a migration, where QEMU is started with them."""
    vm = Vm()
    with Monitor(path, vm) as monitor:
        value = host(path, "unplug", *words).failed(1, "no DIMM has been hotplugged")
        assert value["error"]["hint"] == "see memhp list"
        for name in ("d0", "d1"):
            vm.plug(name, 128)["hotplugged"] = False
        value = host(path, "unplug", *words).failed(1, "no DIMM has been hotplugged", state="unchanged")
        assert value["error"]["hint"] == "2 DIMMs were there when QEMU started: name them to unplug them"
        assert not monitor.changes
        host(path, "unplug", "d0").succeeded()
        value = host(path, "unplug", *words).failed(1, state="unchanged")
        assert value["error"]["hint"] == "1 DIMM was there when QEMU started: name it to unplug it"


def test_of_two_dimms_one_gone_and_one_refused_is_told_as_partly_done(path, plugged):
    plugged.plug("d1", 128)
    scripts = [[Default], [reply(), ost(3, 0x82, slot=1)]]
    with Monitor(path, plugged, on={"device_del": scripts}) as monitor:
        host(path, "unplug", "d0", "d1").failed(7, "d1-dimm", "busy", code="partial", state="partial")
    assert monitor.changes == ["device_del d0-dimm", "device_del d1-dimm", "object-del d0-mem"]


def test_of_three_dimms_those_gone_and_those_pending_at_the_deadline_are_named(path, plugged):
    plugged.plug("d1", 128)
    plugged.plug("d2", 128)
    scripts = [[Default], [reply(), ost(3, 0x82, slot=1)], [reply()]]
    with Monitor(path, plugged, on={"device_del": scripts}) as monitor:
        host(path, "unplug", "--all", more=SHORT).failed(
            7, "the guest has not let go of 'd2-dimm': the deadline passed", "1 of 3 devices are gone ('d0-dimm')",
            "may still let go of 1 ('d2-dimm')", code="partial", state="partial")
    assert monitor.changes[-1] == "object-del d0-mem" and sorted(plugged.objects) == ["d1-mem", "d2-mem", "pc.ram"]


# With a guest

def whole(path, tree, *words, more=()):
    """memhp --json with the guest whose kernel is kernel.sh."""
    return memhp("--qmp", path, "--guest", tree.kernel_channel(), "--json", *more, *words)


def test_plug_and_unplug_with_a_guest(path, tree):
    vm = Vm(tree)
    with Monitor(path, vm) as monitor:
        value = whole(path, tree, "plug", "512M").succeeded()
        assert value["devices"][0]["blocks"] == [
            {"first": 32, "last": 35, "state": "online", "zone": "Movable", "node": 0, "removable": True}]
        assert tree.states(32, 35) == {"online Movable"}
        whole(path, tree, "unplug").succeeded()
    assert not tree.block(32).exists()
    assert monitor.changes == ["object-add memhp0-mem", "device_add memhp0-dimm", "device_del memhp0-dimm",
                               "object-del memhp0-mem"]


def test_the_blocks_prove_a_plug_that_sends_no_answer(path, tree):
    with Monitor(path, Vm(tree), on={"device_add": [Quietly]}):
        whole(path, tree, "plug", "256M", "--zone", "kernel").succeeded()
    assert tree.states(32, 33) == {"online Normal"}


@pytest.mark.parametrize("status", [1, 0x81, 0x82])
def test_a_dimm_that_the_guest_does_not_take_is_undone(path, tree, status):
    vm = Vm(tree)
    with Monitor(path, vm, on={"device_add": [Quietly, ost(1, status)]}) as monitor:
        whole(path, tree, "plug", "512M").failed(5, f"OST status {status}", code="guest-refused",
                                                 state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not vm.devices and "memhp0-mem" not in vm.objects


def test_blocks_that_never_appear_are_undone_at_the_deadline(path, tree):
    vm = Vm()  # takes the DIMM, but gives the guest no blocks
    with Monitor(path, vm, on={"device_add": [Quietly]}) as monitor:
        result = whole(path, tree, "plug", "512M", more=("--timeout", "3"))
    result.failed(6, "blocks", code="timeout", state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]


GOING = ("--keep-going", "--name", "d")


def test_what_is_verified_at_the_deadline_stays_and_a_write_that_hangs_is_undone(path, tree):
    """So many blocks go the long way, in order: the third DIMM's hang."""
    vm = Vm(tree, max_mib=65536)
    add = tree.add

    def add_hanging(first, last, **facts):
        add(first, last, **facts)
        if first <= 80 <= last:
            tree.hang(80, "online_movable")

    tree.add = add_hanging
    with Monitor(path, vm) as monitor:
        value = whole(path, tree, "plug", "10G", "--dimm", "2560M", "--zone", "movable", *GOING,
                      more=("--timeout", "6")).failed(7, "memory80", "the deadline passed", code="partial",
                                                      state="partial")
    assert "2 of 4 DIMMs are plugged ('d0-dimm', 'd1-dimm'), 2 are not ('d2-dimm', 'd3-dimm')" in \
        value["error"]["message"]
    assert monitor.changes[8:] == ["device_del d2-dimm", "device_del d3-dimm", "object-del d2-mem",
                                   "object-del d3-mem"]
    assert tree.states(32, 71) == {"online Movable"} and not tree.block(72).exists()
    assert sorted(vm.objects) == ["d0-mem", "d1-mem", "pc.ram"]


def test_the_rounds_before_the_deadline_stay(path, tmp_path):
    """The guest never shows the second DIMM."""
    def insert(request):
        vm.insert(request["arguments"])
        tree.remove(33, 33)
        return {"return": {}, "id": request["id"]}

    tree = peer.Tree(tmp_path / "guest", available_mib=19)
    vm = Vm(tree)
    remove = vm.remove

    def remove_unseen(device):
        tree.add(33, 33)
        remove(device)

    vm.remove = remove_unseen
    with Monitor(path, vm, on={"device_add": [[Default], [insert]]}) as monitor:
        result = whole(path, tree, "plug", "384M", "--dimm", "128M", "--zone", "kernel", *GOING,
                       more=("--timeout", "3"))
    result.failed(7, "1 of 3 DIMMs are plugged ('d0-dimm'), 2 are not ('d1-dimm', 'd2-dimm')", "blocks",
                  code="partial", state="partial")
    assert monitor.changes == ["object-add d0-mem", "device_add d0-dimm", "object-add d1-mem", "device_add d1-dimm",
                               "device_del d1-dimm", "object-del d1-mem"]
    assert tree.states(32, 32) == {"online Normal"} and sorted(vm.objects) == ["d0-mem", "pc.ram"]


def test_a_block_that_the_kernel_refuses_to_bring_online_undoes_the_plug(path, tree):
    vm = Vm(tree)
    add = tree.add

    def add_refusing(first, last, **facts):
        add(first, last, **facts)
        for word in ("online_movable", "online_kernel", "online"):
            tree.refuse(34, word, "Cannot allocate memory")

    tree.add = add_refusing
    with Monitor(path, vm) as monitor:
        whole(path, tree, "plug", "512M").failed(5, "memory34", "Cannot allocate memory", code="guest-refused",
                                                 state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not tree.block(32).exists() and not vm.devices


def test_a_block_that_cannot_go_offline_keeps_the_others_online(path, tree):
    vm = Vm(tree)
    with Monitor(path, vm) as monitor:
        whole(path, tree, "plug", "512M").succeeded()
        tree.refuse(33, "offline", "Device or resource busy")
        whole(path, tree, "unplug").failed(5, "memory33", "Device or resource busy", code="guest-refused",
                                           state="rolled-back")
    assert tree.states(32, 35) == {"online Movable"}
    assert "device_del memhp0-dimm" not in monitor.changes


def test_a_refused_ejection_brings_the_blocks_back_online_in_their_zones(path, tree):
    vm = Vm(tree)
    with Monitor(path, vm, on={"device_del": [reply(), ost(3, 0x82)]}):
        whole(path, tree, "plug", "512M", "--zone", "movable").succeeded()
        for name, text in (("valid_zones", "Normal"),):
            (tree.block(32) / name).write_text(text + "\n")
        whole(path, tree, "unplug").failed(5, "busy", code="guest-refused", state="rolled-back")
    assert tree.states(33, 35) == {"online Movable"}
    assert tree.state(32) == "online Normal"


def test_an_ejection_that_is_never_answered_brings_the_blocks_back_and_stays_pending(path, tree):
    with Monitor(path, Vm(tree), on={"device_del": [reply()]}):
        whole(path, tree, "plug", "512M").succeeded()
        whole(path, tree, "unplug", more=("--timeout", "1.5")).failed(
            6, "has not let go of 'memhp0-dimm'", code="timeout", state="pending")
    assert tree.states(32, 35) == {"online Movable"}


def test_an_offline_that_hangs_is_ended_and_undone_at_the_deadline(path, tree):
    with Monitor(path, Vm(tree)) as monitor:
        whole(path, tree, "plug", "512M").succeeded()
        tree.hang(33, "offline")
        whole(path, tree, "unplug", more=("--timeout", "2")).failed(
            6, "memory33", code="timeout", state="rolled-back")
        assert "device_del memhp0-dimm" not in monitor.changes
    assert tree.states(32, 35) == {"online Movable"}


def test_a_guest_without_room_for_what_is_in_the_memory_keeps_it(path, tree):
    with Monitor(path, Vm(tree)) as monitor:
        whole(path, tree, "plug", "512M").succeeded()
        tree.write("proc/meminfo", "MemTotal: 1048576 kB\nMemFree: 1000 kB\nMemAvailable: 400000 kB")
        whole(path, tree, "unplug").failed(5, "available", code="guest-refused", state="unchanged")
        assert "device_del memhp0-dimm" not in monitor.changes
        whole(path, tree, "unplug", "--force").succeeded()


def test_a_guest_whose_shell_is_not_root_is_left_alone(path, tree):
    (tree.memory / "uevent").unlink()
    with Monitor(path, Vm(tree)) as monitor:
        whole(path, tree, "plug", "512M").failed(4, "root", code="guest-unreachable", state="unchanged")
        assert not monitor.changes


@pytest.mark.parametrize("words, boot, zone", [
    ((), 8, "Movable"), ((), 2, "Movable"), ((), 1, "Normal"), (("--zone", "movable"), 1, "Movable"),
    (("--zone", "kernel"), 8, "Normal"), (("--zone", "auto"), 1, "Normal"),
], ids=str)
def test_the_zone_is_movable_up_to_three_times_the_kernels(path, tmp_path, words, boot, zone):
    """512 MiB beside so many blocks of 128 MiB at boot."""
    tree = peer.Tree(tmp_path / "small", boot=boot)
    with Monitor(path, Vm(tree)):
        blocks = whole(path, tree, "plug", "512M", *words).succeeded()["devices"][0]["blocks"]
        assert [b["zone"] for b in blocks] == [zone]
    assert tree.states(32, 35) == {f"online {zone}"}


def test_three_times_the_kernels_is_counted_with_what_is_movable_already(path, tmp_path):
    tree = peer.Tree(tmp_path / "small", boot=2)
    with Monitor(path, Vm(tree)):
        whole(path, tree, "plug", "512M").succeeded()
        whole(path, tree, "plug", "256M").succeeded()
        whole(path, tree, "plug", "128M").succeeded()
    assert tree.states(32, 37) == {"online Movable"} and tree.state(38) == "online Normal"


@pytest.mark.parametrize("policy", ["online", "online_kernel", "online_movable"])
def test_a_guest_that_brings_memory_online_by_itself_gets_the_zone_asked_for(path, tree, policy):
    name = "sys/devices/system/memory/auto_online_blocks"
    tree.write(name, policy)
    add = tree.add

    def add_as_the_policy_says(first, last):
        """What the kernel does, and udev in its place."""
        zone = "Movable" if policy == "online_movable" else "Normal"
        add(first, last, "online", zone)

    tree.add = add_as_the_policy_says
    with Monitor(path, Vm(tree)):
        whole(path, tree, "plug", "256M", "--zone", "movable").succeeded()
        whole(path, tree, "plug", "256M", "--zone", "kernel").succeeded()
    assert tree.states(32, 33) == {"online Movable"} and tree.states(34, 35) == {"online Normal"}
    assert (tree.root / name).read_text().strip() == policy


# Ctrl-C

def start(path, *words):
    """memhp --json without a guest, under way."""
    return peer.Run("--qmp", path, "--guest", "none", "--json", *words)


def test_an_interrupted_plug_is_undone(path, tree):
    vm = Vm()  # takes the DIMM, but gives the guest no blocks
    with Monitor(path, vm, on={"device_add": [Quietly]}) as monitor:
        run = peer.Run("--qmp", path, "--guest", tree.kernel_channel(), "--json", "plug", "512M")
        monitor.wait_for("device_add")
        run.interrupt()
        run.finish().failed(130, "interrupted", code="interrupted", state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not vm.devices and "memhp0-mem" not in vm.objects


def test_an_interrupted_query_changes_nothing(path):
    with Monitor(path, on={"query-target": []}) as monitor:
        run = start(path, "plug", "512M")
        monitor.wait_for("query-target")
        run.interrupt()
        run.finish().failed(130, "interrupted", code="interrupted", state="unchanged")
        assert not monitor.changes


def test_an_interrupted_unplug_says_what_is_pending(path, plugged):
    with Monitor(path, plugged, on={"device_del": [reply()]}) as monitor:
        run = start(path, "unplug", "d0")
        monitor.wait_for("device_del")
        run.interrupt()
        run.finish().failed(130, "d0-dimm", code="interrupted", state="pending")


def test_a_second_interrupt_ends_the_undoing_and_says_what_is_left(path):
    vm = Vm()
    with Monitor(path, vm, on={"query-memory-devices": [[Default], []], "device_del": [reply()]}) as monitor:
        run = start(path, "plug", "512M")
        monitor.wait_for("query-memory-devices", 2)
        run.interrupt()
        monitor.wait_for("query-memory-devices", 3)
        run.interrupt()
        run.finish().failed(130, "memhp0-dimm", code="interrupted", state="partial")


# Text that could drive a terminal: class Result refuses any on stdout and stderr

ESCAPES = "\033[2J\033]0;owned\007\r\u009b31m\x7f\n\u0085"


@pytest.mark.parametrize("is_json", [True, False], ids=["json", "text"])
def test_the_words_of_qemu_cannot_drive_a_terminal(path, is_json):
    more = ("--json",) if is_json else ()
    with Monitor(path, on={"object-add": [error(f"no {ESCAPES} way")]}):
        result = memhp("--qmp", path, "--guest", "none", *more, "plug", "512M")
    assert result.code == 1 and "no ?[2J" in result.stderr
    if is_json:
        assert ESCAPES in result.json["error"]["message"] or "no ?[2J" in result.json["error"]["message"]


@pytest.mark.parametrize("words", [("list",), ("status",), ("blocks", "--guest", "local"), ("unplug", "x")],
                         ids=lambda w: w[0])
@pytest.mark.parametrize("is_json", [True, False], ids=["json", "text"])
def test_the_names_of_qemu_cannot_drive_a_terminal(path, tree, words, is_json):
    words = [tree.local_channel() if w == "local" else w for w in words]
    more = ["--json"] if is_json else []
    guest = [] if "--guest" in words else ["--guest", "none"]
    vm = Vm()
    vm.plug("x", 128)
    vm.devices[0]["id"] = f"x-dimm{ESCAPES}"
    vm.devices[0]["memdev"] = f"/objects/{ESCAPES}"
    scripts = {"query-target": [reply({"arch": ESCAPES})], "query-status": [reply(
        {"status": f"running{ESCAPES}", "running": True, "singlestep": False})]}
    with Monitor(path, vm, on=scripts):
        result = memhp("--qmp", path, *guest, *more, *words)
    assert result.code in (0, 1)
    if is_json:
        assert isinstance(result.json, dict)


def test_a_raw_reply_cannot_drive_a_terminal(path):
    value = {ESCAPES: [ESCAPES]}
    with Monitor(path, on={"query-cpus": [reply(value)]}):
        assert host(path, "qmp", "query-cpus").succeeded()["return"] == value
        result = memhp("--qmp", path, "qmp", "query-cpus")
    assert result.code == 0 and json.loads(result.stdout) == value


def test_what_verbose_shows_cannot_drive_a_terminal(path):
    with Monitor(path, on={"query-status": [event("E", text=ESCAPES), Default]}):
        result = memhp("--qmp", path, "--guest", "none", "--verbose", "list")
    assert result.code == 0 and "query-status" in result.stderr


@pytest.mark.parametrize("words", [
    (b"plug", b"\xff\x1b[31m512M"), (b"\xc2\x9b31m",), (b"--\xff",), (b"--timeout", b"\xff", b"list"),
    (b"online", b"\xe2\x82", b"--guest", b"\xff"), (b"list", b"--guest", b"serial:/\xff\x1b]0;x\x07"),
], ids=repr)
def test_the_words_of_the_user_cannot_drive_a_terminal(words):
    result = memhp("--json", *words)
    assert result.code in (2, 3, 4) and result.json["ok"] is False


@pytest.mark.parametrize("length", range(740, 746))
def test_a_long_error_is_cut_between_characters(path, length):
    with Monitor(path, on={"object-add": [error("x" * (length - 40) + "\u20ac" * 300)]}):
        host(path, "plug", "512M").failed(1, "xxx")


def test_raw_commands_are_sent_as_given(path):
    with Monitor(path) as monitor:
        value = host(path, "qmp", "qom-get", "path=/machine", "property=memory").succeeded()
        assert value["return"]["slots"] == 4
        host(path, "qmp", "no-such-command").failed(1, "no-such-command", "has not been found",
                                                    code="qemu-refused")
        host(path, "qmp", "object-add", "id=x", "size=512", "qom-type=memory-backend-ram").succeeded()
    assert monitor.sent("object-add") == [{"id": "x", "size": 512, "qom-type": "memory-backend-ram"}]
