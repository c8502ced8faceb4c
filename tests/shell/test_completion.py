# SPDX-License-Identifier: GPL-3.0-or-later
"""What can stand at a place of a command line: as memhp tells it, and as bash, zsh and fish show it."""
import os
import re
import shutil
import subprocess

import peer
import pytest
from peer import BINARY, ROOT, Monitor, Tree, Typist, Vm, memhp

COMPLETIONS = ROOT / "completions"


@pytest.fixture(name="lab")
def lab_(tmp_path):
    """A VM with two DIMMs, the second of them offline, in its guest's tree; the environment that leads to it."""
    tree = Tree(tmp_path / "guest", boot=4)
    vm = Vm(tree)
    vm.plug("d0", 256)
    vm.plug("d1", 256)
    for n in (32, 33):
        (tree.block(n) / "state").write_text("online\n")
        (tree.block(n) / "valid_zones").write_text("Movable\n")
    with Monitor(tmp_path / "qmp", vm) as monitor:
        monitor.env = {"MEMHP_QMP": str(tmp_path / "qmp"), "MEMHP_GUEST": tree.local_channel(),
                       "XDG_CONFIG_HOME": str(tmp_path)}
        yield monitor


def offered(*words, env=None):
    """The lines of memhp __complete."""
    result = memhp("__complete", *words, env={"MEMHP_QMP": "/nonexistent", **(env or {})})
    assert result.code == 0 and result.stderr == "", result
    return result.stdout.splitlines()


def first_words(lines):
    return [line.split(" ")[0] for line in lines]


COMMANDS = first_words(offered(""))


# -- what memhp offers --------------------------------------------------------------------------------------

def test_commands_come_with_their_summary():
    assert {"plug", "unplug", "shell"} <= set(COMMANDS)
    assert [line for line in offered("unp")] == ["unplug " + line for line in re.findall(
        r"^  unplug +(.*)", memhp("--help").stdout, re.M)]


def test_what_is_typed_is_a_prefix():
    assert first_words(offered("plug", "--no")) == ["--no-online", "--node="]
    assert offered("nothing") == []


def test_options_are_offered_only_behind_a_dash():
    assert not [w for w in offered("list", "") if w.startswith("-")]
    assert "--json" in first_words(offered("list", "-"))
    assert "--json" in first_words(offered("-"))
    assert "--zone=" not in first_words(offered("-"))
    assert offered("list", "--", "-") == []


def test_what_stands_there_already_is_not_offered_again(lab):
    assert "--json" not in first_words(offered("list", "--json", "--j"))
    assert first_words(offered("unplug", "d0-dimm", "", env=lab.env)) == ["d1-dimm"]


@pytest.mark.parametrize("words", [["plug", "--zone="], ["plug", "--zone", ""], ["--json", "online", "--zone", ""]])
def test_choices_are_offered_as_values(words):
    fixed = "--zone=" if words[-1] else ""
    assert offered(*words) == [fixed + zone for zone in ("auto", "movable", "kernel")]


@pytest.mark.parametrize("words", [["-Q", ""], ["--qmp="], ["plug", "-jQ", "x"], ["plug", "--mem-path", ""]])
def test_the_name_of_a_file_may_stand_there(words):
    assert offered(*words) == [":files"]


@pytest.mark.parametrize("words", [["-t", ""], ["--timeout="], ["plug", "--name", ""], ["--json="], ["--none="],
                                   ["bogus", ""], ["bogus", "-"], ["vms", ""], ["plug", "512M", ""]])
def test_where_nothing_is_known_nothing_is_offered(words, lab):
    assert offered(*words, env=lab.env) == []


def test_no_words_are_the_beginning_of_the_line():
    assert first_words(offered()) == COMMANDS


def test_devices_are_those_that_qemu_has(lab):
    assert offered("unplug", "", env=lab.env) == ["d0-dimm 256 MiB", "d1-dimm 256 MiB"]
    assert offered("--qmp", lab.env["MEMHP_QMP"], "unplug", "--force", "d1") == ["d1-dimm 256 MiB"]
    assert offered("--qmp=" + lab.env["MEMHP_QMP"], "unplug", "--timeout", "5", "d1") == ["d1-dimm 256 MiB"]


def test_blocks_are_those_that_the_command_would_change(lab):
    assert first_words(offered("online", "", env=lab.env)) == ["d0-dimm", "d1-dimm", "memory34", "memory35", "all"]
    assert offered("offline", "memory3", env=lab.env) == ["memory3 none", "memory32 Movable", "memory33 Movable"]
    assert first_words(offered("online", "3", env=lab.env)) == ["34", "35"]
    assert first_words(offered("online", "memory34", "m", env=lab.env)) == ["memory35"]


