"""What every timeline promises of the rest: quarantine, keyframes, events and estimates."""
# ruff: noqa: S101, D102 - tests that others inherit; their names are their sentences

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gemeos.schema.reading import Readings, Refused
from gemeos.timeline.base import Event, ForecastRows, Keyframe, Record, SummaryRows, Timeline

SINGLE = 1e-6
"""Relative: forecasts are kept in float32, whose unit of rounding is 6e-8."""


def refusal(number: int, *, link: str = "mast") -> Refused:
    """The one of that number."""
    return Refused(link, "wind", f"reason {number}", b"\x00\xff" + bytes([number % 256]), 9, number)


def refuse(timeline: Timeline, rows: Sequence[Refused]) -> None:
    """One commit of nothing else."""
    timeline.append(Readings.none(), known_at=0, refused=rows)


def receive(timeline: Timeline, receipts: Sequence[bytes]) -> None:
    """One commit of nothing else."""
    timeline.append(Readings.none(), known_at=0, receipts=receipts)


class QuarantineContract:
    """What was refused, and what was received."""

    def test_that_the_newest_refused_come_first_and_whole(self, timeline: Timeline) -> None:
        rows = [refusal(number) for number in range(5)]
        refuse(timeline, rows[:3])
        refuse(timeline, rows[3:])
        assert list(timeline.refused()) == rows[::-1]
        assert list(timeline.refused(limit=2)) == [rows[4], rows[3]]

    def test_that_the_refused_can_be_told_by_link(self, timeline: Timeline) -> None:
        rows = [refusal(number, link="mast" if number % 2 else "hut") for number in range(6)]
        refuse(timeline, rows)
        assert list(timeline.refused(link="hut", limit=2)) == [rows[4], rows[2]]
        assert list(timeline.refused(link="roof")) == []

    def test_that_the_newest_10000_refused_are_kept_and_all_are_counted(
        self, timeline: Timeline
    ) -> None:
        for start in range(0, 13_000, 650):
            refuse(timeline, [refusal(number) for number in range(start, start + 650)])
        kept = timeline.refused(limit=20_000)
        assert [row.received_at for row in kept] == list(range(12_999, 2_999, -1))
        assert timeline.refused_count() == 13_000

    def test_that_text_which_no_text_can_hold_does_not_stop_a_commit(
        self, timeline: Timeline
    ) -> None:
        before = timeline.refused_count()
        refuse(timeline, [Refused("mast", "\ud800", "nul \x00, half \udfff", b"", 0, 0)])
        assert timeline.refused_count() == before + 1
        assert timeline.refused()[0].reason.startswith("nul \x00, half ")

    def test_that_receipts_come_oldest_first(self, timeline: Timeline) -> None:
        receive(timeline, [b"b", b"a"])
        receive(timeline, [b"\x00\xff", b"", b"c"])
        assert list(timeline.receipts()) == [b"b", b"a", b"\x00\xff", b"", b"c"]

    def test_that_the_newest_100000_receipts_are_kept(self, timeline: Timeline) -> None:
        sent = [number.to_bytes(4, "big") for number in range(103_300)]
        for start in range(0, len(sent), 5_165):
            receive(timeline, sent[start : start + 5_165])
        assert list(timeline.receipts()) == sent[3_300:]

    def test_that_more_receipts_than_are_kept_may_come_at_once(self, timeline: Timeline) -> None:
        sent = [number.to_bytes(4, "big") for number in range(100_002)]
        receive(timeline, [b"before"])
        receive(timeline, sent)
        assert list(timeline.receipts()) == sent[2:]


def keyframe(valid_at: int, known_at: int, *, twin: str = "mill", state: bytes = b"") -> Keyframe:
    """With that state."""
    return Keyframe(twin, valid_at, known_at, "model-1", state or f"{valid_at}/{known_at}".encode())


