# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp events --guest-events: what happens to the guest's blocks."""
import json
import os
import re
import signal

import peer
import pytest
from peer import HANG, event, memhp

COUNT = "sys/kernel/uevent_seqnum"


class Follower(peer.Run):
    """memhp events that follows the guest, once it has had its first look."""

    def __init__(self, lab, *words, guest=None):
        super().__init__("--verbose", "--qmp", lab.path, "--guest", guest or lab.vm.tree.local_channel(), "events",
                         *words)
        self.lab = lab
        while (line := self.process.stderr.readline()) and b"guest < guest " not in line:
            pass
        self.seqnum = 100

    def happened(self, *lines):
        """The guest's kernel counts an event; the next lines are these."""
        self.seqnum += 1
        self.lab.vm.tree.write(COUNT, str(self.seqnum))
        assert self.told(len(lines)) == list(lines)

    def told(self, count):
        """The next lines, without the clock."""
        return [self.process.stdout.readline().decode().rstrip("\n")[10:] for _ in range(count)]

    def finish(self, timeout=HANG):
        result = super().finish(timeout)
        assert all(re.match(r"\[|memhp: |hint: ", line) for line in result.stderr.splitlines())
        return result


@pytest.fixture(name="guest")
def guest_(lab):
    """The tree of the guest, whose kernel counts events."""
    lab.vm.tree.write(COUNT, "100")
    return lab.vm.tree


def test_what_happens_to_blocks_is_told_in_words(lab, guest):
    run = Follower(lab, "--count", "9")
    guest.add(40, 43)
    run.happened("memory40-memory43: added, offline")
    guest.add(40, 42, "online", "Movable")
    run.happened("memory40-memory42: online in zone Movable")
    guest.add(41, 41, "online", "Normal")
    guest.add(43, 43, "going-offline", "Movable")
    run.happened("memory41: online in zone Normal", "memory43: going-offline")
    guest.add(40, 41, "offline")
    guest.remove(42, 43)
    guest.add(50, 50, "online", "Movable")
    run.happened("memory40-memory41: offline", "memory42-memory43: removed", "memory50: added, online in zone Movable")
    guest.write("sys/devices/system/memory/auto_online_blocks", "online_movable")
    guest.write("sys/module/memory_hotplug/parameters/online_policy", "auto-movable")
    assert run.told(2) == ["auto_online_blocks: online_movable, was offline",
                           "online_policy: auto-movable, was contig-zones"]
    assert run.finish().code == 0


def test_both_are_followed_at_once(lab, guest):
    run = Follower(lab)
    lab.say(event("STOP"))
    assert run.told(1) == ["the VM is paused"]
    guest.add(40, 40)
    run.happened("memory40: added, offline")
    lab.say(event("RESUME"))
    assert run.told(1) == ["the VM runs again"]
    run.interrupt()
    assert run.finish().code == 130


def test_other_devices_of_the_guest_are_not_told(lab, guest):
    run = Follower(lab, "--count", "1")
    run.happened()
    guest.add(40, 40, removable=0)
    run.happened("memory40: added, offline")
    assert run.finish().code == 0


def test_blocks_are_told_in_json(lab, guest):
    run = Follower(lab, "--json", "--count", "3")
    guest.add(40, 43, "online", "Movable", node=1)
    run.happened()
    first = json.loads(run.process.stdout.readline())
    assert first["event"] == "GUEST_BLOCKS" and first["timestamp"]["seconds"] > 1700000000
    assert first["data"] == {"change": "added", "first": 40, "last": 43, "state": "online", "zone": "Movable", "node": 1,
                             "removable": True}
    assert first["text"] == "memory40-memory43: added, online in zone Movable"
    guest.remove(40, 43)
    guest.write("sys/devices/system/memory/auto_online_blocks", "online")
    run.happened()
    policy, removed = map(json.loads, run.finish().stdout.splitlines())
    assert policy["data"] == {"name": "auto_online_blocks", "value": "online", "was": "offline"}
    assert removed["data"] == {"change": "removed", "first": 40, "last": 43, "state": None, "zone": None, "node": None,
                               "removable": None}


