"""A full disk: commits are refused whole, questions answered, and it goes on when there is room.

The disk is full for the child process alone: it may write no file beyond a given size.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FILLS = """
import resource
import signal
import sys
from pathlib import Path

import numpy as np
from gemeos.errors import TimelineError
from gemeos.schema.reading import Readings, Series
from gemeos.timeline.base import Event, SummaryRows
from gemeos.timeline.duck import DuckTimeline

path = Path(sys.argv[1])
timeline = DuckTimeline(path)
timeline.book.number(Series("plant", "power"))
SIZE = 3000


def append(number):
    at = np.arange(number * SIZE, (number + 1) * SIZE)
    zeros = np.zeros(SIZE, np.int32)
    rows = Readings(
        zeros, at, at, zeros, np.full(SIZE, -1), np.sqrt(at), zeros.astype(np.uint8), at
    )
    return timeline.append(rows, known_at=number, receipts=[b"%d" % number])


def holds(*numbers):
    found = timeline.range(None, -1, 10**9).valid_at
    assert np.array_equal(found, np.concatenate([np.arange(SIZE) + n * SIZE for n in numbers]))
    assert list(timeline.receipts()) == [b"%d" % n for n in numbers]


def remember(at):
    nothing = np.zeros((1, 1))
    rows = SummaryRows(("power",), np.array([at]), nothing, nothing, np.zeros((1, 1, 5)))
    timeline.put_summary("farm", rows, known_at=at)


def remembered():
    return timeline.summary("farm", ["power"], -1, 10**9).valid_at.tolist()


signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for number in range(4):
    append(number)
remember(1)
assert remembered() == [1]
log = path.with_name(path.name + ".wal").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (log + 20_000, resource.RLIM_INFINITY))
while True:  # until nothing fits into the log any more
    try:
        timeline.put_event(Event("note", None, 0, "test", "", {}), known_at=0)
    except TimelineError:
        break
remember(2)
for number in range(4, 7):
    try:
        append(number)
    except TimelineError as error:
        assert "File too large" in str(error), error
    else:
        raise AssertionError(f"commit {number} was acknowledged without room for it")
    holds(0, 1, 2, 3)
    assert remembered() == [1]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert append(7).number == 5
holds(0, 1, 2, 3, 7)
assert remembered() == [1, 2]
timeline.close()
timeline = DuckTimeline(path)
holds(0, 1, 2, 3, 7)
assert append(8).number == 6
timeline.close()
print("went on")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows limits no size of files")
def test_that_a_full_disk_refuses_commits_whole_and_answers_questions(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", FILLS, str(tmp_path / "site.duckdb")],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert found.stdout == "went on\n", found.stderr
