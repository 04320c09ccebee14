"""How far a single reading is believed: one that is far from everything is not, or not as much.

A reading that lies more than ``FAR`` expected deviations from what the ensemble expects is given
the variance with which it would lie just there. What it then moves falls off as one over its
distance: the influence function of a redescending M-estimator (Huber & Ronchetti 2009, "Robust
Statistics", sec. 4.8), so that no single reading can wreck a state. Readings within ``FAR`` are
taken as they are. Where it is the ensemble that is wrong, its channels stay far: then ``recover``
widens it, and the readings of that instant are taken as they are.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64

FAR = 4.0
"""Deviations: 1 in 16,000 readings where all is as declared."""


def tempered(
    surprise: Float64[np.ndarray, "twin reading"],
    spread: Float64[np.ndarray, "twin reading"],
    variance: Float64[np.ndarray, "twin reading"],
    used: Bool[np.ndarray, "twin reading"],
) -> Float64[np.ndarray, "twin reading"]:
    """Variances of the readings, larger for those that are implausible.

    Args:
        surprise: Read less expected, before any reading of the instant.
        spread: Variance of what was expected.
        variance: Of the readings' errors.
        used: Where there is a reading that corrects.
    """
    far = used & (surprise**2 > FAR**2 * (spread + variance))
    return np.where(far, surprise**2 / FAR**2 - spread, variance)


def apart(
    residual: Float64[np.ndarray, "twin reading"],
    left: Float64[np.ndarray, "twin reading"],
    given: Float64[np.ndarray, "twin reading"],
    declared: Float64[np.ndarray, "twin reading"],
    used: Bool[np.ndarray, "twin reading"],
) -> Float64[np.ndarray, "twin reading"]:
    """How far each reading lies from what all *other* readings and the ensemble say.

    In expected deviations. A biased sensor pulls the estimate towards itself; what is left of its
    surprise is then small for it and large for its neighbours. Without itself it is the other way
    around: the residual of a regression without the case, Cook & Weisberg (1982), "Residuals and
    Influence in Regression", eq. 2.2.9, here in the form in which only the result of an analysis
    with the reading is needed.

    Args:
        residual: Read less expected, after all readings of the instant.
        left: Variance of that expectation.
        given: Variance that the analysis gave the reading.
        declared: Variance of its error as declared.
        used: Whether the analysis used it.
    """
    own = np.maximum(given - left, _LEAST_SHARE * given)
    back = np.where(used, given / own, 1.0)
    return residual * back / np.sqrt(left * back + declared)


_LEAST_SHARE = 1e-4
"""Where an ensemble knew ten thousand times less than the reading, rounding hides what it knew."""
