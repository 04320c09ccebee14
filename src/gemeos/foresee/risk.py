"""From what each member suffers to one number: mean, quantile, mean of the worst."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import numpy as np
from jaxtyping import Float, Float64


@dataclass(frozen=True, slots=True)
class Mean:
    """The average over members; a chance is the average of noughts and ones."""


@dataclass(frozen=True, slots=True)
class Quantile:
    """What the share ``level`` of members stays below."""

    level: float
    """Strictly between 0 and 1."""


@dataclass(frozen=True, slots=True)
class Tail:
    """CVaR: the mean of the worst members, which are the share ``1 - level`` of all.

    References:
        Rockafellar & Uryasev (2002), J. Bank. Finance 26, 1443-1471, proposition 8 (a member on
        the border counts by the part of it that lies beyond).
    """

    level: float
    """Strictly between 0 and 1."""
    upper: bool = True
    """Whether the worst are the largest."""


Risk: TypeAlias = Mean | Quantile | Tail


def valued(risk: Risk, sample: Float[np.ndarray, "*where member"]) -> Float64[np.ndarray, "*where"]:
    """The number for finite values of at least one member."""
    match risk:
        case Mean():
            return np.asarray(sample.mean(axis=-1))
        case Quantile(level):
            return np.asarray(np.quantile(sample, level, axis=-1))
        case Tail(level, upper):
            count = sample.shape[-1]
            worst_last = np.sort(sample if upper else -sample, axis=-1)
            # Where less than one member lies beyond, the tail is the worst member.
            beyond = max((1.0 - level) * count, 1.0)
            weight = np.clip(beyond - np.arange(count)[::-1], 0.0, 1.0) / beyond
            return np.asarray((1.0 if upper else -1.0) * (worst_last * weight).sum(axis=-1))
        case _:
            assert_never(risk)


def shares(
    risk: Mean | Tail, sample: Float[np.ndarray, " member"]
) -> Float64[np.ndarray, " member"]:
    """Numbers whose mean is the value, and whose spread tells the value's doubt.

    The mean of the worst is the least over z of ``z + mean(max(x - z, 0)) / (1 - level)``, and the
    quantile is where it is least: to first order the doubt of that quantile has no effect, so the
    summands are treated like independent numbers.

    References:
        Rockafellar & Uryasev (2000), J. Risk 2 (3), 21-41, theorem 1; for the spread Trindade,
        Uryasev, Shapiro & Zrazhevsky (2007), J. Bank. Finance 31, 3524-3538.
    """
    numbers = np.asarray(sample, np.float64)
    match risk:
        case Mean():
            return numbers
        case Tail(level, upper):
            sign = 1.0 if upper else -1.0
            loss = sign * numbers
            # The order statistic in which the sum over the tail ends; a hair against rounding.
            beyond = (1.0 - level) * len(loss)
            place = max(math.ceil(beyond - 1e-9) - 1, 0)
            edge = np.sort(loss)[::-1][place]
            # Where less than one member lies beyond, the tail is the worst member.
            weight = 1.0 / max(beyond, 1.0) * len(loss)
            return sign * (edge + weight * np.maximum(loss - edge, 0.0))
        case _:
            assert_never(risk)


def tail_of(risk: Risk) -> float:
    """The smaller of the two parts into which it divides members; 1 for the mean."""
    match risk:
        case Mean():
            return 1.0
        case Quantile(level):
            return min(level, 1.0 - level)
        case Tail(level):
            return 1.0 - level
        case _:
            assert_never(risk)
