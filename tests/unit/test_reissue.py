"""Forecasts issued anew in event time, and what is learned from them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float64

import gemeos as gm
from gemeos.ensemble.blend import unlearned
from gemeos.ensemble.state import NEVER, Drift, Monitor, TwinState, Verdict
from gemeos.foresee.issue import Scoring
from gemeos.foresee.lessons import as_read, settings_of
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.school import Foresight
from gemeos.runtime.twin import Twin, together
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.schema.variable import Sensor
from gemeos.testing.linear import Linear
from gemeos.units.instant import SECOND

START = 1_700_000_000
STEP_SD, SENSOR_SD = 1.0, 0.3
WALK = Linear(
    matrix=np.array([[1.0]]),
    observation=np.array([[1.0]]),
    prior_mean=np.array([0.0]),
    prior_sd=np.array([2.0]),
    step_noise_sd=np.array([STEP_SD]),
    sensor_noise_sd=SENSOR_SD,
)
SCORING = Scoring((SECOND, 3 * SECOND), ("y0",), 2 * SECOND)


def fleet() -> Fleet:
    twin = Twin("walk", WALK, members=32).bind("link:y0", to="y0")
    return Fleet(
        twin.cycle(),
        [twin.enrolment],
        members=32,
        seed=1,
        horizon=10**6 * SECOND,
        foresight=Foresight(SCORING),
    )


def lived(values: dict[int, float] | Float64[np.ndarray, " second"], of: Fleet) -> TwinState:
    """The state after one reading a second, or after those given by their second."""
    told = values if isinstance(values, dict) else dict(enumerate(values.tolist()))
    book = SeriesBook()
    rows = [Reading(Series("link", "y0"), (START + s) * SECOND, v) for s, v in told.items()]
    of.take(Readings.of(rows, book), book)
    return of.state("walk")


def walk(count: int, seed: int = 3) -> Float64[np.ndarray, " second"]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, STEP_SD, count).cumsum() + SENSOR_SD * rng.normal(size=count)


def issues(state: TwinState) -> set[int]:
    """Seconds at which the forecasts under way were issued."""
    return {int(t) - START for t in state.issued[0] if t != NEVER}


def test_that_forecasts_wait_for_their_truth_and_no_longer() -> None:
    # Issued at even seconds, one and three seconds ahead. At second 7 nothing of 7 is settled:
    # those of 4 to 7 and of 6 to 7 and 9 are under way.
    state = lived(walk(8), fleet())
    assert START % 2 == 0
    assert issues(state) == {4, 6}
    assert (state.issued != NEVER).sum() == 3
    assert np.isfinite(state.awaiting).all()


def test_that_a_silence_is_forecast_from_once() -> None:
    # At second 5 comes the next even second, 6; behind it nothing is heard for a hundred.
    told = dict(enumerate(walk(6).tolist()))
    assert issues(lived(told | {106: 0.0}, fleet())) == {6}
    assert issues(lived(told | {106: 0.0, 107: 0.0}, fleet())) == {106}


def test_that_a_channel_that_is_not_trusted_teaches_nothing() -> None:
    of = fleet()
    state = lived(walk(60), of)
    reissue, ears = of.school.reissue, of.school.ears
    assert reissue is not None
    assert ears is not None
    doubted = replace(state, monitors=state.monitors.copy())
    doubted.monitors[:, :, Monitor.VERDICT] = Verdict.STUCK
    later = state.tick + 4
    learned = reissue.caught_up(state, of.crew, ears, later)
    nothing = reissue.caught_up(doubted, of.crew, ears, later)
    assert (learned.lessons != state.lessons).any()
    np.testing.assert_array_equal(nothing.lessons, state.lessons)


@gm.model(dt="1 s")
class Explosive:
    """One of its sensors is beyond all numbers."""

    x: float = gm.state("", gm.normal(1.0, 0.3), noise=0.2)

    def step(self, dt: float) -> Explosive:  # noqa: ARG002
        return Explosive(x=self.x)

    @gm.sensor("", noise=0.2)
    def y0(self) -> float:
        return self.x

    @gm.sensor("", noise=0.2)
    def heat(self) -> float:
        return math.exp(800.0 * self.x)


def test_that_a_sensor_that_is_no_number_does_not_keep_the_others_from_learning() -> None:
    def lessons(score: tuple[str, ...]) -> Float64[np.ndarray, " lesson"]:
        twin = gm.Twin("walk", Explosive, members=16, leads=("1 s", "3 s"), score=score)
        of = together([twin.bind("link:y0", to="y0")], horizon=twin.horizon)
        return lived(1.0 + 0.1 * walk(40), of).lessons[0, 0]

    both = lessons(("y0", "heat"))
    np.testing.assert_array_equal(both, lessons(("y0",)))
    assert (both != lived({0: 1.0}, fleet()).lessons[0, 0]).any()


@pytest.mark.no_cover
def test_that_right_forecasts_are_never_found_to_drift() -> None:
    for seed in range(4):
        state = lived(walk(400, seed), fleet())
        assert state.forecast_drift[0, Drift.REJECTED] == 0
        assert state.forecast_drift[0, Drift.COUNT] > 150


def test_that_forecasts_that_miss_are_found_to_drift() -> None:
    # The walk begins to jump ten times as far as anybody said. Corrections learn; but the test
    # is there first.
    values = walk(200)
    values[100:] += np.random.default_rng(9).normal(0, 10 * STEP_SD, 100).cumsum()
    of = fleet()
    assert lived(values[:100], of).forecast_drift[0, Drift.REJECTED] == 0
    assert lived(values, of).forecast_drift[0, Drift.REJECTED] == 1


def test_that_nothing_learned_tells_what_the_ensemble_says_with_the_error_of_a_reading() -> None:
    settings = settings_of(Sensor("y0", "", SENSOR_SD), SENSOR_SD, SECOND, (2 * SECOND, 6 * SECOND))
    rng = np.random.default_rng(4)
    members = rng.normal(5.0, 2.0, (3, 400))
    told = as_read(
        unlearned(settings, 2),
        settings,
        (2, 6),
        members,
        ahead=np.array([1, 2, 9]),
        noise=2.0,
        last=5.0,
    )
    assert told.mean(axis=1) == pytest.approx(members.mean(axis=1), abs=0.1)
    assert told.std(axis=1) == pytest.approx(np.hypot(members.std(axis=1), 2.0), rel=0.03)
    np.testing.assert_array_equal(told.argsort(axis=1), members.argsort(axis=1))
