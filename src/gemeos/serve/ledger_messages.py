"""What goes over the wire about the ledger; the rules of ``messages`` hold."""

from __future__ import annotations

from gemeos.serve.messages import Message, Staleness, Time
from gemeos.serve.plan_messages import PlanGainMessage, PromiseMessage, StageWord


class DeliveredMessage(Message, frozen=True, kw_only=True):
    """What a plan brought, as far as it can be told."""

    stage: StageWord
    known_by: Time
    """What was known by then is in it; with it the score is made again."""
    model: str
    origin: str
    """Hash of the twin's state before the plan."""
    delivered: PlanGainMessage | None
    """Reality against doing nothing, gone through again with what really happened."""
    effect: float | None
    """How much of the plan's effect came true: 1 as the model has it, 0 none."""
    effect_sd: float | None
    readings: int
    """Averages of readings that it rests on."""
    fits: bool
    """Whether what was read can be had from the model at all."""
    inside: bool | None
    """Whether it is what was promised; null where that means nothing."""
    notes: list[str]


class LedgerRowMessage(Message, frozen=True, kw_only=True):
    """One applied plan."""

    twin: str
    plan: str
    """Its id."""
    name: str
    changes: dict[str, str]
    applied_at: Time
    by: str
    approved_by: list[str]
    promise: PromiseMessage | None
    stage: StageWord
    reason: str
    score: DeliveredMessage | None
    """Null while it or its horizon lasts, and of plans that promised nothing."""


class LedgerMessage(Message, frozen=True, kw_only=True):
    """What applied plans promised, and what they delivered, the oldest first."""

    rows: list[LedgerRowMessage]
    judged: int
    """Plans that can be held against their promise."""
    kept: int
    """Of those, plans that brought what they promised."""
    least: int
    most: int
    """So many are kept in 99 % of cases where promises are right."""
    told: str
    """The same in a sentence."""
    source: str
    now: Time
    """Site time."""
    staleness: Staleness | None
    """Of the twin; null where several are told of."""
