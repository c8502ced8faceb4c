# SPDX-License-Identifier: GPL-3.0-or-later
"""What a virtio-mem device grows by has room where its backend has its memory, and --mem-path is memory."""
import contextlib
import os
import signal
import socket
import stat
import subprocess

import dead_fs
import pytest
from vm import MIB

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts and devices are root's")


@contextlib.contextmanager
def mounted(kind, options, directory):
    """A file system of its own; what has it open keeps it."""
    directory.mkdir()
    subprocess.run(["mount", "-t", kind, "-o", options, "memhp-growth", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


def virtio_mem(path, **device):
    """QEMU's words for an empty device whose memory is there."""
    more = "".join(f",{k}={v}" for k, v in device.items())
    return ["-object", f"memory-backend-file,id=vmem0,size=4G,reserve=off,share=on,mem-path={path}",
            "-device", f"virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0{more}"]


def requested(vm):
    """What the device was asked for, as QEMU tells by another monitor."""
    return [d["requested-size"] for d in vm.devices()]


@pytest.mark.parametrize("name", ["", "file"])
def test_growth_in_a_full_tmpfs_is_warned_of_as_a_plug_is(boot, tmp_path, name):
    with mounted("tmpfs", "size=300M", tmp_path / "m") as directory:
        path = directory / name
        vm = boot(virtio_mem(path))
        try:
            [text] = vm.json("resize", "1G")["warnings"]
            assert text.startswith(f"the file system of '{path}' has only ") and "the kernel may then kill QEMU" in text, text
            assert requested(vm) == [512 * MIB]  # it is only a promise
            vm.json("resize", "512M")
            subprocess.run(["mount", "-o", "remount,size=2G", directory], check=True)
            assert "warnings" not in vm.json("resize", "768M")
            vm.json("resize", "512M")
        finally:
            vm.discard()


def test_growth_that_is_taken_at_once_is_refused_in_a_full_tmpfs(boot, tmp_path):
    with mounted("tmpfs", "size=300M", tmp_path / "m") as directory:
        vm = boot(virtio_mem(directory, prealloc="on"))
        try:
            answer = vm.json("resize", "1G", code=1)
            assert answer["state"] == "unchanged" and requested(vm) == [0]
            assert f"the file system of '{directory}' has only 300 MiB free" in answer["error"]["message"], answer
            assert "warnings" not in vm.json("resize", "640M")
            vm.json("resize", "512M")
        finally:
            vm.discard()


@pytest.mark.parametrize("name, backend", [("hugetlbfs", None), ("memfd", "memory-backend-memfd,hugetlb=on,hugetlbsize=2M")])
def test_growth_in_huge_pages_that_are_not_there_is_warned_of(boot, tmp_path, name, backend):
    """No more of them are to be had: nothing is asked for but what the other tests have."""
    with mounted("hugetlbfs", "pagesize=2M,size=64M", tmp_path / name) as directory:
        words = virtio_mem(directory)
        if backend:
            words[1] = f"{backend},id=vmem0,size=4G,reserve=off"
        vm = boot(words)
        try:
            answer = vm.json("--dry-run", "resize", "3G")
            texts = answer.get("warnings", [])
            assert any("huge pages of 2 MiB" in text or f"the file system of '{directory}'" in text for text in texts), answer
            assert requested(vm) == [0]
        finally:
            vm.discard()


@pytest.fixture
def special(tmp_path):
    """special(KIND): a file that is none."""
    held = []

    def make(kind):
        path = tmp_path / "special"
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            held.append(socket.socket(socket.AF_UNIX))
            held[0].bind(str(path))
        elif kind == "block":
            os.mknod(path, stat.S_IFBLK | 0o600, os.makedev(7, 250))
        elif kind == "mem":
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 1))
        elif kind == "link":
            path.symlink_to("/dev/zero")
        else:
            return kind
        return path

    yield make
    for item in held:
        item.close()


@pytest.mark.parametrize("kind, words", [
    ("mem", "a character device"), ("/dev/zero", "a character device"), ("/dev/null", "a character device"),
    ("/dev/urandom", "a character device"), ("link", "a character device"), ("block", "a block device"),
    ("fifo", "a pipe"), ("socket", "a socket")])
def test_what_is_no_memory_is_refused_before_anything_is_sent(vm, special, kind, words):
    path, seen = special(kind), len(vm.monitor.events)
    before = vm.state()
    for more in ([], ["--share"], ["--virtio-mem"], ["--force"]):
        answer = vm.json("plug", "256M", "--mem-path", path, *more, code=1)
        assert f"'{path}' is {words}, not a file of memory" in answer["error"]["message"], answer
        assert answer["state"] == "unchanged" and "--mem-path" in answer["error"]["hint"]
    assert vm.state() == before and len(vm.monitor.events) == seen


def test_a_device_that_is_not_there_is_not_made_as_a_file(vm):
    """As /dev/kmem, on most machines: QEMU makes what it does not find."""
    name = "/dev/memhp-no-device"
    answer = vm.json("plug", "256M", "--mem-path", name, code=1)
    assert f"'{name}' does not exist" in answer["error"]["message"] and answer["state"] == "unchanged"
    assert not os.path.exists(name) and not vm.backends()


@pytest.mark.skipif(not os.path.exists("/dev/fuse"), reason="there is no FUSE")
def test_a_file_system_that_does_not_answer_is_refused_before_anything_is_sent(vm, tmp_path):
    """QEMU would wait for it, and with it the guest and its monitor."""
    dead, before = tmp_path / "dead", vm.state()
    dead.mkdir()
    server = dead_fs.start(dead)
    try:
        for more in (["--dimm", "128M"], ["--virtio-mem"]):
            answer = vm.json("--timeout", "20", "plug", "256M", "--mem-path", dead / "stuck", *more, code=1)
            assert f"the file system of '{dead}/stuck' does not answer" in answer["error"]["message"], answer
            assert answer["state"] == "unchanged"
        assert vm.state() == before
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
        subprocess.run(["umount", "--lazy", dead], check=True)
