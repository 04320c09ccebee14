"""What a plan brought: one reality beside a past that never was, with the doubt of both.

Reality was lived once, with the plan. Without it things would have gone another way, which nobody
saw. Both are relived by the same members (``gemeos.foresee.relive``): the same state before the
plan, parameters, noise and inputs as heard; in one arm controls go as they went, in the other they
stay as they stood. What reality was is then told by what was read in it. A member's reality is ::

    nothing + share * (plan - nothing)

where ``share`` says how much of the plan's effect came true: 1 as the model has it, 0 none. Before
anything is read it is as good as unknown, 1 +- 1; without it whatever reality lacks of the promise
would be put down to bad luck, which would have struck without the plan as well, and every plan
would seem to keep its promise.

For one share, what was read is linear in what members would have read, and they are conditioned on
the readings of the window, all at once, by the ensemble smoother, which moves what would have been
together with what was: both share all that the plan did not change. Of many shares each counts by
how well it foresaw the readings. To have the smoother find the share as well would be another
thing: it is multiplied with an effect that members differ in, which no regression sees.

Readings of a channel are averaged over bins, and only as many directions of what may be read are
used as an ensemble of that size can tell from chance.

References:
    van Leeuwen & Evensen (1996), Mon. Wea. Rev. 124, 2898-2913 (ensemble smoother); Evensen
    (2004), Ocean Dynamics 54, 539-560 (truncated singular values); Wilson & Hilferty (1931), PNAS
    17, 684-688 (chi-square).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int64

from gemeos.ensemble.clause import Values
from gemeos.errors import AssimilationError
from gemeos.foresee.worth import Objective, sampled

Rows: TypeAlias = Float64[np.ndarray, "row member"]
DIRECTIONS: Final = 4
"""Members of the ensemble for each direction of the readings that is used."""
FEWEST: Final = 8
"""Members that neither arm lost, before anything is said."""
UNLIKELY: Final = 0.001
"""How rarely readings lie so far from all members where the model holds."""
SHARE: Final = (1.0, 1.0)
"""Of the effect, before anything is read: mean and standard deviation."""
_FAR: Final = 5.0
"""Standard deviations from it, beyond which no share is looked for."""
_SHARES: Final = 40
"""Steps between two ends within which shares are tried."""
_NEGLIGIBLE: Final = 12.5
"""By how much the logarithm of a chance may lie below the best one's: at five deviations."""
_NOTHING: Final = 1e-9
"""Of a variance, in units of that of the reading: nothing is told in such a direction."""
_CLOSER: Final = 30
"""Looks at most, each nearer to where the likely shares are."""


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
        states: How many different states the members begin from.

    Raises:
        AssimilationError: too few members are left.
    """
    sound, arms = _sound(nothing, plan, relived)
    told = _Readings(relived, sound, states)
    return _over(told, *_likely(told.chance), objective, arms, times)


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
    sound, arms = _sound(nothing, plan, relived)
    unmoved = Relived(relived.read, relived.variance, relived.nothing, relived.nothing)
    return _over(_Readings(unmoved, sound, states), [1.0], [1.0], objective, arms, times)


def _sound(
    nothing: Values, plan: Values, relived: Relived
) -> tuple[Bool[np.ndarray, " member"], tuple[Values, Values]]:
    """Members that neither arm lost, and the courses of these.

    Raises:
        AssimilationError: too few.
    """
    sound = np.isfinite(relived.nothing).all(axis=0) & np.isfinite(relived.plan).all(axis=0)
    for course, _ in (*nothing.values(), *plan.values()):
        sound &= np.isfinite(course).all(axis=0)
    if (count := int(sound.sum())) < FEWEST:
        raise AssimilationError(f"Only {count} members went through the past of this plan again.")
    first, second = (
        {n: (np.asarray(c[:, sound], np.float64), unit) for n, (c, unit) in arm.items()}
        for arm in (nothing, plan)
    )
    return sound, (first, second)


def _over(
    told: _Readings,
    shares: Sequence[float],
    weights: Sequence[float],
    objective: Objective,
    arms: tuple[Values, Values],
    times: Int64[np.ndarray, " time"],
) -> Delivered:
    """What all these shares together say, each with its weight; weights sum to 1."""
    found = []
    for share in shares:
        of = told.conditioned(share)
        nothing = {n: (of(course), unit) for n, (course, unit) in arms[0].items()}
        plan = {n: (of(course), unit) for n, (course, unit) in arms[1].items()}
        real = {n: (c + share * (plan[n][0] - c), unit) for n, (c, unit) in nothing.items()}
        gains = gains_of(objective, nothing, real, times)
        found.append((float(gains.mean()), float(gains.var(ddof=1))))
    mean, sd = _mixed(weights, *zip(*found, strict=True))
    effect, effect_sd = _mixed(weights, shares, [0.0] * len(shares))
    return Delivered(
        mean=mean,
        sd=sd * told.lost,
        effect=effect,
        effect_sd=effect_sd * told.lost,
        readings=told.count,
        fits=told.fits(shares),
    )


def _mixed(
    weights: Sequence[float], means: Sequence[float], variances: Sequence[float]
) -> tuple[float, float]:
    """Mean and standard deviation of what is one or the other, by weight."""
    mean = float(np.dot(weights, means))
    apart = np.asarray(means) - mean
    return mean, math.sqrt(float(np.dot(weights, np.asarray(variances) + apart**2)))


def _likely(chance: Callable[[float], float]) -> tuple[list[float], list[float]]:
    """Shares that may be, evenly apart, and how likely each is; together 1.

    However narrow the range is to which the readings narrow them down: it is looked at ever closer.

    Args:
        chance: Of the readings, given the share; its logarithm, but for what all have in common.
    """
    middle, sd = SHARE
    least, most = middle - _FAR * sd, middle + _FAR * sd
    shares, each = _tried(chance, least, most)
    for _ in range(_CLOSER):
        may_be = np.flatnonzero(each > -_NEGLIGIBLE)
        if may_be[-1] - may_be[0] >= _SHARES // 2:
            break
        step = (most - least) / _SHARES
        least, most = shares[may_be[0]] - step, shares[may_be[-1]] + step
        shares, each = _tried(chance, least, most)
    weights = np.exp(each)
    return shares.tolist(), (weights / weights.sum()).tolist()


def _tried(
    chance: Callable[[float], float], least: float, most: float
) -> tuple[Float64[np.ndarray, " share"], Float64[np.ndarray, " share"]]:
    """Shares between the two, and logarithms of how likely they are beside the best of them."""
    shares = np.linspace(least, most, _SHARES + 1)
    middle, sd = SHARE
    told = np.array([chance(s) for s in shares.tolist()]) - 0.5 * ((shares - middle) / sd) ** 2
    return shares, told - told.max()


class _Readings:
    """What was read, in the directions in which members tell anything, for any share.

    They are the leading ones of what may be read before anything is known, the share as unknown as
    ever: the same for all shares, so that these can be held against one another.
    """

    def __init__(self, relived: Relived, sound: Bool[np.ndarray, " member"], states: int) -> None:
        self.count = len(relived.read)
        self._states = min(states, int(sound.sum()))
        root = np.sqrt(relived.variance)[:, None]
        base, plan = relived.nothing[:, sound] / root, relived.plan[:, sound] / root
        scale = math.sqrt(base.shape[1] - 1)
        effect = plan - base
        self._scale = scale
        middle, more = base.mean(axis=1), effect.mean(axis=1)
        off, further = (base - middle[:, None]) / scale, (effect - more[:, None]) / scale
        share, sd = SHARE
        spread = [off + share * further, sd * further, sd * more[:, None]]
        ways, _, _ = np.linalg.svd(np.concatenate(spread, axis=1), full_matrices=False)
        ways = ways[:, : max(1, self._states // DIRECTIONS)]
        self._missed, self._more = ways.T @ (relived.read / root[:, 0] - middle), ways.T @ more
        self._off, self._further = ways.T @ off, ways.T @ further
        mixed = self._off @ self._further.T
        self._squares = (self._off @ self._off.T, mixed + mixed.T, self._further @ self._further.T)
        # Where the model holds these are about as many as directions; what it cannot explain must
        # not make the share look known.
        best = _likely(lambda each: self._surprise(each, 1.0))
        least = min(self._unlike(each) for each in best[0])
        self._unrest = max(1.0, least / max(len(self._missed), 1))
        self.lost = self._lost(best[0][int(np.argmax(best[1]))])

    def chance(self, share: float) -> float:
        """Of what was read, given the share; its logarithm, but for what all have in common."""
        return self._surprise(share, self._unrest)

    def fits(self, shares: Sequence[float]) -> bool:
        """Whether what was read is anything that members may read, under the best of these."""
        unlike = min(self._unlike(share) for share in shares)
        return _chance_beyond(unlike, len(self._missed)) > UNLIKELY

    def conditioned(self, share: float) -> Callable[[Rows], Rows]:
        """What makes of rows of members the same after what was read, given the share.

        With the symmetric square root of Bishop, Etherton & Majumdar (2001), Mon. Wea. Rev. 129,
        420-436; what lies in no direction is left as it is.
        """
        left, size, right, missed = self._parts(share)
        shift = right.T @ (size / (1.0 + size**2) * (left.T @ missed)) / self._scale
        less = 1.0 - 1.0 / np.sqrt(1.0 + size**2)

        def of(rows: Rows) -> Rows:
            middle = rows.mean(axis=1, keepdims=True)
            off = rows - middle
            narrowed = off - ((off @ right.T) * less) @ right
            return middle + (off @ shift)[:, None] + narrowed

        return of

    def _parts(
        self, share: float
    ) -> tuple[
        Float64[np.ndarray, "way direction"],
        Float64[np.ndarray, " direction"],
        Float64[np.ndarray, "direction member"],
        Float64[np.ndarray, " way"],
    ]:
        apart = self._off + share * self._further
        # By the squares, of which there are few, and not by the members, of which there are many.
        square, left = np.linalg.eigh(self._covariance(share) - np.eye(len(apart)))
        some = square > _NOTHING
        size, left = np.sqrt(square[some]), left[:, some]
        return left, size, (left.T @ apart) / size[:, None], self._missed - share * self._more

    def _covariance(self, share: float) -> Float64[np.ndarray, "way way"]:
        none, one, two = self._squares
        return np.eye(len(none)) + none + share * one + share**2 * two

    def _unlike(self, share: float) -> float:
        """Sum of squares of what was not foreseen, each as a multiple of its doubt."""
        missed = self._missed - share * self._more
        return float(missed @ np.linalg.solve(self._covariance(share), missed))

    def _surprise(self, share: float, unrest: float) -> float:
        _, size = np.linalg.slogdet(self._covariance(share))
        return -0.5 * (float(size) + self._unlike(share) / unrest)

    def _lost(self, share: float) -> float:
        """Of a regression on so many numbers less is left over than there is."""
        _, size, _, _ = self._parts(share)
        used = float((size**2 / (1.0 + size**2)).sum())
        return math.sqrt((self._states - 1) / max(self._states - 1 - used, 1.0))


def _chance_beyond(chi_square: float, freedom: int) -> float:
    """That a sum of so many squared normal numbers is larger."""
    if freedom == 0:
        return 1.0
    part = 2.0 / (9.0 * freedom)
    return 1.0 - NormalDist().cdf(
        ((chi_square / freedom) ** (1 / 3) - 1.0 + part) / math.sqrt(part)
    )
