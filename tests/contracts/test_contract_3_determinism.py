"""Contract 3: seed and log give bit-identical states, and forks share random numbers."""

from __future__ import annotations

import numpy as np
import pytest

import gemeos as gm
from gemeos.assimilate.cycle import Cycle
from gemeos.foresee.forecast import forecast
from gemeos.runtime.fleet import Fleet
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.units.instant import SECOND

START = 1_700_000_000


@gm.model(dt="0.5 s")
class Spring:
    x: float = gm.state("m", gm.normal(0, 0.5), noise=0.05)
    v: float = gm.state("m/s", gm.normal(0, 0.5), noise=0.1)
    k: float = gm.param("1/s^2", gm.lognormal(2.0, 0.3), drift=0.01)
    push: float = gm.input("m/s^2", default=0.0)

    def step(self, dt: float) -> Spring:
        v = self.v + dt * (self.push - self.k * self.x)
        return Spring(x=self.x + dt * v, v=v)

    @gm.sensor("m", noise=0.1)
    def place(self) -> float:
        return self.x


def fleet_of(names: list[str], *, members: int = 24, seed: int = 4) -> Fleet:
    twins = [
        gm.Twin(n, Spring, members=members, seed=seed).bind(f"l:{n}", to="place") for n in names
    ]
    return Fleet(
        twins[0].cycle(),
        [t.enrolment for t in twins],
        members=members,
        seed=seed,
        horizon=10**12,
    )


def log_of(names: list[str]) -> list[Reading]:
    rows = []
    for place, name in enumerate(names):
        rng = np.random.default_rng(place)
        for s in range(60):
            at = round((START + s + 0.3 * (place % 3)) * SECOND)
            rows.append(Reading(Series("l", name), at, float(rng.normal(0, 0.3))))
    return rows


def followed(fleet: Fleet, rows: list[Reading]) -> dict[str, str]:
    book = SeriesBook()
    fleet.take(Readings.of(rows, book), book)
    return {name: fleet.state(name).digest() for name in fleet.names}


NAMES = [f"s{i}" for i in range(7)]


@pytest.mark.parametrize("shard", [1, 3])
def test_that_the_size_of_a_shard_changes_no_bit(shard: int) -> None:
    rows = log_of(NAMES)
    whole = followed(fleet_of(NAMES), rows)
    parts: dict[str, str] = {}
    for first in range(0, len(NAMES), shard):
        parts |= followed(fleet_of(NAMES[first : first + shard]), rows)
    assert parts == whole


def test_that_another_seed_or_name_is_another_ensemble() -> None:
    rows = log_of(["s0"])
    one = followed(fleet_of(["s0"]), rows)["s0"]
    other = followed(fleet_of(["s0"], seed=5), rows)["s0"]
    assert one != other
    renamed = [Reading(Series("l", "s9"), r.valid_at, r.value) for r in rows]
    assert followed(fleet_of(["s9"]), renamed)["s9"] != one


def test_that_a_fork_without_interventions_equals_its_origin_bit_for_bit() -> None:
    fleet = fleet_of(["s0"])
    followed(fleet, log_of(["s0"]))
    state = fleet.state("s0")
    until = int(state.tick[0]) + 40
    ahead = fleet.cycle.stepper.advance(state, fleet.crew, np.array([until]))
    path = forecast(fleet.cycle.stepper, state, fleet.crew, until=until, every=1)
    assert (path.values[-1] == fleet.cycle.stepper.told(ahead, fleet.crew)[0]).all()
    # In two pieces as in one: the noise is the instant's, not the call's.
    half = fleet.cycle.stepper.advance(state, fleet.crew, np.array([until - 17]))
    again = fleet.cycle.stepper.advance(half, fleet.crew, np.array([until]))
    assert again.digest() == ahead.digest()


def test_that_a_larger_ensemble_holds_the_smaller_one_until_readings_tell_them_apart() -> None:
    small, large = fleet_of(["s0"], members=8), fleet_of(["s0"], members=32)
    assert (small.state("s0").members == large.state("s0").members[:, :, :8]).all()


def test_that_a_permutation_of_members_permutes_the_answer_within_single_precision() -> None:
    fleet = fleet_of(["s0"])
    followed(fleet, log_of(["s0"]))
    state = fleet.state("s0")
    order = np.random.default_rng(1).permutation(24)
    shuffled = state.take([0])
    shuffled.members[...] = state.members[:, :, order]
    assert isinstance(fleet.cycle, Cycle)
    analysis = fleet.cycle.assimilator.analysis
    used = np.ones((1, 1), bool)
    told = [
        analysis(s.members, s.members[:, :1], np.array([[0.2]]), np.array([[0.01]]), used).members
        for s in (state, shuffled)
    ]
    np.testing.assert_allclose(told[1], told[0][:, :, order], rtol=1e-5, atol=1e-6)
