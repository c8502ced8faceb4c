# SPDX-License-Identifier: GPL-3.0-or-later
"""The man pages as plain text."""
import re
import shlex

from vm import ROOT


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def plain(source):
    """The words of man(7) source, without fonts; macros stay at the beginning of their lines."""
    lines = []
    for line in source.splitlines():
        line = re.sub(r"\\f(?:\(..|\[\w*\]|.)", "", line).replace("\\-", "-").replace("\\ ", " ").replace("\\&", "")
        macro, _, rest = line.partition(" ")
        if re.fullmatch(r"\.[BI]R?|\.RB|\.RI|\.IB|\.IR|\.BI", macro):
            parts = shlex.split(rest)
            lines.append((" " if macro in (".B", ".I") else "").join(parts))
        else:
            lines.append(line)
    return "\n".join(lines)


def section(page, title, kind="SH"):
    """Its text, up to the next heading of that kind or above."""
    ends = r"\.SH|\.S[HS]|\Z" if kind == "SS" else r"\.SH|\Z"
    found = re.search(rf'^\.{kind} "?{title}"?\n(.*?)(?=^(?:{ends}))', page, re.M | re.S)
    assert found, f"no {title} in the page"
    return found[1]


def tags(text):
    """The line after each .TP."""
    return re.findall(r"^\.TP.*\n(.*)$", text, re.M)


MAN, LABMAN, CONFMAN = (plain(read(f"man/{page}")) for page in ("memhp.1", "memhp-lab.1", "memhp.conf.5"))
