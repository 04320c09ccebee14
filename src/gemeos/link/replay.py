"""Readings out of a recorded file, in the order of their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from types import TracebackType
from typing import Final, Self, final

import numpy as np

from gemeos.clock import Clock
from gemeos.errors import SettingsError
from gemeos.link._pump import Pump
from gemeos.link._tabular import Chunk, FileTable, TableReader
from gemeos.link.base import Arrival
from gemeos.link.channels import Channels
from gemeos.schema.reading import Readings
from gemeos.units.instant import SECOND, Instant

__all__ = ["FileSource", "FileTable"]

BATCH: Final = 20_000
_AHEAD: Final = 2
_LONGEST_SLEEP: Final = 0.25


@final
class FileSource:
    """A CSV or Parquet file as if it were lived through; finished at its end.

    Its arrivals never split an instant, so the newest ``valid_at`` that was acknowledged is a
    position: a source opened with it as ``since`` goes on behind it. ``NULL`` and ``NaN`` are
    simply absent. What cannot be used is told once a channel, with how often, and only by a
    source that starts from the beginning.
    """

    def __init__(
        self,
        table: FileTable,
        channels: Channels,
        clock: Clock,
        *,
        since: Instant | None = None,
        pace: float | None = None,
        batch: int = BATCH,
    ) -> None:
        """Nothing is opened before the source is entered.

        Args:
            table: The file and what it holds.
            channels: What is bound; of the rest nothing is read.
            clock: Its wall time paces, where there is a pace.
            since: Only readings after this.
            pace: Seconds of recorded time per second of wall time; None as fast as they are
                taken.
            batch: Most readings of an arrival, unless one instant alone has more.
        """
        if (pace is not None and not pace > 0) or batch < 1:
            raise SettingsError(
                f"Link {channels.link!r}: pace {pace} and batch {batch} are above 0."
            )
        self._channels = channels
        self._clock = clock
        self._pace = pace
        self._finished = False
        self._position = since
        self._closed = False
        reader = TableReader(table, channels, since=since, batch=batch, wall=clock.wall())
        self._pump: Pump[Chunk] = Pump(reader.chunks, ahead=_AHEAD, name=f"file {channels.link}")

    @property
    def name(self) -> str:
        """The link's name."""
        return self._channels.link

    @property
    def finished(self) -> bool:
        """The file's end was handed out."""
        return self._finished

    @property
    def position(self) -> Instant | None:
        """The newest ``valid_at`` that was acknowledged: ``since`` for the next one."""
        return self._position

    async def __aenter__(self) -> Self:
        self._pump.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        await self._pump.close()

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """The file's readings, at most a batch at a time.

        Raises:
            LinkError: the file cannot be read.
            SettingsError: it is not as declared.
        """
        begun: tuple[Instant, Instant] | None = None
        async for chunk in self._pump.items():
            if self._pace is None or not len(chunk.readings):
                yield self._arrival(chunk.readings, chunk)
                continue
            times = chunk.readings.valid_at
            if begun is None:
                begun = (self._clock.wall(), int(times[0]))
            done, rest = 0, chunk
            while done < len(times):
                passed = self._clock.wall() - begun[0]
                reached = int(np.searchsorted(times, begun[1] + passed * self._pace, side="right"))
                if reached > done:
                    yield self._arrival(chunk.readings[done:reached], rest)
                    done, rest = reached, replace(rest, refused=())
                else:
                    due = (int(times[done]) - begun[1]) / self._pace - passed
                    await asyncio.sleep(min(max(due / SECOND, 0.0), _LONGEST_SLEEP))
        self._finished = not self._closed

    async def acknowledge(self, arrival: Arrival) -> None:
        """Remember how far it came."""
        for token in arrival.tokens:
            if isinstance(token, int):
                self._position = max(token, self._position or token)

    def _arrival(self, readings: Readings, chunk: Chunk) -> Arrival:
        newest = int(readings.valid_at[-1]) if len(readings) else None
        wall = np.full(len(readings), self._clock.wall(), np.int64)
        return Arrival(
            readings=replace(readings, received_at=wall),
            refused=chunk.refused,
            plant_time=newest,
            tokens=() if newest is None else (newest,),
        )
