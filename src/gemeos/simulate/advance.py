"""Moving every member on to an instant of the grid: model, noise, running sums, failed members."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt32

from gemeos.ensemble.noise import standard_normal
from gemeos.ensemble.state import TwinState, natural
from gemeos.errors import TooFewMembersError
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Crew, MovesEnsembles, Simulator
from gemeos.simulate.outcome import LEAST_LIVING
from gemeos.simulate.process import spread_of_rows, steps_covered, streams_of_rows


@dataclass(frozen=True)
class Stepper:
    """Implements ``base.Steps`` with a model of ours: its noise and sums are worked out once."""

    simulator: Simulator

    @property
    def schema(self) -> Schema:
        """What the model declares."""
        return self.simulator.schema

    @cached_property
    def _noisy(self) -> Int64[np.ndarray, " noisy"]:
        return np.flatnonzero(self._spread_of_rows > 0)

    @cached_property
    def _spread_of_rows(self) -> Float[np.ndarray, " row"]:
        return spread_of_rows(self.schema)

    @cached_property
    def _streams(self) -> UInt32[np.ndarray, " noisy"]:
        return streams_of_rows(self.schema)[self._noisy]

    @cached_property
    def _steps_covered(self) -> Int64[np.ndarray, " running"]:
        return steps_covered(self.schema)

    @cached_property
    def _mover(self) -> MovesEnsembles | None:
        """The simulator, if it does all of this at once."""
        return self.simulator if isinstance(self.simulator, MovesEnsembles) else None

    def observed(
        self, state: TwinState, crew: Crew, members: Float[np.ndarray, "twin row member"]
    ) -> Float[np.ndarray, "twin output member"]:
        """What sensors and virtual sensors are for ``members``, driven as in ``state``."""
        if self._mover is not None:
            return self._mover.observed(members, by_member(state.driven), crew.consts)
        driven = by_member(state.driven).astype(self.schema.precision)
        return self.simulator.observe(natural(self.schema, members), driven, crew.consts)

    @cached_property
    def told_names(self) -> tuple[str, ...]:
        """Names of the variables that ``told`` answers, in its order."""
        schema = self.schema
        return tuple(v.name for v in (*schema.estimated, *schema.driven, *schema.outputs))

    def told(self, state: TwinState, crew: Crew) -> Float[np.ndarray, "twin variable member"]:
        """Everything that can be asked of the twins: states, params, what drives, outputs."""
        values = natural(self.schema, state.members)
        driven = np.broadcast_to(
            by_member(state.driven).astype(values.dtype),
            (len(state), len(self.schema.driven), values.shape[2]),
        )
        return np.concatenate([values, driven, self.observed(state, crew, state.members)], axis=1)

    def step(self, state: TwinState, crew: Crew) -> TwinState:
        """All twins one step on. They must be born."""
        if self._mover is not None:
            return self._moved(self._mover, state, crew, np.ones(len(state), np.int64))
        schema = self.schema
        kind = schema.precision
        tick = state.tick + 1
        driven = by_member(state.driven).astype(kind)
        moved = self.simulator.step(natural(schema, state.members), driven, crew.consts)
        members = state.members.copy()
        for row, variable in enumerate(schema.states):
            members[:, row, :] = variable.coordinate.inward(moved[:, row, :])
        if len(self._noisy):
            deviates = standard_normal(crew.keys, tick, self._streams, members.shape[2])
            spread = self._spread_of_rows[self._noisy].astype(kind)[:, None]
            members[:, self._noisy, :] += spread * deviates.astype(kind)
        members, failed = self._mended(members, state, crew)
        ahead = replace(state, tick=tick, members=members, failed=state.failed + failed)
        return self._summed(ahead, crew) if schema.running else ahead

    def failing(self, state: TwinState, crew: Crew) -> Bool[np.ndarray, "twin member"]:
        """The members that fail in the step behind ``state``."""
        schema = self.schema
        driven = by_member(state.driven).astype(schema.precision)
        moved = self.simulator.step(natural(schema, state.members), driven, crew.consts)
        sound: Bool[np.ndarray, "twin member"] = np.isfinite(state.members).all(axis=1)
        for row, variable in enumerate(schema.states):
            sound &= np.isfinite(variable.coordinate.inward(moved[:, row, :]))
        return ~sound

    def _summed(self, state: TwinState, crew: Crew) -> TwinState:
        """Running sums with this instant added; a sum begins anew behind each whole interval."""
        outputs = self.observed(state, crew, state.members)
        members = state.members
        for place, sensor in enumerate(self.schema.running):
            row = len(self.schema.estimated) + place
            begins = ((state.tick - 1) % self._steps_covered[place] == 0)[:, None]
            members[:, row, :] = np.where(begins, 0, members[:, row, :]) + outputs[:, sensor, :]
        return state

    def _mended(
        self, members: Float[np.ndarray, "twin row member"], state: TwinState, crew: Crew
    ) -> tuple[Float[np.ndarray, "twin row member"], Int64[np.ndarray, " twin"]]:
        """Failed members replaced by living ones' copies, and how many there were (contract 5)."""
        living: Bool[np.ndarray, "twin member"] = np.isfinite(members).all(axis=1)
        failed = (~living).sum(axis=1)
        if not failed.any():
            return members, failed
        size = members.shape[2]
        for twin in np.flatnonzero(failed):
            alive = np.flatnonzero(living[twin])
            if len(alive) < LEAST_LIVING * size:
                tick = int(state.tick[twin]) + 1
                raise _too_few(crew.names[twin], int(failed[twin]), members, tick)
            for member in np.flatnonzero(~living[twin]):
                # The nearest living one above, around the end: a choice that needs no dice.
                after = alive[np.searchsorted(alive, member) % len(alive)]
                members[twin, :, member] = members[twin, :, after]
        return members, failed

    def advance(self, state: TwinState, crew: Crew, until: Int64[np.ndarray, " twin"]) -> TwinState:
        """Every twin moved on to its own tick ``until``; one that is there already stays."""
        if self._mover is not None:
            if not (state.tick < until).any():
                return state
            return self._moved(self._mover, state, crew, np.maximum(until - state.tick, 0))
        while True:
            behind = np.flatnonzero(state.tick < until)
            if len(behind) == 0:
                return state
            if len(behind) == len(state):
                state = self.step(state, crew)
                continue
            ahead = self.step(state.take(behind), crew.take(behind))
            state = state.take(np.arange(len(state)))
            state.put(behind, ahead)

    def _moved(
        self, mover: MovesEnsembles, state: TwinState, crew: Crew, steps: Int64[np.ndarray, " twin"]
    ) -> TwinState:
        """Every twin so many steps on, in one call."""
        driven = by_member(state.driven)
        moved = mover.moved(state.members, driven, crew.consts, crew.keys, state.tick, steps)
        for twin in np.flatnonzero(moved.lost)[:1]:
            raise _too_few(
                crew.names[twin], int(moved.lost[twin]), moved.members, int(moved.tick[twin])
            )
        return replace(
            state, tick=moved.tick, members=moved.members, failed=state.failed + moved.failed
        )


def by_member(
    driven: Float64[np.ndarray, "twin driven *member"],
) -> Float64[np.ndarray, "twin driven #member"]:
    """``TwinState.driven`` as simulators take it."""
    return driven if driven.ndim == 3 else driven[:, :, None]


def _too_few(
    name: str, failed: int, members: Float[np.ndarray, "twin row member"], tick: int
) -> TooFewMembersError:
    what = f"a value that is not a number at step {tick}"
    return TooFewMembersError(name, failed, members.shape[2], what)
