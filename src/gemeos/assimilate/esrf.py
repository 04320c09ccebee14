"""Serial ensemble square-root filter: one reading after the other, no perturbed readings.

Whitaker & Hamill (2002), Mon. Wea. Rev. 130, 1913-1924: gain (eq. 2), reduced gain for the
anomalies (eqs. 10 and 13). Predicted readings are carried along as if they were state (Anderson
2003, Mon. Wea. Rev. 131, 634-642, sec. 2c), so that the model is observed once an instant.

The default for small twins with independent sensors: no matrix algebra, any subset of the sensors
at any instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64

from gemeos.assimilate.base import Analysis
from gemeos.assimilate.inflate import (
    AdaptiveRelaxation,
    Inflation,
    RelaxToPriorSpread,
    stretched,
)
from gemeos.assimilate.localise import believable

ROUNDINGS = 8.0
"""A reading is never trusted closer than so many roundings of the numbers it is compared with."""


@dataclass(frozen=True)
class SerialSquareRoot:
    """The filter with its settings."""

    params: Sequence[int] = ()
    """Rows that are parameters: moved only by readings they are believably correlated with."""
    inflation: Inflation = field(default_factory=AdaptiveRelaxation)

    @property
    def identity(self) -> str:
        """Name and settings."""
        return f"serial-square-root/params-garrote/{self.inflation.identity}"

    def analyse(
        self,
        members: Float[np.ndarray, "twin row member"],
        predicted: Float[np.ndarray, "twin reading member"],
        observed: Float64[np.ndarray, "twin reading"],
        variance: Float64[np.ndarray, "twin reading"],
        used: Bool[np.ndarray, "twin reading"],
    ) -> Float[np.ndarray, "twin row member"]:
        """The members after one analysis that has no history: only a fixed share is given back."""
        after = self.analysis(members, predicted, observed, variance, used).members
        match self.inflation:
            case RelaxToPriorSpread() as fixed:
                return fixed.inflated(after, members)
            case _:
                return after

    def analysis(
        self,
        members: Float[np.ndarray, "twin row member"],
        predicted: Float[np.ndarray, "twin reading member"],
        observed: Float64[np.ndarray, "twin reading"],
        variance: Float64[np.ndarray, "twin reading"],
        used: Bool[np.ndarray, "twin reading"],
    ) -> Analysis:
        """The members after the readings, in the order given, and how each fitted in."""
        rows = members.shape[1]
        joint = np.concatenate([members, predicted.astype(members.dtype)], axis=1)
        noise = _noise(variance, predicted)
        surprise, doubt = np.zeros_like(observed), np.zeros_like(observed)
        for place in range(observed.shape[1]):
            one = self._corrected(
                joint, rows + place, observed[:, place], noise[:, place], used[:, place]
            )
            joint, surprise[:, place], doubt[:, place] = one
        after = joint[:, rows:, :]
        shifted = after - after[:, :, :1]
        mean = after[:, :, 0].astype(np.float64) + shifted.mean(axis=2)
        return Analysis(
            members=joint[:, :rows, :],
            surprise=surprise,
            doubt=doubt,
            residual=observed - mean,
            left=shifted.var(axis=2, ddof=1).astype(np.float64),
        )

    def _corrected(
        self,
        joint: Float[np.ndarray, "twin joint member"],
        reading: int,
        observed: Float64[np.ndarray, " twin"],
        variance: Float[np.ndarray, " twin"],
        used: Bool[np.ndarray, " twin"],
    ) -> _Corrected:
        kind = joint.dtype.type
        size = joint.shape[2]
        # Products and sums along the last axis, no BLAS: a sum must not depend on the batch.
        shifted = joint - joint[:, :, :1]
        shift = shifted.mean(axis=2, keepdims=True)
        anomalies = shifted - shift
        seen = anomalies[:, reading, :]
        covariance = (anomalies * seen[:, None, :]).sum(axis=2) / kind(size - 1)
        spread = covariance[:, reading][:, None]
        noise = variance[:, None]
        total = spread + noise
        gain = covariance / total
        if len(self.params):
            rows = list(self.params)
            of_rows = (anomalies[:, rows, :] ** 2).sum(axis=2) / kind(size - 1)
            gain[:, rows] *= believable(covariance[:, rows], of_rows, spread, size)
        gain = np.where(used[:, None], gain, kind(0))
        # In double precision: a reading of 4e6 less an expectation of 4e6.
        expected = joint[:, reading, 0].astype(np.float64) + shift[:, reading, 0]
        surprise = observed - expected
        reduced = kind(1) / (kind(1) + np.sqrt(noise / total))
        pull = np.where(used, surprise, 0.0).astype(joint.dtype)
        moved = pull[:, None, None] - reduced[:, :, None] * seen[:, None, :]
        after = joint + gain[:, :, None] * moved
        if self.inflation.corrects_sampling:
            wide = (anomalies**2).sum(axis=2) / kind(size - 1)
            more = stretched(gain * covariance, wide, spread / total, size)
            left = anomalies - (reduced * gain)[:, :, None] * seen[:, None, :]
            after = after + more[:, :, None] * left
        return _Corrected(after, surprise, spread[:, 0].astype(np.float64))


class _Corrected(NamedTuple):
    """Members and predicted readings after one reading; what that reading met."""

    joint: Float[np.ndarray, "twin joint member"]
    surprise: Float64[np.ndarray, " twin"]
    doubt: Float64[np.ndarray, " twin"]


def _noise(
    variance: Float64[np.ndarray, "twin reading"],
    predicted: Float[np.ndarray, "twin reading member"],
) -> Float[np.ndarray, "twin reading"]:
    """The readings' variances as the members' precision can hold them.

    Two sensors of one quantity with next to no noise: behind the first, the spread of the second
    is nothing but rounding, and so is its covariance with every other row. A noise not below the
    rounding keeps the quotient of the two from being a gain.
    """
    limits = np.finfo(predicted.dtype)
    size = np.abs(predicted).max(axis=2).astype(np.float64)
    rounding = (ROUNDINGS * float(limits.eps) * size) ** 2
    least = rounding + float(limits.tiny)
    return np.clip(variance, least, most(predicted.dtype)).astype(predicted.dtype)


def most(precision: np.dtype[np.floating]) -> float:
    """A variance that is as good as none, and of which sums can still be held."""
    return 1e-3 * float(np.finfo(precision).max)
