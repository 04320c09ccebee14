"""Where the processes of an engine come from: one that has loaded it and begun nothing, forked."""

from __future__ import annotations

import threading
from typing import Final, final

from gemeos.engines import frames
from gemeos.engines.outcome import Ended, Failed
from gemeos.engines.worker import Reply, Worker
from gemeos.units.instant import SECOND, Span

OPENING: Final[Span] = 60 * SECOND
"""For loading an engine's library and reading its spec, whatever the limit of calls."""


@final
class Blank:
    """Where the processes of an engine and of its forks come from. For any thread."""

    def __init__(self, factory: str, settings: bytes, *, fork: bool) -> None:
        self._open = frames.Open(factory, settings)
        self._fork = fork
        self._worker: Worker | None = None
        self._users = 0
        self._lock = threading.Lock()

    def join(self) -> None:
        """One more engine uses it."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """One fewer; the last one ends it."""
        with self._lock:
            self._users -= 1
            if self._users == 0 and self._worker is not None:
                self._worker.close()
                self._worker = None

    def rest(self) -> None:
        """End it; whoever asks for a process next begins it anew."""
        with self._lock:
            if self._worker is not None:
                self._worker.close()
                self._worker = None

    def worker(self) -> Worker | Ended:
        """A process that has loaded the engine and begun nothing."""
        with self._lock:
            if self._fork and self._worker is not None:
                forked = self._forked(self._worker)
                if forked is not None:
                    return forked
            spawned = self._spawned()
            if not self._fork or not isinstance(spawned, Worker):
                return spawned
            self._worker = spawned
            return self._forked(spawned) or self._spawned()

    def _forked(self, blank: Worker) -> Worker | None:
        """None where there is no more to be had of this blank."""
        forked = blank.forked(OPENING)
        if isinstance(forked, Worker):
            return forked
        self._worker = None
        if isinstance(forked, Failed):  # foreign code has started threads: never fork it
            self._fork = False
            blank.close()
        return None

    def _spawned(self) -> Worker | Ended:
        worker = Worker.spawned()
        reply = worker.ask(self._open, OPENING)
        if isinstance(reply, Reply) and isinstance(reply.answer, frames.Done):
            return worker
        if isinstance(reply, Reply):
            worker.close()
            return unexpected(reply)
        return reply


def unexpected(reply: Reply) -> Failed:
    """What an answer of another kind than was asked for means."""
    if isinstance(reply.answer, frames.Cannot):
        return Failed(reply.answer.why, reply.said)
    return Failed(f"an answer of the wrong kind: {type(reply.answer).__name__}", reply.said)
