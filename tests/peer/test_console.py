# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp on a guest's console: a real shell on a real terminal with faults, and guests that lie."""
import os
import random
import re
import termios
import threading

import peer
import pytest
from binary import SHORT
from peer import SHELLS, Behind, Close, Console, Inserted, Liar, Monitor, Sprinkled, Tree, Vm, frame, memhp

KERNEL = b"[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd"
ALL = [  # of the fixture tree
    {"first": 0, "last": 7, "state": "online", "zone": "none", "node": 0, "removable": False, "device": None},
    {"first": 32, "last": 33, "state": "online", "zone": "Movable", "node": 0, "removable": True, "device": None},
    {"first": 34, "last": 35, "state": "offline", "zone": None, "node": 1, "removable": True, "device": None},
]


@pytest.fixture
def tree(tmp_path):
    """A guest with 1 GiB, two blocks in Movable and two that are offline."""
    tree = Tree(tmp_path / "guest")
    tree.add(32, 33, "online", "Movable")
    tree.add(34, 35, "offline", "Normal Movable", node=1)
    return tree


@pytest.fixture
def path(tmp_path):
    """Where the console is."""
    return tmp_path / "console"


@pytest.fixture(params=SHELLS)
def shell(request):
    """Each shell once."""
    return SHELLS[request.param]


def on(path, *words, more=()):
    """memhp --json on the console."""
    return memhp("--guest", f"serial:{path}", "--json", *more, *words)


def sees_all(path, *words, **options):
    """The guest's blocks come out right."""
    assert on(path, *(words or ("blocks",)), **options).succeeded()["blocks"] == ALL


# A shell that answers


def test_a_console_answers_and_is_left_as_it_was(path, tree, shell):
    with Console(path, tree, shell) as console:
        before = console.modes()
        sees_all(path)
        sees_all(path)
        assert on(path, "offline", "33").succeeded()["changed"] == 128 * peer.MIB
        console.settle()
        assert console.modes() == before
    assert tree.state(33).startswith("offline")


def test_the_console_is_usable_and_quiet_afterwards(path, tree, shell):
    with Console(path, tree, shell) as console:
        sees_all(path)
        console.settle()
        output = console.ask(b"expr 6 '*' 7", b"42")
        assert b"expr 6" in output, "no echo"
        assert console.processes() == [console.process.pid]


@pytest.mark.parametrize("shell, prompt, ready", [
    (SHELLS["bash"], r"\[\e[1;32m\]\u@\h\[\e[0m\]:\[\e[34m\]\w\[\e[0m\]\n\$ ", b"# "),
    (SHELLS["bash"], r"\n\n[\t] \!\n>>> ", b">>> "),
    (SHELLS["bash"], "\\[\\e]0;title\\a\\e[31m\\]\u276f\\[\\e[0m\\] ", "\u276f".encode()),
    (SHELLS["dash"], "\033[1;31m@ready@\033[0m\n@ 1 2 ready 1 2 @ ", b"@ "),
    (SHELLS["busybox ash"], "\\[\\e[1;33m\\]two\\nlines\\[\\e[0m\\]\\$ ", b"# "),
    (SHELLS["dash"], "login: ", b"login: "),
], ids=["coloured", "multi-line", "title and unicode", "like a frame", "busybox", "like a login"])
def test_a_prompt_of_any_kind_does_not_confuse(path, tree, shell, prompt, ready):
    with Console(path, tree, shell, env={"PS1": prompt, "PS2": prompt}, ready=ready):
        sees_all(path)


@pytest.mark.parametrize("typed", [b"echo half a line", b"echo 'a quoted line", b"rm -rf /nonexistent; \\",
                                   b"x" * 200, b"# ", b"if true; then", b"   ", b"\x1b[A"],
                         ids=repr)
def test_half_a_line_that_somebody_left_is_not_run(path, tree, shell, typed):
    with Console(path, tree, shell) as console:
        os.write(console.master, typed)
        sees_all(path)
        assert console.process.poll() is None


def test_a_line_that_is_to_be_answered_does_not_wait_in_the_consoles_receiver(path):
    """A 16550 tells of eight bytes at once, of the last few only when nothing has come for a while."""
    with Liar(path) as console:
        on(path, "blocks").succeeded()
    lines = console.received.split(b"\n")
    asked = [n for n, line in enumerate(lines) if re.search(rb"go} |;answer;}|&&exit", line)]
    assert len(asked) == 3, lines
    assert all(re.match(rb" {8}|\025{8}", lines[n + 1]) for n in asked), lines


