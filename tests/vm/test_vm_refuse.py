# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input and bad moments: one clear line, the right exit code, nothing changed, QEMU alive."""
import contextlib
import json
import os
import socket
import subprocess
import threading

import pytest
from vm import (BINARY, BLOCK, GIB, MIB, Gone, Qmp, QmpError, clean_environment, connect, end_process,
                wait_until)


def check_lines(stderr, words=()):
    """One line that says what is wrong, with these words, and at most one hint."""
    lines = stderr.splitlines()
    assert 1 <= len(lines) <= 2, stderr
    assert lines[0].startswith("memhp: ") and not lines[0].rstrip("]").replace("...", "").endswith("."), stderr
    assert lines[1:] == [] or lines[1].startswith("hint: "), stderr
    for word in words:
        assert word.lower() in lines[0].lower(), stderr
    return lines


def check_refused(vm, command, code, *words, states=("unchanged",), env=None, before=None):
    """The command fails as text and as JSON, and the machine stays as it was."""
    before = before or vm.state()
    result = vm.memhp(*command, env=env)
    assert result.returncode == code, result
    assert result.stdout == "", result
    lines = check_lines(result.stderr, words)
    again = vm.memhp("--json", *command, env=env)
    assert again.returncode == code, again
    assert again.stdout.count("\n") == 1, again
    found = json.loads(again.stdout)
    assert found["ok"] is False and found["state"] in states, found
    error = found["error"]
    assert set(error) == {"code", "message", "hint"}
    assert lines[0] == f"memhp: {error['message']}"
    assert (lines[1:] or [None])[0] == (error["hint"] and f"hint: {error['hint']}")
    assert again.stderr == result.stderr
    assert vm.state() == before
    return found


# QEMU is asked, and what it had made is undone.
UNDONE = ("unchanged", "rolled-back")


# ---- sizes, limits, slots, nodes, addresses, names


@pytest.mark.parametrize("size", ["0", "-1", "512", "1.3M", "99999999T", "abc", "", "M", "-512M", "+512M",
                                  "512X", "512 M", "0M", "1e3M", "0x10M", "16777216T", "512M,slot=1"])
def test_a_size_that_is_none_is_bad_usage(vm, size):
    found = check_refused(vm, ["plug", "--", size], 2, f"'{size}'")
    assert found["error"]["code"] == "usage" and found["error"]["hint"]


@pytest.mark.parametrize("size", ["-1", "-512M"])
def test_a_size_with_a_minus_is_never_plugged(vm, size):
    check_refused(vm, ["plug", size], 2, f"'{size}'" if size == "-1" else "")


@pytest.mark.parametrize("size,next_sizes", [
    ("130M", ["128 MiB", "256 MiB"]), ("300M", ["256 MiB", "384 MiB"]), ("1M", ["128 MiB"]),
    ("192M", ["128 MiB", "256 MiB"]), ("1B", ["128 MiB"]), ("536870913B", ["512 MiB", "640 MiB"])])
def test_a_size_that_is_no_multiple_of_the_block_size_is_refused_with_the_next_ones(vm, size, next_sizes):
    found = check_refused(vm, ["plug", size], 1, "multiple", "block size", "128 MiB")
    assert all(n in found["error"]["hint"] for n in next_sizes)


@pytest.mark.parametrize("size", ["8G", "7808M", "1T"])
def test_more_than_maxmem_is_refused_with_what_is_left(vm, size):
    # 512 MiB of 8 GiB are there from the start.
    check_refused(vm, ["plug", size, "--force"], 1, "maxmem", "7.5 GiB", "8 GiB")


def test_plugged_memory_counts_towards_maxmem(boot):
    vm = boot(maxmem="1G")
    before = vm.state()
    assert vm.memhp("plug", "384M").returncode == 0
    check_refused(vm, ["plug", "256M"], 1, "128 MiB left", "maxmem")
    assert vm.memhp("plug", "128M").returncode == 0
    check_refused(vm, ["plug", "128M"], 1, "maxmem")
    assert vm.memhp("unplug", "--all").returncode == 0
    assert vm.state() == before


def test_no_slot_left_is_refused_and_leaves_no_backend(boot):
    vm = boot(slots="2")
    for _ in range(2):
        assert vm.memhp("plug", "128M").returncode == 0
    check_refused(vm, ["plug", "128M"], 1, "no free slot", "2 of 2")
    assert vm.backends() == ["memhp0-mem", "memhp1-mem"]
    assert vm.memhp("unplug", "--all").returncode == 0


