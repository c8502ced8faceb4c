# SPDX-License-Identifier: GPL-3.0-or-later
"""An offline that never ends: bounded, ended in the guest too, undone, and told with what holds the block."""
import re

import peer
import pytest
from peer import Liar, Monitor
from vm import wait_until

# cat hands the pages of the file themselves to the pipe (sendfile), and as long as nobody reads them they stay: from
# when it waits for room in the pipe until it has ended.
HOLD = ("mkdir -p /tmp/full && mount -t tmpfs none /tmp/full && dd if=/dev/zero of=/tmp/full/hoard bs=1M count=8 "
        "2>/dev/null; { cat /tmp/full/hoard | sleep 1000; } & "
        "until grep -qs pipe /proc/$(pidof cat)/wchan; do sleep 0.1; done")
LET_GO = "killall sleep; while pidof cat; do sleep 0.1; done >/dev/null; umount /tmp/full && rmdir /tmp/full"


@pytest.mark.parametrize("shell", ["ash", "dash", "bash"])
def test_an_offline_without_end_is_ended_undone_and_explained(boot, shell):
    vm = boot(shell=shell)
    assert vm.memhp("plug", "512M", "--zone", "movable").returncode == 0
    vm.guest(HOLD)
    before, programs = vm.state(), vm.processes()
    found = vm.json("--timeout", "12", "unplug", code=6)
    assert found["state"] == "rolled-back"
    message = found["error"]["message"]
    assert re.search(r"has not managed to take 'memory3[2-5]' offline: the deadline passed; it is held by a file in "
                     r"tmpfs or shared memory, 'hoard'$", message), message
    assert vm.state() == before
    # no writer stays, nor what was to kill it
    vm.wait_for_end(programs)
    assert "offline" not in vm.guest("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '; :")
    vm.guest(LET_GO)
    assert vm.memhp("unplug").returncode == 0


DUMP = {
    'held -12 aops:shmem_aops ino:2 dentry name(?):"file" flags: 0x1(dirty)':
        "held by a file in tmpfs or shared memory, 'file', for which there is no room elsewhere",
    'held -11 aops:ext4_da_aops ino:2 dentry name:"log" flags: 0x1(dirty)': "held by a cached file, 'log'",
    "held 1 anon flags: 0x1(swapbacked)": "held by the memory of a program",
    "held 0 flags: 0x1(slab|node=0)": "held by objects of the kernel",
    "held 0 flags: 0x1(reserved)": "held by memory that the kernel has reserved",
    "held 0 flags: 0x1(node=0)": "held by memory of the kernel",
    'held 0 aops:a_ops dentry name:"' + "x" * 300 + '"': "held by a cached file",
    'held 0 aops:a_ops dentry name:"no end': "held by a cached file",
    "held 0": "held by memory of the kernel",
    "held 99999999999999999999999 aops:": "held by a cached file",
    "held": None, "": None,
}


@pytest.mark.parametrize("line", DUMP)
def test_what_the_kernel_says_is_put_into_words(tmp_path, line):
    """Of a guest that refuses, with the strangest answers that it may give."""
    blocks = [*peer.SCAN[:3], "blocks 0 3 online 0 0 none"]

    def say(_session, _exchange, commands):
        if commands.startswith("held"):
            assert commands.startswith("held 33")
            return [line]
        if "lower" in commands:
            return ["failed 33 Device or resource busy", *blocks, "blocks 32 33 online 0 1 Movable",
                    "blocks 34 35 offline 0 1 -"]
        return [*blocks, "blocks 32 35 online 0 1 Movable"]

    vm = peer.Vm()
    vm.plug("d0", 512)
    with Monitor(tmp_path / "qmp", vm), Liar(tmp_path / "console", say) as guest:
        result = peer.memhp("--qmp", tmp_path / "qmp", "--guest", f"serial:{tmp_path / 'console'}", "--json",
                            "unplug", "--force")
    message = result.failed(5, "memory33", state="rolled-back")["error"]["message"]
    assert "held 33" in guest.heard
    assert message.endswith(f"busy; it is {DUMP[line]}" if DUMP[line] else "busy"), message
