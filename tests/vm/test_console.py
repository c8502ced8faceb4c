# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's console: left as it was found, and nothing on it confuses memhp."""
import contextlib
import json
import os
import pty
import re
import select
import signal
import threading

import pytest
from report import done
from vm import MIB, Gone, connect, end_process, wait_until

SHELLS = ["ash", "dash", "bash"]


@pytest.fixture(params=SHELLS)
def shell_vm(boot, request):
    return boot() if request.param == "ash" else boot(shell=request.param)


def console_tty(vm):
    return vm.guest("tr ' ' '\\n' </proc/cmdline | sed -n 's/^console=//p'").strip()


def modes(vm):
    """The modes of the first console, as somebody else in the guest sees them."""
    return vm.guest(f"stty -g -F /dev/{console_tty(vm)}").strip()


def ask(terminal, command, answer):
    """Type a command with a $ that prints <...>; check its echo, its answer and the prompt after it."""
    terminal.type(f"{command}\n")
    terminal.wait_for(r"\$", 10)  # of the echo
    terminal.wait_for(answer, 10)
    terminal.wait_for(r"[#$] ", 10)


def everything(vm):
    """Every kind of command once; all of it has to be right."""
    before = vm.mem_total()
    done(vm.memhp("plug", "256M", "--zone", "movable"))
    assert vm.mem_total() == before + 256 * MIB
    done(vm.memhp("offline", "memory33"))
    found = vm.json("list")
    assert [(b["first"], b["last"], b["state"]) for b in found["devices"][0]["blocks"]] == [
        (32, 32, "online"), (33, 33, "offline")]
    seen = [n for run in vm.json("blocks")["blocks"] for n in range(run["first"], run["last"] + 1)]
    assert seen == list(vm.blocks())
    done(vm.memhp("online", "memory33"))
    assert vm.zones(32, 33) == ["Movable", "Movable"]
    done(vm.memhp("unplug"))
    assert vm.mem_total() == before and vm.devices() == []


# ---- left as found


def test_the_console_prompts_echoes_and_obeys_after_memhp(shell_vm):
    vm = shell_vm
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("cd /tmp; kept=yes; echo \"<$$>\"\n")
        shell = re.search(r"<(\d+)>", terminal.wait_for(r"<\d+>"))[1]
    everything(vm)
    with vm.terminal() as terminal:
        terminal.settle()
        ask(terminal, 'echo "<$$ $kept $PWD ${MEMHP-none}>"', rf"<{shell} yes /tmp none>")
        terminal.type("cd; unset kept\n")
        terminal.settle()


@pytest.mark.parametrize("policy", ["offline", "online"])
def test_the_modes_of_the_console_are_as_before(shell_vm, policy):
    """Also where memhp has to give back the kernel's policy on its way out."""
    vm = shell_vm
    with vm.terminal() as terminal:
        terminal.settle()
    before = modes(vm)
    vm.guest(f"echo {policy} >/sys/devices/system/memory/auto_online_blocks")
    for command in (["list"], ["plug", "128M"], ["unplug"], ["offline", "stick"]):
        vm.memhp(*command)
        wait_until(lambda: modes(vm) == before, what=f"the old modes after {command}")
        assert vm.guest("cat /sys/devices/system/memory/auto_online_blocks").strip() == policy
    vm.guest("echo offline >/sys/devices/system/memory/auto_online_blocks")


@pytest.mark.parametrize("strange", ["-echo", "-icrnl", "cols 20 rows 5", "-onlcr", "kill ^X", "eof ^B"])
def test_strange_modes_of_the_console_are_kept(boot, strange):
    vm = boot(shell="dash")  # which leaves the modes alone
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type(f"stty {strange}; echo stran''ge\n")
        terminal.wait_for(r"strange\r?\n")
        terminal.wait_for("# ")
    before = modes(vm)
    result = vm.memhp("list")
    if strange != "-icrnl":  # without it no line ends
        done(result)
    wait_until(lambda: modes(vm) == before, what="the old modes")
    vm.guest(f"stty sane cols 80 rows 24 -F /dev/{console_tty(vm)}")
    vm.discard()


def test_no_process_is_left_in_the_guest(shell_vm):
    vm = shell_vm
    before = vm.processes()
    everything(vm)
    vm.wait_for_end(before)


@pytest.mark.parametrize("command", [["unplug", "stick"], ["plug", "130M"], ["online", "77"]], ids=" ".join)
def test_no_process_is_left_in_the_guest_after_a_failure(vm, command):
    before = vm.processes()
    assert vm.memhp(*command).returncode == 1
    vm.wait_for_end(before)


def test_no_process_is_left_in_the_guest_over_ssh(vm):
    before = vm.processes()
    done(vm.memhp("--guest", f"exec:exec ssh -F {vm.path('ssh_config')} lab sh", "list"))
    vm.wait_for_end(before)


def test_the_history_of_a_shell_that_ignores_spaces_stays_clean(boot):
    vm = boot(shell="bash")
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("HISTCONTROL=ignorespace; history -c\n")
        terminal.settle()
    done(vm.memhp("list"))
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("history; echo en''d\n")
        history = terminal.wait_for(r"end\r?\n")
        assert "settled" in history or "set''tled" in history
        assert "MEMHP" not in history
        terminal.type("unset HISTCONTROL\n")
        terminal.settle()


