# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress line: what is really done, on a terminal only, and gone in the end.

QEMU and the guest go on when the test tells them to, which it does when the line has shown the last step.
"""
import re

import peer
import pytest
from login import PASSWORD, Guest
from peer import GIB, MIB, Default, Liar, Monitor, Tree, Vm, answer_late, deleted, frame, never, reply, silent
from watch import Watcher

BLOCKS = 66  # more go offline and online the long way, which is followed


# -- QEMU's half


@pytest.mark.parametrize("columns", [80, 40])
def test_what_has_gone_is_counted(path, columns):
    vm = Vm()
    for n in range(4):
        vm.plug(f"d{n}", 256)
    with Monitor(path, vm, on={"device_del": [never]}) as monitor, \
            Watcher("--qmp", path, "--guest", "none", "unplug", "--all", columns=columns) as watcher:
        for n in range(4):
            watcher.wait_for(rf"release  \[[#-]+\]  {n}/4")
            vm.remove(vm.find(f"d{n}-dimm"))
            monitor.say(deleted(f"d{n}-dimm"))
        assert watcher.finish() == 0
    assert {done[:2] for done in watcher.fractions("release")} >= {(n, 4) for n in range(4)}
    if columns == 80:
        assert any("3/4 DIMMs  768 MiB of 1 GiB  " in line for line in watcher.drawn), watcher.drawn
    assert re.match("d0-dimm, .*: unplugged 1 GiBdone in ", watcher.screen().replace("\n", "")), watcher.screen()


def test_backends_and_dimms_are_counted_as_qemu_makes_them(path):
    on = {"object-add": [silent], "device_add": [silent], "query-memory-devices": [[Default], [silent]]}
    with Monitor(path, Vm(max_mib=65536), on=on) as monitor, \
            Watcher("--qmp", path, "--guest", "none", "plug", "3G", "--dimm", "1G") as watcher:
        for command, unit in (("object-add", "backends"), ("device_add", "DIMMs")):
            monitor.wait_for(command, 3)
            requests = [r for r in monitor.requests if r["execute"] == command]
            for n, request in enumerate(requests):
                watcher.wait_for(rf"attach  \[[#-]+\]  {n}/3 {unit}  {n} of 3 GiB  ")
                answer_late(monitor, request)
        answer_late(monitor, monitor.requests[-1])
        assert watcher.finish() == 0
    assert {done[1:] for done in watcher.fractions("attach")} == {(3, "backends"), (3, "DIMMs")}


def test_a_single_backend_has_no_fraction(path):
    """Such as one that is preallocated, which takes its time."""
    with Monitor(path, Vm(max_mib=65536), on={"object-add": [silent]}) as monitor, \
            Watcher("--qmp", path, "--guest", "none", "plug", "8G") as watcher:
        watcher.wait_for(r"attach  8 GiB  \d+ s so far")
        answer_late(monitor, monitor.requests[-1])
        assert watcher.finish() == 0
    assert not watcher.fractions("attach")


def test_virtio_mem_is_counted_in_bytes(path):
    """As QEMU tells its size, again and again; a size that shrinks meanwhile is not shown."""
    vm = Vm()
    device = {"id": "v0", "memaddr": 4 * GIB, "requested-size": 0, "size": 0, "max-size": 4 * GIB,
              "block-size": 2 * MIB, "node": 0, "memdev": "/objects/v0-mem"}

    def devices(request):
        return reply([{"type": "virtio-mem", "data": device}])(request)

    def total(request):
        return reply({"base-memory": 512 * MIB, "plugged-memory": device["size"]})(request)

    on = {"query-memory-devices": [devices], "query-memory-size-summary": [total], "qom-set": [never]}
    with Monitor(path, vm, on=on), \
            Watcher("--qmp", path, "--guest", "none", "resize", "4608M") as watcher:
        for mib, text in ((0, "0 of 4"), (1024, "1 of 4"), (512, None), (3584, "3.5 of 4")):
            device["size"] = mib * MIB
            if text:
                watcher.wait_for(rf"resize  \[[#-]+\]  {text} GiB  ")
        device["size"] = 4 * GIB
        assert watcher.finish() == 0


# -- the guest's half


@pytest.fixture(name="tree")
def tree_(tmp_path):
    """A guest with blocks that are online, whose clock the test moves."""
    tree = Tree(tmp_path / "guest")
    tree.add(32, 31 + BLOCKS, "online", "Movable")
    (tree.root / "proc/uptime").unlink()
    tree.write("proc/uptime", "1.00 0.00")
    return tree


def go_on(tree, number, word, second):
    """Let a write that hangs come to its end, at that time: the guest looks at its clock on the way there too."""
    with open(tree.block(number) / f".hang-{word}", "w", encoding="ascii") as fifo:  # once it is there
        tree.write("proc/uptime", f"{second}.00 0.00")
        fifo.write("\n")


def test_blocks_that_go_offline_are_counted_as_the_guest_has_done_them(tree):
    """From the highest down; each that hangs is let go when what was before it is shown."""
    for number in (96, 62, 32):
        tree.hang(number, "offline")
    with Watcher("--guest", tree.kernel_channel(), "offline", "32-97", "--force") as watcher:
        # where the clock has stood still it is not looked at for each block, but for each 16th at the latest
        for second, (number, done) in enumerate(((96, "1"), (62, "2"), (32, "3[6-9]|4.|5[01]")), start=2):
            watcher.wait_for(rf"offline  \[[#-]+\]  +({done})/66 blocks  .* of 8.25 GiB  \d")
            go_on(tree, number, "offline", second)
        assert watcher.finish() == 0, watcher.output
    assert tree.states(32, 97) == {"offline Normal Movable"}


def test_blocks_that_go_online_are_shown_with_their_zone(tree):
    tree.add(32, 31 + BLOCKS)
    tree.hang(33, "online_movable")
    with Watcher("--guest", tree.kernel_channel(), "online", "32-97", "--zone", "movable") as watcher:
        watcher.wait_for(r"online  \[-+\]   1/66 blocks  128 MiB of 8.25 GiB  Movable  \d")
        go_on(tree, 33, "online_movable", 2)
        assert watcher.finish() == 0, watcher.output
    assert tree.states(32, 97) == {"online Movable"}


def test_few_blocks_go_without_a_fraction(tree):
    tree.hang(33, "offline")
    with Watcher("--guest", tree.kernel_channel(), "offline", "32-35", "--force") as watcher:
        watcher.wait_for(r"offline  512 MiB  \d+ s so far")
        go_on(tree, 33, "offline", 2)
        assert watcher.finish() == 0, watcher.output
    assert not watcher.fractions("offline")


LIES = ["at 31", "at 98", "at 18446744073709551616", "at -1", "at", "at 0x40", "at 40 ", "\033[2J", "at 41\033[2J", "done"]


class Talker(Liar):
    """A guest that says how far it is, and answers later."""

    def answer(self, connection, session, exchange, commands):
        def finish(state):
            lines = ["guest 6.1.0-test 1 offline contig-zones N", "size 8000000", f"blocks 32 97 {state} 0 1 Movable", "end"]
            connection.sendall(b"".join(frame(session, int(exchange), n, line) for n, line in enumerate(lines, start=1)))

        self.finish = finish
        if commands.startswith(b"change "):
            connection.sendall(b"".join(frame(session, int(exchange), 0, text) for text in ["at 60", *LIES, "at 70"]))
        else:
            finish("online")
        return True


def test_what_a_guest_lies_about_its_progress_is_not_shown(tmp_path):
    """Blocks that are not to be changed, what was less before, what is no number, what drives a terminal."""
    with Talker(tmp_path / "console") as console, \
            Watcher("--guest", f"serial:{console.path}", "offline", "32-97", "--force") as watcher:
        watcher.wait_for(r"offline  \[[#-]+\]  +38/66 blocks  ")
        console.finish("offline")
        assert watcher.finish() == 0, watcher.output
    assert set(watcher.fractions("offline")) == {(38, 66, "blocks")}


# -- where it is not shown


SLOW = "exec:sleep 1.7; exec sh -s "  # longer than it takes to show the line


def test_nothing_of_it_gets_into_a_pipe(tree):
    result = peer.memhp("--guest", SLOW + str(tree.root), "blocks", env={"TERM": "xterm"})
    assert result.code == 0 and result.stderr == "" and result.stdout.startswith("BLOCKS")


@pytest.mark.parametrize("words, env", [(("--quiet",), {}), ((), {"TERM": "dumb"})], ids=["--quiet", "TERM=dumb"])
def test_it_is_not_drawn_where_it_is_not_wanted(tree, words, env):
    with peer.Typist([peer.BINARY, *words, "--guest", SLOW + str(tree.root), "online", "32"],
                     {**peer.clean_environment(), "TERM": "xterm", **env}) as typist:
        assert typist.finish() == 0
    assert "\r\x1b" not in typist.output and "so far" not in typist.output


def test_it_makes_way_for_an_error(tree):
    with Watcher("--guest", SLOW + str(tree.root), "online", "500") as watcher:
        assert watcher.finish() == 1
    assert watcher.drawn and re.fullmatch(r"memhp: cannot online '500': .*\nhint: .*", watcher.screen()), watcher.output


def test_it_makes_way_for_a_question(tmp_path):
    """A console that is slow to show a login: the line is gone when the password is asked for."""
    question = "Password for 'root' on the guest's console:"
    with Guest(tmp_path, slow=0.7) as guest, \
            Watcher("--guest", f"serial:{guest.path}", "--login", "root", "blocks") as watcher:
        watcher.wait_for(question + " ")
        assert watcher.drawn and watcher.screen() == question
        watcher.type(PASSWORD + "\n")
        assert watcher.finish() == 0, watcher.output
