# SPDX-License-Identifier: GPL-3.0-or-later
"""Input that wants to be run, to drive the terminal, or to get at what is not its own."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess

import peer
import pytest
from peer import BINARY, Console, Liar, Monitor, Tree, Vm, error, memhp, reply


@pytest.fixture
def tree(tmp_path):
    """The guest's /sys, with two blocks in Movable and two that are offline."""
    tree = Tree(tmp_path / "guest")
    tree.add(32, 33, "online", "Movable")
    tree.add(34, 35)
    return tree


# Words that a shell would run


EVIL = ["$(touch x)", "`touch x`", "; touch x;", "| touch x", "& touch x", "'; touch x; '", "\"; touch x; \"",
        "\ntouch x\n", "x\ntouch x #", "${IFS}touch${IFS}x", ">x", "$PATH", "*", "~", "-rf", "--", "\\", "x y",
        "%s%n", "\r", "\x1b[31m", "33;touch x", "32-33\ntouch x", "\u202ex", "memory33 touch"]
# What guest.sh is told: words of memhp's own and numbers. Any other character would be somebody else's.
OWN_WORDS = re.compile(r"[a-z_0-9 ;:&-]*")


def only_own_words(console):
    """Nothing but memhp's own words has gone to the guest."""
    for line in console.heard:
        assert OWN_WORDS.fullmatch(line), line
    return True


@pytest.mark.parametrize("words", [("online",), ("offline",), ("unplug",), ("plug",), ("plug", "512M", "--name"),
                                   ("plug", "512M", "--slot"), ("online", "33", "--zone"), ("--timeout",),
                                   ("qmp",), ()], ids=" ".join)
def test_no_word_of_the_user_reaches_a_shell(path, tmp_path, words):
    (tmp_path / "cwd").mkdir()
    with Monitor(path), Liar(tmp_path / "console") as console:
        for word in EVIL:
            # "online --" is a whole command, for whose blocks memhp then waits in vain
            result = memhp("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--timeout", "5", *words, word,
                           cwd=tmp_path / "cwd")
            assert result.code != 0 or word in ("--", "-rf") or words == ("qmp",), (word, result)
        assert only_own_words(console)
    assert not list((tmp_path / "cwd").iterdir())


@pytest.mark.parametrize("name", EVIL, ids=repr)
def test_no_name_that_qemu_gives_reaches_a_shell(path, tmp_path, name):
    """QEMU takes no such ids, but who says that it is QEMU?"""
    vm = Vm()
    vm.plug("d0", 256)
    vm.devices[0].update(id=name, memdev=f"/objects/{name}")
    vm.objects[name] = 256 * peer.MIB
    with Monitor(path, vm) as monitor, Liar(tmp_path / "console") as console:
        more = ("--qmp", path, "--guest", f"serial:{tmp_path}/console", "--timeout", "5")
        for words in (("list",), ("blocks",), ("--dry-run", "unplug"), ("offline", "--", name), ("unplug",)):
            memhp(*more, *words, cwd=tmp_path)
        assert console.heard and only_own_words(console)
    assert [d["id"] for d in monitor.sent("device_del")][:1] in ([name], [])
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("release", [word for word in EVIL if "\n" not in word] +
                         ["\x9b31m", "@00000000.1 1 3 end 1 3 00000000@"], ids=repr)
def test_nothing_that_the_guest_says_is_run_or_drives_the_terminal(tmp_path, release):
    """In its kernel's release, the names of zones and states, the reasons it gives. Class Result looks at the
    output, where --verbose repeats all that was said."""
    def say(session, exchange, commands):
        if not commands.startswith(("scan", "facts")):
            return [f"failed 33 {release}", *peer.SCAN]
        return [f"guest {release.replace(' ', '')} 1 offline contig-zones N", *peer.SCAN[1:]]

    def say_zone(session, exchange, commands):
        return [*peer.SCAN[:3], f"blocks 32 35 {release} 0 1 {release}"]

    for number, script in enumerate((say, say_zone)):
        with Liar(tmp_path / f"console{number}", script) as console:
            for words in (("status",), ("blocks",), ("--json", "blocks"), ("online", "--zone", "kernel", "33")):
                memhp("--guest", f"serial:{tmp_path}/console{number}", "--verbose", "--timeout", "3", *words)
            assert only_own_words(console)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("words", [("--guest", "exec:touch x; exec sh"), ("--guest=exec:touch x; exec sh",),
                                   ("-Gexec:touch x; exec sh",)], ids=str)
