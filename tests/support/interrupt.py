# SPDX-License-Identifier: GPL-3.0-or-later
"""What an interrupted memhp says, and that the machine is as it says."""
import json

from vm import end_process


def check_interrupted(code, out, err):
    assert code == 130, err
    found = json.loads(out)
    assert found["ok"] is False and found["error"]["code"] == "interrupted"
    return found, [line for line in err.splitlines() if not line.startswith("[")]


def end_interrupted(process):
    out, err = end_process(process)
    return check_interrupted(process.returncode, out, err)
