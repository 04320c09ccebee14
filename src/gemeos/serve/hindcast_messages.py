"""What goes over the wire about hindcasts; the rules of ``messages`` hold."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.serve.messages import Message, Staleness, Time
from gemeos.serve.optimisation_messages import AdviceWord, Expressions
from gemeos.serve.plan_messages import PlanGainMessage
from gemeos.serve.scenario_messages import ProgressWord, SpanText


class HindcastBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A hindcast that somebody asks for."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    condition: Annotated[str, Meta(max_length=1000)] = ""
    """What would be warned of, as in ``level > 2 m``. Either it or ``over``."""
    within: SpanText
    """How far each warning reaches, or how far ahead plans are judged."""
    since: str
    until: str
    likely: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """The chance from which on it is warned."""
    every: SpanText | None = None
    """Between two instants at which it is asked."""
    over: Annotated[dict[str, str], Meta(max_length=1000)] = {}
    """Where advice is asked for: what may be chosen, as an optimisation has it."""
    minimise: Expressions = []
    maximise: Expressions = []
    subject_to: Expressions = []
    look_every: SpanText | None = None
    """Between two instants that plans are judged by."""
    budget: SpanText = DEFAULT_RUNS
    """Of each search, as in ``1000 runs``."""
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 0
    replacing: bool = False


class StretchMessage(Message, frozen=True, kw_only=True):
    """From when to when."""

    first: Time
    last: Time


class AdvisedMessage(Message, frozen=True, kw_only=True):
    """One instant at which the twin was asked for advice."""

    at: Time
    advice: AdviceWord
    values: dict[str, float | int | str]
    """What stands from then on, in declared units."""
    reasons: list[str]
    origin: str
    promised: PlanGainMessage | None
    """Over doing nothing."""
    delivered: PlanGainMessage | None
    """What it would have brought over what was really done."""
    readings: int
    fits: bool
    inside: bool | None
    """Whether it is what was promised; null where that means nothing."""
    notes: list[str]


class AdviceMessage(Message, frozen=True, kw_only=True):
    """What would have been advised, and what that would have brought."""

    over: dict[str, str]
    minimise: list[str]
    maximise: list[str]
    subject_to: list[str]
    look_every_s: float
    budget: str
    seed: int
    unmodelled: list[str]
    changed: int
    """How often a plan was advised."""
    kept: int
    """How often it was advised to keep the present one."""
    refused: int
    """How often none was advised."""
    promised: PlanGainMessage | None
    """The sum over those whose delivered gain is known."""
    delivered: PlanGainMessage | None
    """The sum; its ends are sums of ends, as if each were wrong in the same way."""
    judged: int
    inside: int
    """How many of those judged are what was promised."""
    issued: list[AdvisedMessage]


class HindcastMessage(Message, frozen=True, kw_only=True):
    """What would have been warned of, or advised, and what came of it."""

    twin: str
    name: str
    condition: str
    within_s: float
    likely: float
    every_s: float
    since: Time
    until: Time
    model: str
    actor: str
    created: Time
    progress: ProgressWord
    done: float
    """How much of it is done, 0..1."""
    issues: int
    hits: int
    misses: int
    false_alarms: int
    leads_s: list[float]
    brier: float | None
    brier_skill: float | None
    occurrences: list[StretchMessage]
    warnings: list[StretchMessage]
    reason: str
    advice: AdviceMessage | None
    """null where it was asked what would have been warned of."""
    source: str
    staleness: Staleness


class HindcastsMessage(Message, frozen=True, kw_only=True):
    """The hindcasts of a twin, the oldest first."""

    twin: str
    hindcasts: list[HindcastMessage]
    source: str
    staleness: Staleness
