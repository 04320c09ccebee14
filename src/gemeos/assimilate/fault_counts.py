"""How likely a count is: what tells a dead loop from a road with few vehicles.

Counts repeat themselves by chance, small ones often. So the history of a channel does not say
whether a run of equal counts is odd; what was expected does. The product of the chances of all
repetitions of a run, each given what was known before it, falls to a or below with a chance of at
most a wherever the counts come as they are expected to, whatever the rates do meanwhile: one over
the product, as long as the run lasts, is a martingale that begins at 1 (Ville's inequality: Ville
1939, "Etude critique de la notion de collectif"). So a sound channel is named at most once in 1/a
readings, for every reading may begin a run.

Counts are negative binomials about what the members expect: a gamma distributed rate.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from jaxtyping import Float64

LEAST_CHANCE: Final = 0.05
"""No repetition counts as less likely. A queue that stands for some minutes is in no member; so no
channel is named in fewer than six readings."""
SMALLEST: Final = 1e-9
"""Counts that are expected where members expect none."""


def chance(
    count: Float64[np.ndarray, " reading"],
    mean: Float64[np.ndarray, " reading"],
    doubt: Float64[np.ndarray, " reading"],
) -> Float64[np.ndarray, " reading"]:
    """The chance of these counts.

    Args:
        count: Vehicles, or whatever is counted; NaN gives NaN.
        mean: How many are expected.
        doubt: Variance of what is expected, without the scatter of counts about it. 0: Poisson.
    """
    rows = zip(count.tolist(), mean.tolist(), doubt.tolist(), strict=True)
    return np.array([_chance(*row) for row in rows], np.float64)


def _chance(count: float, mean: float, doubt: float) -> float:
    if not (math.isfinite(count) and math.isfinite(mean)):
        return math.nan
    count, mean = max(float(round(count)), 0.0), max(mean, SMALLEST)
    log = -math.lgamma(count + 1.0)
    if doubt <= 1e-6 * mean * mean:
        log += count * math.log(mean) - mean
    else:
        shape = mean * mean / doubt
        log += math.lgamma(shape + count) - math.lgamma(shape)
        log += count * math.log(mean / (shape + mean)) - shape * math.log1p(mean / shape)
    return math.exp(log)
