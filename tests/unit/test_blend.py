"""Forecasts blended by what each was worth so far."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jaxtyping import Float64

from gemeos.ensemble.blend import (
    FORECASTERS,
    LEVELS,
    PARTS,
    Blend,
    Known,
    blended,
    forecasters,
    learned,
    packed,
    rank,
    settings_for,
    unlearned,
    unpacked,
    weights,
)
from gemeos.errors import SchemaError

DEVIATES = np.array([NormalDist().inv_cdf(float(p)) for p in LEVELS])
MIDDLE = list(PARTS).index(0.5)
TWIN, PERSISTENCE, CLIMATOLOGY = range(len(FORECASTERS))


def normal(mean: float, sd: float) -> Float64[np.ndarray, "1 level"]:
    return (mean + sd * DEVIATES)[None, :]


def free() -> Blend:
    return settings_for(None, None, 0.1)


def after(
    settings: Blend, known: Known, raw: Float64[np.ndarray, "1 level"], last: float, truth: float
) -> Known:
    return learned(known, settings, raw, np.array([last]), np.array([truth]))


def test_that_before_the_first_truth_all_say_what_the_twin_says() -> None:
    """Without a value at issue exactly; with one, persistence has the twin's spread about it."""
    s, raw = free(), normal(20.0, 4.0)
    each = forecasters(unlearned(s, 1), s, raw, np.array([np.nan]))[0]
    assert np.array_equal(each[TWIN], each[PERSISTENCE])
    assert np.array_equal(each[TWIN], each[CLIMATOLOGY])
    # Bins are a tenth wide; the sensor's grain comes on top of the twin's spread.
    grain = s.calibration.grain * np.abs(DEVIATES)
    assert (np.abs(each[TWIN] - raw[0]) < 4.0 * 0.01 + grain).all()
    about = forecasters(unlearned(s, 1), s, raw, np.array([50.0]))[0, PERSISTENCE]
    # Bins of changes are asinh(1e4)/60 = 0.165 wide on their scale: a sixth of each change.
    assert about - 50.0 == pytest.approx(raw[0] - 20.0, rel=0.17, abs=0.3)


def test_that_equal_forecasters_keep_their_weights() -> None:
    s = free()
    known = after(s, unlearned(s, 1), normal(20.0, 4.0), math.nan, 31.0)
    assert weights(known, s)[0] == pytest.approx(np.tile(s.prior, (len(PARTS), 1)), abs=1e-12)


def test_that_persistence_without_a_value_at_issue_is_worth_what_climatology_is() -> None:
    s, rng = free(), np.random.default_rng(1)
    known = unlearned(s, 1)
    for truth in rng.normal(0.0, 10.0, 300):
        known = after(s, known, normal(truth + rng.normal(), 1.0), math.nan, truth)
    earned = weights(known, s)[0]
    assert earned[:, PERSISTENCE] == pytest.approx(earned[:, CLIMATOLOGY])


def test_that_weight_goes_to_the_twin_that_knows_each_day() -> None:
    s, rng = replace(free(), prior=(0.02, 0.49, 0.49)), np.random.default_rng(2)
    known, last = unlearned(s, 1), 0.0
    for mean in rng.normal(0.0, 10.0, 800):
        truth = mean + rng.standard_normal()
        known = after(s, known, normal(mean, 1.0), last, truth)
        last = truth
    assert weights(known, s)[0, :, TWIN].min() > 0.9


def test_that_weight_goes_to_persistence_where_values_stay() -> None:
    """A random walk of which the twin knows nothing but its range."""
    s, rng = free(), np.random.default_rng(3)
    known, value = unlearned(s, 1), 0.0
    for step in rng.normal(0.0, 1.0, 800):
        last, value = value, 0.99 * value + step
        known = after(s, known, normal(0.0, 7.0), last, value)
    assert weights(known, s)[0, :, PERSISTENCE].min() > 0.9
    each = forecasters(known, s, normal(0.0, 7.0), np.array([5.0]))[0]
    low, middle, high = np.interp([0.05, 0.5, 0.95], LEVELS, each[PERSISTENCE])
    # The law of the next value: N(4.95, 1). Some 150 truths count for one size: the median is
    # known to 0.1, the width to 0.25, and bins are a sixth of a change wide.
    assert middle == pytest.approx(4.95, abs=0.3)
    assert high - low == pytest.approx(3.29, abs=0.75)