def test_until_so_much_is_online(lab, guest):
    online = memhp("--guest", guest.local_channel(), "events", "--until", "online=512M")
    assert (online.code, online.stdout) == (0, "")
    run = Follower(lab, "--until", "online=640M")
    guest.add(40, 40)
    run.happened("memory40: added, offline")
    guest.add(40, 40, "online", "Movable")
    run.happened("memory40: online in zone Movable")
    assert run.finish().code == 0


def test_a_guest_alone_can_be_followed(guest):
    """No monitor is looked for when only a channel was named."""
    assert memhp("--timeout", "0.5", "--guest", guest.local_channel(), "events").code == 6


def test_a_console_is_occupied_only_when_asked(lab, guest, tmp_path):
    with peer.Liar(tmp_path / "console") as console:
        run = peer.Run("--qmp", lab.path, "--guest", f"serial:{console.path}", "events", "--count", "1")
        lab.wait_for("qmp_capabilities")
        lab.say(event("STOP"))
        assert "paused" in run.finish().stdout and console.heard == []
        run = peer.Run("--qmp", lab.path, "--guest", f"serial:{console.path}", "--timeout", "5", "events",
                       "--guest-events", "--until", "online=1024M")
        assert run.finish().code == 0 and console.heard[0] == "watch"


def test_guest_events_need_a_channel(lab):
    result = memhp("--qmp", lab.path, "--guest", "none", "events", "--guest-events")
    assert result.code == 4 and "no channel to the guest" in result.stderr


def test_qemu_is_followed_on_when_the_guest_has_gone(lab, guest, tmp_path):
    shell = tmp_path / "pid"
    run = Follower(lab, guest=f"exec:echo $$ >{shell}; exec sh -s {guest.root}")
    guest.add(40, 40)
    run.happened("memory40: added, offline")
    os.killpg(int(shell.read_text()), signal.SIGKILL)
    assert "no longer following the guest: " in run.told(1)[0]
    lab.say(event("RESUME"))
    assert run.told(1) == ["the VM runs again"]
    run.interrupt()
    assert run.finish().code == 130


def test_nothing_is_typed_to_a_guest_that_begins_anew(lab, tmp_path):
    """Its firmware, its boot loader, its login prompt would take it for somebody's words."""
    def say(_session, _exchange, _commands):
        return peer.SCAN if len(console.heard) == 1 else None

    with peer.Liar(tmp_path / "console", say) as console:
        run = Follower(lab, "--guest-events", guest=f"serial:{console.path}")
        lab.say(event("RESET", guest=True))
        assert run.told(2) == ["the VM was reset", "no longer following the guest: it has ended or restarted"]
        lab.say(event("STOP"))
        assert run.told(1) == ["the VM is paused"]
        run.interrupt()
        assert run.finish().code == 130
        assert set(console.heard) == {"watch"}


@pytest.mark.parametrize("lie", [["size 8000000", "blocks 9 1 online 0 0 none"], ["guest x"], ["size 3"],
                                 ["size 8000000", "blocks 5 5 on\x1bline 0 0 none"]])
def test_a_guest_that_lies_is_not_followed(lab, tmp_path, lie):
    def say(_session, _exchange, _commands):
        return {1: peer.SCAN, 2: lie}.get(len(console.heard))

    with peer.Liar(tmp_path / "console", say) as console:
        run = peer.Run("--qmp", lab.path, "--guest", f"serial:{console.path}", "events", "--guest-events", "--count", "1")
        result = run.finish()
    assert result.code == 0 and "cannot understand the guest" in result.stdout


def test_a_guest_of_many_blocks_is_compared_in_one_go(lab, tmp_path):
    """Each other block is online, then each other one offline: no two neighbours are equal."""
    def say(_session, _exchange, _commands):
        states = [("online", "Movable"), ("offline", "Normal Movable")][::1 if len(console.heard) == 1 else -1]
        return ["size 8000000"] + [f"blocks {n} {n} {states[n % 2][0]} 0 1 {states[n % 2][1]}" for n in range(20000)]

    with peer.Liar(tmp_path / "console", say) as console:
        result = memhp("--qmp", lab.path, "--guest", f"serial:{console.path}", "events", "--guest-events", "--count",
                       "20000")
    assert result.code == 0
    assert result.stdout.splitlines()[-1].endswith("  memory19999: online in zone Movable")
