"""The map of a district: its roads, simplified and bounded, and what stands on them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from gemeos.schema.scene import Ground, Mark, Place, Road
from gemeos.twins.traffic.district import District
from gemeos.twins.traffic.network import Detector, Edge, Lane, Network

VEHICLES: Final = "vehicles a minute"
"""Twins of districts count by the minute."""
DRIVEN: Final = "mean speed"
MOST_ROADS: Final = 2500
"""Beyond, only the longest are drawn."""
MOST_POINTS: Final = 8000
"""Of all roads together, as long as they have more than their two ends."""
FINEST: Final = 1.0 / 1500.0
"""Of the map's width: less than that nobody sees."""


def ground_of(
    district: District, counts: Mapping[str, str], speeds: Mapping[str, str] | None = None
) -> Ground:
    """Its map, with what reads on it.

    Args:
        district: Whose.
        counts: By detector: the twin's sensor of its count.
        speeds: The same of its mean speed.
    """
    network = district.network
    drawn = sorted((e for e in network.edges.values() if _is_drawn(e)), key=_longest_first)
    kept = drawn[:MOST_ROADS]
    marks = tuple(
        Mark(
            name,
            place_of(network, detector),
            _road_of(network, detector),
            {
                quantity: of[name]
                for quantity, of in ((VEHICLES, counts), (DRIVEN, speeds or {}))
                if name in of
            },
        )
        for name, detector in district.detectors.items()
    )
    return Ground(
        roads=_roads(kept),
        marks=marks,
        signals={n: at for n in network.signals if (at := signal_at(network, n)) is not None},
        attribution=district.attribution,
        left_out=len(drawn) - len(kept),
    )


def place_of(network: Network, detector: Detector) -> Place | None:
    """Where it lies in its lane; None where nothing tells how the lane runs."""
    lane = network.lanes[detector.lane]
    if not lane.shape:
        return None
    # A lane's length may be told otherwise than its shape is long: SUMO goes by the share.
    share = min(max(detector.position_m / lane.length_m, 0.0), 1.0) if lane.length_m > 0 else 0.0
    left = share * sum(math.dist(a, b) for a, b in pairwise(lane.shape))
    for a, b in pairwise(lane.shape):
        size = math.dist(a, b)
        if left <= size and size > 0:
            return a[0] + (b[0] - a[0]) * left / size, a[1] + (b[1] - a[1]) * left / size
        left -= size
    return lane.shape[-1]


def signal_at(network: Network, name: str) -> Place | None:
    """In the middle of the stop lines that it holds; None where it holds none with a shape."""
    lanes = {c.from_lane for held in network.signals[name].links for c in held}
    ends = [network.lanes[i].shape[-1] for i in sorted(lanes) if network.lanes[i].shape]
    if not ends:
        return None
    return sum(x for x, _ in ends) / len(ends), sum(y for _, y in ends) / len(ends)


def simplified(points: Sequence[Place], within: float) -> tuple[Place, ...]:
    """The line with as few of its points as keep it within so many metres of itself.

    References:
        Douglas & Peucker (1973), Cartographica 10 (2), 112-122.
    """
    kept = {0, len(points) - 1}
    open_ = [(0, len(points) - 1)]
    while open_:
        first, last = open_.pop()
        far, place = max(
            ((_beside(points[k], points[first], points[last]), k) for k in range(first + 1, last)),
            default=(0.0, first),
        )
        if far > within:
            kept.add(place)
            open_ += [(first, place), (place, last)]
    return tuple(points[k] for k in sorted(kept))


def _beside(point: Place, a: Place, b: Place) -> float:
    """How far a point lies from the piece of a line between two others."""
    size = math.dist(a, b)
    if size == 0:
        return math.dist(point, a)
    along = ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / size**2
    along = min(max(along, 0.0), 1.0)
    return math.dist(point, (a[0] + along * (b[0] - a[0]), a[1] + along * (b[1] - a[1])))


def _roads(edges: Sequence[Edge]) -> tuple[Road, ...]:
    shapes = [_middle(edge) for edge in edges]
    within = FINEST * _width(p for shape in shapes for p in shape)
    while True:
        lines = [simplified(shape, within) for shape in shapes]
        # Without bends there is nothing more to be left out.
        if sum(map(len, lines)) <= MOST_POINTS or all(len(line) == 2 for line in lines):
            break
        within = max(2.0 * within, FINEST)
    return tuple(Road(line, len(_driven(e))) for line, e in zip(lines, edges, strict=True))


def _width(points: Iterable[Place]) -> float:
    known = list(points)
    if not known:
        return 0.0
    return max(
        max(x for x, _ in known) - min(x for x, _ in known),
        max(y for _, y in known) - min(y for _, y in known),
    )


def _is_drawn(edge: Edge) -> bool:
    """Whether cars may drive there, and where it runs is told."""
    return edge.admits() and len(_middle(edge)) > 1


def _middle(edge: Edge) -> tuple[Place, ...]:
    """Of its lanes for cars the one in the middle."""
    lanes = _driven(edge)
    return lanes[len(lanes) // 2].shape


def _driven(edge: Edge) -> list[Lane]:
    return [lane for lane in edge.lanes if lane.admits()]


def _longest_first(edge: Edge) -> tuple[float, str]:
    return -edge.length_m, edge.id


def _road_of(network: Network, detector: Detector) -> str:
    """The road's name, where it has one, and its id and lane."""
    edge, _, index = detector.lane.rpartition("_")
    found = network.edges.get(edge)
    name = f"{found.name}, " if found is not None and found.name else ""
    return f"{name}{edge}, lane {index}"
