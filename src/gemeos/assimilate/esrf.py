"""Serial ensemble square-root filter: one reading after the other, no perturbed readings.

Whitaker & Hamill (2002), Mon. Wea. Rev. 130, 1913-1924: gain (eq. 2), reduced gain for the
anomalies (eqs. 10 and 13). Predicted readings that are still to come are carried along as if they
were state (Anderson 2003, Mon. Wea. Rev. 131, 634-642, sec. 2c), so that the model is observed
once an instant.

The default for small twins with independent sensors: no matrix algebra, any subset of the sensors
at any instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Float64

from gemeos.assimilate.inflate import RelaxToPriorSpread
from gemeos.assimilate.localise import believable


@dataclass(frozen=True)
class SerialSquareRoot:
    """The filter with its settings."""

    params: Sequence[int] = ()
    """Rows that are parameters: moved only by readings they are believably correlated with."""
    inflation: RelaxToPriorSpread = field(default_factory=RelaxToPriorSpread)

    @property
    def identity(self) -> str:
        """Name and settings."""
        return f"serial-square-root/params-cut-off/relax-{self.inflation.alpha}"

    def analyse(
        self,
        members: Float[np.ndarray, "twin row member"],
        predicted: Float[np.ndarray, "twin reading member"],
        observed: Float64[np.ndarray, "twin reading"],
        variance: Float64[np.ndarray, "twin reading"],
        used: Bool[np.ndarray, "twin reading"],
    ) -> Float[np.ndarray, "twin row member"]:
        """The members after the readings, in the order given."""
        rows = members.shape[1]
        joint = np.concatenate([members, predicted.astype(members.dtype)], axis=1)
        for place in range(observed.shape[1]):
            joint = self._corrected(
                joint, rows + place, observed[:, place], variance[:, place], used[:, place]
            )
        return self.inflation.inflated(joint[:, :rows, :], members)

    def _corrected(
        self,
        joint: Float[np.ndarray, "twin joint member"],
        reading: int,
        observed: Float64[np.ndarray, " twin"],
        variance: Float64[np.ndarray, " twin"],
        used: Bool[np.ndarray, " twin"],
    ) -> Float[np.ndarray, "twin joint member"]:
        kind = joint.dtype.type
        size = joint.shape[2]
        # Products and sums along the last axis, no BLAS: a sum must not depend on the batch.
        shifted = joint - joint[:, :, :1]
        shift = shifted.mean(axis=2, keepdims=True)
        anomalies = shifted - shift
        seen = anomalies[:, reading, :]
        covariance = (anomalies * seen[:, None, :]).sum(axis=2) / kind(size - 1)
        spread = covariance[:, reading][:, None]
        noise = variance.astype(joint.dtype)[:, None]
        total = spread + noise
        gain = covariance / total
        if len(self.params):
            rows = list(self.params)
            of_rows = (anomalies[:, rows, :] ** 2).sum(axis=2) / kind(size - 1)
            gain[:, rows] *= believable(covariance[:, rows], of_rows, spread, size)
        gain = np.where(used[:, None], gain, kind(0))
        # In double precision: a reading of 4e6 less an expectation of 4e6.
        expected = joint[:, reading, 0].astype(np.float64) + shift[:, reading, 0]
        surprise = np.where(used, observed - expected, 0.0).astype(joint.dtype)
        reduced = kind(1) / (kind(1) + np.sqrt(noise / total))
        moved = surprise[:, None, None] - reduced[:, :, None] * seen[:, None, :]
        return joint + gain[:, :, None] * moved
