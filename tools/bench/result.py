# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run has found, as plain data; and the tables that are made of it, as text and as Markdown."""
import pathlib
import statistics

FLOOR = "bare, connected"
BEGIN, END = "<!-- made by make bench: begin -->", "<!-- made by make bench: end -->"


def ms(value):
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


class Table:
    """A title, the names of columns, and rows of words."""

    def __init__(self, title, columns, rows):
        self.title = title
        self.columns = columns
        self.rows = [[str(cell) for cell in row] for row in rows]

    def text(self):
        """For a terminal; the first column is text, the others are numbers."""
        widths = [max(map(len, cells)) for cells in zip(self.columns, *self.rows)]
        lines = ("  ".join(cell.rjust(width) if n else cell.ljust(width)
                           for n, (cell, width) in enumerate(zip(row, widths))).rstrip()
                 for row in (self.columns, *self.rows))
        return "\n".join((self.title, "", *lines, ""))

    def markdown(self):
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = ("| " + " | ".join(row) + " |" for row in (self.columns, rule, *self.rows))
        return "\n".join((f"### {self.title}", "", *lines, ""))


def ratios(works):
    """Each contender's median over that of the floor: {work: {contender: ratio}}."""
    medians = {work: {who: statistics.median(times) for who, times in samples.items()}
               for work, samples in works.items()}
    return {work: {who: median / of[FLOOR] for who, median in of.items()} for work, of in medians.items()}


def contenders(works):
    return list(dict.fromkeys(who for samples in works.values() for who in samples))


def ratio_table(works):
    found = ratios(works)
    names = contenders(works)
    return Table(f"Median time over that of the floor ({FLOOR})", ["work", *names],
                 [[work, *(f"{found[work][who]:.2f}" if who in found[work] else "-" for who in names)]
                  for work in works])


def time_table(works):
    names = contenders(works)
    return Table("Median, and (least - most), in ms", ["work", *names], [
        [work, *(f"{ms(statistics.median(samples[who]))} ({ms(min(samples[who]))} - {ms(max(samples[who]))})"
                 if who in samples else "-" for who in names)] for work, samples in works.items()])


def pair_table(works):
    """What the first contender took, and how much more than each other one in the same round; in 80 columns."""
    first, *others = contenders(works)
    rows = []
    for name, samples in works.items():
        more = {who: [mine - theirs for mine, theirs in zip(samples[first], samples[who])] for who in others}
        rows.append([name, ms(statistics.median(samples[first])),
                     *(f"{statistics.median(more[who]):+.0f} ({statistics.median(samples[who]):.0f})" for who in others)])
    return Table(f"{first}, and how much more that is (than): medians of {len(samples[first])} rounds, in ms",
                 ["work", first.split(",")[0], *(who.removeprefix("bare, ") for who in others)], rows)


def cost_table(costs):
    return Table("memhp's own: CPU time and most memory, over serial", ["work", "CPU ms", "peak MiB"],
                 [[work, f"{c['cpu_ms']:.1f}", f"{c['peak_kib'] / 1024:.1f}"] for work, c in costs.items()])


def phase_table(costs):
    names = list(dict.fromkeys(name for c in costs.values() for name in c.get("phases_ms", {})))
    return Table("Where the time goes: phases of one run over serial, in ms", ["work", *names],
                 [[work, *(c["phases_ms"].get(name, "-") for name in names)]
                  for work, c in costs.items() if c.get("phases_ms")])


def scale_table(scale):
    columns = ["blocks", "neighbours", "list", "blocks", "online --dry-run", "lsmem", "blocks, us each", "list / lsmem"]
    return Table("Generated /sys trees on this machine: s", columns, [
        [f"{row['blocks']:,}", row["kind"], *(f"{row[name]:.2f}" for name in ("list", "blocks_s", "online", "lsmem")),
         f"{row['blocks_s'] * 1e6 / row['blocks']:.1f}", f"{row['list'] / row['lsmem']:.2f}"] for row in scale])


def tables(found):
    """All tables of a run."""
    return [Table("Machine", ["what", "which"], found["machine"].items()), ratio_table(found["works_ms"]), time_table(found["works_ms"]), cost_table(found["costs"]),
            phase_table(found["costs"]), scale_table(found["scale"])]


def write_markdown(path, found):
    """Put the tables between the two marks of a file, or into a new one."""
    path = pathlib.Path(path)
    text = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    if BEGIN not in text or END not in text:
        raise SystemExit(f"bench: '{path}' has no lines '{BEGIN}' and '{END}'")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    made = "\n".join(table.markdown() for table in tables(found))
    path.write_text(f"{before}{BEGIN}\n\n{made}\n{END}{after}", encoding="utf-8")
