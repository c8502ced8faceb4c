# SPDX-License-Identifier: GPL-3.0-or-later
"""Output that nobody reads: a pipe that is full, a terminal and a socket that take nothing more."""
import contextlib
import fcntl
import os
import pty
import signal
import socket
import subprocess

import pytest

import peer


def fill(fd):
    """Write until nothing more goes in, but for a few KiB that a terminal may make room for later."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NONBLOCK)
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fd, b"x" * size)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags)


def ends_of(kind):
    """The end that nobody reads, and the full one to write to."""
    if kind == "pipe":
        ends = os.pipe()
    elif kind == "terminal":
        ends = pty.openpty()
    else:
        ends = [end.detach() for end in socket.socketpair()]
    fill(ends[1])
    return ends


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    """Where the monitor is."""
    return str(tmp_path / "qmp")


@pytest.fixture(name="full")
def fixture_full(request):
    """Both ends of what is full: a pipe, unless a test says otherwise."""
    ends = ends_of(getattr(request, "param", "pipe"))
    yield ends
    for end in ends:
        with contextlib.suppress(OSError):
            os.close(end)


@contextlib.contextmanager
def run(path, *words, plugged=0, timeout=5, **streams):
    """A memhp under way, and its monitor; killed when it does not end by itself."""
    vm = peer.Vm(slots=256, max_mib=1 << 20)
    for number in range(plugged):
        vm.plug(f"d{number}" + "x" * 200, 128)
    with peer.Monitor(path, vm) as monitor:
        with subprocess.Popen([peer.BINARY, "--timeout", str(timeout), "--qmp", path, "--guest", "none", *words],
                              env=peer.clean_environment(), stdin=subprocess.DEVNULL,
                              **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}) as process:
            try:
                yield process, monitor
            finally:
                process.kill()


ALL = [("pipe", words) for words in (["list"], ["list", "--json"], ["qmp", "query-memory-devices"], ["unplug", "no", "--json"])]


@pytest.mark.parametrize("full, words", [*ALL, ("terminal", ["list"]), ("socket", ["list"])], indirect=["full"])
def test_output_that_nobody_reads_meets_the_deadline(path, full, words):
    with run(path, *words, plugged=40, stdout=full[1]) as (process, _):
        stderr = process.communicate(timeout=peer.HANG)[1]
        if "no" in words:  # it had failed before
            assert process.returncode == 1 and b"no memory device 'no'" in stderr, stderr
        else:
            assert process.returncode == 6 and b"cannot write to stdout: the deadline passed" in stderr, stderr


def test_a_report_that_nobody_reads_is_undone(path, full):
    with run(path, "plug", "128M", stdout=full[1]) as (process, monitor):
        stderr = process.communicate(timeout=peer.HANG)[1]
        assert process.returncode == 6 and b"cannot write to stdout" in stderr, stderr
    assert monitor.changes[-2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"]
    assert not monitor.vm.devices


def test_a_trace_that_nobody_reads_meets_the_deadline(path, full):
    with run(path, "--verbose", "list", stderr=full[1]) as (process, _):
        process.communicate(timeout=peer.HANG)
        assert process.returncode == 6


@pytest.mark.parametrize("full", ["pipe", "terminal", "socket"], indirect=True)
def test_ctrl_c_ends_output_that_nobody_reads(path, full):
    with run(path, "--verbose", "list", plugged=40, timeout=0, stdout=full[1]) as (process, _):
        while b'"arch"' not in process.stderr.readline():
            pass  # the last answer; what is left is to write
        process.send_signal(signal.SIGINT)
        stderr = process.communicate(timeout=peer.HANG)[1]
        assert process.returncode == 130, stderr


def test_ctrl_c_ends_the_words_about_a_failure(path, full):
    with run(path, "unplug", "no", timeout=0, stderr=full[1]) as (process, monitor):
        monitor.wait_for("query-target")
        for _ in range(10 * peer.HANG):  # once for the work, once for the words
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
                break
        assert process.returncode in (1, 130)


def test_output_that_is_read_late_is_whole(path, full):
    with run(path, "list", "--json", plugged=200, timeout=0, stdout=full[1]) as (process, monitor):
        monitor.wait_for("query-target")
        os.close(full[1])
        with open(full[0], "rb", closefd=False) as file:
            said = file.read().lstrip(b"x")
        process.communicate(timeout=peer.HANG)
        assert process.returncode == 0 and said.count(b'"handle"') == 200 and said.endswith(b"}\n")


def test_a_report_that_a_limit_of_files_cuts_is_undone(path, tmp_path):
    """The kernel ends who writes more, with a signal."""
    vm = peer.Vm()
    with peer.Monitor(path, vm) as monitor, open(tmp_path / "report", "wb") as report:
        done = subprocess.run(["prlimit", "--fsize=0", peer.BINARY, "--qmp", path, "--guest", "none", "plug", "128M"],
                              env=peer.clean_environment(), stdin=subprocess.DEVNULL, stdout=report, stderr=subprocess.PIPE,
                              check=False, timeout=peer.HANG)
    assert done.returncode == 1 and b"cannot write to stdout: File too large" in done.stderr, done
    assert monitor.changes[-2:] == ["device_del memhp0-dimm", "object-del memhp0-mem"] and not vm.devices


def test_an_alarm_that_memhp_was_started_with_rings(path):
    """What it writes before does not stop that."""
    with peer.Monitor(path, peer.Vm()):
        done = subprocess.run(["perl", "-e", "alarm 2; exec @ARGV", peer.BINARY, "--qmp", path, "--guest", "none", "--verbose", "events"],
                              env=peer.clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=peer.HANG)
    assert done.returncode == -signal.SIGALRM and b"qmp <" in done.stderr, done
