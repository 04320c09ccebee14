"""Running forks behind the live path: in batches, so that an answer is there early and tightens.

A batch is some blocks of members, or, where each member is a simulation of its own, some members of
one block (``runtime.groups``). Of the latter one may be too slow to be waited for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeAlias, final

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from gemeos.clock import Clock
from gemeos.ensemble.state import TwinState
from gemeos.foresee.executor import Batch, Executor
from gemeos.foresee.fork import Played
from gemeos.foresee.intervene import Acts
from gemeos.runtime.base import Houses
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.groups import Group, burst, next_group, within
from gemeos.runtime.named import Pursuit, ended
from gemeos.runtime.questions import crew_of
from gemeos.runtime.scenario import Progress, ScenarioRecord
from gemeos.runtime.trial import MOST_NUMBERS, width_of
from gemeos.simulate.base import GoesInCompany, Steps
from gemeos.simulate.company import Company, Failure, Patience
from gemeos.units.instant import Instant

AT_ONCE: Final = 8
"""Blocks of members that are run as one batch, at most; the first batch is one block, and each is
twice the one before."""

Values: TypeAlias = Float[np.ndarray, "time variable member"]


class Answer(NamedTuple):
    """Members that were run."""

    values: Values
    left_out: tuple[int, ...]
    """Numbers of those that failed or were too slow; the values are of the others."""
    slow: tuple[int, ...] = ()
    """Of these, those that were too slow."""


class Running(Houses, Protocol):
    """What forks need of the running site."""

    @property
    def clock(self) -> Clock:
        """The machine's time, for budgets."""
        ...

    @property
    def executor(self) -> Executor:
        """Runs batches."""
        ...


@dataclass(eq=False)
class Job(Pursuit[ScenarioRecord]):
    """One fork while it is run."""

    state: TwinState
    acts: Acts
    kept: bool = True
    """Whether what becomes of it is stored; not where a stored answer is made again."""
    hurries: bool = True
    """Whether those that are too slow are given up; not where it was written down who was."""
    ran: list[Answer] = field(default_factory=list, init=False)
    """Each block that was run."""
    of_block: list[tuple[Answer, Company]] = field(default_factory=list, init=False)
    """The groups of the block that is under way, where there are any."""

    @property
    @override
    def counts(self) -> bool:
        """See ``Pursuit``."""
        return self.kept

    @property
    def answer(self) -> Answer | None:
        """The members that are through; None where they are too few to tell doubt."""
        ran = list(self.ran)
        if sum(each.values.shape[2] for each in ran) < 2:
            return None
        values = np.concatenate([each.values for each in ran], axis=2)
        left_out = tuple(n for each in ran for n in each.left_out)
        return Answer(values, left_out, tuple(n for each in ran for n in each.slow))


