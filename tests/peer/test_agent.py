# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest agent that says anything: bounded, read strictly, and told in words."""
import base64
import socket

import peer
import pytest
from peer import Agent, Monitor, Vm, memhp
from vm import wait_until


@pytest.fixture
def ask(tmp_path):
    """Run memhp on an agent that differs from the right one in the commands given."""
    def run(*words, seconds=20, **on):
        with Agent(tmp_path / "agent", **on) as agent:
            result = memhp("--guest", f"qga:{tmp_path / 'agent'}", "--json", "--timeout", seconds, *(words or ["blocks"]))
        (tmp_path / "agent").unlink()
        result.requests = agent.requests
        return result
    return run


def test_the_peer_does_the_right_thing_by_itself(ask):
    assert [b["first"] for b in ask().succeeded()["blocks"]] == [0, 32]


def error(kind, desc):
    return lambda _request: {"error": {"class": kind, "desc": desc}}


def ended(**more):
    return lambda _request: {"return": {"exited": True, "exitcode": 0, **more}}


def test_what_others_have_left_unread_is_passed_over(ask):
    def sync(request):
        right = b"\xff" + b'{"return": %d}\n' % request["arguments"]["id"]
        return (b'{"return": 1}\n\xff{"return": 2}\n\xff{"retu' b'{"error": {"desc": "JSON parse error"}}\n' + b"x" * 300000
                + b"\n\xff\xff\n\xff" + right)

    assert ask(guest_sync_delimited=sync).succeeded()


SYNCS = {
    "silence": None, "another id": b'\xff{"return": 1}\n', "no byte before it": {"return": 1}, "a sign": b'\xff{"return": -1}\n',
    "bytes": b"\xff" * 100000, "text": b"x" * 3000000, "an array": b"\xff[]\n", "an object": b'\xff{"return": {}}\n',
    "an error": b'\xff{"error": {}}\n'}


@pytest.mark.parametrize("sync", SYNCS)
def test_an_agent_that_does_not_answer_is_not_waited_for_beyond_the_deadline(ask, sync):
    found = ask(guest_sync_delimited=lambda _request: SYNCS[sync], seconds=1)
    error_found = found.failed(4, "agent' does not answer", code="guest-unreachable")["error"]
    assert error_found["hint"].startswith("is qemu-guest-agent running in the guest")


def test_a_socket_that_is_not_there_and_one_that_nobody_serves(tmp_path):
    address = f"qga:{tmp_path / 'agent'}"
    memhp("--guest", address, "--json", "blocks").failed(4, "No such file", code="guest-unreachable")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "agent"))
        listener.listen()
        memhp("--guest", address, "--json", "-t", "1", "blocks").failed(4, "does not answer", code="guest-unreachable")
    memhp("--guest", "qga:", "--json", "blocks").failed(2, "bad guest channel 'qga:'", "qga:PATH", code="usage")


@pytest.mark.parametrize("more", ["guest-get-memory-blocks", "guest-get-memory-block-info", "guest-info"])
def test_an_agent_that_forbids_guest_exec_and_its_memory_blocks_is_told_so(ask, more):
    """What it can do with memory blocks alone: test_limited.py."""
    found = ask(forbidden=("guest-exec", more))
    said = found.failed(4, "does not allow guest-exec: Command guest-exec has been disabled", code="guest-unreachable")
    assert said["error"]["hint"].startswith("allow it in the guest's /etc/qemu/qemu-ga.conf")


@pytest.mark.parametrize("exec_says,words", [
    (error("GenericError", "no such\033[2J program"), "says: no such?[2J program"),
    (lambda _: {"return": {}}, "no number 'pid'"), (lambda _: {"return": {"pid": 0}}, "no number 'pid'"),
    (lambda _: {"return": {"pid": "1"}}, "no number 'pid'"), (lambda _: {"hello": 1}, "neither return nor error"),
    (lambda _: b"}\n", "broke the protocol"), (lambda _: b"[1]\n", "not an object"),
    (lambda _: b'{"return": "' + b"x" * (17 << 20) + b'"}\n', "more than 16 MiB"),
])
def test_a_wrong_answer_to_guest_exec_is_refused(ask, exec_says, words):
    ask(guest_exec=exec_says).failed(4, words, code="guest-unreachable")


