"""How good a forecast was, once the truth is known. Lower is better for every score.

Scores are in float64 and in the unit of what was forecast. They are for finite numbers only: a
NaN would vanish in an average, so it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from gemeos.errors import InputError


def crps(
    members: Float[np.ndarray, "*where member"], truth: Float[np.ndarray, "*where"]
) -> Float64[np.ndarray, "*where"]:
    """Continuous ranked probability score of an ensemble, fair to its size.

    The expected score does not depend on the number of members, so that ensembles of different
    sizes can be compared. Nought is the least.

    References:
        Ferro (2014), Q. J. R. Meteorol. Soc. 140, 1917-1923 (why fair); Zamo & Naveau (2018),
        Math. Geosci. 50, 209-234, "PWM" (the sorted form that is computed, which is equal).
    """
    # Sorted errors instead of sorted members: less is lost where values are large.
    errors = np.sort(_finite(members, "members") - _finite(truth, "truth")[..., None], axis=-1)
    count = errors.shape[-1]
    if count < 2:
        raise InputError("A fair score needs at least two members.")
    rank = np.arange(count)
    # No matrix product: a score must not depend on how many are scored with it.
    half_spread = (errors * (2.0 * rank - (count - 1))).sum(axis=-1) / (count * (count - 1))
    return np.asarray(np.abs(errors).mean(axis=-1) - half_spread)


def pinball(
    quantiles: Float[np.ndarray, "*where level"],
    levels: Float[np.ndarray, " level"],
    truth: Float[np.ndarray, "*where"],
) -> Float64[np.ndarray, "*where level"]:
    """Quantile loss at each level, which lies strictly between 0 and 1.

    References:
        Koenker & Bassett (1978), Econometrica 46, 33-50.
    """
    level = _finite(levels, "levels")
    if not ((level > 0.0) & (level < 1.0)).all():
        raise InputError("The level of a quantile lies between 0 and 1.")
    excess = _finite(truth, "truth")[..., None] - _finite(quantiles, "quantiles")
    return np.maximum(level * excess, (level - 1.0) * excess)


def crps_of_quantiles(
    quantiles: Float[np.ndarray, "*where level"],
    levels: Float[np.ndarray, " level"],
    truth: Float[np.ndarray, "*where"],
) -> Float64[np.ndarray, "*where"]:
    """Continuous ranked probability score from quantiles: twice their mean pinball loss.

    The score is the integral of twice the loss over all levels; the mean stands for it where the
    levels are the middles of equal parts, as (k - 1/2)/K.

    References:
        Gneiting & Ranjan (2011), J. Bus. Econ. Stat. 29, 411-422.
    """
    return np.asarray(2.0 * pinball(quantiles, levels, truth).mean(axis=-1))


def brier(
    probability: Float[np.ndarray, "*where"], happened: Bool[np.ndarray, "*where"]
) -> Float64[np.ndarray, "*where"]:
    """Squared error of a probability; 1/4 for one who always says one half.

    References:
        Brier (1950), Mon. Weather Rev. 78, 1-3 (there summed over both outcomes, hence doubled).
    """
    said = _finite(probability, "probabilities")
    if not ((said >= 0.0) & (said <= 1.0)).all():
        raise InputError("A probability lies within 0 and 1.")
    return np.square(said - happened)


def coverage(
    low: Float[np.ndarray, "*where"],
    high: Float[np.ndarray, "*where"],
    truth: Float[np.ndarray, "*where"],
) -> float:
    """Share of truths within their intervals, ends included. A good one equals what was promised.

    It is no score by itself: an interval that is wide by day and narrow by night may cover 90 %.
    """
    truth = _finite(truth, "truth")
    if truth.size == 0:
        raise InputError("There is nothing to count.")
    return float(((_finite(low, "ends") <= truth) & (truth <= _finite(high, "ends"))).mean())


def pit(
    members: Float[np.ndarray, "*where member"],
    truth: Float[np.ndarray, "*where"],
    uniform: Float[np.ndarray, "*where"],
) -> Float64[np.ndarray, "*where"]:
    """Randomised probability integral transform: where the truth lies among the members, 0..1.

    Exactly uniform if the truth is as good as one more member; heaped at the ends if the spread
    is too small. Its histogram is the rank histogram.

    Args:
        members: The ensemble.
        truth: In the same unit.
        uniform: Numbers in 0..1 that know nothing of the forecast. They choose the place between
            two members, and among members equal to the truth.

    References:
        Czado, Gneiting & Held (2009), Biometrics 65, 1254-1261; ranks as in Hamill (2001),
        Mon. Weather Rev. 129, 550-560.
    """
    ensemble = _finite(members, "members")
    observed = _finite(truth, "truth")[..., None]
    below = (ensemble < observed).sum(axis=-1)
    equal = (ensemble == observed).sum(axis=-1)
    return np.asarray(
        (below + _finite(uniform, "uniform") * (equal + 1)) / (ensemble.shape[-1] + 1)
    )


@dataclass(frozen=True, slots=True)
class MeanInterval:
    """A mean and what it could as well have been."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the sign of the mean is beyond doubt at the interval's level."""
        return self.low > 0.0 or self.high < 0.0


def mean_interval(
    differences: Float[np.ndarray, " time"],
    *,
    block: int,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 2000,
) -> MeanInterval:
    """Mean of a series with its percentile interval by the circular block bootstrap.

    Args:
        differences: One value a time, at even intervals, such as the score of one forecast less
            that of another.
        block: How many neighbours stay together: longer than the series remembers, and much
            shorter than the series.
        rng: Where the draws come from.
        level: Of the interval.
        draws: How many series are drawn.

    References:
        Politis & Romano (1992), in LePage & Billard (eds), Exploring the Limits of Bootstrap,
        Wiley, 263-270.
    """
    series = _finite(differences, "differences")
    count = len(series)
    if not 1 <= block <= count:
        raise InputError(f"A block of {block} does not go into a series of {count}.")
    if not 0.0 < level < 1.0 or draws < 1:
        raise InputError("The level lies between 0 and 1, and there is at least one draw.")
    mean = float(series.mean())
    # Sums of blocks by differences of running sums: memory grows with blocks, not with values.
    around = np.concatenate([series, series[: block - 1]]) - mean
    running = np.concatenate([[0.0], np.cumsum(around)])
    whole, rest = divmod(count, block)
    starts = rng.integers(count, size=(draws, whole + (rest > 0)))
    sums = (running[starts[:, :whole] + block] - running[starts[:, :whole]]).sum(axis=1)
    if rest:
        sums += running[starts[:, -1] + rest] - running[starts[:, -1]]
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(mean + sums / count, [tail, 1.0 - tail])
    return MeanInterval(mean, float(low), float(high))


def _finite(numbers: Float[np.ndarray, "*any"], what: str) -> Float64[np.ndarray, "*any"]:
    exact = np.asarray(numbers, np.float64)
    if not np.isfinite(exact).all():
        raise InputError(f"{np.count_nonzero(~np.isfinite(exact))} of the {what} are not finite.")
    return exact
