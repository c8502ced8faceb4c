# SPDX-License-Identifier: GPL-3.0-or-later
"""guest.sh by itself, as it is and as it is packed, under every shell, on trees of plain files.

A plain file keeps the word that is written to it, so these tests look at the words; what a kernel makes of
them is for the tests with a virtual machine.
"""
import os
import re
import shutil
import string
import subprocess

import peer
import pytest
from binary import GUEST_PROGRAM
from guest_program import AGAIN, CANCEL, PROGRAMS, SHELLS, Guest, blocks, packed, pieces, run_shell
from peer import Tree, memhp


# scan


def test_a_scan_says_everything(guest):
    assert guest.run("scan") == [
        "guest 6.1.0-test 1 offline contig-zones N", "memory 1048576 204800 921600", "size 8000000",
        "blocks 0 7 online 0 0 none", "blocks 32 35 online 0 1 Movable"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_variables_of_the_environment_do_not_matter(shell, program, tmp_path):
    """Whoever logs in may have exported anything, also what the program calls its own."""
    text = PROGRAMS[program]()
    names = set(re.findall(r"\b_?[a-z]+\b|\b[A-Za-z]\d?\b", text)) | set(string.ascii_letters)
    work = ("facts;near 0x 4294967296-4831838207", "near 1 0-7", "scan", "mark;appear 0 32-35 99-99", "buddy",
            "change 1000 lower any 35-34", "swift online_movable 34-35", "hold;scan")
    said = []
    for name, env in (("none", {}), ("strange", dict.fromkeys(names, "9 strange; *"))):
        tree = Tree(tmp_path / name)
        tree.add(32, 35, "online", "Movable")
        with Guest(tree.root, shell, text, **env) as guest:
            said.append([guest.run(words) for words in work])
    assert said[0] == said[1]


def test_blocks_are_merged_where_they_have_everything_in_common(guest, tree):
    tree.add(36, 37, "online", "Normal")
    tree.add(38, 38, "online", "Movable")
    tree.add(39, 39, "online", "Movable", node=1)
    tree.add(40, 40, "online", "Movable", node=1, removable=0)
    tree.add(42, 42, "online", "Movable", node=1, removable=0)
    tree.add(43, 44, "going-offline", "Movable", node=12, removable=0)
    assert blocks(guest.run("scan")) == [
        "0 7 online 0 0 none", "32 35 online 0 1 Movable", "36 37 online 0 1 Normal",
        "38 38 online 0 1 Movable", "39 39 online 1 1 Movable", "40 40 online 1 0 Movable",
        "42 42 online 1 0 Movable", "43 44 going-offline 12 0 -"]


@pytest.mark.parametrize("commands", ["scan", "near 1 40-40", "appear 0 40-40", "raise 40 movable", "lift 40 kernel"])
def test_only_an_online_block_is_asked_for_its_zones(guest, tree, commands):
    """Some kernels dereference NULL for a new one that has not got its node yet."""
    tree.add(40, 40, "offline", node=None)
    zones = tree.block(40) / "valid_zones"
    zones.unlink()
    os.mkfifo(zones)  # it hangs whoever reads it
    guest.run(commands)


def test_block_numbers_of_one_to_seven_digits_come_in_order(guest, tree):
    for number in (9, 10, 99, 100, 999, 1000, 9999, 10000, 99999, 100000, 999999, 1000000, 9999999):
        tree.add(number, number, "online", "Normal")
    assert blocks(guest.run("scan"))[1:] == [
        "9 10 online 0 1 Normal", "32 35 online 0 1 Movable", "99 100 online 0 1 Normal",
        "999 1000 online 0 1 Normal", "9999 10000 online 0 1 Normal", "99999 100000 online 0 1 Normal",
        "999999 1000000 online 0 1 Normal", "9999999 9999999 online 0 1 Normal"]


def test_near_says_only_the_blocks_that_are_asked_for(guest, tree):
    tree.add(40, 41, "offline", "Normal Movable")
    assert guest.run("near 1 33-34") == ["blocks 33 34 online 0 1 Movable"]
    assert guest.run("near 1 7-8 34-40") == [
        "blocks 7 7 online 0 0 none", "blocks 34 35 online 0 1 Movable", "blocks 40 40 offline 0 1 -"]
    assert guest.run("near 1 50-60") == []
    tree.remove(32, 35)
    assert guest.run("near 1 33-34") == []


def test_near_finds_blocks_by_the_addresses_of_their_memory(guest):
    """Also those that a range has only a part of."""
    size = 0x8000000
    lines = guest.run(f"facts;near 0x {32 * size}-{36 * size - 1}")
    assert blocks(lines) == ["32 35 online 0 1 Movable"] and "size 8000000" in lines
    assert blocks(guest.run(f"facts;near 0x {32 * size + size // 2}-{33 * size}")) == ["32 33 online 0 1 Movable"]


def test_near_is_silent_in_a_guest_without_memory_hotplug(guest, tree):
    shutil.rmtree(tree.root / "sys")
    assert blocks(guest.run("facts;near 0x 4294967296-4831838207")) == []
    assert guest.run("memory") == ["memory 1048576 204800 921600"]


def test_blocks_that_have_nothing_in_common_are_all_said(guest, tree):
    said = ["0 7 online 0 0 none", "32 35 online 0 1 Movable"]
    for number in range(100, 700):
        state = ("online", "offline")[number % 2]
        tree.add(number, number, state, "Movable")
        said.append(f"{number} {number} {state} 0 1 {'Movable' if state == 'online' else '-'}")
    assert blocks(guest.run("scan")) == said
    guest.send(AGAIN)
    assert blocks(guest.read()) == said


def test_what_is_no_block_is_left_out(guest, tree):
    for name in ("memoryx", "memory", "memory7x", "memory-1", "power", "memory50", "memory 51"):
        (tree.memory / name).mkdir()
    for name in ("soft_offline_page", "crash_hotplug", "memory60"):
        (tree.memory / name).write_text("0\n")
    (tree.memory / "memoryx/state").write_text("online\n")
    assert blocks(guest.run("scan")) == ["0 7 online 0 0 none", "32 35 online 0 1 Movable"]


def test_a_guest_without_numa_has_no_nodes(guest, tree):
    tree.add(40, 41, "online", "Normal", node=None)
    assert blocks(guest.run("scan"))[-1] == "40 41 online - 1 Normal"


def test_a_kernel_that_lacks_files_leaves_their_facts_unknown(guest, tree):
    for name in ("auto_online_blocks", "uevent", "memory33/valid_zones", "memory34/removable"):
        (tree.memory / name).unlink()
    shutil.rmtree(tree.root / "sys/module")
    (tree.root / "proc/sys/kernel/osrelease").unlink()
    assert guest.run("scan") == [
        "guest - 0 - - -", "memory 1048576 204800 921600", "size 8000000", "blocks 0 7 online 0 0 none",
        "blocks 32 32 online 0 1 Movable", "blocks 33 33 online 0 1 -", "blocks 34 34 online 0 - Movable",
        "blocks 35 35 online 0 1 Movable"]


def test_an_old_kernel_without_memavailable(guest, tree):
    tree.write("proc/meminfo", "MemTotal: 1024 kB\nMemFree: 512 kB\nBuffers: 1 kB")
    assert "memory 1024 512 -" in guest.run("scan")


def test_a_guest_without_proc_has_no_amounts(guest, tree):
    shutil.rmtree(tree.root / "proc")
    assert guest.run("scan")[:2] == ["guest - 1 offline contig-zones N", "memory - - -"]


def test_a_guest_without_memory_hotplug(guest, tree):
    shutil.rmtree(tree.root / "sys")
    assert guest.run("scan") == ["guest 6.1.0-test 0 - - -", "memory 1048576 204800 921600", "size -"]


def test_a_second_scan_starts_afresh(guest, tree):
    first = guest.run("scan")
    assert guest.run("scan") == first
    tree.remove(32, 35)
    assert guest.run("scan") == first[:-1]


def test_a_block_that_goes_away_while_it_is_read_does_not_spoil_the_answer(guest, tree):
    for name, block in (("state", 33), ("valid_zones", 34), ("removable", 35)):
        path = tree.block(block) / name
        path.unlink()
        path.symlink_to("/proc/self/mem")  # opens, and cannot be read
    payloads = guest.run("scan")
    assert "blocks 32 32 online 0 1 Movable" in payloads
    for payload in payloads:
        assert "  " not in payload and not payload.endswith(" "), payload
    result = memhp("--guest", tree.local_channel(), "--json", "blocks").succeeded()
    assert result["blocks"][0]["last"] == 7


def test_empty_files_leave_their_facts_unknown(guest, tree):
    for name in ("auto_online_blocks", "memory33/valid_zones", "memory34/removable"):
        (tree.memory / name).write_text("")
    for payload in guest.run("scan"):
        assert "  " not in payload and not payload.endswith(" "), payload


# answers


def test_an_answer_is_repeated_as_it_was(guest, tree):
    guest.start("scan")
    first = guest.receive()
    tree.remove(32, 35)
    guest.send(AGAIN + AGAIN)
    assert guest.receive() == first
    assert guest.receive() == first


def test_text_of_any_kind_comes_as_it_is(guest, tree):
    for text in ("6.1%s%n%d", "6.1\\n\\x", "6.1*", "6.1$(exit)`exit`", "6.1'\"", "-n", "@;@"):
        tree.write("proc/sys/kernel/osrelease", text)
        assert guest.run("scan")[0] == f"guest {text} 1 offline contig-zones N"


def test_lengths_are_bytes_whatever_the_guests_locale(shell, tree):
    tree.write("proc/sys/kernel/osrelease", "6.1-\u00e9\u20ac")
    for locale in ("C", "C.UTF-8", "en_US.UTF-8"):
        with Guest(tree.root, shell, packed(), LC_ALL=locale, LANG=locale) as guest:
            assert guest.run("scan")[0] == "guest 6.1-\u00e9\u20ac 1 offline contig-zones N"


def test_the_guests_settings_do_not_matter(shell, tree):
    with Guest(tree.root, shell, "set -f +f; IFS=' \t\n'; CDPATH=/; export CDPATH\n" + packed(),
               ENV="/nonexistent", POSIXLY_CORRECT="1") as guest:
        assert blocks(guest.run("scan")) == ["0 7 online 0 0 none", "32 35 online 0 1 Movable"]


def test_cancelling_nothing_does_nothing(guest):
    guest.send("q\nq\n")
    assert guest.run(":") == []


def test_nothing_is_said_on_stdout_but_answers(guest):
    guest.run("change 5 lower any 35-32;change 5 raise movable 32-35;scan")
    assert guest.is_alone()
    assert not guest.buffer


# the text itself


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not here; make lint wants it")
def test_shellcheck_has_nothing_to_say():
    done = subprocess.run(["shellcheck", *GUEST_PROGRAM, peer.ROOT / "tests/support/kernel.sh"], text=True, check=False,
                          capture_output=True)
    assert done.returncode == 0, done.stdout


def test_every_piece_fits_a_terminals_queue():
    for piece in pieces():
        assert len(piece) < 4000 and piece.endswith("\n") and "\t" not in piece
        assert subprocess.run(["dash", "-n"], input=piece, text=True, check=False).returncode == 0, piece


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_that_is_not_the_session_learns_nothing(name):
    """It reads what is on its way to a session that has been killed: each line by itself, as far as it is left."""
    lines = "".join(pieces()).splitlines(keepends=True) + ["begin 1&&{ echo begun;};echo $?\n", CANCEL, AGAIN, "type say\n", "set\n"]
    assert max(map(len, lines)) < 1024  # the line editor of busybox drops the rest
    known = run_shell(SHELLS[name], "type say\nset\n")
    told = run_shell(SHELLS[name], "".join(lines))
    assert "begun" not in told and "\n127\n" in f"\n{told}"
    assert {line.partition("=")[0] for line in told.splitlines()} - {line.partition("=")[0] for line in known.splitlines()} <= {"127"}
