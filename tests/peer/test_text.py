# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of QEMU and of the user that could drive a terminal: class Result refuses any on stdout and stderr."""
import json

import pytest
from binary import host
from peer import Default, Monitor, Vm, error, event, memhp, reply

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
