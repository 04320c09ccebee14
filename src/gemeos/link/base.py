"""The port of what carries readings in.

Life of a source: it is entered (``async with``: connects), ``arrivals`` is iterated, each arrival
is acknowledged once it is durable, and leaving the block closes it. A source promises neither
order nor completeness nor that something comes only once.

Three endings: the iteration ends when the source is *finished* or *closed by us* (``finished``
tells which); it raises ``LinkError`` when the connection is *broken* beyond what the source mends
by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from gemeos.schema.reading import Readings, Refused
from gemeos.units.instant import Instant


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """Some messages, decoded: what is to be made durable together and acknowledged together."""

    readings: Readings
    refused: tuple[Refused, ...] = ()
    receipts: tuple[bytes, ...] = ()
    """Fingerprints of messages without a source time, to know them again (contract 2)."""
    plant_time: Instant | None = None
    """The newest time that a replayed plant published with them; drives a ``ReplayClock``."""
    tokens: tuple[object, ...] = field(default=(), repr=False)
    """The source's own, for ``acknowledge``."""


class Source(Protocol):
    """Where readings come from."""

    @property
    def name(self) -> str:
        """The link's name, as in site.toml."""
        ...

    @property
    def finished(self) -> bool:
        """The source said that nothing more will come, ever (a record's end)."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def arrivals(self) -> AsyncIterator[Arrival]:
        """What comes in, in bounded batches: under load a batch holds more, never unboundedly.

        While nobody asks for the next one, the source stops reading its socket, or, where it is
        declared lossy, drops the oldest and counts them.

        Raises:
            LinkError: broken beyond the source's own retries.
        """
        ...

    async def acknowledge(self, arrival: Arrival) -> None:
        """Everything in ``arrival`` is durable: tell whoever waits for that."""
        ...
