#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""picture.py MEMHP MEMHP_LAB FILE: the picture at the top of the README, made of a real run on a lab VM.

The commands run on a terminal of 80 columns. Each line appears in the picture when it did there; where nothing
moves for long, that is cut short. Without animation, or at its end, all is there.
"""
import fcntl
import os
import pathlib
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
import time
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pyte

COMMANDS = ("memhp plug 512M", "memhp list", "memhp unplug")
COLUMNS, ROWS = 80, 24  # of the terminal of one command
PROMPT = "$ "

KEY_S, ENTER_S, IDLE_S, NEXT_S = 0.06, 0.4, 1.0, 1.6  # typing, before Enter, longest standstill, before the next command
CELL, LINE, MARGIN = 8.4, 19, 16  # pixels, of a font of 14
SVG = "{http://www.w3.org/2000/svg}"

STYLE = """
svg { color-scheme: dark; }
rect { fill: #16181d; }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
  fill: #d3d7de; white-space: pre; }
.bold { font-weight: bold; fill: #fff; }
.red { fill: #ff7b72; }
.green { fill: #7ee787; }
.prompt { fill: #7d8590; }
.line { animation: line 1ms both; }
.cover { transform: scaleX(0); transform-box: fill-box; transform-origin: right; animation: typing 1s both; }
@keyframes line { from { visibility: hidden; } }
@keyframes typing { from { transform: scaleX(1); } }
@media (prefers-reduced-motion: reduce) { .line, .cover { animation: none; } }
"""


def start(command, environment):
    """Start it on a terminal; returns the process and the terminal's other end."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(shlex.split(command), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                               env={**environment, "TERM": "xterm-256color"})
    os.close(slave)
    return process, master


def row_runs(row):
    """[(style, text)] of a row of the screen, without the blanks at its end."""
    cells = [row[column] for column in range(COLUMNS)]
    while cells and cells[-1].data == " ":
        cells.pop()
    runs = []
    for cell in cells:
        style = " ".join([*(["bold"] if cell.bold else []), *([cell.fg] if cell.fg != "default" else [])])
        if runs and runs[-1][0] == style:
            runs[-1] = style, runs[-1][1] + cell.data
        else:
            runs.append((style, cell.data))
    return runs


def record(command, environment):
    """Run it; [(seconds after Enter, [(style, text)])], a row each, when it became what it is in the end."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    begun, rows = time.monotonic(), []
    process, master = start(command, environment)
    while True:
        select.select([master], [], [])
        try:
            data = os.read(master, 65536)
        except OSError:  # the other end has been closed
            break
        stream.feed(data)
        now = time.monotonic() - begun
        for number in range(screen.cursor.y + 1):
            runs = row_runs(screen.buffer[number])
            if number == len(rows):
                rows.append((now, runs))
            elif rows[number][1] != runs:
                rows[number] = now, runs
    os.close(master)
    if process.wait():
        raise SystemExit(f"picture.py: '{command}' failed: {rows}")
    return [row for row in rows if row[1]]


def text(x, y, run, delay):
    style, words = run
    kinds = " ".join(["line", *style.split()])
    return (f'<text class="{kinds}" x="{x:g}" y="{y}" textLength="{len(words) * CELL:g}" xml:space="preserve" '
            f'style="animation-delay: {delay:.2f}s">{escape(words)}</text>')


class Picture:
    """The lines so far, and where and when the next one is."""

    def __init__(self):
        self.elements = []
        self.y, self.clock = MARGIN, 0.5

    def line(self, runs, delay):
        self.y += LINE
        x = MARGIN
        for run in runs:
            if run[1].strip():
                self.elements.append(text(x, self.y - 5, run, delay))
            x = round(x + len(run[1]) * CELL, 1)

    def command(self, command, rows):
        """The prompt, the command typed behind it, and its output."""
        self.line([("prompt", PROMPT), ("bold", command)], self.clock)
        x, width, keys = MARGIN + len(PROMPT) * CELL, len(command) * CELL, len(command)
        self.elements.append(
            f'<rect class="cover" x="{x:g}" y="{self.y - LINE}" width="{width + 1:g}" height="{LINE}" style="animation-delay: '
            f'{self.clock + ENTER_S:.2f}s; animation-duration: {keys * KEY_S:.2f}s; animation-timing-function: '
            f'steps({keys})"/>')
        self.clock += 2 * ENTER_S + keys * KEY_S
        before = 0
        for when, runs in rows:
            self.clock += min(max(when - before, 0), IDLE_S)
            before = max(when, before)
            self.line(runs, self.clock)
        self.clock += NEXT_S
        self.y += LINE // 2

    def svg(self):
        width, height = COLUMNS * CELL + 2 * MARGIN, self.y + MARGIN - LINE // 2
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" '
                f'height="{height}" role="img">\n<!-- SPDX-License-Identifier: GPL-3.0-or-later; made by tools/picture.py '
                f'-->\n<title>{escape(", ".join(COMMANDS))}</title>\n<style>{STYLE}</style>\n'
                f'<rect width="{width:g}" height="{height}" rx="8"/>\n' + "\n".join(self.elements) + "\n</svg>\n")


def draw(environment):
    """The picture of a run on the VM that the environment means."""
    picture = Picture()
    for command in COMMANDS:
        picture.command(command, record(command, environment))
    return picture.svg()


def shape(svg):
    """What of a picture is the same in each run: its lines, [[(style, text)]], without what the numbers are."""
    lines = {}
    for element in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        style = element.get("class").removeprefix("line").strip()
        words = re.sub(r"\d+(\.\d+)?", "N", element.text)
        words = re.sub(r"^done in N ms: .*", "done in N ms", " ".join(words.split()))
        lines.setdefault(int(element.get("y")), []).append((style, words))
    return list(lines.values())


def main(memhp, lab, path):
    with tempfile.TemporaryDirectory(prefix="mh", dir="/tmp") as directory:
        environment = {**os.environ, "MEMHP_LAB_DIR": directory, "PATH": f"{pathlib.Path(memhp).resolve().parent}:"
                       f"{os.environ['PATH']}", "MEMHP_QMP": f"{directory}/web/qmp.sock"}
        environment = {k: v for k, v in environment.items() if k not in ("NO_COLOR", "MEMHP_GUEST", "MEMHP_VM")}
        subprocess.run([lab, "start", "--quiet", "web"], env=environment, check=True)
        try:
            pathlib.Path(path).write_text(draw(environment), encoding="utf-8")
        finally:
            subprocess.run([lab, "stop", "--quiet", "web"], env=environment, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
