"""Hindcasts of a running site: begun, gone through behind the live path, kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, assert_never, final

from typing_extensions import override

from gemeos.ensemble.condition import Condition, parse
from gemeos.ensemble.state import TwinState
from gemeos.errors import InputError
from gemeos.foresee.choices import Asked as Choices
from gemeos.foresee.fork import MOST_INSTANTS
from gemeos.runtime import scenarios
from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.runtime.advising import Advising, Sought
from gemeos.runtime.asked import When
from gemeos.runtime.base import Declares
from gemeos.runtime.hindcast import Asked, Hindcast, hindcast
from gemeos.runtime.hindcast_record import KIND, HindcastRecord
from gemeos.runtime.named import NamedWork, Pursuit, ended
from gemeos.runtime.scenario import Progress
from gemeos.runtime.wanted import Wanted
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

    def begin(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        twin: str,
        name: str,
        condition: str = "",
        *,
        within: str | Span,
        since: When,
        until: When,
        likely: float = 0.5,
        every: str | Span | None = None,
        over: Mapping[str, Choices] | None = None,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
        look_every: str | Span | None = None,
        budget: str = DEFAULT_RUNS,
        seed: int = 0,
        replacing: bool = False,
        actor: str = "program",
    ) -> HindcastRecord:
        """Have a stretch of the past gone through when it is its turn.

        Args:
            twin: Its name.
            name: Of the hindcast.
            condition: What would be warned of, as in ``level > 2 m``. Either it or ``over``.
            within: How far each warning reaches, or how far ahead plans are judged.
            since: Where it begins; the twin must have had an estimate then.
            until: Where it ends.
            likely: The chance from which on it is warned.
            every: Between two issues; by default a sixth of ``within``, of advice all of it.
            over: What may be chosen at each, by control or constant, where advice is asked for.
            minimise: Objectives, as an optimisation has them.
            maximise: The same.
            subject_to: Constraints, as an optimisation has them.
            look_every: Between two instants that plans are judged by; by default a hundredth of
                ``within``.
            budget: Of each search, in runs.
            seed: Of what the searches draw.
            replacing: Take the place of one of that name.
            actor: Who asks.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        fleet = self._running.fleet(twin)
        self._shelf.check_room(twin, name, replacing=replacing)
        begin, end = self._stretch(twin, since, until)
        wanted = Wanted(
            over or {}, minimise, maximise, subject_to, within, every, look_every, budget, seed
        )
        wanted.check_alone(condition)
        asked: Asked | Sought
        if over:
            asked, advice = wanted.sought(fleet, twin, begin, end, self._running.clock.now())
        else:
            read = self._condition(twin, condition)
            asked, advice = self._asked(twin, read, within, begin, end, likely, every), None
        self._check_waiting()
        questions = self._running.questions
        before = questions.past(twin, asked.since, asked.since).state
        settled = questions.past(twin, asked.since, asked.known_by).state if over else before
        record = HindcastRecord(
            twin=twin,
            name=name,
            condition=condition,
            within=asked.within,
            likely=likely,
            every=asked.every,
            since=asked.since,
            until=asked.until,
            model=fleet.identity,
            actor=actor,
            created=asked.known_by,
            advice=advice,
        )
        job = _Job(twin, name, record, asked, before, settled)
        told = condition or ", ".join(over or ())
        self._begin(job, b"", self._run, replacing=replacing, actor=actor, asked=told)
        return record

    def _condition(self, twin: str, text: str) -> Condition:
        schema = self._running.fleet(twin).schema
        condition = parse(text)
        condition.check({v.name: v.unit for v in schema.variables if not isinstance(v, Const)})
        return condition

    def _asked(
        self,
        twin: str,
        condition: Condition,
        within: str | Span,
        begin: Instant,
        end: Instant,
        likely: float,
        every: str | Span | None,
    ) -> Asked:
        step = self._running.fleet(twin).schema.step
        reach = _whole(within, step)
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
