"""Counts that repeat themselves: by chance, or because a loop is dead or stuck."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gemeos.assimilate.analyst import InNumpy, Met
from gemeos.assimilate.diagnose import watched
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.assimilate.fault import gathered
from gemeos.assimilate.fault_counts import chance
from gemeos.assimilate.observe import Observed
from gemeos.ensemble.state import Monitor, Verdict, unheard
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Sensor, State

MINUTE = 60_000_000


def heard(counts: np.ndarray, mean: np.ndarray, doubt: np.ndarray) -> np.ndarray:
    """Verdicts on loops, by minute, of what each counted where ``mean`` was expected."""
    minutes, loops = counts.shape
    monitors = unheard(1, loops)[0]
    verdicts = np.zeros((minutes, loops))
    for minute in range(minutes):
        value = counts[minute].astype(np.float64)
        far = (value - mean) / np.sqrt(mean + doubt)
        at = np.full(loops, minute * MINUTE, np.int64)
        repeats = chance(value, mean, doubt)
        seen = watched(monitors, far, value, at)
        monitors = gathered(monitors, seen, far, far, value, repeats)
        verdicts[minute] = monitors[:, Monitor.VERDICT]
    return verdicts


def test_that_chances_of_counts_are_those_of_poisson_and_of_a_gamma_distributed_rate() -> None:
    some = np.array([0.0, 3.0, 0.0, np.nan])
    mean, doubt = np.array([2.0, 2.0, 2.0, 2.0]), np.array([0.0, 0.0, 4.0, 0.0])
    # The third: shape 1, so a geometric distribution that is 0 with chance 1 / (1 + 2).
    expected = [math.exp(-2), 8 / 6 * math.exp(-2), 1 / 3, np.nan]
    np.testing.assert_allclose(chance(some, mean, doubt), expected, rtol=1e-12)
    every = np.arange(400.0)
    total = chance(every, np.full(400, 7.0), np.full(400, 9.0))
    assert total.sum() == pytest.approx(1.0)
    assert (total * every).sum() == pytest.approx(7.0)
    assert (total * (every - 7.0) ** 2).sum() == pytest.approx(7.0 + 9.0)


@pytest.mark.parametrize(
    ("mean", "value", "readings", "named"),
    [
        # No repetition counts less than 0.05, and 0.05**5 is the first power below 1e-6.
        (20.0, 0, 6, Verdict.DEAD),
        # exp(-2)**7 is the first below 1e-6.
        (2.0, 0, 8, Verdict.DEAD),
        # exp(-0.2)**70 = 8.3e-7.
        (0.2, 0, 71, Verdict.DEAD),
        # Poisson: 3 with a chance of 0.2240 of a mean of 3; 0.224**10 = 3.2e-7.
        (3.0, 3, 11, Verdict.STUCK),
    ],
)
def test_that_a_dead_or_stuck_loop_is_named_after_as_many_readings_as_its_counts_ask_for(
    mean: float, value: int, readings: int, named: Verdict
) -> None:
    counts = np.full((readings, 1), value)
    verdicts = heard(counts, np.array([mean]), np.zeros(1))[:, 0]
    assert (verdicts[:-1] == Verdict.SOUND).all()
    assert verdicts[-1] == named


def test_that_loops_with_few_vehicles_are_not_named_for_counting_the_same_by_chance() -> None:
    mean = np.repeat([0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 20.0], 20)
    counts = np.random.default_rng(5).poisson(mean, (1_400, len(mean)))
    # At most one in a million: of 196,000 readings none, with a chance of at least 0.8.
    assert (heard(counts, mean, np.zeros(len(mean))) == Verdict.SOUND).all()
    # They do repeat themselves: the emptiest count nothing for half an hour, again and again.
    assert (counts[:30, :20] == 0).all(axis=0).any()


def test_that_a_sensor_is_judged_as_a_count_where_it_is_declared_as_one() -> None:
    def of(*values: float) -> np.ndarray:
        return np.array([values], np.float64)

    nothing = np.zeros((1, 0))
    read = Observed(
        np.array([1]),
        np.array([[0, 1, 2, -1]], np.int32),
        np.array([[0, 1, 0, -1]], np.int32),
        of(0, 0, 0, 0),
        of(0, 1, 0, 1),
        np.zeros((1, 4), np.int64),
        nothing,
        nothing,
    )
    compared = np.array([[True, True, False, False]])
    # Four are expected of a sensor that goes by twos, with a variance of eight: two counts, which
    # scatter by themselves by just as much.
    met = Met(
        expected=np.zeros((1, 4, 3)),
        value=of(0, 0, 0, 0),
        surprise=of(-4, -2, 0, 0),
        spread=of(8, 1, 0, 0),
        weighed=of(0, 1, 0, 1),
        compared=compared,
        trusted=compared,
        verdict=of(0, 0, 0, 0),
    )
    sensors = (Sensor("s", "", 0.5), Sensor("t", "", 0.5))
    schema = Schema("two", 1_000_000, (State("a", "", Normal(0.0, 3.0)), *sensors))
    counting = InNumpy(SerialSquareRoot(), schema, (2.0, 0.0))
    found = counting._repeats(met, read)
    np.testing.assert_allclose(found, of(math.exp(-2), np.nan, 1, np.nan))
    none = InNumpy(SerialSquareRoot(), schema)._repeats(met, read)
    assert np.isnan(none).all()
