"""Threads for some twins of a site: one that owns them, others that ask of them and act by them.

Twins whose cycles take long have a strand of their own, so that no other twin waits for them, in
whatever is done: neither its readings, nor questions to it, nor its commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from gemeos.errors import StoppedError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Strand:
    """Whose calls wait for each other, and for nobody else."""

    def __init__(self, name: str = "", *, question_threads: int = 1) -> None:
        """``name`` tells the threads of one strand from those of others."""
        of = f"gemeos-{name}-" if name else "gemeos-"
        self._path = ThreadPoolExecutor(1, f"{of}path")
        self._questions = ThreadPoolExecutor(question_threads, f"{of}question")
        self._acting = ThreadPoolExecutor(1, f"{of}acting")

    async def on_path(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``call`` on the thread that owns the twins; one at a time, in order."""
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
        return submitted(self._path, call, *args, **kwargs)

    def aside(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """``beside`` for callers without an event loop.

        Raises:
            StoppedError: nothing is taken any more.
        """
        return submitted(self._questions, call, *args, **kwargs)

    def close(self) -> None:
        """Wait for what is running; take nothing more."""
        self._path.shutdown(wait=True)
        self._acting.shutdown(wait=True, cancel_futures=True)
        self._questions.shutdown(wait=True, cancel_futures=True)


def submitted(
    pool: ThreadPoolExecutor, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
) -> Future[_T]:
    """What the pool will answer.

    Raises:
        StoppedError: nothing is taken any more.
    """
    try:
        return pool.submit(call, *args, **kwargs)
    except RuntimeError as error:
        raise StoppedError("The site is stopped: nothing more is done.") from error
