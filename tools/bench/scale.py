# SPDX-License-Identifier: GPL-3.0-or-later
"""Guests of many blocks, which are generated /sys trees that memhp reads through a shell of this machine."""
import os
import pathlib
import subprocess
import tempfile
import time

COUNTS = (1, 64, 1024, 8192, 32768, 524288)  # of 128 MiB: up to 64 TiB
KINDS = {"equal": 524288, "unequal": 32768}  # memhp keeps no more than 65536 ranges
FAST = "/dev/shm"  # a hundred thousand links take long on a disk
FILES = {"sys/devices/system/memory/block_size_bytes": "8000000", "sys/devices/system/memory/uevent": "",
         "sys/devices/system/memory/auto_online_blocks": "offline", "proc/sys/kernel/osrelease": "6.1.0",
         "proc/meminfo": "MemTotal: 1024 kB\nMemFree: 512 kB\nMemAvailable: 512 kB"}
BLOCKS = {"online": "Movable", "offline": "Normal Movable"}
LIMIT = 600  # seconds


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")


class Tree:
    """A directory with sys and proc. A block is a link to one of two directories: that many files take long to make."""

    def __init__(self, root, are_equal):
        self.root = pathlib.Path(root)
        self.states = ("online", "online") if are_equal else ("online", "offline")
        self.count = 0
        for name, text in FILES.items():
            write(self.root / name, text)
        for state, zones in BLOCKS.items():
            (self.root / state / "node0").mkdir(parents=True)
            for name, text in (("state", state), ("valid_zones", zones), ("removable", "1"), ("phys_device", "0")):
                write(self.root / state / name, text)

    def grow(self, count):
        """Add blocks up to that number."""
        for n in range(self.count, count):
            os.symlink(f"../../../../{self.states[n % 2]}", f"{self.root}/sys/devices/system/memory/memory{n}")
        self.count = count


def seconds(*words):
    begun = time.monotonic()
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=LIMIT)
    return time.monotonic() - begun


def row(kind, tree, ours):
    """All commands on one tree."""
    return {"blocks": tree.count, "kind": kind, "list": seconds(*ours, "list"), "blocks_s": seconds(*ours, "blocks"),
            "online": seconds(*ours, "--dry-run", "online", "all"),
            "lsmem": seconds("lsmem", "--sysroot", str(tree.root))}


def measure(memhp, qmp, most):
    """As plain data, a row for each tree up to so many blocks; QEMU is there, and has no DIMMs."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="mb-", dir=FAST if os.path.isdir(FAST) else None) as directory:
        for kind, limit in KINDS.items():
            tree = Tree(f"{directory}/{kind}", kind == "equal")
            ours = (memhp, "--quiet", f"--timeout={LIMIT}", "--qmp", qmp, "--guest", f"local:{tree.root}")
            for count in COUNTS:
                if count <= min(most, limit):
                    tree.grow(count)
                    rows.append(row(kind, tree, ours))
    return rows
