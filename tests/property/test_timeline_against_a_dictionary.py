"""Both timelines against a plain dictionary, under whatever a source may do.

Readings come late, twice, corrected, retracted, with and without revisions of their own, several
samples an instant, in commits of several; the store is opened again in between. The model keeps
rows in a list and places in a dictionary, and answers by looking at each.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gemeos.schema.reading import Quality, Reading, Readings, Series
from gemeos.timeline.base import Buckets, Commit, Timeline
from gemeos.timeline.duck import DuckTimeline
from gemeos.timeline.memory import MemoryTimeline

SERIES = [Series("link", name) for name in "abcd"]
SECOND = 1_000_000
# Few instants, so that places meet, in clusters that the widening look-back must cross.
INSTANTS = [-5_000 * SECOND, *range(4), 3 * SECOND, 40 * SECOND, 41 * SECOND, 900 * SECOND]
instants = st.sampled_from(INSTANTS)
maybe_known_by = st.none() | st.integers(0, 40)
asked_series = st.lists(st.integers(0, 5), max_size=4)

readings = st.builds(
    Reading,
    series=st.sampled_from(SERIES),
    valid_at=instants,
    value=st.integers(-8, 8).map(float),
    valid_from=st.none() | st.just(-6_000 * SECOND),
    sample=st.integers(0, 2),
    revision=st.sampled_from([-1, -1, 0, 1, 7]),
    quality=st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.RETAINED, Quality.RETRACTED]),
    received_at=st.integers(0, 3),
).map(lambda r: replace(r, value=float("nan")) if r.quality is Quality.RETRACTED else r)


class Model:
    """Rows in the order of their commits, with the time when each was known."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, Reading]] = []
        self.known_at = -100
        self.commits = 0

    def places(self, known_by: int | None) -> dict[tuple[Series, int, int], Reading]:
        best: dict[tuple[Series, int, int], Reading] = {}
        for known_at, row in self.rows:
            place = (row.series, row.valid_at, row.sample)
            is_known = known_by is None or known_at <= known_by
            if is_known and (place not in best or row.revision >= best[place].revision):
                best[place] = row
        return {p: row for p, row in best.items() if row.quality is not Quality.RETRACTED}

    def range(
        self,
        numbers: dict[Series, int],
        asked: list[int] | None,
        since: int,
        until: int,
        known_by: int | None,
    ) -> list[Reading]:
        found = [
            row
            for row in self.places(known_by).values()
            if since < row.valid_at <= until and (asked is None or numbers[row.series] in asked)
        ]
        return sorted(found, key=lambda row: (row.valid_at, numbers[row.series], row.sample))


class TimelinesAgainstADictionary(RuleBasedStateMachine):
    @initialize()
    def empty(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "site.duckdb"
        self.duck = DuckTimeline(self.path)
        self.memory = MemoryTimeline()
        self.model = Model()

    @property
    def timelines(self) -> tuple[Timeline, Timeline]:
        return self.duck, self.memory

    @property
    def numbers(self) -> dict[Series, int]:
        return {series: number for number, series in enumerate(self.memory.book)}

    @rule(batch=st.lists(readings, max_size=12), step=st.integers(-2, 3))
    def append(self, batch: list[Reading], step: int) -> None:
        known_at = max(self.model.known_at, 0) + step
        self.model.commits += 1
        self.model.known_at = max(self.model.known_at, known_at)
        for timeline in self.timelines:
            commit = timeline.append(Readings.of(batch, timeline.book), known_at=known_at)
            assert commit == Commit(self.model.commits, self.model.known_at)
        self.model.rows += [(self.model.known_at, row) for row in batch]

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        if self.model.rows:
            sent = [row for _, row in self.model.rows]
            self.append(data.draw(st.lists(st.sampled_from(sent), max_size=4)), 1)

    @rule()
    def reopen(self) -> None:
        self.duck.close()
        self.duck = DuckTimeline(self.path)

    @rule(asked=st.none() | asked_series, since=instants, until=instants, known_by=maybe_known_by)
    def ask_range(
        self, asked: list[int] | None, since: int, until: int, known_by: int | None
    ) -> None:
        expected = self.model.range(self.numbers, asked, since, until, known_by)
        for timeline in self.timelines:
            found = timeline.range(asked, since, until, known_by=known_by)
            assert list(found.rows(timeline.book)) == expected

    @rule(asked=st.none() | asked_series, at=instants, known_by=maybe_known_by)
    def ask_latest(self, asked: list[int] | None, at: int, known_by: int | None) -> None:
        ever = self.model.range(self.numbers, asked, -(10**15), at, known_by)
        newest = {self.numbers[row.series]: row for row in ever}
        expected = [newest[number] for number in sorted(newest)]
        for timeline in self.timelines:
            found = timeline.latest(asked, at, known_by=known_by)
            assert list(found.rows(timeline.book)) == expected

    @rule(
        asked=asked_series,
        since=instants,
        until=instants,
        every=st.sampled_from([1, 2, 7 * SECOND, 10_000 * SECOND]),
    )
    def ask_buckets(self, asked: list[int], since: int, until: int, every: int) -> None:
        inside: dict[tuple[int, int], list[float]] = {}
        for row in self.model.range(self.numbers, asked, since, until, None):
            start = since + (row.valid_at - since - 1) // every * every
            inside.setdefault((self.numbers[row.series], start), []).append(row.value)
        expected = [
            (series, start, len(v), sum(v) / len(v), min(v), max(v), v[-1])
            for (series, start), v in sorted(inside.items())
        ]
        for timeline in self.timelines:
            found = timeline.buckets(asked, since, until, every)
            rows = list(zip(*_columns(found), strict=True))
            assert [row[:3] for row in rows] == [row[:3] for row in expected]
            np.testing.assert_allclose(
                np.array(rows, float), np.array(expected, float), rtol=1e-12, atol=1e-12
            )

    @rule(asked=asked_series, commit=st.integers(-3, 40), until=instants, known_by=maybe_known_by)
    def ask_changed_since(
        self, asked: list[int], commit: int, until: int, known_by: int | None
    ) -> None:
        changed = [
            row.valid_at
            for known_at, row in self.model.rows
            if known_at > commit and (known_by is None or known_at <= known_by)
            if row.valid_at <= until and self.numbers[row.series] in asked
        ]
        expected = min(changed, default=None)
        for timeline in self.timelines:
            found = timeline.changed_since(asked, commit, until, known_by=known_by)
            assert found == expected

    @invariant()
    def both_have_one_book(self) -> None:
        assert list(self.duck.book) == list(self.memory.book)

    def teardown(self) -> None:
        self.duck.close()
        self.folder.cleanup()


def _columns(buckets: Buckets) -> list[list[Any]]:
    return [getattr(buckets, name).tolist() for name in Buckets.__slots__]


TimelinesAgainstADictionary.TestCase.settings = settings(
    max_examples=20,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestTimelinesAgainstADictionary = TimelinesAgainstADictionary.TestCase
