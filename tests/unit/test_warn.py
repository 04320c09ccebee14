"""Warnings judged by occurrences, on cases that are worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.random import default_rng

from gemeos.errors import InputError
from gemeos.foresee.warn import WarningRecord, judged


def record(chance: str, so: str, *, within: int = 3, likely: float = 0.5) -> WarningRecord:
    """One issue and one truth a second: ``w`` warns (90 %), ``.`` does not (10 %); ``X`` is so."""
    times = np.arange(len(so))
    return judged(
        np.arange(len(chance)),
        np.array([0.9 if c == "w" else 0.1 for c in chance]),
        times,
        np.array([c == "X" for c in so]),
        within=within,
        likely=likely,
    )


@pytest.mark.parametrize(
    ("chance", "so", "hits", "misses", "false_alarms", "leads"),
    [
        # Told two seconds before, told on: one hit with its first warning.
        ("..ww.....", "....XX...", 1, 0, 0, (2,)),
        # Nobody warned.
        (".........", "....XX...", 0, 1, 0, ()),
        # A warning that reaches to second 4 at most; it begins at 6: a false alarm and a miss.
        (".w........", "......XX..", 0, 1, 1, ()),
        # Told once without a pause: one false alarm, not three.
        ("www.......", "..........", 0, 0, 1, ()),
        # Told twice with a pause: two.
        ("w.w.......", "..........", 0, 0, 2, ()),
        # While it is so, nothing is warned of.
        ("..wwwwww..", "...XXXXX..", 1, 0, 0, (1,)),
        # The second beginning is another occurrence, which has its own warning.
        (".w...w.....", "...X...X...", 2, 0, 0, (2, 2)),
        # At the instant of its beginning it is too late.
        ("....w....", "....XX...", 0, 1, 0, ()),
        # What is ahead of the last known time cannot be held against a warning.
        ("........w.", "..........", 0, 0, 0, ()),
    ],
)
def test_that_warnings_are_counted_by_occurrences(
    chance: str, so: str, hits: int, misses: int, false_alarms: int, leads: tuple[int, ...]
) -> None:
    told = record(chance, so)
    assert (told.hits, told.misses, told.false_alarms, told.leads) == (
        hits,
        misses,
        false_alarms,
        leads,
    )


def test_that_rates_are_shares_and_none_where_nothing_was() -> None:
    told = record(".w...w.....w........", "...X...X........X...")
    assert (told.hits, told.misses, told.false_alarms) == (2, 1, 1)
    assert told.hit_rate == pytest.approx(2 / 3)
    assert told.false_alarm_ratio == pytest.approx(1 / 3)
    assert told.median_lead == 2
    nothing = record("......", "......")
    assert (nothing.hit_rate, nothing.false_alarm_ratio, nothing.median_lead) == (None, None, None)


def test_that_the_brier_score_is_that_of_the_definition() -> None:
    # Issues at 0..3 reach to 3..6 <= 6. It begins at 4: it comes within 3 s of issues 1, 2, 3.
    told = record("..w....", "....X..")
    expected = ((0.1 - 0) ** 2 + (0.1 - 1) ** 2 + (0.9 - 1) ** 2 + (0.1 - 1) ** 2) / 4
    assert told.brier == pytest.approx(expected)
    assert told.brier_skill == pytest.approx(1 - expected / (0.75 * 0.25))


def test_that_true_chances_have_skill_and_made_up_ones_none() -> None:
    rng = default_rng(5)
    chance = rng.uniform(0, 1, 20_000)
    happens = rng.uniform(0, 1, 20_000) < chance
    # Each issue has ten seconds of its own; what it tells of begins five seconds later.
    issued = np.arange(20_000) * 10
    times = np.arange(200_001)
    is_so = np.zeros(len(times), bool)
    is_so[issued[happens] + 5] = True
    told = judged(issued, chance, times, is_so, within=9, likely=0.5)
    # Of a uniform chance p: E (p - y)^2 = E p (1 - p) = 1/6, against 1/4 without skill.
    assert told.brier == pytest.approx(1 / 6, abs=0.003)
    assert told.brier_skill == pytest.approx(1 / 3, abs=0.02)
    made_up = judged(issued, rng.permutation(chance), times, is_so, within=9, likely=0.5)
    assert made_up.brier_skill is not None
    assert made_up.brier_skill < 0


@pytest.mark.parametrize("likely", [0.0, 1.1, float("nan")])
def test_that_a_threshold_that_is_no_chance_is_refused(likely: float) -> None:
    with pytest.raises(InputError, match="is none"):
        record("w", "X", likely=likely)


def test_that_a_forecast_that_failed_counts_for_nothing() -> None:
    issued, times = np.array([0, 10, 20, 30]), np.arange(60)
    is_so = (times >= 25) & (times < 28)
    chance = np.array([0.0, np.nan, 1.0, np.nan])
    record = judged(issued, chance, times, is_so, within=10, likely=0.5)
    assert (record.hits, record.misses, record.false_alarms) == (1, 0, 0)
    # Of the two that there are, both are right: the best that can be.
    assert (record.brier, record.brier_skill) == (0.0, 1.0)
