"""What a message is on its way to become readings, and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from gemeos.schema.reading import Readings, Refused
from gemeos.units.instant import SECOND, Instant, Span

KEPT_OF_PAYLOAD: Final = 4096
"""Bytes of a refused payload that are kept."""
EARLIEST: Final[Instant] = 946_684_800 * SECOND
"""2000-01-01T00:00Z."""


class Message(msgspec.Struct, frozen=True, gc=False):
    """What came in, as little of it as decoding needs."""

    topic: str
    payload: bytes
    """Where it was over the limit, only its beginning."""
    size: int
    """Bytes of the whole payload."""
    received_at: Instant
    """Wall time."""
    retained: bool = False
    redelivered: bool = False
    """The broker says that it sent this before (MQTT's DUP flag)."""
    ack: int = 0
    """What the source needs to acknowledge it; the lower 16 bits are MQTT's packet identifier."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused whatever it says."""

    payload: int = 1 << 20
    """Most bytes of one message."""
    earliest: Instant = EARLIEST
    """A reading before this has a wrong clock."""
    tolerance: Span = 3600 * SECOND
    """How far ahead of site time a reading may be."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What a run of messages said."""

    readings: Readings
    refused: tuple[Refused, ...] = ()
    receipts: tuple[bytes, ...] = ()
    sequences: tuple[int, ...] = ()
    """The source's numbers of all of it, also of what was refused or had come before."""
    duplicates: int = 0
    """Messages that were dropped because they are stored."""
    plant_time: Instant | None = None
    """The newest that the plant told in these messages."""
    ended: bool = False
    """The plant said that its record is at the end."""

    @staticmethod
    def joined(runs: Sequence[Decoded]) -> Decoded:
        """All of ``runs``, one after the other."""
        times = [run.plant_time for run in runs if run.plant_time is not None]
        return Decoded(
            readings=Readings.joined([run.readings for run in runs]),
            refused=tuple(row for run in runs for row in run.refused),
            receipts=tuple(r for run in runs for r in run.receipts),
            sequences=tuple(n for run in runs for n in run.sequences),
            duplicates=sum(run.duplicates for run in runs),
            plant_time=max(times, default=None),
            ended=any(run.ended for run in runs),
        )
