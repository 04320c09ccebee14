"""The store beside bare DuckDB: appending batches, and the state of many twins as of an instant."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from gemeos.schema.reading import COMMIT_ORDER, Readings, Series
from gemeos.timeline.base import Timeline
from gemeos.timeline.duck import DuckTimeline
from gemeos.units.instant import SECOND
from tools.bench.model import SENSORS, STEP_US
from tools.bench.report import Check, at_least, at_most
from tools.bench.run import Run

BATCH = 10_000
START_US = 1_700_000_000 * SECOND
TABLE = (
    "create table readings(entry bigint, known_at bigint, series integer, valid_at bigint, "
    "span bigint, sample integer, revision bigint, value double, quality utinyint, "
    "received_at bigint)"
)
BY_HAND = (
    "select series, max(valid_at), arg_max(value, valid_at) from readings "
    "where valid_at <= ? group by series order by series"
)
TWINS = 10_000


def batch(first: int, size: int, series: int) -> Readings:
    """Readings number ``first`` and on: one of each series an instant, instant by instant."""
    number = np.arange(first, first + size)
    at = START_US + number // series * STEP_US
    return Readings(
        series=(number % series).astype(np.int32),
        valid_at=at,
        valid_from=at,
        sample=np.zeros(size, np.int32),
        revision=np.full(size, COMMIT_ORDER, np.int64),
        value=np.sin(number * 0.37),
        quality=np.zeros(size, np.uint8),
        received_at=at,
    )


def numbered(timeline: Timeline, series: int) -> None:
    """Enter so many series into its book."""
    for n in range(series):
        twin, sensor = divmod(n, len(SENSORS))
        timeline.book.number(Series("bench", f"{twin}/{SENSORS[sensor]}"))


def arrow(readings: Readings, first: int) -> pa.Table:
    """The columns that a bare table of readings has."""
    return pa.table(
        {
            "entry": np.arange(first, first + len(readings)),
            "known_at": readings.received_at,
            "series": readings.series,
            "valid_at": readings.valid_at,
            "span": readings.valid_at - readings.valid_from,
            "sample": readings.sample,
            "revision": readings.revision,
            "value": readings.value,
            "quality": readings.quality,
            "received_at": readings.received_at,
        }
    )


def bare_commits(path: Path, sizes: Sequence[int]) -> float:
    """99th percentile, in seconds, of a bare durable insert of batches of these sizes."""
    spent = []
    with duckdb.connect(str(path)) as connection:
        connection.execute(TABLE)
        for number, size in enumerate(sizes):
            rows = arrow(batch(number * BATCH, size, 2000), number * BATCH)
            spent.append(_inserted(connection, rows))
    return float(np.percentile(spent, 99))


def _inserted(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> float:
    began = time.perf_counter()
    connection.begin()
    connection.register("rows", rows)
    connection.execute("insert into readings select * from rows")
    connection.commit()
    return time.perf_counter() - began


def append(run: Run) -> Sequence[Check]:
    """Batches in turn to both, so that both see the same moments of the disk."""
    rounds = run.count(200, 20)
    ours, bare = [], []
    timeline = DuckTimeline(run.folder / "append.duckdb")
    try:
        numbered(timeline, 2000)
        with duckdb.connect(str(run.folder / "append-bare.duckdb")) as connection:
            connection.execute(TABLE)
            for n in range(rounds):
                readings = batch(n * BATCH, BATCH, 2000)
                began = time.perf_counter()
                timeline.append(readings, known_at=int(readings.valid_at[-1]))
                ours.append(time.perf_counter() - began)
                bare.append(_inserted(connection, arrow(readings, n * BATCH)))
    finally:
        timeline.close()
    ratio = sum(bare) / sum(ours)
    how = (
        f"{BATCH * rounds / sum(ours):,.0f} rows/s in {rounds} commits of {BATCH:,}, bare "
        f"DuckDB from Arrow {BATCH * rounds / sum(bare):,.0f} rows/s, in turns; medians "
        f"{1e3 * float(np.median(ours)):.1f} and {1e3 * float(np.median(bare)):.1f} ms"
    )
    return [at_least("durable append", ratio, 0.5, "of a bare DuckDB Arrow insert", run.how(how))]


def as_of(run: Run) -> Sequence[Check]:
    """The newest reading of every channel of 10,000 twins by an instant, in growing histories."""
    sizes = [run.count(m * 1_000_000, m * 100_000) for m in (2, 8, 20)]
    series = TWINS * len(SENSORS)
    ours, hand, kept = [], [], 0
    timeline = DuckTimeline(run.folder / "as-of.duckdb")
    try:
        numbered(timeline, series)
        with duckdb.connect(str(run.folder / "as-of-bare.duckdb")) as connection:
            connection.execute(TABLE)
            for size in sizes:
                run.progress.say(f"a history of {size:,} readings")
                while kept < size:
                    readings = batch(kept, min(200_000, size - kept), series)
                    timeline.append(readings, known_at=int(readings.valid_at[-1]))
                    _inserted(connection, arrow(readings, kept))
                    kept += len(readings)
                # Half an instant before the last one: what is asked lies in the past.
                at = START_US + (kept // series - 1) * STEP_US - STEP_US // 2
                both = [_asked(timeline, connection, at) for _ in range(run.count(9, 3))]
                ours.append(float(np.median([a for a, _ in both])))
                hand.append(float(np.median([b for _, b in both])))
    finally:
        timeline.close()
    told = "; ".join(
        f"{size / 1e6:g} M readings {1e3 * a:.1f} ms, by hand {1e3 * b:.1f} ms"
        for size, a, b in zip(sizes, ours, hand, strict=True)
    )
    how = run.how(
        f"newest reading of {series:,} channels of {TWINS:,} twins as of an instant half a step "
        f"before the end (medians): {told}"
    )
    worst = max(a / b for a, b in zip(ours, hand, strict=True))
    return [
        at_most("state as of an instant", worst, 3.0, "x hand-written SQL", how),
        at_most("state as of an instant, growth", ours[-1] / ours[0], 1.5, "x of a tenth", how),
    ]


def _asked(
    timeline: Timeline, connection: duckdb.DuckDBPyConnection, at: int
) -> tuple[float, float]:
    """Seconds of the timeline, and of the query by hand; both must say the same."""
    began = time.perf_counter()
    found = timeline.latest(None, at)
    middle = time.perf_counter()
    by_hand = connection.execute(BY_HAND, [at]).fetchnumpy()
    ended = time.perf_counter()
    if not np.array_equal(found.value, by_hand['arg_max("value", valid_at)']):
        raise ValueError("The timeline and the query by hand differ.")
    return middle - began, ended - middle
