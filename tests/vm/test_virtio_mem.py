# SPDX-License-Identifier: GPL-3.0-or-later
"""virtio-mem devices: grown and shrunk by memhp resize, added by memhp plug --virtio-mem."""
import json
import signal

import pytest
from relay import BEFORE, Relay
from report import changes, done, refused, rows
from truth import total
from vm import GIB, MIB, end_process

DEVICE = ["-object", "memory-backend-ram,id=vmem0,size=2G",
          "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=0"]
POLICY = "cat /sys/devices/system/memory/auto_online_blocks"
DRIVER = "/sys/bus/virtio/drivers/virtio_mem"


@pytest.fixture
def elastic(boot):
    """A machine with an empty virtio-mem device of 2 GiB at most, whose blocks begin at memory32."""
    return boot(DEVICE)


def sizes(vm, device="vm0"):
    """What QEMU says the device has, and has been asked for."""
    return tuple(vm.monitor.execute("qom-get", path=f"/machine/peripheral/{device}", property=p)
                 for p in ("size", "requested-size"))


def device(answer, name="vm0"):
    [found] = [d for d in answer["devices"] if d["id"] == name]
    return found


# ---- resize


def test_resize_drives_the_device_to_the_total_and_back(elastic):
    vm, base = elastic, elastic.mem_total()
    for size, mib in (("1G", 512), ("700M", 188), ("+2M", 190), ("-62M", 128), ("2.5G", 2048), ("512M", 0)):
        done(vm.memhp("resize", size, "--zone", "movable"))
        assert sizes(vm) == (mib * MIB, mib * MIB)
        assert total(vm) == (512 + mib) * MIB
        assert vm.mem_total() == base + mib * MIB
    assert not any(n >= 32 for n in vm.blocks())


def test_list_and_status_show_what_the_device_is_asked_for(elastic):
    vm = elastic
    answer = vm.json("resize", "700M")
    assert answer["plugged"] == answer["unplugged"] == []
    assert [d["id"] for d in answer["resized"]] == ["vm0"]
    shown = device(vm.json("list"))
    assert {k: shown[k] for k in ("type", "size", "requested", "max_size", "block_size", "slot", "node")} == {
        "type": "virtio-mem", "size": 188 * MIB, "requested": 188 * MIB, "max_size": 2 * GIB,
        "block_size": 2 * MIB, "slot": None, "node": 0}
    for command in ("list", "status"):
        assert "vm0: 188 MiB of at most 2 GiB, in steps of 2 MiB\n" in done(vm.memhp(command))
    heading, row = rows(done(vm.memhp("list")))[:2]
    assert dict(zip(heading, row))["BLOCKS"] == "memory32-memory33"
    done(vm.memhp("resize", "512M"))


def test_what_is_there_already_is_only_asked(elastic):
    vm = elastic
    done(vm.memhp("resize", "640M"))
    result = vm.memhp("--verbose", "resize", "640M")
    assert "nothing to do" in done(result)
    assert changes(result.stderr) == []
    done(vm.memhp("resize", "512M"))


def test_the_plan_is_what_is_sent(elastic):
    vm = elastic
    for size in ("1G", "2816M", "512M"):
        command = ["resize", size, "--zone", "movable"]
        before = vm.state()
        plan = vm.json("--dry-run", *command)["plan"]
        assert vm.state() == before
        result = vm.memhp("--verbose", *command)
        done(result)
        assert [line["qmp"] for line in plan if "qmp" in line] == changes(result.stderr)


def test_virtio_mem_comes_first_and_dimms_make_up_the_rest(elastic):
    vm, base = elastic, elastic.mem_total()
    done(vm.memhp("resize", "1G", "--zone", "movable"))
    assert len(vm.devices()) == 1
    # 40 MiB are too few for a DIMM: virtio-mem leaves it more
    done(vm.memhp("resize", "3112M", "--zone", "movable"))
    assert sizes(vm)[0] == 1960 * MIB
    assert sum(d["size"] for d in vm.devices()) == 2600 * MIB
    assert vm.mem_total() == base + 2600 * MIB
    # what virtio-mem gives back is enough: the DIMMs stay
    done(vm.memhp("resize", "1288M"))
    assert sizes(vm)[0] == 136 * MIB
    assert sum(d["size"] for d in vm.devices()) == 776 * MIB and len(vm.devices()) > 2
    # and here it is not
    done(vm.memhp("resize", "640M"))
    assert total(vm) == 640 * MIB and vm.mem_total() == base + 128 * MIB
    done(vm.memhp("resize", "512M"))


