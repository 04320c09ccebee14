"""Many states of a farm in one call: what a search asks for, that asks for hundreds.

The engine's port takes one state at a time, and FLORIS spends some 50 ms on whatever it is given;
in one call it does thousands of states a second. It has no memory and runs no foreign code of the
user's, so it may as well be called in this process.
"""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np
from jaxtyping import Float, Float64

from gemeos.engines.floris.settings import Floris, Machine, check_installed
from gemeos.errors import InputError

KILO: Final = 1000.0
LEAST_KW: Final = 1e-6
"""Of a turbine that stands: its thrust goes with what it gives, and a quotient stays one."""
UNLIMITED_KW: Final = 1e9
COSINE_EXPONENT: Final = 1.88
"""Of yaw and of tilt: FLORIS's own of the NREL 5 MW turbine."""
TILT_DEG: Final = 5.0
"""Of rotors, FLORIS's own of the same turbine."""
TIP_SPEED_RATIO: Final = 8.0
"""The same."""
HIGHEST_WIND: Final = 60.0
"""m/s, up to which FLORIS knows that nothing is given."""


@final
class Steady:
    """FLORIS in this process. For one thread."""

    def __init__(self, floris: Floris) -> None:
        """Import FLORIS, which takes seconds, and build its model.

        Raises:
            EngineError: FLORIS is not installed.
        """
        check_installed()
        from floris import FlorisModel  # noqa: PLC0415 - an extra

        east, north = np.array(floris.places, np.float64).T
        self._model: Any = FlorisModel(floris.config or FlorisModel.get_defaults())
        self._model.set(layout_x=east, layout_y=north)
        self._turbines = len(floris.places)
        self._can_be_limited = bool(floris.machines)
        if floris.machines:
            # FLORIS tells types apart by name and by being the same object.
            types = {machine: _described(machine) for machine in floris.machines}
            heights = {machine.hub_height_m for machine in floris.machines}
            self._model.set(
                turbine_type=[types[machine] for machine in floris.machines],
                reference_wind_height=sum(heights) / len(heights),
                wind_shear=0.0,
            )

    @property
    def model(self) -> Any:  # noqa: ANN401 - foreign
        """FLORIS's own ``FlorisModel``, a copy, for what it can do besides."""
        return self._model.copy()

    def power(
        self,
        direction: Float[np.ndarray, " state"],
        speed: Float[np.ndarray, " state"],
        turbulence: Float[np.ndarray, " state"],
        yaw: Float[np.ndarray, "state turbine"],
    ) -> Float64[np.ndarray, "state turbine"]:
        """What each turbine gives, kW.

        Args:
            direction: Where the wind comes from, degrees clockwise from north.
            speed: At the reference height, m/s.
            turbulence: Its intensity, a share.
            yaw: Degrees that nacelles are turned counter-clockwise out of the wind, from above.

        Raises:
            InputError: these do not fit together.
        """
        return self._solved(direction, speed, turbulence, yaw)

    def all(
        self,
        direction: Float[np.ndarray, " state"],
        speed: Float[np.ndarray, " state"],
        turbulence: Float[np.ndarray, " state"],
        yaw: Float[np.ndarray, "state turbine"],
        limit: Float[np.ndarray, "state turbine"] | None = None,
    ) -> Float64[np.ndarray, "quantity state turbine"]:
        """Power in kW, mean wind over the rotor in m/s, thrust coefficient; else as ``power``.

        ``limit`` is the most that each turbine gives, kW, infinite where it is not limited; only
        ``Floris.machines`` can be limited, and one that is limited is taken as not turned.
        """
        power = self._solved(direction, speed, turbulence, yaw, limit)
        wind = self._model.turbine_average_velocities
        thrust = self._model.get_turbine_thrust_coefficients()
        return np.stack([power, np.asarray(wind), np.asarray(thrust)])

    def _solved(
        self,
        direction: Float[np.ndarray, " state"],
        speed: Float[np.ndarray, " state"],
        turbulence: Float[np.ndarray, " state"],
        yaw: Float[np.ndarray, "state turbine"],
        limit: Float[np.ndarray, "state turbine"] | None = None,
    ) -> Float64[np.ndarray, "state turbine"]:
        """FLORIS's model stands at that; the powers, kW. Arguments as of ``all``."""
        states = len(direction)
        limit = np.full_like(yaw, np.inf) if limit is None else limit
        shapes = (speed.shape, turbulence.shape, yaw.shape, limit.shape)
        if shapes != ((states,), (states,), *2 * ((states, self._turbines),)):
            raise InputError(
                f"FLORIS was given {states} directions, with speeds, turbulence, yaw and limits "
                f"of the shapes {shapes}; {self._turbines} turbines stand there."
            )
        limited = np.isfinite(limit)
        if limited.any() and not self._can_be_limited:
            raise InputError("Only turbines that are told as machines can be limited.")
        most = np.where(limited, np.maximum(limit, LEAST_KW), UNLIMITED_KW)
        self._model.set(
            wind_directions=direction,
            wind_speeds=speed,
            turbulence_intensities=turbulence,
            yaw_angles=np.where(limited, 0.0, yaw),
            # Also where nothing is limited: what was set before would stay.
            power_setpoints=KILO * most if self._can_be_limited else None,
        )
        self._model.run()
        return np.asarray(self._model.get_turbine_powers(), np.float64) / KILO


def _described(machine: Machine) -> dict[str, Any]:
    """As FLORIS's files of turbines have it."""
    beyond = (machine.speed[-1] + 1e-3, HIGHEST_WIND)
    # Of a limit it takes the share of what the turbine could give: never a share of nothing.
    power = [max(kw, LEAST_KW) for kw in (*machine.power_kw, 0.0, 0.0)]
    return {
        "turbine_type": machine.name,
        "hub_height": machine.hub_height_m,
        "rotor_diameter": machine.rotor_diameter_m,
        "TSR": TIP_SPEED_RATIO,
        "operation_model": "mixed",
        "power_thrust_table": {
            "ref_air_density": 1.225,
            "ref_tilt": TILT_DEG,
            "cosine_loss_exponent_tilt": COSINE_EXPONENT,
            "cosine_loss_exponent_yaw": COSINE_EXPONENT,
            "wind_speed": [*machine.speed, *beyond],
            "power": power,
            "thrust_coefficient": [*machine.thrust, 0.0, 0.0],
        },
    }