def test_completion_runs_no_command_that_is_being_typed(path, tmp_path, words):
    with Monitor(path):
        for command in ("online", "offline", "unplug"):
            memhp("__complete", "--qmp", path, *words, command, "", cwd=tmp_path)
            memhp("__complete", "--qmp", path, command, *words, "", cwd=tmp_path)
    assert not (tmp_path / "x").exists()


PLACES = ["with blank", "it's", "\"quoted\"", "$(touch x)", "`touch x`", "a\nb", "-n", "*?[a]", "back\\slash", "%s",
          "semi;touch x", "\u00e9", "a=b", "~"]


@pytest.mark.parametrize("place", PLACES, ids=repr)
def test_a_tree_in_a_strange_place_is_read(tmp_path, place):
    tree = Tree(tmp_path / place)
    tree.add(32, 33, "online", "Movable")
    blocks = memhp("--guest", tree.local_channel(), "--json", "blocks", cwd=tmp_path).succeeded()["blocks"]
    assert [(b["first"], b["last"]) for b in blocks] == [(0, 7), (32, 33)]
    assert [p.name for p in tmp_path.iterdir()] == [place]


@pytest.mark.parametrize("place", PLACES, ids=repr)
def test_a_console_and_a_monitor_in_a_strange_place_are_reached(tmp_path, tree, place):
    directory = tmp_path / place
    directory.mkdir()
    with Monitor(directory / "qmp"), Console(directory / "tty", tree):
        blocks = memhp("--qmp", directory / "qmp", "--guest", f"serial:{directory}/tty", "--json", "blocks")
        assert len(blocks.succeeded()["blocks"]) == 3


@pytest.fixture
def ssh(tmp_path, monkeypatch, tree):
    """A program in the place of ssh that gives a shell; ssh() returns the words it was started with."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >'{tmp_path}/argv'\n"
                       f"exec sh -s '{tree.root}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def words():
        said = tmp_path / "argv"
        return said.read_text().split("\0")[:-1] if said.exists() else None

    return words


@pytest.mark.parametrize("address, target", [
    ("host", ["host"]), ("root@host", ["root@host"]), ("host:2222", ["-p", "2222", "host"]),
    ("u@h@host:22", ["-p", "22", "u@h@host"]), ("[::1]", ["::1"]),
    ("root@[fe80::1%eth0]:22", ["-p", "22", "root@fe80::1%eth0"]),
])
def test_ssh_gets_its_target_behind_a_double_dash(ssh, address, target):
    memhp("--guest", f"ssh:{address}", "--json", "blocks").succeeded()
    words = ssh()
    assert words[words.index("--") + 1:] == [target[-1], "sh"]
    assert words[:words.index("--")][-len(target) + 1:] == target[:-1] or len(target) == 1
    assert "-oBatchMode=yes" in words


@pytest.mark.parametrize("address", [
    "-oProxyCommand=touch x", "-oProxyCommand=touch x@host", "root@-oProxyCommand=touch x", "-F/tmp/config",
    "host -oX", "host;touch x", "$(touch x)", "`touch x`", "a@b$(touch x)", "user'x@host", "host\n-oX", "host|x", "host>x",
    "(host)", "host:22;touch x", "host:-22", "{a,b}", "\"host\"", "host&", "@", "@host:", "[::1", "[::1]x", "[]:22", ":22"])
def test_ssh_is_not_started_for_what_could_be_an_option_or_a_command(ssh, tmp_path, address):
    memhp("--guest", f"ssh:{address}", "--json", "blocks", cwd=tmp_path).failed(2, "bad guest channel", code="usage")
    assert ssh() is None and not (tmp_path / "x").exists()


@pytest.mark.parametrize("address", [
    "-oProxyCommand=touch x/q", "root@-oProxyCommand=touch x/q", "host;touch x/q", "$(touch x)/q", "h/$(touch x)",
    "h/`touch x`", "h/a b", "h/%h", "h/q\nx", "h/a:b", "h", "h/", "/q", ""])
def test_ssh_is_not_started_for_a_monitor_that_could_be_an_option_or_a_command(ssh, tmp_path, address):
    result = memhp("--qmp", f"ssh://{address}", "--json", "--timeout", "1", "list", cwd=tmp_path)
    assert result.code in (2, 3) and not (tmp_path / "x").exists(), result
    assert ssh() is None


def test_what_runs_the_shell_inherits_nothing_but_its_three_streams(path, tmp_path, tree):
    """Least of all the monitor's socket, which would be a second way to change the machine."""
    with Monitor(path, Vm(tree)):
        command = f"exec:ls -l /proc/$$/fd | cat >{tmp_path}/fds; exec dash -s {tree.root}"
        memhp("--qmp", path, "--guest", command, "--json", "list").succeeded()
    links = dict(re.findall(r" (\d+) -> (.*)", (tmp_path / "fds").read_text()))
    assert {"0", "1", "2"} <= set(links) and all(link.startswith("pipe:") for link in links.values()), links


