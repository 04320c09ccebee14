"""One DuckDB file: its lock, its one writer, a cursor for whoever asks."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Condition, Lock
from typing import Any, Final, final

import duckdb
import numpy as np

from gemeos.errors import StoreHeldError, TimelineError
from gemeos.timeline.duck_schema import prepare
from gemeos.timeline.lock import StoreLock

logger = logging.getLogger(__name__)

Connection = duckdb.DuckDBPyConnection
Columns = Mapping[str, np.ndarray[Any, Any]]

HELD_BY_OTHERS = "Could not set lock"
"""How DuckDB says that a program other than Gemeos has the file open."""

MOST_LOGGED: Final = 500
"""Transactions in DuckDB's log. After a kill they are gone through one by one, about 0.13 ms each,
before anything else: DuckDB alone would let 16 MB of small ones gather, a second or more. To take
them into the tables costs about 10 ms, however large the store is."""

A_TRANSACTION: Final = 2_000
"""Bytes of the log, roughly, of a small one: how many there are is not told at the opening."""


def put(
    connection: Connection,
    statement: str,
    parameters: Mapping[str, object],
    batch: Columns,  # noqa: ARG001 - the statement reads it by its name
) -> None:
    """Run an insert that reads the columns of ``batch`` as the table ``batch``.

    DuckDB reads numpy arrays where they lie. Of the ways that need neither pandas nor pyarrow it
    is the fastest, for 1 row (no view is made) as for 10,000.
    """
    connection.execute(statement, parameters)


def fetched(
    connection: Connection,
    statement: str,
    parameters: Mapping[str, object],
    asked: Columns | None = None,  # noqa: ARG001 - the statement reads it by its name
) -> Columns:
    """The columns of an answer; the statement may read ``asked`` as a table."""
    return connection.execute(statement, parameters).fetchnumpy()


@final
class Database:
    """Opened when made; closed once. Errors of DuckDB come out as ``TimelineError``."""

    def __init__(self, path: Path, *, memory_limit: str) -> None:
        """``memory_limit`` in DuckDB's words, as in ``1GB``; it spills to disk beyond."""
        self._path = path
        self._writing = Lock()
        self._idle: deque[Connection] = deque()
        self._asking = 0
        self._returned = Condition()
        self._is_open = True
        self._held = StoreLock(path)
        self._logged = _bytes_of(path.with_name(path.name + ".wal")) // A_TRANSACTION
        try:
            with _told(path):
                # Extensions would be looked for on the network.
                self._root = duckdb.connect(
                    str(path),
                    config={
                        "memory_limit": memory_limit,
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                    },
                )
                try:
                    prepare(self._root, str(path))
                except BaseException:
                    self._root.close()
                    raise
                self._writer = self._root.cursor()
        except BaseException:
            self._held.release()
            raise

    def require_open(self) -> None:
        """Raises TimelineError once it is closed."""
        if not self._is_open:
            raise self._closed()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The writer in a transaction: durable when the block is left, or nothing of it is."""
        with self._writing:
            self.require_open()
            with _told(self._path), _transaction(self._writer):
                yield self._writer
            self._logged += 1
            if self._logged >= MOST_LOGGED:
                self._shorten_log()

    @contextmanager
    def asking(self) -> Iterator[Connection]:
        """A cursor of one's own, which sees the same commits throughout the block."""
        with self._returned:
            self.require_open()
            cursor = self._idle.pop() if self._idle else self._root.cursor()
            self._asking += 1
        try:
            with _told(self._path), _transaction(cursor):
                yield cursor
        finally:
            with self._returned:
                self._asking -= 1
                self._idle.append(cursor)
                self._returned.notify_all()

    def close(self, last: Callable[[Connection], None] = lambda _: None) -> None:
        """Wait for those who are at it, and close; ``last`` is written before, if it can be."""
        with self._writing:
            with self._returned:
                if not self._is_open:
                    return
                self._is_open = False
                self._returned.wait_for(lambda: not self._asking)
            with suppress(duckdb.Error), _transaction(self._writer):
                last(self._writer)
            for cursor in self._idle:
                cursor.close()
            self._writer.close()
            self._root.close()
            self._held.release()

    def _shorten_log(self) -> None:
        """Take what is in the log into the tables. What was written is durable either way."""
        self._logged = 0
        try:
            self._writer.execute("checkpoint")
        except duckdb.Error as error:
            logger.warning("The log of %s is not shortened this time: %s", self._path, error)

    def _closed(self) -> TimelineError:
        return TimelineError(f"The store {self._path} is closed.")


def rows(
    connection: Connection, statement: str, parameters: Sequence[object] | Mapping[str, object] = ()
) -> list[tuple[Any, ...]]:
    """The rows of an answer that is short."""
    return connection.execute(statement, parameters).fetchall()


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(duckdb.Error):  # a commit that failed has rolled back already
            connection.rollback()
        raise


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        text = str(error)
        if HELD_BY_OTHERS in text:
            pid = re.search(r"PID (\d+)", text)
            raise StoreHeldError(str(path), int(pid[1]) if pid else None) from error
        raise TimelineError(f"The store {path}: {text}") from error
