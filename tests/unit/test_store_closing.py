"""Closing a store: who is asking gets the answer, and only then may another process have it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from pathlib import Path

import pytest

from gemeos.errors import StoreHeldError, TimelineError
from gemeos.timeline.duck_database import Database, rows
from gemeos.timeline.lock import StoreLock

PATIENCE = 0.2
"""Seconds after which a close that has not come back is taken to be waiting."""


def test_that_closing_waits_for_a_question_that_is_being_answered(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    database = Database(path, memory_limit="1GB")
    with ThreadPoolExecutor(1) as pool:
        with database.asking() as connection:
            closing = pool.submit(database.close)
            with pytest.raises(NotYetError):
                closing.result(timeout=PATIENCE)
            with pytest.raises(StoreHeldError):
                StoreLock(path)
            assert rows(connection, "select count(*) from readings") == [(0,)]
        closing.result(timeout=10)
    StoreLock(path).release()


def test_that_closing_waits_for_a_commit_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    database = Database(path, memory_limit="1GB")
    with ThreadPoolExecutor(1) as pool:
        with database.writing() as connection:
            closing = pool.submit(database.close)
            with pytest.raises(NotYetError):
                closing.result(timeout=PATIENCE)
            connection.execute("insert into commits values (1, 2, 3, 4)")
        closing.result(timeout=10)
    database = Database(path, memory_limit="1GB")
    with database.asking() as connection:
        assert rows(connection, "select * from commits") == [(1, 2, 3, 4)]
    database.close()


def test_that_nobody_new_is_let_in_while_it_closes(tmp_path: Path) -> None:
    database = Database(tmp_path / "site.duckdb", memory_limit="1GB")
    with ThreadPoolExecutor(1) as pool:
        with database.asking():
            closing = pool.submit(database.close)
            with pytest.raises(NotYetError):
                closing.result(timeout=PATIENCE)
            with pytest.raises(TimelineError, match="closed"), database.asking():
                pytest.fail("a question was let in")
        closing.result(timeout=10)


def test_that_what_fails_within_a_commit_leaves_nothing_of_it(tmp_path: Path) -> None:
    database = Database(tmp_path / "site.duckdb", memory_limit="1GB")

    def fail_within() -> None:
        with database.writing() as connection:
            connection.execute("insert into commits values (1, 2, 3, 4)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_within()
    with database.writing() as connection:
        connection.execute("insert into commits values (5, 6, 7, 8)")
    with database.asking() as connection:
        assert rows(connection, "select number from commits") == [(5,)]
    database.close()