def test_that_weight_goes_to_climatology_where_nothing_is_foreseen() -> None:
    """Independent truths; the twin's middle wanders on its own and its spread is too small."""
    s, rng = free(), np.random.default_rng(4)
    known, last = unlearned(s, 1), 0.0
    for truth in rng.normal(0.0, 10.0, 1500):
        known = after(s, known, normal(rng.normal(0.0, 30.0), 10.0), last, truth)
        last = truth
    earned = weights(known, s)[0]
    assert earned[MIDDLE, CLIMATOLOGY] == earned[MIDDLE].max()
    out = blended(known, s, normal(0.0, 10.0), last)[0]
    # All three are calibrated, so all tend to N(0, 10), whoever is weighted.
    assert out == pytest.approx(10.0 * DEVIATES, abs=4.0)


def test_that_an_old_worth_fades_when_another_becomes_right() -> None:
    s, rng = replace(free(), fading=200.0), np.random.default_rng(5)
    known, value = unlearned(s, 1), 0.0
    for step in rng.normal(0.0, 1.0, 600):
        last, value = value, 0.99 * value + step
        known = after(s, known, normal(0.0, 7.0), last, value)
    before = weights(known, s)[0, MIDDLE, TWIN]
    for mean in rng.normal(0.0, 10.0, 700):
        last, value = value, mean + 0.5 * rng.standard_normal()
        known = after(s, known, normal(mean, 0.5), last, value)
    assert before < 0.1
    assert weights(known, s)[0, MIDDLE, TWIN] > 0.9


def test_that_truths_of_any_law_are_covered_as_promised() -> None:
    """Exchangeable truths, from an exponential law; the twin says half the spread and too much."""
    s, rng = settings_for(0.0, None, 0.02), np.random.default_rng(6)
    known, last, hits, asked = unlearned(s, 1), 1.0, 0, 1200
    raw = normal(1.5, 0.5)
    for turn in range(400 + asked):
        truth = float(rng.exponential(1.0))
        if turn >= 400:
            low, high = np.interp([0.05, 0.95], LEVELS, blended(known, s, raw, last)[0])
            hits += low <= truth <= high
        known, last = after(s, known, raw, last, truth), truth
    # Sampling of 1200: 3 sqrt(0.09/1200) = 0.026; of what some hundreds taught, half as much more.
    assert hits / asked == pytest.approx(0.9, abs=0.04)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-50.0, 50.0), min_size=5, max_size=60), st.floats(0.05, 1.0))
def test_that_regret_stays_within_its_bound_on_any_truths(truths: list[float], rate: float) -> None:
    s = replace(free(), rate=rate, fading=40.0)
    assert_regret_within_bound(s, truths)


def test_that_regret_stays_within_its_bound_against_an_adversary() -> None:
    """Each truth is as far as possible on the side where the blend loses most to the others."""
    s = replace(free(), rate=1.0, fading=1e6)
    known, truths, last = unlearned(s, 1), [3.0], 3.0
    known = after(s, known, normal(0.0, 5.0), 1.0, 3.0)
    for turn in range(150):
        raw = normal(4.0 * (-1) ** turn, 5.0)
        each = forecasters(known, s, raw, np.array([last]))[0]
        middle = blended(known, s, raw, last)[0].mean()
        truth = (
            40.0 if each.mean(axis=1).max() - middle > middle - each.mean(axis=1).min() else -40.0
        )
        known, last = after(s, known, raw, last, truth), truth
        truths.append(truth)
    assert_regret_within_bound(s, truths)


