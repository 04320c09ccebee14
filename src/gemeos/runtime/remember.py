"""What is remembered of a twin's estimates: a row of mean, spread and quantiles now and then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Int64

from gemeos.ensemble.state import NEVER, TwinState
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.taken import Passing
from gemeos.runtime.twin import Twin
from gemeos.timeline.base import SummaryRows
from gemeos.units.instant import Instant

REMEMBERED_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_STRETCHES_AT_ONCE = 500
"""Of one twin: a longer silence, or a deeper rewind, leaves the stretches before that as they are
remembered; the timeline's readings and keyframes still answer for them."""
AT_ONCE = 4096
"""Twins whose members are summarised together."""


class Memory:
    """Writes a row for the end of each whole stretch of ``Twin.remember``.

    A stretch is done when a reading of a later one came: the row is taken as the twin goes by.
    When readings of a done stretch come late, its row and those after it are written anew; the
    timeline keeps both versions. Stretches that end between two instants of the model's grid are
    asked for afterwards.
    """

    def __init__(self, twins: Sequence[Twin], fleets: Mapping[str, Fleet]) -> None:
        """``fleets`` by the names of their twins."""
        self._every = {t.name: t.remember for t in twins}
        self._fleets = fleets
        self._done: dict[str, int] = {}
        self._passed: dict[Fleet, _Passed] = {}

    def passing(self, fleet: Fleet) -> Passing:
        """For ``Fleet.take``: looks at the twins of ``fleet`` as they go by."""
        if fleet not in self._passed:
            step = fleet.schema.step
            every = np.array([self._every[name] for name in fleet.names], np.int64)
            self._passed[fleet] = _Passed(fleet, np.where(every % step == 0, every // step, 0))
        return self._passed[fleet]

    def rows(self, changed: Mapping[str, Instant]) -> list[tuple[str, SummaryRows]]:
        """What is to be remembered now, with the end of its stretch as ``valid_at``.

        Args:
            changed: For each twin the earliest ``valid_at`` that its state changed from.
        """
        told = [each for passed in self._passed.values() for each in passed.taken()]
        asked: dict[Fleet, dict[str, range]] = {}
        for name, since in changed.items():
            fleet, every = self._fleets[name], self._every[name]
            newest = fleet.newest(name)
            if newest is None or every % fleet.schema.step == 0:
                continue
            current = -(-newest // every)
            first = min(-(-since // every), self._done.get(name, current - 2) + 1)
            first = max(first, current - MOST_STRETCHES_AT_ONCE)
            self._done[name] = current - 1
            if first < current:
                asked.setdefault(fleet, {})[name] = range(first, current)
        return told + [
            row for fleet, of_fleet in asked.items() for row in self._of(fleet, of_fleet)
        ]

    def between(
        self, fleet: Fleet, name: str, since: Instant, until: Instant
    ) -> SummaryRows | None:
        """The rows of the stretches that end in ``since..until``, as ``fleet`` holds them.

        ``fleet`` may be another than the live one: a re-run that amends the past.
        """
        every = self._every[name]
        last = until // every
        first = max(-(-since // every), last - MOST_STRETCHES_AT_ONCE + 1)
        told = self._of(fleet, {name: range(first, last + 1)})
        return told[0][1] if told else None

    def _of(self, fleet: Fleet, stretches: Mapping[str, range]) -> list[tuple[str, SummaryRows]]:
        """Twin by twin, the rows of those stretches that can be told."""
        found: dict[str, list[tuple[Instant, _Held]]] = {}
        asked = {name: [s * self._every[name] for s in of] for name, of in stretches.items()}
        for names, ends, state in _states(fleet, asked):
            born = np.flatnonzero(state.born != NEVER)
            # Some at a time: what is told of a whole fleet at once may be larger than the fleet.
            for some in (born[i : i + AT_ONCE] for i in range(0, len(born), AT_ONCE)):
                places = np.array([fleet.place(names[i]) for i in some])
                told = fleet.cycle.stepper.told(state.take(some), fleet.crew.take(places))
                for i, held in zip(some.tolist(), _summarised(told), strict=True):
                    found.setdefault(names[i], []).append((ends[i], held))
        variables = fleet.cycle.stepper.told_names
        return [(name, _rows(variables, of_twin)) for name, of_twin in found.items()]


class _Passed:
    """The rows of one fleet's twins, taken as they go by."""

    def __init__(self, fleet: Fleet, every: Int64[np.ndarray, " twin"]) -> None:
        """``every``: length of each twin's stretches in steps; 0 for those that are not ours."""
        self._fleet = fleet
        self._every = every
        self._done = np.full(len(every), NEVER, np.int64)
        self._found: dict[str, list[tuple[Instant, _Held]]] = {}

    def __call__(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        until: Int64[np.ndarray, " some"],
        since: Int64[np.ndarray, " some"],
    ) -> None:
        """Take the rows of stretches that end before the twins go on to ``until``."""
        every = self._every[twins]
        ours = np.flatnonzero((every > 0) & (state.born != NEVER))
        if len(ours) == 0:
            return
        twins, until, since, every = twins[ours], until[ours], since[ours], every[ours]
        tick = state.tick[ours]
        new = np.maximum(tick, np.minimum(self._done[twins] + 1, since))
        end = np.maximum(-(-new // every), until // every - MOST_STRETCHES_AT_ONCE) * every
        if not (end < until).any():
            return
        state, step = state.take(ours), self._fleet.schema.step
        while (due := np.flatnonzero(end < until)).size:
            for some in (due[i : i + AT_ONCE] for i in range(0, len(due), AT_ONCE)):
                crew = self._fleet.crew.take(twins[some])
                moved = self._fleet.cycle.stepper.advance(state.take(some), crew, end[some])
                state.put(some, moved)
                told = _summarised(self._fleet.cycle.stepper.told(moved, crew))
                for twin, at, held in zip(
                    twins[some].tolist(), end[some].tolist(), told, strict=True
                ):
                    name = self._fleet.names[twin]
                    self._found.setdefault(name, []).append((at * step, held))
            self._done[twins[due]] = np.maximum(self._done[twins[due]], end[due])
            end[due] += every[due]

    def taken(self) -> list[tuple[str, SummaryRows]]:
        """Twin by twin, what was taken since this was asked last."""
        found, self._found = self._found, {}
        variables = self._fleet.cycle.stepper.told_names
        return [(name, _rows(variables, of_twin)) for name, of_twin in found.items()]


_Held: TypeAlias = Float64[np.ndarray, "variable summary"]
"""Mean, spread and quantiles of one twin at one instant."""


def _states(
    fleet: Fleet, asked: Mapping[str, Sequence[Instant]]
) -> Iterator[tuple[Sequence[str], Sequence[Instant], TwinState]]:
    """The twins at those of the instants that are not before the horizon, by rising instants."""
    step = fleet.schema.step
    on_grid = {name: ends for name, ends in asked.items() if not any(e % step for e in ends)}
    for name, ends in asked.items():
        for end in () if name in on_grid else ends:
            state = fleet.state_at(name, end)
            if state is not None:
                yield (name,), (end,), state
    # One walk of all instead of one a twin and stretch.
    ticks = {name: [end // step for end in ends] for name, ends in on_grid.items()}
    for names, states in fleet.states_together(ticks):
        yield names, (states.tick * step).tolist(), states


def _summarised(
    told: Float[np.ndarray, "twin variable member"],
) -> Float64[np.ndarray, "twin variable summary"]:
    held = told.astype(np.float64)
    quantiles = np.quantile(held, REMEMBERED_QUANTILES, axis=2)
    mean, sd = held.mean(axis=2), held.std(axis=2, ddof=1)
    return np.concatenate([mean[..., None], sd[..., None], np.moveaxis(quantiles, 0, 2)], axis=2)


def _rows(variables: tuple[str, ...], held: Sequence[tuple[Instant, _Held]]) -> SummaryRows:
    values = np.stack([of_instant for _, of_instant in held])
    return SummaryRows(
        variable=variables,
        valid_at=np.array([end for end, _ in held], np.int64),
        mean=values[:, :, 0],
        sd=values[:, :, 1],
        quantiles=values[:, :, 2:],
    )
