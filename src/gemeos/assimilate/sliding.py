"""A black box kept in step: parameters fitted to a window of readings, then the window slides.

From where the window begins every member is run over it with its own parameters; the smoother fits
them to what was read; with what they are then, each member's simulation rolls on to where the next
window begins. Between two windows the parameters walk at random as they are declared to drift.

The state of a member is moved by its parameters alone. What they cannot explain, such as vehicles
that came by chance, stays as the simulator made it, and belongs into the readings' scatter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from gemeos.assimilate.bridge import Bridge
from gemeos.assimilate.es_mda import Draws, EsMda, Params, Predictions, Smoothed
from gemeos.assimilate.observed import Observed
from gemeos.errors import InputError
from gemeos.schema.variable import Param
from gemeos.units.instant import SECOND, Span


class Runs(Protocol):
    """Whatever runs the members, from where the window begins."""

    def predict(self, values: Params, draw: int) -> Predictions:
        """What each member would have read over the window with these natural values.

        Nothing rolls on by it. ``draw`` as in ``es_mda.Predict``. A member that fails is NaN.
        """
        ...

    def advance(self, values: Params) -> Int64[np.ndarray, " member"]:
        """Roll each member on to where the next window begins.

        Returns:
            Which member's simulation each goes on from: its own place, or that of a living one
            whose simulation was doubled for one that failed.

        Raises:
            TooFewMembersError: fewer than half are left.
        """
        ...


@runtime_checkable
class Chooses(Runs, Protocol):
    """One whose members can be exchanged, as a ``bridge`` asks for."""

    def choose(self, origin: Int64[np.ndarray, " member"]) -> None:
        """From now on each member is the simulation of that one, from where the window begins."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """The parameters after some windows: with the kept simulations, all that the next rests on."""

    params: Params
    """Coordinates."""
    failed: int = 0
    """Members that had to be replaced so far, in all windows."""


@dataclass(frozen=True, slots=True, eq=False)
class Slid:
    """What one window gave."""

    state: Walked
    smoothed: Smoothed
    """Its ``params`` are those of the window itself, before anything was doubled or walked on."""


@dataclass(frozen=True)
class SlidingWindow:
    """The smoother on a window that slides, with its settings."""

    params: tuple[Param, ...]
    stride: Span
    """How far the window slides each time."""
    uses: int = 1
    """How many windows each reading lies in: the window's length in strides. The errors count so
    many times as much in each, so that all together count a reading once (exact while model and
    errors are linear and Gaussian and nothing drifts)."""
    smoother: EsMda = field(default_factory=EsMda)
    bridge: Bridge | None = None
    """How members are chosen before they are fitted; None for not at all."""

    def __post_init__(self) -> None:
        if not self.params:
            raise InputError("There is no parameter to fit.")
        if self.stride <= 0:
            raise InputError(f"A window slides forward; {self.stride / SECOND:g} s does not.")
        if self.uses < 1:
            raise InputError(f"A reading lies in one window or more, not in {self.uses}.")

    def begun(self, members: int, draws: Draws) -> Walked:
        """Members drawn from the priors."""
        deviates = draws.normal("prior", self._names, members)
        drawn = [p.prior.at(z) for p, z in zip(self.params, deviates, strict=True)]
        inward = [p.coordinate.inward(v) for p, v in zip(self.params, drawn, strict=True)]
        return Walked(np.array(inward, np.float64))

    def natural(self, params: Params) -> Params:
        """Coordinates as values in the declared units."""
        rows = zip(self.params, params, strict=True)
        return np.array([p.coordinate.outward(row) for p, row in rows], np.float64)

    def slid(self, state: Walked, observed: Observed, runs: Runs, draws: Draws) -> Slid:
        """One window fitted, the members rolled on, the parameters walked to the next window.

        Raises:
            TooFewMembersError: fewer than half of the members could be run.
            AssimilationError: the numbers ran out of their range.
            InputError: members are to be chosen, and ``runs`` cannot exchange them.
        """
        before, uses, first = state.params, float(self.uses), None
        if self.bridge is not None:
            if not isinstance(runs, Chooses):
                raise InputError("These members cannot be exchanged: leave the bridge out.")
            first = runs.predict(self.natural(before), 0)
            chosen = self.bridge.chosen(first, observed, self.uses, draws)
            runs.choose(chosen.origin)
            before, first = before[:, chosen.origin], first[:, chosen.origin]
            uses /= 1.0 - chosen.power
        known = [] if first is None else [first]
        smoothed = self.smoother.smoothed(
            before,
            # What was predicted to choose by is what the fit begins with.
            lambda params, draw: known.pop() if known else runs.predict(self.natural(params), draw),
            observed.shared(uses),
            draws,
        )
        origin = runs.advance(self.natural(smoothed.params))
        params = smoothed.params[:, origin]
        lost = int((origin != np.arange(len(origin))).sum())
        after = Walked(
            params + self._walk(params, draws), state.failed + sum(smoothed.failed) + lost
        )
        return Slid(after, smoothed)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.params)

    def _walk(self, params: Params, draws: Draws) -> Params:
        """How far each member's parameters come within a stride."""
        lengths = np.array([p.drift * math.sqrt(self.stride / SECOND) for p in self.params])
        return lengths[:, None] * draws.normal("walk", self._names, params.shape[1])
