# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of the host that stand between a QEMU and memory: told before anything is sent to it."""
import os
import re
import subprocess
from pathlib import Path

import pytest
from bare import LEAVES, leaves, paste, rlimit
from report import done
from vm import BINARY, GIB, MIB, run_memhp

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups and mounts are root's")


# ---- cgroups of memory


def test_what_a_cgroup_has_no_room_for_is_refused_before_anything_is_sent(cgroup, bare):
    group = cgroup("memory", "low")
    group.limit(700 * MIB)
    qemu = bare(cgroup=group)
    free = 700 - group.used() // MIB
    message, hint = qemu.refused("plug", "1G", "--prealloc")
    assert message.startswith("cannot plug '1G': QEMU's cgroup leaves ") and free - 40 <= leaves(message) <= free
    assert f" >{group.path}/memory." in hint and hint.endswith("; --force tries anyway")
    for words in (["--dry-run"], ["--dimm", "128M"], ["--backend", "memfd"], ["--virtio-mem"]):
        again = leaves(qemu.refused("plug", "1G", "--prealloc", *words)[0])
        assert free - 40 <= again <= free
    assert not qemu.add(GIB, prealloc=True), "without memhp the kernel kills QEMU"


def test_with_the_limit_that_the_hint_raises_it_to_qemu_lives(cgroup, bare):
    group = cgroup("memory", "edge")
    group.limit(400 * MIB)
    qemu = bare(cgroup=group)
    paste(qemu.refused("plug", "1G", "--prealloc")[1])
    done(qemu.memhp("plug", "1G", "--prealloc"))
    assert qemu.process.poll() is None and group.used() > GIB
    assert leaves(qemu.refused("plug", "128M", "--prealloc")[0]) < 64


def test_the_limit_of_a_cgroup_above_counts(cgroup, bare):
    above = cgroup("memory", "above")
    inner = cgroup("memory", "inner", above=cgroup("memory", "middle", above=above))
    above.limit(400 * MIB)
    inner.limit(4 * GIB)
    qemu = bare(cgroup=inner)
    message, hint = qemu.refused("plug", "512M", "--prealloc")
    assert leaves(message) < 400 and f" >{above.path}/memory." in hint


def test_both_limits_of_version_1_are_raised_where_both_are_in_the_way(cgroup, bare):
    group = cgroup("memory", "swap")
    if not group.file("memory.memsw.limit_in_bytes").exists():
        pytest.skip("cgroups of version 1 that count swap are not mounted")
    group.limit(400 * MIB)
    group.file("memory.memsw.limit_in_bytes").write_text(str(400 * MIB), encoding="ascii")
    qemu = bare(cgroup=group)
    paste(qemu.refused("plug", "512M", "--prealloc")[1])
    done(qemu.memhp("plug", "512M", "--prealloc"))


def test_a_qemu_that_takes_all_memory_at_once_by_itself(cgroup, bare):
    group = cgroup("memory", "option")
    group.limit(700 * MIB)
    qemu = bare("-mem-prealloc", cgroup=group)
    assert leaves(qemu.refused("plug", "1G")[0]) < 600
    done(qemu.memhp("plug", "384M"))
    assert group.used() > 500 * MIB
    assert not qemu.add(512 * MIB), "without memhp the kernel kills QEMU"


def test_page_cache_is_room(cgroup, bare, tmp_path):
    group = cgroup("memory", "cache")
    group.limit(900 * MIB)
    file = tmp_path / "cached"
    command = f"echo $$ >{group.path}/cgroup.procs; head -c 600M /dev/zero >{file}; sync {file}; cat {file} {file} {file}"
    subprocess.run(["sh", "-c", command], stdout=subprocess.DEVNULL, check=True)
    qemu = bare(cgroup=group)
    if group.used() < 550 * MIB:
        pytest.skip("what a file caches is not charged to its reader here")
    done(qemu.memhp("plug", "768M", "--prealloc"))
    assert qemu.process.poll() is None


