"""The base install has neither pandas nor pyarrow: the store must not ask for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

USES_ALL = """
import sys
from pathlib import Path

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pandas", "pyarrow", "polars"}:
            asked.append(name)
            raise ModuleNotFoundError(name)

asked = []
sys.meta_path.insert(0, Refuses())

import numpy as np
from gemeos.schema.reading import Reading, Readings, Refused, Series
from gemeos.timeline.base import Event, ForecastRows, Keyframe, SummaryRows
from gemeos.timeline.duck import DuckTimeline

timeline = DuckTimeline(Path(sys.argv[1]))
rows = [Reading(Series("l", "c"), 1, 2.0), Reading(Series("l", "c"), 2, 3.0)]
timeline.append(
    Readings.of(rows, timeline.book),
    known_at=1, refused=[Refused("l", "c", "why", b"", 0, 0)], receipts=[b"r"],
)
timeline.put_keyframe(Keyframe("t", 1, 1, "m", b"s"))
timeline.put_event(Event("k", "t", 1, "a", "c"), known_at=1)
one = np.ones((1, 1))
timeline.put_summary(
    "t", SummaryRows(("v",), np.array([1]), one, one, np.ones((1, 1, 5))), known_at=1
)
timeline.put_forecasts(
    ForecastRows("t", "v", np.array([1]), np.array([2]), one, one), known_at=1
)
assert timeline.range([0], 0, 9).value.tolist() == [2.0, 3.0]
assert timeline.latest(None, 9).value.tolist() == [3.0]
assert timeline.buckets([0], 0, 9, 9).mean.tolist() == [2.5]
assert timeline.changed_since([0], 0, 9, known_by=None) == 1
assert timeline.refused()[0].reason == "why"
assert list(timeline.receipts()) == [b"r"]
assert timeline.keyframe_before("t", 1).state == b"s"
assert timeline.events()[0].kind == "k"
assert timeline.summary("t", ["v"], 0, 9).mean.tolist() == [[1.0]]
assert timeline.forecasts("t", "v", 0, 9).members.tolist() == [[1.0]]
timeline.close()
assert not asked, asked
print("used all")
"""


def test_that_every_method_does_without_a_tables_library(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", USES_ALL, str(tmp_path / "site.duckdb")],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert found.stdout == "used all\n", found.stderr
