"""Which row of a place counts, which reading is the newest, and what a bucket holds.

The rules of the port on columns that are in memory; each implementation brings the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from gemeos.schema.reading import Quality, Readings
from gemeos.timeline.base import Buckets
from gemeos.units.instant import Instant, Span


def standing(committed: Readings) -> Readings:
    """The rows that count of ``committed``, which come in the order of their commits.

    One row a place, sorted by (valid_at, series, sample): the highest revision, of equal ones the
    one committed last; none where that is a retraction.
    """
    # lexsort is stable: of equal revisions the later commit stays behind the earlier one.
    order = np.lexsort((committed.revision, committed.sample, committed.series, committed.valid_at))
    return standing_of_sorted(committed[order])


def standing_of_sorted(rows: Readings) -> Readings:
    """The same for rows sorted by (valid_at, series, sample, revision, order of commit)."""
    counts = _ends(rows.valid_at) | _ends(rows.series) | _ends(rows.sample)
    return rows[counts & (rows.quality != Quality.RETRACTED)]


def newest(rows: Readings) -> Readings:
    """The last row of each series, by series; ``rows`` are sorted by (valid_at, sample)."""
    by_series = rows[np.argsort(rows.series, kind="stable")]
    return by_series[_ends(by_series.series)]


def bucketed(rows: Readings, since: Instant, every: Span) -> Buckets:
    """``rows`` in buckets of ``every`` counted from ``since``.

    They are sorted by (valid_at, sample), and all later than ``since``.
    """
    bucket = (rows.valid_at - since - 1) // every
    order = np.lexsort((bucket, rows.series))
    rows, bucket = rows[order], bucket[order]
    last = np.flatnonzero(_ends(rows.series) | _ends(bucket))
    first = np.concatenate(([0], last + 1))[: len(last)]
    count = (last - first + 1).astype(np.int64)
    if not len(last):  # reduceat knows no empty list
        none = np.empty(0)
        return Buckets(rows.series, bucket, count, none, none, none, none)
    return Buckets(
        series=rows.series[first],
        since=since + bucket[first] * every,
        count=count,
        mean=np.add.reduceat(rows.value, first) / count,
        least=np.minimum.reduceat(rows.value, first),
        most=np.maximum.reduceat(rows.value, first),
        last=rows.value[last],
    )


def side_by_side(
    rows: Sequence[Shaped[np.ndarray, " member"]],
) -> Float64[np.ndarray, "forecast member"]:
    """Forecasts of differing numbers of members in one table, the shorter ones ended by NaN."""
    table = np.full((len(rows), max((len(row) for row in rows), default=0)), np.nan)
    for into, row in zip(table, rows, strict=True):
        into[: len(row)] = row
    return table


def _ends(column: Shaped[np.ndarray, " row"]) -> Bool[np.ndarray, " row"]:
    """True where a run of equal values ends."""
    ends = np.ones(len(column), np.bool_)
    ends[:-1] = column[1:] != column[:-1]
    return ends
