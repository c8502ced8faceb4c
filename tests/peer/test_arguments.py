# SPDX-License-Identifier: GPL-3.0-or-later
"""list --qemu-args beside a QEMU that is not to be trusted: what it says goes into another's command line."""
import peer
import pytest
from peer import MIB, Monitor, Refusal, Vm, memhp

DIMM = {"type": "pc-dimm", "hotplugged": True, "realized": True, "memdev": "/objects/d0-mem", "slot": 0, "node": 0,
        "addr": peer.BASE, "size": 256 * MIB, "parent_bus": ""}
BACKEND = {"type": "memory-backend-ram", "size": 256 * MIB, "share": False, "prealloc": False, "reserve": True,
           "merge": True, "dump": True, "policy": "default", "host-nodes": [], "prealloc-threads": 1,
           "prealloc-context": "", "x-use-canonical-path-for-ramblock-id": False}


class Machine(Vm):
    """A VM with one DIMM, whose properties and those of its backend are as they are said to be."""

    def __init__(self, device=None, backend=None, defaults=(), memory=None):
        super().__init__()
        self.plug("d0", 256)
        self.properties = {"/machine/peripheral/d0-dimm": {**DIMM, **(device or {})},
                           "/objects/d0-mem": {**BACKEND, **(backend or {})}, "/machine": memory or {}}
        self.defaults = list(defaults)

    def do_qom_list(self, path):
        if path not in self.properties:
            return super().do_qom_list(path)
        return [{"name": name, "type": "child<x>" if name.endswith("]") else "string"}
                for name in self.properties[path]]

    def do_qom_get(self, path, property):  # pylint: disable=redefined-builtin
        found = self.properties.get(path, {})
        if property not in found:
            return super().do_qom_get(path, property)
        if found[property] is Refusal:
            raise Refusal("not readable")
        return found[property]

    def do_query_memdev(self):
        return []

    def do_device_list_properties(self, typename):
        assert typename == self.properties["/machine/peripheral/d0-dimm"]["type"]
        return [{"name": name, "type": "x", "default-value": value} for name, value in self.defaults]


@pytest.fixture
def run(tmp_path):
    """run(machine, "--json", ...): list --qemu-args of that machine."""
    def run(machine, *words):
        with Monitor(tmp_path / "qmp", machine):
            result = memhp(*words, "--qmp", tmp_path / "qmp", "--guest", "none", "list", "--qemu-args")
        (tmp_path / "qmp").unlink()
        return result

    return run


def arguments(result):
    """The object and the device."""
    (_, found, _, device) = result.succeeded()["qemu_args"]
    return found, device


PLAIN = "memory-backend-ram,id=d0-mem,size=268435456"
PLAIN_DIMM = "pc-dimm,id=d0-dimm,memdev=d0-mem,slot=0,node=0,addr=4294967296"


def test_what_is_as_qemu_makes_it_is_left_out(run):
    assert arguments(run(Machine(), "--json")) == (PLAIN, PLAIN_DIMM)
    assert run(Machine()).stdout == f"-object {PLAIN}\n-device {PLAIN_DIMM}\n"


@pytest.mark.parametrize("kind", ["memory-backend-file,mem-path=/etc/shadow", "memory-backend-epc", "secret,file=/x",
                                  "rng-random", "", 7, None, ["memory-backend-ram"], "memory-backend-ram ", "pc-dimm"],
                         ids=repr)
def test_only_backends_that_memhp_knows_get_onto_a_command_line(run, kind):
    machine = Machine(backend={"type": kind})
    run(machine, "--json").failed(1, "'d0-mem'")
    result = run(machine)
    assert result.code == 1 and not result.stdout


@pytest.mark.parametrize("kind", ["pc-dimm,x=y", "vfio-pci,host=01:00.0", "cxl-type3", "", None, "memory-backend-ram"],
                         ids=repr)
def test_only_devices_that_memhp_knows_get_onto_a_command_line(run, kind):
    machine = Machine(device={"type": kind})
    run(machine, "--json").failed(1, "'d0-dimm'")
    assert not run(machine).stdout


@pytest.mark.parametrize("name", ["mem-path=/etc/shadow,x", "id", "x -incoming exec:x", "new", "memdev,share", "\x1b[2J"],
                         ids=repr)
@pytest.mark.parametrize("where", ["device", "backend"])
def test_no_name_of_a_property_is_qemus(run, name, where):
    """What memhp does not know, and is set, is refused by its name; what is not set does not count."""
    for value in ("on", True, 1, [1], {"a": 1}, 0.5):
        run(Machine(**{where: {name: value}}), "--json").failed(1, "cannot carry", "'d0-")
    for value in ("", False, 0, [], "auto"):
        found = arguments(run(Machine(**{where: {name: value}}), "--json"))
        assert found == (PLAIN, PLAIN_DIMM)