def test_a_slot_in_use_is_refused_with_its_owner(vm):
    assert vm.memhp("plug", "128M", "--slot", "5").returncode == 0
    check_refused(vm, ["plug", "128M", "--slot", "5"], 1, "slot 5", "memhp0-dimm")
    assert vm.memhp("unplug").returncode == 0


@pytest.mark.parametrize("slot", ["32", "255", "4294967296", "18446744073709551615"])
def test_a_slot_that_the_vm_does_not_have_is_refused(vm, slot):
    check_refused(vm, ["plug", "128M", "--slot", slot], 1, f"slot {slot}", "0 to 31")


@pytest.mark.parametrize("node", ["1", "128", "4294967295"])
def test_a_node_that_the_vm_does_not_have_is_refused(vm, node):
    check_refused(vm, ["plug", "128M", "--node", node], 1, "node", node, states=UNDONE)


@pytest.mark.parametrize("address,words", [
    ("0x100000001", ["address", "block size"]),
    ("0x104000000", ["address", "block size"]),  # a multiple of 64 MiB
    ("0x8000000", ["0x8000000"]),  # below 4 GiB
    ("0x10000000000", []),  # above all that maxmem allows
    ("0xfffffffff8000000", []),
])
def test_an_address_that_cannot_be_is_refused(vm, address, words):
    check_refused(vm, ["plug", "128M", "--addr", address], 1, *words, states=UNDONE)


def test_an_address_in_use_is_refused(vm):
    assert vm.memhp("plug", "256M", "--addr", "0x100000000").returncode == 0
    check_refused(vm, ["plug", "128M", "--addr", "0x108000000"], 1, states=UNDONE)
    assert vm.backends() == ["memhp0-mem"]
    assert vm.memhp("unplug").returncode == 0


@pytest.mark.parametrize("option", ["--slot", "--node", "--addr"])
@pytest.mark.parametrize("value", ["abc", "", "-1", "1x", "99999999999999999999999"])
def test_a_number_that_is_none_is_bad_usage(vm, option, value):
    check_refused(vm, ["plug", "128M", f"{option}={value}"], 2, f"'{value}'", option)


@pytest.mark.parametrize("name", ["1x", "", "a b", "a/b", "-x", ".x", "ä", "x,y", "x" * 200])
def test_a_name_that_qemu_forbids_is_bad_usage(vm, name):
    check_refused(vm, ["plug", "128M", f"--name={name}"], 2, "name")


def test_control_characters_do_not_reach_the_terminal(vm):
    for command in (["plug", "128M", "--name=a\033[2J\nb"], ["unplug", "a\033[2J\nb"], ["a\033[2J\nb"],
                    ["--guest=a\033[2J\nb", "list"], ["--qmp=/a\033[2J\nb", "list"]):
        result = vm.memhp(*command)
        assert result.returncode in (1, 2, 3)
        check_lines(result.stderr)
        assert "\033" not in result.stderr


def test_the_longest_name_and_all_allowed_characters_work(vm):
    name = "aZ9-._" + "x" * 50
    assert vm.memhp("plug", "128M", "--name", name).returncode == 0
    assert [d["id"] for d in vm.devices()] == [f"{name}-dimm"]
    assert vm.memhp("unplug", name).returncode == 0


def test_the_name_of_a_dimm_is_in_use(vm):
    assert vm.memhp("plug", "128M", "--name", "mine").returncode == 0
    check_refused(vm, ["plug", "128M", "--name", "mine"], 1, "'mine'", "in use")
    assert vm.memhp("unplug", "mine").returncode == 0


def test_the_name_of_an_orphan_backend_is_in_use_and_the_orphan_stays(vm):
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="mine-mem", size=128 * MIB)
    check_refused(vm, ["plug", "128M", "--name", "mine"], 1, "'mine'", "in use")
    assert vm.backends() == ["mine-mem"]
    vm.monitor.execute("object-del", id="mine-mem")


def test_the_default_name_avoids_what_is_there(vm):
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="memhp0-mem", size=128 * MIB)
    assert vm.memhp("plug", "128M").returncode == 0
    assert [d["memdev"] for d in vm.devices()] != ["/objects/memhp0-mem"]
    assert vm.memhp("unplug").returncode == 0
    vm.monitor.execute("object-del", id="memhp0-mem")


