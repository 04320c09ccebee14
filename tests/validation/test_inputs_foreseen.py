"""Where inputs go, against mathematics and against what roads, steel works and weather did."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.foresee.inputs import FEWEST, foreseen

DAY, WEEK = 24, 168
PAST = 6 * WEEK
AHEAD = 24


def recorded(
    recorded_data: Path, table: str, column: str, every: int = 1
) -> Float64[np.ndarray, " hour"]:
    """Hourly means of a recorded table; NaN where it has none."""
    with gzip.open(recorded_data / table, "rt", encoding="utf-8", errors="replace") as file:
        values = np.array([float(row[column] or "nan") for row in csv.DictReader(file)])
    return values[: len(values) // every * every].reshape(-1, every).mean(axis=1)


SERIES = {
    "traffic": ("traffic-i94/traffic_hourly.csv.gz", "traffic_volume", 1),
    "steel": ("steel-plant-energy-korea/steel_industry_data.csv.gz", "Usage_kWh", 4),
    "bikes": ("seoul-bike-weather/seoul_bike_weather.csv.gz", "Rented Bike Count", 1),
    "temperature": ("seoul-bike-weather/seoul_bike_weather.csv.gz", "Temperature", 1),
}


@pytest.mark.parametrize("name", list(SERIES))
def test_that_recorded_inputs_are_foreseen_better_than_by_yesterday_and_honestly(
    recorded_data: Path, name: str
) -> None:
    values = recorded(recorded_data, *SERIES[name])
    rng = np.random.default_rng(1)
    own: list[float] = []
    yesterday: list[float] = []
    inside: list[float] = []
    while len(own) < 60:
        now = int(rng.integers(PAST, len(values) - AHEAD))
        truth = values[now + 1 : now + 1 + AHEAD]
        past = values[now + 1 - PAST : now + 1]
        if not np.isfinite(truth).all():
            continue
        paths = foreseen(past, ahead=AHEAD, seasons=(DAY, WEEK), first=now + 1 - PAST)
        if paths is None:
            continue
        own.append(np.abs(np.median(paths, axis=0) - truth).mean())
        yesterday.append(np.abs(past[-AHEAD:] - truth).mean())
        low, high = np.quantile(paths, [0.05, 0.95], axis=0)
        inside.append(((truth >= low) & (truth <= high)).mean())
    assert np.mean(own) < np.mean(yesterday)
    # Six weeks of a year with seasons: what comes is a little wilder than what was.
    assert np.mean(inside) == pytest.approx(0.9, abs=0.07)


def test_that_of_a_season_with_lasting_noise_the_doubt_is_what_the_mathematics_says() -> None:
    # y = 5 sin(day) + x, x' = a x + w: k steps ahead the best forecast errs with the variance
    # (1 - a^2k) / (1 - a^2).
    a, rng = 0.8, np.random.default_rng(3)
    x = np.zeros(PAST + 4000)
    for i in range(1, len(x)):
        x[i] = a * x[i - 1] + rng.normal()
    series = 5.0 * np.sin(2 * np.pi * np.arange(len(x)) / DAY) + x
    own, doubt = [], []
    for now in range(PAST, len(x) - AHEAD, 40):
        paths = foreseen(
            series[now + 1 - PAST : now + 1], ahead=AHEAD, seasons=(DAY,), first=now + 1 - PAST
        )
        assert paths is not None
        own.append(paths.mean(axis=0) - series[now + 1 : now + 1 + AHEAD])
        doubt.append(paths.std(axis=0))
    for step in (1, 6, 24):
        best = np.sqrt((1 - a ** (2 * step)) / (1 - a**2))
        # A hundred origins: 7 % of sampling error; six weeks to learn from cost a few per cent.
        assert np.sqrt(np.mean(np.square(own), axis=0)[step - 1]) == pytest.approx(best, rel=0.2)
        assert np.mean(doubt, axis=0)[step - 1] == pytest.approx(best, rel=0.1)


def test_that_errors_of_a_path_hang_together_as_they_did() -> None:
    # Of a random walk the errors at steps 1 and 2 are correlated by 1/sqrt(2).
    walk = np.random.default_rng(5).normal(size=PAST).cumsum()
    paths = foreseen(walk, ahead=2, seasons=(), first=0)
    assert paths is not None
    assert np.corrcoef(paths.T)[0, 1] == pytest.approx(np.sqrt(0.5), abs=0.06)


def test_that_nothing_is_foreseen_from_too_little() -> None:
    rng = np.random.default_rng(7)
    assert foreseen(rng.normal(size=FEWEST), ahead=6, seasons=(DAY, WEEK), first=0) is None
    assert foreseen(rng.normal(size=FEWEST + 20), ahead=6, seasons=(DAY, WEEK), first=0) is not None
    unknown = np.full(PAST, np.nan)
    unknown[-3:] = 1.0
    assert foreseen(unknown, ahead=6, seasons=(DAY,), first=0) is None


def test_that_gaps_in_the_past_are_left_out() -> None:
    rng = np.random.default_rng(9)
    whole = np.sin(2 * np.pi * np.arange(PAST) / DAY) + 0.1 * rng.normal(size=PAST)
    gappy = whole.copy()
    gappy[200:260] = np.nan
    gappy[rng.choice(np.arange(300, PAST - 200), 20, replace=False)] = np.nan
    paths = foreseen(gappy, ahead=AHEAD, seasons=(DAY,), first=0)
    assert paths is not None
    truth = np.sin(2 * np.pi * (PAST + np.arange(AHEAD)) / DAY)
    assert np.abs(paths.mean(axis=0) - truth).max() < 0.1


def test_that_a_constant_stays_what_it_is() -> None:
    paths = foreseen(np.full(PAST, 7.5), ahead=4, seasons=(DAY,), first=0)
    assert paths is not None
    np.testing.assert_allclose(paths, 7.5)
