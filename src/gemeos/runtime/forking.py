"""Running forks behind the live path: in batches, so that an answer is there early and tightens."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event as Flag
from threading import Lock
from typing import Final, Protocol, TypeAlias, final

import numpy as np
from jaxtyping import Float

from gemeos.clock import Clock
from gemeos.ensemble.state import TwinState
from gemeos.errors import StoppedError
from gemeos.foresee.fork import Forks, blocks, played
from gemeos.foresee.intervene import Acts
from gemeos.runtime.compute import Compute
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.questions import crew_of
from gemeos.runtime.scenario import Progress, ScenarioRecord

AT_ONCE: Final = 8
"""Blocks of members that are run as one batch, at most; the first batch is one block, and each is
twice the one before."""

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
class Job:
    """One fork while it is run; changed by the thread that runs it, looked at by others."""

    record: ScenarioRecord
    """As it stands."""
    state: TwinState
    acts: Acts
    kept: bool = True
    """Whether what becomes of it is stored; not where a stored answer is made again."""
    values: list[Values] = field(default_factory=list)
    """Of each block that was run."""
    fraction: float = 0.0
    """How far all of its members together are, 0..1."""
    stop: bool = False
    """Set by whoever wants it to end."""
    future: Future[None] | None = None
    """Of its run."""
    over: Flag = field(default_factory=Flag)
    """Set when all is kept that came of it; a future is done before its callbacks are."""

    @property
    def all_members(self) -> Values:
        """Those that are through, as one array."""
        return np.concatenate(list(self.values), axis=2)


class _EndedError(StoppedError):
    """Somebody wanted it to end."""


@final
class Forking:
    """Jobs that wait and the one that is run."""

    def __init__(self, running: Running) -> None:
        """``running`` has the threads and the twins."""
        self._running = running
        self._lock = Lock()
        self._closing = False
        self._jobs: dict[tuple[str, str], Job] = {}

    @property
    def waiting(self) -> int:
        """How many there are, the one under way included."""
        return len(self._jobs)

    def of(self, twin: str, name: str) -> Job | None:
        """The job of that name; None where none waits or is run."""
        with self._lock:
            return self._jobs.get((twin, name))

    def start(self, job: Job, over: Callable[[Job], None]) -> None:
        """Have it run when it is its turn; then ``over`` is called, whatever became of it."""
        with self._lock:
            self._jobs[job.record.twin, job.record.name] = job
        job.future = self._running.compute.background(self._run, job)
        job.future.add_done_callback(partial(self._over, job, over))

    def end(self, job: Job) -> None:
        """Have it end: at once where it waits, soon where it is run."""
        job.stop = True
        if job.future is not None:
            job.future.cancel()

    def close(self) -> None:
        """End all that is there."""
        with self._lock:
            self._closing = True
            jobs = list(self._jobs.values())
        for job in jobs:
            self.end(job)

    def _over(self, job: Job, then: Callable[[Job], None], future: Future[None]) -> None:
        """Note how it ended. What a model raised ends here, as the failure of its fork."""
        error = CancelledError() if future.cancelled() else future.exception()
        progress, reason = Progress.DONE, job.record.reason
        if self._closing and error is not None:
            progress = Progress.INTERRUPTED
            job.values.clear()
        elif isinstance(error, (_EndedError, CancelledError)):
            progress = Progress.CANCELLED
        elif error is not None or not job.values:
            progress, reason = Progress.FAILED, reason if error is None else str(error)
            job.values.clear()
        job.record = replace(job.record, progress=progress, reason=reason)
        try:
            then(job)
        finally:
            key = (job.record.twin, job.record.name)
            with self._lock:
                if self._jobs.get(key) is job:
                    del self._jobs[key]
            job.over.set()

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
            job.fraction = float(done) / total
            if job.stop:
                raise _EndedError(f"{record.name} was ended.")

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
