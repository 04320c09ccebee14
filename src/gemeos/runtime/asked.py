"""What a running site is asked about its twins, in this process or over a connection."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias, TypeVar

from gemeos.ensemble.compare import Comparison
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import StoppedError
from gemeos.foresee.choices import Asked as Choices
from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.optimisation import DEFAULT_BUDGET, OptimisationRecord
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.scenario import Progress, ScenarioRecord
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


_Kept = TypeVar("_Kept", OptimisationRecord, HindcastRecord)
_R_co = TypeVar("_R_co", covariant=True)


class KeptByName(Protocol[_R_co]):
    """What one twin's scenarios, optimisations and hindcasts have in common."""

    def all(self) -> Sequence[_R_co]:
        """Every one, the oldest first."""
        ...

    def record(self, name: str, *, wait_s: float | None = None) -> _R_co:
        """What one is, and how far; with ``wait_s`` when it is over.

        Raises:
            UnknownNameError: there is none of the name.
            NotReadyError: it takes longer.
        """
        ...

    def progress(self, name: str) -> float:
        """How much of it is done, 0..1."""
        ...

    def cancel(self, name: str) -> _R_co:
        """End it. Of a scenario the members that are through count; a search advises nothing."""
        ...

    def drop(self, name: str) -> None:
        """Delete it."""
        ...


class WhatIfs(KeptByName[ScenarioRecord], Protocol):
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


