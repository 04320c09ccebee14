"""The port of a filter: how members are corrected by what was read at one instant."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Float64


class Assimilator(Protocol):
    """Corrects ensembles. Pure; each twin's result depends on that twin alone."""

    @property
    def identity(self) -> str:
        """Name and settings: they are part of what an estimate rests on."""
        ...

    def analyse(
        self,
        members: Float[np.ndarray, "twin row member"],
        predicted: Float[np.ndarray, "twin reading member"],
        observed: Float64[np.ndarray, "twin reading"],
        variance: Float64[np.ndarray, "twin reading"],
        used: Bool[np.ndarray, "twin reading"],
    ) -> Float[np.ndarray, "twin row member"]:
        """The members after the readings.

        Args:
            members: Coordinates; rows that are parameters are known from the construction.
            predicted: What each member would have read, in sensor units.
            observed: What was read.
            variance: Of the reading's error, in squared sensor units; positive.
            used: False pads twins that have fewer readings than others.
        """
        ...
