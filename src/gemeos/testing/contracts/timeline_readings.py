"""What every store of readings promises: each sentence of the port, tested."""
# ruff: noqa: S101, D102 - tests that others inherit; their names are their sentences

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from gemeos.errors import TimelineError
from gemeos.schema.reading import Quality, Reading, Readings, Refused, Series
from gemeos.timeline.base import Buckets, Commit, Timeline

NORTH = Series("mast", "wind/north")
SOUTH = Series("mast", "wind/south")
WEST = Series("hut", "wind/west")


def reading(
    series: Series,
    valid_at: int,
    value: float,
    *,
    sample: int = 0,
    revision: int = -1,
    quality: Quality = Quality.GOOD,
) -> Reading:
    """A reading of an instant."""
    return Reading(
        series, valid_at, value, sample=sample, revision=revision, quality=quality, received_at=7
    )


def retraction(series: Series, valid_at: int, *, sample: int = 0, revision: int = -1) -> Reading:
    """A revision without value."""
    return reading(
        series,
        valid_at,
        float("nan"),
        sample=sample,
        revision=revision,
        quality=Quality.RETRACTED,
    )


def append(timeline: Timeline, known_at: int, *rows: Reading) -> Commit:
    """One commit of ``rows``."""
    return timeline.append(Readings.of(rows, timeline.book), known_at=known_at)


def told(timeline: Timeline, readings: Readings) -> list[tuple[str, int, float]]:
    """Channel, time and value of each."""
    return [(r.series.channel, r.valid_at, r.value) for r in readings.rows(timeline.book)]


def numbers(timeline: Timeline, *series: Series) -> list[int]:
    """As the book has them."""
    return [timeline.book.number(s) for s in series]


def everything(timeline: Timeline, *, known_by: int | None = None) -> list[tuple[str, int, float]]:
    """All readings that count."""
    return told(timeline, timeline.range(None, -(10**17), 10**17, known_by=known_by))


def columns(buckets: Buckets) -> dict[str, list[float]]:
    """As lists, to be compared."""
    return {f.name: getattr(buckets, f.name).tolist() for f in dataclasses.fields(Buckets)}


