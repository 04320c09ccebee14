"""The Gaussian wake of a turbine, and what several take from one.

Bastankhah & Porte-Agel (2014), Renewable Energy 70, 116-123: self-similar deficit (eq. 7), its
greatest value from conservation of mass and momentum (eq. 23), width growing linearly (eq. 22).
Width at the rotor as D/sqrt(8), as in IEA Wind Task 37, case study 1 (Baker et al. 2019, AIAA
2019-0540, eqs. 1-2), so that no turbine is ever so near that the root turns imaginary.
Valid in the far wake, behind about three diameters.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float

WIDTH_AT_ROTOR: Final = 1.0 / math.sqrt(8.0)
"""In rotor diameters: there the greatest deficit is that of actuator-disc theory."""


def deficit(
    downstream: Float[np.ndarray, "*#where"],
    across: Float[np.ndarray, "*#where"],
    *,
    thrust: Float[np.ndarray, "*#where"],
    expansion: Float[np.ndarray, "*#where"],
    diameter: float,
) -> Float[np.ndarray, "*where"]:
    """Share of the wind that one wake takes away.

    Args:
        downstream: Distance behind the rotor along the wind, in the unit of ``diameter``; nothing
            is taken where it is not positive.
        across: Distance from the wake's axis.
        thrust: Coefficient of the rotor that makes the wake, 0 to below 1.
        expansion: Growth of the wake's width (standard deviation) per distance.
        diameter: Of the rotor that makes the wake.
    """
    behind = downstream > 0
    width = expansion * np.where(behind, downstream, 0) + WIDTH_AT_ROTOR * diameter
    greatest = 1.0 - np.sqrt(1.0 - thrust / (8.0 * (width / diameter) ** 2))
    return np.where(behind, greatest * np.exp(-0.5 * (across / width) ** 2), 0.0)


def combined(
    deficits: Float[np.ndarray, "twin source member"],
) -> Float[np.ndarray, "twin member"]:
    """What several wakes take together: the root of the sum of squares.

    Katic, Hojstrup & Jensen (1986), Proc. EWEC 1986, 407-410.
    """
    return np.sqrt((deficits**2).sum(axis=1))
