"""The band that a plan is watched against: what is so, and how it would be read."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

import gemeos as gm
from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.marginal import Marginal
from gemeos.runtime.twin_plans import band
from gemeos.units.instant import SECOND


@gm.model(dt="1 s")
class Queue:
    """Who waits, counted."""

    length: float = gm.state("1", gm.normal(1.0, 0.1))

    def step(self, dt: float) -> Queue:
        return Queue(length=self.length + 0.0 * dt)

    @gm.sensor("1", noise=2.0, bounds=(0, 3))
    def counted(self) -> float:
        return self.length

    @gm.sensor("1", noise=2.0)
    def free(self) -> float:
        return self.length


@pytest.mark.parametrize(
    ("sensor", "low", "high"),
    # 1 +- 1.645 * 2, which no counter of 0 to 3 can read.
    [("free", -2.29, 4.29), ("counted", 0.0, 3.0)],
)
def test_that_no_band_reaches_beyond_what_a_sensor_can_read(
    sensor: str, low: float, high: float
) -> None:
    twin = gm.Twin("queue", Queue).bind("l:c", to="counted").bind("l:f", to="free")
    one = Marginal(sensor, "1", np.array([SECOND], np.int64), np.ones((1, 20)))
    told = band(twin, cast(Estimate, {sensor: one}), sensor, 0.9)
    assert told.low[0] == pytest.approx(low, abs=0.01)
    assert told.high[0] == pytest.approx(high, abs=0.01)
