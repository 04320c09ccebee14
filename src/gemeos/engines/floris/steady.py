"""Many states of a farm in one call: what a search asks for, that asks for hundreds.

The engine's port takes one state at a time, and FLORIS spends some 50 ms on whatever it is given;
in one call it does thousands of states a second. It has no memory and runs no foreign code of the
user's, so it may as well be called in this process.
"""

from __future__ import annotations

from typing import Any, Final, final

import numpy as np
from jaxtyping import Float, Float64

from gemeos.engines.floris.settings import Floris, check_installed
from gemeos.errors import InputError

KILO: Final = 1000.0


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
        self._solve(direction, speed, turbulence, yaw)
        return np.asarray(self._model.get_turbine_powers(), np.float64) / KILO

    def all(
        self,
        direction: Float[np.ndarray, " state"],
        speed: Float[np.ndarray, " state"],
        turbulence: Float[np.ndarray, " state"],
        yaw: Float[np.ndarray, "state turbine"],
    ) -> Float64[np.ndarray, "quantity state turbine"]:
        """Power in kW, mean wind over the rotor in m/s, thrust coefficient; else as ``power``."""
        power = self.power(direction, speed, turbulence, yaw)
        wind = self._model.turbine_average_velocities
        thrust = self._model.get_turbine_thrust_coefficients()
        return np.stack([power, np.asarray(wind), np.asarray(thrust)])

    def _solve(
        self,
        direction: Float[np.ndarray, " state"],
        speed: Float[np.ndarray, " state"],
        turbulence: Float[np.ndarray, " state"],
        yaw: Float[np.ndarray, "state turbine"],
    ) -> None:
        states = len(direction)
        shapes = (speed.shape, turbulence.shape, yaw.shape)
        if shapes != ((states,), (states,), (states, self._turbines)):
            raise InputError(
                f"FLORIS was given {states} directions, with speeds, turbulence and yaw of the "
                f"shapes {shapes}; {self._turbines} turbines stand there."
            )
        self._model.set(
            wind_directions=direction,
            wind_speeds=speed,
            turbulence_intensities=turbulence,
            yaw_angles=yaw,
        )
        self._model.run()