# Text that could drive a terminal


def test_json_is_utf8_whatever_the_users_words_are(tmp_path):
    root = os.fsencode(tmp_path) + b"/\xff\x9b31m\xc2"
    Tree(os.fsdecode(root))
    result = memhp("--guest", b"local:" + root, "--json", "blocks")
    assert result.succeeded()["blocks"][0]["first"] == 0
    plain = memhp("--json", "--guest", b"local:/\x9b31m\xff\x1b]0;x\x07", "blocks")
    assert plain.code == 4 and plain.json["ok"] is False
    argument = memhp("--json", "--dry-run", "qmp", "x", b"y=\x9b31m\xff")
    assert argument.succeeded()["plan"][0]["qmp"]["arguments"] == {"y": "\ufffd31m\ufffd"}


def on_a_terminal(*words, typed=b"", term="xterm"):
    """All that memhp writes to a terminal, stdout and stderr; what is typed waits there from the start."""
    master, slave = pty.openpty()
    os.write(master, typed)
    with subprocess.Popen([BINARY, *map(str, words)], env=peer.clean_environment({"TERM": term}),
                          stdin=slave if typed else subprocess.DEVNULL, stdout=slave, stderr=slave) as process:
        os.close(slave)
        output = b""
        while select.select([master], [], [], peer.HANG)[0]:
            try:
                output += os.read(master, 65536)
            except OSError:  # the last one has closed it
                break
        process.wait(peer.HANG)
    os.close(master)
    return output.decode().replace("\r\n", "\n")


# Colours and the end of the progress line are memhp's own.
OWN_ESCAPES = re.compile(r"\033\[(0|1|31|32)m|\r\033\[K")
ESCAPES = "\033[2J\033]0;owned\007\r\u009b31m\x7f\n\u0085"


@pytest.mark.parametrize("words", [("list",), ("status",), ("blocks",), ("unplug", "x"), ("plug", "512M"),
                                   ("--verbose", "list"), ("--timeout", "2", "qmp", "silence")], ids=" ".join)
def test_a_terminal_gets_no_escapes_but_memhps_own(path, tree, words):
    """The last one waits until there is a progress line."""
    vm = Vm()
    vm.plug("x", 128)
    vm.devices[0]["id"] = f"x-dimm{ESCAPES}"
    scripts = {"object-add": [error(f"no {ESCAPES} way")], "query-target": [reply({"arch": ESCAPES})],
               "query-status": [reply({"status": f"running{ESCAPES}", "running": True})], "silence": []}
    with Monitor(path, vm, on=scripts):
        output = on_a_terminal("--qmp", path, "--guest", tree.local_channel(), *words)
    left = OWN_ESCAPES.sub("", output)
    assert output and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", left), output


def test_the_prompt_of_the_shell_gets_no_escapes(path, tmp_path, monkeypatch):
    """It has the name that QEMU gives, and completion offers QEMU's ids."""
    vm = Vm()
    vm.plug("x", 128)
    vm.devices[0]["id"] = f"x-dimm{ESCAPES}"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Monitor(path, vm, on={"query-name": [reply({"name": f"lab{ESCAPES}"})]}):
        output = on_a_terminal("--qmp", path, "--guest", "none", "shell", typed=b"list\nunplug x\t\t\nexit\n",
                               term="dumb")
    assert "> list" in output and "lab" in output
    # the tabs are those that were typed, the bells say that there is nothing to offer
    assert not re.search("[\x00-\x06\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", output), output


