# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the README shows what memhp prints today."""
import os
import sys

import vm as virtual
from vm import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import picture  # noqa: E402 pylint: disable=wrong-import-position


def test_the_picture_is_of_today(vm, tmp_path):
    """If not, `make picture` records it anew."""
    (tmp_path / "memhp").symlink_to(virtual.BINARY)
    environment = virtual.clean_environment(MEMHP_QMP=vm.path("qmp.sock"), PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert picture.shape((ROOT / "docs/memhp.svg").read_text(encoding="utf-8")) == picture.shape(picture.draw(environment))
