"""What a signal may show: how long, what together, and what in between.

A limit comes from the programme that runs where it shows one, for the authority has signed that;
from the settings of the district where it does not. Only the time that pedestrians need is never
less than the settings say, whatever the programme shows.

References:
    Yellow of 3, 4 and 5 s at 50, 60 and 70 km/h: FGSV (2015), RiLSA, section 2.4. Shortest green
    of 5 s: the same, section 2.5. Pedestrians walk 1.0 to 1.2 m/s when they clear a road: the same,
    section 2.5, and FHWA (2023), MUTCD 11th edition, section 4I.06 (3.5 ft/s, walk of 4 s at least
    where few walk). Cycles of up to 120 s: RiLSA, section 2.6.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Final

from gemeos.errors import InputError
from gemeos.twins.traffic.district import SignalLimits
from gemeos.twins.traffic.network import GREEN, YELLOW, Network, Program, Signal

YELLOW_BY_SPEED: Final = ((15.0, 3.0), (18.0, 4.0), (math.inf, 5.0))
"""Up to so many m/s, so many seconds."""
USUAL_CYCLE_S: Final = 120.0
USUAL_LANE_M: Final = 3.2
"""Width where none is told: SUMO's own."""
OPPOSITE: Final = math.radians(35.0)
"""Two carriageways of one arm point against each other, but for as much."""
RANK: Final = {"G": 2, "g": 1}
"""Green with priority stands above green without."""
STRAIGHT: Final = frozenset("s")
ACROSS: Final = {False: frozenset("lL"), True: frozenset("rR")}
"""Turns across those who come the other way, by whether traffic keeps left."""

Log = Sequence[tuple[float, str]]
"""When which letters came up, in rising order of time."""


@dataclass(frozen=True)
class Conflict:
    """Two links whose ways cross or merge."""

    first: int
    second: int
    together: frozenset[str]
    """Letters of both that may be shown at once: of each pair that the programme shows, and with
    less priority."""
    apart_s: float
    """Least time between the end of the first one's green and the start of the second one's."""


@dataclass(frozen=True)
class Walk:
    """Where pedestrians cross an arm that has no lights for them: they walk when cars may not."""

    arm: str
    """The edge that comes in on this arm."""
    length_m: float
    needs_s: float
    """From the first step of those who wait until the first car."""
    clears_s: float
    """The last part of that, in which nobody sets off any more."""
    before: tuple[int, ...]
    """Links that pass the crossing: from this arm, and straight into it."""
    turning: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """Turns into this arm across those who come the other way (left ones, where traffic keeps
    right), with the straight links beside them. Turning cars give way to those who walk, but for
    such a turn that has green alone."""
    served_by: frozenset[str] = frozenset()
    """States of the programme in which people may walk: long enough in the programme itself."""

    def is_blocked(self, state: str) -> bool:
        """Whether cars pass the crossing."""
        if any(state[i] in GREEN for i in self.before):
            return True
        return any(
            state[turn] == "G" and beside != () and not any(state[i] in GREEN for i in beside)
            for turn, beside in self.turning
        )


@dataclass(frozen=True)
class Limits:
    """Of one signal. By link where it says so."""

    signal: str
    minimum_green_s: tuple[float, ...]
    """By link."""
    yellow_s: tuple[float, ...]
    """By link; 0 for pedestrians."""
    conflicts: tuple[Conflict, ...]
    walks: tuple[Walk, ...]
    longest_red_s: float
    """Of any link that the programme ever gives green."""
    maximum_cycle_s: float
    maximum_wait_s: float
    """The longest that anybody may stand."""
    pedestrians: frozenset[int] = frozenset()
    """Links that are crossings with lights of their own."""
    served: frozenset[int] = frozenset()
    """Links that the programme gives green at some time, and not always."""

    @property
    def size(self) -> int:
        """How many letters."""
        return len(self.minimum_green_s)

    @cached_property
    def foes(self) -> tuple[tuple[Conflict, ...], ...]:
        """By the link that starts."""
        found: list[list[Conflict]] = [[] for _ in range(self.size)]
        for conflict in self.conflicts:
            found[conflict.second].append(conflict)
        return tuple(map(tuple, found))

    def clashes(self, state: str) -> Iterator[tuple[int, int]]:
        """Pairs of links that are green together and must not be."""
        for c in self.conflicts:
            if c.first < c.second:
                shown = state[c.first] + state[c.second]
                if GREEN.issuperset(shown) and shown not in c.together:
                    yield c.first, c.second

    def check(self, state: str) -> None:
        """Raise unless ``state`` fits the signal and clashes nowhere.

        Raises:
            InputError: it does not.
        """
        if len(state) != self.size:
            raise InputError(
                f"Signal {self.signal!r} has {self.size} lights; {state!r} has {len(state)}."
            )
        for i, j in self.clashes(state):
            raise InputError(
                f"Signal {self.signal!r}: {state!r} gives green to {i} and {j}, which cross."
            )