def test_a_huge_name_does_not_spin_the_prompt(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Monitor(path, Vm(), on={"query-name": [reply({"name": "\u00e9n" * (256 << 10)})]}):  # a peer has a second to say it
        output = on_a_terminal("--qmp", path, "--guest", "none", "shell", typed=b"list\nexit\n", term="dumb")
    assert "..." in output and "512 MiB> " in output and len(output) < 4000


# What belongs to others


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program of somebody else's")
@pytest.mark.parametrize("mode", [0o4755, 0o2755], ids=["setuid", "setgid"])
def test_memhp_does_not_run_with_borrowed_rights(tmp_path, mode):
    program = tmp_path / "memhp"
    shutil.copy(BINARY, program)
    os.chown(program, 65534, 65534)
    program.chmod(mode)
    if os.statvfs(tmp_path).f_flag & os.ST_NOSUID:
        pytest.skip("no setuid here")
    done = subprocess.run([program, "--guest", f"exec:touch {tmp_path}/x", "blocks"], env=peer.clean_environment(),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == "", done
    assert done.stderr.splitlines()[0] == "memhp: cannot run setuid, setgid or with file capabilities"
    assert not (tmp_path / "x").exists()


def test_memhp_makes_no_files(tmp_path, path, tree):
    """No state, no temporary files: not where it is started, not in HOME, not in TMPDIR."""
    places = {name: tmp_path / name for name in ("cwd", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME")}
    for place in places.values():
        place.mkdir()
    env = {name: str(place) for name, place in places.items() if name != "cwd"}
    with Monitor(path, Vm(tree)):
        for words in (("plug", "512M"), ("list",), ("unplug",), ("status",)):
            more = ("--qmp", path, "--guest", tree.kernel_channel(), "--json")
            memhp(*more, *words, env=env, cwd=places["cwd"]).succeeded()
    assert not [p for place in places.values() for p in place.iterdir()]


# A name server that never answers


NO_ANSWER = """
#include <netdb.h>
#include <unistd.h>
/* as for a name that is no number, and then as with a name server that is down */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list)
{
	(void)host, (void)port, (void)list;
	if (hints->ai_flags & AI_NUMERICHOST)
		return EAI_NONAME;
	write(2, "asking\\n", 7);
	for (;;)
		pause();
}
"""


@pytest.fixture(scope="module")
def no_name_server(tmp_path_factory):
    """The environment in which names are never resolved."""
    directory = tmp_path_factory.mktemp("resolver")
    (directory / "none.c").write_text(NO_ANSWER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", directory / "none.so", directory / "none.c"], check=True)
    return {"LD_PRELOAD": str(directory / "none.so"), "ASAN_OPTIONS": "verify_asan_link_order=0"}


def children_named(marker):
    """Processes of memhp's with that word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if marker.encode() in file.read():
                    found.append(pid)
        except OSError:
            pass
    return found


def test_a_name_server_that_never_answers_meets_the_deadline(no_name_server):
    done = subprocess.run([BINARY, "--qmp", "tcp:nobody-a.example:4444", "--json", "--timeout", "0.4", "list"],
                          env=peer.clean_environment(no_name_server), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=peer.HANG, check=False)
    assert done.returncode == 3, done
    assert "'nobody-a.example'" in done.stderr and json.loads(done.stdout)["state"] == "unchanged"
    assert not children_named("nobody-a.example")


def test_ctrl_c_ends_the_wait_for_a_name_server(no_name_server):
    with subprocess.Popen([BINARY, "--qmp", "tcp:nobody-b.example:4444", "list"],
                          env=peer.clean_environment(no_name_server), stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as process:
        assert process.stderr.readline() == b"asking\n"
        process.send_signal(signal.SIGINT)
        assert b"interrupted" in process.stderr.read()
        assert process.wait(peer.HANG) == 130
    assert not children_named("nobody-b.example")


def test_a_name_that_does_not_exist_is_told(path):
    memhp("--qmp", "tcp:nobody.invalid:4444", "--json", "--timeout", "20", "list").failed(
        3, "nobody.invalid", code="qemu-unreachable", state="unchanged")
