# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who watches the progress line of a memhp on a terminal, and checks that it tells the truth."""
import re

import pyte
from peer import BINARY, HANG, Typist, clean_environment

START = "\r\x1b[K"  # draws the line anew, or removes it
FRACTION = re.compile(r"(\w+)  (?:\[([#-]+)\]  )? *(\d+)/(\d+)( \w+)?")
TIMES = r"\d+ (s|min|h) (left|so far)"


class Watcher(Typist):
    """Runs memhp on a terminal of so many columns."""

    def __init__(self, *words, columns=80, env=None):
        super().__init__([BINARY, *map(str, words)], {**clean_environment(env), "TERM": "xterm"}, columns=columns)

    def finish(self, timeout=HANG):
        """The exit code; checks all that was drawn."""
        code = super().finish(timeout)
        self.check_lines()
        return code

    @property
    def drawn(self):
        """The progress lines, as they were drawn one after the other."""
        parts = self.output.split(START)[1:]
        return [part for part in parts if re.search(TIMES + "$", part) and "\n" not in part]

    def screen(self):
        """What is left on the screen, and on what has gone up from it; without the blank end."""
        screen = pyte.HistoryScreen(self.columns, 24, history=10000)
        pyte.Stream(screen).feed(self.output)
        lines = ["".join(line[x].data for x in range(self.columns)) for line in screen.history.top]
        return "\n".join(line.rstrip() for line in lines + screen.display).rstrip()

    def fractions(self, phase):
        """What of that phase was shown as done: (done, total, unit) one after the other."""
        found = (match.groups() for match in map(FRACTION.match, self.drawn) if match)
        return [(int(done), int(total), (unit or "").strip()) for name, _, done, total, unit in found if name == phase]

    def totals(self, *phases):
        """The totals that were shown of these phases."""
        return {total for phase in phases for _, total, _ in self.fractions(phase)}

    def check_lines(self):
        """Each line fits, and what is done only grows; nothing of them is left."""
        last = {}
        for line in self.drawn:
            assert len(line) < self.columns and line.isprintable(), line
            match = FRACTION.match(line)
            if not match:
                continue
            phase, bar, done, total, unit = match.groups()
            key, done, total = (phase, total, unit), int(done), int(total)
            assert last.get(key, 0) <= done <= total, self.drawn
            last[key] = done
            assert not bar or abs(bar.count("#") - done * len(bar) // total) <= 1, line
        assert not re.search(TIMES, self.screen()), self.screen()
