# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt, where it is installed: the lab's kernel in a domain, virsh for the DIMMs, ssh for the blocks."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

import work
from contender import Contender

DOMAIN = """<domain type="{type}" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
<name>memhp-bench</name>
<maxMemory slots="256" unit="MiB">81920</maxMemory>
<memory unit="MiB">2560</memory>
<vcpu>1</vcpu>
<cpu><numa><cell id="0" cpus="0" memory="2560" unit="MiB"/></numa></cpu>
<os><type arch="x86_64" machine="q35">hvm</type>
<kernel>{directory}/vmlinuz</kernel><initrd>{directory}/initrd</initrd><cmdline>{parameters}</cmdline></os>
<features><acpi/></features>
<devices><emulator>{emulator}</emulator><controller type="usb" model="none"/><memballoon model="none"/>
<rng model="virtio"><backend model="random">/dev/urandom</backend></rng><serial type="null"/></devices>
<seclabel type="static" model="dac" relabel="no"><label>+{uid}:+{gid}</label></seclabel>
<qemu:commandline>
<qemu:arg value="-netdev"/><qemu:arg value="user,id=bench,hostfwd=tcp:127.0.0.1:{port}-:22"/>
<qemu:arg value="-device"/><qemu:arg value="virtio-net-pci,netdev=bench,addr=0x10"/>
</qemu:commandline>
</domain>
"""
DIMM = """<memory model="dimm"><target><size unit="MiB">{mib}</size><node>0</node></target>
<alias name="ua-bench{n}"/></memory>
"""
URI = "qemu:///system" if os.geteuid() == 0 else "qemu:///session"
PROGRAMS = ("virsh", "libvirtd", "virtlogd", "ssh")
PATIENCE = 120  # seconds


def is_installed():
    return all(shutil.which(program) for program in PROGRAMS)


def succeeds(*words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def virsh(*words):
    done = subprocess.run(["virsh", "-q", "-c", URI, *words], text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, timeout=5 * PATIENCE)
    if done.returncode or "error:" in done.stderr:
        raise OSError(f"virsh {words[0]}: {done.stderr.strip()}")
    return done.stdout


def await_true(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise OSError(f"libvirt: {what} did not come true")
        time.sleep(0.1)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Daemons:
    """virtlogd and libvirtd, started when none serves this machine; those that it started, it ends."""

    def __init__(self, directory):
        self.pid_files = []
        if URI.endswith("session") or succeeds("virsh", "-c", URI, "version"):
            return
        try:
            for name in ("virtlogd", "libvirtd"):
                pid_file = pathlib.Path(f"{directory}/{name}.pid")
                subprocess.run([name, "-d", "-p", pid_file], check=True, stdin=subprocess.DEVNULL)
                self.pid_files.append(pid_file)
            await_true(lambda: succeeds("virsh", "-c", URI, "version"), "a daemon that answers")
        except BaseException:
            self.stop()
            raise

    def stop(self):
        for pid_file in reversed(self.pid_files):
            if not pid_file.exists():
                continue
            pid = int(pid_file.read_text(encoding="ascii"))
            os.kill(pid, 15)
            # one that is about to end still answers the next run
            await_true(lambda gone=f"/proc/{pid}": not os.path.exists(gone), "the end of a daemon")


class Libvirt(Contender):
    """A contender with a machine of its own, like the lab's."""

    title = "libvirt"

    def __init__(self, directory, lab):
        self.directory = directory
        os.chmod(directory, 0o711)
        self.daemons = Daemons(directory)
        try:
            self.port = free_port()
            self.start(lab.command_line())
            self.write_ssh_config(lab)
            await_true(lambda: succeeds(*self.ssh("true")), "a guest that is up")
        except BaseException:
            self.stop()
            raise

    def start(self, lab_words):
        after = dict(zip(lab_words, lab_words[1:]))
        for option, name in (("-kernel", "vmlinuz"), ("-initrd", "initrd")):
            shutil.copy(after[option], f"{self.directory}/{name}")
        domain = pathlib.Path(f"{self.directory}/domain.xml")
        domain.write_text(DOMAIN.format(
            type="kvm" if after["-accel"] == "kvm" else "qemu", directory=self.directory,
            # there is no port for an agent
            parameters=" ".join(word for word in after["-append"].split() if "agent" not in word), emulator=os.path.realpath(shutil.which(lab_words[0])),
            uid=os.geteuid(), gid=os.getegid(), port=self.port), encoding="utf-8")
        virsh("create", str(domain))

    def write_ssh_config(self, lab):
        text = pathlib.Path(lab.path("ssh_config")).read_text(encoding="utf-8")
        # a connection that QEMU takes before the guest listens stays silent
        lines = [f"Port {self.port}" if line.split()[:1] == ["Port"] else line for line in text.splitlines()]
        pathlib.Path(f"{self.directory}/ssh_config").write_text("\n".join((*lines, "ConnectTimeout 5", "")), "utf-8")

    def ssh(self, command):
        return ["ssh", "-F", f"{self.directory}/ssh_config", "lab", command]

    def guest(self, command):
        subprocess.run(self.ssh(command), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def write(self, word, first, step, last):
        self.guest(f"for i in $(seq {first} {step} {last}); do "
                   f"echo {word} >/sys/devices/system/memory/memory$i/state; done")

    def prepare(self):
        """The XML files exist, which is not counted."""
        for size in work.SIZES:
            for n in range(size.count):
                path = pathlib.Path(f"{self.directory}/{size.mib}-{n}.xml")
                if not path.exists():
                    path.write_text(DIMM.format(mib=size.mib, n=n), encoding="utf-8")

    def each(self, command, size):
        """One virsh for all DIMMs."""
        virsh(";".join(f"{command} memhp-bench {self.directory}/{size.mib}-{n}.xml --live" for n in range(size.count)))

    def do(self, verb, size):
        first, last = size.blocks
        if verb == "plug":
            self.each("attach-device", size)
            self.guest(f"until [ -e /sys/devices/system/memory/memory{last}/valid_zones ]; do sleep 0.01; done")
            self.write("online_movable", first, 1, last)
        elif verb == "unplug":
            self.write("offline", last, -1, first)
            self.each("detach-device", size)
        elif verb == "list":
            virsh("dumpxml", "memhp-bench")
            self.guest("cd /sys/devices/system/memory; grep . memory*/state memory*/valid_zones")
        else:
            self.write("online_movable" if verb == "online" else verb, last, 1, last)

    def stop(self):
        if succeeds("virsh", "-q", "-c", URI, "domstate", "memhp-bench"):
            virsh("destroy", "memhp-bench")
        self.daemons.stop()
