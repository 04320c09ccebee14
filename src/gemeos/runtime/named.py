"""What scenarios, optimisations and hindcasts share: work under a name, begun, looked at, kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final, Generic, Protocol, TypeVar

from gemeos.errors import BusyError, GemeosError, NotReadyError, UnknownNameError
from gemeos.runtime.base import Houses, Works
from gemeos.runtime.jobs import End, Jobs, Work
from gemeos.runtime.scenario import Progress
from gemeos.runtime.shelf import PATH_S, Named, Shelf

MOST_UNKEPT: Final = 32
"""Of one kind, whose end the store refused."""
_PROGRESS: Final = {
    End.DONE: Progress.DONE,
    End.CANCELLED: Progress.CANCELLED,
    End.FAILED: Progress.FAILED,
    End.INTERRUPTED: Progress.INTERRUPTED,
}


class Pursued(Named, Protocol):
    """A record that tells how far it is. A frozen dataclass."""

    @property
    def progress(self) -> Progress:
        """How far."""
        ...

    @property
    def reason(self) -> str:
        """Why it failed."""
        ...


class Running(Works, Houses, Protocol):
    """What such work needs of the running site."""


_R = TypeVar("_R", bound=Pursued)


@dataclass(eq=False)
class Pursuit(Work, Generic[_R]):
    """One piece of work with the record of it."""

    record: _R
    """As it stands."""

    @property
    def counts(self) -> bool:
        """Whether the record of that name is this one; not where a stored answer is made again."""
        return True


_W = TypeVar("_W", bound=Pursuit[Any])


class NamedWork(ABC, Generic[_R, _W]):
    """Those of one kind. May be asked from any thread but the path's own."""

    def __init__(self, running: Running, kind: str, of: type[_R], *, most: int) -> None:
        """``of`` is the dataclass of the records; at most so many may wait."""
        self._kind, self._most = kind, most
        self._named = running
        self._shelf: Shelf[_R] = Shelf(running, kind, of)
        self._jobs: Jobs[_W] = Jobs(running.compute)
        self._unkept: dict[tuple[str, str], _R] = {}
        self._unkept_lock = Lock()
        self._alone = Lock()
        """Held by whoever begins or drops: what it looked at is so until it is through."""

    @property
    def waiting(self) -> int:
        """How many wait or are under way."""
        return self._jobs.waiting

    def all(self, twin: str, newest: int | None = None) -> Sequence[_R]:
        """The twin's, the oldest first; at most so many, the ``newest``."""
        self._named.fleet(twin)
        return [self._as_it_stands(each) for each in self._shelf.all(twin, newest)]

    def record(self, twin: str, name: str, *, wait_s: float | None = None) -> _R:
        """One of them; with ``wait_s`` when it is over.

        Raises:
            UnknownNameError: there is none of the name.
            NotReadyError: it takes longer.
        """
        self._named.fleet(twin)
        job = self._jobs.of(twin, name)
        if job is not None and wait_s is not None and not job.over.wait(wait_s):
            raise self._not_ready(job)
        return self._as_it_stands(self._shelf.found(twin, name)[0])

    def fraction(self, twin: str, name: str) -> float:
        """How much of it is done, 0..1.

        Raises:
            UnknownNameError: there is none of the name.
        """
        job = self._jobs.of(twin, name)
        if job is not None:
            return job.fraction
        return 1.0 if self.record(twin, name).progress.is_over else 0.0

    def cancel(self, twin: str, name: str, *, actor: str = "program") -> _R:
        """End it. One that is over stays as it is.

        Raises:
            UnknownNameError: there is none of the name.
        """
        record = self.record(twin, name)
        if self._stopped(twin, name):
            self._shelf.tell(record, "cancelled", actor)
        return self.record(twin, name)

    def drop(self, twin: str, name: str, *, actor: str = "program") -> None:
        """Delete it.

        Raises:
            UnknownNameError: there is none of the name.
        """
        record = self.record(twin, name)
        with self._alone:
            self._stopped(twin, name)
            self._shelf.drop(twin, name)
        self._shelf.tell(record, "dropped", actor)

    def close(self) -> None:
        """End what is run."""
        self._jobs.close()

    def _check_waiting(self) -> None:
        if self._jobs.waiting >= self._most:
            raise BusyError(f"{self._kind}s", self._jobs.waiting, self._most)

    @abstractmethod
    def _over(self, job: _W) -> None:
        """Keep what came of it."""

    def _begin(
        self,
        job: _W,
        attachment: bytes,
        run: Callable[[_W], None],
        *,
        replacing: bool,
        actor: str,
        asked: str,
    ) -> None:
        """Keep it, note that it was asked for, and have it run.

        Raises:
            InputError: there is no place for it; others may have begun since that was looked at.
            BusyError: too many wait.
        """
        record: _R = job.record
        with self._alone:
            self._shelf.check_room(record.twin, record.name, replacing=replacing)
            self._check_waiting()
            if replacing:
                self._stopped(record.twin, record.name)
            self._shelf.put(record, attachment)
            self._shelf.tell(record, "begun", actor, asked=asked)
            self._jobs.start(job, run, self._through)

    def _through(self, job: _W) -> None:
        """Keep what came of it; where that fails, tell it for as long as the site runs."""
        try:
            self._over(job)
        except GemeosError as error:
            told: _R = replace(job.record, reason=f"It could not be kept: {error}")
            with self._unkept_lock:
                self._unkept[job.twin, job.name] = told
                while len(self._unkept) > MOST_UNKEPT:
                    del self._unkept[next(iter(self._unkept))]

    def _as_it_stands(self, stored: _R) -> _R:
        """What is stored says how it began and how it ended; in between there is the job."""
        under_way = self._under_way(stored)
        if under_way is not None:
            return under_way
        if not stored.progress.is_over:
            # Since it was read its work may have begun, or come to its end.
            with self._alone:
                under_way = self._under_way(stored)
                if under_way is not None:
                    return under_way
                try:
                    stored, _ = self._shelf.found(stored.twin, stored.name)
                except UnknownNameError:
                    return stored
        if stored.progress.is_over:
            return stored
        with self._unkept_lock:
            unkept = self._unkept.get((stored.twin, stored.name))
        if unkept is not None and unkept.created == stored.created:
            return unkept
        return replace(stored, progress=Progress.INTERRUPTED)  # type: ignore[type-var]

    def _under_way(self, stored: _R) -> _R | None:
        job = self._jobs.of(stored.twin, stored.name)
        if job is None or not job.counts:
            return None
        told: _R = job.record
        return told

    def _stopped(self, twin: str, name: str) -> bool:
        """End it and wait for its end; False where it was over."""
        job = self._jobs.of(twin, name)
        if job is None:
            return False
        self._jobs.end(job)
        if not job.over.wait(PATH_S):
            raise NotReadyError(f"{name} did not end in {PATH_S:g} s; ask again later.")
        return True

    def _not_ready(self, job: _W) -> NotReadyError:
        return NotReadyError(
            f"{job.name} is {job.record.progress.value}, {job.fraction:.0%} done. Ask again later."
        )


def ended(job: Pursuit[_R], *, empty: bool = False) -> None:
    """Write into the record how its work ended; where nothing came of it, it failed."""
    end = job.end or End.FAILED
    if end is End.DONE and empty:
        end = End.FAILED
    reason = job.reason or job.record.reason
    job.record = replace(job.record, progress=_PROGRESS[end], reason=reason)  # type: ignore[type-var]
