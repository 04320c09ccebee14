"""Going through the past with only what was known then: what would have been advised.

At each instant of issue the twin stands where it stood then, late and corrected readings unknown,
and is searched as ``runtime.optimisations`` searches it today: what stood advised last is the
present plan. What would have come of it is told afterwards from all that is known today, window by
window: each begins where reality stood, whatever was advised before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

import numpy as np

from gemeos.ensemble.clause import Values
from gemeos.ensemble.state import TwinState
from gemeos.errors import AssimilationError, InputError
from gemeos.foresee.delivered import Delivered, gains_of
from gemeos.foresee.executor import Batch, Executor
from gemeos.foresee.goal import Goal
from gemeos.foresee.intervene import NOTHING, acts
from gemeos.foresee.search import Progress
from gemeos.foresee.search.base import never
from gemeos.foresee.space import Candidate, Space
from gemeos.foresee.verdict import Advice
from gemeos.foresee.worth import Objective
from gemeos.runtime.advice import AdvisedAt
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.ledger_row import is_inside
from gemeos.runtime.promise import SHARE, foreseen
from gemeos.runtime.questions import crew_of
from gemeos.runtime.retrace import lived
from gemeos.runtime.scoring import Past, members_relived, unlived
from gemeos.runtime.searching import decided, refusal
from gemeos.runtime.standing import heard_of, phase_by
from gemeos.runtime.trial import Trial, changes_of
from gemeos.runtime.twin import Twin
from gemeos.schema.plan import Gain
from gemeos.timeline.base import Timeline
from gemeos.units.instant import Instant, Span

OF_SEARCHES: Final = 0.8
"""Share of the work that searching is, as it is told."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What is gone through, and what is sought at each instant."""

    space: Space
    goal: Goal
    runs: int
    seed: int
    since: Instant
    """The first instant; of the model's grid."""
    until: Instant
    """No window ends later."""
    within: Span
    """How far ahead plans are judged."""
    look_every: Span
    every: Span
    known_by: Instant
    """What was known by then is what really happened."""

    @property
    def instants(self) -> range:
        """At which it is asked."""
        return range(self.since, self.until - self.within + 1, self.every)

    @property
    def objective(self) -> Objective:
        """What is promised: the first."""
        return self.goal.objectives[0]


