"""Counts ahead: forks of the members, and what may be told of them.

The forks run on with their demand, which comes back to what is expected, widens, and follows
yesterday's course as far as today followed it so far. What they count are means: vehicles of flows
come evenly. By how much counts scatter about that is learned from the forecasts' own past, and so
is what of a loop's counts is always higher or lower than the twin says, such as a lane that is
liked better than the model thinks.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.assimilate.es_mda import Draws, Params
from gemeos.engines.base import SupportsFork
from gemeos.engines.outcome import Told
from gemeos.engines.pool import EnginePool, Window
from gemeos.errors import TooFewMembersError
from gemeos.twins.traffic.demand.follow import Follower
from gemeos.twins.traffic.demand.unknowns import WHOLE, Unknowns

LEAST: Final = 4
"""Of members whose forks told something."""
DRAWS: Final = 25
"""For each member: counts that it might lead to."""


def foreseen(
    pool: EnginePool,
    paths: Sequence[Params],
    unknowns: Unknowns,
    window: Window,
    *,
    members: int,
    name: str,
    workers: int = 2,
) -> Float64[np.ndarray, "piece reading member"]:
    """What forks of the first ``members`` count, piece of time after piece, each a window long.

    Args:
        pool: Stands at the present; nothing rolls on by it.
        paths: Unknowns within each piece.
        unknowns: What they mean.
        window: What is asked, and how long a piece is.
        members: How many are forked.
        name: Of the twin, for errors.
        workers: How many run at once.

    Raises:
        TooFewMembersError: too few forks told anything.
    """
    origins = pool.members[:members]

    def one(place: int) -> Float64[np.ndarray, "piece reading"] | None:
        forked = origins[place].fork()
        if not isinstance(forked, Told):
            return None
        engine, rows = forked.value, []
        try:
            for params in paths:
                row = _piece(engine, unknowns, params[:, place], window)
                if row is None:
                    return None
                rows.append(row)
        finally:
            engine.close()
        return np.stack(rows)

    with ThreadPoolExecutor(workers, "gemeos-forecast") as threads:
        told = [t for t in threads.map(one, range(len(origins))) if t is not None]
    if len(told) < min(LEAST, len(origins)):
        raise TooFewMembersError(name, len(origins) - len(told), len(origins), "no forecast")
    return np.stack(told, axis=2)


def _piece(
    engine: SupportsFork, unknowns: Unknowns, params: Float64[np.ndarray, " param"], window: Window
) -> Float64[np.ndarray, " reading"] | None:
    if not isinstance(engine.set(unknowns.inputs(params)), Told):
        return None
    start, rows = engine.now, []
    for sample in range(window.samples):
        if not isinstance(engine.advance(start + (sample + 1) * window.every), Told):
            return None
        read = engine.get(window.names)
        if not isinstance(read, Told):
            return None
        rows.append([float(read.value[n]) for n in window.names])
    return np.asarray(window.told(np.array(rows)), np.float64)


def paths_of(
    follower: Follower, pieces: int, course: Sequence[float], draws: Draws
) -> list[Params]:
    """The unknowns within each coming piece.

    Args:
        follower: Stands at the present: its params are those of the first piece.
        pieces: How many, each a stride long.
        course: For each piece the logarithm by which the whole demand is expected to have changed
            from now, beside what the unknowns do by themselves.
        draws: Of what happens by chance.
    """
    params, told = follower.params, []
    row = follower.unknowns.row(WHOLE)
    for piece in range(pieces):
        if piece:
            params = follower.later(params, follower.stride, draws, f"ahead {piece}")
        moved = params.copy()
        moved[row] += course[piece]
        told.append(moved)
    return told


@dataclass
class Course:
    """How far today follows yesterday's rise and fall: learned as the day goes."""

    yesterday: Float64[np.ndarray, " stride"]
    """Logarithm of all counts together, smoothed."""
    trust: float = 0.5
    """Share of yesterday's change that is believed before today has shown anything."""
    doubt: float = 0.02
    """How much of changes, squared, it takes to learn otherwise."""
    _cross: float = 0.0
    _own: float = 0.0

    @classmethod
    def of(cls, counts: Float64[np.ndarray, "stride loop"]) -> Course:
        """Of the counts of a day."""
        return cls(smooth_log(counts.sum(axis=1)))

    def learn(self, today: Float64[np.ndarray, "stride loop"], apart: int = 3) -> None:
        """From the counts so far."""
        self._cross = self._own = 0.0
        if len(today) < 2 * apart:
            return
        own = smooth_log(today.sum(axis=1))
        for end in range(2 * apart, len(own)):
            before = self.yesterday[end] - self.yesterday[end - apart]
            self._cross += before * (own[end] - own[end - apart])
            self._own += before**2

    @property
    def share(self) -> float:
        """Of yesterday's change that today is believed to make."""
        told = (self._cross + self.trust * self.doubt) / (self._own + self.doubt)
        return float(np.clip(told, 0.0, 1.0))

    def ahead(self, now: int, pieces: int) -> list[float]:
        """For each piece after stride ``now``."""
        last = len(self.yesterday) - 1
        at = [self.yesterday[min(now + k, last)] for k in range(pieces + 1)]
        return [self.share * float(value - at[0]) for value in at[1:]]


