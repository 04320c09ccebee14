"""Which variables a reading may move: sampling noise is not information."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

TIMES_SAMPLING_ERROR = 3.0
"""A sample correlation of independent variables has standard deviation 1/sqrt(N); beyond three of
them it is believed. Threshold as in Luo, Bhakta & Naevdal (2018), SPE J. 23, 396-427, sec. 2.3."""


def believable(
    covariance: Float[np.ndarray, "twin row"],
    row_variance: Float[np.ndarray, "twin row"],
    predicted_variance: Float[np.ndarray, "twin 1"],
    members: int,
) -> Float[np.ndarray, "twin row"]:
    """1 where the correlation with the reading stands out of sampling error, else 0."""
    limit = min(TIMES_SAMPLING_ERROR / math.sqrt(members), 1.0)
    enough = covariance**2 > limit**2 * row_variance * predicted_variance
    return enough.astype(covariance.dtype)
