# SPDX-License-Identifier: GPL-3.0-or-later
"""Real virtual machines for the tests, and ways to look at them that do not go through memhp.

Every machine is booted by lab/memhp-lab. memhp gets the first monitor and the first console; the tests
look through the second monitor (class Qmp) and the second console (class Console).
"""
import atexit
import collections
import contextlib
import fcntl
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "memhp-lab"
BINARY = str(pathlib.Path(os.environ.get("MEMHP_BIN", ROOT / "memhp")).absolute())

MIB = 1 << 20
GIB = 1 << 30
BLOCK = 128 * MIB  # of the x86_64 guests
FIRST = 32  # the first block above 4 GiB

PATIENCE = 60  # seconds; only ever waited for in full when a test fails anyway
MACHINES_MAX = 3  # kept running at the same time


class Gone(Exception):
    """A monitor, a console or a whole machine went away or does not answer."""


def clean_environment(**more):
    """The environment without the MEMHP_ variables, plus those given."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MEMHP_") and k != "NO_COLOR"}
    env.update({k: str(v) for k, v in more.items()})
    return env


def check_sanitizers(stderr):
    """Fail when a sanitizer has found something in memhp."""
    text = stderr if isinstance(stderr, str) else stderr.decode(errors="replace") if stderr else ""
    assert "Sanitizer" not in text and "runtime error: " not in text, text


def run_memhp(*words, env=None, timeout=PATIENCE, **options):
    """Run the binary under test; env is added to a clean environment."""
    options.setdefault("stdin", subprocess.DEVNULL)
    if "input" in options:
        del options["stdin"]
    if "stdout" not in options and "stderr" not in options:
        options["capture_output"] = True
    done = subprocess.run(
        [BINARY, *map(str, words)], env=clean_environment(**(env or {})), timeout=timeout,
        text=True, errors="replace", check=False, **options)
    check_sanitizers(done.stderr)
    return done


def wait_until(condition, timeout=PATIENCE, what="the condition"):
    """Poll until condition() is true, and return what it returned."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true")
        time.sleep(0.02)


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


class Terminal:
    """The host's end of a serial line, as a person with a terminal program has it."""

    def __init__(self, path):
        self.socket = connect(path)
        self.text = ""

    def type(self, text):
        self.socket.sendall(text.encode())

    def wait_for(self, pattern, timeout=PATIENCE):
        """Read until the pattern matches; return the text up to its end and drop that."""
        end = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.text)
            if match:
                seen, self.text = self.text[:match.end()], self.text[match.end():]
                return seen
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise Gone(f"no {pattern!r} on the console, but {self.text[-2000:]!r}")
            more = self.socket.recv(65536)
            if not more:
                raise Gone("the console closed")
            self.text += more.decode(errors="replace")

    def settle(self):
        """Wait until a shell obeys and prompts, and drop all that came before."""
        for attempts_left in range(20, -1, -1):
            self.type("\necho set''tled\n")
            try:
                self.wait_for(r"settled\r?\n[^\n]*[#$] ", 2)
                break
            except Gone:  # what is typed while a new shell starts is lost
                if not attempts_left:
                    raise
        while select.select([self.socket], [], [], 0.1)[0]:
            self.text += self.socket.recv(65536).decode(errors="replace")
        self.text = ""

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Console(Terminal):
    """A root shell in the guest for the tests' own commands: neither echo nor prompt."""

    def __init__(self, path):
        super().__init__(path)
        self.count = 0
        # A shell whose stdout and stderr are no terminal neither prompts nor edits lines.
        self.type("stty -echo; exec sh 3>&1 >/dev/null 2>&1\n")
        # In a guest that runs out of memory somebody has to live to tell.
        self.type("exec >&3 2>&3; echo -1000 >/proc/self/oom_score_adj; echo READ\"\"Y\n")
        self.wait_for(r"READY\r?\n")

    def run(self, command, check=True, timeout=PATIENCE):
        """The output of a command; it fails the test when its status is not 0."""
        self.count += 1
        self.type(f"{{ {command}\n}} </dev/null; echo \"<{self.count} $?>\"\n")
        seen = self.wait_for(rf"<{self.count} \d+>\r?\n", timeout)
        output, status = re.fullmatch(rf"(?s)(.*)<{self.count} (\d+)>\s*", seen).groups()
        output = output.replace("\r", "")
        if check and status != "0":
            raise AssertionError(f"the guest failed ({status}): {command}\n{output}")
        return output


Memory = collections.namedtuple("Memory", "total blocks")
Block = collections.namedtuple("Block", "state zones")

LOOK = """
while read -r n v _; do [ "$n" = MemTotal: ] && echo "$n $v"; done </proc/meminfo
for d in /sys/devices/system/memory/memory[0-9]*; do
s= z=; read -r s <$d/state; [ "$s" != online ] || read -r z <$d/valid_zones; echo "${d##*/memory} $s $z"; done"""