class ReadingStoreContract:
    """Readings in, readings out."""

    def test_that_an_empty_timeline_answers_with_nothing(self, timeline: Timeline) -> None:
        number = timeline.book.number(NORTH)
        assert len(timeline.range(None, 0, 100)) == 0
        assert len(timeline.latest(None, 100)) == 0
        assert len(timeline.buckets([number], 0, 100, 10).series) == 0
        assert timeline.changed_since([number], 0, 100, known_by=None) is None

    def test_that_each_column_of_a_reading_comes_back(self, timeline: Timeline) -> None:
        kept = [
            Reading(NORTH, 600, 1.5, valid_from=0, sample=0, revision=3, received_at=812),
            Reading(NORTH, 600, -2.5, sample=4, quality=Quality.SUSPECT, received_at=813),
            Reading(SOUTH, 600, 0.1, quality=Quality.RETAINED, received_at=-5),
            Reading(WEST, 601, float("inf"), revision=2**40, received_at=2**60),
        ]
        append(timeline, 1000, *kept)
        assert list(timeline.range(None, 0, 1000).rows(timeline.book)) == kept

    def test_that_columns_have_the_types_of_the_schema(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 1, 1.0))
        number = timeline.book.number(NORTH)
        for found in (
            timeline.range(None, 0, 9),
            timeline.latest(None, 9),
            timeline.range([number], 0, 0),
        ):
            for field in dataclasses.fields(Readings):
                column = getattr(found, field.name)
                assert type(column) is np.ndarray
                assert column.dtype == getattr(Readings.none(), field.name).dtype

    def test_that_commits_count_up_by_one_even_where_nothing_was_read(
        self, timeline: Timeline
    ) -> None:
        first = append(timeline, 10, reading(NORTH, 1, 1.0)).number
        assert [append(timeline, 20).number, append(timeline, 30).number] == [first + 1, first + 2]

    def test_that_a_known_at_before_an_earlier_commit_is_raised_to_that(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 50, reading(NORTH, 1, 1.0))
        assert append(timeline, 40, reading(NORTH, 2, 2.0)).known_at == 50
        assert everything(timeline, known_by=49) == []
        assert len(everything(timeline, known_by=50)) == 2

    def test_that_a_batch_with_a_series_out_of_the_book_is_refused_whole(
        self, timeline: Timeline
    ) -> None:
        before = append(timeline, 1).number
        rows = Readings.of([reading(NORTH, 1, 1.0), reading(SOUTH, 1, 1.0)], timeline.book)
        strange = dataclasses.replace(rows, series=np.array([0, 2], np.int32))
        row = Refused("mast", "", "unknown", b"", 0, 0)
        with pytest.raises(TimelineError, match="series 2"):
            timeline.append(strange, known_at=2, refused=[row], receipts=[b"r"])
        assert everything(timeline) == []
        assert timeline.refused_count() == 0
        assert list(timeline.receipts()) == []
        assert append(timeline, 3).number == before + 1

    def test_that_a_range_leaves_out_its_start_and_holds_its_end(self, timeline: Timeline) -> None:
        append(timeline, 9, *(reading(NORTH, t, float(t)) for t in (1, 2, 3, 4)))
        assert [t for _, t, _ in told(timeline, timeline.range(None, 1, 3))] == [2, 3]

    def test_that_a_range_is_sorted_by_time_then_series_then_sample(
        self, timeline: Timeline
    ) -> None:
        numbers(timeline, NORTH, SOUTH)
        append(timeline, 1, reading(SOUTH, 2, 1.0), reading(SOUTH, 1, 2.0, sample=1))
        append(timeline, 2, reading(SOUTH, 1, 3.0, sample=0), reading(NORTH, 2, 4.0))
        append(timeline, 3, reading(NORTH, 1, 5.0, sample=3))
        assert everything(timeline) == [
            ("wind/north", 1, 5.0),
            ("wind/south", 1, 3.0),
            ("wind/south", 1, 2.0),
            ("wind/north", 2, 4.0),
            ("wind/south", 2, 1.0),
        ]

    def test_that_a_range_of_named_series_holds_only_those(self, timeline: Timeline) -> None:
        append(timeline, 1, *(reading(s, 1, 1.0) for s in (NORTH, SOUTH, WEST)))
        asked = numbers(timeline, WEST, NORTH, WEST)
        found = told(timeline, timeline.range(asked, 0, 9))
        assert found == [("wind/north", 1, 1.0), ("wind/west", 1, 1.0)]
        assert len(timeline.range([], 0, 9)) == 0
        assert len(timeline.range([3, 500_000], 0, 9)) == 0

    def test_that_a_late_reading_is_found_at_its_own_time(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 5_000_000, 1.0))
        append(timeline, 2, reading(NORTH, 1_000_000, 2.0))
        assert everything(timeline) == [
            ("wind/north", 1_000_000, 2.0),
            ("wind/north", 5_000_000, 1.0),
        ]

    def test_that_the_same_place_twice_is_one_reading(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 1, 4.0))
        append(timeline, 2, reading(NORTH, 1, 4.0))
        assert everything(timeline) == [("wind/north", 1, 4.0)]

    @pytest.mark.parametrize("revisions", [(3, 8, 5), (8, 5, 3), (3, 5, 8), (-1, 8, -1)])
    def test_that_the_highest_revision_wins_in_whatever_order_it_came(
        self, timeline: Timeline, revisions: Sequence[int]
    ) -> None:
        for known_at, revision in enumerate(revisions):
            append(timeline, known_at, reading(NORTH, 1, float(revision), revision=revision))
        assert everything(timeline) == [("wind/north", 1, 8.0)]

    def test_that_of_equal_revisions_the_one_committed_last_counts(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 1, reading(NORTH, 1, 1.0), reading(SOUTH, 1, 5.0, revision=4))
        append(timeline, 1, reading(NORTH, 1, 2.0), reading(SOUTH, 1, 6.0, revision=4))
        assert everything(timeline) == [("wind/north", 1, 2.0), ("wind/south", 1, 6.0)]

    def test_that_within_one_commit_the_later_row_counts(self, timeline: Timeline) -> None:
        append(timeline, 1, *(reading(NORTH, 1, float(value)) for value in range(300)))
        assert everything(timeline) == [("wind/north", 1, 299.0)]

    def test_that_a_retracted_place_is_left_out_until_a_higher_revision(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 1, reading(NORTH, 1, 1.0, revision=1), reading(NORTH, 2, 2.0, revision=1))
        append(timeline, 2, retraction(NORTH, 1, revision=2))
        assert everything(timeline) == [("wind/north", 2, 2.0)]
        append(timeline, 3, reading(NORTH, 1, 3.0, revision=1))
        assert everything(timeline) == [("wind/north", 2, 2.0)]
        append(timeline, 4, reading(NORTH, 1, 4.0, revision=3))
        assert everything(timeline) == [("wind/north", 1, 4.0), ("wind/north", 2, 2.0)]

    def test_that_a_retraction_reaches_only_its_own_place(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 1, 1.0), reading(NORTH, 1, 2.0, sample=1))
        append(timeline, 1, reading(SOUTH, 1, 3.0), reading(NORTH, 2, 4.0))
        append(timeline, 2, retraction(NORTH, 1, sample=1))
        assert [value for _, _, value in everything(timeline)] == [1.0, 3.0, 4.0]

    def test_that_known_by_answers_as_somebody_would_have_then(self, timeline: Timeline) -> None:
        append(timeline, 10, reading(NORTH, 1, 1.0))
        append(timeline, 20, reading(NORTH, 1, 2.0), reading(NORTH, 2, 9.0))
        append(timeline, 30, retraction(NORTH, 1))
        first, second = ("wind/north", 1, 1.0), ("wind/north", 2, 9.0)
        assert everything(timeline, known_by=9) == []
        assert everything(timeline, known_by=10) == [first]
        assert everything(timeline, known_by=19) == [first]
        assert everything(timeline, known_by=20) == [("wind/north", 1, 2.0), second]
        assert everything(timeline, known_by=30) == [second]
        assert everything(timeline) == [second]

    def test_that_an_answer_stays_as_it_was_when_more_is_appended(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 1, 1.0))
        found = timeline.range(None, 0, 9)
        append(timeline, 2, *(reading(NORTH, 1, float(value)) for value in range(2, 100)))
        assert told(timeline, found) == [("wind/north", 1, 1.0)]


