"""A store whose process is killed at any moment has each acknowledged commit, and none in part."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from gemeos.timeline.duck import DuckTimeline

ROUNDS = 10
APPENDS = """
import sys
import numpy as np
from gemeos.schema.reading import Readings, Refused, Series
from gemeos.timeline.duck import DuckTimeline

timeline = DuckTimeline(sys.argv[1])
number = int(sys.argv[2])
print("open", flush=True)
while True:
    size = 1 + number * 7919 % 5000
    series = timeline.book.number(Series("plant", f"channel {number}"))
    at = np.full(size, number, np.int64)
    rows = Readings(
        series=np.full(size, series, np.int32),
        valid_at=at,
        valid_from=at,
        sample=np.arange(size, dtype=np.int32),
        revision=np.full(size, -1, np.int64),
        value=np.full(size, float(number)),
        quality=np.zeros(size, np.uint8),
        received_at=at,
    )
    refused = [Refused("plant", "", str(number), b"", 0, number)]
    commit = timeline.append(
        rows, known_at=number, refused=refused, receipts=[b"%d a" % number, b"%d b" % number]
    )
    assert commit.number == number, (commit, number)
    print(number, flush=True)
    number += 1
"""


def size_of(number: int) -> int:
    """How many readings the child puts into the commit of that number."""
    return 1 + number * 7919 % 5000


def acknowledged(path: Path, first: int, seconds: float) -> int:
    """Let a child append from commit ``first`` on, kill it, and tell what it was given last."""
    with subprocess.Popen(
        [sys.executable, "-c", APPENDS, str(path), str(first)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline().strip() == b"open", child.stderr.read().decode()
        time.sleep(seconds)
        assert child.poll() is None, child.stderr.read().decode()
        child.kill()
        lines = child.stdout.read().decode().splitlines(keepends=True)
    whole = [int(line) for line in lines if line.endswith("\n")]
    assert whole == list(range(first, first + len(whole)))
    return first + len(whole) - 1


def test_that_no_acknowledged_commit_is_lost_and_none_is_there_in_part(tmp_path: Path) -> None:
    path = tmp_path / "site.duckdb"
    moments = np.random.default_rng(2)
    stored = 0
    for _ in range(ROUNDS):
        last = acknowledged(path, stored + 1, moments.uniform(0.02, 0.5))
        timeline = DuckTimeline(path)
        try:
            found = Counter(timeline.range(None, 0, 10**9).valid_at.tolist())
            # One more than was acknowledged may be there: killed between commit and print.
            stored = max(found, default=0)
            assert stored in {last, last + 1}
            assert found == {number: size_of(number) for number in range(1, stored + 1)}
            assert [series.channel for series in timeline.book] == [
                f"channel {number}" for number in range(1, stored + 1)
            ]
            assert list(timeline.receipts()) == [
                b"%d %b" % (number, half)
                for number in range(1, stored + 1)
                for half in (b"a", b"b")
            ]
            assert timeline.refused_count() == stored
            newest = timeline.latest(None, 10**9)
            assert newest.value.tolist() == [float(number) for number in range(1, stored + 1)]
        finally:
            timeline.close()
    assert stored > ROUNDS
