"""What a plan brought: one reality beside a past that never was, with the doubt of both.

Reality was lived once, with the plan. Without it things would have gone another way, which nobody
saw. Both are relived by the same members (``gemeos.foresee.relive``): the same state before the
plan, parameters, noise and inputs as heard; in one arm controls go as they went, in the other they
stay as they stood. What reality was is then told by what was read in it. A member's reality is ::

    nothing + share * (plan - nothing)

where ``share`` says how much of the plan's effect came true: 1 as the model has it, 0 none. Before
anything is read it is as good as unknown, 1 +- 1 between members; without it whatever reality
lacks of the promise would be put down to bad luck, which would have struck without the plan as
well, and every plan would seem to keep its promise. Members are then conditioned on the readings
of the window, all at once, by the ensemble smoother, which moves what would have been together
with what was: both share all that the plan did not change.

Readings of a channel are averaged over bins, and only as many directions of what members differ
in are used as an ensemble of that size can tell from chance.

References:
    van Leeuwen & Evensen (1996), Mon. Wea. Rev. 124, 2898-2913 (ensemble smoother); Evensen
    (2004), Ocean Dynamics 54, 539-560 (truncated singular values); Wilson & Hilferty (1931), PNAS
    17, 684-688 (chi-square).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Final

import numpy as np
from jaxtyping import Float, Float64, Int64

from gemeos.ensemble.clause import Values
from gemeos.errors import AssimilationError
from gemeos.foresee.worth import Objective, sampled

DIRECTIONS: Final = 4
"""Members of the ensemble for each direction of the readings that is used."""
FEWEST: Final = 8
"""Members that neither arm lost, before anything is said."""
UNLIKELY: Final = 0.001
"""How rarely readings lie so far from all members where the model holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Relived:
    """The readings of a window, and what each member would have read in both arms."""

    read: Float64[np.ndarray, " datum"]
    variance: Float64[np.ndarray, " datum"]
    """Of what was read, about what was so."""
    nothing: Float64[np.ndarray, "datum member"]
    plan: Float64[np.ndarray, "datum member"]


@dataclass(frozen=True, slots=True)
class Delivered:
    """By how much reality was better than doing nothing would have been; below zero is worse."""

    mean: float
    sd: float
    effect: float
    """How much of the plan's effect came true: 1 as the model has it, 0 none."""
    effect_sd: float
    readings: int
    """Averages of readings that it rests on."""
    fits: bool
    """Whether any member, whatever share of the effect, comes near to what was read."""

    def interval(self, share: float) -> tuple[float, float]:
        """Its ends, by the normal approximation."""
        reach = NormalDist().inv_cdf(0.5 + share / 2.0) * self.sd
        return self.mean - reach, self.mean + reach


def gains_of(
    objective: Objective, nothing: Values, plan: Values, times: Int64[np.ndarray, " time"]
) -> Float64[np.ndarray, " member"]:
    """By how much each member is better under the plan; NaN where one of both failed.

    A risk over members is none of one member's: of ``cvar`` and ``quantile`` what is within counts.
    """
    return objective.sense.sign * (
        _worth(objective, nothing, times) - _worth(objective, plan, times)
    )


def _worth(
    objective: Objective, values: Values, times: Int64[np.ndarray, " time"]
) -> Float64[np.ndarray, " member"]:
    parts = [part.factor * sampled(part.of, values, times) for part in objective.parts]
    return np.asarray(np.sum(parts, axis=0))


