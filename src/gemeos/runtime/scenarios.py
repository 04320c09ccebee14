"""Scenarios of a running site: forked, run behind the live path, kept, made again.

What is stored is the record and the state that it begins from, not the answer: an answer of
hundreds of members is large, and it is made again bit for bit (contract 3). The newest answers are
held in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from threading import Lock
from typing import Final, Protocol, final

import numpy as np
from typing_extensions import override

from gemeos.ensemble.compare import Comparison, compare
from gemeos.ensemble.estimate import Estimate, Scenario
from gemeos.ensemble.state import TwinState
from gemeos.errors import (
    InputError,
    NotReadyError,
    OutOfReachError,
    StoppedError,
    UnknownNameError,
)
from gemeos.foresee.executor import Executor
from gemeos.foresee.fork import instants
from gemeos.foresee.intervene import NOTHING, acts
from gemeos.runtime import named
from gemeos.runtime.asked import LONGEST_WAIT_S, ScenarioQuestion
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.forking import Answer, Forking, Job
from gemeos.runtime.jobs import End
from gemeos.runtime.named import NamedWork
from gemeos.runtime.questions import Origin, Questions
from gemeos.runtime.scenario import KIND, Progress, ScenarioRecord
from gemeos.schema.intervention import as_written, changes, in_words
from gemeos.simulate.base import GoesInCompany
from gemeos.units import span, span_told
from gemeos.units.instant import Span

MOST_WAITING: Final = 32
"""Scenarios that may wait for their turn; beyond, whoever asks is refused."""
MOST_MEMBERS: Final = 100_000
MOST_NUMBERS: Final = 60_000_000
"""Of one answer: a quarter of a gigabyte in float32."""
MOST_HELD: Final = 120_000_000
"""Numbers of all answers that are held."""
DEFAULT_INSTANTS: Final = 100
"""Of an answer for which no ``every`` is asked."""
BASELINE: Final = ""
"""The name of the fork in which nothing is changed; no scenario can have it."""


class Running(named.Running, Protocol):
    """What scenarios need of the running site."""

    @property
    def executor(self) -> Executor:
        """Runs batches of forks."""
        ...

    @property
    def questions(self) -> Questions:
        """What the twins hold."""
        ...


@final
class Scenarios(NamedWork[ScenarioRecord, Job]):
    """See the module. May be asked from any thread but the path's own."""

    def __init__(self, running: Running) -> None:
        """``running`` lets them look."""
        super().__init__(running, KIND, ScenarioRecord, most=MOST_WAITING)
        self._running = running
        self._lock = Lock()
        self._forking = Forking(running)
        self._held: OrderedDict[tuple[str, str, str], Answer] = OrderedDict()
        """Answers by twin, name and digest, the newest last."""

    def begin(
        self, twin: str, asked: ScenarioQuestion, *, actor: str = "program"
    ) -> ScenarioRecord:
        """Fork a twin, keep the record, and have it run when it is its turn.

        Args:
            twin: Its name.
            asked: What is asked of it.
            actor: Who asks.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        fleet, questions = self._running.fleet(twin), self._running.questions
        fork = self._running.clock.now() if asked.at is None else questions.instant(asked.at)
        told = changes(asked.changes, fork=fork)
        made = acts(fleet.schema, told)
        self._shelf.check_room(twin, asked.name, replacing=asked.replacing)
        if asked.at is None and asked.known_by is not None:
            raise InputError("known_by is a question about the past: say at which moment, at=...")
        if asked.at is None:
            origin = questions.present(twin)
        else:
            origin = questions.past(twin, asked.at, asked.known_by)
        step = fleet.schema.step
        ahead, pace = reach(asked.until, asked.every, step)
        record = ScenarioRecord(
            twin=twin,
            name=asked.name,
            changes=as_written(in_words(fleet.schema, told)),
            forked_at=int(origin.state.tick[0]) * step,
            known_at=origin.known_at,
            until=ahead,
            every=pace,
            members=fleet.members if asked.members is None else asked.members,
            budget=span(asked.budget) if isinstance(asked.budget, str) else asked.budget,
            model=fleet.identity,
            origin=origin.digest,
            actor=actor,
            created=self._running.clock.now(),
        )
        self._check_size(fleet, record)
        self._check_waiting()
        packed = origin.state.to_bytes()
        job = Job(twin, asked.name, record, origin.state, made)
        run, told_of = self._forking.run, record.changed
        self._begin(job, packed, run, replacing=asked.replacing, actor=actor, asked=told_of)
        return record

    def _check_size(self, fleet: Fleet, record: ScenarioRecord) -> None:
        step = fleet.schema.step
        times = len(instants(0, record.until // step, record.every // step))
        if not 2 <= record.members <= MOST_MEMBERS:
            raise InputError(
                f"A scenario has 2 to {MOST_MEMBERS} members, not {record.members}: "
                "doubt needs two."
            )
        if record.budget is not None and record.budget <= 0:
            raise InputError("A budget of no time runs nothing. Leave it out, or give some.")
        numbers = times * len(fleet.cycle.stepper.told_names) * record.members
        if numbers > MOST_NUMBERS:
            raise InputError(
                f"The answer would hold {numbers} numbers, and may hold {MOST_NUMBERS}: ask for "
                "a coarser 'every', or fewer members."
            )

    @override
    def _over(self, job: Job) -> None:
        """Hold and keep what came of it."""
        self._forking.over(job)
        record = job.record
        answer = job.answer
        if answer is not None:
            record = replace(record, digest=sha256(answer.values.tobytes()).hexdigest()[:32])
            # Also of what nobody waits for any more: whoever asks again finds it.
            of = job.name if record.name == BASELINE else record.digest
            self._hold((record.twin, record.name, of), answer)
        job.record = record
        if job.kept:
            self._shelf.put(record, job.state.to_bytes())

    def _hold(self, key: tuple[str, str, str], answer: Answer) -> None:
        with self._lock:
            self._held[key] = answer
            while (
                sum(a.values.size for a in self._held.values()) > MOST_HELD and len(self._held) > 1
            ):
                self._held.popitem(last=False)

    def _found(self, twin: str, name: str) -> tuple[ScenarioRecord, TwinState]:
        """It as it is stored, and the state that it begins from."""
        self._running.fleet(twin)
        record, packed = self._shelf.found(twin, name)
        return record, TwinState.from_bytes(packed)

    def estimate(
        self, twin: str, name: str, *, early: bool = False, wait_s: float = LONGEST_WAIT_S
    ) -> Estimate:
        """Its members over time.

        Args:
            twin: The twin's name.
            name: Its own.
            early: Do not wait; of one that is still run, tell the members that are through.
            wait_s: How long to wait for all members.

        Raises:
            UnknownNameError: there is none of the name.
            NotReadyError: it takes longer.
            StoppedError: it failed, or was cancelled before a member was through.
            OutOfReachError: it cannot be made again.
        """
        job = self._jobs.of(twin, name)
        if job is not None and (early or not job.over.wait(wait_s)):
            answer = job.answer if early else None
            if answer is not None:
                return self._told(job.record, job.state, answer)
            self._check_there(job.record)
            raise self._not_ready(job)
        stored, state = self._found(twin, name)
        record = self._as_it_stands(stored)
        return self._told(record, state, self._values(record, state, wait_s))

    def _told(self, record: ScenarioRecord, state: TwinState, answer: Answer) -> Estimate:
        step = self._running.fleet(record.twin).schema.step
        count = len(answer.values)
        times = record.forked_at + np.arange(1, count + 1) * record.every // step * step
        return self._running.questions.answer(
            record.twin,
            times,
            answer.values,
            Scenario(record.name),
            Origin(state, record.known_at, record.origin),
            answer.left_out,
        )

    def _check_there(self, record: ScenarioRecord) -> None:
        if record.progress in {Progress.FAILED, Progress.CANCELLED} and not record.digest:
            why = f": {record.reason}" if record.reason else ", before a member was through"
            raise StoppedError(f"{record.name} of {record.twin} {record.progress.value}{why}.")

    def _values(self, record: ScenarioRecord, state: TwinState, wait_s: float) -> Answer:
        """The answer of one that is over: held, or made again."""
        self._check_there(record)
        with self._lock:
            held = self._held.get((record.twin, record.name, record.digest))
        if held is not None:
            return held
        fleet = self._running.fleet(record.twin)
        if fleet.identity != record.model:
            raise OutOfReachError(
                f"{record.name} was made by model {record.model[:16]}, and {record.twin} has "
                f"another one now, {fleet.identity[:16]}: it cannot be made again. Begin it anew."
            )
        # One that was interrupted never was whole: what comes of it now counts.
        kept = not record.digest
        asked = record if kept else replace(record, members=record.ran, budget=None)
        made = acts(fleet.schema, changes(record.changes))
        again = Job(record.twin, record.name, asked, state, made, kept, hurries=kept)
        job, answer = self._made(again, wait_s)
        if not kept and job.record.digest != record.digest:
            raise OutOfReachError(
                f"{record.name} was made again and came out otherwise: the machine or a library is "
                "another one than then. Begin it anew."
            )
        return answer

    def _made(self, job: Job, wait_s: float) -> tuple[Job, Answer]:
        """It, when it is over; where it is made already it is not made twice."""
        told = job.record.name or "What it is compared with"
        with self._alone:
            there = self._jobs.of(job.twin, job.name)
            if there is None:
                if job.kept:
                    self._found(job.twin, job.name)  # Dropped meanwhile, it is not to come back.
                self._check_waiting()
                self._jobs.start(job, self._forking.run, self._through)
        if there is not None and (there.kept, there.record.created) != (
            job.kept,
            job.record.created,
        ):
            raise NotReadyError(f"{told} was begun anew meanwhile; ask again later.")
        made = there or job
        if not made.over.wait(wait_s):
            raise NotReadyError(f"{told} is made again, {made.fraction:.0%} done; ask again later.")
        if made.kept:
            self._check_there(made.record)
        answer = made.answer
        if answer is None or not (made.kept or made.end is End.DONE):
            why = f": {made.record.reason}" if made.record.reason else ""
            raise StoppedError(f"{told} was ended before it was made again{why}. Ask again.")
        return made, answer

    def compare(
        self,
        twin: str,
        name: str,
        *,
        on: str,
        against: str | None = None,
        wait_s: float = LONGEST_WAIT_S,
    ) -> Comparison:
        """How much further ``on`` is than in another scenario, or than where nothing is changed.

        Raises:
            As ``estimate``; InputError: the two have not one origin.
        """
        after = self.estimate(twin, name, wait_s=wait_s)
        if against is not None:
            return compare(self.estimate(twin, against, wait_s=wait_s), after, on=on)
        record, state = self._found(twin, name)
        members = after.values.shape[2] + len(after.provenance.left_out)
        nothing = replace(
            record,
            name=BASELINE,
            changes={},
            members=members,
            budget=None,
            digest="",
            slow=(*record.slow, *(record.slow_beside or ())),
        )
        answer = self._nothing(nothing, state, wait_s)
        self._note_slow(record, answer)
        return compare(self._told(nothing, state, answer), after, on=on)

    def _note_slow(self, record: ScenarioRecord, nothing: Answer) -> None:
        """Write down whom nobody waited for, so that the comparison comes out the same again."""
        steps = self._running.fleet(record.twin).cycle.stepper
        if record.slow_beside is not None or not isinstance(steps, GoesInCompany):
            return
        beside = tuple(sorted(set(nothing.slow) - set(record.slow)))
        with self._alone, suppress(UnknownNameError):  # dropped meanwhile
            stored, packed = self._shelf.found(record.twin, record.name)
            if stored.created == record.created:
                self._shelf.put(replace(stored, slow_beside=beside), packed)

    def _nothing(self, record: ScenarioRecord, state: TwinState, wait_s: float) -> Answer:
        """The fork in which nothing is changed."""
        told = (record.origin, record.forked_at, record.until, record.every, record.members)
        name = "/" + "/".join(map(str, (*told, *record.slow)))  # no scenario can have it
        key = (record.twin, BASELINE, name)
        with self._lock:
            held = self._held.get(key)
        if held is not None:
            return held
        hurries = record.slow_beside is None
        job = Job(record.twin, name, record, state, NOTHING, kept=False, hurries=hurries)
        return self._made(job, wait_s)[1]


def reach(until: str | Span, every: str | Span | None, step: Span) -> tuple[Span, Span]:
    """How far and how fine, in whole steps."""
    ahead = span(until) if isinstance(until, str) else until
    if every is None:
        pace = max(ahead // DEFAULT_INSTANTS, step)
    else:
        pace = span(every) if isinstance(every, str) else every
    if pace < step or ahead < pace:
        raise InputError(
            f"The twin moves in steps of {span_told(step)}: 'every' cannot be shorter, nor "
            "'until' shorter than that."
        )
    return ahead // step * step, pace // step * step
