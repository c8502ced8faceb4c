# SPDX-License-Identifier: GPL-3.0-or-later
"""The option table, --help, man pages, completion, README and version say the same, in both directions."""
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import world
from manual import CONFMAN, LABMAN, MAN, read, section, tags

ROOT = Path(__file__).resolve().parents[2]
MEMHP = os.path.abspath(os.environ.get("MEMHP_BIN", ROOT / "memhp"))
LAB = ROOT / "lab/memhp-lab"
ENV = {k: v for k, v in os.environ.items() if not k.startswith("MEMHP_")}


def run(*argv, status=0, **options):
    done = subprocess.run([str(a) for a in argv], env=ENV, text=True, capture_output=True, timeout=30, **options)
    assert done.returncode == status, done.stderr
    return done.stdout


# -- what the binary says: the tables, through __complete ------------------------------------------------


def words(*line):
    """What may stand in the place of the last word, without what it means; no VM is asked."""
    return [w.split(" ")[0] for w in run(MEMHP, "--qmp", "/nonexistent", "__complete", *line).splitlines()]


COMMANDS = words("")


@functools.cache
def table(command=None):
    """{"--name": (takes a value, [choices])} of a command's own options; of the global ones without it."""
    line, rows = ([command] if command else []), {}
    for word in words(*line, "--"):
        name, takes, _ = word.partition("=")
        is_chosen = takes and name not in ("--vm", "--qmp", "--guest")
        choices = [w.partition("=")[2] for w in words(*line, word) if w.startswith("--")] if is_chosen else []
        rows[name] = bool(takes), choices
    return {k: v for k, v in rows.items() if not command or k not in table()}


# -- help ---------------------------------------------------------------------------------------------------


# A value that may be left out is shown as "--name[=VALUE]".
ARGUMENT = r"(?: ?((?<= )(?:[a-z]+=)?[A-Z]+|\[=[A-Z]+\]))?"
OPTION = re.compile(rf"^  (-\w)?,? +(--[\w-]+){ARGUMENT}(?:  |$)", re.M)


def help_text(command=None):
    return run(MEMHP, *([command] if command else []), "--help")


def help_options(command=None):
    """{(letter, name, argument)} of a command's own section, or of the global one."""
    own, _, common = help_text(command).partition("Global options:\n")
    return set(OPTION.findall(own if command else common))


def names(options):
    return {name for _, name, _ in options}


def test_help_lists_the_commands():
    own = help_text().partition("Commands:\n")[2].partition("\n\n")[0]
    assert re.findall(r"^  (\w+)  ", own, re.M) == COMMANDS


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_lists_the_options(command):
    rows, options = table(command), help_options(command)
    assert names(options) == set(rows)
    for _, name, argument in options:
        assert (bool(argument) and argument[0] != "[") == rows[name][0], name
    for _, choices in rows.values():
        for choice in choices:
            assert re.search(rf"\b{choice}\b", help_text(command))


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits_80_columns(command):
    assert [line for line in help_text(command).splitlines() if len(line) > 80] == []


def test_lab_help_fits_80_columns():
    assert [line for line in run(LAB, "--help").splitlines() if len(line) > 80] == []


# -- man pages ----------------------------------------------------------------------------------------------


def man_options(title):
    text = section(MAN, title, "SS")
    found = re.findall(rf"^\.TP.*\n(?:(-\w), )?(--[\w-]+){ARGUMENT}$", text, re.M)
    assert len(found) == len(tags(text)), title
    return set(found)


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_man_has_the_options(command):
    if command and not table(command):
        assert f".SS Options of {command}" not in MAN
        return
    assert man_options(f"Options of {command}" if command else "Global options") == help_options(command)


def test_man_has_no_options_of_unknown_commands():
    assert set(re.findall(r"^\.SS Options of (\w+)", MAN, re.M)) <= set(COMMANDS)