class KeyframeContract:
    """Whole states, to start again from."""

    def test_that_the_newest_keyframe_by_valid_at_is_found(self, timeline: Timeline) -> None:
        for valid_at, known_at in ((20, 25), (30, 35), (10, 90)):
            timeline.put_keyframe(keyframe(valid_at, known_at))
        assert timeline.keyframe_before("mill", 30) == keyframe(30, 35)
        assert timeline.keyframe_before("mill", 29) == keyframe(20, 25)
        assert timeline.keyframe_before("mill", 9) is None

    def test_that_of_equal_valid_at_the_keyframe_known_last_counts(
        self, timeline: Timeline
    ) -> None:
        timeline.put_keyframe(keyframe(20, 45))
        timeline.put_keyframe(keyframe(20, 25))
        assert timeline.keyframe_before("mill", 20) == keyframe(20, 45)
        assert timeline.keyframe_before("mill", 20, known_by=44) == keyframe(20, 25)
        timeline.put_keyframe(keyframe(20, 45, state=b"again"))
        assert timeline.keyframe_before("mill", 20) == keyframe(20, 45, state=b"again")

    def test_that_known_by_hides_keyframes_known_later(self, timeline: Timeline) -> None:
        timeline.put_keyframe(keyframe(10, 15))
        timeline.put_keyframe(keyframe(20, 60))
        assert timeline.keyframe_before("mill", 99, known_by=60) == keyframe(20, 60)
        assert timeline.keyframe_before("mill", 99, known_by=59) == keyframe(10, 15)
        assert timeline.keyframe_before("mill", 99, known_by=14) is None

    def test_that_a_keyframe_keeps_the_known_at_that_it_has(self, timeline: Timeline) -> None:
        timeline.append(Readings.none(), known_at=500)
        timeline.put_keyframe(keyframe(10, 15))
        assert timeline.keyframe_before("mill", 10) == keyframe(10, 15)

    def test_that_each_twin_has_keyframes_of_its_own(self, timeline: Timeline) -> None:
        timeline.put_keyframe(keyframe(10, 15, twin="mill"))
        timeline.put_keyframe(keyframe(20, 25, twin="dam"))
        assert timeline.keyframe_before("mill", 99) == keyframe(10, 15)

    def test_that_the_newest_keyframes_of_several_twins_are_found_at_once(
        self, timeline: Timeline
    ) -> None:
        timeline.put_keyframes(
            [
                keyframe(30, 35, twin="mill"),
                keyframe(20, 90, twin="mill"),
                keyframe(10, 45, twin="dam", state=b"amended"),
                keyframe(10, 15, twin="dam"),
                keyframe(40, 40, twin="quay"),
            ]
        )
        newest = {
            "mill": keyframe(30, 35, twin="mill"),
            "dam": keyframe(10, 45, twin="dam", state=b"amended"),
        }
        assert timeline.keyframes_newest(["dam", "mill", "unheard of"]) == newest
        timeline.put_keyframe(keyframe(30, 35, twin="mill", state=b"again"))
        newest["mill"] = keyframe(30, 35, twin="mill", state=b"again")
        assert timeline.keyframes_newest(["dam", "mill"]) == newest
        assert timeline.keyframes_newest([]) == {}

    def test_that_keyframes_put_together_are_each_found(self, timeline: Timeline) -> None:
        timeline.put_keyframes(
            [keyframe(10, 15), keyframe(20, 25, twin="dam"), keyframe(10, 15, state=b"again")]
        )
        assert timeline.keyframe_before("mill", 99) == keyframe(10, 15, state=b"again")
        assert timeline.keyframe_before("dam", 99) == keyframe(20, 25, twin="dam")
        timeline.put_keyframes([])
        assert timeline.keyframe_before("mill", 99) == keyframe(10, 15, state=b"again")

    def test_that_the_bytes_of_a_state_come_back(self, timeline: Timeline) -> None:
        state = bytes(range(256)) * 4096
        timeline.put_keyframe(keyframe(10, 15, state=state))
        found = timeline.keyframe_before("mill", 10)
        assert found is not None
        assert found.state == state


def event(kind: str, valid_at: int, *, twin: str = "mill") -> Event:
    """By somebody, for a reason."""
    return Event(kind, twin, valid_at, "Ada", "commit 7")


