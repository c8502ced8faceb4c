# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp shell reads a script: one connection, one exit code."""
import json
import re
import signal
import subprocess
import time

import peer
import pytest
from peer import BINARY, HANG, Close, Default, deleted, never
from session import answer, environment


def script(lab, text, *words, **more):
    """Run a script; returns (exit code, stdout, stderr)."""
    done = subprocess.run([BINARY, "shell", *words], input=text if isinstance(text, bytes) else text.encode(),
                          env=peer.clean_environment(environment(lab, **more)), capture_output=True, timeout=HANG,
                          check=False)
    result = peer.Result(done.returncode, done.stdout, done.stderr)
    return result.code, result.stdout, result.stderr


def test_a_script_is_run_on_one_connection(lab):
    code, out, err = script(lab, "list\nplug 128M --name x\nunplug x\n")
    assert (code, err) == (0, "")
    assert "d0-dimm" in out and "x-dimm: 128 MiB" in out and "x-dimm: unplugged" in out
    assert lab.commands.count("qmp_capabilities") == 1
    assert lab.changes == ["object-add x-mem", "device_add x-dimm", "device_del x-dimm", "object-del x-mem"]


def test_the_exit_code_is_that_of_the_first_failure(lab):
    code, out, err = script(lab, "bogus\nplug 1M\nlist\n")
    assert code == 2 and "d0-dimm" in out
    assert "line 1 has failed" in err and "line 2 has failed" in err and "line 3" not in err
    assert script(lab, "plug 64G\nbogus\n")[0] == 1
    assert script(lab, "list\n")[0] == 0


def test_stop_ends_at_the_first_failure(lab):
    code, out, err = script(lab, "blocks\nplug 64G\nlist\n", "--stop")
    assert code == 1 and "memory0" in out and "d0-dimm  dimm" not in out
    assert "line 2 has failed" in err


def test_a_failed_command_leaves_the_next_one_whole(lab):
    commands = ["plug", "plug 128M --zone=x", "unplug none", "online 'a b'", "--qmp /x list", "shell", "help bogus",
                "plug 128M --nam", "'", "\"", "-t 0.001 plug", "--", "-"]
    code, out, err = script(lab, "".join(f"{c}\nunplug --dry-run\n" for c in commands))
    assert code == 2
    plans = re.findall(r"device_del", out)
    assert len(plans) == len(commands) and lab.changes == [], err


def test_words_are_split_as_in_a_shell(lab):
    assert script(lab, "# nothing\n\n  \t\nunplug --dry-run 'd0-dimm' # it\r\nexit\nbogus\n")[::2] == (0, "")
    assert "no command 'b c'" in script(lab, "'b c'")[2]
    assert "no closing '" in script(lab, "plug '128M\n")[2]
    assert "$HOME" in script(lab, "\"$HOME\" $(touch x)\n")[2]


def test_the_last_line_needs_no_end(lab):
    assert "d0-dimm" in script(lab, "list")[1]


@pytest.mark.parametrize("word", ["exit", "quit"])
def test_a_script_may_end_itself(lab, word):
    assert script(lab, f"{word}\nbogus\n") == (0, "", "")


