# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp under test: where it is, how it is run, and what a run of it left."""
import json
import os
import pathlib
import re
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "memhp-lab"
GUEST_SH = ROOT / "guest" / "guest.sh"
GUEST_PROGRAM = [GUEST_SH, *sorted(path for path in GUEST_SH.parent.glob("*.sh") if path != GUEST_SH)]
BINARY = str(pathlib.Path(os.environ.get("MEMHP_BIN", ROOT / "memhp")).absolute())
IS_SANITIZED = b"__asan_init" in pathlib.Path(BINARY).read_bytes() if os.path.exists(BINARY) else False
MIB = 1 << 20
GIB = 1 << 30
HANG = 90  # seconds; a memhp or a peer that takes longer hangs
PATIENCE = 60  # seconds; only ever waited for in full when a test fails anyway
SHORT = ("--timeout", "1.5")  # for what memhp waits for in vain, after what it has to do on a slow machine


def clean_environment(env=None, **more):
    """The environment without the variables of memhp, plus those given."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMHP_") and k != "NO_COLOR"}
    clean.update({k: v if isinstance(v, bytes) else str(v) for k, v in {**(env or {}), **more}.items()})
    return clean


def check_sanitizers(stderr):
    """Fail when a sanitizer has found something in memhp."""
    text = stderr if isinstance(stderr, str) else stderr.decode(errors="replace") if stderr else ""
    assert "Sanitizer" not in text and "runtime error: " not in text, text


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


def memhp(*words, env=None, cwd=None):
    """Run memhp to its end."""
    return Run(*words, env=env, cwd=cwd).finish()


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


def host(path, *words, more=()):
    """memhp --json without a guest."""
    return memhp("--qmp", path, "--guest", "none", "--json", *more, *words)


def listed(result):
    """The devices of `list`."""
    return [d["id"] for d in result.succeeded()["devices"]]
