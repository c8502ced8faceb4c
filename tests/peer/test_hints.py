# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hint says to type is one command, whatever the names in it are."""
import os
import shlex
import subprocess

import pytest

import peer

NAMES = ["a b", "a;touch PWNED", "$(touch PWNED)", "`touch PWNED`", "a'b", "a'$(touch PWNED)'b", "a\n touch PWNED", "*"]


def hint_of(result):
    """The text of the hint; empty without one."""
    return next((line.removeprefix("hint: ") for line in result.stderr.splitlines() if line.startswith("hint: ")), "")


def paste(text, directory):
    """Give what stands behind the colon to a shell, with nothing but words of its own to run."""
    command = text.partition(": ")[2]
    subprocess.run(["sh", "-c", command], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=peer.HANG)
    assert not (directory / "PWNED").exists(), command
    return command


@pytest.mark.parametrize("name", NAMES)
def test_the_way_to_a_console_that_does_not_answer(tmp_path, name):
    """Its path may be what QEMU says; socat has words of its own."""
    console = tmp_path / name
    with peer.Liar(console, opening=lambda session: b""):
        result = peer.memhp("--timeout", "2", "--guest", f"serial:{console}", "blocks")
    assert result.code in (4, 6), result
    assert str(tmp_path) not in hint_of(result) and "socat" not in hint_of(result), result
    assert "PWNED" not in hint_of(result), result


@pytest.mark.parametrize("name", NAMES)
def test_the_mode_of_a_password_file(tmp_path, name):
    path = tmp_path / name
    path.write_text("secret\n")
    path.chmod(0o644)
    with peer.Liar(tmp_path / "console"):
        result = peer.memhp("--timeout", "5", "--guest", f"serial:{tmp_path}/console", "--login", "root",
                            "--password-file", path, "blocks")
    command = paste(hint_of(result), tmp_path)
    if "\n" not in name:
        assert shlex.split(command)[-1] == str(path), result
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", NAMES)
def test_the_mode_of_a_configuration(tmp_path, name):
    home = tmp_path / name
    path = home / "memhp/config"
    path.parent.mkdir(parents=True)
    path.write_text("[web]\nqmp = /nowhere\n")
    path.chmod(0o666)
    result = peer.memhp("--vm", "web", "list", env={"XDG_CONFIG_HOME": str(home)})
    assert "can be changed by others" in result.stderr, result
    command = paste(hint_of(result), tmp_path)
    if "\n" not in name:
        assert shlex.split(command)[-1] == str(path), result
        assert path.stat().st_mode & 0o777 == 0o644


def test_a_command_that_does_not_fit_is_not_cut(tmp_path):
    path = tmp_path / "/".join(["d" * 100] * 3) / "password"
    path.parent.mkdir(parents=True)
    path.write_text("secret\n")
    path.chmod(0o644)
    with peer.Liar(tmp_path / "console"):
        result = peer.memhp("--timeout", "5", "--guest", f"serial:{tmp_path}/console", "--login", "root",
                            "--password-file", path, "blocks")
    assert "is open to other users" in result.stderr and "chmod" not in hint_of(result), result


@pytest.mark.skipif(os.geteuid(), reason="only root can hide /proc")
@pytest.mark.skipif(peer.IS_SANITIZED, reason="a sanitizer needs /proc")
@pytest.mark.parametrize("words", [["vms"], ["vms", "--all"], ["list"], ["--vm", "web", "list"]])
def test_without_processes_in_proc_it_is_not_said_that_there_are_no_vms(words):
    script = 'mount -t tmpfs none /proc && exec "$@"'
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", peer.BINARY, *words],
                          env=peer.clean_environment({"HOME": "/nowhere"}),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=peer.HANG)
    assert done.returncode == 3 and "/proc shows no processes" in done.stderr, done