def assert_regret_within_bound(s: Blend, truths: list[float]) -> None:
    """Sum of faded regrets against sum of their faded squares, both reckoned here."""
    known, last = unlearned(s, 1), 0.0
    fade = 1.0 - 1.0 / s.fading
    regret = np.zeros((len(PARTS), len(FORECASTERS)))
    squares = np.zeros_like(regret)
    part = np.stack([np.interp(LEVELS, PARTS, e) for e in np.eye(len(PARTS))])
    for turn, truth in enumerate(truths):
        raw = normal(4.0 * (-1) ** turn, 5.0)
        each = forecasters(known, s, raw, np.array([last]))[0]
        earned = weights(known, s)[0]
        blend = np.sort(((earned.T @ part) * each).sum(axis=0))
        assert blend == pytest.approx(blended(known, s, raw, last)[0])
        slope = (blend > truth) - LEVELS
        told = np.stack([(part * slope * (e - truth)).sum(axis=1) for e in each], axis=1)
        told /= part.sum(axis=1)[:, None]
        known, last = after(s, known, raw, last, truth), truth
        x = told - (earned * told).sum(axis=1, keepdims=True)
        x *= s.rate * float(known.scored[0] / known.loss[0])
        x *= np.minimum(1.0, 0.5 / np.maximum(np.abs(x).max(axis=1, keepdims=True), 1e-12))
        regret, squares = fade * (regret - x), fade * (squares + x**2)
        bound = np.log(1.0 / np.array(s.prior)) + squares
        assert (regret <= bound + 1e-9).all()
    # The worth is that regret less its square: nothing else was learned.
    assert known.worth[0] == pytest.approx(regret - squares, abs=1e-9)


@hypothesis_settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_that_blended_quantiles_rise_within_the_possible(seed: int) -> None:
    s, rng = settings_for(0.0, 30.0, 0.5), np.random.default_rng(seed)
    known, raw = unlearned(s, 3), np.full((3, 64), 10.0)
    for _ in range(10):
        raw = np.sort(rng.uniform(0.0, 30.0, (3, 64)), axis=1)
        known = learned(known, s, raw, rng.uniform(0.0, 30.0, 3), rng.uniform(-5.0, 35.0, 3))
    known = replace(known, worth=rng.normal(0.0, 3.0, known.worth.shape))
    out = blended(known, s, raw, float(rng.uniform(0.0, 30.0)))
    assert (np.diff(out, axis=1) >= 0).all()
    assert out.min() >= 0.0
    assert out.max() <= 30.0


def test_that_the_unit_does_not_matter() -> None:
    """Millimetres instead of metres, noise too: the same forecast in millimetres."""
    out = []
    for unit in (1.0, 1000.0):
        s, rng = settings_for(0.0, 50.0 * unit, 0.1 * unit), np.random.default_rng(7)
        known, last = unlearned(s, 1), 20.0 * unit
        for _ in range(50):
            truth = float(np.clip(last + unit * rng.normal(), 0.0, 50.0 * unit))
            known = after(s, known, normal(last + 0.3 * unit, 2.0 * unit), last, truth)
            last = truth
        out.append(blended(known, s, normal(last + 0.3 * unit, 2.0 * unit), last) / unit)
    assert out[0] == pytest.approx(out[1], rel=1e-9)


def test_that_an_atom_at_a_bound_is_kept() -> None:
    """Four of ten truths are zero, independent of the last one; the twin says none is."""
    s, rng = settings_for(0.0, 100.0, 1.0), np.random.default_rng(8)
    known, last = unlearned(s, 1), 10.0
    for _ in range(1200):
        truth = 0.0 if rng.random() < 0.4 else float(rng.uniform(20.0, 80.0))
        known, last = after(s, known, normal(40.0, 10.0), last, truth), truth
    out = blended(known, s, normal(40.0, 10.0), last)[0]
    assert 0.33 < float((out < 2.0).mean()) < 0.47


