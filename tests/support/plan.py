# SPDX-License-Identifier: GPL-3.0-or-later
"""What --dry-run says will be done, held against what is then sent."""
import json
import re

from report import CHANGES, done, trace, without_ids


STATE = "/sys/devices/system/memory/memory{}/state"


def steps(plan, where):
    """The steps of a plan on one side."""
    found = [line.split(None, 1) for line in plan.splitlines()]
    return [rest for side, rest in found if side == where]


def blocks_of(ranges):
    """What stands behind "for n in", of "39-36" or "32-32"."""
    ends = [tuple(map(int, word.split("-"))) for word in ranges]
    return [str(a) if a == b else f"$(seq {a} {b})" if a < b else f"$(seq {a} -1 {b})" for a, b in ends]


def typed(command):
    """What a person would type in the place of a command of guest.sh that changes something; None for others."""
    word, *rest = command.split()
    ranges = [r for r in rest if re.fullmatch(r"\d+-\d+", r)]
    if word == "appear":
        line = "until [ -e " + STATE.replace("state", "valid_zones") + " ]; do sleep 1; done"
    elif word == "swift":
        line = f"echo {rest[0]} >{STATE}"
    elif word == "ease" or (word, rest[1:2]) == ("change", ["lower"]):
        line = f"echo offline >{STATE}"
    elif word == "change":
        line = f"echo online{'' if rest[2] == 'any' else '_' + rest[2]} >{STATE}"
    else:
        return None
    blocks = blocks_of(ranges)
    if len(blocks) == 1 and blocks[0].isdigit():
        return line.replace("{}", blocks[0])
    return f"for n in {' '.join(blocks)}; do {line.replace('{}', '$n')}; done"


def sent_to_guest(verbose):
    """The steps that changed something in the guest, as --verbose shows them, as a person would type them."""
    commands = [c for s in trace(verbose, "guest", ">") for c in re.split("&&|;", s)]
    return [line for line in map(typed, commands) if line]


def changes_sent(verbose):
    return [r for r in without_ids(trace(verbose, "qmp", ">")) if r["execute"] in CHANGES]


def check_dry_run(vm, *command):
    """--dry-run changes nothing, and prints what --verbose then shows to be sent."""
    before = vm.state()
    plan = done(vm.memhp("--dry-run", *command))
    objects = vm.json("--dry-run", *command)["plan"]
    assert [step["qmp"] for step in objects if "qmp" in step] == list(map(json.loads, steps(plan, "qmp")))
    assert [s["guest"] for s in objects if "guest" in s] == steps(plan, "guest")
    assert vm.state() == before
    result = vm.memhp("--verbose", *command)
    done(result)
    assert without_ids(steps(plan, "qmp")) == changes_sent(result.stderr)
    assert steps(plan, "guest") == sent_to_guest(result.stderr)
    return plan
