"""Readings that somebody brings: an HTTP route, or the same process. Bounded, and never silent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, final

from gemeos.errors import LinkError, OverloadError
from gemeos.link.base import Arrival
from gemeos.schema.reading import Readings, Refused
from gemeos.units.instant import Instant

MOST_WAITING: Final = 100_000
"""Readings and refused rows that may wait to be stored, unless told otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class _Brought:
    readings: Readings
    refused: tuple[Refused, ...]
    plant_time: Instant | None
    durable: asyncio.Future[None]

    @property
    def size(self) -> int:
        return len(self.readings) + len(self.refused)


@final
class InboxSource:
    """What is put in comes out as arrivals; whoever put it in waits until it is durable.

    So what was never acknowledged is known to its sender, who brings it again.
    """

    def __init__(self, link: str, *, most: int = MOST_WAITING) -> None:
        """``most`` readings and refused rows may wait to be stored."""
        self._link = link
        self._most = most
        self._waiting: deque[_Brought] = deque()
        self._size = 0
        self._news = asyncio.Event()
        self._unanswered: set[asyncio.Future[None]] = set()
        self._open = False
        self._finished = False

    @property
    def name(self) -> str:
        """The link's name."""
        return self._link

    @property
    def finished(self) -> bool:
        """``finish`` was called, and all before it was handed out."""
        return self._finished and not self._waiting

    @property
    def waiting(self) -> int:
        """Readings and refused rows that were put in and are not durable yet."""
        return self._size

    async def __aenter__(self) -> Self:
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Whoever still waits is told that it was not stored, as far as is known."""
        self._open = False
        self._news.set()
        for durable in self._unanswered:
            if not durable.done():
                durable.set_exception(
                    LinkError(
                        f"Link {self._link!r} was closed before these readings were durable. "
                        "Send them again; what is stored already is recognised."
                    )
                )
        self._waiting.clear()

    async def put(
        self,
        readings: Readings,
        refused: Sequence[Refused] = (),
        *,
        plant_time: Instant | None = None,
    ) -> None:
        """Hand it in, and return when it is durable.

        Raises:
            OverloadError: too much is waiting; nothing of this was taken.
            LinkError: the link is closed, or was closed before this was durable.
        """
        if not self._open or self._finished:
            raise LinkError(f"Link {self._link!r} is closed; nothing was taken.")
        size = len(readings) + len(refused)
        # A single one that is larger than the bound goes alone rather than never.
        if self._size and self._size + size > self._most:
            raise OverloadError(self._link, self._size, self._most)
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._unanswered.add(durable)
        self._waiting.append(_Brought(readings, tuple(refused), plant_time, durable))
        self._size += size
        self._news.set()
        try:
            # Who is cancelled here only stops waiting: what was handed in is stored all the same.
            await durable
        finally:
            self._unanswered.discard(durable)

    def finish(self) -> None:
        """Nothing more will come, ever."""
        self._finished = True
        self._news.set()

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """All that waits, together."""
        while self._open:
            if self._waiting:
                brought = tuple(self._waiting)
                self._waiting.clear()
                times = [each.plant_time for each in brought if each.plant_time is not None]
                yield Arrival(
                    readings=Readings.joined([each.readings for each in brought]),
                    refused=tuple(row for each in brought for row in each.refused),
                    plant_time=max(times, default=None),
                    tokens=brought,
                )
            elif self._finished:
                return
            else:
                self._news.clear()
                await self._news.wait()

    async def acknowledge(self, arrival: Arrival) -> None:
        """Whoever brought what is in ``arrival`` stops waiting."""
        for each in arrival.tokens:
            if isinstance(each, _Brought):
                self._size -= each.size
                if not each.durable.done():
                    each.durable.set_result(None)
