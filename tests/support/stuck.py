# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory in a guest that does not go offline: pinned, held by the kernel, or a write that never ends."""
from report import done
from vm import wait_until

FILL_KERNEL_MEMORY = ("mkdir -p /tmp/slab && cd /tmp/slab && i=0 && "
                      "while [ $i -lt 3000 ]; do : >f$i; i=$((i + 1)); done; cd /")


def plug_half_kernel(vm):
    """One DIMM: memory32 in a kernel zone and in use by the kernel, memory33-memory35 Movable."""
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "32", "--zone", "kernel"))
    done(vm.memhp("online", "33-35", "--zone", "movable"))
    vm.guest(FILL_KERNEL_MEMORY)
    assert vm.zones(32, 33, 34, 35) == ["Normal", "Movable", "Movable", "Movable"]
    vm.discard()


def pin(vm):
    """Hold pages in Movable memory: to take their block offline hangs until somebody gives up.

    The pages of a file that sendfile(2) has put into a pipe cannot be moved.
    """
    vm.guest("echo; dd if=/dev/zero of=/tmp/pinned bs=1M count=1 2>/dev/null; "
             "setsid sh -c 'cat /tmp/pinned | sleep 100000' >/dev/null 2>&1 & "
             "until grep -qs pipe /proc/$(pidof cat)/wchan; do sleep 0.1; done")  # it waits for room there


def unpin(vm):
    vm.guest("killall cat sleep; rm /tmp/pinned")
    wait_until(lambda: "sleep" not in vm.processes().values())


def is_stuck(vm):
    """Is the same block on its way offline for a while?"""
    def leaving():
        return [n for n, b in vm.blocks().items() if b.state == "going-offline"]
    first = leaving()
    return first and all(leaving() == first for _ in range(5))


# cat hands the pages of the file themselves to the pipe (sendfile), and as long as nobody reads them they stay: from
# when it waits for room in the pipe until it has ended.
HOLD = ("mkdir -p /tmp/full && mount -t tmpfs none /tmp/full && dd if=/dev/zero of=/tmp/full/hoard bs=1M count=8 "
        "2>/dev/null; { cat /tmp/full/hoard | sleep 1000; } & "
        "until grep -qs pipe /proc/$(pidof cat)/wchan; do sleep 0.1; done")
LET_GO = "killall sleep; while pidof cat; do sleep 0.1; done >/dev/null; umount /tmp/full && rmdir /tmp/full"
