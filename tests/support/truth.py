# SPDX-License-Identifier: GPL-3.0-or-later
"""What QEMU and the guest say themselves of the memory there is."""
import re


def total(vm):
    summary = vm.monitor.execute("query-memory-size-summary")
    return summary["base-memory"] + summary["plugged-memory"]


def ids(vm):
    return sorted(d["id"] for d in vm.devices())


def slots(vm):
    return {d["id"]: d["slot"] for d in vm.devices()}


def totals(vm):
    """MiB of each node, as QEMU's human monitor has it."""
    text = vm.monitor.execute("human-monitor-command", command_line="info numa")
    return [int(mib) for mib in re.findall(r"node \d+ size: (\d+) MB", text)]


def settled(vm):
    """All of the machine's state, and the processes in its guest."""
    return {**vm.state(), "processes": vm.processes()}
