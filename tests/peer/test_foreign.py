# SPDX-License-Identifier: GPL-3.0-or-later
"""VMs of other users, sockets of other processes, and names of any bytes."""
import os
import re
import tempfile

import peer
import pytest
from world import NOBODY, as_root, devices, is_possible, world

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")


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
