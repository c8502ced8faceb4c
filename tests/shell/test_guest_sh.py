# SPDX-License-Identifier: GPL-3.0-or-later
"""guest.sh by itself, as it is and as it is packed, under every shell, on trees of plain files.

A plain file keeps the word that is written to it, so these tests look at the words; what a kernel makes of
them is for the tests with a virtual machine.
"""
import array
import contextlib
import fcntl
import json
import os
import re
import select
import shutil
import signal
import string
import subprocess
import termios
import time

import peer
import pytest
from peer import HANG, Tree, memhp, session_processes

SHELLS = {"dash": ["dash"], "bash": ["bash"], "busybox ash": ["busybox", "ash"]}
FRAME = re.compile(rb"@(\w{8})\.(\d+) (\d+) (\d+) (.*) (\d+) (\d+) (\w{8})@\n", re.DOTALL)
SESSION = "0badcafe"
CANCEL, AGAIN = "[ $MEMHP ]&&q\n", "[ $MEMHP ]&&again\n"


def pieces():
    """guest.sh as memhp sends it."""
    rows = subprocess.run(["awk", "-f", peer.ROOT / "guest" / "pack.awk", peer.GUEST_SH], check=True, text=True,
                          capture_output=True).stdout
    found = [json.loads(f'"{text}"') for text in re.findall(r'", "(.*)" \},', rows)]
    assert len(found) == rows.count("\n") > 1
    return found


def packed():
    """All of it."""
    return "".join(pieces())


PROGRAMS = {"as it is": peer.GUEST_SH.read_text, "packed": packed}