def test_a_name_of_another_kind_of_device_is_in_use(vm):
    """QEMU refuses the second device of an id, after it has taken the backend."""
    vm.monitor.execute("device_add", driver="virtio-rng-pci", id="net7-dimm", bus="rp0")
    check_refused(vm, ["plug", "128M", "--name", "net7"], 1, "net7", states=UNDONE)
    assert vm.backends() == []
    vm.discard()


# ---- machines that cannot


@pytest.mark.parametrize("options,words", [
    ({"slots": "0"}, ["slots"]),
    ({"machine": "microvm"}, ["hotplug"]),
    ({"machine": "isapc"}, ["slots"]),
], ids=["without slots", "microvm", "isapc"])
def test_a_machine_that_cannot_hotplug_is_refused(boot, options, words):
    vm = boot(**options)
    for command in (["plug", "128M"], ["--guest", "none", "plug", "128M"]):
        check_refused(vm, command, 1, *words, states=UNDONE)


def test_what_only_looks_works_on_a_machine_that_cannot_hotplug(boot):
    vm = boot(machine="microvm")
    assert vm.json("list")["devices"] == []
    assert vm.json("status")["guest"]["mem_total"] == vm.mem_total()
    assert vm.memhp("blocks").returncode == 0


# ---- unknown things


@pytest.mark.parametrize("command", [
    ["online", "memory32"], ["offline", "memory32"], ["online", "99999"], ["online", "0-99"],
    ["offline", "stick"], ["online", "memory"], ["online", "memory1x"], ["online", ""],
    ["offline", "3-1"], ["online", "18446744073709551616"], ["unplug", "stick"], ["unplug", ""],
    ["unplug", "memory0"], ["unplug"], ["unplug", "--all"], ["offline", "128M"], ["online", "128M"],
    ["online", "64M"],
], ids=" ".join)
def test_an_unknown_block_or_device_is_refused(vm, command):
    check_refused(vm, command, 1, "cannot")


def test_one_unknown_name_among_known_ones_stops_the_whole_command(vm):
    assert vm.memhp("plug", "256M", "--no-online").returncode == 0
    check_refused(vm, ["online", "memory32", "memory77"], 1, "memory77")
    check_refused(vm, ["unplug", "memhp0", "stick"], 1, "stick")
    assert vm.memhp("unplug").returncode == 0


@pytest.mark.parametrize("command,word", [
    (["frobnicate"], "frobnicate"), ([""], "''"), (["plug"], "SIZE"), (["plug", "128M", "128M"], "128M"),
    (["plug", "--frob", "128M"], "--frob"), (["--frob"], "--frob"), (["-x", "list"], "-x"),
    (["online"], "BLOCKS"), (["offline"], "BLOCKS"), (["list", "memory0"], "memory0"),
    (["plug", "128M", "--zone", "dma"], "dma"), (["plug", "128M", "--zone"], "--zone"),
    (["unplug", "--all", "memhp0"], "--all"), (["list", "--timeout", "soon"], "soon"),
    (["list", "--timeout", "-1"], "-1"), (["list", "--zone", "movable"], "--zone"),
    (["qmp", "query-status", "x"], "x"), (["qmp"], "COMMAND"),
    (["plug", "128M", "--no-online", "--zone", "movable"], "--no-online"),
], ids=lambda w: " ".join(w) if isinstance(w, list) else None)
def test_an_unknown_command_option_or_word_is_bad_usage(vm, command, word):
    check_refused(vm, command, 2, word)


def test_no_command_at_all_is_bad_usage(memhp):
    result = memhp()
    assert result.returncode == 2 and result.stdout == ""
    check_lines(result.stderr)


@pytest.mark.parametrize("channel", ["foo:bar", "serial", "serial:", "ssh:", "exec:", "foo", "", "ssh:-oX=y"])
def test_a_guest_channel_that_is_none_is_bad_usage(vm, channel):
    check_refused(vm, [f"--guest={channel}", "plug", "128M"], 2, "guest channel")


# ---- the monitor


