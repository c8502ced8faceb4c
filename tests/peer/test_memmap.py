# SPDX-License-Identifier: GPL-3.0-or-later
"""memory_hotplug.memmap_on_memory as guests of other versions and machines have it: 120 MiB are available there."""
import pathlib
import tempfile

import pytest
from peer import Liar, Monitor, Vm, memhp


def guest(kernel, memmap="Y", block="8000000", free="free 30720 0"):
    """What a guest says; the policy is its first line's last word."""
    def say(_session, _exchange, commands):
        lines = [f"guest {kernel} 1 offline contig-zones {memmap}", "memory 157328 122880 122880", f"size {block}",
                 "blocks 0 1 online 0 0 none"]
        return lines + ([free] if "buddy" in commands else [])
    return say


class Arm(Vm):
    """A virt machine."""

    def do_query_target(self):
        return {"arch": "aarch64"}


def plan(tmp_path, vm, say, *words):
    """The plan of a plug."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as directory:
        paths = [pathlib.Path(directory) / name for name in ("qmp", "console")]
        with Monitor(paths[0], vm), Liar(paths[1], say):
            return memhp("--qmp", paths[0], "--guest", f"serial:{paths[1]}", "--json", "--dry-run", "plug",
                         "--zone", "movable", *words)


def machine(kind=Vm):
    """Room for 200 GiB."""
    return kind(base_mib=256, slots=64, max_mib=200 << 10)


def refused(result):
    """For want of room, with what would fit."""
    result.failed(5, "for its memory map and its kernel has 120 MiB available", code="guest-refused", state="unchanged")
    return result.json["error"]["hint"]


@pytest.mark.parametrize("kernel, memmap, words, is_refused", [
    ("6.1.0-56-cloud-amd64", "Y", ("20G",), True),
    ("6.1.0-56-cloud-amd64", "Y", ("8G", "--dimm", "128M"), False),
    ("6.1.0-56-cloud-amd64", "Y", ("8G", "--dimm", "256M"), True),
    ("6.7.12-amd64", "Y", ("20G",), True),
    ("6.8.0-31-generic", "Y", ("20G",), False), ("6.12.9", "force", ("20G",), False),
    ("6.8.0", "N", ("20G",), True), ("6.8.0", "-", ("20G",), True),
    ("5.14.0-427.el9.x86_64", "Y", ("8G", "--dimm", "128M"), True),
    ("-", "Y", ("20G",), True), ("6", "Y", ("20G",), True), ("unknown", "Y", ("20G",), True)])
def test_the_kernel_s_own_rule_decides_whether_there_must_be_room(tmp_path, kernel, memmap, words, is_refused):
    result = plan(tmp_path, machine(), guest(kernel, memmap), *words)
    if is_refused:
        refused(result)
    else:
        result.succeeded()


def test_the_refusal_says_what_would_fit_and_how(tmp_path):
    hint = refused(plan(tmp_path, machine(), guest("6.1.0"), "20G"))
    assert "at most 6.5 GiB fits" in hint and "--dimm 128M" in hint and "--force" in hint
    hint = refused(plan(tmp_path, machine(), guest("6.1.0", "N"), "20G"))
    assert "at most 6.5 GiB fits in one DIMM" in hint and "memmap" not in hint


@pytest.mark.parametrize("free, is_refused", [("free 30720 0", False), ("free 7680 0", True), ("free 0 0", True),
                                              ("free 30000 200", False), ("free 1 0", True)])
def test_an_arm_guest_is_asked_for_the_size_of_its_pages(tmp_path, free, is_refused):
    """With pages of 16 KiB the map of a block of 128 MiB does not fill a huge page."""
    result = plan(tmp_path, machine(Arm), guest("6.1.0", free=free), "8G", "--dimm", "128M")
    if is_refused:
        refused(result)
    else:
        result.succeeded()


def test_virtio_mem_never_has_its_map_in_itself(tmp_path):
    hint = refused(plan(tmp_path, machine(), guest("6.8.0"), "20G", "--virtio-mem"))
    assert "at most 6.5 GiB fits in zone movable" in hint and "--dimm" not in hint
