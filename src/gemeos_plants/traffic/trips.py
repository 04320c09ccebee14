"""Who drives from where to where, and when, by a district's files.

What is told as a flow is spread evenly over its time. Trips between zones, or between junctions,
are spread over the roads of their ends by weight.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

BIN_S: Final = 300.0
"""Over which departures are counted."""
DAY_S: Final = 86_400.0
KINDS: Final = frozenset({"route", "routeDistribution", "vehicle", "trip", "flow"})

Elements = Callable[[Path, frozenset[str]], Iterator[Element]]
"""The children of a file's root of some kinds."""
Trips = dict[tuple[str, str], Counter[int]]
"""By first and last edge: vehicles by number of the bin in which they depart."""


@dataclass
class Zone:
    """A zone, or a junction: roads with their weights."""

    out: dict[str, float] = field(default_factory=dict)
    """Over which one sets out."""
    into: dict[str, float] = field(default_factory=dict)
    """Over which one comes."""


def trips_of(
    routes: Iterable[Path], net: Path, additional: Iterable[Path], elements: Elements
) -> Trips:
    """Departures of the files.

    What has no first and last edge is passed over.

    Args:
        routes: Files of vehicles, trips and flows.
        net: The network, where trips are told by junctions.
        additional: Files that may hold zones.
        elements: Reads them.
    """
    found: Trips = {}
    named: dict[str, list[str]] = {}
    places = _Places(net, [*additional, *routes], elements)
    for path in routes:
        for e in elements(path, KINDS):
            told = [route for route in e.iter("route") if "edges" in route.attrib]
            # Of several ways the likeliest: the ends are what counts, and they share them mostly.
            likeliest = max(told, key=lambda r: float(r.get("probability", "1")), default=None)
            edges = (
                named.get(e.get("route", ""), [])
                if likeliest is None
                else likeliest.attrib["edges"].split()
            )
            if e.tag in {"route", "routeDistribution"}:
                named[e.get("id", "")] = edges
                continue
            first = e.get("from") or (edges[0] if edges else "")
            last = e.get("to") or (edges[-1] if edges else "")
            for at in _departures(e):
                ends = (first, last) if first and last else places.next(e.attrib, first, last)
                if all(ends):
                    found.setdefault(ends, Counter())[math.floor(at / BIN_S)] += 1
    return found


class _Places:
    """Zones and junctions, read when the first trip asks for one."""

    def __init__(self, net: Path, files: Iterable[Path], elements: Elements) -> None:
        self._net, self._files, self._elements = net, tuple(files), elements
        self._zones: dict[str, Zone] | None = None
        self._junctions: dict[str, Zone] | None = None
        self._given: dict[tuple[tuple[str, ...], ...], dict[tuple[str, str], float]] = {}

    def next(self, told: Mapping[str, str], first: str, last: str) -> tuple[str, str]:
        """Roads of both ends: each pair in its turn, as often as the weights say."""
        start = self._zone(told.get("fromTaz", "")) or self._junction(told.get("fromJunction", ""))
        goal = self._zone(told.get("toTaz", "")) or self._junction(told.get("toJunction", ""))
        out = {first: 1.0} if first else start.out if start else {}
        into = {last: 1.0} if last else goal.into if goal else {}
        pairs = {(a, b): p * q for a, p in out.items() for b, q in into.items() if a != b}
        whole = sum(pairs.values())
        if not whole > 0:
            return "", ""
        had = self._given.setdefault((tuple(out), tuple(into)), {})
        for pair, weight in pairs.items():
            had[pair] = had.get(pair, 0.0) + weight / whole
        chosen = max(pairs, key=had.__getitem__)
        had[chosen] -= 1.0
        return chosen

    def _zone(self, name: str) -> Zone | None:
        if not name:
            return None
        if self._zones is None:
            kinds = frozenset({"taz"})
            of = (e for path in self._files for e in self._elements(path, kinds))
            self._zones = {e.attrib["id"]: _zone(e) for e in of}
        return self._zones.get(name)

    def _junction(self, name: str) -> Zone | None:
        if not name:
            return None
        if self._junctions is None:
            self._junctions = {}
            for e in self._elements(self._net, frozenset({"edge"})):
                if "from" in e.attrib and "to" in e.attrib:
                    road = e.attrib["id"]
                    begins, ends = e.attrib["from"], e.attrib["to"]
                    self._junctions.setdefault(begins, Zone()).out[road] = 1.0
                    self._junctions.setdefault(ends, Zone()).into[road] = 1.0
        return self._junctions.get(name)


def _zone(element: Element) -> Zone:
    zone = Zone()
    for road in element.get("edges", "").split():
        zone.out[road] = zone.into[road] = 1.0
    for kind, ends in (("tazSource", zone.out), ("tazSink", zone.into)):
        for e in element.iter(kind):
            ends[e.attrib["id"]] = float(e.get("weight", "1"))
    return zone


def _departures(element: Element) -> list[float]:
    told = element.attrib
    if element.tag != "flow":
        depart = told.get("depart", "0")
        return [seconds(depart)] if depart[:1].isdigit() else []
    begin, end = seconds(told.get("begin", "0")), seconds(told.get("end", "3600"))
    # A flow without end goes on for the day.
    end = min(end, begin + DAY_S)
    whole = int(_number(told, end - begin))
    return [begin + (i + 0.5) * (end - begin) / whole for i in range(whole)]


def _number(told: Mapping[str, str], lasts_s: float) -> float:
    """Vehicles of a flow."""
    if "number" in told:
        return float(told["number"])
    if period := told.get("period", ""):
        # Either seconds between two, or in brackets how many come a second by chance.
        chance = re.fullmatch(r"exp\((.*)\)", period)
        return lasts_s * float(chance.group(1)) if chance else lasts_s / seconds(period)
    if "probability" in told:
        return lasts_s * float(told["probability"])
    return lasts_s / 3600.0 * float(told.get("vehsPerHour", told.get("perHour", "0")))


def seconds(text: str) -> float:
    """Seconds, or ``[days:]hours:minutes:seconds``, as SUMO writes times."""
    total = 0.0
    for part, worth in zip(reversed(text.split(":")), (1, 60, 3600, 86400), strict=False):
        total += float(part) * worth
    return total
