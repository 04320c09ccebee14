"""What is remembered of a twin's estimates: a row of mean, spread and quantiles now and then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64

from gemeos.ensemble.state import NEVER, TwinState
from gemeos.runtime.fleet import Fleet
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

    A stretch is done when a reading of a later one came. When readings of a done stretch come
    late, its row and those after it are written anew; the timeline keeps both versions.
    """

    def __init__(self, twins: Sequence[Twin], fleets: Mapping[str, Fleet]) -> None:
        """``fleets`` by the names of their twins."""
        self._every = {t.name: t.remember for t in twins}
        self._fleets = fleets
        self._done: dict[str, int] = {}

    def rows(self, changed: Mapping[str, Instant]) -> list[tuple[str, SummaryRows]]:
        """What is to be remembered now, with the end of its stretch as ``valid_at``.

        Args:
            changed: For each twin the earliest ``valid_at`` that its state changed from.
        """
        asked: dict[Fleet, dict[str, range]] = {}
        for name, since in changed.items():
            fleet, every = self._fleets[name], self._every[name]
            newest = fleet.newest(name)
            if newest is None:
                continue
            current = -(-newest // every)
            first = min(-(-since // every), self._done.get(name, current - 2) + 1)
            first = max(first, current - MOST_STRETCHES_AT_ONCE)
            self._done[name] = current - 1
            if first < current:
                asked.setdefault(fleet, {})[name] = range(first, current)
        return [told for fleet, of_fleet in asked.items() for told in self._of(fleet, of_fleet)]

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
