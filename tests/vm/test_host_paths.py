# SPDX-License-Identifier: GPL-3.0-or-later
"""What --mem-path leads to: what QEMU cannot use is refused before it is asked, by --dry-run too."""
import os
import subprocess

import pytest
from report import done
from vm import MIB

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts are root's")


def refused(qemu, path):
    """The same with --dry-run and with --force; the message."""
    message, hint = qemu.refused("plug", "128M", "--mem-path", path)
    for word in ("--dry-run", "--force", "--virtio-mem"):
        assert qemu.refused("plug", "128M", "--mem-path", path, word)[0] == message
    assert "--mem-path" in hint
    return message


def test_a_link_to_what_is_not_there(bare, tmp_path):
    """QEMU would try to make it for ever, and do nothing else."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "absent")
    qemu = bare()
    assert refused(qemu, link) == f"cannot plug '128M': '{link}' is a link to what is not there"
    (tmp_path / "absent").mkdir()
    done(qemu.memhp("plug", "128M", "--mem-path", link))
    assert link.is_symlink() and not list((tmp_path / "absent").iterdir())


def test_a_directory_that_is_not_there(bare, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    qemu = bare(cwd=tmp_path)
    for path, directory in ((tmp_path / "none" / "file", tmp_path / "none"), (f"{tmp_path}/none/", tmp_path / "none"),
                            ("none/file", "none"), (tmp_path / "file" / "file", tmp_path / "file")):
        assert f"QEMU sees no directory '{directory}'" in refused(qemu, path)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith("qemu")] == ["file"]


def test_a_file_system_that_is_read_only(bare, tmp_path):
    point = tmp_path / "point"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        (point / "file").write_bytes(bytes(MIB))
        subprocess.run(["mount", "-o", "remount,ro", point], check=True)
        qemu = bare()
        for path in (point, point / "new", point / "file"):
            assert f"the file system of '{path}' is read-only" in refused(qemu, path)
    finally:
        subprocess.run(["umount", "-l", point], check=True)


def test_a_file_that_is_smaller_or_larger(bare, tmp_path):
    qemu = bare()
    for name, size in (("small", MIB), ("almost", 128 * MIB - 1), ("large", 200 * MIB)):
        with open(tmp_path / name, "wb") as file:
            file.truncate(size)
    assert f"the file '{tmp_path}/small' has only 1 MiB" in refused(qemu, tmp_path / "small")
    assert "has only 134217727 B" in refused(qemu, tmp_path / "almost")
    done(qemu.memhp("plug", "128M", "--mem-path", tmp_path / "large"))
    assert (tmp_path / "large").stat().st_size == 200 * MIB