def test_of_what_is_only_promised_there_is_a_warning(cgroup, bare):
    group = cgroup("memory", "promise")
    group.limit(700 * MIB)
    qemu = bare(cgroup=group)
    [text] = qemu.warned("plug", "1G")
    assert leaves(text) < 700 and "the guest can use 1." in text and "kill QEMU" in text
    assert qemu.warned("plug", "--force", "128M") == []
    result = qemu.memhp("plug", "128M")
    assert done(result) and re.fullmatch(rf"memhp: warning: {LEAVES}, .*\n", result.stderr)
    assert "warning" in qemu.memhp("--quiet", "--dry-run", "plug", "128M").stderr
    result = qemu.memhp("--quiet", "plug", "128M")
    assert done(result) == "" == result.stderr
    # what was promised before still counts beside what fits
    assert len(qemu.warned("plug", "128M", "--prealloc")) == 1
    group.limit(None)
    assert qemu.warned("plug", "128M") == []


def test_a_file_on_disk_is_only_cached_in_memory(cgroup, bare, tmp_path):
    group = cgroup("memory", "disk")
    group.limit(400 * MIB)
    qemu = bare(cgroup=group)
    assert leaves(qemu.refused("plug", "512M", "--prealloc", "--mem-path", tmp_path)[0]) < 400
    done(qemu.memhp("plug", "512M", "--prealloc", "--share", "--mem-path", tmp_path))
    assert qemu.process.poll() is None


def test_a_private_mapping_of_a_tmpfs_has_all_of_it_twice(cgroup, bare):
    group = cgroup("memory", "twice")
    group.limit(400 * MIB)
    qemu = bare(cgroup=group)
    assert leaves(qemu.refused("plug", "256M", "--prealloc", "--mem-path", "/dev/shm")[0]) < 400
    done(qemu.memhp("plug", "256M", "--prealloc", "--share", "--mem-path", "/dev/shm"))
    assert qemu.process.poll() is None


def test_namespaces_of_cgroups(cgroup, bare, tmp_path):
    point = tmp_path / "point"
    point.mkdir()
    group = cgroup("memory", "namespace")
    group.limit(400 * MIB)
    qemu = bare(cgroup=group, prefix=("unshare", "--cgroup", "--mount"))
    words = ("plug", "512M", "--prealloc", "--dry-run")
    assert leaves(qemu.refused(*words)[0]) < 400
    # memhp in one, which shows its part of the hierarchy as all there is; and where none is mounted there
    kind = "-t cgroup -o memory" if group.version == 1 else "-t cgroup2"
    for mount, code in ((f"mount {kind} none {point}", 1), ("true", 0)):
        done_ = subprocess.run(
            ["sh", "-c", f"echo $$ >{group.path}/cgroup.procs; exec \"$@\"", "sh", "unshare", "--cgroup", "--mount",
             "sh", "-c", f"{mount}; exec \"$@\"", "sh", BINARY, "--qmp", qemu.sockets[0], "--guest", "none", *words],
            capture_output=True, text=True, check=False)
        assert done_.returncode == code and (code == 0 or leaves(done_.stderr) < 400), done_


def test_without_a_process_to_be_known_nothing_is_claimed(cgroup, bare):
    group = cgroup("memory", "tcp")
    group.limit(300 * MIB)
    qemu = bare("-qmp", "tcp:127.0.0.1:0,server=on,wait=off", cgroup=group)
    sockets = {os.readlink(f)[8:-1] for f in Path(f"/proc/{qemu.pid}/fd").iterdir() if "socket:" in os.readlink(f)}
    [port] = [int(words[1].split(":")[1], 16) for words in map(str.split, open(f"/proc/{qemu.pid}/net/tcp"))
              if words[3] == "0A" and words[9] in sockets]
    result = run_memhp("--qmp", f"tcp:127.0.0.1:{port}", "--guest", "none", "--dry-run", "plug", "1G", "--prealloc")
    # the process may be found by its port all the same
    assert result.returncode == 0 or leaves(result.stderr) < 300


