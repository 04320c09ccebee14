"""Which variables a reading may move, and how much: sampling noise is not information."""

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
    times: float = TIMES_SAMPLING_ERROR,
) -> Float[np.ndarray, "twin row"]:
    """Share of the gain that is believed: 0 up to the threshold, towards 1 far above it.

    With squared correlation r^2 and threshold c it is 1 - c^2/r^2: the non-negative garrote,
    Breiman (1995), Technometrics 37, 373-384, eq. 4. Letting all of a correlation through that
    just passed the threshold believes those most that chance made large; in a wind farm of known
    parameters that left errors of two to three times the spread, and this less than one.
    """
    limit = min(times / math.sqrt(members), 1.0)
    needed = covariance.dtype.type(limit**2) * row_variance * predicted_variance
    square = covariance**2
    enough = square > needed
    return np.where(enough, square - needed, 0) / np.where(enough, square, 1)


def gaspari_cohn(
    distance: Float[np.ndarray, "*any"], half_width: float
) -> Float[np.ndarray, "*any"]:
    """Share of the gain at a distance: 1 at none, 0 from twice ``half_width`` on, smooth between.

    Gaspari & Cohn (1999), Q. J. R. Meteorol. Soc. 125, 723-757, eq. 4.10.
    """
    z = np.abs(distance) / half_width
    near, far = np.minimum(z, 1.0), np.clip(z, 1.0, 2.0)
    within = 1.0 + near**2 * (-5 / 3 + near * (5 / 8 + near * (1 / 2 - near / 4)))
    beyond = (
        4.0
        - 2.0 / (3.0 * far)
        + far * (-5.0 + far * (5 / 3 + far * (5 / 8 + far * (-1 / 2 + far / 12))))
    )
    return np.where(z <= 1.0, within, np.maximum(beyond, 0.0))
