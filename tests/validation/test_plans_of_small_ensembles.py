"""Where no plan gains anything, none is to be recommended, however few members a twin has."""

from __future__ import annotations

import pytest

import gemeos as gm
from gemeos.foresee.choices import space_of
from gemeos.foresee.goal import Goal
from gemeos.foresee.search import search
from gemeos.foresee.verdict import fresh_members, verdict
from gemeos.runtime.trial import Trial
from gemeos.runtime.twin import together
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.units.instant import SECOND

pytestmark = pytest.mark.no_cover

PROBLEMS = 40


@gm.model(dt="1 s")
class Vain:
    """Each control moves y by something of which only the prior is known: 0 on average."""

    a: float = gm.state("1", gm.normal(0.0, 1.0))
    b: float = gm.state("1", gm.normal(0.0, 1.0))
    c: float = gm.state("1", gm.normal(0.0, 1.0))
    y: float = gm.state("1", gm.normal(0.0, 1.0), noise=0.1)
    seen: float = gm.state("1", gm.normal(0.0, 1.0))
    by_a: float = gm.control("1", bounds=(-1, 1), default=0.0)
    by_b: float = gm.control("1", bounds=(-1, 1), default=0.0)
    by_c: float = gm.control("1", bounds=(-1, 1), default=0.0)

    def step(self, dt: float) -> Vain:
        push = self.by_a * self.a + self.by_b * self.b + self.by_c * self.c
        return Vain(a=self.a, b=self.b, c=self.c, y=self.y + dt * push, seen=self.seen)

    @gm.sensor("1", noise=0.5)
    def gauge(self) -> float:
        return self.seen


def is_recommended(number: int, members: int) -> bool:
    name = f"vain-{number}"
    twin = gm.Twin(name, Vain, members=members).bind("l:g", to="gauge")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    rows = [Reading(Series("l", "g"), (1_700_000_000 + s) * SECOND, 0.0) for s in range(3)]
    fleet.take(Readings.of(rows, book), book)
    goal = Goal.of({v.name: v.unit for v in fleet.schema.variables}, minimise="mean(last(y))")
    space = space_of(fleet.schema, dict.fromkeys(("by_a", "by_b", "by_c"), "-1 .. 1"))
    trial = Trial(fleet, name, fleet.state(name), goal, until=2, every=1, at=lambda: None)
    found = search(space, goal, trial.evaluate, runs=60, seed=number, block=trial.block)
    fresh = fresh_members(goal, found.seen, block=trial.block)
    told = verdict(
        goal, found.finalists, trial.evaluate, members=fresh, seed=number, origins=trial.block
    )
    return told.is_recommended


@pytest.mark.parametrize("members", [8, 15, 17])
def test_that_what_gains_nothing_is_seldom_recommended(members: int) -> None:
    # One in forty is promised at most; of forty, five or more come by chance three times in 1000.
    assert sum(is_recommended(n, members) for n in range(PROBLEMS)) <= 4
