# SPDX-License-Identifier: GPL-3.0-or-later
"""guest.sh: the policy for new memory, blocks that appear, and what is watched."""
import signal

import pytest
from guest_program import Guest, packed
from peer import HANG


# hold


def policy(tree):
    """What the kernel does with new memory."""
    return (tree.memory / "auto_online_blocks").read_text().strip()


def hang_up(guest):
    """What a console does when it goes away."""
    guest.process.send_signal(signal.SIGHUP)
    guest.process.stdin.close()


@pytest.mark.parametrize("end", [None, "exit\n", 1], ids=["end of input", "exit", "SIGHUP and end of input"])
def test_the_policy_for_new_memory_is_held_back_until_the_session_ends(shell, tree, end):
    tree.write("sys/devices/system/memory/auto_online_blocks", "online_movable")
    with Guest(tree.root, shell, packed()) as guest:
        assert guest.run("scan;hold")[0] == "guest 6.1.0-test 1 online_movable contig-zones N"
        assert policy(tree) == "offline"
        if isinstance(end, str):
            guest.send(end)
        elif end:
            guest.process.send_signal(end)
        guest.process.stdin.close()
        guest.process.wait(HANG)
        assert policy(tree) == "online_movable"


def test_a_policy_that_lets_memory_be_is_not_touched(guest, tree):
    before = (tree.memory / "auto_online_blocks").stat().st_mtime_ns
    guest.run("scan;hold")
    guest.send("exit\n")
    guest.process.wait(HANG)
    assert (tree.memory / "auto_online_blocks").stat().st_mtime_ns == before


def test_a_kernel_without_a_policy_is_not_given_one(guest, tree):
    (tree.memory / "auto_online_blocks").unlink()
    guest.run("scan;hold")
    guest.send("exit\n")
    guest.process.wait(HANG)
    assert not (tree.memory / "auto_online_blocks").exists()


# appear


def test_blocks_that_are_there_are_not_waited_for(guest):
    assert guest.run("appear 60 32-35 0-7") == []


def test_blocks_that_come_later_are_waited_for(guest, tree):
    guest.start("appear 60 40-41 50-50&&say done")
    tree.add(40, 40)
    tree.add(50, 50)
    (tree.block(41)).mkdir()
    (tree.block(41) / "state").write_text("offline\n")
    tree.add(41, 41)
    assert guest.read() == ["done"]


def test_a_block_that_does_not_come_is_named_and_ends_the_line(guest, tree):
    tree.add(40, 41)
    assert guest.run("appear 0 40-43 60-61&&say done;say after") == ["absent 42", "after"]


def test_a_block_that_the_kernel_has_given_up_is_told(guest, tree):
    """Devices have come or gone, and then none for a whole look."""
    events = "sys/kernel/uevent_seqnum"
    tree.write(events, "7")
    guest.run("mark")
    assert guest.run("appear 0 40-41;appear 0 40-41") == ["absent 40", "absent 40"]
    tree.write(events, "8")
    assert guest.run("appear 0 40-41") == ["absent 40"]
    tree.write(events, "9")
    assert guest.run("appear 0 40-41;appear 0 40-41") == ["absent 40", "gone 40"]


def test_without_a_mark_a_block_is_only_absent(guest, tree):
    tree.write("sys/kernel/uevent_seqnum", "7")
    assert guest.run("appear 0 40-41;appear 0 40-41") == ["absent 40", "absent 40"]


def test_a_block_is_there_only_with_all_of_its_files(guest, tree):
    tree.add(40, 40)
    (tree.block(40) / "valid_zones").unlink()
    assert guest.run("appear 0 40-40") == ["absent 40"]


# watch


EVENTS = "sys/kernel/uevent_seqnum"


def scanned(lines):
    """Whether there was a scan, and nothing else."""
    assert not lines or lines[0].startswith("guest "), lines
    return bool(lines)


def test_a_watch_begins_with_a_scan_and_says_nothing_without_news(guest, tree):
    tree.write(EVENTS, "7")
    assert scanned(guest.run("watch"))
    assert guest.run("watch") == []


@pytest.mark.parametrize("name, value", [(EVENTS, "8"), ("sys/devices/system/memory/auto_online_blocks", "online"),
                                         ("sys/module/memory_hotplug/parameters/online_policy", "auto-movable")])
def test_what_happens_between_two_watches_is_not_missed(guest, tree, name, value):
    tree.write(EVENTS, "7")
    guest.run("watch")
    tree.write(name, value)
    assert scanned(guest.run("watch"))
    assert guest.run("watch") == []


def test_without_a_count_of_events_each_watch_is_a_scan(guest):
    assert scanned(guest.run("watch")) and scanned(guest.run("watch"))
