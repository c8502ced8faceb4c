# SPDX-License-Identifier: GPL-3.0-or-later
"""pack.awk packs what it understands, and refuses everything else, with the number of the line."""
import shutil
import subprocess

import peer
import pytest

PACK = peer.ROOT / "guest" / "pack.awk"
AWKS = {"awk": ["awk"], "mawk": ["mawk"], "gawk": ["gawk"], "busybox": ["busybox", "awk"]}


@pytest.fixture(name="pack", params=AWKS)
def pack_(request, tmp_path):
    """Pack files of these lines."""
    awk = AWKS[request.param]
    if not shutil.which(awk[0]):
        pytest.skip(f"no {awk[0]}")

    def run(*files):
        paths = []
        for i, text in enumerate(files):
            paths.append(tmp_path / f"{i}.sh")
            paths[-1].write_text(text)
        return subprocess.run([*awk, "-f", PACK, *paths], capture_output=True, text=True, check=False)
    return run


BEGIN = "# a comment\n_a=1\nf() {\n\tsay \"$_a\"\n}\n"

REFUSED = {
    "a variable that is not marked, read": ("\tsay \"$n\"", "not marked"),
    "in braces": ("\tsay ${n%x}", "not marked"),
    "its length": ("\tsay ${#n}", "not marked"),
    "assigned": ("\tn=1", "not marked"),
    "assigned behind another": ("\t_a=1 n=2", "not marked"),
    "by read": ("\tread -r _a n", "not marked"),
    "by read in a condition": ("\twhile read -r n; do :; done", "not marked"),
    "by get": ("\tget n \"$_a\"", "not marked"),
    "in a loop": ("\tfor n; do :; done", "not marked"),
    "in arithmetic": ("\t_a=$((n + 1))", "not marked"),
    "in arithmetic in quotes": ("\tsay \"$((_a + n))\"", "not marked"),
    "a quote that goes on": ("\tsay 'one", "quote"),
    "a double quote that goes on": ("\tsay \"one", "quote"),
    "a command in quotes": ("\tsay \"$(cat x)\"", "command in double quotes"),
    "backquotes": ("\tsay `cat x`", "backquotes"),
    "a line that goes on": ("\tsay one \\", "goes on"),
    "a document": ("\tcat <<END", "document"),
    "a comment behind a command": ("\tsay one # two", "comment"),
    "a semicolon at the end": ("\tsay one;", "semicolon"),
    "a tab inside": ("\tsay\tone", "tab"),
    "arithmetic over lines": ("\t_a=$((1 +", "arithmetic"),
    "a function in a function": ("g() {", "function"),
    "another kind of function": ("\tg(){ :; }", "function"),
    "verbs in a function": ("#= scan", "#="),
    "a pattern that is a command": ("\tcase $_a in\n\t$(cat x)y)\n\t\tsay one\n\t\t;;\n\tesac", "pattern"),
    "a function that is too long": ("\tsay one\n" * 200, "a function of"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_understood_is_refused(pack, what):
    text, words = REFUSED[what]
    found = pack(BEGIN + "g() {\n" + text + "\n}\n")
    assert found.returncode == 1 and words in found.stderr, found
    if what != "a function that is too long":
        line = 8 if what.startswith("a pattern") else 7
        assert f"0.sh:{line}: pack.awk: " in found.stderr, found


@pytest.mark.parametrize("files, words", [
    ([BEGIN + "if [ \"$_a\" ]; then\n\tsay\nfi\n"], "0.sh:6: pack.awk: outside of functions"),
    ([BEGIN + "#= Scan\n"], "0.sh:6: pack.awk: no verbs"),
    ([BEGIN + "#=scan\n"], "0.sh:6: pack.awk: no verbs"),
    ([BEGIN + "g() {\n\tsay one\n"], "does not end"),
    ([BEGIN + "g() {\n\tsay one\n} >x\n"], "does not end with"),
    ([BEGIN, "g() {\n\tsay one\n}\n"], "1.sh:1: pack.awk: a file that does not begin"),
    (["g() {\n\tsay one\n", "#= scan\nh() {\n\tsay\n}\n"], "1.sh:1: pack.awk: the function of the file before"),
])
def test_files_are_whole_and_say_when_they_are_sent(pack, files, words):
    found = pack(*files)
    assert found.returncode == 1 and words in found.stderr, found


def test_what_is_understood_is_packed(pack):
    found = pack(BEGIN, "# a part\n#= scan scan_news\ng() {\n\t_b='' _a=\"$_a && x ; y\"\n\tcase $_b in\n\t'' | *[!0-9]*)\n"
                        "\t\tsay $((_a + 1)) >\"$1\"\n\t\t;;\n\tesac\n}\n")
    assert found.returncode == 0, found
    first, second = found.stdout.splitlines()
    assert first == '{ 0, "[ $MEMHP ]&&{ a=1;f(){ say \\"$a\\";};}\\n" },'
    # what stands in quotes is as it was
    assert second == ('{ VERB_BIT(VERB_SCAN) | VERB_BIT(VERB_SCAN_NEWS), "[ $MEMHP ]&&{ g(){ b= a=\\"$a && x ; y\\";'
                      "case $b in ''|*[!0-9]*)say $((a+1))>\\\"$1\\\";;esac;};}\\n\" },"), second


def test_a_build_fails_with_it(tmp_path):
    """Also where the program had been packed before."""
    for name in ("guest", "Makefile"):
        (tmp_path / name).symlink_to(peer.ROOT / name)
    (tmp_path / "guest").unlink()
    shutil.copytree(peer.ROOT / "guest", tmp_path / "guest")
    make = ["make", "-s", "-C", tmp_path, "BUILD=build/x", "build/x/guest-program.h"]
    assert subprocess.run(make, check=False, capture_output=True).returncode == 0
    path = tmp_path / "guest" / "pools.sh"
    path.write_text(path.read_text().replace("_movable=0", "movable=0"))
    done = subprocess.run(make, check=False, capture_output=True, text=True)
    assert done.returncode != 0 and "pools.sh:" in done.stderr and "not marked" in done.stderr, done
