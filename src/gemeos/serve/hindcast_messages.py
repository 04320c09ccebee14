"""What goes over the wire about hindcasts; the rules of ``messages`` hold."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gemeos.serve.messages import Message, Staleness, Time
from gemeos.serve.scenario_messages import ProgressWord, SpanText


class HindcastBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A hindcast that somebody asks for."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    condition: Annotated[str, Meta(max_length=1000)]
    """What would be warned of, as in ``level > 2 m``."""
    within: SpanText
    """How far each warning reaches."""
    since: str
    until: str
    likely: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """The chance from which on it is warned."""
    every: SpanText | None = None
    replacing: bool = False


class StretchMessage(Message, frozen=True, kw_only=True):
    """From when to when."""

    first: Time
    last: Time


class HindcastMessage(Message, frozen=True, kw_only=True):
    """What would have been warned of, and what came of it."""

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
    source: str
    staleness: Staleness


class HindcastsMessage(Message, frozen=True, kw_only=True):
    """The hindcasts of a twin, the oldest first."""

    twin: str
    hindcasts: list[HindcastMessage]
    source: str
    staleness: Staleness
