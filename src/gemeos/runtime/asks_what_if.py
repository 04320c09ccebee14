"""A twin that answers what would be: scenarios, searches, hindcasts, waited for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from gemeos.ensemble.compare import Comparison
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import StoppedError
from gemeos.foresee.choices import Asked as Choices
from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.runtime.alert import AlertStanding
from gemeos.runtime.asked import LONGEST_WAIT_S, When
from gemeos.runtime.futures import Hindsight, Searches, WhatIfs
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.optimisation import DEFAULT_BUDGET, OptimisationRecord
from gemeos.runtime.scenario import Progress
from gemeos.schema.intervention import Written

_Kept = TypeVar("_Kept", OptimisationRecord, HindcastRecord)


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
