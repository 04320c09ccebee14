"""Two forks of one ensemble beside each other: the paired difference, not two separate bands.

Forks share random numbers (contract 3), so that what both have in common, their luck and what
nobody knows of the present, cancels in the difference member by member.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float64, Int64
from typing_extensions import override

from gemeos.ensemble.estimate import Estimate
from gemeos.ensemble.marginal import Marginal, told
from gemeos.ensemble.provenance import Forecast, kind_told
from gemeos.errors import InputError
from gemeos.units import iso, zone


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    """How much further one variable is under ``after`` than under ``before``."""

    before: Estimate
    after: Estimate
    difference: Marginal
    """``after`` less ``before``, member by member, at the times of both. ``difference.interval``
    holds what the difference will be; ``mean_interval`` holds what it is on average."""

    @property
    def mean(self) -> Float64[np.ndarray, " time"]:
        """The expected difference."""
        return self.difference.mean

    def mean_interval(
        self, level: float = 0.95
    ) -> tuple[Float64[np.ndarray, " time"], Float64[np.ndarray, " time"]]:
        """Low and high ends that hold the expected difference with probability ``level``.

        What is left of doubt because the members are finitely many; by the normal approximation
        for the mean of independent states.
        """
        if not 0.0 < level < 1.0:
            raise InputError(f"An interval's level lies between 0 and 1; {level} does not.")
        beyond = NormalDist().inv_cdf(0.5 + level / 2.0)
        each = self._by_state
        half = beyond * each.std(axis=1, ddof=1) / math.sqrt(each.shape[1])
        return self.mean - half, self.mean + half

    @property
    def _by_state(self) -> Float64[np.ndarray, "time state"]:
        """Differences, those of members that began from one state as their mean.

        Members beyond the ensemble's size begin from the same states again: they tell no more of
        what nobody knows of the present.
        """
        differences = self.difference.members.astype(np.float64)
        states = min(self.after.provenance.members, differences.shape[1])
        groups = [differences[:, n::states].mean(axis=1) for n in range(states)]
        return np.stack(groups, axis=1)

    def prob(self, condition: str) -> Float64[np.ndarray, " time"]:
        """Share of members whose difference is such: ``> 5 MPa``."""
        return self.difference.prob(condition)

    @override
    def __repr__(self) -> str:
        """The last instant: both, the difference, and what pairing is worth."""
        here = zone(self.after.zone)
        name, unit = self.difference.name, self.difference.unit or "1"
        pairs = ((self.before, "before"), (self.after, "after"))
        lines = [f"{name} of {self.after.twin} at {iso(int(self.difference.times[-1]), zone=here)}"]
        for estimate, word in pairs:
            each = estimate.at(int(self.difference.times[-1]))[name]
            mean, sd, _ = told(each, -1)
            lines.append(
                f"  {word:<10} {mean} +- {sd} {unit}, {kind_told(estimate.kind, here=here)}"
            )
        mean, sd, interval = told(self.difference, -1)
        lines.append(
            f"  difference {mean} +- {sd} {unit}, 90 % within {interval}; "
            f"{self.difference.members.shape[1]} members, paired"
        )
        return "\n".join(lines)


def compare(before: Estimate, after: Estimate, *, on: str) -> Comparison:
    """Pair two forks of one origin on a variable.

    Those members that both have are paired: one may hold more, or have left out others.

    Raises:
        InputError: they were not forked from one state, so that no member of the one belongs to
            one of the other; or the variable is told corrected, which is no member's.
        UnknownNameError: no such variable.
    """
    if not before.provenance.origin or before.provenance.origin != after.provenance.origin:
        raise InputError(
            f"These two of {after.twin} were not forked from one state, so their members cannot be "
            "paired: a reading came between, or one of them is no fork. Let the twin compare: "
            "twin.compare('name', on='variable') forks again from where the scenario did."
        )
    for estimate in (before, after):
        if isinstance(estimate.kind, Forecast) and on in estimate.kind.corrected:
            raise InputError(
                f"{on} is told as it will be read, corrected by earlier forecasts; a scenario has "
                "no such correction. Compare with forecast(..., raw=True)."
            )
    one, other = before[on], after[on]
    times, here, there = np.intersect1d(one.times, other.times, return_indices=True)
    if len(times) == 0:
        raise InputError("These two have no time in common. Ask for both with the same 'every'.")
    both, mine, its = np.intersect1d(_numbers(before), _numbers(after), return_indices=True)
    if len(both) < 2:
        raise InputError("These two have no two members in common: too many of them failed.")
    # In double precision: a difference of large numbers that float32 tells apart by its last bit.
    pairs = other.members[there][:, its].astype(np.float64) - one.members[here][:, mine]
    return Comparison(before, after, Marginal(on, one.unit, times, pairs))


def _numbers(estimate: Estimate) -> Int64[np.ndarray, " member"]:
    """Of its members; those that were left out are missing."""
    left_out = estimate.provenance.left_out
    numbers = np.arange(estimate.values.shape[2] + len(left_out))
    return np.setdiff1d(numbers, left_out)
