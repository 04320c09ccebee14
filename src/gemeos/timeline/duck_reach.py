"""From when to when each series has readings.

"The newest reading of each series" must read little, however long the history is. It looks back
in widening windows; the bounds here tell where the newest can be at all, and that a series which
was never heard need not be looked for to the beginning of time.
"""

from __future__ import annotations

from threading import Lock
from typing import Final, final

import numpy as np
from jaxtyping import Int32, Int64

from gemeos.schema.reading import Readings
from gemeos.timeline.duck_database import Connection, fetched, put
from gemeos.units.instant import Instant

NEVER: Final = np.iinfo(np.int64).max
SAVED_EVERY: Final = 2_000_000
"""Readings; after a kill so many are read again when the store is opened (about 20 ms)."""


@final
class Reach:
    """Bounds of ``valid_at`` of each series; too wide is harmless, too narrow is not."""

    def __init__(self, connection: Connection) -> None:
        """What was saved, widened by the readings since."""
        self._lock = Lock()
        self._first: Int64[np.ndarray, " series"] = np.empty(0, np.int64)
        self._last: Int64[np.ndarray, " series"] = np.empty(0, np.int64)
        saved = fetched(connection, "select series, first, last, upto from reach", {})
        self._saved_upto = int(saved["upto"][0]) if len(saved["upto"]) else 0
        since = fetched(
            connection,
            "select series, min(valid_at) as first, max(valid_at) as last from readings "
            "where entry > $upto group by series",
            {"upto": self._saved_upto},
        )
        for bounds in (saved, since):
            self._widen(bounds["series"], bounds["first"], bounds["last"])

    def widen(self, readings: Readings) -> None:
        """To be called before the readings can be seen."""
        with self._lock:
            self._widen(readings.series, readings.valid_at, readings.valid_at)

    def of(
        self, series: Int32[np.ndarray, " asked"] | None, at: Instant
    ) -> tuple[
        Int32[np.ndarray, " series"], Int64[np.ndarray, " series"], Int64[np.ndarray, " series"]
    ]:
        """Numbers and bounds of those of ``series`` (None: of all) heard at or before ``at``."""
        with self._lock:
            known = np.arange(len(self._first), dtype=np.int32)
            asked = known if series is None else series[(series >= 0) & (series < len(known))]
            heard = asked[self._first[asked] <= at]
            return heard, self._first[heard], self._last[heard]

    def save(self, connection: Connection, upto: int) -> None:
        """Keep the bounds over all readings up to entry ``upto``, in the caller's transaction."""
        if upto == self._saved_upto:
            return
        heard = np.flatnonzero(self._first != NEVER).astype(np.int32)
        connection.execute("delete from reach")
        put(
            connection,
            "insert into reach select series, first, last, $upto from batch",
            {"upto": upto},
            {"series": heard, "first": self._first[heard], "last": self._last[heard]},
        )
        self._saved_upto = upto

    def is_due(self, upto: int) -> bool:
        """Whether so many readings have come since the last time that it should be saved."""
        return upto - self._saved_upto >= SAVED_EVERY

    def _widen(
        self,
        series: Int32[np.ndarray, " row"],
        first: Int64[np.ndarray, " row"],
        last: Int64[np.ndarray, " row"],
    ) -> None:
        more = int(series.max(initial=-1)) + 1 - len(self._first)
        if more > 0:
            # Half as much again beyond what is needed, so that new series are cheap.
            more += len(self._first) // 2
            self._first = np.concatenate((self._first, np.full(more, NEVER)))
            self._last = np.concatenate((self._last, np.full(more, -NEVER)))
        np.minimum.at(self._first, series, first)
        np.maximum.at(self._last, series, last)
