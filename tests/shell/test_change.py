# SPDX-License-Identifier: GPL-3.0-or-later
"""guest.sh changes blocks: the words that are written, writes that fail and writes that hang."""
import array
import fcntl
import os
import re
import signal
import termios

import pytest
from guest_program import AGAIN, CANCEL, SHELLS, Guest, packed, wait_until, words
from peer import HANG, session_processes


# change: the words that are written


@pytest.mark.parametrize("state, zones, command, word", [
    ("offline", "Normal Movable", "raise movable", "online_movable"),
    ("offline", "Normal Movable", "raise kernel", "online_kernel"),
    ("offline", "Normal Movable", "raise any", "online"),
    ("offline", "Normal Movable", "lift movable", "online_movable"),
    ("offline", "Normal Movable", "lift kernel", "online_kernel"),
    ("offline", "Normal Movable", "lower any", None),
    ("online", "Movable", "raise movable", None),
    ("online", "Movable", "raise any", None),
    ("online", "Movable", "raise kernel", "online_kernel"),
    ("online", "Normal", "raise kernel", None),
    ("online", "DMA32", "raise kernel", None),
    ("online", "DMA", "raise kernel", None),
    ("online", "HighMem", "raise kernel", None),
    ("online", "Normal", "raise movable", "online_movable"),
    ("online", "Normal", "lift movable", None),
    ("online", "Movable", "lift kernel", None),
    ("online", "none", "raise any", None),
    ("online", "none", "lower any", "offline"),
    ("online", "Movable", "lower any", "offline"),
    ("going-offline", "Movable", "lower any", "offline"),
    ("going-offline", "Movable", "raise movable", "online_movable"),
    ("going-offline", "Movable", "lift movable", "online_movable"),
])
def test_a_block_gets_the_word_that_it_needs_and_no_other(shell, tree, state, zones, command, word):
    tree.add(40, 41, state, zones)
    before = (tree.block(40) / "state").stat().st_mtime_ns
    with Guest(tree.root, shell, packed()) as guest:
        assert guest.run(f"change 30 {command} 40-40") == []
    assert words(tree, 40, 41) == [word or state, state]
    assert ((tree.block(40) / "state").stat().st_mtime_ns == before) == (word is None)


def test_ranges_are_changed_in_their_order(guest, tree):
    tree.add(40, 49, "online", "Movable")
    assert guest.run("change 30 lower any 35-33 49-49 45-44") == []
    assert words(tree, 32, 35) == ["online"] + 3 * ["offline"]
    assert words(tree, 40, 49) == 4 * ["online"] + 2 * ["offline"] + 3 * ["online"] + ["offline"]
    stamps = [(tree.block(n) / "state").stat().st_mtime_ns for n in (35, 34, 33, 49, 45, 44)]
    assert stamps == sorted(stamps)


def test_a_change_tells_how_far_it_is_once_a_second_at_most(guest, tree):
    """Ahead of the answer; the first and the last block are always told."""
    tree.add(40, 49, "online", "Movable")
    (tree.root / "proc/uptime").unlink()
    for second in (7, 8):  # in which the clock stands still
        tree.write("proc/uptime", f"{second}.99 1.00")
        assert guest.run("change 30 lower any 49-40;say done") == ["done"]
        assert guest.told == ["at 49", "at 40"]
    assert guest.run("change 30 raise movable 40-40") == [] and guest.told == ["at 40"]
    (tree.root / "proc/uptime").unlink()
    assert guest.run("change 30 raise movable 41-49") == [] == guest.told  # no clock, no word


def test_several_changes_go_in_one_line(guest, tree):
    tree.add(40, 41)
    assert guest.run("change 30 lower any 35-32;change 30 raise movable 40-41;say done") == ["done"]
    assert words(tree, 32, 35) + words(tree, 40, 41) == 4 * ["offline"] + 2 * ["online_movable"]
    assert guest.is_alone()


