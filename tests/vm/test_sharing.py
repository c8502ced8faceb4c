# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that other processes use: a disk served by another process goes on working with what memhp adds."""
import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import threading

import pytest
from report import done, refused
from vm import GIB, MIB, PATIENCE, Gone, Qmp, run_memhp, wait_until

DISK_MIB = 32
READ = f"dd if=/dev/vda bs=1M count={DISK_MIB} iflag=direct 2>/dev/null | md5sum"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A disk that qemu-storage-daemon serves: the path of its socket, and what is on it."""
    if not shutil.which("qemu-storage-daemon"):
        pytest.skip("no qemu-storage-daemon: qemu-utils is not here")
    directory = tmp_path_factory.mktemp("disk")
    content = os.urandom(DISK_MIB * MIB)
    (directory / "image").write_bytes(content)
    path = directory / "vhost"
    with subprocess.Popen(["qemu-storage-daemon", "--blockdev", f"file,node-name=disk,filename={directory}/image",
                           "--export", f"vhost-user-blk,id=e,node-name=disk,addr.type=unix,addr.path={path}"],
                          stdin=subprocess.DEVNULL) as daemon:
        try:
            wait_until(path.exists, what="qemu-storage-daemon")
            yield path, hashlib.md5(content).hexdigest()
        finally:
            daemon.kill()


class Disk:
    """A machine whose disk another process serves, with one queue."""

    def __init__(self, boot, path, content):
        self.vm = boot(["-object", "memory-backend-memfd,id=ram0,size=512M,share=on", "-machine", "memory-backend=ram0",
                        "-chardev", f"socket,id=vu,path={path}",
                        "-device", "vhost-user-blk-pci,id=disk0,chardev=vu,num-queues=1"], slots="64", maxmem="16G")
        self.vm.guest("[ -e /dev/vda ] || modprobe virtio_blk")
        self.content = content

    def works(self):
        """Read all of it, into memory of which the new is part: one that hangs never comes back."""
        try:
            return self.vm.guest(READ, timeout=PATIENCE).split()[0] == self.content
        except Gone:
            self.vm.discard()
            raise


@pytest.fixture
def served(boot, disk):
    return Disk(boot, *disk)


def backends(vm):
    """The type and share of each backend but that of the start."""
    found = {}
    for memdev in vm.monitor.execute("query-memdev"):
        if memdev["id"] != "ram0":
            kind = vm.monitor.execute("qom-get", path=f"/objects/{memdev['id']}", property="type")
            found[memdev["id"]] = (kind.removeprefix("memory-backend-"), memdev["share"])
    return found


@pytest.mark.parametrize("words", [("plug", "512M"), ("plug", "512M", "--share"), ("resize", "1G"),
                                   ("plug", "256M", "--zone", "kernel"), ("plug", "256M", "--prealloc")], ids=" ".join)
def test_new_memory_is_shared_where_a_disk_is_anothers(served, words):
    vm = served.vm
    answer = vm.json(*words)
    assert served.works()
    assert answer["backend"] == {"type": "memfd", "share": True,
                                 "reason": "the VM has the vhost-user-blk-pci device 'disk0'"}
    assert set(backends(vm).values()) == {("memfd", True)}
    if "kernel" in words:
        vm.discard()
    else:
        done(vm.memhp("unplug", "--all"))
        assert served.works()


def test_the_report_says_so(served):
    said = done(served.vm.memhp("plug", "128M", "--zone", "movable"))
    assert "  memfd, shared: the VM has the vhost-user-blk-pci device 'disk0'\n" in said
    planned = served.vm.memhp("--json", "--dry-run", "plug", "128M")
    assert "memory is memfd, shared: the VM has the vhost-user-blk-pci" in planned.stderr
    first = json.loads(planned.stdout)["plan"][0]
    assert first["qmp"]["arguments"] == {"qom-type": "memory-backend-memfd", "id": "memhp1-mem", "size": 128 * MIB,
                                           "share": True}
    done(served.vm.memhp("unplug"))


def test_a_choice_against_it_is_refused(served, tmp_path):
    vm = served.vm
    before = vm.state()
    for words, hint in ((("--backend", "ram"), "--backend memfd"), (("--backend", "ram", "--share"), "--backend memfd"),
                        (("--mem-path", tmp_path), "--share"), (("--backend", "ram", "--virtio-mem"), "memfd")):
        message, help_ = refused(vm, 1, "plug", "128M", *words)
        assert "'disk0'" in message and words[1] in (*message.split(), tmp_path) and hint in help_
    assert vm.state() == before
    for words, kind in ((("--backend", "memfd"), "memfd"), (("--mem-path", tmp_path, "--share"), "file")):
        answer = vm.json("plug", "128M", "--zone", "movable", *words)
        assert answer["backend"] == {"type": kind, "share": True, "reason": None}
        assert set(backends(vm).values()) == {(kind, True)} and served.works()
        done(vm.memhp("unplug"))


@pytest.mark.parametrize("words", [("plug", "5G"), ("resize", "+5G")], ids=" ".join)
def test_slots_of_vhost_that_run_out_are_told_with_what_works(served, words):
    vm = served.vm
    message, hint = refused(vm, 1, *words, "--dimm", "128M", "--zone", "movable", state="rolled-back")
    assert "a used vhost backend has no free memory slots left" in message
    assert not vm.devices() and not backends(vm)
    pasted = shlex.split(re.search("--dimm .*", hint)[0])
    done(vm.memhp(*words, *pasted, "--zone", "movable"))
    assert sum(d["size"] for d in vm.devices()) == 5 * GIB and served.works()
    done(vm.memhp("unplug", "--all"))


def test_virtio_mem_is_shared_too(served):
    vm = served.vm
    vm.discard()  # QEMU lets go of no virtio-mem here
    answer = vm.json("plug", "256M", "--virtio-mem")
    assert served.works()
    assert answer["backend"]["type"] == "memfd" and backends(vm) == {"memhp0-mem": ("memfd", True)}


def test_virtio_mem_that_is_not_shared_does_not_grow(boot, disk):
    path, content = disk
    vm = boot(["-object", "memory-backend-memfd,id=ram0,size=512M,share=on", "-machine", "memory-backend=ram0",
               "-chardev", f"socket,id=vu,path={path}",
               "-device", "vhost-user-blk-pci,chardev=vu,num-queues=1",
               "-object", "memory-backend-ram,id=own-mem,size=1G",
               "-device", "virtio-mem-pci,id=own,memdev=own-mem"], maxmem="8G")
    vm.guest("[ -e /dev/vda ] || modprobe virtio_blk")
    answer = vm.json("resize", "1G", "--zone", "movable")
    assert answer["backend"]["type"] == "memfd" and not answer["resized"]
    assert sum(d["size"] for d in vm.devices() if d["id"] == "own") == 0
    assert vm.guest(READ).split()[0] == content
    done(vm.memhp("resize", "512M"))


# ---- what the VM has: QEMU alone, without a guest


class Peer(threading.Thread):
    """The other end of a vhost-user network: it answers what is asked, and has no features."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)

    def run(self):
        end = self.listener.accept()[0]
        asked = (1, 11, 15, 17, 24, 36)  # the requests that have an answer (docs/interop/vhost-user.rst)
        while head := end.recv(12, socket.MSG_WAITALL):
            request, flags, size = struct.unpack("<III", head)
            if size:
                end.recv(size, socket.MSG_WAITALL)
            if request in asked or flags & 8:
                end.sendall(struct.pack("<IIIQ", request, 5, 8, 1 << 30 if request == 1 else request == 17))


