"""Whoever waits for a long scenario over HTTP keeps nobody from asking what is so now."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import gemeos as gm
from gemeos.errors import GemeosError
from gemeos.schema.reading import Reading, Series
from gemeos.serve.client import connect
from gemeos.testing.played import Batch, PlayedLink
from gemeos.testing.served import served
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 20.0
WAITING = 8


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level - dt * 1e-6 * self.level)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


@pytest.mark.timed
def test_that_many_who_wait_for_a_scenario_keep_no_question_waiting() -> None:
    rows = [Reading(Series("l", "g"), START + s * SECOND, 2.0) for s in range(50)]
    link = PlayedLink("l", [Batch(rows, START + 49 * SECOND)])
    twin = gm.Twin("tank", Tank).bind("l:g", to="gauge")
    clock = gm.Replay(START, 1.0, "made for a test")
    with served(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        with connect(site.url) as connection:
            tank = connection["tank"]
            tank.scenarios.begin("long", until="60 d", every="1 d", members=20_000)
            over, asked = threading.Event(), threading.Semaphore(0)

            def wait() -> None:
                with connect(site.url) as own:
                    while not over.is_set():
                        with pytest.raises(GemeosError):
                            own["tank"].scenarios.estimate("long", wait_s=0.0)
                        asked.release()

            waiting = [threading.Thread(target=wait) for _ in range(WAITING)]
            for thread in waiting:
                thread.start()
            for _ in range(WAITING):
                assert asked.acquire(timeout=PATIENCE_S)
            took = []
            for _ in range(9):
                began = time.monotonic()
                tank.now()
                took.append(time.monotonic() - began)
            over.set()
            for thread in waiting:
                thread.join(PATIENCE_S)
            tank.scenarios.drop("long")
    # Each waited half a second on one of two threads: a question took more than one.
    assert np.median(took) < 0.5