@pytest.mark.parametrize("word,words,hint", [
    ("513M", "pieces of 2 MiB", "514 MiB can be reached"),
    ("+1M", "pieces of 2 MiB", "514 MiB can be reached"),
    ("256M", "does not add up", "booted with stays"),
    ("9G", "5.5 GiB left below maxmem", "maxmem"),
])
def test_what_cannot_be_reached_is_refused_before_anything_is_sent(elastic, word, words, hint):
    vm, before = elastic, elastic.state()
    message, said = refused(vm, 1, "resize", word)
    assert words in message and hint in said
    assert vm.state() == before and sizes(vm) == (0, 0)


def test_a_shrink_finer_than_the_device_is_refused(elastic):
    vm = elastic
    done(vm.memhp("resize", "640M"))
    message, said = refused(vm, 1, "resize", "-1M")
    assert "virtio-mem" in message and "640 MiB" in said
    assert sizes(vm) == (128 * MIB, 128 * MIB)
    done(vm.memhp("resize", "512M"))


def test_auto_gives_the_kernel_its_share(elastic):
    vm = elastic
    done(vm.memhp("resize", "2.5G"))
    zones = vm.zones(*range(32, 48))
    assert zones.count("Normal") == 1 and zones.count("Movable") == 15
    vm.discard()


@pytest.mark.parametrize("zone,shown", [("movable", "Movable"), ("kernel", "Normal")])
def test_a_guest_that_brings_memory_online_itself_ends_in_the_zone_asked_for(boot, zone, shown):
    vm = boot(DEVICE, append="memhp_default_state=online")
    before = vm.mem_total()
    done(vm.memhp("resize", "1G", "--zone", zone))
    assert vm.zones(32, 33, 34, 35) == [shown] * 4
    assert vm.mem_total() == before + 512 * MIB
    assert vm.guest(POLICY) == "online\n"
    if zone == "movable":
        done(vm.memhp("resize", "512M"))
        assert vm.mem_total() == before
    else:
        vm.discard()


def pin(vm):
    """Fill the kernel's zone that the device's memory is in with what the kernel cannot move."""
    vm.guest("mkdir /tmp/pin; cd /tmp/pin; i=0; while [ $i -lt 40000 ]; do : >f$i; i=$((i + 1)); done")


def test_a_shrink_that_stops_short_keeps_what_was_reached(boot):
    vm = boot(DEVICE)
    done(vm.memhp("resize", "1G", "--zone", "kernel"))
    pin(vm)
    result = vm.json("--timeout", "8", "resize", "512M", code=7)
    size, requested = sizes(vm)
    assert 0 < size < 512 * MIB and requested == size
    assert result["state"] == "partial" and result["error"]["code"] == "partial"
    assert (result["target"], result["total_after"]) == (512 * MIB, 512 * MIB + size)
    assert f"'vm0' has reached {size // MIB} MiB, not 0 B" in result["error"]["message"]
    # what is left cannot go at all: that is said, and nothing is different
    result = vm.json("--timeout", "4", "resize", "512M", code=5)
    assert result["state"] == "rolled-back" and "memory is in use" in result["error"]["hint"]
    assert sizes(vm) == (size, size) and result["total_after"] == 512 * MIB + size
    vm.discard()


def test_a_guest_without_the_driver_is_told_by_the_deadline_and_nothing_is_left(elastic):
    vm, before = elastic, elastic.state()
    vm.guest(f"cd {DRIVER} && for d in virtio[0-9]*; do echo $d >unbind; done")
    result = vm.json("--timeout", "4", "resize", "1G", code=6)
    assert result["state"] == "rolled-back" and "virtio_mem driver" in result["error"]["hint"]
    assert "'vm0' has reached 0 B, not 512 MiB" in result["error"]["message"]
    assert sizes(vm) == (0, 0) and vm.state() == before
    vm.discard()


@pytest.mark.parametrize("size", ["2.5G", "512M"])
def test_ctrl_c_goes_back_to_the_size_before(elastic, size):
    vm = elastic
    done(vm.memhp("resize", "1G" if size == "2.5G" else "2.5G", "--zone", "movable"))
    before, was = vm.mem_total(), sizes(vm)
    process = vm.catch_memhp("qom-set", "--json", "resize", size, "--zone", "movable")
    process.send_signal(signal.SIGINT)
    out, err = end_process(process)
    assert process.returncode == 130, err
    answer = json.loads(out)
    assert answer["state"] == "rolled-back" and answer["total_after"] == answer["total_before"]
    assert sizes(vm) == was and vm.mem_total() == before
    done(vm.memhp("resize", "512M"))


