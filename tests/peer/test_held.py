# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel's log says of a block that stays, in words."""
import peer
import pytest
from peer import Liar, Monitor

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
