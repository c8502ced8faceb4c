# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between memhp and a real machine: it passes on every message, and knows when which one comes.

The monitor and the console are one sequence of messages, each with a name: "qmp > device_add" is a request,
"qmp < device_add" its reply, "qmp < DEVICE_DELETED" an event, "guest > swift" a command of guest.sh,
"guest < blocks" a line of an answer. A fate may strike before and after each of them.
"""
import collections
import contextlib
import json
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import threading

from vm import BINARY, clean_environment, connect, end_process

CHANGES = ("qmp > object-add", "qmp > device_del", "qmp > qom-set", "guest > change", "guest > ease", "guest > swift")
ALIKE_MAX = 8  # moments, between two changes: fewer would leave out some of a plug
BEFORE, AFTER = "before", "after"
FRAME = re.compile(rb"@[0-9a-f]{8}\.\d+ \d+ \d+ (\S+)")
COMMAND = re.compile(rb"begin \d+&&\{ (\w+)")


class Line:
    """One connection of memhp's, and that to the machine's end of it."""

    def __init__(self, name, ours, theirs):
        self.name = name
        self.ends = {ours: (">", theirs), theirs: ("<", ours)}
        self.parts = {ours: b"", theirs: b""}
        self.requests = {}

    def close(self):
        """The end of both."""
        for end in self.ends:
            end.close()

    def messages(self, end, data):
        """Cut what has come into messages, each with its name; None for what is none."""
        direction = self.ends[end][0]
        *lines, rest = (self.parts[end] + data).split(b"\n")
        # a prompt has no line end, and somebody may wait for it
        self.parts[end] = rest if b"@" in rest or self.name == "qmp" else b""
        for line in lines:
            name = self.title(direction, line)
            yield name and f"{self.name} {direction} {name}", line + b"\n"
        if rest and not self.parts[end]:
            yield None, rest

    def title(self, direction, line):
        """The name of a message."""
        if self.name == "qmp":
            return self.qmp_title(json.loads(line))
        if direction == "<":
            found = FRAME.search(line)
        else:
            found = COMMAND.match(line) or re.search(rb"MEMHP=()", line)
        return (found[1].decode() or "open") if found else None

    def qmp_title(self, message):
        """The name of a message of the monitor's."""
        if "execute" in message:
            self.requests[message["id"]] = message["execute"]
            return message["execute"]
        return message.get("event") or self.requests.get(message.get("id"), "greeting")


