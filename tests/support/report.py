# SPDX-License-Identifier: GPL-3.0-or-later
"""What memhp says on a real VM: success, failure, tables, and the trace of --verbose."""
import json
import re

CHANGES = ("object-add", "device_add", "device_del", "object-del")
TRACE = re.compile(r"\[\d+\.\d+\] (\S+) ([<>]) (.*)")


def done(result):
    """The stdout of a memhp that succeeded."""
    assert result.returncode == 0, result
    return result.stdout


def rows(table):
    """The rows of a table that memhp printed, each a list of its cells."""
    return [re.split(r" {2,}", line.strip()) for line in table.splitlines()]


def trace(text, channel, direction):
    """What --verbose shows in one direction of one channel."""
    found = [m.groups() for m in map(TRACE.fullmatch, text.splitlines()) if m]
    return [words for c, d, words in found if (c, d) == (channel, direction)]


def without_ids(requests):
    """QMP requests as JSON objects, without the ids that match replies to them."""
    objects = [json.loads(r) for r in requests]
    for o in objects:
        o.pop("id", None)
    return objects


def refused(vm, code, *command, state="unchanged"):
    """Run a command that fails; its message and hint."""
    result = vm.json(*command, code=code)
    assert (result["ok"], result["state"]) == (False, state), result
    return result["error"]["message"], result["error"]["hint"]


def fail(vm, code, *command, states=("rolled-back",)):
    """Run a command that fails with this exit code; its error object."""
    result = vm.json(*command, code=code)
    assert result["ok"] is False and result["state"] in states, result
    return result["error"]


def changes(stderr):
    """The QMP requests of a trace that change something."""
    return [r for r in without_ids(trace(stderr, "qmp", ">")) if r["execute"] in (*CHANGES, "qom-set")]


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)
