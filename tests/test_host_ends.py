# SPDX-License-Identifier: GPL-3.0-or-later
"""A QEMU that stands still, as above memory.high, or is killed, as by the kernel, while it takes memory."""
import json
import re
import signal
import subprocess

import pytest
from vm import BINARY, PATIENCE, clean_environment, wait_until

KINDS = pytest.mark.parametrize("kind", [[], ["--virtio-mem"]], ids=["dimm", "virtio-mem"])


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def strike(qemu, number, *words):
    """Send QEMU a signal once it has begun to take memory: exit code and answer of memhp."""
    before = resident_kib(qemu.pid)
    with subprocess.Popen(
            [BINARY, "--json", "--qmp", qemu.sockets[0], "--guest", "none", "plug", "2G", "--prealloc",
             "--share", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment()) as memhp:
        wait_until(lambda: resident_kib(qemu.pid) > before + (50 << 10), what="the taking of memory")
        qemu.process.send_signal(number)
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