class BucketsContract:
    """Down-sampled readings."""

    def test_that_a_bucket_leaves_out_its_start_and_holds_its_end(self, timeline: Timeline) -> None:
        append(timeline, 1, *(reading(NORTH, t, t / 2) for t in (100, 101, 110, 111, 120, 121)))
        found = timeline.buckets(numbers(timeline, NORTH), 100, 120, 10)
        # (100, 110] holds 101 and 110; (110, 120] holds 111 and 120.
        assert columns(found) == {
            "series": [0, 0],
            "since": [100, 110],
            "count": [2, 2],
            "mean": [52.75, 57.75],
            "least": [50.5, 55.5],
            "most": [55.0, 60.0],
            "last": [55.0, 60.0],
        }

    def test_that_buckets_come_by_series_then_time_and_empty_ones_are_left_out(
        self, timeline: Timeline
    ) -> None:
        numbers(timeline, NORTH, SOUTH, WEST)
        append(timeline, 1, reading(SOUTH, 25, 1.0), reading(NORTH, 38, 4.0))
        append(timeline, 2, reading(SOUTH, 5, 2.0), reading(NORTH, 1, 3.0), reading(WEST, 1, 9.0))
        found = timeline.buckets(numbers(timeline, SOUTH, NORTH), 0, 40, 10)
        assert found.series.tolist() == [0, 0, 1, 1]
        assert found.since.tolist() == [0, 30, 0, 20]
        assert found.mean.tolist() == [3.0, 4.0, 2.0, 1.0]

    def test_that_the_last_bucket_ends_where_the_question_does(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 12, 1.0), reading(NORTH, 16, 100.0))
        found = timeline.buckets(numbers(timeline, NORTH), 0, 15, 10)
        assert (found.since.tolist(), found.most.tolist()) == ([10], [1.0])

    def test_that_the_last_value_is_the_one_measured_last(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 9, 7.0, sample=1), reading(NORTH, 9, 6.0, sample=0))
        append(timeline, 2, reading(NORTH, 3, 100.0))
        assert timeline.buckets(numbers(timeline, NORTH), 0, 10, 10).last.tolist() == [7.0]

    def test_that_buckets_hold_the_readings_that_a_range_holds(self, timeline: Timeline) -> None:
        append(timeline, 1, *(reading(NORTH, t, float(t), revision=5) for t in range(1, 8)))
        append(
            timeline, 2, reading(NORTH, 1, 99.0, revision=4), reading(NORTH, 2, 20.0, revision=5)
        )
        append(timeline, 3, retraction(NORTH, 3, revision=6), retraction(NORTH, 4, revision=1))
        # What counts: 1, 20 (corrected), nothing (retracted), 4, 5, 6, 7: 43 in six readings.
        found = timeline.buckets(numbers(timeline, NORTH), 0, 10, 10)
        assert found.count.tolist() == [6]
        assert found.mean.tolist() == pytest.approx([43 / 6])
        assert (found.least.tolist(), found.most.tolist()) == ([1.0], [20.0])

    def test_that_a_bucket_of_retracted_readings_is_empty(self, timeline: Timeline) -> None:
        append(timeline, 1, reading(NORTH, 1, 1.0))
        append(timeline, 2, retraction(NORTH, 1))
        assert len(timeline.buckets(numbers(timeline, NORTH), 0, 10, 10).series) == 0

    def test_that_buckets_are_counted_from_a_start_before_1970_too(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 1, *(reading(NORTH, t, float(t)) for t in (-24, -14, -13, 6)))
        found = timeline.buckets(numbers(timeline, NORTH), -24, 16, 10)
        assert found.since.tolist() == [-24, -14, -4]
        assert found.mean.tolist() == [-14.0, -13.0, 6.0]


