"""What one step of the grid adds beside the model: noise for some rows, running sums."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64, UInt32

from gemeos.ensemble.noise import streams
from gemeos.schema.schema import Schema
from gemeos.schema.variable import State
from gemeos.units.instant import SECOND


def spread_of_rows(schema: Schema) -> Float64[np.ndarray, " row"]:
    """Standard deviation that one step adds to the coordinate of each state and param."""
    root = np.sqrt(schema.step_s)
    each = [v.noise if isinstance(v, State) else v.drift for v in schema.estimated]
    return np.array(each, np.float64) * root


def streams_of_rows(schema: Schema) -> UInt32[np.ndarray, " row"]:
    """Which deviates are added to each state and param."""
    return streams("step", [v.name for v in schema.estimated])


def steps_covered(schema: Schema) -> Int64[np.ndarray, " running"]:
    """How many steps each running sum's interval has."""
    covered = [round(schema.sensors[i].over * SECOND) // schema.step for i in schema.running]
    return np.array(covered, np.int64)
