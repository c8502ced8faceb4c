# SPDX-License-Identifier: GPL-3.0-or-later
"""What memhp is started with, and what it leaves: signals, descriptors, memory, files, and how it is built."""
import os
import re
import resource
import shutil
import signal
import stat
import subprocess

import peer
import pytest
from peer import BINARY, IS_SANITIZED, Default, Monitor, Tree, Typist, event
from world import IS_ROOT


# Signals that were ignored or blocked by whoever started it


KILL = """
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int kill(pid_t pid, int number)
{
	siginfo_t info;

	if (pid != getpid() && waitid(P_PID, pid < 0 ? -pid : pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
	    errno == ECHILD) {
		static const char text[] = "kill of what is no child\\n";

		return write(2, text, sizeof(text) - 1) < 0;
	}
	return syscall(SYS_kill, pid, number);
}
"""


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The environment in which a signal for a process that is no child of memhp's is told."""
    if not shutil.which("cc"):
        pytest.skip("no compiler")
    where = tmp_path_factory.mktemp("preload")
    (where / "kill.c").write_text(KILL)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", where / "kill.so", where / "kill.c"], check=True)
    return {"LD_PRELOAD": str(where / "kill.so"), "ASAN_OPTIONS": "verify_asan_link_order=0"}


@pytest.mark.parametrize("command", ["exec sh", "exit 0", "kill -9 $$", "exec sleep 1000"])
def test_no_process_is_killed_that_is_not_its_child(path, tmp_path, watched, command):
    """Where SIGCHLD is ignored a pid is free, and soon somebody else's, as soon as the process ends."""
    Tree(tmp_path)
    done = subprocess.run(["env", "--ignore-signal=CHLD", BINARY, "--guest", f"exec:{command}", "--json", "--timeout", "1", "blocks"],
                          env=peer.clean_environment(watched), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=peer.HANG, check=False)
    assert done.returncode in (0, 4, 6) and "no child" not in done.stderr, done
    assert not path.exists()


def started(path, *before, words=("events",)):
    """memhp events, once it is at work; started by way of some words."""
    return subprocess.Popen([*before, BINARY, "--qmp", str(path), "--guest", "none", *words], env=peer.clean_environment(),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_that_was_ignored_from_the_start_stays_so(path, number):
    """nohup(1), and a shell's background jobs."""
    name = number.name.removeprefix("SIG")
    with Monitor(path, on={"qmp_capabilities": [Default, event("STOP")]}) as monitor:
        with started(path, "env", f"--ignore-signal={name}") as process:
            assert "paused" in process.stdout.readline()
            process.send_signal(number)
            monitor.say(event("RESUME"))
            assert "runs again" in process.stdout.readline()
            process.send_signal(number)
            monitor.say(event("RESET"))
            assert "reset" in process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(peer.HANG) == 130


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_that_was_blocked_from_the_start_is_heard(path, number):
    with Monitor(path, on={"qmp_capabilities": [Default, event("STOP")]}):
        with started(path, "env", "--default-signal", "--block-signal") as process:
            assert "paused" in process.stdout.readline()
            process.send_signal(number)
            assert process.wait(peer.HANG) == 130


# Descriptors that were closed by whoever started it


@pytest.mark.parametrize("closed", ["0", "1", "2", "0 1", "0 2", "1 2", "0 1 2"])
def test_a_closed_descriptor_does_not_become_the_monitors(path, closed):
    """What is written to stderr would go to QEMU."""
    close = " ".join(f"{number}>&-" for number in closed.split())
    with Monitor(path) as monitor:
        done = subprocess.run(["sh", "-c", f'exec "$@" {close}', "sh", BINARY, "--qmp", path, "--guest", "none", "--verbose", "list"],
                              env=peer.clean_environment(), capture_output=True, timeout=peer.HANG, check=False)
    assert done.returncode == (1 if "1" in closed else 0), done
    assert set(monitor.commands) <= {"qmp_capabilities", "query-status"} or "1" not in closed


@pytest.mark.skipif(not IS_ROOT or not shutil.which("unshare"), reason="only root can make a /dev without null")
@pytest.mark.parametrize("closed", ["0", "2"])
def test_without_a_dev_null_nothing_begins_in_the_place_of_a_closed_descriptor(path, tmp_path, closed):
    (tmp_path / "dev").mkdir()
    script = f'mount --bind {tmp_path}/dev /dev && exec "$@" {closed}>&-'
    with Monitor(path) as monitor:
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", BINARY, "--qmp", path, "--guest", "none", "-v", "list"],
                              env=peer.clean_environment(), capture_output=True, timeout=peer.HANG, check=False)
        if b"unshare" in done.stderr or b"mount" in done.stderr:
            pytest.skip("no namespace of mounts to be had")
        assert done.returncode == 1 and not monitor.requests, done


