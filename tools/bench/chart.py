# SPDX-License-Identifier: GPL-3.0-or-later
"""The ratios as bars, in an SVG that can be read on light and on dark."""
import html
import itertools

import result

COLOURS = ("#2f81f7", "#1f9e8f", "#c2407e", "#8b949e", "#b0883b", "#d0672b", "#a371f7", "#57ab5a",
           "#8c564b")
STYLE = """text { font: 12px sans-serif; fill: #24292f } .work { font-weight: bold } .one { stroke: #24292f }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .one { stroke: #e6edf3 } }"""
LEFT, WIDTH, BAR, GAP, TOP = 190, 420, 15, 16, 46


def bar(y, title, ratio, scale, colour):
    return (f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{html.escape(title)}</text>'
            f'<rect x="{LEFT}" y="{y + 2}" width="{ratio * scale:.1f}" height="{BAR - 3}" fill="{colour}"/>'
            f'<text x="{LEFT + ratio * scale + 6:.1f}" y="{y + 12}">{ratio:.2f}</text>')


def draw(works):
    """The whole picture: a group of bars for each work."""
    found = result.ratios(works)
    colours = dict(zip(result.contenders(works), itertools.cycle(COLOURS)))
    scale = WIDTH / max(ratio for of in found.values() for ratio in of.values())
    parts, y = [], TOP
    for work, of in found.items():
        parts.append(f'<text class="work" x="{LEFT}" y="{y + 12}">{html.escape(work)}</text>')
        y += BAR + 2
        for who, ratio in of.items():
            parts.append(bar(y, who, ratio, scale, colours[who]))
            y += BAR
        y += GAP
    one = LEFT + scale
    parts.append(f'<line class="one" stroke-dasharray="3 3" x1="{one:.1f}" x2="{one:.1f}" y1="{TOP}" y2="{y - GAP}"/>')
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 60} {y}" role="img">',
        f"<title>Time over that of the floor ({result.FLOOR}): less is better</title>", f"<style>{STYLE}</style>",
        f'<text class="work" x="{LEFT}" y="20">Time over that of the floor ({result.FLOOR}); less is better</text>',
        *parts, "</svg>", ""))
