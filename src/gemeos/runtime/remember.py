"""What is remembered of a twin's estimates: a row of mean, spread and quantiles now and then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gemeos.ensemble.state import NEVER, TwinState
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.twin import Twin
from gemeos.timeline.base import SummaryRows
from gemeos.units.instant import Instant

REMEMBERED_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MOST_STRETCHES_AT_ONCE = 500
"""Of one twin: a longer silence, or a deeper rewind, leaves the stretches before that as they are
remembered; the timeline's readings and keyframes still answer for them."""


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
        told = []
        for name, since in changed.items():
            fleet, every = self._fleets[name], self._every[name]
            newest = fleet.newest(name)
            if newest is None:
                continue
            current = -(-newest // every)
            first = min(-(-since // every), self._done.get(name, current - 2) + 1)
            first = max(first, current - MOST_STRETCHES_AT_ONCE)
            rows = self._of(fleet, name, range(first, current))
            if rows is not None:
                told.append((name, rows))
            self._done[name] = current - 1
        return told

    def between(
        self, fleet: Fleet, name: str, since: Instant, until: Instant
    ) -> SummaryRows | None:
        """The rows of the stretches that end in ``since..until``, as ``fleet`` holds them.

        ``fleet`` may be another than the live one: a re-run that amends the past.
        """
        every = self._every[name]
        last = until // every
        first = max(-(-since // every), last - MOST_STRETCHES_AT_ONCE + 1)
        return self._of(fleet, name, range(first, last + 1))

    def _of(self, fleet: Fleet, name: str, stretches: range) -> SummaryRows | None:
        every = self._every[name]
        crew = fleet.crew.take(np.array([fleet.place(name)]))
        ends, values = [], []
        for end, state in self._states(fleet, name, [s * every for s in stretches]):
            if state.born[0] == NEVER:
                continue
            ends.append(end)
            values.append(fleet.cycle.stepper.told(state, crew)[0])
        if not ends:
            return None
        held = np.stack(values).astype(np.float64)
        return SummaryRows(
            variable=fleet.cycle.stepper.told_names,
            valid_at=np.array(ends, np.int64),
            mean=held.mean(axis=2),
            sd=held.std(axis=2, ddof=1),
            quantiles=np.moveaxis(np.quantile(held, REMEMBERED_QUANTILES, axis=2), 0, 2),
        )

    @staticmethod
    def _states(
        fleet: Fleet, name: str, ends: Sequence[Instant]
    ) -> Iterator[tuple[Instant, TwinState]]:
        """The twin at those of ``ends`` that are not before the horizon."""
        step = fleet.schema.step
        if any(end % step for end in ends):
            found = ((end, fleet.state_at(name, end)) for end in ends)
            yield from ((end, state) for end, state in found if state is not None)
            return
        # One walk instead of one a stretch: a batch of recorded readings brings hundreds.
        states = fleet.states_at(name, [end // step for end in ends])
        yield from ((int(state.tick[0]) * step, state) for state in states)
