# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of a DIMM: every kind of backend and option, as QEMU lists it afterwards."""
import json
import re
import shlex
from pathlib import Path

import pytest
from report import done, refused
from truth import ids
from vm import GIB, MIB


def backend(vm, name="memhp0-mem"):
    """What query-memdev and the object itself say."""
    [found] = [m for m in vm.monitor.execute("query-memdev") if m["id"] == name]
    found["type"] = vm.monitor.execute("qom-get", path=f"/objects/{name}", property="type")
    return found


def prop(vm, name, value):
    return vm.monitor.execute("qom-get", path=f"/objects/{name}", property=value)


@pytest.mark.parametrize("words,kind,facts", [
    ([], "ram", {"prealloc": False, "share": False, "reserve": True, "policy": "default"}),
    (["--backend", "ram", "--share"], "ram", {"share": True}),
    (["--backend", "memfd"], "memfd", {"share": True}),
    (["--share"], "memfd", {"share": True}),
    (["--mem-path", "/dev/shm"], "file", {"share": False}),
    (["--mem-path", "/dev/shm", "--share"], "file", {"share": True}),
    (["--prealloc"], "ram", {"prealloc": True}),
    (["--prealloc=2", "--backend", "memfd"], "memfd", {"prealloc": True}),
    (["--reserve", "off"], "ram", {"reserve": False}),
    (["--reserve", "on", "--prealloc"], "ram", {"reserve": True, "prealloc": True}),
    (["--policy", "bind", "--host-nodes", "0"], "ram", {"policy": "bind", "host-nodes": [0]}),
    (["--policy", "preferred", "--host-nodes", "0,0"], "ram", {"policy": "preferred", "host-nodes": [0]}),
    (["--policy", "interleave", "--host-nodes", "0-0"], "ram", {"policy": "interleave", "host-nodes": [0]}),
    (["--policy", "default"], "ram", {"policy": "default", "host-nodes": []}),
])
def test_a_backend_is_as_it_was_asked_for(vm, words, kind, facts):
    before = vm.mem_total()
    done(vm.memhp("plug", "128M", *words))
    found = backend(vm)
    assert found["type"] == f"memory-backend-{kind}" and found["size"] == 128 * MIB
    assert {k: found[k] for k in facts} == facts
    if "--prealloc=2" in words:
        assert prop(vm, "memhp0-mem", "prealloc-threads") == 2
    assert vm.mem_total() == before + 128 * MIB and vm.zones(32) == ["Movable"]
    done(vm.memhp("unplug"))
    assert vm.backends() == []


def test_a_file_keeps_the_memory_under_its_name(vm, tmp_path):
    file = tmp_path / "a, b"
    done(vm.memhp("plug", "128M", "--mem-path", file, "--share"))
    assert file.stat().st_size == 128 * MIB
    assert backend(vm)["type"] == "memory-backend-file" and prop(vm, "memhp0-mem", "mem-path") == str(file)
    done(vm.memhp("unplug"))


def test_each_of_several_dimms_has_its_own_backend(vm, tmp_path):
    done(vm.memhp("plug", "512M", "--dimm", "256M", "--mem-path", tmp_path, "--share"))
    for name in ("memhp0-mem", "memhp1-mem"):
        found = backend(vm, name)
        assert (found["type"], found["share"], found["size"]) == ("memory-backend-file", True, 256 * MIB)
    assert list(tmp_path.iterdir()) == []  # files without a name
    done(vm.memhp("unplug", "--all"))


def test_several_dimms_do_not_share_one_file(vm, tmp_path):
    file = tmp_path / "memory"
    message, hint = refused(vm, 1, "plug", "512M", "--dimm", "256M", "--mem-path", file)
    assert f"cannot share the file '{file}'" in message and "directory" in hint
    assert vm.backends() == [] and not file.exists()


@pytest.mark.parametrize("words,message", [
    (["--mem-path", "/proc/none"], "'memhp0-mem'"),
    (["--prealloc=4294967296"], "'memhp0-mem'"),
])
def test_what_only_qemu_can_refuse_is_told_in_its_words_and_leaves_nothing(vm, words, message):
    before = vm.state()
    said, _ = refused(vm, 1, "plug", "128M", *words, state="rolled-back")
    assert message in said and len(said) > len("cannot plug '128M': QEMU refuses the backend 'memhp0-mem': ")
    assert vm.state() == before


