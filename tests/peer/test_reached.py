# SPDX-License-Identifier: GPL-3.0-or-later
"""How the monitor of a VM that runs is reached, and how VMs are listed."""
import os
import socket

import peer
import pytest
from wait import wait_until
from world import IS_ROOT, devices, is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")


# How it is reached


def test_a_relative_path_begins_where_qemu_does(here, tmp_path):
    (tmp_path / "there").mkdir()
    here.qemu("-qmp", "unix:vm.qmp,server,nowait", listen=[{"path": "vm.qmp", "plugged": 256}],
              cwd=tmp_path / "there")
    assert devices(here) == [256]
    assert here.vms()[None]["monitor"] == f"{tmp_path}/there/vm.qmp"


def test_a_monitor_with_a_character_device(here, tmp_path):
    path = str(tmp_path / "a,b.qmp")
    here.qemu("-mon", "chardev=m,mode=control", "-chardev",
              f"socket,id=m,path={path.replace(',', ',,')},server=on,wait=off", listen=[{"path": path, "plugged": 256}])
    assert devices(here) == [256]


def test_a_monitor_on_a_tcp_port(here):
    # the port is not known before: the words of the command line are
    port = socket.create_server(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    here.qemu("-qmp", f"tcp:127.0.0.1:{number},server=on,wait=off",
              listen=[{"tcp": number, "plugged": 256}])
    assert devices(here) == [256]
    assert here.vms()[None]["plugged_memory"] == 256 * peer.MIB


def test_of_several_monitors_the_first_that_greets_is_taken(here, tmp_path):
    paths = [str(tmp_path / f"{n}.qmp") for n in range(3)]
    words = [w for path in paths for w in ("-qmp", f"unix:{path},server")]
    here.qemu(*words, listen=[{"path": paths[0], "silent": True}, {"path": paths[1], "plugged": 256},
                              {"path": paths[2], "plugged": 512}])
    assert devices(here) == [256]
    found = here.vms()[None]
    assert (found["monitor"], found["plugged_memory"], found["problem"]) == (paths[1], 256 * peer.MIB, None)


def test_monitors_that_are_all_in_use(here, tmp_path):
    paths = [str(tmp_path / f"{n}.qmp") for n in range(2)]
    words = [w for path in paths for w in ("-qmp", f"unix:{path},server")]
    here.qemu(*words, listen=[{"path": path, "silent": True} for path in paths])
    here.memhp("--json", "--timeout", "1", "list").failed(3, "another client", code="qemu-unreachable")


@pytest.mark.parametrize("kind", ["mute", "silent"])
def test_one_monitor_that_says_nothing_makes_no_other_unknown(here, tmp_path, kind):
    """It greets and then never answers, or does not even greet: each is judged by itself."""
    paths = [str(tmp_path / f"bad{n}") for n in range(4)]
    for n, path in enumerate(paths):
        here.qemu("-name", f"bad{n}", "-qmp", f"unix:{path},server", listen=[{"path": path, kind: True}])
    here.vm("web", plugged=512)
    here.vm("db", plugged=256)
    known = {"web": (512 * peer.MIB, None), "db": (256 * peer.MIB, None)}
    problem = "no answer" if kind == "mute" else "does not greet"

    def is_told():
        found = here.vms(*(["--all"] if IS_ROOT else []))
        assert sorted(found) == [*(f"bad{n}" for n in range(4)), "db", "web"]
        assert all(found[f"bad{n}"]["plugged_memory"] is None and found[f"bad{n}"]["problem"] for n in range(4))
        return problem in found["bad0"]["problem"] and all(
            (found[n]["plugged_memory"], found[n]["problem"]) == facts for n, facts in known.items())

    # again, as a fake that has not got the CPU within half a second counts as silent too
    wait_until(is_told, what=f"the others known, and {problem!r}")


def test_another_monitor_of_a_vm_answers_for_one_that_is_mute(here, tmp_path):
    paths = [str(tmp_path / f"{n}.qmp") for n in range(2)]
    here.qemu(*(w for path in paths for w in ("-qmp", f"unix:{path},server")),
              listen=[{"path": paths[0], "mute": True}, {"path": paths[1], "plugged": 256}])
    found = here.vms()[None]
    assert (found["monitor"], found["plugged_memory"], found["problem"]) == (paths[1], 256 * peer.MIB, None)
    assert devices(here) == [256]


def test_a_monitor_that_does_not_listen_any_more(here, tmp_path):
    vm = here.vm("web")
    os.unlink(tmp_path / "web.qmp")
    here.memhp("--json", "list").failed(3, "web.qmp", "No such file", code="qemu-unreachable")
    assert "No such file" in here.vms()["web"]["problem"]
    assert vm.commands() == []


def test_a_vm_that_only_has_a_human_monitor(here):
    vm = here.qemu("-name", "old", "-monitor", "stdio")
    value = here.memhp("--json", "list").failed(3, "QMP socket")
    assert f"pid {vm.pid}" in value["error"]["hint"] and "-qmp unix:" in value["error"]["hint"]
    here.memhp("--json", "--vm", "old", "list").failed(3, f"pid {vm.pid}", "QMP socket")
    shown = here.memhp("vms")
    assert shown.stdout == "no VMs\n" and f"pid {vm.pid}" in shown.stderr


@pytest.mark.parametrize("program", ["qemu-system-aarch64", "qemu-kvm", "kvm", ".qemu-system-x86_64-wrapped",
                                     "my-qemu-system-x86_64", "kvmtool"])
def test_what_listens_where_qemus_words_say_is_qemu(here, program):
    vm = here.vm("web", plugged=256, program=program)
    assert devices(here) == devices(here, "--vm", vm.pid) == [256]


@pytest.mark.parametrize("program", ["qemu-img", "qemu-ga", "qemu-storage-daemon"])
def test_tools_of_qemu_are_not(here, program):
    vm = here.vm("web", program=program)
    assert here.vms() == {}
    here.memhp("--json", "--vm", vm.pid, "list").failed(3, f"process {vm.pid} is '{program}', not QEMU")
    assert vm.commands() == []


@pytest.mark.parametrize("program", ["qemu-syste", "kvmtool", "python3", "sh"])
def test_what_has_qemus_words_and_listens_elsewhere_is_not(here, tmp_path, program):
    """As a script that starts QEMU has them, and its own socket."""
    vm = here.qemu("-name", "web", "-machine", "q35", "-qmp", f"unix:{tmp_path}/said,server=on,wait=off", program=program,
                   listen=[{"path": str(tmp_path / "real")}])
    assert here.vms() == {}
    here.memhp("--json", "--vm", vm.pid, "list").failed(3, f"process {vm.pid} is '{program}', not QEMU")
    assert vm.commands() == []


def test_a_pid_is_told_what_it_is(here):
    here.memhp("--json", "--vm", "1", "list").failed(3, "process 1 is 'dash', not QEMU", code="qemu-unreachable")
    here.memhp("--json", "--vm", "0", "list").failed(3, "no running VM '0'")
    here.memhp("--json", "--vm", "99999999999999999999", "list").failed(3, "no running VM '99999999999999999999'")


# The table


def test_the_table_fits_a_terminal_and_says_what_is_not_known(here, tmp_path):
    deep = tmp_path / ("d" * 20)
    deep.mkdir()
    vm = here.vm("web", plugged=512)
    path = deep / "vm.qmp"
    busy = here.qemu("-name", "busy", "-qmp", f"unix:{path},server", "-serial", f"unix:{tmp_path}/console,server",
                     listen=[{"path": str(path), "silent": True}])
    here.configure("# mine\n[vm web]\nguest = ssh:root@web\n[vm far]\nqmp = tcp:far.example:4444\n")
    shown = here.memhp("vms")
    assert shown.code == 0
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert rows[0] == ["NAME", "PID", "MONITOR", "GUEST", "PLUGGED", "FROM"]
    assert rows[1][:2] == ["web", str(vm.pid)] and rows[1][3:] == ["ssh", "512", "MiB", "~/.config/memhp/config"]
    assert rows[2][:2] == ["busy", str(busy.pid)] and rows[2][3:] == ["serial", "-", "process"]
    assert rows[2][2].startswith("...") and rows[2][2].endswith("/vm.qmp")
    assert rows[3] == ["far", "-", "tcp:far.example:4444", "-", "-", "~/.config/memhp/config"]
    assert max(map(len, shown.stdout.splitlines())) <= 80
    assert f"'busy' (pid {busy.pid})" in shown.stderr and "another client" in shown.stderr


def test_the_json_has_it_in_full(here, tmp_path):
    path = tmp_path / "vm.qmp"
    with socket.create_server(("127.0.0.1", 0)) as port:
        number = port.getsockname()[1]
    vm = here.qemu("-name", "web", "-m", "1G,slots=4,maxmem=4G", "-qmp", f"unix:{path},server",
                   "-nic", f"user,hostfwd=tcp::{number}-:22",
                   listen=[{"path": str(path), "plugged": 256, "serial": str(tmp_path / "console")}, {"tcp": number}])
    config = here.configure("[vm far]\nqmp = /nowhere/far.qmp\nguest = exec:sh\n")
    found = here.vms()
    assert str(tmp_path / "console") in found["web"].pop("guest_problem")  # nobody listens there
    assert found["far"].pop("guest_problem") is None
    assert found["web"] == {
        "name": "web", "pid": vm.pid, "uid": 0, "monitor": str(path),
        "guest": f"serial:{tmp_path}/console", "plugged_memory": 256 * peer.MIB, "memory": "1G,slots=4,maxmem=4G",
        "ssh": f"ssh:root@127.0.0.1:{number}", "from": "process", "problem": None}
    problem = found["far"].pop("problem")
    assert "/nowhere/far.qmp" in problem
    assert found["far"] == {"name": "far", "pid": None, "uid": None, "monitor": "/nowhere/far.qmp", "guest": "exec:sh",
                            "plugged_memory": None, "memory": None, "ssh": None, "from": str(config)}


def test_a_forwarded_port_is_a_hint_and_never_used(here, tmp_path):
    path = tmp_path / "vm.qmp"
    with socket.create_server(("127.0.0.1", 0)) as port:
        number = port.getsockname()[1]
    vm = here.qemu("-qmp", f"unix:{path},server", "-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{number}-:22",
                   listen=[{"path": str(path)}, {"tcp": number, "counts": True}])
    address = f"--guest ssh:root@127.0.0.1:{number}"
    assert address in here.memhp("vms").stderr
    assert address in here.memhp("list").stderr
    assert address in here.memhp("--json", "online", "32").failed(4, "no channel")["error"]["hint"]
    assert address in here.memhp("--qmp", path, "plug", "512M").stderr
    assert address not in here.memhp("--guest", "none", "list").stderr
    assert "connection" not in vm.commands()


def test_a_port_that_another_process_listens_on_is_no_hint(here, tmp_path):
    path = tmp_path / "vm.qmp"
    with socket.create_server(("127.0.0.1", 0)) as port:
        here.qemu("-qmp", f"unix:{path},server", "-netdev", f"user,id=n,hostfwd=tcp::{port.getsockname()[1]}-:22",
                  listen=[{"path": str(path)}])
        assert "ssh:" not in here.memhp("vms").stderr + here.memhp("list").stderr
        assert here.vms()[None]["ssh"] is None
