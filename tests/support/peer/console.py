# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest's console: a real shell on a real pty, on a socket as QEMU has it."""
import contextlib
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import termios

from binary import HANG
from peer.fault import clean
from peer.server import Server

SHELLS = {
    "dash": ("dash",),
    "bash": ("bash", "--norc", "--noprofile"),
    "busybox ash": ("busybox", "ash"),
}


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
