# SPDX-License-Identifier: GPL-3.0-or-later
"""Real virtual machines for the tests, and ways to look at them that do not go through memhp.

Every machine is booted by lab/memhp-lab. memhp gets the first monitor and the first console; the tests
look through the second monitor (class Qmp) and the second console (class Console).
"""
from binary import (BINARY, GIB, LAB, MIB, PATIENCE, ROOT, check_sanitizers, clean_environment, end_process,
                    run_memhp)
from vm.machine import BLOCK, FIRST, LIST_PROCESSES, LOOK, Block, LabError, Memory, Unavailable, Vm
from vm.machines import MACHINES_MAX, Machines
from vm.qmp import Gone, Qmp, QmpError, connect
from vm.terminal import Console, Terminal
from wait import wait_until

__all__ = [
    "BINARY", "BLOCK", "Block", "Console", "FIRST", "GIB", "Gone", "LAB", "LIST_PROCESSES", "LOOK",
    "LabError", "MACHINES_MAX", "MIB", "Machines", "Memory", "PATIENCE", "Qmp", "QmpError", "ROOT",
    "Terminal", "Unavailable", "Vm", "check_sanitizers", "clean_environment", "connect", "end_process",
    "run_memhp", "wait_until"]