def test_the_guest_is_asked_only_for_what_it_knows(lab, tmp_path):
    said, shell = tmp_path / "said", tmp_path / "bin" / "sh"
    shell.parent.mkdir()
    shell.write_text(f"#!/bin/sh\n: >{said}\nexec /bin/sh \"$@\"\n")
    shell.chmod(0o755)
    env = {**lab.env, "PATH": f"{shell.parent}:{os.environ['PATH']}"}
    assert offered("unplug", "", env=env) and offered("resize", "", env=env)
    assert not said.exists()
    offered("online", "", env=env)
    assert said.exists()


def test_sizes_double_from_one_block_to_maxmem(lab):
    lab.vm.max = 4 << 30
    assert offered("plug", "", env=lab.env) == ["128M", "256M", "512M", "1G", "2G"]
    assert offered("plug", "--dimm=2", env=lab.env) == ["--dimm=256M", "--dimm=2G"]
    assert offered("plug", "--dimm", "2", env=lab.env) == ["256M", "2G"]
    assert offered("resize", "", env=lab.env) == ["512M", "1G", "2G", "4G"]


def test_names_of_vms_are_those_of_profiles_too(lab, tmp_path):
    config = tmp_path / "memhp/config"
    config.parent.mkdir()
    config.write_text(f"[vm web-1]\nqmp = {lab.env['MEMHP_QMP']}\nguest = none\n[vm far]\nqmp = tcp:localhost:1\n")
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert {"web-1 profile", "far profile"} <= set(offered("--vm", "", env=home))
    assert [word for word in offered("list", "--vm=we", env=home) if " " in word] == ["--vm=web-1 profile"]
    assert offered("--vm", "web-1", "unplug", "d0", env=home) == ["d0-dimm 256 MiB"]
    config.write_text("nonsense\n")
    assert offered("--vm", "web-1", "unplug", "d0", env=home) == []


def test_ids_that_a_shell_would_take_apart_are_not_offered(lab):
    for n, name in enumerate(["$(touch x)", "`id`", "a b", "a;b", "a\x1b[2J", "a'b", 'a"b', "a*", "\\a", "a\nb", "",
                              "-x", "--force", "-", "n" * 129, "~root", "a=$b", "{a,b}", "#a", "!a"]):
        lab.vm.objects[f"m{n}"] = 1 << 27
        lab.vm.devices.append({"id": name, "memdev": f"/objects/m{n}", "hotplugged": True, "hotpluggable": True,
                               "addr": (8 + n) << 30, "size": 1 << 27, "slot": 9, "node": 0})
    assert first_words(offered("unplug", "", env=lab.env)) == ["d0-dimm", "d1-dimm"]


def test_nobody_to_ask_is_no_failure(tmp_path):
    assert offered("unplug", "") == []
    with Monitor(tmp_path / "qmp", greeting=None):
        assert offered("unplug", "", env={"MEMHP_QMP": str(tmp_path / "qmp")}) == []
    assert offered("plug", "--bogus", "", env={"MEMHP_QMP": str(tmp_path / "qmp")}) == []


# -- what the shells make of it -----------------------------------------------------------------------------

@pytest.fixture(name="path")
def path_(lab, tmp_path):
    """The environment of a shell that finds memhp, which when it is run only says with what."""
    program = tmp_path / "bin/memhp"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" != __complete ] || exec {BINARY} "$@"\n'
                       'printf "run:"; printf "<%s>" "$@"; echo .\n')
    program.chmod(0o755)
    (tmp_path / "home").mkdir()
    (tmp_path / "vm.sock").touch()
    return {**peer.clean_environment(lab.env), "PATH": f"{program.parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path / "home"), "TERM": "dumb", "PS1": "ready> ", "XDG_CONFIG_HOME": str(tmp_path)}


STARTS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"],
             ["bind 'set enable-bracketed-paste off'", f". {COMPLETIONS}/memhp.bash"]),
    "zsh": (["zsh", "-f", "-i"],
            [f"unsetopt zle_bracketed_paste 2>/dev/null; fpath=({COMPLETIONS} $fpath)",
             "autoload -U compinit; compinit -u -D; setopt no_beep; PS1='ready> '"]),
}


