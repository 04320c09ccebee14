"""The ledger of a running site: what applied plans promised, and what they delivered.

What a plan promised is durable before anything of it is sent. Once it is over, and its horizon and
the lateness of its twin's readings have passed, it is scored, behind the live path, once. A score
is worked out from what is stored and nothing else, so a site that was killed meanwhile works out
the same one, and so does whoever asks for it again.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar, final

import msgspec

from gemeos.act.undertaking import Undertaking
from gemeos.errors import NotReadyError, StoppedError, UnknownNameError
from gemeos.runtime.ledger_row import APPLIED, SCORE, AppliedPlan, Ledger, LedgerRow, Score
from gemeos.runtime.plan import packed, unpacked
from gemeos.runtime.reality import Running
from gemeos.runtime.scoring import Past, scored
from gemeos.runtime.undertakings import Undertakings
from gemeos.schema.plan import Plan
from gemeos.timeline.base import Event, Timeline
from gemeos.units import iso
from gemeos.units.instant import Instant

LOOK_EVERY_S: Final = 1.0
_MADE_OF: Final = re.compile(r"(scenario|optimisation) (\S+)")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario or a search as it is stored."""

    kind: str
    body: bytes
    state: bytes
    """What it began from."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a plan was made of."""

    each: tuple[Source, ...] = ()

    def of(self, kind: str, what: type[_T]) -> _T | None:
        """The record of that kind, where there is one."""
        for source in self.each:
            if source.kind == kind:
                return msgspec.msgpack.decode(source.body, type=what)
        return None

    def to_bytes(self) -> bytes:
        """For the store."""
        return msgspec.msgpack.encode(self)

    @staticmethod
    def from_bytes(stored: bytes) -> Sources:
        """What ``to_bytes`` wrote; nothing where nothing was kept."""
        return msgspec.msgpack.decode(stored, type=Sources) if stored else Sources()


def sources_of(timeline: Timeline, plan: Plan) -> Sources:
    """The scenario and the search that a plan was made of, if they are there."""
    made_of = _MADE_OF.fullmatch(plan.cause)
    if made_of is None:
        return Sources()
    wanted = [(made_of[1], made_of[2])]
    if made_of[1] == "optimisation":
        wanted.append(("scenario", f"plan-{made_of[2]}"))
    found = [timeline.record(kind, plan.twin, name) for kind, name in wanted]
    return Sources(tuple(Source(r.kind, r.body, r.attachment) for r in found if r is not None))


