"""The ports of what carries readings in, and commands out.

Life of a source: it is entered (``async with``: connects), ``arrivals`` is iterated, each arrival
is acknowledged once it is durable, and leaving the block closes it. A source promises neither
order nor completeness nor that something comes only once.

Three endings: the iteration ends when the source is *finished* or *closed by us* (``finished``
tells which); it raises ``LinkError`` when the connection is *broken* beyond what the source mends
by itself.

Life of an actuator: it is entered (connects), told to send and asked, and leaving the block closes
it. It never mends itself: what waited on a lost connection must not be sent later by itself. When
``lost`` ends, whoever holds it opens a new one. Only ``gemeos.act`` and the runtime's one way to it
may hold one (contract 7).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from gemeos.schema.command import Acknowledgement, Command, Reported
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


class Actuator(Protocol):
    """Where commands go, in the device's own names and units. Every wait has an end."""

    @property
    def name(self) -> str:
        """As in site.toml."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    async def send(self, command: Command, place: str, *, within_s: float) -> Acknowledgement:
        """Send it once, and wait for the answer that carries its id.

        ``place`` is the device's name of the control. Answers to other ids, second answers and
        what cannot be read are no answer; the first that is one counts. ``Silent`` after
        ``within_s``; ``Unsent`` where it did not leave. Sends nothing again by itself.
        """
        ...

    async def ask(self, place: str, *, within_s: float) -> Reported | None:
        """What the device says that the control stands at now; None where it does not say."""
        ...

    async def beat(self, twin: str, at: Instant) -> None:
        """Tell the plant that the twin sees it. Without this it falls back by itself."""
        ...

    async def lost(self) -> None:
        """Wait for the connection's end.

        Raises:
            LinkError: it is lost.
        """
        ...