def run_shell(shell, text):
    """What a shell that has read the text says."""
    return subprocess.run(shell, input=text, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"]}).stdout


class Guest:
    """A shell that runs guest.sh."""

    def __init__(self, root, shell, program, /, **env):
        environment = dict({"PATH": os.environ["PATH"]}, **env)
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [*shell, "-s", str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
            start_new_session=True)
        self.exchange = 0
        self.buffer = b""
        self.is_timed = None
        self.send(f"MEMHP={SESSION}\nexec 3>&1 >/dev/null\n{program}\n")

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(HANG)
        left = wait_until(lambda: not session_processes(self.process.pid))
        for pid in session_processes(self.process.pid):
            os.kill(pid, 9)
        self.process.wait()
        complaints = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        if not failure[0]:
            assert left, "processes are left"
            assert b"not found" not in complaints and b"yntax" not in complaints, complaints

    def send(self, text):
        """Send a line of commands."""
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def start(self, commands):
        """Start commands."""
        self.exchange += 1
        self.send(f"begin {self.exchange}&&{{ {commands};answer;}}\n")

    def receive(self):
        """The bytes of one answer."""
        end = re.compile(rb"\d+ 3 end \d+ 3 " + SESSION.encode() + rb"@\n")
        while not end.search(self.buffer):
            assert select.select([self.process.stdout], [], [], HANG)[0], f"silence after {self.buffer!r}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"it ended after {self.buffer!r}"
            self.buffer += data
        stop = end.search(self.buffer).end()
        answer, self.buffer = self.buffer[:stop], self.buffer[stop:]
        return answer

    def read(self):
        """The payloads of one answer, without the end; every frame is as it has to be.

        What was said ahead of it, of how far a command had come, is in self.told.
        """
        answer = self.receive()
        payloads, self.told = [], []
        for line in answer.splitlines(keepends=True):
            match = FRAME.fullmatch(line)
            assert match, line
            session, exchange, first, length, payload, second, again, last = match.groups()
            assert session == last == SESSION.encode() and int(exchange) == self.exchange, line
            assert first == second and int(length) == int(again) == len(payload), line
            text = payload.decode()
            if int(first) == 0:
                assert not payloads, line
                self.told.append(text)
                continue
            assert int(first) == len(payloads) + 1, line
            if text.startswith("guest "):  # the one fact of a scan that depends on the shell
                self.is_timed = text.endswith(" timed")
                text = text.removesuffix(" timed")
            payloads.append(text)
        assert payloads[-1] == "end"
        return payloads[:-1]

    def run(self, commands):
        """Run commands; their payloads."""
        self.start(commands)
        return self.read()

    def is_alone(self):
        """Has it no other processes any more?"""
        return wait_until(lambda: session_processes(self.process.pid) == [self.process.pid])


def wait_until(condition):
    """Wait until a condition is true; False when it does not become true."""
    end = time.monotonic() + HANG
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture
def tree(tmp_path):
    """A guest with 1 GiB and four more blocks in Movable."""
    tree = Tree(tmp_path / "guest")
    tree.add(32, 35, "online", "Movable")
    return tree


@pytest.fixture(params=[f"{shell}, {program}" for shell in SHELLS for program in PROGRAMS])
def guest(request, tree):
    """Every shell with either form of the program."""
    shell, program = request.param.split(", ")
    with Guest(tree.root, SHELLS[shell], PROGRAMS[program]()) as guest:
        yield guest


@pytest.fixture(params=SHELLS)
def shell(request):
    """The words of every shell."""
    return SHELLS[request.param]


def blocks(payloads):
    """The payloads that tell of blocks."""
    return [p.removeprefix("blocks ") for p in payloads if p.startswith("blocks ")]


# scan

def test_a_scan_says_everything(guest):
    assert guest.run("scan") == [
        "guest 6.1.0-test 1 offline contig-zones N", "memory 1048576 204800 921600", "size 8000000",
        "blocks 0 7 online 0 0 none", "blocks 32 35 online 0 1 Movable"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_variables_of_the_environment_do_not_matter(shell, program, tmp_path):
    """Whoever logs in may have exported anything, also what the program calls its own."""
    text = PROGRAMS[program]()
    names = set(re.findall(r"\b[a-z]+\b|\b[A-Za-z]\d?\b", text)) | set(string.ascii_letters)
    work = ("facts;near 0x 4294967296-4831838207", "near 1 0-7", "scan", "mark;appear 0 32-35 99-99", "buddy",
            "change 1000 lower any 35-34", "swift online_movable 34-35", "hold;scan")
    said = []
    for name, env in (("none", {}), ("strange", dict.fromkeys(names, "9 strange; *"))):
        tree = Tree(tmp_path / name)
        tree.add(32, 35, "online", "Movable")
        with Guest(tree.root, shell, text, **env) as guest:
            said.append([guest.run(words) for words in work])
    assert said[0] == said[1]


def test_blocks_are_merged_where_they_have_everything_in_common(guest, tree):
    tree.add(36, 37, "online", "Normal")
    tree.add(38, 38, "online", "Movable")
    tree.add(39, 39, "online", "Movable", node=1)
    tree.add(40, 40, "online", "Movable", node=1, removable=0)
    tree.add(42, 42, "online", "Movable", node=1, removable=0)
    tree.add(43, 44, "going-offline", "Movable", node=12, removable=0)
    assert blocks(guest.run("scan")) == [
        "0 7 online 0 0 none", "32 35 online 0 1 Movable", "36 37 online 0 1 Normal",
        "38 38 online 0 1 Movable", "39 39 online 1 1 Movable", "40 40 online 1 0 Movable",
        "42 42 online 1 0 Movable", "43 44 going-offline 12 0 -"]


@pytest.mark.parametrize("commands", ["scan", "near 1 40-40", "appear 0 40-40", "raise 40 movable", "lift 40 kernel"])
def test_only_an_online_block_is_asked_for_its_zones(guest, tree, commands):
    """Some kernels dereference NULL for a new one that has not got its node yet."""
    tree.add(40, 40, "offline", node=None)
    zones = tree.block(40) / "valid_zones"
    zones.unlink()
    os.mkfifo(zones)  # it hangs whoever reads it
    guest.run(commands)


def test_block_numbers_of_one_to_seven_digits_come_in_order(guest, tree):
    for number in (9, 10, 99, 100, 999, 1000, 9999, 10000, 99999, 100000, 999999, 1000000, 9999999):
        tree.add(number, number, "online", "Normal")
    assert blocks(guest.run("scan"))[1:] == [
        "9 10 online 0 1 Normal", "32 35 online 0 1 Movable", "99 100 online 0 1 Normal",
        "999 1000 online 0 1 Normal", "9999 10000 online 0 1 Normal", "99999 100000 online 0 1 Normal",
        "999999 1000000 online 0 1 Normal", "9999999 9999999 online 0 1 Normal"]


def test_near_says_only_the_blocks_that_are_asked_for(guest, tree):
    tree.add(40, 41, "offline", "Normal Movable")
    assert guest.run("near 1 33-34") == ["blocks 33 34 online 0 1 Movable"]
    assert guest.run("near 1 7-8 34-40") == [
        "blocks 7 7 online 0 0 none", "blocks 34 35 online 0 1 Movable", "blocks 40 40 offline 0 1 -"]
    assert guest.run("near 1 50-60") == []
    tree.remove(32, 35)
    assert guest.run("near 1 33-34") == []


def test_near_finds_blocks_by_the_addresses_of_their_memory(guest):
    """Also those that a range has only a part of."""
    size = 0x8000000
    lines = guest.run(f"facts;near 0x {32 * size}-{36 * size - 1}")
    assert blocks(lines) == ["32 35 online 0 1 Movable"] and "size 8000000" in lines
    assert blocks(guest.run(f"facts;near 0x {32 * size + size // 2}-{33 * size}")) == ["32 33 online 0 1 Movable"]


def test_near_is_silent_in_a_guest_without_memory_hotplug(guest, tree):
    shutil.rmtree(tree.root / "sys")
    assert blocks(guest.run("facts;near 0x 4294967296-4831838207")) == []
    assert guest.run("memory") == ["memory 1048576 204800 921600"]


def test_blocks_that_have_nothing_in_common_are_all_said(guest, tree):
    said = ["0 7 online 0 0 none", "32 35 online 0 1 Movable"]
    for number in range(100, 700):
        state = ("online", "offline")[number % 2]
        tree.add(number, number, state, "Movable")
        said.append(f"{number} {number} {state} 0 1 {'Movable' if state == 'online' else '-'}")
    assert blocks(guest.run("scan")) == said
    guest.send(AGAIN)
    assert blocks(guest.read()) == said


def test_what_is_no_block_is_left_out(guest, tree):
    for name in ("memoryx", "memory", "memory7x", "memory-1", "power", "memory50", "memory 51"):
        (tree.memory / name).mkdir()
    for name in ("soft_offline_page", "crash_hotplug", "memory60"):
        (tree.memory / name).write_text("0\n")
    (tree.memory / "memoryx/state").write_text("online\n")
    assert blocks(guest.run("scan")) == ["0 7 online 0 0 none", "32 35 online 0 1 Movable"]


def test_a_guest_without_numa_has_no_nodes(guest, tree):
    tree.add(40, 41, "online", "Normal", node=None)
    assert blocks(guest.run("scan"))[-1] == "40 41 online - 1 Normal"


def test_a_kernel_that_lacks_files_leaves_their_facts_unknown(guest, tree):
    for name in ("auto_online_blocks", "uevent", "memory33/valid_zones", "memory34/removable"):
        (tree.memory / name).unlink()
    shutil.rmtree(tree.root / "sys/module")
    (tree.root / "proc/sys/kernel/osrelease").unlink()
    assert guest.run("scan") == [
        "guest - 0 - - -", "memory 1048576 204800 921600", "size 8000000", "blocks 0 7 online 0 0 none",
        "blocks 32 32 online 0 1 Movable", "blocks 33 33 online 0 1 -", "blocks 34 34 online 0 - Movable",
        "blocks 35 35 online 0 1 Movable"]


def test_an_old_kernel_without_memavailable(guest, tree):
    tree.write("proc/meminfo", "MemTotal: 1024 kB\nMemFree: 512 kB\nBuffers: 1 kB")
    assert "memory 1024 512 -" in guest.run("scan")


def test_a_guest_without_proc_has_no_amounts(guest, tree):
    shutil.rmtree(tree.root / "proc")
    assert guest.run("scan")[:2] == ["guest - 1 offline contig-zones N", "memory - - -"]


def test_a_guest_without_memory_hotplug(guest, tree):
    shutil.rmtree(tree.root / "sys")
    assert guest.run("scan") == ["guest 6.1.0-test 0 - - -", "memory 1048576 204800 921600", "size -"]


def test_a_second_scan_starts_afresh(guest, tree):
    first = guest.run("scan")
    assert guest.run("scan") == first
    tree.remove(32, 35)
    assert guest.run("scan") == first[:-1]


def test_a_block_that_goes_away_while_it_is_read_does_not_spoil_the_answer(guest, tree):
    for name, block in (("state", 33), ("valid_zones", 34), ("removable", 35)):
        path = tree.block(block) / name
        path.unlink()
        path.symlink_to("/proc/self/mem")  # opens, and cannot be read
    payloads = guest.run("scan")
    assert "blocks 32 32 online 0 1 Movable" in payloads
    for payload in payloads:
        assert "  " not in payload and not payload.endswith(" "), payload
    result = memhp("--guest", tree.local_channel(), "--json", "blocks").succeeded()
    assert result["blocks"][0]["last"] == 7


def test_empty_files_leave_their_facts_unknown(guest, tree):
    for name in ("auto_online_blocks", "memory33/valid_zones", "memory34/removable"):
        (tree.memory / name).write_text("")
    for payload in guest.run("scan"):
        assert "  " not in payload and not payload.endswith(" "), payload


# answers

def test_an_answer_is_repeated_as_it_was(guest, tree):
    guest.start("scan")
    first = guest.receive()
    tree.remove(32, 35)
    guest.send(AGAIN + AGAIN)
    assert guest.receive() == first
    assert guest.receive() == first


def test_text_of_any_kind_comes_as_it_is(guest, tree):
    for text in ("6.1%s%n%d", "6.1\\n\\x", "6.1*", "6.1$(exit)`exit`", "6.1'\"", "-n", "@;@"):
        tree.write("proc/sys/kernel/osrelease", text)
        assert guest.run("scan")[0] == f"guest {text} 1 offline contig-zones N"


def test_lengths_are_bytes_whatever_the_guests_locale(shell, tree):
    tree.write("proc/sys/kernel/osrelease", "6.1-\u00e9\u20ac")
    for locale in ("C", "C.UTF-8", "en_US.UTF-8"):
        with Guest(tree.root, shell, packed(), LC_ALL=locale, LANG=locale) as guest:
            assert guest.run("scan")[0] == "guest 6.1-\u00e9\u20ac 1 offline contig-zones N"


def test_the_guests_settings_do_not_matter(shell, tree):
    with Guest(tree.root, shell, "set -f +f; IFS=' \t\n'; CDPATH=/; export CDPATH\n" + packed(),
               ENV="/nonexistent", POSIXLY_CORRECT="1") as guest:
        assert blocks(guest.run("scan")) == ["0 7 online 0 0 none", "32 35 online 0 1 Movable"]


def test_cancelling_nothing_does_nothing(guest):
    guest.send("q\nq\n")
    assert guest.run(":") == []


def test_nothing_is_said_on_stdout_but_answers(guest):
    guest.run("change 5 lower any 35-32;change 5 raise movable 32-35;scan")
    assert guest.is_alone()
    assert not guest.buffer


# hold

def policy(tree):
    """What the kernel does with new memory."""
    return (tree.memory / "auto_online_blocks").read_text().strip()


def hang_up(guest):
    """What a console does when it goes away."""
    guest.process.send_signal(signal.SIGHUP)
    guest.process.stdin.close()


@pytest.mark.parametrize("end", [None, "exit\n", 1], ids=["end of input", "exit", "SIGHUP and end of input"])
def test_the_policy_for_new_memory_is_held_back_until_the_session_ends(shell, tree, end):
    tree.write("sys/devices/system/memory/auto_online_blocks", "online_movable")
    with Guest(tree.root, shell, packed()) as guest:
        assert guest.run("scan;hold")[0] == "guest 6.1.0-test 1 online_movable contig-zones N"
        assert policy(tree) == "offline"
        if isinstance(end, str):
            guest.send(end)
        elif end:
            guest.process.send_signal(end)
        guest.process.stdin.close()
        guest.process.wait(HANG)
        assert policy(tree) == "online_movable"


def test_a_policy_that_lets_memory_be_is_not_touched(guest, tree):
    before = (tree.memory / "auto_online_blocks").stat().st_mtime_ns
    guest.run("scan;hold")
    guest.send("exit\n")
    guest.process.wait(HANG)
    assert (tree.memory / "auto_online_blocks").stat().st_mtime_ns == before


def test_a_kernel_without_a_policy_is_not_given_one(guest, tree):
    (tree.memory / "auto_online_blocks").unlink()
    guest.run("scan;hold")
    guest.send("exit\n")
    guest.process.wait(HANG)
    assert not (tree.memory / "auto_online_blocks").exists()


# appear

def test_blocks_that_are_there_are_not_waited_for(guest):
    assert guest.run("appear 60 32-35 0-7") == []


def test_blocks_that_come_later_are_waited_for(guest, tree):
    guest.start("appear 60 40-41 50-50&&say done")
    tree.add(40, 40)
    tree.add(50, 50)
    (tree.block(41)).mkdir()
    (tree.block(41) / "state").write_text("offline\n")
    tree.add(41, 41)
    assert guest.read() == ["done"]


def test_a_block_that_does_not_come_is_named_and_ends_the_line(guest, tree):
    tree.add(40, 41)
    assert guest.run("appear 0 40-43 60-61&&say done;say after") == ["absent 42", "after"]


def test_a_block_that_the_kernel_has_given_up_is_told(guest, tree):
    """Devices have come or gone, and then none for a whole look."""
    events = "sys/kernel/uevent_seqnum"
    tree.write(events, "7")
    guest.run("mark")
    assert guest.run("appear 0 40-41;appear 0 40-41") == ["absent 40", "absent 40"]
    tree.write(events, "8")
    assert guest.run("appear 0 40-41") == ["absent 40"]
    tree.write(events, "9")
    assert guest.run("appear 0 40-41;appear 0 40-41") == ["absent 40", "gone 40"]


def test_without_a_mark_a_block_is_only_absent(guest, tree):
    tree.write("sys/kernel/uevent_seqnum", "7")
    assert guest.run("appear 0 40-41;appear 0 40-41") == ["absent 40", "absent 40"]


def test_a_block_is_there_only_with_all_of_its_files(guest, tree):
    tree.add(40, 40)
    (tree.block(40) / "valid_zones").unlink()
    assert guest.run("appear 0 40-40") == ["absent 40"]


# watch

EVENTS = "sys/kernel/uevent_seqnum"


def scanned(lines):
    """Whether there was a scan, and nothing else."""
    assert not lines or lines[0].startswith("guest "), lines
    return bool(lines)


def test_a_watch_begins_with_a_scan_and_says_nothing_without_news(guest, tree):
    tree.write(EVENTS, "7")
    assert scanned(guest.run("watch 1"))
    assert guest.run("watch 1") == []


@pytest.mark.parametrize("name, value", [(EVENTS, "8"), ("sys/devices/system/memory/auto_online_blocks", "online"),
                                         ("sys/module/memory_hotplug/parameters/online_policy", "auto-movable")])
def test_a_watch_ends_with_a_scan_when_there_is_news(guest, tree, name, value):
    tree.write(EVENTS, "7")
    guest.run("watch 1")
    guest.start("watch 60")
    tree.write(name, value)
    assert scanned(guest.read())


def test_what_happens_between_two_watches_is_not_missed(guest, tree):
    tree.write(EVENTS, "7")
    guest.run("watch 1")
    tree.write(EVENTS, "8")
    assert scanned(guest.run("watch 60"))


def test_without_a_count_of_events_each_watch_is_a_scan(guest):
    assert scanned(guest.run("watch 60")) and scanned(guest.run("watch 60"))


def test_a_watch_is_cancelled(guest, tree):
    tree.write(EVENTS, "7")
    guest.run("watch 1")
    guest.start("watch 600")
    assert wait_until(lambda: len(session_processes(guest.process.pid)) >= 4)  # it listens, and pauses
    guest.send(AGAIN + "echo @\n" + CANCEL)
    assert guest.read() == []
    assert guest.run("say next") == ["next"]


# change: the words that are written

def words(tree, first, last):
    """What the state files hold."""
    return [(tree.block(n) / "state").read_text().strip() for n in range(first, last + 1)]


@pytest.mark.parametrize("state, zones, command, word", [
    ("offline", "Normal Movable", "raise movable", "online_movable"),
    ("offline", "Normal Movable", "raise kernel", "online_kernel"),
    ("offline", "Normal Movable", "raise any", "online"),
    ("offline", "Normal Movable", "lift movable", "online_movable"),
    ("offline", "Normal Movable", "lift kernel", "online_kernel"),
    ("offline", "Normal Movable", "lower any", None),
    ("online", "Movable", "raise movable", None),
    ("online", "Movable", "raise any", None),
    ("online", "Movable", "raise kernel", "online_kernel"),
    ("online", "Normal", "raise kernel", None),
    ("online", "DMA32", "raise kernel", None),
    ("online", "DMA", "raise kernel", None),
    ("online", "HighMem", "raise kernel", None),
    ("online", "Normal", "raise movable", "online_movable"),
    ("online", "Normal", "lift movable", None),
    ("online", "Movable", "lift kernel", None),
    ("online", "none", "raise any", None),
    ("online", "none", "lower any", "offline"),
    ("online", "Movable", "lower any", "offline"),
    ("going-offline", "Movable", "lower any", "offline"),
    ("going-offline", "Movable", "raise movable", "online_movable"),
    ("going-offline", "Movable", "lift movable", "online_movable"),
])
def test_a_block_gets_the_word_that_it_needs_and_no_other(shell, tree, state, zones, command, word):
    tree.add(40, 41, state, zones)
    before = (tree.block(40) / "state").stat().st_mtime_ns
    with Guest(tree.root, shell, packed()) as guest:
        assert guest.run(f"change 30 {command} 40-40") == []
    assert words(tree, 40, 41) == [word or state, state]
    assert ((tree.block(40) / "state").stat().st_mtime_ns == before) == (word is None)


def test_ranges_are_changed_in_their_order(guest, tree):
    tree.add(40, 49, "online", "Movable")
    assert guest.run("change 30 lower any 35-33 49-49 45-44") == []
    assert words(tree, 32, 35) == ["online"] + 3 * ["offline"]
    assert words(tree, 40, 49) == 4 * ["online"] + 2 * ["offline"] + 3 * ["online"] + ["offline"]
    stamps = [(tree.block(n) / "state").stat().st_mtime_ns for n in (35, 34, 33, 49, 45, 44)]
    assert stamps == sorted(stamps)


def test_a_change_tells_how_far_it_is_once_a_second_at_most(guest, tree):
    """Ahead of the answer; the first and the last block are always told."""
    tree.add(40, 49, "online", "Movable")
    (tree.root / "proc/uptime").unlink()
    for second in (7, 8):  # in which the clock stands still
        tree.write("proc/uptime", f"{second}.99 1.00")
        assert guest.run("change 30 lower any 49-40;say done") == ["done"]
        assert guest.told == ["at 49", "at 40"]
    assert guest.run("change 30 raise movable 40-40") == [] and guest.told == ["at 40"]
    (tree.root / "proc/uptime").unlink()
    assert guest.run("change 30 raise movable 41-49") == [] == guest.told  # no clock, no word


def test_several_changes_go_in_one_line(guest, tree):
    tree.add(40, 41)
    assert guest.run("change 30 lower any 35-32;change 30 raise movable 40-41;say done") == ["done"]
    assert words(tree, 32, 35) + words(tree, 40, 41) == 4 * ["offline"] + 2 * ["online_movable"]
    assert guest.is_alone()


def test_the_swift_way_writes_upwards(guest, tree):
    tree.add(40, 43)
    assert guest.run("swift online_movable 40-41 43-43;scan")[-1] == "blocks 43 43 online_movable 0 1 -"
    assert words(tree, 40, 43) == ["online_movable", "online_movable", "offline", "online_movable"]


def test_the_swift_way_stops_at_the_first_failure(guest, tree):
    tree.add(40, 42)
    unwritable(tree, 41)
    guest.run("swift online_movable 40-42")
    assert [words(tree, n, n)[0] for n in (40, 42)] == ["online_movable", "offline"]


# change: writes that fail

def unwritable(tree, block):
    """Make a state that can be read, and refuses every word with EINVAL as the kernel's does."""
    path = tree.block(block) / "state"
    path.unlink()
    path.symlink_to("/proc/self/oom_score_adj")


def test_a_failed_write_names_the_block_and_the_kernels_reason(guest, tree):
    unwritable(tree, 33)
    assert guest.run("change 30 lower any 35-32") == ["failed 33 Invalid argument"]
    assert [words(tree, n, n)[0] for n in (32, 34, 35)] == ["online", "offline", "offline"]
    assert guest.run("change 30 raise kernel 33-35;say done") == ["failed 33 Invalid argument", "done"]
    assert guest.is_alone()


def test_a_state_that_is_a_directory_is_named_with_the_reason(guest, tree):
    (tree.block(34) / "state").unlink()
    (tree.block(34) / "state").mkdir()
    assert guest.run("change 30 lower any 35-32") == ["failed 34 Is a directory"]
    assert guest.run("scan")[0].startswith("guest")


def test_a_block_that_is_not_there_is_named(guest):
    [payload] = guest.run("change 30 lower any 40-40")
    assert re.fullmatch("failed 40 .*(No such file|onexistent).*", payload), payload


def test_a_failure_that_somebody_else_has_made_good_is_none(guest, tree):
    """The write fails, but the block is where it was to be: read again after the failure."""
    directory = tree.block(33)
    (directory / "state").unlink()
    os.mkfifo(directory / "state")
    guest.start("change 30 lower any 33-33;say done")
    with open(directory / "state", "w", encoding="ascii") as state:
        (directory / "new").mkdir()  # a write to it fails
        os.rename(directory / "state", directory / "old")
        os.rename(directory / "new", directory / "state")
        state.write("online\n")
    # between the failed write and the second look there is no way in from here: the directory stays
    assert guest.read() == ["failed 33 Is a directory", "done"]


# change: writes that hang

@pytest.fixture
def hanging(tree):
    """Block 33 reads "online", and a write to it hangs: a pipe that is full behind its first line."""
    path = tree.block(33) / "state"
    path.unlink()
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
    os.write(fd, b"online\n" + b"x" * (4096 - 7))
    yield fd
    os.close(fd)


def has_read_state(fd):
    """Has the first line been read from the full pipe?"""
    left = array.array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, left)
    return left[0] < 4096


def test_an_offline_that_tries_for_ever_is_ended_by_its_limit_of_cpu_time(shell, tree):
    with Guest(tree.root, shell, packed()) as guest:
        guest.send("spin() { while :; do :; done; }\n")
        assert guest.run("change 1 spin any 35-32;say done") == ["stopped", "done"]
        assert guest.is_alone()
        assert guest.run("change 1 lower any 35-34;scan")[-1] == "blocks 34 35 offline 0 1 -"


def test_a_write_that_hangs_is_ended_by_a_cancel(guest, hanging):
    guest.start("change 1000 lower any 35-32")
    assert wait_until(lambda: has_read_state(hanging))
    guest.send(AGAIN + AGAIN + CANCEL)
    assert guest.read() == ["stopped"]
    assert guest.is_alone()
    assert guest.run(":") == []


def test_a_write_that_hangs_is_ended_with_the_channel(guest, hanging):
    guest.start("change 1000 lower any 35-32")
    assert wait_until(lambda: has_read_state(hanging))
    guest.process.stdin.close()
    assert wait_until(lambda: not session_processes(guest.process.pid))


def test_a_state_that_cannot_be_opened_is_ended_by_a_cancel(guest, tree):
    (tree.block(33) / "state").unlink()
    os.mkfifo(tree.block(33) / "state")
    guest.start("change 1000 lower any 35-32")
    assert wait_until(lambda: words(tree, 34, 34) == ["offline"])
    guest.send(CANCEL)
    assert guest.read() == ["stopped"]
    assert guest.is_alone()


def test_the_time_limit_of_a_change_that_ends_leaves_nothing_behind(guest, tree):
    for _ in range(5):
        assert guest.run("change 1000 lower any 35-32") == []
        assert guest.run("change 1000 raise any 32-35") == []
    assert guest.is_alone()
    unwritable(tree, 35)
    for _ in range(5):
        assert guest.run("change 1000 lower any 35-32") == ["failed 35 Invalid argument"]
    assert guest.is_alone()


def test_a_command_sent_ahead_is_not_lost_to_the_guard(guest, tree):
    guest.start("change 1000 lower any 35-34")
    assert guest.read() == []
    assert guest.run("say ahead") == ["ahead"]


# ease

def test_dash_alone_reads_without_a_limit_of_time(shell, tree):
    with Guest(tree.root, shell, packed()) as guest:
        guest.run("scan")
        assert guest.is_timed == (shell != SHELLS["dash"])


@pytest.fixture(params=[name for name in SHELLS if name != "dash"])
def timed(request, tree):
    """A shell that can go the short way."""
    with Guest(tree.root, SHELLS[request.param], packed()) as guest:
        yield guest


def test_the_short_way_goes_down_and_leaves_nothing_behind(timed, tree):
    for _ in range(3):
        assert timed.run("ease 1000 35-33 7-6;say done") == ["done"]
        assert timed.is_alone()
    assert words(tree, 33, 35) == ["offline"] * 3 and words(tree, 5, 7) == ["online", "offline", "offline"]
    assert words(tree, 32, 32) == ["online"]
    assert timed.run("say ahead") == ["ahead"]


def test_the_short_way_ends_at_the_first_block_that_fails(timed, tree):
    unwritable(tree, 34)
    assert timed.run("ease 1000 35-32 7-7;say done") == ["done"]
    assert words(tree, 35, 35) == ["offline"] and words(tree, 32, 33) == ["online"] * 2 and words(tree, 7, 7) == ["online"]
    assert timed.is_alone()


@pytest.mark.parametrize("end", [CANCEL, "echo somebody else\n", None], ids=["cancel", "somebody else", "limit"])
@pytest.mark.usefixtures("hanging")
def test_a_write_that_hangs_on_the_short_way_ends_the_session(timed, tree, end):
    timed.start(f"ease {1000 if end else 1} 35-32")
    assert wait_until(lambda: words(tree, 34, 34) == ["offline"])
    if end:
        timed.send(AGAIN + end)
    assert timed.process.wait(HANG) == -signal.SIGKILL
    assert wait_until(lambda: not session_processes(timed.process.pid))


def test_a_session_that_holds_a_policy_does_not_go_the_short_way(timed, tree):
    tree.write("sys/devices/system/memory/auto_online_blocks", "online")
    timed.run("scan;hold")
    assert timed.run("ease 1000 35-32;say done") == ["done"]
    assert words(tree, 32, 35) == ["online"] * 4


@pytest.mark.usefixtures("hanging")
def test_a_write_that_hangs_on_the_short_way_is_ended_with_the_channel(timed, tree):
    timed.start("ease 1000 35-32")
    assert wait_until(lambda: words(tree, 34, 34) == ["offline"])
    timed.process.stdin.close()
    assert wait_until(lambda: not session_processes(timed.process.pid))


# the text itself

@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not here; make lint wants it")
def test_shellcheck_has_nothing_to_say():
    done = subprocess.run(["shellcheck", peer.GUEST_SH, peer.DATA / "kernel.sh"], text=True, check=False,
                          capture_output=True)
    assert done.returncode == 0, done.stdout


def test_every_piece_fits_a_terminals_queue():
    for piece in pieces():
        assert len(piece) < 4000 and piece.endswith("\n") and "\t" not in piece
        assert subprocess.run(["dash", "-n"], input=piece, text=True, check=False).returncode == 0, piece


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_that_is_not_the_session_learns_nothing(name):
    """It reads what is on its way to a session that has been killed: each line by itself, as far as it is left."""
    lines = "".join(pieces()).splitlines(keepends=True) + ["begin 1&&{ echo begun;};echo $?\n", CANCEL, AGAIN, "type say\n", "set\n"]
    assert max(map(len, lines)) < 1024  # the line editor of busybox drops the rest
    known = run_shell(SHELLS[name], "type say\nset\n")
    told = run_shell(SHELLS[name], "".join(lines))
    assert "begun" not in told and "\n127\n" in f"\n{told}"
    assert {line.partition("=")[0] for line in told.splitlines()} - {line.partition("=")[0] for line in known.splitlines()} <= {"127"}


# memhp on channels that are a process

def channels(root):
    """Every way to run a shell on that tree."""
    yield f"local:{root}"
    for name in ("dash", "bash", "busybox ash", "bash --posix", "busybox sh"):
        yield f"exec:exec {name} -s '{root}'"
    yield f"exec:sh -s '{root}' | cat"
    yield f"exec:echo 'motd: welcome @ host'; sh -s '{root}'"


@pytest.mark.parametrize("place", ["plain", "with blank", "with $(touch x) ; & * ? \\"])
def test_every_channel_sees_the_same(tmp_path, place):
    root = tmp_path / place
    tree = Tree(root)
    tree.add(32, 33, "online", "Movable")
    wanted = [{"first": 0, "last": 7, "state": "online", "zone": "none", "node": 0, "removable": False,
               "device": None},
              {"first": 32, "last": 33, "state": "online", "zone": "Movable", "node": 0, "removable": True,
               "device": None}]
    for channel in channels(root):
        result = memhp("--guest", channel, "--json", "blocks", cwd=tmp_path)
        assert result.succeeded()["blocks"] == wanted, channel
        assert not result.stderr, channel
    assert [p.name for p in tmp_path.iterdir()] == [place]


def test_blocks_change_over_every_channel(tmp_path, tree):
    for channel in channels(tree.root):
        tree.add(32, 35, "online", "Movable")
        value = memhp("--guest", channel, "--json", "offline", "32-33", "memory35").succeeded()
        assert value["changed"] == 3 * 128 * peer.MIB, channel
        assert words(tree, 32, 35) == ["offline", "offline", "online", "offline"], channel


def test_the_devices_are_joined_with_the_blocks(tmp_path, tree):
    vm = peer.Vm()
    vm.plug("d0", 256)
    with peer.Monitor(tmp_path / "qmp", vm):
        for channel in channels(tree.root):
            value = memhp("--qmp", tmp_path / "qmp", "--guest", channel, "--json", "list").succeeded()
            assert value["devices"][0]["blocks"] == [
                {"first": 32, "last": 33, "state": "online", "zone": "Movable", "node": 0, "removable": True}]
            assert [(b["first"], b["last"]) for b in value["boot_blocks"]] == [(0, 7), (34, 35)]


@pytest.mark.parametrize("command, words_said", [
    ("exit 3", []), ("false", []), ("echo sorry >&2; exit 1", ["sorry"]),
    ("/nonexistent/shell", ["not found"]), ("exec 1>&-; cat >/dev/null", []), ("head -c 500 >/dev/null", []),
    ("echo bad thing >&2; printf '\\033[31m\\377\\n' >&2; exit 1", ["bad thing"]),
])
def test_a_command_that_ends_is_told_with_its_last_words(command, words_said):
    memhp("--guest", f"exec:{command}", "--json", "blocks").failed(
        4, *words_said, code="guest-unreachable", state="unchanged")


def test_an_answer_with_more_frames_than_are_kept_is_refused_at_once():
    command = "IFS='=;' read -r _ id _; echo \"@$id.1 65537 3 end 65537 3 $id@\"; cat >/dev/null"
    memhp("--guest", f"exec:{command}", "--json", "blocks").failed(
        4, "too long", code="guest-unreachable", state="unchanged")


@pytest.mark.parametrize("command", ["cat", "cat >/dev/null", "sleep 1000", "yes", "tr a-z A-Z"])
def test_a_command_that_is_no_shell_is_given_up_at_the_deadline_and_ended(tmp_path, command):
    marker = tmp_path / "marker"
    result = memhp("--guest", f"exec:echo $$ >{marker}; exec {command}", "--json", "--timeout", "0.4", "blocks")
    assert result.code in (4, 6) and result.json["state"] == "unchanged", result
    assert wait_until(lambda: not session_processes(int(marker.read_text())))


@pytest.mark.parametrize("address", ["", ":", "serial:", "serial", "ssh:", "exec:", "bogus:x", "locale:/", "ssh:-x",
                                     "ssh:host:port", "ssh:host:0", "ssh:host:65536", "ssh:[::1", "ssh:@"])
def test_an_address_that_is_none_is_bad_usage(address):
    result = memhp("--guest", address, "--json", "blocks")
    assert result.code == (2 if address else result.code) and result.code in (2, 4), result
    assert result.json["state"] == "unchanged"


def test_no_channel_is_none():
    memhp("--guest", "none", "--json", "blocks").failed(4, "no channel", code="guest-unreachable",
                                                        state="unchanged")
