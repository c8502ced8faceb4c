# SPDX-License-Identifier: GPL-3.0-or-later
"""guest.sh by itself in a shell on pipes, as it is and as it is packed."""
import contextlib
import json
import os
import re
import select
import subprocess
import time

import peer
from binary import GUEST_PROGRAM
from peer import HANG, session_processes

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox ash": ["busybox", "ash"]}
FRAME = re.compile(rb"@(\w{8})\.(\d+) (\d+) (\d+) (.*) (\d+) (\d+) (\w{8})@\n", re.DOTALL)
SESSION = "0badcafe"
CANCEL, AGAIN = "[ $MEMHP ]&&q\n", "[ $MEMHP ]&&again\n"


def pieces():
    """guest.sh as memhp sends it."""
    rows = subprocess.run(["awk", "-f", peer.ROOT / "guest" / "pack.awk", *GUEST_PROGRAM], check=True, text=True,
                          capture_output=True).stdout
    found = [json.loads(f'"{text}"') for text in re.findall(r', "(.*)" \},', rows)]
    assert len(found) == rows.count("\n") > 1
    return found


def packed():
    """All of it."""
    return "".join(pieces())


def as_it_is():
    """The files one after the other."""
    return "".join(path.read_text() for path in GUEST_PROGRAM)


PROGRAMS = {"as it is": as_it_is, "packed": packed}


def run_shell(shell, text):
    """What a shell that has read the text says."""
    return subprocess.run(shell, input=text, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"]}).stdout


class Guest:
    """A shell that runs guest.sh."""

    def __init__(self, root, shell, program, /, **env):
        environment = dict({"PATH": os.environ["PATH"]}, **env)
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*shell, "-s", str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
            start_new_session=True)
        self.exchange = 0
        self.buffer = b""
        self.is_timed = None
        self.send(f"MEMHP={SESSION}\nexec 3>&1 >/dev/null\n{program}\n")

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(HANG)
        left = wait_until(lambda: not session_processes(self.process.pid))
        for pid in session_processes(self.process.pid):
            os.kill(pid, 9)
        self.process.wait()
        complaints = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        if not failure[0]:
            assert left, "processes are left"
            assert b"not found" not in complaints and b"yntax" not in complaints, complaints

    def send(self, text):
        """Send a line of commands."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def start(self, commands):
        """Start commands."""
        self.exchange += 1
        self.send(f"begin {self.exchange}&&{{ {commands};answer;}}\n")

    def receive(self):
        """The bytes of one answer."""
        end = re.compile(rb"\d+ 3 end \d+ 3 " + SESSION.encode() + rb"@\n")
        while not end.search(self.buffer):
            assert select.select([self.process.stdout], [], [], HANG)[0], f"silence after {self.buffer!r}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"it ended after {self.buffer!r}"
            self.buffer += data
        stop = end.search(self.buffer).end()
        answer, self.buffer = self.buffer[:stop], self.buffer[stop:]
        return answer

    def read(self):
        """The payloads of one answer, without the end; every frame is as it has to be.

        What was said ahead of it, of how far a command had come, is in self.told.
        """
        answer = self.receive()
        payloads, self.told = [], []
        for line in answer.splitlines(keepends=True):
            match = FRAME.fullmatch(line)
            assert match, line
            session, exchange, first, length, payload, second, again, last = match.groups()
            assert session == last == SESSION.encode() and int(exchange) == self.exchange, line
            assert first == second and int(length) == int(again) == len(payload), line
            text = payload.decode()
            if int(first) == 0:
                assert not payloads, line
                self.told.append(text)
                continue
            assert int(first) == len(payloads) + 1, line
            if text.startswith("guest "):  # the one fact of a scan that depends on the shell
                self.is_timed = text.endswith(" timed")
                text = text.removesuffix(" timed")
            payloads.append(text)
        assert payloads[-1] == "end"
        return payloads[:-1]

    def run(self, commands):
        """Run commands; their payloads."""
        self.start(commands)
        return self.read()

    def is_alone(self):
        """Has it no other processes any more?"""
        return wait_until(lambda: session_processes(self.process.pid) == [self.process.pid])


def wait_until(condition):
    """Wait until a condition is true; False when it does not become true."""
    end = time.monotonic() + HANG
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def blocks(payloads):
    """The payloads that tell of blocks."""
    return [p.removeprefix("blocks ") for p in payloads if p.startswith("blocks ")]


def words(tree, first, last):
    """What the state files hold."""
    return [(tree.block(n) / "state").read_text().strip() for n in range(first, last + 1)]
