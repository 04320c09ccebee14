"""Starting again goes through all twins' readings by event time, also where they share channels."""

from __future__ import annotations

import numpy as np
import pytest

import gemeos as gm
from gemeos.runtime import resume
from gemeos.runtime.host import Host
from gemeos.runtime.lane import fleets_of
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units import span
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND


@gm.model(dt="0.1 s")
class Tank:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.05)
    valve: float = gm.input("1/s", default=0.1)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level - dt * self.valve * self.level)

    @gm.sensor("m", noise=0.1)
    def gauge(self) -> float:
        return self.level


def test_that_a_shared_channel_makes_no_twin_final_ahead_of_its_own_readings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resume, "AT_ONCE", 40)
    twins = tuple(
        gm.Twin(name, Tank, members=8, horizon="2 s")
        .bind(f"plant:{name}/gauge", to="gauge")
        .bind("plant:valve", to="valve")
        for name in ("north", "south")
    )
    draws = np.random.default_rng(3).normal(0.0, 0.1, 600)
    channels = ("north/gauge", "south/gauge", "valve")
    truth = (1.0, 1.0, 0.0)
    log = [
        Reading(
            Series("plant", channels[n % 3]),
            START + n // 3 * SECOND // 10,
            truth[n % 3] + float(draw) * truth[n % 3],
        )
        for n, draw in enumerate(draws)
    ]
    site = gm.Site(
        "plant",
        twins=twins,
        links=(gm.HttpLink(name="plant"),),
        keyframes_every=span("1 s"),
    )
    host = Host(site, MemoryTimeline())
    host.timeline.append(Readings.of(log, host.timeline.book), known_at=0)
    host.resume()
    (calm,) = fleets_of(twins)
    calm.take(Readings.of(log, host.timeline.book), host.timeline.book)
    assert host.timeline.keyframe_before("south", 2**62) is not None
    for twin in twins:
        assert host.snapshot(twin.name).digest() == calm.state(twin.name).digest()
