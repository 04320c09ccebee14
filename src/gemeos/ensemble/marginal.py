"""One variable of an estimate: its members over time, and what they say together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int64
from typing_extensions import override

from gemeos.ensemble.clause import Condition
from gemeos.ensemble.condition import parse
from gemeos.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """One variable of an estimate. Every answer is an array over time, also for one instant."""

    name: str
    unit: str
    times: Int64[np.ndarray, " time"]
    """Instants."""
    members: Float[np.ndarray, "time member"]
    """In ``unit``; at least two members, all finite."""

    @property
    def mean(self) -> Float64[np.ndarray, " time"]:
        """The mean of the members."""
        return self.members.mean(axis=1, dtype=np.float64)

    @property
    def sd(self) -> Float64[np.ndarray, " time"]:
        """Standard deviation, with the divisor members - 1."""
        return self.members.std(axis=1, ddof=1, dtype=np.float64)

    def quantile(self, level: float) -> Float64[np.ndarray, " time"]:
        """The value that the truth stays below with probability ``level``, 0..1.

        The k-th of N ordered members is the quantile at k/(N + 1), because the truth, if it is as
        good as one more member, lies below it that often. Beyond the outermost members the
        outermost is given.

        References:
            Hyndman & Fan (1996), Am. Stat. 50, 361-365, definition 6.
        """
        if not 0.0 <= level <= 1.0:
            raise InputError(f"The level of a quantile lies within 0 and 1; {level} does not.")
        exact = self.members.astype(np.float64)
        return np.asarray(np.quantile(exact, level, axis=1, method="weibull"))

    def interval(
        self, level: float = 0.9
    ) -> tuple[Float64[np.ndarray, " time"], Float64[np.ndarray, " time"]]:
        """Low and high ends that hold the truth with probability ``level``, equal tails outside.

        With N members no interval reaches further than (N - 1)/(N + 1): 64 hold 97 %.
        """
        if not 0.0 < level < 1.0:
            raise InputError(f"An interval's level lies between 0 and 1; {level} does not.")
        tail = (1.0 - level) / 2.0
        return self.quantile(tail), self.quantile(1.0 - tail)

    def prob(self, condition: str | Condition) -> Float64[np.ndarray, " time"]:
        """Share of members for which the condition holds.

        It may be written without the name: ``> 120 MPa``.
        """
        if isinstance(condition, str):
            bare = condition.lstrip().startswith(("<", ">"))
            condition = parse(f"{self.name} {condition.lstrip()}" if bare else condition)
        return condition.holds({self.name: (self.members, self.unit)}).mean(axis=1)

    @override
    def __repr__(self) -> str:
        """The last instant's mean, spread and 90 % interval."""
        mean, sd, interval = told(self, -1)
        of = f" (the last of {len(self.times)} instants)" if len(self.times) > 1 else ""
        return f"{self.name}: {mean} +- {sd} {self.unit or '1'}, 90 % within {interval}{of}"


def told(marginal: Marginal, index: int) -> tuple[str, str, str]:
    """Mean, standard deviation and 90 % interval at one time, no finer than the spread allows."""
    low, high = (float(end[index]) for end in marginal.interval(0.9))
    mean, sd = float(marginal.mean[index]), float(marginal.sd[index])
    size = max(abs(mean), sd)
    mean_told, sd_told, low_told, high_told = (
        _number(value, spread=sd, size=size) for value in (mean, sd, low, high)
    )
    return mean_told, sd_told, f"{low_told} .. {high_told}"


def _number(value: float, *, spread: float, size: float) -> str:
    """``value`` to the second digit of ``spread``; to six digits where there is no spread.

    ``size`` decides for all numbers of a row whether they are told with an exponent. What rounds to
    nought has no sign.
    """
    # A spread of rounding errors is none: it would print sixteen digits.
    if spread <= 1e-9 * size:
        return f"{value:.6g}"
    decimals = 1 - math.floor(math.log10(spread))
    if size >= 1e7 or decimals > 8:
        own = math.floor(math.log10(max(abs(value), spread)))
        return f"{value:z.{own + decimals}e}"
    return f"{value:z.{max(decimals, 0)}f}"
