# SPDX-License-Identifier: GPL-3.0-or-later
"""resize without a channel to the guest: only what QEMU has is said."""
from report import done


def test_of_a_guest_that_nothing_is_known_of_no_zone_is_told(bare):
    qemu = bare()
    said = done(qemu.memhp("resize", "384M"))
    assert "-dimm: plugged " in said and "zone" not in said
    assert "no channel to the guest: bringing the memory online is left to it" in said
    assert "online" not in done(qemu.memhp("resize", "384M"))
    [planned] = [s for s in qemu.json("--dry-run", "resize", "512M")["plan"] if "device_add" in str(s)]
    assert "zone" not in str(planned)
