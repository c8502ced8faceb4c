# SPDX-License-Identifier: GPL-3.0-or-later
"""A guard of speed that is no timer: what fixed work costs in messages, bytes and forks may not grow.

All of it is counted on a real machine: bytes and lines where they pass between memhp and the sockets, waits in what
--verbose shows, forks by the guest's own kernel. Whoever makes memhp cheaper lowers the numbers of CEILINGS.
"""
import json
import re

import pytest
from relay import FRAME, Relay

# Most that each work may cost:
#   exchanges  lines of commands that guest.sh answers (a round trip each)
#   waits      how often memhp sends to QEMU and then waits for replies; events are not counted
#   requests   QMP messages that memhp sends
#   qmp_out, qmp_in, guest_out, guest_in   bytes to and from the monitor and the console; of what the console says
#              only guest.sh's frames: how much of the opening its shell echoes depends on which of them is faster
#   forks      processes that the guest starts
COLUMNS = ("exchanges", "waits", "requests", "qmp_out", "qmp_in", "guest_out", "guest_in", "forks")
CEILINGS = {
    "plug 512M": (2, 4, 19, 1261, 3971, 2460, 560, 4),
    "list": (1, 2, 11, 610, 3150, 1770, 460, 4),
    "blocks": (1, 2, 11, 610, 3150, 1770, 460, 4),
    "offline 35": (2, 2, 11, 610, 3150, 2585, 540, 7),
    "online 35": (2, 2, 11, 610, 3150, 2215, 685, 4),
    "unplug --all": (2, 5, 14, 790, 3800, 2600, 540, 7),
    "plug 2G --dimm 128M --zone movable": (2, 4, 49, 4681, 10671, 2460, 560, 4),
    "unplug --all ": (2, 5, 44, 2800, 17000, 2600, 545, 7),
}
TRACE = re.compile(r"\[\d+\.\d{3}\] (qmp|guest) ([<>]) (.*)")
ROUNDS = 3  # the kernel's own threads are counted with the forks: the least of some rounds has fewest


class Meter(Relay):
    """Counts the bytes that pass; nothing strikes."""

    def __init__(self, vm):
        super().__init__(vm, lambda *_: False, None)
        self.bytes = dict.fromkeys(("qmp_out", "qmp_in", "guest_out", "guest_in"), 0)

    def pass_on(self, line, direction, message):
        if line.name == "guest" and direction == "<" and not FRAME.search(message):
            return
        self.bytes[f"{line.name}_{'out' if direction == '>' else 'in'}"] += len(message)


def forks(vm):
    """How many processes the guest has started since it booted."""
    return int(vm.guest("while read -r n v _; do [ \"$n\" != processes ] || echo \"$v\"; done </proc/stat"))


def count_trace(text):
    """Exchanges, waits and requests, from what --verbose shows."""
    messages = [match.groups() for match in map(TRACE.match, text.splitlines()) if match]
    requests = [m for m in messages if m[:2] == ("qmp", ">")]
    # what memhp reads behind a request, up to the next, is one wait; an event alone is none
    kinds = [m[1] for m in messages if m[0] == "qmp" and (m[1] == ">" or "event" not in json.loads(m[2]))]
    waits = sum(pair == (">", "<") for pair in zip(kinds, kinds[1:]))
    exchanges = sum(m[:2] == ("guest", ">") for m in messages)
    return exchanges, waits, len(requests)


def measure(vm, words):
    """What one command costs, as a row of the table."""
    meter = Meter(vm)
    before = forks(vm)
    code, _, trace = meter.run("--verbose", *words.split())
    assert code == 0, trace
    return (*count_trace(trace), *meter.bytes.values(), forks(vm) - before)


@pytest.fixture(scope="module")
def costs(machines):
    """The least that each work has cost."""
    vm = machines.get()
    rounds = [{words: measure(vm, words) for words in CEILINGS} for _ in range(ROUNDS)]
    return {words: tuple(map(min, zip(*(r[words] for r in rounds)))) for words in CEILINGS}


@pytest.mark.parametrize("words", CEILINGS)
def test_fixed_work_costs_no_more_than_it_did(costs, words):
    over = {name: f"{cost}, at most {ceiling}"
            for name, cost, ceiling in zip(COLUMNS, costs[words], CEILINGS[words]) if cost > ceiling}
    assert not over, over


@pytest.mark.parametrize("words", CEILINGS)
def test_ceilings_have_little_slack(costs, words):
    """A ceiling that is far above what the work costs guards nothing."""
    loose = {name: f"{cost}, at most {ceiling}"
             for name, cost, ceiling in zip(COLUMNS, costs[words], CEILINGS[words]) if ceiling > cost * 1.25 + 4}
    assert not loose, loose


def test_a_plug_takes_two_exchanges_and_four_waits(costs):
    for words in CEILINGS:
        if words.startswith("plug"):
            assert costs[words][0] <= 2 and costs[words][1] <= 4, costs[words]
