"""Running candidates: in batches that fit into memory."""

from __future__ import annotations

import gemeos as gm
from gemeos.foresee.goal import Goal
from gemeos.runtime.trial import MOST_NUMBERS, Trial
from gemeos.runtime.twin import together
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.units.instant import SECOND

MEMBERS = 16


@gm.model(dt="1 s")
class Cart:
    x: float = gm.state("m", gm.normal(0.0, 1.0))
    push: float = gm.control("m/s", bounds=(-1, 1), default=0.0)
    wind: float = gm.input("m/s", default=0.0)

    def step(self, dt: float) -> Cart:
        return Cart(x=self.x + dt * (self.push + self.wind))

    @gm.sensor("m", noise=0.5)
    def place(self) -> float:
        return self.x


def test_that_the_paths_of_inputs_count_among_what_a_batch_holds() -> None:
    twin = gm.Twin("cart", Cart, members=MEMBERS, foresee_inputs="10 s")
    twin.bind("l:p", to="place").bind("l:w", to="wind")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    rows = [Reading(Series("l", "p"), (1_700_000_000 + s) * SECOND, 0.0) for s in range(3)]
    fleet.take(Readings.of(rows, book), book)
    goal = Goal.of({"x": "m"}, minimise="mean(last(x))")
    ahead = 1_000_000
    trial = Trial(
        fleet, "cart", fleet.state("cart"), goal, until=ahead, every=10_000, at=lambda: None
    )
    # A path is ``ahead`` / 10 spans of two variables, of eight bytes where numbers are of four.
    assert trial.at_once * (ahead // 10) * 2 * 2 <= MOST_NUMBERS
    assert trial.at_once >= 1
