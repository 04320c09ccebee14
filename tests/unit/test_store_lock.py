"""One process holds a store, the next one is told which, and nobody who died holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gemeos.errors import StoreHeldError, TimelineError
from gemeos.timeline.duck import DuckTimeline
from gemeos.timeline.lock import StoreLock

HOLDS = """
import sys
from pathlib import Path
from gemeos.timeline.lock import StoreLock
lock = StoreLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
OPENS_WITH_DUCKDB = """
import sys
import duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def child(program: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the store until its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().strip() == b"held"
            yield process
        finally:
            process.kill()


def test_that_a_second_holder_is_told_the_pid_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    with child(HOLDS, path) as holder, pytest.raises(StoreHeldError) as refused:
        StoreLock(path)
    assert refused.value.pid == holder.pid
    assert f"pid {holder.pid}" in str(refused.value)
    assert str(path) in str(refused.value)


def test_that_a_second_holder_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    first = StoreLock(tmp_path / "site.duckdb")
    try:
        with pytest.raises(StoreHeldError) as refused:
            StoreLock(tmp_path / "site.duckdb")
        assert refused.value.pid == os.getpid()
    finally:
        first.release()


def test_that_a_refused_holder_does_not_free_the_lock(tmp_path: Path) -> None:
    first = StoreLock(tmp_path / "site.duckdb")
    try:
        for _ in range(2):
            with pytest.raises(StoreHeldError):
                StoreLock(tmp_path / "site.duckdb")
    finally:
        first.release()


def test_that_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    with child(HOLDS, path) as holder:
        holder.kill()
        holder.wait()
        StoreLock(path).release()


def test_that_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    first = StoreLock(path)
    first.release()
    second = StoreLock(path)
    first.release()  # a second release of the first takes nothing from the second
    with pytest.raises(StoreHeldError):
        StoreLock(path)
    second.release()


def test_that_two_stores_in_one_folder_are_held_apart(tmp_path: Path) -> None:
    first, second = StoreLock(tmp_path / "a.duckdb"), StoreLock(tmp_path / "b.duckdb")
    first.release()
    second.release()


def test_that_a_lock_in_a_folder_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="cannot be opened"):
        StoreLock(tmp_path / "nowhere" / "site.duckdb")


def test_that_a_timeline_holds_its_store_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    timeline = DuckTimeline(path)
    with pytest.raises(StoreHeldError):
        DuckTimeline(path)
    timeline.close()
    DuckTimeline(path).close()


def test_that_a_store_open_in_another_program_is_told_as_held(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    DuckTimeline(path).close()
    with child(OPENS_WITH_DUCKDB, path) as holder:
        with pytest.raises(StoreHeldError) as refused:
            DuckTimeline(path)
        assert refused.value.pid == holder.pid
        StoreLock(path).release()  # our own lock was let go of again


def test_that_a_store_that_cannot_be_opened_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    path.write_bytes(b"this is no database" * 400)
    for _ in range(2):
        with pytest.raises(TimelineError, match=r"site\.duckdb"):
            DuckTimeline(path)
    assert path.read_bytes() == b"this is no database" * 400
