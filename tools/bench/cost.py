# SPDX-License-Identifier: GPL-3.0-or-later
"""What memhp itself uses: CPU time, memory, and what it says of its phases."""
import json
import pathlib
import statistics
import subprocess


def peak(words, directory):
    """Run it; returns KiB at most, and what it printed."""
    # A process inherits the peak of the one that starts it, and Python's would be the larger.
    path = pathlib.Path(f"{directory}/peak")
    done = subprocess.run(["/usr/bin/time", "-f", "%M", "-o", path, *words], check=True, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return int(path.read_text(encoding="ascii").split()[-1]), done.stdout


class Costs:
    """The CPU time of all that was measured, then of each work once more memory and phases."""

    def __init__(self, directory):
        self.directory = directory
        self.cpu_ms = {}

    def add(self, title, usage):
        self.cpu_ms.setdefault(title, []).append((usage.ru_utime + usage.ru_stime) * 1000)

    def measure(self, memhp, sizes):
        """As plain data: {work: {cpu_ms, peak_kib, phases_ms}}."""
        return {size.title(verb): self.once(memhp.words(verb, size), size.title(verb))
                for size in sizes for verb in size.verbs}

    def once(self, words, title):
        kib, printed = peak([*words[:1], "--json", *words[1:]], self.directory)
        return {"cpu_ms": statistics.median(self.cpu_ms[title]), "peak_kib": kib,
                "phases_ms": json.loads(printed).get("phases_ms", {})}