# ---- huge pages


@pytest.fixture(scope="module")
def hierarchy(tmp_path_factory):
    """Where the controller hugetlb is; None where it has to be found."""
    point = tmp_path_factory.mktemp("hugetlb")
    if subprocess.run(["mount", "-t", "cgroup", "-o", "hugetlb", "none", point], check=False, capture_output=True).returncode:
        yield None
    else:
        yield point
        subprocess.run(["umount", point], check=True)


@pytest.mark.parametrize("name", ["", "rsvd."])
def test_a_cgroup_of_huge_pages(huge_pages, hierarchy, cgroup, bare, name):
    huge_pages(256)
    group = cgroup("hugetlb", "huge", point=hierarchy)
    file = group.file(f"hugetlb.2MB.{name}" + ("limit_in_bytes" if group.version == 1 else "max"))
    file.write_text(str(64 * MIB), encoding="ascii")
    qemu = bare(cgroup=group)
    message, hint = qemu.refused("plug", "128M", "--hugetlb")
    assert message.endswith("QEMU's cgroup leaves 64 MiB in huge pages of 2 MiB")
    paste(hint)
    done(qemu.memhp("plug", "128M", "--hugetlb", "--prealloc"))
    assert qemu.process.poll() is None
    qemu.stop()  # before its huge pages are taken away


def test_a_directory_of_hugetlbfs_is_known_as_huge_pages(huge_pages, bare, tmp_path):
    huge_pages(256)
    subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M,size=192M", "none", tmp_path], check=True)
    try:
        qemu = bare()
        message, hint = qemu.refused("plug", "512M", "--mem-path", tmp_path)
        assert "the host has 256 MiB free in huge pages of 2 MiB" in message and "echo 256 >" in hint
        message, _ = qemu.refused("plug", "256M", "--mem-path", tmp_path)
        assert f"the file system of '{tmp_path}' has only 192 MiB free" in message
        done(qemu.memhp("plug", "128M", "--prealloc", "--mem-path", tmp_path))
        qemu.stop()
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


# ---- limits of the process


@pytest.mark.parametrize("words", [["--backend", "memfd"], ["--share"], ["--mem-path", "FILE"],
                                   ["--mem-path", "DIRECTORY"]])
def test_the_size_of_files(bare, tmp_path, words):
    names = {"FILE": tmp_path / "file", "DIRECTORY": tmp_path}
    words = [names.get(word, word) for word in words]
    qemu = bare(prefix=rlimit("fsize", 200 * MIB))
    message, hint = qemu.refused("plug", "256M", *words)
    assert "QEMU may make no file larger than 200 MiB (RLIMIT_FSIZE)" in message
    assert not (tmp_path / "file").exists()
    done(qemu.memhp("plug", "256M"))  # no file
    done(qemu.memhp("plug", "256M", "--dimm", "128M", *(words if words[-1] == tmp_path else words[:0])))
    paste(hint)
    done(qemu.memhp("plug", "256M", *words))


def test_without_memhp_a_file_that_is_too_large_ends_qemu(bare):
    assert not bare(prefix=rlimit("fsize", 200 * MIB)).add(256 * MIB, qom_type="memory-backend-memfd")


def test_address_space(bare):
    qemu = bare(prefix=rlimit("as", 2 * GIB))
    message, hint = qemu.refused("plug", "2G")
    assert re.search(r"QEMU may map only .* more \(RLIMIT_AS\)", message)
    paste(hint)
    done(qemu.memhp("plug", "2G"))
    qemu = bare("-accel", "tcg,tb-size=32", prefix=rlimit("data", GIB))
    message, hint = qemu.refused("plug", "1G")
    assert re.search(r"QEMU may map for itself only .* more \(RLIMIT_DATA\)", message)
    done(qemu.memhp("plug", "1G", "--share"))
    paste(hint)
    done(qemu.memhp("plug", "1G"))


