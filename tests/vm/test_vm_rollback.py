# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be finished is undone: memory that the guest refuses, deadlines, Ctrl-C."""
import collections
import contextlib
import fcntl
import json
import os
import signal
import struct
import termios

import pytest
from relay import AFTER, BEFORE, Relay, at_work
from vm import GIB, MIB, Qmp, end_process, wait_until

ENOMEM, EBUSY = -12, -16


def done(result):
    assert result.returncode == 0, result
    return result.stdout


def fail(vm, code, *command, states=("rolled-back",)):
    """Run a command that fails with this exit code; its error object."""
    result = vm.json(*command, code=code)
    assert result["ok"] is False and result["state"] in states, result
    return result["error"]


def settled(vm):
    """All of the machine's state, and the processes in its guest."""
    return {**vm.state(), "processes": vm.processes()}


def check_console(vm):
    """The next user of the console finds a prompt that echoes and obeys."""
    with vm.terminal() as terminal:
        terminal.settle()
        terminal.type("echo con''sole $((6 * 7))\n")
        terminal.wait_for(r"echo con''sole")
        terminal.wait_for(r"console 42\r?\n")
        terminal.wait_for(r"[#$] ")


@pytest.fixture
def refusing(vm):
    """refusing(action, errno): the guest's kernel refuses until the test ends."""
    yield vm.inject
    if vm.monitor.execute("query-status")["running"] and not vm.is_discarded:
        vm.inject("MEM_GOING_ONLINE", 0)
        vm.inject("MEM_GOING_OFFLINE", 0)


# ---- the guest's kernel says no


