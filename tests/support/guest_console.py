# SPDX-License-Identifier: GPL-3.0-or-later
"""The first console of a guest, which is memhp's: its modes, its prompt, and all of memhp on it."""
from report import done
from vm import MIB


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


def check_console(vm):
    """The next user of the console finds a prompt that echoes and obeys."""
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("echo con''sole $((6 * 7))\n")
        terminal.wait_for(r"echo con''sole")
        terminal.wait_for(r"console 42\r?\n")
        terminal.wait_for(r"[#$] ")
