"""Readings that a function of the user's answers when asked: psutil, a serial port, a library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, final

import numpy as np

from gemeos.clock import Clock
from gemeos.errors import LinkError
from gemeos.link.base import Arrival
from gemeos.link.channels import Channels
from gemeos.schema.reading import COMMIT_ORDER, Readings, Refused
from gemeos.units.instant import SECOND, Instant, Span

Poll = Callable[[], Mapping[str, float]]
"""Answers what each channel reads at this moment, by the channel's name."""


@final
class PollSource:
    """Asks a function every so often; what it answers is valid when it was asked.

    The instants are multiples of the interval, so that a slow answer does not make the next one
    late too; an instant that was missed altogether is left out, never made up. Nothing is held
    back for a twin that does not keep up: while nobody takes an arrival, nothing is asked.
    """

    def __init__(
        self, name: str, poll: Poll, *, every: Span, channels: Channels, clock: Clock
    ) -> None:
        """``poll`` runs on a thread of its own, one call at a time."""
        self._name = name
        self._poll = poll
        self._every = every
        self._channels = channels
        self._clock = clock
        self._thread: ThreadPoolExecutor | None = None

    @property
    def name(self) -> str:
        """The link's name."""
        return self._name

    @property
    def finished(self) -> bool:
        """A poll never ends by itself."""
        return False

    async def __aenter__(self) -> Self:
        self._thread = ThreadPoolExecutor(1, f"gemeos-poll-{self._name}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """One arrival a poll.

        Raises:
            LinkError: the function failed; the site asks again after a pause.
        """
        loop = asyncio.get_running_loop()
        while self._thread is not None:
            now = self._clock.wall()
            await asyncio.sleep((self._every - now % self._every) / SECOND)
            at = self._clock.now() // self._every * self._every
            try:
                told = await loop.run_in_executor(self._thread, self._poll)
            except (OSError, ValueError, ArithmeticError, LookupError) as error:
                raise LinkError(f"What link {self._name} asks failed: {error!r}.") from error
            yield self._arrival(told, at)

    async def acknowledge(self, arrival: Arrival) -> None:
        """Nobody waits for it."""

    def _arrival(self, told: Mapping[str, float], at: Instant) -> Arrival:
        received_at = self._clock.wall()
        rows, values, refused = [], [], []
        for channel, value in told.items():
            row = self._channels.rows.get(channel)
            if row is None or not np.isfinite(value):
                reason = (
                    self._channels.unknown(channel)
                    if row is None
                    else f"{channel} read {value}, which is not a number."
                )
                refused.append(
                    Refused(self._name, channel, reason, repr(value).encode(), 0, received_at)
                )
                continue
            rows.append(row)
            values.append(value)
        places = np.array(rows, np.int64)
        count = len(rows)
        times = np.full(count, at, np.int64)
        readings = Readings(
            series=self._channels.series[places],
            valid_at=times,
            valid_from=times.copy(),
            sample=np.zeros(count, np.int32),
            revision=np.full(count, COMMIT_ORDER, np.int64),
            value=self._channels.values(places, np.array(values, np.float64), times),
            quality=np.zeros(count, np.uint8),
            received_at=np.full(count, received_at, np.int64),
        )
        return Arrival(readings, tuple(refused))