def test_an_echo_that_the_shell_turns_on_again_does_not_confuse(path, tree):
    with Console(path, tree, SHELLS["bash"], env={"PROMPT_COMMAND": "stty echo onlcr icrnl"}):
        sees_all(path)
        sees_all(path)


def test_a_console_that_echoes_all_that_it_gets(path, tree):
    """As a terminal server does: what is typed comes back twice."""
    class Echoing(Console):
        """Sends back what comes."""

        def serve(self, connection):
            outer = connection

            class Tee:
                """The connection, with an echo."""

                def recv(self, count):
                    data = outer.recv(count)
                    outer.sendall(data.replace(b"\n", b"\r\n"))
                    return data

                def fileno(self):
                    return outer.fileno()

                def sendall(self, data):
                    outer.sendall(data)

            super().serve(Tee())

    with Echoing(path, tree):
        sees_all(path)
        on(path, "offline", "33").succeeded()


def test_many_blocks_come_whole(path, tree, shell):
    for number in range(100, 160, 2):  # nothing to merge
        tree.add(number, number, "online" if number % 4 else "offline", "Movable", node=number % 3)
    with Console(path, tree, shell):
        blocks = on(path, "blocks").succeeded()["blocks"]
        assert [b["first"] for b in blocks[3:]] == list(range(100, 160, 2))
        assert [b["node"] for b in blocks[3:]] == [n % 3 for n in range(100, 160, 2)]


def test_commands_longer_than_a_terminals_queue_arrive_whole(path, tree):
    tree.add(1000, 1999, "online", "Movable")
    words = [str(number) for number in range(1000, 1600, 2)]
    with Console(path, tree):
        assert on(path, "offline", *words, "--force").succeeded()["changed"] == 300 * 128 * peer.MIB
    assert {tree.state(n) for n in range(1000, 1600, 2)} == {"offline Movable"}
    assert tree.state(1001) == "online Movable"


# Noise


@pytest.mark.parametrize("text", [b"\r\n" + KERNEL + b"\r\n", KERNEL + b"\r\n", KERNEL, b"7", b"\x07", b"@",
                                  b"\r\n", b"\xff\xfe", b"\033[31m", b" "], ids=repr)
@pytest.mark.parametrize("words", [b" guest 6.1.0", b" 3 end ", b".0 1 2 go "], ids=["first", "last", "echo"])
def test_a_message_in_the_middle_of_a_line_is_got_over(path, tree, words, text):
    with Console(path, tree) as console:
        console.fault = Behind(words, text)
        sees_all(path)
        assert console.fault.is_done


@pytest.mark.parametrize("eighth", range(8))
def test_a_message_anywhere_is_got_over(path, tree, eighth):
    """In one of eight parts of every 600 bytes, echo and all."""
    with Console(path, tree) as console:
        seen = len(console.output)
        sees_all(path)
        length = len(console.output) - seen
        console.fault = Inserted(range(eighth * 75 + 7, length, 600), b"\r\n" + KERNEL + b"\r\n")
        sees_all(path)


@pytest.mark.parametrize("seed", range(3))
def test_messages_at_random_are_got_over(path, tree, seed):
    texts = [b"\r\n" + KERNEL + b"\r\n", KERNEL + b"\r\n", b"\r\n", b"0", b" 1 ", b"@", b"\r"]
    with Console(path, tree, SHELLS[list(SHELLS)[seed % 3]]) as console:
        console.fault = Sprinkled(random.Random(seed), 0.002, texts)
        sees_all(path)
        on(path, "offline", "33").succeeded()
    assert tree.state(33).startswith("offline")


def test_endless_kernel_messages_end_with_the_deadline(path):
    """A console that is never silent, and has no shell."""
    stop = threading.Event()

    class Noise(peer.Server):
        """Sends kernel messages without end."""

        def serve(self, connection):
            data = (KERNEL + b"\r\n") * 100000
            while not stop.is_set():
                connection.sendall(data)

    with Noise(path):
        run = peer.Run("--guest", f"serial:{path}", "--json", "--timeout", "0.5", "blocks")
        try:
            run.finish(timeout=15).failed(4, str(path), code="guest-unreachable", state="unchanged")
        finally:
            stop.set()


# No shell


@pytest.mark.parametrize("prompt", ["Password: ", "\\nDebian GNU/Linux 12 guest ttyS0\\n\\nguest login: "])
def test_a_login_prompt_is_said_to_be_one(path, prompt):
    program = f"printf '{prompt}'; while read -r line; do printf '{prompt}'; done"
    with Console(path, None, ("sh", "-c", program), ready=b": "):
        value = on(path, "blocks").failed(4, str(path), "login", code="guest-unreachable", state="unchanged")
    assert "root" in value["error"]["hint"]