class EventContract:
    """Changes and decisions with who and why."""

    def test_that_an_event_comes_back_with_number_and_known_at(self, timeline: Timeline) -> None:
        body: dict[str, str | float | int | bool | None] = {
            "text": "über",
            "share": 0.5,
            "count": 3,
            "is_on": True,
            "none": None,
        }
        put = timeline.put_event(Event("alarm", "mill", 5, "Ada", "event 1", body), known_at=9)
        assert put == Event("alarm", "mill", 5, "Ada", "event 1", body, 9, put.number)
        (found,) = timeline.events()
        assert found == put
        assert [type(value) for value in found.body.values()] == [str, float, int, bool, type(None)]

    def test_that_event_numbers_count_up_by_one(self, timeline: Timeline) -> None:
        first = timeline.put_event(event("alarm", 5), known_at=1).number
        timeline.append(Readings.none(), known_at=2)
        assert timeline.put_event(event("alarm", 1), known_at=3).number == first + 1

    def test_that_the_known_at_of_events_never_goes_back(self, timeline: Timeline) -> None:
        timeline.append(Readings.none(), known_at=20)
        assert timeline.put_event(event("alarm", 1), known_at=10).known_at == 20
        assert timeline.put_event(event("alarm", 1), known_at=30).known_at == 30
        assert timeline.put_event(event("alarm", 1), known_at=25).known_at == 30

    def test_that_a_commit_before_1970_keeps_its_known_at(self, timeline: Timeline) -> None:
        assert timeline.put_event(event("alarm", -9), known_at=-7).known_at == -7
        assert timeline.append(Readings.none(), known_at=-5).known_at == -5
        assert timeline.put_event(event("alarm", -9), known_at=-6).known_at == -5

    def test_that_events_put_together_are_numbered_in_their_order(self, timeline: Timeline) -> None:
        first = timeline.put_event(event("alarm", 5), known_at=10).number
        put = timeline.put_events([event("a", 7, twin="dam"), event("b", 6)], known_at=8)
        assert [e.number for e in put] == [first + 1, first + 2]
        assert [e.known_at for e in put] == [10, 10]
        assert list(timeline.events()) == [put[0], put[1], timeline.events()[2]]
        assert list(timeline.put_events([], known_at=9)) == []
        assert timeline.put_event(event("c", 1), known_at=11).number == first + 3

    def test_that_the_newest_events_come_first(self, timeline: Timeline) -> None:
        for kind, valid_at in (("a", 5), ("b", 7), ("c", 5), ("d", 6)):
            timeline.put_event(event(kind, valid_at), known_at=1)
        assert [found.kind for found in timeline.events()] == ["b", "d", "c", "a"]
        assert [found.kind for found in timeline.events(limit=2)] == ["b", "d"]

    def test_that_events_are_told_by_twin_kind_and_time(self, timeline: Timeline) -> None:
        timeline.put_event(event("alarm", 5), known_at=1)
        timeline.put_event(event("phase", 6), known_at=1)
        timeline.put_event(event("alarm", 7, twin="dam"), known_at=1)
        timeline.put_event(event("token", 8, twin=""), known_at=1)
        assert [e.valid_at for e in timeline.events(twin="mill")] == [6, 5]
        assert [e.valid_at for e in timeline.events(twin="")] == [8]
        assert [e.valid_at for e in timeline.events(kind="alarm")] == [7, 5]
        assert [e.valid_at for e in timeline.events(kind="alarm", twin="dam")] == [7]
        assert [e.valid_at for e in timeline.events(since=6)] == [8, 7]
        assert [e.valid_at for e in timeline.events(since=5, until=7)] == [7, 6]

    def test_that_an_event_is_found_by_its_number(self, timeline: Timeline) -> None:
        timeline.put_event(event("alarm", 9), known_at=1)
        put = timeline.put_event(event("phase", 5), known_at=1)
        assert timeline.event(put.number) == put
        assert timeline.event(put.number + 1) is None

    def test_that_a_number_which_is_not_finite_becomes_none(self, timeline: Timeline) -> None:
        put = timeline.put_event(
            Event("alarm", "mill", 5, "Ada", "", {"score": float("nan")}), known_at=9
        )
        assert put.body == {"score": None}
        assert timeline.events()[0].body == {"score": None}


def summary(instants: Sequence[int], *variables: str, start: float = 0.0) -> SummaryRows:
    """Mean 10 t + place + start, spread a tenth of it, quantiles -2..2 spreads from it."""
    mean = start + 10.0 * np.array(instants)[:, None] + np.arange(len(variables))
    return SummaryRows(
        variable=variables,
        valid_at=np.array(instants, np.int64),
        mean=mean,
        sd=mean / 10,
        quantiles=mean[..., None] + np.arange(-2.0, 3.0) * mean[..., None] / 10,
    )


