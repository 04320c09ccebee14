"""A stretch of the past gone through again, as it was and as it would have been.

No reading of a sensor corrects a member on its way: inputs and controls are taken as they were
heard, at the instants at which the live twin took them, and what sensors read is noted beside what
each member would have read. ``gemeos.foresee.delivered`` draws the conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Float64, Int64

from gemeos.assimilate.observe import Observed, covers_a_step, predicted
from gemeos.ensemble.state import TwinState
from gemeos.foresee.delivered import Relived
from gemeos.foresee.fork import LONGEST_STRIDE, Watch, blocks, instants
from gemeos.schema.variable import Measure
from gemeos.simulate.base import Crew, Steps
from gemeos.units.instant import SECOND, Instant

BINS = 16
"""Averages that the readings of one channel are made, at most."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A control stands at a value from an instant on, told by whoever set it."""

    at: Instant
    place: int
    """In ``schema.driven``."""
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Lived:
    """Both arms."""

    ticks: Int64[np.ndarray, " time"]
    nothing: Float[np.ndarray, "time row member"]
    plan: Float[np.ndarray, "time row member"]
    relived: Relived


@dataclass(frozen=True)
class Reliving:
    """What is gone through again."""

    stepper: Steps
    crew: Crew
    """Of the twin."""
    state: TwinState
    """Before the plan; a batch of one."""
    read: Sequence[Observed]
    """What was read of it then, instant by instant; instants rise."""
    settings: Sequence[Setting]
    """Of controls, in their order; what is heard of one at an instant comes after."""
    standing: Mapping[int, float]
    """By place in ``schema.driven``: where the plan's controls stay in the other arm."""
    unheard: frozenset[int] = frozenset()
    """Channels that were not trusted."""
    instead: Mapping[int, float] = field(default_factory=dict)
    """By place in ``schema.driven``: where controls stay under the plan, whatever was heard."""
    consts: Mapping[int, float] = field(default_factory=dict)
    """By place in ``schema.consts``: constants that are others under the plan."""

    def through(
        self,
        until: int,
        every: int,
        rows: Sequence[int],
        *,
        members: int,
        watch: Watch | None = None,
    ) -> Lived:
        """Go through it.

        Args:
            until: The last tick.
            every: Steps between two instants that are told.
            rows: Of ``Steps.told_names``.
            members: At least so many, in whole ensembles.
            watch: Sees them go on; may raise to end it.
        """
        size = self.state.members.shape[2]
        count = -(-members // size)
        numbers = np.arange(count)
        one, crew = blocks(self.state, self.crew, numbers)
        # First those that do nothing, then those with the plan: of one key, so of one luck.
        both = np.tile(numbers, 2)
        state, crew = one.take(both), self._equipped(crew.take(both))
        asked = instants(int(state.tick[0]), until, every)
        notes = _Notes(self, int(state.tick[0]), until, count)
        heard = {int(each.tick[0]): each for each in self.read}
        set_at = {each.at // self.stepper.schema.step for each in self.settings}
        stops = sorted({*heard, *asked.tolist(), *set_at})
        told, wanted = [], set(asked.tolist())
        state = self._driven(state, int(state.tick[0]), None)
        for tick in stops:
            if not int(one.tick[0]) < tick <= until:
                continue
            state = self._moved(state, crew, tick, heard.get(tick), notes)
            if watch is not None:
                watch(tick)
            if tick in wanted:
                told.append(self.stepper.told(state, crew)[:, rows])
        values = np.stack(told, axis=1)
        halves = (_together(values[:count]), _together(values[count:]))
        return Lived(asked, *halves, notes.relived())

    def _equipped(self, crew: Crew) -> Crew:
        """With the plan's constants in its arm."""
        consts = crew.consts.copy()
        for place, value in self.consts.items():
            consts[len(consts) // 2 :, place] = value
        return replace(crew, consts=consts)

    def _moved(
        self, state: TwinState, crew: Crew, tick: int, read: Observed | None, notes: _Notes
    ) -> TwinState:
        """On to ``tick``, as a cycle of the live twin goes there."""
        ends = np.full(len(state), tick - 1)
        while (state.tick < ends).any():
            stride = np.minimum(state.tick + LONGEST_STRIDE, ends)
            state = self.stepper.advance(state, crew, stride)
        if read is None:
            state = self.stepper.advance(state, crew, ends + 1)
            return self._driven(state, tick, None)
        before = self._driven(state, tick - 1, read.driven_before)
        state = self._driven(self.stepper.step(before, crew), tick, read.driven_after)
        notes.take(before, state, crew, read)
        return state

    def _driven(
        self, state: TwinState, tick: int, heard: Float64[np.ndarray, "1 driven"] | None
    ) -> TwinState:
        """Driven as it was heard; what each arm holds stays."""
        driven = state.driven.copy()
        step = self.stepper.schema.step
        for each in self.settings:
            if each.at // step == tick:
                driven[:, each.place] = each.value
                for control, echo in self.stepper.schema.echoes:
                    if control == each.place:
                        driven[:, echo] = each.value
        if heard is not None:
            driven = np.where(np.isnan(heard), driven, heard)
        for place, value in self.standing.items():
            driven[: len(driven) // 2, place] = value
        for place, value in self.instead.items():
            driven[len(driven) // 2 :, place] = value
        return replace(state, driven=driven)


class _Notes:
    """What is read on the way, in averages, beside what members would have read."""

    def __init__(self, of: Reliving, since: int, until: int, blocks: int) -> None:
        self._of, self._since, self._blocks = of, since, blocks
        self._every = max(-(-(until - since) // BINS), 1)
        size = of.state.members.shape[2]
        self._empty = np.zeros((2 * blocks, size))
        step = of.stepper.schema.step
        # As for the live twin: a mixture of before and after says nothing that could be compared.
        self._mixed = {-(-each.at // step) for each in of.settings if each.at % step}
        self._covers = covers_a_step(of.stepper.schema)
        self._sums: dict[tuple[int, int], tuple[float, np.ndarray]] = {}
        self._counts: dict[tuple[int, int], tuple[int, float]] = {}

    def take(self, before: TwinState, state: TwinState, crew: Crew, read: Observed) -> None:
        """One instant."""
        compared = self._compared(read)
        if not compared.any():
            return
        every = _for_all(read, len(state))
        expected = predicted(self._of.stepper, before, state, crew, every).astype(np.float64)
        for place in np.flatnonzero(compared).tolist():
            sensor = self._of.stepper.schema.sensors[int(read.sensor[0, place])]
            value, told = float(read.value[0, place]), expected[:, place]
            if sensor.wraps is not None:
                # Each by the turn that lies nearest to what was read.
                told = told - np.round((told - value) / sensor.wraps) * sensor.wraps
            number = (int(read.tick[0]) - self._since - 1) // self._every
            key = (int(read.channel[0, place]), number)
            total, members = self._sums.get(key, (0.0, self._empty))
            self._sums[key] = (total + value, members + told)
            count, variance = self._counts.get(key, (0, 0.0))
            self._counts[key] = (count + 1, variance + float(read.variance[0, place]))

    def _compared(self, read: Observed) -> np.ndarray:
        """Readings that can be held against members."""
        schema = self._of.stepper.schema
        usable = read.compared[0].copy()
        for place in np.flatnonzero(usable).tolist():
            sensor = schema.sensors[int(read.sensor[0, place])]
            over = round(sensor.over * SECOND)
            # A counter tells by how much it grew since a reading that a fork does not know; a sum
            # must have been begun behind the fork.
            usable[place] = (
                int(read.channel[0, place]) not in self._of.unheard
                and not (
                    int(read.tick[0]) in self._mixed and self._covers[int(read.sensor[0, place])]
                )
                and (
                    sensor.measure is Measure.INSTANT
                    or (
                        sensor.measure is not Measure.COUNTER
                        and int(read.valid_at[0, place]) % over == 0
                    )
                )
            )
        return usable

    def relived(self) -> Relived:
        """Averages, the earliest of the first channel first."""
        keys = sorted(self._sums)
        half = self._blocks
        counts = np.array([self._counts[k][0] for k in keys], np.float64)
        members = [self._sums[k][1] / self._counts[k][0] for k in keys]
        told = np.stack(members) if keys else np.zeros((0, *self._empty.shape))
        return Relived(
            read=np.array([self._sums[k][0] for k in keys], np.float64) / counts,
            variance=np.array([self._counts[k][1] for k in keys], np.float64) / counts**2,
            nothing=told[:, :half].reshape(len(keys), self._empty[:half].size),
            plan=told[:, half:].reshape(len(keys), self._empty[half:].size),
        )


def _for_all(read: Observed, forks: int) -> Observed:
    """The same readings for each fork."""
    same = np.zeros(forks, np.intp)
    return Observed(
        tick=read.tick[same],
        channel=read.channel[same],
        sensor=read.sensor[same],
        value=read.value[same],
        variance=read.variance[same],
        valid_at=read.valid_at[same],
        driven_before=read.driven_before[same],
        driven_after=read.driven_after[same],
    )


def _together(
    values: Float[np.ndarray, "block time row member"],
) -> Float[np.ndarray, "time row all"]:
    """Members of all blocks, one behind the other."""
    moved = np.moveaxis(values, 0, 2)
    return moved.reshape(*moved.shape[:2], -1)
