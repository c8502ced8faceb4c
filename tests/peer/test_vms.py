# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VM: those that run, those of profiles, the only one, and whom memhp does not trust."""
import json
import os
import re
import shutil
import socket
import tempfile

import peer
import pytest
from world import IS_ROOT, NOBODY, is_possible, world

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")
as_root = pytest.mark.skipif(not IS_ROOT, reason="needs other users")


@pytest.fixture
def here(tmp_path):
    """A world without any VM."""
    with world(tmp_path) as made:
        yield made


def devices(here, *words, **options):
    """The DIMMs of the VM that `list` takes."""
    return [d["size"] // peer.MIB for d in here.json("--guest", "none", *words, "list", **options)["devices"]]


# The one that runs

def test_without_any_vm_qemu_cannot_be_reached(here):
    value = here.memhp("--json", "list").failed(3, "QMP socket", code="qemu-unreachable", state="unchanged")
    assert "-qmp unix:" in value["error"]["hint"]
    assert "--all" in value["error"]["hint"]  # memhp is root in this world
    assert here.vms() == {} and here.memhp("vms").stdout == "no VMs\n"


def test_the_only_vm_is_taken(here):
    vm = here.vm("web", plugged=512)
    assert devices(here) == [512]
    assert "query-memory-devices" in vm.commands()


@pytest.mark.parametrize("command", [["list"], ["status"], ["plug", "512M"], ["unplug"], ["qmp", "query-status"],
                                     ["blocks"], ["online", "32"]], ids=" ".join)
def test_of_several_vms_none_is_taken(here, command):
    first, second = here.vm("web"), here.vm("db")
    value = here.memhp("--json", *command).failed(2, "2 VMs", f"'web' (pid {first.pid})", f"'db' (pid {second.pid})",
                                                  code="usage", state="unchanged")
    assert "--vm" in value["error"]["hint"]
    assert first.commands() == second.commands() == []


def test_a_vm_is_chosen_by_name_or_pid(here):
    here.vm("web", plugged=512)
    other = here.vm("db", plugged=1024)
    assert devices(here, "--vm", "web") == devices(here, "-Mweb") == [512]
    assert devices(here, "--vm", other.pid) == [1024]
    assert devices(here, env={"MEMHP_VM": "db"}) == [1024]
    assert devices(here, "--vm", "web", env={"MEMHP_VM": "db"}) == [512]


def test_a_vm_that_does_not_run(here):
    here.vm("web-server")
    here.configure("[vm database]\nqmp = /nowhere\n")
    value = here.memhp("--json", "--vm", "web-sevrer", "list").failed(3, "'web-sevrer'", code="qemu-unreachable")
    assert value["error"]["hint"] == "did you mean 'web-server'?"
    value = here.memhp("--json", "--vm", "databse", "list").failed(3, "'databse'")
    assert value["error"]["hint"] == "did you mean 'database'?"
    value = here.memhp("--json", "--vm", "4194304", "list").failed(3, "'4194304'")
    assert value["error"]["hint"] == "see memhp vms"


def test_two_vms_of_one_name_are_told_apart_by_pid(here, tmp_path):
    first = here.vm("web", plugged=512)
    path = tmp_path / "second"
    second = here.qemu("-name", "web", "-qmp", f"unix:{path},server", listen=[{"path": str(path)}])
    here.memhp("--json", "--vm", "web", "list").failed(2, f"pid {first.pid}", f"pid {second.pid}", code="usage")
    assert devices(here, "--vm", first.pid) == [512]
    assert devices(here, "--vm", second.pid) == []


def test_what_is_named_on_the_command_line_counts_more_than_the_environment(here):
    web, other = here.directory / "web.qmp", here.directory / "db.qmp"
    here.vm("web", plugged=512)
    here.vm("db", plugged=1024)
    assert devices(here, env={"MEMHP_QMP": other}) == [1024]
    assert devices(here, "--vm", "web", env={"MEMHP_QMP": other}) == [512]
    assert devices(here, "--qmp", web, env={"MEMHP_VM": "db"}) == [512]
    # a channel of the environment is another VM's
    found = here.json("--vm", "web", "status", env={"MEMHP_GUEST": f"exec:touch {here.home}/oops"})
    assert found["guest"] is None and not (here.home / "oops").exists()


@pytest.mark.parametrize("words, env", [(["--qmp", "/x", "--vm", "web"], {}),
                                        ([], {"MEMHP_QMP": "/x", "MEMHP_VM": "web"})])
def test_a_monitor_and_a_running_vm_exclude_each_other(here, words, env):
    here.vm("web")
    here.memhp("--json", *words, "list", env=env).failed(2, "'/x'", "'web'", code="usage")


def test_a_command_for_the_guest_alone_needs_no_vm(here, tmp_path):
    tree = peer.Tree(tmp_path / "guest")
    vms = [here.vm("web"), here.vm("db")]
    assert here.json("--guest", tree.local_channel(), "blocks")["blocks"][0]["first"] == 0
    assert [vm.commands() for vm in vms] == [[], []]


def test_a_vm_that_was_named_is_asked_for_the_devices_of_the_blocks(here, tmp_path):
    tree = peer.Tree(tmp_path / "guest")
    tree.add(32, 35)
    here.vm("web", plugged=512)
    here.vm("db")
    blocks = here.json("--guest", tree.local_channel(), "--vm", "web", "blocks")["blocks"]
    assert [b["device"] for b in blocks] == [None, "d0-dimm"]



# A shell stays with its VM

def test_a_shell_does_not_turn_to_another_vm(here):
    """Its own ends and another starts, which is the only one then; until its own is started again."""
    web = here.vm("web", plugged=512)
    shell = here.shell("--guest", "none")
    assert "512 MiB" in shell.run("list")
    web.commands()
    other = here.vm("db", plugged=1024)
    for _ in range(2):
        said = shell.run("list")
        assert f"the VM 'web' (pid {web.pid}) has gone" in said and "hint: this shell stays with it" in said
        assert "MiB" not in said and "GiB" not in said
    again = here.vm("web", plugged=256)
    said = shell.run("list")
    assert "256 MiB" in said and f"the VM was started anew: its pid is {again.pid}" in said
    assert "anew" not in shell.run("list")
    again.commands()
    assert f"the VM 'web' (pid {again.pid}) has gone" in shell.run("unplug d0")
    assert shell.finish() == 3
    assert other.commands() == []


def test_a_shell_stays_with_a_process_that_has_no_name(here):
    """Another one is another VM, even where it listens at the same place."""
    words = ("-qmp", f"unix:{here.directory}/qmp,server=on,wait=off")
    listen = [{"path": str(here.directory / "qmp"), "plugged": 512}]
    first = here.qemu(*words, listen=listen)
    shell = here.shell("--guest", "none")
    assert "512 MiB" in shell.run("list")
    first.commands()
    other = here.qemu(*words, listen=listen)
    assert f"the VM with pid {first.pid} has gone" in shell.run("list")
    assert shell.finish() == 3
    assert other.commands() == []


def test_a_shell_goes_back_to_its_process_among_others(here):
    """The connection is lost, and by then there are more VMs, one of them with the same name."""
    web = here.vm("web", plugged=512)
    shell = here.shell("--guest", "none")
    assert "512 MiB" in shell.run("list")
    others = [here.vm("db", plugged=1024),
              here.qemu("-name", "web", "-qmp", f"unix:{here.directory}/2,server=on,wait=off",
                        listen=[{"path": f"{here.directory}/2", "plugged": 2048}])]
    assert "went away" in shell.run("qmp hang-up")
    said = shell.run("list")
    assert "512 MiB" in said and "anew" not in said
    shell.finish()
    assert web.commands().count("qmp_capabilities") == 2
    assert [other.commands() for other in others] == [[], []]


@pytest.mark.parametrize("words", [("--vm", "web"), ("--qmp", "web.qmp")], ids=" ".join)
def test_a_shell_stays_with_what_was_named(here, words):
    web = here.vm("web", plugged=512)
    shell = here.shell("--guest", "none", words[0], here.directory / words[1] if "qmp" in words[1] else words[1])
    assert "512 MiB" in shell.run("list")
    web.commands()
    other = here.vm("db", plugged=1024)
    said = shell.run("list")
    assert "GiB" not in said and ("no running VM 'web'" in said or "cannot connect" in said)
    here.vm("web", plugged=256)
    said = shell.run("list")
    assert "256 MiB" in said and "the VM was started anew" in said
    assert shell.finish() == 3
    assert other.commands() == []


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
    found = here.vms(*(["--all"] if IS_ROOT else []))
    assert {n: (v["plugged_memory"], bool(v["problem"])) for n, v in found.items()} == {
        "web": (512 * peer.MIB, False), "db": (256 * peer.MIB, False), **{f"bad{n}": (None, True) for n in range(4)}}
    assert ("no answer" if kind == "mute" else "does not greet") in found["bad0"]["problem"]


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


# Whom memhp does not trust

def test_a_socket_that_another_process_serves_is_refused(here, tmp_path):
    path = tmp_path / "vm.qmp"
    honest = here.qemu("-name", "db", listen=[{"path": str(path)}])
    web = here.qemu("-name", "web", "-qmp", f"unix:{path},server")
    value = here.memhp("--json", "list").failed(3, str(path), f"another process (pid {honest.pid}, ",
                                                       code="qemu-unreachable")
    assert f"not to VM {web.pid}" in value["error"]["message"]
    assert f"(pid {honest.pid}, " in here.vms()["web"]["problem"]
    assert honest.commands() == []


@as_root
def test_a_socket_of_another_user_is_refused(here, tmp_path):
    vm = here.vm("web")
    os.chown(tmp_path / "web.qmp", NOBODY, NOBODY)
    here.memhp("--json", "list").failed(3, "web.qmp", f"another user (uid {NOBODY})", code="qemu-unreachable")
    assert "another user" in here.vms()["web"]["problem"]
    assert vm.commands() == []


@pytest.fixture
def open_directory():
    """A world whose directory all users may enter, with one in it that another user owns."""
    with tempfile.TemporaryDirectory(prefix="mw", dir="/tmp") as directory, world(directory) as made:
        made.directory.chmod(0o755)
        (made.directory / "theirs").mkdir()
        os.chown(made.directory / "theirs", NOBODY, NOBODY)
        yield made


def theirs(here, name="theirs", **options):
    """A VM of another user."""
    path = here.directory / "theirs" / "vm.qmp"
    return here.qemu("-name", name, "-qmp", f"unix:{path},server", uid=NOBODY, listen=[{"path": str(path), **options}])


@as_root
def test_root_sees_the_vms_of_others_only_when_asked(open_directory):
    here = open_directory
    vm = theirs(here, plugged=256)
    assert here.vms() == {}
    here.memhp("--json", "list").failed(3, "QMP socket")
    found = here.vms("--all")["theirs"]
    assert (found["pid"], found["uid"], found["plugged_memory"]) == (vm.pid, NOBODY, 256 * peer.MIB)
    assert re.search(r" USER\n.* nobody\n", here.memhp("vms", "--all").stdout)


@as_root
def test_root_reaches_the_vm_of_another_by_its_pid_alone(open_directory):
    here = open_directory
    vm = theirs(here, name="web", plugged=256)
    here.memhp("--json", "--vm", "web", "list").failed(3, "'web'")
    assert devices(here, "--vm", vm.pid) == [256]
    here.vm("web", plugged=512)
    assert devices(here, "--vm", "web") == devices(here) == [512]


@as_root
def test_a_user_sees_only_their_own_vms(open_directory):
    here = open_directory
    mine, other = theirs(here, plugged=256), here.vm("roots", plugged=512)
    assert list(here.vms(uid=NOBODY)) == ["theirs"]
    assert devices(here, uid=NOBODY) == [256]
    here.memhp("--json", "--vm", other.pid, "list", uid=NOBODY).failed(
        3, f"process {other.pid} belongs to another user (uid 0)")
    here.memhp("--json", "vms", "--all", uid=NOBODY).failed(2, "root", code="usage")
    assert other.commands() == [] and "query-memory-devices" in mine.commands()


def test_names_and_words_of_any_bytes_do_no_harm(here, tmp_path):
    path = tmp_path / "vm.qmp"
    name = "a\033[31m\nb\x9bc" + "x" * 100
    here.qemu("-name", name.encode("utf-8", "surrogateescape"), "-m", "\033]0;x\007", "-qmp", f"unix:{path},server",
              listen=[{"path": str(path)}])
    here.qemu("-name", b"\xff\xfe", "-qmp", b"unix:/\xff\033,server", "-nic", "user,hostfwd=tcp:\033:22-:22")
    assert here.memhp("vms").code == 0
    here.memhp("--json", "list").failed(2, "2 VMs")
    names = [vm["name"] for vm in here.json("vms")["vms"]]
    assert names[0].startswith("a?[31m?b?c") or names[0].startswith("a?[31m?b??c"), names
    assert names[1] == "??"
    assert devices(here, "--vm", names[0]) == []


def test_names_that_a_shell_or_memhp_would_take_apart_are_not_offered(here):
    for name in ("web", "-x", "--force", "a b", "$(touch x)", "a;b", "n" * 129):
        here.qemu("-name", name, "-qmp", f"unix:{here.directory}/{abs(hash(name))},server",
                  listen=[{"path": f"{here.directory}/{abs(hash(name))}"}])
    for words in (["--vm", ""], ["--vm="]):
        offered = here.memhp("__complete", *words).stdout.splitlines()
        assert [word.removeprefix("--vm=") for word in offered] == ["web"]
    value = here.memhp("--json", "--vm", "-y", "list").failed(3, "'-y'")
    assert value["error"]["hint"] == "see memhp vms"  # "-x" is no better


def test_a_name_that_is_too_long_is_cut_or_none(here, tmp_path):
    names = ["n" * 200, "m" * 300]
    for n, name in enumerate(names):
        path = str(tmp_path / f"{n}.qmp")
        here.qemu("-name", name, "-qmp", f"unix:{path},server", listen=[{"path": path, "plugged": 128 << n}])
    found = {vm["name"]: vm for vm in here.json("vms")["vms"]}
    assert set(found) == {names[0], None}
    assert max(map(len, here.memhp("vms").stdout.splitlines())) < 100
    assert devices(here, "--vm", names[0]) == [128] and devices(here, "--vm", found[None]["pid"]) == [256]
    here.memhp("--json", "--vm", names[0][:64], "list").failed(3, "no running VM")
    value = here.memhp("--json", "list").failed(2, "2 VMs are running", "nnn...' (pid ", f"pid {found[None]['pid']}")
    assert "--vm PID" in value["error"]["hint"]


@pytest.mark.parametrize("unit", ["-mon\0c,mode=control\0", "-qmp\0unix:/nowhere,server\0", "-name\0,,,,,,\0", "-a\0",
                                  "-chardev\0socket,id=c,path=/x,server\0", "-nic\0hostfwd=,hostfwd=::::,hostfwd\0"])
def test_a_huge_command_line_hides_no_other_vm(here, tmp_path, unit):
    """Its own monitor stands in the first bytes; what comes in the megabytes behind costs next to nothing."""
    paths = [str(tmp_path / f"{n}.qmp") for n in range(2)]
    words = unit.split("\0")[:-1] * ((1 << 18) // len(unit))
    here.qemu("-name", "huge", "-qmp", f"unix:{paths[0]},server", *words, listen=[{"path": paths[0], "plugged": 128}])
    here.qemu("-name", "web", "-qmp", f"unix:{paths[1]},server", listen=[{"path": paths[1], "plugged": 256}])
    assert here.vms()["web"]["plugged_memory"] == 256 * peer.MIB
    assert devices(here, "--vm", "web") == [256]


@as_root
def test_the_deadline_and_ctrl_c_count_while_command_lines_are_read(here, tmp_path):
    words = ["-chardev", "socket,id=" + "c" * 4000 + ",path=/x,server"] * 200
    for n in range(6):
        here.qemu("-name", f"v{n}", *words, listen=[{"path": str(tmp_path / f"{n}")}])
    here.memhp("--json", "--timeout", "0.001", "list").failed(6, "deadline", code="timeout", state="unchanged")


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


# Profiles

def test_a_profile_names_monitor_and_channel(here, tmp_path):
    tree = peer.Tree(tmp_path / "guest")
    vm = here.vm("other-name", plugged=512)
    here.vm("decoy")
    here.configure(f"[vm web]\nqmp = {tmp_path}/other-name.qmp\nguest = {tree.local_channel()}\n")
    found = here.json("--vm", "web", "status")
    assert found["qemu"]["plugged_memory"] == 512 * peer.MIB
    assert found["guest"]["channel"] == tree.local_channel()
    assert here.vms()["web"]["pid"] == vm.pid


def test_a_profile_without_a_monitor_means_the_vm_of_that_name(here, tmp_path):
    tree = peer.Tree(tmp_path / "guest")
    here.vm("decoy")
    here.configure(f"[vm web]\nguest = {tree.local_channel()}\n")
    # what needs no QEMU does without
    assert here.json("--vm", "web", "blocks")["blocks"]
    here.memhp("--json", "--vm", "web", "list").failed(3, "'web'")
    here.vm("web", plugged=512)
    assert here.json("--vm", "web", "list")["devices"][0]["size"] == 512 * peer.MIB


def test_command_line_then_environment_then_profile(here, tmp_path):
    for name, plugged in (("one", 256), ("two", 512), ("three", 1024)):
        here.vm(name, plugged=plugged)
    one, two, three = (tmp_path / f"{n}.qmp" for n in ("one", "two", "three"))
    here.configure(f"[vm web]\nqmp = {one}\n")
    assert devices(here, env={"MEMHP_VM": "web"}) == [256]
    assert devices(here, env={"MEMHP_VM": "web", "MEMHP_QMP": two}) == [512]
    assert devices(here, "--vm", "web", "--qmp", three, env={"MEMHP_QMP": two}) == [1024]
    assert devices(here, "--vm", "web", env={"MEMHP_QMP": two}) == [256]


def plan(here, *words, **options):
    """The commands that a plug would send."""
    lines = here.json("--vm", "web", "--dry-run", "plug", *words, **options)["plan"]
    return [line["qmp"]["arguments"].get("size") for line in lines if line.get("qmp", {}).get("execute") == "object-add"]


def test_the_size_of_dimms_comes_from_the_profile(here, tmp_path):
    here.vm("other")
    here.configure(f"[vm web]\nqmp = {tmp_path}/other.qmp\nguest = none\ndimm = 256M\n")
    size = 256 * peer.MIB
    assert plan(here, "512M") == [size, size]
    assert plan(here, "512M", "--dimm", "512M") == [2 * size]
    assert plan(here, "384M") == [384 * peer.MIB]  # no multiple of it
    assert plan(here, "512M", "--slot", "3") == [2 * size]


def zones(here, tree, *words):
    """The commands to the guest of a plug."""
    lines = here.json("--vm", "web", "--guest", tree.local_channel(), "--dry-run", "plug", "128M", *words)["plan"]
    return " ".join(line["guest"] for line in lines if "guest" in line)


def test_the_zone_comes_from_the_profile_for_plug_alone(here, tmp_path):
    tree = peer.Tree(tmp_path / "guest")
    tree.add(32, 32, "online", "Movable")
    here.vm("other")
    text = f"[vm web]\nqmp = {tmp_path}/other.qmp\n"
    here.configure(text)
    movable, kernel = zones(here, tree, "--zone", "movable"), zones(here, tree, "--zone", "kernel")
    assert movable == zones(here, tree) != kernel
    here.configure(text + "zone = kernel\n")
    assert zones(here, tree) == kernel
    assert zones(here, tree, "--zone", "movable") == zones(here, tree, "--zone", "auto") == movable
    assert zones(here, tree, "--no-online") != kernel
    # blocks that are online stay where they are
    assert here.json("--vm", "web", "--guest", tree.local_channel(), "online", "32")["changed"] == 0


def test_the_zone_comes_from_the_profile_for_what_resize_adds(here, tmp_path):
    tree = peer.Tree(tmp_path / "guest")
    here.vm("other")

    def asked(*words):
        lines = here.json("--vm", "web", "--guest", tree.local_channel(), "--dry-run", "resize", "+128M", *words)["plan"]
        return " ".join(line["guest"] for line in lines if "guest" in line)

    text = f"[vm web]\nqmp = {tmp_path}/other.qmp\ndimm = 96M\n"  # the size is no multiple of: it does not count
    here.configure(text)
    movable, kernel = asked("--zone", "movable"), asked("--zone", "kernel")
    assert movable == asked() != kernel
    here.configure(text + "zone = kernel\n")
    assert asked() == kernel and asked("--zone", "movable") == movable


def test_the_deadline_comes_from_the_profile(here, tmp_path):
    path = tmp_path / "vm.qmp"
    here.qemu("-qmp", f"unix:{path},server", listen=[{"path": str(path)}])
    # a shell that never answers: the deadline is all that ends this before the test does
    here.configure(f"[vm web]\nqmp = {path}\nguest = exec:sleep 1000\ntimeout = 0.4\n")
    here.memhp("--json", "--vm", "web", "online", "32").failed(6, "deadline", code="timeout")


@pytest.mark.parametrize("text, words", [
    ("[vm web]\nqpm = /x\n", ["line 2", "unknown key 'qpm'", "did you mean 'qmp'?"]),
    ("\n\n[host web]\n", ["line 3", "unknown section '[host web]'", "[vm NAME]"]),
    ("[vm web]\ntimeout = soon\n", ["line 2", "'soon'", "memhp.conf(5)"]),
    ("[vm web]\nzone = \033[31m\n", ["line 2", "control character"]),
    ("[vm web]\n" + "x" * 70000, ["more than"]),
])
@pytest.mark.parametrize("command", [["--vm", "web", "list"], ["vms"]], ids=" ".join)
def test_mistakes_in_the_configuration_are_named(here, text, words, command):
    path = here.configure(text)
    here.memhp("--json", *command).failed(2, str(path), *words, code="usage", state="unchanged")


def test_a_configuration_with_mistakes_hinders_nobody_who_does_not_use_it(here):
    here.configure("oops")
    here.vm("web", plugged=256)
    assert devices(here) == [256]


@pytest.mark.parametrize("mode", [0o602, 0o660, 0o620], ids=oct)
def test_a_configuration_that_others_can_change_is_refused(here, mode):
    here.vm("web")
    path = here.configure("[vm web]\nguest = none\n")
    path.chmod(mode)
    here.memhp("--json", "--vm", "web", "list").failed(2, str(path), "by others", f"chmod go-w {path}", code="usage")


@as_root
def test_a_configuration_of_another_user_is_refused(here):
    path = here.configure("[vm web]\nguest = none\n")
    os.chown(path, NOBODY, NOBODY)
    here.memhp("--json", "--vm", "web", "list").failed(2, str(path), f"another user (uid {NOBODY})", code="usage")


@pytest.mark.parametrize("part", [".config/memhp", ".config", "."])
@pytest.mark.parametrize("mode", [0o770, 0o707], ids=oct)
def test_a_configuration_that_others_can_exchange_is_refused(here, part, mode):
    here.vm("web")
    here.configure("[vm web]\nguest = none\n")
    directory = here.home / part
    directory.chmod(mode)
    here.memhp("--json", "--vm", "web", "list").failed(2, "on the way to it", "by others", f"chmod go-w {directory}",
                                                       code="usage")
    directory.chmod(mode | 0o1000)  # in a sticky one they can only add
    here.json("--vm", "web", "list")


@as_root
def test_a_configuration_behind_a_link_of_another_user_is_refused(here, tmp_path):
    """Or behind one of this user's into a directory where another could exchange the file."""
    here.vm("web")
    path = here.configure("[vm web]\nguest = none\n")
    there = tmp_path / "there"
    there.mkdir(mode=0o700)
    shutil.move(path, there / "config")
    path.symlink_to(there / "config")
    here.json("--vm", "web", "list")
    there.chmod(0o777)
    here.memhp("--json", "--vm", "web", "list").failed(2, "there, on the way to it,", code="usage")
    there.chmod(0o700)
    os.lchown(path, NOBODY, NOBODY)
    here.memhp("--json", "--vm", "web", "list").failed(2, f"another user (uid {NOBODY})", code="usage")


@pytest.mark.parametrize("where", ["profile", "environment"])
def test_tab_runs_no_command_that_was_not_typed_to_run(here, tmp_path, where):
    """A profile or the environment may name one; Tab asks QEMU alone then."""
    here.vm("web", plugged=256)
    mark = tmp_path / "mark"
    command = f"exec:touch {mark}; exec sh"
    here.configure(f"[vm web]\nqmp = {tmp_path}/web.qmp\n" + (f"guest = {command}\n" if "profile" in where else ""))
    env = {"MEMHP_GUEST": command} if where == "environment" else {}
    for words in (["unplug", ""], ["online", "memory"], ["offline", ""], ["plug", ""], ["resize", ""], ["plug", "--dimm", ""]):
        vm = [] if where == "environment" else ["--vm", "web"]
        done = here.memhp("__complete", *vm, *words, env=env)
        assert done.code == 0 and not mark.exists(), (words, done)


def test_what_is_no_file_is_refused_at_once(here):
    path = here.configure("")
    path.unlink()
    os.mkfifo(path)
    here.memhp("--json", "--vm", "web", "list").failed(2, str(path), "no regular file", code="usage")
    path.unlink()
    path.mkdir()
    here.memhp("--json", "--vm", "web", "list").failed(2, str(path), "no regular file", code="usage")


def test_where_the_configuration_is(here, tmp_path):
    here.vm("other", plugged=256)
    text = f"[vm web]\nqmp = {tmp_path}/other.qmp\n"
    path = here.configure(text)
    assert devices(here, "--vm", "web") == [256]
    elsewhere = tmp_path / "xdg/memhp/config"
    elsewhere.parent.mkdir(parents=True)
    shutil.move(path, elsewhere)
    here.memhp("--json", "--vm", "web", "list").failed(3, "'web'")
    assert devices(here, "--vm", "web", env={"XDG_CONFIG_HOME": tmp_path / "xdg"}) == [256]
    # relative paths do not count
    here.memhp("--json", "--vm", "web", "list", env={"XDG_CONFIG_HOME": "xdg"}, cwd=tmp_path).failed(3, "'web'")


def test_the_users_profile_hides_that_of_the_system(tmp_path):
    etc = tmp_path / "etc"
    (etc / "memhp").mkdir(parents=True)
    (tmp_path / "world").mkdir()
    with world(tmp_path / "world", etc=etc) as here:
        here.vm("one", plugged=256)
        here.vm("two", plugged=512)
        (etc / "memhp/config").write_text(f"[vm web]\nqmp = {here.directory}/one.qmp\nguest = exec:false\n"
                                          f"[vm db]\nqmp = {here.directory}/two.qmp\n")
        assert devices(here, "--vm", "web") == [256]
        here.configure(f"[vm web]\nqmp = {here.directory}/two.qmp\n")
        assert devices(here, "--vm", "web") == [512]
        assert here.json("--vm", "web", "status")["guest"] is None  # nothing of the other profile
        assert devices(here, "--vm", "db") == [512]
        found = here.vms()
        assert found["web"]["from"].endswith(".config/memhp/config")


# What else may have been meant

@pytest.mark.parametrize("words, hint", [
    (["plgu", "1G"], "did you mean 'plug'?"),
    (["plug", "1G", "--zoen=auto"], "did you mean '--zone'?"),
    (["--guset=none", "list"], "did you mean '--guest'?"),
    (["--guest=none", "unplug", "d0-dim"], "did you mean 'd0-dimm'?"),
    (["--guest=none", "unplug", "elsewhere"], "see memhp list"),
    (["reboot"], "see memhp --help"),
])
def test_a_mistyped_word_is_recognised(here, words, hint):
    here.vm("web", plugged=256)
    result = here.memhp("--json", *words)
    assert result.code in (1, 2) and result.json["error"]["hint"] == hint, result


# The shell

def test_the_shell_stays_with_the_vm_and_its_profile(here, tmp_path):
    """The profile is read once; what the shell's own options settled stays settled."""
    size = 128 * peer.MIB
    vm = here.vm("other")
    here.vm("decoy")
    here.configure(f"[vm web]\nqmp = {tmp_path}/other.qmp\nguest = exec:touch {tmp_path}/oops\ndimm = 128M\n")
    lines = ["list", "plug 256M", "plug 128M --dimm 128M", "lsit", "vms", "list", "--vm decoy list", "status"]
    result = here.memhp("--vm", "web", "--guest", "none", "--json", "shell", input="\n".join(lines) + "\n")
    assert result.code == 2, result
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(a["command"], a["ok"]) for a in answers if a["command"] != "shell"] == [
        ("list", True), ("plug", True), ("plug", True), (None, False), ("vms", True), ("list", True),
        ("list", False), ("status", True)], result
    assert [d["size"] for d in answers[5]["devices"]] == [size] * 3
    assert answers[7]["qemu"]["plugged_memory"] == 3 * size
    assert not (tmp_path / "oops").exists()
    assert vm.commands().count("device_add") == 3
