"""Forecasts as issued when a source was silent for long and returns."""

from __future__ import annotations

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.runtime.host import Host
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND


@gm.model(dt="1 s")
class Still:
    """Stays where it is, nearly."""

    x: float = gm.state("m", gm.normal(0.0, 1.0), noise=0.01)

    def step(self, dt: float) -> Still:  # noqa: ARG002
        return Still(x=self.x)

    @gm.sensor("m", noise=0.1)
    def gauge(self) -> float:
        return self.x


def issued(seconds: list[int]) -> list[int]:
    """Seconds at which forecasts were issued after one reading at each of ``seconds``."""
    twin = gm.Twin("still", Still, members=8, leads=("2 s", "5 s"), forecast_every="2 s")
    site = gm.Site(
        "s",
        twins=(twin.bind("hand:gauge", to="gauge"),),
        links=(gm.HttpLink(name="hand"),),
        clock=gm.Replay(START, 1.0, "a test's own time"),
    )
    host = Host(site, MemoryTimeline())
    host.resume()
    assert isinstance(host.clock, ReplayClock)
    for second in seconds:
        at = START + second * SECOND
        host.clock.follow(at)
        rows = Readings.of([Reading(Series("hand", "gauge"), at, 0.0)], host.timeline.book)
        host._assimilate(rows, host.timeline.append(rows, known_at=at))
    found = host.timeline.forecasts("still", "gauge", 0, 2**62).issued_at
    return sorted({(int(at) - START) // SECOND for at in found})


def test_that_in_a_silence_only_forecasts_are_issued_whose_truth_may_come() -> None:
    # At even seconds. Between 4 and 600 nothing is read: from 6 to 594 no forecast of 2 or 5 s
    # ends where something is.
    assert issued([0, 1, 2, 3, 4]) == [0, 2, 4]
    assert issued([0, 1, 2, 3, 4, 600]) == [0, 2, 4, 596, 598, 600]
    assert issued([0, 4, 8]) == [0, 2, 4, 6, 8]
