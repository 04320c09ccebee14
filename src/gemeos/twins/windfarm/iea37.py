"""IEA Wind Task 37, case study 1: layouts of turbines whose annual energy is published.

Baker et al. (2019), AIAA 2019-0540: turbines of 3.35 MW with a rotor of 130 m, 16 directions at
9.8 m/s, within a circle and two diameters apart at least. The example layouts, in rings, give
366,941.57, 737,883.10 and 1,294,974.30 MWh a year; the best entry of 16 turbines that keeps to the
rules 418,924 MWh.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float64

from gemeos.twins.windfarm.layout import Energy, Ground, Machine, Rose

DIAMETER: Final = 130.0
EXPANSION: Final = 0.0324555
THRUST: Final = 8.0 / 9.0
FREE: Final = 9.8
CUT_IN: Final = 4.0
RATED_KW: Final = 3350.0
FREQUENCY: Final = np.array(
    [
        *(0.025, 0.024, 0.029, 0.036, 0.063, 0.065, 0.100, 0.122),
        *(0.063, 0.038, 0.039, 0.083, 0.213, 0.046, 0.032, 0.022),
    ]
)
RINGS: Final = {
    16: ((5, 650.0), (10, 1300.0)),
    36: ((5, 2000.0 / 3), (12, 4000.0 / 3), (18, 2000.0)),
    64: ((5, 750.0), (12, 1500.0), (18, 2250.0), (28, 3000.0)),
}
ENERGY_MWH: Final = {16: 366_941.57, 36: 737_883.10, 64: 1_294_974.30}


def layout(turbines: int) -> Float64[np.ndarray, "turbine 2"]:
    """One turbine in the middle, the others evenly on rings, the first of each in the east; in m.

    Args:
        turbines: 16, 36 or 64.
    """
    places = [(0.0, 0.0)]
    for count, radius in RINGS[turbines]:
        turns = 2.0 * math.pi * np.arange(count) / count
        places += [(radius * math.cos(a), radius * math.sin(a)) for a in turns]
    return np.array(places)


def power(wind: Float64[np.ndarray, "..."]) -> Float64[np.ndarray, "..."]:
    """In kW, by the wind in m/s."""
    share: Float64[np.ndarray, ...] = np.clip((wind - CUT_IN) / (FREE - CUT_IN), 0.0, 1.0)
    return RATED_KW * share**3


MACHINE: Final = Machine(DIAMETER, EXPANSION, power, lambda wind: np.full_like(wind, THRUST))
CASE: Final = Energy(Rose(22.5 * np.arange(16), FREQUENCY, np.full(16, FREE)), MACHINE)


GROUND: Final = Ground(radius_m=1300.0, apart_m=2 * DIAMETER)
"""For 16 turbines."""
