"""The readings inside the horizon of a fleet's twins, by event time: what a rewind replays.

Also the key index of contract 2: one entry a place, the highest revision wins, and what is there
already is recognised before it is assimilated.

Readings come and go in columns, a batch at a time: an object for each would cost more than to
assimilate it. Those of one twin and instant are rows of the batch that brought them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from gemeos.units.instant import Instant, Span


class Column(IntEnum):
    """What is kept of a reading; the columns of ``Rows``."""

    CHANNEL = 0
    """Place among the twin's channels, which are sorted by name."""
    SAMPLE = 1
    VALID_AT = 2
    VALID_FROM = 3
    REVISION = 4
    COUNTS = 5
    """0 where the place holds a retraction, a doubt or a number beyond use: not assimilated."""
    VALUE = 6
    """The bits of a double."""


Rows: TypeAlias = Int64[np.ndarray, "reading column"]
"""Readings of one twin and instant, in the order of application: channel, sample, time."""


def rows_of(
    channel: Int32[np.ndarray, " reading"],
    sample: Int32[np.ndarray, " reading"],
    valid_at: Int64[np.ndarray, " reading"],
    valid_from: Int64[np.ndarray, " reading"],
    revision: Int64[np.ndarray, " reading"],
    counts: Bool[np.ndarray, " reading"],
    value: Float64[np.ndarray, " reading"],
) -> Rows:
    """Those columns together. What does not count has no value."""
    rows = np.empty((len(channel), len(Column)), np.int64)
    told = np.where(counts, value, 0.0) + 0.0  # which makes -0 the 0 that it equals
    columns = (channel, sample, valid_at, valid_from, revision, counts, told.view(np.int64))
    for column, of_all in zip(Column, columns, strict=True):
        rows[:, column] = of_all
    return rows


def values_of(rows: Rows) -> Float64[np.ndarray, " reading"]:
    """Their values."""
    return np.ascontiguousarray(rows[:, Column.VALUE]).view(np.float64)


@dataclass(frozen=True, slots=True)
class Inserted:
    """What a batch changed."""

    since: dict[int, int]
    """By twin: the first tick of which something is another than before."""
    duplicates: int
    """Readings that were there already, or below the revision that is."""