@final
class Ledgers:
    """See the module. ``run`` belongs to the site's loop; all else may be asked anywhere."""

    def __init__(self, running: Running, undertakings: Undertakings) -> None:
        """``undertakings`` tell what became of plans."""
        self._running = running
        self._undertakings = undertakings
        self._applied: dict[str, AppliedPlan] = {}
        self._scores: dict[str, Score] = {}
        self._due_since: dict[str, Instant] = {}
        self._tried: Counter[str] = Counter()
        self._closing = False
        self._turn = asyncio.Lock()

    def resume(self) -> None:
        """Know again what was applied and what was scored."""
        timeline = self._running.timeline
        for stored in timeline.records(APPLIED):
            self._applied[stored.name] = unpacked(stored, AppliedPlan)
        for stored in timeline.records(SCORE):
            self._scores[stored.name] = unpacked(stored, Score)

    async def open(self, applied: AppliedPlan) -> None:
        """Make a plan durable as it is applied; comes back before anything is sent."""
        await self._running.compute.on_path(self._opened, applied)
        self._applied[applied.record.plan.id] = applied

    def _opened(self, applied: AppliedPlan) -> None:
        """With what it was made of, which others may replace later under its name."""
        plan, timeline = applied.record.plan, self._running.timeline
        record = packed(APPLIED, plan.twin, plan.id, applied, applied.begun_at)
        timeline.put_record(replace(record, attachment=sources_of(timeline, plan).to_bytes()))

    def of(self, twin: str | None = None) -> Ledger:
        """That of one twin, or of all.

        Raises:
            UnknownNameError: no such twin.
        """
        if twin is not None:
            self._running.twin(twin)
        return Ledger(tuple(self._rows(twin)))

    def row(self, twin: str, name: str) -> LedgerRow:
        """The newest one of that plan's name.

        Raises:
            UnknownNameError: none of that name was applied.
        """
        found = {row.name: row for row in self.of(twin).rows}
        if name not in found:
            raise UnknownNameError("applied plan", name, found, where=twin)
        return found[name]

    def applied(self, twin: str, plan: str) -> AppliedPlan:
        """The plan of that id, as it was applied.

        Raises:
            UnknownNameError: none of that id was applied to the twin.
        """
        found = self._applied.get(plan)
        if found is None or found.record.plan.twin != twin:
            known = [i for i, a in self._applied.copy().items() if a.record.plan.twin == twin]
            raise UnknownNameError("applied plan", plan, known, where=twin)
        return found

    def _rows(self, twin: str | None) -> Iterator[LedgerRow]:
        known = sorted(self._applied.copy().items(), key=lambda item: (item[1].begun_at, item[0]))
        for plan, applied in known:
            undertaking = self._undertakings.of(plan)
            # Without one the site ended before it was begun: nothing was sent of it.
            if undertaking is not None and twin in {None, undertaking.twin}:
                score = self._scores.get(plan)
                yield LedgerRow.of(applied, undertaking, score)

    async def run(self) -> None:
        """Score what is due, for ever."""
        while True:
            await self.catch_up()
            await asyncio.sleep(LOOK_EVERY_S)

    async def catch_up(self, *, last: bool = False) -> None:
        """Score what is due now.

        Commits of the very instant may still come while a replayed clock stands there; so what is
        due waits until time has moved on, but for the ``last`` time.
        """
        async with self._turn:
            now = self._running.clock.now()
            due = [p for p, a in self._applied.copy().items() if self._is_due(p, a, now)]
            # Those that failed before come last: they must not keep others waiting.
            for plan in sorted(due, key=self._tried.__getitem__):
                known_by = self._due_since.setdefault(plan, now)
                if now <= known_by and not last:
                    continue
                self._tried[plan] += 1
                work = self._running.compute.background(partial(self._worked_out, plan, known_by))
                score = await asyncio.wrap_future(work)
                await self._running.compute.on_path(self._written, score)
                self._scores[plan] = score
                self._running.feed.publish([score.twin])

    def _is_due(self, plan: str, applied: AppliedPlan, now: Instant) -> bool:
        ends, undertaking = applied.ends_at, self._undertakings.of(plan)
        if ends is None or undertaking is None or plan in self._scores:
            return False
        if not undertaking.stage.is_over:
            return False  # What is over stays as it is: made again, the score is the same.
        return ends + self._running.twin(undertaking.twin).lateness <= now

    def again(self, twin: str, name: str) -> Score:
        """Work a score out once more, from what was known then.

        Raises:
            UnknownNameError: none of that name was applied.
            NotReadyError: it has not been scored yet.
        """
        row = self.row(twin, name)
        if row.score is None:
            raise NotReadyError(f"{name} of {twin} is not scored: {row.told}.")
        return self._worked_out(row.plan, row.score.known_by)

    def others(self, applied: AppliedPlan) -> list[Undertaking]:
        """Plans of the twin that were begun within the horizon of that one."""
        plan, ends = applied.record.plan, applied.ends_at
        return [
            each
            for each in self._undertakings.all(plan.twin)
            if ends is not None
            and each.plan != plan.id
            and applied.begun_at <= each.begun_at < ends
        ]

    def past(self, applied: AppliedPlan, known_by: Instant) -> Past:
        """What was known by then of the stretch that a plan promised something of."""
        plan, timeline = applied.record.plan, self._running.timeline
        twin, ends = self._running.twin(plan.twin), applied.ends_at
        if ends is None:
            raise NotReadyError(f"{plan.name} of {plan.twin} promised nothing.")
        begins = applied.begun_at // twin.schema.step * twin.schema.step
        questions = self._running.questions
        before = questions.past(twin.name, begins, known_by).state
        after = questions.past(twin.name, ends, known_by).state
        numbers = [timeline.book.number(b.series) for b in twin.bindings]
        readings = timeline.range(numbers, begins, ends, known_by=known_by)
        return Past(before, after, readings, timeline.book, known_by)

    def _worked_out(self, plan: str, known_by: Instant) -> Score:
        applied, undertaking = self._applied[plan], self._undertakings.of(plan)
        promise = applied.record.plan.promise
        if promise is None or undertaking is None:
            raise NotReadyError(f"{applied.record.plan.name} promised nothing.")
        fleet = self._running.fleet(undertaking.twin)
        past = self.past(applied, known_by)
        others = self.others(applied)
        return scored(fleet, applied, promise, undertaking, others, past, self._watch)

    def close(self) -> None:
        """End what is being worked out; the next start does it."""
        self._closing = True

    def _watch(self, _: int) -> None:
        self._running.compute.give_way()
        if self._closing:
            raise StoppedError("The site is being stopped.")

    def _written(self, score: Score) -> None:
        """Durable, and told; the record is what counts."""
        timeline, now = self._running.timeline, self._running.clock.now()
        timeline.put_record(packed(SCORE, score.twin, score.plan, score, now))
        undertaking = self._undertakings.of(score.plan)
        applied = self._applied[score.plan]
        promise = applied.record.plan.promise
        told = Event(
            kind="plan_scored",
            twin=score.twin,
            valid_at=now,
            actor="runtime",
            cause="" if undertaking is None else f"event {undertaking.event}",
            body={
                "plan": applied.record.plan.name,
                "plan_id": score.plan,
                "promised": "" if promise is None else str(promise.gain),
                "delivered": "" if score.delivered is None else str(score.delivered),
                "inside": score.inside,
                "told": "; ".join(score.notes),
                "known_by": iso(score.known_by),
            },
        )
        timeline.put_event(told, known_at=now)
