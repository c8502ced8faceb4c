# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU that stands still, as above memory.high, or is killed, as by the kernel, while it takes memory."""
import json
import re
import signal
import subprocess
import sys

import pytest
from vm import BINARY, PATIENCE, clean_environment, wait_until

KINDS = pytest.mark.parametrize("kind", [[], ["--virtio-mem"]], ids=["dimm", "virtio-mem"])


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def strike(qemu, number, *words, process=None, monitor=None):
    """Send QEMU, or another process, a signal once QEMU has begun to take memory: exit code and answer of memhp."""
    before = resident_kib(qemu.pid)
    with subprocess.Popen(
            [BINARY, "--json", "--qmp", monitor or qemu.sockets[0], "--guest", "none", "plug", "1G", "--prealloc",
             "--share", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment()) as memhp:
        wait_until(lambda: resident_kib(qemu.pid) > before + (50 << 10), what="the taking of memory")
        (process or qemu.process).send_signal(number)
        said = memhp.communicate(timeout=PATIENCE)[0]
    return memhp.returncode, json.loads(said)


@KINDS
def test_what_qemu_did_not_say_is_not_said_to_be_undone(bare, kind):
    qemu = bare()
    code, answer = strike(qemu, signal.SIGSTOP, "--timeout", "3", "--name", "late", *kind)
    assert code == 7 and answer["state"] == "partial", answer
    assert "QEMU did not say whether it made 'late-mem'" in answer["error"]["message"]
    qemu.process.send_signal(signal.SIGCONT)
    wait_until(lambda: "late-mem" in qemu.state()[0], what="the backend that was asked for")
    hint = answer["error"]["hint"].split(": ")[1].split("; ")
    assert hint == ["memhp list", "memhp repair --dry-run"]
    assert "late-mem" in qemu.memhp(*hint[1].split()[1:]).stdout
    assert qemu.memhp("repair").returncode == 0 and "late-mem" not in qemu.state()[0]


@KINDS
def test_of_a_qemu_that_is_killed_nothing_is_left(bare, tmp_path, kind):
    qemu = bare()
    code, answer = strike(qemu, signal.SIGKILL, "--mem-path", tmp_path / "memory", *kind)
    assert code == 3 and answer["error"]["code"] == "qemu-unreachable", answer
    assert "QEMU has ended" in answer["error"]["message"] and "dmesg" in answer["error"]["hint"]
    assert not (tmp_path / "memory").exists()


RELAY = """
import select, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
listener.listen()
near, far = listener.accept()[0], socket.socket(socket.AF_UNIX)
far.connect(sys.argv[1])
while True:
    for end, other in ((near, far), (far, near)):
        if select.select([end], [], [], 0.05)[0]:
            other.sendall(end.recv(65536))
"""


def test_the_end_of_a_relay_is_not_that_of_qemu(bare, tmp_path):
    qemu = bare()
    with subprocess.Popen([sys.executable, "-c", RELAY, qemu.sockets[0], tmp_path / "relay"]) as relay:
        wait_until((tmp_path / "relay").exists, what="the relay")
        code, answer = strike(qemu, signal.SIGKILL, process=relay, monitor=tmp_path / "relay")
    assert code == 7 and answer["state"] == "partial", answer
    assert "went away" in answer["error"]["message"] and "QEMU has ended" not in answer["error"]["message"]