@dataclass
class Starts:
    """Walks states and tells how long before each start of green whatever crosses has ended."""

    foes: Sequence[Sequence[Conflict]]
    before: str = ""
    ended: dict[tuple[int, str], float] = field(default_factory=dict)
    """By link and letter: when it was shown last."""

    def step(self, at: float, state: str) -> Iterator[tuple[Conflict, float]]:
        """Each conflict of a link that starts, and the time since the other ended."""
        old, self.before = self.before, state
        if not old:
            return
        for i, (was, now) in enumerate(zip(old, state, strict=True)):
            if was != now and was in GREEN:
                self.ended[i, was] = at
        for j, (was, now) in enumerate(zip(old, state, strict=True)):
            if RANK.get(now, 0) > RANK.get(was, 0):
                for c in self.foes[j]:
                    for letter in "Gg":
                        end = self.ended.get((c.first, letter))
                        if end is not None and letter + now not in c.together:
                            yield c, at - end


def states_of(program: Program, begin_s: float, end_s: float) -> Iterator[tuple[float, str]]:
    """What a fixed programme shows, as a log that begins with what is shown at ``begin_s``."""
    cycle = program.cycle_s
    if cycle <= 0:
        raise InputError(f"Programme {program.id!r} of {program.signal!r} takes no time.")
    at = begin_s - (begin_s - program.offset_s) % cycle
    shown = ""
    while at < end_s:
        for phase in program.phases:
            if phase.duration_s > 0 and at + phase.duration_s > begin_s and at < end_s:
                if phase.state != shown:
                    yield max(at, begin_s), phase.state
                shown = phase.state
            at += phase.duration_s


def limits_of(network: Network, signal: Signal, settings: SignalLimits | None = None) -> Limits:
    """What ``signal`` must keep.

    Args:
        network: That it belongs to.
        signal: With the programme that runs.
        settings: Of the district; the usual ones where left out.
    """
    asked = settings or SignalLimits()
    program = signal.program
    size = len(program.phases[0].state)
    walkers = frozenset(k for c in signal.crossings for k in c.links)
    log = list(states_of(program, program.offset_s, program.offset_s + 3 * program.cycle_s))
    end = program.offset_s + 3 * program.cycle_s
    shortest, yellow, longest_red = _shown(log, end, size)
    own = tuple(
        0.0 if i in walkers else _yellow(asked, yellow[i], _speed(network, signal, i))
        for i in range(size)
    )
    least = tuple(
        asked.walk_s if i in walkers else min(asked.minimum_green_s, shortest[i])
        for i in range(size)
    )
    cycle = min(asked.maximum_cycle_s, USUAL_CYCLE_S)
    served = frozenset(
        i
        for i in range(size)
        if any(p.state[i] in GREEN for p in program.phases)
        and not all(p.state[i] in GREEN for p in program.phases)
    )
    return Limits(
        signal=signal.id,
        minimum_green_s=least,
        yellow_s=own,
        conflicts=tuple(_conflicts(network, signal, log, own, asked)),
        walks=tuple(_walks(network, signal, asked)),
        longest_red_s=max(cycle, longest_red),
        maximum_cycle_s=max(cycle, program.cycle_s),
        maximum_wait_s=asked.maximum_wait_s,
        pedestrians=walkers,
        served=served,
    )


def _yellow(asked: SignalLimits, shown: float, speed: float) -> float:
    if asked.yellow_s is not None:
        return asked.yellow_s
    if math.isfinite(shown):
        return shown
    return next(s for most, s in YELLOW_BY_SPEED if speed <= most)


def _speed(network: Network, signal: Signal, link: int) -> float:
    """The fastest that may be driven towards that light, m/s."""
    ways = signal.links[link] if link < len(signal.links) else ()
    return max((network.lanes[w.from_lane].speed_m_per_s for w in ways), default=0.0)


def _shown(log: Log, end: float, size: int) -> tuple[list[float], list[float], float]:
    """The shortest green and the shortest yellow of each link, and the longest red of all."""
    green, yellow, red = [math.inf] * size, [math.inf] * size, 0.0
    for i in range(size):
        whole = list(runs(log, end, i))[1:-1]
        for kind, start, stop in whole:
            if kind == "green":
                green[i] = min(green[i], stop - start)
            elif kind == "yellow":
                yellow[i] = min(yellow[i], stop - start)
        # A red lasts from the end of green to the next: yellow is no green.
        greens = [(a, b) for kind, a, b in whole if kind == "green"]
        gaps = [b[0] - a[1] for a, b in pairwise(greens)]
        red = max([red, *gaps])
    return green, yellow, red


def runs(log: Log, end: float, link: int) -> Iterator[tuple[str, float, float]]:
    """What one link shows, as "green", "yellow" or "red", from when to when."""
    kind, start = _kind(log[0][1][link]), log[0][0]
    for at, state in log[1:]:
        now = _kind(state[link])
        if now != kind:
            yield kind, start, at
            kind, start = now, at
    yield kind, start, end


def _kind(letter: str) -> str:
    return "green" if letter in GREEN else "yellow" if letter in YELLOW else "red"


