# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured: DIMMs that come and go, and what is done with them meanwhile."""
import collections

MIB = 1 << 20
BLOCK = 128 * MIB
FIRST = 32  # the first block above 4 GiB, where QEMU puts DIMMs


class Size(collections.namedtuple("Size", "count mib rounds quick_rounds")):
    """So many DIMMs of so many MiB, measured in so many rounds."""

    @property
    def name(self):
        size = f"{self.mib // 1024}G" if self.mib % 1024 == 0 else f"{self.mib}M"
        return f"{self.count} x {size}" if self.count > 1 else size

    @property
    def bytes(self):
        return self.mib * MIB

    @property
    def blocks(self):
        """The first and the last."""
        return FIRST, FIRST + self.count * self.bytes // BLOCK - 1

    @property
    def verbs(self):
        """In an order that leaves all as it was."""
        between = ("offline", "online", "list") if self.count == 1 else ()
        return ("plug", *between, "unplug")

    def title(self, verb):
        return {"plug": f"plug {self.name}", "unplug": f"unplug {self.name}", "list": "list",
                "online": "online one block", "offline": "offline one block"}[verb]


SIZES = (Size(1, 512, 10, 2), Size(16, 128, 3, 1), Size(64, 1024, 1, 0), Size(256, 128, 1, 0))