def test_json_is_one_object_for_each_command(lab):
    code, out, _ = script(lab, "list\nplug 64G\nblocks\n", "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [(a["command"], a["ok"]) for a in answers] == [("list", True), ("plug", False), ("blocks", True)]
    assert code == 1
    out = script(lab, "list --json\nblocks\n")[1].splitlines()
    assert json.loads(out[0])["devices"] and out[1].startswith("BLOCKS")


def test_options_of_one_line_do_not_last(lab):
    _, out, err = script(lab, "list --verbose --guest none\nonline memory32\nlist --quiet\nunplug --dry-run\n")
    assert "memory32: online" in out and "device_del" in out
    assert err.count("query-memory-devices") == 1


def test_the_shell_stays_with_its_vm(lab):
    for words in ("--qmp /x list", "list --vm x", "shell", "list --vm=x"):
        code, out, _ = script(lab, words + "\n")
        assert code == 2 and out == ""


def test_options_stand_before_a_command_too(lab):
    code, out, err = script(lab, "--json list\n-n unplug d0\n--guest none --quiet list --json\n")
    first, *plan, last = out.splitlines()
    assert (code, err) == (0, "") and json.loads(first)["devices"][0]["blocks"]
    assert json.loads(last)["devices"][0]["blocks"] is None  # the guest was not asked
    assert any("device_del" in line for line in plan) and lab.changes == []
    assert "no command given" in script(lab, "--json\n")[2]
    assert "no command '__complete'" in script(lab, "__complete list\n")[2]
    assert "the shell stays with its VM\nhint: start another shell" in script(lab, "--vm x list\n")[2]


def test_the_deadline_is_for_each_command(lab):
    """Not for the script: the second command comes when the first one's deadline is over."""
    with subprocess.Popen([BINARY, "--timeout", "0.4", "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=peer.clean_environment(environment(lab))) as shell:
        shell.stdin.write(b"unplug --dry-run --guest none\n")
        shell.stdin.flush()
        while b"object-del" not in shell.stdout.readline():
            pass
        time.sleep(0.5)
        out, err = shell.communicate(b"unplug --dry-run --guest none\n", timeout=HANG)
    assert shell.returncode == 0 and b"object-del" in out and err == b""


@pytest.mark.parametrize("text, words", [(b"list\0x\n", "line 1 is not text"), (b"x" * 70000, "line 1 has more than"),
                                         (b"blocks\n" + b"x" * 70000 + b"\n", "line 2 has more than")])
def test_what_is_no_script_is_refused(lab, text, words):
    code, _, err = script(lab, text)
    assert code == 2 and words in err


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_script_that_waits(lab, sign):
    with subprocess.Popen([BINARY, "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=peer.clean_environment(environment(lab))) as shell:
        shell.stdin.write(b"list\n")
        shell.stdin.flush()
        assert b"DEVICE" in shell.stdout.readline()
        shell.send_signal(sign)
        assert shell.wait(HANG) == 130


def test_a_signal_ends_the_script_with_its_command(lab):
    answer(lab, "device_del", [never])
    with subprocess.Popen([BINARY, "--guest", "none", "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=peer.clean_environment(environment(lab))) as shell:
        shell.stdin.write(b"unplug d0\nlist\n")
        shell.stdin.flush()
        lab.wait_for("device_del")
        shell.send_signal(signal.SIGINT)
        out, _ = shell.communicate(timeout=HANG)
    assert shell.returncode in (130, 6, 7) and b"DEVICE" not in out


def test_events_of_before_are_not_taken_for_a_commands_own(lab):
    """Such as the release of a DIMM that had the same name."""
    answer(lab, "device_del", [never])
    answer(lab, "query-status", [Default, deleted("d0-dimm")], [Default])
    code, out, err = script(lab, "qmp query-status\nunplug d0 --timeout 1 --guest none\n")
    assert code == 6, (out, err)
    assert lab.vm.find("d0-dimm")


def test_a_script_connects_anew_when_qemu_was_started_anew(lab):
    answer(lab, "query-target", [Close])
    code, _, err = script(lab, "list\nlist\n", "--timeout", "0.5")
    assert code == 3 and "line 1 has failed" in err and "line 2 has failed" in err


def test_no_vm_is_said_at_once(tmp_path):
    done = subprocess.run([BINARY, "--qmp", str(tmp_path / "none"), "shell"], input=b"help\n", capture_output=True,
                          env=peer.clean_environment(), check=False)
    assert done.returncode == 3 and b"cannot connect" in done.stderr and done.stdout == b""


def test_help_is_at_hand(lab):
    code, out, _ = script(lab, "help\nhelp plug\nplug --help\n")
    assert code == 0 and out.count("Usage: memhp [OPTIONS] plug") == 2 and "Commands:" in out
