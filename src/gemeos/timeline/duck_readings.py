"""Readings in DuckDB: how they are put in, and the four questions about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Final

import numpy as np
from jaxtyping import Int32

from gemeos.schema.reading import Quality, Readings
from gemeos.timeline.base import Buckets
from gemeos.timeline.duck_database import Columns, Connection, fetched, put
from gemeos.timeline.duck_reach import Reach
from gemeos.timeline.limits import END_OF_TIME
from gemeos.timeline.standing import newest, standing_of_sorted
from gemeos.units.instant import SECOND, Instant, Span

FIRST_LOOK: Final = 2 * SECOND
"""How far back the newest readings are looked for first ..."""
WIDER: Final = 8
"""... and how many times further each time after that."""
FEW: Final = 0.5
"""Looking for a smaller share of the series than this, it pays to tell DuckDB which."""

COLUMNS: Final = (
    "series, valid_at, valid_at - span as valid_from, sample, revision, "
    "coalesce(value, 'nan'::double) as value, quality, received_at"
)
BY_PLACE: Final = "order by valid_at, series, sample, revision, entry"
HEARD: Final = "valid_at > $since and valid_at <= $until and known_at <= $known_by"
ASKED: Final = " and series in (select series from asked)"

# S608 is about texts from outside: these are put together from the lines above only.
RANGE: Final = f"select {COLUMNS} from readings where {HEARD}"  # noqa: S608
NEWEST: Final = """
    with heard as not materialized (select * from readings where {heard}),
         newest as (select series, max(valid_at) as valid_at from heard group by series)
    select {columns} from heard semi join newest using (series, valid_at) {by_place}
"""
# A retraction has no value, and arg_max leaves out what is null: coalesce keeps the two choices
# on the same row. Revision and entry, and valid_at and sample, are one number each because
# arg_max over a pair takes twice as long; a hugeint holds both in full.
BUCKETS: Final = f"""
    with place as (
        select series, valid_at, sample,
            arg_max(coalesce(value, 'nan'::double), revision::hugeint * (1::hugeint << 62) + entry)
                as value,
            arg_max(quality, revision::hugeint * (1::hugeint << 62) + entry) as quality
        from readings where {HEARD}{ASKED} group by all)
    select series, $since + (valid_at - $since - 1) // $every * $every as since,
        count(*) as count, avg(value) as mean, min(value) as least, max(value) as most,
        arg_max(value, valid_at::hugeint * (1::hugeint << 32) + sample) as last
    from place where quality <> {Quality.RETRACTED.value} group by all order by all
"""  # noqa: S608
CHANGED: Final = f"""
    select min(valid_at) as earliest from readings
    where known_at > $commit and known_at <= $known_by and valid_at <= $until{ASKED}
"""  # noqa: S608


def put_readings(
    connection: Connection, readings: Readings, *, known_at: Instant, first_entry: int
) -> None:
    """Add rows, numbered from ``first_entry``."""
    put(
        connection,
        "insert into readings select entry, $known_at, series, valid_at, span, sample, revision, "
        "value, quality, received_at from batch",
        {"known_at": known_at},
        {
            "entry": np.arange(first_entry, first_entry + len(readings)),
            "series": readings.series,
            "valid_at": readings.valid_at,
            "span": readings.valid_at - readings.valid_from,
            "sample": readings.sample,
            "revision": readings.revision,
            "value": readings.value,
            "quality": readings.quality,
            "received_at": readings.received_at,
        },
    )


def range_of(
    connection: Connection,
    series: Int32[np.ndarray, " asked"] | None,
    since: Instant,
    until: Instant,
    known_by: Instant | None,
) -> Readings:
    """See the port."""
    statement = RANGE if series is None else RANGE + ASKED
    bounds = _bounds(since, until, known_by)
    return standing_of_sorted(
        _readings(fetched(connection, f"{statement} {BY_PLACE}", bounds, _asked(series)))
    )


def buckets_of(
    connection: Connection,
    series: Int32[np.ndarray, " asked"],
    since: Instant,
    until: Instant,
    every: Span,
) -> Buckets:
    """See the port."""
    bounds = {**_bounds(since, until, None), "every": every}
    columns = fetched(connection, BUCKETS, bounds, _asked(series))
    return Buckets(**{field.name: columns[field.name] for field in fields(Buckets)})


def latest_of(
    connection: Connection,
    reach: Reach,
    series: Int32[np.ndarray, " asked"] | None,
    at: Instant,
    known_by: Instant | None,
) -> Readings:
    """See the port. What it reads does not grow with the history of series that go on.

    It looks back from the newest instant at which any of the series can have a reading, in
    windows that widen, each time only for the series that have not been found.
    """
    missing, first, last = reach.of(series, at)
    found: list[Readings] = []
    until, width, all_there_are = at, FIRST_LOOK, len(missing) if series is None else None
    while len(missing):
        until = min(until, int(last.max()))
        earliest = int(first.min()) - 1
        since = max(until - width, earliest)
        is_few = all_there_are is None or len(missing) < FEW * all_there_are
        rows = _newest_within(
            connection, missing if is_few else None, _bounds(since, until, known_by)
        )
        rows = rows if is_few else rows[np.isin(rows.series, missing)]
        found.append(rows)
        if since == earliest:
            break
        is_missing = ~np.isin(missing, rows.series)
        missing, first, last = missing[is_missing], first[is_missing], last[is_missing]
        until, width = since, width * WIDER
    return newest(Readings.joined(found))


def changed_since(
    connection: Connection,
    series: Int32[np.ndarray, " asked"],
    commit: Instant,
    until: Instant,
    known_by: Instant | None,
) -> Instant | None:
    """See the port."""
    bounds = {"commit": commit, "until": until, "known_by": known(known_by)}
    earliest = fetched(connection, CHANGED, bounds, _asked(series))["earliest"]
    return None if np.ma.is_masked(earliest) else int(earliest[0])


def asked_for(series: Sequence[int]) -> Int32[np.ndarray, " asked"]:
    """The numbers, once each."""
    return np.unique(np.asarray(series, np.int32))


def known(known_by: Instant | None) -> Instant:
    """As a bound for DuckDB."""
    return END_OF_TIME if known_by is None else known_by


def _newest_within(
    connection: Connection, series: Int32[np.ndarray, " asked"] | None, bounds: dict[str, Instant]
) -> Readings:
    """Of each series the newest standing reading in the window, if it has one there."""
    statement = NEWEST.format(
        heard=HEARD + ("" if series is None else ASKED), columns=COLUMNS, by_place=BY_PLACE
    )
    rows = _readings(fetched(connection, statement, bounds, _asked(series)))
    best = newest(standing_of_sorted(rows))
    # Where everything at the newest instant was taken back, an older reading of the window counts.
    retracted = np.setdiff1d(rows.series, best.series)
    if not len(retracted):
        return best
    older = range_of(connection, retracted, bounds["since"], bounds["until"], bounds["known_by"])
    return Readings.joined([best, newest(older)])


def _bounds(since: Instant, until: Instant, known_by: Instant | None) -> dict[str, Instant]:
    return {"since": since, "until": until, "known_by": known(known_by)}


def _asked(series: Int32[np.ndarray, " asked"] | None) -> Columns | None:
    return None if series is None else {"series": series}


def _readings(columns: Columns) -> Readings:
    return Readings(**{field.name: columns[field.name] for field in fields(Readings)})
