"""Build the wind farm plant's record from the wheel that carries the whole of it.

Usage: ``python tools/make_windfarm_extract.py openoa-3.2-py3-none-any.whl OUTPUT_FOLDER``

The wheel is read as the zip file that it is; nothing of it is imported. Of the two years in it only
the rows of 2014-01-01 to 2014-06-30 UTC are looked at beyond their time stamp: the rest of the
record is kept back for judging forecasts, so it must not get into what the package ships.

Written: ``la_haute_borne_2014h1.parquet`` and ``turbines.csv``. Printed: the checksums that
``SOURCE.md`` quotes. The same wheel and the same DuckDB give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import hashlib
import io
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import duckdb

FIRST: Final = dt.datetime(2014, 1, 1, tzinfo=dt.UTC)
BEYOND: Final = dt.datetime(2014, 7, 1, tzinfo=dt.UTC)
BUNDLE: Final = "examples/data/la_haute_borne.zip"
SCADA: Final = "la-haute-borne-data-2014-2015.csv"
TURBINES: Final = "la-haute-borne_asset_table.csv"
TAGS: Final = ("P_avg", "Ws_avg", "Va_avg", "Ba_avg", "Ya_avg", "Wa_avg", "Ot_avg")
EXTRACT: Final = "la_haute_borne_2014h1.parquet"


class ExtractError(Exception):
    """The wheel does not hold what is expected, or a row outside the half year came through."""


def checksum(source: IO[bytes]) -> str:
    """SHA-256 of what is left to read of ``source``."""
    digest = hashlib.sha256()
    while block := source.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def kept(lines: Iterable[str]) -> Iterator[list[str]]:
    """The rows of the half year: UTC stamp, turbine, then the tags in the order of ``TAGS``.

    The stamp as written carries its offset; which rows to keep is decided in UTC.

    Raises:
        ExtractError: a column is missing.
    """
    rows = csv.reader(lines)
    header = next(rows)
    try:
        turbine, stamp = header.index("Wind_turbine_name"), header.index("Date_time")
        tags = [header.index(tag) for tag in TAGS]
    except ValueError as error:
        raise ExtractError(f"The record has the columns {', '.join(header)}: {error}.") from error
    for row in rows:
        at = dt.datetime.fromisoformat(row[stamp]).astimezone(dt.UTC)
        if FIRST <= at < BEYOND:
            yield [at.strftime("%Y-%m-%d %H:%M:%S"), row[turbine], *(row[tag] for tag in tags)]


def write_record(lines: Iterable[str], target: Path) -> int:
    """Write the half year of ``lines`` to ``target``; answers with the number of rows.

    Rows are in the order of time, turbine, and, where a place is taken twice, of the original.

    Raises:
        ExtractError: nothing was kept, or something outside the half year.
    """
    with tempfile.TemporaryDirectory() as folder:
        half = Path(folder) / "half.csv"
        with half.open("w", newline="", encoding="utf-8") as sink:
            csv.writer(sink).writerows([n, *row] for n, row in enumerate(kept(lines)))
        types = {"n": "BIGINT", "stamp": "TIMESTAMP", "turbine": "VARCHAR"}
        types |= dict.fromkeys(TAGS, "FLOAT")
        base = duckdb.connect(config={"threads": 1})
        # Missing values are empty fields in the original; NULL here.
        base.execute(
            f"CREATE TABLE half AS SELECT * FROM read_csv(?, header = false, columns = {types}, "  # noqa: S608 -- the names above
            "auto_detect = false, delim = ',', nullstr = ['', 'NaN', 'nan'])",
            [str(half)],
        )
        found = base.execute("SELECT count(*), min(stamp)::VARCHAR, max(stamp)::VARCHAR FROM half")
        count, first, last = found.fetchone() or (0, "", "")
        if not count or not (f"{FIRST:%Y-%m-%d}" <= first and last < f"{BEYOND:%Y-%m-%d}"):
            raise ExtractError(f"{count} rows from {first} to {last} are not the first half year.")
        columns = ", ".join(TAGS)
        base.execute(
            f"COPY (SELECT turbine AS Wind_turbine_name, stamp AS Date_time, {columns} "  # noqa: S608 -- the names above
            f"FROM half ORDER BY stamp, turbine, n) TO '{target}' "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 19, PARQUET_VERSION v2)"
        )
        return int(count)


def extract(wheel: Path, folder: Path) -> dict[str, str]:
    """Write both files from ``wheel`` into ``folder``; answers with the checksums by name.

    Raises:
        ExtractError: the wheel does not hold the record.
    """
    sums: dict[str, str] = {}
    with wheel.open("rb") as source:
        sums[wheel.name] = checksum(source)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as outer:
            bundle = outer.read(BUNDLE)
        sums[BUNDLE] = hashlib.sha256(bundle).hexdigest()
        with zipfile.ZipFile(io.BytesIO(bundle)) as inner:
            with inner.open(SCADA) as member:
                sums[SCADA] = checksum(member)
            with inner.open(SCADA) as member:
                lines = io.TextIOWrapper(member, encoding="utf-8", newline="")
                rows = write_record(lines, folder / EXTRACT)
            table = inner.read(TURBINES)
    except KeyError as error:
        message = f"{wheel.name} is not the wheel that carries the record: {error}."
        raise ExtractError(message) from error
    sums[TURBINES] = hashlib.sha256(table).hexdigest()
    (folder / "turbines.csv").write_bytes(table.replace(b"\r\n", b"\n").rstrip() + b"\n")
    for name in (EXTRACT, "turbines.csv"):
        with (folder / name).open("rb") as source:
            sums[name] = checksum(source)
    sums["rows"] = str(rows)
    return sums


def main() -> None:
    """Read the arguments, build, and tell the checksums."""
    parser = argparse.ArgumentParser(description="Build the wind farm plant's record.")
    parser.add_argument("wheel", type=Path, help="openoa-3.2-py3-none-any.whl")
    parser.add_argument("folder", type=Path, help="where the files go")
    arguments = parser.parse_args()
    for name, value in extract(arguments.wheel, arguments.folder).items():
        print(f"{value}  {name}")  # noqa: T201 -- a tool for the shell


if __name__ == "__main__":
    main()
