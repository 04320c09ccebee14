from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
import scoringrules
from jaxtyping import Float

from gemeos.ensemble.score import (
    brier,
    coverage,
    crps,
    crps_of_quantiles,
    mean_interval,
    pinball,
    pit,
)
from gemeos.errors import InputError

STANDARD = NormalDist()


def crps_of_standard_normal(truth: float) -> float:
    """Gneiting & Raftery (2007), JASA 102, 359-378, eq. 21 with mean 0 and sd 1."""
    return (
        truth * (2.0 * STANDARD.cdf(truth) - 1.0)
        + 2.0 * STANDARD.pdf(truth)
        - 1.0 / math.sqrt(math.pi)
    )


def array(*numbers: float) -> Float[np.ndarray, " n"]:
    return np.array(numbers, np.float64)


def autoregressive(rng: np.random.Generator, count: int, memory: float) -> Float[np.ndarray, " n"]:
    """Stationary series with variance 1 and correlation ``memory`` between neighbours."""
    shocks = rng.normal(size=count) * math.sqrt(1.0 - memory**2)
    series = np.empty(count)
    before = rng.normal()
    for i, shock in enumerate(shocks):
        before = memory * before + shock
        series[i] = before
    return series


def test_that_the_crps_of_a_standard_normal_at_its_middle_is_the_known_number() -> None:
    assert crps_of_standard_normal(0.0) == pytest.approx((math.sqrt(2) - 1) / math.sqrt(math.pi))


@pytest.mark.parametrize(
    ("members", "truth", "expected"),
    [
        ([0.0, 1.0], 0.0, 0.0),  # 1/2 away on average, half the distance of the pair is 1/2
        ([0.0, 2.0], 3.0, 1.0),  # 2 - 1
        ([1.0, 1.0, 1.0], 4.0, 3.0),  # no spread: the absolute error
        ([3.0, 0.0, 1.0], 1.0, 0.0),  # (2 + 1 + 0)/3 - (3 + 2 + 1)/3/2
        ([3.0, 0.0, 1.0, 0.0], 5.0, 4.0 - 5.0 / 6.0),  # 4 - (3 + 2 + 3 + 1 + 0 + 1)/6/2
    ],
)
def test_that_the_crps_is_the_mean_error_less_half_the_mean_distance_between_members(
    members: list[float], truth: float, expected: float
) -> None:
    assert float(crps(array(*members), np.asarray(truth))) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("members", [2, 5, 32])
@pytest.mark.parametrize("truth", [0.0, 1.5])
def test_that_the_expected_crps_does_not_depend_on_the_number_of_members(
    members: int, truth: float
) -> None:
    rng = np.random.default_rng(members)
    drawn = crps(rng.normal(size=(20_000, members)), np.full(20_000, truth))
    standard_error = drawn.std() / math.sqrt(20_000)
    assert drawn.mean() == pytest.approx(crps_of_standard_normal(truth), abs=4 * standard_error)


@pytest.mark.parametrize("estimator", ["fair", "pwm"])
def test_that_the_crps_agrees_with_scoringrules(estimator: str) -> None:
    rng = np.random.default_rng(5)
    members = rng.gamma(2.0, 3.0, size=(7, 4, 21))
    truth = rng.gamma(2.0, 3.0, size=(7, 4))
    oracle = scoringrules.crps_ensemble(
        truth, np.sort(members, axis=-1), estimator=estimator, backend="numpy"
    )
    np.testing.assert_allclose(crps(members, truth), oracle, rtol=1e-12)


def test_that_the_crps_of_float32_members_far_from_nought_keeps_its_digits() -> None:
    members = (np.float32(2.0**20) + array(0.0, 0.25, 0.5)).astype(np.float32)
    near = crps(array(0.0, 0.25, 0.5), np.asarray(0.125))
    assert float(crps(members, np.asarray(2.0**20 + 0.125))) == pytest.approx(float(near), rel=1e-9)


def test_that_one_member_has_no_fair_score() -> None:
    with pytest.raises(InputError, match="two members"):
        crps(np.ones((3, 1)), np.ones(3))


@pytest.mark.parametrize("truth", [math.nan, math.inf])
def test_that_what_is_not_finite_is_refused_before_it_is_averaged(truth: float) -> None:
    with pytest.raises(InputError, match="1 of the truth"):
        crps(np.ones((2, 3)), array(1.0, truth))


def test_that_quantile_loss_weighs_the_unlikely_side() -> None:
    loss = pinball(array(10.0, 10.0), array(0.9, 0.5), np.asarray(12.0))
    np.testing.assert_allclose(loss, [1.8, 1.0])
    loss = pinball(array(10.0, 10.0), array(0.9, 0.5), np.asarray(8.0))
    np.testing.assert_allclose(loss, [0.2, 1.0])
    with pytest.raises(InputError, match="between 0 and 1"):
        pinball(array(10.0), array(1.0), np.asarray(8.0))


@pytest.mark.parametrize("truth", [0.0, -1.0, 2.5])
def test_that_many_quantiles_give_the_crps_of_their_distribution(truth: float) -> None:
    levels = (np.arange(2000) + 0.5) / 2000
    quantiles = np.array([STANDARD.inv_cdf(level) for level in levels])
    score = float(crps_of_quantiles(quantiles, levels, np.asarray(truth)))
    # The middles of 2,000 equal parts miss the integral by less than a thousandth.
    assert score == pytest.approx(crps_of_standard_normal(truth), abs=1e-3)


