"""Noise that is a function of what it is for."""

from __future__ import annotations

import math

import numpy as np

from gemeos.ensemble.noise import _cosine_of_turns, _log, standard_normal, streams, twin_key

KEYS = np.array([twin_key(7, f"twin-{i}") for i in range(40)], np.uint64)
TICKS = np.arange(1000, 1040)
NAMES = streams("step", ["x", "v", "k"])


def test_that_the_deviates_have_the_moments_of_a_standard_normal() -> None:
    z = standard_normal(KEYS, TICKS, NAMES, 2000).astype(np.float64).ravel()
    n = len(z)
    # Four standard errors of each sample moment of a normal.
    assert abs(z.mean()) < 4 / math.sqrt(n)
    assert abs(z.var() - 1) < 4 * math.sqrt(2 / n)
    assert abs((z**3).mean()) < 4 * math.sqrt(15 / n)
    assert abs((z**4).mean() - 3) < 4 * math.sqrt(96 / n)


def test_that_the_deviates_follow_the_normal_distribution_function() -> None:
    z = np.sort(standard_normal(KEYS, TICKS, NAMES, 500).astype(np.float64).ravel())
    n = len(z)
    theory = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z])
    distance = np.abs(theory - (np.arange(n) + 0.5) / n).max()
    assert distance < 1.95 / math.sqrt(n)  # Kolmogorov-Smirnov at 0.1 %


def test_that_members_variables_and_instants_are_not_correlated() -> None:
    z = standard_normal(KEYS, TICKS, NAMES, 4000).astype(np.float64)
    bound = 5 / math.sqrt(4000 * 40)
    assert abs((z[:, 0] * z[:, 1]).mean()) < bound
    assert abs((z[:, 0, :-1] * z[:, 0, 1:]).mean()) < bound
    later = standard_normal(KEYS, TICKS + 1, NAMES, 4000).astype(np.float64)
    assert abs((z[:, 0] * later[:, 0]).mean()) < bound


def test_that_more_members_and_other_twins_change_no_deviate() -> None:
    some = standard_normal(KEYS[3:5], TICKS[3:5], NAMES[1:2], 16)
    many = standard_normal(KEYS, TICKS, NAMES, 500)
    assert (some == many[3:5, 1:2, :16]).all()


def test_that_the_logarithm_and_the_cosine_are_right_to_single_precision() -> None:
    unit = np.linspace(2.0**-24, 1 - 2.0**-24, 100_001).astype(np.float32)
    exact = np.log(unit.astype(np.float64))
    assert (np.abs(_log(unit) - exact) / np.maximum(1, np.abs(exact))).max() < 3e-7
    turned = np.cos(2 * np.pi * unit.astype(np.float64))
    assert np.abs(_cosine_of_turns(unit) - turned).max() < 4e-7
