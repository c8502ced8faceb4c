# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripted peers for memhp: a QMP monitor, a guest's console, a guest, and the /sys tree they stand on.

All of them do the right thing by themselves; a test says only in what they differ. They are threads on UNIX
sockets, and nothing in them waits for a time to pass: what comes first is decided by the script.
"""
import base64
import collections
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(__file__).parent
GUEST_SH = ROOT / "guest" / "guest.sh"
BINARY = str(pathlib.Path(os.environ.get("MEMHP_BIN", ROOT / "memhp")).absolute())

MIB = 1 << 20
GIB = 1 << 30
BASE = 4 * GIB  # where QEMU's device memory begins
HANG = 40  # seconds; a memhp or a peer that takes longer hangs


# memhp itself

def clean_environment(env=None):
    """The environment without the variables of memhp, plus those given."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMHP_") and k != "NO_COLOR"}
    clean.update(env or {})
    return clean


def check_harmless(what, output):
    """Fail when output could drive a terminal: control characters, C1, broken UTF-8."""
    try:
        text = output.decode()
    except UnicodeDecodeError as error:
        raise AssertionError(f"{what} is not UTF-8: {output!r}") from error
    bad = re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert not bad, f"{what} has a control character: {output!r}"


class Result:
    """What a run of memhp left: exit code and output, which never drives a terminal."""

    def __init__(self, code, stdout, stderr):
        self.code = code
        self.stdout = stdout.decode(errors="replace")
        self.stderr = stderr.decode(errors="replace")
        for sign in ("Sanitizer", "runtime error: "):
            assert sign not in self.stderr, self.stderr
        assert code >= 0, f"memhp died of signal {-code}: {self.stderr}"
        check_harmless("stdout", stdout)
        check_harmless("stderr", stderr)

    def __repr__(self):
        return f"exit code {self.code}\nstdout: {self.stdout}\nstderr: {self.stderr}"

    @property
    def json(self):
        """The one JSON object on stdout."""
        assert self.stdout.count("\n") == 1 and self.stdout.endswith("\n"), self
        value = json.loads(self.stdout)
        assert isinstance(value, dict), self
        return value

    def succeeded(self):
        """Exit code 0; returns the JSON object of --json."""
        assert self.code == 0, self
        assert self.json["ok"] is True, self
        return self.json

    def failed(self, exit_code, *words, code=None, state=None):
        """A failure with that exit code, with each of the words in what it says, of a run with --json."""
        assert self.code == exit_code, self
        value = self.json
        error = value["error"]
        assert value["ok"] is False and error["message"], self
        assert self.stderr.startswith("memhp: "), self
        for word in words:
            assert word in self.stderr, f"no {word!r}: {self}"
        if code:
            assert error["code"] == code, self
        if state:
            assert value["state"] in ((state,) if isinstance(state, str) else state), self
        return value


class Run:
    """A memhp that is under way."""

    def __init__(self, *words, env=None, cwd=None):
        words = [w if isinstance(w, bytes) else str(w) for w in words]
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [BINARY, *words], env=clean_environment(env), cwd=cwd, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def interrupt(self):
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def finish(self, timeout=HANG):
        """Wait for its end."""
        try:
            stdout, stderr = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            stdout, stderr = self.process.communicate()
            raise AssertionError(f"memhp hangs: {stdout!r} {stderr!r}") from None
        return Result(self.process.returncode, stdout, stderr)


