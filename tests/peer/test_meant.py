# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that could mean two VMs, and what finding the one that is meant costs."""
import pathlib
import re
import shutil
import subprocess
import tempfile

import peer
import pytest
from vm import run_memhp
from world import IS_ROOT, NOBODY, is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="no namespaces for this user")


def dimms(here, *words, **options):
    """The MiB of the DIMMs of the VM that `list` takes."""
    return [d["size"] // peer.MIB for d in here.json("--guest", "none", *words, "list", **options)["devices"]]


# A name that is the pid of another


def test_a_name_that_is_the_pid_of_another_is_refused(here):
    """A pid that was read from a list of memhp's could mean either."""
    first = here.vm("first", plugged=256)
    second = here.vm(str(first.pid), plugged=512)
    value = here.memhp("--json", "--vm", first.pid, "--guest", "none", "plug", "128M").failed(
        2, f"'{first.pid}' is the name of the VM with pid {second.pid} and the pid of VM 'first'", code="usage")
    choices = re.findall(r"--vm (\d+)", value["error"]["hint"])
    assert [dimms(here, "--vm", choice) for choice in choices] == [[512], [256]]
    assert dimms(here, "--vm", "first") == [256]
    assert "device_add" not in first.commands() + second.commands()


def test_a_name_that_is_its_own_pid_or_nobodys_is_taken(here):
    here.vm("4000000", plugged=256)
    assert dimms(here, "--vm", "4000000") == [256]


# A profile and a running VM of one name


def test_a_profile_whose_monitor_is_another_vms_than_that_of_its_name_is_refused(here):
    web, db = here.vm("web", plugged=256), here.vm("db", plugged=512)
    here.configure(f"[vm web]\nqmp = {here.directory}/db.qmp\n[vm alias]\nqmp = {here.directory}/db.qmp\n"
                   f"[vm db]\nqmp = {here.directory}/db.qmp\n")
    for words, env in ((["--vm", "web"], {}), ([], {"MEMHP_VM": "web"})):
        value = here.memhp("--json", *words, "--guest", "none", "plug", "128M", env=env).failed(2, "'db'", str(web.pid), code="usage")
        choices = re.findall(r"--vm (\d+)", value["error"]["hint"])
        assert [dimms(here, "--vm", choice) for choice in choices] == [[512], [256]]
    assert dimms(here, "--vm", "alias") == dimms(here, "--vm", "db") == [512]  # no other VM has that name
    assert "device_add" not in web.commands() + db.commands()


def test_a_profile_takes_one_of_two_vms_of_its_name(here):
    here.vm("web", plugged=256)
    path = here.directory / "second"
    here.qemu("-name", "web", "-qmp", f"unix:{path},server=on,wait=off", listen=[{"path": str(path), "plugged": 512}])
    here.configure(f"[vm web]\nqmp = {path}\n")
    assert dimms(here, "--vm", "web") == [512]


# A shell, where another VM has come to the same place


@pytest.mark.parametrize("profile", [False, True])
def test_a_shell_does_not_take_another_vm_at_the_same_monitor(here, profile):
    path = here.directory / "m"
    words = ("-qmp", f"unix:{path},server=on,wait=off")
    here.configure(f"[vm mine]\nqmp = {path}\n")
    first = here.qemu("-name", "web", *words, listen=[{"path": str(path), "plugged": 256}])
    shell = here.shell("--guest", "none", *(["--vm", "mine"] if profile else ["--qmp", path]))
    assert "256 MiB" in shell.run("list")
    first.commands()
    other = here.qemu("-name", "db", *words, listen=[{"path": str(path), "plugged": 512}])
    for command in ("list", "plug 128M", "qmp query-name"):
        said = shell.run(command)
        assert f"another VM is at '{path}' now: 'db', pid {other.pid}, not 'web', pid {first.pid}" in said, said
        assert "512 MiB" not in said
    assert set(other.commands()) == {"qmp_capabilities"}
    here.qemu("-name", "web", *words, listen=[{"path": str(path), "plugged": 1024}])
    assert "1 GiB" in shell.run("list")
    assert shell.finish() == 3


# Another user's VM of that name


@pytest.mark.skipif(not IS_ROOT, reason="needs other users")
def test_root_is_told_of_another_users_vm_of_that_name(here):
    base = pathlib.Path(tempfile.mkdtemp(prefix="mw", dir="/tmp"))
    base.chmod(0o777)
    path = base / "theirs"
    vm = here.qemu("-name", "web", "-qmp", f"unix:{path},server", uid=NOBODY, listen=[{"path": str(path), "plugged": 256}])
    value = here.memhp("--json", "--vm", "web", "list").failed(3, "no running VM 'web'; another user has one of that name")
    assert "memhp vms --all" in value["error"]["hint"]
    assert dimms(here, "--vm", re.search(r"--vm (\d+)", value["error"]["hint"]).group(1)) == [256]
    value = here.memhp("--json", "vms", "--all", uid=NOBODY).failed(2, "root")
    assert "memhp vms" in value["error"]["hint"]
    assert vm.commands()
    shutil.rmtree(base)


# What it costs


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_to_find_the_only_vm_takes_one_connection_and_no_table_of_connections(here):
    """The kernel walks through all connections of the machine for a table of ports: as long as a whole command."""
    here.qemu("-name", "web", "-qmp", f"unix:{here.directory}/m,server=on,wait=off",
              "-nic", "user,hostfwd=tcp:127.0.0.1:0-:22", "-vnc", "127.0.0.1:1",
              listen=[{"path": f"{here.directory}/m", "plugged": 256}])
    log = here.directory / "log"
    command = [*here.prefix, "strace", "-f", "-o", log, "-e", "trace=openat,openat2,connect,clone,clone3,fork,vfork",
               peer.BINARY, "--guest", "none", "list"]
    done = subprocess.run(command, env={**peer.clean_environment(), "HOME": str(here.home), "ASAN_OPTIONS": "detect_leaks=0"},
                          capture_output=True, text=True, timeout=peer.HANG, check=False)
    assert done.returncode == 0 and "256 MiB" in done.stdout, done
    calls = log.read_text()
    assert calls.count("connect(") == 1
    # one child, which reads what other processes could keep back
    assert "net/tcp" not in calls and len(re.findall(r"\b(?:clone3?|v?fork)\(", calls)) <= 1, calls


# Words of QEMU's that were copied whole


@pytest.mark.parametrize("scheme", ["", "unix:"])
def test_the_words_of_qemus_option_are_told_from_the_address(here, scheme):
    here.vm("web", plugged=256)
    address = f"{scheme}{here.directory}/web.qmp"
    value = here.memhp("--json", "--qmp", f"{address},server=on,wait=off", "list").failed(3, "cannot connect")
    choice = re.search(r"--qmp '?([^' ]+)'?$", value["error"]["hint"]).group(1)
    assert choice == address and dimms(here, "--qmp", choice) == [256]


def test_a_port_where_a_path_is_meant_has_a_hint():
    done = run_memhp("--guest", "serial:tcp:127.0.0.1:4711", "blocks")
    assert done.returncode == 4 and "cannot open the console" in done.stderr, done
    assert re.search(r"hint: .*socat UNIX-LISTEN:console,fork TCP:'?127\.0\.0\.1:4711'? \(--guest serial:console\)", done.stderr), done
    assert "hint" not in run_memhp("--guest", "serial:/none", "blocks").stderr
