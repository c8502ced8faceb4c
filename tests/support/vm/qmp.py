# SPDX-License-Identifier: GPL-3.0-or-later
"""A QMP monitor of a real QEMU: the tests' own."""
import json
import select
import socket
import time

from binary import PATIENCE


class Gone(Exception):
    """A monitor, a console or a whole machine went away or does not answer."""


def connect(path):
    """A stream socket connected to a UNIX path."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(path))
    return s


class QmpError(Exception):
    """QEMU answered with an error."""


class Qmp:
    """A QMP monitor."""

    def __init__(self, path):
        self.socket = connect(path)
        self.data = b""
        self.events = []
        greeting = self._message(PATIENCE)
        if not greeting or "QMP" not in greeting:
            self.socket.close()
            raise Gone(f"no greeting: {greeting}")
        self.execute("qmp_capabilities")

    def _message(self, timeout):
        end = time.monotonic() + timeout
        while b"\n" not in self.data:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            more = self.socket.recv(65536)
            if not more:
                raise Gone("the monitor closed")
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        return json.loads(line)

    def execute(self, command, **arguments):
        """Run a command; arguments are written with _ for -."""
        request = {"execute": command}
        if arguments:
            request["arguments"] = {k.replace("_", "-"): v for k, v in arguments.items()}
        try:
            self.socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as e:
            raise Gone(str(e)) from e
        while True:
            message = self._message(PATIENCE)
            if message is None:
                raise Gone(f"no answer to {command}")
            if "event" in message:
                self.events.append(message)
            elif "error" in message:
                raise QmpError(message["error"]["desc"])
            else:
                return message["return"]

    def wait_event(self, name, matches=lambda data: True):
        """The data of the next event of that name that matches."""
        end = time.monotonic() + PATIENCE
        while True:
            for event in self.events:
                if event["event"] == name and matches(event.get("data", {})):
                    self.events.remove(event)
                    return event.get("data", {})
            message = self._message(end - time.monotonic())
            if message is None:
                raise AssertionError(f"no event {name}")
            self.events.append(message)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
