"""What-ifs of a running site go on by turns and in processes, and survive what becomes of these."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

import gemeos as gm
from gemeos.runtime.run import RunningSite
from gemeos.runtime.scenario import Progress
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 30.0


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01)
    leak: float = gm.param("1/s", gm.lognormal(0.01, 0.3))
    valve: float = gm.control("1", bounds=(0, 1), default=1.0)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + dt * (0.02 * self.valve - self.leak * self.level))

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


@contextmanager
def running() -> Iterator[RunningSite]:
    twin = gm.Twin("tank", Tank).bind("l:g", to="gauge")
    rows = [Reading(Series("l", "g"), START + s * SECOND, 2.0) for s in range(50)]
    link = PlayedLink("l", [Batch(rows, START + 49 * SECOND)])
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        yield site


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_that_a_long_scenario_holds_up_neither_another_one_nor_a_search() -> None:
    with running() as site:
        twin = site["tank"]
        twin.scenarios.begin("long", until="60 d", every="1 d", members=20_000)
        until(lambda: twin.scenarios.record("long").progress is Progress.RUNNING)
        shut = twin.scenario("shut", valve="0", until="10 min")
        assert shut["level"].mean[-1] < 1.0
        found = twin.optimise(
            over={"valve": "0, 1"}, until="1 min", minimise="mean(last(level))", budget="20 runs"
        )
        assert found.is_recommended
        assert twin.scenarios.record("long").progress is Progress.RUNNING
        whatifs = site.host.scenarios
        before = whatifs.fraction("tank", "long")
        until(lambda: whatifs.fraction("tank", "long") > before)
        assert twin.scenarios.cancel("long").progress is Progress.CANCELLED


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such processes")
def test_that_a_scenario_whose_process_was_killed_comes_out_the_same() -> None:
    with running() as site:
        twin, executor = site["tank"], site.host.executor
        asked = partial(
            twin.scenarios.begin, changes={"valve": "0.5"}, until="1 d", every="1 h", members=320
        )
        asked("first")
        until(lambda: len(executor.processes) == 1)
        (victim,) = executor.processes
        os.kill(victim, signal.SIGKILL)
        killed = twin.scenarios.record("first", wait_s=PATIENCE_S)
        assert killed.progress is Progress.DONE
        assert victim not in executor.processes
        assert len(executor.processes) == 1
        assert twin.now()["level"].mean[0] == pytest.approx(2.0, abs=0.5)
        # And as it does on a thread of the site, without any process.
        executor.close()
        asked("second")
        on_thread = twin.scenarios.record("second", wait_s=PATIENCE_S)
        assert on_thread.digest == killed.digest
        assert on_thread.origin == killed.origin
