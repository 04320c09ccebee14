"""One cycle of a twin, as the papers draw it: forecast to the instant, observe, analyse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from gemeos.assimilate.analyst import Analyst, InNumpy
from gemeos.assimilate.base import Assimilator
from gemeos.assimilate.observe import Observed, steady
from gemeos.assimilate.parts import fill, part, room_for
from gemeos.ensemble.simulation import Simulation
from gemeos.ensemble.state import NEVER, NO_WINDOW, TwinState, WindowRoom
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Crew, HoldsProcesses


@dataclass(frozen=True)
class Cycle:
    """Implements ``base.Follows`` with a model of ours and a filter."""

    stepper: Stepper
    assimilator: Assimilator
    compiled: Analyst | None = None
    """What does the filter's work; None for numpy. ``fast.analyst`` has the fastest."""

    @property
    def identity(self) -> str:
        """Hash of the model and settings of the filter: what an estimate rests on."""
        return f"{self.stepper.simulator.identity}+{self.analyst.identity}"

    @property
    def room(self) -> WindowRoom:
        """None: each reading is used once, when it comes."""
        return NO_WINDOW

    def takes(self, simulation: Simulation) -> bool:  # noqa: ARG002 - our own models have none
        """No."""
        return False

    @property
    def takes_long(self) -> bool:
        """As the port says: of a simulator with processes nobody knows how long a step takes."""
        return isinstance(self.stepper.simulator, HoldsProcesses)

    def halt(self) -> None:
        """As the port says; what is computed here does not take long."""
        if isinstance(self.stepper.simulator, HoldsProcesses):
            self.stepper.simulator.halt()

    def close(self) -> None:
        """Let go of the simulator's processes, where it has some."""
        if isinstance(self.stepper.simulator, HoldsProcesses):
            self.stepper.simulator.rest()

    @cached_property
    def analyst(self) -> Analyst:
        """What does the filter's work."""
        if self.compiled is not None:
            return self.compiled
        return InNumpy(self.assimilator, self.stepper.schema)

    def __call__(self, state: TwinState, crew: Crew, read: Observed) -> TwinState:
        """The twins at ``read.tick``, after what was read there.

        A pure function of its arguments. ``read.tick`` lies behind each twin's own tick. What is
        held of a channel, and of the whole ensemble, rests on the readings before this instant.
        """
        at_once = self.analyst.twins_at_once(state)
        if len(state) <= at_once:
            return self._cycled(state, crew, read)
        after = room_for(state)
        for some in _parts(len(state), at_once):
            room = part(after, some)
            fill(room, self._cycled(part(state, some), crew.part(some), part(read, some), room))
        return after

    def _cycled(
        self, state: TwinState, crew: Crew, read: Observed, room: TwinState | None = None
    ) -> TwinState:
        read = steady(self.stepper.schema, state.driven, read)
        before, state = self._forecast(state, crew, read)
        state = replace(
            state, driven=driven_by(state.driven, read.driven_after), cycles=state.cycles + 1
        )
        return self.analyst(self.stepper, before, born(state, read), crew, read, room)

    def _forecast(
        self, state: TwinState, crew: Crew, read: Observed
    ) -> tuple[TwinState, TwinState]:
        """The twins one step before ``read.tick``, and at it. Unborn ones only get its number."""
        alive = np.flatnonzero(state.born != NEVER)
        if len(alive) == len(state):
            before = self.stepper.advance(state, crew, read.tick - 1)
            before = replace(before, driven=driven_by(before.driven, read.driven_before))
            return before, self.stepper.step(before, crew)
        everyone = np.arange(len(state))
        waiting = replace(state, tick=read.tick, driven=driven_by(state.driven, read.driven_before))
        # Copies: ``put`` writes into arrays, and those of ``state`` and ``read`` are not ours.
        before, after = waiting.take(everyone), waiting.take(everyone)
        if len(alive):
            some = self.stepper.advance(state.take(alive), crew.take(alive), read.tick[alive] - 1)
            some = replace(some, driven=driven_by(some.driven, read.driven_before[alive]))
            before.put(alive, some)
            after.put(alive, self.stepper.step(some, crew.take(alive)))
        return before, after


def born(state: TwinState, read: Observed) -> TwinState:
    """A twin is born when all that drives it has been heard; its prior holds there."""
    heard = np.isfinite(state.driven).all(axis=1)
    begins = (state.born == NEVER) & heard
    return replace(state, born=np.where(begins, read.tick, state.born))


def driven_by(
    driven: Float64[np.ndarray, "twin driven"], to: Float64[np.ndarray, "twin driven"]
) -> Float64[np.ndarray, "twin driven"]:
    """What drives, where ``to`` does not say that it is left as it was."""
    return np.where(np.isnan(to), driven, to)


def _parts(twins: int, at_once: int) -> Iterator[slice]:
    for first in range(0, twins, at_once):
        yield slice(first, min(first + at_once, twins))
