"""Moving forks of a twin on: with interventions or without, one or hundreds as one batch.

Forks share their origin's random numbers, so the difference of two is paired member by member
(contract 3). A fork without interventions equals its origin bit for bit while no reading comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from gemeos.ensemble.noise import apart
from gemeos.ensemble.state import TwinState
from gemeos.errors import InputError, TooFewMembersError
from gemeos.foresee.drive import Drive, InputMemory
from gemeos.foresee.intervene import Acts
from gemeos.foresee.unfold import Unfolding
from gemeos.schema.schema import Schema
from gemeos.simulate.advance import by_member
from gemeos.simulate.base import Crew, Steps

MOST_STEPS = 10_000_000
"""That forks go: with more, all who wait behind them would wait for hours."""
LONGEST_STRIDE = 2000
"""Steps between two looks of whoever watches. Some in one call are the same as in several."""
MOST_INSTANTS = 20_000
"""Of one answer; beyond it a coarser ``every`` is wanted."""

Watch = Callable[[int], None]
"""Called with the tick that forks have come to; may raise to end them."""


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """Where the members of some forks went."""

    ticks: Int64[np.ndarray, " time"]
    values: Float[np.ndarray, "fork time variable member"]
    """Rows as in ``Steps.told_names``, or those that were asked for; NaN of a fork that
    failed."""
    failures: tuple[str | None, ...]
    """Why each fork has no values; None where it has."""
    failed: Bool[np.ndarray, "fork member"]
    """Members that failed on the way: what is told in their place is a living one's copy."""


@dataclass(frozen=True, slots=True, eq=False)
class Forks:
    """Copies of one twin at one instant, and what is to be done in each."""

    state: TwinState
    """Born, a twin a fork."""
    crew: Crew
    """Their constants and keys. Forks of one key share random numbers."""
    acts: Sequence[Acts]

    def part(self, which: slice) -> Forks:
        """Some that stand side by side."""
        state = self.state.take(np.arange(len(self.state))[which])
        return Forks(state, self.crew.part(which), self.acts[which])


def blocks(
    state: TwinState, crew: Crew, numbers: Int64[np.ndarray, " block"]
) -> tuple[TwinState, Crew]:
    """Further members of one twin: block 0 is the ensemble itself, each other a copy of it.

    The copies go ways of their own, by noise of their own. Member ``n`` of a scenario is member
    ``n % size`` of block ``n // size``: which one it is does not depend on how many there are.

    Args:
        state: A batch of one.
        crew: Its own.
        numbers: Of the blocks.
    """
    same = np.zeros(len(numbers), np.intp)
    further, copies = crew.take(same), slim(state).take(same)
    return other_chances(copies, numbers), replace(further, keys=apart(further.keys, numbers))


def other_chances(state: TwinState, numbers: Int64[np.ndarray, " twin"]) -> TwinState:
    """Copies whose members meet the chances of others, by the number of their block.

    An engine cannot be given new ones: each member goes on from the simulation of the one that
    stands so many places further. Our own models draw by the key: nothing is exchanged there.
    """
    pairs = zip(state.simulations, numbers.tolist(), strict=True)
    simulations = [np.roll(of_twin, -number, axis=1) for of_twin, number in pairs]
    return replace(state, simulations=np.stack(simulations))


def slim(state: TwinState) -> TwinState:
    """The state without what only readings touch: hundreds of copies of it are made."""
    return replace(
        state,
        monitors=state.monitors[:, :0],
        issued=state.issued[:, :0],
        awaiting=state.awaiting[:, :0],
        read_then=state.read_then[:, :0],
        lessons=state.lessons[:, :, :0],
        simulations=state.simulations[:, :1],
        window_read=state.window_read[:, :0, :0],
        window_driven=state.window_driven[:, :0],
    )


