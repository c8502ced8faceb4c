# SPDX-License-Identifier: GPL-3.0-or-later
"""The machines of a session."""
import atexit
import collections
import os
import shutil
import subprocess
import tempfile

from binary import LAB, clean_environment
from vm.machine import Vm

MACHINES_MAX = 4  # kept running at the same time
USUAL = {"shell": "ash"}  # what the lab does unasked: a machine that is asked for it is the default one


class Machines:
    """The machines of a session, booted when first asked for and shared by configuration."""

    def __init__(self):
        # The paths of sockets are limited to 107 bytes.
        self.dir = tempfile.mkdtemp(prefix="mh", dir="/tmp")
        self.running = collections.OrderedDict()
        self.count = 0
        atexit.register(self.close)

    def get(self, arguments=(), **options):
        """The machine with these options of memhp-lab start and these arguments of QEMU."""
        options = {name: value for name, value in options.items() if USUAL.get(name) != value}
        key = (tuple(arguments), tuple(sorted(options.items())))
        if key not in self.running:
            while len(self.running) >= MACHINES_MAX:
                self.running.popitem(last=False)[1].stop()
            self.count += 1
            name = f"v{self.count}"
            try:
                self.running[key] = Vm(self.dir, name, options, arguments)
            except BaseException:
                self._stop(name)
                raise
        self.running.move_to_end(key)
        return self.running[key]

    def _stop(self, *words):
        subprocess.run([LAB, "stop", "-q", *words], env=clean_environment(MEMHP_LAB_DIR=self.dir),
                       check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def drop(self, vm):
        """Stop a machine: whoever wants one like it gets a new one."""
        for key, other in list(self.running.items()):
            if other is vm:
                del self.running[key]
        vm.stop()

    def close(self):
        """Stop all machines, those that only half started too."""
        if os.path.isdir(self.dir):
            self._stop("--all")
            shutil.rmtree(self.dir, ignore_errors=True)
        self.running.clear()
