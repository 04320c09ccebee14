"""A timeline in memory: for tests, notebooks and questions about recorded data."""

from __future__ import annotations

import dataclasses
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any, final

import numpy as np
from jaxtyping import Int64

from gemeos.errors import TimelineError
from gemeos.schema.reading import Readings, Refused, SeriesBook
from gemeos.timeline.base import (
    Buckets,
    Commit,
    Event,
    ForecastRows,
    Keyframe,
    Record,
    SummaryRows,
)
from gemeos.timeline.event_body import body_of, body_text
from gemeos.timeline.limits import BEFORE_TIME, MOST_RECEIPTS, MOST_REFUSED, check_numbers
from gemeos.timeline.standing import bucketed, newest, side_by_side, standing
from gemeos.units.instant import Instant, Span


@final
class _Log:
    """Readings in the order of their commits, in columns that double when they are full."""

    def __init__(self) -> None:
        none = Readings.none()
        self._columns: dict[str, np.ndarray[Any, Any]] = {
            field.name: getattr(none, field.name) for field in dataclasses.fields(Readings)
        }
        self._known_at = np.empty(0, np.int64)
        self._size = 0

    def add(self, readings: Readings, known_at: Instant) -> None:
        end = self._size + len(readings)
        if end > len(self._known_at):
            room = max(end, 2 * len(self._known_at))
            self._known_at = _grown(self._known_at, self._size, room)
            for name, column in self._columns.items():
                self._columns[name] = _grown(column, self._size, room)
        for name, column in self._columns.items():
            column[self._size : end] = getattr(readings, name)
        self._known_at[self._size : end] = known_at
        self._size = end

    def rows(self) -> tuple[Readings, Int64[np.ndarray, " reading"]]:
        """All there are so far, and when each was known; neither changes any more."""
        size = self._size
        columns = {name: column[:size] for name, column in self._columns.items()}
        return Readings(**columns), self._known_at[:size]


@dataclasses.dataclass(frozen=True, slots=True)
class _SummaryRow:
    twin: str
    valid_at: Instant
    known_at: Instant
    values: dict[str, np.ndarray[Any, Any]]
    """Of each variable the mean, the spread and the five quantiles."""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _ForecastRow:
    twin: str
    variable: str
    issued_at: Instant
    valid_at: Instant
    members: np.ndarray[Any, Any]
    corrected: np.ndarray[Any, Any]


