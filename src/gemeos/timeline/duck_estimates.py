"""Estimates in DuckDB: summary rows, forecasts as issued, and keyframes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.timeline.base import ForecastRows, Keyframe, SummaryRows
from gemeos.timeline.duck_database import Connection, fetched, put, rows
from gemeos.timeline.standing import side_by_side
from gemeos.units.instant import Instant

QUANTILES: Final = ("q05", "q25", "q50", "q75", "q95")
# An instant's row is the one known last; its entry tells it from the others. One number of
# known_at and entry, because arg_max over a pair takes twice as long. The answer is dense: a row
# an instant and variable asked for, in their order.
SUMMARY: Final = """
    with heard as not materialized (
            select * from summaries where twin = $twin and valid_at > $since
                and valid_at <= $until and known_at <= $known_by),
        instant as (
            select valid_at, arg_max(entry, known_at::hugeint * (1::hugeint << 62) + entry) as entry
            from heard group by valid_at),
        asked as (select unnest($names::text[]) as variable, unnest($places::int[]) as place)
    select instant.valid_at as valid_at,
        coalesce(mean, 'nan') as mean, coalesce(sd, 'nan') as sd, coalesce(q05, 'nan') as q05,
        coalesce(q25, 'nan') as q25, coalesce(q50, 'nan') as q50, coalesce(q75, 'nan') as q75,
        coalesce(q95, 'nan') as q95
    from instant cross join asked
    left join heard on heard.entry = instant.entry and heard.variable = asked.variable
    order by instant.valid_at, asked.place
"""
FORECASTS: Final = """
    with asked as (
        select unnest($twins::text[]) as twin, unnest($variables::text[]) as variable,
            unnest($since::bigint[]) as since, unnest($until::bigint[]) as until,
            unnest($places::int[]) as place)
    select place, issued_at, forecasts.valid_at as valid_at, members, corrected
    from forecasts join asked using (twin, variable)
    where forecasts.valid_at > $least and forecasts.valid_at <= $most
        and forecasts.valid_at > asked.since and forecasts.valid_at <= asked.until
    order by place, forecasts.valid_at, issued_at, entry
"""
# The states, which are large, are read of the newest ones only.
KEYFRAMES_NEWEST: Final = """
    with newest as (
        select arg_max(entry, (valid_at, known_at, entry)) as entry from keyframes
        where twin in (select unnest($twins::text[])) group by twin)
    select twin, valid_at, known_at, model, state from keyframes semi join newest using (entry)
