# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest agent that forbids guest-exec: its commands for memory blocks, bounded, read strictly, told in words."""
import errno
import threading

import pytest
from peer import HANG, Agent, Close, Monitor, Run, Vm, memhp

FORBIDDEN = ("guest-exec", "guest-exec-status")


@pytest.fixture
def ask(tmp_path):
    """Run memhp on such an agent, which differs from the right one in the commands given."""
    def run(*words, seconds=20, forbidden=FORBIDDEN, **on):
        with Agent(tmp_path / "agent", forbidden, **on) as agent:
            result = memhp("--guest", f"qga:{tmp_path / 'agent'}", "--timeout", seconds, *words)
        (tmp_path / "agent").unlink()
        result.requests = [r for r in agent.requests if r["execute"] == "guest-set-memory-blocks"]
        result.online = agent.online
        return result
    return run


def returns(value):
    return lambda _request: {"return": value}


def error(desc):
    return lambda _request: {"error": {"class": "GenericError", "desc": desc}}


def test_blocks_are_shown_as_far_as_they_are_known(ask):
    found = ask("--json", "blocks").succeeded()
    assert found["block_size"] == 128 << 20
    assert [(b["first"], b["last"], b["state"], b["zone"], b["node"], b["removable"]) for b in found["blocks"]] == [
        (0, 3, "online", None, None, True), (32, 33, "online", None, None, True), (34, 35, "offline", None, None, True)]
    plain = ask("blocks")
    assert plain.code == 0 and "memory32-memory33  online   -" in plain.stdout
    assert "the guest agent forbids guest-exec: zones, free memory and policies are unknown" in plain.stderr
    assert "forbids guest-exec" not in ask("--quiet", "blocks").stderr


def test_blocks_go_on_and_off_one_by_one_upwards_and_downwards(ask):
    found = ask("--json", "online", "33-35")
    assert found.succeeded()["guest"] == {"block_size": 128 << 20, "mem_total_before": None, "mem_total_after": None}
    assert [r["arguments"] for r in found.requests] == [
        {"mem-blks": [{"phys-index": n, "online": True}]} for n in (34, 35)]
    plain = ask("online", "34")
    assert "memory34: online\n" in plain.stdout and "total" not in plain.stdout
    found = ask("--json", "offline", "32-33")
    assert found.succeeded()["changed"] == 256 << 20
    assert [r["arguments"]["mem-blks"][0]["phys-index"] for r in found.requests] == [33, 32]
    assert not found.online[32] and not found.online[33]


@pytest.mark.parametrize("words", [("online", "34", "--zone", "movable"), ("online", "34", "--zone", "kernel"),
                                   ("offline", "all"), ("offline", "128M")], ids=" ".join)
def test_what_takes_zones_is_refused_before_anything_is_changed(ask, words):
    found = ask("--json", *words)
    found.failed(1, "the guest agent forbids guest-exec: without it", code="failed", state="unchanged")
    assert not found.requests


def test_an_agent_that_may_only_look(ask):
    assert ask("--json", "blocks", forbidden=(*FORBIDDEN, "guest-set-memory-blocks")).succeeded()
    found = ask("--json", "offline", "32", forbidden=(*FORBIDDEN, "guest-set-memory-blocks"))
    found.failed(4, "the guest agent allows neither guest-exec nor guest-set-memory-blocks", state="unchanged")
    assert not found.requests


@pytest.mark.parametrize("says", [error("no"), returns({}), returns({"kernel-release": "6.1 0 1"}),
                                  returns({"kernel-release": "x" * 99}), returns({"kernel-release": 6})])
def test_the_kernel_need_not_be_known(ask, tmp_path, says):
    with Monitor(tmp_path / "qmp", Vm()):
        found = ask("--qmp", tmp_path / "qmp", "--json", "status", guest_get_osinfo=says).succeeded()["guest"]
    assert [found[key] for key in ("kernel", "mem_total", "mem_available", "auto_online", "udev_rule")] == [None] * 5
    assert (found["block_size"], found["blocks_online"], found["blocks_offline"]) == (128 << 20, 6, 2)


def block(number, online=True, **more):
    return {"phys-index": number, "online": online, **more}


