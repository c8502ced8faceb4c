# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers that fail while something is being changed, and peers that try to exhaust memhp."""
import os
import re
import socket
import subprocess

import peer
import pytest
from binary import SHORT, host
from limits import capped
from peer import (BINARY, Close, Default, Hold, Liar, Monitor, Quietly, Release, Result, Vm, deleted, encode, error,
                  event, frame, memhp, ost, reply)


# Replies to what changes the machine


GARBAGE = [b"garbage\r\n", b"{\"return\": {}", b"{\"return\": {\"x\": \"\xff\"}}\r\n", b"[]\r\n"]
PLUG = ["object-add", "device_add"]
UNPLUG = ["device_del", "object-del"]


@pytest.mark.parametrize("script", [[Close], [b"{\"return\": {}", Close], []] + [[g] for g in GARBAGE[::2]],
                         ids=["closed", "half", "silence", "garbage", "no UTF-8"])
@pytest.mark.parametrize("command", PLUG + UNPLUG)
def test_a_reply_that_does_not_come_is_never_taken_for_done_or_undone(path, plugged, command, script):
    """QEMU may have done it or not: memhp cannot know, so it says what may be left, by name."""
    words = ("plug", "512M", "--name", "d1") if command in PLUG else ("unplug", "d0")
    with Monitor(path, plugged, on={command: script}):
        result = host(path, *words, more=SHORT)
    assert result.code in (3, 6, 7), result
    assert result.json["state"] in ("partial", "pending"), result
    assert "d1-" in result.stderr or "d0-" in result.stderr, result


def test_a_late_reply_still_tells_what_there_is_to_undo(path):
    """It comes when memhp has been interrupted, and is undoing."""
    vm = Vm()
    with Monitor(path, vm, on={"device_add": [Hold, Quietly], "query-memory-devices": [[Default], [Hold, Default],
                                                                                     [Default]]}) as monitor:
        connection = {}
        play = monitor.play

        def remember(end, script, request):
            connection["end"] = end
            return play(end, script, request)

        monitor.play = remember
        run = peer.Run("--qmp", path, "--guest", "none", "--json", "plug", "512M")
        monitor.wait_for("query-memory-devices", 2)
        run.interrupt()
        monitor.play(connection["end"], [Release], None)
        run.finish().failed(130, "interrupted", code="interrupted", state="rolled-back")
    assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not vm.devices and "memhp0-mem" not in vm.objects


def test_replies_to_changes_in_the_opposite_order(path):
    vm = Vm()
    scripts = {"object-add": [[Hold, Default], [Default, Release]], "device_add": [Hold, Quietly],
               "query-memory-devices": [[Default], [Default, Release], [Default]]}
    with Monitor(path, vm, on=scripts):
        host(path, "plug", "512M", "--dimm", "256M").succeeded()
    assert [d["id"] for d in vm.devices] == ["memhp0-dimm", "memhp1-dimm"]


def test_doubled_and_foreign_replies_between_changes(path, plugged):
    stray = {"error": {"class": "GenericError", "desc": "stray"}, "id": 4711}
    scripts = {command: [stray, Default, reply({"twice": 1}), error("twice")] for command in PLUG + UNPLUG}
    with Monitor(path, plugged, on=scripts):
        host(path, "plug", "512M", "--name", "d1").succeeded()
        host(path, "unplug", "d0").succeeded()
    assert [d["id"] for d in plugged.devices] == ["d1-dimm"] and set(plugged.objects) == {"pc.ram", "d1-mem"}


# Floods


def test_an_event_is_not_washed_away_by_a_flood_of_others_before_the_reply(path, plugged):
    """The guest can make QEMU send ACPI_DEVICE_OST as often as it likes."""
    noise = [ost(3, 0x84, slot=1)] * 6000
    with Monitor(path, plugged, on={"device_del": [deleted("d0-dimm"), *noise, Quietly]}) as monitor:
        host(path, "unplug", "d0", more=("--timeout", "20")).succeeded()
        assert monitor.changes == ["device_del d0-dimm", "object-del d0-mem"]


