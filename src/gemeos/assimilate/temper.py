"""How far a single reading is believed: one that is far from everything is not, or not as much.

A reading that lies more than ``FAR`` expected deviations from what the ensemble expects is given
the variance with which it would lie just there. What it then moves falls off as one over its
distance: the influence function of a redescending M-estimator (Huber & Ronchetti 2009, "Robust
Statistics", sec. 4.8), so that no single reading can wreck a state. Readings within ``FAR`` are
taken as they are. Where it is the ensemble that is wrong, its channels stay far: then ``recover``
widens it, and the readings of that instant are taken as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int32

FAR = 4.0
"""Deviations: 1 in 16,000 readings where all is as declared."""


def tempered(
    surprise: Float64[np.ndarray, "twin reading"],
    spread: Float64[np.ndarray, "twin reading"],
    variance: Float64[np.ndarray, "twin reading"],
    used: Bool[np.ndarray, "twin reading"],
    channel: Int32[np.ndarray, "twin reading"],
) -> Float64[np.ndarray, "twin reading"]:
    """Variances of the readings, larger for those that are implausible.

    Args:
        surprise: Read less expected, before any reading of the instant.
        spread: Variance of what was expected.
        variance: Of the readings' errors.
        used: Where there is a reading that corrects.
        channel: Whose it is. The far readings of one channel count together as one.
    """
    far = used & (surprise**2 > FAR**2 * (spread + variance))
    count = of_channel(channel, far.astype(np.float64))
    return np.where(far, count * (surprise**2 / FAR**2 - spread), variance)


class Apart(NamedTuple):
    """How far readings lie from what the ensemble and all *other* channels say."""

    each: Float64[np.ndarray, "twin reading"]
    """In expected deviations of one reading."""
    together: Float64[np.ndarray, "twin reading"]
    """The mean of all readings of the same channel, in its own expected deviations."""


def apart(
    residual: Float64[np.ndarray, "twin reading"],
    left: Float64[np.ndarray, "twin reading"],
    given: Float64[np.ndarray, "twin reading"],
    declared: Float64[np.ndarray, "twin reading"],
    used: Bool[np.ndarray, "twin reading"],
    channel: Int32[np.ndarray, "twin reading"],
) -> Apart:
    """The distance of every reading from what was to be expected without its channel.

    A biased sensor pulls the estimate towards itself; what is left of its surprise is then small
    for it and large for its neighbours. Without itself it is the other way around: the residual of
    a regression without the case, Cook & Weisberg (1982), "Residuals and Influence in Regression",
    eq. 2.2.9, here in the form in which only the result of an analysis with the reading is needed.
    Several readings of one channel at one instant would vouch for each other: they count as one
    reading, their mean. Exact where the channel reads one quantity at one time.

    Args:
        residual: Read less expected, after all readings of the instant.
        left: Variance of that expectation.
        given: Variance that the analysis gave the reading.
        declared: Variance of its error as declared.
        used: Whether the analysis used it.
        channel: Whose it is; those of one channel stand side by side.
    """
    weight = np.where(used, 1.0 / given, 0.0)
    trust = of_channel(channel, weight)
    mean = of_channel(channel, weight * residual) / np.where(trust > 0, trust, 1.0)
    back = 1.0 / np.maximum(1.0 - left * trust, LEAST_SHARE)
    without, doubt = (back - 1.0) * mean, left * back
    count = of_channel(channel, np.ones_like(residual))
    all_of_it = of_channel(channel, residual) / count + without
    noise = of_channel(channel, declared) / count**2
    return Apart(
        (residual + without) / np.sqrt(doubt + declared), all_of_it / np.sqrt(doubt + noise)
    )


def of_channel(
    channel: Int32[np.ndarray, "twin reading"], values: Float64[np.ndarray, "twin reading"]
) -> Float64[np.ndarray, "twin reading"]:
    """At each reading the sum over all readings of its channel, added up in order."""
    total = values.copy()
    for place in range(1, channel.shape[1]):
        same = channel[:, place] == channel[:, place - 1]
        total[:, place] += np.where(same, total[:, place - 1], 0.0)
    for place in range(channel.shape[1] - 1, 0, -1):
        same = channel[:, place] == channel[:, place - 1]
        total[:, place - 1] = np.where(same, total[:, place], total[:, place - 1])
    return total


LEAST_SHARE = 1e-4
"""Where an ensemble knew ten thousand times less than the reading, rounding hides what it knew."""
