"""Contract 1: what is older than the horizon is stored, told, and healed by a re-run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units import span
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND
SERIES = Series("hand", "gauge")


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.05)
    leak: float = gm.param("1/s", gm.lognormal(0.01, 0.5), drift=0.001)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level - dt * self.leak * self.level)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


def host_of(store: Path | None = None, *others: gm.Twin) -> Host:
    twin = gm.Twin("tank", Tank, members=24, horizon="20 s", remember="10 s")
    twin.bind("hand:gauge", to="gauge")
    site = gm.Site(
        "s",
        twins=(twin, *others),
        links=(gm.HttpLink(name="hand"),),
        clock=gm.Replay(START, 1.0, "a test's own time"),
        keyframes_every=span("20 s"),
    )
    host = Host(site, MemoryTimeline() if store is None else timeline_of(store))
    host.resume()
    return host


def take(host: Host, rows: list[Reading], known_at: int) -> None:
    assert isinstance(host.clock, ReplayClock)
    host.clock.follow(known_at)
    readings = Readings.of(rows, host.timeline.book)
    commit = host.timeline.append(readings, known_at=known_at)
    host._assimilate(readings, commit)


def log() -> list[Reading]:
    rng = np.random.default_rng(4)
    return [
        Reading(SERIES, START + s * SECOND, 2.0 + float(rng.normal(0, 0.05))) for s in range(200)
    ]


LATE = range(50, 70)


def lived(host: Host) -> None:
    """All in order but twenty readings, which come when they are long past the horizon."""
    rows = log()
    for n, row in enumerate(rows):
        if n not in LATE:
            take(host, [row], row.valid_at)
    take(host, [rows[n] for n in LATE], rows[-1].valid_at)


def test_that_a_healed_twin_equals_one_to_which_nothing_came_late() -> None:
    host, calm = host_of(), host_of()
    lived(host)
    for row in log():
        take(calm, [row], row.valid_at)
    assert host.too_late("tank") == len(LATE)
    assert host.snapshot("tank").digest() != calm.snapshot("tank").digest()
    asyncio.run(host.heal())
    assert host.snapshot("tank").digest() == calm.snapshot("tank").digest()
    told = host.timeline.events(kind="healed")
    assert [e.valid_at for e in told] == [START + LATE[0] * SECOND]


def test_that_a_twin_is_healed_beside_one_of_more_channels() -> None:
    def beside() -> gm.Twin:
        twin = gm.Twin("other", Tank, members=24, horizon="20 s", remember="10 s")
        return twin.bind("hand:first", to="gauge").bind("hand:second", to="gauge")

    host, calm = host_of(None, beside()), host_of(None, beside())
    assert host.fleet("tank") is host.fleet("other")
    lived(host)
    for row in log():
        take(calm, [row], row.valid_at)
    asyncio.run(host.heal())
    assert host.snapshot("tank").digest() == calm.snapshot("tank").digest()


def test_that_healing_amends_what_is_remembered_and_keeps_what_was_believed() -> None:
    host, calm = host_of(), host_of()
    lived(host)
    for row in log():
        take(calm, [row], row.valid_at)
    when = START + 60 * SECOND
    window = ("tank", ["level"], when - 1, when)
    believed = host.timeline.summary(*window)
    asyncio.run(host.heal())
    amended = host.timeline.summary(*window)
    right = calm.timeline.summary(*window)
    assert believed.mean[0, 0] != right.mean[0, 0]
    assert amended.mean[0, 0] == right.mean[0, 0]
    earlier = host.timeline.summary(*window, known_by=START + 150 * SECOND)
    assert earlier.mean[0, 0] == believed.mean[0, 0]


def test_that_what_was_not_healed_before_a_kill_is_healed_after_it(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    host = host_of(store)
    lived(host)
    host.timeline.close()  # as a kill leaves it: nothing is written on the way out
    again, calm = host_of(store), host_of()
    for row in log():
        take(calm, [row], row.valid_at)
    asyncio.run(again.heal())
    assert again.snapshot("tank").digest() == calm.snapshot("tank").digest()
    again.close()
