# SPDX-License-Identifier: GPL-3.0-or-later
"""How long memhp takes, beside what people use: all on one machine, in turns. Only ratios of one run mean something.

Run by make bench, with BENCH=quick in the environment in about a minute.
"""
import argparse
import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import chart
import client
import contender
import cost
import libvirt
import machine
import replay
import result
import scale
import work
from lab import Lab

IS_QUICK = os.environ.get("BENCH") == "quick"
REST_S = 0.3  # what a work leaves for later is not to be a cost of the next


def options():
    parser = argparse.ArgumentParser(prog="bench", description="Measure memhp.")
    parser.add_argument("memhp", metavar="MEMHP")
    parser.add_argument("--json", metavar="FILE", help="all that was measured")
    parser.add_argument("--svg", metavar="FILE", help="a chart of the ratios")
    parser.add_argument("--pairs", metavar="N", type=int,
                        help="only the works of 512M, N times, on a lab VM without options: what memhp costs more")
    parser.add_argument("--markdown", metavar="FILE", help="the tables, between the two marks of a file")
    parser.add_argument("--blocks", metavar="N", type=int, default=8192 if IS_QUICK else 32768,
                        help="so many at most in generated /sys trees (%(default)s, up to 524288)")
    return parser.parse_args()


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def least_contenders(memhp, lab):
    """memhp over serial, and what is less than that."""
    paths = lab.path("qmp.sock"), lab.path("serial.sock")
    over_serial = contender.Memhp("memhp, serial", memhp, paths[0], f"serial:{paths[1]}")
    return [over_serial, replay.Replay(over_serial, paths), contender.Floor(lab, "connected"),
            contender.Floor(lab, "connecting"), contender.Floor(lab, "pushing", client.PUSH)]


def all_contenders(memhp, lab, directory, stack):
    """The first is memhp over serial."""
    found = [
        *least_contenders(memhp, lab),
        contender.Memhp("memhp, ssh", memhp, lab.path("qmp.sock"),
                        f"exec:ssh -F {shlex.quote(lab.path('ssh_config'))} lab sh"),
        contender.Memhp("memhp, agent", memhp, lab.path("qmp.sock"), f"qga:{lab.path('qga.sock')}"),
        contender.ByHand(lab)]
    if not libvirt.is_installed():
        note("libvirt is not installed: left out")
        return found
    try:
        found.append(libvirt.Libvirt(directory, lab))
        stack.callback(found[-1].stop)
    except (OSError, KeyError, subprocess.SubprocessError) as error:
        note(f"libvirt is left out: {error}")
    return found


def measure_one(who, size, verb, rest_s):
    """Milliseconds, and what the process used if it was one."""
    who.prepare()
    time.sleep(rest_s)
    begun = time.monotonic()
    usage = who.do(verb, size)
    spent = (time.monotonic() - begun) * 1000
    who.finish()
    return spent, usage


def measure(contenders, sizes, costs, rest_s=0.0):
    """{work: {contender: [ms]}}; each round has all contenders, one after the other."""
    works = {size.title(verb): {} for size in sizes for verb in size.verbs}
    for size, rounds in sizes.items():
        able = [who for who in contenders if who.can(size)]
        for who in able:
            who.record(size)
        for verb in size.verbs:
            measure_one(able[0], size, verb, rest_s)  # the first who has memory touched waits for the host's pages
        for n in range(rounds):
            note(f"{size.name}, round {n + 1} of {rounds}")
            for who in able:
                for verb in size.verbs:
                    spent, usage = measure_one(who, size, verb, rest_s)
                    works[size.title(verb)].setdefault(who.title, []).append(spent)
                    if who is contenders[0]:
                        costs.add(size.title(verb), usage)
    return works


@contextlib.contextmanager
def running_lab(*machine):
    """A lab VM in a directory of its own."""
    with contextlib.ExitStack() as stack:
        # short: the path of a socket has 107 bytes at most
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="mb-", dir="/tmp"))
        lab = Lab(directory, *machine)
        stack.callback(lab.stop)
        yield lab, directory, stack


def run(memhp, most_blocks):
    sizes = {size: size.quick_rounds if IS_QUICK else size.rounds for size in work.SIZES}
    sizes = {size: rounds for size, rounds in sizes.items() if rounds}
    with running_lab() as (lab, directory, stack):
        costs = cost.Costs(directory)
        contenders = all_contenders(memhp, lab, directory, stack)
        works = measure(contenders, sizes, costs)
        note("memory and phases")
        used = costs.measure(contenders[0], sizes)
        note("guests of many blocks")
        rows = scale.measure(memhp, lab.path("qmp.sock"), most_blocks)
        has_libvirt = any(isinstance(who, libvirt.Libvirt) for who in contenders)
        return {"machine": machine.found(lab, memhp, has_libvirt), "works_ms": works, "costs": used, "scale": rows}


def run_pairs(memhp, rounds):
    with running_lab(()) as (lab, directory, _):
        return measure(least_contenders(memhp, lab), {work.SIZES[0]: rounds}, cost.Costs(directory), REST_S)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = options()
    if wanted.pairs:
        print(result.pair_table(run_pairs(os.path.abspath(wanted.memhp), wanted.pairs)).text())
        return
    found = run(os.path.abspath(wanted.memhp), wanted.blocks)
    print("\n".join(table.text() for table in result.tables(found)))
    if wanted.json:
        write(wanted.json, json.dumps(found, indent=1) + "\n")
    if wanted.svg:
        write(wanted.svg, chart.draw(found["works_ms"]))
    if wanted.markdown:
        result.write_markdown(wanted.markdown, found)


main()
