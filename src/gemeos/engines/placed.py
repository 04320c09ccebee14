"""One process in which members are put where they stand, run, and read, a batch at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

import numpy as np
from jaxtyping import Float64

from gemeos.engines import frames
from gemeos.engines.blank import Blank, unexpected
from gemeos.engines.outcome import Crashed, Ended
from gemeos.engines.worker import Reply, Worker
from gemeos.errors import StoppedError
from gemeos.units.instant import SECOND, Span

Rows: TypeAlias = Float64[np.ndarray, "row number"]
SLACK: Final = SECOND
"""Beside the limit of each row, for what goes over the wire."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is done with every row."""

    params: tuple[str, ...]
    held: tuple[str, ...]
    states: tuple[str, ...]
    asked: tuple[str, ...]
    """What is read in the end."""
    elapsed: Span
    """How far each is run; 0 reads it where it is put."""


@final
class Placed:
    """For one thread at a time."""

    def __init__(self, blank: Blank, limit: Span) -> None:
        blank.join()
        self._blank = blank
        self._limit = limit
        self._worker: Worker | None = None
        self._open = True
        self.why = ""
        """Why a row failed first, of all that did."""

    @property
    def pid(self) -> int | None:
        """Of the process, for whoever watches processes. None if there is none just now."""
        return None if self._worker is None else self._worker.pid

    def moved(self, asked: Asked, rows: Rows, halted: Callable[[], bool] = lambda: False) -> Rows:
        """``asked.asked`` of each row; NaN for one that raised, crashed, or took too long.

        Args:
            asked: What is done.
            rows: Params, then what is held, then states.
            halted: Looked at before each call of the process: true where none is wanted any more.

        A batch in which the process ends is done again row by row, in new processes, so that only
        those fail that cause it. A row that ends the process at once is tried once more: somebody
        else may have killed it. Each costs at most the engine's limit, and a start.

        Raises:
            StoppedError: it was halted.
        """
        if not len(rows):
            return np.empty((0, len(asked.asked)))
        done = self._tried(asked, rows, halted)
        if isinstance(done, np.ndarray):
            return done
        out = np.full((len(rows), len(asked.asked)), np.nan)
        for i in range(len(rows)):
            alone = self._alone(asked, rows[i : i + 1], halted)
            if isinstance(alone, np.ndarray):
                out[i] = alone[0]
            else:
                self.why = self.why or str(alone)
        return out

    def interrupt(self) -> None:
        """Have what is moved on another thread end soon; only after ``halted`` came to be true."""
        worker = self._worker
        if worker is not None:
            worker.interrupt()

    def rest(self) -> None:
        """End the process; what is moved next begins it anew."""
        self._let_go()

    def close(self) -> None:
        """Let go of the process. Twice does nothing."""
        if self._open:
            self._open = False
            self._let_go()
            self._blank.leave()

    def _alone(self, asked: Asked, row: Rows, halted: Callable[[], bool]) -> Rows | Ended:
        began = time.monotonic()
        done = self._tried(asked, row, halted)
        soon = time.monotonic() - began < self._limit / SECOND
        return self._tried(asked, row, halted) if isinstance(done, Crashed) and soon else done

    def _tried(self, asked: Asked, rows: Rows, halted: Callable[[], bool]) -> Rows | Ended:
        _check(halted)
        if self._worker is None:
            worker = self._blank.worker()
            if not isinstance(worker, Worker):
                return worker
            self._worker = worker
            _check(halted)  # whoever interrupted meanwhile did not know of this process
        move = frames.Move(
            list(asked.params),
            list(asked.held),
            list(asked.states),
            list(asked.asked),
            len(rows),
            np.ascontiguousarray(rows, np.float64).tobytes(),
            asked.elapsed,
            self._limit,
        )
        reply = self._worker.ask(move, self._limit * len(rows) + SLACK)
        if not isinstance(reply, Reply):
            self._worker = None
            return reply
        if not isinstance(reply.answer, frames.Moved):
            self._let_go()
            return unexpected(reply)
        self.why = self.why or reply.answer.why
        return np.frombuffer(reply.answer.rows, np.float64).reshape(len(rows), len(asked.asked))

    def _let_go(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _check(halted: Callable[[], bool]) -> None:
    if halted():
        raise StoppedError("It was stopped: no member is run any more.")
