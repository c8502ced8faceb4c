# SPDX-License-Identifier: GPL-3.0-or-later
"""What --dry-run says will be done, held against what is then sent."""
import json
import re

from report import CHANGES, done, trace, without_ids


def steps(plan, where):
    """The steps of a plan on one side, the seconds that depend on the clock taken out."""
    found = [line.split(None, 1) for line in plan.splitlines()]
    return [re.sub(r"(change|ease) \d+", r"\1", rest) for side, rest in found if side == where]


def sent_to_guest(verbose):
    """The steps that changed something in the guest, as --verbose shows them."""
    sent = [s for s in trace(verbose, "guest", ">") if re.match("change|ease|appear|swift", s)]
    return [re.sub(r"(change|ease) \d+", r"\1", s) for s in sent]


def changes_sent(verbose):
    return [r for r in without_ids(trace(verbose, "qmp", ">")) if r["execute"] in CHANGES]


def check_dry_run(vm, *command):
    """--dry-run changes nothing, and prints what --verbose then shows to be sent."""
    before = vm.state()
    plan = done(vm.memhp("--dry-run", *command))
    objects = vm.json("--dry-run", *command)["plan"]
    assert [step["qmp"] for step in objects if "qmp" in step] == list(map(json.loads, steps(plan, "qmp")))
    assert [re.sub(r"(change|ease) \d+", r"\1", s["guest"]) for s in objects if "guest" in s] == steps(plan, "guest")
    assert vm.state() == before
    result = vm.memhp("--verbose", *command)
    done(result)
    assert without_ids(steps(plan, "qmp")) == changes_sent(result.stderr)
    assert steps(plan, "guest") == sent_to_guest(result.stderr)
    return plan
