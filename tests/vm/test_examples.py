# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of memhp(1), block by block, on a real virtual machine."""
import re
import subprocess

import pytest
import vm as virtual
from manual import MAN, section
from vm import BINARY, PATIENCE
from world import UNSHARE, is_possible


def examples():
    """The blocks that run memhp, as scripts; the one that starts QEMU is for a machine of one's own."""
    blocks = re.findall(r"^\.nf\n(.*?)^\.fi$", section(MAN, "EXAMPLES"), re.M | re.S)
    return [block.replace("\\e", "\\") for block in blocks if "memhp" in block]


@pytest.fixture(name="environment")
def environment_(vm, tmp_path):
    """A shell that finds memhp, and the machine both by itself and as "web"."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/memhp").symlink_to(BINARY)
    (tmp_path / "memhp").mkdir()
    (tmp_path / "memhp/config").write_text(f"[vm web]\nqmp = {vm.path('qmp.sock')}\n")
    env = virtual.clean_environment(MEMHP_QMP=vm.path("qmp.sock"), XDG_CONFIG_HOME=tmp_path)
    return {**env, "PATH": f"{tmp_path / 'bin'}:{env['PATH']}"}


def test_there_are_examples():
    assert len(examples()) > 7


@pytest.mark.parametrize("block", examples(), ids=lambda block: block.splitlines()[0])
def test_the_examples_work(environment, tmp_path, block):
    alone = UNSHARE if is_possible() else []  # memhp vms is to ask no monitor of somebody else's
    done = subprocess.run([*alone, "sh", "-e", "-c", block], env=environment, cwd=tmp_path, text=True, capture_output=True,
                          timeout=PATIENCE, stdin=subprocess.DEVNULL, check=False)
    if "|| jq" in block:  # nothing is plugged: the example shows what a failure looks like
        assert '"ok":false' in (tmp_path / "result").read_text(encoding="utf-8")
    else:
        assert done.returncode == 0, done
        strangers = r"memhp: (nothing known about VM|VM .* cannot be compared) .*\n(hint: .*\n)?"  # that others run on this host
        assert re.sub(strangers, "", done.stderr) == "", done