def smooth_log(totals: Float64[np.ndarray, " stride"]) -> Float64[np.ndarray, " stride"]:
    """Logarithm of the means over three strides, or two at the ends."""
    padded = np.concatenate([totals[:1], totals, totals[-1:]])
    kernel = np.array([0.25, 0.5, 0.25])
    return np.log(np.maximum(np.convolve(padded, kernel, "valid"), 1.0))


@dataclass
class Record:
    """What the twin has learned of its own counts: each loop's factor, each lead's scatter."""

    loops: int
    leads: int
    weight: float = 60.0
    """Vehicles that it takes to doubt half of a loop's being as the twin says."""
    memory: float = 0.85
    """Share of what was learned of a loop that is left a stride later."""
    dispersion: float = 1.3
    prior: float = 40.0
    """Forecasts that ``dispersion`` is worth."""
    _read: Float64[np.ndarray, " loop"] = field(init=False)
    _said: Float64[np.ndarray, " loop"] = field(init=False)
    _square: Float64[np.ndarray, " lead"] = field(init=False)
    _number: Float64[np.ndarray, " lead"] = field(init=False)

    def __post_init__(self) -> None:
        self._read, self._said = np.zeros(self.loops), np.zeros(self.loops)
        self._square, self._number = np.zeros(self.leads), np.zeros(self.leads)

    def saw(self, read: Float64[np.ndarray, " loop"], said: Float64[np.ndarray, " loop"]) -> None:
        """A window's counts beside those of the twin that was fitted to them; NaN is not read."""
        heard = np.isfinite(read)
        self._read = self.memory * self._read + np.where(heard, read, 0.0)
        self._said = self.memory * self._said + np.where(heard, said, 0.0)

    @property
    def factor(self) -> Float64[np.ndarray, " loop"]:
        """By which each loop reads more than the twin says."""
        return (self._read + self.weight) / (self._said + self.weight)

    def came(
        self,
        lead: int,
        means: Float64[np.ndarray, "loop member"],
        read: Float64[np.ndarray, " loop"],
    ) -> None:
        """What a forecast said, and what came of it."""
        heard = np.isfinite(read)
        middle = means.mean(axis=1)[heard]
        between = means.var(axis=1, ddof=1)[heard]
        square = ((read[heard] - middle) ** 2 - between) / np.maximum(middle, 1.0)
        # One count that nobody could foresee must not widen all that follow.
        self._square[lead] += float(np.clip(square, -5.0, 12.0).sum())
        self._number[lead] += float(heard.sum())

    def scatter(self, lead: int) -> float:
        """Variance of a count about its mean, over the mean."""
        total = self._square[lead] + self.prior * self.dispersion
        return max(total / (self._number[lead] + self.prior), 0.3)


def counts_of(
    means: Float64[np.ndarray, "loop member"], scatter: float, rng: np.random.Generator
) -> Float64[np.ndarray, "loop draw"]:
    """Whole counts that may come: ``DRAWS`` of each member, its mean and so much scatter.

    Negative binomial where counts scatter more than Poisson's; else Gaussian, rounded.
    """
    many = np.repeat(np.maximum(means, 0.05), DRAWS, axis=1)
    if scatter > 1.0 + 1e-3:
        size = many / (scatter - 1.0)
        return rng.negative_binomial(size, 1.0 / scatter).astype(np.float64)
    drawn = rng.normal(many, np.sqrt(scatter * many))
    return np.maximum(np.rint(drawn), 0.0)
