# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest on a console that answers as a script says."""
import re

from peer.script import Close
from peer.server import Server


def frame(session, exchange, sequence, payload):
    """A line of an answer of guest.sh."""
    payload = payload if isinstance(payload, bytes) else payload.encode()
    head = f"@{session}.{exchange} {sequence} {len(payload)} ".encode()
    return head + payload + f" {sequence} {len(payload)} {session}@\n".encode()


SCAN = ["guest 6.1.0-test 1 offline contig-zones N", "memory 524288 204800 409600", "size 8000000",
        "blocks 0 3 online 0 0 none", "blocks 32 35 online 0 1 Movable"]


class Liar(Server):
    """A guest on a console that answers as a script says, and as guest.sh does where it says nothing.

    @say:	called with the session's id, the exchange and its commands; returns the payloads, the bytes
    		of the whole answer, None for silence, or Close
    @opening:	the same for the answer that starts a session, called with the id
    """

    def __init__(self, path, say=None, opening=None):
        super().__init__(path)
        self.say = say or (lambda session, exchange, commands: SCAN)
        self.opening = opening
        self.heard = []
        self.received = b""

    def serve(self, connection):
        session, buffer = None, b""
        while self.readable(connection):
            data = connection.recv(65536)
            if not data:
                return
            self.received += data
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                line = line.lstrip(b" \025")  # a terminal drops the one, a shell the other
                session = self.open(connection, session, line)
                match = re.match(rb"begin (\d+)&&\{ (.*);answer;\}", line)
                if match and session and not self.answer(connection, session, *match.groups()):
                    return
                if line == b"[ $MEMHP ]&&exit" and session:
                    connection.sendall(f"@{session}@\r\n".encode())

    def open(self, connection, session, line):
        """Start a session when the line asks for one; returns its id."""
        match = re.search(rb";i=([0-9a-f]{8});", line)
        if not match or session:
            return session
        session = match.group(1).decode()
        connection.sendall(self.opening(session) if self.opening else frame(session, 0, 1, "go"))
        return session

    def answer(self, connection, session, exchange, commands):
        """Answer one line of commands; False when the connection has to end."""
        exchange, commands = int(exchange), commands.decode()
        self.heard.append(commands)
        said = self.say(session, exchange, commands)
        if isinstance(said, list):
            said = b"".join(frame(session, exchange, n, payload)
                            for n, payload in enumerate([*said, "end"], start=1))
        if said is Close:
            return False
        connection.sendall(said or b"")
        return True
