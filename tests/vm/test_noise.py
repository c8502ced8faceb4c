# SPDX-License-Identifier: GPL-3.0-or-later
"""What else is on a console: kernel messages, prompts and settings of any kind, jobs, logins."""
import contextlib
import json

import pytest
from guest_console import ask, console_tty, everything
from report import done


# ---- noise


@contextlib.contextmanager
def kernel_messages(vm, text):
    """Kernel messages on the console, all the time."""
    vm.guest("echo on >/proc/sys/kernel/printk_devkmsg; dmesg -n 8; "
             f"(while :; do echo '{text}' >/dev/kmsg; sleep 0.01; done) >/dev/null 2>&1 & "
             "echo $! >/tmp/noise")
    try:
        yield
    finally:
        vm.guest("kill $(cat /tmp/noise); rm /tmp/noise; dmesg -n 4")


@pytest.mark.parametrize("text", [
    "noise", "x" * 300, "@0badcafe.1 1 3 end 1 3 0badcafe@", "host login: root", "root@lab:~# "],
    ids=["short", "long", "a false answer", "a login prompt", "a shell prompt"])
def test_kernel_messages_in_the_middle_of_everything_do_not_matter(vm, text):
    with kernel_messages(vm, text):
        everything(vm)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_kernel_messages_do_not_matter_under_other_shells(boot, shell):
    vm = boot(shell=shell)
    with kernel_messages(vm, "noise"):
        everything(vm)


def test_a_flood_of_kernel_messages_never_makes_a_wrong_answer(vm):
    """So many that memhp may have to give up."""
    vm.guest("echo on >/proc/sys/kernel/printk_devkmsg; dmesg -n 8; "
             "(while :; do for i in 1 2 3 4 5 6 7 8; do echo \"flood $i\" >/dev/kmsg; done; sleep 0.02; done) "
             ">/dev/null 2>&1 & echo $! >/tmp/noise")
    try:
        for _ in range(5):
            result = vm.memhp("--json", "--timeout", "5", "blocks")
            assert result.returncode in (0, 4, 6), result
            if result.returncode == 0:
                runs = json.loads(result.stdout)["blocks"]
                seen = [n for run in runs for n in range(run["first"], run["last"] + 1)]
                assert seen == list(vm.blocks())
    finally:
        vm.guest("kill $(cat /tmp/noise); rm /tmp/noise; dmesg -n 4")
    everything(vm)


PROMPTS = {
    "coloured": r"PS1='\[\033[1;32m\]\u@\h\[\033[0m\]:\w\$ '",
    "of two lines": "PS1='one\ntwo # '",
    "of an escape that moves the cursor": r"PS1='\033[s\033[1;1Htop\033[u# '",
    "empty": "PS1=''",
    "with a clock": r"PS1='\t \d # '",
    "like an answer": "PS1='@1234abcd.1 1 3 end 1 3 1234abcd@ # '",
    "of 300 characters": f"PS1='{'p' * 300} # '",
}


@contextlib.contextmanager
def nested_shell(vm, command):
    """The console is at the prompt of a shell of its own that has run a command."""
    # which it finds in a file: what is typed while a new shell starts may be lost
    vm.guest(f"cat >/tmp/nested <<'END'\nunset ENV\n{command}\necho nested\nEND")
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("ENV=/tmp/nested sh\n")
        terminal.wait_for(r"nested\r?\n")
    yield
    with vm.terminal() as terminal:
        terminal.type("\nexit 0\n")
        terminal.settle()


@pytest.mark.parametrize("prompt", PROMPTS, ids=list(PROMPTS))
@pytest.mark.parametrize("shell", ["ash", "bash"])
def test_the_prompt_does_not_matter(boot, shell, prompt):
    vm = boot(shell=shell)
    with nested_shell(vm, PROMPTS[prompt]):
        done(vm.memhp("plug", "128M"))
        assert vm.zones(32) == ["Movable"]
        done(vm.memhp("unplug"))
        with vm.terminal() as terminal:
            terminal.type("echo \"<$((6 * 7))>\"\n")
            terminal.wait_for("<42>")


