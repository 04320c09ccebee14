"""From a twin in step to a plan: the best push is known, and what cannot help is not praised."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

import gemeos as gm
from gemeos.foresee.fork import Forks, blocks, played
from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.intervene import acts
from gemeos.foresee.search import Members, Method, search
from gemeos.foresee.space import Candidate, Space
from gemeos.foresee.verdict import Verdict, fresh_members, verdict
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.twin import together
from gemeos.schema.intervention import changes
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.units.instant import SECOND

MEMBERS = 16
AHEAD = 10
"""Seconds."""


@gm.model(dt="1 s")
class Cart:
    """After n seconds of a push u it is n u further, and about 0.3 sqrt(n) m aside of that."""

    x: float = gm.state("m", gm.normal(0.0, 1.0), noise=0.3)
    push: float = gm.control("m/s", bounds=(-2.0, 2.0), default=0.0)
    bell: float = gm.control("1", bounds=(0.0, 1.0), default=0.0)

    def step(self, dt: float) -> Cart:
        return Cart(x=self.x + dt * self.push)

    @gm.sensor("m", noise=0.2)
    def place(self) -> float:
        return self.x


@cache
def lived() -> Fleet:
    """A minute in step with a cart that stands at 1 m."""
    twin = gm.Twin("cart", Cart, members=MEMBERS).bind("l:p", to="place")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    rng = np.random.default_rng(2)
    rows = [
        Reading(Series("l", "p"), (1_700_000_000 + s) * SECOND, 1.0 + rng.normal(scale=0.2))
        for s in range(60)
    ]
    fleet.take(Readings.of(rows, book), book)
    return fleet


def run(goal: Goal, candidates: Sequence[Candidate], members: Members) -> Samples:
    """Every candidate and every block of members as one batch of forks."""
    fleet = lived()
    numbers = np.arange(members.first // MEMBERS, members.end // MEMBERS)
    state, crew = blocks(fleet.state("cart"), fleet.crew, numbers)
    each = np.tile(np.arange(len(numbers)), len(candidates))
    units = {v.name: v.unit for v in fleet.schema.variables}
    made = [
        acts(fleet.schema, changes({n: f"{v!r} {units[n]}" for n, v in c.items()}))
        for c in candidates
        for _ in numbers
    ]
    forks = Forks(state.take(each), crew.take(each), made)
    start = int(state.tick[0])
    told = played(fleet.cycle.stepper, forks, until=start + AHEAD, every=1)
    names = fleet.cycle.stepper.told_names
    values = told.values.transpose(1, 2, 0, 3).reshape(AHEAD, len(names), -1)
    courses = {n: (values[:, i].astype(np.float64), units[n]) for i, n in enumerate(names)}
    return goal.samples(courses, told.ticks * fleet.schema.step, candidates=len(candidates))


def planned(
    over: dict[str, tuple[str, str]], *, seek: str, subject_to: Sequence[str] = (), runs: int = 150
) -> Verdict:
    fleet = lived()
    goal = Goal.of(
        {v.name: v.unit for v in fleet.schema.variables}, minimise=seek, subject_to=subject_to
    )

    def evaluate(candidates: Sequence[Candidate], members: Members) -> Samples:
        return run(goal, candidates, members)

    found = search(Space.of(fleet.schema, over), goal, evaluate, runs=runs, seed=5, block=MEMBERS)
    assert found.method == Method.CMA.value.upper() + "-ES"
    members = fresh_members(goal, found.seen, block=MEMBERS)
    return verdict(goal, found.finalists, evaluate, members=members, seed=6, origins=MEMBERS)


def test_that_the_push_that_brings_the_cart_to_its_place_is_found() -> None:
    # From 1 m to 7 m in 10 s, or 0.6 m/s; the twin is some 0.2 m in doubt of where it stands.
    told = planned({"push": ("-2 m/s", "7.2 km/h")}, seek="last(abs(x - 7 m))")
    assert told.winner is not None
    push = told.winner["push"]
    assert isinstance(push, float)
    assert abs(push - 0.6) < 0.06
    assert told.is_recommended
    assert told.over_nothing is not None
    # Without it the cart stays 6 m away; with it luck leaves 0.95 m on a standard deviation, of
    # which the mean magnitude is 0.8 (sqrt(2/pi)).
    (gain,) = told.over_nothing.gains
    assert abs(gain.gain.mean - (6.0 - 0.76)) < 0.3
    assert gain.gain.low < gain.gain.mean < gain.gain.high


def test_that_a_constraint_keeps_the_cart_from_the_edge() -> None:
    # The edge is 4 m away; luck is 0.96 m at the end, and 5 % lie 1.64 of it beyond: 2.4 m in
    # 10 s, a little less for the way there. A search keeps to two fifths of the 5 %, which lie
    # 2.05 beyond: 2.0 m in 10 s.
    told = planned(
        {"push": ("-2 m/s", "2 m/s")},
        seek="last(abs(x - 7 m))",
        subject_to=["P(x > 5 m) < 0.05"],
        runs=600,
    )
    assert told.winner is not None
    push = told.winner["push"]
    assert isinstance(push, float)
    assert 0.15 < push < 0.235
    assert told.is_recommended
    assert told.over_nothing is not None
    (kept,) = told.over_nothing.kept
    assert kept.members == 240
    assert kept.most < 0.05


def test_that_ringing_the_bell_is_not_recommended() -> None:
    told = planned({"bell": ("0", "1")}, seek="last(abs(x - 7 m))")
    assert not told.is_recommended
    assert told.reasons[0].startswith("The gain may be nothing")
    # Not even by luck: the same members under both make a difference of nothing at all.
    assert told.over_nothing is not None
    assert told.over_nothing.gains[0].gain.mean == 0.0
