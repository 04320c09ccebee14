"""Whose turn it is: long pieces of work go on in turns, so that none waits for another's end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from threading import Event, Lock, get_ident
from typing import Final, final

from gemeos.units.instant import SECOND, Span

TURN_S: Final = 0.05
"""How long one goes on while others wait. Looks for whether they do are cheap."""
LOOK_S: Final = 0.05
"""How often who waits looks whether it is still wanted."""
_ON_ITS_WAY: Final = -1
"""No thread's number."""


@final
class Turns:
    """One thread at a time, first come, first served.

    Whoever has had its turn for long enough hands it on in ``give_way`` and comes last.
    """

    def __init__(self) -> None:
        """Nobody's turn yet."""
        self._lock = Lock()
        self._waiting: deque[Event] = deque()
        self._holder: int | None = None
        self._since = 0.0

    @contextmanager
    def taken(self, wanted: Callable[[], bool] | None = None) -> Iterator[None]:
        """A turn, from when it comes until the end of the block.

        Args:
            wanted: Looked at until it comes.

        Raises:
            CancelledError: it was not wanted any more before it came.
        """
        self._take(wanted)
        try:
            yield
        finally:
            self._hand_on()

    def give_way(self) -> Span:
        """Let others have their turn, if they wait and this thread's has lasted long enough.

        Returns:
            How long this thread waited for its next one.
        """
        began = time.monotonic()
        with self._lock:
            mine = self._holder == get_ident()
            if not (mine and self._waiting and began - self._since >= TURN_S):
                return 0
        self._hand_on()
        self._take()
        return round((time.monotonic() - began) * SECOND)

    def _take(self, wanted: Callable[[], bool] | None = None) -> None:
        with self._lock:
            if self._holder is None:
                self._has_it()
                return
            mine = Event()
            self._waiting.append(mine)
        while not mine.wait(None if wanted is None else LOOK_S):
            if wanted is not None and not wanted() and self._left(mine):
                raise CancelledError
        with self._lock:
            self._has_it()

    def _left(self, mine: Event) -> bool:
        """Stop waiting; False where the turn has come meanwhile."""
        with self._lock:
            if mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True

    def _has_it(self) -> None:
        self._holder, self._since = get_ident(), time.monotonic()

    def _hand_on(self) -> None:
        with self._lock:
            if self._waiting:
                # Until the next has woken up the turn is on its way: who comes now queues up.
                self._holder = _ON_ITS_WAY
                self._waiting.popleft().set()
            else:
                self._holder = None
