#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""soak.py [ROUNDS [SEED]]: plug and unplug on one VM, again and again, with whatever may come in between.

Each round plugs a random size, whole or in DIMMs, to a random zone, and takes it away again. Some are interrupted
or killed at a random line of what --verbose shows, some meet a kernel that refuses; memhp repair follows those.
A part of the rounds goes through one memhp shell. In the end everything has to be as it was: MemTotal, blocks,
slots, backends, the descriptors of QEMU and of the shell, and the guest's processes.
"""
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "support"))

import vm as virtual  # noqa: E402  pylint: disable=wrong-import-position

BLOCK = virtual.BLOCK
LOOK_EVERY = 50  # rounds
SHELL_SHARE = 5  # of so many rounds one goes through the shell
# What each kind of trouble may end with.
DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 5, 130
MEANT = {"none": {DONE}, "refuse": {REFUSED}, "interrupt": {DONE, INTERRUPTED}, "kill": {DONE, -signal.SIGKILL}}


def descriptors(pid):
    """How many a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Soak:
    """One run."""

    def __init__(self, machine, seed):
        self.vm = machine
        self.random = random.Random(seed)
        self.codes = collections.Counter()
        self.start = self.picture()

    def picture(self):
        """All that has to be the same in the end."""
        state = self.vm.state()
        return {**state, "descriptors": descriptors(self.vm.pid),
                "programs": collections.Counter(self.vm.processes().values())}

    def plug_words(self):
        """A plug that the machine has room for."""
        blocks = self.random.randint(1, 8)
        words = ["plug", f"{blocks * BLOCK >> 20}M"]
        if self.random.random() < 0.3:
            part = self.random.choice([n for n in range(1, blocks + 1) if blocks % n == 0])
            words += ["--dimm", f"{part * BLOCK >> 20}M"]
        zone = self.random.choice(["auto", "movable", "kernel", None])
        return words + (["--zone", zone] if zone else ["--no-online"])

    def unplug_words(self):
        """An unplug of all, of the last, or by name."""
        ids = [d["id"] for d in self.vm.devices()]
        return ["unplug", *self.random.choice([["--all"], ids])]

    def run(self, words, trouble):
        """One command, with one trouble; its exit code."""
        action = {"plug": "MEM_GOING_ONLINE", "unplug": "MEM_GOING_OFFLINE"}[words[0]]
        if trouble == "refuse":
            self.vm.inject(action, -16)
        process = self.vm.start_memhp("--verbose", *words)
        lines = []
        count = self.random.randint(1, 45) if trouble in ("interrupt", "kill") else 0
        for line in process.stderr:
            lines.append(line)
            if len(lines) == count:
                process.send_signal(signal.SIGINT if trouble == "interrupt" else signal.SIGKILL)
        virtual.end_process(process)
        if trouble == "refuse":
            self.vm.inject(action, 0)
        self.codes[f"{words[0]}: {trouble}", process.returncode] += 1
        return process.returncode, "".join(lines[-8:])

    def expect(self, words, trouble, *others):
        """The same, and the exit code is one of those that are meant."""
        code, said = self.run(words, trouble)
        if code not in MEANT[trouble] | set(others):
            raise SystemExit(f"soak: {' '.join(words)} ({trouble}) ended with {code}:\n{said}")

    def call(self, *words):
        """A command that has to succeed."""
        done = self.vm.memhp(*words)
        self.codes[words[0], done.returncode] += 1
        if done.returncode:
            raise SystemExit(f"soak: {' '.join(words)} ended with {done.returncode}: {done.stderr}")

    def clear(self):
        """Repair, and take away what is there. Kernel memory that the guest uses may need another try."""
        self.call("repair")
        for attempt in range(5):
            if not self.vm.devices():
                return
            self.expect(["unplug", "--all"], "none", *([REFUSED] if attempt < 4 else []))

    def round(self):
        """Plug, unplug, and what may come in between."""
        troubles = ["none", "none", "none", "refuse", "interrupt", "kill"]
        words = self.plug_words()
        trouble = self.random.choice(troubles)
        if trouble == "refuse" and "--no-online" in words:
            trouble = "none"
        self.expect(words, trouble)
        if trouble == "kill":
            self.call("repair", *self.random.choice([[], ["--forward"], ["--back"]]))
        if not self.vm.devices():
            return
        is_offline = "--no-online" in words
        trouble = self.random.choice(troubles)
        if trouble == "refuse" and is_offline:
            trouble = "none"
        # memory of the kernel's zones may be in use
        self.expect(self.unplug_words(), trouble, REFUSED)
        if trouble != "none" or self.vm.devices():
            self.clear()

    def check(self, rounds):
        """Is all as it was?"""
        now = self.picture()
        for what, then in self.start.items():
            if now[what] != then:
                raise SystemExit(f"soak: after {rounds} rounds {what} is {now[what]}, was {then}")

    def shell(self, rounds):
        """Rounds through one memhp shell; the most descriptors it had in the first half, and in the second."""
        process = subprocess.Popen(
            [virtual.BINARY, "--json", "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=virtual.clean_environment(MEMHP_QMP=self.vm.path("qmp.sock"), HOME=self.vm.run_dir))

        def ask(line):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            if not answer["ok"]:
                raise SystemExit(f"soak: {line} in the shell: {answer}")

        counts = []
        for _ in range(rounds):
            ask(f"plug {self.random.randint(1, 4) * BLOCK >> 20}M")
            ask("unplug")
            counts.append(descriptors(process.pid))
        process.stdin.close()
        if process.wait():
            raise SystemExit(f"soak: the shell ended with {process.returncode}")
        half = (rounds + 1) // 2
        return max(counts[:half]), max(counts[rounds - half:])

    def soak(self, rounds):
        """All of it."""
        shell_rounds = rounds // SHELL_SHARE
        for number in range(1, rounds - shell_rounds + 1):
            self.round()
            if number % LOOK_EVERY == 0:
                self.check(number)
        first, last = self.shell(shell_rounds)
        if last > first:
            raise SystemExit(f"soak: the shell had {first} descriptors, and {last} in the end")
        self.check(rounds)
        return first, last


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1000000
    machines = virtual.Machines()
    # With memory of its own in zone Normal a guest hardly uses what is plugged there, and can give it back.
    machine = machines.get(memory="3G")
    print(f"soak: {rounds} rounds, seed {seed}", flush=True)
    started = time.monotonic()
    soak = Soak(machine, seed)
    first, last = soak.soak(rounds)
    for (what, code), count in sorted(soak.codes.items()):
        print(f"  {what:24} exit {code:4}: {count}")
    start = soak.start
    print(f"  MemTotal {start['memory'].total >> 10} KiB, {len(start['memory'].blocks)} blocks, "
          f"{len(start['devices'])} devices, {len(start['backends'])} backends, {start['descriptors']} descriptors of "
          f"QEMU, {sum(start['programs'].values())} processes in the guest: the same as before")
    print(f"  descriptors of the shell: {first}, then {last}")
    print(f"soak: ok: {rounds} rounds in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
