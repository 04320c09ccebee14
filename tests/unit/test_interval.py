from __future__ import annotations

import math

import numpy as np
import pytest

from gemeos.errors import InputError
from gemeos.foresee.interval import beta, least_share, most_share, of_mean, student


@pytest.mark.parametrize(
    ("probability", "freedom", "published"),
    [
        # Student's table, as in Abramowitz & Stegun 26.10 (there for both sides).
        (0.975, 1, 12.706),
        (0.95, 5, 2.015),
        (0.975, 10, 2.228),
        (0.995, 30, 2.750),
        (0.975, 120, 1.980),
    ],
)
def test_that_quantiles_of_student_are_those_of_the_table(
    probability: float, freedom: int, published: float
) -> None:
    assert student(probability, freedom) == pytest.approx(published, abs=6e-4)


def test_that_the_beta_quantile_is_exact_where_it_has_a_formula() -> None:
    # With b = 1 the distribution is x^a; with a = 1 it is 1 - (1 - x)^b.
    assert beta(0.3, 7.0, 1.0) == pytest.approx(0.3 ** (1 / 7), abs=1e-12)
    assert beta(0.3, 1.0, 7.0) == pytest.approx(1 - 0.7 ** (1 / 7), abs=1e-12)
    assert beta(0.5, 40.0, 40.0) == pytest.approx(0.5, abs=1e-12)


def test_that_no_breach_in_n_runs_leaves_about_three_in_n_possible() -> None:
    # 1 - 0.05^(1/n); the rule of three.
    assert most_share(0, 299) == pytest.approx(1 - 0.05 ** (1 / 299), abs=1e-12)
    assert most_share(0, 299) < 0.01 < most_share(0, 298)
    assert least_share(0, 299) == 0.0
    assert most_share(5, 5) == 1.0
    assert least_share(5, 5) == pytest.approx(0.05 ** (1 / 5), abs=1e-12)


def test_that_shares_at_the_ends_give_such_counts_with_a_chance_of_five_percent() -> None:
    def at_most(count: int, runs: int, share: float) -> float:
        return sum(
            math.comb(runs, k) * share**k * (1 - share) ** (runs - k) for k in range(count + 1)
        )

    assert at_most(3, 50, most_share(3, 50)) == pytest.approx(0.05, abs=1e-9)
    assert 1 - at_most(2, 50, least_share(3, 50)) == pytest.approx(0.05, abs=1e-9)


def test_that_the_interval_of_a_mean_is_worked_out_as_student_did() -> None:
    # Additional hours of sleep of ten patients, both drugs: Student (1908), p. 20. The mean
    # difference is 1.58 h; its standard deviation with divisor n - 1 is 1.23.
    more = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    found = of_mean(more)
    assert found.mean == pytest.approx(1.58)
    assert found.low == pytest.approx(0.70, abs=0.005)
    assert found.high == pytest.approx(2.46, abs=0.005)
    assert found.excludes_zero


def test_that_too_few_differences_say_nothing() -> None:
    assert of_mean(np.array([3.0])).low == -math.inf
    assert math.isnan(of_mean(np.array([])).mean)
    with pytest.raises(InputError, match="4 of 3 runs is no share"):
        most_share(4, 3)
