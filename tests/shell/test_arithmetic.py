# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file of a guest, or of a copied /sys, says never gets into a shell's arithmetic: bash runs "a[$(COMMAND)]" there."""
import os
import shutil

import pytest
from guest_program import PROGRAMS, SHELLS, Guest
from peer import Monitor, Tree, Vm, memhp

# what each piece of the program reads that is a number, and how it is asked for
READ = {
    "block size": ("sys/devices/system/memory/block_size_bytes", "{}", "facts;near 0x 4294967296-4831838207"),
    "uptime": ("proc/uptime", "{} 1", "appear 0 90-90"),
    "free pages": ("proc/buddyinfo", "Node 0, zone Normal {} 1", "buddy"),
    "page size": ("proc/self/smaps", "KernelPageSize: {} kB", "held 32"),
    "page size and block size": ("sys/devices/system/memory/block_size_bytes", "{}", "held 32"),
    "page frame": ("dmesg", "[1] page: 1 refcount:1 pfn:{}\n[1] page dumped because: x", "held 32"),
}


@pytest.fixture(params=SHELLS)
def shell(request):
    if not shutil.which(SHELLS[request.param][0]):
        pytest.skip(f"no {request.param}")
    return SHELLS[request.param]


def plant(tree, tmp_path, place, text):
    """Put it where the guest reads it; dmesg is a program."""
    if place == "dmesg":
        program = tmp_path / "bin" / "dmesg"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        program.chmod(0o755)
        tree.write("proc/self/smaps", "KernelPageSize: 4 kB")
    else:
        (tree.root / place).unlink(missing_ok=True)
        tree.write(place, text)
    if place.endswith("block_size_bytes"):
        tree.write("proc/self/smaps", "KernelPageSize: 4 kB")


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("what", READ)
def test_no_file_of_the_guest_runs_a_command(tmp_path, shell, program, what):
    """The letters a to f and x are digits to some, and names of variables to bash: those hold a command as well."""
    place, line, commands = READ[what]
    tree = Tree(tmp_path / "guest")
    mark = tmp_path / "mark"
    bad = f"q[$(touch${{IFS}}{mark})]"
    env = {letter: f"q[$(touch {mark})]" for letter in (*"abcdefx", "xf", "ab", "x0")}
    for word in (bad, f"8000000,{bad}", f"0x{bad}", f"1+{bad}", "a", "ab", "xf", "x", f"b={bad}"):
        plant(tree, tmp_path, place, line.format(word))
        with Guest(tree.root, shell, PROGRAMS[program](), **env, PATH=f"{tmp_path}/bin:{os.environ['PATH']}") as guest:
            guest.start(commands)
            guest.receive()
        assert not mark.exists(), word


def test_a_dry_run_on_a_copied_sys_runs_nothing(tmp_path):
    """sh is bash on many a host."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to(shutil.which("bash"))
    tree = Tree(tmp_path / "guest")
    tree.add(32, 33, "online", "Movable")
    mark = tmp_path / "mark"
    vm = Vm()
    vm.plug("d0", 256)
    (tree.root / "proc/uptime").unlink()
    for place in ("sys/devices/system/memory/block_size_bytes", "proc/uptime", "proc/buddyinfo", "proc/self/smaps",
                  "proc/meminfo"):
        tree.write(place, f"8000000,q[$(touch${{IFS}}{mark})]")
    with Monitor(tmp_path / "qmp", vm):
        for words in (("list",), ("blocks",), ("--dry-run", "unplug"), ("--dry-run", "offline", "33"),
                      ("--dry-run", "plug", "256M"), ("--dry-run", "resize", "+256M"), ("status",), ("--dry-run", "repair")):
            memhp("--qmp", tmp_path / "qmp", "--guest", tree.local_channel(), "--timeout", "5", *words,
                  env={"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
            assert not mark.exists(), words


@pytest.mark.parametrize("size", ["1", "0", "fffff", "00100000", "0x8000000"])
def test_a_block_size_that_is_none_is_not_worked_with(tmp_path, shell, size):
    """The guest would look for a billion blocks."""
    tree = Tree(tmp_path / "guest")
    tree.write("sys/devices/system/memory/block_size_bytes", size)
    with Guest(tree.root, shell, PROGRAMS["as it is"]()) as guest:
        assert guest.run("facts;near 0x 0-1099511627775")[-1] == f"size {size}"
