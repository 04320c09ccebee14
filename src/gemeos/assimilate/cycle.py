"""One cycle of a twin, as the papers draw it: forecast to the instant, observe, analyse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from gemeos.assimilate.base import Assimilator
from gemeos.assimilate.diagnose import watched
from gemeos.assimilate.observe import Observed, nearest_turn, predicted, told
from gemeos.ensemble.state import NEVER, TwinState
from gemeos.simulate.advance import Crew, Stepper


@dataclass(frozen=True)
class Cycle:
    """A model and a filter, ready to follow readings."""

    stepper: Stepper
    assimilator: Assimilator

    @property
    def identity(self) -> str:
        """Hash of the model and settings of the filter: what an estimate rests on."""
        return f"{self.stepper.simulator.identity}+{self.assimilator.identity}"

    def __call__(self, state: TwinState, crew: Crew, read: Observed) -> TwinState:
        """The twins at ``read.tick``, after what was read there.

        A pure function of its arguments. ``read.tick`` lies behind each twin's own tick.
        """
        before, state = self._forecast(state, crew, read)
        state = replace(
            state,
            driven=_set(state.driven, read.driven_after),
            cycles=state.cycles + 1,
        )
        state = self._born(state, read)
        alive = state.born != NEVER
        expected = predicted(self.stepper, before, state, crew, read)
        value, usable = told(self.stepper.schema, state, read)
        used = usable & alive[:, None] & np.isfinite(expected).all(axis=2)
        mean = expected.mean(axis=2, dtype=np.float64)
        value = nearest_turn(self.stepper.schema, read, value, mean)
        members = self.assimilator.analyse(state.members, expected, value, read.variance, used)
        spread = expected.var(axis=2, ddof=1, dtype=np.float64)
        innovation = np.where(used, (value - mean) / np.sqrt(spread + read.variance), np.nan)
        return replace(
            state,
            members=members,
            monitors=_remembered(state.monitors, innovation, read),
            assimilated=state.assimilated + used.sum(axis=1),
        )

    def _forecast(
        self, state: TwinState, crew: Crew, read: Observed
    ) -> tuple[TwinState, TwinState]:
        """The twins one step before ``read.tick``, and at it. Unborn ones only get its number."""
        alive = np.flatnonzero(state.born != NEVER)
        if len(alive) == len(state):
            before = self.stepper.advance(state, crew, read.tick - 1)
            before = replace(before, driven=_set(before.driven, read.driven_before))
            return before, self.stepper.step(before, crew)
        everyone = np.arange(len(state))
        waiting = replace(state, tick=read.tick, driven=_set(state.driven, read.driven_before))
        # Copies: ``put`` writes into arrays, and those of ``state`` and ``read`` are not ours.
        before, after = waiting.take(everyone), waiting.take(everyone)
        if len(alive):
            some = self.stepper.advance(state.take(alive), crew.take(alive), read.tick[alive] - 1)
            some = replace(some, driven=_set(some.driven, read.driven_before[alive]))
            before.put(alive, some)
            after.put(alive, self.stepper.step(some, crew.take(alive)))
        return before, after

    @staticmethod
    def _born(state: TwinState, read: Observed) -> TwinState:
        """A twin is born when all that drives it has been heard; its prior holds there."""
        heard = np.isfinite(state.driven).all(axis=1)
        begins = (state.born == NEVER) & heard
        return replace(state, born=np.where(begins, read.tick, state.born))


def _set(
    driven: Float64[np.ndarray, "twin driven"], to: Float64[np.ndarray, "twin driven"]
) -> Float64[np.ndarray, "twin driven"]:
    return np.where(np.isnan(to), driven, to)


def _remembered(
    monitors: Float64[np.ndarray, "twin channel monitor"],
    innovation: Float64[np.ndarray, "twin reading"],
    read: Observed,
) -> Float64[np.ndarray, "twin channel monitor"]:
    """The monitors of every channel that was read."""
    after = monitors.copy()
    present: Bool[np.ndarray, "twin reading"] = read.channel >= 0
    for place in range(read.channel.shape[1]):
        twins = np.flatnonzero(present[:, place])
        channel = read.channel[twins, place]
        after[twins, channel] = watched(
            after[twins, channel],
            innovation[twins, place],
            read.value[twins, place],
            read.valid_at[twins, place],
        )
    return after