class LatestContract:
    """The newest reading of each series."""

    def test_that_latest_has_a_row_a_series_by_its_number(self, timeline: Timeline) -> None:
        numbers(timeline, NORTH, SOUTH, WEST)
        append(timeline, 1, reading(WEST, 4, 1.0), reading(NORTH, 6, 2.0), reading(NORTH, 5, 3.0))
        found = [("wind/north", 6, 2.0), ("wind/west", 4, 1.0)]
        assert told(timeline, timeline.latest(None, 100)) == found
        assert told(timeline, timeline.latest(numbers(timeline, WEST, NORTH), 100)) == found
        assert told(timeline, timeline.latest(numbers(timeline, SOUTH), 100)) == []
        assert told(timeline, timeline.latest([], 100)) == []
        assert told(timeline, timeline.latest([3, 500_000], 100)) == []

    def test_that_latest_holds_the_instant_asked_for_and_nothing_after(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 1, *(reading(NORTH, t, float(t)) for t in (5, 6, 7)))
        assert told(timeline, timeline.latest(None, 6)) == [("wind/north", 6, 6.0)]
        assert told(timeline, timeline.latest(None, 4)) == []

    def test_that_latest_is_the_latest_measured_not_the_last_arrived(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 1, reading(NORTH, 60, 1.0))
        append(timeline, 2, reading(NORTH, 50, 2.0))
        assert told(timeline, timeline.latest(None, 100)) == [("wind/north", 60, 1.0)]

    def test_that_latest_is_the_last_sample_and_its_highest_revision(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 1, reading(NORTH, 6, 1.0, sample=2), reading(NORTH, 6, 2.0, sample=1))
        append(timeline, 2, reading(NORTH, 6, 3.0, sample=2, revision=4))
        append(timeline, 3, reading(NORTH, 6, 4.0, sample=2, revision=3))
        assert told(timeline, timeline.latest(None, 100)) == [("wind/north", 6, 3.0)]

    def test_that_after_a_retraction_the_reading_before_it_counts_again(
        self, timeline: Timeline
    ) -> None:
        day = 86_400_000_000
        append(timeline, 1, reading(NORTH, 3 * day, 1.0), reading(SOUTH, 9 * day - 1, 2.0))
        append(timeline, 2, *(reading(s, 9 * day, 5.0) for s in (NORTH, SOUTH, WEST)))
        append(timeline, 3, *(retraction(s, 9 * day) for s in (NORTH, SOUTH, WEST)))
        assert told(timeline, timeline.latest(None, 9 * day)) == [
            ("wind/north", 3 * day, 1.0),
            ("wind/south", 9 * day - 1, 2.0),
        ]

    def test_that_a_retracted_sample_leaves_the_other_samples_of_its_instant(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 1, *(reading(NORTH, 6, float(s), sample=s) for s in (0, 1)))
        append(timeline, 2, retraction(NORTH, 6, sample=1))
        assert told(timeline, timeline.latest(None, 6)) == [("wind/north", 6, 0.0)]

    def test_that_series_silent_for_long_are_found_beside_lively_ones(
        self, timeline: Timeline
    ) -> None:
        second, year = 1_000_000, 31_556_952_000_000
        append(timeline, 1, reading(NORTH, -year, 1.0), reading(SOUTH, 40 * second, 2.0))
        for beat in range(1, 30):
            append(timeline, 1 + beat, reading(WEST, year + beat * second, float(beat)))
        asked_at = year + 29 * second
        found = [
            ("wind/north", -year, 1.0),
            ("wind/south", 40 * second, 2.0),
            ("wind/west", asked_at, 29.0),
        ]
        assert told(timeline, timeline.latest(None, asked_at)) == found
        assert told(timeline, timeline.latest(numbers(timeline, NORTH), asked_at)) == found[:1]
        assert told(timeline, timeline.latest(None, year)) == found[:2]

    def test_that_a_reading_any_whole_seconds_ago_is_found(self, timeline: Timeline) -> None:
        second, asked_at, ago = 1_000_000, 10**9, [*range(30), 146, 1170]
        for seconds in ago:
            series = Series("mast", f"{seconds} s ago")
            append(
                timeline,
                1,
                reading(series, asked_at - seconds * second, float(seconds)),
                reading(series, asked_at + second, -1.0),
            )
        found = timeline.latest(None, asked_at)
        assert found.value.tolist() == ago

    def test_that_latest_with_known_by_does_not_know_what_came_later(
        self, timeline: Timeline
    ) -> None:
        append(timeline, 10, reading(NORTH, 1, 1.0), reading(NORTH, 2, 2.0))
        append(timeline, 20, retraction(NORTH, 2), reading(SOUTH, 1, 5.0))
        append(timeline, 30, reading(NORTH, 9_000_000, 3.0), reading(NORTH, 1, 4.0))
        for known_by, expected in (
            (9, []),
            (10, [("wind/north", 2, 2.0)]),
            (20, [("wind/north", 1, 1.0), ("wind/south", 1, 5.0)]),
            (30, [("wind/north", 9_000_000, 3.0), ("wind/south", 1, 5.0)]),
        ):
            found = timeline.latest(None, 9_000_000, known_by=known_by)
            assert told(timeline, found) == expected


