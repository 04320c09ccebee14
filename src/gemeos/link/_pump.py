"""A blocking iteration on a thread of its own, taken from by the event loop, a few items ahead."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar, final

T = TypeVar("T")


@final
class Pump(Generic[T]):
    """Runs ``made()`` on a thread. Whatever it raises is raised to whoever takes."""

    def __init__(self, made: Callable[[], Iterator[T]], *, ahead: int, name: str) -> None:
        """At most ``ahead`` items wait to be taken."""
        self._made = made
        self._items: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin; called on the event loop that will take."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def items(self) -> AsyncIterator[T]:
        """What the iteration yields, until its end or until it is closed."""
        while not self._closed.is_set():
            try:
                item, error, last = self._items.get_nowait()
            except queue.Empty:
                self._news.clear()
                if self._items.empty():
                    await self._news.wait()
                continue
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]  # neither an error nor the end: an item

    async def close(self) -> None:
        """End the iteration at its next item, and wait for that."""
        self._closed.set()
        self._news.set()
        while self._thread.is_alive():
            with suppress(queue.Empty):
                while True:
                    self._items.get_nowait()
            await asyncio.sleep(0.005)

    def _run(self) -> None:
        error: BaseException | None = None
        iteration = self._made()
        try:
            for item in iteration:
                if not self._put((item, None, False)):
                    return
        except Exception as caught:  # noqa: BLE001  not swallowed: raised where it is taken
            error = caught
        finally:
            close = getattr(iteration, "close", None)
            if close is not None:
                close()
        self._put((None, error, True))

    def _put(self, entry: tuple[T | None, BaseException | None, bool]) -> bool:
        while not self._closed.is_set():
            try:
                self._items.put(entry, timeout=0.1)
            except queue.Full:
                continue
            if self._loop is not None:
                with suppress(RuntimeError):  # the loop is closed: nobody takes
                    self._loop.call_soon_threadsafe(self._news.set)
            return True
        return False
