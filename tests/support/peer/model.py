# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual machine as its monitor shows it."""
from binary import GIB, MIB
from peer.script import deleted, ost

BASE = 4 * GIB  # where QEMU's device memory begins


class Refusal(Exception):
    """An error reply."""

    def __init__(self, desc, kind="GenericError"):
        super().__init__(desc)
        self.kind = kind


class Vm:
    """A q35 machine: what QEMU 7.2 answers to what memhp asks. With a tree, its guest has the blocks."""

    def __init__(self, tree=None, base_mib=512, slots=4, max_mib=8192):
        self.tree = tree
        self.base = base_mib * MIB
        self.slots = slots
        self.max = max_mib * MIB
        self.objects = {"pc.ram": self.base}
        self.devices = []
        self.chardevs = []
        self.status = "running"
        self.migration = None
        self.deleted = []  # ids, in the order of their going

    # state

    def plug(self, name, mib, address=None, anonymous=False):
        """Put a DIMM in, with its backend NAME-mem, and its blocks into the tree; returns its data."""
        self.objects[f"{name}-mem"] = mib * MIB
        return self.insert({"id": None if anonymous else f"{name}-dimm", "memdev": f"{name}-mem",
                            "addr": address})

    def connect_console(self, path):
        """The guest's console is on that socket, which QEMU serves."""
        self.chardevs = [{"label": "serial0", "filename": f"disconnected:unix:{path},server=on", "frontend-open": True}]

    def insert(self, arguments):
        """Make a device of the arguments of device_add."""
        size = self.objects.get(arguments.get("memdev"))
        if size is None:
            raise Refusal(f"Property 'pc-dimm.memdev' can't find value '/objects/{arguments.get('memdev')}'")
        if arguments.get("id") and self.find(arguments["id"]):
            raise Refusal(f"Duplicate device ID '{arguments['id']}'")
        used = {d["slot"] for d in self.devices}
        slot = arguments.get("slot", next((n for n in range(self.slots) if n not in used), None))
        if slot is None:
            raise Refusal("no free slots available")
        end = max((d["addr"] + d["size"] for d in self.devices), default=BASE)
        device = {"memdev": f"/objects/{arguments['memdev']}", "hotplugged": True, "hotpluggable": True,
                  "addr": arguments.get("addr") or end, "size": size, "slot": slot,
                  "node": arguments.get("node", 0)}
        if arguments.get("id"):
            device["id"] = arguments["id"]
        self.devices.append(device)
        if self.tree:
            self.tree.add(*self.blocks(device))
        return device

    def remove(self, device):
        """Let go of a device, whose blocks go with it."""
        self.devices.remove(device)
        self.deleted.append(device.get("id"))
        if self.tree:
            self.tree.remove(*self.blocks(device))

    def blocks(self, device):
        """The first and last block of a device."""
        first = device["addr"] // self.tree.block_bytes
        return first, first + device["size"] // self.tree.block_bytes - 1

    def find(self, name):
        """The device with that id or QOM path."""
        return next((d for d in self.devices if name in (d.get("id"), self.path(d))), None)

    def path(self, device):
        """Its QOM path."""
        if "id" in device:
            return f"/machine/peripheral/{device['id']}"
        anonymous = [d for d in self.devices if "id" not in d]
        return f"/machine/peripheral-anon/device[{anonymous.index(device)}]" if device in anonymous else None

    def occupied(self, backend):
        """Is a backend in use by a device?"""
        return any(d["memdev"] == f"/objects/{backend}" for d in self.devices)

    # commands: each returns the "return" value and the events that follow

    def answer(self, command, arguments):
        """Answer a command; raises Refusal."""
        method = getattr(self, "do_" + command.replace("-", "_"), None)
        if not method:
            raise Refusal(f"The command {command} has not been found", "CommandNotFound")
        value = method(**{k.replace("-", "_"): v for k, v in arguments.items()})
        return value if isinstance(value, tuple) else (value, [])

    def do_qmp_capabilities(self):
        return {}

    def do_query_status(self):
        return {"status": self.status, "singlestep": False, "running": self.status == "running"}

    def do_query_memory_devices(self):
        return [{"type": "dimm", "data": dict(d)} for d in self.devices]

    def do_query_memory_size_summary(self):
        return {"base-memory": self.base, "plugged-memory": sum(d["size"] for d in self.devices)}

    def do_qom_list(self, path):
        if path == "/objects":
            return [{"name": "type", "type": "string"}] + [
                {"name": name, "type": "child<memory-backend-ram>"} for name in self.objects]
        if path == "/machine/peripheral-anon":
            count = sum("id" not in d for d in self.devices)
            return [{"name": "type", "type": "string"}] + [
                {"name": f"device[{n}]", "type": "child<pc-dimm>"} for n in range(count)]
        raise Refusal(f"Device '{path}' not found", "DeviceNotFound")

    def do_qom_get(self, path, property):  # pylint: disable=redefined-builtin
        device = self.find(path)
        if device:
            return device[property]
        limits = {"slots": self.slots, "max-size": self.max} if self.slots else {}
        known = {("/machine", "memory"): {"size": self.base, **limits},
                 ("/machine", "type"): "pc-q35-7.2-machine",
                 ("/machine/device-memory[0]", "addr"): BASE}
        if (path, property) not in known:
            raise Refusal(f"Device '{path}' not found", "DeviceNotFound")
        return known[path, property]

    def do_query_acpi_ospm_status(self):
        return [{"source": 0, "status": 0, "slot": str(n), "slot-type": "DIMM"} for n in range(self.slots)]

    def do_query_migrate(self):
        return {"status": self.migration} if self.migration else {}

    def do_query_target(self):
        return {"arch": "x86_64"}

    def do_query_chardev(self):
        return self.chardevs

    def do_object_add(self, id, size, qom_type):  # pylint: disable=redefined-builtin,unused-argument
        if id in self.objects:
            raise Refusal(f"attempt to add duplicate property '{id}' to object (type 'container')")
        self.objects[id] = size
        return {}

    def do_object_del(self, id):  # pylint: disable=redefined-builtin
        if id not in self.objects:
            raise Refusal(f"object '{id}' not found")
        if self.occupied(id):
            raise Refusal(f"object '{id}' is in use, can not be deleted")
        del self.objects[id]
        return {}

    def do_device_add(self, **arguments):
        device = self.insert(arguments)
        return {}, [ost(1, 0, device["slot"], device.get("id"))]

    def do_device_del(self, id):  # pylint: disable=redefined-builtin
        device = self.find(id)
        if not device:
            raise Refusal(f"Device '{id}' not found", "DeviceNotFound")
        events = [ost(3, 0x84, device["slot"], device.get("id")), deleted(device.get("id"), self.path(device))]
        self.remove(device)
        return {}, events
