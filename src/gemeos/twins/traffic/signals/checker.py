"""Whether what a signal has shown keeps its limits. It looks at lights alone, whoever set them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from typing_extensions import override

from gemeos.errors import InputError
from gemeos.twins.traffic.signals.limits import Limits, Log, Starts, reds_of_walk, runs

SLACK: Final = 1e-6
"""Seconds by which a time may seem too short, for rounding."""


class Kind(Enum):
    """What is broken."""

    LIGHTS = "not so many lights"
    GREEN = "green too short"
    YELLOW = "yellow missing or too short"
    CLEARING = "too little time between conflicting greens"
    CONFLICT = "conflicting greens together"
    WALKING = "too little time to walk"
    RED = "red too long"
    WAIT = "nobody could walk for too long"
    CYCLE = "cycle too long"


@dataclass(frozen=True, slots=True)
class Violation:
    """One limit that was broken."""

    kind: Kind
    signal: str
    at_s: float
    """When it was seen to be broken."""
    links: tuple[int, ...]
    shown_s: float
    needed_s: float
    what: str = ""

    @override
    def __str__(self) -> str:
        where = f" of links {', '.join(map(str, self.links))}" if self.links else ""
        size = "" if self.kind is Kind.CONFLICT else f": {self.shown_s:g}, limit {self.needed_s:g}"
        told = f" ({self.what})" if self.what else ""
        return f"{self.signal} at {self.at_s:g} s: {self.kind.value}{where}{size}{told}"


def violations(limits: Limits, log: Log, end_s: float) -> list[Violation]:
    """All that breaks a limit.

    What had begun before the log, or goes on after it, is judged by what is seen of it: it is
    never called too short, and it is called too long where that much is seen.

    Args:
        limits: Of the signal.
        log: Which letters came up when, in rising order of time.
        end_s: Until when the last ones were shown.

    Raises:
        InputError: an empty log, or times that do not rise.
    """
    times = [at for at, _ in log]
    if not log or any(b <= a for a, b in zip(times, [*times[1:], end_s], strict=True)):
        raise InputError(f"A log of signal {limits.signal!r} has states at rising times.")
    wrong = [at for at, state in log if len(state) != limits.size]
    if wrong:
        return [Violation(Kind.LIGHTS, limits.signal, wrong[0], (), len(log[0][1]), limits.size)]
    found = [*_together(limits, log), *_apart(limits, log)]
    for link in range(limits.size):
        found += _of_link(limits, log, end_s, link)
    found += _walking(limits, log, end_s)
    return sorted(found, key=lambda v: (v.at_s, v.links))


def _together(limits: Limits, log: Log) -> Iterator[Violation]:
    known: dict[str, tuple[tuple[int, int], ...]] = {}
    for at, state in log:
        if state not in known:
            known[state] = tuple(limits.clashes(state))
        for pair in known[state]:
            yield Violation(Kind.CONFLICT, limits.signal, at, pair, 0.0, 0.0, state)


def _apart(limits: Limits, log: Log) -> Iterator[Violation]:
    walk = Starts(limits.foes)
    for at, state in log:
        for c, gap in walk.step(at, state):
            if gap < c.apart_s - SLACK:
                pair = (c.first, c.second)
                yield Violation(Kind.CLEARING, limits.signal, at, pair, gap, c.apart_s)


def _of_link(limits: Limits, log: Log, end_s: float, link: int) -> Iterator[Violation]:
    def broken(kind: Kind, at: float, shown: float, needed: float) -> Violation:
        return Violation(kind, limits.signal, at, (link,), shown, needed)

    yellow, green = limits.yellow_s[link], limits.minimum_green_s[link]
    all_runs = list(runs(log, end_s, link))
    since = all_runs[0][1]  # the end of the last green
    for place, (kind, start, stop) in enumerate(all_runs):
        first, last = place == 0, place == len(all_runs) - 1
        lasted = stop - start
        if kind == "green":
            if not (first or last) and lasted < green - SLACK:
                yield broken(Kind.GREEN, stop, lasted, green)
            if not last and all_runs[place + 1][0] == "red" and yellow:
                yield broken(Kind.YELLOW, stop, 0.0, yellow)
            since = stop
        elif kind == "yellow" and not (first or last) and lasted < yellow - SLACK:
            yield broken(Kind.YELLOW, stop, lasted, yellow)
        ends = last or all_runs[place + 1][0] == "green"
        too_long = stop - since > limits.longest_red_s + SLACK
        if kind != "green" and ends and too_long and link in limits.served:
            yield broken(Kind.RED, stop, stop - since, limits.longest_red_s)


def _walking(limits: Limits, log: Log, end_s: float) -> Iterator[Violation]:
    for walk in limits.walks:
        for since, until in reds_of_walk(walk, log, end_s):
            if until - since > limits.maximum_wait_s + SLACK:
                shown, most = until - since, limits.maximum_wait_s
                yield Violation(Kind.WAIT, limits.signal, until, walk.before, shown, most)
        begun: float | None = None
        is_known = False  # whether people may have walked since before the log
        for at, state in log:
            if walk.is_blocked(state):
                if begun is not None and at - begun < walk.needs_s - SLACK:
                    yield Violation(
                        Kind.WALKING, limits.signal, at, walk.before, at - begun, walk.needs_s
                    )
                begun, is_known = None, True
            elif is_known and begun is None and state in walk.served_by:
                begun = at
