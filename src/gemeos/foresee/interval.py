"""How sure a mean of differences and a share of members are: exact intervals for few runs."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from gemeos.ensemble.score import MeanInterval
from gemeos.errors import InputError

_TINY = 1e-300
_PRECISE = 1e-15
_MOST_TERMS = 10_000


def of_mean(differences: Float[np.ndarray, " member"], *, level: float = 0.95) -> MeanInterval:
    """Mean of independent differences with Student's interval; unbounded for fewer than two.

    The percentile bootstrap that serves series of scores is too short for few members: it takes
    the spread that was seen for the spread there is.

    References:
        Student (1908), Biometrika 6, 1-25.
    """
    count = len(differences)
    mean = float(np.mean(differences)) if count else math.nan
    if count < 2:
        return MeanInterval(mean, -math.inf, math.inf)
    reach = student(0.5 + 0.5 * level, count - 1) * float(np.std(differences, ddof=1))
    reach /= math.sqrt(count)
    return MeanInterval(mean, mean - reach, mean + reach)


def most_share(happened: int, count: int, *, level: float = 0.95) -> float:
    """The largest share that is not refuted by ``happened`` cases in ``count`` independent runs.

    It is too low at most with chance ``1 - level``, for whatever true share.

    References:
        Clopper & Pearson (1934), Biometrika 26, 404-413, one-sided.
    """
    _counted(happened, count)
    return 1.0 if happened == count else beta(level, happened + 1, count - happened)


def least_share(happened: int, count: int, *, level: float = 0.95) -> float:
    """The smallest share that is not refuted; as ``most_share``."""
    _counted(happened, count)
    return 0.0 if happened == 0 else beta(1.0 - level, happened, count - happened + 1)


@lru_cache(maxsize=1024)
def student(probability: float, freedom: int) -> float:
    """Quantile of Student's distribution, for a probability of at least one half.

    With t^2 = v (1 - x) / x, the chance to lie beyond t is half the incomplete beta function of x
    with v/2 and 1/2: Abramowitz & Stegun 26.5.27.
    """
    x = beta(2.0 * (1.0 - probability), 0.5 * freedom, 0.5)
    return math.sqrt(freedom * (1.0 - x) / x) if x > 0.0 else math.inf


@lru_cache(maxsize=1024)
def beta(probability: float, a: float, b: float) -> float:
    """Quantile of the beta distribution, by halving the interval that holds it."""
    low, high = 0.0, 1.0
    while True:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            return middle
        if _below(middle, a, b) < probability:
            low = middle
        else:
            high = middle


def _below(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, for 0 < x < 1."""
    log = a * math.log(x) + b * math.log1p(-x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + log)
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """Its continued fraction, Abramowitz & Stegun 26.5.8, from the front.

    Evaluated as in Lentz (1976), Appl. Opt. 15, 668-671.
    """
    c, d = 1.0, 1.0 / _not_nought(1.0 - (a + b) * x / (a + 1.0))
    whole = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 / _not_nought(1.0 + term * d)
            c = _not_nought(1.0 + term / c)
            whole *= c * d
        if abs(c * d - 1.0) < _PRECISE:
            break
    return whole


def _not_nought(number: float) -> float:
    return number if abs(number) > _TINY else _TINY


def _counted(happened: int, count: int) -> None:
    if not 0 <= happened <= count or count < 1:
        raise InputError(f"{happened} of {count} runs is no share.")