@contextlib.contextmanager
def listener(path, greeting):
    """A server that says something to its first client, and keeps the connection."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve():
            with contextlib.suppress(OSError):
                client, _ = server.accept()
                clients.append(client)
                client.sendall(greeting)

        clients = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join()
        for client in clients:
            client.close()


def check_unreachable(memhp, code, *words, env, command=("plug", "128M")):
    result = memhp("--json", *command, env=env)
    assert result.returncode == code, result
    check_lines(result.stderr, words)
    found = json.loads(result.stdout)
    assert (found["ok"], found["state"]) == (False, "unchanged")


def test_a_monitor_socket_that_is_not_there_is_named(memhp, tmp_path):
    path = tmp_path / "none.sock"
    check_unreachable(memhp, 3, str(path), "No such file", env={"MEMHP_QMP": path})


def test_a_monitor_socket_that_nobody_serves_is_named(memhp, tmp_path):
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    check_unreachable(memhp, 3, str(path), "refused", env={"MEMHP_QMP": path})


def test_a_file_is_no_monitor(memhp, tmp_path):
    path = tmp_path / "file"
    path.write_text("", encoding="ascii")
    check_unreachable(memhp, 3, str(path), env={"MEMHP_QMP": path})


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH\r\n", b"(qemu) \n", b'{"hello": 1}\n', b"[]\n",
                                      b'{"QMP": 1, "x"\n'])
def test_a_socket_that_is_not_qmp_is_reported_as_that(memhp, tmp_path, greeting):
    path = tmp_path / "other.sock"
    with listener(path, greeting):
        check_unreachable(memhp, 3, str(path), "QMP", env={"MEMHP_QMP": path})


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


# ---- stdout


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


# ---- room in the guest


def test_memory_that_the_guest_uses_is_not_taken_from_it(vm):
    """The check of free memory comes before anything is changed; --force skips it."""
    assert vm.memhp("plug", "512M", "--zone", "movable").returncode == 0
    vm.guest("mkdir -p /tmp/full && mount -t tmpfs -o size=90% none /tmp/full && "
             "dd if=/dev/zero of=/tmp/full/file bs=1M count=600 2>/dev/null")
    before = vm.blocks()
    result = vm.memhp("--json", "unplug")
    assert result.returncode == 5, result
    check_lines(result.stderr, ["512 MiB"])
    found = json.loads(result.stdout)
    assert found["state"] == "unchanged" and found["error"]["code"] == "guest-refused"
    assert "--force" in found["error"]["hint"]
    assert vm.blocks() == before and len(vm.devices()) == 1
    vm.guest("umount /tmp/full && rmdir /tmp/full")
    assert vm.memhp("unplug").returncode == 0


def test_a_guest_without_room_for_the_memory_map_is_not_given_more(boot):
    """64 bytes per page: 7.5 GiB need 120 MiB."""
    vm = boot()
    vm.guest("mkdir -p /tmp/full && mount -t tmpfs -o size=90% none /tmp/full && "
             "dd if=/dev/zero of=/tmp/full/file bs=1M count=280 2>/dev/null")
    found = check_refused_loosely(vm, ["plug", "7680M"], 5, "memory map")
    assert "--force" in found["error"]["hint"]
    vm.guest("umount /tmp/full && rmdir /tmp/full")


def check_refused_loosely(vm, command, code, *words):
    """As check_refused(), but once, and for a machine whose free memory changes."""
    result = vm.memhp("--json", *command)
    assert result.returncode == code, result
    check_lines(result.stderr, words)
    assert vm.devices() == [] and vm.backends() == []
    return json.loads(result.stdout)


def test_a_block_of_the_memory_at_boot_can_stay(vm):
    """Nothing forbids to try; whatever comes of it, it is told."""
    result = vm.memhp("--json", "offline", "memory0")
    assert result.returncode == 5, result
    check_lines(result.stderr, ["memory0"])
    assert vm.memory() == vm.at_boot["memory"]
    assert json.loads(result.stdout)["state"] in UNDONE


def test_the_refusals_leave_a_working_machine(vm):
    """Last: after all of the above the machine still does its job."""
    before = vm.mem_total()
    assert vm.memhp("plug", "512M").returncode == 0
    assert vm.mem_total() == before + 4 * BLOCK
    assert vm.memhp("unplug").returncode == 0
    connect(vm.path("qmp.sock")).close()
    assert vm.devices() == [] and vm.json("status")["qemu"]["max_memory"] == 8 * GIB
