# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's /sys and /proc, as files below a directory."""
import os
import pathlib
import shlex
import shutil

from binary import MIB

KERNEL = pathlib.Path(__file__).resolve().parents[1] / "kernel.sh"


class Tree:
    """A fake /sys/devices/system/memory, and what else guest.sh reads, below a directory."""

    def __init__(self, root, block_mib=128, boot=8, total_mib=1024, available_mib=900):
        self.root = pathlib.Path(root)
        self.memory = self.root / "sys/devices/system/memory"
        self.block_bytes = block_mib * MIB
        self.write("sys/devices/system/memory/block_size_bytes", f"{self.block_bytes:x}")
        self.write("sys/devices/system/memory/auto_online_blocks", "offline")
        self.write("sys/devices/system/memory/uevent", "")
        self.write("sys/module/memory_hotplug/parameters/online_policy", "contig-zones")
        self.write("sys/module/memory_hotplug/parameters/memmap_on_memory", "N")
        self.write("proc/sys/kernel/osrelease", "6.1.0-test")
        (self.root / "proc/uptime").symlink_to("/proc/uptime")  # time goes on there too
        self.write("proc/meminfo", f"MemTotal: {total_mib * 1024:>14} kB\nMemFree: {200 * 1024:>14} kB\n"
                                   f"MemAvailable: {available_mib * 1024:>14} kB\nBuffers: 1 kB")
        if boot:
            self.add(0, boot - 1, "online", "none", removable=0)

    def write(self, name, text):
        """Write a file below the root; as with a kernel's, nobody sees it half written."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self.root / ".new"
        new.write_text(text + "\n" if text else "")
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)

    def block(self, number):
        """The directory of a block."""
        return self.memory / f"memory{number}"

    def add(self, first, last, state="offline", zones="Normal Movable", node=0, removable=1):
        """Add blocks; valid_zones comes last, as guest.sh waits for it."""
        for number in range(first, last + 1):
            directory = self.block(number)
            directory.mkdir(parents=True, exist_ok=True)
            if node is not None:
                (directory / f"node{node}").mkdir(exist_ok=True)
            files = {"state": state, ".state": state, "removable": removable, "phys_index": f"{number:08x}",
                     "online": int(state == "online"), "valid_zones": zones}
            for name, value in files.items():
                (directory / name).write_text(f"{value}\n")

    def remove(self, first, last):
        """Remove blocks."""
        for number in range(first, last + 1):
            directory = self.block(number)
            gone = directory.with_name(f"gone-{number}")
            directory.rename(gone)  # at once, as the kernel does it
            for path in gone.iterdir():
                if path.is_dir():
                    path.rmdir()
                else:
                    path.unlink()
            gone.rmdir()

    def state(self, number):
        """The state and zones of a block: "online Movable"."""
        directory = self.block(number)
        return " ".join((directory / name).read_text().strip() for name in ("state", "valid_zones"))

    def states(self, first, last):
        """The set of them for a range."""
        return {self.state(number) for number in range(first, last + 1)}

    def refuse(self, number, word, why):
        """Let the kernel refuse that word for that block (kernel_channel only)."""
        (self.block(number) / f".refuse-{word}").write_text(why + "\n")

    def hang(self, number, word):
        """Let a write of that word hang (kernel_channel only)."""
        os.mkfifo(self.block(number) / f".hang-{word}")

    def shell(self):
        """What an interactive shell reads to have a sh that takes this tree for its machine.

        The same sh is in the directory of that file, for a shell that does not read it.
        """
        shell = self.root / "bin/sh"
        self.write("bin/sh", f"#!/bin/sh\nexec /bin/sh -s {shlex.quote(str(self.root))}")
        shell.chmod(0o755)
        self.write("bin/rc", f"alias sh={shlex.quote(str(shell))}")  # before busybox's own sh
        return shell.with_name("rc")

    def local_channel(self):
        """The address of a channel to this tree, whose files keep whatever is written to them."""
        return f"local:{self.root}"

    def kernel_channel(self):
        """The address of a channel to this tree with the kernel of kernel.sh."""
        kernel = shlex.quote(str(KERNEL))
        return f"exec:{{ cat {kernel}; cat; }} | bash -s {shlex.quote(str(self.root))}"
