"""What turbines take from each other's wind by FLORIS's wakes, for all members at once.

FLORIS knows one wind for the whole farm. So it is asked in the mean of the turbines' winds without
wakes, and what it says is a share of that. Turbulence follows from how wakes grow, which the twin
estimates (Niayifar & Porte-Agel 2016, Energies 9, 741, eq. 15).
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from gemeos.engines.floris import Floris, Machine, Steady
from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.steering import Controls

LEAST_WIND: Final = 2.0
"""m/s. In less, where no turbine runs, FLORIS is asked as if it were this."""
MOST_WIND: Final = 40.0
"""m/s. In more the same."""
TURBULENCE: Final = (0.01, 0.40)
"""Within which FLORIS is asked."""
AT_ONCE: Final = 4096
"""States in one call: so much stays within some hundred megabytes."""
STANDS: Final = 0.5
"""Share of the interval from which on a turbine that stands has no wake."""


class _Held(NamedTuple):
    steady: Steady
    lock: Lock
    """FLORIS's model is for one thread."""


def floris_of(farm: Farm) -> Floris:
    """The farm as FLORIS is told of it."""
    machines = []
    for turbine in farm.turbines:
        kind = farm.type_of(turbine)
        machines.append(
            Machine(
                kind.name,
                kind.hub_height_m,
                kind.rotor_diameter_m,
                tuple(kind.speed.tolist()),
                tuple(kind.power.tolist()),
                tuple(kind.thrust.tolist()),
            )
        )
    places = tuple((float(e), float(n)) for e, n in farm.east_north_m)
    return Floris(places, tuple(t.name for t in farm.turbines), machines=tuple(machines))


def taken_by_floris(
    floris: Floris,
    local: Float[np.ndarray, "twin turbine member"],
    direction: Float[np.ndarray, "twin member"],
    expansion: Float[np.ndarray, "twin turbine member"],
    idle: Float[np.ndarray, "twin turbine #member"],
    asked: Controls,
) -> Float[np.ndarray, "twin turbine member"]:
    """Share of each turbine's wind that the wakes of the others take; NaN of members that failed.

    Args:
        floris: See ``floris_of``.
        local: Wind at each turbine without wakes, m/s.
        direction: Where it comes from, degrees.
        expansion: Growth of wakes' widths per distance.
        idle: Share of the interval that each stands.
        asked: What is set.

    Raises:
        EngineError: FLORIS is not installed.
    """
    shape = local.shape

    def flat(
        values: Float[np.ndarray, "twin turbine #member"],
    ) -> Float[np.ndarray, "state turbine"]:
        whole = np.broadcast_to(values, shape).astype(np.float64)
        return whole.transpose(0, 2, 1).reshape(-1, shape[1])

    speed = np.clip(flat(local).mean(axis=1), LEAST_WIND, MOST_WIND)
    heading = np.mod(direction.astype(np.float64).reshape(-1), 360.0)
    growth = flat(expansion).mean(axis=1)
    turbulence = np.clip((growth - 0.003678) / 0.3837, *TURBULENCE)
    stands = flat(idle)
    limit = np.where(stands > STANDS, 0.0, flat(asked.limit))
    yaw = np.degrees(flat(asked.yaw))
    left = np.full((len(speed), shape[1]), np.nan)
    of_all = speed + heading + turbulence + (yaw + stands).sum(axis=1)
    sound = np.flatnonzero(np.isfinite(of_all))
    held = _held(floris)
    with held.lock:
        for since in range(0, len(sound), AT_ONCE):
            some = sound[since : since + AT_ONCE]
            told = held.steady.all(
                heading[some], speed[some], turbulence[some], yaw[some], limit[some]
            )
            left[some] = told[1] / speed[some, None]
    taken = np.clip(1.0 - left, 0.0, 1.0).reshape(shape[0], shape[2], shape[1])
    return taken.transpose(0, 2, 1).astype(local.dtype)


@lru_cache(maxsize=8)
def _held(floris: Floris) -> _Held:
    """Built once in each process; the importing takes seconds."""
    return _Held(Steady(floris), Lock())
