"""What an objective means: a course of each member made a number, and one number of all members.

How people write one is in ``gemeos.foresee.objective``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from typing_extensions import override

from gemeos.ensemble.clause import Condition, Term, Values, names_in, numbers_of
from gemeos.foresee.risk import Quantile, Risk, shares, tail_of, valued
from gemeos.units.instant import SECOND


class Sense(Enum):
    """Whether an objective is to be small or large."""

    MINIMISE = "minimise"
    MAXIMISE = "maximise"

    @property
    def sign(self) -> float:
        """What makes a cost of a value: less is then better."""
        return 1.0 if self is Sense.MINIMISE else -1.0


class OverTime(Enum):
    """How one member's course becomes a number."""

    MAX = "max"
    MIN = "min"
    MEAN = "mean"
    """Over the time that passes, also where instants are not evenly spaced."""
    LAST = "last"
    TOTAL = "total"
    """The integral over time: the unit's seconds."""


@dataclass(frozen=True, slots=True)
class Course:
    """A number for each member, from a variable's course over the horizon."""

    over: OverTime
    of: Term
    text: str = field(compare=False)
    """In which it was written."""

    @property
    def names(self) -> frozenset[str]:
        """The variables that it needs."""
        return frozenset(n.text for n in names_in(self.of))

    def sample(
        self, values: Values, times: Int64[np.ndarray, " time"]
    ) -> Float64[np.ndarray, " member"]:
        """One number for each member; all values are finite."""
        series = np.asarray(numbers_of(self.of, self.text, values), np.float64)
        match self.over:
            case OverTime.MAX:
                return np.asarray(series.max(axis=0))
            case OverTime.MIN:
                return np.asarray(series.min(axis=0))
            case OverTime.LAST:
                return np.asarray(series[-1])
            case OverTime.MEAN if len(times) == 1:
                return np.asarray(series[0])
            case OverTime.MEAN | OverTime.TOTAL:
                seconds = np.diff(times) / SECOND
                total = (0.5 * (series[1:] + series[:-1]) * seconds[:, None]).sum(axis=0)
                return np.asarray(total if self.over is OverTime.TOTAL else total / seconds.sum())
            case _:
                assert_never(self.over)


@dataclass(frozen=True, slots=True)
class Happens:
    """1 for each member for which a condition holds, else 0."""

    condition: Condition
    always: bool
    """At all times; else at any time."""

    @property
    def names(self) -> frozenset[str]:
        """The variables that it needs."""
        return frozenset(self.condition.names)

    def sample(
        self,
        values: Values,
        times: Int64[np.ndarray, " time"],  # noqa: ARG002  # as a course is asked
    ) -> Float64[np.ndarray, " member"]:
        """Noughts and ones; all values are finite."""
        holds = self.condition.holds(values)
        shown = holds.all(axis=0) if self.always else holds.any(axis=0)
        return np.asarray(shown, np.float64)


@dataclass(frozen=True, slots=True)
class Part:
    """One summand of an objective."""

    of: Course | Happens
    risk: Risk
    factor: float
    """Turns its value into the objective's unit; what was written before and behind it, too."""


@dataclass(frozen=True, slots=True)
class Worth:
    """The value of an objective, and how many members could not tell theirs."""

    value: float
    """NaN where it cannot be judged."""
    members: int
    left_out: int
    """Members that failed; the value is that of the others."""

    @property
    def is_judged(self) -> bool:
        """Whether more than half of the members are left."""
        return 2 * self.left_out < self.members

    def told(self, unit: str) -> str:
        """In words."""
        if not self.is_judged:
            return f"cannot be judged: {self.left_out} of {self.members} members failed"
        out = f" ({self.left_out} of {self.members} members failed)" if self.left_out else ""
        return f"{self.value:.5g}{' ' + unit if unit else ''}{out}"


@dataclass(frozen=True, slots=True)
class Objective:
    """A weighted sum of parts, checked against the variables there are."""

    parts: tuple[Part, ...]
    sense: Sense
    unit: str
    """Of its value."""
    text: str = field(compare=False)
    """As it was written."""

    @property
    def names(self) -> frozenset[str]:
        """The variables that it needs."""
        return frozenset().union(*(part.of.names for part in self.parts))

    @property
    def tail(self) -> float:
        """The smallest share of members on which a part rests; 1 if all are averages."""
        return min(tail_of(part.risk) for part in self.parts)

    def worth(self, rows: Float[np.ndarray, "part member"]) -> Worth:
        """The value from one number for each part and member; a failed member has NaN."""
        there = np.isfinite(rows).all(axis=0)
        left_out = int((~there).sum())
        members = rows.shape[1]
        if 2 * left_out >= members:
            return Worth(float("nan"), members, left_out)
        return Worth(float(self.values(rows[:, there])), members, left_out)

    def values(
        self, rows: Float[np.ndarray, "part *where member"]
    ) -> Float64[np.ndarray, "*where"]:
        """The value from finite numbers."""
        return np.asarray(
            sum(p.factor * valued(p.risk, row) for p, row in zip(self.parts, rows, strict=True))
        )

    def shares(
        self, rows: Float[np.ndarray, "part member"]
    ) -> Float64[np.ndarray, " member"] | None:
        """Finite numbers whose mean is the value; None if a quantile is among the parts."""
        total = np.zeros(rows.shape[1])
        for part, row in zip(self.parts, rows, strict=True):
            if isinstance(part.risk, Quantile):
                return None
            total += part.factor * shares(part.risk, row)
        return total

    @override
    def __str__(self) -> str:
        return f"{self.sense.value} {self.text}"


def sampled(
    of: Course | Happens, values: Values, times: Int64[np.ndarray, " time"]
) -> Float64[np.ndarray, " member"]:
    """One number for each member; NaN where a variable that is needed is not finite."""
    there: Bool[np.ndarray, " member"] = np.logical_and.reduce(
        [np.isfinite(values[name][0]).all(axis=0) for name in of.names]
    )
    sound = {name: (np.where(there, values[name][0], 0.0), values[name][1]) for name in of.names}
    return np.where(there, of.sample(sound, times), np.nan)
