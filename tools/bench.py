#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""bench.py MEMHP MEMHP_LAB [ROUNDS]: what memhp adds to the time that QEMU and the guest need.

On one lab VM, in turns: memhp; a bare client that connects, gets past greeting and prompt and then sends
only the indispensable QMP messages and one shell line; and the same client with connections kept open.
Only ratios and differences of one run mean something.
"""
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SIZE = 512 << 20
BLOCKS = range(32, 36)
STATE = "/sys/devices/system/memory/memory$i/state"


class Monitor:
    """A bare QMP client."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.events = []
        self.read()
        self.send("qmp_capabilities")
        self.reply()

    def read(self):
        return json.loads(self.file.readline())

    def send(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def reply(self):
        while "event" in (message := self.read()):
            self.events.append(message)
        if "error" in message:
            raise SystemExit(message["error"]["desc"])

    def wait(self, name, device):
        while True:
            for event in self.events:
                data = event.get("data", {})
                if event["event"] == name and device in (data.get("device"), data.get("info", {}).get("device")):
                    self.events.clear()
                    return
            self.events.append(self.read())

    def close(self):
        self.file.close()
        self.socket.close()


class Console:
    """A bare console client at the prompt of busybox ash."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.run("")

    def run(self, line):
        # in two parts, so that the echo of the line does not end the wait
        self.socket.sendall(f"{line and line + ';'}echo d''one\n".encode())
        seen = b""
        while b"done\r\n" not in seen:
            seen += self.socket.recv(65536)

    def settle(self):
        """Let the prompt come, which is nobody's cost."""
        self.socket.settimeout(0.2)
        try:
            while self.socket.recv(65536):
                pass
        except TimeoutError:
            self.socket.settimeout(None)

    def close(self):
        self.settle()
        self.socket.close()


def writes(word, blocks):
    return f"for i in {' '.join(map(str, blocks))};do echo {word} >{STATE};done"


def bare_plug(monitor, console):
    monitor.send("object-add", **{"qom-type": "memory-backend-ram", "id": "bare-mem", "size": SIZE})
    monitor.send("device_add", driver="pc-dimm", id="bare-dimm", memdev="bare-mem")
    monitor.reply()
    monitor.reply()
    monitor.wait("ACPI_DEVICE_OST", "bare-dimm")
    console.run(writes("online_movable", BLOCKS))


def bare_unplug(monitor, console):
    console.run(writes("offline", reversed(BLOCKS)))
    monitor.send("device_del", id="bare-dimm")
    monitor.reply()
    monitor.wait("DEVICE_DELETED", "bare-dimm")
    monitor.send("object-del", id="bare-mem")
    monitor.reply()


def timed(function, *arguments):
    begun = time.monotonic()
    function(*arguments)
    return (time.monotonic() - begun) * 1000


def cold(job, run):
    """From nothing to done, as memhp has to do it; the goodbye is not counted."""
    begun = time.monotonic()
    monitor, console = Monitor(f"{run}/qmp2.sock"), Console(f"{run}/serial2.sock")
    job(monitor, console)
    spent = (time.monotonic() - begun) * 1000
    monitor.close()
    console.close()
    return spent


def measure(memhp, run, rounds):
    def call(*words):
        subprocess.run([memhp, "-q", "-Q", f"{run}/qmp.sock", *words], check=True)

    spent = {}
    for _ in range(rounds):
        for name, job in (("plug", bare_plug), ("unplug", bare_unplug)):
            spent.setdefault((name, "cold"), []).append(cold(job, run))
        monitor, console = Monitor(f"{run}/qmp2.sock"), Console(f"{run}/serial2.sock")
        for name, job in (("plug", bare_plug), ("unplug", bare_unplug)):
            console.settle()
            spent.setdefault((name, "warm"), []).append(timed(job, monitor, console))
        monitor.close()
        console.close()
        for name, words in (("plug", ("plug", "512M")), ("unplug", ("unplug",))):
            spent.setdefault((name, "memhp"), []).append(timed(call, *words))
    return spent


def report(spent):
    print(f"{'512 MiB':8} {'client':22} {'median':>8} {'min':>8} {'max':>8}  memhp over it")
    for job in ("plug", "unplug"):
        ours = statistics.median(spent[job, "memhp"])
        for client, title in (("memhp", "memhp"), ("cold", "bare, connecting"), ("warm", "bare, connected")):
            times = spent[job, client]
            median = statistics.median(times)
            over = "" if client == "memhp" else f"  x {ours / median:.2f}, {ours - median:+.0f} ms"
            print(f"{job:8} {title:22} {median:8.1f} {min(times):8.1f} {max(times):8.1f}{over}")


def main():
    memhp, lab = (os.path.abspath(path) for path in sys.argv[1:3])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    with tempfile.TemporaryDirectory(prefix="memhp-bench-") as directory:
        os.environ["MEMHP_LAB_DIR"] = directory
        subprocess.run([lab, "start", "-q", "bench"], check=True)
        try:
            report(measure(memhp, f"{directory}/bench", rounds))
        finally:
            subprocess.run([lab, "stop", "-q", "bench"], check=True)


if __name__ == "__main__":
    main()