def test_the_swift_way_writes_upwards(guest, tree):
    tree.add(40, 43)
    assert guest.run("swift online_movable 40-41 43-43;scan")[-1] == "blocks 43 43 online_movable 0 1 -"
    assert words(tree, 40, 43) == ["online_movable", "online_movable", "offline", "online_movable"]


def test_the_swift_way_stops_at_the_first_failure(guest, tree):
    tree.add(40, 42)
    unwritable(tree, 41)
    guest.run("swift online_movable 40-42")
    assert [words(tree, n, n)[0] for n in (40, 42)] == ["online_movable", "offline"]


# change: writes that fail


def unwritable(tree, block):
    """Make a state that can be read, and refuses every word with EINVAL as the kernel's does."""
    path = tree.block(block) / "state"
    path.unlink()
    path.symlink_to("/proc/self/oom_score_adj")


def test_a_failed_write_names_the_block_and_the_kernels_reason(guest, tree):
    unwritable(tree, 33)
    assert guest.run("change 30 lower any 35-32") == ["failed 33 Invalid argument"]
    assert [words(tree, n, n)[0] for n in (32, 34, 35)] == ["online", "offline", "offline"]
    assert guest.run("change 30 raise kernel 33-35;say done") == ["failed 33 Invalid argument", "done"]
    assert guest.is_alone()


def test_a_state_that_is_a_directory_is_named_with_the_reason(guest, tree):
    (tree.block(34) / "state").unlink()
    (tree.block(34) / "state").mkdir()
    assert guest.run("change 30 lower any 35-32") == ["failed 34 Is a directory"]
    assert guest.run("scan")[0].startswith("guest")


def test_a_block_that_is_not_there_is_named(guest):
    [payload] = guest.run("change 30 lower any 40-40")
    assert re.fullmatch("failed 40 .*(No such file|onexistent).*", payload), payload


def test_a_failure_that_somebody_else_has_made_good_is_none(guest, tree):
    """The write fails, but the block is where it was to be: read again after the failure."""
    directory = tree.block(33)
    (directory / "state").unlink()
    os.mkfifo(directory / "state")
    guest.start("change 30 lower any 33-33;say done")
    with open(directory / "state", "w", encoding="ascii") as state:
        (directory / "new").mkdir()  # a write to it fails
        os.rename(directory / "state", directory / "old")
        os.rename(directory / "new", directory / "state")
        state.write("online\n")
    # between the failed write and the second look there is no way in from here: the directory stays
    assert guest.read() == ["failed 33 Is a directory", "done"]


# change: writes that hang


@pytest.fixture
def hanging(tree):
    """Block 33 reads "online", and a write to it hangs: a pipe that is full behind its first line."""
    path = tree.block(33) / "state"
    path.unlink()
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
    os.write(fd, b"online\n" + b"x" * (4096 - 7))
    yield fd
    os.close(fd)


def has_read_state(fd):
    """Has the first line been read from the full pipe?"""
    left = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, left)
    return left[0] < 4096


def test_an_offline_that_tries_for_ever_is_ended_by_its_limit_of_cpu_time(shell, tree):
    with Guest(tree.root, shell, packed()) as guest:
        guest.send("spin() { while :; do :; done; }\n")
        assert guest.run("change 1 spin any 35-32;say done") == ["stopped", "done"]
        assert guest.is_alone()
        assert guest.run("change 1 lower any 35-34;scan")[-1] == "blocks 34 35 offline 0 1 -"


def test_a_write_that_hangs_is_ended_by_a_cancel(guest, hanging):
    guest.start("change 1000 lower any 35-32")
    assert wait_until(lambda: has_read_state(hanging))
    guest.send(AGAIN + AGAIN + CANCEL)
    assert guest.read() == ["stopped"]
    assert guest.is_alone()
    assert guest.run(":") == []