def test_that_truths_kept_are_the_first_and_then_spread_over_the_window() -> None:
    s = replace(free(), kept=4, window=16.0)
    known = unlearned(s, 1)
    kept = []
    for turn in range(40):
        known = after(s, known, normal(0.0, 50.0), math.nan, float(turn))
        kept.append(sorted(known.truths[: min(turn + 1, 4)].tolist()))
    assert kept[3] == [0.0, 1.0, 2.0, 3.0]
    # One of four in 16: neighbours lie four apart.
    assert np.diff(kept[-1]).tolist() == [4.0, 4.0, 4.0]
    assert kept[-1][0] > 39.0 - 17.0


def test_that_rank_is_the_place_among_truths_and_equal_ones_share_theirs() -> None:
    s = free()
    known = unlearned(s, 1)
    assert rank(known, np.array([3.0])).tolist() == [0.5]
    for truth in (1.0, 2.0, 2.0, 5.0):
        known = after(s, known, normal(0.0, 5.0), math.nan, truth)
    # Half of those equal count as below: 0/4, 0.5/4, 2/4, 4/4.
    assert rank(known, np.array([0.0, 1.0, 2.0, 9.0])).tolist() == [0.0, 0.125, 0.5, 1.0]


def test_that_leads_learn_apart_and_a_missing_truth_teaches_nothing() -> None:
    s = free()
    known = unlearned(s, 2)
    raw = np.concatenate([normal(10.0, 1.0), normal(20.0, 1.0)])
    after_one = learned(known, s, raw, np.array([9.0, 9.0]), np.array([np.nan, 25.0]))
    for name in ("scores", "changes", "worth", "loss", "scored"):
        before, then = getattr(known, name), getattr(after_one, name)
        assert np.array_equal(before[0], then[0])
    assert after_one.changes[1].sum() == pytest.approx(1.0)
    assert learned(known, s, raw, np.array([9.0, 9.0]), np.full(2, np.nan)) is known


def test_that_what_is_known_keeps_its_shapes_and_is_not_changed_in_place() -> None:
    s = settings_for(0.0, None, 1.0)
    known = unlearned(s, 2)
    before = {f.name: getattr(known, f.name).copy() for f in fields(known)}
    raw = np.concatenate([normal(10.0, 1.0), normal(20.0, 1.0)])
    then = learned(known, s, raw, np.array([9.0, 9.0]), np.array([12.0, 12.0]))
    for name, value in before.items():
        assert np.array_equal(getattr(known, name), value)
        assert getattr(then, name).shape == value.shape
        assert getattr(then, name).dtype == np.float64
        assert np.isfinite(getattr(then, name)).all()


def test_that_what_is_known_goes_into_one_row_and_back() -> None:
    s, rng = free(), np.random.default_rng(9)
    raw = np.concatenate([normal(10.0, 1.0), normal(20.0, 1.0)])
    known = learned(unlearned(s, 2), s, raw, rng.normal(size=2), rng.normal(size=2))
    row = packed(known)
    again = unpacked(row, s, 2)
    for f in fields(known):
        assert np.array_equal(getattr(known, f.name), getattr(again, f.name))
    with pytest.raises(SchemaError, match=f"not {len(row)}"):
        unpacked(row, s, 3)


def test_that_settings_are_refused_where_they_mean_nothing() -> None:
    with pytest.raises(SchemaError, match="noise"):
        settings_for(0.0, 1.0, 0.0)
    with pytest.raises(SchemaError, match="bounds"):
        settings_for(1.0, 0.0, 0.1)
    with pytest.raises(SchemaError, match="sum to one"):
        replace(free(), prior=(0.5, 0.5, 0.5))
    with pytest.raises(SchemaError, match="window"):
        replace(free(), window=1.0)
    with pytest.raises(SchemaError, match="rate"):
        replace(free(), rate=2.0)