class Windows:
    """Readings of each twin by the grid instant at which they are applied."""

    def __init__(self, twins: int, step: Span) -> None:
        """``step`` is the model's."""
        self._step = step
        self._rows: list[dict[int, Rows]] = [{} for _ in range(twins)]
        self._ticks: list[list[int]] = [[] for _ in range(twins)]

    def tick(self, valid_at: Instant) -> int:
        """The first grid instant at or after ``valid_at``."""
        return -(-valid_at // self._step)

    def insert(self, twin: Int64[np.ndarray, " reading"], rows: Rows) -> Inserted:
        """Put each reading at its place, in the order in which they came."""
        if len(rows) == 0:
            return Inserted({}, 0)
        tick = -(-rows[:, Column.VALID_AT] // self._step)
        if len(rows) > 1:
            keys = (rows[:, c] for c in (Column.VALID_AT, Column.SAMPLE, Column.CHANNEL))
            order = np.lexsort((*keys, tick, twin))
            twin, tick, rows = twin[order], tick[order], rows[order]
        starts, again = _groups(twin, tick, rows)
        since: dict[int, int] = {}
        duplicates = 0
        behind = [*starts[1:], len(rows)]
        for first, end, who, when in zip(
            starts, behind, twin[starts].tolist(), tick[starts].tolist(), strict=True
        ):
            known = self._rows[who].get(when)
            some = rows[first:end]
            if known is not None or first in again:
                merged, same = _merged(known, some)
                duplicates += same
                if merged is None:
                    continue
                some = merged
            if known is None:
                ticks = self._ticks[who]
                if not ticks or when > ticks[-1]:
                    ticks.append(when)
                else:
                    insort(ticks, when)
            self._rows[who][when] = some
            since.setdefault(who, when)
        return Inserted(since, duplicates)

    def first(self, twin: int, *, otherwise: int) -> int:
        """The first instant that has readings."""
        ticks = self._ticks[twin]
        return ticks[0] if ticks else otherwise

    def ticks(self, twin: int, since: int) -> Sequence[int]:
        """The twin's instants from ``since`` on that have readings, in order."""
        ticks = self._ticks[twin]
        return ticks[bisect_left(ticks, since) :]

    def is_reached(self, twin: int, tick: int, at: Instant) -> bool:
        """Whether one of the readings applied at that instant was valid by ``at``."""
        return bool((self._rows[twin][tick][:, Column.VALID_AT] <= at).any())

    def at(
        self, twins: Sequence[int], ticks: Sequence[int], *, until: Instant | None = None
    ) -> tuple[Int64[np.ndarray, " reading"], Rows]:
        """The readings applied at those instants that count, in the order of application.

        Args:
            twins: Whose.
            ticks: An instant of each.
            until: Leaves out those valid later.

        Returns:
            Of each reading the place of its twin in ``twins``, and the readings.
        """
        found = [self._rows[t].get(k, _NOTHING) for t, k in zip(twins, ticks, strict=True)]
        rows = np.concatenate([_NOTHING, *found])
        place = np.repeat(np.arange(len(found)), [len(f) for f in found])
        wanted = rows[:, Column.COUNTS] != 0
        if until is not None:
            wanted &= rows[:, Column.VALID_AT] <= until
        return (place, rows) if wanted.all() else (place[wanted], rows[wanted])

    def forget(self, twin: int, until: int | None = None) -> None:
        """Drop what is applied at or before tick ``until``; None drops all."""
        ticks, rows = self._ticks[twin], self._rows[twin]
        keep = len(ticks) if until is None else bisect_left(ticks, until + 1)
        for tick in ticks[:keep]:
            del rows[tick]
        del ticks[:keep]

    def count(self, twin: int) -> int:
        """How many readings of the twin are kept."""
        return sum(len(rows) for rows in self._rows[twin].values())


_NOTHING: Rows = np.empty((0, len(Column)), np.int64)


def _groups(
    twin: Int64[np.ndarray, " reading"], tick: Int64[np.ndarray, " reading"], rows: Rows
) -> tuple[list[int], set[int]]:
    """Where another twin or instant begins, and which of these have two readings of one place.

    There is at least one reading.
    """
    if len(rows) == 1:
        return [0], set()
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = (twin[1:] != twin[:-1]) | (tick[1:] != tick[:-1])
    place = rows[:, [Column.CHANNEL, Column.SAMPLE, Column.VALID_AT]]
    twice = np.flatnonzero(~begins[1:] & (place[1:] == place[:-1]).all(axis=1)) + 1
    starts = np.flatnonzero(begins)
    with_twice = starts[np.searchsorted(starts, twice, side="right") - 1]
    return starts.tolist(), set(with_twice.tolist())


def _merged(
    known: Int64[np.ndarray, "known column"] | None, new: Int64[np.ndarray, "new column"]
) -> tuple[Int64[np.ndarray, "merged column"] | None, int]:
    """Readings of one instant with others put in; None if nothing changed. And the duplicates."""
    there = {} if known is None else {_place(row): row for row in known.tolist()}
    changed, duplicates = False, 0
    for row in new.tolist():
        place = _place(row)
        was = there.get(place)
        if was is not None and (row[Column.REVISION] < was[Column.REVISION] or row == was):
            duplicates += 1
            continue
        there[place] = row
        changed = True
    if not changed:
        return None, duplicates
    return np.array([there[place] for place in sorted(there)], np.int64), duplicates


def _place(row: Sequence[int]) -> tuple[int, int, int]:
    return row[Column.CHANNEL], row[Column.SAMPLE], row[Column.VALID_AT]
