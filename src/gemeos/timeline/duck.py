"""A timeline in one DuckDB file."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, final

import msgspec

from gemeos.errors import TimelineError
from gemeos.schema.reading import Readings, Refused, Series, SeriesBook
from gemeos.timeline import duck_estimates, duck_events, duck_log, duck_readings, duck_records
from gemeos.timeline.base import (
    Buckets,
    Commit,
    Event,
    ForecastRows,
    Keyframe,
    Record,
    SummaryRows,
)
from gemeos.timeline.duck_database import Connection, Database, rows
from gemeos.timeline.duck_reach import Reach
from gemeos.timeline.duck_readings import asked_for, known
from gemeos.timeline.event_body import body_of, body_text
from gemeos.timeline.limits import BEFORE_TIME, MOST_RECEIPTS, MOST_REFUSED, check_numbers
from gemeos.units.instant import Instant, Span

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 20_000
"""Twins and commits whose summary rows may wait for the next append."""


_packed_receipts = msgspec.msgpack.Decoder(list[bytes])


@dataclasses.dataclass(frozen=True, slots=True)
class _Written:
    """How far the tables are written; replaced only after a commit."""

    commit: Commit
    readings: int
    refused: int
    receipts: int
    series: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Waiting:
    """Summary rows that go with what is written next."""

    summaries: Sequence[tuple[str, SummaryRows]]
    known_at: Instant
    first_entry: int


@final
class DuckTimeline:
    """See the port. One process holds the file; any of its threads may ask and append.

    Summary rows are written with the next append, forecasts or keyframes, or when they are asked
    for: a flush to the disk of their own would cost as much as that of the readings. Never behind a
    keyframe: a twin that begins again from it does not tell what was before.

    An append waits for another one, and for a question only while that writes summary rows that
    still wait. Forecasts keep float32 precision.
    ``book`` can still be read after ``close``; everything else raises ``TimelineError`` then.
    """

    def __init__(self, path: str | Path, *, memory_limit: str = "1GB") -> None:
        """Opens the store, or makes it where there is none; an older format is brought up.

        Raises:
            StoreHeldError: another process holds it.
            StoreFormatError: a newer Gemeos wrote it.
            TimelineError: it cannot be opened.
        """
        self._database = Database(Path(path), memory_limit=memory_limit)
        self._counting = Lock()
        try:
            with self._database.asking() as connection:
                self._book = SeriesBook(_series(connection))
                self._reach = Reach(connection)
                self._written = _last_written(connection, series=len(self._book))
                self._event = _last_event(connection)
                self._entries = _last_entries(connection)
            self._waiting: list[_Waiting] = []
        except BaseException:
            self._database.close()
            raise

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
            TimelineError: nothing of it was stored; it may be tried again.
        """
        check_numbers(readings, self._book)
        series = len(self._book)
        with self._counting:
            with self._database.writing() as connection:
                before = self._written
                after = _Written(
                    Commit(before.commit.number + 1, max(known_at, before.commit.known_at)),
                    readings=before.readings + len(readings),
                    refused=before.refused + len(refused),
                    receipts=before.receipts + len(receipts),
                    series=series,
                )
                self._put_series(connection, before.series, series)
                self._put_readings(connection, readings, before, after)
                duck_log.put_refused(connection, refused, after.refused)
                duck_log.put_receipts(connection, receipts, after.receipts)
                connection.execute(
                    "insert into commits values (?, ?, ?, ?)",
                    [after.commit.number, after.commit.known_at, after.readings, after.refused],
                )
                self._put_waiting(connection)
            self._waiting.clear()
            self._written = after
        return after.commit

    def range(
        self,
        series: Sequence[int] | None,
        since: Instant,
        until: Instant,
        *,
        known_by: Instant | None = None,
    ) -> Readings:
        """See the port."""
        with self._database.asking() as connection:
            asked = None if series is None else asked_for(series)
            return duck_readings.range_of(connection, asked, since, until, known_by)

    def buckets(
        self, series: Sequence[int], since: Instant, until: Instant, every: Span
    ) -> Buckets:
        """See the port."""
        with self._database.asking() as connection:
            return duck_readings.buckets_of(connection, asked_for(series), since, until, every)

    def latest(
        self, series: Sequence[int] | None, at: Instant, *, known_by: Instant | None = None
    ) -> Readings:
        """See the port."""
        with self._database.asking() as connection:
            asked = None if series is None else asked_for(series)
            return duck_readings.latest_of(connection, self._reach, asked, at, known_by)

    def changed_since(
        self, series: Sequence[int], commit: Instant, until: Instant, *, known_by: Instant | None
    ) -> Instant | None:
        """See the port."""
        with self._database.asking() as connection:
            return duck_readings.changed_since(
                connection, asked_for(series), commit, until, known_by
            )

    def refused(self, *, limit: int = 100, link: str | None = None) -> Sequence[Refused]:
        """See the port."""
        with self._database.asking() as connection:
            found = rows(
                connection,
                "select link, channel, reason, payload, size, received_at from refused "
                "where entry > $dropped and ($link is null or link = $link) "
                "order by entry desc limit $limit",
                {"dropped": self._written.refused - MOST_REFUSED, "link": link, "limit": limit},
            )
        return [Refused(*row) for row in found]

    def refused_count(self) -> int:
        """See the port."""
        with self._database.asking():
            return self._written.refused

    def receipts(self) -> Sequence[bytes]:
        """See the port."""
        with self._database.asking() as connection:
            found = rows(connection, "select packed from receipts order by upto")
        kept = [receipt for (packed,) in found for receipt in _packed_receipts.decode(packed)]
        return kept[-MOST_RECEIPTS:]

    def put_keyframe(self, keyframe: Keyframe) -> None:
        """See the port."""
        self.put_keyframes([keyframe])

    def put_keyframes(self, keyframes: Sequence[Keyframe]) -> None:
        """See the port."""
        if not keyframes:
            return
        with self._numbered("keyframes", len(keyframes)) as (connection, entry):
            duck_estimates.put_keyframes(connection, keyframes, first_entry=entry)

    def keyframe_before(
        self, twin: str, at: Instant, *, known_by: Instant | None = None
    ) -> Keyframe | None:
        """See the port."""
        with self._database.asking() as connection:
            return duck_estimates.keyframe_before(connection, twin, at, known(known_by))

    def keyframes_newest(self, twins: Sequence[str]) -> Mapping[str, Keyframe]:
        """See the port."""
        with self._database.asking() as connection:
            return duck_estimates.keyframes_newest(connection, twins)

    def put_record(self, record: Record) -> None:
        """See the port."""
        with self._database.writing() as connection:
            duck_records.put_record(connection, record)

    def records(
        self, kind: str, *, twin: str | None = None, newest: int | None = None
    ) -> Sequence[Record]:
        """See the port."""
        with self._database.asking() as connection:
            return duck_records.records(connection, kind, twin, newest)

    def record_counts(self, kind: str) -> Mapping[str, int]:
        """See the port."""
        with self._database.asking() as connection:
            return duck_records.record_counts(connection, kind)

    def record(self, kind: str, twin: str, name: str) -> Record | None:
        """See the port."""
        with self._database.asking() as connection:
            return duck_records.record(connection, kind, twin, name)

    def drop_record(self, kind: str, twin: str, name: str) -> bool:
        """See the port."""
        with self._database.writing() as connection:
            return duck_records.drop_record(connection, kind, twin, name)

    def put_event(self, event: Event, *, known_at: Instant) -> Event:
        """See the port."""
        return self.put_events([event], known_at=known_at)[0]

    def put_events(self, events: Sequence[Event], *, known_at: Instant) -> Sequence[Event]:
        """See the port."""
        if not events:
            return []
        with self._counting:
            number, known_before = self._event
            known_at = max(known_at, known_before, self._written.commit.known_at)
            kept = [
                dataclasses.replace(
                    event,
                    number=number + place,
                    known_at=known_at,
                    body=body_of(body_text(event.body)),
                )
                for place, event in enumerate(events, 1)
            ]
            with self._database.writing() as connection:
                duck_log.put_events(connection, kept)
            self._event = (kept[-1].number, known_at)
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
        with self._database.asking() as connection:
            return duck_events.events(connection, twin, kind, (since, until), limit)

    def event(self, number: int) -> Event | None:
        """See the port."""
        with self._database.asking() as connection:
            return duck_events.event(connection, number)

    def put_summary(self, twin: str, rows: SummaryRows, *, known_at: Instant) -> None:
        """See the port."""
        self.put_summaries([(twin, rows)], known_at=known_at)

    def put_summaries(
        self, summaries: Sequence[tuple[str, SummaryRows]], *, known_at: Instant
    ) -> None:
        """See the port."""
        count = sum(len(rows.valid_at) for _, rows in summaries)
        if not count:
            return
        self._database.require_open()
        with self._counting:
            known_at = max(known_at, self._written.commit.known_at)
            first = self._entries["summaries"] + 1
            self._entries["summaries"] += count
            self._waiting.append(_Waiting(summaries, known_at, first))
            if sum(len(each.summaries) for each in self._waiting) > MOST_WAITING:
                self._write_waiting()

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
        with self._counting:
            try:
                self._write_waiting()
            except TimelineError as error:
                # Without room on the disk nothing new can be told; what is written still can.
                logger.warning("The newest summary rows are not written yet: %s", error)
        with self._database.asking() as connection:
            return duck_estimates.summary_of(
                connection, twin, variables, since, until, known(known_by)
            )

    def put_forecasts(self, rows: ForecastRows, *, known_at: Instant) -> None:
        """See the port."""
        self.put_all_forecasts([rows], known_at=known_at)

    def put_all_forecasts(self, several: Sequence[ForecastRows], *, known_at: Instant) -> None:
        """See the port."""
        count = sum(len(rows.valid_at) for rows in several)
        if not count:
            self._database.require_open()
            return
        with self._numbered("forecasts", count) as (connection, entry):
            known_at = max(known_at, self._written.commit.known_at)
            duck_estimates.put_forecasts(connection, several, known_at=known_at, first_entry=entry)

    def forecasts(self, twin: str, variable: str, since: Instant, until: Instant) -> ForecastRows:
        """See the port."""
        return self.all_forecasts([(twin, variable, since, until)])[0]

    def all_forecasts(
        self, asked: Sequence[tuple[str, str, Instant, Instant]]
    ) -> Sequence[ForecastRows]:
        """See the port."""
        with self._database.asking() as connection:
            return duck_estimates.forecasts_of(connection, asked)

    def close(self) -> None:
        """See the port. Waits for questions that are being answered; may be called twice."""

        def last(connection: Connection) -> None:
            self._put_waiting(connection)
            self._reach.save(connection, self._written.readings)

        self._database.close(last=last)

    def _write_waiting(self) -> None:
        """Write the rows that no append took along. The counting is ours."""
        if self._waiting:
            with self._database.writing() as connection:
                self._put_waiting(connection)
            self._waiting.clear()

    def _put_waiting(self, connection: Connection) -> None:
        for each in self._waiting:
            duck_estimates.put_summaries(
                connection, each.summaries, known_at=each.known_at, first_entry=each.first_entry
            )

    @contextmanager
    def _numbered(self, table: str, count: int) -> Iterator[tuple[Connection, int]]:
        """The writer, and the first of ``count`` entries of ``table``."""
        with self._counting:
            first = self._entries[table] + 1
            with self._database.writing() as connection:
                self._put_waiting(connection)
                yield connection, first
            self._waiting.clear()
            self._entries[table] += count

    def _put_series(self, connection: Connection, first: int, end: int) -> None:
        numbers = list(range(first, end))
        if not numbers:
            return
        new = [self._book.series(number) for number in numbers]
        connection.execute(
            "insert into series select unnest($number::int[]), unnest($link::text[]), "
            "unnest($channel::text[])",
            {
                "number": numbers,
                "link": [series.link for series in new],
                "channel": [series.channel for series in new],
            },
        )

    def _put_readings(
        self, connection: Connection, readings: Readings, before: _Written, after: _Written
    ) -> None:
        if not len(readings):
            return
        self._reach.widen(readings)
        duck_readings.put_readings(
            connection,
            readings,
            known_at=after.commit.known_at,
            first_entry=before.readings + 1,
        )
        if self._reach.is_due(after.readings):
            self._reach.save(connection, after.readings)


def _series(connection: Connection) -> list[Series]:
    found = rows(connection, "select link, channel from series order by number")
    return [Series(link, channel) for link, channel in found]


def _last_written(connection: Connection, *, series: int) -> _Written:
    commits = rows(
        connection,
        "select number, known_at, readings, refused from commits order by number desc limit 1",
    )
    number, known_at, readings, refused = commits[0] if commits else (0, BEFORE_TIME, 0, 0)
    receipts = rows(connection, "select coalesce(max(upto), 0) from receipts")[0][0]
    return _Written(Commit(number, known_at), readings, refused, receipts, series)


def _last_event(connection: Connection) -> tuple[int, Instant]:
    found = rows(connection, "select number, known_at from events order by number desc limit 1")
    return found[0] if found else (0, BEFORE_TIME)


def _last_entries(connection: Connection) -> dict[str, int]:
    """How many rows each of these tables was given."""
    ((keyframes, summaries, forecasts),) = rows(
        connection,
        "select (select coalesce(max(entry), 0) from keyframes), "
        "(select coalesce(max(entry), 0) from summaries), "
        "(select coalesce(max(entry), 0) from forecasts)",
    )
    return {"keyframes": keyframes, "summaries": summaries, "forecasts": forecasts}
