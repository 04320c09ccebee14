"""A store tells its format: a newer one is left alone, an older one brought up."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from gemeos.errors import StoreFormatError, TimelineError
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.duck import DuckTimeline
from gemeos.timeline.duck_schema import VERSION

VERSION_0 = """
create table format(version integer);
insert into format values (0);
create table series(number integer, link text, channel text);
insert into series values (0, 'mast', 'wind'), (1, 'mast', 'rain');
create table readings(
    entry bigint, known_at bigint, series integer, valid_at bigint, span bigint, sample integer,
    revision bigint, value double, quality utinyint, received_at bigint);
insert into readings values
    (1, 50, 1, 10, 4, 0, -1, 2.5, 0, 11), (2, 60, 1, 10, 4, 0, -1, 3.5, 0, 12);
create table commits(number bigint, known_at bigint, readings bigint, refused bigint);
insert into commits values (1, 50, 1, 7), (2, 60, 2, 7);
create table reach(series integer, first bigint, last bigint, upto bigint);
create table refused(
    entry bigint, link text, channel text, reason text, payload blob, size bigint,
    received_at bigint);
create table keyframes(
    entry bigint, twin text, valid_at bigint, known_at bigint, model text, state blob);
create table events(
    number bigint, kind text, twin text, valid_at bigint, known_at bigint, actor text, cause text,
    body text);
create table summaries(
    entry bigint, twin text, variable text, valid_at bigint, known_at bigint, mean double,
    sd double, q05 double, q25 double, q50 double, q75 double, q95 double);
create table forecasts(
    entry bigint, twin text, variable text, issued_at bigint, valid_at bigint, known_at bigint,
    members blob);
"""
"""Written by hand: two commits of one reading and its correction, and no table of receipts."""


def tables(path: Path) -> list[tuple[str, str, str]]:
    with duckdb.connect(path) as connection:
        return connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() order by all"
        ).fetchall()


def version(path: Path) -> list[tuple[int]]:
    with duckdb.connect(path) as connection:
        return connection.execute("select version from format").fetchall()


def of_version_0(path: Path) -> Path:
    with duckdb.connect(path) as connection:
        connection.execute(VERSION_0)
    return path


def test_that_a_new_store_has_the_newest_format(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    DuckTimeline(path).close()
    assert version(path) == [(VERSION,)]


def test_that_an_older_store_is_brought_up_with_all_that_it_holds(tmp_path: Path) -> None:
    path = of_version_0(tmp_path / "site.duckdb")
    timeline = DuckTimeline(path)
    rain = Series("mast", "rain")
    assert list(timeline.book) == [Series("mast", "wind"), rain]
    expected = Reading(rain, 10, 3.5, valid_from=6, received_at=12)
    assert list(timeline.range(None, 0, 99).rows(timeline.book)) == [expected]
    assert timeline.refused_count() == 7
    commit = timeline.append(Readings.none(), known_at=55, receipts=[b"first"])
    assert (commit.number, commit.known_at) == (3, 60)
    timeline.close()
    assert version(path) == [(VERSION,)]
    timeline = DuckTimeline(path)
    assert list(timeline.receipts()) == [b"first"]
    assert timeline.records("scenario") == []
    timeline.close()


def test_that_a_migrated_store_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    old, new = of_version_0(tmp_path / "old.duckdb"), tmp_path / "new.duckdb"
    DuckTimeline(old).close()
    DuckTimeline(new).close()
    assert tables(old) == tables(new)


def test_that_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = of_version_0(tmp_path / "site.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("create table receipts(in_the_way integer)")
    before = tables(path)
    with pytest.raises(TimelineError, match="receipts"):
        DuckTimeline(path)
    assert tables(path) == before
    assert version(path) == [(0,)]


def test_that_a_newer_store_is_refused_and_nothing_in_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    DuckTimeline(path).close()
    with duckdb.connect(path) as connection:
        connection.execute("update format set version = 99")
        connection.execute("create table of_tomorrow(x integer)")
    before = tables(path)
    with pytest.raises(StoreFormatError) as refused:
        DuckTimeline(path)
    assert (refused.value.found, refused.value.known) == (99, VERSION)
    assert tables(path) == before
    assert version(path) == [(99,)]


def test_that_a_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "books.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create table books(title text)")
    before = tables(path)
    with pytest.raises(TimelineError, match="books"):
        DuckTimeline(path)
    assert tables(path) == before


def test_that_a_store_that_lacks_a_table_is_refused_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    DuckTimeline(path).close()
    with duckdb.connect(path) as connection:
        connection.execute("drop table commits")
    for _ in range(2):  # a lock that was kept would be another error the second time
        with pytest.raises(TimelineError, match="commits"):
            DuckTimeline(path)
