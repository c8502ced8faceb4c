# SPDX-License-Identifier: GPL-3.0-or-later
"""A QMP monitor that answers as a model or a script says."""
import collections
import contextlib
import json
import threading

from binary import HANG
from peer.model import Refusal, Vm
from peer.script import GREETING, Close, Default, Hold, Quietly, Release, encode, error, reply
from peer.server import Server


class Monitor(Server):
    """A QMP monitor.

    @vm:	the model that answers
    @on:	command: script in its place; a list of lists: one for each time, the last for all further times
    @greeting:	None: silence; bytes, or a script
    @dress:	turns the bytes of all messages of one script into what is sent
    """

    def __init__(self, path, vm=None, on=None, greeting=GREETING, dress=None):
        super().__init__(path)
        self.vm = vm or Vm()
        self.on = {k: collections.deque(v if v and isinstance(v[0], list) else [v])
                   for k, v in (on or {}).items()}
        self.greeting = greeting
        self.dress = dress or (lambda data: data)
        self.requests = []
        self.answered = collections.Counter()
        self.arrived = threading.Condition()
        self.held = []
        self.is_closed = False
        self.connection = None

    def sent(self, command):
        """The arguments of all requests of that name."""
        return [r.get("arguments", {}) for r in self.requests if r["execute"] == command]

    @property
    def commands(self):
        """The names of all requests, in order."""
        return [r["execute"] for r in self.requests]

    @property
    def changes(self):
        """The requests that change something, as "object-del memhp0-mem"."""
        words = ("object-add", "device_add", "device_del", "object-del")
        return [f"{r['execute']} {r['arguments']['id']}" for r in self.requests if r["execute"] in words]

    def wait_for(self, command, count=1):
        """Wait until that command has come so often, and what the script says to it has gone out."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.answered[command] >= count, HANG), self.commands

    def say(self, message):
        """Send a message unasked; as with QEMU, it is lost when the client has gone."""
        with contextlib.suppress(OSError):
            self.connection.sendall(encode(message))

    def serve(self, connection):
        self.connection = connection
        if self.is_closed or self.greeting is None:
            self.readable(connection)
            return
        script = self.greeting if isinstance(self.greeting, list) else [self.greeting]
        if not self.play(connection, script, None):
            return
        buffer = b""
        while self.readable(connection):
            data = connection.recv(65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in filter(None, lines):
                if not self.take(connection, json.loads(line)):
                    return

    def take(self, connection, request):
        """Answer one request; False when the connection has to end."""
        scripts = self.on.get(request["execute"])
        script = [Default] if not scripts else scripts[0] if len(scripts) == 1 else scripts.popleft()
        self.requests.append(request)  # before the reply: memhp may end right behind it
        goes_on = self.play(connection, script, request)
        with self.arrived:
            self.answered[request["execute"]] += 1
            self.arrived.notify_all()
        return goes_on

    def play(self, connection, script, request):
        """Send what a script says; False when the connection has to end."""
        out, is_held, goes_on = b"", False, True
        for item in script:
            if item is Hold:
                is_held = True
            elif item is Release:
                out += b"".join(reversed(self.held))
                self.held = []
            elif item is Close:
                self.is_closed, goes_on = True, False
                break
            else:
                messages = self.messages(item, request)
                if is_held:
                    self.held.append(messages[0])
                    messages = messages[1:]
                out += b"".join(messages)
        data = self.dress(out)
        for part in data if isinstance(data, list) else [data]:
            connection.sendall(part)
        return goes_on

    def messages(self, item, request):
        """An item as a list of what to send."""
        if isinstance(item, bytes):
            return [item]
        if isinstance(item, dict):
            return [encode(item)]
        if item in (Default, Quietly):
            try:
                value, events = self.vm.answer(request["execute"], request.get("arguments", {}))
            except Refusal as refusal:
                return [encode(error(str(refusal), refusal.kind)(request))]
            return [encode(reply(value)(request))] + [encode(e) for e in events if item is Default]
        message = item(request)
        return [encode(message)] if message else []


def answer_late(monitor, request):
    """What QEMU would have answered to a request."""
    value, _ = monitor.vm.answer(request["execute"], request.get("arguments", {}))
    monitor.say(reply(value)(request))