def test_man_has_the_commands():
    """Each with its arguments as in the usage line."""
    usages = [re.sub(r"Usage: memhp|\[OPTIONS\]", "", help_text(c).splitlines()[0]).split() for c in COMMANDS]
    assert [tag.split() for tag in tags(section(MAN, "COMMANDS"))] == usages


@pytest.mark.parametrize("command", COMMANDS)
def test_man_synopsis(command):
    lines = section(MAN, "SYNOPSIS").split(f"\nmemhp {command}")
    assert len(lines) == 2
    text = lines[1].partition("\nmemhp ")[0]
    assert set(re.findall(r"--[\w-]+", text)) == set(table(command))


def test_man_names_no_other_option():
    known = set().union(*(table(c) for c in [None, *COMMANDS]))
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", MAN)) <= known


def test_man_shows_the_choices():
    for command in COMMANDS:
        for name, (_, choices) in table(command).items():
            for choice in choices:
                assert re.search(rf"\b{choice}\b", section(MAN, "OPTIONS")), name


CODES = dict(re.findall(r'\[ERR_\w+\] = \{ "([\w-]+)", (\d+) \}', read("lib/err.c")))


def test_exit_codes():
    codes = set(CODES.values())
    assert len(CODES) > 5
    assert tags(section(MAN, "EXIT STATUS")) == sorted(codes, key=int)
    assert set(re.findall(r"^\| (\d+) \|", read("README.md"), re.M)) == codes


def test_man_has_the_error_codes():
    text = " ".join(section(MAN, "JSON OUTPUT").split())
    shown = re.search(r"The codes are (.*?\(130\))", text)[1]
    for name, code in CODES.items():
        if code != "0":
            assert re.search(rf"\b{name}\b[^()]*\((?:exit code )?{code}\)", shown), name
    listed = set(re.findall(r"[a-z][\w-]+", shown)) - {"and", "exit", "code"}
    assert listed == set(CODES) - {"none"}


def test_man_has_the_states():
    text = section(MAN, "JSON OUTPUT")
    for state in set(re.findall(r'\[OUTCOME_\w+\] = "([\w-]+)"', read("cmd/report.c"))) - {"done"}:
        assert re.search(rf"^{state}$", text, re.M), state


def c_text(pattern):
    return "\n".join(p.read_text() for p in sorted(ROOT.glob(pattern)) if "tests" not in p.parts)


def test_man_has_the_phases():
    source = c_text("hotplug/*.c")
    steps = re.findall(r'^(?:static const struct step \w+\[\] = \{|\t)? ?\{ "(\w+)", \w+, ', source, re.M)
    phases = steps + re.findall(r'transaction_phase\(\w+, "(\w+)"\)|progress_begin\(.*, "(\w+)"\)', source)
    found = {"".join(p) for p in phases}
    assert {"attach", "online", "offline", "look", "connect"} <= found
    shown = re.search(r"each phase\n?\s*\((.*?)\)", section(MAN, "JSON OUTPUT"), re.S)[1]
    assert set(re.findall(r"\w+", shown)) == found


def test_man_has_the_json_fields():
    """Every member that a command writes."""
    source = c_text("cmd/*.c") + read("memhp.c") + read("sysfs.c")
    fields = set(re.findall(r'json_add_\w+\([^"]*?, "(\w+)"', source))
    fields |= set(re.findall(r'json_object_object_add\([^"]*?, "(\w+)"', source))
    assert {"devices", "elapsed_ms", "mem_total_after", "first"} <= fields
    text = section(MAN, "JSON OUTPUT")
    assert [f for f in sorted(fields) if not re.search(rf"\b{f}\b", text)] == []


def test_man_has_the_environment():
    variables = set(re.findall(r"\[(MEMHP_\w+)\]", " ".join(help_text().split())))
    used = set(re.findall(r'"(MEMHP_\w+)"', read("memhp.c"))) | set(re.findall(r'getenv\("(\w+)"\)', c_text("**/*.c")))
    text = section(MAN, "ENVIRONMENT")
    assert variables and variables <= used
    assert {w for w in re.findall(r"\b[A-Z][A-Z_]{3,}\b", text)} == used


