"""The tests that every timeline inherits.

Write a class that inherits ``TimelineContract`` and has a fixture ``timeline``: an open and empty
one. Where what was written outlives the process, inherit ``DurableTimelineContract`` and tell by
``reopened`` how the same store is opened again. Results are looked at through the port only,
against expectations that were worked out by hand.
"""
# ruff: noqa: S101, D102 - tests that others inherit; their names are their sentences

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag

import pytest

from gemeos.errors import TimelineError
from gemeos.schema.reading import Readings
from gemeos.testing.contracts.timeline_readings import (
    NORTH,
    SOUTH,
    WEST,
    BucketsContract,
    ChangedSinceContract,
    LatestContract,
    ReadingStoreContract,
    append,
    everything,
    reading,
    retraction,
    told,
)
from gemeos.testing.contracts.timeline_records import (
    EstimateContract,
    EventContract,
    KeyframeContract,
    QuarantineContract,
    RecordContract,
    event,
    forecast,
    keyframe,
    refusal,
    summary,
)
from gemeos.timeline.base import Record, Timeline

RECORD = Record("scenario", "mill", "flood", b"\x00\xffbody", 7, b"state" * 1000)
QUESTIONS: dict[str, Callable[[Timeline], object]] = {
    "append": lambda timeline: timeline.append(Readings.none(), known_at=0),
    "range": lambda timeline: timeline.range(None, 0, 1),
    "buckets": lambda timeline: timeline.buckets([], 0, 1, 1),
    "latest": lambda timeline: timeline.latest(None, 1),
    "changed_since": lambda timeline: timeline.changed_since([], 0, 1, known_by=None),
    "refused": lambda timeline: timeline.refused(),
    "refused_count": lambda timeline: timeline.refused_count(),
    "receipts": lambda timeline: timeline.receipts(),
    "put_keyframe": lambda timeline: timeline.put_keyframe(keyframe(1, 1)),
    "keyframe_before": lambda timeline: timeline.keyframe_before("mill", 1),
    "keyframes_newest": lambda timeline: timeline.keyframes_newest(["mill"]),
    "put_event": lambda timeline: timeline.put_event(event("alarm", 1), known_at=1),
    "events": lambda timeline: timeline.events(),
    "event": lambda timeline: timeline.event(1),
    "put_summary": lambda timeline: timeline.put_summary("mill", summary([1], "a"), known_at=1),
    "summary": lambda timeline: timeline.summary("mill", ["a"], 0, 1),
    "put_forecasts": lambda timeline: timeline.put_forecasts(
        forecast([1], [2], [[1.0]]), known_at=1
    ),
    "put_all_forecasts": lambda timeline: timeline.put_all_forecasts(
        [forecast([1], [2], [[1.0]])], known_at=1
    ),
    "all_forecasts": lambda timeline: timeline.all_forecasts([("mill", "power", 0, 1)]),
    "forecasts": lambda timeline: timeline.forecasts("mill", "power", 0, 1),
    "put_record": lambda timeline: timeline.put_record(RECORD),
    "records": lambda timeline: timeline.records("scenario"),
    "record_counts": lambda timeline: timeline.record_counts("scenario"),
    "record": lambda timeline: timeline.record("scenario", "mill", "flood"),
    "drop_record": lambda timeline: timeline.drop_record("scenario", "mill", "flood"),
}
"""One use of each method of the port."""


class TimelineContract(
    ReadingStoreContract,
    BucketsContract,
    LatestContract,
    ChangedSinceContract,
    QuarantineContract,
    KeyframeContract,
    EventContract,
    EstimateContract,
    RecordContract,
):
    """The whole memory of a site. Needs the fixture ``timeline``."""

    def test_that_closing_twice_is_closing_once(self, timeline: Timeline) -> None:
        timeline.close()
        timeline.close()
        with pytest.raises(TimelineError, match="closed"):
            timeline.range(None, 0, 1)

    @pytest.mark.parametrize("method", sorted(QUESTIONS))
    def test_that_use_after_close_is_refused(self, timeline: Timeline, method: str) -> None:
        QUESTIONS[method](timeline)
        timeline.close()
        with pytest.raises(TimelineError, match="closed"):
            QUESTIONS[method](timeline)

    def test_that_any_thread_may_ask_and_sees_commits_whole(self, timeline: Timeline) -> None:
        batches, size = 40, 50
        done = Flag()

        def ask() -> list[int]:
            seen = []
            while not done.is_set():
                seen.append(len(timeline.range(None, 0, batches)))
                seen.append(timeline.range(None, 0, batches).series.tolist().count(0) * size)
                seen.append(len(timeline.latest(None, batches)))
            return seen

        with ThreadPoolExecutor(3) as pool:
            asking = [pool.submit(ask) for _ in range(3)]
            try:
                for number in range(1, batches + 1):
                    rows = [reading(NORTH, number, float(i), sample=i) for i in range(size - 1)]
                    append(timeline, number, *rows, reading(SOUTH, number, 0.0))
            finally:
                done.set()
            seen = [found.result() for found in asking]
        assert len(timeline.range(None, 0, batches)) == batches * size
        for counts in seen:
            assert {count % size for count in counts[::3]} <= {0}
            assert sorted(counts[::3]) == counts[::3]
            assert set(counts[2::3]) <= {0, 2}