@pytest.fixture(name="typist", params=["bash", "zsh"])
def typist_(request, path, tmp_path):
    """Someone at that shell, with the completion loaded."""
    argv, start = STARTS[request.param]
    if not shutil.which(argv[0]):
        pytest.skip(f"no {argv[0]}")
    typist = Typist(argv, path, tmp_path)
    for line in [*start, "echo set''tled"]:
        typist.type(line + "\n")
    typist.wait_for(r"settled\n(.*\n)*.*ready> ")
    yield typist
    typist.close()


COMPLETED = [
    ("memhp unp\t", "<unplug>"),
    ("memhp plug --zo\tmo\t 1G", "<plug><--zone=movable><1G>"),
    ("memhp plug --zone mo\t 1G", "<plug><--zone><movable><1G>"),
    ("memhp --js\tunplug d1\t", "<--json><unplug><d1-dimm>"),
    ("memhp online memory3\t4", "<online><memory34>"),
    ("memhp offline d0\t memory33\t", "<offline><d0-dimm><memory33>"),
    ("memhp --guest 'exec:sh -c \"x\"' li\t", "<--guest><exec:sh -c \"x\"><list>"),
    ("memhp resize 4\t", "<resize><4G>"),
    ("memhp -Q vm.s\tlist", "<-Q><vm.sock><list>"),
    ("memhp --qmp=vm.s\tlist", "<--qmp=vm.sock><list>"),
]


@pytest.mark.parametrize("keys, words", COMPLETED)
def test_a_tab_completes_the_word(typist, keys, words):
    typist.type(keys)
    typist.type("\n")
    assert typist.wait_for(r"run:(.*)\.\n")[1] == words


def test_two_tabs_show_what_there_is(typist):
    typist.type("memhp unplug d\t")
    typist.wait_for(r"unplug d")
    typist.type("\t\t")
    shown = typist.wait_for(r"(?s)d0-dimm.*d1-dimm|d1-dimm.*d0-dimm")
    assert shown


def test_completion_runs_nothing_from_the_line(typist, tmp_path):
    typist.type(f"memhp plug --zone=$(touch {tmp_path}/x) `touch {tmp_path}/y` --zone mo\t")
    typist.wait_for("movable")
    typist.type("\x15echo do''ne\n")
    typist.wait_for("done")
    assert not (tmp_path / "x").exists() and not (tmp_path / "y").exists()


FISH = pytest.mark.skipif(not shutil.which("fish"), reason="no fish")


def fish(line, env, cwd):
    """What fish offers: {word: meaning}."""
    done = subprocess.run(["fish", "--no-config", "-c", f"source {COMPLETIONS}/memhp.fish; complete -C $argv[1]", line],
                          env=env, cwd=cwd, text=True, capture_output=True, timeout=peer.HANG, check=True)
    assert done.stderr == ""
    return dict((line + "\t").split("\t")[:2] for line in done.stdout.splitlines())


@FISH
@pytest.mark.parametrize("line, words", [
    ("memhp unp", {"unplug"}),
    ("memhp ", set(COMMANDS)),
    ("memhp plug --zo", {"--zone="}),
    ("memhp plug --zone=", {"--zone=auto", "--zone=movable", "--zone=kernel"}),
    ("memhp plug --zone mo", {"movable"}),
    ("memhp unplug ", {"d0-dimm", "d1-dimm"}),
    ("memhp online memory", {"memory34", "memory35"}),
    ("memhp --guest 'exec:sh -c \"x\"' li", {"list"}),
    ("memhp resize 4", {"4G"}),
    ("memhp -Q vm.s", {"vm.sock"}),
    ("memhp --qmp=vm.s", {"--qmp=vm.sock"}),
    ("memhp list ", set()),
])
def test_fish_offers_the_words(path, tmp_path, line, words):
    assert set(fish(line, path, tmp_path)) == words


@FISH
def test_fish_shows_what_the_words_mean(path, tmp_path):
    assert fish("memhp unplug d0", path, tmp_path) == {"d0-dimm": "256 MiB"}


@FISH
def test_fish_without_memhp_is_silent(path, tmp_path):
    (tmp_path / "bin/memhp").unlink()
    if not shutil.which("memhp", path=path["PATH"]):
        assert fish("memhp ", path, tmp_path) == {}


@pytest.mark.parametrize("name", ["memhp.bash", "_memhp", "memhp.fish"])
def test_the_files_are_short_and_know_no_option(name):
    text = (COMPLETIONS / name).read_text()
    assert len(text.splitlines()) <= 30
    assert set(re.findall(r"--[a-z]+", text)) == set()
