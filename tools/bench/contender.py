# SPDX-License-Identifier: GPL-3.0-or-later
"""Those who do the same work: each has plug, unplug, online, offline and list."""
import os
import pathlib
import shlex
import subprocess

from client import Console, Monitor

STATE = "/sys/devices/system/memory/memory$i/state"
BY_HAND = str(pathlib.Path(__file__).with_name("by-hand.sh"))


class Contender:
    """What is not counted comes before and after the work."""

    title = None

    def can(self, _):
        """Whether it does works of that size."""
        return True

    def record(self, _):
        """What has to be known of a size before any work is measured."""

    def prepare(self):
        """Open what is open already when the work begins."""

    def do(self, verb, size):
        """One work."""
        raise NotImplementedError

    def finish(self):
        """Close what is open."""


class Memhp(Contender):
    """memhp, a process for each work, over one channel."""

    def __init__(self, title, binary, qmp, guest):
        self.title = title
        self.binary = binary
        self.channels = ("--qmp", qmp, "--guest", guest)

    @staticmethod
    def work(verb, size):
        """The words of a work, without those that say on which machine."""
        dimm = ("--dimm", f"{size.mib}M") if size.count > 1 else ()
        block = str(size.blocks[1])
        return ("--quiet", "--timeout=600", *{
            "plug": ("plug", f"{size.count * size.mib}M", *dimm, "--zone", "movable"),
            "unplug": ("unplug", "--all"), "list": ("list",),
            "online": ("online", block), "offline": ("offline", block)}[verb])

    def words(self, verb, size):
        """The whole command line."""
        return (self.binary, *self.channels, *self.work(verb, size))

    def do(self, verb, size):
        """Do it; returns what the kernel says that the process used."""
        with subprocess.Popen(self.words(verb, size), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"bench: {shlex.join(process.args)}: exit code {process.returncode}")
        return usage


class Floor(Contender):
    """The bare client, on connections that are open, or with the connecting counted."""

    def __init__(self, lab, title, push=""):
        self.title = f"bare, {title}"
        self.paths = lab.path("qmp2.sock"), lab.path("serial2.sock")
        self.is_connected = title == "connected"
        self.push = push
        self.monitor = self.console = None

    def connect(self):
        self.monitor, self.console = Monitor(self.paths[0]), Console(self.paths[1], self.push)

    def prepare(self):
        if self.is_connected:
            self.connect()
            self.console.settle()

    def do(self, verb, size):
        if not self.is_connected:
            self.connect()
        getattr(self, verb)(size)

    def finish(self):
        self.monitor.close()
        self.console.close()

    def write(self, word, first, last):
        step, end = (1, "-le") if first <= last else (-1, "-ge")
        self.console.run(f"i={first};while [ $i {end} {last} ];do echo {word} >{STATE};i=$((i+{step}));done")

    def plug(self, size):
        names = [f"bare{n}" for n in range(size.count)]
        self.monitor.call(*(request for name in names for request in (
            ("object-add", {"qom-type": "memory-backend-ram", "id": f"{name}-mem", "size": size.bytes}),
            ("device_add", {"driver": "pc-dimm", "id": name, "memdev": f"{name}-mem"}))))
        self.monitor.wait("ACPI_DEVICE_OST", names)
        self.write("online_movable", *size.blocks)

    def unplug(self, size):
        names = [f"bare{n}" for n in range(size.count)]
        self.write("offline", *reversed(size.blocks))
        self.monitor.call(*(("device_del", {"id": name}) for name in names))
        self.monitor.wait("DEVICE_DELETED", names)
        self.monitor.call(*(("object-del", {"id": f"{name}-mem"}) for name in names))

    def online(self, size):
        self.write("online_movable", size.blocks[1], size.blocks[1])

    def offline(self, size):
        self.write("offline", size.blocks[1], size.blocks[1])

    def list(self, _):
        self.monitor.call(("query-memory-devices", {}))
        self.console.run("cd /sys/devices/system/memory;for i in memory*;do read s <$i/state;"
                         "read z <$i/valid_zones;echo $i $s $z;done;cd")


class ByHand(Contender):
    """A shell script with socat."""

    title = "by hand"

    def __init__(self, lab):
        self.run = lab.run

    def do(self, verb, size):
        first, last = size.blocks
        words = (BY_HAND, self.run, verb, size.count, f"{size.mib}M", first, last)
        subprocess.run([str(word) for word in words], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)
