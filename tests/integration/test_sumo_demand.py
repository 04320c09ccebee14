"""Demand that nobody sees is found from counts alone, by runs of SUMO."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.assimilate.es_mda import Draws, EsMda, Params
from gemeos.assimilate.mda_schedule import Constant
from gemeos.assimilate.observed import Observed
from gemeos.assimilate.sliding import SlidingWindow
from gemeos.engines.base import Engine
from gemeos.engines.pool import EnginePool, Samples, Window, begun, seeds
from gemeos.engines.spec import Value
from gemeos.engines.sumo import opened
from gemeos.schema.prior import LogNormal
from gemeos.schema.variable import Param
from gemeos.testing.contracts.engine import T0, told
from gemeos.units.instant import SECOND
from tests.integration.two_roads import two_roads

MEMBERS: Final = 24
MINUTE: Final = 60 * SECOND
HIDDEN: Final = 1.5
OTHER_SEED: Final = 4711
"""Of the traffic that is read: no member's."""
EDGES: Final = ("edge.main.count", "edge.side.count", "edge.out.count")
DEMAND: Final = Param("factor", "", LogNormal(1.0, 0.35), drift=5e-4)
INSTRUMENT: Final = 0.05
"""Variance of a mean count's error, in squared vehicles."""


def mean_counts(samples: Samples) -> Float64[np.ndarray, " reading"]:
    return samples.mean(axis=0)


WINDOW: Final = Window(EDGES, every=30 * SECOND, samples=40, told=mean_counts)


def demand(values: Float64[np.ndarray, " param"]) -> dict[str, Value]:
    """Vehicles an hour on both roads, beside those that SUMO sends by chance."""
    return {"flow.main": 250.0 * float(values[0]), "flow.side": 150.0 * float(values[0])}


def counted(engine: Engine, window: int) -> Float64[np.ndarray, " reading"]:
    """What the real roads show over one window."""
    rows = []
    for sample in range(WINDOW.samples):
        told(engine.advance(T0 + (window * WINDOW.samples + sample + 1) * WINDOW.every))
        read = told(engine.get(EDGES))
        rows.append([float(read[name]) for name in EDGES])
    return mean_counts(np.array(rows))


def own_scatter(pool: EnginePool, params: Params) -> Float64[np.ndarray, "reading reading"]:
    """Covariance from member to member if all have the median demand."""
    median = float(np.exp(np.median(params)))
    return np.cov(pool.predict(np.full((1, MEMBERS), median)))


@pytest.mark.timeout(180)
def test_that_a_hidden_demand_is_recovered_within_two_spreads(tmp_path: Path) -> None:
    assert OTHER_SEED not in seeds(1, "roads", MEMBERS)
    sliding = SlidingWindow((DEMAND,), 20 * MINUTE, smoother=EsMda(Constant(3), cut_off=0.0))
    state, fitted = sliding.begun(MEMBERS, Draws(2, "roads", 0)), None
    with (
        opened(two_roads(tmp_path), limit=30 * SECOND) as road,
        road.another() as real,
        EnginePool(
            begun(road.another, {}, seeds(1, "roads", MEMBERS), T0), WINDOW, demand, name="roads"
        ) as pool,
    ):
        told(real.reset({}, OTHER_SEED, T0))
        told(real.set(demand(np.array([HIDDEN]))))
        for window in range(2):
            observed = Observed(
                EDGES,
                counted(real, window),
                np.full(len(EDGES), INSTRUMENT),
                scatter=own_scatter(pool, state.params),
            )
            slid = sliding.slid(state, observed, pool, Draws(2, "roads", window + 1))
            state, fitted = slid.state, slid.smoothed
        assert pool.now == real.now == T0 + 40 * MINUTE
    assert fitted is not None
    logs = fitted.params[0]
    spread = float(logs.std(ddof=1))
    assert abs(float(logs.mean()) - math.log(HIDDEN)) < 2 * spread
    # Chance traffic of 0.07 vehicles a second: 84 in 20 minutes, give or take 9, where the demand
    # of 400 an hour times 1.5 is 200. No smoother can know its logarithm better than 9/200 from
    # one window, 0.03 from two; and it is to know it far better than the prior's 0.35.
    assert 0.02 < spread < 0.1
    assert state.failed == 0
