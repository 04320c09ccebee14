"""A recorded file, read by DuckDB into readings sorted by time."""

# ruff: noqa: S608  names, paths and literals go through _quoted and _text

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import duckdb
import numpy as np

from gemeos.errors import LinkError, SettingsError, TimeError, UnknownNameError
from gemeos.link._times import when
from gemeos.link.channels import Channels
from gemeos.link.format import TimeForm
from gemeos.link.message import EARLIEST
from gemeos.schema.reading import COMMIT_ORDER, Quality, Readings, Refused
from gemeos.units import zone
from gemeos.units.instant import Instant, Span

TAG: Final = "tag"
"""The piece of a channel template that a wide table's column fills."""
_PIECE: Final = re.compile(r"\{([^{}]+)\}")
_OFFSET: Final = r"\d{1,2}:?\d{2}.*([zZ]|[+-]\d{2}(:?\d{2})?)\s*$"
_ABSENT: Final = "('', 'nan', 'na', 'n/a', 'null', 'none')"
_MOST_TOLD: Final = 100
_MEMORY: Final = "512MB"
_PER_MICROSECOND: Final = {
    TimeForm.SECONDS: 1_000_000,
    TimeForm.MILLISECONDS: 1_000,
    TimeForm.MICROSECONDS: 1,
}


@dataclass(frozen=True, slots=True)
class FileTable:
    """What a CSV or Parquet file holds, and where."""

    path: str
    """A file, or a pattern such as ``scada/*.parquet``."""
    time: str
    """The column of times."""
    channel: str = f"{{{TAG}}}"
    """Template of the channel: names of columns in braces, and in a wide table ``{tag}`` for the
    name of the column that holds the value, as in ``{Wind_turbine_name}/{tag}``."""
    value: str | None = None
    """The column of values, where each row is one reading; None for a wide table."""
    form: TimeForm = TimeForm.ISO
    zone: str | None = None
    """IANA zone of times without an offset; without it such a file is refused."""
    interval: Span = 0
    """What a reading covers: the time before it (an average, a sum); 0 for an instant."""
    stamped_at_start: bool = False
    """The file's times are the starts of the intervals."""

    def __post_init__(self) -> None:
        if not _PIECE.search(self.channel) and self.value is None:
            raise SettingsError(
                f"File {self.path!r}: the channel template {self.channel!r} needs {{{TAG}}}, or "
                "'value' must name the column of values."
            )
        if self.value is None and TAG not in self.pieces:
            raise SettingsError(
                f"File {self.path!r}: in a wide table the channel template {self.channel!r} needs "
                f"{{{TAG}}}. If each row is one reading, name its column: value = '...'."
            )
        if self.interval < 0 or (self.stamped_at_start and not self.interval):
            raise SettingsError(f"File {self.path!r}: an interval is longer than nothing.")
        if self.zone is not None:
            try:
                zone(self.zone)
            except TimeError as error:
                raise SettingsError(f"File {self.path!r}: {error}") from error

    @property
    def parts(self) -> tuple[tuple[bool, str], ...]:
        """The template's literals and pieces in order: (whether a piece, text)."""
        return tuple(
            (place % 2 == 1, text) for place, text in enumerate(_PIECE.split(self.channel)) if text
        )

    @property
    def pieces(self) -> tuple[str, ...]:
        """What stands in braces in the template."""
        return tuple(text for piece, text in self.parts if piece)

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that the template names."""
        return tuple(p for p in self.pieces if self.value is not None or p != TAG)


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive readings of a file, no instant split, and what was refused of it."""

    readings: Readings
    refused: tuple[Refused, ...] = ()