@pytest.mark.parametrize("says,words", [
    (returns([block(-1)]), "no list of memory blocks"), (returns([block("1")]), "no list of memory blocks"),
    (returns([block(1.5)]), "no list of memory blocks"), (returns([block(1, "yes")]), "no list of memory blocks"),
    (returns([block(1), block(2), block(1)]), "each once"), (returns([1]), "no list of memory blocks"),
    (returns([None]), "no list of memory blocks"), (returns([{}]), "no list of memory blocks"),
    (returns({}), "no list of memory blocks"), (returns(None), "no list of memory blocks"),
    (returns([block(1 << 63)]), "cannot understand the guest"),
    (returns([block(10000000)]), "cannot understand the guest"),
    (error("open(\"/sys\033[2J\"): No such file"), "says: open(\"/sys?[2J\")"),
    (lambda _: {"hello": 1}, "neither return nor error"), (lambda _: b"}\n", "broke the protocol"),
    (lambda _: b'{"return": ["' + b"x" * (17 << 20) + b'"]}\n', "more than 16 MiB"),
    (lambda _: Close, "went away"),
])
def test_a_wrong_list_of_blocks_is_refused(ask, says, words):
    ask("--json", "blocks", guest_get_memory_blocks=says).failed(4, words, code="guest-unreachable")


@pytest.mark.parametrize("says,words", [
    ({}, "no number 'size'"), ({"size": "128M"}, "no number 'size'"), ({"size": -1}, "no number 'size'"),
    (None, "no number 'size'"), ([], "no number 'size'"), ({"size": 3}, "cannot understand the guest: 'size 3'"),
    ({"size": 0}, "cannot understand the guest"), ({"size": 1 << 50}, "cannot understand the guest")])
def test_a_wrong_size_of_blocks_is_refused(ask, says, words):
    ask("--json", "blocks", guest_get_memory_block_info=returns(says)).failed(4, words, code="guest-unreachable")


def test_ten_thousand_blocks_in_no_order(ask):
    blocks = [block(n * 7919 % 10007, n % 2 == 0) for n in range(10007)]
    found = ask("--json", "blocks", guest_get_memory_blocks=returns(blocks)).succeeded()["blocks"]
    assert sum(b["last"] - b["first"] + 1 for b in found) == 10007
    assert [b["first"] for b in found] == sorted(b["first"] for b in found)


def test_a_block_that_goes_during_the_look_does_no_harm(ask):
    says = iter([error("open(\"memory35\"): No such file or directory"), returns([block(0)])])
    found = ask("--json", "blocks", guest_get_memory_blocks=lambda r: next(says)(r)).succeeded()
    assert [(b["first"], b["last"]) for b in found["blocks"]] == [(0, 0)]


def response(kind, code=None, number=33):
    return returns([{"phys-index": number, "response": kind, **({} if code is None else {"error-code": code})}])


@pytest.mark.parametrize("says,words", [
    (response("operation-failed", errno.EBUSY), "cannot take 'memory33' offline: Device or resource busy"),
    (response("operation-failed"), "cannot take 'memory33' offline: no reason given"),
    (response("operation-failed", 0), "no reason given"), (response("operation-failed", -5), "no reason given"),
    (response("operation-failed", 1 << 60), "no reason given"), (response("operation-failed", 99999), "error 99999"),
    (response("operation-failed", "16"), "no reason given"),
    (response("not-found", 2), "cannot take 'memory33' offline: no such block"),
    (response("operation-not-supported"), "cannot take 'memory33' offline: its kernel cannot do that"),
])
def test_a_refusal_is_told_with_its_reason(ask, says, words):
    found = ask("--json", "offline", "32-33", guest_set_memory_blocks=lambda r: done(r) if is_online(r) else says(r))
    found.failed(5, words, code="guest-refused", state="rolled-back")
    # nothing was asked of the block below it, and what was online is put back
    assert [is_online(r) for r in found.requests] == [False, True, True]


def is_online(request):
    return request["arguments"]["mem-blks"][0]["online"]


def done(request):
    return response("success", number=request["arguments"]["mem-blks"][0]["phys-index"])(request)


