# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab where KVM is there and of no use: a QEMU that ends, or never gets its guest to say a word."""
import os
import pathlib
import shutil
import subprocess
import sysconfig

import pytest
from vm import LAB, clean_environment

pytestmark = [
    pytest.mark.skipif(not os.access("/dev/kvm", os.W_OK), reason="no /dev/kvm for this user"),
    pytest.mark.skipif(not sysconfig.get_platform().endswith("x86_64"), reason="of another architecture")]

QEMU = "qemu-system-x86_64"


@pytest.fixture
def lab(tmp_path, machines):
    """lab(DOES, WORD...): run memhp-lab with a QEMU that does that with KVM; none is left running."""
    machines.get()  # what it has fetched and built is in the cache
    caches = os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")
    cache = pathlib.Path(os.environ.get("MEMHP_LAB_CACHE", f"{caches}/memhp-lab")).absolute()
    shutil.copytree(cache, tmp_path / "cache", ignore=shutil.ignore_patterns("no-kvm"), copy_function=os.symlink)
    (tmp_path / "labs").mkdir(mode=0o700)
    fake = tmp_path / "bin" / QEMU
    fake.parent.mkdir()
    env = clean_environment(MEMHP_LAB_DIR=tmp_path / "labs", MEMHP_LAB_CACHE=tmp_path / "cache",
                            PATH=f"{fake.parent}:{os.environ['PATH']}")

    def run(does, *words):
        fake.write_text(f"#!/bin/sh\ncase \" $* \" in *' -accel kvm '*) {does} ;; esac\n"
                        f"exec {shutil.which(QEMU)} \"$@\"\n")
        fake.chmod(0o755)
        return subprocess.run([LAB, *words], env=env, cwd=tmp_path, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)

    yield run
    run("exit", "stop", "--all")


@pytest.mark.parametrize("does", ["exit 1", "exec sleep 1000"], ids=["ends", "mute"])
def test_the_lab_emulates_where_kvm_is_of_no_use(lab, does):
    started = lab(does, "start", "one")
    assert (started.returncode, started.stderr) == (0, "memhp-lab: KVM does not work here: emulating\n")
    again = lab(does, "start", "-q", "two")
    assert (again.returncode, again.stderr) == (0, ""), "it is known until this machine boots again"


def test_kvm_that_the_user_asks_for_is_not_replaced(lab):
    started = lab("exit 1", "start", "--accel=kvm", "one")
    assert started.returncode == 1 and "cannot start 'one': QEMU ended" in started.stderr
    assert "emulating" not in started.stderr
