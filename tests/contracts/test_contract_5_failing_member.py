"""Contract 5: a failing member is a value; the ensemble goes on while enough are left."""

from __future__ import annotations

import math
import sys

import numpy as np

import gemeos as gm
from gemeos.errors import TooFewMembersError
from gemeos.runtime.fleet import Fleet
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.units.instant import SECOND

START = 1_700_000_000


def fleet_of(prior_mean: float, names: tuple[str, ...] = ("b",)) -> Fleet:
    @gm.model(dt="1 s")
    class Here:
        """Falls over where x is negative: the square root of it is no number."""

        x: float = gm.state("m", gm.normal(prior_mean, 0.8), noise=0.02)

        def step(self, dt: float) -> Here:
            return Here(x=math.sqrt(self.x) * math.sqrt(self.x) + 0.0 * dt)

        @gm.sensor("m", noise=0.1)
        def gauge(self) -> float:
            return self.x

    twins = [gm.Twin(n, Here, members=64).bind(f"l:{n}", to="gauge") for n in names]
    enrolled = [t.enrolment for t in twins]
    return Fleet(twins[0].cycle(), enrolled, members=64, seed=0, horizon=10**12)


def read(fleet: Fleet, second: int, value: float, name: str = "b", revision: int = 0) -> None:
    book = SeriesBook()
    at = (START + second) * SECOND
    rows = [Reading(Series("l", name), at, value, revision=revision)]
    fleet.take(Readings.of(rows, book), book)


def test_that_members_that_fail_are_replaced_and_counted() -> None:
    fleet = fleet_of(1.0)
    read(fleet, 0, 1.2)
    negative = int((fleet.state("b").members[0, 0] < 0).sum())
    read(fleet, 1, 1.2)
    state = fleet.state("b")
    assert int(state.failed[0]) == negative
    assert np.isfinite(state.members).all()


def test_that_an_ensemble_of_which_more_than_half_fails_has_no_estimate_and_says_so() -> None:
    fleet = fleet_of(-1.0)
    read(fleet, 0, -1.5)
    assert fleet.failure("b") is None
    read(fleet, 1, -1.5)
    failure = fleet.failure("b")
    assert isinstance(failure, TooFewMembersError)
    assert "of 64 members of b failed in one step" in str(failure)


def test_that_a_twin_that_failed_leaves_its_neighbours_alone() -> None:
    alone, together = fleet_of(0.9, ("a",)), fleet_of(0.9, ("a", "b"))
    for second in range(4):
        read(alone, second, 1.2, "a")
        read(together, second, 1.2, "a")
        read(together, second, -9.0, "b")
    assert together.failure("b") is not None
    assert together.failure("a") is None
    assert together.state("a").digest() == alone.state("a").digest()


def test_that_a_correction_of_what_broke_a_twin_mends_it() -> None:
    broken, sound = fleet_of(1.0), fleet_of(1.0)
    read(broken, 0, -9.0)
    read(broken, 1, 1.2)
    assert broken.failure("b") is not None
    read(broken, 0, 1.2, revision=1)
    assert broken.failure("b") is None
    read(sound, 0, 1.2, revision=1)
    read(sound, 1, 1.2)
    assert broken.state("b").digest() == sound.state("b").digest()


def test_that_a_number_beyond_all_in_use_fails_no_member() -> None:
    # What some devices send where they have measured nothing; in float32 it is infinite.
    fleet, calm = fleet_of(3.0), fleet_of(3.0)
    for second in range(5):
        read(fleet, second, 3.0)
        read(calm, second, 3.0)
    read(fleet, 5, sys.float_info.max)
    read(fleet, 6, 3.0)
    read(calm, 6, 3.0)
    assert fleet.failure("b") is None
    np.testing.assert_array_equal(fleet.state("b").monitors, calm.state("b").monitors)
    assert np.isfinite(fleet.state("b").members).all()
