# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest whose console asks for a login: the getty of getty.py on a terminal, with a real shell behind it."""
import json
import os
import pathlib
import sys

from peer import Console, Tree, memhp
from vm import wait_until

GETTY = str(pathlib.Path(__file__).resolve().with_name("getty.py"))
PASSWORD = "s3cret-Pass word"
WITH_PASSWORD = {"MEMHP_GUEST_PASSWORD": PASSWORD}


class Guest:
    """A console with the getty, the log of what that was told, and memhp on it."""

    def __init__(self, directory, uid="0", sudo=None, **how):
        self.path, self.log = directory / "console", directory / "log"
        self.tree = Tree(directory / "guest")
        self.tree.add(32, 33, "online", "Movable")
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.program("id", f'echo "${{FAKE_UID-{uid}}}"')
        self.program("sudo", sudo or 'echo "sudo: a password is required" >&2; exit 1')
        self.log.touch()
        how = {"log": str(self.log), "users": {"root": PASSWORD, "admin": PASSWORD, "free": None}, **how}
        self.console = Console(
            self.path, self.tree, (sys.executable, GETTY, json.dumps(how)), ready=b"Password: " if how.get("start") else b"login:",
            env={"PATH": f"{self.programs}:{os.environ['PATH']}"})
        # the tree's own sh reads guest.sh only
        self.tree.write("bin/sh", f'#!/bin/sh\n[ "$1" != -c ] || exec /bin/sh "$@"\nexec /bin/sh -s {self.tree.root}')

    def program(self, name, text):
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def __enter__(self):
        self.console.__enter__()
        return self

    def __exit__(self, *failure):
        self.console.__exit__(*failure)

    def words(self):
        return ["--guest", f"serial:{self.path}", "--json"]

    def memhp(self, *words, user="root", env=WITH_PASSWORD, more=()):
        return memhp(*self.words(), *(["--login", user] if user else []), *more, *(words or ("blocks",)), env=env)

    def told(self):
        """What the getty has noted."""
        return self.log.read_text(encoding="utf-8").splitlines()

    def told_at_last(self, *lines):
        wait_until(lambda: self.told() == list(lines), what=f"{lines} in the end, not {self.told()}")
