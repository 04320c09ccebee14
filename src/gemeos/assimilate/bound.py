"""Keeping the coordinates of bounded variables where arithmetic still means something.

Next to its bound a variable's coordinate runs to infinity: one member with an empty queue would be
87 logarithms below the rest, make the spread absurd, and let the next reading throw all the others
out of the range of numbers.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from gemeos.schema.coordinate import Above, Between, Whole
from gemeos.schema.prior import LogNormal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Param, State

_DOWN, _UP = 16.0, 40.0
"""Logarithms below and above what is typical: a ten-millionth of it, 10^17 times it."""
_LOGIT = 16.0
"""A ten-millionth of the way from either bound."""
_DEVIATIONS = 6.0
"""A lognormal that is wider than that is believed so far."""


def limits(schema: Schema) -> tuple[Float[np.ndarray, " row"], Float[np.ndarray, " row"]]:
    """Least and most coordinate of each row; running sums have none."""
    least = np.full(schema.rows, -np.inf)
    most = np.full(schema.rows, np.inf)
    for row, variable in enumerate(schema.estimated):
        least[row], most[row] = _limits(variable)
    return least.astype(schema.precision), most.astype(schema.precision)


def _limits(variable: State | Param) -> tuple[float, float]:
    match variable.coordinate:
        case Whole():
            return -np.inf, np.inf
        case Between():
            return -_LOGIT, _LOGIT
        case Above(least):
            middle = float(np.log(variable.prior.typical - least))
            wide = variable.prior.sigma if isinstance(variable.prior, LogNormal) else 0.0
            return middle - max(_DOWN, _DEVIATIONS * wide), middle + max(_UP, _DEVIATIONS * wide)
