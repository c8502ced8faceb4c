# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest agent."""
import base64
import json
import re

from peer.liar import SCAN, frame
from peer.script import Close, encode
from peer.server import Server


class Agent(Server):
    """A guest agent, in whose guest each process has ended with the answer to the commands that it was given.

    @forbidden:	commands that it does not allow
    @on:	command: called with the request; returns the message or the bytes in the place of the right answer,
    		None for silence
    """

    def __init__(self, path, forbidden=(), **on):
        super().__init__(path)
        self.forbidden = forbidden
        self.online = {0: True, 1: True, 2: True, 3: True, 32: True, 33: True, 34: False, 35: False}
        self.on = {name.replace("_", "-"): say for name, say in on.items()}
        self.requests = []
        self.session = None
        self.output = b""
        self.scan = SCAN

    def serve(self, connection):
        buffer = b""
        while self.readable(connection):
            data = connection.recv(65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                request = json.loads(line.lstrip(b"\xff"))
                self.requests.append(request)
                said = self.on.get(request["execute"], self.right)(request)
                if said is Close:
                    return
                connection.sendall(said if isinstance(said, bytes) else encode(said) if said else b"")

    def right(self, request):
        """What an agent answers."""
        if request["execute"] in self.forbidden:
            return {"error": {"class": "CommandNotFound", "desc": f"Command {request['execute']} has been disabled"}}
        return getattr(self, request["execute"].replace("-", "_"))(request.get("arguments"))

    def guest_sync_delimited(self, arguments):
        """The answer is told from what comes before it by a byte."""
        return b"\xff" + encode({"return": arguments["id"]})

    def guest_exec(self, arguments):
        """A process starts."""
        lines = base64.b64decode(arguments["input-data"]).decode()
        self.session = (re.findall(r"MEMHP=(\w+)", lines) or [self.session])[-1]
        for exchange in re.findall(r"begin (\d+)&&", lines):
            self.output = b"".join(frame(self.session, exchange, n, payload)
                                   for n, payload in enumerate([*self.scan, "end"], start=1))
        return {"return": {"pid": 42}}

    def guest_exec_status(self, _arguments):
        """It has ended."""
        output, self.output = base64.b64encode(self.output).decode(), b""
        return {"return": {"exited": True, "exitcode": 0, "out-data": output}}

    def guest_info(self, _arguments):
        """Which commands it has."""
        names = [name.replace("_", "-") for name in dir(self) if name.startswith("guest_")]
        return {"return": {"version": "7.2.22", "supported_commands": [
            {"name": name, "enabled": name not in self.forbidden, "success-response": True} for name in names]}}

    def guest_get_osinfo(self, _arguments):
        """The kernel."""
        return {"return": {"kernel-release": "6.1.0", "machine": "x86_64"}}

    def guest_get_memory_block_info(self, _arguments):
        """Their size."""
        return {"return": {"size": 128 << 20}}

    def guest_get_memory_blocks(self, _arguments):
        """In no order."""
        return {"return": [{"phys-index": n, "online": self.online[n], "can-offline": True} for n in reversed(self.online)]}

    def guest_set_memory_blocks(self, arguments):
        """Each in its turn."""
        said = []
        for block in arguments["mem-blks"]:
            is_there = block["phys-index"] in self.online
            if is_there:
                self.online[block["phys-index"]] = block["online"]
            said.append({"phys-index": block["phys-index"], "response": "success" if is_there else "not-found"})
        return {"return": said}
