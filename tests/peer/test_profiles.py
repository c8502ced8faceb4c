# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles: what they set, and which files count."""
import os
import shutil

import peer
import pytest
from world import NOBODY, as_root, devices, is_possible, world

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")


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
    here.memhp("--json", "--vm", "web", "list").failed(2, str(path), "not a regular file", code="usage")
    path.unlink()
    path.mkdir()
    here.memhp("--json", "--vm", "web", "list").failed(2, str(path), "not a regular file", code="usage")


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
