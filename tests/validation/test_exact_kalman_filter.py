"""The serial square-root filter against the exact filter, Kalman (1960).

With the ensemble's own mean and covariance as prior, a square-root analysis must give the exact
posterior mean and covariance; nothing is left to sampling.
"""

from __future__ import annotations

import numpy as np

from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.assimilate.inflate import RelaxToPriorSpread
from gemeos.testing.linear import kalman

EXACT = SerialSquareRoot(inflation=RelaxToPriorSpread(0.0))


def test_that_an_analysis_gives_the_exact_mean_and_covariance() -> None:
    rng = np.random.default_rng(3)
    observation = np.array([[1.0, 0.0, 0.5], [0.0, 2.0, -1.0]])
    ensembles = rng.normal(size=(5, 3, 40)) * np.array([1.0, 2.0, 0.3])[:, None] + 7.0
    predicted = np.einsum("oi,tim->tom", observation, ensembles)
    observed = predicted.mean(axis=2) + rng.normal(size=(5, 2))
    after = EXACT.analyse(
        ensembles, predicted, observed, np.full((5, 2), 0.49), np.ones((5, 2), bool)
    )
    for twin in range(5):
        mean, covariance = kalman(
            ensembles[twin].mean(axis=1), np.cov(ensembles[twin]), observation, observed[twin], 0.7
        )
        np.testing.assert_allclose(after[twin].mean(axis=1), mean, rtol=0, atol=1e-12)
        np.testing.assert_allclose(np.cov(after[twin]), covariance, rtol=0, atol=1e-12)


def test_that_single_precision_keeps_six_digits_of_a_stiffness_of_four_million() -> None:
    rng = np.random.default_rng(5)
    stiffness = 4e6 * (1 + 0.05 * rng.normal(size=(1, 1, 64)))
    predicted = stiffness * 1e-6
    observed = np.array([[4.1]])
    noise = np.array([[0.01]])
    used = np.ones((1, 1), bool)
    single = EXACT.analyse(
        stiffness.astype(np.float32), predicted.astype(np.float32), observed, noise, used
    )
    mean, covariance = kalman(
        stiffness[0].mean(axis=1),
        np.atleast_2d(np.cov(stiffness[0])),
        np.array([[1e-6]]),
        observed[0],
        0.1,
    )
    np.testing.assert_allclose(single.mean(dtype=np.float64), mean[0], rtol=2e-6)
    np.testing.assert_allclose(single.std(ddof=1, dtype=np.float64) ** 2, covariance, rtol=1e-4)


def test_that_a_reading_that_is_padding_moves_nothing() -> None:
    rng = np.random.default_rng(4)
    members = rng.normal(size=(2, 3, 16))
    used = np.array([[True], [False]])
    after = EXACT.analyse(members, members[:, :1], np.full((2, 1), 3.0), np.ones((2, 1)), used)
    assert (after[1] == members[1]).all()
    assert not (after[0] == members[0]).all()


def test_that_a_parameter_is_not_moved_by_a_reading_it_is_not_correlated_with() -> None:
    rng = np.random.default_rng(11)
    members = rng.normal(size=(200, 2, 32))
    used = np.ones((200, 1), bool)
    reading = members[:, :1]
    moved = SerialSquareRoot(params=(1,), inflation=RelaxToPriorSpread(0.0)).analyse(
        members, reading, np.full((200, 1), 2.0), np.ones((200, 1)), used
    )
    # Three standard errors of a sample correlation: about 0.3 % of independent pairs pass.
    untouched = (moved[:, 1] == members[:, 1]).all(axis=1).mean()
    assert untouched > 0.97


def test_that_relaxation_gives_back_its_share_of_the_spread_that_was_lost() -> None:
    rng = np.random.default_rng(8)
    before = rng.normal(size=(1, 1, 500)) * 2.0
    after = before * 0.5 + 3.0
    inflated = RelaxToPriorSpread(0.4).inflated(after, before)
    spread = before.std()
    np.testing.assert_allclose(inflated.std(), 0.5 * spread + 0.4 * 0.5 * spread, rtol=1e-12)
    np.testing.assert_allclose(inflated.mean(), after.mean(), rtol=1e-12)
