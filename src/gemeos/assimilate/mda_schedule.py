"""How much of the readings each step of a multiple assimilation takes in.

In step k the variances of the readings' errors are multiplied by a coefficient alpha_k. With
1/alpha_1 + ... + 1/alpha_n = 1 the steps together count every reading once: Emerick & Reynolds
(2013), Comput. Geosci. 55, 3-15.

The coefficients of Le, Emerick & Reynolds (2016), SPE J. 21, 2195-2207, are left out. They choose
each one as they go, until the sum is 1, so nobody knows beforehand how many runs it takes, and a
window must be done before the next one begins. ``Falling`` rests on the same discrepancy
principle with a number of steps that is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from gemeos.errors import InputError

_HALVINGS = 200


@dataclass(frozen=True, slots=True)
class Constant:
    """Equal steps: each coefficient is their number."""

    steps: int = 4
    """At least 1. One step is the ensemble smoother of van Leeuwen & Evensen (1996)."""

    def __post_init__(self) -> None:
        _check(self.steps)

    @property
    def identity(self) -> str:
        """Name and settings."""
        return f"constant-{self.steps}"

    def coefficients(self, singular: Float64[np.ndarray, " kept"]) -> tuple[float, ...]:  # noqa: ARG002 - as Falling
        """One for each step."""
        return (float(self.steps),) * self.steps


@dataclass(frozen=True, slots=True)
class Falling:
    """A geometric row: small steps while the ensemble is wide and the model far from linear.

    Rafiee & Reynolds (2017), Inverse Problems 33, 105003: the first is the square of the mean
    singular value of the dimensionless sensitivity, or the number of steps if that is more. The
    mean is over those that the truncation keeps; many readings of one thing do not thin it.
    """

    steps: int = 4
    """At least 1."""
    first: float | None = None
    """The first coefficient, at least ``steps``; None to have it from the ensemble."""

    def __post_init__(self) -> None:
        _check(self.steps)
        if self.first is not None and not self.steps <= self.first < np.inf:
            raise InputError(
                f"The first of {self.steps} falling coefficients is at least {self.steps}; "
                f"{self.first} is not."
            )

    @property
    def identity(self) -> str:
        """Name and settings."""
        first = "" if self.first is None else f"-from-{self.first:g}"
        return f"falling-{self.steps}{first}"

    def coefficients(self, singular: Float64[np.ndarray, " kept"]) -> tuple[float, ...]:
        """One for each step, given the singular values of the scaled predicted anomalies."""
        if self.steps == 1:
            return (1.0,)
        mean = float(singular.mean()) if len(singular) else 0.0
        first = max(mean**2, float(self.steps)) if self.first is None else self.first
        ratio = _growth(first, self.steps)
        row = first * ratio ** -np.arange(self.steps, dtype=np.float64)
        # The sum is 1 to the last bit but a few, whatever the halving left.
        return tuple(float(a) for a in row * (1.0 / row).sum())


Schedule: TypeAlias = Constant | Falling


def _growth(total: float, terms: int) -> float:
    """The x from 1 on at which 1 + x + ... + x^(terms - 1) is ``total``, by halving."""
    least, most = 1.0, total
    for _ in range(_HALVINGS):
        middle = 0.5 * (least + most)
        if sum(middle**k for k in range(terms)) < total:
            least = middle
        else:
            most = middle
    return 0.5 * (least + most)


def _check(steps: int) -> None:
    if steps < 1:
        raise InputError(f"A multiple assimilation has at least one step; {steps} is none.")