def test_conf_man_has_the_keys():
    rows = re.search(r"struct opt keys\[\] = \{(.*?)\n\};", read("vm/config.c"), re.S)[1]
    keys = re.findall(r'\{ 0, "([\w-]+)", "(\w+)"', rows)
    assert len(keys) > 3
    assert [tag.replace(" = ", " ").split() for tag in tags(section(CONFMAN, "KEYS"))] == [list(k) for k in keys]
    options = {**table(), **table("plug")}
    assert [key for key, _ in keys if f"--{key}" not in options] == []


@pytest.mark.skipif(not world.is_possible(), reason="no namespaces for this user")
def test_conf_man_example(tmp_path):
    """It is read, and makes of one line what the page says."""
    text, usage = re.search(r"^\.nf\n(.*?)^\.fi\n(.*)", section(CONFMAN, "EXAMPLES"), re.M | re.S).groups()
    config = tmp_path / "memhp/config"
    config.parent.mkdir()
    config.write_text(text)
    with world.world(tmp_path) as here:  # the VMs of others are left alone
        found = here.vms(env={"XDG_CONFIG_HOME": tmp_path})
    names = list(found)
    assert {vm["from"] for vm in found.values()} == {str(config)}
    assert names == re.findall(r"^\[vm (\w+)\]", text, re.M)
    for argv in memhp_calls(line.strip() for line in usage.splitlines()):
        assert check_call(argv) == "plug" and argv[1] in names


LABHELP = run(LAB, "--help")


def test_lab_man_has_the_commands():
    synopsis = set(re.findall(r"^memhp-lab (\w+)", section(LABMAN, "SYNOPSIS"), re.M))
    commands = set(re.findall(r"^  (\w+) ", LABHELP.partition("Options of start")[0], re.M))
    assert commands and set(tags(section(LABMAN, "COMMANDS"))) == commands == synopsis


def test_lab_man_has_the_options():
    ours = set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", LABHELP, re.M))
    described = {re.search(r"--[\w-]+", tag)[0] for tag in tags(section(LABMAN, "OPTIONS"))}
    assert ours and described == ours
    assert set(re.findall(r"--[a-z]+", LABMAN)) == set(re.findall(r"--[a-z]+", LABHELP))


@pytest.mark.skipif(not shutil.which("mandoc"), reason="no mandoc")
@pytest.mark.parametrize("page", ["memhp.1", "memhp-lab.1", "memhp.conf.5"])
def test_man_lint(page):
    done = subprocess.run(["mandoc", "-T", "lint", ROOT / "man" / page], text=True, stdout=subprocess.PIPE)
    assert done.stdout == ""


# -- README, demo, changelog --------------------------------------------------------------------------------


def code(markdown):
    """Lines of fenced blocks and inline code."""
    blocks = re.findall(r"^```\w*\n(.*?)^```$", markdown, re.M | re.S)
    rest = re.sub(r"^```\w*\n.*?^```$", "", markdown, flags=re.M | re.S)
    return "\n".join(blocks).splitlines() + [" ".join(c.split()) for c in re.findall(r"`([^`]+)`", rest)]


def memhp_calls(lines):
    """The argument lists of memhp in lines of shell."""
    for line in lines:
        for call in re.findall(r"(?:^|[$|(;&] ?|\b(?:show \d|sudo) )memhp((?: +[^\s|;&)]+)+)", line.strip()):
            yield shlex.split(call, comments=True)


def check_call(argv):
    command = next((w for w in argv if w in COMMANDS), None)
    options = [w.partition("=")[0] for w in argv if w.startswith("--")]
    assert command or set(options) & {"--help", "--version"} or argv[0] == "COMMAND", argv
    for option in options:
        assert option in {**table(), **(table(command) if command else {})}, argv
    return command