@contextlib.contextmanager
def running(directory, *words):
    """A QEMU with such arguments, and its second monitor."""
    paths = [directory / name for name in ("qmp", "qmp2")]
    monitors = [word for path in paths for word in ("-qmp", f"unix:{path},server=on,wait=off")]
    with subprocess.Popen(["qemu-system-x86_64", "-nodefaults", "-display", "none", *words, *monitors],
                          stdin=subprocess.DEVNULL, cwd=directory) as qemu:
        try:
            wait_until(paths[1].exists, what="QEMU")
            with Qmp(paths[1]) as monitor:
                yield monitor
        finally:
            qemu.kill()


MEMORY = ("-machine", "q35,memory-backend=ram0", "-m", "128M,slots=4,maxmem=2G")


def plan(directory, *words):
    """What memhp would have QEMU make for a plug, and why."""
    result = run_memhp("--json", "--qmp", directory / "qmp", "--guest", "none", "--dry-run", "plug", "128M", *words)
    assert result.returncode == 0, result
    arguments = json.loads(result.stdout)["plan"][0]["qmp"]["arguments"]
    return {k: v for k, v in arguments.items() if k not in ("id", "size")}


def shared(kind, **more):
    return {"qom-type": f"memory-backend-{kind}", "share": True, **more}


