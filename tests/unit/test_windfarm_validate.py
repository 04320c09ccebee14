"""The baselines and the measures that the wind farm is held to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.ensemble.blend import LEVELS
from gemeos.twins.windfarm.baselines import (
    Persistence,
    binned_curve,
    climatology,
    ridge_on_others,
)
from gemeos.twins.windfarm.checks import Check, inside, randomised_pit, relative, table
from gemeos.twins.windfarm.farm import farm
from gemeos.twins.windfarm.forecasts import Scored, scored_leads
from gemeos.twins.windfarm.physics import WindFarm
from gemeos.twins.windfarm.record import Record, read_record
from gemeos.twins.windfarm.validate import LAST_CHECK, _Work
from gemeos.twins.windfarm.walk import Walked
from gemeos_plants import windfarm as plant

FARM = farm("la_haute_borne")


def test_that_persistence_knows_how_power_of_each_size_goes_on() -> None:
    """Small power grows by 10 always; large power falls by 0 or 40 with equal chance."""
    rng = np.random.default_rng(1)
    power = np.empty(40_000)
    power[0::2] = rng.choice([100.0, 1000.0], 20_000) + rng.random(20_000)
    fall = 40.0 * rng.integers(0, 2, 20_000)
    power[1::2] = np.where(power[0::2] < 500, power[0::2] + 10.0, power[0::2] - fall)
    power = np.stack([power[0::2], power[1::2], np.full(20_000, np.nan)], axis=1).reshape(-1)
    table = Persistence.fitted(power, 1, np.array([0.25, 0.75]), 2000.0)
    given = table.quantiles(np.array([100.5, 1000.5]))
    assert given[0] == pytest.approx([110.5, 110.5])
    assert given[1] == pytest.approx([960.5, 1000.5])


def test_that_persistence_stays_within_the_possible() -> None:
    rng = np.random.default_rng(2)
    table = Persistence.fitted(rng.uniform(0, 100, 5000), 1, LEVELS, 100.0)
    given = table.quantiles(np.array([0.0, 99.0]))
    assert given.min() >= 0.0
    assert given.max() <= 100.0


def test_that_climatology_asks_the_same_season_around_the_new_year() -> None:
    day = np.arange(365.0)
    power = np.where((day < 40) | (day > 330), 1000.0, 10.0)
    given = climatology(power, day, np.array([2.0, 180.0]), np.array([0.5]), within_days=20.0)
    assert given[:, 0] == pytest.approx([1000.0, 10.0])


def test_that_the_binned_curve_takes_means_of_its_bins_and_knows_no_wind_without_wind() -> None:
    wind = np.array([5.0, 5.0, 6.0, 6.0, 5.5, np.nan])
    power = np.array([100.0, 200.0, 300.0, 500.0, 0.0, 0.0])
    given = binned_curve(wind, power, np.array([True] * 4 + [False] * 2))
    assert given[:5] == pytest.approx([150.0, 150.0, 400.0, 400.0, 275.0])
    assert np.isnan(given[5])


def test_that_ridge_finds_what_is_linear_in_the_others() -> None:
    rng = np.random.default_rng(3)
    values = {
        tag: rng.uniform(0.0, 10.0, (4000, 3))
        for tag in ("wind", "vane", "pitch", "yaw", "temperature")
    }
    power = rng.uniform(0.0, 2000.0, (4000, 3))
    power[:, 0] = 0.3 * power[:, 1] + 0.5 * power[:, 2] + 40.0
    record = Record(0, {"power": power, **values})
    fit = np.arange(4000) < 3000
    given = ridge_on_others(record, 0, fit)[3000:]
    assert np.abs(given - power[3000:, 0]).max() < 5.0


def test_that_interval_and_width_are_those_of_the_quantiles() -> None:
    given = np.tile(100.0 * LEVELS, (3, 1))
    hit, width = inside(given, np.array([50.0, 4.0, 96.0]), 0.9)
    assert hit.tolist() == [1.0, 0.0, 0.0]
    assert width == pytest.approx(90.0)


def test_that_pit_is_uniform_for_right_forecasts_with_an_atom() -> None:
    """Three of ten truths are zero, and so says the forecast."""
    rng = np.random.default_rng(5)
    u = rng.random(20_000)
    truth = np.where(u < 0.3, 0.0, 100.0 * (u - 0.3))
    given = np.tile(np.where(LEVELS < 0.3, 0.0, 100.0 * (LEVELS - 0.3)), (20_000, 1))
    share = np.histogram(randomised_pit(given, truth), 10, (0, 1))[0] / 20_000
    # Sampling alone gives 0.002; 64 levels in 65 places another 0.002 at the atom's edge.
    assert share == pytest.approx(0.1, abs=0.01)


def test_that_a_relative_difference_is_that_of_the_means() -> None:
    rng = np.random.default_rng(6)
    other = rng.uniform(50.0, 150.0, 4000)
    by = relative(0.95 * other, other)
    assert by.mean == pytest.approx(-5.0)
    # The two move together exactly: nothing is left to doubt.
    assert by.high - by.low < 1e-9


def test_that_the_interval_of_a_relative_difference_covers_what_independent_draws_say() -> None:
    rng = np.random.default_rng(7)
    other = rng.exponential(1.0, 6000)
    one = other + 0.1 * rng.standard_normal(6000)
    by = relative(one, other)
    # Independent values: sd of the mean of the difference is 0.1/sqrt(6000), in per cent 0.129.
    assert (by.high - by.low) / 2 == pytest.approx(1.96 * 0.129, rel=0.2)


def test_that_a_missed_goal_stands_out_in_the_table() -> None:
    met = Check("a", "1", "at least 1", True, "", "", "")
    missed = Check("b", "0", "at least 1", False, "", "", "")
    told = Check("c", "7", "told", None, "", "", "")
    lines = table([met, missed, told]).splitlines()
    assert lines[2:] == [
        "| a | 1 | at least 1 | yes |",
        "| b | 0 | at least 1 | **no** |",
        "| c | 7 | told |  |",
    ]


def test_that_no_row_after_june_2015_is_asked_for() -> None:
    """``read_record`` reads no row from ``until`` on; its own test shows that."""
    assert LAST_CHECK.until == dt.date(2015, 7, 1)
    assert LAST_CHECK.warm_up < LAST_CHECK.test < LAST_CHECK.until


def test_that_a_later_row_changes_no_earlier_forecast() -> None:
    """Half of the test rows are made anew: what was issued before them stays, bit for bit."""
    cut, last, rows = 150, 160, 312
    record = made_up(rows, seed=1)
    other = made_up(rows, seed=2)
    mixed = {
        tag: np.concatenate([values[: last + 1], other.values[tag][last + 1 :]])
        for tag, values in record.values.items()
    }
    both = []
    for heard in (record, Record(record.first_tick, mixed)):
        walked = Walked.through(heard, range(cut), WindFarm(FARM), members=8)
        both.append((walked, scored_leads(FARM, heard, cut, walked, seeds=[0])))
    (one, scored), (two, again) = both
    issued = np.count_nonzero(one.test.rows <= last)
    assert 0 < issued < len(one.test.rows)
    assert np.array_equal(one.test.power[:issued], two.test.power[:issued])
    assert not np.array_equal(one.test.power, two.test.power)
    for a, b in zip(scored, again, strict=True):
        for what in ("raw", "calibrated", "blended", "weights", "persistence", "climatology"):
            assert np.array_equal(getattr(a, what)[:issued], getattr(b, what)[:issued])


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """Three days of the extract that the package carries."""
    folder = tmp_path_factory.mktemp("extract")
    extract = Path(plant.__file__).parent / "data" / "la_haute_borne_2014h1.parquet"
    (folder / "scada_extract.parquet").symlink_to(extract)
    record = read_record(folder, FARM, dt.date(2014, 2, 14), dt.date(2014, 2, 17))
    assert all(np.isfinite(values).all() for values in record.values.values())
    return record


def walked_and_scored(record: Record, cut: int) -> tuple[Walked, list[Scored]]:
    walked = Walked.through(record, range(cut), WindFarm(FARM), members=4)
    return walked, scored_leads(FARM, record, cut, walked, seeds=[0])


@pytest.fixture(scope="module")
def as_recorded(recorded: Record) -> tuple[Walked, list[Scored]]:
    return walked_and_scored(recorded, CUT)


CUT = 192
"""Rows of those three days that are warm-up; a day of forecasts must find its truth behind."""


def shifted(future: Float64[np.ndarray, "row turbine"]) -> Float64[np.ndarray, "row turbine"]:
    """Every row an hour later, at another turbine: nothing stays where it was."""
    return np.roll(np.roll(future, 6, axis=0), 1, axis=1)


def of_another_day(
    future: Float64[np.ndarray, "row turbine"],
) -> Float64[np.ndarray, "row turbine"]:
    """The last row first, all of it greater."""
    return future[::-1] * 1.25 + 3.0


@pytest.mark.parametrize("altered", [shifted, of_another_day])
@pytest.mark.parametrize("issue", [0, 4, 15])
def test_that_no_row_after_the_issue_of_a_forecast_has_a_say_in_it(
    recorded: Record,
    as_recorded: tuple[Walked, list[Scored]],
    issue: int,
    altered: Callable[[Float64[np.ndarray, "row turbine"]], Float64[np.ndarray, "row turbine"]],
) -> None:
    """Every row of the farm's record behind that instant is another; what was told then is not."""
    walked, scored = as_recorded
    last = int(walked.test.rows[issue])
    values = {}
    for tag, was in recorded.values.items():
        values[tag] = np.concatenate([was[: last + 1], altered(was[last + 1 :])])
    # In no row after it are power and wind what they were, and none before it has changed.
    for tag in ("power", "wind"):
        same = (values[tag] == recorded.values[tag]).all(axis=1)
        assert same[: last + 1].all()
        assert not same[last + 1 :].any()
    other, again = walked_and_scored(Record(recorded.first_tick, values), CUT)
    told = slice(issue + 1)
    assert np.array_equal(walked.test.rows, other.test.rows)
    assert np.array_equal(walked.test.members[told], other.test.members[told])
    assert np.array_equal(walked.test.power[told], other.test.power[told])
    assert not np.array_equal(walked.test.power[issue + 1], other.test.power[issue + 1])
    for a, b in zip(scored, again, strict=True):
        told = slice(min(issue + 1, len(a.truth)))
        for what in ("raw", "calibrated", "blended", "weights", "persistence", "climatology"):
            assert np.array_equal(getattr(a, what)[told], getattr(b, what)[told])
        # The truths behind the issue are others: the forecasts were judged by what was altered.
        assert not np.array_equal(a.truth, b.truth)


def made_up(rows: int, *, seed: int) -> Record:
    """Wind, power and directions of four turbines, made with dice."""
    rng = np.random.default_rng(seed)
    wind = 7.0 + np.cumsum(0.1 * rng.standard_normal(rows))[:, None] + np.zeros((rows, 4))
    power = np.interp(wind, FARM.types["MM82"].speed, FARM.types["MM82"].power)
    values = {
        "power": power + 20.0 * rng.standard_normal((rows, 4)),
        "wind": wind + 0.1 * rng.standard_normal((rows, 4)),
        "vane": 5.0 * rng.standard_normal((rows, 4)),
        "pitch": np.full((rows, 4), -1.0),
        "yaw": np.full((rows, 4), 200.0),
        "temperature": np.full((rows, 4), 9.0),
    }
    return Record(2_300_000, values)


def test_that_no_more_steps_are_told_than_there_are() -> None:
    told: list[tuple[int, int]] = []
    work = _Work(10, lambda done, total: told.append((done, total)))
    for steps in (4, 5, 3):
        work(steps)
    assert told == [(4, 10), (9, 10), (10, 10)]