@final
class TableReader:
    """Reads one file. Blocking; for one thread."""

    def __init__(
        self,
        table: FileTable,
        channels: Channels,
        *,
        since: Instant | None,
        batch: int,
        wall: Instant,
    ) -> None:
        """Nothing is opened before ``chunks``."""
        self._table = table
        self._channels = channels
        self._since = since
        self._batch = batch
        self._wall = wall

    def chunks(self) -> Iterator[Chunk]:
        """The readings in order of time.

        Raises:
            LinkError: the file cannot be read.
            SettingsError: it is not as declared.
        """
        with tempfile.TemporaryDirectory() as spill:
            connection = duckdb.connect()
            try:
                connection.execute(f"SET memory_limit = '{_MEMORY}'")
                connection.execute(f"SET temp_directory = {_text(spill)}")
                connection.execute("SET TimeZone = 'UTC'")
                connection.execute("SET threads = 1")
                yield from self._read(connection)
            except duckdb.Error as error:
                first = str(error).splitlines()[0]
                raise LinkError(
                    f"Link {self._channels.link!r}: the file {self._table.path!r} cannot be read: "
                    f"{first}"
                ) from error
            finally:
                connection.close()

    def _read(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Chunk]:
        columns = self._columns(connection)
        self._load(connection, columns)
        refused = tuple(self._refused(connection))
        total = _one(connection, "SELECT count(*) FROM sorted")
        start = 0
        while start < total:
            read = self._rows(connection, start, start + self._batch)
            if start + len(read) < total:
                # A chunk ends where an instant ends: then the newest acknowledged time is a
                # position. The last instant may go on behind it.
                whole = int(np.searchsorted(read.valid_at, read.valid_at[-1], side="left"))
                if whole:
                    read = read[:whole]
                else:
                    read = self._rows(connection, start, _upto(connection, int(read.valid_at[0])))
            start += len(read)
            yield Chunk(read, refused)
            refused = ()
        if refused:
            yield Chunk(Readings.none(), refused)

    def _rows(self, connection: duckdb.DuckDBPyConnection, start: int, end: int) -> Readings:
        found = connection.execute(
            "SELECT valid, starts, number, raw FROM sorted WHERE rowid >= ? AND rowid < ?",
            [start, end],
        ).fetchnumpy()
        return self._readings(found)

    def _readings(self, found: Mapping[str, np.ndarray]) -> Readings:
        valid_at = np.asarray(found["valid"], np.int64)
        number = np.asarray(found["number"], np.int64)
        value = self._channels.values(number, np.asarray(found["raw"], np.float64), valid_at)
        count = len(valid_at)
        return Readings(
            series=self._channels.series[number],
            valid_at=valid_at,
            valid_from=np.asarray(found["starts"], np.int64),
            sample=np.zeros(count, np.int32),
            revision=np.full(count, COMMIT_ORDER, np.int64),
            value=value,
            quality=np.full(count, Quality.GOOD, np.uint8),
            received_at=np.full(count, self._wall, np.int64),
        )

    def _columns(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """Type by name of the columns that are needed: of times, of keys, of values.

        Raises:
            UnknownNameError: the file lacks one.
        """
        told = connection.execute(f"DESCRIBE SELECT * FROM {self._from()}").fetchall()
        types = {str(row[0]): str(row[1]) for row in told}
        table = self._table
        needed = [table.time, *table.keys, *((table.value,) if table.value is not None else ())]
        for name in needed:
            if name not in types:
                raise UnknownNameError("column", name, types, where=f"File {table.path!r}")
        if table.value is None:
            needed += self._tags([name for name in types if name not in needed])
        return {name: types[name] for name in dict.fromkeys(needed)}

    def _tags(self, columns: list[str]) -> list[str]:
        """The columns of a wide table that a bound channel can be of."""
        names, found, met = self._channels.names, [], set()
        for column in columns:
            pattern = self._pattern(re.escape(column))
            of_column = {name for name in names if pattern.fullmatch(name)}
            met |= of_column
            if of_column:
                found.append(column)
        for name in names:
            if name not in met:
                fits = self._pattern("(.+)").fullmatch(name)
                raise UnknownNameError(
                    "column",
                    name if fits is None else fits[1],
                    columns,
                    where=f"For channel {name!r} the file {self._table.path!r}",
                )
        return found

    def _pattern(self, tag: str) -> re.Pattern[str]:
        """What a channel looks like whose tag matches ``tag``."""
        return re.compile(
            "".join(
                re.escape(text) if not piece else tag if text == TAG else ".+?"
                for piece, text in self._table.parts
            )
        )

    def _load(self, connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str]) -> None:
        table = self._table
        connection.execute("CREATE TEMP TABLE bound (channel VARCHAR, number INTEGER)")
        connection.executemany(
            "INSERT INTO bound VALUES (?, ?)",
            [[name, row] for row, name in enumerate(self._channels.names)] or [["", -1]],
        )
        chosen = ", ".join(
            [
                f"{self._instant(columns[table.time])} AS gm_time",
                f"{_as_text(table.time)} AS gm_said",
            ]
            + [f"{_quoted(name)} AS {_quoted(name)}" for name in columns if name != table.time]
        )
        connection.execute(f"CREATE TEMP TABLE source AS SELECT {chosen} FROM {self._from()}")
        tags = (
            [table.value]
            if table.value is not None
            else [name for name in columns if name != table.time and name not in table.keys]
        )
        rows = " UNION ALL ".join(
            f"SELECT gm_time, gm_said, {self._channel(tag)} AS channel, "
            f"{_as_text(tag)} AS said, rowid AS ord FROM source"
            for tag in tags
        )
        ends = f"gm_time + {table.interval if table.stamped_at_start else 0}"
        connection.execute(
            "CREATE TEMP VIEW readings AS "
            f"SELECT {ends} AS valid, gm_said, r.channel, said, number, ord, "
            "TRY_CAST(said AS DOUBLE) AS raw, "
            f"said IS NULL OR lower(trim(said)) IN {_ABSENT} AS absent "
            f"FROM ({rows}) r LEFT JOIN bound b ON r.channel = b.channel"
        )
        since = EARLIEST if self._since is None else max(self._since + 1, EARLIEST)
        connection.execute(
            f"CREATE TEMP TABLE sorted AS SELECT valid, valid - {table.interval} AS starts, "
            "number, raw FROM readings WHERE number IS NOT NULL AND NOT absent "
            f"AND isfinite(raw) AND valid >= {since} ORDER BY valid, number, ord"
        )

    def _refused(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Refused]:
        """One row a kind of trouble and channel, with how often and the first."""
        path = self._table.path
        if self._since is None:
            count, first = connection.execute(
                "SELECT count(*), min(gm_said) FROM source WHERE gm_time IS NULL"
            ).fetchall()[0]
            if count:
                yield self._refusal("", f"{count} rows of {path!r} have no readable time.", first)
            count, first = connection.execute(
                "SELECT count(*), min(gm_said) FROM source WHERE gm_time < ?", [EARLIEST]
            ).fetchall()[0]
            if count:
                why = f"{count} rows of {path!r} are older than {when(EARLIEST)}."
                yield self._refusal("", why, first)
            found = connection.execute(
                "SELECT channel, count(*), min(said) FROM readings WHERE number IS NULL "
                "AND NOT absent GROUP BY channel ORDER BY channel"
            ).fetchall()
            if self._table.value is not None:
                for channel, count, first in found[:_MOST_TOLD]:
                    known = self._channels.unknown(str(channel))
                    yield self._refusal(str(channel), f"{known} {path!r} has {count}.", first)
                if len(found) > _MOST_TOLD:
                    more = f"{len(found) - _MOST_TOLD} more channels of {path!r} are not bound."
                    yield self._refusal("", more, "")
            bad = connection.execute(
                "SELECT channel, count(*), min(said) FROM readings WHERE number IS NOT NULL "
                "AND NOT absent AND (raw IS NULL OR NOT isfinite(raw)) "
                "GROUP BY channel ORDER BY channel"
            ).fetchall()
            for channel, count, first in bad:
                why = f"{count} values of {path!r} are no finite numbers, as {first!r}."
                yield self._refusal(str(channel), why, first)

    def _refusal(self, channel: str, reason: str, said: object) -> Refused:
        payload = str(said or "").encode()
        return Refused(
            self._channels.link, channel, reason, payload[:4096], len(payload), self._wall
        )

    def _from(self) -> str:
        path = self._table.path
        if Path(path).suffix.lower() in {".parquet", ".pq"}:
            return f"read_parquet({_text(path)})"
        return f"read_csv({_text(path)}, all_varchar = true, header = true)"

    def _channel(self, tag: str) -> str:
        wide = self._table.value is None
        return " || ".join(
            _text(text) if not piece else _text(tag) if wide and text == TAG else _as_text(text)
            for piece, text in self._table.parts
        )

    def _instant(self, kind: str) -> str:
        """SQL for microseconds since 1970.

        Raises:
            SettingsError: the times have no offset and no zone is declared.
        """
        table, column = self._table, _quoted(self._table.time)
        if table.form is not TimeForm.ISO:
            factor = _PER_MICROSECOND[table.form]
            if kind in {"VARCHAR", "DOUBLE", "FLOAT"}:
                return f"TRY_CAST(round(TRY_CAST({column} AS DOUBLE) * {factor}) AS BIGINT)"
            return f"TRY_CAST(CAST({column} AS HUGEINT) * {factor} AS BIGINT)"
        if kind == "TIMESTAMP WITH TIME ZONE":
            return f"epoch_us({column})"
        if kind == "VARCHAR":
            local = self._local(f"TRY_CAST({column} AS TIMESTAMP)")
            return (
                f"CASE WHEN regexp_matches({column}, '{_OFFSET}') "
                f"THEN epoch_us(TRY_CAST({column} AS TIMESTAMPTZ)) ELSE {local} END"
            )
        if table.zone is None:
            raise SettingsError(
                f"File {table.path!r}: the times in {table.time!r} name no offset from UTC. "
                "Declare their zone, as in zone = 'Europe/Paris' or zone = 'UTC'."
            )
        return self._local(f"CAST({column} AS TIMESTAMP)")

    def _local(self, stamp: str) -> str:
        # Without a zone a time without an offset is unreadable, and told as such.
        if self._table.zone is None:
            return "NULL"
        return f"epoch_us(timezone({_text(self._table.zone)}, {stamp}))"


def _upto(connection: duckdb.DuckDBPyConnection, newest: Instant) -> int:
    """How many rows are not after ``newest``."""
    return _one(connection, f"SELECT count(*) FROM sorted WHERE valid <= {newest}")


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _as_text(name: str) -> str:
    return f"CAST({_quoted(name)} AS VARCHAR)"


def _text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
