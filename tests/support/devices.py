# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory devices and NUMA nodes as words of QEMU's command line, and a DIMM that no guest adds."""
from vm import MIB

NODES = [word for n in (0, 1) for word in (
    "-object", f"memory-backend-ram,id=n{n}.ram,size=256M", "-numa", f"node,nodeid={n},memdev=n{n}.ram")]
NVDIMM = ["-object", "memory-backend-ram,id=nv-mem,size=128M",
          "-device", "nvdimm,id=nv0,memdev=nv-mem,label-size=2M"]  # 126 MiB of memory, as images are
COLD = ["-object", "memory-backend-ram,id=cold-mem,size=130M", "-device", "pc-dimm,id=cold,memdev=cold-mem"]


def memory(n):
    return ["-object", f"memory-backend-ram,id=n{n}.ram,size=256M"]


# the guest leaves out QEMU's node 1, and calls node 2 its node 1
GAP = [*memory(0), *memory(2), "-numa", "node,nodeid=0,cpus=0,memdev=n0.ram", "-numa", "node,nodeid=1",
       "-numa", "node,nodeid=2,memdev=n2.ram"]
# the guest counts the node with the CPU first; the last one has neither CPUs nor memory
SWAPPED = [*memory(0), *memory(1), "-numa", "node,nodeid=0,memdev=n0.ram", "-numa", "node,nodeid=1,cpus=0,memdev=n1.ram",
           "-numa", "node,nodeid=2"]


def add_odd(vm, mib=130, device="odd", **more):
    """A DIMM by hand that ends, or begins, inside a block: the guest does not add it."""
    vm.monitor.execute("object-add", qom_type="memory-backend-ram", id=f"{device}-mem", size=mib * MIB)
    vm.monitor.execute("device_add", driver="pc-dimm", id=device, memdev=f"{device}-mem", **more)
