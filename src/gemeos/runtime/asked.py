"""What a running site is asked about its twins, in this process or over a connection.

What is asked of their futures is a value, as people write it: it comes from ``runtime.futures``,
or from a route, and goes as one to whoever answers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from gemeos.ensemble.estimate import Estimate
from gemeos.foresee.choices import Asked as Choices
from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.runtime.optimisation import DEFAULT_BUDGET
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.trust import Trust
from gemeos.schema.intervention import Written
from gemeos.units.instant import Instant, Span

When: TypeAlias = str | dt.datetime | Instant
"""ISO 8601 text, a datetime, or microseconds of UTC."""
LONGEST_WAIT_S: Final = 600.0
"""How long the answer of a scenario is waited for, unless somebody says otherwise."""


class Answers(Protocol):
    """Whoever can be asked about twins by name: a running site."""

    def now(self, twin: str) -> Estimate:
        """What is held to be so."""
        ...

    def at(self, twin: str, when: When, *, known_by: When | None = None) -> Estimate:
        """What is held to have been so."""
        ...

    def forecast(
        self,
        twin: str,
        until: str | Span,
        *,
        every: str | Span | None = None,
        raw: bool = False,
    ) -> Estimate:
        """Where it goes."""
        ...

    def range(
        self,
        twin: str,
        since: When,
        until: When,
        *,
        variables: Sequence[str] | None = None,
        known_by: When | None = None,
    ) -> Remembered:
        """What is remembered."""
        ...

    def trust(self, twin: str) -> Trust:
        """How well it is in step."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioQuestion:
    """What would be if something were done; words as in ``futures.WhatIfs.begin``."""

    name: str
    changes: Mapping[str, Written] = field(default_factory=dict)
    until: str | Span
    every: str | Span | None = None
    members: int | None = None
    at: When | None = None
    known_by: When | None = None
    budget: str | Span | None = None
    replacing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuestion:
    """Which plan is best; words as in ``futures.Searches.begin``."""

    name: str
    over: Mapping[str, Choices]
    until: str | Span
    minimise: str | Sequence[str] = ()
    maximise: str | Sequence[str] = ()
    subject_to: str | Sequence[str] = ()
    every: str | Span | None = None
    budget: str = DEFAULT_BUDGET
    cost: str = ""
    present: str | None = None
    seed: int = 0
    replacing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HindcastQuestion:
    """What a twin would have warned of, or advised; words as in ``futures.Hindsight.begin``."""

    name: str
    condition: str = ""
    within: str | Span
    since: When
    until: When
    likely: float = 0.5
    every: str | Span | None = None
    over: Mapping[str, Choices] = field(default_factory=dict)
    minimise: str | Sequence[str] = ()
    maximise: str | Sequence[str] = ()
    subject_to: str | Sequence[str] = ()
    look_every: str | Span | None = None
    budget: str = DEFAULT_RUNS
    seed: int = 0
    replacing: bool = False
