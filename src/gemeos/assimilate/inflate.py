"""Giving back some of the spread that an analysis took: ensembles of few members take too much.

Two ways. *Relaxation to prior spread* stretches each variable for itself: Whitaker & Hamill (2012),
Mon. Wea. Rev. 140, 3078-3089, eq. 2. *Relaxation to prior perturbations* blends the anomalies with
those from before the analysis: Zhang, Snyder & Sun (2004), Mon. Wea. Rev. 132, 1238-1253, eq. 5. In
both, where readings say nothing the spread is left alone, so that variables which are seldom or
never observed do not swell, and it does not matter how often a sensor reports. The default is the
second: variables of which only the sum is known well keep knowing it, while stretching each by a
slightly different factor made the sum of three winds half as uncertain again.

How much to give back is estimated from the innovations, one number a twin. Ying & Zhang (2015), Q.
J. R. Meteorol. Soc. 141, 2898-2906 and Kotsuki, Ota & Miyoshi (2017), Q. J. R. Meteorol. Soc. 143,
2001-2015 compute it anew from each instant and smooth it, which needs many readings at once and
leaves part of the misfit (the spread of today already contains yesterday's relaxation). Here it is
carried on and corrected by each instant's misfit, as Anderson (2009), Tellus 61A, 72-83 carries his
inflation factor on: it rests only where the misfit is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Float64

from gemeos.errors import SchemaError


class Inflation(Protocol):
    """How much of the spread that an analysis took is given back."""

    @property
    def identity(self) -> str:
        """Name and settings."""
        ...

    @property
    def corrects_sampling(self) -> bool:
        """Whether ``stretched`` is applied at every reading."""
        ...

    def strength(self, relaxation: Float64[np.ndarray, " twin"]) -> Float64[np.ndarray, " twin"]:
        """The share to give back, 0 to 1, from ``TwinState.relaxation``."""
        ...

    def inflated(
        self,
        after: Float[np.ndarray, "twin row member"],
        before: Float[np.ndarray, "twin row member"],
        share: Float64[np.ndarray, " twin"],
    ) -> Float[np.ndarray, "twin row member"]:
        """``after`` with that share of the spread that it lost against ``before`` given back."""
        ...

    def learned(
        self,
        relaxation: Float64[np.ndarray, " twin"],
        surprise: Float64[np.ndarray, "twin reading"],
        doubt: Float64[np.ndarray, "twin reading"],
        variance: Float64[np.ndarray, "twin reading"],
        used: Bool[np.ndarray, "twin reading"],
    ) -> Float64[np.ndarray, " twin"]:
        """``TwinState.relaxation`` after an instant; the arguments as in ``base.Analysis``."""
        ...


@dataclass(frozen=True, slots=True)
class RelaxToPriorSpread:
    """A fixed share; 0 gives nothing back: the exact square-root filter."""

    alpha: float = 0.2
    """Share of the lost spread that is given back, 0 to 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise SchemaError(f"The relaxation alpha is a share, 0 to 1; it is {self.alpha}.")

    @property
    def identity(self) -> str:
        """Name and settings."""
        return f"relax-{self.alpha}"

    @property
    def corrects_sampling(self) -> bool:
        """No: the textbook's filter, but for the share given back."""
        return False

    def strength(self, relaxation: Float64[np.ndarray, " twin"]) -> Float64[np.ndarray, " twin"]:
        """The same for all."""
        return np.full_like(relaxation, self.alpha)

    def learned(
        self,
        relaxation: Float64[np.ndarray, " twin"],
        surprise: Float64[np.ndarray, "twin reading"],  # noqa: ARG002 - nothing to learn
        doubt: Float64[np.ndarray, "twin reading"],  # noqa: ARG002
        variance: Float64[np.ndarray, "twin reading"],  # noqa: ARG002
        used: Bool[np.ndarray, "twin reading"],  # noqa: ARG002
    ) -> Float64[np.ndarray, " twin"]:
        """As it was."""
        return relaxation

    def inflated(
        self,
        after: Float[np.ndarray, "twin row member"],
        before: Float[np.ndarray, "twin row member"],
        share: Float64[np.ndarray, " twin"] | None = None,
    ) -> Float[np.ndarray, "twin row member"]:
        """``after`` with its anomalies stretched towards the spread of ``before``."""
        return stretched_back(
            after, before, np.full(len(after), self.alpha) if share is None else share
        )