class Relay:
    """Runs memhp on a machine; fate(relay) strikes at one moment.

    @moment:	called with the relay, "qmp > device_add" and BEFORE or AFTER: is it now?
    """

    def __init__(self, vm, moment, fate):
        self.vm, self.moment, self.fate = vm, moment, fate
        self.process = None
        self.has_struck = self.has_changed = False
        self.seen = []  # every moment until then, but of what is asked again and again only some
        self.recent = collections.Counter()  # since the last change
        self.lines = []
        self.is_cut = False
        self.failure = None

    def run(self, *words, timeout=30):
        """Run memhp to its end; its exit code, stdout and stderr."""
        with self.running(*words, timeout=timeout) as process:
            out, err = end_process(process)
        return process.returncode, out, err

    @contextlib.contextmanager
    def running(self, *words, timeout=30):
        """memhp at work; its process, whose end the caller waits for."""
        with tempfile.TemporaryDirectory(prefix="mh", dir="/tmp") as directory:
            paths = {name: pathlib.Path(directory) / name for name in ("qmp", "guest")}
            listeners = {self.listen(path): name for name, path in paths.items()}
            stopper, stopped = socket.socketpair()
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                [BINARY, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, errors="replace",
                env=clean_environment(MEMHP_TIMEOUT=timeout, **self.addresses(paths)))
            thread = threading.Thread(target=self.serve, args=(listeners, stopped), daemon=True)
            thread.start()
            try:
                yield self.process
            finally:
                stopper.close()
                thread.join()
                stopped.close()
                if self.failure:  # what the test has to say of the rest comes from that
                    raise self.failure

    def addresses(self, paths):
        """What memhp is told of where the machine is."""
        return {"MEMHP_QMP": paths["qmp"], "MEMHP_GUEST": f"serial:{paths['guest']}"}

    @staticmethod
    def listen(path):
        """A socket at that path."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen(4)
        return listener

    def serve(self, listeners, stopped):
        """The thread."""
        while not self.is_cut:
            ends = {end: line for line in self.lines for end in line.ends}
            ready = select.select([stopped, *listeners, *ends], [], [])[0]
            if stopped in ready:
                break
            for one in ready:
                if one in listeners:
                    self.accept(one, listeners[one])
                elif ends[one] in self.lines:
                    self.take(ends[one], one)
        for line in self.lines:
            line.close()
        for listener in listeners:
            listener.close()

    def accept(self, listener, name):
        """Connect a new client with the machine, unless that has gone."""
        ours = listener.accept()[0]
        try:
            theirs = connect(self.vm.path({"qmp": "qmp.sock", "guest": "serial.sock"}[name]))
        except OSError:
            ours.close()
            return
        self.lines.append(Line(name, ours, theirs))

    def take(self, line, end):
        """Pass on what has come."""
        try:
            data = end.recv(65536)
            for name, message in line.messages(end, data):
                self.reach(name, BEFORE)
                if self.is_cut:
                    return
                self.pass_on(line, line.ends[end][0], message)
                line.ends[end][1].sendall(self.forge(name, message))
                self.reach(name, AFTER)
                if self.is_cut:
                    return
        except OSError:
            data = b""
        if not data:
            self.lines.remove(line)
            line.close()

    def pass_on(self, line, direction, message):
        """A message, or a part of one, is about to be passed on: a place to count."""

    def forge(self, name, message):  # pylint: disable=unused-argument
        """What goes on in the place of a message; a place to tell lies."""
        return message

    def reach(self, name, when):
        """A moment has come."""
        if not name or self.has_struck:
            return
        if name in CHANGES:
            self.has_changed = True
            self.recent.clear()
        self.recent[name, when] += 1
        if self.recent[name, when] > ALIKE_MAX:
            return
        self.seen.append(f"{when} {name}")
        if self.moment(self, name, when):
            self.has_struck = True
            try:
                self.fate(self)
            except BaseException as failure:  # pylint: disable=broad-exception-caught
                self.failure = failure

    def kill(self):
        """memhp is killed, and nothing of what it has said goes on from here."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.is_cut = True


class Liar(Relay):
    """Runs memhp on a machine, of which some messages are not its own.

    @lies:	the name of a message: a function that makes another of it, of its object for "qmp", of its payload else;
            it may return bytes
    """

    def __init__(self, vm, **lies):
        super().__init__(vm, lambda *_: False, None)
        self.lies = {name.replace("__", " < ").replace("_", "-"): lie for name, lie in lies.items()}

    def forge(self, name, message):
        lie = self.lies.get(name)
        if not lie:
            return message
        if name.startswith("qmp"):
            said = lie(json.loads(message))
            return said if isinstance(said, bytes) else json.dumps(said).encode() + b"\r\n"
        head, number, payload, ident = re.search(rb"@(\S+) (\d+) \d+ (.*) \2 \d+ (\S+)@", message).groups()
        payload = lie(payload.decode()).encode()
        return b"@%b %b %d %b %b %d %b@\r\n" % (head, number, len(payload), payload, number, len(payload), ident)


def at(name, when):
    """The first moment of that name since something was to be changed."""
    return lambda relay, *now: relay.has_changed and now == (name, when)


def at_work(when):
    """The first moment of a command that changes blocks."""
    return lambda relay, *now: now in [(name, when) for name in ("guest > change", "guest > ease", "guest > swift")]


def nth(count):
    """The moment of that number."""
    return lambda relay, *now: len(relay.seen) == count
