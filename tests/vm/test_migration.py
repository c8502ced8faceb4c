# SPDX-License-Identifier: GPL-3.0-or-later
"""list --qemu-args, by migrating there and back: every kind of device and backend arrives as it was."""
import shlex
import subprocess
from pathlib import Path

import pytest
import vm as virtual
from report import done
from vm import MIB, PATIENCE, wait_until

PORTS = [word for n in (1, 2, 3) for word in ("-device", f"pcie-root-port,id=rp{n},chassis={n}")]
UUID = "01234567-89ab-cdef-0123-456789abcdef"
# Of a device that was there at the start, and of one that came later.
DIFFERENT = {"hotplugged"}


class Arrived(virtual.Vm):
    """The machine of another QEMU with the same options, more arguments, and sockets in a directory of its own."""

    def __init__(self, source, run_dir, arguments):  # pylint: disable=super-init-not-called
        run_dir.mkdir()
        line = Path(f"/proc/{source.pid}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
        line = line[:line.index("-incoming")] if "-incoming" in line else line
        self.run_dir, self.incoming = run_dir, run_dir / "incoming"
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [word.replace(str(source.run_dir), str(run_dir)) for word in [*line, *arguments]] +
            ["-incoming", f"unix:{self.incoming}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: self.incoming.exists() or self.process.poll() is not None, what="QEMU")
        assert self.process.poll() is None, self.process.stderr.read()
        self.monitor = virtual.Qmp(run_dir / "qmp2.sock")

    def take(self, source):
        """Have the machine come over."""
        source.monitor.execute("migrate", uri=f"unix:{self.incoming}")
        wait_until(lambda: source.monitor.execute("query-migrate").get("status") in ("completed", "failed"))
        if self.process.poll() is not None:
            raise AssertionError(self.process.stderr.read())
        wait_until(lambda: self.monitor.execute("query-status")["running"], what="the migration")
        self.console = virtual.Console(self.run_dir / "serial2.sock")

    def stop(self):
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)


@pytest.fixture
def migrate(tmp_path_factory):
    """migrate(source, arguments): the same machine in another QEMU."""
    found = []

    def move(source, arguments):
        arrived = Arrived(source, tmp_path_factory.mktemp("m") / "m", arguments)
        found.append(arrived)
        arrived.take(source)
        return arrived

    yield move
    for arrived in found:
        arrived.stop()


def properties(vm, path):
    """All that QEMU tells of an object."""
    found = {}
    for child in vm.monitor.execute("qom-list", path=path):
        if not child["type"].startswith("child<") and child["name"] not in DIFFERENT:
            try:
                found[child["name"]] = vm.monitor.execute("qom-get", path=path, property=child["name"])
            except virtual.QmpError:
                pass
    return found


def facts(vm):
    """All that QEMU tells of its memory devices and their backends, by backend."""
    found = {}
    for place in ("peripheral", "peripheral-anon"):
        for child in vm.monitor.execute("qom-list", path=f"/machine/{place}"):
            device = properties(vm, f"/machine/{place}/{child['name']}") if "child" in child["type"] else {}
            if device.get("memdev"):
                found[device["memdev"]] = (place, device, properties(vm, device["memdev"]))
    return found


def add(vm, backend, device, kind="ram", size=128 * MIB, **more):
    """Add a backend and a device behind memhp's back."""
    vm.monitor.execute("object-add", qom_type=f"memory-backend-{kind}", id=backend, size=size, **more)
    driver, properties_of = device
    vm.monitor.execute("device_add", driver=driver, memdev=backend, **properties_of)


def dimm(**more):
    return "pc-dimm", more


def virtio_mem(**more):
    return "virtio-mem-pci", more


def add_one_of_each(vm, files):
    add(vm, "plain", dimm(id="plain-dimm"))
    add(vm, "quiet", dimm(slot=9), merge=False, dump=False, reserve=False)
    add(vm, "taken", dimm(id="t"), prealloc=True, prealloc_threads=2, policy="bind", host_nodes=[0])
    add(vm, "sealed", dimm(id="s", node=0), kind="memfd", seal=False, share=False)
    add(vm, "shared", dimm(id="sh"), kind="memfd")
    add(vm, "named", dimm(id="n"), kind="file", mem_path=str(files / "a,b"), share=True, discard_data=True,
        align=4 * MIB)
    add(vm, "nameless", dimm(id="nl"), kind="file", mem_path=str(files))
    add(vm, "canonical", dimm(id="c"), x_use_canonical_path_for_ramblock_id=True)
    add(vm, "large", virtio_mem(id="v0", bus="rp0", block_size=8 * MIB, requested_size=128 * MIB, prealloc=True),
        size=512 * MIB)
    add(vm, "small", virtio_mem(bus="rp1", unplugged_inaccessible="off", requested_size=64 * MIB), size=256 * MIB)
    add(vm, "persistent", ("nvdimm", {"id": "nv", "label-size": 128 << 10, "uuid": UUID, "unarmed": True}),
        kind="file", mem_path=str(files / "nv"), share=True)
    add(vm, "paged", ("virtio-pmem-pci", {"id": "pm", "bus": "rp2"}), kind="memfd")


def arguments_of(vm):
    return shlex.split(done(vm.memhp("list", "--qemu-args")))


def test_every_kind_of_device_and_backend_arrives_as_it_was_and_comes_back(boot, migrate, tmp_path):
    first = boot(PORTS, maxmem="9G", machine="q35,nvdimm=on")
    first.discard()
    files = tmp_path / "files"
    files.mkdir()
    add_one_of_each(first, files)
    wait_until(lambda: all(d.get("size") == d["requested-size"] for d in first.devices() if "requested-size" in d))
    first.guest("dd if=/dev/urandom of=/tmp/file bs=1M count=20 2>/dev/null")
    content = first.guest("md5sum /tmp/file")
    then, devices = facts(first), first.devices()
    assert len(then) == 12
    words = arguments_of(first)
    assert words == first.json("list", "--qemu-args")["qemu_args"]

    there = migrate(first, words)
    assert first.monitor.execute("query-status")["status"] == "postmigrate"
    assert facts(there) == then and there.guest("md5sum /tmp/file") == content
    assert [{k: v for k, v in d.items() if k not in DIFFERENT} for d in there.devices()] == [
        {k: v for k, v in d.items() if k not in DIFFERENT} for d in devices]
    # one more, and back: with what came there, and what had gone over
    done(there.memhp("plug", "256M", "--name", "late", "--zone", "movable"))
    then = facts(there)
    back = migrate(there, arguments_of(there))
    assert facts(back) == then and "late-dimm" in str(back.devices())
    assert back.guest("md5sum /tmp/file") == content
    done(back.memhp("unplug", "late"))


def test_a_file_is_named_to_the_reader(vm, tmp_path):
    done(vm.memhp("plug", "128M", "--mem-path", tmp_path / "the file", "--zone", "movable"))
    result = vm.memhp("--json", "list", "--qemu-args")
    assert result.returncode == 0 and f"'{tmp_path}/the file'" in result.stderr and "memhp0-dimm" in result.stderr
    done(vm.memhp("unplug"))
    done(vm.memhp("plug", "128M", "--zone", "movable"))
    assert vm.memhp("list", "--qemu-args").stderr == ""
    done(vm.memhp("unplug"))


def test_what_cannot_be_carried_is_refused_by_name(vm):
    vm.monitor.execute("object-add", qom_type="thread-context", id="threads")
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id="m", size=128 * MIB, prealloc=True,
                       prealloc_context="threads")
    vm.monitor.execute("device_add", driver="pc-dimm", id="d", memdev="m")
    wait_until(lambda: 32 in vm.blocks())
    done(vm.memhp("plug", "128M", "--zone", "movable"))
    result = vm.memhp("list", "--qemu-args")
    assert result.returncode == 1 and not result.stdout  # not the half of them either
    answer = vm.json("list", "--qemu-args", code=1)
    assert not answer["qemu_args"]
    message, hint = answer["error"]["message"], answer["error"]["hint"]
    assert "'prealloc-context' of 'm'" in message and "qom-get" in hint
    done(vm.memhp("unplug", "--all"))
    vm.monitor.execute("object-del", id="threads")
