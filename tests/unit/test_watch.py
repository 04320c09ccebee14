"""The watch window: reality against the band; ratios worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from gemeos.act.verify import Watch, compared, took
from gemeos.schema.plan import Band
from gemeos.units.instant import SECOND

TIMES = tuple(range(0, 1000 * SECOND, 10 * SECOND))
BAND = Band("level", "m", 0.9, TIMES, (0.0,) * 100, (1.0,) * 100)


def watched(values: list[float]) -> Watch:
    watch = Watch(BAND)
    for place, value in enumerate(values):
        watch = compared(watch, TIMES[place], value)
    return watch


@pytest.mark.parametrize(
    ("desired", "reported", "tolerance", "so"),
    [(1.0, 1.01, 0.02, True), (1.0, 1.03, 0.02, False), (1.0, None, 9.0, False)],
)
def test_that_a_device_took_what_it_reports_within_the_tolerance(
    desired: float, reported: float | None, tolerance: float, so: bool
) -> None:
    assert took(desired, reported, tolerance) is so
    assert not took(desired, float("nan"), tolerance)


def test_that_three_in_a_row_outside_of_a_band_of_90_percent_are_enough_at_any_time() -> None:
    # Each outside: 0.5 / 0.1 = 5; 5^2 = 25 < 100 <= 5^3 = 125.
    assert not watched([2.0, 2.0]).left
    assert watched([2.0, 2.0, 2.0]).left
    assert watched([0.5] * 50 + [-1.0] * 3).left


def test_that_one_in_ten_outside_is_what_a_band_of_90_percent_says() -> None:
    assert not watched([2.0, *[0.5] * 9] * 10).left


def test_that_a_reading_that_is_no_number_lies_outside() -> None:
    assert watched([float("nan")]).outside == 1


def test_that_a_fast_sensor_does_not_count_one_miss_many_times() -> None:
    watch = Watch(BAND)
    for tenth in range(10):
        watch = compared(watch, TIMES[3] + tenth * SECOND, 5.0)
    assert (watch.compared, watch.outside) == (1, 1)


def test_that_what_the_band_does_not_cover_is_not_compared() -> None:
    watch = compared(Watch(BAND), TIMES[-1] + SECOND, 5.0)
    assert compared(watch, TIMES[0] - SECOND, 5.0).compared == 0


@pytest.mark.no_cover
def test_that_a_forecast_that_is_right_runs_for_100_comparisons_or_more_on_average() -> None:
    # Lorden (1971): the average run length of Page's test is at least its threshold, 100.
    random = np.random.default_rng(7)
    lengths = []
    for _ in range(300):
        ratio, length = 1.0, 0
        watch = Watch(BAND, ratio=ratio)
        while not watch.left:
            value = 2.0 if random.random() < 0.1 else 0.5
            watch = compared(Watch(BAND, ratio=watch.ratio), 0, value)
            length += 1
        lengths.append(length)
    assert np.mean(lengths) >= 100
