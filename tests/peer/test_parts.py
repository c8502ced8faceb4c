# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that name more separate runs of blocks than a console's input queue takes."""
import pytest
from peer import MIB, SHELLS, Console, Tree, memhp

BLOCKS = range(1000, 2200)  # every other one is offline


@pytest.fixture
def scattered(tmp_path):
    """A guest whose blocks make 1200 runs."""
    tree = Tree(tmp_path / "guest")
    for number in BLOCKS:
        tree.add(number, number, "online" if number % 2 else "offline", "Movable")
    return tree


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("word", ["76800M", "all"])
def test_hundreds_of_separate_blocks_go_offline_on_a_console(tmp_path, scattered, shell, word):
    path = tmp_path / "console"
    with Console(path, scattered, SHELLS[shell]):
        result = memhp("--guest", f"serial:{path}", "--json", "offline", word, "--force")
    assert result.succeeded()["changed"] == len(BLOCKS) // 2 * 128 * MIB
    assert {scattered.state(n) for n in BLOCKS} == {"offline Movable"}