# ---- plug --virtio-mem


def test_plug_adds_a_device_live_that_resize_changes(vm):
    base = vm.mem_total()
    plan = vm.json("--dry-run", "plug", "1G", "--virtio-mem", "--name", "elastic", "--zone", "movable")["plan"]
    result = vm.memhp("--verbose", "plug", "1G", "--virtio-mem", "--name", "elastic", "--zone", "movable")
    assert "elastic-vmem: 1 GiB of virtio-mem" in done(result)
    assert [line["qmp"] for line in plan if "qmp" in line] == changes(result.stderr)
    assert sizes(vm, "elastic-vmem") == (GIB, GIB)
    assert vm.mem_total() == base + GIB and vm.backends() == ["elastic-mem"]
    assert {b.zones[0] for n, b in vm.blocks().items() if n >= 32} == {"Movable"}
    before = vm.state()
    message, hint = refused(vm, 1, "plug", "128M", "--virtio-mem")
    assert "port" in message and vm.state() == before
    message, hint = refused(vm, 1, "unplug", "elastic")
    assert "virtio-mem" in message and "memhp resize" in hint
    done(vm.memhp("resize", "640M"))
    assert sizes(vm, "elastic-vmem") == (128 * MIB, 128 * MIB)
    done(vm.memhp("resize", "512M"))
    assert vm.mem_total() == base
    vm.discard()  # QEMU 7.2 cannot take the empty device away


@pytest.mark.parametrize("more", [["--dimm", "128M"], ["--slot", "1"], ["--no-online"], ["--keep-going"]])
def test_options_of_dimms_do_not_go_with_virtio_mem(vm, more):
    message, _ = refused(vm, 2, "plug", "256M", "--virtio-mem", *more)
    assert "--virtio-mem excludes" in message


def test_plug_of_a_device_has_the_backend_asked_for(boot):
    """On a machine with a plain PCI bus no port is needed."""
    vm = boot(machine="pc")
    done(vm.memhp("plug", "256M", "--virtio-mem", "--backend", "memfd", "--share", "--zone", "movable"))
    [backend] = [m for m in vm.monitor.execute("query-memdev") if m["id"] == "memhp0-mem"]
    assert backend["share"] is True and backend["size"] == 256 * MIB
    assert vm.monitor.execute("qom-get", path="/objects/memhp0-mem", property="type") == "memory-backend-memfd"
    done(vm.memhp("plug", "256M", "--virtio-mem", "--zone", "movable"))
    assert sizes(vm, "memhp0-vmem") == sizes(vm, "memhp1-vmem") == (256 * MIB, 256 * MIB)
    vm.discard()


# ---- a block that the kernel refuses in its own zone


def refuse_once(vm):
    """The first change of blocks is refused, and nothing after it."""
    changes_seen = []

    def moment(_relay, name, when):
        if when == BEFORE and name.startswith("guest > ") and (changes_seen or name == "guest > swift"):
            changes_seen.append(name)
            if len(changes_seen) < 3:
                vm.inject("MEM_GOING_ONLINE", (-12, 0)[len(changes_seen) - 1])
        return False

    return moment


def test_blocks_that_are_refused_once_stay_due_for_the_kernel(elastic):
    """They are not given to Movable instead, for which nobody has asked."""
    vm = elastic
    code, _, said = Relay(vm, refuse_once(vm), None).run("resize", "1G", "--zone", "kernel")
    assert code == 0, said
    assert vm.zones(32, 33, 34, 35) == ["Normal"] * 4
    vm.discard()


def test_blocks_that_are_refused_in_the_kernels_zone_are_told_with_the_reason(elastic):
    vm, before = elastic, elastic.state()
    vm.inject("MEM_GOING_ONLINE", -12)
    result = vm.json("resize", "1G", "--zone", "kernel", code=5)
    vm.inject("MEM_GOING_ONLINE", 0)
    assert "cannot bring 'memory32' online: Cannot allocate memory" in result["error"]["message"]
    assert result["state"] == "rolled-back" and sizes(vm) == (0, 0) and vm.state() == before
