"""What a turbine's controls do to its power and to the wind behind it.

At their defaults, everything here gives back what it was given, to the last bit.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from gemeos.simulate.base import Driven
from gemeos.twins.windfarm.decisions import CONTROLS_A_TURBINE
from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.schema import ECHOES_A_TURBINE, INPUTS_A_TURBINE

COSINE_EXPONENT: Final = 1.88
"""Power of a turned turbine goes with this power of the cosine: large-eddy simulation of the NREL
5 MW turbine, Gebraad et al. (2016), Wind Energy 19, 95-114. It is FLORIS's number, too."""
GREATEST_INDUCTION: Final = 1.0 / 3.0
"""Betz: beyond it a rotor that slows the wind more gives less."""


class Controls(NamedTuple):
    """What is set of each turbine."""

    yaw: Float[np.ndarray, "twin turbine #member"]
    """Radians."""
    limit: Float[np.ndarray, "twin turbine #member"]
    """kW; infinite where nothing is limited."""
    running: Float[np.ndarray, "twin turbine #member"]

    @property
    def turns(self) -> bool:
        """Whether any turbine is turned anywhere."""
        return bool(self.yaw.any())


def controls_of(farm: Farm, driven: Driven) -> Controls:
    """What drives the model behind its inputs.

    A limit at rated power is none: a turbine that does better than its curve stays as it is.
    """
    turbines, kind = len(farm.turbines), driven.dtype.type
    inputs = len(INPUTS_A_TURBINE) + len(ECHOES_A_TURBINE)
    behind = driven[:, turbines * inputs :]
    each = behind.reshape(len(driven), turbines, len(CONTROLS_A_TURBINE), driven.shape[2])
    yaw, limit, running = (each[:, :, i] for i in range(len(CONTROLS_A_TURBINE)))
    rated = np.array([farm.type_of(t).rated_power_kw for t in farm.turbines], driven.dtype)
    limit = np.where(limit < rated[None, :, None], limit, kind(np.inf))
    return Controls(yaw * kind(math.pi / 180.0), limit, running)


def facing(yaw: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """What the wind of a turned rotor is multiplied by before its curve is read.

    Below rated power, where power goes with the cube of the wind, it gives the cosine to the power
    of ``COSINE_EXPONENT``; above it a turned turbine still gives its rated power.
    """
    return np.cos(yaw) ** yaw.dtype.type(COSINE_EXPONENT / 3.0)


def derated_thrust(
    thrust: Float[np.ndarray, "twin turbine member"],
    share: Float[np.ndarray, "twin turbine member"],
) -> Float[np.ndarray, "twin turbine member"]:
    """Thrust coefficient of rotors whose blades are turned out until they give that share.

    Actuator-disc theory: with induction a the coefficients are C_P = 4 a (1 - a)^2 and
    C_T = 4 a (1 - a) (Burton et al. 2011, Wind Energy Handbook, 2nd ed., section 3.2). Of the two
    inductions that give the lesser power the smaller is taken; the cubic a (1 - a)^2 = c has it as
    a = 2/3 (1 + cos((arccos(27 c / 2 - 1) + 2 pi) / 3)).

    Args:
        thrust: As it would be.
        share: Of the power that it would give; 1 and above leaves the thrust as it is.
    """
    kind = thrust.dtype.type
    induction = kind(0.5) * (kind(1) - np.sqrt(kind(1) - thrust))
    induction = np.minimum(induction, kind(GREATEST_INDUCTION))
    given = np.clip(share, 0, 1) * induction * (kind(1) - induction) ** 2
    turn = np.arccos(np.clip(kind(13.5) * given - kind(1), -1, 1))
    less = kind(2.0 / 3.0) * (kind(1) + np.cos((turn + kind(2.0 * math.pi)) / kind(3)))
    less = np.maximum(less, kind(0))
    return np.where(share < kind(1), kind(4) * less * (kind(1) - less), thrust)
