# SPDX-License-Identifier: GPL-3.0-or-later
"""What is printed on a terminal and what in a pipe."""
import json
import os
import pty
import re
import select
import subprocess

import pytest
from report import done
from vm import BINARY, clean_environment


def run_on_terminal(command, env):
    """Run a command whose stdin, stdout and stderr are an 80-column terminal; its output and status."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
                          start_new_session=True) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # how a terminal says that its last user has gone
                break
            if not more:
                break
            seen += more
        status = process.wait()
    os.close(ours)
    text = seen.decode()
    assert "Sanitizer" not in text and "runtime error: " not in text, text
    return text, status


def on_terminal(vm, *words, **env):
    full = clean_environment(MEMHP_QMP=vm.path("qmp.sock"), TERM="xterm", **env)
    text, status = run_on_terminal([BINARY, *words], full)
    assert status == 0, text
    return text


REPORTS = [["plug", "512M"], ["list"], ["blocks"], ["status"], ["offline", "33-34"], ["list"],
           ["online", "33-34"], ["unplug"]]


def test_a_pipe_gets_no_escapes_and_no_line_longer_than_80_columns(vm):
    for command in REPORTS:
        result = vm.memhp(*command, env={"TERM": "xterm"})
        text = done(result)
        assert "\033" not in text + result.stderr and "\r" not in text + result.stderr
        too_long = [line for line in text.splitlines() if len(line) > 80]
        assert not too_long, command


def test_a_terminal_gets_colour(vm):
    done(vm.memhp("plug", "128M"))
    assert "\033[1m" in on_terminal(vm, "list")
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "TERM=dumb"])
def test_a_terminal_without_colour_gets_the_same_text_as_a_pipe(vm, env):
    done(vm.memhp("plug", "128M"))
    full = {"MEMHP_QMP": vm.path("qmp.sock"), "TERM": "xterm", **env}
    text, status = run_on_terminal([BINARY, "list"], clean_environment(**full))
    assert status == 0
    assert text.replace("\r\n", "\n") == done(vm.memhp("list"))
    done(vm.memhp("unplug"))


def slow_channel(vm):
    """A channel that takes more than a second to open."""
    return f"exec:sleep 2.2; exec ssh -F {vm.path('ssh_config')} lab sh"


def test_a_terminal_gets_a_progress_line_that_is_gone_in_the_end(vm):
    text = on_terminal(vm, "--guest", slow_channel(vm), "list")
    progress = list(re.finditer(r"\r\033\[K\w+  \d+ s so far", text))
    assert progress
    assert text[progress[-1].end():].startswith("\r\033[K")
    assert "so far" not in text[progress[-1].end():]


@pytest.mark.parametrize("option", ["--quiet", "--json"])
def test_no_progress_line_gets_into_quiet_or_json_output(vm, option):
    done(vm.memhp("plug", "128M"))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
            [BINARY, option, "--guest", slow_channel(vm), "unplug"], stdout=subprocess.PIPE,
            stderr=theirs, stdin=subprocess.DEVNULL, text=True,
            env=clean_environment(MEMHP_QMP=vm.path("qmp.sock"), TERM="xterm")) as process:
        out, _ = process.communicate()
    os.close(theirs)
    err = b""
    while select.select([ours], [], [], 0)[0]:
        try:
            err += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.returncode == 0, err
    if option == "--quiet":
        assert (out, err) == ("", b"")
    else:
        assert json.loads(out)["ok"] is True
