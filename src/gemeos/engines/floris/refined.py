"""FLORIS's own search for yaw angles, to be held beside others."""

from __future__ import annotations

import contextlib
import io

import numpy as np
from jaxtyping import Float64

from gemeos.engines.floris.steady import Steady


def refined(
    model: Steady,
    direction: Float64[np.ndarray, " state"],
    speed: Float64[np.ndarray, " state"],
    turbulence: Float64[np.ndarray, " state"],
    *,
    most: float,
) -> Float64[np.ndarray, "state turbine"]:
    """What ``YawOptimizationSR``, serial refinement, finds for each state of the wind.

    Args:
        model: FLORIS's.
        direction: The wind comes from, in degrees.
        speed: In m/s.
        turbulence: Intensity, as a share of the speed.
        most: Degrees that a turbine may be turned, to either side.

    References:
        Fleming et al. (2022), Journal of Physics 2265 (conference series), 032109.
    """
    # An extra, which takes seconds to import.
    from floris.optimization.yaw_optimization.yaw_optimizer_sr import (  # noqa: PLC0415
        YawOptimizationSR,
    )

    its = model.model
    its.set(wind_directions=direction, wind_speeds=speed, turbulence_intensities=turbulence)
    # It prints how far it is.
    with contextlib.redirect_stdout(io.StringIO()):
        plan = YawOptimizationSR(its, minimum_yaw_angle=-most, maximum_yaw_angle=most).optimize()
    return np.array(plan["yaw_angles_opt"].tolist(), np.float64)
