"""Answers that are known by an id, each waited for until a time is over."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, Generic, TypeVar, final

_T = TypeVar("_T")

MOST_STRAY: Final = 3
"""What came that answered nothing is told of this many."""


@final
class Answers(Generic[_T]):
    """Of one connection. Belongs to one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[_T]] = {}
        self._stray: deque[str] = deque(maxlen=MOST_STRAY)
        self.strays = 0
        """What answered nothing that was waited for: late, again, of another id, unreadable."""

    def expect(self, key: str) -> None:
        """Begin to wait, before anything is sent."""
        self._stray.clear()
        self._waiting[key] = asyncio.get_running_loop().create_future()

    async def within(self, key: str, within_s: float) -> _T | None:
        """The answer; None where none came in time. The first counts."""
        try:
            async with asyncio.timeout(within_s):
                return await self._waiting[key]
        except TimeoutError:
            return None
        finally:
            del self._waiting[key]

    def hear(self, key: str, answer: _T) -> None:
        """An answer came. One that nobody waits for is kept for telling, and nothing else."""
        future = self._waiting.get(key)
        if future is None:
            self.stray(f"an answer to {key[:40] or 'nothing'}")
        elif future.done():
            self.stray(f"a second answer to {key[:40]}")
        else:
            future.set_result(answer)

    def stray(self, what: str) -> None:
        """Something came that answers nothing."""
        self.strays += 1
        self._stray.append(what)

    @property
    def told(self) -> str:
        """What came since somebody last began to wait, and answered nothing."""
        return "; ".join(self._stray)

    def forget(self, key: str) -> None:
        """Nothing was sent that could be answered."""
        self._waiting.pop(key, None)
