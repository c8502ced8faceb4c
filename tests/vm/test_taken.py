# SPDX-License-Identifier: GPL-3.0-or-later
"""What going offline takes from a guest, and coming online does not bring back: huge pages of its pool, and a
vm.min_free_kbytes that somebody has set. It is told before, refused without --force, and given back by an undo."""
import json
import signal

import pytest
from devices import NODES
from report import done, fail
from stuck import FILL_KERNEL_MEMORY
from vm import MIB, end_process, wait_until

HUGE = 2 * MIB
FLOOR = "/proc/sys/vm/min_free_kbytes"


class Pool:
    """The guest's pool of huge pages, seen on the second console."""

    def __init__(self, vm):
        self.vm = vm

    def _write(self, path, pages):
        self.vm.guest(f"echo {pages} >{path}/hugepages-2048kB/nr_hugepages")

    def fill(self, pages, node=None):
        """Have so many pages, in all or on one node."""
        self._write("/sys/kernel/mm/hugepages" if node is None else f"/sys/devices/system/node/node{node}/hugepages",
                    pages)
        assert self.size(node) == pages

    def size(self, node=None):
        path = "/sys/kernel/mm/hugepages" if node is None else f"/sys/devices/system/node/node{node}/hugepages"
        return int(self.vm.guest(f"cat {path}/hugepages-2048kB/nr_hugepages"))

    def inside(self, *blocks):
        """How many of them lie in these blocks: their first pages have the flags HUGE and COMPOUND_HEAD (17, 15)."""
        return int(self.vm.guest(
            f"for b in {' '.join(map(str, blocks))}; do dd if=/proc/kpageflags bs=262144 skip=$b count=1 2>/dev/null; "
            "done | od -An -v -tx8 -w8 | grep -c '[2367abef][89a-f]...$'", check=False))


@pytest.fixture
def pool(vm):
    found = Pool(vm)
    yield found
    if not vm.is_discarded:
        vm.guest("echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")


def plug_full(vm, pool, pages=180):
    """A DIMM of 512 MiB that holds a part of the pool."""
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pool.fill(pages)
    held = pool.inside(32, 33, 34, 35)
    assert held > 20
    return held


def test_what_would_take_huge_pages_is_refused_and_says_how_many(vm, pool):
    held = plug_full(vm, pool)
    before = vm.state()
    for command in (["unplug"], ["unplug", "memhp0"], ["unplug", "512M"], ["unplug", "--all"],
                    ["unplug", "--all", "--keep-going"], ["offline", "all"], ["offline", "32-35"],
                    ["offline", "memhp0"], ["offline", "512M"], ["resize", "512M"], ["resize", "-512M"],
                    ["online", "32-35", "--zone", "kernel"], ["--dry-run", "unplug"]):
        error = fail(vm, 5, *command, states=("unchanged",))
        assert f"would lose {held * 2} MiB of its huge pages" in error["message"], (command, error)
        assert "--force" in error["hint"]
        assert vm.state() == before and pool.size() == 180
    vm.guest("echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    done(vm.memhp("unplug"))


def test_force_takes_them_and_says_what_it_took(vm, pool):
    held = plug_full(vm, pool)
    taken = vm.json("offline", "--force", "33-35")["guest"]["huge_pages_taken"]
    left = pool.size()
    assert 180 - held <= left < 180
    assert taken == [{"page_size": HUGE, "taken": 180 - left, "left": left}]
    pool.fill(180)
    said = done(vm.memhp("unplug", "--force"))
    left = pool.size()
    assert f"took {180 - left} of the guest's huge pages of 2 MiB; {left} are left\n" in said, said


def test_a_pool_that_lies_elsewhere_is_in_nobodys_way(vm, pool):
    """Only what the blocks hold is taken."""
    pool.fill(40)
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    assert pool.inside(32, 33, 34, 35) == 0
    assert vm.json("offline", "33")["guest"]["huge_pages_taken"] == []
    assert vm.json("unplug")["guest"]["huge_pages_taken"] == []
    assert pool.size() == 40


def half_kernel(vm, pool):
    """memory32 holds the kernel's own memory, memory33 to memory35 the pool."""
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "32", "--zone", "kernel"))
    vm.guest(FILL_KERNEL_MEMORY)
    done(vm.memhp("online", "33-35", "--zone", "movable"))
    vm.discard()
    pool.fill(170)
    assert pool.inside(33, 34, 35) > 20


def test_an_undo_gives_back_what_going_offline_took(boot):
    vm = boot()
    pool = Pool(vm)
    half_kernel(vm, pool)
    vm.guest(f"echo 700 >{FLOOR}")
    before = vm.state()
    for command in (["unplug", "--force"], ["offline", "--force", "32-35"],
                    ["unplug", "--force", "--all", "--keep-going"], ["resize", "--force", "512M"]):
        error = fail(vm, 5, *command)
        assert "memory32" in error["message"], error
        assert vm.state() == before and pool.size() == 170, command
        assert vm.guest(f"cat {FLOOR}").strip() == "700", command
    cannot_give_back(vm, pool)


