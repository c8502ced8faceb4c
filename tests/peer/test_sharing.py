# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices need shared memory, how QEMU says that there are some, and what to do when QEMU refuses a device."""
import pytest
from peer import MIB, Default, Monitor, Refusal, Vm, error, memhp


class Machine(Vm):
    """A VM with more: devices by name and type, objects, the answer to "info network", what query-memdev tells."""

    def __init__(self, devices=None, nameless=(), objects=None, network="", memdevs=None, boot="/objects/pc.ram",
                 properties=None):
        super().__init__()
        self.more = {"/machine/peripheral": devices or {}, "/objects": objects or {},
                     "/machine/peripheral-anon": {f"device[{n}]": kind for n, kind in enumerate(nameless)}}
        self.network, self.memdevs, self.boot = network, memdevs, boot
        self.properties = properties or {}

    def do_qom_list(self, path):
        found = super().do_qom_list(path) if path == "/objects" else []
        return found + [{"name": name, "type": f"child<{kind}>"} for name, kind in self.more[path].items()]

    def do_qom_get(self, path, property):  # pylint: disable=redefined-builtin
        if (path, property) == ("/machine", "memory-backend"):
            if self.boot is None:
                raise Refusal("no such property")
            return self.boot
        if (path, property) in self.properties:
            return self.properties[path, property]
        return super().do_qom_get(path, property)

    def do_query_memdev(self):
        return self.memdevs if self.memdevs is not None else [
            {"id": "pc.ram", "size": self.base, "share": False}]

    def do_human_monitor_command(self, command_line):
        if command_line != "info network":
            raise Refusal("not here")
        return self.network


@pytest.fixture
def run(tmp_path):
    """run(machine, "plug", ...): without a guest."""
    def run(machine, *words, on=None):
        with Monitor(tmp_path / "qmp", machine, on=on) as monitor:
            result = memhp("--json", "--qmp", tmp_path / "qmp", "--guest", "none", *words)
        (tmp_path / "qmp").unlink()
        return result, monitor

    return run


def backend(run, machine):
    """What a plain plug would have QEMU make; and, done, what it says of it."""
    plan = run(machine, "--dry-run", "plug", "128M")[0].succeeded()["plan"]
    arguments = plan[0]["qmp"]["arguments"]
    return {k: v for k, v in arguments.items() if k not in ("id", "size")}


SHARED = {"qom-type": "memory-backend-memfd", "share": True}
PLAIN = {"qom-type": "memory-backend-ram"}


@pytest.mark.parametrize("kind", [
    "vhost-user-blk-pci", "vhost-user-blk", "vhost-user-scsi-pci-non-transitional", "vhost-user-fs-pci",
    "vhost-user-fs-device", "vhost-user-vsock-pci", "vhost-user-rng-pci", "vhost-user-i2c-device",
    "vhost-user-gpio-pci", "vhost-user-gpu-pci", "vhost-user-vga", "vhost-user-input-pci", "vhost-user-snd-pci",
    "vhost-user-scmi-pci", "vhost-user-test-device-pci", "vfio-user-pci", "x-pci-proxy-dev"])
def test_a_device_of_another_process_needs_shared_memory(run, kind):
    assert backend(run, Machine(devices={"d": kind})) == SHARED
    assert backend(run, Machine(nameless=["virtio-net-pci", kind])) == SHARED
    said = run(Machine(nameless=[kind]), "plug", "128M", "--backend", "ram")[0].failed(1, f"the VM has a {kind} device")
    assert "memfd" in said["error"]["hint"]


@pytest.mark.parametrize("kind", ["virtio-blk-pci", "ivshmem-plain", "ivshmem-doorbell", "vhost-vsock-pci", "vfio-pci",
                                  "vhost-scsi-pci", "vhost-vdpa-device-pci", "pc-dimm", "virtio-mem-pci"])
def test_other_devices_do_not(run, kind):
    assert backend(run, Machine(devices={"d": kind}, nameless=[kind])) == PLAIN


