"""Going through the past with only what was known then: what would have been warned of.

At each instant of issue the twin stands where it stood then, late and corrected readings unknown,
and its forecast is asked for the chance of a condition. What happened is told afterwards by the
twin with all readings that are known today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from gemeos.ensemble.condition import Condition
from gemeos.ensemble.state import TwinState
from gemeos.errors import AssimilationError, OutOfReachError
from gemeos.foresee.fork import Forks, played, slim
from gemeos.foresee.intervene import NOTHING
from gemeos.foresee.warn import WarningRecord, judged
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.questions import crew_of
from gemeos.runtime.retrace import lived
from gemeos.runtime.twin import Twin
from gemeos.runtime.witness import happens
from gemeos.timeline.base import Timeline
from gemeos.units import iso
from gemeos.units.instant import Instant, Span

LOOKS = 100
"""So often a forecast, and what happened, is looked at within the reach of one warning."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is gone through."""

    condition: Condition
    since: Instant
    until: Instant
    within: Span
    """How far each warning reaches."""
    every: Span
    """Between two issues."""
    likely: float
    """The chance from which on it is warned."""
    known_by: Instant
    """What was known by then is what really happened."""


@dataclass(frozen=True, slots=True, eq=False)
class Hindcast:
    """What came of it."""

    issued: Int64[np.ndarray, " issue"]
    chance: Float64[np.ndarray, " issue"]
    times: Int64[np.ndarray, " time"]
    is_so: Bool[np.ndarray, " time"]
    record: WarningRecord

    def occurrences(self) -> Iterator[tuple[Instant, Instant]]:
        """Where it was so: first and last of the times that it was looked at."""
        return _stretches(self.times, self.is_so)

    def warnings(self, likely: float) -> Iterator[tuple[Instant, Instant]]:
        """Where it was warned: first and last issue of each unbroken warning."""
        return _stretches(self.issued, self.chance >= likely)


def hindcast(
    twin: Twin,
    timeline: Timeline,
    before: TwinState,
    asked: Asked,
    progress: Callable[[float], None],
) -> Hindcast:
    """Go through it.

    Args:
        twin: As declared.
        timeline: Its readings.
        before: The twin at ``asked.since``, as it was known then.
        asked: What is gone through.
        progress: Told how much is done, 0..1; may raise to end it.

    Raises:
        OutOfReachError: the twin was not born within that stretch.
    """
    look = max(asked.within // LOOKS, twin.schema.step)
    length = asked.until - asked.since
    issued, chance = [], []
    issues = range(asked.since, asked.until + 1, asked.every)
    for now, fleet, state in lived(twin, timeline, before, asked.since, issues, known_by=None):
        progress(0.5 * (now - asked.since) / length)
        issued.append(now)
        chance.append(chance_of(fleet, twin.name, state, asked.condition, within=asked.within))
    times, is_so = [], []
    looks = range(asked.since, asked.until + 1, look)
    for now, fleet, state in lived(
        twin, timeline, before, asked.since, looks, known_by=asked.known_by
    ):
        progress(0.5 + 0.5 * (now - asked.since) / length)
        times.append(now)
        is_so.append(holds_now(fleet, twin.name, state, asked.condition))
    if not issued:
        raise OutOfReachError(f"{twin.name} had no estimate yet by {iso(asked.until)}.")
    found = np.array(issued), np.array(chance), np.array(times), np.array(is_so)
    record = judged(*found, within=asked.within, likely=asked.likely)
    return Hindcast(*found, record)


def chance_of(
    fleet: Fleet, twin: str, state: TwinState, condition: Condition, *, within: Span
) -> float:
    """Chance of a condition coming to hold: the share of members that come to it.

    Raises:
        AssimilationError: too many members failed on the way.
    """
    stepper, step = fleet.cycle.stepper, fleet.schema.step
    look = max(within // LOOKS, step)
    names = condition.names
    start = int(state.tick[0])
    gone = played(
        stepper,
        Forks(slim(state), crew_of(fleet, twin), [NOTHING]),
        until=start + within // step,
        every=look // step,
        inputs=fleet.school.inputs,
        rows=[stepper.told_names.index(name) for name in names],
    )
    if gone.failures[0] is not None:
        raise AssimilationError(gone.failures[0])
    values = {
        name: (gone.values[0, :, place], fleet.schema.variable(name).unit)
        for place, name in enumerate(names)
    }
    return float(condition.holds(values).any(axis=0).mean())


def holds_now(fleet: Fleet, twin: str, state: TwinState, condition: Condition) -> bool:
    """Whether it is more likely so than not."""
    return happens(fleet, condition, fleet.cycle.stepper.told(state, crew_of(fleet, twin)))


def _stretches(
    times: Int64[np.ndarray, " time"], holds: Bool[np.ndarray, " time"]
) -> Iterator[tuple[Instant, Instant]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], holds.astype(np.int8), [0]])))
    for first, end in edges.reshape(-1, 2).tolist():
        yield int(times[first]), int(times[end - 1])
