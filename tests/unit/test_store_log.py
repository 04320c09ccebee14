"""What a store that was killed has to go through again before it can be asked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline import duck_database
from gemeos.timeline.duck import DuckTimeline

MOST = 40


@pytest.fixture(autouse=True)
def short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck_database, "MOST_LOGGED", MOST)


def log_of(store: Path) -> int:
    log = store.with_name(f"{store.name}.wal")
    return log.stat().st_size if log.exists() else 0


def write(timeline: DuckTimeline, first: int, end: int) -> None:
    for at in range(first, end):
        batch = Readings.of([Reading(Series("link", "a"), at, float(at))], timeline.book)
        timeline.append(batch, known_at=at)


def killed(store: Path, folder: Path) -> Path:
    """What a kill of the holder would leave, as a store of its own."""
    folder.mkdir()
    for file in store.parent.glob(f"{store.name}*"):
        shutil.copy(file, folder / file.name)
    return folder / store.name


def values(timeline: DuckTimeline) -> list[float]:
    return sorted(timeline.range(None, -(2**62), 2**62).value.tolist())


def test_that_the_log_stays_short_however_many_are_written(tmp_path: Path) -> None:
    timeline = DuckTimeline(tmp_path / "a.duckdb")
    try:
        write(timeline, 0, MOST // 2)
        half = log_of(tmp_path / "a.duckdb")
        longest = 0
        for more in range(MOST // 2, 5 * MOST):
            write(timeline, more, more + 1)
            longest = max(longest, log_of(tmp_path / "a.duckdb"))
        # The tables' making is in the first log, too.
        assert 0 < half < longest < 3 * half
        assert values(timeline) == [float(n) for n in range(5 * MOST)]
    finally:
        timeline.close()


def test_that_a_store_killed_after_its_log_was_shortened_has_every_reading(tmp_path: Path) -> None:
    timeline = DuckTimeline(tmp_path / "a.duckdb")
    try:
        write(timeline, 0, MOST + 7)
        copy = killed(tmp_path / "a.duckdb", tmp_path / "copy")
    finally:
        timeline.close()
    again = DuckTimeline(copy)
    try:
        assert values(again) == [float(n) for n in range(MOST + 7)]
    finally:
        again.close()


def test_that_a_log_found_at_the_opening_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "a.duckdb"
    timeline = DuckTimeline(store)
    try:
        write(timeline, 0, MOST - 5)
        copy = killed(store, tmp_path / "copy")
    finally:
        timeline.close()
    # As many bytes a transaction as these have.
    monkeypatch.setattr(duck_database, "A_TRANSACTION", log_of(copy) // (MOST - 5))
    again = DuckTimeline(copy)
    try:
        write(again, MOST, MOST + 4)
        before = log_of(copy)
        write(again, MOST + 4, MOST + 6)
        assert log_of(copy) < before / 2
    finally:
        again.close()