def forecast(
    issued_at: Sequence[int], valid_at: Sequence[int], members: Sequence[Sequence[float]]
) -> ForecastRows:
    """Of the mill's power; corrected, it has two quantiles that lie one above the members."""
    return ForecastRows(
        "mill",
        "power",
        np.array(issued_at, np.int64),
        np.array(valid_at, np.int64),
        np.array(members),
        np.array(members)[:, :2] + 1.0,
    )


class EstimateContract:
    """What twins held to be so, and what they expected."""

    def test_that_summary_rows_come_back_in_the_order_asked_for(self, timeline: Timeline) -> None:
        timeline.put_summary("mill", summary([1, 2, 3], "a", "b", "c"), known_at=5)
        found = timeline.summary("mill", ["c", "a"], 1, 3)
        assert found.variable == ("c", "a")
        assert found.valid_at.tolist() == [2, 3]
        assert_array_equal(found.mean, [[22.0, 20.0], [32.0, 30.0]])
        assert_allclose(found.sd, [[2.2, 2.0], [3.2, 3.0]])
        assert_allclose(found.quantiles[0, 1], [16.0, 18.0, 20.0, 22.0, 24.0])
        assert found.quantiles.shape == (2, 2, 5)

    def test_that_summary_rows_are_sorted_by_time(self, timeline: Timeline) -> None:
        timeline.put_summary("mill", summary([7, 3], "a"), known_at=5)
        timeline.put_summary("mill", summary([5], "a"), known_at=6)
        found = timeline.summary("mill", ["a"], 0, 9)
        assert found.valid_at.tolist() == [3, 5, 7]
        assert found.mean[:, 0].tolist() == [30.0, 50.0, 70.0]

    def test_that_of_two_rows_at_one_instant_the_one_known_last_counts(
        self, timeline: Timeline
    ) -> None:
        timeline.put_summary("mill", summary([1, 2], "a", "b"), known_at=5)
        timeline.put_summary("mill", summary([2], "b", start=100.0), known_at=6)
        found = timeline.summary("mill", ["a", "b"], 0, 9)
        assert_array_equal(found.mean, [[10.0, 11.0], [np.nan, 120.0]])
        before = timeline.summary("mill", ["a", "b"], 0, 9, known_by=5)
        assert_array_equal(before.mean, [[10.0, 11.0], [20.0, 21.0]])
        assert len(timeline.summary("mill", ["a"], 0, 9, known_by=4).valid_at) == 0

    def test_that_of_rows_known_at_one_time_the_one_put_last_counts(
        self, timeline: Timeline
    ) -> None:
        timeline.put_summary("mill", summary([2], "a"), known_at=5)
        timeline.put_summary("mill", summary([2], "a", start=100.0), known_at=5)
        timeline.put_summary("mill", summary([3, 3], "a"), known_at=5)
        assert timeline.summary("mill", ["a"], 0, 9).mean.tolist() == [[120.0], [30.0]]

    def test_that_known_last_is_by_known_at_before_the_order_of_putting(
        self, timeline: Timeline
    ) -> None:
        timeline.put_summary("mill", summary([2], "a"), known_at=9)
        timeline.put_summary("mill", summary([2], "a", start=100.0), known_at=5)
        assert timeline.summary("mill", ["a"], 0, 9).mean.tolist() == [[20.0]]
        assert timeline.summary("mill", ["a"], 0, 9, known_by=8).mean.tolist() == [[120.0]]

    def test_that_a_variable_without_a_value_is_nan(self, timeline: Timeline) -> None:
        rows = summary([1], "a", "b")
        rows.mean[0, 1] = np.nan
        timeline.put_summary("mill", rows, known_at=5)
        found = timeline.summary("mill", ["b", "z", "a"], 0, 9)
        assert_array_equal(found.mean, [[np.nan, np.nan, 10.0]])
        assert_array_equal(found.sd, [[1.1, np.nan, 1.0]])
        assert np.isnan(found.quantiles[0, 1]).all()

    def test_that_each_twin_has_summary_rows_of_its_own(self, timeline: Timeline) -> None:
        timeline.put_summary("dam", summary([1], "a"), known_at=5)
        found = timeline.summary("mill", ["a"], 0, 9)
        assert (found.mean.shape, found.quantiles.shape) == ((0, 1), (0, 1, 5))

    def test_that_rows_of_several_twins_put_together_are_each_twins_own(
        self, timeline: Timeline
    ) -> None:
        timeline.put_summaries(
            [
                ("mill", summary([1, 2], "a", "b")),
                ("dam", summary([2], "b", "c", start=500.0)),
                ("mill", summary([2], "a", start=100.0)),
            ],
            known_at=5,
        )
        assert timeline.summary("mill", ["a", "b"], 0, 1).mean.tolist() == [[10.0, 11.0]]
        # Of one instant the row put last counts, with the variables that it has.
        assert_array_equal(timeline.summary("mill", ["a", "b"], 1, 2).mean, [[120.0, np.nan]])
        dam = timeline.summary("dam", ["c", "b"], 0, 9)
        assert dam.valid_at.tolist() == [2]
        assert dam.mean.tolist() == [[521.0, 520.0]]
        assert_array_equal(dam.quantiles[0, 1], 520.0 + np.arange(-2.0, 3.0) * 52.0)
        timeline.put_summaries([], known_at=6)
        assert len(timeline.summary("mill", ["a"], 0, 9).valid_at) == 2

    def test_that_summary_rows_are_not_known_before_the_commits_they_follow(
        self, timeline: Timeline
    ) -> None:
        timeline.append(Readings.none(), known_at=50)
        timeline.put_summary("mill", summary([1], "a"), known_at=40)
        assert len(timeline.summary("mill", ["a"], 0, 9, known_by=49).valid_at) == 0
        assert len(timeline.summary("mill", ["a"], 0, 9, known_by=50).valid_at) == 1

    def test_that_forecasts_come_by_time_then_issue(self, timeline: Timeline) -> None:
        timeline.put_forecasts(
            forecast([4, 4, 4], [10, 5, 12], [[1, 2], [3, 4], [5, 6]]), known_at=4
        )
        timeline.put_forecasts(forecast([2, 2], [10, 4], [[7, 8], [9, 10]]), known_at=5)
        found = timeline.forecasts("mill", "power", 4, 10)
        assert (found.twin, found.variable) == ("mill", "power")
        assert found.valid_at.tolist() == [5, 10, 10]
        assert found.issued_at.tolist() == [4, 2, 4]
        assert found.members.tolist() == [[3, 4], [7, 8], [1, 2]]

    def test_that_forecasts_of_several_are_put_and_found_at_once(self, timeline: Timeline) -> None:
        mill = forecast([1, 1, 1], [9, 5, 7], [[9, 9], [5, 5], [7, 7]])
        dam = replace(forecast([2, 2], [5, 6], [[1, 2, 3], [4, 5, 6]]), twin="dam")
        timeline.put_all_forecasts([mill, dam], known_at=4)
        asked = [
            ("dam", "power", 5, 9),
            ("quay", "power", 0, 9),
            ("mill", "power", 4, 7),
            ("mill", "heat", 0, 9),
            ("mill", "power", 8, 9),
        ]
        told = timeline.all_forecasts(asked)
        assert [(rows.twin, rows.variable) for rows in told] == [each[:2] for each in asked]
        assert [rows.members.tolist() for rows in told] == [
            [[4, 5, 6]],
            [],
            [[5, 5], [7, 7]],
            [],
            [[9, 9]],
        ]
        assert [rows.issued_at.tolist() for rows in told] == [[2], [], [1, 1], [], [1]]
        timeline.put_all_forecasts([], known_at=5)
        assert list(timeline.all_forecasts([])) == []

    def test_that_a_forecast_is_never_replaced(self, timeline: Timeline) -> None:
        timeline.put_forecasts(forecast([4], [10], [[1.0]]), known_at=4)
        timeline.put_forecasts(forecast([4], [10], [[2.0]]), known_at=5)
        assert timeline.forecasts("mill", "power", 0, 99).members.tolist() == [[1.0], [2.0]]

    def test_that_members_keep_single_precision(self, timeline: Timeline) -> None:
        members = np.random.default_rng(1).lognormal(0, 9, size=(3, 64))
        rows = forecast([0] * 3, [1, 2, 3], members.tolist())
        timeline.put_forecasts(rows, known_at=4)
        found = timeline.forecasts("mill", "power", 0, 9).members
        assert found.dtype == np.float64
        assert_allclose(found, members, rtol=SINGLE)

    def test_that_corrected_forecasts_come_back_beside_their_members(
        self, timeline: Timeline
    ) -> None:
        timeline.put_forecasts(forecast([1], [2], [[1.0, 2.0, 3.0]]), known_at=4)
        found = timeline.forecasts("mill", "power", 0, 9)
        assert found.members.tolist() == [[1.0, 2.0, 3.0]]
        assert found.corrected.tolist() == [[2.0, 3.0]]

    def test_that_forecasts_of_fewer_members_are_ended_by_nan(self, timeline: Timeline) -> None:
        timeline.put_forecasts(forecast([1], [2], [[1.0, 2.0, 3.0]]), known_at=4)
        timeline.put_forecasts(forecast([1], [3], [[4.0]]), known_at=4)
        found = timeline.forecasts("mill", "power", 0, 9).members
        assert_array_equal(found, [[1.0, 2.0, 3.0], [4.0, np.nan, np.nan]])

    @pytest.mark.parametrize("asked", [("dam", "power"), ("mill", "speed")])
    def test_that_forecasts_of_another_twin_or_variable_stay_apart(
        self, timeline: Timeline, asked: tuple[str, str]
    ) -> None:
        timeline.put_forecasts(forecast([1], [2], [[1.0]]), known_at=4)
        found = timeline.forecasts(*asked, 0, 9)
        assert (len(found.valid_at), found.members.shape[0]) == (0, 0)


