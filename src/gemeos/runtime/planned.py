"""What a twin is asked about its plans, in this process or over a connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from gemeos.act.undertaking import Undertaking
from gemeos.runtime.asked import When
from gemeos.runtime.ledger_row import Ledger
from gemeos.runtime.plan import Applied, Kill, PlanRecord
from gemeos.runtime.why import Why
from gemeos.schema.plan import Plan


class PlansOfTwin(Protocol):
    """What can be asked of the plans of one twin, and done with them."""

    def keep(self, plan: Plan, *, replacing: bool = False) -> PlanRecord:
        """Keep it under its name; approvals of one that it replaces do not count for it.

        Raises:
            InputError: it changes what is no control of the twin, or the name is taken.
        """
        ...

    def of_scenario(
        self,
        scenario: str,
        *,
        name: str | None = None,
        on: Sequence[str] = (),
        share: float = 0.9,
        expires: str = "10 min",
        replacing: bool = False,
    ) -> PlanRecord:
        """Make a plan of a scenario by hand, and keep it.

        Args:
            scenario: Its name; it changes controls and nothing else.
            name: Of the plan; by default the scenario's.
            on: What reality is compared with; by default every sensor that a channel is bound to.
            share: How much of what may be the bands hold.
            expires: When it may no longer be begun, from now.
            replacing: Take the place of a plan of that name.

        Raises:
            InputError: the scenario changes something else.
            NotReadyError: its forecast takes longer.
        """
        ...

    def of_optimisation(
        self,
        optimisation: str,
        *,
        on: Sequence[str] = (),
        share: float = 0.9,
        expires: str = "10 min",
        replacing: bool = False,
    ) -> PlanRecord:
        """Make a plan of what a search found, foreseen anew from now, and keep it by its name.

        What is not advised becomes a plan that is not recommended, which the guard refuses. The
        forecast is kept as the scenario ``plan-NAME``. Arguments as of ``of_scenario``.

        Raises:
            InputError: nothing was found, or it changes something else than controls.
            NotReadyError: its forecast takes longer.
        """
        ...

    def all(self) -> Sequence[PlanRecord]:
        """Every one, the oldest first."""
        ...

    def record(self, name: str) -> PlanRecord:
        """One, and who approved it.

        Raises:
            UnknownNameError: there is none of the name.
        """
        ...

    def undertaking(self, name: str) -> Undertaking | None:
        """How far it is carried out; None where it was never applied."""
        ...

    def approve(self, name: str, *, by: str | None = None) -> PlanRecord:
        """Let it be applied. ``by`` is who does; over a connection whoever the token names.

        Raises:
            GuardError: that person's approval does not count.
        """
        ...

    def apply(self, name: str, *, approve: str | None = None, dry_run: bool = True) -> Applied:
        """Have the guard judge it, and, unless it is a dry run, carry it out.

        Args:
            name: Of the plan.
            approve: Who approves it in the same breath.
            dry_run: Go all the way to the sending, and tell what would be sent and what speaks
                against it.

        Raises:
            AccessError: a viewer applies nothing.
            GuardError: something speaks against it; nothing was sent.
        """
        ...

    def give_up(self, name: str, *, why: str = "") -> Undertaking | None:
        """End one that is under way, and restore what it moved."""
        ...

    def drop(self, name: str) -> None:
        """Delete it; what was applied of it stays known."""
        ...

    def stop(self, *, why: str = "") -> Kill:
        """Engage the twin's kill switch: nothing is sent any more."""
        ...

    def release(self) -> bool:
        """Release it; False where it was not engaged."""
        ...

    def why(self, control: str, at: When) -> Why:
        """Why a control stood where it did at a moment: command, approval, plan, forecast."""
        ...

    def ledger(self) -> Ledger:
        """What applied plans promised, and what they delivered."""
        ...

    def dossier(self, name: str) -> bytes:
        """All that led to a plan and came of it, as one file; ``gemeos.runtime.dossier`` tells how.

        Raises:
            UnknownNameError: there is none of the name.
        """
        ...


class Applies(ABC):
    """A twin whose plans can be applied."""

    @property
    @abstractmethod
    def plans(self) -> PlansOfTwin:
        """Its plans: make, keep, list, approve, apply, give up, stop."""

    def apply(
        self,
        plan: Plan | PlanRecord | str,
        *,
        approve: str | None = None,
        dry_run: bool = True,
    ) -> Applied:
        """Have the guard judge a plan, and, with ``dry_run=False``, carry it out.

        A plan that is not kept yet is kept first. Raises as ``plans.apply``.
        """
        if isinstance(plan, PlanRecord):
            plan = plan.plan
        if isinstance(plan, Plan):
            # Over a connection it is kept as made by whoever the token names.
            kept = [r.plan for r in self.plans.all() if r.plan.name == plan.name]
            if replace(plan, actor="") not in [replace(each, actor="") for each in kept]:
                self.plans.keep(plan)
            plan = plan.name
        return self.plans.apply(plan, approve=approve, dry_run=dry_run)

    def why(self, control: str, at: When) -> Why:
        """Why a control stood where it did at a moment. Raises as ``plans.why``."""
        return self.plans.why(control, at)

    def ledger(self) -> Ledger:
        """What applied plans promised, what they delivered, and how often that was as promised."""
        return self.plans.ledger()