@pytest.mark.parametrize("most", [4, 5, 6, 8])
def test_too_few_descriptors_are_told(path, most):
    with Monitor(path) as monitor:
        done = subprocess.run(["prlimit", f"--nofile={most}", BINARY, "--qmp", path, "--guest", "none", "--json", "-n", "plug", "128M"],
                              env=peer.clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=peer.HANG, check=False)
    assert done.returncode in (0, 1, 3, 4) and (done.returncode == 0) == (not done.stderr), done
    assert not monitor.changes


# A password in memory


PASSWORD = "correct horse battery staple"


def makes_core_files(directory):
    """Does a program that is killed leave a core file here?"""
    directory.mkdir()
    unlimited = (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2
    subprocess.run(["sh", "-c", "kill -SEGV $$"], cwd=directory, check=False,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, unlimited))
    return any(directory.iterdir())


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer ends the program in place of the signal")
@pytest.mark.parametrize("how", ["environment", "file", "terminal"])
def test_a_password_is_in_no_core_file(tmp_path, how):
    """memhp holds it, and waits, when it is killed with a signal that makes one."""
    if not makes_core_files(tmp_path / "probe"):
        pytest.skip("no core files are made here")
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    there = tmp_path / "there"
    there.mkdir()
    more = ["--password-file", str(secret)] if how == "file" else []
    env = {"MEMHP_GUEST_PASSWORD": PASSWORD} if how == "environment" else {}

    class Silent(peer.Server):
        """A console that asks for a name, a password, and says nothing any more."""

        def serve(self, connection):
            heard = b""
            connection.sendall(b"\r\nlogin: ")
            while self.readable(connection):
                data = connection.recv(65536)
                if not data:
                    return
                heard += data
                if b"root\n" in heard:
                    heard = b""
                    connection.sendall(b"root\r\nPassword: ")
                elif PASSWORD.encode() in heard:
                    os.kill(person.pid, signal.SIGSEGV)
                elif b"\n" in data:
                    connection.sendall(b"\r\nlogin: ")

    command = [BINARY, "--guest", f"serial:{tmp_path}/console", "--login", "root", *more, "blocks"]
    run = ["prlimit", f"--core={resource.getrlimit(resource.RLIMIT_CORE)[1]}", *command]
    with Silent(tmp_path / "console"), Typist(run, peer.clean_environment(env), cwd=there) as person:
        if how == "terminal":
            person.wait_for("Password for 'root'.*: ")
            os.write(person.fd, PASSWORD.encode() + b"\n")
        assert person.finish() == -signal.SIGSEGV
    for core in there.iterdir():
        assert PASSWORD.encode() not in core.read_bytes(), core


@pytest.mark.skipif(not IS_ROOT, reason="only root can be somebody else")
def test_no_other_process_of_the_user_reads_the_memory_with_a_password(tmp_path):
    """ptrace(2) and /proc/PID/mem are for root alone then."""
    out = tmp_path / "owner"
    out.touch()
    out.chmod(0o666)
    tmp_path.chmod(0o777)
    binary = shutil.copy(BINARY, tmp_path / "memhp")
    command = f"exec:stat -c %u /proc/$PPID/mem >{out}; exit"
    for directory in [tmp_path, *tmp_path.parents]:
        if not directory.stat().st_mode & stat.S_IXOTH:
            directory.chmod(directory.stat().st_mode | stat.S_IXOTH)
    for env, owner in (({}, "65534"), ({"MEMHP_GUEST_PASSWORD": PASSWORD}, "0")):
        subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary, "--guest", command, "blocks"],
                       env=peer.clean_environment(env), stdin=subprocess.DEVNULL, capture_output=True, timeout=peer.HANG, check=False)
        assert out.read_text().strip() == owner


# The history of the shell


def type_a_line(path, home, line="list"):
    """A person types a line, and leaves."""
    with Typist([BINARY, "--qmp", str(path), "--guest", "none", "shell"],
                peer.clean_environment({"TERM": "dumb", "HOME": str(home), "XDG_STATE_HOME": str(home / "state")})) as person:
        person.wait_for("> ")
        person.type(line + "\n")
        person.wait_for("no memory devices")
        person.wait_for("> ")
        person.type("exit\n")
        assert person.finish() == 0


