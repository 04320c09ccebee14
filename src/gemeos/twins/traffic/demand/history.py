"""What days before say of each way: the most likely rates, given what loops counted on average.

Where roads are not jammed for hours, the mean count of a road is the sum of what the ways along it
carry, and no simulation is needed to say so. The logarithms of the ways' rates are Gaussian
beforehand, and hang together as ``unknowns`` has it; the most likely ones are found by Gauss and
Newton's steps. Ways that loops tell apart are so told apart before the first member runs, and a
loop that does not feed the twin is foreseen from those that do.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float64

from gemeos.twins.traffic.demand.seen import Loop
from gemeos.twins.traffic.demand.unknowns import USUAL, Doubt
from gemeos.twins.traffic.demand.ways import Way

STEPS: Final = 12
LONGEST: Final = 1.0
"""Of one step, in logarithms: beyond, the linear picture is none."""
OF_LANES: Final = 0.5
"""How far vehicles may share the lanes that they can use otherwise than evenly."""
OF_MODEL: Final = 0.06
"""Share of a count by which ways that nobody thought of may make it wrong."""


class Averages(NamedTuple):
    """What was counted on average, and which ways it is of."""

    over: Float64[np.ndarray, "average way"]
    """Share of each way's vehicles that is counted in it."""
    hourly: Float64[np.ndarray, " average"]
    """Vehicles per hour."""
    error: Float64[np.ndarray, " average"]
    """Standard deviations."""


def averages(
    hourly: Float64[np.ndarray, " loop"],
    over: Float64[np.ndarray, "loop way"],
    loops: Sequence[Loop],
    lanes: Mapping[str, Sequence[str]],
    expected: Float64[np.ndarray, " way"],
    hours: float,
) -> Averages:
    """Counts of lanes, whose use is in doubt, and those of roads of which each lane is counted.

    Args:
        hourly: Vehicles per hour of loops that may be used, no two on one lane.
        over: As ``seen.passing``, of these loops.
        loops: These.
        lanes: Of each road, those that cars may use.
        expected: Vehicles per hour on each way.
        hours: Over which was counted.
    """
    rows, read, errors = [], [], []
    on_road: dict[str, list[int]] = defaultdict(list)
    for place, loop in enumerate(loops):
        on_road[loop.edge].append(place)
        in_doubt = 2.0 * OF_LANES * float((over[place] * (1.0 - over[place])) @ expected)
        rows.append(over[place])
        read.append(hourly[place])
        errors.append(_error(hourly[place], hours, in_doubt))
    for edge, places in on_road.items():
        if 1 < len(lanes.get(edge, ())) == len(places):
            rows.append(over[places].sum(axis=0))
            read.append(hourly[places].sum())
            errors.append(_error(read[-1], hours, 0.0))
    return Averages(np.array(rows), np.array(read), np.array(errors))


def _error(hourly: float, hours: float, in_doubt: float) -> float:
    return math.sqrt(max(hourly, 1.0) / hours + (OF_MODEL * hourly) ** 2 + in_doubt**2)


def likely(
    ways: Sequence[Way],
    counted: Averages,
    expected: Float64[np.ndarray, " way"],
    doubt: Doubt = USUAL,
) -> Float64[np.ndarray, " way"]:
    """The most likely vehicles per hour on each way.

    Args:
        ways: All.
        counted: What was.
        expected: Beforehand: medians.
        doubt: Beforehand: standard deviations of logarithms.
    """
    if not counted.over.size or not (counted.over @ expected > 0).any():
        return expected
    known = counted.over @ expected > 0
    over, read, error = (part[known] for part in counted)
    before = covariance(ways, doubt)
    logs = np.zeros(len(ways))
    for _ in range(STEPS):
        slopes = over * (expected * np.exp(logs))
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
