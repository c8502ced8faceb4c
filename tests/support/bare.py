# SPDX-License-Identifier: GPL-3.0-or-later
"""A real QEMU without a guest, within limits of the host that the test chooses: cgroups, rlimits, mounts."""
import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest
from vm import PATIENCE, Gone, Qmp, QmpError, run_memhp, wait_until

MOUNTS = pathlib.Path("/proc/self/mountinfo")


def mounted(controller):
    """Where a controller's hierarchy of cgroups is mounted, and its version; (None, None) for nowhere."""
    for line in MOUNTS.read_text(encoding="utf-8").splitlines():
        words, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ")
        point = pathlib.Path(words.split(" ")[4])
        if kind == "cgroup" and controller in options.split(","):
            return point, 1
        if kind == "cgroup2" and controller in (point / "cgroup.controllers").read_text(encoding="ascii").split():
            return point, 2
    return None, None


class Cgroup:
    """A cgroup of one controller, below another one or the highest."""

    def __init__(self, controller, name, above=None, point=None):
        self.point, self.version = (point, 1) if point else mounted(controller)
        if not self.point:
            pytest.skip(f"no hierarchy of cgroups has {controller} here")
        self.path = (above.path if above else self.point) / f"memhp-test-{os.getpid()}-{name}"
        try:
            if self.version == 2:
                (self.path.parent / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
            self.path.mkdir()
        except OSError as error:
            pytest.skip(f"no cgroup can be made here: {error}")

    def file(self, name):
        return self.path / name

    def limit(self, bytes_):
        """Limit memory; None: not at all."""
        name, none = ("memory.max", "max") if self.version == 2 else ("memory.limit_in_bytes", "-1")
        self.file(name).write_text(str(none if bytes_ is None else bytes_), encoding="ascii")

    def used(self):
        name = "memory.current" if self.version == 2 else "memory.usage_in_bytes"
        return int(self.file(name).read_text(encoding="ascii"))

    def join(self, pid):
        self.file("cgroup.procs").write_text(str(pid), encoding="ascii")

    def remove(self):
        """Once those that were in it have ended."""
        def gone():
            with contextlib.suppress(OSError):
                self.path.rmdir()
            return not self.path.exists()
        wait_until(gone, what="the end of a cgroup")


class Bare:
    """The QEMU. memhp has its first monitor, the test the second."""

    def __init__(self, directory, arguments=(), cgroup=None, prefix=(), cwd=None):
        self.directory = pathlib.Path(directory)
        self.sockets = [self.directory / f"{n}.sock" for n in (1, 2)]
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                 "-m", "128M,slots=8,maxmem=64G"]
        for path in self.sockets:
            words += ["-qmp", f"unix:{path},server=on,wait=off"]
        join = (lambda: cgroup.join(os.getpid())) if cgroup else None
        with open(self.directory / "log", "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
                [*prefix, *words, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd,
                preexec_fn=join)
        self.monitor = wait_until(self.connect, what="QEMU")

    def connect(self):
        """The second monitor; None as long as QEMU does not listen there."""
        assert self.process.poll() is None, (self.directory / "log").read_text(errors="replace")
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
            return Qmp(self.sockets[1])
        return None

    @property
    def pid(self):
        return self.process.pid

    def memhp(self, *words, **options):
        return run_memhp("--qmp", self.sockets[0], "--guest", "none", *words, **options)

    def json(self, *words, code=0, **options):
        """Run memhp --json and return its object."""
        done = self.memhp("--json", *words, **options)
        assert done.returncode == code, done
        return json.loads(done.stdout)

    def refused(self, *words):
        """A command that fails, and leaves QEMU as it was: message and hint."""
        before = self.state()
        answer = self.json(*words, code=1)
        assert answer["state"] == "unchanged" and self.state() == before, answer
        return answer["error"]["message"], answer["error"]["hint"]

    def warned(self, *words):
        """The warnings of a command that is done."""
        return self.json(*words).get("warnings", [])

    def state(self):
        """What memhp could have changed."""
        objects = self.monitor.execute("qom-list", path="/objects")
        return sorted(o["name"] for o in objects), self.monitor.execute("query-memory-devices")

    def add(self, size, **options):
        """An object-add by hand: whether QEMU survives it."""
        options.setdefault("qom_type", "memory-backend-ram")
        with contextlib.suppress(Gone, OSError):
            with contextlib.suppress(QmpError):
                self.monitor.execute("object-add", id="by-hand", size=size, **options)
            self.monitor.execute("query-status")
            return True
        self.process.wait(PATIENCE)
        return False

    def stop(self):
        self.monitor.close()
        self.process.kill()
        self.process.wait(PATIENCE)


def paste(hint):
    """Run the command that a hint has."""
    command = re.search(r": (.*?)(; --force tries anyway)?$", hint)[1]
    subprocess.run(["sh", "-c", command], check=True)
    return command


LEAVES = r"QEMU's cgroup leaves (\d+) MiB"


def leaves(message):
    """How many MiB a message says are left."""
    match = re.search(LEAVES, message)
    assert match, message
    return int(match[1])


def rlimit(option, bytes_):
    """The words in front of a command that limit it."""
    return ("prlimit", f"--{option}={bytes_}:")