class Typist:
    """A person at a program on a terminal of 24 lines."""

    def __init__(self, argv, env, cwd=None, columns=80):
        self.columns = columns
        self.output = ""  # all of it
        self.text = ""  # what nobody has waited for yet
        self.pid, self.fd = pty.fork()
        if not self.pid:
            if cwd:
                os.chdir(cwd)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
            os.execvpe(argv[0], argv, env)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def read(self, left):
        """Read what there is; False when nothing comes, or the program has ended."""
        if left <= 0 or not select.select([self.fd], [], [], left)[0]:
            return False
        try:
            data = os.read(self.fd, 65536).decode(errors="replace")
        except OSError:
            return False
        self.output += data
        self.text += data.replace("\r", "")
        return True

    def wait_for(self, pattern):
        """Read until the pattern matches; return the match and drop what was read."""
        end = time.monotonic() + HANG
        while not (match := re.search(pattern, self.text)):
            assert self.read(end - time.monotonic()), f"no {pattern!r} in {self.text!r}"
        self.text = self.text[match.end():]
        return match

    def type(self, text):
        """Press keys."""
        os.write(self.fd, text.encode())

    def finish(self, timeout=HANG):
        """The exit code, once the program has ended."""
        end = time.monotonic() + timeout
        while self.read(end - time.monotonic()):
            pass
        assert time.monotonic() < end, f"the program goes on: {self.text!r}"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self):
        """Hang up."""
        os.close(self.fd)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def memhp(*words, env=None, cwd=None):
    """Run memhp to its end."""
    return Run(*words, env=env, cwd=cwd).finish()


# A guest's /sys and /proc

