"""Running candidates of a search: many plans times many members as one batch of forks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Final

import numpy as np
from jaxtyping import Float

from gemeos.ensemble.state import TwinState
from gemeos.errors import InputError
from gemeos.foresee.executor import Batch, Executor, InProcess
from gemeos.foresee.fork import Played, slim
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.intervene import Acts, acts
from gemeos.foresee.search.base import Members
from gemeos.foresee.space import Candidate
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.questions import crew_of
from gemeos.schema.choice import Text
from gemeos.schema.intervention import Change, Changes, Hold
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control
from gemeos.units import Quantity
from gemeos.units.instant import Span

MOST_NUMBERS: Final = 30_000_000
"""Of one batch: an eighth of a gigabyte in float32."""
SIMULATED: Final = 2
"""Members of one run where each is a simulation of its own: such a run costs what its members do,
so few see all candidates, and more see those that are hard to tell apart."""
SIMULATED_AT_ONCE: Final = 32
"""Members of one batch of such runs: each has a process."""
_FRESH: Final = 1 << 20
"""Blocks of members from here on are for the final check; no search comes so far."""


def changes_of(schema: Schema, candidate: Candidate, *, after: Span = 0) -> Changes:
    """What a candidate does, as an intervention."""
    told = {}
    for name, value in candidate.items():
        variable = schema.variable(name)
        if isinstance(value, str):
            if not (isinstance(variable, Control) and variable.choices):
                raise InputError(f"{name} is a number; it cannot be {value!r}.")
            told[name] = (Change(Hold(Text(value)), after),)
            continue
        unit = variable.unit
        told[name] = (Change(Hold(Quantity(float(value), "" if unit == "1" else unit)), after),)
    return told


@dataclass(frozen=True)
class Trial:
    """Forks of one twin at one instant, to be run under candidates."""

    fleet: Fleet
    twin: str
    state: TwinState
    goal: Goal
    until: int
    """Steps."""
    every: int
    """Steps."""
    at: Callable[[], None]
    """Called while forks go on; may raise to end them."""
    after: Span = 0
    """How much later than the fork candidates are put into force."""
    executor: Executor = field(default_factory=InProcess)
    """Runs them."""

    @property
    def origins(self) -> int:
        """Members of the ensemble that forks begin from: half of it."""
        half = _half(self.state.members.shape[2], fresh=True)
        return half.stop - half.start

    @property
    def block(self) -> int:
        """Members of one run: those that are moved together whether all are wanted or not."""
        if not self.is_simulated:
            return self.origins
        return math.gcd(self.origins, SIMULATED)

    @property
    def at_once(self) -> int:
        """Members of all candidates that fit into one batch."""
        told = self.until // self.every * len(self._rows)
        most = max(1, MOST_NUMBERS // (told + width_of(self.fleet, self.until)))
        return min(most, SIMULATED_AT_ONCE) if self.is_simulated else most

    @property
    def is_simulated(self) -> bool:
        """Whether each member is a simulation of its own, and costs by itself."""
        return self.fleet.schema.keeps_outputs

    @property
    def _rows(self) -> list[int]:
        names = self.fleet.cycle.stepper.told_names
        return [names.index(name) for name in self.goal.names]

    def later(self, after: Span) -> Trial:
        """The same with candidates put into force later."""
        return replace(self, after=after)

    def evaluate(self, candidates: Sequence[Candidate], members: Members) -> Samples:
        """See ``foresee.search.base.Evaluate``.

        Half of the ensemble and noise of their own are for the search, the rest for the fresh
        check: else it would be made on the very states that the winner was chosen on.
        """
        pieces = [self._piece(candidates, some) for some in self._pieces(len(candidates), members)]
        return reduce(Samples.more_members, pieces)

    def _pieces(self, candidates: int, members: Members) -> Iterator[Members]:
        """As many as memory asks for: the answer for one member depends on no other."""
        most, first = max(1, self.at_once // candidates), members.first
        while first < members.end:
            end = min(first + most, members.end)
            if self.is_simulated:
                # Each block begins from other members.
                end = min(end, (first // self.block + 1) * self.block)
            yield replace(members, first=first, count=end - first)
            first = end

    def _piece(self, candidates: Sequence[Candidate], members: Members) -> Samples:
        size = self.block
        first, last = members.first // size, (members.end - 1) // size
        blocks = np.arange(first, last + 1)
        # Members of one block only: no more of them than are asked for.
        width = size if len(blocks) > 1 else members.end - first * size
        numbers = blocks + (_FRESH if members.fresh else 1)
        origins = self._origins(first, width, fresh=members.fresh)
        gone = self._gone([self._acts(c) for c in candidates], origins, numbers)
        shape = (len(candidates), len(blocks), *gone.values.shape[1:])
        # [candidate, block, time, row, member] to [time, row, candidate, block x member].
        sound = np.where(gone.failed[:, None, None, :], np.nan, gone.values)
        values = np.moveaxis(sound.reshape(shape), (2, 3), (0, 1))
        values = values.reshape(*values.shape[:2], len(candidates), -1)
        start = members.first - first * size
        return self._samples(gone, values[:, :, :, start : start + members.count])

    def _samples(
        self, gone: Played, values: Float[np.ndarray, "time row candidate member"]
    ) -> Samples:
        schema, step = self.fleet.schema, self.fleet.schema.step
        told = {
            name: (values[:, place].reshape(len(values), -1), schema.variable(name).unit)
            for place, name in enumerate(self.goal.names)
        }
        return self.goal.samples(told, gone.ticks * step, candidates=values.shape[2])

    def _acts(self, candidate: Candidate) -> Acts:
        return acts(self.fleet.schema, changes_of(self.fleet.schema, candidate, after=self.after))

    def _origins(self, block: int, width: int, *, fresh: bool) -> TwinState:
        """The members that a block begins from; those of a half are gone through in turns."""
        state = slim(self.state)
        half = _half(state.members.shape[2], fresh=fresh)
        turn, place = divmod(block, self.origins // self.block)
        some = slice(half.start + place * self.block, half.start + place * self.block + width)
        simulations = state.simulations[:, :, some]
        if turn:
            # Again from the same members: by the chances of others, as ``other_chances`` says.
            turned = np.roll(state.simulations[:, :, half], -turn, axis=2)
            simulations = turned[:, :, some.start - half.start : some.stop - half.start]
        state = replace(state, members=state.members[:, :, some], simulations=simulations)
        if state.driven.ndim == 3 and state.driven.shape[2] > 1:
            state = replace(state, driven=state.driven[:, :, some])
        return state

    def _gone(self, made: Sequence[Acts], state: TwinState, numbers: np.ndarray) -> Played:
        batch = Batch(
            state,
            crew_of(self.fleet, self.twin),
            np.tile(numbers, len(made)),
            tuple(a for a in made for _ in numbers),
            self.until,
            self.every,
            self.fleet.school.input_span,
            tuple(self._rows),
        )

        def watch(_: int) -> None:
            self.at()

        return self.executor.played(self.fleet.cycle.stepper, batch, watch)


def width_of(fleet: Fleet, until: int) -> int:
    """Numbers that one member of a fork takes while it goes ``until`` steps, the answer aside."""
    inputs = fleet.school.inputs
    spans = 0 if inputs is None else until // inputs.span + 2
    # Paths of inputs are in double precision, and copied once: fork by fork from what was foreseen.
    return len(fleet.cycle.stepper.told_names) + 4 * spans * len(fleet.schema.driven)


def _half(members: int, *, fresh: bool) -> slice:
    """Which members of the ensemble: the first half for the search, the second when ``fresh``.

    Also of few: with less than eight in a half nothing is recommended, and rightly so. On the
    states that the winner was chosen on, one plan in three that gains nothing was.
    """
    half = members // 2
    return slice(half, 2 * half) if fresh else slice(0, half)
