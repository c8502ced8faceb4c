# SPDX-License-Identifier: GPL-3.0-or-later
"""What is no monitor, and no command."""
import contextlib
import json
import socket
import threading

import pytest
from refusal import check_lines


def test_no_command_at_all_is_bad_usage(memhp):
    result = memhp()
    assert result.returncode == 2 and result.stdout == ""
    check_lines(result.stderr)


@contextlib.contextmanager
def listener(path, greeting):
    """A server that says something to its first client, and keeps the connection."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve():
            with contextlib.suppress(OSError):
                client, _ = server.accept()
                clients.append(client)
                client.sendall(greeting)

        clients = []
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join()
        for client in clients:
            client.close()


def check_unreachable(memhp, code, *words, env, command=("plug", "128M")):
    result = memhp("--json", *command, env=env)
    assert result.returncode == code, result
    check_lines(result.stderr, words)
    found = json.loads(result.stdout)
    assert (found["ok"], found["state"]) == (False, "unchanged")


def test_a_monitor_socket_that_is_not_there_is_named(memhp, tmp_path):
    path = tmp_path / "none.sock"
    check_unreachable(memhp, 3, str(path), "No such file", env={"MEMHP_QMP": path})


def test_a_monitor_socket_that_nobody_serves_is_named(memhp, tmp_path):
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    check_unreachable(memhp, 3, str(path), "refused", env={"MEMHP_QMP": path})


def test_a_file_is_no_monitor(memhp, tmp_path):
    path = tmp_path / "file"
    path.write_text("", encoding="ascii")
    check_unreachable(memhp, 3, str(path), env={"MEMHP_QMP": path})


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH\r\n", b"(qemu) \n", b'{"hello": 1}\n', b"[]\n",
                                      b'{"QMP": 1, "x"\n'])
def test_a_socket_that_is_not_qmp_is_reported_as_that(memhp, tmp_path, greeting):
    path = tmp_path / "other.sock"
    with listener(path, greeting):
        check_unreachable(memhp, 3, str(path), "QMP", env={"MEMHP_QMP": path})