@pytest.fixture
def home(tmp_path):
    """A home with a directory for the history, and a file of somebody else's beside it."""
    directory = tmp_path / "home/state/memhp"
    directory.mkdir(parents=True, mode=0o700)
    (tmp_path / "victim").write_text("untouched\n")
    return tmp_path / "home"


def is_untouched(tmp_path):
    """Is the file as it was?"""
    return (tmp_path / "victim").read_text() == "untouched\n"


@pytest.mark.parametrize("kind", ["symlink", "hard link", "dangling", "fifo", "directory"])
def test_the_history_is_no_link(path, tmp_path, home, kind):
    history = home / "state/memhp/history"
    if kind == "symlink":
        history.symlink_to(tmp_path / "victim")
    elif kind == "hard link":
        history.hardlink_to(tmp_path / "victim")
    elif kind == "dangling":
        history.symlink_to(tmp_path / "new")
    elif kind == "fifo":
        os.mkfifo(history)
    else:
        history.mkdir()
    with Monitor(path):
        type_a_line(path, home)
    assert is_untouched(tmp_path) and not (tmp_path / "new").exists()
    assert kind == "directory" or (history.read_text() == "list\nexit\n" and not history.is_symlink())
    assert [p.name for p in history.parent.iterdir()] == ["history"]


def test_the_directory_of_the_history_is_no_link_of_somebody_elses(path, tmp_path, home):
    if not IS_ROOT:
        pytest.skip("only root can make a link of somebody else's")
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (home / "state/memhp").rmdir()
    (home / "state/memhp").symlink_to(tmp_path / "elsewhere")
    os.chown(home / "state/memhp", 65534, 65534, follow_symlinks=False)
    with Monitor(path):
        type_a_line(path, home)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.skipif(not IS_ROOT, reason="only root can make a directory of somebody else's")
@pytest.mark.parametrize("place", ["", "state", "state/memhp"])
@pytest.mark.parametrize("how", ["owner", "mode"])
def test_a_history_that_others_could_change_is_left_alone(path, home, place, how):
    """With sudo, HOME may be that of the user."""
    history = home / "state/memhp/history"
    history.write_text("rm -rf /\n")
    if how == "owner":
        os.chown(home / place, 65534, 65534)
    else:
        (home / place).chmod(0o777)
    with Monitor(path):
        type_a_line(path, home)
    assert history.read_text() == "rm -rf /\n"


@pytest.mark.parametrize("umask", [0, 0o777])
def test_the_history_is_private_whatever_the_umask_is(path, tmp_path, umask):
    (tmp_path / "home").mkdir(mode=0o700)
    before = os.umask(umask)
    try:
        with Monitor(path):
            type_a_line(path, tmp_path / "home")
    finally:
        os.umask(before)
    history = tmp_path / "home/state/memhp/history"
    if umask and not IS_ROOT:
        return  # its own directories cannot be entered
    assert stat.S_IMODE(history.stat().st_mode) == 0o600
    assert not history.parent.stat().st_mode & 0o077


# How it is built


def tool(*words):
    """The output of a tool of binutils."""
    if not shutil.which(words[0]):
        pytest.skip(f"no {words[0]}")
    return subprocess.run([*words, BINARY], capture_output=True, text=True, check=True).stdout


def code(function):
    """The instructions of a function."""
    return tool("objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}")


def test_the_program_is_hardened():
    head, dynamic, segments = tool("readelf", "-h"), tool("readelf", "-d"), tool("readelf", "-lW")
    assert re.search(r"Type: +DYN", head) and "BIND_NOW" in dynamic and "PIE" in dynamic
    assert "GNU_RELRO" in segments and not re.search(r"GNU_STACK.* RWE ", segments)
    assert IS_SANITIZED or "__stack_chk_fail" in tool("readelf", "-sW")


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="what is looked for is x86 code")
def test_large_frames_are_probed_and_jumps_have_targets():
    """stream_fill() reads into a buffer of four pages: each is touched before the next is entered."""
    instructions = code("stream_fill")
    assert "endbr64" in instructions
    assert IS_SANITIZED or re.search(r"or[qb]? +\$0x0,\(%rsp\)|movq +\$0x0,\(%rsp\)", instructions), instructions
    assert "endbr64" in code("main")
