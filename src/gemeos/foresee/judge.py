"""Two candidates on the same fresh members: by how much the one is better, and what it breaks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from typing_extensions import override

from gemeos.ensemble.score import MeanInterval
from gemeos.foresee.goal import CONFIDENCE, Constraint, Goal, Samples
from gemeos.foresee.interval import least_share, most_share, of_mean
from gemeos.foresee.space import Candidate
from gemeos.foresee.worth import Objective, Worth

DRAWS = 1000
"""Of the bootstrap over members."""
FEWEST_IN_TAIL = 5
"""Members beyond a quantile, on which it rests, before anything is said of it."""
FEWEST = 8
"""Members that both have, before anything is said of their difference."""


@dataclass(frozen=True, slots=True)
class Gain:
    """By how much one candidate is better than another in one objective; below zero is worse."""

    objective: Objective
    worth: Worth
    """Of the one."""
    other: Worth
    """Of the other."""
    gain: MeanInterval
    """In the objective's unit; NaN, and without ends, where it cannot be judged."""
    members: int
    """That failed under neither; copies of one origin count as one."""
    fewest: int
    """Of them before anything is said."""

    @property
    def is_sure(self) -> bool:
        """Better beyond doubt."""
        return self.gain.low > 0.0

    @property
    def is_loss(self) -> bool:
        """Worse beyond doubt."""
        return self.gain.high < 0.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What fresh runs say about one constraint and one candidate."""

    constraint: Constraint
    breaches: int
    """Members that broke it; failed ones count, for they cannot vouch for anything."""
    members: int
    least: float
    """Share of breaches that is not refuted by so many: lower end ..."""
    most: float
    """... and upper end, each with a confidence of 95 %."""

    @property
    def is_met(self) -> bool:
        """Shown to hold."""
        return self.constraint.meets(self.most)

    @property
    def is_broken(self) -> bool:
        """Shown not to hold."""
        return not self.constraint.meets(self.least)

    @override
    def __str__(self) -> str:
        told = f"{self.breaches} of {self.members} fresh runs break {self.constraint.text!r}"
        if self.is_met or self.is_broken:
            return told
        needs = self.constraint.runs_to_show
        more = f"; at least {needs} runs are needed to show it" if self.members < needs else ""
        return (
            f"{told}: it may hold, but that is not shown (up to {self.most:.2g} is possible){more}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """One candidate against another on the same fresh members."""

    candidate: Candidate
    other: Candidate
    gains: tuple[Gain, ...]
    """One for each objective."""
    kept: tuple[Kept, ...]
    """One for each constraint, of the candidate."""
    other_kept: tuple[Kept, ...]
    """The same of the other."""
    fails_more: bool
    """More of the candidate's members failed, beyond doubt."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the one is not to be taken instead of the other; none if it is."""
        if self.candidate == self.other:
            return ("The best that was found is no other.",)
        told = [f"{kept}." for kept in self.kept if not kept.is_met]
        if self.fails_more:
            told.append("More of its members fail.")
        told += [
            f"'{g.objective}' {w.told(g.objective.unit)}."
            for g in self.gains
            for w in (g.worth, g.other)
            if not w.is_judged
        ]
        told += [
            f"'{g.objective}' cannot be judged by {g.members} members: {g.fewest} are needed."
            for g in self.gains
            if g.members < g.fewest and g.worth.is_judged and g.other.is_judged
        ]
        if told or self.is_remedy:
            return tuple(told)
        told += [f"It is worse: {told_of(g)}." for g in self.gains if g.is_loss]
        if not any(g.is_sure for g in self.gains):
            told += [f"The gain may be nothing: {told_of(g)}." for g in self.gains if not g.is_loss]
        return tuple(told)

    @property
    def is_remedy(self) -> bool:
        """The other breaks a constraint beyond doubt, and this one meets all: no gain is asked."""
        return all(k.is_met for k in self.kept) and any(k.is_broken for k in self.other_kept)

    @property
    def is_better(self) -> bool:
        """To be taken instead of the other."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Judge:
    """How samples of two candidates with the same members are compared."""

    goal: Goal
    level: float
    seed: int
    origins: int | None = None
    """Members n and n + origins began as one and know less than two; None if none did."""

    def comparison(self, one: Candidate, other: Candidate, pair: Samples) -> Comparison:
        """``pair`` has the one, then the other."""
        failed = np.isnan(pair.parts).any(axis=1)
        more = of_mean(failed[0].astype(float) - failed[1], level=self.level)
        worths = [self.goal.worths(pair, i) for i in (0, 1)]
        ends = np.cumsum([len(o.parts) for o in self.goal.objectives]).tolist()
        gains = tuple(
            self._gain(o, both, pair.parts[:, end - len(o.parts) : end])
            for o, end, both in zip(
                self.goal.objectives, ends, zip(*worths, strict=True), strict=True
            )
        )
        kept = [self.kept(pair.broken[i]) for i in (0, 1)]
        return Comparison(one, other, gains, kept[0], kept[1], fails_more=more.low > 0.0)

    def _gain(
        self,
        objective: Objective,
        worths: tuple[Worth, Worth],
        rows: Float64[np.ndarray, "candidate part member"],
    ) -> Gain:
        both: Bool[np.ndarray, " member"] = np.isfinite(rows).all(axis=(0, 1))
        copies = 1 if self.origins is None else len(both) // self.origins
        # An origin counts with all its copies or not at all: each then weighs as much.
        whole = both.reshape(copies, -1).all(axis=0)
        count = int(whole.sum())
        fewest = fewest_of(objective)
        if count < fewest or not all(w.is_judged for w in worths):
            unknown = MeanInterval(math.nan, -math.inf, math.inf)
            return Gain(objective, *worths, unknown, count, fewest)
        one, other = rows[:, :, np.tile(whole, copies)]
        # As many chances to be called better as there are objectives: Bonferroni.
        level = 1.0 - (1.0 - self.level) / len(self.goal.objectives)
        of_one, of_other = objective.shares(one), objective.shares(other)
        if of_one is not None and of_other is not None:
            gains = (objective.sense.sign * (of_other - of_one)).reshape(copies, -1)
            gain = of_mean(gains.mean(axis=0), level=level)
        else:
            gain = self._drawn(objective, one, other, level, copies)
        return Gain(objective, *worths, gain, count, fewest)

    def _drawn(
        self,
        objective: Objective,
        one: Float64[np.ndarray, "part member"],
        other: Float64[np.ndarray, "part member"],
        level: float,
        copies: int,
    ) -> MeanInterval:
        """By the percentile bootstrap; both have the same members, copies and all, in each draw.

        References:
            Efron (1979), Ann. Stat. 7, 1-26.
        """
        count = one.shape[1] // copies
        origins = np.random.default_rng(self.seed).integers(count, size=(DRAWS, count))
        drawn = np.concatenate([origins + count * copy for copy in range(copies)], axis=1)
        sign = objective.sense.sign
        gains = sign * (objective.values(other[:, drawn]) - objective.values(one[:, drawn]))
        tail = 0.5 * (1.0 - level)
        low, high = np.quantile(gains, [tail, 1.0 - tail])
        mean = sign * float(objective.values(other) - objective.values(one))
        return MeanInterval(mean, float(low), float(high))

    def kept(self, broken: Float64[np.ndarray, "constraint member"]) -> tuple[Kept, ...]:
        """What one candidate's runs say of the constraints."""
        members = broken.shape[1]
        breaches = np.where(np.isnan(broken), 1.0, broken).sum(axis=1)
        return tuple(
            Kept(
                constraint,
                count,
                members,
                least_share(count, members, level=CONFIDENCE),
                most_share(count, members, level=CONFIDENCE),
            )
            for constraint, count in zip(
                self.goal.constraints, breaches.astype(int).tolist(), strict=True
            )
        )


def fewest_of(objective: Objective) -> int:
    """Members that two candidates must have in common before their difference is judged."""
    if objective.tail < 1.0:
        return max(FEWEST, math.ceil(FEWEST_IN_TAIL / objective.tail - 1e-9))
    return FEWEST


def told_of(gain: Gain) -> str:
    """A gain, or a loss, in words."""
    unit = f" {gain.objective.unit}" if gain.objective.unit else ""
    verb, sign = ("loses", -1.0) if gain.is_loss else ("gains", 1.0)
    low, high = sorted([sign * gain.gain.low, sign * gain.gain.high])
    return (
        f"'{gain.objective}' {verb} {sign * gain.gain.mean:.4g}{unit}, "
        f"between {low:.4g} and {high:.4g}"
    )
