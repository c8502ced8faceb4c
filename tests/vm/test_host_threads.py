# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that take memory at once: a QEMU that may start none aborts, so it is not asked to."""
import json
import os
import subprocess

import pytest
from bare import paste
from report import done

pytestmark = [pytest.mark.skipif(os.geteuid() != 0, reason="cgroups and other users are root's"),
              pytest.mark.skipif(os.cpu_count() < 2, reason="with one processor QEMU starts no thread for it")]
USER = 54321  # has no other process
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


def test_a_cgroup_that_allows_no_thread_more(cgroup, bare):
    group = cgroup("pids", "threads")
    qemu = bare(cgroup=group)

    def leave(count):
        group.file("pids.max").write_text(str(int(group.file("pids.current").read_text("ascii")) + count), encoding="ascii")

    leave(1)
    message, hint = qemu.refused("plug", "128M", "--prealloc=2")
    assert "the cgroup (pids.max) leaves QEMU 1 " in message and str(group.path) in hint
    assert qemu.refused("plug", "128M", "--prealloc=2", "--dry-run")[0] == message
    done(qemu.memhp("plug", "128M"))
    done(qemu.memhp("plug", "128M", "--prealloc=1"))
    leave(0)
    paste(qemu.refused("plug", "128M", "--prealloc=2", "--virtio-mem")[1])
    done(qemu.memhp("plug", "128M", "--prealloc=2"))
    leave(0)
    assert not qemu.add(128 << 20, prealloc=True, prealloc_threads=2), "without memhp QEMU aborts"


def test_a_cgroup_above_counts(cgroup, bare):
    above = cgroup("pids", "above")
    qemu = bare(cgroup=cgroup("pids", "inner", above=above))
    above.file("pids.max").write_text(above.file("pids.current").read_text("ascii"), encoding="ascii")
    assert str(above.path) in qemu.refused("plug", "128M", "--prealloc=2")[1]


@pytest.fixture
def others(bare, tmp_path):
    """others(LIMIT): a QEMU of a user who has nothing else, and may have so many threads."""
    for directory in (tmp_path, *list(tmp_path.parents)[:3]):
        directory.chmod(directory.stat().st_mode | 0o011)

    def start(limit):
        return bare(prefix=("prlimit", f"--nproc={limit}:", *AS_USER))

    mask = os.umask(0)
    yield start
    os.umask(mask)


def allow(qemu, count):
    """Let the user of that QEMU have so many threads."""
    subprocess.run([*AS_USER, "prlimit", f"--pid={qemu.pid}", f"--nproc={count}:"], check=True)


def threads(qemu):
    return len(os.listdir(f"/proc/{qemu.pid}/task"))


def test_the_limit_of_a_user(others):
    """QEMU's own threads come and go: tried again where they did."""
    qemu = others(4096)
    done(qemu.memhp("plug", "128M", "--prealloc=2"))
    while True:
        count = threads(qemu)
        allow(qemu, count + 1)
        answer = qemu.memhp("--json", "--dry-run", "plug", "128M", "--prealloc=2")
        if threads(qemu) == count:
            break
    error = json.loads(answer.stdout)["error"]
    assert answer.returncode == 1 and "RLIMIT_NPROC leaves QEMU 1 " in error["message"], answer
    assert f"--nproc={count + 2}:" in error["hint"]
    done(qemu.memhp("plug", "128M", "--prealloc=1"))
    allow(qemu, 1)
    assert not qemu.add(128 << 20, prealloc=True, prealloc_threads=2), "without memhp QEMU aborts"
