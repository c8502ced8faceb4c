# SPDX-License-Identifier: GPL-3.0-or-later
"""What --dry-run, --verbose and --quiet print, and how many messages a command takes."""
import json

from plan import check_dry_run, steps
from report import TRACE, done, trace


def test_dry_run_changes_nothing_and_prints_what_is_sent_later(vm):
    plan = check_dry_run(vm, "plug", "512M", "--slot", "3", "--addr", "0x180000000", "--node", "0")
    assert "$(seq 48 51)" in plan
    assert check_dry_run(vm, "offline", "49-50")
    assert check_dry_run(vm, "online", "all")
    plan = check_dry_run(vm, "unplug")
    assert "DEVICE_DELETED" in plan
    assert vm.devices() == []


def test_dry_run_predicts_the_blocks_also_without_an_address(vm):
    done(vm.memhp("plug", "256M", "--no-online"))
    assert "$(seq 34 37)" in check_dry_run(vm, "plug", "512M")
    assert vm.zones(34, 37, 38) == ["Movable", "Movable", None]
    done(vm.memhp("unplug", "--all"))


def test_the_guests_part_of_a_plan_can_be_typed(vm):
    """Pasted at a shell of the guest's, it does what the command would have done."""
    done(vm.memhp("plug", "512M", "--no-online"))
    for command, zones in ((("online", "32-34", "--zone", "movable"), ["Movable"] * 3 + ["offline"]),
                           (("offline", "33"), ["Movable", "offline", "Movable", "offline"]),
                           (("offline", "32-34"), ["offline"] * 4),
                           (("online", "35", "32-33"), ["Movable", "Movable", "offline", "Movable"]),
                           (("online", "32", "34", "--zone", "kernel"), ["Normal", "Movable", "Normal", "Movable"])):
        lines = steps(done(vm.memhp("--dry-run", *command)), "guest")
        assert lines
        for line in lines:
            vm.guest(line)
        assert vm.zones(32, 33, 34, 35) == zones, lines
        # nothing is left to do for the command itself
        assert vm.json(*command)["changed"] == 0
    vm.discard()


def test_dry_run_of_something_impossible_fails_as_the_command_would(vm):
    result = vm.memhp("--dry-run", "plug", "130M")
    assert result.returncode == 1 and result.stdout == ""


def test_a_command_costs_at_most_two_guest_round_trips(vm):
    for command in (["plug", "512M"], ["offline", "memory33"], ["online", "memory33"], ["list"],
                    ["blocks"], ["status"], ["unplug"]):
        result = vm.memhp("--verbose", *command)
        done(result)
        trips = [s for s in trace(result.stderr, "guest", ">") if s != ":"]  # ":" uploads the program
        assert 1 <= len(trips) <= 2, trips


def test_the_qmp_commands_of_a_step_are_sent_together(vm):
    result = vm.memhp("--verbose", "plug", "512M")
    done(result)
    lines = [TRACE.fullmatch(line) for line in result.stderr.splitlines()]
    log = [(m[2], m[3]) for m in lines if m and m[1] == "qmp"]
    at = [i for i, (way, text) in enumerate(log)
          if way == ">" and json.loads(text)["execute"] in ("device_add", "query-memory-devices")]
    assert at[2] == at[1] + 1  # the first is the look
    done(vm.memhp("unplug"))


def test_quiet_prints_nothing_on_success_and_the_error_on_failure(vm):
    for command in (["plug", "256M"], ["offline", "33"], ["online", "33"], ["unplug"]):
        result = vm.memhp("--quiet", *command)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), result
    result = vm.memhp("-q", "unplug")
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("memhp: ")
