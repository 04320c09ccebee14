"""What goes over the wire about scenarios; the rules of ``messages`` hold."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from gemeos.serve.messages import EstimateMessage, Message, Numbers, Series, Staleness, Time

SpanText: TypeAlias = Annotated[
    str, Meta(description="A number with a unit of time, as in 6 h, 10 min.", max_length=100)
]
ProgressWord: TypeAlias = Literal[
    "waiting", "running", "done", "cancelled", "failed", "interrupted"
]


class ScenarioBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A scenario that somebody asks for."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    changes: Annotated[dict[str, str], Meta(max_length=1000)] = {}
    """By variable or part, as in ``ramp to 200 km/h over 2 h``."""
    until: SpanText
    every: SpanText | None = None
    members: Annotated[int, Meta(ge=2, le=100_000)] | None = None
    at: str | None = None
    """The moment of the fork, ISO 8601; now where left out."""
    known_by: str | None = None
    budget: SpanText | None = None
    """The time that it may take."""
    replacing: bool = False
    """Take the place of a scenario of that name."""


class CancelBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Nothing has to be told."""


class ScenarioMessage(Message, frozen=True, kw_only=True):
    """A scenario, and how far it is."""

    twin: str
    name: str
    changes: dict[str, str]
    forked_at: Time
    known_at: Time
    until_s: float
    every_s: float
    members: int
    budget_s: float | None
    model: str
    origin: str
    actor: str
    created: Time
    progress: ProgressWord
    done: float
    """How much of it is done, 0..1."""
    ran: int
    failed: int
    slow: tuple[int, ...] = ()
    """Numbers of members that were too slow to be waited for: ended, and left out."""
    slow_beside: tuple[int, ...] | None = None
    """Of others, that were too slow where nothing is changed; null before it was compared."""
    took_s: float
    digest: str
    reason: str
    source: str
    staleness: Staleness


class ScenariosMessage(Message, frozen=True, kw_only=True):
    """The scenarios of a twin, the oldest first."""

    twin: str
    scenarios: list[ScenarioMessage]
    source: str
    staleness: Staleness


class ComparisonMessage(Message, frozen=True, kw_only=True):
    """How much further one variable is under a scenario than under another one."""

    on: str
    before: EstimateMessage
    after: EstimateMessage
    times: list[Time]
    difference: Numbers
    """``after`` less ``before``, member by member: what the difference will be."""
    mean_low: Series
    mean_high: Series
    """Ends that hold the expected difference with a probability of 95 %."""
    members: int
    source: str
    staleness: Staleness


class DroppedMessage(Message, frozen=True, kw_only=True):
    """It is gone."""

    twin: str
    name: str
    now: Time
    """Site time."""