def test_a_new_property_of_a_device_is_compared_with_what_qemu_says_is_usual(run):
    machine = Machine(device={"new": "on"}, defaults=[("new", True)])
    assert arguments(run(machine, "--json"))[1] == PLAIN_DIMM
    machine = Machine(device={"new": False}, defaults=[("new", True)])
    run(machine, "--json").failed(1, "'new' of 'd0-dimm'")


@pytest.mark.parametrize("backend,words", [
    ({"type": "memory-backend-memfd", "share": True, "hugetlb": True, "hugetlbsize": 2 * MIB, "seal": True},
     "size=268435456,hugetlb=on,hugetlbsize=2097152"),
    ({"type": "memory-backend-memfd", "share": False}, "share=off,size=268435456"),
    ({"type": "memory-backend-shm", "share": True}, "size=268435456"),
    ({"prealloc": True, "prealloc-threads": 4}, "prealloc-threads=4,size=268435456,prealloc=on"),
    ({"policy": "bind", "host-nodes": [0, 3]}, "size=268435456,policy=bind,host-nodes=0,host-nodes=3"),
    ({"merge": False}, "merge=off,size=268435456"),
    ({"type": "memory-backend-file", "mem-path": "/a,b", "readonly": True, "rom": "on", "offset": 4096, "pmem": True},
     "size=268435456,mem-path=/a,,b,offset=4096,pmem=on,readonly=on"),
    ({"type": "memory-backend-file", "mem-path": "/a", "readonly": True, "rom": "off"},
     "rom=off,size=268435456,mem-path=/a,readonly=on"),
])
def test_what_differs_is_carried(run, backend, words):
    kind = backend.get("type", "memory-backend-ram")
    assert arguments(run(Machine(backend=backend), "--json"))[0] == f"{kind},id=d0-mem,{words}"


def test_what_the_machine_makes_usual_is_usual(run):
    machine = Machine(backend={"merge": False, "dump": True}, memory={"mem-merge": False, "dump-guest-core": False})
    assert arguments(run(machine, "--json"))[0] == "memory-backend-ram,id=d0-mem,dump=on,size=268435456"


@pytest.mark.parametrize("where,name", [("backend", "share"), ("backend", "size"), ("device", "addr")])
def test_what_qemu_does_not_tell_is_not_left_out_silently(run, where, name):
    run(Machine(**{where: {name: Refusal}}), "--json").failed(1, f"'{name}' of 'd0-")


@pytest.mark.parametrize("name", [name for name in BACKEND if name != "type"] + ["mem-path", "rom", "hugetlbsize"])
def test_no_value_is_more_than_a_value(run, name):
    """A comma in it is doubled: QEMU reads it as one character of that value."""
    for value in ("x,mem-path=/etc/shadow", ["x,mem-path=/etc/shadow"]):
        result = run(Machine(backend={"prealloc": True, name: value}), "--json")
        if result.code:
            result.failed(1, f"'{name}' of 'd0-mem'")  # what has no rule, and a list where none belongs
        else:
            assert f",{name}=x,,mem-path=/etc/shadow" in arguments(result)[0]


VIRTIO = {"type": "virtio-mem-pci", "memaddr": peer.BASE, "addr": 9, "block-size": 8 * MIB, "requested-size": 64 * MIB,
          "parent_bus": "/machine/q35/pcie.0", "slot": Refusal, "virtio-bus[0]": "x", "legacy-addr": "01.1"}


def test_a_pci_device_keeps_its_place(run):
    words = arguments(run(Machine(device={k: v for k, v in VIRTIO.items() if k != "slot"} | {"slot": ""}), "--json"))[1]
    assert words.endswith("bus=pcie.0,addr=01.1") and ",block-size=8388608,requested-size=67108864" in words


def test_a_bus_that_was_hotplugged_is_not_there_at_the_start(run):
    machine = Machine(device={**VIRTIO, "slot": "", "parent_bus": "/machine/peripheral/br/br0"})
    machine.properties["/machine/peripheral/br"] = {"hotplugged": True}
    run(machine, "--json").failed(1, "its bus 'br0' was hotplugged")


@pytest.mark.parametrize("path", ["/x -incoming exec:touch", "/*", "/x\n-incoming", "/\x1b[2Jx", "/x\\y", "/+(x)"],
                         ids=repr)
def test_arguments_for_another_qemu_are_whole_words(run, path):
    """They are for qemu $(memhp list --qemu-args): what a shell splits would be an argument of its own."""
    machine = Machine(backend={"type": "memory-backend-file", "mem-path": path})
    assert f",mem-path={path}" in arguments(run(machine, "--json"))[0]
    plain = run(machine)
    assert plain.code == 1 and not plain.stdout and "d0-dimm" in plain.stderr, plain
    machine = Machine(backend={"type": "memory-backend-file", "mem-path": "/pl\u20acin"})
    plain = run(machine)
    assert plain.stdout.split()[::2] == ["-object", "-device"] and "'/pl\u20acin'" in plain.stderr


def test_hundreds_of_properties_are_not_believed(run):
    run(Machine(device={f"p{n}": 0 for n in range(600)}), "--json").failed(1, "makes no sense")
