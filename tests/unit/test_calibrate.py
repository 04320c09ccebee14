"""Quantile mapping that learns as truths come in."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.ensemble.calibrate import (
    Calibration,
    Learned,
    calibrated,
    learned,
    quantiles,
    unlearned,
)
from gemeos.errors import SchemaError

LEVELS = (np.arange(64) + 0.5) / 64


def settings(
    low: float = -1000.0, high: float = 1000.0, trusted: float = 60.0, memory: float = 3000.0
) -> Calibration:
    ranks = np.array([0.0, 0.5, 1.0])
    return Calibration(LEVELS, low, high, 0.01, ranks, trusted=trusted, memory=memory)


def at(*ranks: float) -> Float64[np.ndarray, " lead"]:
    return np.array(ranks)


def normal_forecast(s: Calibration, mean: float, sd: float) -> Float64[np.ndarray, "1 level"]:
    return (mean + sd * s.normal)[None, :]


def share_below(given: Float64[np.ndarray, " level"], at: float) -> float:
    return float(np.interp(at, given, LEVELS))


def test_that_nothing_is_changed_before_the_first_truth() -> None:
    s = settings()
    raw = normal_forecast(s, 20.0, 4.0)
    out = calibrated(unlearned(s, 1), s, raw, at(0.2))
    # The histogram's bins are a tenth wide: between their edges a line stands for the bell.
    assert np.abs(out - raw).max() < 4.0 * 0.01


@pytest.mark.parametrize(("bias", "ratio"), [(0.0, 2.0), (0.0, 0.5), (3.0, 1.0), (-2.0, 1.7)])
def test_that_a_wrong_bias_and_spread_are_learned(bias: float, ratio: float) -> None:
    """Forecasts say N(m, 1); truths are N(m + bias, ratio)."""
    s, rng = settings(trusted=10.0, memory=1e6), np.random.default_rng(3)
    known = unlearned(s, 1)
    for mean in rng.uniform(10.0, 90.0, 6000):
        raw = normal_forecast(s, mean, 1.0)
        known = learned(
            known, s, raw, at(mean / 100), np.array([mean + bias + ratio * rng.standard_normal()])
        )
    out = calibrated(known, s, normal_forecast(s, 40.0, 1.0), at(0.4))[0]
    # Of 6000 truths about half count for each size: the median is known to 1.25 sd/sqrt(3000),
    # outer quantiles to about three times that.
    for level, deviate in ((0.5, 0.0), (0.05, -1.6449), (0.95, 1.6449)):
        told = float(np.interp(level, LEVELS, out))
        assert told == pytest.approx(40.0 + bias + ratio * deviate, abs=0.15 * max(ratio, 1.0))


def test_that_an_atom_is_kept() -> None:
    """Truths are zero in four of ten cases; forecasts say two of ten."""
    s, rng = settings(low=0.0, trusted=10.0), np.random.default_rng(5)
    raw = np.where(LEVELS < 0.2, 0.0, 50.0 * (LEVELS - 0.2))[None, :]
    known = unlearned(s, 1)
    for _ in range(4000):
        truth = 0.0 if rng.random() < 0.4 else 1.0 + 37.5 * rng.random()
        known = learned(known, s, raw, at(0.4), np.array([truth]))
    out = calibrated(known, s, raw, at(0.4))[0]
    # Within a bin of the histogram the atom is smeared, here over less than 1 of 40.
    atom = float((out < 1.0).mean())
    assert 0.35 < atom < 0.45


def test_that_sizes_are_learned_apart() -> None:
    s, rng = settings(trusted=10.0), np.random.default_rng(6)
    known = unlearned(s, 1)
    for _ in range(3000):
        low, high = normal_forecast(s, 0.0, 1.0), normal_forecast(s, 100.0, 1.0)
        known = learned(known, s, low, at(0.0), np.array([3.0 * rng.standard_normal()]))
        known = learned(known, s, high, at(1.0), np.array([100.0 + 0.5 * rng.standard_normal()]))
    width = [
        float(np.diff(np.interp([0.05, 0.95], LEVELS, calibrated(known, s, raw, size)[0]))[0])
        for raw, size in (
            (normal_forecast(s, 0.0, 1.0), at(0.0)),
            (normal_forecast(s, 100.0, 1.0), at(1.0)),
        )
    ]
    assert width[0] == pytest.approx(3.0 * 3.29, rel=0.1)
    assert width[1] == pytest.approx(0.5 * 3.29, rel=0.1)


def test_that_a_missing_truth_teaches_nothing() -> None:
    s = settings()
    known = unlearned(s, 2)
    raw = np.concatenate([normal_forecast(s, 10.0, 1.0), normal_forecast(s, 20.0, 1.0)])
    after = learned(known, s, raw, at(0.1, 0.2), np.array([np.nan, 25.0]))
    assert np.array_equal(after.counts[0], known.counts[0])
    assert not np.array_equal(after.counts[1], known.counts[1])


def test_that_what_is_known_is_not_changed_in_place() -> None:
    s = settings()
    known = unlearned(s, 1)
    before = known.counts.copy()
    learned(known, s, normal_forecast(s, 10.0, 1.0), at(0.1), np.array([12.0]))
    assert np.array_equal(known.counts, before)


def test_that_old_truths_fade() -> None:
    s = settings(memory=100.0)
    known = unlearned(s, 1)
    raw = normal_forecast(s, 50.0, 1.0)
    for _ in range(3000):
        known = learned(known, s, raw, at(0.5), np.array([50.0]))
    # A geometric sum: no class can hold more than ``memory`` counts and the last one's fraction.
    assert known.counts[0, 1].sum() == pytest.approx(100.0, rel=1e-6)


def test_that_quantiles_come_out_rising_and_within_the_possible() -> None:
    s, rng = settings(low=0.0, high=30.0), np.random.default_rng(7)
    counts = rng.random(unlearned(s, 3).counts.shape)
    raw = np.sort(rng.uniform(0.0, 30.0, (3, 64)), axis=1)
    out = calibrated(Learned(counts), s, raw, at(0.1, 0.5, 0.9))
    assert (np.diff(out, axis=1) >= 0).all()
    assert out.min() >= 0.0
    assert out.max() <= 30.0


def test_that_quantiles_of_members_stand_at_their_middles() -> None:
    s = settings()
    members = np.random.default_rng(8).permutation(np.arange(64.0))
    assert quantiles(members, s) == pytest.approx(np.arange(64.0))


def test_that_levels_must_rise_within_0_and_1() -> None:
    with pytest.raises(SchemaError):
        Calibration(np.array([0.5, 0.2]), 0.0, 1.0, 0.1, at(0.0))
    with pytest.raises(SchemaError):
        Calibration(np.array([0.0, 0.5]), 0.0, 1.0, 0.1, at(0.0))
