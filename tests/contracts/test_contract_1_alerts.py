"""Contract 1: what came of a warning does not depend on when the readings of it came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import gemeos as gm
from gemeos.clock import ReplayClock
from gemeos.runtime.alert import AlertRecord
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.timeline.base import Event
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units import span
from gemeos.units.instant import SECOND

START = 1_700_000_000 * SECOND
SERIES = Series("hand", "gauge")
FLOOD = range(60, 80)
"""Seconds in which the level is 3 m, and not 0 m."""


@gm.model(dt="1 s")
class Level:
    level: float = gm.state("m", gm.normal(0.0, 1.0), noise=1.0)

    def step(self, dt: float) -> Level:
        return Level(level=self.level + 0.0 * dt)

    @gm.sensor("m", noise=0.01)
    def gauge(self) -> float:
        return self.level


def row(second: int) -> Reading:
    return Reading(SERIES, START + second * SECOND, 3.0 if second in FLOOD else 0.0)


def host_of(store: Path | None = None) -> Host:
    twin = gm.Twin("tank", Level, members=24, horizon="50 s")
    twin.bind("hand:gauge", to="gauge")
    twin.watch("flood", "level > 1 m", within="10 s", every="5 s")
    site = gm.Site(
        "s",
        twins=(twin,),
        links=(gm.HttpLink(name="hand"),),
        clock=gm.Replay(START, 1.0, "a test's own time"),
        keyframes_every=span("20 s"),
    )
    host = Host(site, MemoryTimeline() if store is None else timeline_of(store))
    host.resume()
    return host


def take(host: Host, seconds: Sequence[int], known_at: int) -> None:
    assert isinstance(host.clock, ReplayClock)
    host.clock.follow(START + known_at * SECOND)
    readings = Readings.of([row(s) for s in seconds], host.timeline.book)
    commit = host.timeline.append(readings, known_at=START + known_at * SECOND)
    host._assimilate(readings, commit)


def record(host: Host) -> AlertRecord:
    return host.alerts._records["tank", "flood"]


def amendments(host: Host) -> Sequence[Event]:
    return host.timeline.events(kind="alert_amended")


def in_order(host: Host) -> None:
    for second in range(100):
        take(host, [second], second)


# A reading tells the level to 1 cm, and the walk of 1 m a step believes every one of them: the
# level is over 1 m from the first reading of 3 m until the first of 0 m.
TURNED = (START + 60 * SECOND, START + 80 * SECOND)


def test_that_what_held_is_seen_at_each_instant_that_was_read() -> None:
    host = host_of()
    in_order(host)
    assert record(host).turned == TURNED
    assert record(host).looked == START + 99 * SECOND
    assert amendments(host) == []


@pytest.mark.parametrize("piece", [1, 7, 40])
def test_that_the_order_of_arrival_changes_nothing_of_what_held(piece: int) -> None:
    host = host_of()
    take(host, range(50), 50)
    order = np.random.default_rng(piece).permutation(np.arange(50, 100)).tolist()
    for first in range(0, len(order), piece):
        take(host, order[first : first + piece], 99)
    assert (record(host).turned, record(host).looked) == (TURNED, START + 99 * SECOND)


def test_that_a_flood_that_is_heard_of_late_amends_the_record_and_is_logged() -> None:
    host = host_of()
    for second in range(100):
        if second not in FLOOD:
            take(host, [second], second)
    assert record(host).turned == ()
    take(host, list(FLOOD), 99)
    assert record(host).turned == TURNED
    (amended,) = amendments(host)
    assert (amended.twin, amended.valid_at) == ("tank", TURNED[0])
    assert amended.body["name"] == "flood"


def test_that_healing_amends_what_lay_before_the_horizon() -> None:
    host = host_of()
    for second in range(200):
        if second not in FLOOD:
            take(host, [second], second)
    take(host, list(FLOOD), 199)
    assert record(host).turned == ()
    asyncio.run(host.heal())
    assert record(host).turned == TURNED
    assert record(host).looked == START + 199 * SECOND
    assert [event.valid_at for event in amendments(host)] == [TURNED[0]]


def test_that_a_restart_forgets_nothing_of_what_held(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    host = host_of(store)
    in_order(host)
    host.close()
    again = host_of(store)
    assert record(again).turned == TURNED
    assert amendments(again) == []
    again.close()
