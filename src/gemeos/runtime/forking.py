"""Running forks behind the live path: in batches, so that an answer is there early and tightens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Protocol, TypeAlias, final

import numpy as np
from jaxtyping import Float

from gemeos.clock import Clock
from gemeos.ensemble.state import TwinState
from gemeos.foresee.fork import Forks, blocks, played
from gemeos.foresee.intervene import Acts
from gemeos.runtime.compute import Compute
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.jobs import End, Jobs, Work
from gemeos.runtime.questions import crew_of
from gemeos.runtime.scenario import Progress, ScenarioRecord

AT_ONCE: Final = 8
"""Blocks of members that are run as one batch, at most; the first batch is one block, and each is
twice the one before."""

_PROGRESS: Final = {
    End.DONE: Progress.DONE,
    End.CANCELLED: Progress.CANCELLED,
    End.FAILED: Progress.FAILED,
    End.INTERRUPTED: Progress.INTERRUPTED,
}
Values: TypeAlias = Float[np.ndarray, "time variable member"]


class Running(Protocol):
    """What forks need of the running site."""

    @property
    def clock(self) -> Clock:
        """The machine's time, for budgets."""
        ...

    @property
    def compute(self) -> Compute:
        """The threads."""
        ...

    def fleet(self, twin: str) -> Fleet:
        """The fleet that holds it."""
        ...


@dataclass(eq=False)
class Job(Work):
    """One fork while it is run."""

    record: ScenarioRecord
    """As it stands."""
    state: TwinState
    acts: Acts
    kept: bool = True
    """Whether what becomes of it is stored; not where a stored answer is made again."""
    values: list[Values] = field(default_factory=list, init=False)
    """Of each block that was run."""

    @property
    def all_members(self) -> Values:
        """Those that are through, as one array."""
        return np.concatenate(list(self.values), axis=2)


@final
class Forking:
    """Runs the forks of a site."""

    def __init__(self, running: Running) -> None:
        """``running`` has the threads and the twins."""
        self._running = running
        self.jobs: Jobs[Job] = Jobs(running.compute)

    def start(self, job: Job, over: Callable[[Job], None]) -> None:
        """Have it run when it is its turn; then ``over`` is called, whatever became of it."""
        self.jobs.start(job, self._run, partial(self._ended, then=over))

    def _ended(self, job: Job, then: Callable[[Job], None]) -> None:
        end, reason = job.end or End.FAILED, job.reason or job.record.reason
        if end is End.DONE and not job.values:
            end = End.FAILED
        if end in {End.FAILED, End.INTERRUPTED}:
            job.values.clear()
        job.record = replace(job.record, progress=_PROGRESS[end], reason=reason)
        then(job)

    def _run(self, job: Job) -> None:
        """All of its members, batch after batch."""
        fleet, began = self._running.fleet(job.record.twin), self._running.clock.wall()
        job.record = replace(job.record, progress=Progress.RUNNING)
        size, asked = fleet.members, job.record.members
        first, batch, total = 0, 1, math.ceil(asked / size)
        while first < total:
            took = self._running.clock.wall() - began
            if first and job.record.budget is not None:
                # Another batch only where it should end within the budget.
                batch = min(batch, math.floor((job.record.budget - took) / max(took / first, 1)))
                if batch < 1:
                    break
            batch = min(batch, AT_ONCE, total - first)
            self._batch(fleet, job, np.arange(first, first + batch), total)
            first, batch = first + batch, 2 * batch
            took = self._running.clock.wall() - began
            job.record = replace(job.record, ran=min(first * size, asked), took=took)

    def _batch(self, fleet: Fleet, job: Job, numbers: np.ndarray, total: int) -> None:
        record, step = job.record, fleet.schema.step
        start = int(job.state.tick[0])
        steps = record.until // step

        def watch(tick: int) -> None:
            done = numbers[0] + len(numbers) * (tick - start) / steps
            job.at(float(done) / total)

        state, crew = blocks(job.state, crew_of(fleet, record.twin), numbers)
        gone = played(
            fleet.cycle.stepper,
            Forks(state, crew, [job.acts] * len(numbers)),
            until=start + steps,
            every=record.every // step,
            inputs=fleet.school.inputs,
            watch=watch,
        )
        for number, values, failure in zip(numbers, gone.values, gone.failures, strict=True):
            width = min(fleet.members, record.members - int(number) * fleet.members)
            if failure is None:
                job.values.append(values[:, :, :width])
            else:
                failed = job.record.failed + width
                job.record = replace(job.record, failed=failed, reason=failure)
