"""The bounds within which each series has readings: never too narrow, and quickly had again."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pytest

from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.timeline.duck_database import Connection, rows
from gemeos.timeline.duck_reach import SAVED_EVERY, Reach
from gemeos.timeline.duck_readings import put_readings
from gemeos.timeline.duck_schema import prepare

BOOK = SeriesBook(Series("link", name) for name in "abc")


@pytest.fixture
def connection() -> Iterator[Connection]:
    with duckdb.connect() as connection:
        prepare(connection, "memory")
        yield connection


def readings(*at: tuple[str, int]) -> Readings:
    return Readings.of([Reading(Series("link", name), t, 1.0) for name, t in at], BOOK)


def bounds(reach: Reach, at: int, asked: list[int] | None = None) -> list[tuple[int, int, int]]:
    found = reach.of(None if asked is None else np.array(asked, np.int32), at)
    return list(zip(*(column.tolist() for column in found), strict=True))


def test_that_only_series_heard_by_then_are_told(connection: Connection) -> None:
    reach = Reach(connection)
    reach.widen(readings(("c", 5), ("a", 9), ("c", 7)))
    assert bounds(reach, 9) == [(0, 9, 9), (2, 5, 7)]
    assert bounds(reach, 8) == [(2, 5, 7)]
    assert bounds(reach, 4) == []
    assert bounds(reach, 9, [0, 1]) == [(0, 9, 9)]
    assert bounds(reach, 9, [-1, 2, 77]) == [(2, 5, 7)]


def test_that_late_and_new_readings_widen_the_bounds(connection: Connection) -> None:
    reach = Reach(connection)
    for batch in (readings(("a", 5)), readings(("a", 3)), readings(("a", 8), ("b", 1))):
        reach.widen(batch)
    assert bounds(reach, 100) == [(0, 3, 8), (1, 1, 1)]


def test_that_bounds_never_saved_are_read_from_the_readings(connection: Connection) -> None:
    put_readings(connection, readings(("a", 5), ("b", 2), ("a", 1)), known_at=1, first_entry=1)
    assert bounds(Reach(connection), 100) == [(0, 1, 5), (1, 2, 2)]


def test_that_saved_bounds_are_widened_by_the_readings_after_them(connection: Connection) -> None:
    put_readings(connection, readings(("a", 5), ("b", 2)), known_at=1, first_entry=1)
    Reach(connection).save(connection, 2)
    put_readings(connection, readings(("a", 3), ("c", 4)), known_at=2, first_entry=3)
    # Were the earlier readings read again, nobody would notice that they are gone.
    connection.execute("delete from readings where entry <= 2")
    assert bounds(Reach(connection), 100) == [(0, 3, 5), (1, 2, 2), (2, 4, 4)]


def test_that_saving_again_replaces_what_was_saved(connection: Connection) -> None:
    reach = Reach(connection)
    for entry, batch in enumerate((readings(("a", 5)), readings(("a", 3))), start=1):
        reach.widen(batch)
        reach.save(connection, entry)
    assert rows(connection, "select * from reach") == [(0, 3, 5, 2)]


def test_that_saving_is_due_after_so_many_readings(connection: Connection) -> None:
    reach = Reach(connection)
    assert not reach.is_due(SAVED_EVERY - 1)
    assert reach.is_due(SAVED_EVERY)
    reach.widen(readings(("a", 5)))
    reach.save(connection, SAVED_EVERY)
    assert not reach.is_due(2 * SAVED_EVERY - 1)
    assert reach.is_due(2 * SAVED_EVERY)
