# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp logs in on a console: a getty with faults on a real terminal, with a real shell behind it."""
import contextlib
import os

import peer
import pytest
from login import PASSWORD, WITH_PASSWORD, Guest
from peer import Typist, memhp
from vm import BINARY, clean_environment, run_memhp, wait_until

KERNEL = "[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd\r\n"
ONCE = ["name root", f"password {PASSWORD}", "in root", "out"]


@pytest.fixture
def guest(tmp_path):
    """guest(**how): a console with that getty."""
    with contextlib.ExitStack() as stack:
        yield lambda **how: stack.enter_context(Guest(tmp_path, **how))


def hides_password(result):
    assert PASSWORD not in repr(result)


# ---- in and out


SHELLS = {
    "dash": ["dash", "-i"],
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "busybox ash": ["busybox", "ash", "-i"],
    "fish": ["fish", "--no-config", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}


@pytest.mark.parametrize("shell", SHELLS)
def test_logs_in_does_its_work_and_logs_out(guest, shell):
    there = guest(shell=SHELLS[shell])
    there.memhp("offline", "33").succeeded()
    assert there.tree.state(33).startswith("offline")
    there.told_at_last(*ONCE)
    assert there.memhp().succeeded()["blocks"][-1]["last"] == 33
    there.told_at_last(*ONCE, *ONCE)


@pytest.mark.parametrize("how", [
    {"slow": 0.4}, {"piece": 1}, {"piece": 3}, {"twice": True}, {"echo": True}, {"motd": ""},
    {"behind": KERNEL}, {"behind": "\r\n" + KERNEL}, {"prompt": "login:"}, {"password": "Password:"},
    {"password": "root's Password: "}, {"password": "password for root: "},
    {"motd": "\r\n" + "Password: no\r\nlogin: no\r\n" * 50 + "# a comment\r\n"},
    {"motd": "\r\n\033[2J\033]0;owned\007\xff# \r\n" + "x" * 20000 + "\r\n"},
    {"shell": ["bash", "--norc", "--noprofile", "-i"], "motd": "\r\nnews\r\n" + KERNEL},
], ids=lambda how: repr(how)[:40])
def test_gets_along_with_what_consoles_do(guest, how):
    there = guest(**how)
    result = there.memhp("--verbose", "blocks")
    result.succeeded()
    hides_password(result)
    there.told_at_last(*ONCE)


def test_a_user_without_a_password_is_not_asked_for_one(guest):
    there = guest()
    there.memhp(user="free", env={}).succeeded()
    there.told_at_last("name free", "in free", "out")


def test_a_prompt_for_a_password_that_somebody_left_is_got_past(guest):
    there = guest(start="password")
    there.memhp().succeeded()
    # the shell says that it goes before the getty notes that it has gone
    wait_until(lambda: there.told()[-4:] == ONCE, what=f"{ONCE} in the end, not {there.told()}")
    assert there.told().count(f"password {PASSWORD}") == 1


def test_who_is_logged_in_already_stays_so(guest):
    """Whatever user that is, nobody logs in, and nobody out."""
    there = guest(users={"free": None})
    os.write(there.console.master, b"free\n")
    there.console.pump_until(lambda: there.console.output.endswith(b"# "))
    there.memhp().succeeded()
    there.console.ready = b"# "
    there.console.settle()
    assert there.told() == ["name free", "in free"]


@pytest.mark.parametrize("left", [b"touch GHOST", b"touch GHOST; \\\n", b"echo 'a\n", b"if touch GHOST\n"], ids=repr)
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox ash"])
def test_half_a_line_that_somebody_left_is_not_run(guest, tmp_path, shell, left):
    there = guest(users={"free": None}, shell=SHELLS[shell])
    os.write(there.console.master, b"free\n")
    there.console.pump_until(lambda: there.console.output.endswith((b"# ", b"$ ", b"# \x1b[6n")))
    os.write(there.console.master, left.replace(b"GHOST", bytes(tmp_path / "ghost")))
    there.memhp().succeeded()
    assert not (tmp_path / "ghost").exists()


# ---- a console that refuses


def test_a_wrong_password_is_tried_once(guest):
    there = guest()
    result = there.memhp(env={"MEMHP_GUEST_PASSWORD": "wr0ng"})
    result.failed(4, "'root'", "let that user in", code="guest-unreachable", state="unchanged")
    assert "wr0ng" not in repr(result)
    assert there.told() == ["name root", "password wr0ng"]
    # the console is as before
    there.memhp().succeeded()
    there.told_at_last("name root", "password wr0ng", *ONCE)


def test_a_password_is_not_sent_a_second_time(guest):
    """To a login that asks for it again without asking for a name."""
    there = guest(motd="\r\nPassword: ", shell=["cat"])
    there.memhp(more=("--timeout", "3")).failed(4, "let that user in", code="guest-unreachable")
    assert "".join(there.told()).count(PASSWORD) == 1


def test_a_password_that_has_expired_is_said_to_be(guest):
    there = guest(expired=True)
    there.memhp().failed(4, "new password", code="guest-unreachable", state="unchanged")
    assert there.told() == ["name root", f"password {PASSWORD}", "end"]


@pytest.mark.parametrize("shell, why", [
    (["sh", "-c", "echo This account is not available."], "let that user in"),
    (["sh", "-c", "stty -echo; printf 'calc> '; while read -r l; do printf 'calc> '; done"], "does not start sh"),
], ids=["nologin", "a calculator"])
def test_a_shell_that_is_none_is_said_to_be_none(guest, shell, why):
    there = guest(shell=shell)
    there.memhp(more=("--timeout", "20")).failed(4, why, code="guest-unreachable", state="unchanged")


def test_an_endless_motd_ends_with_the_deadline(guest):
    there = guest(endless=True)
    result = there.memhp(more=("--timeout", "2"))
    result.failed(6, "log in", code="timeout", state="unchanged")


def test_a_prompt_for_a_name_and_nothing_else_ends(guest):
    """A program that only prints."""
    there = guest(users={}, password="guest login: ")
    there.memhp().failed(4, code="guest-unreachable", state="unchanged")
    assert PASSWORD not in "".join(there.told())


def test_without_a_user_the_hint_says_how(guest):
    value = guest().memhp(user=None).failed(4, "asks for a login", code="guest-unreachable", state="unchanged")
    assert "--login" in value["error"]["hint"]


@pytest.mark.parametrize("user", ["", "-f", "a b", "a\nb", "a\x04", "x" * 65], ids=repr)
def test_what_is_no_user_is_refused(guest, user):
    there = guest()
    if user:
        there.memhp(user=user).failed(2, "--login", "the name of a user", code="usage", state="unchanged")
    assert there.told() == []


# ---- not root


SUDO = '[ "$1" = -n ] && shift && FAKE_UID=0 exec "$@"'


def test_sudo_makes_root_of_a_user_who_may(guest):
    there = guest(uid="1000", sudo=SUDO)
    there.memhp("offline", "33", user="admin").succeeded()
    assert there.tree.state(33).startswith("offline")
    there.told_at_last("name admin", f"password {PASSWORD}", "in admin", "out")


def test_a_user_who_may_not_is_named(guest):
    there = guest(uid="1000")
    value = there.memhp(user="admin").failed(4, "'admin'", "sudo -n", code="guest-unreachable", state="unchanged")
    assert "sudoers" in value["error"]["hint"]
    there.told_at_last("name admin", f"password {PASSWORD}", "in admin", "out")


# ---- where the password comes from


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


def test_a_password_from_a_file(guest, file):
    there = guest()
    there.memhp(env={}, more=("--password-file", file)).succeeded()
    there.told_at_last(*ONCE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610])
