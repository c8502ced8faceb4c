# SPDX-License-Identifier: GPL-3.0-or-later
"""A running machine, and what QEMU and its guest say of it."""
import collections
import contextlib
import fcntl
import json
import os
import pathlib
import re
import subprocess

from binary import BINARY, LAB, MIB, PATIENCE, clean_environment, run_memhp
from vm.qmp import Gone, Qmp, QmpError
from vm.terminal import Console, Terminal
from wait import wait_until

BLOCK = 128 * MIB  # of the x86_64 guests
FIRST = 32  # the first block above 4 GiB
Memory = collections.namedtuple("Memory", "total blocks")
Block = collections.namedtuple("Block", "state zones")
LOOK = """
while read -r n v _; do [ "$n" = MemTotal: ] && echo "$n $v"; done </proc/meminfo
for d in /sys/devices/system/memory/memory[0-9]*; do
s= z=; read -r s <$d/state; [ "$s" != online ] || read -r z <$d/valid_zones; echo "${d##*/memory} $s $z"; done"""
LIST_PROCESSES = "for p in /proc/[0-9]*; do read -r l <$p/stat && echo \"$l\"; done 2>/dev/null; :"


class LabError(Exception):
    """The lab could not boot a machine."""


class Unavailable(LabError):
    """The test asked for another kernel or architecture than this host's, and its packages do not have that."""


# What the lab says then: an emulator is missing, or no mirror serves the packages.
UNAVAILABLE = re.compile(r"missing on this machine|apt knows no such|cannot fetch|cannot build")


def lab_error(options, said):
    """What a failed start with those options of the lab means."""
    is_special = not {"kernel", "arch"}.isdisjoint(options)
    return (Unavailable if is_special and UNAVAILABLE.search(said) else LabError)(said)


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
            raise lab_error(options, started.stderr)
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
            [BINARY, *map(str, words)], env=clean_environment(**env), text=True,
            errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            **{"stderr": subprocess.PIPE, **options})

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
