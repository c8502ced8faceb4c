# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plug is refused or warned of a resize is too, before anything is sent: limits of the host, and a migration."""
import os
import re

import pytest
from bare import leaves, rlimit
from report import done
from vm import GIB, MIB

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups and limits of other processes are root's")

SHARED = ["-object", "memory-backend-memfd,id=ram,size=128M,share=on", "-machine", "memory-backend=ram"]
VMEM = ["-object", "memory-backend-ram,id=vmem0,size=4G", "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0"]


def test_of_a_cgroup_that_cannot_keep_the_promise_there_is_a_warning(cgroup, bare):
    group = cgroup("memory", "promise")
    group.limit(700 * MIB)
    qemu = bare(*VMEM, cgroup=group)  # grows first; without a guest not at all
    [text] = qemu.warned("--dry-run", "resize", "1152M")
    assert leaves(text) < 700 and "the kernel may then kill QEMU" in text
    qemu = bare(cgroup=group)
    [text] = qemu.warned("resize", "1152M")
    assert leaves(text) < 700 and "the kernel may then kill QEMU" in text
    assert qemu.warned("resize", "--force", "1280M") == []
    assert len(qemu.warned("resize", "+128M")) == 1
    group.limit(None)
    assert qemu.warned("resize", "1536M") == []


def test_a_cgroup_of_a_qemu_that_takes_memory_at_once(cgroup, bare):
    group = cgroup("memory", "resize")
    group.limit(700 * MIB)
    qemu = bare("-mem-prealloc", cgroup=group)
    for size in ("1152M", "+1G"):
        message, hint = qemu.refused("resize", size)
        assert message.startswith(f"cannot resize to '{size}': ") and leaves(message) < 600
        assert f" >{group.path}/memory." in hint
    done(qemu.memhp("resize", "512M"))
    assert qemu.process.poll() is None and group.used() > 384 * MIB


def test_the_threads_of_a_qemu_that_takes_memory_at_once(cgroup, bare):
    group = cgroup("pids", "resize")
    qemu = bare("-mem-prealloc", "-smp", "4", cgroup=group)
    group.file("pids.max").write_text(group.file("pids.current").read_text(encoding="ascii"), encoding="ascii")
    assert "it aborts without the " in qemu.refused("resize", "+1G")[0]
    group.file("pids.max").write_text("max", encoding="ascii")
    done(qemu.memhp("resize", "+1G"))


@pytest.mark.parametrize("option, bytes_, name", [("as", 2 * GIB, "RLIMIT_AS"), ("data", GIB, "RLIMIT_DATA")])
def test_address_space(bare, option, bytes_, name):
    qemu = bare("-accel", "tcg,tb-size=32", prefix=rlimit(option, bytes_))
    assert f"more ({name})" in qemu.refused("resize", "+2G")[0]
    done(qemu.memhp("resize", "+256M"))


def test_the_size_of_a_file_where_boot_memory_is_one(bare):
    qemu = bare(*SHARED, prefix=rlimit("fsize", 200 * MIB))
    assert "QEMU may make no file larger than 200 MiB (RLIMIT_FSIZE)" in qemu.refused("resize", "+256M", "--dimm", "256M")[0]
    done(qemu.memhp("resize", "+256M", "--dimm", "128M"))


def test_huge_pages_where_boot_memory_is_of_them(huge_pages, bare):
    huge_pages(256)
    qemu = bare(*[word.replace("share=on", "share=on,hugetlb=on") for word in SHARED])
    message, hint = qemu.refused("resize", "+256M")
    assert re.search(r"the host has \d+ MiB free in huge pages of 2 MiB$", message) and "nr_hugepages" in hint
    done(qemu.memhp("resize", "+128M"))
    qemu.stop()  # before its huge pages are taken away


@pytest.mark.parametrize("words", [("resize", "1G"), ("resize", "128M")], ids=" ".join)
def test_a_migration(bare, words):
    qemu = bare()
    done(qemu.memhp("plug", "128M"))
    qemu.monitor.execute("migrate", uri="exec:sleep 60")  # which takes in less than there is
    message, hint = qemu.refused(*words)
    assert "the VM is migrating (" in message and "memhp qmp migrate_cancel" in hint