@final
class Forking:
    """Runs the forks of a site."""

    def __init__(self, running: Running) -> None:
        """``running`` has the twins."""
        self._running = running

    def over(self, job: Job) -> None:
        """Note how it ended: what is left of a fork that failed is nothing."""
        self._check_burst(job)
        is_empty = job.answer is None
        if is_empty and job.record.missing and not job.record.reason:
            reason = f"of {job.record.ran} members: {job.record.missing}"
            job.record = replace(job.record, reason=reason)
        ended(job, empty=is_empty)
        if is_empty or job.record.progress in {Progress.FAILED, Progress.INTERRUPTED}:
            job.ran.clear()

    def run(self, job: Job) -> None:
        """All of its members, batch after batch."""
        fleet = self._running.fleet(job.record.twin)
        known = () if job.kept else job.record.slow
        job.record = replace(job.record, progress=Progress.RUNNING, ran=0, failed=0, slow=known)
        steps = fleet.cycle.stepper
        if isinstance(steps, GoesInCompany):
            self._in_groups(fleet, steps, job)
        else:
            self._in_blocks(fleet, job)

    def _in_groups(self, fleet: Fleet, steps: GoesInCompany, job: Job) -> None:
        """Some members of one block after the other."""
        spent, asked = partial(self._spent, job), job.record.members
        began, budget = spent(), job.record.budget
        ends = None if budget is None else began + budget
        patience = Patience(spent, ends=ends) if job.hurries else None
        begun = 0
        while begun < asked:
            group = next_group(begun, asked, fleet.members, steps.at_once)
            count = within(group, took=spent() - began, ran=begun, budget=budget)
            if count < 1:
                break
            group = replace(group, count=count)
            self._group(fleet, steps, job, group, patience)
            begun += count
            if group.first + count == fleet.members:
                self._check_burst(job)
            job.record = replace(job.record, ran=begun, took=spent() - began)
        self._check_burst(job)

    def _group(
        self,
        fleet: Fleet,
        steps: GoesInCompany,
        job: Job,
        group: Group,
        patience: Patience | None,
    ) -> None:
        asked, before = job.record.members, group.block * fleet.members
        begun = before + group.first
        own = range(group.first, group.first + group.count)
        left = {n - before for n in job.record.slow}
        company = Company(frozenset(own) - left, patience, lambda: job.stop)

        def watch(share: float) -> None:
            job.at((begun + group.count * share) / asked)

        gone = self._played(fleet, steps.alone(company), job, np.array([group.block]), watch)
        why = gone.failures[0]
        if why is not None:
            company.failed.update({n: Failure(0, why) for n in company.going})
        if patience is not None:
            patience.learn(company.paces)
        sound = company.going
        slow = tuple(before + n for n in own if n in company.slow or n in left)
        out = tuple(before + n for n in own if n not in sound)
        answer = Answer(gone.values[0][:, :, sound], out, slow)
        job.ran.append(answer)
        job.of_block.append((answer, company))
        job.record = replace(
            job.record,
            failed=job.record.failed + len(company.failed),
            slow=tuple(sorted({*job.record.slow, *slow})),
            reason=why or job.record.reason,
        )

    def _check_burst(self, job: Job) -> None:
        """Take back what was told of a block if so many failed that it tells nothing."""
        ran, job.of_block = job.of_block, []
        if not ran:
            return
        failed = {n: why for _, company in ran for n, why in company.failed.items()}
        there = sum(answer.values.shape[2] for answer, _ in ran)
        error = burst(job.record.twin, failed, there + len(failed))
        if error is None:
            return
        none = ran[0][0].values[:, :, :0]
        slow = tuple(n for answer, _ in ran for n in answer.slow)
        end = sum(answer.values.shape[2] + len(answer.left_out) for answer in job.ran)
        first = end - sum(answer.values.shape[2] + len(answer.left_out) for answer, _ in ran)
        lost = Answer(none, tuple(range(first, end)), slow)
        job.ran[-len(ran) :] = [lost]
        job.record = replace(job.record, failed=job.record.failed + there, reason=str(error))

    def _spent(self, job: Job) -> Instant:
        """The machine's time without that in which others had their turn."""
        return self._running.clock.wall() - job.waited

    def _in_blocks(self, fleet: Fleet, job: Job) -> None:
        """Whole ensembles of members, a few as one batch."""
        began = self._spent(job)
        size, asked = fleet.members, job.record.members
        width = size * width_of(fleet, job.record.until // fleet.schema.step)
        at_once = max(1, min(AT_ONCE, MOST_NUMBERS // width))
        first, batch, total = 0, 1, math.ceil(asked / size)
        while first < total:
            took = self._spent(job) - began
            if first and job.record.budget is not None:
                # Another batch only where it should end within the budget.
                batch = min(batch, math.floor((job.record.budget - took) / max(took / first, 1)))
                if batch < 1:
                    break
            batch = min(batch, at_once, total - first)
            self._batch(fleet, job, np.arange(first, first + batch), total)
            first, batch = first + batch, 2 * batch
            took = self._spent(job) - began
            job.record = replace(job.record, ran=min(first * size, asked), took=took)

    def _batch(self, fleet: Fleet, job: Job, numbers: np.ndarray, total: int) -> None:
        record = job.record

        def watch(share: float) -> None:
            job.at(float(numbers[0] + len(numbers) * share) / total)

        gone = self._played(fleet, fleet.cycle.stepper, job, numbers, watch)
        rows = zip(numbers, gone.values, gone.failures, gone.failed, strict=True)
        for number, values, failure, failed in rows:
            first = int(number) * fleet.members
            width = min(fleet.members, record.members - first)
            sound = ~failed[:width]
            left_out = tuple((first + np.flatnonzero(~sound)).tolist())
            job.ran.append(Answer(values[:, :, :width][:, :, sound], left_out))
            count = job.record.failed + len(left_out)
            job.record = replace(job.record, failed=count, reason=failure or job.record.reason)

    def _played(
        self,
        fleet: Fleet,
        steps: Steps,
        job: Job,
        numbers: np.ndarray,
        watch: Callable[[float], None],
    ) -> Played:
        """These blocks; ``watch`` is told how much of the way they are, 0..1."""
        record, step = job.record, fleet.schema.step
        start, ahead = int(job.state.tick[0]), record.until // step
        batch = Batch(
            job.state,
            crew_of(fleet, record.twin),
            numbers,
            (job.acts,) * len(numbers),
            ahead,
            record.every // step,
            fleet.school.input_span,
        )
        return self._running.executor.played(
            steps, batch, lambda tick: watch((tick - start) / ahead)
        )
