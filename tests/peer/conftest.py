# SPDX-License-Identifier: GPL-3.0-or-later
"""What most tests of scripted peers begin with."""
import peer
import pytest
from peer import Monitor, Tree, Vm
from session import NAMED
from world import world


@pytest.fixture
def path(tmp_path):
    """Where the monitor is."""
    return tmp_path / "qmp"


@pytest.fixture
def plugged():
    """A VM with one DIMM of 512 MiB, "d0-dimm"."""
    vm = Vm()
    vm.plug("d0", 512)
    return vm


@pytest.fixture
def tree(tmp_path):
    """The guest's /sys."""
    return peer.Tree(tmp_path / "guest")


@pytest.fixture(name="lab")
def lab_(tmp_path):
    """A VM called "lab" with a DIMM of 256 MiB, and its guest."""
    tree = Tree(tmp_path / "guest", boot=4)
    vm = Vm(tree)
    vm.plug("d0", 256)
    with Monitor(tmp_path / "qmp", vm, on=NAMED) as monitor:
        yield monitor


@pytest.fixture
def here(tmp_path):
    """A world without any VM."""
    with world(tmp_path) as made:
        yield made