def delivered(
    objective: Objective,
    nothing: Values,
    plan: Values,
    times: Int64[np.ndarray, " time"],
    relived: Relived,
    share: Float64[np.ndarray, " member"],
    *,
    states: int,
) -> Delivered:
    """Condition both arms on what was read, and see how much better the one is.

    Courses are conditioned, not what they count: an objective may bend as it likes.

    Args:
        objective: What counts.
        nothing: Courses of the variables that it needs where nothing was done.
        plan: The same under the plan as the model has it.
        times: Of the courses.
        relived: The readings, and what members would have read.
        share: Of the effect, of each member.
        states: How many different states the members begin from.

    Raises:
        AssimilationError: too few members are left.
    """
    real = {n: (_partly(c, plan[n][0], share), unit) for n, (c, unit) in nothing.items()}
    read = _partly(relived.nothing, relived.plan, share)
    sound = np.isfinite(read).all(axis=0)
    for course, _ in (*nothing.values(), *real.values()):
        sound &= np.isfinite(course).all(axis=0)
    count = int(sound.sum())
    if count < FEWEST:
        raise AssimilationError(f"Only {count} members went through the past of this plan again.")
    told = _Conditioned(relived, read[:, sound], min(states, count))
    gains = gains_of(
        objective,
        {n: (told.of(c[:, sound]), unit) for n, (c, unit) in nothing.items()},
        {n: (told.of(c[:, sound]), unit) for n, (c, unit) in real.items()},
        times,
    )
    effect = told.of(share[None, sound])[0]
    return Delivered(
        mean=float(gains.mean()),
        sd=float(gains.std(ddof=1)) * told.lost,
        effect=float(effect.mean()),
        effect_sd=float(effect.std(ddof=1)) * told.lost,
        readings=len(relived.read),
        fits=told.fits,
    )


def undelivered(
    objective: Objective,
    nothing: Values,
    plan: Values,
    times: Int64[np.ndarray, " time"],
    relived: Relived,
    *,
    states: int,
) -> Delivered:
    """What a plan would have brought that nobody carried out: reality was lived without it.

    Readings tell what was so without it. How much of its effect would have come true nothing that
    was read can tell, so it comes true as the model has it: ``effect`` is 1 without doubt, and the
    interval tells of states, parameters and chances alone. Arguments and errors as ``delivered``.
    """
    unmoved = replace(relived, plan=relived.nothing)
    members = next(iter(plan.values()))[0].shape[1]
    return delivered(objective, nothing, plan, times, unmoved, np.ones(members), states=states)


def _partly(
    nothing: Float[np.ndarray, "row member"],
    plan: Float[np.ndarray, "row member"],
    share: Float64[np.ndarray, " member"],
) -> Float64[np.ndarray, "row member"]:
    base = np.asarray(nothing, np.float64)
    return base + share * (np.asarray(plan, np.float64) - base)


class _Conditioned:
    """Members after what was read: one change of weights that holds for all that is theirs.

    With the symmetric square root of Bishop, Etherton & Majumdar (2001), Mon. Wea. Rev. 129,
    420-436, in the leading directions; the rest is left as it is.
    """

    def __init__(
        self, relived: Relived, read: Float64[np.ndarray, "datum member"], states: int
    ) -> None:
        count = read.shape[1]
        root = np.sqrt(relived.variance)
        expected = read.mean(axis=1)
        apart = (read - expected[:, None]) / root[:, None] / math.sqrt(count - 1)
        left, size, right = np.linalg.svd(apart, full_matrices=False)
        most = max(1, states // DIRECTIONS)
        left, size, right = left[:, :most], size[:most], right[:most]
        missed = left.T @ ((relived.read - expected) / root)
        self._shift = right.T @ (size / (1.0 + size**2) * missed) / math.sqrt(count - 1)
        self._right, self._less = right, 1.0 - 1.0 / np.sqrt(1.0 + size**2)
        # Of a regression on so many numbers less is left over than there is.
        used = float((size**2 / (1.0 + size**2)).sum())
        self.lost = math.sqrt((states - 1) / max(states - 1 - used, 1.0))
        surprise = float((missed**2 / (1.0 + size**2)).sum())
        self.fits = _chance_beyond(surprise, len(size)) > UNLIKELY

    def of(self, rows: Float[np.ndarray, "row member"]) -> Float64[np.ndarray, "row member"]:
        """Rows of the same members, after what was read."""
        exact = np.asarray(rows, np.float64)
        middle = exact.mean(axis=1, keepdims=True)
        off = exact - middle
        narrowed = off - ((off @ self._right.T) * self._less) @ self._right
        return middle + (off @ self._shift)[:, None] + narrowed


def _chance_beyond(chi_square: float, freedom: int) -> float:
    """That a sum of so many squared normal numbers is larger."""
    if freedom == 0:
        return 1.0
    part = 2.0 / (9.0 * freedom)
    return 1.0 - NormalDist().cdf(
        ((chi_square / freedom) ** (1 / 3) - 1.0 + part) / math.sqrt(part)
    )