def reds_of_walk(walk: Walk, log: Log, end_s: float) -> Iterator[tuple[float, float]]:
    """Times in which nobody may set off."""
    red_since = log[0][0]
    open_since: float | None = None
    for at, state in [*log, (end_s, "")]:
        blocked = state == "" or walk.is_blocked(state)
        if blocked and open_since is not None:
            last = max(at - (walk.clears_s), open_since)
            yield red_since, open_since
            red_since, open_since = min(last, at), None
        elif not blocked and open_since is None and state in walk.served_by:
            open_since = at
    if red_since < end_s:
        yield red_since, end_s


def _conflicts(
    network: Network, signal: Signal, log: Log, yellow: Sequence[float], asked: SignalLimits
) -> Iterator[Conflict]:
    pairs = sorted(network.conflicts(signal.id))
    clearing = {k: c.length_m / asked.walking_m_per_s for c in signal.crossings for k in c.links}
    states = {p.state for p in signal.program.phases}
    shown = {
        (i, j): frozenset(
            a + b
            for a in "Gg"
            for b in "Gg"
            if any(RANK.get(s[i], 0) >= RANK[a] and RANK.get(s[j], 0) >= RANK[b] for s in states)
        )
        for i, j in pairs
    }
    foes: list[list[Conflict]] = [[] for _ in yellow]
    for i, j in pairs:
        foes[j].append(Conflict(i, j, shown[i, j], 0.0))
    walk, seen = Starts(foes), dict[tuple[int, int], float]()
    for at, state in log:
        for c, gap in walk.step(at, state):
            seen[c.first, c.second] = min(gap, seen.get((c.first, c.second), math.inf))
    cars = [gap - yellow[i] for (i, _), gap in seen.items() if i not in clearing]
    red = max(min(cars, default=0.0), 0.0) if asked.all_red_s is None else asked.all_red_s
    for i, j in pairs:
        cars_apart = min(yellow[i] + red, seen.get((i, j), math.inf))
        yield Conflict(i, j, shown[i, j], clearing.get(i, cars_apart))


def _walks(network: Network, signal: Signal, asked: SignalLimits) -> Iterator[Walk]:
    """The arms of a signal that has no crossings of its own."""
    if signal.crossings:
        return
    ways = [(i, w) for i, of in enumerate(signal.links) for w in of]
    arms = list(dict.fromkeys(w.from_edge for _, w in ways))
    outs = list(dict.fromkeys(w.to_edge for _, w in ways))
    within = {network.edges[w.from_edge].ends for _, w in ways}
    for arm in arms:
        edge = network.edges[arm]
        if edge.begins in within:
            continue  # between two junctions of one signal nobody crosses
        out = _way_out(network, arm, outs)
        lanes = [*edge.lanes, *(network.edges[out].lanes if out else ())]
        length = sum(lane.width_m or USUAL_LANE_M for lane in lanes if lane.admits())
        if not length:
            continue
        before = {i for i, w in ways if w.from_edge == arm}
        before |= {i for i, w in ways if w.to_edge == out and w.direction in STRAIGHT}
        turning = tuple(
            (i, tuple(k for k, v in ways if v.from_edge == w.from_edge and v.direction in STRAIGHT))
            for i, w in ways
            if w.to_edge == out and w.direction in ACROSS[network.left_hand]
        )
        clears = length / asked.walking_m_per_s
        needs = asked.walk_s + clears
        walk = Walk(arm, length, needs, clears, tuple(sorted(before)), turning)
        served = frozenset(_served(walk, signal.program))
        if served:
            yield replace(walk, served_by=served)


def _served(walk: Walk, program: Program) -> Iterator[str]:
    """States of the programme that belong to a time that is long enough to walk."""
    window: list[tuple[float, str]] = []
    # Twice, since a window may lie across the end of a cycle; a first one that began before is
    # found whole the second time.
    for phase in [*program.phases, *program.phases]:
        if not walk.is_blocked(phase.state):
            window.append((phase.duration_s, phase.state))
            continue
        while window and not _is_stage(window[0][1]):
            window.pop(0)
        if sum(s for s, _ in window) >= walk.needs_s:
            yield from (s for _, s in window if _is_stage(s))
        window = []


def _is_stage(state: str) -> bool:
    return bool(GREEN & set(state)) and not YELLOW & set(state)


def _way_out(network: Network, arm: str, outs: Sequence[str]) -> str:
    """The edge that leaves on the arm on which ``arm`` comes in: the one most against it.

    Roads are cut into pieces and dual carriageways lie apart, so that neither names nor nodes tell.
    """
    here = _heading(network, arm, at_end=True)
    best, least = "", OPPOSITE
    for out in outs:
        there = _heading(network, out, at_end=False)
        off = abs((here - there) % (2.0 * math.pi) - math.pi)
        if off < least:
            best, least = out, off
    return best


def _heading(network: Network, edge: str, *, at_end: bool) -> float:
    shape = network.edges[edge].lanes[-1].shape
    if len(shape) < 2:
        return math.nan
    (x, y), (u, v) = shape[-2:] if at_end else shape[:2]
    return math.atan2(v - y, u - x)