def played(
    stepper: Steps,
    forks: Forks,
    *,
    until: int,
    every: int,
    inputs: InputMemory | None = None,
    rows: Sequence[int] | None = None,
    watch: Watch | None = None,
) -> Played:
    """Move forks on without readings, each under its own interventions.

    Args:
        stepper: The model.
        forks: Born, all at one instant.
        until: Last tick of interest, behind the forks' own.
        every: Steps between two instants of the answer.
        inputs: Says where inputs go; without it all that drives is held as last heard.
        rows: Of ``Steps.told_names`` to be told; all by default.
        watch: Sees the forks go on.

    Raises:
        InputError: nothing lies ahead, or more instants than one answer holds.
    """
    ticks = instants(int(forks.state.tick[0]), until, every)
    told = list(range(len(stepper.told_names))) if rows is None else list(rows)

    def gone(
        some: Forks,
    ) -> Iterator[
        tuple[Float[np.ndarray, "some ..."], str | None, Bool[np.ndarray, "some member"]]
    ]:
        size = len(some.acts)
        try:
            going = _Going(stepper, some, inputs, until)
            yield going.through(ticks, told, watch), None, going.failed
        except TooFewMembersError as error:
            if size == 1:
                shape = (1, len(ticks), len(told), some.state.members.shape[2])
                values = np.full(shape, np.nan, stepper.schema.precision)
                yield values, str(error), np.ones((1, shape[3]), bool)
                return
            # The others must not fail with it: those that can go on are found by halves.
            for half in (slice(0, size // 2), slice(size // 2, size)):
                yield from gone(some.part(half))

    parts = list(gone(forks))
    failures = tuple(why for values, why, _ in parts for _ in values)
    values = np.concatenate([values for values, _, _ in parts])
    return Played(ticks, values, failures, np.concatenate([failed for _, _, failed in parts]))


def instants(start: int, until: int, every: int) -> Int64[np.ndarray, " time"]:
    """The ticks of an answer.

    Raises:
        InputError: nothing lies ahead, too much does, or more than one answer holds.
    """
    if every < 1 or until < start + every:
        raise InputError(
            f"A forecast needs at least one instant ahead: {until - start} steps were asked for, "
            f"every {every}."
        )
    if until - start > MOST_STEPS:
        raise InputError(
            f"{until - start} steps ahead were asked for; at most {MOST_STEPS} are gone. "
            "Ask for a shorter reach."
        )
    ticks = np.arange(start + every, until + 1, every, dtype=np.int64)
    if len(ticks) > MOST_INSTANTS:
        raise InputError(
            f"{len(ticks)} instants were asked for; one answer holds {MOST_INSTANTS}. "
            "Ask for a coarser 'every'."
        )
    return ticks


class _Going:
    """Forks on their way."""

    def __init__(
        self, stepper: Steps, forks: Forks, inputs: InputMemory | None, until: int
    ) -> None:
        state, crew, acts = forks.state, forks.crew, forks.acts
        self._stepper, self._own, self._crew = stepper, crew, crew
        start, size = int(state.tick[0]), state.members.shape[2]
        self._unfolding = [Unfolding(a, start, size) for a in acts]
        self._acting = [i for i, a in enumerate(acts) if a.each]
        self._drive = None if inputs is None else _drive(inputs, state, crew, until - start)
        self._free = state.driven
        if self._drive is None and any(a.needs_members for a in acts):
            self._free = np.repeat(by_member(state.driven), size, axis=2)
            state = replace(state, driven=self._free)
        self._state = state
        self._due = int(state.tick[0])
        self.failed = np.zeros((len(state), size), bool)
        """See ``Played``."""

    def through(
        self,
        ticks: Int64[np.ndarray, " time"],
        rows: Sequence[int],
        watch: Watch | None,
    ) -> Float[np.ndarray, "fork time variable member"]:
        """What is told at each of these instants."""
        told = []
        tick = int(self._state.tick[0])
        self._act(tick)
        for instant in ticks.tolist():
            while tick < instant:
                tick = min(instant, self._due, tick + LONGEST_STRIDE)
                before = self._state
                self._state = self._stepper.advance(before, self._crew, np.full(len(before), tick))
                self._note_failed(before)
                if tick >= self._due:
                    self._act(tick)
                if watch is not None:
                    watch(tick)
            told.append(self._stepper.told(self._state, self._crew)[:, rows])
        return np.stack(told, axis=1)

    def _note_failed(self, before: TwinState) -> None:
        """Note which members failed since ``before``: of a stride it is told how many only."""
        which = np.flatnonzero(self._state.failed > before.failed)
        if len(which) == 0:
            return
        state, crew = before.take(which), self._crew.take(which)
        while state.tick[0] < self._state.tick[0]:
            self.failed[which] |= self._stepper.failing(state, crew)
            state = self._stepper.advance(state, crew, state.tick + 1)

    def _next(self, tick: int) -> int:
        """The next tick at which the forks' way is not only the model's."""
        ahead = [self._unfolding[i].next(tick) for i in self._acting]
        if self._drive is not None:
            ahead.append((tick // self._drive.span + 1) * self._drive.span)
        return min(ahead, default=np.iinfo(np.int64).max)

    def _act(self, tick: int) -> None:
        """Have done what is to be done at ``tick``, and note when there is something next."""
        self._acted(tick)
        self._due = self._next(tick)

    def _acted(self, tick: int) -> None:
        state = self._state
        before = state.driven
        if self._drive is not None:
            state = self._drive.at(state)
            self._free = state.driven
        self._state = state
        if not self._acting:
            return
        # Conditions are looked at where changes are made already: they speak of the fork, and one
        # change may be what another waits for.
        self._change(tick, before)
        while self._look(tick):
            self._change(tick, before)

    def _change(self, tick: int, before: Float64[np.ndarray, "fork driven *member"]) -> None:
        """Make the changes that act at ``tick``; made twice they are the same as made once."""
        state = self._state
        driven, members = self._free.copy(), state.members
        consts = self._own.consts
        for fork in self._acting:
            unfolding = self._unfolding[fork]
            driven[fork] = unfolding.driven(tick, self._free[fork], _like(before, driven)[fork])
            rows = state.members[fork]
            moved = unfolding.moved(tick, self._stepper.schema, self._crew.keys[fork], rows)
            if moved is not rows:
                members = members.copy() if members is state.members else members
                members[fork] = moved
            if consts.shape[1]:
                consts = consts.copy() if consts is self._own.consts else consts
                consts[fork] = unfolding.consts(tick, self._own.consts[fork])
        self._crew = replace(self._own, consts=consts)
        self._state = replace(state, driven=driven, members=members)

    def _look(self, tick: int) -> bool:
        """Whether something that waited begins at ``tick``."""
        waiting = [i for i in self._acting if self._unfolding[i].waits]
        if not waiting:
            return False
        told = self._stepper.told(self._state, self._crew)
        names = self._stepper.told_names
        begins = False
        for fork in waiting:
            unfolding = self._unfolding[fork]
            begins |= unfolding.look(
                tick,
                {
                    name: (told[fork, None, names.index(name)], self._unit(name))
                    for name in unfolding.acts.watched
                },
            )
        return begins

    def _unit(self, name: str) -> str:
        schema: Schema = self._stepper.schema
        return schema.variable(name).unit


def _drive(inputs: InputMemory, state: TwinState, crew: Crew, ahead: int) -> Drive:
    """Forks of one key are driven alike: foreseen once for all of them."""
    _, first, which = np.unique(crew.keys, return_index=True, return_inverse=True)
    drive = inputs.drive(state.take(first), crew.take(first), ahead)
    return replace(drive, first=drive.first[which], paths=drive.paths[which])


def _like(
    driven: Float64[np.ndarray, "fork driven *some"], other: Float64[np.ndarray, "fork driven *all"]
) -> Float64[np.ndarray, "fork driven *all"]:
    """``driven`` with an axis of members where ``other`` has one."""
    return np.broadcast_to(by_member(driven), other.shape) if other.ndim == 3 else driven
