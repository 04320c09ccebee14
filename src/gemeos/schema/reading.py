"""Readings: what sensors said, in columns.

A reading's *place* is (link, channel, valid_at, sample). Whoever wants to count readings, compare
them or replace one does so by place. Readings travel in columns because that is how they are
stored, sorted and assimilated; one Python object a reading would cost more than all three.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from threading import Lock
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt8

from gemeos.units.instant import Instant

LARGEST: Final = float(np.finfo(np.float32).max)
"""Of a value that members, which are float32, can be compared with."""
COMMIT_ORDER: Final = -1
"""The ``revision`` of a reading whose source numbers none: the later commit is the higher one."""


class Quality(IntEnum):
    """What is known of a reading besides its value. Kept in the store: numbers never change."""

    GOOD = 0
    RETRACTED = 1
    """The source takes the reading at this place back; the value says nothing."""
    RETAINED = 2
    """The broker's memory of an older message; kept, never assimilated as fresh."""
    SUSPECT = 3
    """The source itself doubts it; kept, not assimilated."""


@dataclass(frozen=True, slots=True)
class Series:
    """Where readings come from: one channel of one link."""

    link: str
    """Name of the link, as in site.toml."""
    channel: str
    """The channel's name at that link, as in ``R80711/P_avg``."""

    def __str__(self) -> str:
        return f"{self.link}/{self.channel}"


@dataclass(frozen=True, slots=True)
class Reading:
    """One row of ``Readings``, for people and for tests."""

    series: Series
    valid_at: Instant
    """When it was so; for intervals, their end."""
    value: float
    """In the unit declared for the variable that the channel is bound to."""
    valid_from: Instant | None = None
    """Start of the interval that it covers; None for an instant."""
    sample: int = 0
    """Which one, where one instant of a channel has several."""
    revision: int = COMMIT_ORDER
    """The source's own number; a higher one replaces a lower one at the same place."""
    quality: Quality = Quality.GOOD
    received_at: Instant = 0
    """Wall time of arrival, for latency only."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Readings in columns, all of the same length. Times in microseconds of UTC."""

    series: Int32[np.ndarray, " reading"]
    """Number of the series in the site's ``SeriesBook``."""
    valid_at: Int64[np.ndarray, " reading"]
    valid_from: Int64[np.ndarray, " reading"]
    """Equal to ``valid_at`` for an instant."""
    sample: Int32[np.ndarray, " reading"]
    revision: Int64[np.ndarray, " reading"]
    value: Float64[np.ndarray, " reading"]
    """NaN only where ``quality`` is RETRACTED."""
    quality: UInt8[np.ndarray, " reading"]
    received_at: Int64[np.ndarray, " reading"]

    def __len__(self) -> int:
        return len(self.series)

    def __getitem__(
        self, rows: slice | Int64[np.ndarray, " row"] | Bool[np.ndarray, " reading"]
    ) -> Readings:
        """The readings at ``rows``, in that order."""
        return Readings(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def none() -> Readings:
        """No readings."""
        return Readings.of([], SeriesBook())

    @staticmethod
    def of(rows: Iterable[Reading], book: SeriesBook) -> Readings:
        """Columns of ``rows``; series that ``book`` lacks are entered there."""
        listed = list(rows)
        return Readings(
            series=np.array([book.number(r.series) for r in listed], np.int32),
            valid_at=np.array([r.valid_at for r in listed], np.int64),
            valid_from=np.array(
                [r.valid_at if r.valid_from is None else r.valid_from for r in listed], np.int64
            ),
            sample=np.array([r.sample for r in listed], np.int32),
            revision=np.array([r.revision for r in listed], np.int64),
            value=np.array([r.value for r in listed], np.float64),
            quality=np.array([r.quality for r in listed], np.uint8),
            received_at=np.array([r.received_at for r in listed], np.int64),
        )

    @staticmethod
    def joined(batches: Sequence[Readings]) -> Readings:
        """All of ``batches``, one after the other."""
        if not batches:
            return Readings.none()
        return Readings(
            *(np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(Readings))
        )

    def rows(self, book: SeriesBook) -> Iterator[Reading]:
        """One ``Reading`` after the other."""
        for i in range(len(self)):
            at, since = int(self.valid_at[i]), int(self.valid_from[i])
            yield Reading(
                series=book.series(int(self.series[i])),
                valid_at=at,
                value=float(self.value[i]),
                valid_from=None if since == at else since,
                sample=int(self.sample[i]),
                revision=int(self.revision[i]),
                quality=Quality(int(self.quality[i])),
                received_at=int(self.received_at[i]),
            )


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that came in and could not be used: one row of the quarantine."""

    link: str
    channel: str
    """As far as it could be told; empty where not."""
    reason: str
    """What was asked, what there was, the nearest guess."""
    payload: bytes
    """The beginning of what came, at most 4 KiB of it."""
    size: int
    """Bytes of the whole payload."""
    received_at: Instant
    """Wall time of arrival."""


class SeriesBook:
    """The site's numbering of series. A number, once given, stays. Any thread may ask."""

    def __init__(self, known: Iterable[Series] = ()) -> None:
        """``known`` are numbered from zero in their order."""
        self._series: list[Series] = []
        self._numbers: dict[Series, int] = {}
        self._lock = Lock()
        for series in known:
            self.number(series)

    def number(self, series: Series) -> int:
        """Its number; a series that is new gets the next one."""
        found = self._numbers.get(series)
        if found is not None:
            return found
        with self._lock:
            found = self._numbers.get(series)
            if found is None:
                found = len(self._series)
                self._series.append(series)
                self._numbers[series] = found
        return found

    def series(self, number: int) -> Series:
        """The series of that number."""
        return self._series[number]

    def __len__(self) -> int:
        return len(self._series)

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series)