@pytest.mark.parametrize("setting", [
    "set -u", "set -x", "set -e", "set -v", "set -f", "set -C", "IFS=abc", "set -b",
    "cd /proc/self", "umask 777", "export TERM=dumb", "trap 'echo trapped' INT EXIT", "export LC_ALL=de_DE",
    "export ENV=/etc/profile BASH_ENV=/etc/profile", "alias stty=false",
    "export MEMHP_SYSROOT=/nonexistent", "unset PATH; export PATH=/bin:/usr/bin"])
def test_the_settings_of_the_shell_do_not_matter(shell_vm, setting):
    vm = shell_vm
    with nested_shell(vm, setting):
        seen = [n for run in vm.json("blocks")["blocks"] for n in range(run["first"], run["last"] + 1)]
        assert seen == list(vm.blocks())
        result = vm.memhp("offline", "memory0")  # which never can
        assert result.returncode == 5 and "memory0" in result.stderr, result


def test_prompt_command_and_a_debug_trap_of_bash_do_not_matter(boot):
    vm = boot(shell="bash")
    vm.discard()
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("PROMPT_COMMAND='echo before the prompt'; trap 'echo debug $BASH_COMMAND' DEBUG\n")
        terminal.wait_for("before the prompt\r?\n")
    everything(vm)


def test_jobs_in_the_background_of_the_console_may_talk(shell_vm):
    vm = shell_vm
    vm.discard()
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("while :; do echo talk; sleep 0.05; done &\n")
        terminal.wait_for(r"talk\r?\n")
    everything(vm)


def test_a_guest_that_is_busy_is_only_slow(vm):
    vm.guest("for i in 1 2 3; do (while :; do :; done) & echo $! >>/tmp/busy; done >/dev/null 2>&1")
    try:
        everything(vm)
    finally:
        vm.guest("kill $(cat /tmp/busy); rm /tmp/busy")


# ---- consoles without a shell


def at_console(vm, command, pattern):
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type(f"{command}\n")
        terminal.wait_for(pattern)


def check_login_is_told(vm):
    before = vm.state()
    result = vm.memhp("plug", "128M")
    assert result.returncode == 4, result
    assert "login" in result.stderr.splitlines()[0], result
    assert vm.state() == before


FAKE_LOGIN = ("while :; do printf '\\nlab log''in: '; read -r user; "
              "printf 'Pass''word: '; read -r word; echo; echo 'Log''in incorrect'; done")


def test_a_console_that_wants_a_login_is_reported_as_that(vm):
    at_console(vm, FAKE_LOGIN, "lab login: ")
    check_login_is_told(vm)
    with vm.terminal() as terminal:
        terminal.type("\003")
        terminal.settle()
    done(vm.memhp("list"))


def test_a_console_that_wants_a_password_is_reported_as_that(vm):
    vm.discard()
    at_console(vm, "stty -echo; while :; do printf 'Pass''word: '; read -r word; echo; done", "Password: ")
    check_login_is_told(vm)


def test_a_real_getty_is_reported_as_a_login(vm):
    vm.discard()
    at_console(vm, f"exec getty -L 0 {console_tty(vm)} vt100", "login: ")
    check_login_is_told(vm)


def test_a_program_that_reads_the_console_late_finds_it_usable(vm):
    """What memhp typed for nobody must not take the console away from the next user."""
    at_console(vm, "echo wait''ing; while [ ! -e /tmp/go ]; do sleep 0.05; done; rm /tmp/go",
               r"waiting\r?\n")
    result = vm.memhp("--timeout", "3", "plug", "128M")
    assert result.returncode in (4, 6), result
    vm.guest(": >/tmp/go")
    with vm.terminal() as terminal:
        terminal.settle()
        ask(terminal, 'echo "<$((6 * 7))>"', "<42>")
    done(vm.memhp("list"))