"""


def put_summaries(
    connection: Connection,
    summaries: Sequence[tuple[str, SummaryRows]],
    *,
    known_at: Instant,
    first_entry: int,
) -> None:
    """Add a row an instant and variable; instants are numbered from ``first_entry``."""
    names = list(dict.fromkeys(name for _, rows in summaries for name in rows.variable))
    place = {name: i for i, name in enumerate(names, 1)}  # SQL counts from one
    times = [len(rows.valid_at) for _, rows in summaries]
    widths = np.repeat([len(rows.variable) for _, rows in summaries], times)
    put(
        connection,
        "insert into summaries select entry, ($twins::text[])[twin], ($names::text[])[variable], "
        "valid_at, $known_at, mean, sd, q05, q25, q50, q75, q95 from batch",
        {"twins": [twin for twin, _ in summaries], "names": names, "known_at": known_at},
        {
            "entry": np.repeat(np.arange(first_entry, first_entry + sum(times)), widths),
            "twin": np.repeat(np.repeat(np.arange(1, len(summaries) + 1), times), widths),
            "variable": np.concatenate(
                [
                    np.tile([place[name] for name in rows.variable], count)
                    for count, (_, rows) in zip(times, summaries, strict=True)
                ]
            ),
            "valid_at": np.repeat(np.concatenate([r.valid_at for _, r in summaries]), widths),
            "mean": np.concatenate([rows.mean.ravel() for _, rows in summaries]),
            "sd": np.concatenate([rows.sd.ravel() for _, rows in summaries]),
            **{
                q: np.concatenate([rows.quantiles[:, :, i].ravel() for _, rows in summaries])
                for i, q in enumerate(QUANTILES)
            },
        },
    )


def summary_of(
    connection: Connection,
    twin: str,
    variables: Sequence[str],
    since: Instant,
    until: Instant,
    known_by: Instant,
) -> SummaryRows:
    """See the port."""
    found = fetched(
        connection,
        SUMMARY,
        {
            "twin": twin,
            "since": since,
            "until": until,
            "known_by": known_by,
            "names": list(variables),
            "places": list(range(len(variables))),
        },
    )
    shape = (-1, max(len(variables), 1))
    return SummaryRows(
        variable=tuple(variables),
        valid_at=found["valid_at"].reshape(shape)[:, 0],
        mean=found["mean"].reshape(shape),
        sd=found["sd"].reshape(shape),
        quantiles=np.stack([found[q].reshape(shape) for q in QUANTILES], axis=-1),
    )


def put_forecasts(
    connection: Connection,
    several: Sequence[ForecastRows],
    *,
    known_at: Instant,
    first_entry: int,
) -> None:
    """Add a row a forecast, numbered from ``first_entry``.

    The members of a row are one blob: for 12 forecasts of 64 members it is put in half the time,
    and read in a third, of a list column; and a commit is not larger.
    """
    counts = [len(rows.valid_at) for rows in several]
    members, corrected = (
        [row.tobytes() for table in tables for row in np.ascontiguousarray(table, "<f4")]
        for tables in ([rows.members for rows in several], [rows.corrected for rows in several])
    )
    connection.execute(
        "insert into forecasts select unnest($entry::bigint[]), unnest($twin::text[]), "
        "unnest($variable::text[]), unnest($issued_at::bigint[]), unnest($valid_at::bigint[]), "
        "$known_at, unnest($members::blob[]), unnest($corrected::blob[])",
        {
            "entry": list(range(first_entry, first_entry + len(members))),
            "twin": [
                r.twin for r, count in zip(several, counts, strict=True) for _ in range(count)
            ],
            "variable": [
                r.variable for r, count in zip(several, counts, strict=True) for _ in range(count)
            ],
            "issued_at": [at for rows in several for at in rows.issued_at.tolist()],
            "valid_at": [at for rows in several for at in rows.valid_at.tolist()],
            "known_at": known_at,
            "members": members,
            "corrected": corrected,
        },
    )


def forecasts_of(
    connection: Connection, asked: Sequence[tuple[str, str, Instant, Instant]]
) -> list[ForecastRows]:
    """See the port."""
    since, until = [each[2] for each in asked], [each[3] for each in asked]
    found = fetched(
        connection,
        FORECASTS,
        {
            "twins": [each[0] for each in asked],
            "variables": [each[1] for each in asked],
            "since": since,
            "until": until,
            "places": list(range(len(asked))),
            "least": min(since, default=0),
            "most": max(until, default=0),
        },
    )
    ends = np.searchsorted(found["place"], np.arange(len(asked) + 1))
    told = []
    for (twin, variable, _, _), first, end in zip(
        asked, ends[:-1].tolist(), ends[1:].tolist(), strict=True
    ):
        members, corrected = (
            _table(found[name][first:end].tolist()) for name in ("members", "corrected")
        )
        told.append(
            ForecastRows(
                twin=twin,
                variable=variable,
                issued_at=found["issued_at"][first:end],
                valid_at=found["valid_at"][first:end],
                members=members,
                corrected=corrected,
            )
        )
    return told


def _table(blobs: Sequence[bytes]) -> Float64[np.ndarray, "forecast member"]:
    """Numbers of a row each, the shorter ones ended by NaN."""
    if len({len(blob) for blob in blobs}) == 1:
        return np.frombuffer(b"".join(blobs), "<f4").reshape(len(blobs), -1).astype(np.float64)
    return side_by_side([np.frombuffer(blob, "<f4") for blob in blobs])


def put_keyframes(
    connection: Connection, keyframes: Sequence[Keyframe], *, first_entry: int
) -> None:
    """Add them, numbered from ``first_entry``."""
    connection.execute(
        "insert into keyframes select unnest($entry::bigint[]), unnest($twin::text[]), "
        "unnest($valid_at::bigint[]), unnest($known_at::bigint[]), unnest($model::text[]), "
        "unnest($state::blob[])",
        {
            "entry": list(range(first_entry, first_entry + len(keyframes))),
            "twin": [keyframe.twin for keyframe in keyframes],
            "valid_at": [keyframe.valid_at for keyframe in keyframes],
            "known_at": [keyframe.known_at for keyframe in keyframes],
            "model": [keyframe.model for keyframe in keyframes],
            "state": [keyframe.state for keyframe in keyframes],
        },
    )


def keyframe_before(
    connection: Connection, twin: str, at: Instant, known_by: Instant
) -> Keyframe | None:
    """See the port."""
    found = connection.execute(
        "select valid_at, known_at, model, state from keyframes "
        "where twin = ? and valid_at <= ? and known_at <= ? "
        "order by valid_at desc, known_at desc, entry desc limit 1",
        [twin, at, known_by],
    ).fetchone()
    return None if found is None else Keyframe(twin, *found)


def keyframes_newest(connection: Connection, twins: Sequence[str]) -> Mapping[str, Keyframe]:
    """See the port."""
    found = rows(connection, KEYFRAMES_NEWEST, {"twins": list(twins)})
    return {row[0]: Keyframe(*row) for row in found}
