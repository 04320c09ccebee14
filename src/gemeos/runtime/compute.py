"""The one bridge between the event loop and work that blocks.

Everything that changes twins or writes the store runs on one thread, in the order in which it was
asked for; questions run beside it on others. Kernels and the store release the interpreter's lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

QUESTION_THREADS = 2


class Compute:
    """Threads for a running site."""

    def __init__(self) -> None:
        self._path = ThreadPoolExecutor(1, "gemeos-path")
        self._questions = ThreadPoolExecutor(QUESTION_THREADS, "gemeos-question")

    async def on_path(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``call`` on the thread that owns twins and store; one at a time, in order."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._path, lambda: call(*args, **kwargs))

    async def beside(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run ``call``, which only asks, beside the path."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._questions, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Wait for what is running; take nothing more."""
        self._path.shutdown(wait=True)
        self._questions.shutdown(wait=True, cancel_futures=True)
