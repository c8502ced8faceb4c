# SPDX-License-Identifier: GPL-3.0-or-later
"""A person at a program on a terminal."""
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

from binary import HANG


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
