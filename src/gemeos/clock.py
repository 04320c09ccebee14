"""Time is a port: whatever stamps or waits is given a clock."""

from __future__ import annotations

import time
from typing import Protocol

from gemeos.units.instant import Instant


class Clock(Protocol):
    """One time domain of a site.

    ``now`` never goes back. ``wall`` is the machine's time, for latencies only: nothing that
    influences an estimate may depend on it.
    """

    def now(self) -> Instant:
        """Site time."""
        ...

    def wall(self) -> Instant:
        """The machine's own time."""
        ...


class SystemClock:
    """Wall time as site time; a step back of the machine's clock holds it still instead."""

    def __init__(self) -> None:
        self._latest: Instant = 0

    def now(self) -> Instant:
        """Wall time, never less than what was answered before."""
        self._latest = max(self._latest, self.wall())
        return self._latest

    def wall(self) -> Instant:
        """The machine's time in microseconds of UTC."""
        return time.time_ns() // 1000


class ReplayClock:
    """Follows the time that a replayed plant publishes, and never passes it.

    Between two publications it stands still: a clock that ran on by itself would date readings
    before the plant has lived through them.
    """

    def __init__(self, start: Instant, *, speed: float = 1.0) -> None:
        """``start`` is the site time until the plant is first heard; ``speed`` is for telling."""
        self._now = start
        self.speed = speed
        """How much faster than life the plant says it runs."""

    def follow(self, published: Instant) -> None:
        """The plant says that it is ``published`` there. An older time than before is ignored."""
        self._now = max(self._now, published)

    def now(self) -> Instant:
        """The newest time that the plant published."""
        return self._now

    def wall(self) -> Instant:
        """The machine's time in microseconds of UTC."""
        return time.time_ns() // 1000