def test_a_login_that_asks_for_a_password_is_said_to_be_one(path):
    program = "while printf 'guest login: '; read -r name; do printf 'Password: '; read -r p; echo; done"
    with Console(path, None, ("sh", "-c", program), ready=b": "):
        on(path, "blocks").failed(4, "login", code="guest-unreachable", state="unchanged")


def test_a_silent_console_is_given_up_at_the_deadline(path):
    with Console(path, None, ("sh", "-c", "stty -echo; echo ready; exec sleep 1000"), ready=b"ready"):
        value = on(path, "blocks", more=("--timeout", "0.4")).failed(
            4, str(path), code="guest-unreachable", state="unchanged")
    assert "root shell" in value["error"]["hint"]


def test_a_console_that_only_echoes_is_given_up_at_the_deadline(path):
    with Console(path, None, ("sh", "-c", "echo ready; exec sleep 1000"), ready=b"ready"):
        on(path, "blocks", more=("--timeout", "0.4")).failed(4, str(path), code="guest-unreachable")


def test_a_program_that_is_no_shell_is_given_up_at_the_deadline(path):
    with Console(path, None, ("sh", "-c", "echo ready; exec cat"), ready=b"ready"):
        on(path, "blocks", more=("--timeout", "0.4")).failed(4, str(path), code="guest-unreachable")


@pytest.mark.parametrize("make, word", [
    (lambda path: None, "No such file"), (lambda path: path.write_text("x"), "neither a socket"),
    (lambda path: path.mkdir(), "neither a socket"), (lambda path: path.symlink_to("/dev/null"), str()),
], ids=["nothing", "a file", "a directory", "/dev/null"])
def test_what_is_no_console(path, make, word):
    make(path)
    on(path, "blocks", more=("--timeout", "0.4")).failed(4, str(path), word, code="guest-unreachable",
                                                         state="unchanged")


def test_a_console_in_use_is_known_from_qemu(path, tmp_path):
    vm = Vm()
    vm.chardevs = [{"frontend-open": True, "filename": f"unix:{path},server=on", "label": "serial0"}]
    with Monitor(tmp_path / "qmp", vm) as monitor:
        for words in (("plug", "512M"), ("blocks",)):
            memhp("--qmp", tmp_path / "qmp", "--json", *words).failed(
                4, str(path), "in use", code="guest-unreachable", state="unchanged")
        assert not monitor.changes
        listed = memhp("--qmp", tmp_path / "qmp", "--json", "list")
        assert listed.succeeded()["boot_blocks"] is None and "in use" in listed.stderr


def test_a_console_is_found_by_asking_qemu(path, tree, tmp_path):
    vm = Vm(tree)
    vm.chardevs = [
        {"frontend-open": True, "filename": f"unix:{tmp_path}/qmp,server=on", "label": "compat_monitor0"},
        {"frontend-open": True, "filename": "null", "label": "parallel0"},
        {"frontend-open": False, "filename": f"disconnected:unix:{tmp_path}/nothing,server=on", "label": "serial1"},
        {"frontend-open": True, "filename": f"disconnected:unix:{path},server=on", "label": "serial0"},
    ]
    with Monitor(tmp_path / "qmp", vm), Console(path, tree):
        found = memhp("--qmp", tmp_path / "qmp", "--json", "status").succeeded()
        assert found["guest"]["channel"] == f"serial:{path}"
        assert found["guest"]["kernel"] == "6.1.0-test"


def test_a_pty_is_a_console_too_and_keeps_its_modes(path, tree, tmp_path):
    master, slave = os.openpty()
    name = os.ttyname(slave)
    before = termios.tcgetattr(slave)
    vm = Vm()
    vm.chardevs = [{"frontend-open": True, "filename": f"pty:{name}", "label": "serial0"}]
    with Monitor(tmp_path / "qmp", vm), Console(path, tree):
        with peer.relayed(lambda: (master, peer.connected(path))):
            sees_all(name)
            found = memhp("--qmp", tmp_path / "qmp", "--json", "status").succeeded()
            assert found["guest"]["channel"] == f"serial:{name}"
            assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)


def test_without_any_channel_the_host_half_is_done(tmp_path):
    vm = Vm()
    with Monitor(tmp_path / "qmp", vm) as monitor:
        value = memhp("--qmp", tmp_path / "qmp", "--json", "plug", "512M").succeeded()
        assert value["guest"] is None and len(monitor.changes) == 2
        memhp("--qmp", tmp_path / "qmp", "--json", "online", "33").failed(4, "no channel", state="unchanged")