def test_that_the_crps_of_quantiles_agrees_with_scoringrules() -> None:
    rng = np.random.default_rng(6)
    levels = array(0.05, 0.25, 0.5, 0.75, 0.95)
    quantiles = np.sort(rng.normal(size=(30, 5)), axis=-1)
    truth = rng.normal(size=30)
    oracle = scoringrules.crps_quantile(truth, quantiles, levels, backend="numpy")
    np.testing.assert_allclose(crps_of_quantiles(quantiles, levels, truth), oracle, rtol=1e-12)


def test_that_the_brier_score_is_the_squared_error_of_the_probability() -> None:
    happened = np.array([True, False, True, False])
    np.testing.assert_allclose(brier(array(1.0, 0.0, 0.8, 0.8), happened), [0.0, 0.0, 0.04, 0.64])
    assert (brier(np.full(4, 0.5), happened) == 0.25).all()
    with pytest.raises(InputError, match="within 0 and 1"):
        brier(array(1.2), np.array([True]))


def test_that_coverage_counts_truths_at_the_ends_as_within() -> None:
    low, high = array(0.0, 0.0, 0.0, 0.0), array(1.0, 1.0, 1.0, 1.0)
    assert coverage(low, high, array(0.0, 1.0, 1.1, -0.1)) == 0.5
    with pytest.raises(InputError, match="nothing"):
        coverage(array(), array(), array())


def test_that_the_place_of_the_truth_among_members_is_counted_in_ranks() -> None:
    members = np.tile(array(3.0, 1.0, 2.0), (4, 1))
    truth = array(0.0, 2.0, 2.5, 9.0)
    # Of the four gaps: the first; one of the two around the equal member; the third; the last.
    places = pit(members, truth, np.full(4, 0.5))
    np.testing.assert_allclose(places, [0.125, 0.5, 0.625, 0.875])


def test_that_members_all_equal_to_the_truth_leave_its_place_to_chance() -> None:
    uniform = array(0.0, 0.3, 1.0)
    np.testing.assert_allclose(pit(np.zeros((3, 6)), np.zeros(3), uniform), uniform)


def test_that_the_truth_takes_every_place_alike_if_it_is_as_good_as_a_member() -> None:
    rng = np.random.default_rng(8)
    rounded = np.round(rng.normal(size=(20_000, 10)), 1)  # rounding makes many of them equal
    places = pit(rounded[:, 1:], rounded[:, 0], rng.uniform(size=20_000))
    counts, _ = np.histogram(places, bins=20, range=(0.0, 1.0))
    chi_square = float(((counts - 1000.0) ** 2 / 1000.0).sum())
    assert chi_square < 43.8  # exceeded once in 1,000 with 19 degrees of freedom


def test_that_too_small_a_spread_heaps_the_truth_at_the_ends() -> None:
    rng = np.random.default_rng(9)
    members = 0.5 * rng.normal(size=(5000, 19))
    places = pit(members, rng.normal(size=5000), rng.uniform(size=5000))
    # Beyond 19 members of half the spread: more often than the 10 % of a fair ensemble.
    assert ((places < 0.05) | (places > 0.95)).mean() > 0.3


def test_that_the_bootstrap_of_independent_values_gives_the_textbook_interval() -> None:
    rng = np.random.default_rng(10)
    series = rng.normal(3.0, 2.0, size=400)
    found = mean_interval(series, block=1, rng=rng, draws=20_000)
    half_width = 1.96 * series.std() / math.sqrt(400)
    assert found.mean == pytest.approx(series.mean())
    assert found.low == pytest.approx(series.mean() - half_width, abs=0.05 * half_width)
    assert found.high == pytest.approx(series.mean() + half_width, abs=0.05 * half_width)
    assert found.excludes_zero


def test_that_blocks_as_long_as_the_series_leave_nothing_to_chance() -> None:
    found = mean_interval(array(1.0, 5.0, 9.0), block=3, rng=np.random.default_rng(1))
    assert (found.low, found.mean, found.high) == pytest.approx((5.0, 5.0, 5.0))


@pytest.mark.parametrize(("count", "block"), [(30, 7), (30, 10), (5, 4)])
def test_that_running_sums_give_the_same_as_putting_the_blocks_together(
    count: int, block: int
) -> None:
    series = np.random.default_rng(11).gamma(2.0, size=count)
    found = mean_interval(series, block=block, rng=np.random.default_rng(12), level=0.8, draws=50)
    blocks = math.ceil(count / block)
    starts = np.random.default_rng(12).integers(count, size=(50, blocks))
    means = []
    for row in starts:
        places = [(int(start) + step) % count for start in row for step in range(block)]
        means.append(np.mean([series[place] for place in places[:count]]))
    low, high = np.quantile(means, [0.1, 0.9])
    assert (found.low, found.high) == pytest.approx((low, high))


def test_that_the_interval_holds_the_mean_of_a_series_with_memory_as_often_as_it_says() -> None:
    rng = np.random.default_rng(13)
    held = {1: 0, 25: 0}
    for _ in range(300):
        series = autoregressive(rng, 500, 0.7)
        for block in held:
            found = mean_interval(series, block=block, rng=rng, level=0.9, draws=400)
            held[block] += found.low <= 0.0 <= found.high
    # Exactly 90 % would be 270 +- 5; percentile intervals are known to fall somewhat short.
    assert held[25] > 245
    # Single values ignore the memory: sqrt((1 - 0.7)/(1 + 0.7)) of the width, so 51 %.
    assert 120 < held[1] < 186


@pytest.mark.parametrize(("block", "level"), [(0, 0.9), (4, 0.9), (1, 1.0), (1, 0.0)])
def test_that_blocks_and_levels_that_make_no_sense_are_refused(block: int, level: float) -> None:
    with pytest.raises(InputError):
        mean_interval(array(1.0, 2.0, 3.0), block=block, level=level, rng=np.random.default_rng(1))
