# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab keeps and where its machines are: no other user can choose what is booted, printed or removed."""
import contextlib
import os
import pathlib
import shutil
import subprocess

import pytest
from vm import LAB, LabError, Machines, Unavailable, clean_environment

STRANGER = 12345
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user's")


@pytest.fixture
def lab(tmp_path):
    """lab(WORD..., NAME=VALUE...): run memhp-lab with these variables; a QEMU would end at once."""
    qemu = tmp_path / "bin" / "qemu-system-x86_64"
    qemu.parent.mkdir()
    qemu.write_text("#!/bin/sh\nexit 1\n")
    qemu.chmod(0o755)
    (tmp_path / "labs").mkdir(mode=0o700)

    def run(*words, **variables):
        env = clean_environment(**{"MEMHP_LAB_DIR": tmp_path / "labs", "PATH": f"{qemu.parent}:{os.environ['PATH']}",
                                   **variables})
        env = {k: v for k, v in env.items() if v != "None"}
        return subprocess.run([LAB, *words], env=env, cwd=tmp_path, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL, check=False)

    return run


@pytest.fixture
def victim(tmp_path):
    """A file that must stay as it is."""
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    yield victim
    assert victim.read_text() == "precious\n"


def refused(done, *parts):
    """It was refused before anything else, in these words."""
    assert done.returncode == 1 and not done.stdout, done
    message, hint = done.stderr.splitlines()
    assert message.startswith("memhp-lab: cannot use '") and hint.startswith("hint: "), done
    assert all(part in done.stderr for part in parts), done


@needs_root
def test_a_cache_of_another_user_is_refused(lab, tmp_path, victim):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "lock").symlink_to(victim)
    os.chown(cache, STRANGER, STRANGER)
    refused(lab("start", MEMHP_LAB_CACHE=cache), "cache belongs to 12345")


@needs_root
@pytest.mark.parametrize("mode", [0o777, 0o775], ids=oct)
def test_a_cache_that_others_can_exchange_is_refused(lab, tmp_path, mode):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    refused(lab("start", MEMHP_LAB_CACHE=shared / "cache"), "shared can be written to by others")
    refused(lab("start", MEMHP_LAB_CACHE=shared), "shared can be written to by others")
    assert not list(shared.iterdir())


@needs_root
def test_a_link_of_another_user_on_the_way_to_the_cache_is_refused(lab, tmp_path, victim):
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    (tmp_path / "target").mkdir()
    link = sticky / "link"
    link.symlink_to(tmp_path / "target")
    os.lchown(link, STRANGER, STRANGER)
    refused(lab("start", MEMHP_LAB_CACHE=link / "cache"), "link belongs to 12345")
    refused(lab("start", MEMHP_LAB_CACHE=link), "link belongs to 12345")
    assert not list((tmp_path / "target").iterdir())


@needs_root
@pytest.mark.parametrize("what", ["file of another user", "file that others can write to", "link of another user"])
def test_a_cache_that_holds_what_is_not_this_users_is_refused(lab, tmp_path, victim, what):
    planted = tmp_path / "cache" / "image-amd64-0123456789abcdef" / "release"
    planted.parent.mkdir(parents=True)
    if what == "link of another user":
        planted.symlink_to(victim)
    else:
        planted.write_text("6.1\n")
    if "another" in what:
        os.lchown(planted, STRANGER, STRANGER)
    else:
        planted.chmod(0o666)
    (tmp_path / "cache").chmod(0o700)
    refused(lab("start", MEMHP_LAB_CACHE=tmp_path / "cache"), f"another user can change '{planted}'")


def test_without_a_home_the_cache_is_in_no_directory_that_everybody_has(lab, tmp_path):
    """The home is then what the user database says; /tmp/.cache was anybody's."""
    everybodys = pathlib.Path("/tmp/.cache")
    before = everybodys.exists()
    (tmp_path / "bin" / "getent").write_text("#!/bin/sh\nexit 2\n")
    (tmp_path / "bin" / "getent").chmod(0o755)
    done = lab("start", HOME=None, XDG_CACHE_HOME=None, MEMHP_LAB_CACHE=None)
    assert done.returncode == 1 and "no HOME" in done.stderr and "MEMHP_LAB_CACHE" in done.stderr, done
    assert everybodys.exists() == before


@pytest.mark.parametrize("release", ["6.1\ntouch x", "", "$(touch x)", "6.1; touch x", "6.1\x1b[31m"], ids=repr)
def test_a_release_that_could_be_run_is_refused(lab, machines, tmp_path, release):
    """What start prints is for eval. The cache is a copy, its QEMU would end at once: none is needed."""
    machines.get()  # what it has fetched and built is in the cache
    caches = os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")
    cache = pathlib.Path(os.environ.get("MEMHP_LAB_CACHE", f"{caches}/memhp-lab")).absolute()
    copy = tmp_path / "cache"
    shutil.copytree(cache, copy, symlinks=True, copy_function=os.symlink)
    copy.chmod(0o700)
    for found in copy.glob("image-amd64-*/release"):
        found.unlink()
        found.write_text(release + "\n")
    refused(lab("start", MEMHP_LAB_CACHE=copy), "no name of a release")
    assert not (tmp_path / "x").exists()


@needs_root
@pytest.mark.parametrize("words", [("stop", "--all"), ("status",), ("status", "one"), ("stop", "one"), ("start", "one")],
                         ids=" ".join)
def test_labs_of_another_user_are_left_alone(lab, tmp_path, victim, words):
    """A directory of labs that is a stranger's, with a lab that is a link to a directory that has an info file."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "info").write_text("arch=amd64\n")
    labs = tmp_path / "planted"
    labs.mkdir()
    (labs / "one").symlink_to(tmp_path / "there")
    os.chown(labs, STRANGER, STRANGER)
    refused(lab(*words, MEMHP_LAB_DIR=labs, MEMHP_LAB_CACHE=tmp_path / "cache"), "planted belongs to 12345")
    assert (tmp_path / "there" / "info").exists()


@pytest.mark.parametrize("options, kind", [({"kernel": "6.12"}, Unavailable), ({"arch": "arm64"}, Unavailable), ({}, LabError)],
                         ids=["another kernel", "another architecture", "this host's own"])
def test_packages_that_apt_does_not_have_are_told_from_a_lab_that_is_broken(monkeypatch, tmp_path, options, kind):
    """The fixture boot skips a test for the one, and fails for the other."""
    (tmp_path / "bin").mkdir()
    for tool in ("apt-get", "apt-cache"):
        (tmp_path / "bin" / tool).write_text("#!/bin/sh\nexit 100\n")
        (tmp_path / "bin" / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("MEMHP_LAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir(mode=0o700)
    with contextlib.closing(Machines()) as machines:
        with pytest.raises(LabError, match="apt knows no such kernel and packages") as raised:
            machines.get(**options)
    assert raised.type is kind