def test_a_failed_write_is_none_where_somebody_else_was_faster(tmp_path):
    with Agent(tmp_path / "agent", FORBIDDEN) as agent:
        def fail(request):
            agent.guest_set_memory_blocks(request["arguments"])
            return response("operation-failed", errno.EINVAL, 34)(request)

        agent.on["guest-set-memory-blocks"] = fail
        found = memhp("--guest", f"qga:{tmp_path / 'agent'}", "--json", "online", "34").succeeded()
    assert found["blocks"][0]["state"] == "online"


NO_RESPONSE = "no response for the memory block"


@pytest.mark.parametrize("says,words", [
    (returns([]), NO_RESPONSE), (returns({}), NO_RESPONSE), (returns([None]), NO_RESPONSE),
    (response("fine"), NO_RESPONSE), (response("success", number=32), NO_RESPONSE),
    (returns([{"phys-index": 33}]), NO_RESPONSE), (returns([{"response": "success"}]), NO_RESPONSE),
    (lambda _: Close, "went away"), (lambda _: b"\0\0\n", "broke the protocol"),
])
def test_an_agent_that_breaks_off_in_the_middle_is_told_so(ask, says, words):
    """What became of the block is not known, and is not claimed to be."""
    found = ask("--json", "offline", "33", guest_set_memory_blocks=says, seconds=5)
    found.failed(7, words, "some of memory33 may not be back as they were", code="partial", state="partial")


def test_success_that_is_none_is_seen(ask):
    ask("--json", "offline", "33", guest_set_memory_blocks=response("success")).failed(
        5, "'memory33' is still online", code="guest-refused", state="rolled-back")


def test_an_agent_that_hangs_over_a_block_is_told_at_the_deadline(ask):
    found = ask("--json", "offline", "32-33", guest_set_memory_blocks=lambda _: None, seconds=2)
    found.failed(7, "has not said yet whether 'memory33' is offline", code="partial", state="partial")
    assert len(found.requests) == 1


def test_ctrl_c_is_answered_with_what_is_not_known(tmp_path):
    with Agent(tmp_path / "agent", FORBIDDEN) as agent:
        asked = threading.Event()
        agent.on["guest-set-memory-blocks"] = lambda _request: asked.set()
        run = Run("--guest", f"qga:{tmp_path / 'agent'}", "--json", "--timeout", "3", "offline", "33")
        assert asked.wait(HANG)
        run.interrupt()
        run.finish().failed(130, "has not said yet whether 'memory33' is offline", code="interrupted", state="partial")


@pytest.mark.parametrize("command", ["guest_info", "guest_get_osinfo", "guest_get_memory_block_info",
                                     "guest_get_memory_blocks"])
def test_the_deadline_ends_every_wait(ask, command):
    ask("--json", "blocks", **{command: lambda _: None}, seconds=1).failed(6, "does not answer", code="timeout")


class Booting(Vm):
    """A machine whose guest says nothing about its DIMMs, as one that boots."""

    def do_device_add(self, **arguments):
        self.insert(arguments)
        return {}


def test_blocks_are_waited_for_by_asking(tmp_path):
    looks = []
    with Agent(tmp_path / "agent", FORBIDDEN) as agent, Monitor(tmp_path / "qmp", Booting()) as monitor:
        def look(_request):
            looks.append(len(monitor.vm.devices))
            if looks.count(1) == 5:
                agent.online[36] = False
            if looks.count(1) == 8:
                agent.online[37] = False
            return agent.guest_get_memory_blocks(None)

        agent.on["guest-get-memory-blocks"] = look
        found = memhp("--guest", f"qga:{tmp_path / 'agent'}", "--qmp", tmp_path / "qmp", "--json", "plug", "256M",
                      "--addr", f"{36 << 27:#x}").succeeded()
    assert found["devices"][0]["blocks"] == [
        {"first": 36, "last": 37, "state": "online", "zone": None, "node": None, "removable": True}]
    assert looks.count(1) == 9  # the last for what came of it


def test_blocks_that_do_not_appear_are_waited_for_until_the_deadline(ask, tmp_path):
    with Monitor(tmp_path / "qmp", Booting()) as monitor:
        found = ask("--qmp", tmp_path / "qmp", "--json", "plug", "512M", seconds=3,
                    guest_get_memory_blocks=returns([block(0)]))
        found.failed(6, "the guest has not shown the DIMM's blocks: the deadline passed", state="rolled-back")
        assert not found.requests and not monitor.vm.devices and len(monitor.vm.objects) == 1
