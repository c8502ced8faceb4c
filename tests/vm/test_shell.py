# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp shell and memhp events on a real VM."""
import json
import signal
import subprocess

import vm as virtual
from peer import BINARY, HANG, Typist


def test_a_session_with_a_real_vm(vm, tmp_path):
    """Typed with completion; what another monitor does is seen, and the prompt has the sum."""
    env = virtual.clean_environment(MEMHP_QMP=vm.path("qmp.sock"), TERM="dumb", XDG_STATE_HOME=tmp_path)
    person = Typist([BINARY, "shell"], env)
    person.wait_for("512 MiB> ")
    person.type("plug 25\t --name x\n")
    person.wait_for(r"x-dimm: 256 MiB(?s:.*)768 MiB> ")
    assert vm.zones(32, 33) == ["Movable", "Movable"]
    person.type("unplug --dry-run x\t\n")
    person.wait_for("device_del(?s:.*)> ")
    person.type("offline m\t33\n")
    person.wait_for("memory33: offline(?s:.*)> ")
    assert vm.zones(32, 33) == ["Movable", "offline"]
    vm.monitor.execute("stop")
    person.wait_for("the VM is paused")
    vm.monitor.execute("cont")
    person.wait_for("the VM runs again")
    person.type("unplug x-\t\n")
    person.wait_for(r"unplugged 256 MiB(?s:.*)512 MiB> ")
    person.type("\x04")
    assert person.finish() == 0


def test_events_of_a_real_vm(vm):
    follower = subprocess.Popen([BINARY, "--qmp", vm.path("qmp2.sock"), "events"])  # the tests' own monitor is there
    follower.kill()
    follower.wait()
    shell = subprocess.Popen([BINARY, "--json", "shell"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                             env=virtual.clean_environment(MEMHP_QMP=vm.path("qmp.sock")))
    with shell:
        out, _ = shell.communicate("plug 128M --name e\nevents --count 1 --timeout 0.2\nunplug e\n", timeout=HANG)
    answers = [json.loads(line) for line in out.splitlines()]
    assert [a["command"] for a in answers] == ["plug", "events", "unplug"]
    assert answers[0]["ok"] and answers[1]["error"]["code"] == "timeout" and answers[2]["ok"]


def test_the_guest_of_a_real_vm_is_followed_on_its_console(vm):
    """Whose modes are as they were in the end, and where nothing runs any more."""
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("stty -g\n")
        before = terminal.wait_for(r"[0-9a-f:]{20,}\s")
    run = subprocess.Popen([BINARY, "--verbose", "--qmp", vm.path("qmp.sock"), "events", "--guest-events"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=virtual.clean_environment())
    with run:
        watches = 0
        while watches < 2:
            watches += "guest > watch" in run.stderr.readline()
        vm.add_dimm(256 * virtual.MIB, "f-mem", "f-dimm")
        told = [run.stdout.readline()[10:] for _ in range(2)]
        assert sorted(told)[0] == "memory32-memory33: added, offline\n", told
        vm.guest("echo online_movable >/sys/devices/system/memory/memory33/state")
        assert run.stdout.readline()[10:] == "memory33: online in zone Movable\n"
        vm.guest("echo offline >/sys/devices/system/memory/memory33/state")
        assert run.stdout.readline()[10:] == "memory33: offline\n"
        vm.monitor.execute("device_del", id="f-dimm")
        vm.monitor.wait_event("DEVICE_DELETED", lambda data: data.get("device") == "f-dimm")
        vm.monitor.execute("object-del", id="f-mem")
        while "memory32-memory33: removed" not in run.stdout.readline():
            pass
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=HANG)
    assert run.returncode == 130
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("stty -g\n")
        assert terminal.wait_for(r"[0-9a-f:]{20,}\s").split()[-1] == before.split()[-1]
