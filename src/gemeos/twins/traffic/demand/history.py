"""What days before say of each way: the most likely rates, given what loops counted on average.

Where roads are not jammed for hours, the mean count of a road is the sum of what the ways along it
carry, and no simulation is needed to say so. The logarithms of the ways' rates are Gaussian
beforehand, and hang together as ``unknowns`` has it; the most likely ones are found by Gauss and
Newton's steps. Ways that loops tell apart are so told apart before the first member runs, and a
loop that does not feed the twin is foreseen from those that do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float64

from gemeos.twins.traffic.demand.unknowns import USUAL, Doubt
from gemeos.twins.traffic.demand.ways import Way

STEPS: Final = 12
LONGEST: Final = 1.0
"""Of one step, in logarithms: beyond, the linear picture is none."""
OF_LANES: Final = 0.5
"""How far lanes may share a road's vehicles otherwise than evenly, where some are not counted."""
OF_MODEL: Final = 0.05
"""Share of a road's count by which ways that nobody thought of may make it wrong."""


class Road(NamedTuple):
    """What is known of one road."""

    edge: str
    hourly: float
    """Vehicles per hour, those on lanes that are not counted among them if lanes share evenly."""
    error: float
    """Its standard deviation."""


def roads_of(
    hourly: Mapping[str, float],
    lanes: Mapping[str, Sequence[str]],
    loops: Mapping[str, str],
    hours: float,
) -> list[Road]:
    """Roads that are counted, wholly or in part.

    Args:
        hourly: Vehicles per hour of each loop that may be used.
        lanes: Of each road, those that cars may use.
        loops: Lane of each loop. Of two on one lane the first one counts.
        hours: Over which was counted.
    """
    of_lane: dict[str, float] = {}
    for name, rate in hourly.items():
        of_lane.setdefault(loops[name], rate)
    counted: dict[str, list[float]] = defaultdict(list)
    for lane, rate in of_lane.items():
        counted[lane.rpartition("_")[0]].append(rate)
    found = []
    for edge, rates in counted.items():
        share = min(1.0, len(rates) / max(len(lanes.get(edge, ())), 1))
        rate = sum(rates) / share
        variance = max(rate, 1.0) / share / hours
        variance += rate**2 * (OF_MODEL**2 + (OF_LANES * (1.0 - share)) ** 2)
        found.append(Road(edge, rate, float(np.sqrt(variance))))
    return found


def likely(
    ways: Sequence[Way],
    roads: Sequence[Road],
    expected: Float64[np.ndarray, " way"],
    doubt: Doubt = USUAL,
) -> Float64[np.ndarray, " way"]:
    """The most likely vehicles per hour on each way.

    Args:
        ways: All.
        roads: What was counted.
        expected: Beforehand: medians.
        doubt: Beforehand: standard deviations of logarithms.
    """
    edges = [frozenset(way.edges) for way in ways]
    along = np.array([[road.edge in own for own in edges] for road in roads], np.float64)
    known = along @ expected > 0 if len(roads) else np.zeros(0, bool)
    if not known.any():
        return expected
    along = along[known]
    read = np.array([road.hourly for road in roads], np.float64)[known]
    error = np.array([road.error for road in roads], np.float64)[known]
    before = covariance(ways, doubt)
    logs = np.zeros(len(ways))
    for _ in range(STEPS):
        slopes = along * (expected * np.exp(logs))
        cross = before @ slopes.T
        wanted = cross @ np.linalg.solve(
            slopes @ cross + np.diag(error**2), read - slopes.sum(axis=1) + slopes @ logs
        )
        step = wanted - logs
        logs = logs + step * min(1.0, LONGEST / max(float(np.abs(step).max()), 1e-9))
    return np.asarray(expected * np.exp(logs))


def covariance(ways: Sequence[Way], doubt: Doubt) -> Float64[np.ndarray, "way way"]:
    """Of the logarithms of the ways' rates: as the sum of factors that ``unknowns`` names."""
    first, last = ([way.ends[side] for way in ways] for side in (0, 1))
    same_first, same_last = _same(first), _same(last)
    return (
        doubt.whole**2
        + doubt.end**2 * (same_first + same_last)
        + doubt.pair**2 * same_first * same_last
        + doubt.way**2 * np.eye(len(ways))
    )


def _same(names: Sequence[str]) -> Float64[np.ndarray, "way way"]:
    numbers = np.unique(names, return_inverse=True)[1]
    return (numbers[:, None] == numbers[None, :]).astype(np.float64)
