"""Running forks behind the live path: in batches, so that an answer is there early and tightens."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Protocol, TypeAlias, final

import numpy as np
from jaxtyping import Float
from typing_extensions import override

from gemeos.clock import Clock
from gemeos.ensemble.state import TwinState
from gemeos.foresee.executor import Batch, Executor
from gemeos.foresee.intervene import Acts
from gemeos.runtime.base import Houses
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.named import Pursuit, ended
from gemeos.runtime.questions import crew_of
from gemeos.runtime.scenario import Progress, ScenarioRecord
from gemeos.runtime.trial import MOST_NUMBERS, width_of

AT_ONCE: Final = 8
"""Blocks of members that are run as one batch, at most; the first batch is one block, and each is
twice the one before."""

Values: TypeAlias = Float[np.ndarray, "time variable member"]


class Answer(NamedTuple):
    """Members that were run."""

    values: Values
    left_out: tuple[int, ...]
    """Numbers of those that failed; the values are of the others."""


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
    ran: list[Answer] = field(default_factory=list, init=False)
    """Each block that was run."""

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
        return Answer(values, tuple(n for each in ran for n in each.left_out))


@final
class Forking:
    """Runs the forks of a site."""

    def __init__(self, running: Running) -> None:
        """``running`` has the twins."""
        self._running = running

    def over(self, job: Job) -> None:
        """Note how it ended: what is left of a fork that failed is nothing."""
        is_empty = job.answer is None
        if is_empty and job.record.failed and not job.record.reason:
            reason = f"{job.record.failed} of {job.record.ran} members failed on the way"
            job.record = replace(job.record, reason=reason)
        ended(job, empty=is_empty)
        if is_empty or job.record.progress in {Progress.FAILED, Progress.INTERRUPTED}:
            job.ran.clear()

    def run(self, job: Job) -> None:
        """All of its members, batch after batch."""
        fleet = self._running.fleet(job.record.twin)
        began = self._running.clock.wall() - job.waited
        job.record = replace(job.record, progress=Progress.RUNNING)
        size, asked = fleet.members, job.record.members
        width = size * width_of(fleet, job.record.until // fleet.schema.step)
        at_once = max(1, min(AT_ONCE, MOST_NUMBERS // width))
        first, batch, total = 0, 1, math.ceil(asked / size)
        while first < total:
            took = self._running.clock.wall() - job.waited - began
            if first and job.record.budget is not None:
                # Another batch only where it should end within the budget.
                batch = min(batch, math.floor((job.record.budget - took) / max(took / first, 1)))
                if batch < 1:
                    break
            batch = min(batch, at_once, total - first)
            self._batch(fleet, job, np.arange(first, first + batch), total)
            first, batch = first + batch, 2 * batch
            took = self._running.clock.wall() - job.waited - began
            job.record = replace(job.record, ran=min(first * size, asked), took=took)

    def _batch(self, fleet: Fleet, job: Job, numbers: np.ndarray, total: int) -> None:
        record, step = job.record, fleet.schema.step
        start = int(job.state.tick[0])
        steps = record.until // step

        def watch(tick: int) -> None:
            done = numbers[0] + len(numbers) * (tick - start) / steps
            job.at(float(done) / total)

        batch = Batch(
            job.state,
            crew_of(fleet, record.twin),
            numbers,
            (job.acts,) * len(numbers),
            steps,
            record.every // step,
            fleet.school.input_span,
        )
        gone = self._running.executor.played(fleet.cycle.stepper, batch, watch)
        rows = zip(numbers, gone.values, gone.failures, gone.failed, strict=True)
        for number, values, failure, failed in rows:
            first = int(number) * fleet.members
            width = min(fleet.members, record.members - first)
            sound = ~failed[:width]
            left_out = tuple((first + np.flatnonzero(~sound)).tolist())
            job.ran.append(Answer(values[:, :, :width][:, :, sound], left_out))
            count = job.record.failed + len(left_out)
            job.record = replace(job.record, failed=count, reason=failure or job.record.reason)
