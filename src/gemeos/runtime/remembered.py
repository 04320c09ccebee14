"""What is remembered of a twin, as it is answered: with units, source and age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from gemeos.timeline.base import SummaryRows
from gemeos.units.instant import Instant, Span


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Remembered(SummaryRows):
    """Rows of the timeline, and what they rest on."""

    twin: str
    units: tuple[str, ...]
    """One for each variable."""
    source: str
    """``live``, or as ``recorded 2014-03-14, x600``; shown wherever the rows are."""
    zone: str
    """IANA name of the zone in which times are shown."""
    now: Instant
    """Site time of the answer."""
    newest: Instant | None
    """``valid_at`` of the twin's newest reading."""

    @property
    def age(self) -> Span | None:
        """How old the newest reading is."""
        return None if self.newest is None else self.now - self.newest