def test_a_plug_that_the_guest_refuses_to_bring_online_leaves_nothing(vm, refusing):
    before = settled(vm)
    refusing("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "plug", "512M")
    assert error["code"] == "guest-refused"
    assert "memory32" in error["message"] and "Cannot allocate memory" in error["message"]
    assert settled(vm) == before
    refusing("MEM_GOING_ONLINE", 0)
    done(vm.memhp("plug", "512M"))
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("errno,words", [(EBUSY, "busy"), (-1, "not permitted"), (-22, "Invalid argument")])
def test_the_reason_of_the_kernel_is_told_in_words(vm, refusing, errno, words):
    refusing("MEM_GOING_ONLINE", errno)
    result = vm.memhp("plug", "128M")
    assert result.returncode == 5 and words in result.stderr, result
    assert result.stderr.count("\n") <= 2
    assert vm.devices() == [] and vm.backends() == []


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_the_reason_of_the_kernel_is_told_under_every_shell(boot, shell):
    vm = boot(shell=shell)
    done(vm.memhp("plug", "256M"))
    before = vm.state()
    vm.inject("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert "memory33" in error["message"] and "busy" in error["message"]
    assert vm.state() == before
    vm.inject("MEM_GOING_OFFLINE", 0)
    vm.inject("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "plug", "128M")
    assert "memory34" in error["message"] and "Cannot allocate memory" in error["message"]
    assert vm.state() == before
    vm.inject("MEM_GOING_ONLINE", 0)
    done(vm.memhp("unplug"))


def test_an_online_that_fails_half_way_is_undone_but_leaves_what_was_online(vm, refusing):
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "33", "--zone", "movable"))
    before = settled(vm)
    refusing("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "online", "33-35")
    assert "memory34" in error["message"]
    assert settled(vm) == before
    done(vm.memhp("unplug"))


def test_an_unplug_that_the_guest_refuses_leaves_all_as_it_was(vm, refusing):
    done(vm.memhp("plug", "512M"))
    before = settled(vm)
    refusing("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert error["code"] == "guest-refused"
    assert "memory35" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    refusing("MEM_GOING_OFFLINE", 0)
    done(vm.memhp("unplug"))


def test_blocks_that_were_offline_before_a_refused_unplug_stay_offline(vm, refusing):
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "32", "--zone", "kernel"))
    done(vm.memhp("online", "34", "--zone", "movable"))
    assert vm.zones(32, 33, 34, 35) == ["Normal", "offline", "Movable", "offline"]
    refusing("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert "memory34" in error["message"]
    assert vm.zones(32, 33, 34, 35) == ["Normal", "offline", "Movable", "offline"]
    vm.discard()


def test_an_eject_that_the_guest_refuses_is_told_in_words(vm, refusing):
    """Without a channel the guest's kernel takes the blocks offline itself when it is asked to eject."""
    done(vm.memhp("plug", "256M"))
    before = settled(vm)
    refusing("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "--guest", "none", "unplug", states=("unchanged", "rolled-back"))
    assert "memhp0-dimm" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    refusing("MEM_GOING_OFFLINE", 0)
    done(vm.memhp("unplug"))


# ---- memory that the kernel itself sits in

FILL_KERNEL_MEMORY = ("mkdir -p /tmp/slab && cd /tmp/slab && i=0 && "
                      "while [ $i -lt 3000 ]; do : >f$i; i=$((i + 1)); done; cd /")


def test_unmovable_kernel_memory_is_refused_with_its_block_and_all_blocks_stay_online(vm):
    done(vm.memhp("plug", "512M", "--zone", "kernel"))
    vm.guest(FILL_KERNEL_MEMORY)
    before = settled(vm)
    error = fail(vm, 5, "unplug")
    assert error["code"] == "guest-refused" and "busy" in error["message"]
    assert any(f"memory{n}" in error["message"] for n in range(32, 36))
    assert error["hint"]
    assert settled(vm) == before
    vm.discard()


def plug_half_kernel(vm):
    """One DIMM: memory32 in a kernel zone and in use by the kernel, memory33-memory35 Movable."""
    done(vm.memhp("plug", "512M", "--no-online"))
    done(vm.memhp("online", "32", "--zone", "kernel"))
    done(vm.memhp("online", "33-35", "--zone", "movable"))
    vm.guest(FILL_KERNEL_MEMORY)
    assert vm.zones(32, 33, 34, 35) == ["Normal", "Movable", "Movable", "Movable"]
    vm.discard()


def test_blocks_already_offline_come_back_into_their_zones_when_a_later_one_is_refused(vm):
    plug_half_kernel(vm)
    before = settled(vm)
    error = fail(vm, 5, "unplug")
    assert "memory32" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    check_console(vm)


def test_offline_undoes_what_it_did_when_a_later_block_is_refused(vm):
    plug_half_kernel(vm)
    before = settled(vm)
    error = fail(vm, 5, "offline", "32-35")
    assert "memory32" in error["message"]
    assert settled(vm) == before


def test_one_dimm_that_is_refused_keeps_all_dimms_of_the_command(vm):
    plug_half_kernel(vm)
    done(vm.memhp("plug", "256M", "--name", "other", "--zone", "movable"))
    before = settled(vm)
    for words in (["memhp0", "other"], ["other", "memhp0"], ["--all"]):
        error = fail(vm, 5, "unplug", *words)
        assert "memory32" in error["message"]
        assert settled(vm) == before
    done(vm.memhp("unplug", "other"))


# ---- an offline that hangs


def pin(vm):
    """Hold pages in Movable memory: to take their block offline hangs until somebody gives up.

    The pages of a file that sendfile(2) has put into a pipe cannot be moved.
    """
    vm.guest("echo; dd if=/dev/zero of=/tmp/pinned bs=1M count=1 2>/dev/null; "
             "setsid sh -c 'cat /tmp/pinned | sleep 100000' >/dev/null 2>&1 & "
             "until grep -qs pipe /proc/$(pidof cat)/wchan; do sleep 0.1; done")  # it waits for room there


def unpin(vm):
    vm.guest("killall cat sleep; rm /tmp/pinned")
    wait_until(lambda: "sleep" not in vm.processes().values())


def is_stuck(vm):
    """Is the same block on its way offline for a while?"""
    def leaving():
        return [n for n, b in vm.blocks().items() if b.state == "going-offline"]
    first = leaving()
    return first and all(leaving() == first for _ in range(5))


def names_a_block(error):
    return any(f"memory{n}" in error["message"] for n in range(32, 36))


def check_left_alone(vm, before):
    """All is as it was, and nobody in the guest is still at it."""
    assert vm.devices() == before["devices"] and vm.backends() == before["backends"]
    assert vm.memory() == before["memory"]
    vm.wait_for_end(before["processes"])


@pytest.mark.parametrize("shell, timeout", [("ash", 8), ("ash", 20), ("dash", 8), ("bash", 8)],
                         ids=["ash", "ash, the short way", "dash", "bash"])
def test_an_offline_that_hangs_ends_at_the_deadline_and_is_undone(boot, shell, timeout):
    vm = boot() if shell == "ash" else boot(shell=shell)
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    error = fail(vm, 6, "--timeout", timeout, "unplug")
    assert error["code"] == "timeout" and names_a_block(error), error
    check_left_alone(vm, before)
    check_console(vm)
    unpin(vm)
    done(vm.memhp("unplug"))


def test_an_offline_that_hangs_over_ssh_is_undone_too(vm):
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    channel = f"exec:exec ssh -F {vm.path('ssh_config')} lab sh"
    error = fail(vm, 6, "--guest", channel, "--timeout", "5", "offline", "32-35")
    assert names_a_block(error), error
    check_left_alone(vm, before)
    unpin(vm)
    done(vm.memhp("unplug"))


@pytest.mark.parametrize("command", [["unplug"], ["offline", "32-35"]], ids=" ".join)
def test_ctrl_c_ends_an_offline_that_hangs(vm, command):
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    process = vm.start_memhp("--json", "--timeout", "0", *command)
    wait_until(lambda: is_stuck(vm))
    process.send_signal(signal.SIGINT)
    found, _ = end_interrupted(process)
    assert found["state"] == "rolled-back" and names_a_block(found["error"]), found
    check_left_alone(vm, before)
    check_console(vm)
    unpin(vm)
    done(vm.memhp("unplug"))


def test_an_offline_whose_memhp_was_killed_does_not_go_on_for_ever(vm):
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    pin(vm)
    before = settled(vm)
    process = vm.start_memhp("--timeout", "20", "offline", "32-35")
    wait_until(lambda: is_stuck(vm))
    process.kill()
    end_process(process)
    wait_until(lambda: "going-offline" not in [b.state for b in vm.blocks().values()])
    unpin(vm)
    # whatever the killed one left, the next one brings back
    done(vm.memhp("online", "32-35", "--zone", "movable"))
    assert vm.memory() == before["memory"]
    check_console(vm)
    done(vm.memhp("unplug"))


# ---- a guest that is full


def added(before, now):
    """The names of the processes that are more than before."""
    return collections.Counter(now.values()) - collections.Counter(before.values())


@pytest.mark.parametrize("shell", ["ash", "dash", "bash"])
def test_a_guest_so_full_that_the_offline_hangs_gets_its_memory_back(boot, shell):
    vm = boot() if shell == "ash" else boot(shell=shell)
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    # more than fits into the 405 MiB that it has without the DIMM
    vm.guest("mkdir -p /tmp/full && mount -t tmpfs -o size=95% none /tmp/full && "
             "dd if=/dev/zero of=/tmp/full/file bs=1M count=600 2>/dev/null")
    before = settled(vm)
    result = vm.memhp("--json", "--timeout", "8", "unplug", "--force")
    found = json.loads(result.stdout)
    assert result.returncode in (5, 6), result
    assert found["state"] == "rolled-back"
    assert vm.devices() == before["devices"] and vm.memory() == before["memory"]
    # the kernel may have ended some processes to get memory; none may have come
    wait_until(lambda: not added(before["processes"], vm.processes()), what="the end of all writers")
    check_console(vm)
    vm.discard()
    vm.guest("umount /tmp/full && rmdir /tmp/full")
    done(vm.memhp("unplug"))


def test_a_guest_whose_kernel_ignores_the_dimm_gets_it_taken_back(boot):
    vm = boot(append="acpi_no_memhotplug")
    before = settled(vm)
    error = fail(vm, 5, "plug", "256M")
    assert "memory32" in error["message"]
    assert settled(vm) == before


# ---- Ctrl-C

BIG = "4G"  # 32 blocks: that the guest is caught in the middle is likely


def check_interrupted(code, out, err):
    assert code == 130, err
    found = json.loads(out)
    assert found["ok"] is False and found["error"]["code"] == "interrupted"
    return found, [line for line in err.splitlines() if not line.startswith("[")]


def end_interrupted(process):
    out, err = end_process(process)
    return check_interrupted(process.returncode, out, err)


def interrupt_at_work(vm, number, *command):
    """The signal comes when the guest is at work, and before it can answer."""
    relay = Relay(vm, at_work(AFTER), lambda relay: relay.process.send_signal(number))
    return check_interrupted(*relay.run("--json", *command))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_plug_undoes_it(vm, number):
    before = settled(vm)
    found, said = interrupt_at_work(vm, number, "plug", BIG, "--zone", "movable")
    assert found["state"] == "rolled-back"
    assert said[0].startswith("memhp: ") and "interrupted" in said[0].lower()
    assert settled(vm) == before
    check_console(vm)


def test_ctrl_c_before_anything_was_done_changes_nothing(vm):
    before = settled(vm)
    process = vm.catch_memhp("query-chardev", "--json", "plug", BIG, "--zone", "movable")
    process.send_signal(signal.SIGINT)
    found, _ = end_interrupted(process)
    assert found["state"] in ("unchanged", "rolled-back")
    assert settled(vm) == before
    check_console(vm)


def test_ctrl_c_right_after_device_add_undoes_it(vm):
    before = settled(vm)
    process = vm.catch_memhp('"device_add"', "--json", "plug", BIG, "--zone", "movable")
    process.send_signal(signal.SIGINT)
    found, _ = end_interrupted(process)
    assert found["state"] == "rolled-back"
    assert settled(vm) == before
    with Qmp(vm.path("qmp.sock")) as monitor:
        assert monitor.execute("query-status")["running"] is True


@pytest.mark.parametrize("command", [["unplug"], ["offline", "32-63"]], ids=" ".join)
def test_ctrl_c_in_the_middle_brings_the_blocks_back(vm, command):
    done(vm.memhp("plug", BIG, "--zone", "movable"))
    before = settled(vm)
    found, _ = interrupt_at_work(vm, signal.SIGINT, *command)
    assert found["state"] == "rolled-back"
    assert settled(vm) == before
    check_console(vm)
    done(vm.memhp("unplug"))


def has_more_to_read(process):
    return struct.unpack("i", fcntl.ioctl(process.stderr, termios.FIONREAD, bytes(4)))[0]


def test_ctrl_c_that_comes_with_the_last_answer_stops_before_device_del(vm):
    """memhp, which waits for nothing then, takes that request for one that it cannot take back."""
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    before = settled(vm)
    process = vm.catch_memhp("guest > ease", "--json", "unplug")
    # it has the answer, and cannot show more than its first line
    wait_until(lambda: has_more_to_read(process))
    process.send_signal(signal.SIGINT)
    out, err = end_process(process)
    found, _ = check_interrupted(process.returncode, out, err)
    assert found["state"] == "rolled-back" and "device_del" not in err
    assert settled(vm) == before
    done(vm.memhp("unplug"))


def test_ctrl_c_after_device_del_tells_the_truth(vm):
    """The guest may already be letting go: then it is pending or done, and never called undone."""
    done(vm.memhp("plug", "512M"))
    before = vm.memory()
    process = vm.catch_memhp('"device_del"', "--json", "unplug")
    process.send_signal(signal.SIGINT)
    out, err = end_process(process)
    found = json.loads(out)
    assert process.returncode in (0, 7, 130), err
    if process.returncode == 0:
        assert vm.devices() == [] and vm.backends() == []
    elif found["state"] == "rolled-back":
        assert vm.memory() == before and len(vm.devices()) == 1
    else:
        assert found["state"] in ("pending", "partial"), found
        assert found["error"]["message"]
    vm.discard()


@contextlib.contextmanager
def paused_in_the_middle(vm):
    """A memhp that plugs and is interrupted, when the guest has stopped: undoing has to wait."""
    def pause_and_interrupt(relay):
        vm.monitor.execute("stop")
        relay.process.send_signal(signal.SIGINT)

    relay = Relay(vm, at_work(BEFORE), pause_and_interrupt)
    with relay.running("--verbose", "--json", "plug", BIG, "--zone", "movable") as process:
        for moment in ("guest > swift", "guest > "):  # to undo it
            assert any(moment in line for line in process.stderr)
        yield process


def test_undoing_waits_for_a_guest_that_is_slow(vm):
    before = settled(vm)
    with paused_in_the_middle(vm) as process:
        vm.monitor.execute("cont")
        found, _ = end_interrupted(process)
    assert found["state"] == "rolled-back"
    assert settled(vm) == before


def test_a_second_ctrl_c_stops_at_once_and_says_what_is_left(vm):
    vm.discard()
    with paused_in_the_middle(vm) as process:
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        found, said = end_interrupted(process)  # while the guest still cannot answer
    assert vm.monitor.execute("query-status")["status"] == "paused"
    assert found["state"] == "partial"
    assert "memhp0" in said[0] or "memory32" in said[0], said
    assert [d["id"] for d in vm.devices()] == ["memhp0-dimm"]


# ---- deadlines


def test_a_deadline_in_the_middle_of_plug_undoes_it_or_it_was_in_time(vm):
    before = settled(vm)
    for timeout in ("0.2", "0.4", "0.6", "0.8"):
        result = vm.memhp("--json", "--timeout", timeout, "plug", "6G", "--zone",
                          "movable")
        found = json.loads(result.stdout)
        if result.returncode == 0:
            done(vm.memhp("unplug"))
            assert settled(vm) == before
        elif result.returncode == 7 or found["state"] in ("pending", "partial"):
            # said plainly; the next test gets another machine
            assert found["error"]["message"]
            vm.discard()
            return
        else:
            assert result.returncode in (4, 6), result
            assert found["state"] in ("unchanged", "rolled-back")
            # where the console had not answered yet, what was typed there ends after memhp
            wait_until(lambda: settled(vm) == before, what="the end of the session")


def test_a_deadline_with_a_paused_guest_says_what_is_left(vm):
    vm.discard()
    relay = Relay(vm, at_work(BEFORE), lambda _: vm.monitor.execute("stop"))
    code, out, err = relay.run("--json", "plug", BIG, "--zone", "movable", timeout=4)
    found = json.loads(out)
    assert code in (6, 7), err
    assert found["state"] in ("partial", "pending") and found["ok"] is False
    assert "memhp0" in found["error"]["message"] or "memory32" in found["error"]["message"]


# ---- guests that bring new memory online by themselves


@pytest.mark.parametrize("zone,shown", [("movable", "Movable"), ("kernel", "Normal")])
@pytest.mark.parametrize("options", [
    {"append": "memhp_default_state=online"},
    {"append": "memhp_default_state=online_kernel"},
    {"append": "memhp_default_state=online_movable"},
    {"append": "memhp_default_state=online memory_hotplug.online_policy=auto-movable"},
    {"kernel": "6.12"},
], ids=["online", "online_kernel", "online_movable", "auto-movable", "6.12"])
def test_a_guest_that_brings_memory_online_itself_ends_in_the_zone_asked_for(boot, options, zone, shown):
    vm = boot(**options)
    policy = "cat /sys/devices/system/memory/auto_online_blocks"
    before, auto = vm.mem_total(), vm.guest(policy)
    done(vm.memhp("plug", "512M", "--zone", zone))
    assert vm.zones(32, 33, 34, 35) == [shown] * 4
    assert vm.mem_total() == before + 512 * MIB
    assert vm.guest(policy) == auto
    if zone == "movable":
        done(vm.memhp("unplug"))
        assert vm.mem_total() == before
    else:
        vm.discard()


def test_no_online_on_a_guest_that_brings_memory_online_itself_shows_what_is(boot):
    vm = boot(append="memhp_default_state=online_movable")
    result = vm.json("plug", "256M", "--no-online")
    wait_until(lambda: vm.zones(32, 33) == ["Movable", "Movable"])
    assert result["devices"][0]["blocks"][0]["state"] in ("online", "offline")
    listed = vm.json("list")["devices"][0]["blocks"]
    assert [(b["first"], b["last"], b["state"], b["zone"]) for b in listed] == [
        (32, 33, "online", "Movable")]
    done(vm.memhp("unplug"))


def test_a_refused_unplug_on_a_newer_kernel_leaves_all_as_it_was(boot):
    vm = boot(kernel="6.12")
    done(vm.memhp("plug", "512M", "--zone", "movable"))
    before = settled(vm)
    vm.inject("MEM_GOING_OFFLINE", EBUSY)
    error = fail(vm, 5, "unplug")
    assert "memory35" in error["message"] and "busy" in error["message"]
    assert settled(vm) == before
    vm.inject("MEM_GOING_OFFLINE", 0)
    done(vm.memhp("unplug"))
    assert vm.devices() == []


def test_a_large_dimm_is_undone_whole(vm, refusing):
    """Most of 7 GiB goes through before nothing does: all 56 blocks leave again."""
    before = settled(vm)
    refusing("MEM_GOING_ONLINE", ENOMEM)
    error = fail(vm, 5, "plug", "7G")
    assert "memory32" in error["message"]
    assert settled(vm) == before
    assert vm.monitor.execute("query-memory-size-summary")["plugged-memory"] == 0
    assert 7 * GIB > vm.mem_total() and os.path.exists(vm.path("qmp.sock"))
