"""What is kept of plans that were applied, and what each brought: the ledger."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Final

from typing_extensions import override

from gemeos.act.undertaking import Stage, Undertaking
from gemeos.runtime.plan import PlanRecord
from gemeos.schema.command import CommandState
from gemeos.schema.plan import Gain, Promise
from gemeos.units import iso
from gemeos.units.instant import SECOND, Instant

APPLIED: Final = "applied"
"""Kept under ``Plan.id`` before anything is sent: the plan as it was when it was applied."""
SCORE: Final = "score"
"""Kept under ``Plan.id`` once its horizon has passed, and never changed."""
ACCEPTED: Final = 0.99
"""How surely a ledger that keeps its promises is not called one that does not."""
_MOVED: Final = {CommandState.TAKEN, CommandState.UNDONE, CommandState.OVERRIDDEN}


@dataclass(frozen=True, slots=True)
class AppliedPlan:
    """A plan as it was applied; whatever becomes of the record of its name."""

    record: PlanRecord
    actor: str
    """Who applied it."""
    begun_at: Instant
    before: dict[str, float]
    """By control: where it stood."""

    @property
    def ends_at(self) -> Instant | None:
        """When what it promised can be counted; None where it promised nothing."""
        promise = self.record.plan.promise
        return None if promise is None else self.begun_at + promise.until


@dataclass(frozen=True, slots=True)
class Score:
    """What a plan brought, as far as it can be told."""

    twin: str
    plan: str
    """``Plan.id``."""
    stage: Stage
    """How the plan ended."""
    known_by: Instant
    """What was known by then is in it; with it the score is made again."""
    model: str
    """Identity of the model that relived it."""
    origin: str
    """Hash of the twin's state before the plan."""
    delivered: Gain | None
    """None where nothing can be said."""
    effect: float | None = None
    """How much of the plan's effect came true: 1 as the model has it, 0 none."""
    effect_sd: float | None = None
    readings: int = 0
    """Averages of readings that it rests on."""
    fits: bool = True
    """Whether what was read can be had from the model at all."""
    inside: bool | None = None
    """Whether it is what was promised; None where that means nothing."""
    notes: tuple[str, ...] = ()
    """Why it is not held against the promise, and what else should be known."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One applied plan."""

    twin: str
    plan: str
    """``Plan.id``."""
    name: str
    changes: dict[str, str]
    applied_at: Instant
    by: str
    """Who applied it."""
    approved_by: tuple[str, ...]
    promise: Promise | None
    stage: Stage
    reason: str
    """Why it is no longer under way."""
    score: Score | None
    """None while it or its horizon lasts, and of plans that promised nothing."""

    @staticmethod
    def of(applied: AppliedPlan, undertaking: Undertaking, score: Score | None) -> LedgerRow:
        """As it stands."""
        plan = applied.record.plan
        return LedgerRow(
            twin=plan.twin,
            plan=plan.id,
            name=plan.name,
            changes=plan.changes,
            applied_at=applied.begun_at,
            by=applied.actor,
            approved_by=applied.record.approved_by,
            promise=plan.promise,
            stage=undertaking.stage,
            reason=undertaking.reason,
            score=score,
        )

    @property
    def told(self) -> str:
        """How it stands, in a few words."""
        if self.score is not None:
            return "; ".join([self.stage.value, *self.score.notes])
        if self.promise is None:
            return f"{self.stage.value}; it promised nothing"
        ends = self.applied_at + self.promise.until
        until = iso(ends - ends % SECOND)
        return f"{self.stage.value}; to be told once it is over, after {until}"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Plans that were applied, the oldest first, and whether they keep what they promise."""

    rows: tuple[LedgerRow, ...]
    judged: int = field(init=False)
    """Plans that were carried out whole, and can be held against their promise."""
    kept: int = field(init=False)
    """Of those, plans that brought what they promised."""

    def __post_init__(self) -> None:
        inside = [row.score.inside for row in self.rows if row.score is not None]
        object.__setattr__(self, "judged", sum(each is not None for each in inside))
        object.__setattr__(self, "kept", sum(each is True for each in inside))

    @property
    def share(self) -> float:
        """How often promises should be kept: what their intervals hold."""
        shares = [
            row.promise.gain.share
            for row in self.rows
            if row.promise is not None and row.score is not None and row.score.inside is not None
        ]
        return math.fsum(shares) / len(shares) if shares else 0.9

    @property
    def accepted(self) -> tuple[int, int]:
        """How many of those judged are kept in 99 % of all cases where promises are right."""
        return accepted(self.judged, self.share)

    @property
    def is_accepted(self) -> bool:
        """Whether what was promised came about as often as it should."""
        least, most = self.accepted
        return least <= self.kept <= most

    @property
    def told(self) -> str:
        """The sum of it, in a sentence."""
        if not self.judged:
            return "No plan can be held against its promise yet."
        least, most = self.accepted
        verdict = "as it should be" if self.is_accepted else "NOT as it should be"
        return (
            f"{self.kept} of {self.judged} plans brought what they promised with "
            f"{self.share:.0%}; {least} to {most} are to be expected (binomial, "
            f"{ACCEPTED:.0%}): {verdict}."
        )

    @override
    def __str__(self) -> str:
        return "\n".join([*(_line(row) for row in self.rows), self.told])


def accepted(count: int, share: float) -> tuple[int, int]:
    """The least and the most that are seen in 99 % of cases, equal tails outside."""
    tail, below = (1.0 - ACCEPTED) / 2.0, 0.0
    least, most = 0, count
    for k in range(count + 1):
        before = below
        below += math.comb(count, k) * share**k * (1.0 - share) ** (count - k)
        if before <= tail:
            least = k
        if below >= 1.0 - tail:
            most = k
            break
    return least, most


def is_inside(promised: Gain, mean: float, sd: float) -> bool:
    """Whether what was found is what was promised, the doubt of the finding allowed for.

    As for bands that readings are held against: each half of the interval becomes the root of the
    sum of squares of itself and of the finding's.
    """
    reach = NormalDist().inv_cdf(0.5 + promised.share / 2.0) * sd
    low = promised.mean - math.hypot(promised.mean - promised.low, reach)
    high = promised.mean + math.hypot(promised.high - promised.mean, reach)
    return low <= mean <= high


def against_judging(undertaking: Undertaking, others: Sequence[Undertaking]) -> list[str]:
    """Why what came of it says nothing about its promise; empty where it does.

    Args:
        undertaking: The plan's.
        others: Of its twin that were begun within its horizon.
    """
    reasons = []
    if undertaking.stage is not Stage.KEPT:
        reasons.append(f"not carried out whole: {undertaking.reason}".rstrip())
    elif any(i.state is not CommandState.TAKEN for i in undertaking.issued):
        reasons.append("not all of it was taken")
    moved = [u.name for u in others if any(i.state in _MOVED for i in u.issued)]
    if moved:
        reasons.append(f"{', '.join(moved)} was applied meanwhile")
    return reasons


def _line(row: LedgerRow) -> str:
    promised = "nothing promised" if row.promise is None else f"promised {row.promise.gain}"
    told = row.score and row.score.delivered
    found = f", delivered {told}" if told else ""
    return f"{row.name} of {row.twin}, {iso(row.applied_at)}: {promised}{found}; {row.told}"
