"""A window that slides over a black box, against the Kalman filter in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from jaxtyping import Int64

from gemeos.assimilate.es_mda import Draws, EsMda, Params, Predictions
from gemeos.assimilate.mda_schedule import Constant
from gemeos.assimilate.observed import Observed
from gemeos.assimilate.sliding import SlidingWindow, Walked
from gemeos.errors import InputError
from gemeos.schema.prior import LogNormal, Normal, Uniform
from gemeos.schema.variable import Param
from gemeos.units.instant import SECOND

MEMBERS = 20_000
SMOOTHER = EsMda(Constant(4), cut_off=0.0)
RATE = Param("rate", "m/s", Normal(1.0, 2.0))
READ = (2.1, 1.4, 2.9, 2.2, 1.8, 2.6)
SD = 0.9


@dataclass
class Pump:
    """Water that comes at each member's own rate; what is read are the rates in the window."""

    readings: int = 1
    level: Params | None = None
    crippled: tuple[int, ...] = ()
    """Members that are lost when they roll on."""
    draws: list[int] = field(default_factory=list)

    def predict(self, values: Params, draw: int) -> Predictions:
        self.draws.append(draw)
        return np.repeat(values[:1], self.readings, axis=0)

    def advance(self, values: Params) -> Int64[np.ndarray, " member"]:
        level = np.zeros_like(values) if self.level is None else self.level
        origin = np.arange(values.shape[1])
        for member in self.crippled:
            origin[member] = member + 1
        self.level = (level + values)[:, origin]
        return origin


def draws(window: int) -> Draws:
    return Draws(3, "pump", window)


def observed(*values: float) -> Observed:
    names = tuple(f"rate {i}" for i in range(len(values)))
    return Observed(names, np.array(values), np.full(len(values), SD**2))


def check(params: Params, mean: float, variance: float) -> None:
    """Within eight standard errors of a sample, as errors of the windows before add up."""
    assert float(params.mean()) == pytest.approx(mean, abs=8 * math.sqrt(variance / MEMBERS))
    assert float(params.var()) == pytest.approx(variance, rel=8 * math.sqrt(2 / MEMBERS))


@pytest.mark.parametrize("drift", [0.0, 0.1])
def test_that_windows_one_after_the_other_are_the_kalman_filter(drift: float) -> None:
    sliding = SlidingWindow(
        (Param("rate", "m/s", Normal(1.0, 2.0), drift=drift),), 25 * SECOND, smoother=SMOOTHER
    )
    state = sliding.begun(MEMBERS, draws(0))
    mean, variance = 1.0, 4.0
    for window, read in enumerate(READ):
        slid = sliding.slid(state, observed(read), Pump(), draws(window))
        gain = variance / (variance + SD**2)
        mean, variance = mean + gain * (read - mean), (1 - gain) * variance
        check(slid.smoothed.params, mean, variance)
        variance += drift**2 * 25
        state = slid.state
        check(state.params, mean, variance)


def test_that_readings_of_many_windows_count_once() -> None:
    # Each window holds three readings, of which one falls out at each slide: six in four windows.
    # The outermost lie in 1, 2 windows only, and count 1/3, 2/3: 1 + 2 + 3 + 3 + 2 + 1 = 12 thirds.
    sliding = SlidingWindow((RATE,), SECOND, uses=3, smoother=SMOOTHER)
    state = sliding.begun(MEMBERS, draws(0))
    for window in range(4):
        seen = observed(*READ[window : window + 3])
        state = sliding.slid(state, seen, Pump(readings=3), draws(window)).state
    shares = np.array([1, 2, 3, 3, 2, 1]) / 3
    precision = 1 / 4.0 + shares.sum() / SD**2
    check(state.params, (1.0 / 4.0 + shares @ READ / SD**2) / precision, 1 / precision)


