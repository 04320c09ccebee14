"""Until when a plan is of use, how sure it is the best, and what it was judged without."""

from __future__ import annotations

import pytest

import gemeos as gm
from gemeos.foresee.verdict import Advice
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0
HEARD = 50
"""Readings before the fork, one a second."""


@gm.model(dt="1 s")
class Gate:
    """A train rolls through a gate; what is scooped while it is in there counts."""

    place: float = gm.state("m", gm.normal(0.0, 0.01))
    scooped: float = gm.state("1", gm.normal(0.0, 0.01), noise=0.001)
    length: float = gm.const("m", default=0.0)
    scoop: float = gm.control("1/s", bounds=(0, 1), default=0.0)

    def step(self, dt: float) -> Gate:
        inside = 1.0 * (self.place < self.length)
        return Gate(place=self.place + dt * 1.0, scooped=self.scooped + dt * self.scoop * inside)

    @gm.sensor("m", noise=0.1)
    def seen(self) -> float:
        return self.place


@pytest.mark.parametrize(("left", "told"), [(10, 9), (35, 31), (60, 56), (90, 75)])
def test_that_the_latest_useful_moment_is_before_the_gate_is_left(left: int, told: int) -> None:
    # The train is inside for ``left`` seconds more: begun then or later nothing can be scooped.
    # Looked at are 1/8, 1/4, 1/2 and 3/4 of the horizon of 100 s, and what lies between the last
    # that gains and the first that does not is halved twice, to whole seconds: 6 and 9; 37 and 31;
    # 62 and 56.
    rows = [Reading(Series("l", "g"), START + s * SECOND, float(s)) for s in range(HEARD)]
    link = PlayedLink("l", [Batch(rows, START + (HEARD - 1) * SECOND)])
    twin = gm.Twin("train", Gate, consts={"length": f"{HEARD - 1 + left} m"}).bind("l:g", to="seen")
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        found = site["train"].optimise(
            over={"scoop": "0.5 1/s, 1 1/s"},
            until="100 s",
            every="1 s",
            maximise="last(scooped)",
            budget="60 runs",
        )
    assert found.advice is Advice.CHANGE
    assert found.latest == found.forked_at + told * SECOND
    assert found.latest < found.forked_at + left * SECOND
    # Twice as fast is the better one for every member.
    assert found.chances[0] == 1.0
    assert found.finalists[0] == {"scoop": 1.0}
