# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of docs/design.md are those that tools/rooms.sh knows: what a room may not include is refused."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from manual import read

ROOT = Path(__file__).resolve().parents[2]
ROWS = read("docs/design.md").partition("| may include |")[2].partition("\n\n")[0]
TABLE = dict(re.findall(r"^\| `(\w+)(?:/|\.c)` \| .* \| ([\w -]+) \|$", ROWS, re.M))


def allowed(room):
    """The rooms that the table lets it include."""
    words = TABLE[room]
    if words == "all below":
        return set(TABLE) - {room, "memhp"}
    return set() if words == "-" else set(words.split())


def check(tree):
    """What tools/rooms.sh says of a tree."""
    done = subprocess.run(["tools/rooms.sh"], cwd=tree, capture_output=True, text=True, check=False)
    assert bool(done.returncode) is bool(done.stderr), done
    return done.stderr


@pytest.fixture
def tree(tmp_path):
    """The sources alone."""
    sources = [path for room in (".", *TABLE) for path in ROOT.glob(f"{room}/*.[ch]")]
    for path in (ROOT / "tools/rooms.sh", *sources):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def first(room, end):
    """The room's file at the root, else the first of its folder."""
    alone = ROOT / f"{room}.{end}"
    return alone.name if alone.exists() else f"{room}/{min(p.name for p in ROOT.glob(f'{room}/*.{end}'))}"


def header(room):
    """One of its headers; memhp.c has none."""
    return first(room, "h")


def source(room):
    """One of its sources."""
    return first(room, "c")


def test_no_room_includes_what_it_may_not(tree):
    assert len(TABLE) == 10 and check(tree) == ""
    forbidden = {(room, other) for room in TABLE for other in set(TABLE) - {room, "memhp"} - allowed(room)}
    assert len(forbidden) > 30
    for room, other in forbidden:
        with (tree / source(room)).open("a") as file:
            file.write(f'#include "{header(other)}"\n')
    found = re.findall(r"^lint: (\S+) includes (\S+): room \w+ may not$", check(tree), re.M)
    assert set(found) == {(source(room), header(other)) for room, other in forbidden}
