# SPDX-License-Identifier: GPL-3.0-or-later
"""A world of its own for memhp: a pid namespace in which only the processes of one test are to be seen."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import peer
import pytest

FAKE = pathlib.Path(__file__).with_name("fake_qemu.py")
IS_ROOT = os.geteuid() == 0
UNSHARE = ["unshare", *([] if IS_ROOT else ["--user", "--map-root-user"]),
           "--pid", "--fork", "--kill-child", "--mount-proc"]
NOBODY = 65534


def is_possible():
    """May this user have namespaces?"""
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    return done.returncode == 0


class Fake:
    """A process that is QEMU by its program's name, with whatever words and sockets the test wants."""

    def __init__(self, world, words, listen=(), program="qemu-system-x86_64", cwd=None, uid=None):
        binary = world.program(program)
        command = [binary, "-I", FAKE, *words]
        if uid is not None:
            command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]
        if cwd:
            command = ["env", f"--chdir={cwd}", *command]
        env = {**peer.clean_environment(), "PYTHONHOME": sys.base_prefix, "FAKE_QEMU": json.dumps(list(listen))}
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*world.prefix, "env", f"PYTHONHOME={sys.base_prefix}", *command], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = int(self.process.stdout.readline())  # as memhp sees it

    def commands(self):
        """End it; returns what all its monitors were asked."""
        return json.loads(self.process.communicate("", timeout=peer.HANG)[0])


class Script:
    """A memhp shell that reads a script while that is written."""

    def __init__(self, command, env):
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            command, env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, line):
        """Run a line; what it prints on stdout and stderr."""
        self.process.stdin.write(f"{line}\nhelp\n")  # whose last line tells that it is over
        self.process.stdin.flush()
        said = ""
        while not said.splitlines()[-1:] or not said.splitlines()[-1].startswith("Sizes are "):
            more = self.process.stdout.readline()
            assert more, f"the shell has ended: {said}"
            said += more
        return said.partition("Usage: ")[0]

    def finish(self):
        """The exit code at the end of the script."""
        self.process.communicate(timeout=peer.HANG)
        return self.process.returncode


class World:
    """The namespace. memhp runs in it without the configuration of whoever runs the tests."""

    def __init__(self, directory, etc=None):
        self.directory = pathlib.Path(directory)
        self.home = self.directory / "home"
        self.home.mkdir()
        mount = ["mount", "--bind", etc, "/etc"] if etc else ["true"]
        # Its first process has to wait for whatever is left to it: libvirt counts a dead QEMU as one that does not end.
        script = 'exec 3<&0; "$@" && echo ready && { cat <&3 & wait; }'
        self.holder = subprocess.Popen(  # pylint: disable=consider-using-with
            [*UNSHARE, "sh", "-c", script, "sh", *map(str, mount)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == "ready\n"
        children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children")
        user = [] if IS_ROOT else ["--user", "--preserve-credentials"]
        self.prefix = ["nsenter", "--target", children.read_text().split()[0], "--pid", "--mount", *user, "--"]

    def close(self):
        """The end of its first process is that of all."""
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()

    def program(self, name):
        """An interpreter with another name."""
        path = self.directory / "bin" / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            shutil.copy(os.path.realpath(sys.executable), path)
        return path

    def qemu(self, *words, **options):
        """Start a process that looks like QEMU."""
        return Fake(self, words, **options)

    def vm(self, name, plugged=0, **options):
        """A VM with one monitor, below the directory; its DIMM has @plugged MiB."""
        path = self.directory / f"{name}.qmp"
        listen = [{"path": str(path), "plugged": plugged}]
        return self.qemu("-name", name, "-m", "512M,slots=32,maxmem=8G", "-qmp", f"unix:{path},server=on,wait=off",
                         listen=listen, **options)

    def memhp(self, *words, env=None, uid=None, cwd="/", input=""):  # pylint: disable=redefined-builtin
        """Run memhp to its end."""
        user = [] if uid is None else ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        clean = {k: v for k, v in peer.clean_environment().items() if k != "XDG_CONFIG_HOME"}
        done = subprocess.run(
            [*self.prefix, "env", f"--chdir={cwd}", *user, peer.BINARY, *(w if isinstance(w, bytes) else str(w) for w in words)],
            env={**clean, "HOME": str(self.home), **{k: str(v) for k, v in (env or {}).items()}},
            input=input.encode(), capture_output=True, timeout=peer.HANG, check=False)
        return peer.Result(done.returncode, done.stdout, done.stderr)

    def shell(self, *words):
        """A memhp shell whose lines the test writes, one after the other."""
        clean = {k: v for k, v in peer.clean_environment().items() if k != "XDG_CONFIG_HOME"}
        return Script([*self.prefix, peer.BINARY, *words, "shell"], {**clean, "HOME": str(self.home)})

    def json(self, *words, **options):
        """The JSON of a memhp that succeeds."""
        return self.memhp("--json", *words, **options).succeeded()

    def vms(self, *words, **options):
        """What `memhp vms` tells, by name."""
        return {vm["name"]: vm for vm in self.json("vms", *words, **options)["vms"]}

    def configure(self, text):
        """Write the user's configuration; returns its path."""
        path = self.home / ".config/memhp/config"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
        return path


@contextlib.contextmanager
def world(directory, **options):
    """A world for as long as it lasts."""
    made = World(directory, **options)
    try:
        yield made
    finally:
        made.close()


as_root = pytest.mark.skipif(not IS_ROOT, reason="needs other users")


def devices(here, *words, **options):
    """The DIMMs of the VM that `list` takes."""
    return [d["size"] // peer.MIB for d in here.json("--guest", "none", *words, "list", **options)["devices"]]
