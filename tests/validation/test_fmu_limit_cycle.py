"""An FMU's limit cycle, moved as members of a twin, against published digits.

Andersen, Geer (1982), Power series expansions for the frequency and period of the limit cycle of
the van der Pol equation, SIAM J. Appl. Math. 42, 678-693, and Amore, Boyd, Fernandez (2018), High
order analysis of the limit cycle of the van der Pol oscillator, J. Math. Phys. 59, 012702: for
mu = 1 the period is 6.663286859 and the amplitude 2.008619861.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import gemeos as gm
from gemeos.engines.fmi import Fmi, opened
from gemeos.engines.simulator import EngineSimulator
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Param, State
from gemeos.units.instant import SECOND
from tests.integration.fmus.building import built

PERIOD, AMPLITUDE = 6.663286859, 2.008619861
TURN, STEP = 60, 111_055
"""Steps of a turn, and how many microseconds each: 13 us more than a period."""


def test_that_the_limit_cycle_has_its_published_period_and_amplitude(tmp_path: Path) -> None:
    path = built(tmp_path, "vanderpol", "pythonfmu3")
    narrow = 1e-8  # makes the members count in double precision
    variables = (
        State("x", "1", gm.normal(2.0, narrow)),
        State("y", "1", gm.normal(0.0, 1.0)),
        Param("mu", "1", gm.lognormal(1.0, 0.1)),
    )
    engine = opened(Fmi(str(path), step=STEP, substeps=20, logs=False))
    values = np.array([[[AMPLITUDE], [0.0], [1.0]]])  # at the top of the cycle
    driven, consts = np.zeros((1, 0, 1)), np.zeros((1, 0))
    with EngineSimulator(engine, Schema("oscillator", STEP, variables)) as simulator:
        assert simulator.schema.precision == np.float64
        for _ in range(TURN):
            moved = simulator.step(values, driven, consts)
            values = np.concatenate([moved, values[:, 2:]], axis=1)
    (x,), (y,) = values[0, :2]
    # Back at the top, where x'' = -x, and as long behind it as a turn takes too long. A wrong
    # amplitude would not come back to itself, but to the true one, by exp(-7) of the error.
    assert abs(x - AMPLITUDE) < 2e-8
    assert abs(y + AMPLITUDE * (TURN * STEP / SECOND - PERIOD)) < 2e-7
