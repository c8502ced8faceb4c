# SPDX-License-Identifier: GPL-3.0-or-later
"""A guest that is reset, panics or shuts down ends every wait at once, and what is left is told as it is.

The deadline is far away: what waits for it is ended by the test, which then fails.
"""
import contextlib
import json
import socket
import subprocess

import pytest
from fate import panic, plugged, power_down, reset
from relay import AFTER, BEFORE, Relay, at, at_work
from vm import BINARY, PATIENCE, Console, Gone, Terminal, clean_environment, wait_until

FAR = ("--timeout", "600")


def await_shell(path):
    """Type until a shell obeys; what is typed while the guest boots is lost, or only half of it."""
    with Terminal(path) as terminal:
        for _ in range(PATIENCE * 2):
            terminal.type("\necho obeys$?\n")
            with contextlib.suppress(Gone):
                terminal.wait_for(r"obeys\d+\r?\n[^\n]*[#$] ", 0.5)
                return
        raise AssertionError(f"no shell on {path}, but {terminal.text[-2000:]!r}")


def revive(vm):
    """The guest has begun anew: wait for its shells."""
    vm.console.close()
    await_shell(vm.path("serial2.sock"))
    await_shell(vm.path("serial.sock"))
    vm.console = Console(vm.path("serial2.sock"))


def clean_up(vm):
    """As a person would after the hint: look, and take away what is left."""
    assert vm.memhp("list").returncode == 0
    if vm.devices():
        assert vm.memhp("unplug", "--all").returncode == 0
    assert vm.memhp("repair").returncode == 0
    assert not vm.devices() and not vm.backends()


def empty_dimm(vm):
    """A DIMM whose blocks are offline."""
    assert vm.memhp("plug", "256M", "--no-online").returncode == 0


def nothing(_vm):
    """All is as at boot."""


PHASES = {
    "look": (lambda _, *now: now == ("guest > scan", BEFORE), nothing, ("plug", "256M"), "waited for its answer"),
    "attach": (at("qmp > device_add", BEFORE), nothing, ("--guest", "none", "plug", "256M"), "QEMU was adding memory"),
    "online": (at_work(BEFORE), nothing, ("plug", "256M"), "waited for it to bring memory online"),
    "offline": (at_work(BEFORE), plugged, ("unplug",), "waited for it to take memory offline"),
    "release": (at("qmp > device_del", BEFORE), plugged, ("unplug",), "waited for it to let go of memory"),
    "change": (at_work(BEFORE), plugged, ("offline", "32-33"), "waited for it to take memory offline"),
    "grow": (at_work(BEFORE), nothing, ("resize", "1G"), "waited for it to bring memory online"),
    "repair": (at("qmp > device_del", BEFORE), empty_dimm, ("repair", "--back"), "waited for it to let go of memory"),
}


def restart(vm):
    """The guest restarts, and QEMU has said so before anything else happens."""
    seen = len(vm.monitor.events)
    reset(vm)
    wait_until(lambda: vm.monitor.execute("query-status") and
               any(e["event"] == "RESET" for e in vm.monitor.events[seen:]), what="the reset")


def strike(vm, fate, moment, *command):
    """Run memhp, and let fate strike at that moment; its exit code, its object and what it said."""
    relay = Relay(vm, moment, lambda _: fate(vm))
    code, out, said = relay.run("--json", *FAR, *command)
    assert relay.has_struck, said
    found = json.loads(out)
    assert bool(code) is not found["ok"], said
    return code, found, said


@pytest.mark.parametrize("phase", PHASES)
def test_a_reset_ends_every_wait_at_once_and_what_is_left_is_told(boot, phase):
    vm = boot()
    moment, prepare, command, words = PHASES[phase]
    prepare(vm)
    before, backends = vm.devices(), vm.backends()
    code, found, said = strike(vm, restart, moment, *command)
    now = vm.devices()
    assert not code or "the guest has been reset (" in said and words in said, said
    if not code:  # QEMU's answer was there when memhp read of the reset: no wait was left to end
        assert phase == "attach" and len(now) == len(before) + 1, said
    elif found["state"] in ("unchanged", "rolled-back"):
        assert code == 4 and now == before and vm.backends() == backends, said
    else:
        assert code == 7 and found["state"] == "partial" and "memhp repair" in said, said
        assert not now or "memhp0-dimm" in said or "memory32-memory33" in said, said
    revive(vm)
    clean_up(vm)


