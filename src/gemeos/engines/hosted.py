"""An engine in a process of its own: the port on this side, ``inside.Inside`` on the other.

Each simulation has a process that never ran another: what one leaves behind in a library's
globals cannot reach the next. So that beginning is cheap all the same, a process that has loaded
the engine and begun nothing, the blank, is kept, and forked for every ``reset`` and ``restore``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from typing import Final, Self, final

import msgspec

from gemeos.engines import frames
from gemeos.engines.blank import OPENING, Blank, unexpected
from gemeos.engines.outcome import Crashed, Ended, Failed, NotFinite, Outcome, TimedOut, Told
from gemeos.engines.placed import Placed
from gemeos.engines.spec import Fork, Snapshot, Spec, Value, Values, not_finite
from gemeos.engines.worker import Reply, Worker
from gemeos.errors import EngineError, InputError, StoppedError
from gemeos.units.instant import SECOND, Instant, Span

logger = logging.getLogger(__name__)

USUAL_LIMIT: Final[Span] = 60 * SECOND
"""For one call."""


class _Snapshot(msgspec.Struct, frozen=True):
    engine: str
    version: str
    t0: Instant
    now: Instant
    state: bytes


@final
class HostedEngine:
    """Implements ``base.Engine``, ``SupportsSnapshot``, ``SupportsFork``, ``SupportsNudge``.

    Its spec says which of the last three are worth calling. Also ``SupportsInterrupt``.
    """

    def __init__(self, spec: Spec, blank: Blank, limit: Span) -> None:
        blank.join()
        self._spec = spec
        self._blank = blank
        self._limit = limit
        self._worker: Worker | None = None
        self._ended: Ended | None = None
        self._t0: Instant | None = None
        self._now: Instant = 0
        self._open = True

    @classmethod
    def opened(
        cls, name: str, factory: str, settings: msgspec.Struct, limit: Span, *, fork: bool
    ) -> Self:
        """An engine whose inside is ``factory(settings as JSON)`` in the other process.

        Args:
            name: What is told if it cannot be opened.
            factory: ``package.module:Name``, importable with this process's ``sys.path``.
            settings: Of the adapter.
            limit: The longest that one call may take.
            fork: Whether processes may be forked; without it each is started anew.

        Raises:
            EngineError: it cannot be opened; with the reason.
        """
        if os.name != "posix":
            raise EngineError(name, "engines need the processes of Linux or macOS")
        blank = Blank(factory, msgspec.json.encode(settings), fork=fork)
        blank.join()
        try:
            worker = blank.worker()
            if not isinstance(worker, Worker):
                raise EngineError(name, str(worker))
            reply = worker.ask(frames.Describe(), OPENING)
            if not isinstance(reply, Reply):
                raise EngineError(name, str(reply))
            worker.close()
            if not isinstance(reply.answer, frames.Described):
                raise EngineError(name, str(unexpected(reply)))
            spec = reply.answer.spec()
            if not fork or spec.capabilities.fork is Fork.RESTORE:
                logger.warning(
                    "%s cannot be forked here: each fork is a new process that a written state is "
                    "read into, and takes many times as long.",
                    name,
                )
            return cls(spec, blank, limit)
        finally:
            blank.leave()

    def another(self) -> HostedEngine:
        """A second engine of the same model, not begun: cheaper than opening it again."""
        self._check_open()
        return HostedEngine(self._spec, self._blank, self._limit)

    def placed(self) -> Placed:
        """A process of the same model for many members, each put where it stands.

        Raises:
            InputError: ``spec.capabilities.hidden`` says what cannot be written.
        """
        self._check_open()
        if hidden := self._spec.capabilities.hidden:
            raise InputError(
                f"Members cannot be written into {self._spec.name}: {'; '.join(hidden)}."
            )
        return Placed(self._blank, self._limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def spec(self) -> Spec:
        """As read when it was opened."""
        return self._spec

    @property
    def now(self) -> Instant:
        """Where the simulation stands."""
        self._begun()
        return self._now

    @property
    def began(self) -> Instant:
        """Where the simulation began."""
        return self._begun()

    @property
    def pid(self) -> int | None:
        """Of the process that simulates, for whoever watches processes. None if there is none."""
        return None if self._worker is None else self._worker.pid

    def reset(self, params: Mapping[str, Value], seed: int, t0: Instant) -> Outcome[None]:
        """As the port says."""
        begin = frames.Begin(self._spec.params(params), seed)
        return self._anew(begin, t0, t0)

    def set(self, values: Mapping[str, Value]) -> Outcome[None]:
        """As the port says."""
        self._begun()
        return self._done(frames.Set(self._spec.settable(values)))

    def advance(self, t: Instant) -> Outcome[None]:
        """As the port says."""
        t0 = self._begun()
        elapsed = self._spec.elapsed(t0, self._now, t)
        outcome = self._done(frames.Advance(elapsed))
        if isinstance(outcome, Told):
            self._now = t
        return outcome

    def get(self, names: Iterable[str]) -> Outcome[Values]:
        """As the port says."""
        self._begun()
        asked = list(names)
        self._spec.check_known(asked)
        reply = self._asked(frames.Get(asked))
        if not isinstance(reply, Reply):
            return reply
        if not isinstance(reply.answer, frames.Read) or len(reply.answer.values) != len(asked):
            return self._failed(reply)
        values = dict(zip(asked, reply.answer.values, strict=True))
        if lost := not_finite(values):
            return self._end(NotFinite(lost, reply.said))
        return Told(values, reply.said)

    def nudge(self, values: Mapping[str, Value]) -> Outcome[None]:
        """As the port says."""
        self._begun()
        return self._done(frames.Nudge(self._spec.nudged(values)))

    def snapshot(self) -> Outcome[bytes]:
        """As the port says."""
        t0 = self._begun()
        if self._spec.capabilities.snapshot is Snapshot.NONE:
            raise InputError(f"{self._spec.name} has no snapshots.")
        reply = self._asked(frames.Keep())
        if not isinstance(reply, Reply):
            return reply
        if not isinstance(reply.answer, frames.Kept):
            return self._failed(reply)
        spec, state = self._spec, reply.answer.state
        kept = _Snapshot(spec.name, spec.version, t0, self._now, state)
        return Told(msgspec.msgpack.encode(kept), reply.said)

    def restore(self, kept: bytes) -> Outcome[None]:
        """As the port says."""
        try:
            read = msgspec.msgpack.decode(kept, type=_Snapshot)
        except msgspec.DecodeError as error:
            raise InputError(f"This is no snapshot of an engine: {error}.") from error
        mine = (self._spec.name, self._spec.version)
        if (read.engine, read.version) != mine:
            raise InputError(
                f"This is a snapshot of {read.engine} {read.version}, not of {' '.join(mine)}."
            )
        return self._anew(frames.Restore(read.state, read.now - read.t0), read.t0, read.now)

    def fork(self) -> Outcome[HostedEngine]:
        """As the port says."""
        self._begun()
        match self._spec.capabilities.fork:
            case Fork.PROCESS:
                return self._copied()
            case Fork.RESTORE:
                return self._restored_copy()
            case Fork.NONE | Fork.IN_PROCESS:
                raise InputError(f"{self._spec.name} cannot be forked.")

    def interrupt(self) -> None:
        """As the port says. A process that does not end by itself is killed."""
        worker = self._worker
        if worker is not None:
            worker.interrupt()

    def rest(self) -> None:
        """End the process that others are forked from; they go on, and the next begins it anew."""
        self._blank.rest()

    def close(self) -> None:
        """As the port says."""
        if self._open:
            self._open = False
            self._let_go()
            self._blank.leave()

    def _copied(self) -> Outcome[HostedEngine]:
        if self._ended is not None or self._worker is None:
            return self._ended or Failed("there is no process")
        worker = self._worker.forked(self._limit)
        match worker:
            case Worker():
                copy = HostedEngine(self._spec, self._blank, self._limit)
                copy._worker, copy._t0, copy._now = worker, self._t0, self._now
                return Told(copy)
            case Crashed() | TimedOut():
                return self._end(worker)
            case Failed():  # it can still go on; it can only not be doubled
                return worker

    def _restored_copy(self) -> Outcome[HostedEngine]:
        kept = self.snapshot()
        if not isinstance(kept, Told):
            return kept
        copy = HostedEngine(self._spec, self._blank, self._limit)
        outcome = copy.restore(kept.value)
        if isinstance(outcome, Told):
            return Told(copy, outcome.said)
        copy.close()
        return outcome

    def _begun(self) -> Instant:
        self._check_open()
        if self._t0 is None:
            raise StoppedError(f"{self._spec.name} was not begun: call reset or restore first.")
        return self._t0

    def _check_open(self) -> None:
        if not self._open:
            raise StoppedError(f"{self._spec.name} is closed.")

    def _anew(self, begin: frames.Request, t0: Instant, now: Instant) -> Outcome[None]:
        self._check_open()
        self._let_go()
        self._ended, self._t0, self._now = None, t0, now
        worker = self._blank.worker()
        if not isinstance(worker, Worker):
            return self._end(worker)
        self._worker = worker
        return self._done(begin)

    def _done(self, request: frames.Request) -> Outcome[None]:
        reply = self._asked(request)
        if not isinstance(reply, Reply):
            return reply
        if not isinstance(reply.answer, frames.Done):
            return self._failed(reply)
        return Told(None, reply.said)

    def _asked(self, request: frames.Request) -> Reply | Ended:
        if self._ended is not None:
            return self._ended
        if self._worker is None:
            return self._end(Failed("there is no process"))
        reply = self._worker.ask(request, self._limit)
        return reply if isinstance(reply, Reply) else self._end(reply)

    def _failed(self, reply: Reply) -> Ended:
        return self._end(unexpected(reply))

    def _end(self, ended: Ended) -> Ended:
        """Nothing more is to be had: the process goes, the reason stays."""
        self._ended = ended
        self._let_go()
        return ended

    def _let_go(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None
