# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that say more than anybody can read: it fills neither memory nor terminal, and nothing else waits for it."""
import contextlib
import json
import os
import re
import threading

import peer
import pytest
from limits import capped
from peer import BINARY, MIB, Default, Liar, Monitor, Typist, encode, event, memhp, ost, reply


# What is kept of what QEMU says


def test_replies_to_requests_that_were_answered_do_not_pile_up(path, plugged):
    """As long as a shell runs there are more of them."""
    late = b"".join(encode({"return": {"text": "x" * MIB}, "id": number}) for number in range(1, 150))
    with Monitor(path, plugged, on={"ping": [reply()], "flood": [late, reply()]}):
        script = "qmp ping\n" * 150 + "qmp flood\nlist\n"
        result = capped(120, "--qmp", path, "--guest", "none", "shell", text=script)
    assert result.code == 0 and "d0-dimm" in result.stdout, result


@pytest.mark.parametrize("part", [b"{}", b"[]", b"0", b"\"\"", b"{\"a\":0}", b"[[[]]]"], ids=repr)
def test_events_of_many_parts_do_not_pile_up(path, plugged, part):
    """Their text is nothing beside what becomes of it: 900 bytes of each {}."""
    one = b"{\"event\": \"E\", \"data\": {\"x\": [" + b",".join([part] * 2000) + b"]}}\r\n"
    with Monitor(path, plugged, on={"query-status": [one * 2000, Default]}):
        result = capped(120, "--qmp", path, "--guest", "none", "--json", "list")
    assert [d["id"] for d in result.succeeded()["devices"]] == ["d0-dimm"]


@pytest.mark.parametrize("part, count", [(b"{}", 200), (b"{\"a\":{}}", 90), (b"0", 800)], ids=repr)
def test_events_of_some_parts_do_not_pile_up(path, plugged, part, count):
    """Each is small enough to be kept."""
    one = b"{\"event\": \"E\", \"data\": {\"x\": [" + b",".join([part] * count) + b"]}}\r\n"
    with Monitor(path, plugged, on={"query-status": [one * 6000, Default]}):
        result = capped(100, "--qmp", path, "--guest", "none", "--json", "list")
    assert [d["id"] for d in result.succeeded()["devices"]] == ["d0-dimm"]


@pytest.mark.parametrize("part", [b"{}", b"{\"a\":{}}"], ids=repr)
def test_a_message_of_many_objects_is_refused_before_it_fills_the_memory(path, part):
    many = b"{\"return\": [" + b",".join([part] * 130000) + b"], \"id\": 2}\r\n"
    with Monitor(path, on={"query-status": [many]}):
        result = capped(150, "--qmp", path, "--guest", "none", "--json", "list")
    result.failed(3, "262144 parts", code="qemu-unreachable", state="unchanged")


def test_what_a_real_qemu_says_is_not_too_much(path, plugged):
    """The largest answer that there is, of 1 MB and 60,000 parts, and all events of 256 DIMMs that leave at once."""
    schema = [{"name": str(n), "meta-type": "object", "members": [{"name": "x", "type": "int", "default": None}] * 8}
              for n in range(1500)]
    events = b"".join(encode(ost(3, status, n, f"d{n}-dimm")) for n in range(256) for status in (0x84, 0, 0x84, 0))
    with Monitor(path, plugged, on={"query-qmp-schema": [events, reply(schema)]}):
        value = memhp("--qmp", path, "--json", "qmp", "query-qmp-schema").succeeded()
    assert len(value["return"]) == 1500


# Events on the screen


FLOOD = 80000


def folded(text):
    """How many events the output tells of, and how many of these were not shown."""
    lines = text.splitlines()
    more = [int(m.group(1)) for m in (re.search(r"and (\d+) more", line) for line in lines) if m]
    return len(lines) - len(more) + sum(more), sum(more)


def test_events_that_come_too_fast_are_counted(path):
    noise = encode(ost(3, 0x84, 1)) * FLOOD
    with Monitor(path, on={"qmp_capabilities": [Default, noise, event("RESET")]}):
        result = memhp("--qmp", path, "--guest", "none", "events", "--count", str(FLOOD + 1))
    assert result.code == 0, result
    total, unseen = folded(result.stdout)
    assert total == FLOOD + 1 and unseen > FLOOD / 2
    assert "the VM was reset" in result.stdout  # another kind is not hidden


