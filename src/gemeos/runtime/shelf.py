"""Where a running site keeps what people gave names to, and notes who did what to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Generic, Protocol, TypeVar, final

import msgspec

from gemeos.errors import InputError, NotReadyError, TimelineError, UnknownNameError
from gemeos.runtime.base import Works
from gemeos.timeline.base import Event, Record
from gemeos.units.instant import Instant

MOST_KEPT: Final = 1000
"""Of one kind and twin."""
LONGEST_NAME: Final = 100
PATH_S: Final = 30.0
"""How long to wait for the path, which may be behind."""


class Named(Protocol):
    """What can be kept."""

    @property
    def twin(self) -> str:
        """Whose it is."""
        ...

    @property
    def name(self) -> str:
        """One of its kind and twin has it."""
        ...

    @property
    def created(self) -> Instant:
        """Site time."""
        ...


_N = TypeVar("_N", bound=Named)


@final
class Shelf(Generic[_N]):
    """Those of one kind. May be asked from any thread but the path's own."""

    def __init__(self, running: Works, kind: str, of: type[_N]) -> None:
        """``of`` is the dataclass of what is kept."""
        self._running, self._kind, self._of = running, kind, of

    def check_room(self, twin: str, name: str, *, replacing: bool) -> None:
        """See that there is place for one more of that name.

        Raises:
            InputError: there is not; the message says what can be done.
        """
        bad = [c for c in name if c.isspace() or not c.isprintable() or c in "/?#:%"]
        # A path with '.' or '..' in it is shortened before it is sent.
        if bad or name in {".", ".."} or not 0 < len(name) <= LONGEST_NAME:
            raise InputError(
                f"{name[:LONGEST_NAME]!a} cannot name a {self._kind}: 1 to {LONGEST_NAME} "
                "characters that can be printed, no spaces, none of '/', '?', '#', ':', '%', and "
                "neither '.' nor '..'."
            )
        kept = self._running.timeline.records(self._kind, twin=twin)
        if any(r.name == name for r in kept) and not replacing:
            raise InputError(
                f"{twin} has the {self._kind} {name!r} already. Name this one otherwise, "
                "drop that one, or say that it is to be replaced."
            )
        others = sum(r.name != name for r in kept)
        if others >= MOST_KEPT:
            raise InputError(f"{twin} has {others} of the kind {self._kind}; drop some first.")

    def put(self, named: _N, attachment: bytes) -> None:
        """Keep it, instead of one of its name."""
        self._written(partial(self._running.timeline.put_record, self.packed(named, attachment)))

    def packed(self, named: _N, attachment: bytes = b"") -> Record:
        """As the store has it; for the path's own thread."""
        body = msgspec.msgpack.encode(named)
        return Record(self._kind, named.twin, named.name, body, named.created, attachment)

    def all(self, twin: str, newest: int | None = None) -> Sequence[_N]:
        """Those of a twin, the oldest first; at most so many, the ``newest``."""
        stored = self._running.timeline.records(self._kind, twin=twin, newest=newest)
        return [self._read(each) for each in stored]

    def found(self, twin: str, name: str) -> tuple[_N, bytes]:
        """One with what it began from.

        Raises:
            UnknownNameError: there is none of the name.
            TimelineError: another version of this program wrote it.
        """
        timeline = self._running.timeline
        found = timeline.record(self._kind, twin, name)
        if found is None:
            known = [r.name for r in timeline.records(self._kind, twin=twin)]
            raise UnknownNameError(self._kind, name, known, where=twin)
        return self._read(found), found.attachment

    def drop(self, twin: str, name: str) -> None:
        """Delete it, if it is there."""
        self._written(partial(self._running.timeline.drop_record, self._kind, twin, name))

    def tell(self, named: _N, what: str, actor: str, **body: str) -> None:
        """For the log: who did ``what`` to it."""
        now = self._running.clock.now()
        event = Event(
            kind=f"{self._kind}_{what}",
            twin=named.twin,
            valid_at=now,
            actor=actor,
            cause="asked for",
            body={"name": named.name, **body},
        )
        self._written(partial(self._running.timeline.put_event, event, known_at=now))

    def _written(self, write: Callable[[], object]) -> None:
        """Have the path write it.

        Raises:
            NotReadyError: the path is so far behind that nobody should wait for it.
        """
        future = self._running.compute.path(write)
        try:
            future.result(PATH_S)
        except TimeoutError as error:
            if future.done():
                raise
            future.cancel()
            raise NotReadyError(
                f"The site did not come to writing that within {PATH_S:g} s; ask again later."
            ) from error

    def _read(self, stored: Record) -> _N:
        try:
            return msgspec.msgpack.decode(stored.body, type=self._of)
        except msgspec.MsgspecError as error:
            raise TimelineError(
                f"The {self._kind} {stored.name!r} of {stored.twin} cannot be read: {error}."
            ) from error