@pytest.mark.parametrize("status_says,words", [
    (error("GenericError", "PID 42 does not exist"), "says: PID 42 does not exist"),
    (lambda _: {"return": {}}, "no boolean 'exited'"), (lambda _: {"return": {"exited": 1}}, "no boolean 'exited'"),
    (ended(), "shell of the guest agent on"), (ended(**{"out-data": ""}), "has ended"),
    (ended(**{"err-data": base64.b64encode(b"mkdir: no\033 room\nmore").decode()}), "says: mkdir: no? room"),
    (ended(**{"out-data": "A"}), "not base64"), (ended(**{"out-data": "QUI"}), "not base64"),
    (ended(**{"out-data": "QUJ="}), "not base64"), (ended(**{"out-data": "QU==QU=="}), "not base64"),
    (ended(**{"out-data": "===="}), "not base64"), (ended(**{"err-data": "\u00e9"}), "not base64"),
    (ended(**{"out-data": "QUFB" * 30000}), "more output than was asked for"),
])
def test_a_wrong_answer_to_guest_exec_status_is_refused(ask, status_says, words):
    ask(guest_exec_status=status_says).failed(4, words, code="guest-unreachable")


@pytest.mark.parametrize("on", [
    {"guest_exec": lambda _: None}, {"guest_exec_status": lambda _: None},
    {"guest_exec_status": lambda _: {"return": {"exited": False}}},
    {"guest_exec_status": ended(**{"out-data": base64.b64encode(b"nothing of ours\n").decode()})},
])
def test_the_deadline_ends_every_wait(ask, on):
    ask(**on, seconds=1).failed(6, "does not answer", code="timeout")


def test_no_word_of_the_users_is_in_a_request(ask):
    found = ask("offline", "32", guest_exec_status=ended())
    assert found.code == 4
    for request in found.requests:
        if request["execute"] == "guest-exec":
            assert request["arguments"]["path"] == "/bin/sh"
            assert request["arguments"]["arg"][0] == "-c" and "32" not in request["arguments"]["arg"][1]


class Ported(Vm):
    """A machine with virtserialports, of which one is the agent's, and whose console is no socket."""

    def __init__(self, path, directory="/machine/peripheral-anon", is_open=True, prefix="disconnected:"):
        super().__init__()
        self.directory = directory
        self.chardevs = [
            {"label": "serial0", "filename": "mux", "frontend-open": True},
            {"label": "other", "filename": "unix:/other,server=on", "frontend-open": True},
            {"label": "charchannel0", "filename": f"{prefix}unix:{path},server=on", "frontend-open": is_open}]

    def do_qom_list(self, path):
        if path == self.directory:
            return [{"name": "type", "type": "string"}, {"name": "a", "type": "child<virtserialport>"},
                    {"name": "b", "type": "child<virtserialport>"}]
        return super().do_qom_list(path)

    def do_qom_get(self, path, property):  # pylint: disable=redefined-builtin
        ports = {"a": {"name": "com.example.0", "chardev": "other"},
                 "b": {"name": "org.qemu.guest_agent.0", "chardev": "charchannel0"}}
        if path.rpartition("/")[0] != self.directory:
            return super().do_qom_get(path, property)
        return ports[path[-1]][property]


@pytest.mark.parametrize("directory", ["/machine/peripheral", "/machine/peripheral-anon"])
def test_the_agent_is_found_where_no_console_is(tmp_path, directory):
    with Agent(tmp_path / "agent"), Monitor(tmp_path / "qmp", Ported(tmp_path / "agent", directory)):
        found = memhp("--qmp", tmp_path / "qmp", "--json", "status").succeeded()
    assert found["guest"]["channel"] == f"qga:{tmp_path / 'agent'}"


