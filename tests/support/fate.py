# SPDX-License-Identifier: GPL-3.0-or-later
"""What befalls a VM, or memhp's shell in its guest, while memhp is at work."""
import contextlib
import os
import pathlib
import signal

from vm import Gone, QmpError, wait_until


def kill(vm):
    """QEMU is killed."""
    os.kill(vm.pid, signal.SIGKILL)


def power_down(vm):
    """QEMU ends of its own accord."""
    with contextlib.suppress(QmpError, Gone):
        vm.monitor.execute("quit")


def reset(vm):
    """Somebody presses the reset button."""
    vm.monitor.execute("set-action", reboot="reset")
    vm.monitor.execute("system_reset")


def reboot(vm):
    """The guest restarts."""
    vm.monitor.execute("set-action", reboot="reset")
    vm.console.type("echo b >/proc/sysrq-trigger\n")


def panic(vm):
    """The guest's kernel panics, and stays like that."""
    vm.console.type("echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger\n")


def pause(vm):
    """The machine is paused."""
    vm.monitor.execute("stop")


def freeze(vm):
    """QEMU is stopped, all of its threads: its monitor does not answer either."""
    os.kill(vm.pid, signal.SIGSTOP)
    tasks = pathlib.Path(f"/proc/{vm.pid}/task")
    wait_until(lambda: all(t.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T"
                           for t in tasks.glob("*/stat")), what="the end of the last step of QEMU")


# Every process in the guest that has memhp's session in its environment, and whose parent has not, is the shell
# that reads guest.sh.
KILL_SHELL = """
for p in /proc/[0-9]*; do
grep -qs '^MEMHP=' $p/environ || tr '\\0' '\\n' <$p/environ | grep -qs '^MEMHP=' || continue
read -r _ _ _ parent _ <$p/stat
tr '\\0' '\\n' </proc/$parent/environ | grep -qs '^MEMHP=' || kill -9 ${p##*/}
done 2>/dev/null; :"""


def plugged(vm):
    """A DIMM in Movable."""
    assert vm.memhp("plug", "1G", "--zone", "movable").returncode == 0