@pytest.mark.parametrize("words,expected", [
    ((*MEMORY, "-object", "memory-backend-memfd,id=ram0,size=128M"), lambda _: shared("memfd")),
    ((*MEMORY, "-object", "memory-backend-memfd,id=ram0,size=128M,share=off"), None),
    ((*MEMORY, "-object", "memory-backend-ram,id=ram0,size=128M,share=on"), lambda _: shared("memfd")),
    ((*MEMORY, "-object", "memory-backend-ram,id=ram0,size=128M"), None),
    ((*MEMORY, "-object", "memory-backend-file,id=ram0,size=128M,share=on,mem-path=/dev/shm"),
     lambda _: shared("file", **{"mem-path": "/dev/shm"})),
    ((*MEMORY, "-object", "memory-backend-file,id=ram0,size=128M,mem-path=/dev/shm"), None),
    ((*MEMORY, "-object", "memory-backend-file,id=ram0,size=128M,share=on,mem-path=ram"),
     lambda _: shared("file", **{"mem-path": "."})),
    (("-machine", "q35", "-m", "128M,slots=4,maxmem=2G", "-mem-path", "/dev/shm"), None),
    (("-machine", "q35", "-m", "128M,slots=4,maxmem=2G"), None),
    (("-machine", "q35", "-m", "256M,slots=4,maxmem=2G", "-object", "memory-backend-ram,id=a,size=128M", "-object",
      "memory-backend-memfd,id=b,size=128M", "-numa", "node,memdev=a", "-numa", "node,memdev=b"),
     lambda _: shared("memfd")),
    (("-machine", "q35", "-m", "128M,slots=4,maxmem=2G", "-object", "memory-backend-ram,id=a,size=128M", "-object",
      "memory-backend-memfd,id=d,size=128M", "-numa", "node,memdev=a", "-device", "pc-dimm,memdev=d"), None),
])
def test_new_memory_is_of_the_kind_that_the_vm_booted_with(tmp_path, words, expected):
    with running(tmp_path, *words) as monitor:
        assert plan(tmp_path) == (expected(tmp_path) if expected else {"qom-type": "memory-backend-ram"})
        if "mem-path=ram" in str(words):
            done(run_memhp("--qmp", tmp_path / "qmp", "--guest", "none", "plug", "128M"))
            [made] = [m for m in monitor.execute("query-memdev") if m["id"] == "memhp0-mem"]
            assert made["share"] is True and [p.name for p in tmp_path.glob("*ram*")] == ["ram"]


def test_a_network_of_another_process_is_seen(tmp_path):
    Peer(tmp_path / "net").start()
    words = ("-machine", "q35", "-m", "128M,slots=4,maxmem=2G", "-chardev", f"socket,id=c0,path={tmp_path}/net",
             "-netdev", "vhost-user,id=n0,chardev=c0", "-device", "virtio-net-pci,netdev=n0,romfile=")
    with running(tmp_path, *words):
        assert plan(tmp_path) == shared("memfd")
        result = run_memhp("--qmp", tmp_path / "qmp", "--guest", "none", "plug", "128M", "--backend", "ram")
        assert result.returncode == 1 and "the VM has a vhost-user network" in result.stderr, result
