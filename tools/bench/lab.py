# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab VM that all contenders but libvirt work on, one after the other."""
import os
import pathlib
import subprocess

# All memory at boot lies below 4 GiB, and suffices for the memory map of 64 GiB.
MACHINE = ("--memory=2560M", "--slots=256", "--maxmem=80G", "--agent=exec")
PROGRAM = str(pathlib.Path(__file__).resolve().parents[2] / "lab" / "memhp-lab")


class Lab:
    """A running VM; its sockets are below directory."""

    def __init__(self, directory, machine=MACHINE):
        self.env = {**os.environ, "MEMHP_LAB_DIR": str(directory)}
        self.run = f"{directory}/bench"
        self.call("start", "-q", *machine, "bench")

    def call(self, command, *words):
        subprocess.run([PROGRAM, command, *words], env=self.env, check=True, stdin=subprocess.DEVNULL)

    def path(self, name):
        return f"{self.run}/{name}"

    def command_line(self):
        """The words that its QEMU was started with."""
        pid = pathlib.Path(self.path("pid")).read_text(encoding="ascii").strip()
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")

    def stop(self):
        self.call("stop", "-q", "bench")
