# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is written to what is no terminal, whoever names it: a QEMU of somebody else, or the user by mistake."""
import contextlib
import os
import pty
import socket
import tempfile
import threading

import pytest
from peer import memhp
from world import IS_ROOT, is_possible, world

CONTENT = "root's own\n"


@pytest.fixture
def here(tmp_path):
    """A world with nothing in it."""
    if not is_possible():
        pytest.skip("no namespaces for this user")
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def precious(tmp_path):
    """A file that nobody may change."""
    file = tmp_path / "precious"
    file.write_text(CONTENT)
    yield file
    assert file.read_text() == CONTENT


@contextlib.contextmanager
def terminal():
    """A pty of this process: its name, and whether anything has been written to it."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)

    def is_untouched():
        with contextlib.suppress(BlockingIOError):
            return not os.read(ours, 1)
        return True

    yield os.ttyname(theirs), is_untouched
    os.close(ours)
    os.close(theirs)


def status(here, says, **options):
    """What `status` says of the guest of a QEMU that calls that its pty."""
    path = here.directory / "web.qmp"
    here.qemu("-name", "web", "-qmp", f"unix:{path},server", listen=[{"path": str(path), "pty": str(says)}], **options)
    done = here.memhp("--json", "offline", "33")
    done.failed(4, code="guest-unreachable")
    return done.json["error"]["message"]


@pytest.mark.parametrize("kind", ["file", "link", "device", "up", "blank", "number"])
def test_what_a_qemu_calls_its_pty_is_one(here, precious, tmp_path, kind):
    link = tmp_path / "link"
    link.symlink_to(precious)
    name = {"file": precious, "link": link, "device": "/dev/null", "up": f"/dev/pts/../..{precious}", "blank": "/dev/pts/",
            "number": "/dev/pts/4294967296"}[kind]
    assert "QEMU calls it a pty, but it is none" in status(here, name)


@pytest.mark.parametrize("way", ["named", "linked"])
def test_a_terminal_of_another_process_is_not_that_of_a_qemu(here, tmp_path, way):
    with terminal() as (name, is_untouched):
        link = tmp_path / "link"
        link.symlink_to(name)
        said = status(here, name if way == "named" else link)
        assert "does not hold that pty" in said or "it is none" in said
        assert is_untouched()


@pytest.mark.skipif(not IS_ROOT, reason="needs another user's QEMU")
def test_a_qemu_of_another_user_cannot_name_a_terminal():
    with tempfile.TemporaryDirectory(prefix="mw", dir="/tmp") as directory, world(directory) as here, \
            terminal() as (name, is_untouched):
        here.directory.chmod(0o755)
        place = here.directory / "theirs"
        place.mkdir()
        os.chown(place, 65534, 65534)
        path = place / "vm.qmp"
        vm = here.qemu("-name", "web", "-qmp", f"unix:{path},server", uid=65534,
                       listen=[{"path": str(path), "pty": name}])
        here.memhp("--json", "--vm", vm.pid, "offline", "33").failed(4, "does not hold that pty")
        assert is_untouched()


@pytest.mark.skipif(not IS_ROOT, reason="needs another user's QEMU")
@pytest.mark.parametrize("is_found", [True, False])
def test_a_qemu_of_another_user_cannot_have_a_socket_of_roots_connected_to(is_found):
    """Also where it calls itself something else, and the user names its monitor: it is not believed."""
    with tempfile.TemporaryDirectory(prefix="mw", dir="/tmp") as directory, world(directory) as here, \
            socket.socket(socket.AF_UNIX) as listener:
        here.directory.chmod(0o755)
        secret = here.directory / "secret"
        listener.bind(str(secret))
        secret.chmod(0o600)
        listener.listen(4)
        place = here.directory / "theirs"
        place.mkdir()
        os.chown(place, 65534, 65534)
        path = place / "vm.qmp"
        vm = here.qemu("-name", "web", "-qmp", f"unix:{path},server", uid=65534,
                       program="qemu-system-x86_64" if is_found else "something",
                       listen=[{"path": str(path), "serial": str(secret)}])
        words = ["--vm", vm.pid] if is_found else ["--qmp", path]
        here.memhp("--json", *words, "offline", "33").failed(4, f"'{secret}' belongs to another process")
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_file_that_the_user_names_is_not_written_to(precious, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(precious)
    for name in (precious, link, tmp_path, "/dev/null"):
        memhp("--guest", f"serial:{name}", "--json", "blocks").failed(
            4, f"'{name}'", "neither a socket nor a terminal", code="guest-unreachable")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    memhp("--guest", f"serial:{fifo}", "--json", "blocks").failed(4, "neither a socket nor a terminal")


def test_a_path_that_is_exchanged_meanwhile_leads_to_no_file(precious, tmp_path):
    """What was looked at is what is opened."""
    link = tmp_path / "link"
    is_over = threading.Event()
    exchanges = []

    def exchange(*targets):
        while not is_over.is_set():
            for target in targets:
                other = tmp_path / "other"
                other.symlink_to(target)
                other.rename(link)
                exchanges.append(target)

    with terminal() as (name, _):
        link.symlink_to(name)
        thread = threading.Thread(target=exchange, args=[precious, name])
        thread.start()
        for _ in range(40):
            done = memhp("--guest", f"serial:{link}", "--timeout", "0.1", "--json", "blocks")
            done.failed(4, "console", code="guest-unreachable")
        assert thread.is_alive() and len(exchanges) > 40
        is_over.set()
        thread.join()
