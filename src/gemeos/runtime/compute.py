"""The one bridge between the event loop and work that blocks.

Everything that changes twins or writes the store runs on one thread, in the order in which it was
asked for; questions run beside it on others, and what takes longer behind both: what-ifs must not
make readings late. Kernels and the store release the interpreter's lock; what-ifs that are long
have processes of their own (``runtime.executors``).
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from gemeos.errors import StoppedError
from gemeos.runtime.turns import Turns
from gemeos.units.instant import Span

_P = ParamSpec("_P")
_T = TypeVar("_T")

QUESTION_THREADS = 2
BACKGROUND_AT_ONCE = 3
"""Pieces of work that take turns; further ones wait until one of them has ended."""
BACKGROUND_NICENESS = 10
"""Of 0 to 19: the scheduler gives such a thread a tenth of what one of niceness 0 gets."""


class Compute:
    """Threads for a running site."""

    def __init__(self) -> None:
        self._path = ThreadPoolExecutor(1, "gemeos-path")
        self._questions = ThreadPoolExecutor(QUESTION_THREADS, "gemeos-question")
        self._acting = ThreadPoolExecutor(1, "gemeos-acting")
        self._background = ThreadPoolExecutor(BACKGROUND_AT_ONCE, "gemeos-background", _stand_back)
        self._turns = Turns()

    async def on_path(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``call`` on the thread that owns twins and store; one at a time, in order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._path, lambda: call(*args, **kwargs))

    async def beside(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``call``, which only asks, beside the path."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._questions, lambda: call(*args, **kwargs))

    async def for_acting(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """``beside`` for what decides about commands: it must not wait behind questions."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._acting, lambda: call(*args, **kwargs))

    def path(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """``on_path`` for callers without an event loop.

        Raises:
            StoppedError: nothing is taken any more.
        """
        return _submitted(self._path, call, *args, **kwargs)

    def aside(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """``beside`` for callers without an event loop."""
        return self._questions.submit(call, *args, **kwargs)

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

        return _submitted(self._background, in_turn)

    def give_way(self) -> Span:
        """Called by what runs in the background: others may have their turn, if they wait.

        Returns:
            How long it waited for its next one.
        """
        return self._turns.give_way()

    def close(self) -> None:
        """Wait for what is running; take nothing more."""
        self._background.shutdown(wait=True, cancel_futures=True)
        self._path.shutdown(wait=True)
        self._acting.shutdown(wait=True, cancel_futures=True)
        self._questions.shutdown(wait=True, cancel_futures=True)


def _submitted(
    pool: ThreadPoolExecutor, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
) -> Future[_T]:
    try:
        return pool.submit(call, *args, **kwargs)
    except RuntimeError as error:
        raise StoppedError("The site is stopped: nothing more is done.") from error


def _stand_back() -> None:
    """Let this thread's work give way. Only Linux counts niceness by thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICENESS)
