# SPDX-License-Identifier: GPL-3.0-or-later
"""An offline that never ends: bounded, ended in the guest too, undone, and told with what holds the block."""
import re

import pytest
from stuck import HOLD, LET_GO


@pytest.mark.parametrize("shell", ["ash", "dash", "bash"])
def test_an_offline_without_end_is_ended_undone_and_explained(boot, shell):
    vm = boot(shell=shell)
    assert vm.memhp("plug", "512M", "--zone", "movable").returncode == 0
    vm.guest(HOLD)
    before, programs = vm.state(), vm.processes()
    found = vm.json("--timeout", "12", "unplug", code=6)
    assert found["state"] == "rolled-back"
    message = found["error"]["message"]
    assert re.search(r"has not managed to take 'memory3[2-5]' offline: the deadline passed; it is held by a file in "
                     r"tmpfs or shared memory, 'hoard'$", message), message
    assert vm.state() == before
    # no writer stays, nor what was to kill it
    vm.wait_for_end(programs)
    assert "offline" not in vm.guest("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; :")
    vm.guest(LET_GO)
    assert vm.memhp("unplug").returncode == 0