@dataclass(frozen=True)
class Advising:
    """One stretch of the past being gone through."""

    twin: Twin
    """As declared."""
    timeline: Timeline
    """Its readings."""
    sought: Sought
    executor: Executor
    """Runs forks."""
    progress: Callable[[float], None]
    """Told how much is done, 0..1; may raise to end it."""

    def through(self, known: TwinState, settled: TwinState) -> tuple[AdvisedAt, ...]:
        """Go through it.

        Args:
            known: The twin at ``sought.since``, as it was known then.
            settled: The same as it is known today.
        """
        rows = list(self._issued(known))
        standing = {row.at: place for place, row in enumerate(rows) if row.values}
        for row in self._brought(settled, {at: rows[place] for at, place in standing.items()}):
            rows[standing[row.at]] = row
        return tuple(rows)

    def _issued(self, known: TwinState) -> Iterator[AdvisedAt]:
        """What is advised at each instant, with what it promises."""
        sought = self.sought
        present: Candidate | None = None
        count = len(sought.instants)
        ways = lived(self.twin, self.timeline, known, sought.since, sought.instants, known_by=None)
        for place, (now, fleet, state) in enumerate(ways):

            def at(part: float, place: int = place) -> None:
                self.progress(OF_SEARCHES * (place + part) / count)

            row, present = self._asked(fleet, state, now, present, at)
            yield row if present is None else replace(row, values=dict(present))

    def _asked(
        self,
        fleet: Fleet,
        state: TwinState,
        now: Instant,
        present: Candidate | None,
        at: Callable[[float], None],
    ) -> tuple[AdvisedAt, Candidate | None]:
        """The advice of one instant, and the plan that stands from then on."""
        at(0.0)
        twin, sought = self.twin, self.sought
        origin, failure = state.digest(), fleet.failure(twin.name)
        (heard,) = heard_of(state, fleet.corrects)
        phase = phase_by(twin, heard, now, running=failure is None, finished=False)
        why = refusal(twin.name, phase) if failure is None else str(failure)
        if why is not None:
            # What stands stays, and nothing is promised of it by a twin that cannot be relied on.
            advice = Advice.NOTHING if present is None else Advice.KEEP
            return AdvisedAt(now, advice, {}, (why,), origin), present
        step = fleet.schema.step
        reached = 0.0

        def told(search: Progress) -> None:
            nonlocal reached
            reached = 0.8 * search.runs / search.of
            at(reached)

        trial = Trial(
            fleet,
            twin.name,
            state,
            sought.goal,
            until=sought.within // step,
            every=sought.look_every // step,
            at=lambda: at(reached),
            executor=self.executor,
        )
        verdict = decided(
            trial,
            sought.space,
            runs=sought.runs,
            seed=sought.seed,
            present=present,
            evaluate=trial.evaluate,
            stop=never,
            progress=told,
        ).verdict
        match verdict.advice:
            case Advice.CHANGE:
                stands = verdict.winner
            case Advice.KEEP:
                stands = present
            case Advice.NOTHING:
                stands = None
            case _:
                assert_never(verdict.advice)
        row = AdvisedAt(now, verdict.advice, {}, verdict.reasons, origin)
        if stands is None:
            return row, None
        promised = self._promised(fleet, state, stands, lambda: at(0.95))
        return replace(row, promised=promised), stands

    def _promised(
        self, fleet: Fleet, state: TwinState, candidate: Candidate, at: Callable[[], None]
    ) -> Gain | None:
        """What one reality will gain of it, as it was foreseen then."""
        sought, schema, stepper = self.sought, fleet.schema, fleet.cycle.stepper
        names = sorted(sought.objective.names)
        count = -(-members_relived(fleet) // fleet.members)
        made = acts(schema, changes_of(schema, candidate))
        # First those that do nothing, then those with the plan: of one number, so of one luck.
        batch = Batch(
            state,
            crew_of(fleet, self.twin.name),
            np.tile(np.arange(count), 2),
            (NOTHING,) * count + (made,) * count,
            sought.within // schema.step,
            sought.look_every // schema.step,
            fleet.school.input_span,
            tuple(stepper.told_names.index(name) for name in names),
        )
        gone = self.executor.played(stepper, batch, lambda _: at())
        sound = np.where(gone.failed[:, None, None, :], np.nan, gone.values)
        # [fork, time, row, member] to [arm, row, time, block x member].
        arms = np.moveaxis(sound.reshape(2, count, *sound.shape[1:]), (3, 2, 1), (1, 2, 3))
        flat = arms.reshape(*arms.shape[:3], -1)

        def values(arm: int) -> Values:
            return {n: (flat[arm, i], schema.variable(n).unit) for i, n in enumerate(names)}

        gains = gains_of(sought.objective, values(0), values(1), gone.ticks * schema.step)
        found = foreseen(sought.objective, gains)
        return None if found is None else found[0]

    def _brought(
        self, settled: TwinState, rows: Mapping[Instant, AdvisedAt]
    ) -> Iterator[AdvisedAt]:
        """Rows with what each would have brought."""
        sought, timeline = self.sought, self.timeline
        numbers = [timeline.book.number(b.series) for b in self.twin.bindings]
        stops = sorted({*rows, *(at + sought.within for at in rows)})
        before: dict[Instant, TwinState] = {}
        done = 0
        ways = lived(self.twin, timeline, settled, sought.since, stops, known_by=sought.known_by)
        for now, fleet, state in ways:
            at = now - sought.within
            if at in before:
                readings = timeline.range(numbers, at, now, known_by=sought.known_by)
                past = Past(before.pop(at), state, readings, timeline.book, sought.known_by)

                def watch(_: int, done: int = done) -> None:
                    self.progress(OF_SEARCHES + (1.0 - OF_SEARCHES) * done / len(rows))

                watch(0)
                yield _scored(fleet, self.twin.name, rows[at], sought, past, watch)
                done += 1
            if now in rows:
                before[now] = state


def _scored(
    fleet: Fleet,
    twin: str,
    row: AdvisedAt,
    sought: Sought,
    past: Past,
    watch: Callable[[int], None],
) -> AdvisedAt:
    """One row, held against what was read."""
    notes: list[str] = []
    found: Delivered | None = None
    try:
        found, moved = unlived(
            fleet,
            twin,
            sought.objective,
            row.values,
            past,
            until=sought.within,
            every=sought.look_every,
            watch=watch,
        )
    except (AssimilationError, InputError) as error:
        return replace(row, notes=(f"it cannot be told: {error}",))
    if not found.readings:
        return replace(row, notes=("nothing was read meanwhile",))
    if moved:
        notes.append(_meanwhile(moved))
    low, high = found.interval(SHARE)
    gain = Gain(str(sought.objective), sought.objective.unit, found.mean, low, high, SHARE)
    if not found.fits:
        notes.append("what was read cannot be had from the model")
    return replace(
        row,
        delivered=gain,
        readings=found.readings,
        fits=found.fits,
        inside=None
        if moved or row.promised is None
        else is_inside(row.promised, found.mean, found.sd),
        notes=tuple(notes),
    )


def _meanwhile(moved: Sequence[str]) -> str:
    return (
        f"somebody moved {', '.join(moved)} meanwhile: promised over leaving it, told here over "
        "what was done"
    )
