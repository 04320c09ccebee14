"""Hindcasts of a running site: begun, gone through behind the live path, kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Protocol, assert_never, final

from typing_extensions import override

from gemeos.ensemble.condition import Condition, parse
from gemeos.ensemble.state import TwinState
from gemeos.errors import InputError
from gemeos.foresee.fork import MOST_INSTANTS
from gemeos.runtime import scenarios
from gemeos.runtime.advising import Advising, Sought
from gemeos.runtime.asked import HindcastQuestion, When
from gemeos.runtime.base import Declares
from gemeos.runtime.hindcast import Asked, Hindcast, hindcast
from gemeos.runtime.hindcast_record import KIND, HindcastRecord
from gemeos.runtime.named import NamedWork, Pursuit, ended
from gemeos.runtime.scenario import Progress
from gemeos.runtime.wanted import check_alone, sought
from gemeos.schema.variable import Const
from gemeos.units import span
from gemeos.units.instant import Instant, Span

MOST_WAITING: Final = 4
MOST_TOLD: Final = 1000
"""Occurrences and warnings that are kept, the first ones; the counts count all."""


class Running(scenarios.Running, Declares, Protocol):
    """What hindcasts need of the running site."""


@dataclass(eq=False)
class _Job(Pursuit[HindcastRecord]):
    asked: Asked | Sought
    before: TwinState
    """At its beginning, as it was known then."""
    settled: TwinState
    """The same as it is known today."""


@final
class Hindcasts(NamedWork[HindcastRecord, _Job]):
    """See the module. May be asked from any thread but the path's own."""

    def __init__(self, running: Running) -> None:
        """``running`` lets them look."""
        super().__init__(running, KIND, HindcastRecord, most=MOST_WAITING)
        self._running = running

    def begin(
        self, twin: str, asked: HindcastQuestion, *, actor: str = "program"
    ) -> HindcastRecord:
        """Have a stretch of the past gone through when it is its turn.

        Args:
            twin: Its name.
            asked: What is asked of it.
            actor: Who asks.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        fleet = self._running.fleet(twin)
        self._shelf.check_room(twin, asked.name, replacing=asked.replacing)
        begin, end = self._stretch(twin, asked.since, asked.until)
        check_alone(asked)
        ready: Asked | Sought
        if asked.over:
            ready, advice = sought(asked, fleet, twin, begin, end, self._running.clock.now())
        else:
            ready, advice = self._asked(twin, asked, begin, end), None
        self._check_waiting()
        questions = self._running.questions
        before = questions.past(twin, ready.since, ready.since).state
        known_by = ready.known_by
        settled = questions.past(twin, ready.since, known_by).state if asked.over else before
        record = HindcastRecord(
            twin=twin,
            name=asked.name,
            condition=asked.condition,
            within=ready.within,
            likely=asked.likely,
            every=ready.every,
            since=ready.since,
            until=ready.until,
            model=fleet.identity,
            actor=actor,
            created=ready.known_by,
            advice=advice,
        )
        job = _Job(twin, asked.name, record, ready, before, settled)
        told = asked.condition or ", ".join(asked.over)
        self._begin(job, b"", self._run, replacing=asked.replacing, actor=actor, asked=told)
        return record

    def _condition(self, twin: str, text: str) -> Condition:
        schema = self._running.fleet(twin).schema
        condition = parse(text)
        condition.check({v.name: v.unit for v in schema.variables if not isinstance(v, Const)})
        return condition

    def _asked(self, twin: str, asked: HindcastQuestion, begin: Instant, end: Instant) -> Asked:
        """Warnings that are asked for, made ready."""
        condition = self._condition(twin, asked.condition)
        step = self._running.fleet(twin).schema.step
        reach = _whole(asked.within, step)
        every, likely = asked.every, asked.likely
        pace = max(reach // 6 // step, 1) * step if every is None else _whole(every, step)
        if reach < step or pace < step:
            raise InputError("Neither 'within' nor 'every' can be shorter than a step.")
        if not 0.0 < likely <= 1.0:
            raise InputError(f"It is warned from a chance within 0 and 1 on; {likely} is none.")
        if end - begin <= reach:
            raise InputError("The stretch is no longer than the reach of one warning.")
        issues = math.ceil((end - begin) / pace)
        if issues > MOST_INSTANTS:
            raise InputError(
                f"It would be asked {issues} times, and may be {MOST_INSTANTS} times: take a "
                "coarser 'every', or a shorter stretch."
            )
        return Asked(condition, begin, end, reach, pace, likely, self._running.clock.now())

    def _stretch(self, twin: str, since: When, until: When) -> tuple[Instant, Instant]:
        """From the first instant of the grid on."""
        site, step = self._running.site, self._running.fleet(twin).schema.step
        begin, end = (w if isinstance(w, int) else site.instant(w) for w in (since, until))
        if end > self._running.clock.now():
            raise InputError("A hindcast ends in the past: nothing is known yet of what comes.")
        return -(-begin // step) * step, end

    def _run(self, job: _Job) -> None:
        job.record = replace(job.record, progress=Progress.RUNNING)
        twin = self._running.twin(job.twin)
        timeline = self._running.timeline
        match job.asked:
            case Asked():
                found = hindcast(twin, timeline, job.before, job.asked, job.at)
                job.record = _with(job.record, found, job.asked.likely)
            case Sought():
                advising = Advising(twin, timeline, job.asked, self._running.executor, job.at)
                rows = advising.through(job.before, job.settled)
                advice = job.record.advice
                job.record = replace(
                    job.record,
                    issues=len(rows),
                    advice=None if advice is None else replace(advice, issued=rows),
                )
            case _:
                assert_never(job.asked)

    @override
    def _over(self, job: _Job) -> None:
        ended(job)
        self._shelf.put(job.record, b"")


def _whole(length: str | Span, step: Span) -> Span:
    told = span(length) if isinstance(length, str) else length
    return told // step * step


def _with(record: HindcastRecord, found: Hindcast, likely: float) -> HindcastRecord:
    counted = found.record
    return replace(
        record,
        issues=counted.issues,
        hits=counted.hits,
        misses=counted.misses,
        false_alarms=counted.false_alarms,
        leads=counted.leads[:MOST_TOLD],
        brier=counted.brier,
        brier_skill=counted.brier_skill,
        occurrences=tuple(found.occurrences())[:MOST_TOLD],
        warnings=tuple(found.warnings(likely))[:MOST_TOLD],
    )