def test_readme_commands():
    calls = list(memhp_calls(code(read("README.md"))))
    assert len(calls) > 15
    used = {check_call(argv) for argv in calls}
    assert set(COMMANDS) <= used


def test_man_examples():
    lines = [line for line in section(MAN, "EXAMPLES").splitlines() if not line.startswith(".")]
    calls = list(memhp_calls(lines))
    assert len(calls) > 5
    for argv in calls:
        check_call(argv)


def test_help_examples():
    """Each command shows how it is used."""
    for command in COMMANDS:
        calls = list(memhp_calls(line for line in help_text(command).splitlines() if line.startswith("  memhp")))
        assert calls and {check_call(argv) for argv in calls} == {command}


def transcript():
    """[(command, [line of output])] of the README's demo."""
    block = re.search(r"^```console\n(\$ memhp list\n.*?)^```$", read("README.md"), re.M | re.S)[1]
    parts = re.split(r"^\$ (.*)\n", block, flags=re.M)[1:]
    return [(c, out.splitlines()) for c, out in zip(parts[::2], parts[1::2])]


def test_readme_shows_the_demo():
    """The transcript's commands are some of those of lab/demo.sh, in that order."""
    shown = [command for command, _ in transcript()]
    demo = [re.sub(r"^guest ", "memhp-lab ssh demo ", re.sub(r"^show \d ", "", line))
            for line in read("lab/demo.sh").splitlines() if re.match(r"(show \d|guest) [^(]", line)]
    later = iter(demo)
    assert len(shown) > 5 and all(command in later for command in shown), demo


def test_readme_transcript_has_todays_shape():
    headings = re.search(r'headings\[\] = \{ "DEVICE", (.*?)NULL', read("cmd/list.c"), re.S)[0]
    heading = re.findall(r'"(\w+)"', headings)
    source = c_text("hotplug/*.c")
    for command, output in transcript():
        output = [line for line in output if line and not line.startswith("#")]
        if command == "memhp list":
            assert output == ["no memory devices"] or output[0].split() == heading
        if re.match(r"memhp (plug|unplug)", command) and not output[0].startswith("memhp: "):
            done = re.fullmatch(r"done in \d+ ms: (.*)", output[-1])[1]
            phases = re.findall(r"([a-z]+) \d+", done)
            assert all(f'"{phase}"' in source for phase in phases), done
            assert [line.split()[0] for line in output[-4:-1]] == ["MiB", "before", "after"]
        if command.startswith("memhp "):
            assert [line for line in output if len(line) > 80 and not line.startswith("memhp: ")] == []
    text = "".join(line for _, output in transcript() for line in output)
    assert "memory32-memory35" in text and "memhp0-dimm" in text


MARKDOWN = ["README.md", "CHANGELOG.md", "docs/CONTRIBUTING.md", "docs/SECURITY.md", "docs/design.md", "docs/recipes.md",
            "docs/performance.md", "tests/README.md"]


@pytest.mark.parametrize("path", MARKDOWN)
def test_markdown_fits_80_columns(path):
    """But for tables, links and transcripts of errors."""
    long = [line for line in read(path).splitlines() if len(line) > 80]
    assert [line for line in long if not re.match(r"\||memhp: |hint: ", line) and "](" not in line] == []


@pytest.mark.parametrize("path", MARKDOWN)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", read(path)):
        assert (ROOT / path).parent.joinpath(target).exists(), target


def test_security_names_tests_that_there_are():
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", read("docs/SECURITY.md"))
    assert len(named) > 15 and [n for n in named if f"def {n}(" not in tests] == []
    targets = re.findall(r"`(fuzz_\w+)`", read("docs/SECURITY.md"))
    assert targets and [t for t in targets if not (ROOT / f"tests/fuzz/{t}.c").exists()] == []


