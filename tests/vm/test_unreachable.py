# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitors and guests that cannot be reached, and bad moments: said, and nothing changed."""
import contextlib
import json
import os
import socket

import pytest
from refusal import check_lines, check_refused
from vm import Gone, Qmp, QmpError, end_process, wait_until


# ---- the monitor


def test_a_console_is_no_monitor(vm):
    before = vm.state()
    result = vm.memhp("--timeout", "5", "list", env={"MEMHP_QMP": vm.path("serial.sock")})
    assert result.returncode == 3, result
    check_lines(result.stderr, [vm.path("serial.sock")])
    assert vm.state() == before


def test_a_monitor_in_use_is_reported_as_that(vm):
    with Qmp(vm.path("qmp.sock")) as other:
        check_refused(vm, ["--timeout", "5", "plug", "128M"], 3, vm.path("qmp.sock"), "another client")
        assert other.execute("query-status")["running"] is True
    assert vm.memhp("list").returncode == 0


def test_a_monitor_that_gets_free_in_time_is_used(vm):
    with Qmp(vm.path("qmp.sock")):
        process = vm.start_memhp("--guest", "none", "list")
        # its connection waits in the queue of the socket until the other one leaves
        wait_until(lambda: connected(process.pid))
    out, _ = end_process(process)
    assert process.returncode == 0 and "no memory devices" in out


def connected(pid):
    links = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return any(link.startswith("socket:") for link in links)


def test_a_qemu_that_ends_in_the_middle_is_reported(boot):
    vm = boot(append="memhp_test=end")
    vm.discard()
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("echo up''; sleep 100000\n")
        terminal.wait_for(r"up\r?\n")
    process = vm.catch_memhp("query-chardev", "plug", "128M")  # next it waits for the console
    with contextlib.suppress(QmpError, Gone):
        vm.monitor.execute("quit")
    _, err = end_process(process)
    assert process.returncode == 3, err
    assert any(line.startswith("memhp: ") and ("monitor" in line or "the VM has shut down" in line)
               for line in err.splitlines()), err


# ---- bad moments


def test_a_paused_vm_is_refused(vm):
    before = vm.state()
    vm.monitor.execute("stop")
    try:
        for command in (["plug", "128M"], ["unplug"], ["online", "32"], ["offline", "0"], ["blocks"]):
            result = vm.memhp("--json", *command)
            assert result.returncode == 1, result
            check_lines(result.stderr, ["paused"])
            found = json.loads(result.stdout)
            assert (found["ok"], found["state"]) == (False, "unchanged")
            assert vm.devices() == [] and vm.backends() == []
        assert vm.monitor.execute("query-status")["status"] == "paused"
    finally:
        vm.monitor.execute("cont")
    assert vm.state() == before
    assert vm.memhp("plug", "128M").returncode == 0
    assert vm.memhp("unplug").returncode == 0


def test_a_paused_vm_can_be_looked_at(vm):
    vm.monitor.execute("stop")
    try:
        assert vm.memhp("list").returncode == 0
        status = vm.json("status")
        assert status["qemu"]["status"] == "paused" and status["guest"] is None
    finally:
        vm.monitor.execute("cont")


def test_a_migrating_vm_is_refused(vm):
    assert vm.memhp("plug", "128M", "--name", "there").returncode == 0
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(vm.path("migration.sock"))
        server.listen()
        vm.monitor.execute("migrate", uri=f"unix:{vm.path('migration.sock')}")
        with server.accept()[0]:  # which nobody reads
            wait_until(lambda: vm.monitor.execute("query-migrate").get("status") == "active")
            try:
                for command in (["plug", "128M"], ["unplug", "there"]):
                    check_refused(vm, command, 1, "migrating")
                assert vm.memhp("list").returncode == 0
            finally:
                vm.monitor.execute("migrate_cancel")
    wait_until(lambda: vm.monitor.execute("query-migrate")["status"] == "cancelled")
    # a migration that is over does not matter
    assert vm.memhp("unplug", "there").returncode == 0


# ---- the guest


def test_a_guest_shell_that_is_not_root_is_refused(vm):
    channel = f"exec:exec ssh -F {vm.path('ssh_config')} lab su guest -c sh"
    found = check_refused(vm, ["--guest", channel, "plug", "128M"], 4, "not root")
    assert found["error"]["code"] == "guest-unreachable"
    assert vm.memhp("--guest", channel, "blocks").returncode == 0


def test_a_console_whose_shell_is_not_root_is_refused(vm):
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("exec su guest\n")
        terminal.wait_for(r"\$ ")
    check_refused(vm, ["plug", "128M"], 4, "not root")
    with vm.terminal() as terminal:
        terminal.type("\n")
        terminal.wait_for(r"\$ ")
        terminal.type("exit\n")
        terminal.settle()
    assert vm.memhp("list").returncode == 0


@contextlib.contextmanager
def foreground_program(vm, command, started):
    """The console is taken by a program instead of a shell."""
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type(f"{command}\n")
        terminal.wait_for(started)
    yield
    with vm.terminal() as terminal:
        terminal.type("\003")
        terminal.settle()


def test_a_console_that_does_not_answer_is_reported(vm):
    with foreground_program(vm, "echo up''; sleep 100000", r"up\r?\n"):
        check_refused(vm, ["--timeout", "4", "plug", "128M"], 4, "console", "answer")


def test_a_command_that_gives_no_shell_is_reported(vm):
    check_refused(vm, ["--guest", "exec:exit 3", "plug", "128M"], 4, "exit 3")
    check_refused(vm, ["--guest", "exec:echo no luck >&2; exit 1", "plug", "128M"], 4, "no luck")
    check_refused(vm, ["--guest", "exec:/nonexistent/program", "plug", "128M"], 4, "not found")


def test_a_shell_that_never_answers_meets_the_deadline(vm):
    check_refused(vm, ["--timeout", "2", "--guest", "exec:cat >/dev/null", "plug", "128M"], 6,
                  "guest", "not answer")


def test_an_ssh_host_that_cannot_be_reached_is_reported(vm):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        check_refused(vm, ["--guest", f"ssh:127.0.0.1:{port}", "plug", "128M"], 4, "refused")


@pytest.mark.parametrize("path", ["/nonexistent", "/dev/null", "/etc/passwd"])
def test_a_console_that_is_none_is_reported(vm, path):
    check_refused(vm, ["--timeout", "3", "--guest", f"serial:{path}", "plug", "128M"], 4, path)


def test_a_console_in_use_is_reported(vm):
    with vm.terminal():
        check_refused(vm, ["plug", "128M"], 4, "console", "in use")
    assert vm.memhp("list").returncode == 0


def test_list_without_the_guest_still_shows_qemus_half(vm):
    assert vm.memhp("plug", "128M").returncode == 0
    with vm.terminal():
        result = vm.memhp("list")
        assert result.returncode == 0 and "memhp0-dimm" in result.stdout
        check_lines(result.stderr, ["guest"])
    assert vm.memhp("unplug").returncode == 0
