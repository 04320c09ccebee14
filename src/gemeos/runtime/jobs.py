"""Work that takes long, by turns behind the live path, and how each piece ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from threading import Event as Flag
from threading import Lock
from typing import Generic, TypeVar, final

from gemeos.errors import GemeosError, StoppedError
from gemeos.runtime.compute import Compute
from gemeos.units.instant import Span

logger = logging.getLogger(__name__)


class End(Enum):
    """How a piece of work ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    """Somebody ended it."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """The site stopped meanwhile."""


class EndedError(StoppedError):
    """Somebody wanted it to end."""


@dataclass(eq=False)
class Work:
    """One piece; changed by the thread that does it, looked at by others."""

    twin: str
    name: str
    fraction: float = field(default=0.0, init=False)
    """How far it is, 0..1."""
    stop: bool = field(default=False, init=False)
    """Set when somebody wants it to end."""
    end: End | None = field(default=None, init=False)
    reason: str = field(default="", init=False)
    """Why it failed."""
    waited: Span = field(default=0, init=False)
    """How long it waited for others since it began."""
    way: Callable[[], Span] | None = field(default=None, init=False)
    """Lets others have their turn, and says how long that took."""
    future: Future[None] | None = field(default=None, init=False)
    over: Flag = field(default_factory=Flag, init=False)
    """Set when all is kept that came of it; a future is done before its callbacks are."""

    def at(self, fraction: float) -> None:
        """It has come so far; others may have their turn.

        Raises:
            EndedError: somebody wants it to end.
        """
        self.fraction = fraction
        if self.way is not None and not self.stop:
            self.waited += self.way()
        if self.stop:
            raise EndedError(f"{self.name} was ended.")


_W = TypeVar("_W", bound=Work)


@final
class Jobs(Generic[_W]):
    """Those that wait and those that are under way. One of each twin and name."""

    def __init__(self, compute: Compute) -> None:
        """``compute`` has the threads."""
        self._compute = compute
        self._lock = Lock()
        self._closing = False
        self._jobs: dict[tuple[str, str], _W] = {}

    @property
    def waiting(self) -> int:
        """How many there are, those under way included."""
        return len(self._jobs)

    def of(self, twin: str, name: str) -> _W | None:
        """The one of that name; None where none waits or is under way."""
        with self._lock:
            return self._jobs.get((twin, name))

    def start(self, job: _W, run: Callable[[_W], None], over: Callable[[_W], None]) -> None:
        """Have ``run`` do it when it is its turn; then ``over`` is called, whatever came of it.

        Raises:
            StoppedError: the site stops, and what is begun now would keep it from that.
        """
        with self._lock:
            if self._closing:
                raise StoppedError(f"The site stops: {job.name} is not begun any more.")
            job.way = self._compute.give_way
            job.future = self._compute.background(partial(run, job), lambda: not job.stop)
            self._jobs[job.twin, job.name] = job
        job.future.add_done_callback(partial(self._over, job, over))

    def end(self, job: _W) -> None:
        """Have it end: at once where it waits, soon where it is under way."""
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

    def _over(self, job: _W, then: Callable[[_W], None], future: Future[None]) -> None:
        """Note how it ended. What a model raised ends here, as the failure of its work."""
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            job.end = End.DONE
        elif self._closing:
            job.end = End.INTERRUPTED
        elif isinstance(error, (EndedError, CancelledError)):
            job.end = End.CANCELLED
        else:
            job.end, job.reason = End.FAILED, _why(error)
        try:
            then(job)
        finally:
            with self._lock:
                if self._jobs.get((job.twin, job.name)) is job:
                    del self._jobs[job.twin, job.name]
            job.over.set()


def _why(error: BaseException) -> str:
    """What is meant for people says enough; of anything else its kind and place are told."""
    if isinstance(error, GemeosError):
        return str(error)
    logger.error("Work failed by an error that nobody foresaw.", exc_info=error)
    return f"{type(error).__name__}: {error}"