def test_a_file_that_others_may_use_is_refused(guest, file, mode):
    file.chmod(mode)
    there = guest()
    result = there.memhp(env={}, more=("--password-file", file))
    result.failed(2, "is open to other users", str(file), code="usage", state="unchanged")
    hides_password(result)
    assert there.told() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(guest, file):
    os.chown(file, 12345, -1)
    there = guest()
    there.memhp(env={}, more=("--password-file", file)).failed(2, "another user", code="usage", state="unchanged")
    assert there.told() == []


@pytest.mark.parametrize("text, why", [("", "no password"), ("\nsecret\n", "no password"),
                                       ("a\x03b\n", "control character"), ("x" * 600, "more than")],
                         ids=["empty", "empty line", "Ctrl-C", "long"])
def test_a_file_without_a_password_is_refused(guest, file, text, why):
    file.write_text(text)
    there = guest()
    there.memhp(env={}, more=("--password-file", file)).failed(2, why, code="usage", state="unchanged")
    assert there.told() == []


def test_a_profile_says_who_logs_in(guest, file, tmp_path):
    there = guest()
    config = tmp_path / "config/memhp/config"
    config.parent.mkdir(parents=True)
    config.write_text(f"[vm web]\nguest = serial:{there.path}\nlogin = root\npassword-file = {file}\n")
    done = memhp("--vm", "web", "--json", "blocks",
                 env={"XDG_CONFIG_HOME": tmp_path / "config", "MEMHP_LOGIN": "other"})
    done.succeeded()
    there.told_at_last(*ONCE)


def test_without_a_terminal_it_says_how_to_give_a_password(guest):
    there = guest()
    value = there.memhp(env={}).failed(4, "no terminal", code="guest-unreachable", state="unchanged")
    assert "--password-file" in value["error"]["hint"] and "MEMHP_GUEST_PASSWORD" in value["error"]["hint"]


