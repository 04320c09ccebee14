"""How much may be asked at once, and what happens when it is more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

from gemeos.errors import BusyError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what one site serves."""

    body: int = 8 << 20
    """Most bytes of one request."""
    body_s: float = 30.0
    """How long a body may take to arrive."""
    questions: int = 32
    """Questions that may be under way or wait for a thread; the next is refused with 429."""
    posts: int = 16
    """Requests with readings that may be under way; each may hold a whole body."""
    streams: int = 200
    """Clients of the live stream."""
    streamed_twins: int = 1000
    """Twins that one client may follow."""
    stream_hz: float = 2.0
    """How often a client is told of one twin at most."""
    ping_s: float = 15.0
    """Silence after which a client is sent a comment, so that both sides know of each other."""
    forecast_s: float = 15.0
    """How long one forecast may take."""
    answer_values: int = 5_000_000
    """Of a forecast: times, variables and members multiplied."""
    rows: int = 500_000
    """Rows times variables, or readings, in one answer about the past."""


@final
class Pace:
    """How long a step of each twin's forecast takes on this machine, as measured."""

    def __init__(self) -> None:
        self._step_s: dict[str, float] = {}

    def step_s(self, twin: str) -> float | None:
        """Seconds a step; None before it was measured."""
        return self._step_s.get(twin)

    def measured(self, twin: str, steps: int, took_s: float) -> None:
        """``steps`` of it took so long. The newest counts half, so that load shows and passes."""
        before = self._step_s.get(twin)
        now = took_s / steps
        self._step_s[twin] = now if before is None else (before + now) / 2


@final
class Gate:
    """Counts what is under way. Lives on the event loop."""

    def __init__(self, what: str, most: int) -> None:
        """``what`` is the plural noun, for the message."""
        self._what = what
        self._most = most
        self.under_way = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """One more for as long as the block lasts.

        Raises:
            BusyError: there are too many already.
        """
        if self.under_way >= self._most:
            raise BusyError(self._what, self.under_way, self._most)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1
