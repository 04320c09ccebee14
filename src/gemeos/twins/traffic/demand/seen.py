"""What loops tell of ways, and how wrong it may be.

A window's readings are the vehicles that each loop counted in it, and of all loops together the
mean speed of what they counted. Twin and world are read in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.assimilate.observed import Observed
from gemeos.engines.pool import Samples, Window
from gemeos.twins.traffic.demand.unknowns import DRIVERS, Unknowns
from gemeos.twins.traffic.demand.ways import Way
from gemeos.twins.traffic.network import Network
from gemeos.units.instant import SECOND

MINUTE: Final = 60 * SECOND
MEAN_SPEED: Final = "mean speed"
FAINT: Final = 0.03
"""Share of a loop's vehicles below which a factor is not told from it, ..."""
CLEAR: Final = 0.12
"""... and from which it is told without restraint."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A detector that counts."""

    name: str
    lane: str

    @property
    def edge(self) -> str:
        """The road that it lies in."""
        return self.lane.rpartition("_")[0]


@dataclass(frozen=True, slots=True)
class Errors:
    """Of what is read, beside what the unknowns explain."""

    dispersion: float = 1.2
    """Variance of a count over its mean: arrivals by chance, and where a window cuts a platoon."""
    model: float = 0.08
    """Share of a count by which the model may be wrong there: lanes chosen, ways not thought of."""
    speed: float = 0.04
    """Share of the mean speed."""


def passing(
    ways: Sequence[Way],
    loops: Sequence[Loop],
    lanes: Mapping[str, Sequence[str]],
    onward: Mapping[tuple[str, str], Collection[str]],
) -> Float64[np.ndarray, "loop way"]:
    """Share of each way's vehicles that drive over each loop.

    Of the lanes from which their way goes on, they are believed to use each as much as the others.

    Args:
        ways: All.
        loops: All.
        lanes: Of each road, those that cars may use.
        onward: Lanes from which one road is reached from another.
    """
    shares = np.zeros((len(loops), len(ways)))
    on_road: dict[str, list[int]] = defaultdict(list)
    for place, loop in enumerate(loops):
        on_road[loop.edge].append(place)
    for number, way in enumerate(ways):
        for edge, after in zip(way.edges, (*way.edges[1:], ""), strict=True):
            if edge in on_road:
                own = set(lanes.get(edge, ())) or {loops[i].lane for i in on_road[edge]}
                used = own & set(onward.get((edge, after), own)) or own
                for place in on_road[edge]:
                    shares[place, number] = (loops[place].lane in used) / len(used)
    return shares


def lanes_of(network: Network) -> dict[str, list[str]]:
    """Of each road, the lanes that cars may use."""
    return {e.id: [lane.id for lane in e.lanes if lane.admits()] for e in network.edges.values()}


def passing_in(
    network: Network, ways: Sequence[Way], loops: Sequence[Loop]
) -> Float64[np.ndarray, "loop way"]:
    """As ``passing``, with the lanes of that network."""
    onward = defaultdict[tuple[str, str], set[str]](set)
    for link in network.connections:
        onward[link.from_edge, link.to_edge].add(link.from_lane)
    return passing(ways, loops, lanes_of(network), onward)


def reach_of(
    unknowns: Unknowns, over: Float64[np.ndarray, "loop way"]
) -> Float64[np.ndarray, "param reading"]:
    """How far each reading may move each factor: by the share of the loop's vehicles it is of.

    The drivers' reach is everything; of the mean speed nothing else is told.

    Args:
        unknowns: With what is expected.
        over: As ``passing``.
    """
    through = over * unknowns.expected
    total = through.sum(axis=1)
    share = (unknowns.of.astype(np.float64) @ through.T) / np.where(total > 0, total, 1.0)
    reach = np.zeros((len(unknowns.names), len(over) + 1))
    reach[:, :-1] = np.clip((share - FAINT) / (CLEAR - FAINT), 0.0, 1.0)
    for row, name in enumerate(unknowns.names):
        if name in DRIVERS:
            reach[row] = 1.0
    return reach


def window_of(loops: Sequence[Loop], minutes: int, fed: Bool[np.ndarray, " loop"]) -> Window:
    """What is asked of an engine each minute, and what is made of it.

    Args:
        loops: All of them.
        minutes: Length, and how far the next window lies.
        fed: Those whose speeds count.
    """
    names = tuple(
        f"detector.{loop.name}.interval_{q}" for q in ("count", "speed") for loop in loops
    )

    def told(samples: Samples) -> Float64[np.ndarray, " reading"]:
        return readings(samples[:, : len(loops)], samples[:, len(loops) :], fed)

    return Window(names, every=MINUTE, samples=minutes, told=told)


def readings(
    counts: Float64[np.ndarray, "minute loop"],
    speeds: Float64[np.ndarray, "minute loop"],
    fed: Bool[np.ndarray, " loop"],
) -> Float64[np.ndarray, " reading"]:
    """Sums of counts, and the mean speed of all vehicles over fed loops: 0 where there is none."""
    known = (counts > 0) & (speeds >= 0) & fed
    vehicles = float(counts[known].sum())
    mean = float((counts[known] * speeds[known]).sum()) / vehicles if vehicles else 0.0
    return np.append(counts.sum(axis=0), mean)


def observed_of(
    read: Float64[np.ndarray, " reading"],
    expected: Float64[np.ndarray, " reading"],
    loops: Sequence[Loop],
    fed: Bool[np.ndarray, " loop"],
    reach: Float64[np.ndarray, "param reading"],
    errors: Errors,
) -> Observed:
    """What was read, for the smoother; nothing of loops that are not fed.

    Args:
        read: As ``readings``; NaN where nothing came.
        expected: By the twin, before. Errors grow with what is expected and not with what was
            read: else a count that is low by chance would weigh more than one that is high, and
            the twin would fall short of the mean.
        loops: All of them.
        fed: Those that may be used.
        reach: As ``reach_of``.
        errors: Of what is read.
    """
    values = read.copy()
    values[:-1][~fed] = np.nan
    if not read[-1] > 0:
        values[-1] = np.nan
    variance = errors.dispersion * np.maximum(expected, 1.0) + (errors.model * expected) ** 2
    variance[-1] = max(errors.speed * float(expected[-1]), 0.1) ** 2
    names = (*(loop.name for loop in loops), MEAN_SPEED)
    return Observed(names, values, variance, reach=reach)
