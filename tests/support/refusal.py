# SPDX-License-Identifier: GPL-3.0-or-later
"""A command that is refused: one clear line, the right exit code, nothing changed."""
import json


def check_lines(stderr, words=()):
    """One line that says what is wrong, with these words, and at most one hint."""
    lines = stderr.splitlines()
    assert 1 <= len(lines) <= 2, stderr
    assert lines[0].startswith("memhp: ") and not lines[0].rstrip("]").replace("...", "").endswith("."), stderr
    assert lines[1:] == [] or lines[1].startswith("hint: "), stderr
    for word in words:
        assert word.lower() in lines[0].lower(), stderr
    return lines


def check_refused(vm, command, code, *words, states=("unchanged",), env=None, before=None):
    """The command fails as text and as JSON, and the machine stays as it was."""
    before = before or vm.state()
    result = vm.memhp(*command, env=env)
    assert result.returncode == code, result
    assert result.stdout == "", result
    lines = check_lines(result.stderr, words)
    again = vm.memhp("--json", *command, env=env)
    assert again.returncode == code, again
    assert again.stdout.count("\n") == 1, again
    found = json.loads(again.stdout)
    assert found["ok"] is False and found["state"] in states, found
    error = found["error"]
    assert set(error) == {"code", "message", "hint"}
    assert lines[0] == f"memhp: {error['message']}"
    assert (lines[1:] or [None])[0] == (error["hint"] and f"hint: {error['hint']}")
    assert again.stderr == result.stderr
    assert vm.state() == before
    return found


# QEMU is asked, and what it had made is undone.
UNDONE = ("unchanged", "rolled-back")
