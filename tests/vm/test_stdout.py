# SPDX-License-Identifier: GPL-3.0-or-later
"""A stdout that takes nothing: what cannot be reported is undone."""
import os
import subprocess

import pytest
from refusal import check_lines
from vm import BINARY, clean_environment


@pytest.mark.parametrize("command", [["plug", "128M"], ["list"], ["status"], ["blocks"], ["--help"],
                                     ["--version"], ["--json", "list"]], ids=" ".join)
def test_a_closed_stdout_is_reported_and_nothing_is_done(vm, command):
    before = vm.state()
    env = clean_environment(MEMHP_QMP=vm.path("qmp.sock"))
    result = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", BINARY, *command], env=env,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=False)
    assert result.returncode == 1
    check_lines(result.stderr, ["stdout"])
    assert vm.state() == before


def test_a_closed_stderr_and_stdin_do_not_hurt(vm):
    env = clean_environment(MEMHP_QMP=vm.path("qmp.sock"))
    for command in (["list"], ["unplug", "stick"], ["plug", "130M"]):
        for closed in ("2>&-", "<&-", "<&- 2>&-", "<&- >&- 2>&-"):
            subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", BINARY, *command], env=env,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    assert vm.difference() is None


def run_full(vm, *command):
    with open("/dev/full", "w", encoding="ascii") as full:
        return vm.memhp(*command, stdout=full, stderr=subprocess.PIPE)


@pytest.mark.parametrize("command", [["list"], ["status"], ["blocks"], ["--help"], ["--version"],
                                     ["--json", "list"], ["qmp", "query-status"]], ids=" ".join)
def test_a_full_stdout_is_reported(vm, command):
    result = run_full(vm, *command)
    assert result.returncode == 1
    check_lines(result.stderr, ["stdout", "No space left"])


def test_a_plug_that_cannot_be_reported_is_undone(vm):
    before = vm.state()
    for command in (["plug", "256M"], ["--json", "plug", "256M"]):
        result = run_full(vm, *command)
        assert result.returncode == 1, result
        check_lines(result.stderr, ["stdout", "No space left"])
        assert vm.state() == before


def test_an_offline_that_cannot_be_reported_is_undone_in_its_zones(vm):
    assert vm.memhp("plug", "256M", "--zone", "movable").returncode == 0
    before = vm.state()
    result = run_full(vm, "offline", "32-33")
    assert result.returncode == 1, result
    check_lines(result.stderr, ["stdout", "No space left"])
    assert vm.state() == before
    assert vm.memhp("unplug").returncode == 0


def test_an_unplug_that_cannot_be_reported_says_that_it_is_done(vm):
    assert vm.memhp("plug", "128M").returncode == 0
    result = run_full(vm, "unplug")
    check_lines(result.stderr, ["stdout", "No space left"])
    if vm.devices():
        assert result.returncode == 1  # it may also be undone
        assert vm.zones(32) == ["Movable"]
        assert vm.memhp("unplug").returncode == 0
    else:
        assert result.returncode == 7, result
        assert vm.backends() == []


def test_a_reader_that_goes_away_is_no_crash(vm):
    """memhp list | true"""
    ours, theirs = os.pipe()
    os.close(ours)
    result = vm.memhp("list", stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert result.returncode == 1, result
    check_lines(result.stderr, ["stdout", "Broken pipe"])
