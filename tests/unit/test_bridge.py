"""Members chosen by what they foresaw, against sums by hand and Bayes in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from jaxtyping import Int64

from gemeos.assimilate.bridge import Bridge
from gemeos.assimilate.es_mda import Draws, EsMda, Params, Predictions
from gemeos.assimilate.mda_schedule import Constant
from gemeos.assimilate.observed import Observed
from gemeos.assimilate.sliding import SlidingWindow, Walked
from gemeos.errors import InputError
from gemeos.schema.prior import Normal
from gemeos.schema.variable import Param
from gemeos.units.instant import SECOND

RATE = Param("rate", "m/s", Normal(1.0, 2.0))
ALL = Bridge(left=1e-6, most=0.5)


def draws(window: int = 1) -> Draws:
    return Draws(5, "road", window)


def read(*values: float, variance: float = 1.0, scatter: float | None = None) -> Observed:
    names = tuple(f"loop {i}" for i in range(len(values)))
    chance = None if scatter is None else np.full(len(values), scatter)
    return Observed(names, np.array(values), np.full(len(values), variance), chance)


def test_that_members_who_foresaw_the_same_all_stay_where_they_are() -> None:
    chosen = Bridge().chosen(np.full((3, 8), 2.0), read(1.0, 5.0, 2.0), 1, draws())
    assert chosen.origin.tolist() == list(range(8))


def test_that_members_are_drawn_as_often_as_the_likelihood_to_its_power_says() -> None:
    # Half foresee 0 and half 2, read is 0: their likelihoods are as 1 to exp(-2), and with half of
    # the evidence as 1 to exp(-1).
    predicted = np.repeat([0.0, 2.0], 500)[None]
    chosen = ALL.chosen(predicted, read(0.0), 1, draws())
    assert chosen.power == 0.5
    near = float((predicted[0, chosen.origin] == 0.0).sum())
    # A systematic draw is off by less than one in each run of equal weights; here 1000 of them.
    assert near == pytest.approx(1000 / (1 + math.exp(-1.0)), abs=2)


def test_that_the_simulators_own_chance_makes_evidence_weaker() -> None:
    # Twice the scatter beside the reading's variance: 2 of 1 + 2 * 1.5 = 4, so exp(-0.5 * 4 / 4).
    predicted = np.repeat([0.0, 2.0], 500)[None]
    chosen = ALL.chosen(predicted, read(0.0, scatter=1.5), 1, draws())
    near = float((predicted[0, chosen.origin] == 0.0).sum())
    assert near == pytest.approx(1000 / (1 + math.exp(-0.25)), abs=2)


def test_that_readings_used_twice_count_half_each_time() -> None:
    predicted = np.repeat([0.0, 2.0], 500)[None]
    chosen = ALL.chosen(predicted, read(0.0), 2, draws())
    near = float((predicted[0, chosen.origin] == 0.0).sum())
    assert near == pytest.approx(1000 / (1 + math.exp(-0.5)), abs=2)


def test_that_as_much_evidence_is_used_as_leaves_enough_members_that_count() -> None:
    predicted = np.array([[0.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]])
    bridge = Bridge(left=0.5, most=0.5)
    chosen = bridge.chosen(predicted, read(0.0), 1, draws())
    weights = np.exp(-0.5 * chosen.power * predicted[0] ** 2)
    weights /= weights.sum()
    assert 1 / float((weights**2).sum()) == pytest.approx(4.0, rel=1e-6)
    assert 0 < chosen.power < 0.5


def test_that_who_is_kept_stays_and_who_failed_goes() -> None:
    predicted = np.array([[0.0, math.nan, 0.1, math.nan, 40.0, -0.1]])
    chosen = ALL.chosen(predicted, read(0.0), 1, draws())
    origin = chosen.origin.tolist()
    assert [origin[i] for i in (0, 2, 5)] == [0, 2, 5]
    assert {origin[i] for i in (1, 3, 4)} <= {0, 2, 5}


def test_that_nothing_read_chooses_nobody() -> None:
    chosen = Bridge().chosen(np.array([[0.0, 9.0]]), read(math.nan), 1, draws())
    assert (chosen.origin.tolist(), chosen.power) == ([0, 1], 0.0)


@pytest.mark.parametrize("wrong", [(0.0, 0.5), (1.5, 0.5), (0.5, 1.0), (0.5, -0.1)])
def test_that_shares_that_leave_nothing_are_refused(wrong: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="leaves a share"):
        Bridge(*wrong)


@dataclass
class Road:
    """What is read is a rate of each member, and 6 more where it is jammed for good."""

    jammed: Params

    def predict(self, values: Params, draw: int) -> Predictions:  # noqa: ARG002
        return values[:1] + 6.0 * self.jammed

    def choose(self, origin: Int64[np.ndarray, " member"]) -> None:
        self.jammed = self.jammed[:, origin]

    def advance(self, values: Params) -> Int64[np.ndarray, " member"]:
        return np.arange(values.shape[1])


def slid(
    bridge: Bridge | None, members: int, jammed: float, windows: int = 1
) -> tuple[Road, Params]:
    sliding = SlidingWindow(
        (RATE,), SECOND, smoother=EsMda(Constant(2), cut_off=0.0), bridge=bridge
    )
    road = Road((np.arange(members)[None] < jammed * members).astype(np.float64))
    state: Walked = sliding.begun(members, draws(0))
    for window in range(windows):
        state = sliding.slid(state, read(2.0, variance=0.81), road, draws(window + 1)).state
    return road, state.params


def test_that_choosing_and_fitting_together_count_each_reading_once() -> None:
    members = 40_000
    _, params = slid(Bridge(), members, jammed=0.0)
    # A normal prior of mean 1 and variance 4, read is 2 with variance 0.81.
    variance = 1 / (1 / 4 + 1 / 0.81)
    mean = variance * (1 / 4 + 2 / 0.81)
    # Copies make fewer numbers of their own of them: half at least are left.
    assert float(params.mean()) == pytest.approx(mean, abs=8 * math.sqrt(2 * variance / members))
    assert float(params.var()) == pytest.approx(variance, rel=16 * math.sqrt(2 / members))


def test_that_states_which_no_parameter_can_mend_die_out() -> None:
    """With a rate of 2 in a free road or of -4 in a jammed one the same is read; priors tell."""
    free, _ = slid(Bridge(), 400, jammed=0.9, windows=12)
    fitted, params = slid(None, 400, jammed=0.9, windows=12)
    assert float(fitted.jammed.mean()) == 0.9
    # Without choice those in a jam are fitted by a rate that is far from everything known of it.
    assert float(params[0, :360].mean()) < -1.0
    assert float(free.jammed.mean()) < 0.5
