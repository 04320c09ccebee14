"""Delays, duplicates and reorderings of the plant."""

from __future__ import annotations

import numpy as np
import pytest

from gemeos_plants.windfarm import record as windfarm
from gemeos_plants.windfarm.mischief import NONE, TRANSPORT, Mischief, departures

DAY = 144 * 4 * 7
MINUTE = 60_000_000


@pytest.fixture(scope="module")
def record() -> windfarm.Record:
    return windfarm.load()


def test_that_without_mischief_readings_leave_in_their_order_half_a_minute_after(
    record: windfarm.Record,
) -> None:
    sent = departures(record, NONE, DAY, 3 * DAY)
    assert sent.seq.tolist() == list(range(DAY, 3 * DAY))
    assert np.array_equal(sent.at, record.stamp[sent.seq // 7] + TRANSPORT)


def test_that_about_one_reading_in_a_hundred_is_late_and_one_comes_twice(
    record: windfarm.Record,
) -> None:
    number = len(record)
    sent = departures(record, Mischief(), 0, number)
    _, first = np.unique(sent.seq, return_index=True)
    late = sent.at[first] - record.stamp[sent.seq[first] // 7] - TRANSPORT
    # Five standard deviations of a binomial count.
    margin = 5 * np.sqrt(number * 0.01 * 0.99)
    assert abs(np.count_nonzero(late) - 0.01 * number) < margin
    assert abs(len(sent) - 1.01 * number) < margin
    assert late.min() == 0
    assert late.max() == 30 * MINUTE


def test_that_nothing_leaves_before_its_time_and_copies_within_five_minutes(
    record: windfarm.Record,
) -> None:
    sent = departures(record, Mischief(twice=0.5), 0, 20 * DAY)
    assert np.all(np.diff(sent.at) >= 0)
    assert np.all(sent.at >= record.stamp[sent.seq // 7] + TRANSPORT)
    order = np.argsort(sent.seq, kind="stable")
    again = np.diff(sent.seq[order]) == 0
    assert 0.4 < again.mean() * 1.5 < 0.6
    assert np.diff(sent.at[order])[again].max() == 5 * MINUTE


def test_that_some_steps_are_sent_in_no_order_and_most_in_theirs(record: windfarm.Record) -> None:
    sent = departures(record, Mischief(late=0, twice=0), 0, 30 * DAY)
    steps = sent.seq.reshape(-1, 28)
    shuffled = np.any(np.diff(steps, axis=1) < 0, axis=1).mean()
    assert 0.17 < shuffled < 0.23
    assert np.array_equal(np.sort(steps, axis=1), np.arange(30 * DAY).reshape(-1, 28))


def test_that_a_plant_that_starts_again_makes_the_same_mischief(record: windfarm.Record) -> None:
    whole = departures(record, Mischief(), 0, 10 * DAY)
    rest = departures(record, Mischief(), 4 * DAY, 10 * DAY)
    ahead = whole.seq >= 4 * DAY
    assert np.array_equal(whole.seq[ahead], rest.seq)
    assert np.array_equal(whole.at[ahead], rest.at)


def test_that_another_seed_makes_other_mischief(record: windfarm.Record) -> None:
    one = departures(record, Mischief(seed=7), 0, DAY)
    other = departures(record, Mischief(seed=8), 0, DAY)
    assert not np.array_equal(one.seq, other.seq)
