"""A link that hands out given readings, batch by batch, and then waits or is finished."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, final

from gemeos.link.base import Arrival, Source
from gemeos.runtime.site import LinkContext
from gemeos.schema.reading import Reading, Readings, SeriesBook
from gemeos.units.instant import Instant


@dataclass(frozen=True, slots=True)
class Batch:
    """What arrives together, and is committed together."""

    readings: Sequence[Reading]
    plant_time: Instant
    """The site's clock follows it, so this becomes their ``known_at``."""


@dataclass(frozen=True)
class PlayedLink:
    """See the module. For one opening."""

    name: str
    batches: Sequence[Batch]
    finishes: bool = False
    """The source ends behind the last batch; otherwise it stays open and silent."""
    played: threading.Event = field(default_factory=threading.Event)
    """Set when the twins have taken in the last batch."""

    def open(self, context: LinkContext) -> Source:
        """The source, not yet entered."""
        return _Played(self, context.book)


@final
class _Played:
    def __init__(self, link: PlayedLink, book: SeriesBook) -> None:
        self._link = link
        self._book = book
        self.finished = False

    @property
    def name(self) -> str:
        return self._link.name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    async def arrivals(self) -> AsyncIterator[Arrival]:
        for batch in self._link.batches:
            yield Arrival(Readings.of(batch.readings, self._book), plant_time=batch.plant_time)
        # The host asks for the next only when it is through with the one before.
        self._link.played.set()
        if self._link.finishes:
            self.finished = True
            return
        await asyncio.Event().wait()

    async def acknowledge(self, arrival: Arrival) -> None:  # noqa: ARG002 -- nobody waits
        return None
