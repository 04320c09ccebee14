"""The readings inside the horizon of one twin, by event time: what a rewind replays.

Also the key index of contract 2: one entry a place, the highest revision wins, and what is there
already is recognised before it is assimilated.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gemeos.units.instant import Instant, Span


class Entry(NamedTuple):
    """One reading at its place. Sorts in the order in which readings are applied."""

    channel: int
    """Place among the twin's channels, which are sorted by name."""
    sample: int
    valid_at: Instant
    valid_from: Instant
    value: float
    revision: int
    counts: bool
    """False where the place holds a retraction or a doubt: known, and not assimilated."""


class Window:
    """Readings by the grid instant at which they are applied."""

    def __init__(self, step: Span) -> None:
        """``step`` is the model's."""
        self._step = step
        self._places: dict[int, dict[tuple[int, Instant, int], Entry]] = {}
        self._ticks: list[int] = []

    def tick(self, valid_at: Instant) -> int:
        """The first grid instant at or after ``valid_at``."""
        return -(-valid_at // self._step)

    def insert(self, entry: Entry) -> int | None:
        """Put a reading at its place.

        Returns:
            The tick from which everything must be computed again; None for a duplicate, or for a
            revision below the one that is there.
        """
        tick = self.tick(entry.valid_at)
        there = self._places.get(tick)
        if there is None:
            there = self._places[tick] = {}
            if not self._ticks or tick > self._ticks[-1]:
                self._ticks.append(tick)
            else:
                insort(self._ticks, tick)
        place = (entry.channel, entry.valid_at, entry.sample)
        known = there.get(place)
        if known is not None and (entry.revision < known.revision or entry == known):
            return None
        there[place] = entry
        return tick

    def first(self, *, otherwise: int) -> int:
        """The first instant that has readings."""
        return self._ticks[0] if self._ticks else otherwise

    def ticks(self, since: int) -> Sequence[int]:
        """The instants from ``since`` on that have readings, in order."""
        return self._ticks[bisect_left(self._ticks, since) :]

    def at(self, tick: int, *, until: Instant | None = None) -> list[Entry]:
        """The readings applied at ``tick`` that count, in the order of application.

        ``until`` leaves out those valid later.
        """
        return sorted(
            e
            for e in self._places.get(tick, {}).values()
            if e.counts and (until is None or e.valid_at <= until)
        )

    def forget(self, until: int) -> None:
        """Drop what is applied at or before tick ``until``."""
        keep = bisect_left(self._ticks, until + 1)
        for tick in self._ticks[:keep]:
            del self._places[tick]
        del self._ticks[:keep]

    def __len__(self) -> int:
        return sum(len(p) for p in self._places.values())

    def __iter__(self) -> Iterator[Entry]:
        for tick in self._ticks:
            yield from self._places[tick].values()
