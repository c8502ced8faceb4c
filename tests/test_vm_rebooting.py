# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that boots refuses what it gives up once it runs: it is asked again."""
import pytest
from relay import at_work, BEFORE
from test_vm_ending import clean_up, restart, revive, strike


@pytest.mark.parametrize("more", [[], ["--keep-going"]])
def test_dimms_that_a_booting_guest_refuses_to_give_up_are_asked_for_again(boot, more):
    vm = boot()
    before, backends = vm.devices(), vm.backends()
    code, found, said = strike(vm, restart, at_work(BEFORE), "plug", "512M", "--dimm", "128M", *more)
    assert "the guest has been reset (" in said, said
    revive(vm)
    assert "does not give up" not in said, said
    if found["state"] == "rolled-back":
        assert code == 4 and vm.devices() == before and vm.backends() == backends, said
    else:  # a slow machine has not booted in the time that there is for it
        assert code == 7 and "since it ended or restarted" in said, said
    clean_up(vm)