def typist(there, *words):
    return Typist([BINARY, "--guest", f"serial:{there.path}", "--login", "root", *words], clean_environment())


def test_a_password_is_asked_for_on_the_terminal_without_echo(guest):
    there = guest()
    with typist(there, "blocks") as person:
        person.wait_for("Password for 'root'.*: ")
        os.write(person.fd, PASSWORD.encode() + b"\n")
        person.wait_for("memory32")
        assert person.finish() == 0
        assert PASSWORD not in person.output
    there.told_at_last(*ONCE)


def test_a_login_that_times_out_while_the_password_is_asked_for_gets_none(guest):
    there = guest(patience=1)
    with typist(there, "blocks") as person:
        person.wait_for("Password for 'root'.*: ")
        wait_until(lambda: there.told()[-1] == "timeout")
        os.write(person.fd, PASSWORD.encode() + b"\n")
        person.wait_for("timed out")
        assert person.finish() == 4
    assert PASSWORD not in "".join(there.told())


def test_ctrl_c_at_the_question_gives_up(guest):
    there = guest()
    with typist(there, "blocks") as person:
        person.wait_for("Password for 'root'.*: ")
        os.write(person.fd, b"\x03")
        assert person.finish() == 130
    assert there.told() == ["name root", "end"]
    there.memhp().succeeded()


def test_no_program_that_memhp_starts_gets_the_password(tmp_path):
    out = tmp_path / "environment"
    command = f"exec:tr '\\0' '\\n' </proc/$PPID/environ >{out}; env >>{out}; exec sh"
    memhp("--guest", command, "--json", "blocks", env=WITH_PASSWORD)
    text = out.read_text()
    assert "PATH=" in text and PASSWORD not in text


# ---- however it ends


@pytest.mark.parametrize("when", ["name root", "password", "in root"])
@pytest.mark.parametrize("how", [{}, {"slow": 0.3}], ids=["quick", "slow"])
def test_ctrl_c_logs_out(guest, when, how):
    there = guest(**how)
    run = peer.Run(*there.words(), "--login", "root", "blocks", env=WITH_PASSWORD)
    wait_until(lambda: any(line.startswith(when) for line in there.told()))
    run.interrupt()
    result = run.finish()
    assert result.code in (0, 130), result
    wait_until(lambda: there.told()[-1] in ("out", "end"))
    there.memhp().succeeded()


@pytest.mark.parametrize("when", ["name root", "password", "in root"])
def test_the_next_memhp_works_after_one_was_killed_while_it_logged_in(guest, when):
    there = guest()
    run = peer.Run(*there.words(), "--login", "root", "blocks", env=WITH_PASSWORD)
    wait_until(lambda: any(line.startswith(when) for line in there.told()))
    run.process.kill()
    run.process.communicate()
    there.memhp().succeeded()
    if when == "name root":  # later, it had a shell that nobody can tell from that of a person
        wait_until(lambda: there.told()[-1] == "out")


@pytest.mark.parametrize("words", [b"MEMHP", b".0 1 2 in ", b" guest 6.1.0", b" blocks 0 7 "], ids=repr)
def test_a_session_that_a_killed_memhp_left_is_used_and_logged_out(guest, words):
    """Without the console nobody can log out; the next memhp does, without a password."""
    there = guest()
    there.console.last_words = words
    there.memhp().failed(4, "went away", code="guest-unreachable", state="unchanged")
    assert there.told() == ONCE[:-1]
    there.memhp(user=None, env={}).succeeded()
    there.told_at_last(*ONCE)


def test_the_deadline_logs_out(guest):
    there = guest()
    result = there.memhp("online", "99999", more=("--timeout", "10"))
    assert result.code != 0
    there.told_at_last(*ONCE)


# ---- the shell


def test_in_the_shell_the_login_lasts(guest, tmp_path):
    there = guest()
    with peer.Monitor(tmp_path / "qmp", peer.Vm()):
        done = run_memhp("--qmp", tmp_path / "qmp", *there.words(), "--login", "root", "shell", env=WITH_PASSWORD,
                         input="blocks\nblocks --dry-run\noffline 33\nblocks\n")
    assert done.returncode == 0, done
    there.told_at_last(*ONCE)
    assert there.tree.state(33).startswith("offline")


def test_completion_neither_logs_in_nor_asks(guest, tmp_path):
    there = guest()
    with peer.Monitor(tmp_path / "qmp", peer.Vm()):
        done = memhp("--qmp", tmp_path / "qmp", *there.words()[:2], "--login", "root", "__complete", "offline", "",
                     env=WITH_PASSWORD)
    assert done.code == 0
    assert there.told() == []