@pytest.mark.parametrize("words,message", [
    (["--backend", "file"], "needs --mem-path"),
    (["--backend", "ram", "--mem-path", "/tmp"], "goes with --backend file"),
    (["--backend", "ram", "--hugetlb"], "goes with --backend memfd"),
    (["--mem-path", "/tmp", "--hugetlb"], "goes with --backend memfd"),
    (["--hugetlb=3M"], "power of two"),
    (["--prealloc", "--reserve", "off"], "exclude each other"),
    (["--policy", "bind"], "needs --host-nodes"),
    (["--host-nodes", "0"], "needs --policy"),
    (["--policy", "bind", "--host-nodes", "0,"], "'0,'"),
    (["--policy", "bind", "--host-nodes", "1-0"], "'1-0'"),
    (["--policy", "strict"], "default, preferred, bind or interleave"),
    (["--reserve", "maybe"], "on or off"),
    (["--backend", "shm"], "ram, memfd or file"),
    (["--zone", "kernel", "--no-online"], "exclude each other"),
])
def test_options_that_do_not_go_together_are_bad_usage(vm, words, message):
    assert message in refused(vm, 2, "plug", "128M", *words)[0]
    assert message in refused(vm, 2, "--qmp", "/no/such/monitor", "plug", "128M", *words)[0]


# ---- the host's memory


def test_memory_that_the_host_does_not_have_is_not_taken_at_once(boot):
    [available] = re.findall(r"MemAvailable: *(\d+) kB", Path("/proc/meminfo").read_text())
    if int(available) * 1024 > 400 * GIB:
        pytest.skip("the host has more memory than a VM may have here")
    vm = boot(maxmem="500G")
    message, hint = refused(vm, 1, "--dry-run", "plug", "400G", "--prealloc")
    assert "host has only" in message and "--prealloc" in hint


@pytest.mark.parametrize("words,kind", [
    (["--hugetlb"], "memfd"), (["--hugetlb=2M", "--prealloc"], "memfd"),
])
def test_huge_pages_are_taken(vm, huge_pages, words, kind):
    huge_pages(256)
    message, hint = refused(vm, 1, "plug", "512M", *words)
    assert "256 MiB free in huge pages of 2 MiB" in message and "echo 256 >" in hint
    done(vm.memhp("plug", "256M", *words))
    assert backend(vm)["type"] == f"memory-backend-{kind}" and prop(vm, "memhp0-mem", "hugetlb") is True
    assert prop(vm, "memhp0-mem", "hugetlbsize") in (0, 2 * MIB)
    # used or only reserved: nothing is left for another
    message, _ = refused(vm, 1, "plug", "128M", *words)
    assert "0 B free in huge pages" in message
    done(vm.memhp("unplug"))


def test_huge_pages_are_carried_to_another_qemu(vm, huge_pages):
    huge_pages(128)
    done(vm.memhp("plug", "128M", "--hugetlb=2M", "--zone", "movable"))
    words = shlex.split(done(vm.memhp("list", "--qemu-args")))
    assert words[1] == "memory-backend-memfd,id=memhp0-mem,size=134217728,hugetlb=on,hugetlbsize=2097152"
    done(vm.memhp("unplug"))


def test_huge_pages_that_the_host_does_not_have_are_told_before_anything_is_sent(vm):
    before = vm.state()
    message, hint = refused(vm, 1, "plug", "128M", "--hugetlb=1M")
    assert "no huge pages of 1 MiB" in message and "/sys/kernel/mm/hugepages" in hint
    assert vm.state() == before


# ---- a QEMU that has the same devices from its start


def test_the_arguments_of_list_start_a_vm_with_the_same_devices(boot):
    vm = boot(maxmem="9G")
    done(vm.memhp("plug", "512M", "--dimm", "256M", "--zone", "movable"))
    done(vm.memhp("plug", "128M", "--slot", "7", "--name", "far", "--addr", "0x180000000", "--backend", "memfd",
                  "--share", "--policy", "bind", "--host-nodes", "0", "--zone", "movable"))
    words = shlex.split(done(vm.memhp("list", "--qemu-args")))
    assert words == vm.json("list", "--qemu-args")["qemu_args"]
    assert words.count("-object") == words.count("-device") == 3

    def facts(machine):
        return [{k: v for k, v in d.items() if k != "hotplugged"} for d in machine.devices()]

    other = boot(words, maxmem="9G")
    assert facts(other) == facts(vm) and ids(other) == ids(vm)
    theirs, ours = backend(other, "far-mem"), backend(vm, "far-mem")
    assert theirs == ours and theirs["policy"] == "bind"
    assert json.loads(done(other.memhp("--json", "list", "--qemu-args")))["qemu_args"] == []
    done(vm.memhp("unplug", "--all"))
