"""When the vehicles of a flow come, without SUMO."""

from __future__ import annotations

import numpy as np
import pytest

from gemeos.engines.sumo.controls import drawn_gap

MANY = 4000


def test_that_even_gaps_are_all_one() -> None:
    assert [drawn_gap("even", 1, "west", sent) for sent in range(3)] == [1.0, 1.0, 1.0]


def test_that_shifted_flows_begin_at_any_time_within_a_gap_and_go_on_evenly() -> None:
    first = [drawn_gap("shifted", seed, "west", 0) for seed in range(MANY)]
    assert min(first) > 0
    assert max(first) < 1
    assert float(np.mean(first)) == pytest.approx(0.5, abs=4 / np.sqrt(12 * MANY))
    assert drawn_gap("shifted", 1, "west", 1) == 1.0


def test_that_gaps_by_chance_are_exponential() -> None:
    gaps = np.array([drawn_gap("poisson", 1, "west", sent) for sent in range(MANY)])
    # Mean and standard deviation of an exponential distribution are both 1.
    assert float(gaps.mean()) == pytest.approx(1.0, abs=4 / np.sqrt(MANY))
    assert float(gaps.std()) == pytest.approx(1.0, abs=4 * np.sqrt(2 / MANY))


def test_that_flows_and_seeds_draw_apart_and_again_the_same() -> None:
    one = drawn_gap("poisson", 1, "west", 0)
    assert one == drawn_gap("poisson", 1, "west", 0)
    assert one != drawn_gap("poisson", 2, "west", 0)
    assert one != drawn_gap("poisson", 1, "east", 0)
