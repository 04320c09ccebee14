"""The tables of a store on DuckDB, their version, and the way from older ones.

All times are integers, microseconds of UTC. Rows are only added, in the order of arrival: DuckDB
keeps the least and greatest value of every column for each 122,880 rows, so that a question about
a stretch of time or of commits reads only the rows that arrived around it. A primary key would
make each append about eight times as dear, and what it would forbid is what the port asks for:
several rows at one place.
"""

from __future__ import annotations

from typing import Final

import duckdb

from gemeos.errors import StoreFormatError, TimelineError

RECEIPTS: Final = """
-- one row a commit: its receipts as a MessagePack list, and how many there were up to it
create table receipts(upto bigint, packed blob);
"""

RECORDS: Final = """
-- one row a name, the only rows that are replaced and deleted
create table records(
    kind text, twin text, name text, known_at bigint, body blob, attachment blob);
"""

TABLES: Final = (
    """
create table series(number integer, link text, channel text);
-- entry: counts rows in the order of commit; span: valid_at less valid_from, mostly 0
create table readings(
    entry bigint, known_at bigint, series integer, valid_at bigint, span bigint, sample integer,
    revision bigint, value double, quality utinyint, received_at bigint);
-- readings, refused: how many rows there were ever, this commit's included
create table commits(number bigint, known_at bigint, readings bigint, refused bigint);
-- bounds of valid_at of each series over the readings up to entry upto, see duck_reach.py
create table reach(series integer, first bigint, last bigint, upto bigint);
create table refused(
    entry bigint, link text, channel text, reason text, payload blob, size bigint,
    received_at bigint);
create table keyframes(
    entry bigint, twin text, valid_at bigint, known_at bigint, model text, state blob);
create table events(
    number bigint, kind text, twin text, valid_at bigint, known_at bigint, actor text, cause text,
    body text);
-- entry: counts rows of SummaryRows; each is a row a variable here
create table summaries(
    entry bigint, twin text, variable text, valid_at bigint, known_at bigint, mean double,
    sd double, q05 double, q25 double, q50 double, q75 double, q95 double);
-- members, corrected: float32 in the machine's little-endian order
create table forecasts(
    entry bigint, twin text, variable text, issued_at bigint, valid_at bigint, known_at bigint,
    members blob, corrected blob);
create table format(version integer);
"""
    + RECEIPTS
    + RECORDS
)

CORRECTED: Final = "alter table forecasts add column corrected blob default ''::blob;"

MIGRATIONS: Final = (RECEIPTS, CORRECTED, RECORDS)
"""What leads from version 0 to 1, from 1 to 2, and so on."""

VERSION: Final = len(MIGRATIONS)


def prepare(connection: duckdb.DuckDBPyConnection, path: str) -> None:
    """Make the tables of a new store, or bring an older one up to ``VERSION``, whole or not at all.

    Raises:
        StoreFormatError: a newer Gemeos wrote it; nothing was changed.
        TimelineError: it is a database of something else; nothing was changed.
    """
    tables = {
        name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()
    }
    if tables and "format" not in tables:
        raise TimelineError(
            f"{path} is a database, but not a store of Gemeos: it has the tables "
            f"{', '.join(sorted(tables))}. Name another file; nothing was changed."
        )
    found = VERSION
    if tables:
        row = connection.execute("select max(version) from format").fetchone()
        found = row[0] if row else VERSION
    if found > VERSION:
        raise StoreFormatError(path, found, VERSION)
    if tables and found == VERSION:
        return
    connection.begin()
    try:
        for statements in MIGRATIONS[found:] if tables else (TABLES,):
            connection.execute(statements)
        connection.execute("delete from format")
        connection.execute("insert into format values (?)", [VERSION])
        connection.commit()
    except duckdb.Error:
        connection.rollback()
        raise
