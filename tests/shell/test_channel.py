# SPDX-License-Identifier: GPL-3.0-or-later
"""memhp on channels that are a process: local: and exec:."""
import peer
import pytest
from guest_program import wait_until, words
from peer import Tree, memhp, session_processes


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