@pytest.mark.parametrize("is_shared", [False, True])
def test_that_the_simulators_own_chance_is_shared_out_with_the_errors(is_shared: bool) -> None:
    scatter = np.array([[0.6, 0.5], [0.5, 1.5]]) if is_shared else np.diag([0.6, 1.5])
    mixing = np.linalg.cholesky(scatter)

    class Gusty(Pump):
        """Rates are read with a chance of the simulator's own, a fresh one in every run."""

        window = 0

        def predict(self, values: Params, draw: int) -> Predictions:
            own = Draws(7, "gusts", 10 * self.window + draw).normal("own", ("a", "b"), MEMBERS)
            return values + mixing @ own

    sliding = SlidingWindow((RATE,), SECOND, uses=2, smoother=SMOOTHER)
    state, pump = sliding.begun(MEMBERS, draws(0)), Gusty()
    told = scatter if is_shared else np.diag(scatter)
    read = np.array([2.1, 1.2])
    for window in range(2):
        pump.window = window
        seen = Observed(("a", "b"), read, np.full(2, SD**2), scatter=told)
        state = sliding.slid(state, seen, pump, draws(window)).state
    # The same readings in both windows: once.
    weights = np.linalg.solve(scatter + SD**2 * np.eye(2), np.ones(2))
    precision = 1 / 4.0 + weights.sum()
    check(state.params, (1.0 / 4.0 + weights @ read) / precision, 1 / precision)


def test_that_members_roll_on_with_what_they_were_fitted_to() -> None:
    sliding = SlidingWindow((RATE,), SECOND, smoother=SMOOTHER)
    state, pump = sliding.begun(50, draws(0)), Pump()
    expected = np.zeros((1, 50))
    for window in range(3):
        slid = sliding.slid(state, observed(READ[window]), pump, draws(window))
        expected += slid.smoothed.params
        state = slid.state
    assert pump.level is not None
    assert np.array_equal(pump.level, expected)


def test_that_a_doubled_simulation_keeps_its_parameters_and_is_counted() -> None:
    sliding = SlidingWindow((RATE,), SECOND, smoother=SMOOTHER)
    pump = Pump(crippled=(2, 5))
    slid = sliding.slid(sliding.begun(10, draws(0)), observed(2.0), pump, draws(0))
    fitted = slid.smoothed.params[0]
    assert slid.state.params[0].tolist() == fitted[[0, 1, 3, 3, 4, 6, 6, 7, 8, 9]].tolist()
    assert slid.state.failed == 2


def test_that_members_are_drawn_from_the_priors_within_their_bounds() -> None:
    params = (
        Param("rate", "m/s", Normal(1.0, 2.0)),
        Param("stiffness", "N/m", LogNormal(40.0, 0.3)),
        Param("share", "", Uniform(0.2, 0.6)),
    )
    sliding = SlidingWindow(params, SECOND)
    state = sliding.begun(MEMBERS, draws(0))
    rate, stiffness, share = sliding.natural(state.params)
    assert float(rate.mean()) == pytest.approx(1.0, abs=4 * 2.0 / math.sqrt(MEMBERS))
    assert float(np.log(stiffness).mean()) == pytest.approx(
        math.log(40.0), abs=4 * 0.3 / math.sqrt(MEMBERS)
    )
    assert float(np.log(stiffness).std()) == pytest.approx(0.3, rel=0.03)
    assert 0.2 < share.min() < share.max() < 0.6
    assert float(share.mean()) == pytest.approx(0.4, abs=4 * 0.4 / math.sqrt(12 * MEMBERS))


def test_that_a_positive_parameter_is_fitted_in_its_logarithm() -> None:
    """Reading the logarithm of a lognormal is linear and Gaussian."""

    class Logging(Pump):
        def predict(self, values: Params, draw: int) -> Predictions:  # noqa: ARG002
            return np.log(values)

    sliding = SlidingWindow((Param("k", "N/m", LogNormal(40.0, 0.5)),), SECOND, smoother=SMOOTHER)
    slid = sliding.slid(sliding.begun(MEMBERS, draws(0)), observed(4.2), Logging(), draws(0))
    gain = 0.25 / (0.25 + SD**2)
    before = math.log(40.0)
    check(slid.smoothed.params, before + gain * (4.2 - before), (1 - gain) * 0.25)


def test_that_a_replay_gives_the_same_bits() -> None:
    sliding = SlidingWindow((RATE,), SECOND)

    def run() -> Walked:
        state = sliding.begun(20, draws(0))
        for window in range(3):
            state = sliding.slid(state, observed(READ[window]), Pump(), draws(window)).state
        return state

    assert np.array_equal(run().params, run().params)


def test_that_windows_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="no parameter"):
        SlidingWindow((), SECOND)
    with pytest.raises(InputError, match="forward"):
        SlidingWindow((RATE,), 0)
    with pytest.raises(InputError, match="one window or more"):
        SlidingWindow((RATE,), SECOND, uses=0)