class ChangedSinceContract:
    """Whether what was computed from readings still stands."""

    def test_that_the_earliest_time_of_later_commits_is_told(self, timeline: Timeline) -> None:
        append(timeline, 10, reading(NORTH, 1, 1.0))
        append(timeline, 20, reading(NORTH, 8, 1.0), reading(NORTH, 5, 1.0))
        append(timeline, 30, reading(NORTH, 4, 1.0))
        asked = numbers(timeline, NORTH)
        assert timeline.changed_since(asked, 9, 100, known_by=None) == 1
        assert timeline.changed_since(asked, 10, 100, known_by=None) == 4
        assert timeline.changed_since(asked, 10, 100, known_by=29) == 5
        assert timeline.changed_since(asked, 10, 100, known_by=30) == 4
        assert timeline.changed_since(asked, 30, 100, known_by=None) is None

    def test_that_rows_valid_after_until_change_nothing(self, timeline: Timeline) -> None:
        append(timeline, 10, reading(NORTH, 5, 1.0))
        asked = numbers(timeline, NORTH)
        assert timeline.changed_since(asked, 0, 5, known_by=None) == 5
        assert timeline.changed_since(asked, 0, 4, known_by=None) is None

    def test_that_only_the_series_asked_for_count(self, timeline: Timeline) -> None:
        append(timeline, 10, reading(NORTH, 5, 1.0), reading(SOUTH, 3, 1.0))
        assert timeline.changed_since(numbers(timeline, NORTH), 0, 9, known_by=None) == 5
        assert timeline.changed_since(numbers(timeline, WEST), 0, 9, known_by=None) is None
        assert timeline.changed_since([], 0, 9, known_by=None) is None

    def test_that_a_correction_and_a_retraction_are_changes(self, timeline: Timeline) -> None:
        append(timeline, 10, reading(NORTH, 5, 1.0), reading(SOUTH, 6, 1.0))
        append(timeline, 20, reading(NORTH, 5, 1.5), retraction(SOUTH, 6))
        assert timeline.changed_since(numbers(timeline, NORTH), 10, 9, known_by=None) == 5
        assert timeline.changed_since(numbers(timeline, SOUTH), 10, 9, known_by=None) == 6
