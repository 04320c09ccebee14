"""Giving back some of the spread that an analysis took: ensembles of few members take too much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gemeos.errors import SchemaError


@dataclass(frozen=True, slots=True)
class RelaxToPriorSpread:
    """Relaxation of the analysis spread towards the spread before it.

    Whitaker & Hamill (2012), Mon. Wea. Rev. 140, 3078-3089, eq. 2. Where readings say nothing the
    spread is left alone, so that it does not matter how often a sensor reports.
    """

    alpha: float = 0.2
    """Share of the lost spread that is given back, 0 to 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise SchemaError(f"The relaxation alpha is a share, 0 to 1; it is {self.alpha}.")

    def inflated(
        self,
        after: Float[np.ndarray, "twin row member"],
        before: Float[np.ndarray, "twin row member"],
    ) -> Float[np.ndarray, "twin row member"]:
        """``after`` with its anomalies stretched towards the spread of ``before``."""
        if self.alpha == 0:
            return after
        kind = after.dtype.type
        # About the first member, not about zero: a mean of 4e6 would eat float32's digits.
        shifted = after - after[:, :, :1]
        mean = shifted.mean(axis=2, keepdims=True)
        anomalies = shifted - mean
        had = (before - before[:, :, :1]).std(axis=2, keepdims=True)
        has = anomalies.std(axis=2, keepdims=True)
        lost = np.maximum(had - has, kind(0))
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(has > 0, kind(self.alpha) * lost / has, kind(0))
        return after + factor * anomalies