LIST_PROCESSES = "for p in /proc/[0-9]*; do read -r l <$p/stat && echo \"$l\"; done 2>/dev/null; :"


class Vm:
    """One running machine; the prefix runs the lab elsewhere, as in a world of its own."""

    def __init__(self, lab_dir, name, options, arguments, prefix=()):
        self._lab = [*prefix, LAB]
        self.name = name
        self.run_dir = pathlib.Path(lab_dir) / name
        self.is_discarded = False
        self._env = clean_environment(
            MEMHP_LAB_DIR=lab_dir,
            **{k: os.environ[k] for k in ("MEMHP_LAB_CACHE",) if k in os.environ})
        words = [f"--{k}" if v is True else f"--{k}={v}" for k, v in options.items()]
        started = subprocess.run(
            [*self._lab, "start", "-q", *words, name, *(["--", *arguments] if arguments else [])],
            env=self._env, cwd=lab_dir, text=True, errors="replace", capture_output=True,
            stdin=subprocess.DEVNULL, check=False)
        if started.returncode:
            raise LabError(started.stderr)
        self.monitor = Qmp(self.path("qmp2.sock"))
        self.console = Console(self.path("serial2.sock"))
        self.at_boot = self.state()
        self.programs_at_boot = self.programs()

    def path(self, name):
        return str(self.run_dir / name)

    @property
    def pid(self):
        return int((self.run_dir / "pid").read_text(encoding="ascii"))

    def memhp(self, *words, env=None, **options):
        """Run memhp on this machine; it finds the console by itself."""
        return run_memhp(*words, env={"MEMHP_QMP": self.path("qmp.sock"), **(env or {})}, **options)

    def json(self, *words, code=0, **options):
        """Run memhp --json and return its object."""
        done = self.memhp("--json", *words, **options)
        assert done.returncode == code, done
        assert done.stdout.count("\n") == 1 and done.stdout.endswith("\n"), done.stdout
        return json.loads(done.stdout)

    def start_memhp(self, *words, **options):
        """Start memhp; the caller waits for its end."""
        env = {"MEMHP_QMP": self.path("qmp.sock"), **options.pop("env", {})}
        return subprocess.Popen(
            [BINARY, *map(str, words)], env=clean_environment(**env), text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **{"stderr": subprocess.PIPE, **options})

    def catch_memhp(self, pattern, *words, **options):
        """Start memhp --verbose and read what it says up to a line that matches.

        It stands still there, however slow the caller is: the pipe has room for one line, so that it can
        say one more, and the next only when somebody reads on.
        """
        read_end, write_end = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, os.sysconf("SC_PAGE_SIZE"))
        process = self.start_memhp("--verbose", *words, stderr=write_end, **options)
        os.close(write_end)
        process.stderr = os.fdopen(read_end, encoding="utf-8", errors="replace")
        seen = []
        for line in process.stderr:
            seen.append(line)
            if re.search(pattern, line):
                return process
        raise AssertionError("".join(seen))

    def terminal(self):
        """The first console, memhp's, as a person has it."""
        return Terminal(self.path("serial.sock"))

    def guest(self, command, **options):
        """Run a command in the guest, on the second console."""
        try:
            return self.console.run(command, **options)
        except Gone as gone:
            raise Gone(f"{gone}; on the first one: {self.console_log()[-2000:]}") from gone

    def memory(self):
        """What the guest's kernel says: MemTotal in bytes, and its blocks."""
        total, blocks = None, {}
        for line in self.guest(LOOK).splitlines():
            words = line.split()
            if words and words[0] == "MemTotal:":
                total = int(words[1]) * 1024
            elif len(words) > 1 and words[0].isdigit():  # one without a state goes at this moment
                blocks[int(words[0])] = Block(words[1], tuple(words[2:]))
        return Memory(total, dict(sorted(blocks.items())))

    def mem_total(self):
        return self.memory().total

    def blocks(self):
        return self.memory().blocks

    def zones(self, *numbers):
        """The zone of each block, "offline", or None when there is no such block."""
        blocks = self.blocks()
        zones = []
        for n in numbers:
            block = blocks.get(n)
            zones.append(block and (block.zones[0] if block.state == "online" else block.state))
        return zones

    def processes(self):
        """The guest's processes, without the kernel's threads: {pid: name}.

        Those that have ended and are init's do not count: busybox init collects them once a second.
        """
        found = {}
        for line in self.guest(LIST_PROCESSES).splitlines():
            match = re.match(r"(\d+) \((.*)\) (\S) (\d+)", line)
            if match and match[1] != "2" and match[4] != "2" and (match[3], match[4]) != ("Z", "1"):
                found[int(match[1])] = match[2]
        return found

    def programs(self):
        """How many processes of each name the guest has."""
        return collections.Counter(self.processes().values())

    def wait_for_end(self, before):
        """Wait until the guest has no process that was not among those before, of which some may have been ending."""
        wait_until(lambda: self.processes().items() <= before.items(), what="the end of all of memhp's processes")

    def devices(self):
        """QEMU's memory devices, as it lists them."""
        return [d["data"] for d in self.monitor.execute("query-memory-devices")]

    def backends(self):
        """The ids of the memory backends, but not that of the memory QEMU was started with."""
        objects = self.monitor.execute("qom-list", path="/objects")
        return sorted(o["name"] for o in objects
                      if o["type"].startswith("child<memory-backend") and not o["name"].endswith(".ram"))

    def add_dimm(self, size, backend, device=None, **more):
        """Plug a DIMM behind memhp's back and wait for the guest's kernel to show it."""
        before = self.blocks()
        self.monitor.execute("object-add", qom_type="memory-backend-ram", id=backend, size=size)
        if device:
            more["id"] = device
        self.monitor.execute("device_add", driver="pc-dimm", memdev=backend, **more)
        wait_until(lambda: len(self.blocks()) == len(before) + size // BLOCK)

    def state(self):
        """All that memhp may change."""
        status = self.monitor.execute("query-status")["status"]
        return {
            "status": status,
            "devices": self.devices(),
            "backends": self.backends(),
            "summary": self.monitor.execute("query-memory-size-summary"),
            "memory": self.memory() if status == "running" else None,
        }

    def console_log(self):
        """All that the first console has said."""
        return (self.run_dir / "console.log").read_text(encoding="utf-8", errors="replace")

    def difference(self):
        """What is not as it was at boot, in words; None when all is."""
        # what ends a process in the kernel is counted on every architecture, as in "Oops: 0000 [#1]"
        if died := re.search(r".*\[#\d+\].*", self.console_log()):
            return f"the guest's kernel: {died[0].strip()}"
        try:
            now = self.state()
        except (Gone, QmpError, OSError) as e:
            return f"the machine is gone: {e}"
        for key, then in self.at_boot.items():
            if now[key] != then:
                return f"{key}: {then} became {now[key]}"
        with contextlib.suppress(AssertionError):  # a session takes a moment to end, over ssh for one
            wait_until(lambda: self.programs() == self.programs_at_boot)
            return None
        return f"processes: {self.programs_at_boot} became {self.programs()}"

    def discard(self):
        """The test leaves the machine in a state that nobody else can use."""
        self.is_discarded = True

    def inject(self, action, errno):
        """Let the kernel's notifier refuse each "MEM_GOING_ONLINE" or "MEM_GOING_OFFLINE"; 0: no more."""
        self.guest("modprobe memory-notifier-error-inject && "
                   "cd /sys/kernel/debug/notifier-error-inject/memory/actions && "
                   f"echo {errno} >{action}/error")

    def ssh(self, command):
        """Run a command in the guest over ssh."""
        return subprocess.run(
            ["ssh", "-F", self.path("ssh_config"), "lab", command], text=True, capture_output=True,
            stdin=subprocess.DEVNULL, timeout=PATIENCE, check=True).stdout

    def stop(self):
        for name in ("monitor", "console"):
            with contextlib.suppress(AttributeError, OSError):
                getattr(self, name).close()
        subprocess.run([*self._lab, "stop", "-q", self.name], env=self._env, check=False,
                       stdin=subprocess.DEVNULL)


class LabError(Exception):
    """The lab could not boot a machine."""


class Machines:
    """The machines of a session, booted when first asked for and shared by configuration."""

    def __init__(self):
        # The paths of sockets are limited to 107 bytes.
        self.dir = tempfile.mkdtemp(prefix="mh", dir="/tmp")
        self.running = collections.OrderedDict()
        self.count = 0
        atexit.register(self.close)

    def get(self, arguments=(), **options):
        """The machine with these options of memhp-lab start and these arguments of QEMU."""
        key = (tuple(arguments), tuple(sorted(options.items())))
        if key not in self.running:
            while len(self.running) >= MACHINES_MAX:
                self.running.popitem(last=False)[1].stop()
            self.count += 1
            name = f"v{self.count}"
            try:
                self.running[key] = Vm(self.dir, name, options, arguments)
            except BaseException:
                self._stop(name)
                raise
        self.running.move_to_end(key)
        return self.running[key]

    def _stop(self, *words):
        subprocess.run([LAB, "stop", "-q", *words], env=clean_environment(MEMHP_LAB_DIR=self.dir),
                       check=False, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def drop(self, vm):
        """Stop a machine: whoever wants one like it gets a new one."""
        for key, other in list(self.running.items()):
            if other is vm:
                del self.running[key]
        vm.stop()

    def close(self):
        """Stop all machines, those that only half started too."""
        if os.path.isdir(self.dir):
            self._stop("--all")
            shutil.rmtree(self.dir, ignore_errors=True)
        self.running.clear()


def end_process(process):
    """Make sure that a process is gone; return its stdout and stderr."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        raise
    check_sanitizers(err)
    return out, err
