# SPDX-License-Identifier: GPL-3.0-or-later
"""A monitor and a console of another machine, by way of a real ssh server."""
from sshd import with_server
from vm import MIB


@with_server
def test_monitor_and_console_through_one_connection(far, vm):
    before = vm.mem_total()
    address = f"ssh://far{vm.path('qmp.sock')}"
    result = vm.memhp("--qmp", address, "plug", "256M", env=far)
    assert result.returncode == 0, result
    assert vm.mem_total() == before + 256 * MIB
    result = vm.memhp("--qmp", address, "unplug", env=far)
    assert result.returncode == 0, result
    assert vm.mem_total() == before and vm.devices() == [] and vm.backends() == []
