# SPDX-License-Identifier: GPL-3.0-or-later
"""A serial line of a real guest: as a person has it, and as a root shell of the tests' own."""
import re
import select
import time

from binary import PATIENCE
from vm.qmp import Gone, connect


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
