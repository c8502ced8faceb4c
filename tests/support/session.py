# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM called "lab" for memhp shell and memhp events: their environment, and how it answers."""
import collections

from peer import reply

NAMED = {"query-name": [reply({"name": "lab"})]}


def environment(lab, **more):
    home = lab.path.parent / "home"
    home.mkdir(exist_ok=True)
    channel = lab.vm.tree.kernel_channel() if lab.vm.tree else "none"
    return {"MEMHP_QMP": str(lab.path), "MEMHP_GUEST": channel, "HOME": str(home),
            "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home / "state"), **more}


def answer(lab, command, *scripts):
    """From now on, answer a command by each of the scripts in turn, and by the last one for ever."""
    lab.on[command] = collections.deque(scripts)