@pytest.mark.parametrize("network,is_shared", [
    ("n0: index=0,type=vhost-user,vhost-user0 to c0\r\n", True),
    ("v.0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:12:34:56\r\n"
     " \\ n0: index=0,type=passt,vhost-user,connected to pid 7\r\n", True),
    (" \\ n0: index=0,type=passt,stream,connected to pid 7\r\n", False),
    (" \\ n0: index=0,type=tap,ifname=vhost-user,script=x\r\n", False), ("", False)])
def test_a_network_of_another_process_needs_shared_memory(run, network, is_shared):
    assert backend(run, Machine(network=network)) == (SHARED if is_shared else PLAIN)


def test_an_object_of_another_process_needs_shared_memory(run):
    assert backend(run, Machine(objects={"c": "cryptodev-vhost-user"})) == SHARED
    assert backend(run, Machine(objects={"c": "cryptodev-backend-builtin"})) == PLAIN


@pytest.mark.parametrize("boot", ["/objects/pc.ram", "pc.ram", "", None])  # as versions and machines have it
@pytest.mark.parametrize("says", [True, False])  # query-memdev does since 6.1
@pytest.mark.parametrize("share", [True, False])
def test_shared_memory_of_the_start_is_seen_in_every_version(run, boot, says, share):
    memdevs = [{"id": "pc.ram", "size": 512 * MIB, **({"share": share} if says else {})}]
    machine = Machine(memdevs=memdevs, boot=boot, properties={("/objects/pc.ram", "share"): share})
    assert backend(run, machine) == (SHARED if share else PLAIN)


def test_memory_that_is_not_the_start_s_does_not_count(run):
    memdevs = [{"id": "pc.ram", "size": 1, "share": False}, {"id": "x", "size": 1, "share": True}]
    assert backend(run, Machine(memdevs=memdevs)) == PLAIN
    machine = Machine(memdevs=[{"id": "pc.ram", "size": 1, "share": False}, {"id": "d-mem", "size": 1, "share": True}],
                      boot="")
    machine.plug("d", 128)
    assert backend(run, machine) == PLAIN


def test_huge_pages_of_the_start_are_taken_over(run):
    machine = Machine(memdevs=[{"id": "pc.ram", "share": True}], properties={
        ("/objects/pc.ram", "hugetlb"): True, ("/objects/pc.ram", "hugetlbsize"): 1 << 21})
    found = run(machine, "--dry-run", "plug", "128M", "--force")[0].succeeded()["plan"][0]["qmp"]["arguments"]
    assert (found["hugetlb"], found["hugetlbsize"], found["share"]) == (True, 1 << 21, True)


@pytest.mark.parametrize("version,code", [(9, 1), (10, 0), (11, 0)])
def test_anonymous_memory_has_a_descriptor_since_version_10(tmp_path, version, code):
    greeting = {"QMP": {"version": {"qemu": {"micro": 0, "minor": 0, "major": version}, "package": ""},
                        "capabilities": []}}
    with Monitor(tmp_path / "qmp", Machine(devices={"d": "vhost-user-fs-pci"}), greeting=greeting):
        result = memhp("--qmp", tmp_path / "qmp", "--guest", "none", "--dry-run", "plug", "128M", "--backend", "ram",
                       "--share")
    assert result.code == code, result


def test_a_qemu_that_answers_nonsense_is_asked_no_further(run):
    for machine in (Machine(memdevs=7), Machine(network=7), Machine(boot=7), Machine(memdevs=[7, {"id": 7}])):
        assert backend(run, machine) == PLAIN
    long = Machine(devices={"x" * 100000: "vhost-user-" + "y" * 100000})
    assert backend(run, long) == SHARED
    reason = run(long, "plug", "128M", "--backend", "ram")[0].failed(1, "the VM has")["error"]["message"]
    assert len(reason) < 400


