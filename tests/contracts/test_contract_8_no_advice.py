"""Contract 8: a twin that hears nothing gives no advice, however good a plan would look."""

from __future__ import annotations

import time

import pytest

import gemeos as gm
from gemeos.foresee.verdict import Advice
from gemeos.runtime.phase import Phase
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01)
    valve: float = gm.control("m/s", bounds=(0, 1), default=1.0)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + dt * 0.1 * self.valve)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


@pytest.mark.parametrize("silent_s", [0, 500])
def test_that_a_blind_twin_gives_no_advice(silent_s: int) -> None:
    rows = [Reading(Series("l", "g"), START + s * SECOND, 2.0 + 0.1 * s) for s in range(50)]
    end = START + (49 + silent_s) * SECOND
    link = PlayedLink("l", [Batch(rows, START + 49 * SECOND), Batch([], end)])
    twin = gm.Twin("tank", Tank).bind("l:g", to="gauge")
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        tank, late = site["tank"], time.monotonic() + PATIENCE_S
        is_blind = silent_s > 0
        while (tank.trust().phase is Phase.BLIND) is not is_blind and time.monotonic() < late:
            time.sleep(0.02)
        found = tank.optimise(
            over={"valve": "0 m/s, 1 m/s"},
            until="10 s",
            minimise="mean(last(level))",
            budget="20 runs",
        )
    # To shut the valve keeps the level a metre lower: only who hears may say so.
    assert found.is_recommended is not is_blind
    assert (found.advice is Advice.NOTHING) is is_blind
    assert ("tank is blind: what it foresees is not to be relied on." in found.reasons) is is_blind
    assert (found.winner is None) is is_blind