# A console that goes away


@pytest.mark.parametrize("last_words", [b"MEMHP", b".0 1 2 go ", b" guest 6.1.0", b" blocks 0 7 ", b" end "],
                         ids=repr)
def test_a_console_that_is_dropped_is_told(path, tree, last_words):
    with Console(path, tree) as console:
        console.last_words = last_words
        on(path, "blocks").failed(4, "went away", code="guest-unreachable", state="unchanged")


def test_a_console_that_was_dropped_can_be_used_again(path, tree, shell):
    """The shell in the middle of a session that nobody ended."""
    with Console(path, tree, shell) as console:
        before = console.modes()
        sees_all(path)
        console.last_words = b" guest 6.1.0"
        on(path, "blocks").failed(4, "went away", code="guest-unreachable", state="unchanged")
        sees_all(path)
        console.settle()
        assert console.modes() == before
        assert console.processes() == [console.process.pid]


def test_a_shell_that_exits_in_the_middle_is_told(path):
    def die(session, exchange, commands):
        return Close

    with Liar(path, die):
        on(path, "blocks").failed(4, "went away", code="guest-unreachable", state="unchanged")


# Guests that lie


def replaced(index, line):
    """SCAN with one line replaced."""
    return lambda session, exchange, commands: [*peer.SCAN[:index], line, *peer.SCAN[index + 1:]]


NONSENSE = [
    (0, "guest 6.1.0 1 offline"), (0, "guest \033[31m 1 offline - N"), (0, b"guest \xff\xfe 1 - - N"),
    (1, "memory x y z"), (1, "memory -1 -1 -1"), (1, "memory 99999999999999999999 1 1"),
    (2, "size 0"), (2, "size 7"), (2, "size -8000000"), (2, "size ffffffffffffffffff"), (2, "size 8000000000000000"),
    (3, "blocks 0 99999999 online 0 0 none"), (3, "blocks 9 3 online 0 0 none"),
    (3, "blocks -1 3 online 0 0 none"), (3, "blocks 0 18446744073709551615 online 0 0 none"),
    (3, "blocks 0 3 \033]0;owned\007 0 0 none"), (3, b"blocks 0 3 online 0 0 \xc2\x9b31m"),
    (3, "blocks 0 3 online 0 0 " + "x" * 100000), (3, "blocks 0 3 online 99999 0 none"),
    (4, "blocks 2 35 online 0 1 Movable"), (4, "blocks "), (4, "blocks 32 35"),
]


@pytest.mark.parametrize("index, line", NONSENSE, ids=lambda value: repr(value)[:60])
def test_an_answer_that_makes_no_sense_is_refused_in_words(path, index, line):
    with Liar(path, replaced(index, line)):
        on(path, "blocks").failed(4, "cannot understand the guest", code="guest-unreachable", state="unchanged")


@pytest.mark.parametrize("line", [
    "failed", "failed x", "failed -1 no", "failed 99999999999999999999999 no", "failed 33",
    "failed 33 \033[2J\033]0;owned\007\r\u009b31m", b"failed 33 \xff\xfe\x80", "failed 33 " + "no " * 30000,
    "failed 33 %s%n%d",
], ids=lambda value: repr(value)[:40])
def test_a_reason_of_any_kind_is_told_without_harm(path, line):
    def refuse(session, exchange, commands):
        return peer.SCAN if commands.startswith("facts") else [line] + peer.SCAN

    with Liar(path, refuse):
        result = on(path, "online", "--zone", "kernel", "33")
    assert result.code in (4, 5, 7) and result.json["ok"] is False, result


def test_a_guest_that_says_done_and_does_nothing_is_not_believed(path):
    with Liar(path):
        on(path, "offline", "33").failed(5, "memory33", code="guest-refused", state="rolled-back")


def test_a_guest_without_memory_hotplug_is_said_to_have_none(path):
    with Liar(path, lambda *_: ["guest 5.4 1 - - -", "memory 1 1 1", "size -"]):
        on(path, "blocks").failed(4, "no memory hotplug", code="guest-unreachable", state="unchanged")


def framed(session, exchange, text):
    """Bytes with the session's id, exchange and a whole end frame put in."""
    return text.replace(b"ID", session.encode()).replace(b"EX", str(exchange).encode())


