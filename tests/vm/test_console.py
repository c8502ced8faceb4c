# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's console: left as it was found, and nothing on it confuses memhp."""
import contextlib
import os
import pty
import re
import select
import signal
import threading

import pytest
from guest_console import ask, console_tty, everything, modes
from report import done
from vm import MIB, Gone, connect, end_process, wait_until


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
        usual = modes(vm)
        terminal.type(f"stty {strange}; echo stran''ge\n")
        terminal.wait_for(r"strange\r?\n")
        terminal.wait_for("# ")
    before = modes(vm)
    result = vm.memhp("list")
    if strange != "-icrnl":  # without it no line ends
        done(result)
    wait_until(lambda: modes(vm) == before, what="the old modes")
    vm.guest(f"stty {usual} cols 80 rows 24 -F /dev/{console_tty(vm)}")
    with vm.terminal() as terminal:  # what was typed at strange modes may still stand on its line
        terminal.settle()


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
