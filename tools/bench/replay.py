# SPDX-License-Identifier: GPL-3.0-or-later
"""What QEMU and the guest need for memhp's own messages: recorded once, then sent by a client that only waits.

What memhp takes beyond that is its own: to start, to compute, to be late.
"""
import collections
import contextlib
import os
import re
import select
import socket
import subprocess
import tempfile

from contender import Contender

NAMES = ("qmp", "guest")
# What of each channel's bytes is a message; what a console says otherwise, nobody waits for.
MESSAGES = (re.compile(rb"\n"), re.compile(rb"@[0-9a-f]{8}\.\d+ \d[^@]*@\r?\n"))
HANG_S = 60

# Bytes for a channel, sent when so many messages of each had come.
Step = collections.namedtuple("Step", "channel data heard")


def connect(path):
    end = socket.socket(socket.AF_UNIX)
    end.connect(path)
    return end


def listen(path):
    end = socket.socket(socket.AF_UNIX)
    end.bind(path)
    end.listen(1)
    return end


class Machine:
    """The ends of both channels, and how many messages have come from each."""

    def __init__(self, paths):
        self.paths = paths
        self.ends = {}
        self.rest = [b"" for _ in paths]
        self.heard = [0 for _ in paths]

    def open(self, channel):
        end = connect(self.paths[channel])
        self.ends[end] = channel
        return end

    def hear(self, end):
        """Take what has come; nothing at the end."""
        channel, data = self.ends[end], end.recv(65536)
        seen = self.rest[channel] + data
        found = list(MESSAGES[channel].finditer(seen))
        self.heard[channel] += len(found)
        self.rest[channel] = seen[found[-1].end():] if found else seen
        return data

    def wait(self, heard):
        """Until at least so many messages have come."""
        while any(have < wanted for have, wanted in zip(self.heard, heard)):
            ready = select.select(list(self.ends), [], [], HANG_S)[0]
            if not ready or not all([self.hear(end) for end in ready]):
                raise SystemExit("bench: the answers to memhp's own messages are not what they were")

    def close(self):
        for end in self.ends:
            end.close()


class Recorder:
    """Stands between memhp and a machine for one run."""

    def __init__(self, paths):
        self.machine = Machine(paths)
        self.steps = []
        self.peers = {}  # each end of memhp's, and that of the machine; and the other way round

    def run(self, binary, words):
        """Run memhp; returns the steps, behind the last one that all has come."""
        with tempfile.TemporaryDirectory(prefix="mb-", dir="/tmp") as directory:
            qmp, guest = (f"{directory}/{name}" for name in NAMES)
            listeners = {listen(path): channel for channel, path in enumerate((qmp, guest))}
            with subprocess.Popen([binary, "--qmp", qmp, "--guest", f"serial:{guest}", *words],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
                self.serve(listeners, os.pidfd_open(process.pid))
            for end in (*listeners, *self.peers):
                end.close()
        if process.returncode:
            raise SystemExit(f"bench: memhp, recorded: exit code {process.returncode}")
        return [*self.steps, Step(0, b"", tuple(self.machine.heard))]

    def serve(self, listeners, process):
        """Pass on all that comes, until the process ends."""
        while process not in (ready := select.select([process, *listeners, *self.peers], [], [])[0]):
            for end in ready:
                if end in listeners:
                    theirs, ours = end.accept()[0], self.machine.open(listeners[end])
                    self.peers |= {theirs: ours, ours: theirs}
                else:
                    self.pass_on(end)
        os.close(process)

    def pass_on(self, end):
        peer = self.peers[end]
        if end in self.machine.ends:
            data = self.machine.hear(end)
        else:
            data = b""
            with contextlib.suppress(ConnectionResetError):  # memhp left something unread when it closed
                data = end.recv(65536)
            if data:
                self.steps.append(Step(self.machine.ends[peer], data, tuple(self.machine.heard)))
        with contextlib.suppress(BrokenPipeError):
            peer.sendall(data)
        if not data:
            del self.peers[end]


class Replay(Contender):
    """memhp's own messages. Only of works whose answers are the same each time."""

    title = "memhp's messages"

    def __init__(self, memhp, paths):
        self.memhp = memhp
        self.paths = paths
        self.machine = None
        self.steps = {}

    def can(self, size):
        return size.count == 1

    def record(self, size):
        """Once all works of a size, which leave all as it was."""
        for verb in size.verbs:
            self.steps[size, verb] = Recorder(self.paths).run(self.memhp.binary, self.memhp.work(verb, size))

    def prepare(self):
        self.machine = Machine(self.paths)

    def do(self, verb, size):
        ends = [self.machine.open(channel) for channel in range(len(self.paths))]
        for step in self.steps[size, verb]:
            self.machine.wait(step.heard)
            ends[step.channel].sendall(step.data)

    def finish(self):
        self.machine.close()