class DurableTimelineContract(TimelineContract, ABC):
    """A timeline that outlives the process."""

    @abstractmethod
    def reopened(self, timeline: Timeline) -> Timeline:
        """The same store, closed and opened again."""

    def test_that_readings_and_their_series_outlive_it(self, timeline: Timeline) -> None:
        append(timeline, 10, reading(NORTH, 1, 1.0), reading(SOUTH, 2, 2.0))
        append(timeline, 20, reading(NORTH, 1, 3.0), retraction(SOUTH, 2), reading(WEST, 3, 4.0))
        before = list(timeline.book)
        again = self.reopened(timeline)
        try:
            assert list(again.book) == before
            assert everything(again) == [("wind/north", 1, 3.0), ("wind/west", 3, 4.0)]
            assert everything(again, known_by=10) == [
                ("wind/north", 1, 1.0),
                ("wind/south", 2, 2.0),
            ]
            assert told(again, again.latest(None, 9)) == [
                ("wind/north", 1, 3.0),
                ("wind/west", 3, 4.0),
            ]
        finally:
            again.close()

    def test_that_numbers_given_out_are_durable_with_the_next_commit(
        self, timeline: Timeline
    ) -> None:
        for series in (SOUTH, NORTH):
            timeline.book.number(series)
        append(timeline, 10)
        again = self.reopened(timeline)
        try:
            assert list(again.book) == [SOUTH, NORTH]
            append(again, 11, reading(WEST, 1, 1.0))
            assert list(again.book) == [SOUTH, NORTH, WEST]
        finally:
            again.close()

    def test_that_counting_goes_on_where_it_stopped(self, timeline: Timeline) -> None:
        commit = timeline.append(
            Readings.none(), known_at=40, refused=[refusal(1), refusal(2)], receipts=[b"a"]
        )
        put = timeline.put_event(event("alarm", 1), known_at=60)
        again = self.reopened(timeline)
        try:
            after = again.append(
                Readings.none(), known_at=30, refused=[refusal(3)], receipts=[b"b"]
            )
            assert (after.number, after.known_at) == (commit.number + 1, 40)
            assert again.refused_count() == 3
            assert list(again.refused()) == [refusal(3), refusal(2), refusal(1)]
            assert list(again.receipts()) == [b"a", b"b"]
            later = again.put_event(event("alarm", 2), known_at=50)
            assert (later.number, later.known_at) == (put.number + 1, 60)
        finally:
            again.close()

    def test_that_records_outlive_it(self, timeline: Timeline) -> None:
        timeline.put_record(RECORD)
        again = self.reopened(timeline)
        try:
            assert again.record("scenario", "mill", "flood") == RECORD
        finally:
            again.close()

    def test_that_of_equals_the_one_put_after_opening_again_counts(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 10, reading(NORTH, 1, 1.0))
        timeline.put_keyframe(keyframe(1, 1, state=b"old"))
        timeline.put_summary("mill", summary([1], "a"), known_at=10)
        timeline.put_forecasts(forecast([1], [2], [[1.0]]), known_at=10)
        again = self.reopened(timeline)
        try:
            append(again, 10, reading(NORTH, 1, 2.0))
            again.put_keyframe(keyframe(1, 1, state=b"new"))
            again.put_summary("mill", summary([1], "a", start=100.0), known_at=10)
            again.put_forecasts(forecast([1], [2], [[2.0]]), known_at=10)
            assert everything(again) == [("wind/north", 1, 2.0)]
            assert again.keyframe_before("mill", 9) == keyframe(1, 1, state=b"new")
            assert again.summary("mill", ["a"], 0, 9).mean.tolist() == [[110.0]]
            assert again.forecasts("mill", "power", 0, 9).members.tolist() == [[1.0], [2.0]]
        finally:
            again.close()

    def test_that_the_quarantine_stays_bounded_across_openings(self, timeline: Timeline) -> None:
        for start in range(0, 10_400, 5_200):
            rows = [refusal(number) for number in range(start, start + 5_200)]
            timeline.append(Readings.none(), known_at=0, refused=rows)
        again = self.reopened(timeline)
        try:
            assert [r.received_at for r in again.refused(limit=20_000)] == list(
                range(10_399, 399, -1)
            )
            assert again.refused_count() == 10_400
        finally:
            again.close()
