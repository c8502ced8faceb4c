# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that have a lot to do: one DIMM after the other, and what is seen of it on a terminal."""
from watch import Watcher

PATIENT = 300  # seconds for what takes ten where nothing else is going on


def patient(vm, *command):
    """Run a command that has a lot to do, on a host that may be busy."""
    return vm.memhp("--timeout", PATIENT, *command, timeout=PATIENT)


def watch(vm, columns, *words):
    """Watch the progress of such a command."""
    return Watcher("--timeout", PATIENT, *words, columns=columns, env={"MEMHP_QMP": vm.path("qmp.sock")})
