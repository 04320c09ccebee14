"""A plan whose worth is no number in many members is not advised, however good the others look."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

import gemeos as gm
from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0


@gm.model(dt="1 s")
class Shaft:
    """Nobody measures ``slack``: it is as likely above nought as below."""

    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01)
    slack: float = gm.state("m", gm.normal(0.0, 1.0))
    valve: float = gm.control("", bounds=(0, 1), default=0.0)

    def step(self, dt: float) -> Shaft:
        return Shaft(level=self.level, slack=self.slack + 0.0 * dt)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level

    @gm.virtual("")
    def opened(self) -> float:
        # Shut there is always a root, of ten; open, of the members that have one, 100 more.
        return 100.0 * self.valve + math.sqrt(self.slack + 100.0 * (1.0 - self.valve))

    @gm.virtual("")
    def always(self) -> float:
        # Whatever the valve does, six in ten have no root; the others gain 100 by opening it.
        return 100.0 * self.valve + math.sqrt(self.slack - 0.25)


@pytest.fixture(scope="module")
def site() -> Iterator[RunningSite]:
    rows = [Reading(Series("l", "g"), START + s * SECOND, 2.0) for s in range(20)]
    link = PlayedLink("l", [Batch(rows, START + 19 * SECOND)])
    twin = gm.Twin("shaft", Shaft, members=256).bind("l:g", to="gauge")
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        yield site


def sought(site: RunningSite, over: str, of: str) -> OptimisationRecord:
    return site["shaft"].optimise(
        over={"valve": over}, until="5 s", maximise=f"mean(last({of}))", budget="600 runs"
    )


def test_that_a_plan_under_which_half_of_the_members_have_no_number_is_not_advised(
    site: RunningSite,
) -> None:
    found = sought(site, "0 .. 1", "opened")
    # The search went where those that are left look best; the members that it never saw decide.
    assert found.winner is not None
    assert float(found.winner["valve"]) > 0.9
    assert found.advice is Advice.NOTHING
    assert "More of its members fail." in found.reasons
    assert "More of its members fail." in found.told


def test_that_where_no_plan_has_a_number_for_more_than_half_none_is_advised(
    site: RunningSite,
) -> None:
    found = sought(site, "0.5, 1", "always")
    assert found.advice is Advice.NOTHING
    assert found.winner is None
    assert found.reasons == ("The search found no plan that could be judged.",)
    assert all(tried.value is None for tried in found.candidates)


def test_that_of_a_list_the_one_whose_worth_is_a_number_is_taken(site: RunningSite) -> None:
    found = sought(site, "0.5, 1", "opened")
    values = {tried.values["valve"]: tried.value for tried in found.candidates}
    assert values[1.0] is None
    # 50 and the root of fifty, for ten: the fresh members all have it.
    assert found.winner == {"valve": "0.5"}
    assert found.advice is Advice.CHANGE
    assert found.gains[0].gain == pytest.approx(50 + math.sqrt(50) - 10, abs=0.1)