def test_only_a_command_that_adds_memory_asks(run):
    for words, asks in ((("plug", "128M"), True), (("resize", "+128M"), True), (("resize", "-128M"), False),
                        (("list",), False), (("status",), False), (("unplug",), False)):
        monitor = run(Machine(), "--dry-run", *words)[1]
        asked = {"command-line": "info network"} in monitor.sent("human-monitor-command")
        assert asked == asks, words


# ---- refusals


@pytest.mark.parametrize("desc,hint", [
    ("hypervisor has no free memory slots left", "larger ones"),
    ("a used vhost backend has no free memory slots left", "larger ones"),
    ("a used vhost backend has not enough free memory slots left", "larger ones"),
    ("not enough space, currently 0x8000000 in use of total space for memory devices 0x10000000", "maxmem=SIZE"),
    ("could not find position in guest address space for memory device - memory fragmented due to alignments",
     "maxmem=SIZE"),
    ("can't add memory device, device too big", "maxmem=SIZE"),
    ("address range conflicts with memory device id='d0'", "--addr"),
    ("can't add memory device [0x1000:0x8000000], usable range for memory devices [0x100000000:0x40000000]", "--addr"),
    ("can't add memory device [0x1000:0x8000000] before 0x100000000", "--addr"),
    ("address must be aligned to 0x200000 bytes", "--addr"),
    ("backend memory size must be multiple of 0x40000000", "multiple"),
    ("Hotplugged memory size must be a multiple of 256 MB", "multiple"),
    ("memory devices (e.g. for memory hotplug) are not supported by the machine", "q35"),
    ("memory devices (e.g. for memory hotplug) are not enabled, please specify the maxmem option", "maxmem=SIZE"),
    ("memory hotplug is not enabled: missing acpi-ged device", "acpi=on"),
    ("memory hotplug is not enabled: ICH9-LPC.memory-hotplug-support is not set", "acpi=on"),
    ("no free slots available", "slots=N"), ("slot 3 is busy", "--slot"),
    ("invalid slot# 9, should be less than 4", "--slot"),
    ("'DIMM property node has value 7' which exceeds the number of numa nodes: 1", "--node"),
])
def test_what_qemu_refuses_is_told_with_what_can_be_done(run, desc, hint):
    machine = Machine()
    result, monitor = run(machine, "plug", "128M", on={"device_add": [error(desc)]})
    said = result.failed(1, desc, code="qemu-refused", state="rolled-back")["error"]["hint"]
    assert hint in said and monitor.changes[-1] == "object-del memhp0-mem"


@pytest.mark.parametrize("desc,hint", [
    ("can't open backing store /x for guest RAM: Permission denied", "--backend memfd"),
    ("cannot bind memory to host NUMA nodes: Invalid argument", "/sys/devices/system/node/online"),
    ("os_mem_prealloc: Insufficient free host memory pages available to allocate guest RAM", "--prealloc"),
    ("cannot set up guest memory 'memhp0-mem': Cannot allocate memory", "--reserve off"),
])
def test_a_backend_that_qemu_does_not_make_too(run, desc, hint):
    result, _ = run(Machine(), "plug", "128M", on={"object-add": [error(desc)]})
    assert hint in result.failed(1, desc, state="rolled-back")["error"]["hint"]


@pytest.mark.parametrize("taken,size,dimm,hint", [
    (0, "1G", "128M", "larger ones"), (1, "1G", "128M", "--dimm 1024M"), (2, "1G", "128M", "--dimm 512M"),
    (3, "1G", "128M", "--dimm 512M"), (4, "1G", "128M", "--dimm 256M"), (7, "1G", "128M", "--dimm 256M"),
    (2, "384M", "128M", "--dimm 384M"),
])
def test_the_hint_is_of_a_size_that_has_room(run, taken, size, dimm, hint):
    machine = Machine()
    machine.slots = 16
    answers = [[Default]] * taken + [[error("a used vhost backend has no free memory slots left")]]
    result, _ = run(machine, "plug", size, "--dimm", dimm, on={"device_add": answers})
    assert hint in result.failed(1, "no free memory slots left", state="rolled-back")["error"]["hint"]

