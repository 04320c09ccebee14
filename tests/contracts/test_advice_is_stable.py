"""Asked again at each reading the advice stays, until what is true makes another plan better."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gemeos as gm
from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0
LEAK, WANTED = 0.01, 1.5
EVERY_S = 10
"""Seconds between two readings."""
HEARD, APART = 50, 3
"""Readings before it is asked first, and between two questions."""
TURNED, ASKED = 4, 7
"""The question before which the truth changes, and how many there are."""


@gm.model(dt="10 s")
class Tank:
    """Fed through a valve; what flows out grows with the level."""

    level: float = gm.state("m", gm.normal(2.0, 0.05), noise=0.002)
    inflow: float = gm.input("m/s", default=0.02)
    valve: float = gm.control("1", bounds=(0, 1), default=1.0)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + dt * (self.inflow * self.valve - LEAK * self.level))

    @gm.sensor("m", noise=0.01)
    def gauge(self) -> float:
        return self.level


class Plant:
    """What is true, second by second; it does what was advised last."""

    def __init__(self) -> None:
        self.second, self.level, self.inflow, self.valve = 0, 2.0, 0.02, 1.0
        self._rng = np.random.default_rng(5)

    @property
    def now(self) -> int:
        """Of the newest reading."""
        return START + self.second * SECOND

    def lived(self, readings: int) -> list[Reading]:
        rows = []
        for _ in range(readings):
            # Of what drives it, what holds from here on; of the level, what came of it.
            rows.append(Reading(Series("l", "inflow"), self.now, self.inflow))
            rows.append(Reading(Series("l", "valve"), self.now, self.valve))
            for _ in range(EVERY_S):
                self._moved()
            read = self.level + 0.01 * self._rng.normal()
            rows.append(Reading(Series("l", "gauge"), self.now, read))
        return rows

    def _moved(self) -> None:
        self.level += self.inflow * self.valve - LEAK * self.level
        self.level += 0.002 * self._rng.normal()
        self.second += 1


def hear(site: RunningSite, plant: Plant) -> None:
    host = site.host
    readings = Readings.of(plant.lived(APART), host.timeline.book)

    def taken() -> None:
        host.clock.follow(plant.now)  # type: ignore[attr-defined]
        host._assimilate(readings, host.timeline.append(readings, known_at=host.clock.now()))

    host.compute.path(taken).result(PATIENCE_S)


def asked(site: RunningSite, name: str, present: str) -> OptimisationRecord:
    return site["tank"].optimise(
        name,
        over={"valve": "0 .. 1"},
        until="10 min",
        every="1 min",
        minimise="last(abs(level - 1.5 m))",
        budget="80 runs",
        present=present,
        seed=len(name),
    )


def test_that_advice_changes_where_its_interval_says_so_and_else_not() -> None:
    plant = Plant()
    twin = gm.Twin("tank", Tank, members=32)
    for name in ("gauge", "inflow", "valve"):
        twin.bind(f"l:{name}", to=name)
    link = PlayedLink("l", [Batch(plant.lived(HEARD), plant.now)])
    clock = gm.Replay(START, 1.0, "made for a test")
    before: list[OptimisationRecord] = []
    after: list[OptimisationRecord] = []
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        present = ""
        for turn in range(ASKED):
            if turn == TURNED:
                # Twice as much flows from here on, and the twin hears of it.
                plant.inflow = 0.04
            hear(site, plant)
            record = asked(site, "x" * (turn + 1), present)
            (before if turn < TURNED else after).append(record)
            if record.advice is Advice.CHANGE:
                plant.valve = float(record.finalists[0]["valve"])
            present = record.name
    # At rest the level is inflow x valve / leak, reached but for exp(-6): 1.5 m takes a valve of
    # 0.75, and of half as much where twice as much flows.
    for records, best in ((before, 0.75), (after, 0.375)):
        assert [r.advice for r in records] == [Advice.CHANGE] + [Advice.KEEP] * (len(records) - 1)
        assert records[0].finalists[0]["valve"] == pytest.approx(best, abs=0.02)
        # Searches found other numbers, as near to the truth; none was shown to be better.
        assert any(kept.finalists[0] != kept.in_force for kept in records[1:])
        for kept in records[1:]:
            assert kept.in_force == records[0].finalists[0]
            assert kept.finalists[0]["valve"] == pytest.approx(best, abs=0.02)
            (gain,) = kept.over_present
            assert gain.low is not None
            assert gain.low <= 0.0
    # The truth changed: of 1.5 m of error that the old plan would have come to, what the new one
    # leaves are the ways that the level wanders.
    (gain,) = after[0].over_present
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low > 0.0
    wander = 0.002 / math.sqrt(2 * LEAK)
    stays = 3.0 * (1.0 - math.exp(-6.0)) + 1.5 * math.exp(-6.0)
    expected = stays - WANTED - math.sqrt(2 / math.pi) * wander
    assert gain.gain == pytest.approx(expected, abs=0.03)