# ---- half a line


@pytest.mark.parametrize("half", ["touch /tmp/ghost", "touch /tmp/ghost; echo \"", "touch /tmp/ghost &&",
                                  "touch /tmp/ghost;" + " " * 200, "echo `touch /tmp/ghost"])
def test_half_a_line_at_the_prompt_is_not_executed(shell_vm, half):
    vm = shell_vm
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type(half)
    done(vm.memhp("list"))
    with vm.terminal() as terminal:
        terminal.settle()
        ask(terminal, 'echo "<$((6 * 7))>"', "<42>")
    assert vm.guest("ls /tmp/ghost 2>/dev/null", check=False) == ""


@pytest.mark.parametrize("half", ["touch /tmp/ghost '", 'touch /tmp/ghost "', "echo `touch /tmp/ghost", "touch /tmp/ghost &&",
                                  "case x in x) touch /tmp/ghost", "case x in x) touch /tmp/ghost '"])
def test_half_a_command_of_two_lines_is_answered_or_refused_but_not_executed(shell_vm, half):
    """The shell waits for its end: memhp may give up, but does no harm."""
    vm = shell_vm
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type(f"{half}\n")
        terminal.wait_for("> ")
    result = vm.memhp("--timeout", "10", "list", "--guest", f"serial:{vm.path('serial.sock')}")
    assert result.returncode in (0, 4, 6), result
    with vm.terminal() as terminal:
        terminal.type("\003")
        terminal.settle()
    assert vm.guest("ls /tmp/ghost 2>/dev/null", check=False) == ""
    done(vm.memhp("list"))


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
    vm = boot() if shell == "ash" else boot(shell=shell)
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


# ---- what a killed memhp leaves


def kill_at(vm, pattern, *command):
    process = vm.catch_memhp(pattern, *command)
    process.send_signal(signal.SIGKILL)
    end_process(process)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("point", ["query-chardev", "guest > ", "guest < size", '"device_add"'])
def test_the_session_of_a_killed_memhp_does_not_hinder_the_next(shell_vm, point):
    vm = shell_vm
    before = vm.processes()
    kill_at(vm, point, "plug", "512M")
    vm.json("list")
    if vm.devices():
        done(vm.memhp("unplug"))
    elif vm.backends():
        vm.monitor.execute("object-del", id=vm.backends()[0])
    everything(vm)
    vm.wait_for_end(before)


def test_a_memhp_killed_again_and_again_does_not_pile_up_sessions(vm):
    before = vm.processes()
    for _ in range(4):
        kill_at(vm, "guest < size", "plug", "512M")
    for device in vm.devices():
        done(vm.memhp("unplug", device["id"]))
    for backend in vm.backends():
        vm.monitor.execute("object-del", id=backend)
    done(vm.memhp("list"))
    vm.wait_for_end(before)


@pytest.mark.parametrize("key", ["\003", "\004"], ids=["Ctrl-C", "Ctrl-D"])
def test_a_person_gets_the_console_back_after_a_killed_memhp(shell_vm, key):
    """With what anyone tries on a dead console."""
    vm = shell_vm
    with vm.terminal() as terminal:
        terminal.settle()
    before = modes(vm)
    kill_at(vm, "guest < size", "list")
    with vm.terminal() as terminal:
        for keys in ("\n", key, "\n"):
            terminal.type(keys)
            with contextlib.suppress(Gone):
                terminal.wait_for(r"[#$] ", 3)
                break
        terminal.settle()
        ask(terminal, 'echo "<$((6 * 7))>"', "<42>")
        terminal.settle()
    wait_until(lambda: modes(vm) == before, what="the old modes")


# ---- a terminal device on this machine


@contextlib.contextmanager
def pty_to(path):
    """A pty whose other end is a UNIX socket; its name."""
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    stop_reader, stop_writer = os.pipe()

    def relay():
        with connect(path) as line:
            while True:
                ready = select.select([ours, line, stop_reader], [], [])[0]
                if stop_reader in ready:
                    return
                if ours in ready:
                    line.sendall(os.read(ours, 4096))
                if line in ready:
                    os.write(ours, line.recv(4096))

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    try:
        yield name
    finally:
        os.write(stop_writer, b"x")
        thread.join()
        for fd in (ours, theirs, stop_reader, stop_writer):
            os.close(fd)


def test_a_pty_works_as_a_console(shell_vm):
    vm = shell_vm
    with pty_to(vm.path("serial.sock")) as name:
        before = vm.mem_total()
        words = ["--guest", f"serial:{name}"]
        done(vm.memhp(*words, "plug", "256M"))
        assert vm.mem_total() == before + 256 * MIB
        done(vm.memhp(*words, "unplug"))
        assert vm.mem_total() == before
    with vm.terminal() as terminal:
        terminal.settle()


# ---- at the same time


def test_two_memhp_at_the_same_time_do_not_mix(vm):
    first = vm.start_memhp("plug", "128M")
    second = vm.start_memhp("plug", "128M")
    for process in (first, second):
        _, err = end_process(process)
        assert process.returncode in (0, 3, 4), err
    succeeded = [first.returncode, second.returncode].count(0)
    assert succeeded >= 1
    assert len(vm.devices()) == len(vm.backends()) == succeeded
    done(vm.memhp("unplug", "--all"))