@final
class MemoryTimeline:
    """See the port. Nothing is durable: what was written ends with the process.

    A question about readings costs a pass over all there are. Forecasts keep float32 precision,
    as they do on disk. ``book`` can still be read after ``close``.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_open = True
        self._book = SeriesBook()
        self._log = _Log()
        self._commit = Commit(0, BEFORE_TIME)
        self._refused: deque[Refused] = deque(maxlen=MOST_REFUSED)
        self._refused_count = 0
        self._receipts: deque[bytes] = deque(maxlen=MOST_RECEIPTS)
        self._keyframes: list[Keyframe] = []
        self._events: list[Event] = []
        self._records: dict[tuple[str, str, str], Record] = {}
        self._summaries: list[_SummaryRow] = []
        self._forecasts: list[_ForecastRow] = []

    @property
    def book(self) -> SeriesBook:
        """See the port."""
        return self._book

    def append(
        self,
        readings: Readings,
        *,
        known_at: Instant,
        refused: Sequence[Refused] = (),
        receipts: Sequence[bytes] = (),
    ) -> Commit:
        """See the port.

        Raises:
            TimelineError: nothing of it was stored.
        """
        check_numbers(readings, self._book)
        with self._open():
            commit = Commit(self._commit.number + 1, max(known_at, self._commit.known_at))
            self._log.add(readings, commit.known_at)
            self._refused.extend(refused)
            self._refused_count += len(refused)
            self._receipts.extend(receipts)
            self._commit = commit
        return commit

    def range(
        self,
        series: Sequence[int] | None,
        since: Instant,
        until: Instant,
        *,
        known_by: Instant | None = None,
    ) -> Readings:
        """See the port."""
        with self._open():
            rows, known_at = self._log.rows()
        asked = (rows.valid_at > since) & (rows.valid_at <= until)
        if known_by is not None:
            asked &= known_at <= known_by
        if series is not None:
            asked &= np.isin(rows.series, np.asarray(series, np.int32))
        return standing(rows[asked])

    def buckets(
        self, series: Sequence[int], since: Instant, until: Instant, every: Span
    ) -> Buckets:
        """See the port."""
        return bucketed(self.range(series, since, until), since, every)

    def latest(
        self, series: Sequence[int] | None, at: Instant, *, known_by: Instant | None = None
    ) -> Readings:
        """See the port."""
        return newest(self.range(series, BEFORE_TIME, at, known_by=known_by))

    def changed_since(
        self, series: Sequence[int], commit: Instant, until: Instant, *, known_by: Instant | None
    ) -> Instant | None:
        """See the port."""
        with self._open():
            rows, known_at = self._log.rows()
        changed = (known_at > commit) & (rows.valid_at <= until)
        changed &= np.isin(rows.series, np.asarray(series, np.int32))
        if known_by is not None:
            changed &= known_at <= known_by
        return int(rows.valid_at[changed].min()) if changed.any() else None

    def refused(self, *, limit: int = 100, link: str | None = None) -> Sequence[Refused]:
        """See the port."""
        with self._open():
            asked = (row for row in reversed(self._refused) if link in {None, row.link})
            return list(islice(asked, limit))

    def refused_count(self) -> int:
        """See the port."""
        with self._open():
            return self._refused_count

    def receipts(self) -> Sequence[bytes]:
        """See the port."""
        with self._open():
            return list(self._receipts)

    def put_keyframe(self, keyframe: Keyframe) -> None:
        """See the port."""
        self.put_keyframes([keyframe])

    def put_keyframes(self, keyframes: Sequence[Keyframe]) -> None:
        """See the port."""
        with self._open():
            self._keyframes.extend(keyframes)

    def keyframe_before(
        self, twin: str, at: Instant, *, known_by: Instant | None = None
    ) -> Keyframe | None:
        """See the port."""
        with self._open():
            asked = [
                (keyframe.valid_at, keyframe.known_at, number, keyframe)
                for number, keyframe in enumerate(self._keyframes)
                if keyframe.twin == twin
                and keyframe.valid_at <= at
                and (known_by is None or keyframe.known_at <= known_by)
            ]
        return max(asked)[-1] if asked else None

    def keyframes_newest(self, twins: Sequence[str]) -> Mapping[str, Keyframe]:
        """See the port."""
        asked, found = set(twins), dict[str, Keyframe]()
        with self._open():
            for keyframe in self._keyframes:
                if keyframe.twin in asked:
                    # Of equal ones the later stays.
                    best = found.setdefault(keyframe.twin, keyframe)
                    if (keyframe.valid_at, keyframe.known_at) >= (best.valid_at, best.known_at):
                        found[keyframe.twin] = keyframe
        return found

    def put_record(self, record: Record) -> None:
        """See the port."""
        with self._open():
            self._records[record.kind, record.twin, record.name] = record

    def records(
        self, kind: str, *, twin: str | None = None, newest: int | None = None
    ) -> Sequence[Record]:
        """See the port."""
        with self._open():
            found = [
                dataclasses.replace(record, attachment=b"")
                for record in self._records.values()
                if record.kind == kind and twin in {None, record.twin}
            ]
        found.sort(key=lambda record: (record.known_at, record.twin, record.name))
        return found if newest is None else found[max(len(found) - newest, 0) :]

    def record_counts(self, kind: str) -> Mapping[str, int]:
        """See the port."""
        with self._open():
            return Counter(r.twin for r in self._records.values() if r.kind == kind)

    def record(self, kind: str, twin: str, name: str) -> Record | None:
        """See the port."""
        with self._open():
            return self._records.get((kind, twin, name))

    def drop_record(self, kind: str, twin: str, name: str) -> bool:
        """See the port."""
        with self._open():
            return self._records.pop((kind, twin, name), None) is not None

    def put_event(self, event: Event, *, known_at: Instant) -> Event:
        """See the port."""
        return self.put_events([event], known_at=known_at)[0]

    def put_events(self, events: Sequence[Event], *, known_at: Instant) -> Sequence[Event]:
        """See the port."""
        with self._open():
            before = self._events[-1].known_at if self._events else BEFORE_TIME
            kept = [
                dataclasses.replace(
                    event,
                    number=len(self._events) + place,
                    known_at=max(known_at, before, self._commit.known_at),
                    body=body_of(body_text(event.body)),
                )
                for place, event in enumerate(events, 1)
            ]
            self._events += kept
        return kept

    def events(
        self,
        *,
        twin: str | None = None,
        kind: str | None = None,
        since: Instant | None = None,
        until: Instant | None = None,
        limit: int = 100,
    ) -> Sequence[Event]:
        """See the port."""
        with self._open():
            asked = [
                event
                for event in self._events
                if twin in {None, event.twin}
                and kind in {None, event.kind}
                and (since is None or event.valid_at > since)
                and (until is None or event.valid_at <= until)
            ]
        return sorted(asked, key=lambda event: (event.valid_at, event.number), reverse=True)[:limit]

    def event(self, number: int) -> Event | None:
        """See the port."""
        with self._open():
            return next((event for event in self._events if event.number == number), None)

    def put_summary(self, twin: str, rows: SummaryRows, *, known_at: Instant) -> None:
        """See the port."""
        self.put_summaries([(twin, rows)], known_at=known_at)

    def put_summaries(
        self, summaries: Sequence[tuple[str, SummaryRows]], *, known_at: Instant
    ) -> None:
        """See the port."""
        with self._open():
            known_at = max(known_at, self._commit.known_at)
            for twin, rows in summaries:
                told = np.dstack([rows.mean, rows.sd, rows.quantiles])
                for valid_at, values in zip(rows.valid_at.tolist(), told, strict=True):
                    by_name = dict(zip(rows.variable, values, strict=True))
                    self._summaries.append(_SummaryRow(twin, valid_at, known_at, by_name))

    def summary(
        self,
        twin: str,
        variables: Sequence[str],
        since: Instant,
        until: Instant,
        *,
        known_by: Instant | None = None,
    ) -> SummaryRows:
        """See the port."""
        with self._open():
            asked = [
                row
                for row in self._summaries
                if row.twin == twin
                and since < row.valid_at <= until
                and (known_by is None or row.known_at <= known_by)
            ]
        # Stable: of one instant, and known at one time, the row put last comes last and stays.
        asked.sort(key=lambda row: (row.valid_at, row.known_at))
        last = {row.valid_at: row.values for row in asked}
        nothing = np.full(7, np.nan)
        table = np.array([[values.get(v, nothing) for v in variables] for values in last.values()])
        table = table.reshape(len(last), len(variables), 7)
        return SummaryRows(
            variable=tuple(variables),
            valid_at=np.array(list(last), np.int64),
            mean=table[:, :, 0],
            sd=table[:, :, 1],
            quantiles=table[:, :, 2:],
        )

    def put_all_forecasts(self, several: Sequence[ForecastRows], *, known_at: Instant) -> None:
        """See the port."""
        for rows in several:
            self.put_forecasts(rows, known_at=known_at)

    def all_forecasts(
        self, asked: Sequence[tuple[str, str, Instant, Instant]]
    ) -> Sequence[ForecastRows]:
        """See the port."""
        with self._open():
            pass
        return [self.forecasts(*each) for each in asked]

    def put_forecasts(self, rows: ForecastRows, *, known_at: Instant) -> None:  # noqa: ARG002
        """See the port. No question asks when a forecast became known: it is not kept here."""
        members, corrected = rows.members.astype(np.float32), rows.corrected.astype(np.float32)
        with self._open():
            self._forecasts.extend(
                _ForecastRow(
                    rows.twin, rows.variable, issued_at, valid_at, members[i], corrected[i]
                )
                for i, (issued_at, valid_at) in enumerate(
                    zip(rows.issued_at.tolist(), rows.valid_at.tolist(), strict=True)
                )
            )

    def forecasts(self, twin: str, variable: str, since: Instant, until: Instant) -> ForecastRows:
        """See the port."""
        with self._open():
            asked = [
                row
                for row in self._forecasts
                if row.twin == twin and row.variable == variable and since < row.valid_at <= until
            ]
        asked.sort(key=lambda row: (row.valid_at, row.issued_at))
        return ForecastRows(
            twin=twin,
            variable=variable,
            issued_at=np.array([row.issued_at for row in asked], np.int64),
            valid_at=np.array([row.valid_at for row in asked], np.int64),
            members=side_by_side([row.members for row in asked]),
            corrected=side_by_side([row.corrected for row in asked]),
        )

    def close(self) -> None:
        """See the port. May be called twice."""
        with self._lock:
            self._is_open = False

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if not self._is_open:
                raise TimelineError("The timeline in memory is closed.")
            yield


def _grown(column: np.ndarray[Any, Any], size: int, room: int) -> np.ndarray[Any, Any]:
    """A copy with room for more; rows that somebody still looks at stay as they are."""
    grown = np.empty(room, column.dtype)
    grown[:size] = column[:size]
    return grown
