"""The record that the plant lives through again: its readings, numbered for good.

A reading's number (``seq``) is its place in the record: row times seven plus the tag's place in
``TAGS``, rows in the order of stamp, turbine and original. It depends on nothing else, so a reading
that is sent again, by whatever later process, carries the number it always had.

The stamp of the record is taken as the END of its ten minutes, and is handed on as it was recorded.
It is not true UTC: it lags by one hour in winter and by two in summer time, see ``SOURCE.md``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
from jaxtyping import Float32, Int64

SECOND: Final = 1_000_000
INTERVAL: Final = 600 * SECOND
"""What one mean covers, in microseconds."""
UNITS: Final = {
    "P_avg": "kW",
    "Ws_avg": "m/s",
    "Va_avg": "deg",
    "Ba_avg": "deg",
    "Ya_avg": "deg",
    "Wa_avg": "deg",
    "Ot_avg": "degC",
}
"""Tags in the order of their numbers, with the unit of each."""
TAGS: Final = tuple(UNITS)
EXTRACT: Final = "la_haute_borne_2014h1.parquet"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# What comes later is kept back for judging forecasts; a plant that replayed it would give it away.
_FIRST: Final = dt.datetime(2014, 1, 1, tzinfo=dt.UTC)
_BEYOND: Final = dt.datetime(2014, 7, 1, tzinfo=dt.UTC)


class RecordError(Exception):
    """The record is not the half year that the plant may replay, or a time is not one."""


def micros(when: str) -> int:
    """Microseconds of UTC since 1970 of an ISO 8601 time that names its offset.

    Raises:
        RecordError: not a time, or without offset.
    """
    try:
        parsed = dt.datetime.fromisoformat(when)
    except ValueError as error:
        raise RecordError(f"{when!r} is not a time. Write it as in 2014-03-14T00:00Z.") from error
    if parsed.tzinfo is None:
        raise RecordError(f"{when!r} names no offset. Write it as in 2014-03-14T00:00Z.")
    return (parsed - _EPOCH) // dt.timedelta(microseconds=1)


def iso(micro: int) -> str:
    """That instant as ``2014-03-14T00:00:00Z``; fractions of a second are cut."""
    return (_EPOCH + dt.timedelta(seconds=micro // SECOND)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One reading of the record."""

    seq: int
    turbine: str
    tag: str
    unit: str
    valid_from: int
    """Start of the ten minutes, in microseconds of UTC as recorded."""
    valid_at: int
    """Their end: the record's stamp."""
    value: float | None
    """None where the record holds no number."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """The half year in columns."""

    stamp: Int64[np.ndarray, " row"]
    """End of the ten minutes, in microseconds of UTC as recorded; never decreasing."""
    turbine: tuple[str, ...]
    """Name of the turbine, one a row."""
    values: Float32[np.ndarray, "row tag"]
    """NaN where the record holds no number; tags in the order of ``TAGS``."""
    sha256: str
    """Checksum of the file: a cursor of another record must not be taken for one of this."""

    def __len__(self) -> int:
        """How many readings there are; their numbers run from zero to one less."""
        return len(self.stamp) * len(TAGS)

    def reading(self, seq: int) -> Recorded:
        """The reading of that number."""
        row, column = divmod(seq, len(TAGS))
        value = self.values[row, column]
        tag = TAGS[column]
        stamp = int(self.stamp[row])
        return Recorded(
            seq=seq,
            turbine=self.turbine[row],
            tag=tag,
            unit=UNITS[tag],
            valid_from=stamp - INTERVAL,
            valid_at=stamp,
            # The shortest decimal that is this float32: 642.78, as the SCADA wrote it.
            value=None if np.isnan(value) else float(str(value)),
        )

    def first(self, since: int) -> int:
        """Number of the first reading with ``valid_at`` at or after ``since``."""
        return int(np.searchsorted(self.stamp, since, side="left")) * len(TAGS)


def load() -> Record:
    """The record that the package carries.

    Raises:
        RecordError: the file is not the half year that it should be.
    """
    with resources.as_file(resources.files(__package__) / "data" / EXTRACT) as path:
        return read(path)


def read(path: Path) -> Record:
    """The record in the file at ``path``.

    Raises:
        RecordError: it holds anything outside 2014-01-01 to 2014-06-30.
    """
    tags = ", ".join(TAGS)
    with duckdb.connect(config={"threads": 1}) as base:
        columns = base.execute(
            # file_row_number: where a place is taken twice, the order in the file counts.
            f"SELECT epoch_us(Date_time) AS stamp, Wind_turbine_name AS turbine, {tags} "  # noqa: S608 -- TAGS above
            "FROM read_parquet(?, file_row_number = true) "
            "ORDER BY Date_time, Wind_turbine_name, file_row_number",
            [str(path)],
        ).fetchnumpy()
    stamp = np.asarray(columns["stamp"], np.int64)
    allowed = (micros(_FIRST.isoformat()), micros(_BEYOND.isoformat()))
    if not len(stamp) or stamp[0] < allowed[0] or stamp[-1] >= allowed[1]:
        span = f"{iso(int(stamp[0]))} to {iso(int(stamp[-1]))}" if len(stamp) else "nothing"
        raise RecordError(
            f"{path.name} holds {span}; the plant replays 2014-01-01 to 2014-06-30 and no more."
        )
    values = [np.ma.filled(np.ma.asarray(columns[tag], np.float32), np.nan) for tag in TAGS]
    return Record(
        stamp=stamp,
        turbine=tuple(str(name) for name in columns["turbine"]),
        values=np.stack(values, axis=1).astype(np.float32),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
