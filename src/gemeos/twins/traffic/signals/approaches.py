"""Which lanes bring vehicles to the lights of a signal, and which take them away.

Incoming lanes may be a metre long where a road is cut into pieces. So lanes are followed upstream,
as far as detectors see, up to the next signal; what may still go elsewhere counts in part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gemeos.twins.traffic.network import Connection, Network, Signal

REACH_M: Final = 200.0
"""How far before the stop line detectors see, in every controller here: Ault & Sharon (2021)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A lane, or its last part, that leads to a stop line."""

    lane: str
    length_m: float
    ahead_m: float
    """From its end to the stop line."""
    share: float
    """Of its vehicles, how many are thought to come to this stop line."""


@dataclass(frozen=True, slots=True)
class Approach:
    """One lane before a stop line."""

    lane: str
    links: tuple[int, ...]
    """The lights over it."""
    onward: tuple[bool, ...]
    """By link: whether it goes anywhere but back. Turning back is rare, and hardly ever green."""
    stretches: tuple[Stretch, ...]
    """The lane itself first."""
    leads_to: tuple[tuple[Stretch, ...], ...]
    """By link: lanes that take its vehicles away, as far as detectors see."""
    speed_m_per_s: float


def approaches(network: Network, signal: Signal, reach_m: float = REACH_M) -> list[Approach]:
    """All lanes with lights of that signal, in the order of their links."""
    coming: dict[str, list[Connection]] = defaultdict(list)
    for c in network.connections:
        coming[c.to_lane].append(c)
    leaving: dict[str, list[Connection]] = defaultdict(list)
    for c in network.connections:
        leaving[c.from_lane].append(c)
    lanes: dict[str, list[Connection]] = {}
    for of in signal.links:
        for way in of:
            lanes.setdefault(way.from_lane, []).append(way)
    return [
        Approach(
            lane,
            tuple(w.link for w in ways),
            tuple(w.direction != "t" for w in ways),
            tuple(_upstream(network, coming, leaving, lane, reach_m)),
            tuple(tuple(_downstream(network, leaving, w, reach_m)) for w in ways),
            network.lanes[lane].speed_m_per_s,
        )
        for lane, ways in lanes.items()
    ]


def _upstream(
    network: Network,
    coming: Mapping[str, list[Connection]],
    leaving: Mapping[str, list[Connection]],
    lane: str,
    reach_m: float,
) -> Iterator[Stretch]:
    todo, seen = [(lane, 0.0, 1.0)], {lane}
    while todo:
        here, ahead, share = todo.pop(0)
        length = network.lanes[here].length_m
        yield Stretch(here, length, ahead, share)
        beyond = ahead + length
        for c in coming[here]:
            # Another signal meters what comes; and a lane leads here once.
            if c.signal or beyond + c.length_m >= reach_m or c.from_lane in seen:
                continue
            seen.add(c.from_lane)
            ways = [w for w in leaving[c.from_lane] if w.direction != "t"] or [c]
            todo.append((c.from_lane, beyond + c.length_m, share / len(ways)))


def _downstream(
    network: Network, leaving: Mapping[str, list[Connection]], way: Connection, reach_m: float
) -> Iterator[Stretch]:
    todo, seen = [(way.to_lane, 0.0, 1.0)], {way.to_lane}
    while todo:
        here, gone, share = todo.pop(0)
        length = network.lanes[here].length_m
        yield Stretch(here, length, gone, share)
        beyond = gone + length
        ways = [c for c in leaving[here] if c.direction != "t"]
        for c in ways:
            if not c.signal and beyond + c.length_m < reach_m and c.to_lane not in seen:
                seen.add(c.to_lane)
                todo.append((c.to_lane, beyond + c.length_m, share / len(ways)))
