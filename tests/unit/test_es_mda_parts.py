"""Parts of the smoother of black boxes: coefficients, localisation, failed members, odd cases."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from gemeos.assimilate.es_mda import Draws, EsMda, Params, Predictions
from gemeos.assimilate.localise import gaspari_cohn
from gemeos.assimilate.mda_schedule import Constant, Falling
from gemeos.assimilate.observed import Observed
from gemeos.errors import AssimilationError, InputError, TooFewMembersError

DRAWS = Draws(4, "city", 12)
EVERY = EsMda(energy=1.0, cut_off=0.0)


def normal(rows: int, members: int, tick: int = 0) -> Params:
    names = tuple(str(i) for i in range(rows))
    return Draws(8, "test", tick).normal("test", names, members)


def seen(params: Params, _: int) -> Predictions:
    """Three readings of two parameters."""
    return np.array([params[0], params[0] * params[1], params[1] ** 2])


def three() -> Observed:
    return Observed(("a", "b", "c"), np.array([1.0, 0.5, 0.3]), np.array([0.1, 0.2, 0.3]))


def test_that_falling_coefficients_are_a_geometric_row_that_counts_readings_once() -> None:
    # 1/a (1 + 2 + 4) = 1 with a = 7: the row is 7, 7/2, 7/4.
    found = Falling(3, first=7.0).coefficients(np.zeros(0))
    assert found == pytest.approx((7.0, 3.5, 1.75), rel=1e-12)


def test_that_the_first_coefficient_is_the_square_of_the_mean_singular_value() -> None:
    # (2 + 4) / 2 squared is 9; with two steps 1/9 + 1/a = 1 leaves a = 9/8.
    assert Falling(2).coefficients(np.array([4.0, 2.0])) == pytest.approx((9.0, 1.125), rel=1e-12)
    # Where the readings tell little there is nothing to be careful about.
    assert Falling(2).coefficients(np.array([0.5])) == pytest.approx((2.0, 2.0), rel=1e-12)
    assert Falling(1).coefficients(np.array([9.0])) == (1.0,)


def test_that_the_schedule_sees_the_anomalies_in_deviations_of_the_readings() -> None:
    params = np.array([[-1.0, 1.0, -1.0, 1.0]])
    observed = Observed(("a",), np.array([0.0]), np.array([0.25]))
    after = EsMda(Falling(2)).smoothed(params, lambda p, _: 3.0 * p, observed, DRAWS)
    # Variance of the predictions 9 x 4/3, in variances of the reading 48: coefficients 48, 48/47.
    assert after.coefficients == pytest.approx((48.0, 48.0 / 47.0), rel=1e-9)


def test_that_many_readings_of_one_thing_do_not_thin_the_schedule() -> None:
    params = np.array([[-1.0, 1.0, -1.0, 1.0]]) + 0.1
    smoother = EsMda(Falling(2), energy=1.0)
    # Together they tell as much as one reading of three times the parameter.
    sensitivity = np.sqrt(np.array([[1.0], [2.0], [3.0], [0.5], [2.5]]))
    five = Observed(tuple("abcde"), np.zeros(5), np.full(5, 0.25))
    after = smoother.smoothed(params, lambda p, _: sensitivity * p, five, DRAWS)
    assert after.coefficients == pytest.approx((48.0, 48.0 / 47.0), rel=1e-9)


def test_that_perturbations_are_as_wide_as_the_enlarged_errors() -> None:
    # Of two members at 0 and 2 the variance is 2, so the gain is known. What is left of a move
    # without the gain times the surprise is the gain times the perturbation, and its sample
    # variance is on average the coefficient times the reading's.
    params, predicted = np.array([[0.0, 2.0]]), np.array([[0.0, 2.0]])
    observed = Observed(("a",), np.array([5.0]), np.array([0.3]))
    gain = 2.0 / (2.0 + 4.0 * 0.3)
    found = []
    for tick in range(2000):
        after = EVERY.update(params, predicted, observed, 4.0, replace(DRAWS, tick=tick)).params
        left = (after - params - gain * (5.0 - predicted)) / gain
        found.append(float(left.var(ddof=1)))
    # The variance of two has relative standard error sqrt(2); four of those of the mean.
    assert np.mean(found) == pytest.approx(1.2, rel=4 * math.sqrt(2 / 2000))


def test_that_coefficients_that_count_too_much_are_refused() -> None:
    with pytest.raises(InputError, match="one step"):
        Constant(0)
    with pytest.raises(InputError, match="at least 4"):
        Falling(4, first=3.0)


def test_that_the_taper_has_its_published_values() -> None:
    # Gaspari & Cohn's eq. 4.10 at 0, 1/2, 1, 2 half widths, written out by hand.
    found = gaspari_cohn(np.array([0.0, 1.5, 3.0, -3.0, 6.0, 60.0]), 3.0)
    by_hand = [1.0, 1 - 5 / 12 + 5 / 64 + 1 / 32 - 1 / 128, 5 / 24, 5 / 24, 0.0, 0.0]
    assert found == pytest.approx(by_hand, abs=1e-12)


def test_that_parameters_nobody_read_are_moved_as_chance_tells_or_hardly_at_all() -> None:
    members, others = 50, 4000
    params = normal(1 + others, members)
    observed = Observed(("a",), np.array([3.0]), np.array([0.5]))
    every = EVERY.update(params, params[:1], observed, 1.0, DRAWS).params
    believed = EsMda(energy=1.0).update(params, params[:1], observed, 1.0, DRAWS).params

    def shifts(after: Params) -> Params:
        return (after - params)[1:].mean(axis=1)

    variance = float(params[0].var(ddof=1))
    innovation = 3.0 - float(params[0].mean())
    # The mean of a squared sample correlation of independent Gaussians is 1/(N - 1); its fourth
    # moment 3/(N^2 - 1), so that of 4000 the root mean square is known to 1.1 %.
    chance = innovation * math.sqrt(variance) / (variance + 0.5) / math.sqrt(members - 1)
    assert math.sqrt(np.mean(shifts(every) ** 2)) == pytest.approx(chance, rel=0.05)
    # Beyond 3/sqrt(50) by chance: t = 3.246 with 48 degrees of freedom, 0.21 %: 8.5 of 4000.
    moved = np.abs(shifts(believed)) > 0
    assert moved.sum() <= 8.5 + 5 * math.sqrt(8.5)
    assert math.sqrt(np.mean(shifts(believed) ** 2)) < 0.1 * chance
    # What was read is still moved: nearly as far.
    share = (believed - params)[0].mean() / (every - params)[0].mean()
    assert share == pytest.approx(1 - 9 / members, rel=1e-9)


def test_that_a_reading_reaches_no_farther_than_it_is_told_to() -> None:
    params = normal(2, 30)
    reach = np.array([[1.0, 0.0, 0.5], [0.0, 0.0, 0.0]])
    observed = replace(three(), reach=reach)
    after = EVERY.update(params, seen(params, 0), observed, 1.0, DRAWS).params
    whole = EVERY.update(params, seen(params, 0), three(), 1.0, DRAWS).params
    assert np.array_equal(after[1], params[1])
    assert not np.array_equal(after[0], whole[0])
    without = replace(three(), reach=np.ones((2, 3)))
    assert np.array_equal(EVERY.update(params, seen(params, 0), without, 1.0, DRAWS).params, whole)


@pytest.mark.parametrize("is_correlated", [False, True])
def test_that_the_order_of_the_readings_changes_nothing_beyond_rounding(
    is_correlated: bool,
) -> None:
    params, order = normal(2, 30), np.array([2, 0, 1])
    correlation = np.array([[1.0, 0.5, 0.1], [0.5, 1.0, 0.3], [0.1, 0.3, 1.0]])
    one = replace(three(), correlation=correlation) if is_correlated else three()
    other = Observed(
        tuple(one.names[i] for i in order),
        one.values[order],
        one.variance[order],
        correlation=correlation[np.ix_(order, order)] if is_correlated else None,
    )
    here = EsMda().smoothed(params, seen, one, DRAWS)
    there = EsMda().smoothed(params, lambda p, d: seen(p, d)[order], other, DRAWS)
    assert there.params == pytest.approx(here.params, abs=1e-10)
    assert there.misfit == pytest.approx(here.misfit, rel=1e-10)


def test_that_what_was_not_read_is_as_if_nobody_had_asked() -> None:
    params = normal(2, 30)
    silent = replace(three(), values=np.array([1.0, np.nan, 0.3]))
    fewer = Observed(("a", "c"), np.array([1.0, 0.3]), np.array([0.1, 0.3]))

    def all_but_b(p: Params, draw: int) -> Predictions:
        full = seen(p, draw)
        full[1] = np.nan  # a failure to predict it is none either
        return full

    here = EsMda().smoothed(params, all_but_b, silent, DRAWS)
    there = EsMda().smoothed(params, lambda p, d: seen(p, d)[[0, 2]], fewer, DRAWS)
    assert np.array_equal(here.params, there.params)
    assert here.failed == (0, 0, 0, 0)


def test_that_equal_draws_give_equal_bits_and_others_do_not() -> None:
    params = normal(2, 30)
    first = EsMda().smoothed(params, seen, three(), DRAWS).params
    assert np.array_equal(EsMda().smoothed(params, seen, three(), DRAWS).params, first)
    for other in (replace(DRAWS, seed=5), replace(DRAWS, twin="town"), replace(DRAWS, tick=13)):
        assert not np.array_equal(EsMda().smoothed(params, seen, three(), other).params, first)


def test_that_each_step_has_perturbations_of_its_own() -> None:
    params = normal(2, 30)
    one = EVERY.update(params, seen(params, 0), three(), 4.0, DRAWS, step=0).params
    other = EVERY.update(params, seen(params, 0), three(), 4.0, DRAWS, step=1).params
    assert one.mean(axis=1) == pytest.approx(other.mean(axis=1), abs=1e-12)
    assert not np.allclose(one, other)


def test_that_a_failed_member_says_nothing() -> None:
    params, failed = normal(2, 40), [3, 17, 39]
    predicted = seen(params, 0)
    predicted[0, 3], predicted[1, 17], predicted[2, 39] = np.nan, np.inf, np.nan
    elsewhere = params.copy()
    elsewhere[:, failed] = 1e6
    here = EVERY.update(params, predicted, three(), 1.0, DRAWS)
    there = EVERY.update(elsewhere, predicted, three(), 1.0, DRAWS)
    assert here.failed == there.failed == 3
    assert np.array_equal(here.params, there.params)
    # They are drawn again: nobody's copies, and within reach of the others.
    columns = {tuple(c) for c in here.params.T}
    assert len(columns) == 40
    assert np.abs(here.params).max() < 10


def test_that_failed_members_are_drawn_from_what_the_others_became() -> None:
    members, lost = 2000, 900
    params = normal(2, members)
    predicted = seen(params, 0)
    predicted[0, :lost] = np.nan
    after = EVERY.update(params, predicted, three(), 1.0, DRAWS).params
    again, living = after[:, :lost], after[:, lost:]
    variances = living.var(axis=1)
    error = np.sqrt(variances / lost)
    assert (np.abs(again.mean(axis=1) - living.mean(axis=1)) < 4 * error).all()
    # Isserlis: of a Gaussian's sample covariance.
    covariance = np.cov(living)
    error = np.sqrt((np.outer(variances, variances) + covariance**2) / lost)
    assert (np.abs(np.cov(again) - covariance) < 4 * error).all()


def test_that_failures_are_counted_step_by_step() -> None:
    calls: list[int] = []

    def predict(p: Params, draw: int) -> Predictions:
        predicted = seen(p, draw)
        predicted[:, : len(calls)] = np.nan
        calls.append(draw)
        return predicted

    after = EsMda().smoothed(normal(2, 30), predict, three(), DRAWS)
    assert after.failed == (0, 1, 2, 3)
    assert calls == [0, 0, 0, 0]  # without scatter the members meet the same chances


def test_that_fresh_chances_are_asked_for_where_the_simulator_has_its_own() -> None:
    calls: list[int] = []

    def predict(p: Params, draw: int) -> Predictions:
        calls.append(draw)
        return seen(p, draw)

    EsMda().smoothed(normal(2, 30), predict, replace(three(), scatter=np.ones(3)), DRAWS)
    assert calls == [0, 1, 2, 3]


def test_that_half_of_the_members_must_be_left() -> None:
    params = normal(2, 10)
    predicted = seen(params, 0)
    predicted[0, :5] = np.nan
    assert EVERY.update(params, predicted, three(), 1.0, DRAWS).failed == 5
    predicted[0, 5] = np.nan
    with pytest.raises(TooFewMembersError, match="6 of 10 members of city") as told:
        EVERY.update(params, predicted, three(), 1.0, DRAWS, step=2)
    assert "step 3" in str(told.value)


def test_that_a_faint_direction_is_cut_off_and_kept_if_asked_for() -> None:
    # Orthogonal anomalies 1000 : 1; the faint one is 0.1 % of the sum of the singular values.
    params = np.array([[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]])
    observed = Observed(("a", "b"), np.array([500.0, 1.0]), np.ones(2))
    predicted = np.array([[1000.0], [1.0]]) * params
    cut = EsMda(energy=0.99, cut_off=0.0).update(params, predicted, observed, 1.0, DRAWS).params
    assert np.array_equal(cut[1], params[1])
    whole = EVERY.update(params, predicted, observed, 1.0, DRAWS).params
    # Variance 4/3 against 1: the mean goes 4/7 of the way to 1.
    assert whole[1].mean() == pytest.approx(4 / 7, rel=1e-9)


@pytest.mark.parametrize("smoother", [EVERY, EsMda(), EsMda(Falling(3))])
def test_that_nothing_moves_where_nothing_is_told(smoother: EsMda) -> None:
    params = normal(2, 20)
    still = smoother.smoothed(params, lambda p, _: np.ones((3, p.shape[1])), three(), DRAWS)
    assert np.array_equal(still.params, params)
    silent = replace(three(), values=np.full(3, np.nan))
    unread = smoother.smoothed(params, seen, silent, DRAWS)
    assert np.array_equal(unread.params, params)
    assert all(math.isnan(m) for m in unread.misfit)
    one = np.repeat(params[:, :1], 20, axis=1)
    assert np.array_equal(smoother.smoothed(one, seen, three(), DRAWS).params, one)
    none = Observed((), np.zeros(0), np.zeros(0))
    empty = smoother.smoothed(params, lambda p, _: np.zeros((0, p.shape[1])), none, DRAWS)
    assert np.array_equal(empty.params, params)


def test_that_a_parameter_without_spread_stays_while_the_others_move() -> None:
    params = normal(2, 20)
    params[1] = 0.7
    after = EsMda().smoothed(params, seen, three(), DRAWS).params
    assert np.array_equal(after[1], params[1])
    assert not np.array_equal(after[0], params[0])


def test_that_many_more_readings_than_members_are_no_trouble() -> None:
    # Each of 2000 readings of x with variance 2000: together a reading of variance 1.
    count, members = 2000, 40
    params = normal(1, members)
    names = tuple(f"r{i}" for i in range(count))
    observed = Observed(names, np.full(count, 2.0), np.full(count, float(count)))
    after = EsMda(Constant(1), cut_off=0.0).smoothed(
        params, lambda p, _: np.repeat(p, count, axis=0), observed, DRAWS
    )
    variance, mean = float(params.var(ddof=1)), float(params.mean())
    told = mean + variance / (variance + 1.0) * (2.0 - mean)
    assert float(after.params.mean()) == pytest.approx(told, rel=1e-9)


def test_that_misfit_is_in_deviations_of_the_whole_error() -> None:
    params = np.array([[0.0, 2.0]])
    observed = Observed(("a",), np.array([3.0]), np.array([3.0]), scatter=np.array([1.0]))
    after = EsMda(Constant(1)).smoothed(params, lambda p, _: p, observed, DRAWS)
    # (3^2 + 1^2) / 2 over a variance of 3 + 1.
    assert after.misfit == pytest.approx((1.25,), rel=1e-12)


def test_that_numbers_beyond_their_range_are_told() -> None:
    params = normal(2, 20)
    with pytest.raises(AssimilationError, match="same unit"):
        EVERY.update(params, 1e200 * seen(params, 0), three(), 1.0, DRAWS)


def test_that_shapes_that_do_not_fit_are_refused() -> None:
    params = normal(2, 20)
    with pytest.raises(InputError, match="3 readings by 20 members"):
        EVERY.smoothed(params, lambda p, d: seen(p, d)[:2], three(), DRAWS)
    with pytest.raises(InputError, match="two members"):
        EVERY.smoothed(params[:, :1], seen, three(), DRAWS)
    far = replace(three(), reach=np.ones((3, 3)))
    with pytest.raises(InputError, match="reach"):
        EVERY.smoothed(params, seen, far, DRAWS)
    with pytest.raises(InputError, match="at least 1"):
        EVERY.update(params, seen(params, 0), three(), 0.5, DRAWS)
    for energy in (0.0, 1.1, math.nan):
        with pytest.raises(InputError, match="energy"):
            EsMda(energy=energy)
    for cut_off in (-1.0, math.nan):
        with pytest.raises(InputError, match="cut-off"):
            EsMda(cut_off=cut_off)


@pytest.mark.parametrize(
    "wrong",
    [
        {"names": ("a", "a", "b")},
        {"names": ("a", "b")},
        {"values": np.array([1.0, math.inf, 0.0])},
        {"variance": np.array([1.0, 0.0, 1.0])},
        {"variance": np.array([1.0, math.nan, 1.0])},
        {"scatter": np.array([1.0, -1.0, 1.0])},
        {"scatter": np.array([1.0, math.nan, 1.0])},
        {"scatter": np.eye(2)},
        {"scatter": np.diag([1.0, -1.0, 1.0])},
        {"scatter": np.eye(3) + np.diag([0.2, 0.0], 1)},
        {"reach": np.full((2, 3), 1.5)},
        {"correlation": np.eye(2)},
        {"correlation": 2 * np.eye(3)},
        {"correlation": np.eye(3) + np.diag([0.2, 0.0], 1)},
        {"correlation": np.ones((3, 3))},
    ],
    ids=str,
)
def test_that_errors_of_readings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(three(), **wrong)  # type: ignore[arg-type]


def test_that_settings_are_part_of_the_identity() -> None:
    every = {
        s.identity
        for s in (EsMda(), EVERY, EsMda(Constant(2)), EsMda(Falling(4)), EsMda(Falling(4, 9.0)))
    }
    assert len(every) == 5