@pytest.mark.parametrize("text", [
    b"@ID.EX 4294967296 3 end 4294967296 3 ID@\n",
    b"@ID.EX 18446744073709551615 3 end 18446744073709551615 3 ID@\n",
    b"@ID.EX 1000000 3 end 1000000 3 ID@\n",
    b"@ID.EX 65537 3 end 65537 3 ID@\n",
    b"@ID.EX 0 3 end 0 3 ID@\n",
    b"@ID.EX -1 3 end -1 3 ID@\n",
    b"@ID.EX 1 99999999999 end 1 99999999999 ID@\n",
    b"@ID.EX 1 -3 end 1 -3 ID@\n",
    b"@ID.EX 1 4 end 1 4 ID@\n",
    b"@ID.EX 1 2 end 1 2 ID@\n",
    b"@ID.99999999999999999999 1 3 end 1 3 ID@\n",
    b"@ID.0 1 3 end 1 3 ID@\n",
    b"@ID.EX 1 3 end 1 3 ID",
    b"\x00@ID.EX 1 3 end\x00 1 3 ID@\n",
    b"\n" * 100000,
    b"x" * 3000000,
    b"\x00" * 100000,
    b"@ID.EX " * 50000,
    b"\033[2J\033]0;owned\007\xff\xfe\n" * 1000,
], ids=lambda text: repr(text[:40]))
def test_damaged_and_absurd_frames_are_passed_over(path, text):
    def babble(session, exchange, commands):
        right = [frame(session, exchange, n, p) for n, p in enumerate([*peer.SCAN, "end"], start=1)]
        return framed(session, exchange, text) + b"\n" + b"".join(right)

    with Liar(path, babble):
        blocks = on(path, "blocks").succeeded()["blocks"]
    assert [(b["first"], b["last"], b["state"]) for b in blocks] == [(0, 3, "online"), (32, 35, "online")]


@pytest.mark.parametrize("text", [
    b"@ID.EX 2 3 end 2 3 ID@\n",  # the first is missing
    b"@ID.EX 7 1 x 7 1 ID@\n" * 50000,
    b"@ID.EX 1 3 en",
    b"\033[2J" * 100000,
], ids=lambda text: repr(text[:30]))
def test_an_answer_that_is_never_whole_ends_with_the_deadline(path, text):
    with Liar(path, lambda session, exchange, commands: framed(session, exchange, text)):
        on(path, "blocks", more=SHORT).failed(6, "guest", code="timeout", state="unchanged")


def test_lines_in_any_order_and_doubled_are_one_answer(path):
    def shuffled(session, exchange, commands):
        lines = [frame(session, exchange, n, p) for n, p in enumerate([*peer.SCAN, "end"], start=1)]
        return b"".join(reversed(lines)) + b"".join(lines)

    with Liar(path, shuffled):
        on(path, "blocks").succeeded()


def test_the_answer_of_another_exchange_is_no_answer(path):
    def stale(session, exchange, commands):
        old = [f"blocks {n} {n} offline 0 0 none" for n in range(3)]
        lines = b"".join(frame(session, exchange - 1, n, p) for n, p in enumerate([*old, "end"], start=1))
        return lines + b"".join(frame(session, exchange, n, p)
                                for n, p in enumerate([*peer.SCAN, "end"], start=1))

    with Liar(path, stale):
        assert on(path, "blocks").succeeded()["blocks"][0]["state"] == "online"


def test_the_answer_of_another_session_is_no_answer(path):
    def foreign(session, exchange, commands):
        other = f"{int(session, 16) ^ 1:08x}"
        return b"".join(frame(other, exchange, n, p) for n, p in enumerate([*peer.SCAN, "end"], start=1))

    with Liar(path, foreign):
        on(path, "blocks", more=SHORT).failed(6, "guest", code="timeout", state="unchanged")


@pytest.mark.parametrize("opening", [
    lambda session: b"", lambda session: b"\x00" * 10000 + b"\n", lambda session: b"@" + session.encode() + b"\n",
    lambda session: frame("00000000", 0, 1, "go"), lambda session: b"MEMHP=" + session.encode() + b"\r\n" * 100,
], ids=["nothing", "zeros", "half", "foreign", "echo"])
def test_a_session_that_does_not_open_is_given_up_at_the_deadline(path, opening):
    with Liar(path, opening=opening):
        on(path, "blocks", more=("--timeout", "0.4")).failed(4, str(path), code="guest-unreachable",
                                                             state="unchanged")


def test_an_answer_of_very_many_blocks_is_read(path):
    many = [f"blocks {n} {n} online {n % 2} 1 Movable" for n in range(20000)]
    with Liar(path, lambda *_: peer.SCAN[:3] + many):
        assert len(on(path, "blocks").succeeded()["blocks"]) == 20000
