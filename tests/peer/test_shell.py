# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp shell as a person types in it."""
import os
import signal
import stat
import time

import peer
import pyte
import pytest
from peer import BINARY, GIB, HANG, Default, Typist, deleted, event, never
from session import NAMED, answer, environment


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