# ---- NUMA nodes


def test_a_node_that_the_host_does_not_have(bare):
    qemu = bare()
    for policy in ("bind", "preferred", "interleave"):
        message, hint = qemu.refused("plug", "128M", "--policy", policy, "--host-nodes", "0,77")
        assert message.endswith("the host has no NUMA node 77") and "--host-nodes 0" in hint


# ---- file systems


@pytest.fixture
def small(tmp_path):
    """A tmpfs of 192 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=192M", "none", path], check=True)
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.parametrize("share", [[], ["--share"]])
def test_a_file_system_that_is_too_small(bare, small, share):
    qemu = bare()
    message, hint = qemu.refused("plug", "256M", "--prealloc", "--mem-path", small, *share)
    assert f"the file system of '{small}' has only 192 MiB free" in message and "--mem-path" in hint
    assert qemu.refused("plug", "256M", "--dimm", "128M", "--prealloc", "--mem-path", small, *share)[0] == message
    [text] = qemu.warned("plug", "256M", "--mem-path", small, *share)
    assert "192 MiB free" in text and "the guest can use 256 MiB more" in text
    assert qemu.warned("plug", "128M", "--mem-path", small, *share) == []
    done(qemu.memhp("plug", "128M", "--prealloc", "--mem-path", small / "file", *share))
    assert "only 64 MiB free" in qemu.refused("plug", "128M", "--prealloc", "--mem-path", small, *share)[0]


def test_a_file_that_has_its_memory_already_needs_none(bare, small):
    (small / "full").write_bytes(bytes(128 * MIB))
    qemu = bare()
    assert "64 MiB free" in qemu.refused("plug", "128M", "--prealloc", "--mem-path", small / "new", "--share")[0]
    done(qemu.memhp("plug", "128M", "--prealloc", "--mem-path", small / "full", "--share"))


def test_the_file_system_is_the_one_that_qemu_sees(bare, tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "link").symlink_to(inside)
    script = f"mount -t tmpfs -o size=64M none {inside} && cd {tmp_path} && exec \"$@\""
    qemu = bare(prefix=("unshare", "--mount", "sh", "-c", script, "sh"))
    for path in (inside, inside / "new", "inside", "inside/new", tmp_path / "link", "link/new"):
        message, _ = qemu.refused("plug", "128M", "--prealloc", "--mem-path", path)
        assert f"the file system of '{path}' has only 64 MiB free" in message


# ---- the file that a plug makes


def test_a_file_that_a_failed_plug_made_is_removed(bare, small):
    qemu = bare()
    words = ("plug", "--force", "256M", "--prealloc", "--share", "--mem-path")
    for kind in ([], ["--virtio-mem"]):
        answer = qemu.json(*words, small / "new", *kind, code=1)
        assert answer["state"] == "rolled-back" and "preallocating memory failed" in answer["error"]["message"]
        assert "take a smaller size" in answer["error"]["hint"]
        assert list(small.iterdir()) == []


def test_a_file_that_was_there_stays(bare, small):
    qemu = bare()
    (small / "link").symlink_to("target")
    for name, size in (("empty", 0), ("sparse", 256 * MIB)):
        with open(small / name, "wb") as file:
            file.truncate(size)
        qemu.json("plug", "--force", "256M", "--prealloc", "--share", "--mem-path", small / name, code=1)
        assert (small / name).exists()
        (small / name).unlink()
    assert (small / "link").is_symlink()


def test_a_file_that_is_the_memory_of_another_dimm_stays(bare, tmp_path):
    """The name is taken while QEMU is asked: what it made then is another backend's."""
    qemu = bare()
    file = tmp_path / "file"
    done(qemu.memhp("plug", "128M", "--share", "--mem-path", file))
    qemu.json("plug", "128M", "--share", "--mem-path", file, "--slot", "0", code=1)
    assert file.stat().st_size == 128 * MIB
    qemu.monitor.execute("query-status")