def cannot_give_back(vm, pool):
    """Somebody takes the memory that the pool is to come back from, while the blocks come back: that is said."""
    process = vm.catch_memhp("guest > .*raise movable", "--json", "unplug", "--force")
    wait_until(lambda: vm.zones(33, 34, 35) == ["Movable"] * 3)
    vm.guest("mkdir /tmp/full; mount -t tmpfs -o size=100% none /tmp/full; "
             "while read -r n v _ && [ $n != MemAvailable: ]; do :; done </proc/meminfo; "
             "dd if=/dev/zero of=/tmp/full/hoard bs=1M count=$((v / 1024 - 90)) 2>/dev/null")
    out, _ = end_process(process)
    assert process.returncode == 7, out
    error = json.loads(out)["error"]
    assert f"the guest has {pool.size()} huge pages of 2 MiB now, had 170" in error["message"], error


def test_an_undo_after_ctrl_c_gives_the_pool_back(vm, pool):
    plug_full(vm, pool)
    before = vm.state()
    process = vm.catch_memhp("guest > (ease|change)", "unplug", "--force")
    wait_until(lambda: vm.zones(32, 33, 34, 35) == ["offline"] * 4)
    assert pool.size() < 180
    process.send_signal(signal.SIGINT)
    end_process(process)
    assert process.returncode == 130
    assert vm.state() == before and pool.size() == 180
    vm.guest("echo 0 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
    done(vm.memhp("unplug"))


def test_a_floor_of_free_memory_that_was_set_stays(vm):
    """The kernel computes vm.min_free_kbytes anew whenever memory goes, and forgets a smaller one."""
    computed = int(vm.guest(f"cat {FLOOR}"))
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    vm.guest(f"echo 700 >{FLOOR}")
    for command in (["offline", "33"], ["unplug"]):
        done(vm.memhp(*command))
        assert vm.guest(f"cat {FLOOR}").strip() == "700", command
        vm.guest(f"echo 700 >{FLOOR}")
    vm.guest(f"echo {computed} >{FLOOR}")


def test_virtio_mem_takes_no_huge_pages_and_leaves_the_floor(boot):
    """Its driver moves them elsewhere."""
    vm = boot(["-object", "memory-backend-ram,id=vmem0,size=2G",
               "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0"])
    pool, computed = Pool(vm), int(vm.guest(f"cat {FLOOR}"))
    done(vm.memhp("resize", "1G", "--zone", "movable"))
    pool.fill(60)
    assert pool.inside(32, 33, 34, 35) > 20
    vm.guest(f"echo 700 >{FLOOR}")
    assert vm.json("resize", "512M")["guest"]["huge_pages_taken"] == []
    assert pool.size() == 60 and vm.guest(f"cat {FLOOR}").strip() == "700"
    pool.fill(0)
    vm.guest(f"echo {computed} >{FLOOR}")


def test_a_cpuset_gets_a_node_back_whose_memory_had_all_gone(boot):
    """Linux takes the node from the groups of cgroup v1, and does not give it back."""
    vm = boot(["-object", "memory-backend-ram,id=n0.ram,size=512M", "-numa", "node,nodeid=0,memdev=n0.ram,cpus=0",
               "-numa", "node,nodeid=1,cpus=1"], cpus=2)
    done(vm.memhp("plug", "256M", "--node", "1", "--zone", "movable"))
    vm.guest("mkdir /tmp/cpuset && mount -t cgroup -o cpuset none /tmp/cpuset && mkdir -p /tmp/cpuset/a/b && "
             "echo 0-1 >/tmp/cpuset/a/cpuset.mems && echo 1 >/tmp/cpuset/a/b/cpuset.mems")
    process = vm.catch_memhp("guest > .*(ease|change)", "unplug")
    mems = "cat /tmp/cpuset/a/cpuset.mems /tmp/cpuset/a/b/cpuset.mems"
    wait_until(lambda: vm.guest(mems).split() == ["0"])
    process.send_signal(signal.SIGINT)
    end_process(process)
    assert process.returncode == 130 and vm.zones(32, 33) == ["Movable"] * 2
    assert vm.guest(mems).split() == ["0-1", "1"]
    vm.discard()


def test_each_node_gets_its_own_back(boot):
    vm = boot(NODES)
    pool = Pool(vm)
    done(vm.memhp("plug", "256M", "--name", "a", "--node", "0", "--no-online"))
    done(vm.memhp("plug", "256M", "--name", "b", "--node", "1", "--zone", "movable"))
    vm.discard()
    done(vm.memhp("online", "32", "--zone", "kernel"))
    vm.guest(FILL_KERNEL_MEMORY)
    done(vm.memhp("online", "33", "--zone", "movable"))
    pool.fill(70, node=1)
    pool.fill(20, node=0)
    assert pool.inside(34, 35) > 5
    error = fail(vm, 5, "unplug", "a", "b", "--force")
    assert "memory32" in error["message"], error
    assert (pool.size(0), pool.size(1)) == (20, 70)
