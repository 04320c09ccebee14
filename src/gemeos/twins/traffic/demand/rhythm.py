"""How demand rises and falls by the district's own files, road by road, before anything is counted.

Files of trips are cut from something larger: where an upstream signal or a school lets out,
vehicles come in bunches of minutes that no mean over the hour shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.twins.traffic.demand.ways import Departure

BIN_S: Final = 300.0
WORTH: Final = 10.0
"""Vehicles that a bin of a road must have so that it is believed as much as the whole district."""
FEWEST_BINS: Final = 3
"""Fewer tell of no rise and no fall."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Factors of mean rates."""

    turns: tuple[float, ...] = ()
    """Seconds of the model's time from which on each is; after the last one nothing is known: 1."""
    by_road: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    whole: tuple[float, ...] = ()

    def of(self, road: str) -> tuple[float, ...]:
        """Of vehicles that begin there."""
        return self.by_road.get(road, self.whole)


NONE_KNOWN: Final = Rhythm()


def rhythm_of(departures: Sequence[Departure]) -> Rhythm:
    """The rise and fall of these departures.

    Counts of bins, each mixed with its neighbours: a quarter, a half, a quarter. A road's are drawn
    to those of the whole district, by how few vehicles it has: the mean of a gamma distribution
    about the district's factor, given a Poisson count.

    Args:
        departures: Of all vehicles of the files.
    """
    if not departures:
        return NONE_KNOWN
    first, last = min(departures)[0], max(departures)[0]
    bins = int((last - first) / BIN_S)
    if bins < FEWEST_BINS:
        return NONE_KNOWN
    on_road = defaultdict[str, list[float]](list)
    for at, road in departures:
        on_road[road].append(at)

    def counted(times: Sequence[float]) -> Float64[np.ndarray, " bin"]:
        counts = np.histogram(times, bins=bins, range=(first, last))[0]
        padded = np.concatenate([counts[:1], counts, counts[-1:]])
        return np.convolve(padded, [0.25, 0.5, 0.25], "valid")

    whole = counted([at for at, _ in departures])
    whole /= whole.mean()
    by_road = {}
    for road, times in on_road.items():
        own = counted(times)
        drawn = (own + WORTH * whole) / (own.mean() + WORTH)
        by_road[road] = (*map(float, drawn), 1.0)
    edges = np.linspace(first, last, bins + 1)
    return Rhythm((*map(float, edges),), by_road, (*map(float, whole), 1.0))
