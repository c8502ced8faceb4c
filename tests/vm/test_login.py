# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in on consoles of real guests: busybox getty and login, and Debian with systemd, agetty, PAM and sudo."""
import os
import pathlib
import signal
import subprocess

import pytest
from report import done
from vm import MIB, end_process, wait_until

IMAGE = pathlib.Path(__file__).resolve().parents[1] / "support" / "debian.sh"
ROOT = {"MEMHP_LOGIN": "root", "MEMHP_GUEST_PASSWORD": "root"}
NOISE = "[ 12.345678] login: root Password: # "


def boot_busybox(machines):
    return machines.get(login=True)


def boot_debian(machines):
    if "MEMHP_LOGIN_VMS" not in os.environ:
        pytest.skip("make check-login")
    if os.geteuid() != 0:
        pytest.skip("only root can make a Debian root file system")
    image = subprocess.run([IMAGE], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return machines.get(
        ("-drive", f"file={image},if=virtio,format=raw,snapshot=on"), timeout=240,
        append="memhp_lab.root=/dev/vda systemd.show_status=0")


GUESTS = {"busybox": boot_busybox, "debian": boot_debian}


@pytest.fixture(params=GUESTS)
def vm(machines, request):
    """A guest with a login prompt on its first console; a test has to leave it there, and nobody logged in."""
    vm = GUESTS[request.param](machines)
    vm.is_debian = request.param == "debian"
    wait_until(lambda: is_at_login(vm), what="the prompt at the beginning")
    yield vm
    try:
        assert vm.devices() == [] and vm.backends() == vm.at_boot["backends"]
        wait_until(lambda: is_at_login(vm), what=f"the prompt: {on_console(vm)}")
    except BaseException:
        machines.drop(vm)
        raise


@pytest.fixture
def debian(machines):
    """The Debian guest."""
    vm = boot_debian(machines)
    vm.is_debian = True
    yield vm
    wait_until(lambda: is_at_login(vm), what="the prompt at the end")


def on_console(vm):
    """The programs on the guest's first console, ttyS0, as the kernel has it."""
    names = []
    for line in vm.guest('for p in /proc/[0-9]*; do read -r l <$p/stat && echo "$l"; done 2>/dev/null; :').splitlines():
        name, _, rest = line.partition("(")[2].rpartition(")")
        if rest.split()[4:5] == [str(4 << 8 | 64)]:
            names.append(name)
    return names


def is_at_login(vm):
    return on_console(vm) in (["getty"], ["agetty"], ["login"])


def as_user(vm, user, *words, password=None, **options):
    """memhp logs in with that user's password, which is the name."""
    env = {"MEMHP_GUEST_PASSWORD": password or user, "MEMHP_QMP": vm.path("qmp.sock"), "MEMHP_LOGIN": user}
    return vm.memhp(*words, env=env, **options)


def refused(result, *texts):
    assert result.returncode == 4, result
    for text in texts:
        assert text in result.stderr, result


def sessions(vm, user):
    """How many sessions of that user's PAM has begun."""
    return int(vm.guest(f"journalctl -q -b -t login | grep -c 'session opened for user {user}' || :"))


def test_root_plugs_and_unplugs(vm):
    before = vm.mem_total()
    done(as_user(vm, "root", "plug", "256M", "--zone", "movable"))
    assert vm.mem_total() == before + 256 * MIB
    wait_until(lambda: is_at_login(vm), what="the logout")
    done(as_user(vm, "root", "unplug"))
    assert vm.mem_total() == before


def failures(vm):
    """How many passwords of root's PAM has refused."""
    return int(vm.guest("journalctl -q -b -t login | grep -c 'authentication failure.*user=root' || :"))


def test_a_wrong_password_is_tried_once_and_the_next_login_works(vm):
    count = failures(vm) if vm.is_debian else 0
    result = as_user(vm, "root", "blocks", password="wr0ng")
    refused(result, "'root'", "let that user in")
    assert "wr0ng" not in repr(result)
    if vm.is_debian:
        assert failures(vm) == count + 1
    done(as_user(vm, "root", "blocks"))


def test_a_user_without_rights_is_named(vm):
    refused(as_user(vm, "plain" if vm.is_debian else "guest", "blocks"), "is not root", "sudoers")


def test_kernel_messages_in_the_middle_do_no_harm(vm):
    vm.guest(f"echo on >/proc/sys/kernel/printk_devkmsg; dmesg -n 8; (while :; do echo '{NOISE}' >/dev/kmsg; "
             "sleep 0.3; done) >/dev/null 2>&1 & echo $! >/tmp/noise")
    try:
        done(as_user(vm, "root", "blocks"))
    finally:
        vm.guest("kill $(cat /tmp/noise); rm /tmp/noise; dmesg -n 1")


def test_ctrl_c_in_the_middle_of_the_login_logs_out(vm):
    process = vm.start_memhp("plug", "128M", env=ROOT)
    # where the looks come too late, it is through
    wait_until(lambda: process.poll() is not None or {"login", "sh"} & set(on_console(vm)))
    process.send_signal(signal.SIGINT)
    end_process(process)
    assert process.returncode in (130, 0), process
    if process.returncode == 0:
        done(as_user(vm, "root", "unplug"))


def test_what_a_killed_memhp_leaves_is_used_and_logged_out(vm):
    """It holds the console as root; the next one finds that, needs no password, and logs out."""
    before = vm.mem_total()
    process = vm.catch_memhp('"device_add"', "plug", "512M", env=ROOT)
    wait_until(lambda: vm.devices())
    process.kill()
    process.communicate()
    assert not is_at_login(vm)
    done(vm.memhp("repair", "--back"))
    assert vm.mem_total() == before


def test_in_the_shell_one_login_serves_all(vm):
    count = sessions(vm, "root") if vm.is_debian else 0
    done(as_user(vm, "root", "shell", input="plug 128M\nblocks\nlist\nunplug\n"))
    if vm.is_debian:
        assert sessions(vm, "root") == count + 1


def test_who_is_logged_in_stays_logged_in(vm):
    with vm.terminal() as terminal:
        terminal.type("\n")
        terminal.wait_for("login: ")
        terminal.type("root\n")
        terminal.wait_for("Password: ")
        terminal.type("root\n")
        terminal.wait_for("[#$] ")
        terminal.settle()
        terminal.type("echo \"<$$>\"\n")
        shell = terminal.wait_for(r"<\d+>").rpartition("<")[2].strip(">")
    done(as_user(vm, "root", "blocks"))
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("echo \"<$$>\"\n")
        terminal.wait_for(rf"<{shell}>")
        terminal.wait_for("[#$] ")
        terminal.type("exit\n")


@pytest.mark.parametrize("user", ["admin", "csh", "open"])
def test_sudo_makes_root_of_those_who_may(debian, user):
    done(as_user(debian, user, "blocks"))
    wait_until(lambda: is_at_login(debian), what="the logout")


def test_users_who_cannot_log_in_are_told_so(debian):
    refused(as_user(debian, "closed", "blocks"), "let that user in")
    refused(as_user(debian, "expired", "blocks"), "new password")
