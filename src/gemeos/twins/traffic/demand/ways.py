"""The ways that vehicles may take through a district, with how many are expected on each.

From trips, by SUMO's own ``duarouter``: the ways that the district's files give, and for each
origin and destination further ones, the fastest where the roads' times are drawn anew. Which of
them are used, and by how many, is what the twin finds out; here is only what may be.
"""

from __future__ import annotations

import tempfile
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from xml.sax.saxutils import quoteattr

from gemeos.engines.sumo.controls import PREFIX
from gemeos.engines.sumo.programs import run_program
from gemeos.errors import EngineError
from gemeos.twins.traffic.demand.zones import by_roads

LIMIT_S: Final = 120.0
"""For one call of a program of SUMO's."""
ALTERNATIVES: Final = 3
"""Drawn for each origin and destination; many are drawn twice."""
RANDOM_FACTOR: Final = 2.0
"""Times of roads are drawn between once and so many times the free one's."""
BESIDE: Final = 0.2
"""Share of the vehicles that may be expected on ways that the files do not give."""
HOUR_S: Final = 3600.0
Departure: TypeAlias = tuple[float, str]
"""Second of the model's time, and first road."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way through the district."""

    name: str
    edges: tuple[str, ...]
    hourly: float
    """Vehicles per hour that are expected before anything is counted."""

    @property
    def ends(self) -> tuple[str, str]:
        """First and last edge."""
        return self.edges[0], self.edges[-1]


