# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp events: what QEMU tells, in words and in JSON."""
import json
import re

import peer
import pytest
from peer import GIB, deleted, event, memhp


def follow(lab, *words):
    """memhp events, once it listens."""
    run = peer.Run("--qmp", lab.path, "events", *words)
    lab.wait_for("qmp_capabilities")
    return run


def test_events_are_told_in_words(lab):
    run = follow(lab, "--count", "3")
    for message in (event("RTC_CHANGE", offset=1), event("STOP"), deleted("d0-dimm"),
                    event("MEMORY_DEVICE_SIZE_CHANGE", id="v0", size=GIB), event("RESUME")):
        lab.say(message)
    result = run.finish()
    lines = result.stdout.splitlines()
    assert result.code == 0 and all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)
    assert [line[10:] for line in lines] == ["the VM is paused", "d0-dimm: released", "v0: 1 GiB now"]


def test_events_are_told_in_json(lab):
    run = follow(lab, "--json", "--count", "2")
    lab.say(event("STOP"))
    lab.say(event("MEM_UNPLUG_ERROR", device="d0-dimm", msg="busy\x1b[2J"))
    told = [json.loads(line) for line in run.finish().stdout.splitlines()]
    assert [e["event"] for e in told] == ["STOP", "MEM_UNPLUG_ERROR"]
    assert told[0]["text"] == "the VM is paused" and told[1]["data"]["device"] == "d0-dimm"
    assert told[0]["timestamp"]["seconds"] == 1700000000


def test_events_go_on_until_ctrl_c(lab):
    run = follow(lab)
    lab.say(event("STOP"))
    assert b"paused" in run.process.stdout.readline()
    run.interrupt()
    assert run.finish().code == 130


def test_events_until_so_much_is_plugged(lab):
    assert memhp("--qmp", lab.path, "events", "--until", "plugged=256M").code == 0
    run = follow(lab, "--until", "plugged=0")
    lab.wait_for("query-memory-size-summary", 2)
    lab.say(event("STOP"))
    lab.wait_for("query-memory-size-summary", 3)
    lab.vm.remove(lab.vm.find("d0-dimm"))
    lab.say(deleted("d0-dimm"))
    result = run.finish()
    assert result.code == 0 and "d0-dimm: released" in result.stdout


@pytest.mark.parametrize("words", [["--until", "x"], ["--until", "plugged="], ["--until", "plugged=1"],
                                   ["--until", "size=1G"], ["--count", "x"], ["word"]])
def test_events_have_two_ends_and_no_words(lab, words):
    assert memhp("--qmp", lab.path, "events", *words).code == 2


def test_events_end_at_the_deadline_and_with_qemu(lab):
    assert memhp("--qmp", lab.path, "--timeout", "0.2", "events").code == 6
    run = follow(lab)
    lab.wait_for("qmp_capabilities", 2)
    lab.connection.shutdown(2)
    result = run.finish()
    assert result.code == 3 and "closed" in result.stderr