def test_nothing_is_typed_to_what_is_on_the_console_after_a_reset(boot):
    """The firmware and the kernel of the next boot hear nothing of the session before."""
    vm = boot()
    heard, before = bytearray(), bytearray()

    class Listening(Relay):
        """What goes to the console once fate has struck."""

        def pass_on(self, line, direction, message):
            if self.has_struck and line.name == "guest" and direction == ">":
                heard.extend(message)

    def fate(relay):
        """What memhp had typed by then may still lie in the relay's socket."""
        for line in relay.lines:
            if line.name == "guest":
                ours = next(end for end, (direction, _) in line.ends.items() if direction == ">")
                with contextlib.suppress(BlockingIOError):
                    before.extend(ours.recv(65536, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        restart(vm)

    plugged(vm)
    relay = Listening(vm, at("qmp > device_del", BEFORE), fate)
    code, _, said = relay.run("--json", *FAR, "unplug")
    assert code == 7 and "has been reset" in said, said
    assert heard == before, heard
    revive(vm)
    clean_up(vm)


@pytest.mark.parametrize("more", [[], ["--keep-going"]])
def test_dimms_that_a_booting_guest_refuses_to_give_up_are_asked_for_again(boot, more):
    vm = boot()
    before, backends = vm.devices(), vm.backends()
    code, found, said = strike(vm, restart, at_work(BEFORE), "plug", "512M", "--dimm", "128M", *more)
    assert "the guest has been reset (" in said, said
    revive(vm)
    assert "does not give up" not in said, said
    if found["state"] == "rolled-back":
        assert code == 4 and vm.devices() == before and vm.backends() == backends, said
    else:  # a slow machine has not booted in the time that there is for it
        assert code == 7 and "since it ended or restarted" in said, said
    clean_up(vm)


def test_virtio_mem_that_a_reset_has_emptied_is_asked_for_what_it_had(boot):
    vm = boot()
    vm.discard()
    assert vm.memhp("plug", "512M", "--virtio-mem", "--zone", "movable").returncode == 0
    code, found, said = strike(vm, restart, at("qmp > qom-set", AFTER), "resize", "768M")
    assert code in (4, 7) and "the guest has been reset" in said and "virtio-mem" in said, said
    device = vm.devices()[0]
    assert device["requested-size"] == 512 << 20
    if found["state"] == "rolled-back":
        assert device["size"] == 512 << 20, said
    else:
        assert "'memhp0-vmem' is at" in said, said


@pytest.mark.parametrize("phase", ["online", "release"])
def test_a_panic_is_told_at_once(boot, phase):
    """Of a kernel that then stands still, as its console says; QEMU does not know of it."""
    vm = boot()
    vm.discard()
    moment, prepare, command, _ = PHASES[phase]
    prepare(vm)

    def panic_for_good(_):
        panic(vm)
        wait_until(lambda: "Kernel panic - not syncing" in vm.console_log(), what="the panic")

    code, found, said = strike(vm, panic_for_good, moment, *command)
    assert code == 7 and "the guest's kernel has panicked" in said, said
    assert found["state"] in ("partial", "pending") and "memhp0-dimm" in said, said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"]


def shut_down(vm):
    """The guest shuts down, and QEMU stays."""
    vm.monitor.execute("set-action", shutdown="pause")
    vm.console.type("poweroff -f\n")
    wait_until(lambda: vm.monitor.execute("query-status")["status"] == "shutdown", what="the shutdown")


def test_a_shutdown_is_told_at_once(boot):
    vm = boot()
    vm.discard()
    moment, prepare, command, _ = PHASES["release"]
    prepare(vm)
    code, found, said = strike(vm, shut_down, moment, *command)
    assert code == 7 and found["state"] == "partial", said
    assert "the VM has shut down (guest-shutdown) while memhp waited" in said, said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"] and "memhp0-dimm" in said


def test_a_shutdown_that_ends_qemu_is_told_at_once(boot):
    vm = boot()
    vm.discard()
    plugged(vm)
    code, _, said = strike(vm, power_down, at_work(BEFORE), "unplug")
    assert code == 3 and "the VM has shut down (host-qmp-quit)" in said and "QEMU has ended" in said, said


def test_a_guest_that_cannot_boot_with_a_new_dimm_is_not_waited_for(boot):
    """The DIMM's memory map leaves nothing for the kernel: it panics at each boot, unless it can refuse the DIMM."""
    vm = boot(memory="256M", maxmem="200G", append="memory_hotplug.memmap_on_memory=1")
    vm.discard()
    vm.monitor.execute("set-action", reboot="reset")
    done = vm.memhp("--json", *FAR, "plug", "20G", "--reserve", "off", "--force")
    found, said = json.loads(done.stdout), done.stderr
    if done.returncode == 5:
        assert found["state"] == "rolled-back" and not vm.devices(), said
        return
    assert done.returncode == 7 and found["state"] == "partial", said
    assert "'memhp0-dimm' may still be plugged" in said and "memhp repair" in said, said
    assert "the guest's kernel has panicked" in said or "the guest has been reset" in said, said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"]


def test_a_shell_s_next_command_works_after_a_reset(boot):
    """What happened between two commands ends none of them."""
    vm = boot()
    with subprocess.Popen([BINARY, "shell"], env=clean_environment(MEMHP_QMP=vm.path("qmp.sock")), text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as shell:
        shell.stdin.write("list\n")
        shell.stdin.flush()
        assert "no memory devices" in shell.stdout.readline()
        restart(vm)
        revive(vm)
        out, err = shell.communicate("plug 256M --quiet\nlist --json\n", timeout=60)
    assert shell.returncode == 0 and json.loads(out.splitlines()[-1])["devices"][0]["id"] == "memhp0-dimm", out + err
    clean_up(vm)
