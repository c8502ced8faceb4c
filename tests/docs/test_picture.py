# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the README needs nothing from elsewhere."""
import pathlib
import re

from vm import ROOT

PICTURE = (ROOT / "docs/memhp.svg").read_text(encoding="utf-8")


def test_the_picture_needs_nothing_from_elsewhere():
    assert re.findall(r"https?://[^\"<]*", PICTURE) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"url\(|@import|<script|<image|href", PICTURE)


def test_a_picture_without_animation_shows_all():
    style = re.search(r"<style>(.*?)</style>", PICTURE, re.S)[1]
    outside = re.sub(r"@keyframes \w+ \{.*?\} \}", "", style)
    assert "visibility" not in outside and "opacity" not in outside and ".cover { transform: scaleX(0)" in outside


def test_the_readme_shows_the_picture():
    for readme in ("README.md", "docs/README.zh-CN.md"):
        text = pathlib.Path(ROOT / readme).read_text(encoding="utf-8")
        assert re.search(r"\((docs/)?memhp\.svg\)", text.partition("\n## ")[0])
