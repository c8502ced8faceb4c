# SPDX-License-Identifier: GPL-3.0-or-later
"""README.md and docs/README.zh-CN.md have the same content: headings, code, tables, links and names, section by section."""
import difflib
import re

import pytest
from vm import ROOT

ENGLISH, CHINESE = "README.md", "docs/README.zh-CN.md"


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def sections(name):
    """[(level, heading, lines)]; lines of fenced code are no headings."""
    found, is_code = [(0, "the top", [])], False
    for line in read(name).splitlines():
        heading = None if is_code else re.match(r"(#+) (.*)", line)
        is_code ^= line.startswith("```")
        if heading:
            found.append((len(heading[1]), heading[2], []))
        else:
            found[-1][2].append(line)
    return found


def blocks(lines):
    """Its blocks of code, fenced or indented."""
    return re.findall(r"^```\w*\n.*?^```$|(?:^ {4}[^\n]*(?:\n|\Z))+", "\n".join(lines), re.M | re.S)


def prose(lines):
    return re.sub(r"^```\w*\n.*?^```$", "", "\n".join(lines), flags=re.M | re.S)


def names(lines):
    """What is `code` in running text and tables, as it is in neither language."""
    return sorted(" ".join(word.split()) for word in re.findall(r"`([^`]+)`", prose(lines)))


def links(name, lines):
    """Where its links lead, from the root."""
    found = re.findall(r"\]\(([^)]+)\)", prose(lines))
    return sorted({link if ":" in link else str((ROOT / name).parent.joinpath(link).resolve().relative_to(ROOT))
                   for link in found} - {ENGLISH, CHINESE})


def differences(kind, heading, ours, theirs):
    """What has to change in the Chinese README, in words."""
    changes = difflib.unified_diff(theirs, ours, CHINESE, ENGLISH, lineterm="")
    return "\n".join([f"{kind} of section '{heading}':", *changes]) if ours != theirs else ""


def test_the_headings_are_the_same():
    ours, theirs = sections(ENGLISH), sections(CHINESE)
    shapes = [[level for level, _, _ in found] for found in (ours, theirs)]
    assert shapes[0] == shapes[1], [[heading for _, heading, _ in found] for found in (ours, theirs)]


@pytest.mark.parametrize("number", range(len(sections(ENGLISH))), ids=lambda n: sections(ENGLISH)[n][1])
def test_the_content_is_the_same(number):
    _, heading, ours = sections(ENGLISH)[number]
    _, _, theirs = sections(CHINESE)[number]
    found = [differences(f"block {n + 1}", heading, a.splitlines(), b.splitlines())
             for n, (a, b) in enumerate(zip(blocks(ours), blocks(theirs)))]
    found += [differences("names", heading, names(ours), names(theirs)),
              differences("links", heading, links(ENGLISH, ours), links(CHINESE, theirs))]
    assert not any(found), "\n".join(filter(None, found))
    for kind, what in (("blocks", blocks), ("rows", lambda lines: [line for line in lines if line.startswith("|")])):
        assert len(what(ours)) == len(what(theirs)), f"{kind} of section '{heading}'"


def test_they_lead_to_each_other():
    for name, link in ((ENGLISH, CHINESE), (CHINESE, "../README.md")):
        assert f"]({link})" in read(name).partition("`memhp plug")[0], name


def test_no_chinese_paragraph_is_wrapped():
    """Where a line ends, a browser shows a blank, which Chinese does not have."""
    for _, _, lines in sections(CHINESE):
        text = prose(lines).splitlines()
        wrapped = [line for above, line in zip(text, text[1:])
                   if above and not above.startswith(("|", "    ", "<!--")) and line and not line.startswith("- ")]
        assert wrapped == []
