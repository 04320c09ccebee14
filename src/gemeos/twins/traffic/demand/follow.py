"""Demand followed from window to window: fitted to counts, rolled on, forgotten a little.

Each unknown is an Ornstein-Uhlenbeck process: between two windows it comes back a little to what
was expected, and its doubt grows to what it was at first. So a factor that no loop tells of stays
as wide as it began, however long the twin lives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.assimilate.es_mda import Draws, EsMda, Params, Smoothed
from gemeos.assimilate.mda_schedule import Constant
from gemeos.engines.pool import EnginePool
from gemeos.errors import InputError
from gemeos.twins.traffic.demand.seen import Errors, Loop, observed_of
from gemeos.twins.traffic.demand.unknowns import HEADWAY, SPEED, Unknowns
from gemeos.units.instant import SECOND, Span

HOUR: Final = 3600 * SECOND
SMOOTHER: Final = EsMda(Constant(2), cut_off=1.0, local=True)


@dataclass(frozen=True, slots=True)
class Memory:
    """How long unknowns stay what they are: time constants."""

    demand: Span = 6 * HOUR
    drivers: Span = 48 * HOUR

    def kept(self, unknowns: Unknowns, span: Span) -> Float64[np.ndarray, " param"]:
        """Share of each that is left after ``span``."""
        own = np.full(len(unknowns.names), math.exp(-span / self.demand))
        for name in (SPEED, HEADWAY):
            own[unknowns.row(name)] = math.exp(-span / self.drivers)
        return own


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What one window gave."""

    params: Params
    """Given all counts so far, for the window."""
    rolled: Float64[np.ndarray, "reading member"]
    """What each member read over the window with them, of all loops, the withheld among them."""
    smoothed: Smoothed


@dataclass
class Follower:
    """The demand of one district, in step. For one thread."""

    unknowns: Unknowns
    loops: tuple[Loop, ...]
    fed: Bool[np.ndarray, " loop"]
    reach: Float64[np.ndarray, "param reading"]
    stride: Span
    name: str
    seed: int = 1
    errors: Errors = field(default_factory=Errors)
    memory: Memory = field(default_factory=Memory)
    smoother: EsMda = SMOOTHER
    params: Params = field(init=False)
    """Of the window that comes next, before its counts."""
    windows: int = 0

    def begin(self, members: int) -> None:
        """Draw members from what is believed."""
        self.windows = 0
        self.params = self.draws(0).normal("prior", self.unknowns.names, members)
        self.params *= self.unknowns.sigma[:, None]

    def take(self, read: Float64[np.ndarray, " reading"], pool: EnginePool) -> Followed:
        """Fit the window that begins where the pool stands, and roll the pool on to its end.

        Raises:
            TooFewMembersError: fewer than half of the members could be run.
            AssimilationError: the numbers ran out of their range.
        """
        self.windows += 1
        draws = self.draws(self.windows)
        first: list[Float64[np.ndarray, "reading member"]] = []

        def predict(params: Params, draw: int) -> Float64[np.ndarray, "reading member"]:
            if first:
                return first.pop()
            return pool.predict(params, draw)

        predicted = pool.predict(self.params, 0)
        first.append(predicted)
        expected = np.nanmean(predicted, axis=1)
        observed = observed_of(read, expected, self.loops, self.fed, self.reach, self.errors)
        smoothed = self.smoother.smoothed(self.params, predict, observed, draws)
        origin = pool.advance(smoothed.params)
        rolled = pool.rolled
        if rolled is None:
            raise InputError("The pool did not tell what its members read.")
        self.params = self.later(smoothed.params[:, origin], self.stride, draws, "walk")
        return Followed(smoothed.params, rolled, smoothed)

    def later(self, params: Params, span: Span, draws: Draws, purpose: str) -> Params:
        """The unknowns after ``span``, of which nothing is read."""
        kept = self.memory.kept(self.unknowns, span)[:, None]
        fresh = draws.normal(purpose, self.unknowns.names, params.shape[1])
        return kept * params + np.sqrt(1.0 - kept**2) * self.unknowns.sigma[:, None] * fresh

    def coming_in(self) -> dict[str, float]:
        """Vehicles per hour on each edge where ways begin, mean over members."""
        members = [self.unknowns.rates(values) for values in self.params.T]
        told: dict[str, float] = {}
        for way, rate in zip(self.unknowns.ways, np.mean(members, axis=0), strict=True):
            told[way.edges[0]] = told.get(way.edges[0], 0.0) + float(rate)
        return told

    def draws(self, window: int) -> Draws:
        """Keys of the chances of that window."""
        return Draws(self.seed, self.name, window)