def test_a_write_that_hangs_is_ended_with_the_channel(guest, hanging):
    guest.start("change 1000 lower any 35-32")
    assert wait_until(lambda: has_read_state(hanging))
    guest.process.stdin.close()
    assert wait_until(lambda: not session_processes(guest.process.pid))


def test_a_state_that_cannot_be_opened_is_ended_by_a_cancel(guest, tree):
    (tree.block(33) / "state").unlink()
    os.mkfifo(tree.block(33) / "state")
    guest.start("change 1000 lower any 35-32")
    assert wait_until(lambda: words(tree, 34, 34) == ["offline"])
    guest.send(CANCEL)
    assert guest.read() == ["stopped"]
    assert guest.is_alone()


def test_the_time_limit_of_a_change_that_ends_leaves_nothing_behind(guest, tree):
    for _ in range(5):
        assert guest.run("change 1000 lower any 35-32") == []
        assert guest.run("change 1000 raise any 32-35") == []
    assert guest.is_alone()
    unwritable(tree, 35)
    for _ in range(5):
        assert guest.run("change 1000 lower any 35-32") == ["failed 35 Invalid argument"]
    assert guest.is_alone()


def test_a_command_sent_ahead_is_not_lost_to_the_guard(guest, tree):
    guest.start("change 1000 lower any 35-34")
    assert guest.read() == []
    assert guest.run("say ahead") == ["ahead"]


# ease


def test_dash_alone_reads_without_a_limit_of_time(shell, tree):
    with Guest(tree.root, shell, packed()) as guest:
        guest.run("scan")
        assert guest.is_timed == (shell != SHELLS["dash"])


@pytest.fixture(params=[name for name in SHELLS if name != "dash"])
def timed(request, tree):
    """A shell that can go the short way."""
    with Guest(tree.root, SHELLS[request.param], packed()) as guest:
        yield guest


def test_the_short_way_goes_down_and_leaves_nothing_behind(timed, tree):
    for _ in range(3):
        assert timed.run("ease 1000 35-33 7-6;say done") == ["done"]
        assert timed.is_alone()
    assert words(tree, 33, 35) == ["offline"] * 3 and words(tree, 5, 7) == ["online", "offline", "offline"]
    assert words(tree, 32, 32) == ["online"]
    assert timed.run("say ahead") == ["ahead"]


def test_the_short_way_ends_at_the_first_block_that_fails(timed, tree):
    unwritable(tree, 34)
    assert timed.run("ease 1000 35-32 7-7;say done") == ["done"]
    assert words(tree, 35, 35) == ["offline"] and words(tree, 32, 33) == ["online"] * 2 and words(tree, 7, 7) == ["online"]
    assert timed.is_alone()


@pytest.mark.parametrize("end", [CANCEL, "echo somebody else\n", None], ids=["cancel", "somebody else", "limit"])
@pytest.mark.usefixtures("hanging")
def test_a_write_that_hangs_on_the_short_way_ends_the_session(timed, tree, end):
    timed.start(f"ease {1000 if end else 1} 35-32")
    assert wait_until(lambda: words(tree, 34, 34) == ["offline"])
    if end:
        timed.send(AGAIN + end)
    assert timed.process.wait(HANG) == -signal.SIGKILL
    assert wait_until(lambda: not session_processes(timed.process.pid))


def test_a_session_that_holds_a_policy_does_not_go_the_short_way(timed, tree):
    tree.write("sys/devices/system/memory/auto_online_blocks", "online")
    timed.run("scan;hold")
    assert timed.run("ease 1000 35-32;say done") == ["done"]
    assert words(tree, 32, 35) == ["online"] * 4


@pytest.mark.usefixtures("hanging")
def test_a_write_that_hangs_on_the_short_way_is_ended_with_the_channel(timed, tree):
    timed.start("ease 1000 35-32")
    assert wait_until(lambda: words(tree, 34, 34) == ["offline"])
    timed.process.stdin.close()
    assert wait_until(lambda: not session_processes(timed.process.pid))