def test_the_readme_of_the_tests_names_every_folder_and_helper():
    table = re.findall(r"^\| (`.*?`) \|", read("tests/README.md"), re.M)
    named = re.findall(r"`(.*?)`", " ".join(table))
    there = [p for folder in ("tests", "tests/support") for p in (ROOT / folder).iterdir()
             if p.is_dir() and not p.name.startswith(("_", ".")) or folder == "tests/support" and p.is_file()]
    assert sorted(named) == sorted(p.name + "/" * p.is_dir() for p in there)


def test_versions_agree():
    version = re.search(r"^VERSION := (\S+)$", read("Makefile"), re.M)[1]
    assert run(MEMHP, "--version") == f"memhp {version}\n"
    released = [name for name in re.findall(r"^## \[(.*?)\]", read("CHANGELOG.md"), re.M) if name != "Unreleased"]
    assert released[0] == version
    assert re.match(r"memhp \((.*?)\)", read("debian/changelog"))[1] == version
    assert re.search(r"^Version: +(\S+)$", read("tools/memhp.spec"), re.M)[1] == version
    for page in (MAN, LABMAN, CONFMAN):
        assert f'"memhp {version}"' in page.splitlines()[1]


# -- every file ---------------------------------------------------------------------------------------------


def sources():
    kinds = {".c", ".h", ".sh", ".py", ".awk", ".bash", ".fish", ".md", ".1", ".5"}
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        if inside[0] in ("build", "__pycache__") or any(p.startswith(".") for p in inside) or not path.is_file():
            continue
        if path.suffix in kinds or path.name == "Makefile" or path.read_bytes()[:2] == b"#!":
            yield path


def test_every_file_has_its_licence():
    paths = list(sources())
    assert len(paths) > 60
    missing = [p for p in paths if "SPDX-License-Identifier: GPL-3.0-or-later" not in p.read_text()[:400]]
    assert missing == []


def test_design_lists_every_file():
    text = read("docs/design.md")
    names = [str(p.relative_to(ROOT)) for p in sources() if p.suffix == ".c" and "tests" not in p.parts]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert [f for f in re.findall(r"`([\w/-]+\.[ch])`", text) if "NAME" not in f and not (ROOT / f).exists()] == []



def test_design_names_functions_that_there_are():
    named = set(re.findall(r"`(\w+)\(\)`", read("docs/design.md")))
    source = c_text("**/*.[ch]")
    assert len(named) > 50 and [n for n in sorted(named) if not re.search(rf"\b{n}\(", source)] == []


def test_json_of_a_recorded_tree(tmp_path):
    """The object is one line, and its members are in the man page: here for real, on a tree of two blocks."""
    memory = tmp_path / "sys/devices/system/memory"
    files = {"block_size_bytes": "8000000", "auto_online_blocks": "offline", "uevent": ""}
    for n in (0, 1):
        files |= {f"memory{n}/state": "online", f"memory{n}/removable": "1", f"memory{n}/valid_zones": "Movable"}
    for name, text in files.items():
        (memory / name).parent.mkdir(parents=True, exist_ok=True)
        (memory / name).write_text(text + "\n")
    proc = tmp_path / "proc"
    (proc / "sys/kernel").mkdir(parents=True)
    (proc / "sys/kernel/osrelease").write_text("6.1.0\n")
    (proc / "meminfo").write_text("MemTotal: 262144 kB\nMemFree: 200000 kB\nMemAvailable: 200000 kB\n")
    output = run(MEMHP, "--guest", f"local:{tmp_path}", "--json", "blocks")
    assert output.count("\n") == 1
    answer = json.loads(output)
    assert answer["blocks"][0] == {"first": 0, "last": 1, "state": "online", "zone": "Movable", "node": None,
                                   "removable": True, "device": None}
    text = section(MAN, "JSON OUTPUT")
    for member in [*answer, *answer["blocks"][0]]:
        assert re.search(rf"\b{member}\b", text), member
