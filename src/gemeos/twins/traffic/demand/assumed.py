"""Trips that are assumed where no file says who drives from where to where.

From each road over which vehicles come in to all over which they leave, more where there are more
lanes. Nothing of it is known: a twin that begins with them has more doubt.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

from gemeos.errors import SchemaError
from gemeos.twins.traffic.demand.unknowns import USUAL, Doubt
from gemeos.twins.traffic.demand.ways import Way, ways_of
from gemeos.twins.traffic.district import District
from gemeos.twins.traffic.network import Network

ASSUMED: Final = Doubt(whole=0.6, end=0.6, pair=0.6, way=0.6)
"""Of trips that no file tells."""
HOURLY_PER_LANE: Final = 150.0
"""Vehicles that come in over a lane."""
HOUR_S: Final = 3600.0
BACK: Final = "t"
"""The direction of connections that turn round."""


def believed(district: District) -> tuple[tuple[Way, ...], Doubt]:
    """All ways of a district with what is expected on them, and how far that may be wrong.

    Those of its files of trips; where it has none, of trips that are assumed.

    Raises:
        EngineError: SUMO's tools are not there, fail, or find no way.
        SchemaError: nobody can be assumed to drive through.
    """
    if district.routes:
        return ways_of(district.net, district.routes, district.additional), USUAL
    with tempfile.TemporaryDirectory() as name:
        trips = Path(name, "assumed.trips.xml")
        write_trips(assumed_trips(district.network), trips)
        return ways_of(district.net, [trips], district.additional), ASSUMED


def assumed_trips(network: Network) -> dict[tuple[str, str], int]:
    """Vehicles an hour by the roads of coming in and going out.

    Raises:
        SchemaError: vehicles can come in nowhere, or leave nowhere.
    """
    ahead = {edge: tuple(_ahead(network, edge)) for edge in network.edges if _drives(network, edge)}
    reached = {there for following in ahead.values() for there in following}
    sources = [edge for edge in ahead if edge not in reached]
    sinks = {edge: _lanes(network, edge) for edge, following in ahead.items() if not following}
    if not (sources and sinks):
        raise SchemaError(
            "No road comes from without or leads out of it, so nobody can be assumed to drive "
            "through. Name files of trips under 'routes'."
        )
    found: dict[tuple[str, str], int] = {}
    for begin in sources:
        reachable = _reachable(begin, ahead)
        ends = {end: lanes for end, lanes in sinks.items() if end in reachable and end != begin}
        for end, count in _shared(HOURLY_PER_LANE * _lanes(network, begin), ends):
            found[begin, end] = count
    return found


def write_trips(trips: Mapping[tuple[str, str], int], file: Path) -> None:
    """As trips of an hour, evenly spread, for SUMO's tools."""
    every = HOUR_S / max(sum(trips.values()), 1)
    ends = [pair for pair, count in trips.items() for _ in range(count)]
    lines = (
        f'<trip id="{i}" depart="{i * every:.3f}" from={quoteattr(a)} to={quoteattr(b)}/>'
        for i, (a, b) in enumerate(ends)
    )
    file.write_text(f"<routes>\n{chr(10).join(lines)}\n</routes>\n", "utf-8")


def _drives(network: Network, edge: str) -> bool:
    return network.edges[edge].admits()


def _lanes(network: Network, edge: str) -> int:
    return sum(lane.admits() for lane in network.edges[edge].lanes)


def _ahead(network: Network, edge: str) -> Iterator[str]:
    """Where one goes on; back where one came from is nowhere new, even onto a shorter piece."""
    here = network.edges[edge]
    back = {c.to_edge for c in network.leaving[edge] if c.direction == BACK}
    for there in network.next_edges(edge):
        other = network.edges[there]
        if there not in back and (other.begins, other.ends) != (here.ends, here.begins):
            yield there


def _reachable(begin: str, ahead: Mapping[str, tuple[str, ...]]) -> set[str]:
    found, open_ends = {begin}, [begin]
    while open_ends:
        for there in ahead.get(open_ends.pop(), ()):
            if there not in found:
                found.add(there)
                open_ends.append(there)
    return found


def _shared(total: float, weights: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Whole vehicles by weight, so that none is lost to rounding."""
    whole = sum(weights.values())
    done, seen = 0, 0
    for end, weight in weights.items():
        seen += weight
        upto = round(total * seen / whole)
        if upto > done:
            yield end, upto - done
        done = upto
