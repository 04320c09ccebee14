"""The wake of ``gemeos.twins.windfarm.wake`` against publications.

IEA Wind Task 37, case study 1 (Baker et al. 2019, AIAA 2019-0540): turbines of 3.35 MW with a
rotor of 130 m in rings, 16 directions at 9.8 m/s, annual energy of the three example layouts as
published with the case (366,941.57, 737,883.10 and 1,294,974.30 MWh, whose digits end there).

Bastankhah & Porte-Agel (2014), Renewable Energy 70, 116-123: conservation of momentum.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.twins.windfarm.iea37 import (
    CUT_IN,
    DIAMETER,
    ENERGY_MWH,
    EXPANSION,
    FREE,
    FREQUENCY,
    RATED_KW,
    THRUST,
    layout,
)
from gemeos.twins.windfarm.wake import WIDTH_AT_ROTOR, combined, deficit


def annual_energy(places: Float64[np.ndarray, "turbine 2"]) -> float:
    total = 0.0
    for direction, frequency in enumerate(FREQUENCY):
        angle = math.radians(22.5 * direction)
        along = places @ np.array([-math.sin(angle), -math.cos(angle)])
        across = places @ np.array([math.cos(angle), -math.sin(angle)])
        # The case counts a turbine as upwind when it is not behind; round off what is level.
        downstream = np.round(along[:, None] - along[None, :], 6)
        each = deficit(
            downstream,
            across[:, None] - across[None, :],
            thrust=np.array([[THRUST]]),
            expansion=np.array([[EXPANSION]]),
            diameter=DIAMETER,
        )
        wind = FREE * (1.0 - combined(each[:, :, None])[:, 0])
        share = np.clip((wind - CUT_IN) / (FREE - CUT_IN), 0.0, 1.0) ** 3
        total += frequency * RATED_KW * share.sum()
    return float(total * 8760.0 / 1000.0)


@pytest.mark.parametrize("turbines", [16, 36, 64])
def test_that_the_annual_energy_of_iea37_case_1_is_reproduced(turbines: int) -> None:
    # Published to 0.01 MWh; coordinates there are rounded to 0.1 mm, which moves less than that.
    assert annual_energy(layout(turbines)) == pytest.approx(ENERGY_MWH[turbines], rel=1e-6)


def test_that_momentum_is_conserved_at_every_distance() -> None:
    # Integral of u (1 - u) over the plane = C_T (pi D^2 / 8): eqs. 2 and 19, for every x.
    for downstream in (3.0, 7.0, 15.0):
        radius = np.linspace(0.0, 30.0, 200_001)
        lost = deficit(
            np.array([downstream]),
            radius,
            thrust=np.array([0.8]),
            expansion=np.array([0.04]),
            diameter=1.0,
        )
        flux = 2.0 * math.pi * np.trapezoid(lost * (1.0 - lost) * radius, radius)
        assert flux == pytest.approx(0.8 * math.pi / 8.0, rel=1e-6)


def test_that_the_greatest_deficit_at_the_rotor_is_that_of_the_actuator_disc() -> None:
    # sigma = D / sqrt(8): 1 - sqrt(1 - C_T), Betz far wake; eq. 23 with x -> 0.
    near = deficit(
        np.array([1e-9]),
        np.array([0.0]),
        thrust=np.array([0.75]),
        expansion=np.array([0.05]),
        diameter=80.0,
    )
    assert near[0] == pytest.approx(0.5, abs=1e-9)
    assert pytest.approx(0.3536, abs=1e-4) == WIDTH_AT_ROTOR


def test_that_nothing_is_taken_upwind() -> None:
    upwind = deficit(
        np.array([0.0, -500.0]),
        np.array([0.0, 0.0]),
        thrust=np.array([0.8]),
        expansion=np.array([0.05]),
        diameter=80.0,
    )
    assert (upwind == 0).all()


def test_that_two_equal_wakes_take_the_root_of_two_times_one() -> None:
    one = np.full((1, 1, 1), 0.3)
    assert combined(np.repeat(one, 2, axis=1))[0, 0] == pytest.approx(0.3 * math.sqrt(2.0))
