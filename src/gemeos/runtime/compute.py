"""The one bridge between the event loop and work that blocks.

What stores readings and changes twins runs on one thread, the path, in the order in which it was
asked for; questions run beside it on others, and what takes longer behind both: what-ifs must not
make readings late. Twins whose cycles take long have a ``Strand`` of their own, and what-ifs that
are long processes (``runtime.executors``). Kernels and the store release the interpreter's lock.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from typing_extensions import override

from gemeos.runtime.strand import Strand, submitted
from gemeos.runtime.turns import Turns
from gemeos.units.instant import Span

_T = TypeVar("_T")

QUESTION_THREADS = 2
BACKGROUND_AT_ONCE = 3
"""Pieces of work that take turns; further ones wait until one of them has ended."""
BACKGROUND_NICENESS = 10
"""Of 0 to 19: the scheduler gives such a thread a tenth of what one of niceness 0 gets."""


class Compute(Strand):
    """Threads for a running site: the path is its own strand, beside it are those of slow twins."""

    def __init__(self) -> None:
        super().__init__(question_threads=QUESTION_THREADS)
        self._background = ThreadPoolExecutor(BACKGROUND_AT_ONCE, "gemeos-background", _stand_back)
        self._turns = Turns()
        self._strands: list[Strand] = []

    def strand(self, name: str) -> Strand:
        """Further threads, which end with these."""
        strand = Strand(name)
        self._strands.append(strand)
        return strand

    def background(
        self, call: Callable[[], _T], wanted: Callable[[], bool] | None = None
    ) -> Future[_T]:
        """Run ``call`` when it is its turn, giving way to all else.

        One at a time; long ones call ``give_way``, so that none waits for another's end.

        Args:
            call: What is done.
            wanted: Looked at while it waits; what is not wanted any more is cancelled.

        Raises:
            StoppedError: nothing is taken any more.
        """

        def in_turn() -> _T:
            with self._turns.taken(wanted):
                return call()

        return submitted(self._background, in_turn)

    def give_way(self) -> Span:
        """Called by what runs in the background: others may have their turn, if they wait.

        Returns:
            How long it waited for its next one.
        """
        return self._turns.give_way()

    @override
    def close(self) -> None:
        self._background.shutdown(wait=True, cancel_futures=True)
        for strand in self._strands:
            strand.close()
        super().close()


def _stand_back() -> None:
    """Let this thread's work give way. Only Linux counts niceness by thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)