def test_an_agent_that_does_not_run_is_no_channel(tmp_path):
    with Monitor(tmp_path / "qmp", Ported(tmp_path / "agent", is_open=False)):
        assert memhp("--qmp", tmp_path / "qmp", "--json", "status").succeeded()["guest"] is None


def test_an_agent_in_use_is_named(tmp_path):
    with Monitor(tmp_path / "qmp", Ported(tmp_path / "agent", prefix="")):
        memhp("--qmp", tmp_path / "qmp", "--json", "plug", "512M").failed(
            4, f"the guest's agent '{tmp_path / 'agent'}' is in use by another program", state="unchanged")


LOOK = {"guest-exec": (), "guest-get-memory-blocks": ("guest-exec", "guest-exec-status")}


def add_block(agent):
    """The guest has one more, by whatever it is asked."""
    agent.online[40] = False
    agent.scan = [*peer.SCAN, "blocks 40 40 offline 0 1 Movable"]


def times(agent, command):
    return sum(request["execute"] == command for request in agent.requests)


@pytest.mark.parametrize("look", LOOK)
def test_a_guest_is_followed_over_its_agent(tmp_path, look):
    """By memhp's own clock, with guest-exec and without."""
    with Agent(tmp_path / "agent", LOOK[look]) as agent:
        run = peer.Run("--guest", f"qga:{tmp_path / 'agent'}", "events", "--guest-events", "--count", "1")
        wait_until(lambda: times(agent, look) >= 2)
        add_block(agent)
        result = run.finish()
    assert result.code == 0 and result.stdout.endswith("memory40: added, offline\n"), result


@pytest.mark.parametrize("look", LOOK)
def test_how_much_is_online_is_seen_over_an_agent(tmp_path, look):
    with Agent(tmp_path / "agent", LOOK[look]):
        result = memhp("--guest", f"qga:{tmp_path / 'agent'}", "events", "--until",
                       "online=768M" if LOOK[look] else "online=1G")
    assert (result.code, result.stdout) == (0, ""), result


@pytest.mark.parametrize("silent", ["guest-get-memory-blocks", "guest-exec", "guest-exec-status"])
def test_an_agent_that_is_silent_does_not_hold_up_what_qemu_says(tmp_path, silent):
    """As that of a guest which is paused."""
    look = "guest-get-memory-blocks" if silent == "guest-get-memory-blocks" else "guest-exec"
    with Agent(tmp_path / "agent", LOOK[look]) as agent, Monitor(tmp_path / "qmp", Vm()) as monitor:
        run = peer.Run("--qmp", tmp_path / "qmp", "--guest", f"qga:{tmp_path / 'agent'}", "events", "--guest-events",
                       "--count", "2")
        wait_until(lambda: times(agent, look) >= 2)  # the first look has come
        agent.on[silent] = lambda _request: None
        count = times(agent, silent)
        wait_until(lambda: times(agent, silent) > count)
        monitor.say({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}})
        monitor.say({"event": "RESUME", "timestamp": {"seconds": 1, "microseconds": 0}})
        result = run.finish()
    assert result.code == 0 and "the VM is paused" in result.stdout and "runs again" in result.stdout, result


def test_a_named_agent_is_left_to_others_where_qemu_is_followed(tmp_path):
    """Its socket serves one client."""
    with Agent(tmp_path / "agent") as agent, Monitor(tmp_path / "qmp", Vm()) as monitor:
        run = peer.Run("--qmp", tmp_path / "qmp", "--guest", f"qga:{tmp_path / 'agent'}", "events", "--count", "1")
        monitor.wait_for("qmp_capabilities")
        monitor.say({"event": "STOP", "timestamp": {"seconds": 1, "microseconds": 0}})
        assert "the VM is paused" in run.finish().stdout and not agent.requests

