"""The Gaussian wake of a turbine, and what several take from one.

Bastankhah & Porte-Agel (2014), Renewable Energy 70, 116-123: self-similar deficit (eq. 7), its
greatest value from conservation of mass and momentum (eq. 23), width growing linearly (eq. 22).
Width at the rotor as D/sqrt(8), as in IEA Wind Task 37, case study 1 (Baker et al. 2019, AIAA
2019-0540, eqs. 1-2), so that no turbine is ever so near that the root turns imaginary.
Valid in the far wake, behind about three diameters.

Of a rotor that is turned out of the wind: Bastankhah & Porte-Agel (2016), J. Fluid Mech. 806,
506-541. The wake is narrower across by the cosine (eq. 7.2) and its axis bends aside (eqs. 6.12,
6.16 and 7.4). The axis goes straight behind the rotor as far as the near wake reaches, which the
width above knows nothing of: it was fitted without.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float

WIDTH_AT_ROTOR: Final = 1.0 / math.sqrt(8.0)
"""In rotor diameters: there the greatest deficit is that of actuator-disc theory."""
SLIGHT_THRUST: Final = 1e-3
"""Below it a wake bends as at it: it takes nothing that could be told, and a quotient stays one."""


def deficit(
    downstream: Float[np.ndarray, "*#where"],
    across: Float[np.ndarray, "*#where"],
    *,
    thrust: Float[np.ndarray, "*#where"],
    expansion: Float[np.ndarray, "*#where"],
    diameter: float,
    yaw: Float[np.ndarray, "*#where"] | None = None,
) -> Float[np.ndarray, "*where"]:
    """Share of the wind that one wake takes away.

    Args:
        downstream: Distance behind the rotor along the wind, in the unit of ``diameter``; nothing
            is taken where it is not positive.
        across: Distance from the line behind the rotor, to the right looking downwind.
        thrust: Coefficient of the rotor that makes the wake, 0 to below 1.
        expansion: Growth of the wake's width (standard deviation) per distance.
        diameter: Of the rotor that makes the wake.
        yaw: Radians that this rotor is turned counter-clockwise out of the wind, seen from above;
            None and noughts give the same, to the last bit.
    """
    behind = downstream > 0
    width = expansion * np.where(behind, downstream, 0) + WIDTH_AT_ROTOR * diameter
    if yaw is not None:
        wide = expansion * np.where(behind, downstream, 0)
        wide = wide + (WIDTH_AT_ROTOR * diameter) * np.cos(yaw)
        size = (wide / diameter) * (width / diameter)
        pushed = thrust * np.cos(yaw)
        greatest = 1.0 - np.sqrt(1.0 - pushed / (8.0 * size))
        far = np.where(behind, downstream, 0) / diameter
        aside = across - diameter * bent(far, thrust=thrust, expansion=expansion, yaw=yaw)
        return np.where(behind, greatest * np.exp(-0.5 * (aside / wide) ** 2), 0.0)
    greatest = 1.0 - np.sqrt(1.0 - thrust / (8.0 * (width / diameter) ** 2))
    return np.where(behind, greatest * np.exp(-0.5 * (across / width) ** 2), 0.0)


def bent(
    downstream: Float[np.ndarray, "*#where"],
    *,
    thrust: Float[np.ndarray, "*#where"],
    expansion: Float[np.ndarray, "*#where"],
    yaw: Float[np.ndarray, "*#where"],
) -> Float[np.ndarray, "*where"]:
    """How far the axis of a turned rotor's wake is from the line behind it, in its diameters.

    It leaves the rotor at an angle (eq. 6.12), goes straight to the end of the near wake (eq.
    6.16), and bends back as the wake grows from there (eq. 7.4). How long the near wake is depends
    on turbulence, which is told from the expansion by Niayifar & Porte-Agel (2016), Energies 9,
    741, eq. 15.

    Args:
        downstream: Distance behind the rotor, in its diameters.
        thrust: As in ``deficit``.
        expansion: As in ``deficit``.
        yaw: As in ``deficit``.
    """
    some = np.maximum(thrust, SLIGHT_THRUST)
    cosine, root, slowed = np.cos(yaw), np.sqrt(some), np.sqrt(1.0 - some)
    angle = 0.3 * yaw / cosine * (1.0 - np.sqrt(1.0 - some * cosine))
    unrest = np.maximum(expansion - 0.003678, 0.0) / 0.3837
    near = cosine * (1.0 + slowed) / (math.sqrt(2.0) * (2.32 * unrest + 0.154 * (1.0 - slowed)))
    beyond = expansion * np.maximum(downstream - near, 0.0)
    wide, high = beyond + WIDTH_AT_ROTOR * cosine, beyond + WIDTH_AT_ROTOR
    grown = 1.6 * np.sqrt(8.0 * wide * high / cosine)
    ratio = (1.6 + root) * (grown - root) / ((1.6 - root) * (grown + root))
    fading = 2.9 + 1.3 * slowed - some
    bend = np.sqrt(cosine / (expansion**2 * some)) / 14.7 * fading * np.log(ratio)
    return angle * (np.minimum(downstream, near) + bend)


def combined(
    deficits: Float[np.ndarray, "twin source member"],
) -> Float[np.ndarray, "twin member"]:
    """What several wakes take together: the root of the sum of squares.

    Katic, Hojstrup & Jensen (1986), Proc. EWEC 1986, 407-410.
    """
    return np.sqrt((deficits**2).sum(axis=1))
