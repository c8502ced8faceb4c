# SPDX-License-Identifier: GPL-3.0-or-later
"""Lies of a hostile QEMU or guest, put into what a real one says: nothing is harmed, and memhp ends in time."""
import json
import os
import re
import signal
import tempfile

import pytest
from bare import Bare
from relay import Liar
from vm import MIB, end_process, run_memhp, wait_until

HUGE = 1 << 61
CALM_KIB = 200 * 1024  # of memory that memhp may take, whatever it is told


def ask(vm, *words, timeout=10, **lies):
    """memhp's exit code, stdout and stderr; the machine is as it was."""
    before = vm.state()
    code, out, err = Liar(vm, **lies).run(*words, timeout=timeout)
    assert code >= 0, err
    assert vm.state() == before
    return code, out, err


# ---- QEMU's half

def dimms(count, size, *more):
    """A lie: so many DIMMs of that size."""
    def lie(message):
        own = [{"type": "dimm", "data": {
            "id": f"d{n}", "slot": n, "node": 0, "memdev": f"/objects/m{n}", "hotplugged": True, "hotpluggable": True,
            "size": bytes_, "addr": 4 << 30}} for n, bytes_ in enumerate([size] * count + list(more))]
        return {**message, "return": own}
    return lie


@pytest.mark.parametrize("words", [("unplug", "1G"), ("unplug", "128M"), ("resize", "256M", "--dry-run"), ("list",)],
                         ids=" ".join)
@pytest.mark.parametrize("lie", [dimms(100, HUGE), dimms(8, HUGE, 128 * MIB), dimms(4000, 128 * MIB)], ids=["100", "8", "4000"])
def test_sizes_whose_sum_wraps(vm, words, lie):
    code, _, err = ask(vm, *words, qmp__query_memory_devices=lie)
    assert code == 1 and "cannot read QEMU's list of memory devices: " in err, (code, err)


@pytest.fixture
def precious():
    """A file that nobody may change."""
    with tempfile.NamedTemporaryFile("w+", encoding="ascii") as file:
        file.write("root's own\n")
        file.flush()
        yield file.name
        file.seek(0)
        assert file.read() == "root's own\n"


class Finder(Liar):
    """memhp is to find the console by asking QEMU."""

    def addresses(self, paths):
        return {"MEMHP_QMP": paths["qmp"]}


@pytest.mark.parametrize("link", [False, True])
def test_a_file_that_qemu_calls_its_pty_is_not_written_to(vm, precious, tmp_path, link):
    (tmp_path / "link").symlink_to(precious)
    chardev = {"label": "serial0", "frontend-open": True, "filename": f"pty:{tmp_path / 'link' if link else precious}"}
    before = vm.state()
    code, _, err = Finder(vm, qmp__query_chardev=lambda message: {**message, "return": [chardev]}).run(
        "offline", "memory3", timeout=5)
    assert code == 4 and "QEMU calls it a pty, but it is none" in err
    assert vm.state() == before


def test_a_backend_whose_type_is_a_whole_command_line(boot):
    vm = boot()
    vm.add_dimm(128 * MIB, "h", "h-dimm")

    def lie(message):
        is_type = "ram" in str(message["return"])
        return {**message, "return": "memory-backend-file,mem-path=/etc/shadow"} if is_type else message

    code, out, _ = ask(vm, "--guest", "none", "list", "--qemu-args", qmp__qom_get=lie)
    assert "/etc/shadow" not in out and code != 0, out
    vm.memhp("unplug", "--all")
    if "h" in vm.backends():
        vm.monitor.execute("object-del", id="h")


def peak_kib(process):
    """The most memory that a process has had."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])


def test_replies_to_what_was_answered_are_not_kept(vm):
    """A shell that is told each answer 10,000 times, of 4 KiB."""
    before = vm.state()

    def lie(message):
        said = json.dumps(message).encode() + b"\r\n"
        return said + json.dumps({**message, "return": {"x": "y" * 4096}}).encode().join([b"", b"\r\n"]) * 10000

    relay = Liar(vm, qmp__query_status=lie)
    script = os.memfd_create("script")
    os.write(script, b"qmp query-status\n" * 20)
    os.lseek(script, 0, os.SEEK_SET)
    with relay.running("--guest", "none", "shell", timeout=120) as process:
        code, peak = process, 0
        while process.poll() is None:
            try:
                peak = max(peak, peak_kib(process))
            except (OSError, TypeError):
                break
        end_process(code)
    assert vm.state() == before and peak < CALM_KIB


# ---- the guest's half

@pytest.mark.parametrize("words", [("list",), ("blocks",), ("__complete", "offline", ""), ("offline", "--dry-run", "999")],
                         ids=" ".join)
def test_ten_million_blocks(vm, words):
    code, out, err = ask(vm, *words, guest__blocks=lambda said: re.sub(r"blocks \d+ \d+", "blocks 0 9999998", said))
    assert len(out) < 100000 and len(err) < 10000, len(out)
    assert code in (0, 1, 4), err


@pytest.mark.parametrize("size", ["1", "fffff", "ffffffffffffffff", "0", "8000000,a[$(touch /tmp/ghost)0]"])
def test_a_block_size_that_no_guest_has(vm, size):
    for words in (("list",), ("plug", "128M", "--dry-run")):
        code, _, err = ask(vm, *words, guest__size=lambda said: f"size {size}")
        assert code == 4 and err.startswith("memhp: "), (code, err)
    assert not os.path.exists("/tmp/ghost")


# ---- one of several

def test_a_qemu_that_stands_still_makes_no_other_unknown(tmp_path):
    machines = []
    try:
        for n in range(4):
            (tmp_path / str(n)).mkdir()
            machines.append(Bare(tmp_path / str(n), ["-name", f"still{n}"]))
        os.kill(machines[1].pid, signal.SIGSTOP)
        done = run_memhp("--json", "--timeout", "4", "vms", "--all")
        vms = json.loads(done.stdout)["vms"]
        found = {v["name"]: v["problem"] for v in vms if (v["name"] or "").startswith("still")}
        assert found.pop("still1") and set(found.values()) == {None} and len(found) == 3, done
    finally:
        for machine in machines:
            machine.stop()
    wait_until(lambda: all(m.process.poll() is not None for m in machines))
