"""What goes over the wire about optimisations; the rules of ``messages`` hold."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gemeos.serve.messages import Message, Staleness, Time
from gemeos.serve.plan_messages import PriceMessage
from gemeos.serve.scenario_messages import ProgressWord, SpanText

Expressions = Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=20)]

AdviceWord = Literal["change", "keep", "nothing"]


class OptimisationBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A search that somebody asks for."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    over: Annotated[dict[str, str], Meta(min_length=1, max_length=1000)]
    """What may be chosen, by control or constant, as in ``0 kW .. 500 kW`` or ``0 kW, 500 kW``."""
    until: SpanText
    minimise: Expressions = []
    maximise: Expressions = []
    subject_to: Expressions = []
    """As in ``P(stress > 140 MPa) < 0.01``."""
    every: SpanText | None = None
    budget: SpanText = "20 s"
    """A time, or as in ``5000 runs``."""
    cost: Annotated[str, Meta(max_length=1000)] = ""
    """What plans cost, written as an objective: told of the winner, and not sought."""
    present: str | None = None
    """The optimisation whose advice was followed; empty where no plan is in force, null for the
    plan that was applied."""
    seed: Annotated[int, Meta(ge=0, le=2**53)] = 0
    replacing: bool = False


class TriedMessage(Message, frozen=True, kw_only=True):
    """One candidate as the search saw it; it flatters the best."""

    values: dict[str, float | int | str]
    runs: int
    value: float | None
    excess: float


class GainMessage(Message, frozen=True, kw_only=True):
    """By how much the winner is better in one objective, on members that no search saw."""

    objective: str
    unit: str
    winner: float | None
    nothing: float | None
    gain: float | None
    low: float | None
    high: float | None
    members: int


class OptimisationMessage(Message, frozen=True, kw_only=True):
    """A search, and what it comes to."""

    twin: str
    name: str
    over: dict[str, str]
    minimise: list[str]
    maximise: list[str]
    subject_to: list[str]
    until_s: float
    every_s: float
    budget: str
    seed: int
    present: str
    """The plan in force; empty where none is."""
    in_force: dict[str, float | int | str]
    """What it sets, in declared units."""
    forked_at: Time
    known_at: Time
    heard_until: Time | None
    """Of the newest reading that the forked state had taken in; null in older records."""
    model: str
    origin: str
    actor: str
    created: Time
    progress: ProgressWord
    done: float
    """How much of it is done, 0..1."""
    runs: int
    ran: int
    method: str
    ending: str
    tried: int
    candidates: list[TriedMessage]
    """Only where one is asked for."""
    winner: dict[str, str] | None
    advice: AdviceWord | None
    """null while it is run."""
    reasons: list[str]
    gains: list[GainMessage]
    over_present: list[GainMessage]
    fresh: int
    first_fresh: int
    finalists: list[dict[str, float | int | str]]
    chances: list[float]
    """That each finalist is the best of them: that what it gives on average is."""
    loss: float | None = None
    """By how much the best finalist is better than the winner, expected; null where not told."""
    rivals: int | None = None
    """Of the other finalists that are not shown to be worse than the winner."""
    latest: Time | None
    """Put into force later than that it was not shown to gain."""
    unmodelled: list[str]
    cost: str
    price: PriceMessage | None
    """What the winner costs; null where nobody declared it, or it cannot be told."""
    took_s: float
    reason: str
    source: str
    staleness: Staleness


class OptimisationsMessage(Message, frozen=True, kw_only=True):
    """The optimisations of a twin, the oldest first, without their candidates."""

    twin: str
    optimisations: list[OptimisationMessage]
    source: str
    staleness: Staleness
