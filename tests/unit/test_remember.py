"""Rows that are remembered as twins go by are those that asking for each instant gives."""

from __future__ import annotations

import numpy as np
import pytest

import gemeos as gm
from gemeos.link.base import Arrival
from gemeos.runtime.host import Host
from gemeos.runtime.remember import Memory
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.testing.linear import Linear
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units.instant import SECOND

START = 1_700_000_000
WALK = Linear(
    matrix=np.array([[0.95]]),
    observation=np.array([[1.0]]),
    prior_mean=np.array([0.0]),
    prior_sd=np.array([2.0]),
    step_noise_sd=np.array([0.3]),
    sensor_noise_sd=0.3,
)


def host(remember: str) -> Host:
    twins = tuple(
        gm.Twin(name, WALK, members=16, remember=remember).bind(f"plant:{name}", to="y0")
        for name in ("north", "south")
    )
    clock = gm.Replay(START * SECOND, 1.0, "made by the test")
    site = gm.Site("site", twins=twins, links=(gm.HttpLink(name="plant"),), clock=clock)
    made = Host(site, MemoryTimeline())
    made.resume()
    return made


def put(into: Host, rows: list[Reading]) -> None:
    arrival = Arrival(Readings.of(rows, into.timeline.book))
    into._assimilate(arrival.readings, into._store(arrival))


def log(seed: int) -> list[Reading]:
    rng = np.random.default_rng(seed)
    return [
        Reading(Series("plant", name), (START + int(s)) * SECOND, float(rng.normal()))
        for name in ("north", "south")
        for s in np.unique(rng.integers(0, 120, 50))
    ]


@pytest.mark.parametrize("remember", ["1 s", "7 s"])
@pytest.mark.parametrize("batches", [1, 9, 30])
def test_that_rows_are_those_of_every_stretch_whatever_the_order(
    remember: str, batches: int
) -> None:
    into, rows = host(remember), log(batches)
    shuffled = [rows[i] for i in np.random.default_rng(3).permutation(len(rows))]
    for part in np.array_split(np.arange(len(rows)), batches):
        put(into, [shuffled[i] for i in part])
    for name in ("north", "south"):
        fleet = into.fleet(name)
        newest = fleet.newest(name)
        assert newest is not None
        memory = Memory(into.site.twins, dict.fromkeys(fleet.names, fleet))
        expected = memory.between(fleet, name, START * SECOND, newest - 1)
        assert expected is not None
        found = into.timeline.summary(name, expected.variable, -(2**62), newest - 1)
        np.testing.assert_array_equal(found.valid_at, expected.valid_at)
        np.testing.assert_allclose(found.mean, expected.mean)
        np.testing.assert_allclose(found.quantiles, expected.quantiles)


def test_that_a_row_is_written_once_while_readings_come_in_order() -> None:
    into = host("1 s")
    rows = sorted(log(5), key=lambda r: r.valid_at)
    for row in rows:
        put(into, [row])
    written = [
        row.valid_at
        for row in into.timeline._summaries  # type: ignore[attr-defined]
        if row.twin == "north"
    ]
    assert len(written) == len(set(written)) > 60
