# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VM is meant: the only one that runs, or the one that is named."""
import json

import peer
import pytest
from world import devices, is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")


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
    assert "256 MiB" in said and f"the VM was restarted: its pid is {again.pid}" in said
    assert "restarted" not in shell.run("list")
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
    assert "512 MiB" in said and "restarted" not in said
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
    assert "256 MiB" in said and "the VM was restarted" in said
    assert shell.finish() == 3
    assert other.commands() == []


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
