# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp within limits of memory and of processor time, by whose lack it is killed."""
import subprocess

import pytest
from binary import BINARY, HANG, IS_SANITIZED, MIB, Result, clean_environment


def limited(*words, mebibytes, seconds=None, text=""):
    """memhp with so much memory, unless a sanitizer takes more, and so much processor time."""
    limits = ["prlimit", "--core=0", *([] if IS_SANITIZED else [f"--as={mebibytes * MIB}"]),
              *([f"--cpu={seconds}"] if seconds else [])]
    done = subprocess.run([*limits, BINARY, *map(str, words)], env=clean_environment(), input=text.encode(),
                          capture_output=True, timeout=2 * HANG, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


def capped(mebibytes, *words, text=""):
    """memhp with no more memory than that, which is what the test is about."""
    if IS_SANITIZED:
        pytest.skip("a sanitizer takes more memory than the limit")
    return limited(*words, mebibytes=mebibytes, text=text)
