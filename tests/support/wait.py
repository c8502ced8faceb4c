# SPDX-License-Identifier: GPL-3.0-or-later
"""What is waited for, by asking until it is so."""
import time

from binary import PATIENCE


def wait_until(condition, timeout=PATIENCE, what="the condition"):
    """Poll until condition() is true, and return what it returned."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true")
        time.sleep(0.02)