class RecordContract:
    """What people gave names to."""

    def test_that_a_record_comes_back_whole_by_its_name(self, timeline: Timeline) -> None:
        kept = Record("scenario", "mill", "flood", b"\x00\xffbody", 7, b"state" * 1000)
        timeline.put_record(kept)
        assert timeline.record("scenario", "mill", "flood") == kept
        for other in (("plan", "mill", "flood"), ("scenario", "dam", "flood"), ("plan", "x", "y")):
            assert timeline.record(*other) is None

    def test_that_one_of_the_same_name_takes_its_place(self, timeline: Timeline) -> None:
        timeline.put_record(Record("scenario", "mill", "flood", b"first", 7, b"a"))
        second = Record("scenario", "mill", "flood", b"second", 9)
        timeline.put_record(second)
        assert timeline.record("scenario", "mill", "flood") == second
        assert list(timeline.records("scenario")) == [second]

    def test_that_records_are_listed_as_they_became_known_without_attachments(
        self, timeline: Timeline
    ) -> None:
        timeline.put_record(Record("scenario", "mill", "late", b"c", 9, b"z"))
        timeline.put_record(Record("scenario", "mill", "early", b"a", 5, b"x"))
        timeline.put_record(Record("scenario", "dam", "early", b"b", 5, b"y"))
        timeline.put_record(Record("plan", "mill", "early", b"d", 5, b"w"))
        assert [(r.twin, r.name, r.body, r.attachment) for r in timeline.records("scenario")] == [
            ("dam", "early", b"b", b""),
            ("mill", "early", b"a", b""),
            ("mill", "late", b"c", b""),
        ]
        assert [r.name for r in timeline.records("scenario", twin="mill")] == ["early", "late"]
        assert timeline.records("command") == []

    def test_that_the_newest_records_can_be_listed_alone_and_all_be_counted(
        self, timeline: Timeline
    ) -> None:
        for place, name in enumerate(("c", "b", "a")):
            timeline.put_record(Record("plan", "mill", name, b"", 5 + place))
        timeline.put_record(Record("plan", "dam", "z", b"", 9))
        timeline.put_record(Record("scenario", "dam", "z", b"", 9))
        assert [r.name for r in timeline.records("plan", newest=2)] == ["a", "z"]
        assert [r.name for r in timeline.records("plan", twin="mill", newest=2)] == ["b", "a"]
        assert [r.name for r in timeline.records("plan", newest=9)] == ["c", "b", "a", "z"]
        assert timeline.records("plan", newest=0) == []
        assert dict(timeline.record_counts("plan")) == {"mill": 3, "dam": 1}
        assert dict(timeline.record_counts("command")) == {}

    def test_that_a_dropped_record_is_gone_and_no_other(self, timeline: Timeline) -> None:
        timeline.put_record(Record("scenario", "mill", "flood", b"a", 5))
        timeline.put_record(Record("scenario", "mill", "drought", b"b", 6))
        assert timeline.drop_record("scenario", "mill", "flood")
        assert not timeline.drop_record("scenario", "mill", "flood")
        assert [r.name for r in timeline.records("scenario")] == ["drought"]
