"""The smoother of black boxes against Bayes' theorem: in closed form, and by quadrature."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.assimilate.es_mda import Draws, EsMda, Params, Predictions
from gemeos.assimilate.mda_schedule import Constant, Falling, Schedule
from gemeos.assimilate.observed import Observed

MANY = 20_000
SCHEDULES: tuple[Schedule, ...] = (
    Constant(1),
    Constant(4),
    Falling(4),
    Falling(3, first=20.0),
)
"""Every way to share the readings out gives the same posterior if all is linear and Gaussian."""


def correlated(shared: float, count: int) -> Float64[np.ndarray, "row row"]:
    """Correlation of errors of which a part is common to neighbours."""
    apart = np.abs(np.arange(count)[:, None] - np.arange(count))
    return np.asarray(shared**apart)


class Line:
    """Three parameters, five readings, everything linear and Gaussian."""

    mean = np.array([1.0, -2.0, 0.5])
    covariance = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.3], [0.0, -0.3, 0.5]])
    seen = np.array([[1, 0, 0], [1, 1, 0], [0, 1, -1], [2, 0, 1], [0.5, -1, 3]], np.float64)
    read = np.array([2.3, 0.4, -1.0, 3.9, 4.0])
    variance = np.array([0.5, 0.3, 1.0, 0.8, 2.0])
    names = ("a", "b", "c", "d", "e")

    def members(self, count: int) -> Params:
        normal = Draws(5, "line", 0).normal("start", ("x", "y", "z"), count)
        return self.mean[:, None] + np.linalg.cholesky(self.covariance) @ normal

    def predict(self, params: Params, draw: int) -> Predictions:  # noqa: ARG002
        return self.seen @ params

    def posterior(
        self, noise: Float64[np.ndarray, "reading reading"]
    ) -> tuple[Float64[np.ndarray, " param"], Float64[np.ndarray, "param param"]]:
        """Bayes: precisions add up."""
        precision = np.linalg.inv(self.covariance) + self.seen.T @ np.linalg.solve(noise, self.seen)
        after = np.linalg.inv(precision)
        told = self.seen.T @ np.linalg.solve(noise, self.read)
        return after @ (np.linalg.solve(self.covariance, self.mean) + told), after


def check_moments(
    params: Params,
    mean: Float64[np.ndarray, " param"],
    covariance: Float64[np.ndarray, "param param"],
) -> None:
    """Within four standard errors of the sample: sd/sqrt(N), and Isserlis for covariances.

    The ensemble's own error enters each step's gain; doubling the error allows for it.
    """
    size = params.shape[1]
    error = 2 * 4 * np.sqrt(np.diag(covariance) / size)
    assert (np.abs(params.mean(axis=1) - mean) < error).all()
    variances = np.diag(covariance)
    error = 2 * 4 * np.sqrt((np.outer(variances, variances) + covariance**2) / size)
    assert (np.abs(np.cov(params) - covariance) < error).all()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.identity)
def test_that_a_linear_gaussian_posterior_is_exact(schedule: Schedule) -> None:
    line = Line()
    smoother = EsMda(schedule, energy=1.0, cut_off=0.0)
    observed = Observed(line.names, line.read, line.variance)
    after = smoother.smoothed(line.members(MANY), line.predict, observed, Draws(1, "line", 7))
    assert math.fsum(1 / a for a in after.coefficients) == pytest.approx(1.0, abs=1e-12)
    check_moments(after.params, *line.posterior(np.diag(line.variance)))


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.identity)
def test_that_correlated_errors_of_readings_are_counted_as_such(schedule: Schedule) -> None:
    line = Line()
    correlation = correlated(0.7, 5)
    deviation = np.sqrt(line.variance)
    observed = Observed(line.names, line.read, line.variance, correlation=correlation)
    smoother = EsMda(schedule, energy=1.0, cut_off=0.0)
    after = smoother.smoothed(line.members(MANY), line.predict, observed, Draws(1, "line", 7))
    check_moments(after.params, *line.posterior(np.outer(deviation, deviation) * correlation))


@pytest.mark.parametrize("is_shared", [False, True])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: s.identity)
def test_that_the_chance_in_the_simulator_itself_is_counted_once(
    schedule: Schedule, is_shared: bool
) -> None:
    line = Line()
    variances = np.array([1.0, 0.0, 0.4, 3.0, 0.7])
    deviation = np.sqrt(variances)
    covariance = np.outer(deviation, deviation) * correlated(0.8 if is_shared else 0.0, 5)
    mixing = deviation[:, None] * np.linalg.cholesky(correlated(0.8 if is_shared else 0.0, 5))

    def predict(params: Params, draw: int) -> Predictions:
        own = Draws(9, "engine", draw).normal("own", line.names, params.shape[1])
        return line.seen @ params + mixing @ own

    scatter = covariance if is_shared else variances
    observed = Observed(line.names, line.read, line.variance, scatter=scatter)
    smoother = EsMda(schedule, energy=1.0, cut_off=0.0)
    after = smoother.smoothed(line.members(MANY), predict, observed, Draws(1, "line", 7))
    check_moments(after.params, *line.posterior(np.diag(line.variance) + covariance))


def test_that_one_step_is_the_analysis_with_the_inverse_written_out() -> None:
    line = Line()
    members = line.members(30)
    observed = Observed(line.names, line.read, line.variance)
    draws = Draws(3, "line", 11)
    after = EsMda(energy=1.0, cut_off=0.0).update(
        members, line.predict(members, 0), observed, 3.0, draws
    )
    seen = line.seen @ members
    both = np.cov(np.concatenate([members, seen]))
    gain = both[:3, 3:] @ np.linalg.inv(both[3:, 3:] + 3.0 * np.diag(line.variance))
    moved = gain @ (line.read - seen.mean(axis=1))
    assert after.params.mean(axis=1) == pytest.approx(members.mean(axis=1) + moved, abs=1e-12)
    # Members differ from each other by what is left of their anomalies and by perturbations that
    # have no mean: the residual against the gain times the perturbations is the same for all.
    left = after.params - members - gain @ (line.read[:, None] - seen)
    back = np.linalg.lstsq(gain, left, rcond=None)[0]
    assert gain @ back == pytest.approx(left, abs=1e-12)
    assert left.mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-12)


def test_that_readings_that_say_the_same_do_not_break_the_inverse() -> None:
    """A thousand copies of one reading with a thousand times its variance are that reading."""
    line = Line()
    copies = 1000
    smoother = EsMda(Constant(1), cut_off=0.0)
    one = Observed(("a",), line.read[:1], line.variance[:1])
    many = Observed(
        tuple(f"a{i}" for i in range(copies)),
        np.full(copies, line.read[0]),
        np.full(copies, copies * line.variance[0]),
    )
    members, draws = line.members(60), Draws(1, "line", 2)
    single = smoother.smoothed(members, lambda p, _: p[:1], one, draws).params.mean(axis=1)
    spread = smoother.smoothed(
        members, lambda p, _: np.repeat(p[:1], copies, axis=0), many, draws
    ).params.mean(axis=1)
    assert spread == pytest.approx(single, rel=1e-9)


def cubic(x: Float64[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """A scalar problem of the kind in Evensen (2018), Comput. Geosci. 22, 885-908."""
    return x * (1.0 + 0.2 * x**2)


def by_quadrature(
    model: Callable[[Float64[np.ndarray, " x"]], Float64[np.ndarray, " x"]],
    read: float,
    sd: float,
) -> tuple[float, float]:
    """Posterior mean and standard deviation for the prior N(1, 1)."""
    x = np.linspace(-7.0, 9.0, 160_001)
    weight = np.exp(-0.5 * (x - 1.0) ** 2 - 0.5 * ((model(x) - read) / sd) ** 2)
    weight /= weight.sum()
    mean = float((weight * x).sum())
    return mean, math.sqrt(float((weight * (x - mean) ** 2).sum()))


@pytest.mark.parametrize(("read", "sd"), [(2.0, 0.5), (-1.0, 1.0), (4.0, 0.3)])
def test_that_more_steps_come_nearer_to_a_posterior_that_is_not_gaussian(
    read: float, sd: float
) -> None:
    mean, spread = by_quadrature(cubic, read, sd)
    members = 1.0 + Draws(1, "cubic", 0).normal("start", ("x",), MANY)
    observed = Observed(("y",), np.array([read]), np.array([sd**2]))
    off: dict[int, float] = {}
    for steps in (1, 4, 16):
        after = EsMda(Constant(steps)).smoothed(
            members, lambda p, _: cubic(p), observed, Draws(2, "cubic", 0)
        )
        off[steps] = abs(float(after.params.mean()) - mean) / spread
        if steps == 16:
            assert float(after.params.std()) == pytest.approx(spread, rel=0.25)
    assert off[4] < off[1]
    assert off[16] < 0.25


def test_that_errors_are_as_large_as_the_spread_says() -> None:
    times, members, scatter, error = 200, 100, 1.0, 0.1
    names, seen = ("a", "b", "c"), np.array([[1.0], [0.5], [1.5]])
    squares = []
    for time in range(times):
        truth, *chance = (
            float(z[0]) for z in Draws(time, "truth", 0).normal("t", ("x", *names), 1)
        )
        own = np.array(chance)[:, None]
        read = (seen * truth + math.sqrt(scatter + error) * own)[:, 0]

        def predict(params: Params, draw: int, time: int = time) -> Predictions:
            fresh = Draws(time, "engine", draw).normal("own", names, members)
            return seen @ params + math.sqrt(scatter) * fresh

        observed = Observed(names, read, np.full(3, error), scatter=np.full(3, scatter))
        prior = Draws(time, "prior", 0).normal("start", ("x",), members)
        after = EsMda(cut_off=0.0).smoothed(prior, predict, observed, Draws(time, "fit", 0)).params
        squares.append((truth - float(after.mean())) ** 2 / float(after.var(ddof=1)))
    # Squares of standard normals have variance 2; four standard errors of their mean.
    assert float(np.mean(squares)) == pytest.approx(1.0, abs=4 * math.sqrt(2 / times))


def test_that_of_many_parameters_each_is_told_by_its_own_reading_alone() -> None:
    """Fifty independent parameters read one by one: variance 1/(1 + 1/0.25) = 0.2 is left."""
    count, members, variance = 50, 32, 0.25
    names = tuple(str(i) for i in range(count))
    squares: dict[float, list[float]] = {0.0: [], 3.0: []}
    spreads: dict[float, list[float]] = {0.0: [], 3.0: []}
    for time in range(8):
        truth, chance = (Draws(time, w, 0).normal("t", names, 1)[:, 0] for w in ("truth", "error"))
        observed = Observed(names, truth + 0.5 * chance, np.full(count, variance))
        prior = Draws(time, "prior", 0).normal("start", names, members)
        for cut_off, found in squares.items():
            smoother = EsMda(cut_off=cut_off)
            after = smoother.smoothed(prior, lambda p, _: p, observed, Draws(time, "fit", 0)).params
            found.append(float(np.mean((truth - after.mean(axis=1)) ** 2)))
            spreads[cut_off].append(float(after.var(axis=1, ddof=1).mean()))
    # Chance makes an ensemble smaller than what it is to tell sure of what is not so.
    assert np.mean(squares[0.0]) > 3 * np.mean(spreads[0.0])
    assert np.mean(squares[3.0]) < 1.5 * np.mean(spreads[3.0])
    assert 0.2 < np.mean(squares[3.0]) < 0.7 * np.mean(squares[0.0])


def test_that_a_local_smoother_fits_each_parameter_as_if_its_readings_were_all() -> None:
    names = tuple(f"loop {i}" for i in range(6))
    params = Draws(7, "roads", 0).normal("start", ("a", "b", "c"), 16)
    reach = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 0.5, 0, 0], [0, 0, 0, 0, 0, 0]], np.float64)
    seen = np.repeat(params, 2, axis=0)
    whole = Observed(names, np.arange(6.0), np.full(6, 0.3), reach=reach)
    after = EsMda(Constant(1), cut_off=0.0, local=True).update(
        params, seen, whole, 1.0, Draws(7, "roads", 1)
    )
    for row, own in ((0, [0, 1]), (1, [2, 3])):
        part = Observed(
            tuple(names[i] for i in own),
            np.arange(6.0)[own],
            np.full(2, 0.3),
            reach=reach[[row]][:, own],
        )
        alone = EsMda(Constant(1), cut_off=0.0).update(
            params[[row]], seen[own], part, 1.0, Draws(7, "roads", 1)
        )
        np.testing.assert_allclose(after.params[row], alone.params[0], rtol=1e-12)
    np.testing.assert_array_equal(after.params[2], params[2])


def test_that_more_is_learned_locally_than_there_are_members() -> None:
    """Each of 60 parameters has a reading of its own: Bayes gives each half of its variance."""
    count, members = 60, 12
    names = tuple(f"loop {i}" for i in range(count))
    true = np.linspace(-2.0, 2.0, count)
    params = Draws(8, "city", 0).normal("start", names, members)
    observed = Observed(names, true, np.full(count, 1.0), reach=np.eye(count))
    draws = Draws(8, "city", 1)
    local = EsMda(Constant(1), cut_off=0.0, local=True)
    together = EsMda(Constant(1), cut_off=0.0)
    off = true - params.mean(axis=1)

    def share(smoother: EsMda) -> float:
        """Of the way from where the members are to what was read."""
        after = smoother.update(params, params, observed, 1.0, draws).params
        return float((after - params).mean(axis=1) @ off / (off @ off))

    # The gain is 1/2, give or take what a variance of 12 members is wrong by: 0.43 of it.
    assert share(local) == pytest.approx(0.5, abs=0.1)
    # Eleven directions of sixty, each with a gain of at most one.
    assert share(together) < 0.3
    kept = local.update(params, params, observed, 1.0, draws).params.var(axis=1, ddof=1).mean()
    assert float(kept) == pytest.approx(0.5, abs=0.12)
