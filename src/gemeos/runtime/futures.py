"""What may be asked of a twin's futures: scenarios, searches for plans, hindcasts.

The same words in this process and over a connection; each becomes a value of ``runtime.asked``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from gemeos.ensemble.compare import Comparison
from gemeos.ensemble.estimate import Estimate
from gemeos.foresee.choices import Asked as Choices
from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.asked import (
    LONGEST_WAIT_S,
    HindcastQuestion,
    ScenarioQuestion,
    SearchQuestion,
    When,
)
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.optimisation import DEFAULT_BUDGET, OptimisationRecord
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.schema.intervention import Written

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

    @abstractmethod
    def ask(self, question: ScenarioQuestion) -> ScenarioRecord:
        """Begin what is asked; comes back at once. Raises as ``begin``."""

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
        return self.ask(
            ScenarioQuestion(
                name=name,
                changes=changes or {},
                until=until,
                every=every,
                members=members,
                at=at,
                known_by=known_by,
                budget=budget,
                replacing=replacing,
            )
        )

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

    @abstractmethod
    def ask(self, question: SearchQuestion) -> OptimisationRecord:
        """Begin what is asked; comes back at once. Raises as ``begin``."""

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
        return self.ask(
            SearchQuestion(
                name=name,
                over=over,
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
        )


class Hindsight(KeptByName[HindcastRecord], Protocol):
    """What can be asked of the hindcasts of one twin."""

    @abstractmethod
    def ask(self, question: HindcastQuestion) -> HindcastRecord:
        """Begin what is asked; comes back at once. Raises as ``begin``."""

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
        return self.ask(
            HindcastQuestion(
                name=name,
                condition=condition,
                within=within,
                since=since,
                until=until,
                likely=likely,
                every=every,
                over=over or {},
                minimise=minimise,
                maximise=maximise,
                subject_to=subject_to,
                look_every=look_every,
                budget=budget,
                seed=seed,
                replacing=replacing,
            )
        )


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