class Tree:
    """A fake /sys/devices/system/memory, and what else guest.sh reads, below a directory."""

    def __init__(self, root, block_mib=128, boot=8, total_mib=1024, available_mib=900):
        self.root = pathlib.Path(root)
        self.memory = self.root / "sys/devices/system/memory"
        self.block_bytes = block_mib * MIB
        self.write("sys/devices/system/memory/block_size_bytes", f"{self.block_bytes:x}")
        self.write("sys/devices/system/memory/auto_online_blocks", "offline")
        self.write("sys/devices/system/memory/uevent", "")
        self.write("sys/module/memory_hotplug/parameters/online_policy", "contig-zones")
        self.write("sys/module/memory_hotplug/parameters/memmap_on_memory", "N")
        self.write("proc/sys/kernel/osrelease", "6.1.0-test")
        (self.root / "proc/uptime").symlink_to("/proc/uptime")  # time goes on there too
        self.write("proc/meminfo", f"MemTotal: {total_mib * 1024:>14} kB\nMemFree: {200 * 1024:>14} kB\n"
                                   f"MemAvailable: {available_mib * 1024:>14} kB\nBuffers: 1 kB")
        if boot:
            self.add(0, boot - 1, "online", "none", removable=0)

    def write(self, name, text):
        """Write a file below the root; as with a kernel's, nobody sees it half written."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self.root / ".new"
        new.write_text(text + "\n" if text else "")
        if path.exists():
            shutil.copymode(path, new)
        new.replace(path)

    def block(self, number):
        """The directory of a block."""
        return self.memory / f"memory{number}"

    def add(self, first, last, state="offline", zones="Normal Movable", node=0, removable=1):
        """Add blocks; valid_zones comes last, as guest.sh waits for it."""
        for number in range(first, last + 1):
            directory = self.block(number)
            directory.mkdir(parents=True, exist_ok=True)
            if node is not None:
                (directory / f"node{node}").mkdir(exist_ok=True)
            files = {"state": state, ".state": state, "removable": removable, "phys_index": f"{number:08x}",
                     "online": int(state == "online"), "valid_zones": zones}
            for name, value in files.items():
                (directory / name).write_text(f"{value}\n")

    def remove(self, first, last):
        """Remove blocks."""
        for number in range(first, last + 1):
            directory = self.block(number)
            gone = directory.with_name(f"gone-{number}")
            directory.rename(gone)  # at once, as the kernel does it
            for path in gone.iterdir():
                if path.is_dir():
                    path.rmdir()
                else:
                    path.unlink()
            gone.rmdir()

    def state(self, number):
        """The state and zones of a block: "online Movable"."""
        directory = self.block(number)
        return " ".join((directory / name).read_text().strip() for name in ("state", "valid_zones"))

    def states(self, first, last):
        """The set of them for a range."""
        return {self.state(number) for number in range(first, last + 1)}

    def refuse(self, number, word, why):
        """Let the kernel refuse that word for that block (kernel_channel only)."""
        (self.block(number) / f".refuse-{word}").write_text(why + "\n")

    def hang(self, number, word):
        """Let a write of that word hang (kernel_channel only)."""
        os.mkfifo(self.block(number) / f".hang-{word}")

    def shell(self):
        """What an interactive shell reads to have a sh that takes this tree for its machine.

        The same sh is in the directory of that file, for a shell that does not read it.
        """
        shell = self.root / "bin/sh"
        self.write("bin/sh", f"#!/bin/sh\nexec /bin/sh -s {shlex.quote(str(self.root))}")
        shell.chmod(0o755)
        self.write("bin/rc", f"alias sh={shlex.quote(str(shell))}")  # before busybox's own sh
        return shell.with_name("rc")

    def local_channel(self):
        """The address of a channel to this tree, whose files keep whatever is written to them."""
        return f"local:{self.root}"

    def kernel_channel(self):
        """The address of a channel to this tree with the kernel of kernel.sh."""
        kernel = shlex.quote(str(DATA / "kernel.sh"))
        return f"exec:{{ cat {kernel}; cat; }} | bash -s {shlex.quote(str(self.root))}"


# A virtual machine as its monitor shows it

class Refusal(Exception):
    """An error reply."""

    def __init__(self, desc, kind="GenericError"):
        super().__init__(desc)
        self.kind = kind


class Vm:
    """A q35 machine: what QEMU 7.2 answers to what memhp asks. With a tree, its guest has the blocks."""

    def __init__(self, tree=None, base_mib=512, slots=4, max_mib=8192):
        self.tree = tree
        self.base = base_mib * MIB
        self.slots = slots
        self.max = max_mib * MIB
        self.objects = {"pc.ram": self.base}
        self.devices = []
        self.chardevs = []
        self.status = "running"
        self.migration = None
        self.deleted = []  # ids, in the order of their going

    # state

    def plug(self, name, mib, address=None, anonymous=False):
        """Put a DIMM in, with its backend NAME-mem, and its blocks into the tree; returns its data."""
        self.objects[f"{name}-mem"] = mib * MIB
        return self.insert({"id": None if anonymous else f"{name}-dimm", "memdev": f"{name}-mem",
                            "addr": address})

    def insert(self, arguments):
        """Make a device of the arguments of device_add."""
        size = self.objects.get(arguments.get("memdev"))
        if size is None:
            raise Refusal(f"Property 'pc-dimm.memdev' can't find value '/objects/{arguments.get('memdev')}'")
        if arguments.get("id") and self.find(arguments["id"]):
            raise Refusal(f"Duplicate device ID '{arguments['id']}'")
        used = {d["slot"] for d in self.devices}
        slot = arguments.get("slot", next((n for n in range(self.slots) if n not in used), None))
        if slot is None:
            raise Refusal("no free slots available")
        end = max((d["addr"] + d["size"] for d in self.devices), default=BASE)
        device = {"memdev": f"/objects/{arguments['memdev']}", "hotplugged": True, "hotpluggable": True,
                  "addr": arguments.get("addr") or end, "size": size, "slot": slot,
                  "node": arguments.get("node", 0)}
        if arguments.get("id"):
            device["id"] = arguments["id"]
        self.devices.append(device)
        if self.tree:
            self.tree.add(*self.blocks(device))
        return device

    def remove(self, device):
        """Let go of a device, whose blocks go with it."""
        self.devices.remove(device)
        self.deleted.append(device.get("id"))
        if self.tree:
            self.tree.remove(*self.blocks(device))

    def blocks(self, device):
        """The first and last block of a device."""
        first = device["addr"] // self.tree.block_bytes
        return first, first + device["size"] // self.tree.block_bytes - 1

    def find(self, name):
        """The device with that id or QOM path."""
        return next((d for d in self.devices if name in (d.get("id"), self.path(d))), None)

    def path(self, device):
        """Its QOM path."""
        if "id" in device:
            return f"/machine/peripheral/{device['id']}"
        anonymous = [d for d in self.devices if "id" not in d]
        return f"/machine/peripheral-anon/device[{anonymous.index(device)}]" if device in anonymous else None

    def occupied(self, backend):
        """Is a backend in use by a device?"""
        return any(d["memdev"] == f"/objects/{backend}" for d in self.devices)

    # commands: each returns the "return" value and the events that follow

    def answer(self, command, arguments):
        """Answer a command; raises Refusal."""
        method = getattr(self, "do_" + command.replace("-", "_"), None)
        if not method:
            raise Refusal(f"The command {command} has not been found", "CommandNotFound")
        value = method(**{k.replace("-", "_"): v for k, v in arguments.items()})
        return value if isinstance(value, tuple) else (value, [])

    def do_qmp_capabilities(self):
        return {}

    def do_query_status(self):
        return {"status": self.status, "singlestep": False, "running": self.status == "running"}

    def do_query_memory_devices(self):
        return [{"type": "dimm", "data": dict(d)} for d in self.devices]

    def do_query_memory_size_summary(self):
        return {"base-memory": self.base, "plugged-memory": sum(d["size"] for d in self.devices)}

    def do_qom_list(self, path):
        if path == "/objects":
            return [{"name": "type", "type": "string"}] + [
                {"name": name, "type": "child<memory-backend-ram>"} for name in self.objects]
        if path == "/machine/peripheral-anon":
            count = sum("id" not in d for d in self.devices)
            return [{"name": "type", "type": "string"}] + [
                {"name": f"device[{n}]", "type": "child<pc-dimm>"} for n in range(count)]
        raise Refusal(f"Device '{path}' not found", "DeviceNotFound")

    def do_qom_get(self, path, property):  # pylint: disable=redefined-builtin
        device = self.find(path)
        if device:
            return device[property]
        limits = {"slots": self.slots, "max-size": self.max} if self.slots else {}
        known = {("/machine", "memory"): {"size": self.base, **limits},
                 ("/machine", "type"): "pc-q35-7.2-machine",
                 ("/machine/device-memory[0]", "addr"): BASE}
        if (path, property) not in known:
            raise Refusal(f"Device '{path}' not found", "DeviceNotFound")
        return known[path, property]

    def do_query_acpi_ospm_status(self):
        return [{"source": 0, "status": 0, "slot": str(n), "slot-type": "DIMM"} for n in range(self.slots)]

    def do_query_migrate(self):
        return {"status": self.migration} if self.migration else {}

    def do_query_target(self):
        return {"arch": "x86_64"}

    def do_query_chardev(self):
        return self.chardevs

    def do_object_add(self, id, size, qom_type):  # pylint: disable=redefined-builtin,unused-argument
        if id in self.objects:
            raise Refusal(f"attempt to add duplicate property '{id}' to object (type 'container')")
        self.objects[id] = size
        return {}

    def do_object_del(self, id):  # pylint: disable=redefined-builtin
        if id not in self.objects:
            raise Refusal(f"object '{id}' not found")
        if self.occupied(id):
            raise Refusal(f"object '{id}' is in use, can not be deleted")
        del self.objects[id]
        return {}

    def do_device_add(self, **arguments):
        device = self.insert(arguments)
        return {}, [ost(1, 0, device["slot"], device.get("id"))]

    def do_device_del(self, id):  # pylint: disable=redefined-builtin
        device = self.find(id)
        if not device:
            raise Refusal(f"Device '{id}' not found", "DeviceNotFound")
        events = [ost(3, 0x84, device["slot"], device.get("id")), deleted(device.get("id"), self.path(device))]
        self.remove(device)
        return {}, events


# What a monitor's script is made of. A script is a list; each item is a message (dict), bytes, or one of these.

class Default:
    """What the model answers, with the events that follow."""


class Quietly:
    """What the model answers, without the events."""


class Hold:
    """The reply of what follows is kept back ..."""


class Release:
    """... and all that is kept back goes out now, the last first."""


class Close:
    """The connection ends, and no other is greeted any more."""


def reply(value=None):
    """A reply to the command, which the model knows nothing of."""
    return lambda request: {"return": {} if value is None else value, "id": request["id"]}


def error(desc, kind="GenericError"):
    """An error reply."""
    return lambda request: {"error": {"class": kind, "desc": desc}, "id": request["id"]}


def event(name, **data):
    """An event."""
    return {"event": name, "data": data, "timestamp": {"seconds": 1700000000, "microseconds": 1}}


def ost(source, status, slot=0, device=None):
    """ACPI's answer about a slot."""
    info = {"source": source, "status": status, "slot": str(slot), "slot-type": "DIMM"}
    return event("ACPI_DEVICE_OST", info=dict(info, **({"device": device} if device else {})))