def test_as_json_they_are_counted_too(path):
    noise = encode(ost(3, 0x84, 1)) * FLOOD
    with Monitor(path, on={"qmp_capabilities": [Default, noise, event("RESET")]}):
        result = memhp("--qmp", path, "--guest", "none", "--json", "events", "--count", str(FLOOD + 1))
    said = [json.loads(line) for line in result.stdout.splitlines()]
    counts = [value["data"]["count"] for value in said if value["event"] == "EVENTS_FOLDED"]
    assert counts and len(said) - len(counts) + sum(counts) == FLOOD + 1
    assert any(value["event"] == "RESET" for value in said)
    assert all(value["text"] and value["timestamp"] for value in said)


def test_no_event_of_256_dimms_is_lost(path):
    """As many as there are when all come and go within a second."""
    real = [ost(source, status, n, f"d{n}-dimm") for n in range(256) for source, status in ((1, 0), (3, 0x84), (3, 0))]
    real += [peer.deleted(f"d{n}-dimm") for n in range(256)]
    with Monitor(path, on={"qmp_capabilities": [Default, *real]}):
        result = memhp("--qmp", path, "--guest", "none", "events", "--count", str(len(real)))
    assert result.code == 0 and len(result.stdout.splitlines()) == len(real) and "more" not in result.stdout


def test_an_event_does_not_fill_the_screen(path):
    long = event("DEVICE_DELETED", device="x" * 300000, path="/x")
    with Monitor(path, on={"qmp_capabilities": [Default, long]}):
        result = memhp("--qmp", path, "--guest", "none", "events", "--count", "1")
    assert result.code == 0 and 400 < len(result.stdout) < 600


def test_events_while_something_is_asked_for_are_counted_where_they_cannot_be_kept(path):
    """--until asks QEMU after each event."""
    noise = encode(ost(3, 0x84, 1)) * 1000
    summary = {"base-memory": 512 * MIB, "plugged-memory": MIB}
    answers = [[noise, reply(summary)]] * 20 + [[reply({**summary, "plugged-memory": 0})]]
    with Monitor(path, on={"query-memory-size-summary": answers}):
        result = capped(200, "--qmp", path, "--guest", "none", "events", "--until", "plugged=0", "--timeout", "60")
    assert result.code == 0 and folded(result.stdout)[0] >= 4096, result


def test_a_guest_that_changes_all_the_time_is_counted(path):
    """Each look at its 60,000 blocks shows all of them changed."""
    states = ["online", "offline"]

    def say(session, exchange, commands):
        return ["guest 6.1.0 1 offline contig-zones N", "memory 524288 204800 409600", "size 8000000"] + [
            f"blocks {n} {n} {states[(n + exchange) % 2]} 0 1 Movable" for n in range(20000)]

    with Liar(path, say):
        result = memhp("--guest", f"serial:{path}", "events", "--guest-events", "--count", "100000")
    assert result.code == 0, result
    total, unseen = folded(result.stdout)
    assert total >= 100000 and unseen > 30000


# A person at the prompt


class Person(Typist):
    """Types in a shell whose prompt is dumb."""

    def __init__(self, path, home):
        super().__init__([BINARY, "--qmp", str(path), "--guest", "none", "shell"],
                         peer.clean_environment({"TERM": "dumb", "HOME": str(home), "XDG_STATE_HOME": str(home)}))


@contextlib.contextmanager
def flooding(monitor):
    """A monitor that sends events for as long as the block lasts, as fast as they are read."""
    is_over = threading.Event()
    lines = encode(event("STOP")) * 200

    def run():
        with contextlib.suppress(OSError):
            while not is_over.is_set():
                monitor.connection.sendall(lines)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    is_over.set()
    thread.join()


def test_the_prompt_hears_keys_in_a_flood_of_events(path, tmp_path):
    with Monitor(path) as monitor, Person(path, tmp_path) as person:
        person.wait_for("> ")
        with flooding(monitor):
            person.wait_for("the VM is paused")
            person.type("exit\n")
            assert person.finish() == 0


def test_the_prompt_has_room_for_64_bytes_of_a_name(path, tmp_path):
    name = "\u00e9" * MIB
    with Monitor(path, on={"query-name": [reply({"name": name})]}), Person(path, tmp_path) as person:
        shown = person.wait_for("(\u00e9+[.]{3}) 512 MiB> ").group(1)
        assert 60 <= len(shown.encode()) <= 64, shown
        person.type("exit\n")
        assert person.finish() == 0


def test_a_console_that_only_makes_noise_meets_the_deadline(path):
    """Empty lines, each for itself."""
    def babble(session, exchange, commands):
        return b"\n" * (4 * MIB)

    with Liar(path, babble):
        result = memhp("--guest", f"serial:{path}", "--json", "--timeout", "2", "blocks")
    assert result.code in (4, 6), result
    assert os.path.exists(path)
