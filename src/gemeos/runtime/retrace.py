"""Moving a twin through the past once more, with what was known then, or with what is today."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from gemeos.ensemble.state import NEVER, TwinState
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.twin import Twin, together
from gemeos.timeline.base import Timeline
from gemeos.units.instant import Instant


def lived(
    twin: Twin,
    timeline: Timeline,
    before: TwinState,
    since: Instant,
    instants: Iterable[Instant],
    *,
    known_by: Instant | None,
) -> Iterator[tuple[Instant, Fleet, TwinState]]:
    """The twin, moved on to each instant without readings that were not there yet.

    Args:
        twin: As declared.
        timeline: Its readings.
        before: The twin at ``since``.
        since: Where it begins.
        instants: Rising, none before ``since``.
        known_by: When what it takes was known; None: each instant with what was known then.
    """
    fleet = together([twin], horizon=twin.horizon)
    fleet.restore([twin.name], before)
    numbers = [timeline.book.number(b.series) for b in twin.bindings]
    step, reached = fleet.schema.step, since
    for now in instants:
        by = now if known_by is None else known_by
        if known_by is None:
            # What came late: known since the last instant, and valid before it.
            late = timeline.changed_since(numbers, reached, reached, known_by=by)
            if late is not None:
                rows = timeline.range(numbers, late - 1, reached, known_by=by)
                fleet.take(rows, timeline.book)
        fleet.take(timeline.range(numbers, reached, now, known_by=by), timeline.book)
        reached = now
        state = fleet.state(twin.name)
        if state.born[0] == NEVER:
            continue
        moved = fleet.cycle.stepper.advance(state, fleet.crew, np.maximum(state.tick, now // step))
        yield now, fleet, fleet.ahead(twin.name, state, moved)