@dataclass(frozen=True, slots=True)
class AdaptiveRelaxation:
    """The share that makes the innovations as large as they were expected to be.

    Nothing to tune: the numbers below are how fast it learns and how far it may go.
    """

    memory: float = 100.0
    """What weighs as much as all that was learned before, as a sum of squared shares: a reading
    counts 1 where the ensemble knew nothing, 1/4 where it knew as much as the sensor does."""
    least: float = -0.1
    """Below zero nothing is given back; how far the estimate goes there is how long an ensemble
    that was once too wide waits before anything is."""
    most: float = 0.6
    """With more, anomalies of a chaotic model would grow from instant to instant."""

    @property
    def identity(self) -> str:
        """Name and settings."""
        return f"adaptive-relaxation-{self.memory}-{self.most}"

    @property
    def corrects_sampling(self) -> bool:
        """Yes: what follows from the number of members need not be learned."""
        return True

    def strength(self, relaxation: Float64[np.ndarray, " twin"]) -> Float64[np.ndarray, " twin"]:
        """What was learned, where it is positive."""
        return np.maximum(relaxation, 0.0)

    def inflated(
        self,
        after: Float[np.ndarray, "twin row member"],
        before: Float[np.ndarray, "twin row member"],
        share: Float64[np.ndarray, " twin"],
    ) -> Float[np.ndarray, "twin row member"]:
        """``after`` with its anomalies blended with those of ``before``."""
        return blended(after, before, share)

    def learned(
        self,
        relaxation: Float64[np.ndarray, " twin"],
        surprise: Float64[np.ndarray, "twin reading"],
        doubt: Float64[np.ndarray, "twin reading"],
        variance: Float64[np.ndarray, "twin reading"],
        used: Bool[np.ndarray, "twin reading"],
    ) -> Float64[np.ndarray, " twin"]:
        """Moved by the misfit of each innovation, weighted by what it says of the spread.

        With w the ensemble's part in the expected square of an innovation, the derivative of its
        Gaussian log likelihood by the logarithm of the ensemble's variance is w (z^2 - 1) / 2 and
        its information w^2 / 2 (Anderson 2009, eq. 8, in the logarithm). A sensor that tells
        little has small w, however often it tells it.
        """
        total = doubt + variance
        square = np.minimum(surprise**2 / total, LARGEST_SQUARE) / MEAN_SQUARE
        share = np.where(used, doubt / total, 0.0)
        misfit = in_order(share * (square - 1.0))
        information = in_order(share**2)
        return np.clip(relaxation + misfit / (self.memory + information), self.least, self.most)


LARGEST_SQUARE = 4.0
"""Beyond two expected deviations all readings count alike: what a model cannot follow (a gust, a
kink in a curve) makes tails, and no spread of its everyday state would be right for them."""
MEAN_SQUARE = 0.9205
"""Mean of min(z^2, 4) for a standard normal z: (2 Phi(2) - 1) - 4 phi(2) + 8 (1 - Phi(2)), Phi and
phi being its distribution function and density."""


def blended(
    after: Float[np.ndarray, "twin row member"],
    before: Float[np.ndarray, "twin row member"],
    share: Float64[np.ndarray, " twin"],
) -> Float[np.ndarray, "twin row member"]:
    """``after`` with that share of its anomalies taken from ``before``."""
    if not share.any():
        return after
    return after + share.astype(after.dtype)[:, None, None] * (anomalies(before) - anomalies(after))


def anomalies(
    members: Float[np.ndarray, "twin row member"],
) -> Float[np.ndarray, "twin row member"]:
    """Members less their mean, about the first: a mean of 4e6 would eat float32's digits."""
    shifted = members - members[:, :, :1]
    return shifted - shifted.mean(axis=2, keepdims=True)


def stretched_back(
    after: Float[np.ndarray, "twin row member"],
    before: Float[np.ndarray, "twin row member"],
    share: Float64[np.ndarray, " twin"],
) -> Float[np.ndarray, "twin row member"]:
    """``after`` with each row stretched by that share of the spread that it lost."""
    if not share.any():
        return after
    kind = after.dtype.type
    deviations = anomalies(after)
    had = anomalies(before).std(axis=2, keepdims=True)
    has = deviations.std(axis=2, keepdims=True)
    lost = np.maximum(had - has, kind(0))
    given = share.astype(after.dtype)[:, None, None] * lost
    # A row whose spread is nothing but rounding has no shape that could be stretched.
    some = has > np.finfo(after.dtype).eps * had
    return after + np.where(some, given / np.where(some, has, kind(1)), kind(0)) * deviations


def stretched(
    lost: Float[np.ndarray, "twin row"],
    variance: Float[np.ndarray, "twin row"],
    weight: Float[np.ndarray, "twin 1"],
    size: int,
) -> Float[np.ndarray, "twin row"]:
    """By how much of themselves anomalies must grow because correlations were only sampled.

    One reading of weight w takes w r^2 of a row's variance, r being the sample correlation of N
    members. The variance of r is (1 - r^2)^2 / (N - 1) to first order (Fisher 1915, Biometrika 10,
    507-521); r^2 is too large by that on average, and the error in the gain adds as much error to
    the mean: what is left should be larger by twice that times w. Compare Anderson (2012), Mon.
    Wea. Rev. 140, 2359-2371. Never more than was there before: a row that has nothing
    to do with the reading keeps its spread, and no spread can grow by being read.
    """
    kind = lost.dtype.type
    one = kind(1)
    share = np.minimum(lost / np.where(variance > 0, variance, one), one - np.finfo(kind).eps)
    square = share / np.where(weight > 0, weight, one)
    back = np.where(share > 0, kind(2) * weight * (one - square) ** 2 / kind(size - 1), kind(0))
    left = one - share
    return np.sqrt(np.minimum(one, left + back) / left) - one


def in_order(values: Float64[np.ndarray, "twin reading"]) -> Float64[np.ndarray, " twin"]:
    """Sum over the readings, one after the other.

    Not ``sum``, which adds in an order that depends on how many there are: padding with zeros for
    the sake of another twin would change the last digit.
    """
    total = np.zeros(len(values), np.float64)
    for place in range(values.shape[1]):
        total = total + values[:, place]
    return total