@pytest.mark.parametrize("stray", [{"return": {}}, {"return": {}, "id": 2**40}, {"return": {}, "id": 1},
                                   {"error": {"desc": "x"}, "id": "x"}], ids=str)
def test_replies_that_nobody_asked_for_do_not_pile_up(path, plugged, stray):
    with Monitor(path, plugged, on={"query-status": [encode(stray) * 200000, Default]}):
        result = capped(100, "--qmp", path, "--guest", "none", "--json", "list")
    assert [d["id"] for d in result.succeeded()["devices"]] == ["d0-dimm"]


def test_large_events_do_not_pile_up(path, plugged):
    with Monitor(path, plugged, on={"query-status": [encode(event("E", text="x" * peer.MIB)) * 200, Default]}):
        result = capped(100, "--qmp", path, "--guest", "none", "--json", "list")
    assert [d["id"] for d in result.succeeded()["devices"]] == ["d0-dimm"]


@pytest.mark.parametrize("part", [b"{}", b"[]", b"1", b"\"\"", b"{\"a\":{}}"], ids=repr)
def test_a_message_of_very_many_parts_is_refused_before_it_fills_the_memory(path, part):
    many = b"{\"event\": \"E\", \"data\": [" + b",".join([part] * (15 * peer.MIB // (len(part) + 1))) + b"]}\r\n"
    with Monitor(path, on={"query-status": [many, Default]}):
        result = capped(400, "--qmp", path, "--guest", "none", "--json", "list")
    result.failed(3, "262144 parts", code="qemu-unreachable", state="unchanged")


def test_an_answer_of_the_guest_that_never_ends_does_not_pile_up(path):
    """Whole lines, each new, and large."""
    def babble(session, exchange, commands):
        return b"".join(frame(session, exchange, n, b"x" * 200000) for n in range(1, 1000))

    with Liar(path, babble):
        result = capped(100, "--guest", f"serial:{path}", "--json", "--timeout", "20", "blocks")
    result.failed(4, str(path), code="guest-unreachable", state="unchanged")


# A guest that fails while its blocks are being changed


def silence(connection, session):
    """Nothing more comes."""


def hang_up(connection, session):
    """The console is gone."""
    connection.close()


def log_in_again(connection, session):
    """The shell has ended, and a getty asks for a name: all that is typed is echoed."""
    connection.sendall(b"\r\n\r\nDebian GNU/Linux 12 guest ttyS0\r\n\r\nguest login: ")


def reboot(connection, session):
    """Another kernel starts, and then another shell that has never heard of the session."""
    connection.sendall(b"\r\n[    0.000000] Linux version 6.1.0 (gcc)\r\n# \x1b[6nsh: begin: not found\r\n# ")


def panic(connection, session):
    """The last words of a kernel."""
    connection.sendall(b"\r\n[  12.345678] Kernel panic - not syncing: Out of memory\r\n"
                       b"[  12.345679] ---[ end Kernel panic - not syncing ]---\r\n")


def garbage(connection, session):
    """Bytes of all kinds, frames of the session among them."""
    connection.sendall((bytes(range(256)) + b"@" + session.encode() + b".2 1 3 end 1 3\n") * 200)


CHANGE = b"change [0-9]|swift |appear "


class Failing(Liar):
    """A console on which the first line of commands with one of these words meets with a fate."""

    def __init__(self, path, fate, words):
        super().__init__(path)
        self.fate, self.words, self.is_dead = fate, words, False

    def answer(self, connection, session, exchange, commands):
        if not self.is_dead and not re.search(self.words, commands):
            return super().answer(connection, session, exchange, commands)
        if not self.is_dead:
            self.is_dead = True
            self.heard.append(commands.decode())
            self.fate(connection, session)
            return self.fate is not hang_up
        return True


@pytest.mark.parametrize("fate", [silence, hang_up, log_in_again, reboot, panic, garbage], ids=lambda f: f.__name__)
@pytest.mark.parametrize("words", [("offline", "33"), ("online", "--zone", "kernel", "32")], ids=lambda w: w[0])
def test_a_console_that_fails_in_the_middle_of_a_change_is_named_as_partial(path, words, fate):
    with Failing(path, fate, CHANGE) as console:
        result = memhp("--guest", f"serial:{path}", "--json", "--timeout", "0.8", *words)
    assert re.search(CHANGE, console.heard[-1].encode()), console.heard
    assert result.code in (4, 5, 6, 7), result
    assert result.json["state"] == "partial" and f"memory{words[-1]}" in result.stderr, result


@pytest.mark.parametrize("fate", [silence, hang_up, log_in_again, panic, garbage], ids=lambda f: f.__name__)
def test_a_console_that_fails_in_the_middle_of_a_plug_costs_the_guest_nothing(path, tmp_path, fate):
    """QEMU takes the DIMM back; where the guest no longer lets go of it, memhp says so."""
    vm = Vm()
    with Monitor(path, vm) as monitor, Failing(tmp_path / "console", fate, CHANGE):
        result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", "--timeout", "1", "plug",
                       "512M")
    assert result.code in (4, 5, 6, 7), result
    if vm.devices or "memhp0-mem" in vm.objects:
        assert result.json["state"] == "partial" and "memhp0-" in result.stderr, result
    else:
        assert result.json["state"] in ("partial", "rolled-back"), result
        assert monitor.changes[2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]


@pytest.mark.parametrize("fate", [silence, log_in_again, reboot, panic, garbage], ids=lambda f: f.__name__)
def test_a_console_that_fails_before_anything_is_changed_leaves_all_as_it_was(path, tmp_path, fate):
    vm = Vm()
    with Monitor(path, vm) as monitor, Failing(tmp_path / "console", fate, b"scan"):
        result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", *SHORT, "plug", "512M")
        assert result.code in (4, 6) and result.json["state"] == "unchanged", result
        assert not monitor.changes


def test_a_qemu_that_ends_while_the_guest_looks_is_said_to_have_ended(path, tmp_path):
    """Both its sockets go, the monitor first, and nothing has been changed yet."""
    vm = Vm()
    vm.plug("d0", 256)

    def look_and_end(connection, session, exchange, commands):
        # what is sent ahead, while the guest looks
        while b"ease(){" not in console.received and (data := connection.recv(65536)):
            console.received += data
        monitor.connection.shutdown(socket.SHUT_RDWR)
        connection.shutdown(socket.SHUT_RD)
        return Liar.answer(console, connection, session, exchange, commands)

    with Monitor(path, vm) as monitor, Liar(tmp_path / "console") as console:
        console.answer = look_and_end
        result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", "unplug", "d0")
    assert console.heard == ["facts;near 0x 4294967296-4563402751;pool"], console.heard
    result.failed(3, f"cannot unplug 'd0': the monitor '{path}' went away", state="unchanged")


@pytest.mark.parametrize("words", [("plug", "512M"), ("list",), ("status",), ("blocks",)], ids=lambda w: w[0])
def test_a_qemu_that_ends_at_the_first_look_is_said_to_have_ended(path, tmp_path, words):
    """What fails is the console: that of a machine that is not there any more."""
    def end(connection, _session):
        monitor.connection.shutdown(socket.SHUT_RDWR)
        connection.shutdown(socket.SHUT_RDWR)

    with Monitor(path, Vm()) as monitor, Failing(tmp_path / "console", end, b"."):
        result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", *words)
    result.failed(3, f"the monitor '{path}' went away", state="unchanged")


@pytest.mark.parametrize("words", [("plug", "512M"), ("blocks",)], ids=lambda w: w[0])
def test_a_machine_that_stops_at_the_first_look_is_told(path, tmp_path, words):
    """More to the point than that its console went away."""
    def stop(connection, _session):
        vm.status = "guest-panicked"
        connection.shutdown(socket.SHUT_RDWR)

    vm = Vm()
    with Monitor(path, vm), Failing(tmp_path / "console", stop, b"."):
        result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", *words)
    result.failed(1, "the guest's kernel has panicked", state="unchanged")


# A stdout that takes nothing


COMMANDS = {
    "plug": ("plug", "512M"), "unplug": ("unplug",), "resize": ("resize", "+256M"),
    "online": ("online", "34"), "offline": ("offline", "33"),
    "list": ("list",), "blocks": ("blocks",), "status": ("status",), "qmp": ("qmp", "query-status"),
    "events": ("events", "--count", "1"), "repair": ("repair",), "vms": ("vms",),
    "shell": ("shell",),
}


def test_every_command_is_tried_with_a_full_disk():
    listed = [line.split()[0] for line in memhp("__complete", "").stdout.splitlines()]
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("more", [(), ("--json",), ("--dry-run",), ("--dry-run", "--json")], ids=" ".join)
@pytest.mark.parametrize("words", COMMANDS.values(), ids=lambda w: w[0])
def test_a_full_disk_is_told_and_what_was_done_is_undone_or_named(path, tree, words, more):
    vm = Vm(tree)
    vm.plug("d0", 512)
    tree.add(32, 33, "online", "Movable")
    before = (dict(vm.objects), [dict(d) for d in vm.devices])
    scripts = {"qmp_capabilities": [Default, deleted("other")],  # for events
               "human-monitor-command": [reply("  0-1 (prio 0, ram): d0-mem @0\r\n")]}  # info mtree, for repair
    with Monitor(path, vm, on=scripts), open("/dev/full", "wb") as full:
        done = subprocess.run([BINARY, "--qmp", path, "--guest", tree.kernel_channel(), *more, *words],
                              env=peer.clean_environment(), input=b"list\n", stdout=full, stderr=subprocess.PIPE,
                              timeout=peer.HANG, check=False)
    result = Result(done.returncode, b"", done.stderr)
    assert "cannot write to stdout: No space left on device" in result.stderr, result
    if words[0] in ("unplug", "repair") and "--dry-run" not in more:  # which are not undone
        assert result.code == 7 and "is done" in result.stderr, result
        assert (vm.devices == []) is (words[0] == "unplug")
    else:
        assert result.code == 1, result
        assert (vm.objects, vm.devices) == before
        assert tree.states(32, 33) == {"online Movable"} and tree.state(34).startswith("offline")


# ssh, as a program in PATH that does what ssh does


@pytest.fixture
def ssh(tmp_path, monkeypatch):
    """ssh(SCRIPT): put that in the place of ssh; its words come into the file argv."""
    def install(script):
        program = tmp_path / "bin" / "ssh"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >'{tmp_path}/argv'\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    return install


CHANGED = "@" * 59 + """
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
""" + "@" * 59 + """
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Offending ED25519 key in /root/.ssh/known_hosts:1
Host key for [host]:2222 has changed and you have requested strict checking.
Host key verification failed."""


@pytest.mark.parametrize("said", ["Host key verification failed.",
                                  "No ED25519 host key is known for [host]:2222 and you have requested strict "
                                  "checking.\nHost key verification failed.", CHANGED],
                         ids=["unknown", "strict", "changed"])
def test_a_host_key_that_is_not_accepted_comes_with_a_way_out(ssh, said):
    ssh(f"cat >&2 <<'END'\n{said}\nEND\nexit 255")
    value = memhp("--guest", "ssh:root@host:2222", "--json", "blocks").failed(
        4, "Host key verification failed", code="guest-unreachable", state="unchanged")
    assert "ssh -p 2222 root@host" in value["error"]["hint"]


@pytest.mark.parametrize("script, code, words", [
    ("echo 'ssh: connect to host h port 22: Connection refused' >&2; exit 255", 4, ["Connection refused"]),
    ("echo 'root@host: Permission denied (publickey).' >&2; exit 255", 4, ["Permission denied"]),
    ("exec sleep 1000", 6, ["deadline"]),
    ("cat >/dev/null & exec sleep 1000", 6, ["deadline"]),
    ("exit 255", 4, ["went away"]),
    ("kill -9 $$", 4, ["went away"]),
    ("head -c 300 >/dev/null; echo 'client_loop: send disconnect: Broken pipe' >&2; exit 255", 4, ["Broken pipe"]),
    ("printf 'Connection closed by \\033]0;x\\007\\2331m\\377 port 22\\r\\n' >&2; exit 255", 4, ["Connection closed"]),
    ("exec 2>&-; exit 255", 4, ["went away"]),
    ("yes 'debug1: noise' | head -n 1000 >&2; exec sleep 1000", 6, ["debug1"]),
], ids=["refused", "no key", "hanging", "hanging reader", "silent", "killed", "dropped", "escapes", "no stderr",
        "noise"])
def test_an_ssh_that_fails_is_told_in_its_words(ssh, script, code, words):
    ssh(script)
    memhp("--guest", "ssh:host", "--json", "--timeout", "0.5", "blocks").failed(code, *words, state="unchanged")


def test_an_ssh_that_is_dropped_in_the_middle_of_a_change_is_named_as_partial(ssh, tree):
    """The connection goes when the change goes over it."""
    tree.add(32, 35, "online", "Movable")
    relay = f"""sed -u '/change [0-9]/q' | sh -s {tree.root} &
exec <&-; wait; echo 'Connection to host closed by remote host.' >&2; exit 255"""
    ssh(relay.replace("sed -u", "exec 5<&0; sed -u", 1).replace("/q' |", "/{s/.*//;q}' <&5 |"))
    result = memhp("--guest", "ssh:host", "--json", "--timeout", "5", "offline", "33")
    assert result.code in (4, 5, 7) and result.json["state"] in ("partial", "rolled-back"), result
    if result.json["state"] == "rolled-back":
        assert tree.states(32, 35) == {"online Movable"}
    else:
        assert "memory33" in result.stderr


# A machine that stands still while its guest is waited for


def stands(monitor, status):
    """A fate: the machine stops, in that state."""
    def fate(connection, session):
        monitor.vm.status = status
        monitor.say(event("STOP"))
    return fate


@pytest.mark.parametrize("status, code, words", [
    ("paused", (6, 7), "the deadline passed while the VM was paused"),
    ("save-vm", (6, 7), "the deadline passed while the VM was paused (save-vm)"),
    ("postmigrate", (7,), "the VM has migrated away (postmigrate)"),
    ("guest-panicked", (7,), "the guest's kernel has panicked (guest-panicked)"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_a_machine_that_stops_in_the_middle_of_a_change_is_told(path, tmp_path, plugged, status, code, words):
    """One that may go on is waited for; one that will not ends the wait, long before the deadline."""
    with Monitor(path, plugged) as monitor, Failing(tmp_path / "console", stands(monitor, status), CHANGE):
        more = ("--timeout", "1" if "deadline" in words else str(peer.HANG * 4))
        result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--json", *more, "unplug", "--force")
    assert result.code in code and words in result.stderr, result
    assert result.json["state"] == "partial" and re.search("memory3[25]", result.stderr), result


@pytest.mark.parametrize("status, words", [("paused", "the deadline passed while the VM was paused"),
                                           ("postmigrate", "the VM has migrated away (postmigrate)")])
def test_a_machine_that_stops_before_it_lets_go_of_a_dimm_is_told(path, plugged, status, words):
    def stop(request):
        plugged.status = status
        return reply()(request)

    more = ("--timeout", "1" if "deadline" in words else str(peer.HANG * 4))
    with Monitor(path, plugged, on={"device_del": [stop, event("STOP")]}):
        result = host(path, "unplug", "d0", more=more)
    assert result.code in (6, 7) and result.json["state"] == "pending", result
    assert words in result.stderr and "d0-dimm" in result.stderr, result


def test_a_machine_that_stops_for_a_moment_costs_nothing(path, plugged):
    """As while a snapshot is taken."""
    with Monitor(path, plugged, on={"device_del": [event("STOP"), event("RESUME"), Default]}):
        host(path, "unplug", "d0").succeeded()