class Searches(KeptByName[OptimisationRecord], Protocol):
    """What can be asked of the optimisations of one twin."""

    def begin(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        name: str,
        over: Mapping[str, Choices],
        *,
        until: str,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
        every: str | None = None,
        budget: str = DEFAULT_BUDGET,
        cost: str = "",
        present: str | None = None,
        seed: int = 0,
        replacing: bool = False,
    ) -> OptimisationRecord:
        """Search for a plan; comes back at once.

        Args:
            name: Of the optimisation; it is kept under it.
            over: What may be chosen, as in ``{"damper": "-5 m/s^2 .. 5 m/s^2"}``; see
                ``gemeos.foresee.choices``.
            until: How far ahead plans are judged, as in ``"6 h"``.
            minimise: One objective or several, as in ``"mean(max(stress))"``; see
                ``gemeos.foresee.objective``.
            maximise: The same.
            subject_to: Constraints, as in ``"P(stress > 140 MPa) < 0.01"``.
            every: Between two instants that are looked at; by default a hundredth of ``until``.
            budget: Of the search, as in ``"20 s"`` or ``"5000 runs"``; one run is one
                candidate with half of the twin's members.
            cost: What plans cost, written as an objective: it is told of the winner beside doing
                nothing, and not sought.
            present: The optimisation whose advice was followed: the plan that it found, or kept,
                is in force, and stays unless another is shown to be better. None: the plan that
                was applied last, as long as its controls stand where it set them. Empty: none is.
            seed: Of what the search draws.
            replacing: Take the place of one of that name.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        ...


class Hindsight(KeptByName[HindcastRecord], Protocol):
    """What can be asked of the hindcasts of one twin."""

    def begin(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        name: str,
        condition: str = "",
        *,
        within: str,
        since: When,
        until: When,
        likely: float = 0.5,
        every: str | None = None,
        over: Mapping[str, Choices] | None = None,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
        look_every: str | None = None,
        budget: str = DEFAULT_RUNS,
        seed: int = 0,
        replacing: bool = False,
    ) -> HindcastRecord:
        """Go through a stretch of the past with only what was known then; comes back at once.

        Args:
            name: Of the hindcast; it is kept under it.
            condition: What would be warned of, as in ``"level > 2 m"``. Either it or ``over``.
            within: How far each warning reaches, or how far ahead plans are judged, as in
                ``"1 h"``.
            since: Where it begins; the twin must have had an estimate then.
            until: Where it ends.
            likely: The chance from which on it is warned.
            every: Between two issues; by default a sixth of ``within``. Of advice all of it: the
                horizons follow each other.
            over: Where advice is asked for: what may be chosen, as an optimisation has it.
            minimise: Objectives, as an optimisation has them.
            maximise: The same.
            subject_to: Constraints, as an optimisation has them.
            look_every: Between two instants that plans are judged by; by default a hundredth of
                ``within``.
            budget: Of each search, as in ``"1000 runs"``.
            seed: Of what the searches draw.
            replacing: Take the place of one of that name.

        Raises:
            InputError: it cannot be done as asked; the message says how it could.
            BusyError: too many wait.
        """
        ...


class Futures(Protocol):
    """Whoever has the scenarios, optimisations and hindcasts of twins by name: a running site."""

    def scenarios(self, twin: str) -> WhatIfs:
        """The scenarios of a twin."""
        ...

    def optimisations(self, twin: str) -> Searches:
        """The optimisations of a twin."""
        ...

    def hindcasts(self, twin: str) -> Hindsight:
        """The hindcasts of a twin."""
        ...

    def warnings(self, twin: str) -> Sequence[AlertStanding]:
        """How the alerts of a twin stand."""
        ...


class AsksWhatIf(ABC):
    """A twin whose scenarios, optimisations and hindcasts can be asked for."""

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

    @property
    @abstractmethod
    def optimisations(self) -> Searches:
        """Its searches for plans: begin, list, ask, cancel, drop."""

    def optimise(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        name: str | None = None,
        *,
        over: Mapping[str, Choices],
        until: str,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
        every: str | None = None,
        budget: str = DEFAULT_BUDGET,
        cost: str = "",
        present: str | None = None,
        seed: int = 0,
        replacing: bool = False,
        wait_s: float = LONGEST_WAIT_S,
    ) -> OptimisationRecord:
        """The best plan that a search finds, and whether it is to be taken: ``is_recommended``.

        The live twin is untouched. ``optimisations.begin`` tells every word; without a name it
        is ``plan-1``, ``plan-2`` and so on. Raises as ``optimisations.begin`` and ``record``, and
        StoppedError where it failed on the way.
        """
        searches = self.optimisations
        name = name or free_name("plan", (record.name for record in searches.all()))
        searches.begin(
            name,
            over,
            until=until,
            minimise=minimise,
            maximise=maximise,
            subject_to=subject_to,
            every=every,
            budget=budget,
            cost=cost,
            present=present,
            seed=seed,
            replacing=replacing,
        )
        return through(searches.record(name, wait_s=wait_s))

    @abstractmethod
    def warnings(self) -> Sequence[AlertStanding]:
        """How what it watches for stands, and how each alert has done so far."""

    @property
    @abstractmethod
    def hindcasts(self) -> Hindsight:
        """What it would have warned of: begin, list, ask, cancel, drop."""

    def hindcast(  # noqa: PLR0913 -- each is one word of the question, by keyword
        self,
        condition: str = "",
        *,
        within: str,
        since: When,
        until: When,
        likely: float = 0.5,
        every: str | None = None,
        over: Mapping[str, Choices] | None = None,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
        look_every: str | None = None,
        budget: str = DEFAULT_RUNS,
        seed: int = 0,
        name: str | None = None,
        wait_s: float = LONGEST_WAIT_S,
    ) -> HindcastRecord:
        """What it would have warned of in a stretch of the past, and how early.

        With ``over`` instead of a condition: what it would have advised, and what that would have
        brought. ``hindcasts.begin`` tells every word; without a name it is ``hindcast-1``,
        ``hindcast-2`` and so on. Raises as ``hindcasts.begin`` and ``record``, and StoppedError
        where it failed on the way.
        """
        hindsight = self.hindcasts
        name = name or free_name("hindcast", (record.name for record in hindsight.all()))
        hindsight.begin(
            name,
            condition,
            within=within,
            since=since,
            until=until,
            likely=likely,
            every=every,
            over=over,
            minimise=minimise,
            maximise=maximise,
            subject_to=subject_to,
            look_every=look_every,
            budget=budget,
            seed=seed,
        )
        return through(hindsight.record(name, wait_s=wait_s))


def free_name(word: str, taken: Iterable[str]) -> str:
    """The first of ``word-1``, ``word-2`` ... that is not taken."""
    names = set(taken)
    return next(f"{word}-{n}" for n in range(1, len(names) + 2) if f"{word}-{n}" not in names)


def through(record: _Kept) -> _Kept:
    """It, where it did not fail.

    Raises:
        StoppedError: it did; the message says why.
    """
    if record.progress is Progress.FAILED:
        raise StoppedError(record.told)
    return record
