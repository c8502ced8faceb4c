# SPDX-License-Identifier: GPL-3.0-or-later
"""Bare clients: they send what is indispensable, wait for events, and check nothing."""
import json
import re
import socket


class Monitor:
    """A bare QMP client."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.events = []
        while "QMP" not in self.read():
            pass  # what was still to be told to the client before
        self.call(("qmp_capabilities", {}))

    def read(self):
        return json.loads(self.file.readline())

    def call(self, *requests):
        """Send all at once, then read what each returns."""
        lines = (json.dumps({"execute": name, "arguments": arguments}) for name, arguments in requests)
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())
        return [self.reply() for _ in requests]

    def reply(self):
        while "event" in (message := self.read()):
            self.events.append(message)
        if "error" in message:
            raise SystemExit(f"bench: {message['error']['desc']}")
        return message["return"]

    def wait(self, name, devices):
        """Until each of the devices has had that event."""
        missing = set(devices)
        while missing:
            event = self.events.pop() if self.events else self.read()
            data = event.get("data", {})
            if event.get("event") == name:
                missing -= {data.get("device"), data.get("info", {}).get("device")}

    def close(self):
        self.file.close()
        self.socket.close()


# Unless so much follows, a 16550 keeps the end of a line to itself for 4 ms, and the line editor, with no input
# there, asks where the cursor is and waits for the answer.
PUSH = " " * 8


class Console:
    """A bare client of a console, at the prompt of busybox ash.

    @push:	what follows each line
    """

    def __init__(self, path, push=""):
        self.push = push
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.run("")

    def run(self, line):
        # in two parts, so that the echo of the line does not end the wait
        self.socket.sendall(f"{line and line + ';'}echo d''one\n{self.push}".encode())
        seen = b""
        while not re.search(rb"done *\r\n", seen):  # the echo of the push may come between
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
