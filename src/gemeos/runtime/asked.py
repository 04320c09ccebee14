"""What a running site is asked about its twins, in this process or over a connection."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from gemeos.ensemble.compare import Comparison
from gemeos.ensemble.estimate import Estimate
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.scenario import ScenarioRecord
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


class WhatIfs(Protocol):
    """What can be asked of the scenarios of one twin."""

    def begin(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        name: str,
        changes: Mapping[str, Written] | None = None,
        *,
        until: str,
        every: str | None = None,
        members: int | None = None,
        at: When | None = None,
        known_by: When | None = None,
        budget: str | None = None,
        replacing: bool = False,
    ) -> ScenarioRecord:
        """Fork the twin and have it run; comes back at once.

        Args:
            name: Of the scenario; it is kept under it.
            changes: What is changed, by variable or part, as in ``{"wind": "ramp to 200 km/h over
                2 h", "T2": "renewed"}``; see ``gemeos.schema.intervention``.
            until: How far it goes, as in ``"6 h"``.
            every: Between two instants of the answer; by default a hundredth of ``until``.
            members: How many are run; by default as many as the twin has.
            at: The moment of the fork; by default now.
            known_by: With ``at``: only what was known then.
            budget: The time that it may take, as in ``"10 s"``: fewer members are run where it
                does not suffice for all, at least the twin's own.
            replacing: Take the place of a scenario of that name.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        ...

    def all(self) -> Sequence[ScenarioRecord]:
        """Every one, the oldest first."""
        ...

    def record(self, name: str) -> ScenarioRecord:
        """What one is, and how far."""
        ...

    def progress(self, name: str) -> float:
        """How much of it is done, 0..1."""
        ...

    def estimate(
        self, name: str, *, early: bool = False, wait_s: float = LONGEST_WAIT_S
    ) -> Estimate:
        """Its members over time; ``early``: those that are through already, without waiting.

        Raises:
            NotReadyError: it takes longer.
            StoppedError: it failed, or was cancelled before a member was through.
            OutOfReachError: another model, machine or library cannot make it again.
        """
        ...

    def compare(
        self, name: str, *, on: str, against: str | None = None, wait_s: float = LONGEST_WAIT_S
    ) -> Comparison:
        """How much further a variable is than in another scenario, or than if nothing is done."""
        ...

    def cancel(self, name: str) -> ScenarioRecord:
        """End it; the members that are through count."""
        ...

    def drop(self, name: str) -> None:
        """Delete it."""
        ...


class AsksWhatIf(ABC):
    """A twin whose scenarios can be asked for."""

    @property
    @abstractmethod
    def scenarios(self) -> WhatIfs:
        """Its named forks: begin, list, ask, compare, cancel, drop."""

    def scenario(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        name: str,
        changes: Mapping[str, Written] | None = None,
        *,
        until: str,
        every: str | None = None,
        members: int | None = None,
        at: When | None = None,
        known_by: When | None = None,
        budget: str | None = None,
        replacing: bool = False,
        wait_s: float = LONGEST_WAIT_S,
        **more: Written,
    ) -> Estimate:
        """What would be if something were done: ``scenario("gale", wind="30 m/s", until="6 h")``.

        The live twin is untouched. ``scenarios.begin`` tells every word of it; changes may be
        given by keyword, too. Raises as ``scenarios.begin`` and ``scenarios.estimate``.
        """
        self.scenarios.begin(
            name,
            {**(changes or {}), **more},
            until=until,
            every=every,
            members=members,
            at=at,
            known_by=known_by,
            budget=budget,
            replacing=replacing,
        )
        return self.scenarios.estimate(name, wait_s=wait_s)

    def compare(self, name: str, *, on: str, against: str | None = None) -> Comparison:
        """How much further ``on`` is in a scenario than if nothing is done, member by member.

        ``against`` names another scenario instead. Raises as ``scenarios.compare``.
        """
        return self.scenarios.compare(name, on=on, against=against)
