"""Charts: where things are drawn, and that nothing is told by colour alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from gemeos.serve.chart import MOST_DOTS, MOST_POINTS, Chart, Course, drawn, ticks
from gemeos.units.instant import SECOND


def course(
    kind: str, low: Sequence[float], high: Sequence[float], label: str = "with it"
) -> Course:
    times = np.arange(len(low), dtype=np.int64) * 10 * SECOND
    ends = np.array(low, np.float64), np.array(high, np.float64)
    return Course(label, kind, times, *ends, (ends[0] + ends[1]) / 2)


def chart(*courses: Course, seen: Sequence[tuple[int, float]] = (), zero: bool = False) -> str:
    told = Chart("c0", "level < 3", "It rises & falls.", "m", courses, 0, zero, seen)
    return drawn(told)


def paths(svg: str, kind: str) -> list[str]:
    return re.findall(rf"<path class='{kind}'[^>]* d='([^']*)'", svg)


def test_that_a_band_is_drawn_where_its_numbers_are() -> None:
    # The frame is 52..410 wide and 204..26 high, the numbers 0..10 with 6 % of room at both ends:
    # 0 lies 0.6 of 11.2 above the frame's foot, 204 - 178 * 0.6 / 11.2 = 194.46; 10 at 35.54.
    (band,) = paths(chart(course("one", [0, 0], [10, 10])), "band one")
    assert band == "M52.0 35.5L410.0 35.5L410.0 194.5L52.0 194.5Z"


def test_that_the_middle_is_a_line_between_the_ends() -> None:
    (line,) = paths(chart(course("one", [0, 0], [10, 10])), "line one")[:1]
    assert line == "M52.0 115.0L410.0 115.0"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 10.0, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]),
        (83.0, 85.1, [83.0, 83.5, 84.0, 84.5, 85.0]),
        (-1.0, 1.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ],
)
def test_that_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_that_both_courses_are_told_apart_without_colour() -> None:
    svg = chart(course("other", [0, 1], [1, 2], "nothing"), course("one", [1, 2], [2, 3]))
    assert "url(#c0-hatch)" in svg
    assert "id='c0-hatch'" in svg
    assert ">nothing</text>" in svg
    assert ">with it</text>" in svg


def test_that_a_chart_has_a_title_and_says_in_words_what_it_shows() -> None:
    svg = ET.fromstring(chart(course("one", [0, 1], [1, 2])))  # noqa: S314 -- made here
    assert svg.attrib["role"] == "img"
    told = {each.attrib["id"]: each.text for each in svg if "id" in each.attrib}
    assert [told[name] for name in svg.attrib["aria-labelledby"].split()] == [
        "level < 3",
        "It rises & falls.",
    ]


def test_that_a_band_without_width_and_a_single_instant_are_drawn() -> None:
    for drawn_of in (chart(course("one", [2, 2], [2, 2])), chart(course("one", [2], [3]))):
        assert "nan" not in drawn_of
        assert "inf" not in drawn_of


def test_that_zero_is_in_sight_where_it_is_asked_for() -> None:
    far = course("one", [5, 5], [6, 6])
    assert paths(chart(far, zero=True), "zero")
    assert not paths(chart(far), "zero")


def test_that_many_points_are_thinned_and_the_last_is_kept() -> None:
    many = 10_000
    svg = chart(
        course("one", [0.0] * many, [1.0] * many),
        seen=[(at * SECOND, 0.5) for at in range(many)],
    )
    (line,) = paths(svg, "line one")[:1]
    assert line.count("L") == MOST_POINTS - 1
    assert line.endswith("410.0 115.0")
    assert svg.count("<circle") <= MOST_DOTS


def test_that_what_is_no_number_is_not_drawn() -> None:
    svg = chart(course("one", [0, 0], [1, 1]), seen=[(0, float("nan")), (SECOND, 0.5)])
    assert svg.count("<circle") == 1


def test_that_labels_are_escaped_and_cut_where_they_are_long() -> None:
    svg = chart(course("one", [0, 1], [1, 2], "<script>" + "x" * 100))
    assert "<script>" not in svg
    assert "&lt;script&gt;" in svg
    assert "x" * 30 not in svg


def test_that_now_is_in_sight_also_where_all_that_is_drawn_lies_before_it() -> None:
    past = course("one", [1.0, 2.0], [2.0, 3.0])  # at 0 and at 10 s
    told = Chart("c0", "level", "It rises.", "m", (past,), 40 * SECOND, now=True)
    (line,) = paths(drawn(told), "zero")
    (band,) = paths(drawn(told), "band one")
    places = [float(each.split()[0]) for each in re.split("[ML]", band.removesuffix("Z")) if each]
    # A quarter of the way from the first instant to now.
    begin, end, now = min(places), max(places), float(line.removeprefix("M").split()[0])
    assert (end - begin) / (now - begin) == pytest.approx(0.25, abs=0.01)
    assert ">now</text>" in drawn(told)