def ways_of(
    net: Path,
    routes: Sequence[Path],
    additional: Sequence[Path] = (),
    *,
    alternatives: int = ALTERNATIVES,
    seed: int = 1,
) -> tuple[Way, ...]:
    """All ways of the trips in ``routes``, by falling number of vehicles.

    Args:
        net: The network.
        routes: Files of trips, vehicles or flows.
        additional: What these refer to, such as types of vehicles.
        alternatives: How many further ways are drawn for each origin and destination.
        seed: Of those draws.

    Raises:
        EngineError: SUMO's tools are not there, fail, take too long, or there is no trip.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given, departures = _given(net, routes, additional, folder)
        hours = _lasting(departures)
        ends = Counter[tuple[str, str]]()
        for edges, count in given.items():
            ends[edges[0], edges[-1]] += count
        drawable = _for_any_car(net, given, folder)
        further = _further(net, list(ends), alternatives, seed, folder)
    expected: dict[tuple[str, ...], float] = {}
    for pair, count in ends.items():
        known = {w: given[w] for w in given if (w[0], w[-1]) == pair and w in drawable}
        new = [w for w in further[pair] if w not in known]
        beside = (BESIDE if known else 1.0) if new else 0.0
        total = sum(known.values())
        for way, of_way in known.items():
            expected[way] = (1.0 - beside) * count * of_way / total / hours
        for way in new:
            expected[way] = beside * count / len(new) / hours
    if not expected:
        raise EngineError("duarouter", "no vehicle of these trips finds a way")
    order = sorted(expected, key=lambda way: (-expected[way], way))
    return tuple(Way(f"way{i}", way, expected[way]) for i, way in enumerate(order))


def departures_of(
    net: Path, routes: Sequence[Path], additional: Sequence[Path] = ()
) -> list[Departure]:
    """When and where vehicles of these files set out; arguments and errors as ``ways_of``."""
    with tempfile.TemporaryDirectory() as name:
        return _given(net, routes, additional, Path(name))[1]


def write_ways(ways: Iterable[Way], file: Path) -> None:
    """As routes of the names that flows of ``engines.sumo`` look for, in an additional file."""
    lines = (f"<route id={quoteattr(PREFIX + w.name)} edges={_edges(w.edges)}/>" for w in ways)
    file.write_text(f"<additional>\n{chr(10).join(lines)}\n</additional>\n", "utf-8")


def flows_of(ways: Iterable[Way]) -> dict[str, tuple[str, ...]]:
    """For ``Sumo.flows``, beside the file of ``write_ways``."""
    return {way.name: way.ends for way in ways}


def _given(
    net: Path, routes: Sequence[Path], additional: Sequence[Path], folder: Path
) -> tuple[Counter[tuple[str, ...]], list[Departure]]:
    """How many vehicles of the files go which way, and when and where each sets out.

    Those that stop under way are buses and the like, which keep to a timetable.
    """
    out = folder / "given.rou.xml"
    more = ("-a", ",".join(map(str, additional))) if additional else ()
    routes = by_roads(routes, additional, folder)
    run_program(
        "duarouter",
        ["-n", net, "-r", ",".join(map(str, routes)), *more, "-o", out, *_JUNCTIONS, *_QUIET],
        limit_s=LIMIT_S,
    )
    found, departures = Counter[tuple[str, ...]](), list[Departure]()
    for vehicle in _vehicles(out):
        if vehicle.find("stop") is None and (way := _way(vehicle)):
            found[way] += 1
            # Some depart when another one comes: that is no time.
            if (depart := vehicle.get("depart", "0"))[:1].isdigit():
                departures.append((float(depart), way[0]))
    if not departures:
        raise EngineError(
            "duarouter",
            "there is no vehicle in the files of trips that finds a way. With 'routes = []' in "
            "district.toml trips are assumed",
        )
    return found, departures


def _lasting(departures: Sequence[Departure]) -> float:
    """Hours over which they set out: the last one on average a gap before the end."""
    span = max(departures)[0] - min(departures)[0]
    return max(span * (len(departures) + 1) / len(departures) / HOUR_S, 1.0 / 60.0)


def _for_any_car(net: Path, ways: Iterable[tuple[str, ...]], folder: Path) -> set[tuple[str, ...]]:
    """Those of the ways that every car may drive."""
    asked, out = folder / "cars.rou.xml", folder / "cars.out.xml"
    lines = (
        f'<vehicle id="{i}" depart="0"><route edges={_edges(way)}/></vehicle>'
        for i, way in enumerate(ways)
    )
    asked.write_text(f"<routes>{''.join(lines)}</routes>", "utf-8")
    run_program("duarouter", ["-n", net, "-r", asked, "-o", out, *_QUIET], limit_s=LIMIT_S)
    return {_way(vehicle) for vehicle in _vehicles(out)}


def _further(
    net: Path, ends: Sequence[tuple[str, str]], draws: int, seed: int, folder: Path
) -> dict[tuple[str, str], list[tuple[str, ...]]]:
    """The ways that are fastest where times are drawn, each once, for each pair of ends."""
    asked, out = folder / "trips.xml", folder / "drawn.rou.xml"
    lines = (
        f'<trip id="{i}" depart="0" from={quoteattr(a)} to={quoteattr(b)}/>'
        for i, (a, b) in enumerate(ends)
    )
    asked.write_text(f"<routes>{''.join(lines)}</routes>", "utf-8")
    found: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
    for draw in range(draws):
        factor = ("--weights.random-factor", str(RANDOM_FACTOR), "--seed", str(seed + draw))
        run_program(
            "duarouter", ["-n", net, "-r", asked, "-o", out, *factor, *_QUIET], limit_s=LIMIT_S
        )
        for vehicle in _vehicles(out):
            way = _way(vehicle)
            if way and way not in found[way[0], way[-1]]:
                found[way[0], way[-1]].append(way)
    return found


_JUNCTIONS: Final = ("--junction-taz", "true")
"""Trips may be told from junction to junction."""
_QUIET: Final = ("--ignore-errors", "true", "--no-warnings", "true", "--no-step-log", "true")


def _vehicles(file: Path) -> list[ET.Element]:
    return ET.parse(file).getroot().findall("vehicle")  # noqa: S314 - SUMO's own file


def _way(vehicle: ET.Element) -> tuple[str, ...]:
    route = vehicle.find("route")
    return () if route is None else tuple(route.get("edges", "").split())


def _edges(way: tuple[str, ...]) -> str:
    return quoteattr(" ".join(way))
