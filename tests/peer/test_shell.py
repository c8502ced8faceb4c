# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp shell as a person types in it, and as a script; memhp events."""
import collections
import json
import os
import re
import signal
import stat
import subprocess
import time

import peer
import pyte
import pytest
import vm as virtual
from peer import BINARY, GIB, HANG, Close, Default, Monitor, Tree, Typist, Vm, deleted, event, memhp, reply

NAMED = {"query-name": [reply({"name": "lab"})]}


@pytest.fixture(name="lab")
def lab_(tmp_path):
    """A VM called "lab" with a DIMM of 256 MiB, and its guest."""
    tree = Tree(tmp_path / "guest", boot=4)
    vm = Vm(tree)
    vm.plug("d0", 256)
    with Monitor(tmp_path / "qmp", vm, on=NAMED) as monitor:
        yield monitor


def environment(lab, **more):
    home = lab.path.parent / "home"
    home.mkdir(exist_ok=True)
    channel = lab.vm.tree.kernel_channel() if lab.vm.tree else "none"
    return {"MEMHP_QMP": str(lab.path), "MEMHP_GUEST": channel, "HOME": str(home),
            "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home / "state"), **more}


def answer(lab, command, *scripts):
    """From now on, answer a command by each of the scripts in turn, and by the last one for ever."""
    lab.on[command] = collections.deque(scripts)


def never(request):
    """An answer to which nothing follows."""
    return {"return": {}, "id": request["id"]}


# -- a script -----------------------------------------------------------------------------------------------

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


# -- a person -----------------------------------------------------------------------------------------------

class Person(Typist):
    """Someone in memhp shell, who sees a screen."""

    def __init__(self, lab, *words, **more):
        super().__init__([BINARY, *words, "shell"], {**peer.clean_environment(environment(lab, **more)),
                                                     "TERM": "xterm", "INPUTRC": "/dev/null"})

    def screen(self):
        """The lines that stand on the screen, the last one with the cursor."""
        screen = pyte.Screen(80, 24)
        pyte.Stream(screen).feed(self.output.replace("\x1b[?2004h", "").replace("\x1b[?2004l", ""))
        return [line.rstrip() for line in screen.display[:screen.cursor.y + 1]]

    def sees(self, *lines):
        """Wait until the last lines of the screen are these."""
        end = time.monotonic() + HANG
        while self.screen()[-len(lines):] != [line.rstrip() for line in lines]:
            assert self.read(end - time.monotonic()), f"not {lines!r} but {self.screen()!r}"


@pytest.fixture(name="person")
def person_(lab):
    person = Person(lab)
    person.sees("lab 768 MiB>")
    yield person
    person.close()


def test_the_prompt_shows_vm_and_memory(lab, person):
    person.type("plug 256M --name x --guest none\n")
    person.sees("lab 1 GiB>")
    assert lab.vm.find("x-dimm")


@pytest.mark.parametrize("end", ["\x04", "exit\n", "quit\n"])
def test_the_session_ends_with_0(person, end):
    person.type("bogus\n")
    person.wait_for("no command 'bogus'(?s:.*)> ")
    person.type(end)
    assert person.finish() == 0


def test_ctrl_c_clears_the_line(lab, person):
    person.type("unplug d0")
    person.sees("lab 768 MiB> unplug d0")
    person.type("\x03")
    person.sees("lab 768 MiB> unplug d0", "lab 768 MiB>")
    person.type("list\n")
    person.wait_for("DEVICE(?s:.*)> ")
    assert lab.changes == []
    person.type("\x04")
    assert person.finish() == 0


def test_ctrl_c_ends_a_command_but_not_the_shell(lab, person):
    answer(lab, "device_del", [never])
    person.type("unplug d0 --guest none --force\n")
    lab.wait_for("device_del")
    person.type("\x03")
    person.wait_for("interrupted(?s:.*)> ")
    person.type("list\n")
    person.wait_for("DEVICE(?s:.*)> ")


def test_a_signal_ends_the_session(person):
    os.kill(person.pid, signal.SIGTERM)
    assert person.finish() == 130


def test_events_stand_above_the_line(lab, person):
    person.type("unplug d")
    person.sees("lab 768 MiB> unplug d")
    lab.say(event("STOP"))
    person.sees("the VM is paused", "lab 768 MiB> unplug d")
    assert person.screen() == ["the VM is paused", "lab 768 MiB> unplug d"]
    person.type("0\x01x\x05")  # at the end, at the beginning
    person.sees("lab 768 MiB> xunplug d0")


def test_the_prompt_follows_the_events(lab, person):
    lab.vm.remove(lab.vm.find("d0-dimm"))
    lab.say(deleted("d0-dimm"))
    person.sees("d0-dimm: released", "lab 512 MiB>")


def test_events_that_come_with_an_answer_are_shown_too(lab, person):
    answer(lab, "query-name", [event("RESUME"), *NAMED["query-name"]], NAMED["query-name"])
    person.type("\n")
    person.sees("the VM runs again", "lab 768 MiB>")
    answer(lab, "query-memory-devices", [event("STOP"), Default], [Default])
    person.type("unplug d0\t")
    person.sees("the VM is paused", "lab 768 MiB> unplug d0-dimm")


def test_other_events_are_not_shown(lab, person):
    lab.say(event("RTC_CHANGE", offset=1))
    lab.say(event("RESUME"))
    person.sees("the VM runs again", "lab 768 MiB>")
    assert "RTC" not in person.output


@pytest.mark.parametrize("keys, line", [
    ("unp\t", "unplug"),
    ("plug --zo\tmo\t", "plug --zone=movable"),
    ("unplug \t", "unplug d0-dimm"),
    ("online memory3\t2\t", "online memory32"),
    ("resize 1\t", "resize 1G"),
    ("help unp\t", "help unplug"),
    ("ex\t", "exit"),
    ("plug --mem-path /proc/versi\t", "plug --mem-path /proc/version"),
])
def test_a_tab_completes_the_word(person, keys, line):
    person.type(keys)
    person.sees("lab 768 MiB> " + line)


def test_options_are_shown_only_behind_a_dash(person):
    person.type("list \t\tx")
    person.sees("lab 768 MiB> list x")
    assert "--" not in person.output
    person.type("\x7f--\t\t")
    person.wait_for("--json")
    assert "--vm" not in person.output and "--qmp" not in person.output  # the shell stays with its VM


def test_sizes_are_those_that_fit(lab, person):
    lab.vm.max = 2 * GIB
    person.type("plug \t\t")
    person.wait_for(r"128M +1G +256M +512M\s")


def test_what_is_known_is_asked_again_after_a_command(lab, person):
    person.type("unplug \t")
    person.sees("lab 768 MiB> unplug d0-dimm")
    person.type("\x15plug 128M --name e --guest none\n")
    person.sees("lab 896 MiB>")
    person.type("unplug e\t")
    person.sees("lab 896 MiB> unplug e-dimm")


def test_the_guest_is_asked_when_it_is_needed(person):
    person.type("unplug \t")
    person.sees("lab 768 MiB> unplug d0-dimm")
    person.type("\x15online memory3\t")
    person.sees("lab 768 MiB> online memory3")
    person.type("\t\t")
    person.wait_for("memory32 +memory33")


def test_a_channel_of_one_line_is_not_used_for_completion(person):
    person.type("list --guest local:/nonexistent\n")
    person.wait_for("nonexistent(?s:.*)> ")
    person.type("online m\t")
    person.sees("lab 768 MiB> online memory3")


def test_the_monitor_may_go_and_come_back(lab, tmp_path):
    with Person(lab) as person:
        person.sees("lab 768 MiB>")
        lab.connection.shutdown(2)
        person.wait_for("memhp: .*closed")
        person.sees("memhp>")
        person.type("unp\t")
        person.sees("memhp> unplug")
        person.type("\x15list\n")
        person.sees("lab 768 MiB>")
        lab.say(event("STOP"))
        person.sees("the VM is paused", "lab 768 MiB>")


def test_a_vm_without_a_name(lab):
    del lab.on["query-name"]
    with Person(lab) as person:
        person.sees("memhp 768 MiB>")


def test_the_deadline_is_not_for_the_person(lab):
    with Person(lab, "--timeout", "0.3") as person:
        person.sees("lab 768 MiB>")
        time.sleep(0.4)
        person.type("unplug --dry-run --guest none\n")
        person.wait_for("object-del(?s:.*)> ")


def test_history_is_kept_for_the_owner_only(lab, tmp_path):
    history = tmp_path / "home/state/memhp/history"
    for text in ("bogus one\n", "\x1b[A"):
        with Person(lab) as person:
            person.sees("lab 768 MiB>")
            person.type(text)
            if text == "\x1b[A":
                person.sees("lab 768 MiB> bogus one")
                person.type("\x15")
            else:  # Ctrl-D counts at the prompt only
                person.wait_for("no command(?s:.*)> ")
            person.type("\x04")
            assert person.finish() == 0
        assert history.read_text() == "bogus one\n"
        assert stat.S_IMODE(history.stat().st_mode) == 0o600
        assert stat.S_IMODE(history.parent.stat().st_mode) == 0o700


def test_without_a_home_there_is_no_history(lab, tmp_path):
    with Person(lab, HOME="", XDG_STATE_HOME="relative") as person:
        person.sees("lab 768 MiB>")
        person.type("exit\n")
        assert person.finish() == 0
    assert not list(tmp_path.rglob("history"))


def test_the_terminal_is_left_as_it_was(lab):
    """A shell that starts memhp has its echo again."""
    env = {**peer.clean_environment(environment(lab)), "TERM": "dumb", "PS1": "$ "}
    typist = Typist(["sh", "-c", f"stty -a >before; {BINARY} shell; stty -a >after; echo code $?"], env,
                    lab.path.parent)
    typist.wait_for("lab 768 MiB> ")
    typist.type("list\n")
    typist.wait_for("DEVICE(?s:.*)> ")
    typist.type("\x04")
    assert typist.finish() == 0
    assert (lab.path.parent / "before").read_text() == (lab.path.parent / "after").read_text()


# -- events -------------------------------------------------------------------------------------------------

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


# -- events of the guest --------------------------------------------------------------------------------------

COUNT = "sys/kernel/uevent_seqnum"


class Follower(peer.Run):
    """memhp events that follows the guest, once it has had its first look."""

    def __init__(self, lab, *words, guest=None):
        super().__init__("--verbose", "--qmp", lab.path, "--guest", guest or lab.vm.tree.local_channel(), "events",
                         *words)
        self.lab = lab
        while (line := self.process.stderr.readline()) and not line.endswith(b"guest > watch 10\n"):
            pass
        while (line := self.process.stderr.readline()) and not line.endswith(b"guest > watch 10\n"):
            pass
        self.seqnum = 100

    def happened(self, *lines):
        """The guest's kernel counts an event; the next lines are these."""
        self.seqnum += 1
        self.lab.vm.tree.write(COUNT, str(self.seqnum))
        assert self.told(len(lines)) == list(lines)

    def told(self, count):
        """The next lines, without the clock."""
        return [self.process.stdout.readline().decode().rstrip("\n")[10:] for _ in range(count)]

    def finish(self, timeout=HANG):
        result = super().finish(timeout)
        assert all(re.match(r"\[|memhp: |hint: ", line) for line in result.stderr.splitlines())
        return result


@pytest.fixture(name="guest")
def guest_(lab):
    """The tree of the guest, whose kernel counts events."""
    lab.vm.tree.write(COUNT, "100")
    return lab.vm.tree


def test_what_happens_to_blocks_is_told_in_words(lab, guest):
    run = Follower(lab, "--count", "9")
    guest.add(40, 43)
    run.happened("memory40-memory43: added, offline")
    guest.add(40, 42, "online", "Movable")
    run.happened("memory40-memory42: online in zone Movable")
    guest.add(41, 41, "online", "Normal")
    guest.add(43, 43, "going-offline", "Movable")
    run.happened("memory41: online in zone Normal", "memory43: going-offline")
    guest.add(40, 41, "offline")
    guest.remove(42, 43)
    guest.add(50, 50, "online", "Movable")
    run.happened("memory40-memory41: offline", "memory42-memory43: removed", "memory50: added, online in zone Movable")
    guest.write("sys/devices/system/memory/auto_online_blocks", "online_movable")
    guest.write("sys/module/memory_hotplug/parameters/online_policy", "auto-movable")
    assert run.told(2) == ["auto_online_blocks: online_movable, was offline",
                           "online_policy: auto-movable, was contig-zones"]
    assert run.finish().code == 0


def test_both_are_followed_at_once(lab, guest):
    run = Follower(lab)
    lab.say(event("STOP"))
    assert run.told(1) == ["the VM is paused"]
    guest.add(40, 40)
    run.happened("memory40: added, offline")
    lab.say(event("RESUME"))
    assert run.told(1) == ["the VM runs again"]
    run.interrupt()
    assert run.finish().code == 130


def test_other_devices_of_the_guest_are_not_told(lab, guest):
    run = Follower(lab, "--count", "1")
    run.happened()
    guest.add(40, 40, removable=0)
    run.happened("memory40: added, offline")
    assert run.finish().code == 0


def test_blocks_are_told_in_json(lab, guest):
    run = Follower(lab, "--json", "--count", "3")
    guest.add(40, 43, "online", "Movable", node=1)
    run.happened()
    first = json.loads(run.process.stdout.readline())
    assert first["event"] == "GUEST_BLOCKS" and first["timestamp"]["seconds"] > 1700000000
    assert first["data"] == {"change": "added", "first": 40, "last": 43, "state": "online", "zone": "Movable", "node": 1,
                             "removable": True}
    assert first["text"] == "memory40-memory43: added, online in zone Movable"
    guest.remove(40, 43)
    guest.write("sys/devices/system/memory/auto_online_blocks", "online")
    run.happened()
    policy, removed = map(json.loads, run.finish().stdout.splitlines())
    assert policy["data"] == {"name": "auto_online_blocks", "value": "online", "was": "offline"}
    assert removed["data"] == {"change": "removed", "first": 40, "last": 43, "state": None, "zone": None, "node": None,
                               "removable": None}


def test_until_so_much_is_online(lab, guest):
    online = memhp("--guest", guest.local_channel(), "events", "--until", "online=512M")
    assert (online.code, online.stdout) == (0, "")
    run = Follower(lab, "--until", "online=640M")
    guest.add(40, 40)
    run.happened("memory40: added, offline")
    guest.add(40, 40, "online", "Movable")
    run.happened("memory40: online in zone Movable")
    assert run.finish().code == 0


def test_a_guest_alone_can_be_followed(guest):
    """No monitor is looked for when only a channel was named."""
    assert memhp("--timeout", "0.5", "--guest", guest.local_channel(), "events").code == 6


def test_a_console_is_occupied_only_when_asked(lab, guest, tmp_path):
    with peer.Liar(tmp_path / "console") as console:
        run = peer.Run("--qmp", lab.path, "--guest", f"serial:{console.path}", "events", "--count", "1")
        lab.wait_for("qmp_capabilities")
        lab.say(event("STOP"))
        assert "paused" in run.finish().stdout and console.heard == []
        run = peer.Run("--qmp", lab.path, "--guest", f"serial:{console.path}", "--timeout", "5", "events",
                       "--guest-events", "--until", "online=1024M")
        assert run.finish().code == 0 and console.heard[0].startswith("watch ")


def test_guest_events_need_a_channel(lab):
    result = memhp("--qmp", lab.path, "--guest", "none", "events", "--guest-events")
    assert result.code == 4 and "no channel to the guest" in result.stderr


def test_qemu_is_followed_on_when_the_guest_has_gone(lab, guest, tmp_path):
    shell = tmp_path / "pid"
    run = Follower(lab, guest=f"exec:echo $$ >{shell}; exec sh -s {guest.root}")
    guest.add(40, 40)
    run.happened("memory40: added, offline")
    os.killpg(int(shell.read_text()), signal.SIGKILL)
    assert "the guest is not followed any more: " in run.told(1)[0]
    lab.say(event("RESUME"))
    assert run.told(1) == ["the VM runs again"]
    run.interrupt()
    assert run.finish().code == 130


def test_nothing_is_typed_to_a_guest_that_begins_anew(lab, tmp_path):
    """Its firmware, its boot loader, its login prompt would take it for somebody's words."""
    def say(_session, _exchange, _commands):
        return peer.SCAN if len(console.heard) == 1 else None

    with peer.Liar(tmp_path / "console", say) as console:
        run = Follower(lab, "--guest-events", guest=f"serial:{console.path}")
        lab.say(event("RESET", guest=True))
        assert run.told(2) == ["the VM was reset", "the guest is not followed any more: it has ended or begun anew"]
        lab.say(event("STOP"))
        assert run.told(1) == ["the VM is paused"]
        run.interrupt()
        assert run.finish().code == 130
        assert console.heard == ["watch 10"] * 2


@pytest.mark.parametrize("lie", [["size 8000000", "blocks 9 1 online 0 0 none"], ["guest x"], ["size 3"],
                                 ["size 8000000", "blocks 5 5 on\x1bline 0 0 none"]])
def test_a_guest_that_lies_is_not_followed(lab, tmp_path, lie):
    def say(_session, _exchange, _commands):
        return {1: peer.SCAN, 2: lie}.get(len(console.heard))

    with peer.Liar(tmp_path / "console", say) as console:
        run = peer.Run("--qmp", lab.path, "--guest", f"serial:{console.path}", "events", "--guest-events", "--count", "1")
        result = run.finish()
    assert result.code == 0 and "cannot understand the guest" in result.stdout


def test_a_guest_of_many_blocks_is_compared_in_one_go(lab, tmp_path):
    """Each other block is online, then each other one offline: no two neighbours are equal."""
    def say(_session, _exchange, _commands):
        states = [("online", "Movable"), ("offline", "Normal Movable")][::1 if len(console.heard) == 1 else -1]
        return ["size 8000000"] + [f"blocks {n} {n} {states[n % 2][0]} 0 1 {states[n % 2][1]}" for n in range(20000)]

    with peer.Liar(tmp_path / "console", say) as console:
        result = memhp("--qmp", lab.path, "--guest", f"serial:{console.path}", "events", "--guest-events", "--count",
                       "20000")
    assert result.code == 0
    assert result.stdout.splitlines()[-1].endswith("  memory19999: online in zone Movable")


# -- a real VM ----------------------------------------------------------------------------------------------

def test_a_session_with_a_real_vm(vm, tmp_path):
    """Typed with completion; what another monitor does is seen, and the prompt has the sum."""
    env = virtual.clean_environment(MEMHP_QMP=vm.path("qmp.sock"), TERM="dumb", XDG_STATE_HOME=tmp_path)
    person = Typist([BINARY, "shell"], env)
    person.wait_for("512 MiB> ")
    person.type("plug 25\t --name x\n")
    person.wait_for(r"x-dimm: 256 MiB(?s:.*)768 MiB> ")
    assert vm.zones(32, 33) == ["Movable", "Movable"]
    person.type("unplug --dry-run x\t\n")
    person.wait_for("device_del(?s:.*)> ")
    person.type("offline m\t33\n")
    person.wait_for("memory33: offline(?s:.*)> ")
    assert vm.zones(32, 33) == ["Movable", "offline"]
    vm.monitor.execute("stop")
    person.wait_for("the VM is paused")
    vm.monitor.execute("cont")
    person.wait_for("the VM runs again")
    person.type("unplug x-\t\n")
    person.wait_for(r"unplugged 256 MiB(?s:.*)512 MiB> ")
    person.type("\x04")
    assert person.finish() == 0


def test_events_of_a_real_vm(vm):
    follower = subprocess.Popen([BINARY, "--qmp", vm.path("qmp2.sock"), "events"])  # the tests' own monitor is there
    follower.kill()
    follower.wait()
    shell = subprocess.Popen([BINARY, "--json", "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=virtual.clean_environment(MEMHP_QMP=vm.path("qmp.sock")))
    with shell:
        out, _ = shell.communicate("plug 128M --name e\nevents --count 1 --timeout 0.2\nunplug e\n", timeout=HANG)
    answers = [json.loads(line) for line in out.splitlines()]
    assert [a["command"] for a in answers] == ["plug", "events", "unplug"]
    assert answers[0]["ok"] and answers[1]["error"]["code"] == "timeout" and answers[2]["ok"]


def test_the_guest_of_a_real_vm_is_followed_on_its_console(vm):
    """Whose modes are as they were in the end, and where nothing runs any more."""
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("stty -g\n")
        before = terminal.wait_for(r"[0-9a-f:]{20,}\s")
    run = subprocess.Popen([BINARY, "--verbose", "--qmp", vm.path("qmp.sock"), "events", "--guest-events"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=virtual.clean_environment())
    with run:
        watches = 0
        while watches < 2:
            watches += "guest > watch" in run.stderr.readline()
        vm.add_dimm(256 * virtual.MIB, "f-mem", "f-dimm")
        told = [run.stdout.readline()[10:] for _ in range(2)]
        assert sorted(told)[0] == "memory32-memory33: added, offline\n", told
        vm.guest("echo online_movable >/sys/devices/system/memory/memory33/state")
        assert run.stdout.readline()[10:] == "memory33: online in zone Movable\n"
        vm.guest("echo offline >/sys/devices/system/memory/memory33/state")
        assert run.stdout.readline()[10:] == "memory33: offline\n"
        vm.monitor.execute("device_del", id="f-dimm")
        vm.monitor.wait_event("DEVICE_DELETED", lambda data: data.get("device") == "f-dimm")
        vm.monitor.execute("object-del", id="f-mem")
        while "memory32-memory33: removed" not in run.stdout.readline():
            pass
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=HANG)
    assert run.returncode == 130
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("stty -g\n")
        assert terminal.wait_for(r"[0-9a-f:]{20,}\s").split()[-1] == before.split()[-1]
