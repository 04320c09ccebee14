"""A district that SUMO moves lives in the runtime: kept in step by counts, forked, restarted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
import psutil
import pytest

import gemeos as gm
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.lineage import Simulation
from gemeos.engines.sumo import Sumo
from gemeos.ensemble.simulation import Stored
from gemeos.ensemble.state import TwinState
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.run import RunningSite
from gemeos.runtime.twin import together
from gemeos.schema.reading import Reading, Readings, SeriesBook
from gemeos.testing.played import Batch, PlayedLink
from tests.integration.living_crossing import (
    HIDDEN,
    START,
    by_instant,
    district,
    log,
    twin_of,
    with_two_programs,
)

PATIENCE_S: Final = 100.0
MINUTES: Final = 10


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Sumo:
    return with_two_programs(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def rows(network: Sumo) -> list[Reading]:
    return log(network, MINUTES)


@contextmanager
def fleet(twin: gm.Twin) -> Iterator[Fleet]:
    held = together([twin], horizon=twin.horizon)
    try:
        yield held
    finally:
        held.close()


def taken(of: Fleet, rows: Sequence[Reading]) -> TwinState:
    book = SeriesBook()
    for batch in by_instant(rows):
        of.take(Readings.of(batch, book), book)
    return of.state("crossing")


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@contextmanager
def running(twin: gm.Twin, rows: Sequence[Reading]) -> Iterator[RunningSite]:
    link = PlayedLink("l", [Batch(batch, batch[0].valid_at) for batch in by_instant(rows)])
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        assert site.caught_up(PATIENCE_S)
        yield site


@pytest.mark.timeout(240)
def test_that_a_demand_is_found_in_a_site_and_a_signal_programme_tried(
    network: Sumo, rows: list[Reading]
) -> None:
    before = children()
    model = district(network, most_processes=40)
    with running(twin_of(model), rows) as site:
        twin = site["crossing"]
        demand = twin.now()["demand"]
        spread = float(demand.sd[-1])
        # It was believed to be 300 within a factor of 1.5. Two windows of chance traffic do not
        # tell it to the vehicle, but far from there.
        assert abs(float(demand.mean[-1]) - HIDDEN) < 3 * spread
        assert spread < 0.5 * 0.4 * 300
        ahead = twin.forecast("5 min", every="1 min", raw=True)
        # As many arrive as come: 0.25 + 0.15 a second by chance, and those that were found.
        coming = 60 * 0.4 + HIDDEN / 60
        assert float(ahead["arrived"].mean.mean()) == pytest.approx(coming, rel=0.25)
        twin.scenario("held-back", program="1", until="5 min", every="1 min")
        queue = twin.compare("held-back", on="south")
        # With 5 s of green in a cycle hardly any of the 40 of five minutes come through.
        assert float(queue.mean[-1]) > 5.0
        assert float(queue.mean_interval()[0][-1]) > 0.0
        assert twin.trust().failed_members == 0
        assert model.processes <= 40
    assert model.processes == 0
    assert children() <= before


@pytest.mark.timeout(240)
def test_that_it_goes_on_equally_from_bytes_and_where_processes_were_killed(
    network: Sumo, rows: list[Reading]
) -> None:
    model = district(network)
    with fleet(twin_of(model, members=4)) as of:
        half = taken(of, [row for row in rows if row.valid_at <= START + 180_000_000])
        packed = half.to_bytes()
        whole = taken(of, rows)
    with fleet(twin_of(district(network), members=4)) as other:
        other.restore(["crossing"], TwinState.from_bytes(packed))
        later = [row for row in rows if row.valid_at > START + 180_000_000]
        first = taken(other, later[:3])
        killed = 0
        for each in first.simulations.ravel():
            there = each.opened if isinstance(each, Stored) else each
            assert there is None or isinstance(there, Simulation)
            engine = None if there is None else there.engine
            if isinstance(engine, HostedEngine) and engine.pid is not None:
                os.kill(engine.pid, signal.SIGKILL)
                killed += 1
        assert killed >= 4
        again = taken(other, later)
        assert again.digest() == whole.digest()
        assert int(again.failed[0]) == 0
    # What the digest tells of simulations is how they were made; that they are equal is shown by
    # what they give.
    assert np.array_equal(again.members, whole.members)
