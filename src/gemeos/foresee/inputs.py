"""Where an input goes: paths that it may take, from its own past.

For every step ahead a ridge regression of its own on what was measured last, on what was measured
at the same time of earlier seasons (a day, a week), and on the time of day: direct forecasts, as
Marcellino, Stock & Watson (2006), J. Econometrics 135, 499-526 compare them with iterated ones.
Doubt is given as whole paths: what the same regressions missed from some earlier instant on, all
steps of it, is added to what they say now (Efron & Tibshirani 1993, "An Introduction to the
Bootstrap", sec. 9.4: bootstrap of residuals; whole paths keep how errors hang together). Residuals
are those of regressions that were fitted without the path in question (``_left_out``), else doubt
would be too small.

Pure functions of one array. Where there is too little past, nothing is foreseen: the input is held.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64

FEWEST: Final = 24
"""Earlier instants to learn from below which nothing is foreseen."""
RIDGE: Final = 1.0
"""What is added to the sum of squares of each regressor, which has variance 1: as much doubt about
its weight as one more instant would leave."""
RECENT: Final = (0, 1, 2)
"""How many steps before the newest value those lie that are looked at."""
LEAST_SEASONS: Final = 2
"""A season counts when the past holds this many of it."""


def foreseen(
    past: Float64[np.ndarray, " time"],
    *,
    ahead: int,
    seasons: Sequence[int],
    first: int,
) -> Float64[np.ndarray, "path ahead"] | None:
    """Paths that the input may take, each as likely as the others, the newest origin first.

    Args:
        past: Its values at equal steps up to now; NaN where unknown, not at the end.
        ahead: How many steps.
        seasons: Lengths of seasons in steps, rising; the first one is also told by sine and cosine.
        first: Number of the first step of ``past``, counted from an instant at which seasons begin.

    Returns:
        A row for each earlier instant whose errors are known; None where there are too few.
    """
    told = [s for s in seasons if len(past) >= LEAST_SEASONS * s + ahead]
    # An origin needs all that is looked at before it, and all that is to be told after it.
    reach = max([RECENT[-1], *told])
    origins = np.arange(reach, len(past) - ahead)
    windows = past[origins[:, None] + np.arange(1, ahead + 1)]
    origins = origins[np.isfinite(windows).all(axis=1)]
    if len(origins) < FEWEST:
        return None
    now = len(past) - 1
    paths = []
    for step in range(1, ahead + 1):
        at = np.append(origins, now)
        looked = _regressors(past, at, step, told, first)
        known = np.isfinite(looked).all(axis=1)
        if not known[-1]:
            return None
        looked = np.where(known[:, None], looked, 0.0)
        paths.append(_told(looked, past[origins + step], known[:-1]))
    errors = np.stack([missed for _, missed in paths], axis=1)
    usable = np.isfinite(errors).all(axis=1)
    if usable.sum() < FEWEST:
        return None
    middle = np.array([value for value, _ in paths])
    return middle + errors[usable][::-1]


def _regressors(
    past: Float64[np.ndarray, " time"],
    at: Int64[np.ndarray, " origin"],
    step: int,
    seasons: Sequence[int],
    first: int,
) -> Float64[np.ndarray, "origin regressor"]:
    columns = [past[at - lag] for lag in RECENT]
    # The newest value at the same time of a season before: whole seasons back from the target.
    columns += [past[at + step - s * math.ceil(step / s)] for s in seasons]
    # By how much it lies above that season now is what will partly last.
    columns += [past[at - s] for s in seasons]
    if seasons:
        turn = 2.0 * np.pi * (first + at + step) / seasons[0]
        columns += [np.sin(turn), np.cos(turn), np.sin(2.0 * turn), np.cos(2.0 * turn)]
    return np.stack(columns, axis=1)


def _told(
    looked: Float64[np.ndarray, "origin regressor"],
    truth: Float64[np.ndarray, " earlier"],
    known: np.ndarray,
) -> tuple[float, Float64[np.ndarray, " earlier"]]:
    """What the regression says from the last origin on, and what it missed from earlier ones."""
    x, y = looked[:-1][known], truth[known]
    missed = np.full(len(truth), np.nan)
    if len(x) < FEWEST:
        return math.nan, missed
    middle, spread = x.mean(axis=0), x.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    z = (x - middle) / scale
    inverse = np.linalg.inv(z.T @ z + RIDGE * np.eye(z.shape[1]))
    weights = inverse @ (z.T @ (y - y.mean()))
    # Allen (1974), Technometrics 16, 125-127: a residual over one less its leverage is that of a
    # regression without the case. The mean takes 1/n of leverage.
    leverage = np.einsum("ij,jk,ik->i", z, inverse, z) + 1.0 / len(y)
    missed[known] = (y - y.mean() - z @ weights) / np.maximum(1.0 - leverage, 0.1)
    now = (looked[-1] - middle) / scale
    return float(y.mean() + now @ weights), missed
