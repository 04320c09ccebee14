"""Summary rows that wait to be written: what a kill may take of them, and what it may not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from gemeos.schema.reading import Readings
from gemeos.timeline.base import ForecastRows, Keyframe, SummaryRows
from gemeos.timeline.duck import DuckTimeline


def remember(timeline: DuckTimeline, at: int) -> None:
    value = np.full((1, 1), float(at))
    rows = SummaryRows(("x",), np.array([at]), value, value, np.zeros((1, 1, 5)))
    timeline.put_summary("twin", rows, known_at=at)


def after_a_kill(path: Path, to: Path) -> list[int]:
    """What a process would find that opens the store as its files are now."""
    to.mkdir()
    for file in path.parent.glob(path.name + "*"):
        if not file.name.endswith(".lock"):
            shutil.copy(file, to / file.name)
    again = DuckTimeline(to / path.name)
    try:
        return again.summary("twin", ["x"], -1, 100).valid_at.tolist()
    finally:
        again.close()


def test_that_rows_before_a_keyframe_are_as_durable_as_it(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    timeline = DuckTimeline(path)
    remember(timeline, 1)
    assert after_a_kill(path, tmp_path / "first") == []
    timeline.put_keyframe(Keyframe("twin", 2, 2, "model", b""))
    assert after_a_kill(path, tmp_path / "second") == [1]
    remember(timeline, 2)
    one, no = np.array([3]), np.zeros((1, 0))
    timeline.put_forecasts(ForecastRows("twin", "x", one, one, no, no), known_at=3)
    assert after_a_kill(path, tmp_path / "third") == [1, 2]
    remember(timeline, 3)
    timeline.append(Readings.none(), known_at=3)
    assert after_a_kill(path, tmp_path / "fourth") == [1, 2, 3]
    timeline.close()
