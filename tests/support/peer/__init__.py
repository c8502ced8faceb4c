# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripted peers for memhp: a QMP monitor, a guest's console, a guest, an agent, and the /sys tree they stand on.

All of them do the right thing by themselves; a test says only in what they differ. They are threads on UNIX
sockets, and nothing in them waits for a time to pass: what comes first is decided by the script.
"""
from binary import (BINARY, GIB, HANG, IS_SANITIZED, MIB, ROOT, Result, Run, check_harmless,
                    clean_environment, memhp)
from peer.agent import Agent
from peer.console import SHELLS, Console, session_processes
from peer.fault import Behind, Inserted, Sprinkled, clean
from peer.liar import SCAN, Liar, frame
from peer.model import BASE, Refusal, Vm
from peer.monitor import Monitor, answer_late
from peer.relayed import connected, relayed
from peer.script import (GREETING, Close, Default, Hold, Quietly, Release, deleted, encode, error, event, never, ost,
                         reply, silent)
from peer.server import Server
from peer.tree import Tree
from typist import Typist

__all__ = [
    "Agent", "BASE", "BINARY", "Behind", "Close", "Console", "Default", "GIB", "GREETING", "HANG",
    "Hold", "IS_SANITIZED", "Inserted", "Liar", "MIB", "Monitor", "Quietly", "ROOT", "Refusal", "Release",
    "Result", "Run", "SCAN", "SHELLS", "Server", "Sprinkled", "Tree", "Typist", "Vm", "answer_late",
    "check_harmless", "clean", "clean_environment", "connected", "deleted", "encode", "error", "event",
    "frame", "memhp", "never", "ost", "relayed", "reply", "session_processes", "silent"]
