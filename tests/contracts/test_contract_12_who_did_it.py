"""Contract 12: every change stores its actor and its cause."""

from __future__ import annotations

import asyncio

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.runtime.host import Host
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units import span
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.05)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + 0.0 * dt)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


def test_that_why_a_twin_changed_is_one_query_with_actor_and_cause() -> None:
    twin = gm.Twin("tank", Tank, members=8, horizon="10 s").bind("hand:gauge", to="gauge")
    site = gm.Site(
        "s",
        twins=(twin,),
        links=(gm.HttpLink(name="hand"),),
        clock=gm.Replay(START, 1.0, "a test's own time"),
        keyframes_every=span("10 s"),
    )
    host = Host(site, MemoryTimeline())
    host.resume()
    assert isinstance(host.clock, ReplayClock)
    last = 0
    for second in (*range(60), 5):
        host.clock.follow(START + second * SECOND)
        rows = [Reading(Series("hand", "gauge"), START + second * SECOND + second, 1.0)]
        readings = Readings.of(rows, host.timeline.book)
        commit = host.timeline.append(readings, known_at=host.clock.now())
        host._assimilate(readings, commit)
        host._tell_phases()
        last = commit.number
    asyncio.run(host.heal())

    events = host.timeline.events(twin="tank")
    assert {e.kind for e in events} >= {"phase", "late_reading", "healed"}
    assert all(e.actor and e.cause for e in events)
    late = next(e for e in events if e.kind == "late_reading")
    assert late.cause == f"commit {last}"
    assert late.valid_at == START + 5 * SECOND + 5
    phases = [e.body["phase"] for e in reversed(events) if e.kind == "phase"]
    assert phases[:2] == ["starting", "in step"]
