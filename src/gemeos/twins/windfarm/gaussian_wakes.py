"""What turbines take from each other's wind by our own wakes, see ``wake``."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.steering import Controls
from gemeos.twins.windfarm.wake import combined, deficit


def taken_by_gaussian(
    farm: Farm,
    thrust: Float[np.ndarray, "twin turbine member"],
    direction: Float[np.ndarray, "twin member"],
    expansion: Float[np.ndarray, "twin turbine member"],
    asked: Controls,
) -> Float[np.ndarray, "twin turbine member"]:
    """Share of each turbine's wind that the wakes of the others take.

    Args:
        farm: Whose turbines.
        thrust: Coefficients; 0 of those that stand.
        direction: Where the wind comes from, degrees.
        expansion: Growth of wakes' widths per distance.
        asked: What is set.
    """
    taken = np.zeros_like(thrust)
    kind = thrust.dtype.type
    radians = direction * kind(math.pi / 180.0)
    east, north = -np.sin(radians), -np.cos(radians)
    place = farm.east_north_m.astype(thrust.dtype)
    for i in range(len(place)):
        each = []
        for j, source in enumerate(farm.turbines):
            if i == j:
                continue
            dx, dy = place[i] - place[j]
            each.append(
                deficit(
                    dx * east + dy * north,
                    dx * north - dy * east,
                    thrust=thrust[:, j],
                    expansion=expansion[:, j],
                    diameter=farm.type_of(source).rotor_diameter_m,
                    yaw=asked.yaw[:, j] if asked.turns else None,
                )
            )
        if each:
            taken[:, i] = combined(np.stack(each, axis=1))
    return taken
