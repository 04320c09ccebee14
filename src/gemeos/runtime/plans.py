"""The plans of a running site: kept under names, approved, dropped. Nothing here can send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol, final

from gemeos.act.approve import Approval, may_not
from gemeos.errors import GuardError, InputError, UnknownNameError
from gemeos.runtime.base import Declares, Works
from gemeos.runtime.plan import PLAN, PlanRecord, packed, unpacked
from gemeos.runtime.promise import check_promise
from gemeos.schema.intervention import in_words
from gemeos.schema.plan import Plan
from gemeos.schema.role import Role
from gemeos.schema.variable import Control
from gemeos.timeline.base import Event, Record
from gemeos.units import iso

MOST_KEPT: Final = 1000
"""Plans of one twin."""
PATH_S: Final = 30.0
"""How long to wait for the path, which may be behind."""


class Running(Works, Declares, Protocol):
    """What plans need of the running site."""


@final
class Plans:
    """See the module. May be asked from any thread but the path's own."""

    def __init__(self, running: Running) -> None:
        """``running`` has the memory."""
        self._running = running

    def keep(self, plan: Plan, *, actor: str, replacing: bool = False) -> PlanRecord:
        """Keep it under its name. Approvals of a plan that it replaces do not count for it.

        Raises:
            InputError: it changes what is no control of the twin, promises what cannot be counted,
                or the name is taken.
        """
        schema = self._running.twin(plan.twin).schema
        for name in plan.changes:
            if not isinstance(schema.variable(name), Control):
                raise InputError(
                    f"The plan {plan.name} changes {name}, which is no control: only controls are "
                    "ours to set."
                )
        # Of choices: what is none of them is told now, and not when it is applied.
        in_words(schema, plan.read)
        if plan.promise is not None:
            # Nothing is kept that the ledger could not score.
            check_promise(schema, plan.promise)
        kept = self._running.timeline.records(PLAN, twin=plan.twin)
        if any(each.name == plan.name for each in kept) and not replacing:
            raise InputError(
                f"{plan.twin} has a plan {plan.name!r} already. Name this one otherwise, drop "
                "that one, or say that it is to be replaced."
            )
        if len(kept) >= MOST_KEPT:
            raise InputError(f"{plan.twin} has {len(kept)} plans; drop some first.")
        told = Event(
            kind="plan",
            twin=plan.twin,
            valid_at=self._running.clock.now(),
            actor=actor,
            cause=plan.cause,
            body=_body(
                plan,
                changes="; ".join(f"{n} = {t}" for n, t in plan.changes.items()),
                made_by=plan.actor,
                state_at=iso(plan.state_at),
                origin=plan.origin,
                model=plan.model,
            ),
        )
        return self._write(PlanRecord(plan), told)

    def all(self, twin: str, newest: int | None = None) -> Sequence[PlanRecord]:
        """The twin's plans, the oldest first; at most so many, the ``newest``."""
        self._running.twin(twin)
        stored = self._running.timeline.records(PLAN, twin=twin, newest=newest)
        return [unpacked(each, PlanRecord) for each in stored]

    def record(self, twin: str, name: str) -> PlanRecord:
        """One of them.

        Raises:
            UnknownNameError: there is none of the name.
        """
        return unpacked(self._found(twin, name), PlanRecord)

    def _found(self, twin: str, name: str) -> Record:
        self._running.twin(twin)
        found = self._running.timeline.record(PLAN, twin, name)
        if found is None:
            known = [each.name for each in self._running.timeline.records(PLAN, twin=twin)]
            raise UnknownNameError("plan", name, known, where=twin)
        return found

    def approve(self, twin: str, name: str, *, actor: str, role: Role) -> PlanRecord:
        """Let it be applied, as far as that person may. Once is enough.

        Raises:
            UnknownNameError: there is none of the name.
            GuardError: that person's approval does not count.
        """
        record = self.record(twin, name)
        approval = self.approval(record, actor, role)
        if any(each.actor == actor for each in record.approvals):
            return record
        told = Event(
            kind="plan_approved",
            twin=twin,
            valid_at=approval.at,
            actor=actor,
            cause=f"event {record.event}",
            body=_body(record.plan, role=role.value),
        )
        return self._write(replace(record, approvals=(*record.approvals, approval)), told)

    def approval(self, record: PlanRecord, actor: str, role: Role) -> Approval:
        """What that person's approval would be.

        Raises:
            GuardError: it would not count.
        """
        plan = record.plan
        reasons = may_not(actor, role, plan, self._running.twin(plan.twin).conduct)
        if reasons:
            raise GuardError(f"The plan {plan.name}", reasons)
        return Approval(plan.id, actor, role, self._running.clock.now())

    def drop(self, twin: str, name: str, *, actor: str) -> None:
        """Delete it. What was applied of it stays applied, and known.

        Raises:
            UnknownNameError: there is none of the name.
        """
        record = self.record(twin, name)
        told = Event(
            kind="plan_dropped",
            twin=twin,
            valid_at=self._running.clock.now(),
            actor=actor,
            cause=f"event {record.event}",
            body=_body(record.plan),
        )

        def dropped() -> None:
            timeline = self._running.timeline
            timeline.drop_record(PLAN, twin, name)
            timeline.put_event(told, known_at=self._running.clock.now())

        self._running.compute.path(dropped).result(PATH_S)

    def _write(self, record: PlanRecord, told: Event) -> PlanRecord:
        def written() -> PlanRecord:
            timeline, now = self._running.timeline, self._running.clock.now()
            number = timeline.put_event(told, known_at=now).number
            became = record
            if told.kind == "plan":
                became = replace(record, event=number)
            else:
                *before, last = record.approvals
                became = replace(record, approvals=(*before, replace(last, event=number)))
            plan = record.plan
            timeline.put_record(packed(PLAN, plan.twin, plan.name, became, plan.made_at))
            return became

        return self._running.compute.path(written).result(PATH_S)


def _body(plan: Plan, **more: str) -> dict[str, str | float | int | bool | None]:
    return {"plan": plan.name, "plan_id": plan.id, **more}
