# SPDX-License-Identifier: GPL-3.0-or-later
"""The guest's program on a tree, in every shell."""
import pytest
from guest_program import PROGRAMS, SHELLS, Guest
from peer import Tree


@pytest.fixture
def tree(tmp_path):
    """A guest with 1 GiB and four more blocks in Movable."""
    tree = Tree(tmp_path / "guest")
    tree.add(32, 35, "online", "Movable")
    return tree


@pytest.fixture(params=[f"{shell}, {program}" for shell in SHELLS for program in PROGRAMS])
def guest(request, tree):
    """Every shell with either form of the program."""
    shell, program = request.param.split(", ")
    with Guest(tree.root, SHELLS[shell], PROGRAMS[program]()) as guest:
        yield guest


@pytest.fixture(params=SHELLS)
def shell(request):
    """The words of every shell."""
    return SHELLS[request.param]
