# SPDX-License-Identifier: GPL-3.0-or-later
"""A VM within limits of the host: what it may take is taken, what it is promised is warned of, what failed is undone."""
import os
import re
import signal
from pathlib import Path

import pytest
from report import done
from vm import GIB, MIB, wait_until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups and mounts are root's")
VMEM = ["-object", "memory-backend-ram,id=vmem0,size=4G",
        "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0"]


@pytest.fixture
def confine(cgroup):
    """confine(vm, BYTES): what the VM takes from now on counts against a cgroup that has so much room."""
    held = []

    def put(vm, bytes_):
        if not held:
            group = cgroup("memory", "vm")
            home = Path(f"/proc/{vm.pid}/cgroup").read_text(encoding="ascii")
            held.extend((vm, group, home))
            group.join(vm.pid)
        group = held[1]
        group.limit(group.used() + bytes_)
        return group

    yield put
    if held:
        vm, group, home = held
        if vm.is_discarded:
            vm.stop()
        else:
            path = re.search(r"^\d+:[^:]*\bmemory\b[^:]*:(.*)$" if group.version == 1 else r"^0::(.*)$", home, re.M)[1]
            (group.point / path.lstrip("/") / "cgroup.procs").write_text(str(vm.pid), encoding="ascii")


def test_a_guest_lives_with_all_that_its_cgroup_lets_it_have(vm, confine):
    before = vm.mem_total()
    confine(vm, 300 * MIB)
    answer = vm.json("plug", "512M", "--prealloc", code=1)
    assert answer["state"] == "unchanged" and "QEMU's cgroup leaves 2" in answer["error"]["message"]
    assert vm.devices() == [] and vm.mem_total() == before
    limit, path = re.search(r"echo (\d+) >(\S+);", answer["error"]["hint"]).groups()
    Path(path).write_text(limit, encoding="ascii")
    done(vm.memhp("plug", "512M", "--prealloc", "--zone", "movable"))
    assert vm.mem_total() == before + 512 * MIB
    # the guest uses it
    vm.guest("mkdir -p /mnt && mount -t tmpfs -o size=480M none /mnt && dd if=/dev/zero of=/mnt/f bs=1M count=440 2>/dev/null && rm /mnt/f && umount /mnt")
    done(vm.memhp("unplug"))


def test_a_resize_that_promises_more_than_there_is_warns(boot, confine):
    vm = boot(VMEM)
    confine(vm, 400 * MIB)
    answer = vm.json("resize", "1G")
    [text] = answer["warnings"]
    assert answer["ok"] and "QEMU's cgroup leaves" in text
    confine(vm, 8 * GIB)
    assert "warnings" not in vm.json("resize", "2G")
    vm.json("resize", "512M")


def test_memory_that_a_virtio_mem_device_takes_at_once_is_refused(boot, confine):
    vm = boot([*VMEM[:-1], VMEM[-1] + ",prealloc=on"])
    confine(vm, 400 * MIB)
    answer = vm.json("resize", "1536M", code=1)
    assert answer["state"] == "unchanged" and "QEMU's cgroup leaves" in answer["error"]["message"]
    assert [d["requested-size"] for d in vm.devices()] == [0]
    vm.json("resize", "640M")
    vm.json("resize", "512M")


def test_dimms_of_a_resize_are_promised_too(vm, confine):
    confine(vm, 300 * MIB)
    assert "QEMU's cgroup leaves" in vm.json("resize", "1G")["warnings"][0]
    vm.json("resize", "512M")


def test_a_guest_that_refuses_leaves_no_file(vm, tmp_path):
    file = tmp_path / "memory"
    vm.inject("MEM_GOING_ONLINE", -12)
    answer = vm.json("plug", "128M", "--share", "--mem-path", file, code=5)
    assert answer["state"] == "rolled-back" and not file.exists()
    file.write_bytes(b"")  # one that was there stays
    assert vm.json("plug", "128M", "--share", "--mem-path", file, code=5)["state"] == "rolled-back"
    assert file.exists()
    vm.inject("MEM_GOING_ONLINE", 0)


def test_a_file_that_was_put_in_the_place_of_qemus_stays(vm, tmp_path):
    file = tmp_path / "memory"
    process = vm.catch_memhp(r"qmp < .*ACPI_DEVICE_OST|guest > .*online", "plug", "128M", "--share", "--mem-path", file)
    own = tmp_path / "own"
    with open(own, "wb") as made:
        made.truncate(128 * MIB)
    own.rename(file)
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait() in (0, 130)
    if process.returncode == 0:
        done(vm.memhp("unplug"))
    assert file.exists()


def test_ctrl_c_leaves_no_file(vm, tmp_path):
    file = tmp_path / "memory"
    process = vm.catch_memhp(r"qmp > .*device_add", "plug", "128M", "--share", "--mem-path", file)
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait() == 130 and vm.devices() == [] and not file.exists()


@pytest.mark.parametrize("whose", ["another VM's", "another backend's"])
def test_a_file_that_is_by_now_the_memory_of_another_stays(vm, bare, tmp_path, whose):
    file = tmp_path / "memory"
    process = vm.catch_memhp(r"qmp > .*device_add", "plug", "128M", "--share", "--mem-path", file)
    wait_until(file.exists, what="the file")
    monitor = bare().monitor if whose == "another VM's" else vm.monitor
    monitor.execute("object-add", qom_type="memory-backend-file", id="theirs", size=128 * MIB, mem_path=str(file), share=True)
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    assert process.wait() == 130 and vm.devices() == []
    assert file.exists()
    monitor.execute("object-del", id="theirs")


def test_unplug_leaves_the_file(vm, tmp_path):
    file = tmp_path / "memory"
    done(vm.memhp("plug", "128M", "--share", "--mem-path", file))
    done(vm.memhp("unplug"))
    assert file.stat().st_size == 128 * MIB