def deleted(device, path=None):
    """DEVICE_DELETED by id and path, or by path only."""
    data = {"path": path or f"/machine/peripheral/{device}"}
    return event("DEVICE_DELETED", **(dict(data, device=device) if device else data))


GREETING = {"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},
                    "capabilities": ["oob"]}}


def encode(message):
    """A message as QEMU sends it."""
    return json.dumps(message).encode() + b"\r\n"


class Server:
    """A thread that serves one client of a UNIX socket after the other."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(4)
        self.stopper, self.stopped = socket.socketpair()
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def stop(self):
        """Serve nobody any more."""
        self.stopper.close()
        self.thread.join()

    def __exit__(self, kind, value, traceback):
        self.stop()
        self.listener.close()
        self.stopped.close()
        if self.failure and not kind:
            raise AssertionError(f"the peer failed: {self.failure!r}") from self.failure

    def readable(self, *others):
        """Wait until one of the sockets is readable; an empty list when the server is to stop."""
        ready = select.select([self.stopped, *others], [], [])[0]
        return [] if self.stopped in ready else ready

    def run(self):
        """The thread."""
        while self.readable(self.listener):
            connection = self.listener.accept()[0]
            with connection:
                try:
                    self.serve(connection)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client's right
                except Exception as failure:  # pylint: disable=broad-except
                    self.failure = failure
                    return

    def serve(self, connection):
        """Serve one client."""
        raise NotImplementedError


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


# The guest's side

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
                                   for n, payload in enumerate([*SCAN, "end"], start=1))
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


# The guest's console: a real shell on a real pty, on a socket as QEMU has it.

def clean(data):
    """Output that nothing happens to."""
    return data


class Inserted:
    """Text put into the output at byte offsets."""

    def __init__(self, places, text=b"\r\n[   12.345678] usb 1-1: new high-speed USB device number 2\r\n"):
        self.places = list(places)
        self.text = text
        self.passed = 0

    def __call__(self, data):
        out, start = b"", 0
        for place in [p for p in self.places if self.passed <= p < self.passed + len(data)]:
            out += data[start:place - self.passed] + self.text
            start = place - self.passed
            self.places.remove(place)
        self.passed += len(data)
        return out + data[start:]


class Behind:
    """Text put in once, right behind the first of some words in the output."""

    def __init__(self, words, text):
        self.words, self.text = words, text
        self.seen = b""
        self.is_done = False

    def __call__(self, data):
        before = len(self.seen)
        self.seen += data
        if self.is_done or self.words not in self.seen:
            return data
        self.is_done = True
        cut = self.seen.index(self.words) + len(self.words) - before
        return data[:cut] + self.text + data[cut:]


class Sprinkled:
    """Text put into the output with a probability for each byte, of a random generator."""

    def __init__(self, random, probability, texts):
        self.random, self.probability, self.texts = random, probability, texts

    def __call__(self, data):
        out = b""
        for byte in data:
            if self.random.random() < self.probability:
                out += self.random.choice(self.texts)
            out += bytes([byte])
        return out


class Console(Server):
    """A shell on a pty behind a socket.

    @shell:	words of the command
    @tree:	what the shell is to take for its machine
    @ready:	what it prints when it is ready
    @fault:	what becomes of its output on the way to the client
    """

    def __init__(self, path, tree, shell=("dash",), env=None, ready=b"# ", fault=clean):
        super().__init__(path)
        self.master, self.slave = pty.openpty()
        self.ready, self.fault = ready, fault
        self.output = b""  # all of it, undamaged
        self.last_words = None  # the connection ends once, right behind these in the output
        environment = {"PATH": os.environ["PATH"], "TERM": "vt100", "PS1": "# ", "LC_ALL": "C.UTF-8",
                       "HISTFILE": "", **(env or {})}
        if tree:
            environment.update(ENV=tree.shell(), PATH=f"{tree.shell().parent}:{environment['PATH']}")
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            ["setsid", "-c", *shell], stdin=self.slave, stdout=self.slave, stderr=self.slave, env=environment)

    def __enter__(self):
        self.pump_until(lambda: self.ready in self.output)
        return super().__enter__()

    def __exit__(self, *failure):
        super().__exit__(*failure)
        self.kill()
        os.close(self.master)
        os.close(self.slave)

    def kill(self):
        """End the shell and all that it has started."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def processes(self):
        """The processes of the shell's session."""
        return session_processes(self.process.pid)

    def pump_until(self, condition):
        """Read output, with nobody connected, until the condition is true."""
        while not condition():
            assert select.select([self.master], [], [], HANG)[0], f"the shell is silent: {self.output!r}"
            self.output += os.read(self.master, 65536)

    def at_prompt(self):
        """Is the prompt the last thing that was printed? Escape sequences do not count."""
        return re.sub(rb"\033\[[0-9;?]*[a-zA-Z]", b"", self.output).endswith(self.ready)

    def settle(self):
        """Serve nobody any more, and wait for the prompt."""
        self.stop()
        self.pump_until(self.at_prompt)

    def ask(self, command, answer):
        """Type a command after settle(), and wait for a line of its output; returns all of it."""
        seen = len(self.output)
        os.write(self.master, command + b"\n")
        self.pump_until(lambda: answer + b"\r\n" in self.output[seen:])
        self.pump_until(self.at_prompt)
        return self.output[seen:]

    def modes(self):
        """The terminal's modes."""
        return termios.tcgetattr(self.slave)

    def serve(self, connection):
        while True:
            ready = self.readable(connection, self.master)
            if not ready:
                return
            if connection in ready:
                data = connection.recv(65536)
                if not data:
                    return
                os.write(self.master, data)
            if self.master in ready and not self.forward(connection):
                return

    def forward(self, connection):
        """Send output on; False when the connection has to end."""
        data = os.read(self.master, 65536)
        self.output += data
        if self.last_words and self.last_words in self.output[-len(data) - 100:]:
            end = self.output.rindex(self.last_words) + len(self.last_words)
            connection.sendall(data[:len(data) - (len(self.output) - end)])
            self.last_words = None
            return False
        connection.sendall(self.fault(data))
        return True


@contextlib.contextmanager
def relayed(connect):
    """A thread that passes bytes between two ends until one of them ends or the block does.

    @connect:	called in the thread; returns both ends, each a socket or a descriptor's number
    """
    stopper, stopped = socket.socketpair()

    def number(end):
        return end if isinstance(end, int) else end.fileno()

    def run():
        ends = connect()
        other = dict(zip(ends, reversed(ends)))
        while True:
            ready = select.select([stopped, *ends], [], [])[0]
            if stopped in ready:
                break
            for end in ready:
                data = os.read(number(end), 65536)
                if not data:
                    return
                os.write(number(other[end]), data)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopper.close()
        thread.join()
        stopped.close()


def connected(path):
    """A connection to a UNIX socket."""
    end = socket.socket(socket.AF_UNIX)
    end.connect(str(path))
    return end


def session_processes(session):
    """The processes of a session, which has its leader's number."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.getsid(int(entry)) == session:
                state = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[0]
                if state != "Z":
                    found.append(int(entry))
        except (ProcessLookupError, FileNotFoundError):
            pass
    return found
