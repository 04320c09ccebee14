"""The parts of the default filter, one by one, against what can be worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from gemeos.assimilate import drift as drifts
from gemeos.assimilate.bound import limits
from gemeos.assimilate.cycle import Cycle
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.assimilate.fault import judged, lost
from gemeos.assimilate.inflate import (
    LARGEST_SQUARE,
    MEAN_SQUARE,
    AdaptiveRelaxation,
    RelaxToPriorSpread,
)
from gemeos.assimilate.localise import believable
from gemeos.assimilate.recover import recovered
from gemeos.assimilate.temper import apart, tempered
from gemeos.assimilate.turn import turned
from gemeos.ensemble.state import Drift, Monitor, TwinState, Verdict, newborn
from gemeos.errors import TimelineError
from gemeos.schema.prior import LogNormal, Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Sensor, State
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Crew
from gemeos.testing.linear import Linear, kalman
from gemeos.testing.truth import followed

YES = np.ones((1, 1), bool)
KEYS = np.arange(1, 6, dtype=np.uint64)
SCHEMA = Schema("two", 1_000_000, (State("a", "", Normal(0.0, 3.0)), Sensor("s", "", 0.5)))


def gaussian(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("inflation", [AdaptiveRelaxation(), RelaxToPriorSpread(0.3)])
def test_that_the_order_of_members_changes_an_analysis_by_rounding_only(
    inflation: AdaptiveRelaxation | RelaxToPriorSpread,
) -> None:
    members = (gaussian(3, 4, 32) * 2 + 5).astype(np.float32)
    predicted = (members[:, :2] + 0.5 * members[:, 2:]).astype(np.float32)
    observed, variance = gaussian(3, 2, seed=2) + 7, np.full((3, 2), 0.3)
    used = np.ones((3, 2), bool)
    order = np.random.default_rng(3).permutation(32)
    method = SerialSquareRoot((3,), inflation)

    def after(places: np.ndarray) -> np.ndarray:
        analysis = method.analysis(
            members[:, :, places], predicted[:, :, places], observed, variance, used
        )
        return inflation.inflated(analysis.members, members[:, :, places], np.full(3, 0.2))

    np.testing.assert_allclose(after(np.arange(32))[:, :, order], after(order), rtol=1e-5)


def test_that_turning_keeps_means_and_covariances_and_moves_every_member() -> None:
    members = gaussian(5, 3, 16).astype(np.float32) + 100
    ticks = np.arange(5, dtype=np.int64)
    after = turned(members, KEYS, ticks, np.full(5, 0.6))
    np.testing.assert_allclose(after.mean(axis=2), members.mean(axis=2), rtol=1e-6)
    for was, now in zip(members, after, strict=True):
        np.testing.assert_allclose(
            np.cov(now.astype(np.float64)), np.cov(was.astype(np.float64)), atol=1e-4
        )
    assert (np.abs(after - members).max(axis=1) > 1e-3).all()
    np.testing.assert_array_equal(turned(members, KEYS, ticks, np.zeros(5)), members)
    assert not np.array_equal(after, turned(members, KEYS, ticks + 1, np.full(5, 0.6)))


def test_that_a_reading_without_information_moves_nothing() -> None:
    members = gaussian(1, 2, 20)
    method = SerialSquareRoot()
    flat = np.full((1, 1, 20), 3.0)
    for predicted, variance in ((members[:, :1], 1e300), (flat, 1e-12), (flat, 1.0)):
        after = method.analysis(
            members, predicted, np.array([[9.0]]), np.full((1, 1), variance), YES
        )
        np.testing.assert_allclose(after.members, members, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variance", [1e-4, 1e-12, 1e-30, 1e-300])
def test_that_two_perfect_sensors_of_one_quantity_throw_no_other_row_away(variance: float) -> None:
    members = (gaussian(20, 2, 32) + np.array([4.0, 0.0])[:, None]).astype(np.float32)
    predicted = np.repeat(members[:, :1], 2, axis=1)
    observed = np.full((20, 2), 4.3)
    after = (
        SerialSquareRoot()
        .analysis(members, predicted, observed, np.full((20, 2), variance), np.ones((20, 2), bool))
        .members
    )
    np.testing.assert_allclose(after[:, 0].mean(axis=1), 4.3, atol=1e-3)
    # What a regression on 32 members can move the other row by: a few of its own deviations.
    assert np.abs(after[:, 1]).max() < 6.0


def test_that_the_distance_from_all_other_readings_is_what_the_exact_filter_says() -> None:
    members = gaussian(1, 2, 50)
    observation = np.array([[1.0, 0.0], [1.0, 1.0], [0.5, -1.0]])
    predicted = np.einsum("oi,tim->tom", observation, members)
    observed, variance = np.array([[1.0, 2.5, -2.0]]), np.full((1, 3), 0.25)
    used = np.array([[True, True, False]])
    given = np.array([[0.25, 1.0, 0.25]])
    method = SerialSquareRoot(inflation=RelaxToPriorSpread(0.0))
    analysis = method.analysis(members, predicted, observed, given, used)
    one_each = np.arange(3, dtype=np.int32)[None]
    far = apart(analysis.residual, analysis.left, given, variance, used, one_each).each
    mean, covariance = members[0].mean(axis=1), np.cov(members[0])
    for reading in range(3):
        others = [r for r in range(2) if r != reading]
        without, left = mean, covariance
        for other in others:
            noise = float(np.sqrt(given[0, other]))
            row = observation[[other]]
            without, left = kalman(without, left, row, observed[0, [other]], noise)
        h = observation[reading]
        expected = (observed[0, reading] - h @ without) / np.sqrt(h @ left @ h + 0.25)
        np.testing.assert_allclose(far[0, reading], expected, rtol=1e-9)


def test_that_readings_of_one_channel_do_not_vouch_for_each_other() -> None:
    members = gaussian(1, 1, 50)
    predicted = np.repeat(members, 3, axis=1)
    observed, variance = np.array([[3.0, 3.0, 0.1]]), np.full((1, 3), 0.04)
    used, channel = np.ones((1, 3), bool), np.array([[0, 0, 1]], np.int32)
    method = SerialSquareRoot(inflation=RelaxToPriorSpread(0.0))
    analysis = method.analysis(members, predicted, observed, variance, used)
    far = apart(analysis.residual, analysis.left, variance, variance, used, channel)
    prior, spread = members.mean(axis=2)[0], np.cov(members[0])[None, None]
    h = np.ones((1, 1))
    other, left = kalman(prior, spread, h, np.array([0.1]), 0.2)
    each = (3.0 - other[0]) / np.sqrt(left[0, 0] + 0.04)
    both = (3.0 - other[0]) / np.sqrt(left[0, 0] + 0.02)
    np.testing.assert_allclose(far.each[0, :2], each, rtol=1e-9)
    np.testing.assert_allclose(far.together[0, :2], both, rtol=1e-9)


def test_that_a_gross_reading_moves_less_the_grosser_it_is() -> None:
    spread, variance = np.array([[4.0]]), np.array([[1.0]])
    pulls = []
    for surprise in (5.0, 8.9, 9.0, 90.0, 900.0):
        given = tempered(np.array([[surprise]]), spread, variance, YES, np.zeros((1, 1), np.int32))
        pulls.append(float((spread / (spread + given))[0, 0]) * surprise)
    # Four deviations are 4 sqrt(5) = 8.94: within them gain 4/5; beyond, 4 x 16 / surprise.
    np.testing.assert_allclose(pulls, [4.0, 7.12, 64 / 9, 64 / 90, 64 / 900], rtol=1e-12)


def test_that_innovations_as_large_as_expected_ask_for_no_change() -> None:
    draw = gaussian(200_000, 1)
    start, doubt, variance = np.full(200_000, 0.2), np.full_like(draw, 0.8), np.ones_like(draw)
    used = np.ones(draw.shape, bool)

    def step(actual: float) -> float:
        surprise = np.sqrt(actual) * draw
        after = AdaptiveRelaxation().learned(start, surprise, doubt, variance, used)
        return float((after - 0.2).mean())

    # One step has a deviation of 0.004 x 1.1: the mean of 200,000 is known to 1e-5.
    assert abs(step(1.8)) < 4e-5
    assert step(2.2) > 3e-4
    assert step(1.4) < -3e-4


@pytest.mark.no_cover
def test_that_a_consistent_ensemble_is_hardly_inflated_and_a_poor_one_is() -> None:
    def relaxation(members: int) -> float:
        model = Linear(
            matrix=0.95 * np.eye(4),
            observation=np.eye(4),
            prior_mean=np.zeros(4),
            prior_sd=np.ones(4),
            step_noise_sd=np.full(4, 0.1),
            sensor_noise_sd=0.3,
        )
        cycle = Cycle(Stepper(model), SerialSquareRoot())
        told = followed(cycle, twins=40, members=members, instants=300, seed=3)
        seen = [cycle.assimilator.inflation.strength(now.state.relaxation) for now in told]
        return float(np.mean(seen[100:]))

    # Where nothing is missing the estimate stays about its starting point, not about a tuned one.
    assert relaxation(128) < 0.1
    assert relaxation(6) > 0.15


def test_that_what_is_not_observed_keeps_its_spread_whatever_is_given_back() -> None:
    members = gaussian(1, 2, 400).astype(np.float32)
    members[:, 1] -= members[:, 0] * (members[:, 0] * members[:, 1]).mean()
    before = members[:, 1].std()
    method = SerialSquareRoot()
    for instant in range(300):
        observed = np.array([[np.sin(instant)]])
        after = method.analysis(members, members[:, :1], observed, np.array([[0.5]]), YES).members
        members = method.inflation.inflated(after, members, np.array([0.6]))
    np.testing.assert_allclose(members[:, 1].std(), before, rtol=0.05)


def test_that_only_what_exceeds_the_threshold_of_a_correlation_is_believed() -> None:
    # 36 members: the threshold is a correlation of one half.
    squares = np.array([0.1, 0.25, 0.5, 1.0])
    share = believable(np.sqrt(squares)[None], np.ones((1, 4)), np.ones((1, 1)), 36)
    np.testing.assert_allclose(share, [[0.0, 0.0, 0.5, 0.75]], atol=1e-12)


def stake_after(squares: np.ndarray, drift: np.ndarray) -> np.ndarray:
    surprise = np.sqrt(squares)
    ones = np.ones_like(squares)
    return drifts.tested(drift, surprise, ones, ones > 0)


def test_that_the_test_of_drift_seldom_rejects_and_rejects_a_spread_too_small_by_half() -> None:
    rng = np.random.default_rng(7)
    begun = np.zeros((1_000, len(Drift)))
    sound = stake_after(rng.normal(size=(1_000, 2_000)) ** 2, begun)
    # At one per cent; sound innovations lie far inside what is tolerated.
    assert sound[:, Drift.REJECTED].sum() <= 10
    late = stake_after(4.0 * rng.normal(size=(1_000, 300)) ** 2, sound)
    assert late[:, Drift.REJECTED].mean() > 0.95


def test_that_a_drift_is_over_after_a_hundred_readings_that_pass() -> None:
    drifting = np.array([[0.0, 0.0, 1.0]])
    almost = stake_after(np.ones((1, drifts.READINGS_TO_PASS - 1)), drifting)
    assert almost[0, Drift.REJECTED] == 1
    assert stake_after(np.ones((1, 1)), almost)[0, Drift.REJECTED] == 0
    still = stake_after(np.full((1, drifts.READINGS_TO_PASS), 9.0), drifting)
    assert still[0, Drift.REJECTED] == 1


def test_that_a_newly_found_bad_sensor_voids_the_stake_and_a_bad_model_rejects() -> None:
    drift = np.array([[40.0, 50.0, 0.0]] * 3)
    model, sensor = np.array([False, True, False]), np.array([True, False, False])
    after = drifts.doubted(drift, model, sensor)
    np.testing.assert_array_equal(after, [[0, 50, 0], [0, 0, 1], [40, 50, 0]])


def heard(channels: int) -> np.ndarray:
    state = newborn(SCHEMA, KEYS[:1], members=4, channels=channels)
    monitors = state.monitors.copy()
    monitors[:, :, [Monitor.COMPARED, Monitor.LAST_AT, Monitor.INTERVAL]] = 100.0, 1e6, 1e4
    return monitors


@pytest.mark.parametrize(
    ("channels", "bad", "named"), [(1, 1, 0), (2, 1, 1), (2, 2, 0), (8, 2, 2), (8, 3, 0)]
)
def test_that_a_few_bad_channels_are_sensors_and_many_are_the_model(
    channels: int, bad: int, named: int
) -> None:
    monitors = heard(channels)
    monitors[:, :bad, [Monitor.ABOVE, Monitor.LOST]] = 15.0, 8.0
    after, model = judged(monitors)
    assert (after[0, :, Monitor.VERDICT] == Verdict.BIASED).sum() == named
    assert model[0] == (named == 0)
    assert lost(monitors)[0] == (named == 0)


def test_that_a_recovered_ensemble_has_at_least_the_spread_of_the_prior_and_its_own_mean() -> None:
    state = newborn(SCHEMA, KEYS, members=400, channels=1)
    tick = np.full(5, 77, np.int64)
    narrow = replace(state, tick=tick, born=tick - 9, members=state.members * 0.01 + 50)
    crew = Crew(("a", "b", "c", "d", "e"), KEYS, np.zeros((5, 0), np.float32))
    which = np.array([True, False, True, False, False])
    after = recovered(SCHEMA, narrow, crew, which)
    np.testing.assert_array_equal(after.recovered, [1, 0, 1, 0, 0])
    np.testing.assert_array_equal(after.members[~which], narrow.members[~which])
    np.testing.assert_allclose(after.members.mean(axis=2), narrow.members.mean(axis=2), rtol=1e-5)
    # Standard error of a deviation of 400: 3.5 %.
    np.testing.assert_allclose(after.members[which].std(axis=2), 3.0, rtol=0.12)
    alone = recovered(SCHEMA, narrow.take([2]), crew.take(np.array([2])), np.array([True]))
    assert alone.digest() == after.take([2]).digest()


def test_that_coordinates_of_bounded_variables_stay_finite_numbers() -> None:
    schema = Schema(
        "bounded",
        1_000_000,
        (
            State("free", "", Normal(0.0, 1.0)),
            State("queue", "", Normal(20.0, 5.0), bounds=(0.0, None)),
            State("share", "", Normal(0.5, 0.1), bounds=(0.0, 1.0)),
            State("stiff", "", LogNormal(40.0, 0.1)),
        ),
    )
    least, most = limits(schema)
    assert least[0] == -np.inf
    assert most[0] == np.inf
    # An empty queue counts as two millionths of a car, not as 10^-38.
    np.testing.assert_allclose(np.exp(least[1]), 20 * np.exp(-16), rtol=1e-5)
    assert np.isfinite(np.exp(most[1:])).all()
    place = 1 / (1 + np.exp(-least[2].astype(np.float64)))
    assert 0 < place < 1e-6


def test_that_a_state_stored_by_another_version_is_refused_by_name() -> None:
    packed = newborn(SCHEMA, KEYS[:1], members=4, channels=1).to_bytes()
    assert TwinState.from_bytes(packed).digest()
    told = msgspec.msgpack.decode(packed)
    del told["recovered"]
    told["monitors"] = [told["monitors"][0], [1, 1, 7], told["monitors"][2][: 7 * 8]]
    with pytest.raises(TimelineError, match=r"lacks recovered.*7.*instead of 22"):
        TwinState.from_bytes(msgspec.msgpack.encode(told))


def test_that_the_mean_of_bounded_squares_is_that_of_a_normal() -> None:
    # By the trapezoid over a fine grid, whose error is far below the last digit given.
    x = np.linspace(-9.0, 9.0, 200_001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    exact = float((np.minimum(x**2, LARGEST_SQUARE) * density).sum() * (x[1] - x[0]))
    np.testing.assert_allclose(MEAN_SQUARE, exact, rtol=1e-4)
