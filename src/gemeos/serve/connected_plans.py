"""The plans of one twin of a running site from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final
from urllib.parse import quote

import msgspec

from gemeos.act.approve import Approval
from gemeos.act.undertaking import Issued, Stage, Undertaking
from gemeos.act.verify import Watch
from gemeos.errors import AccessError
from gemeos.runtime.asked import When
from gemeos.runtime.ledger_row import Ledger
from gemeos.runtime.plan import Applied, Kill, PlanRecord
from gemeos.runtime.why import Why
from gemeos.schema.command import Command, CommandState
from gemeos.schema.plan import Plan
from gemeos.schema.role import Role
from gemeos.serve import hear, tell_ledger, tell_plans
from gemeos.serve import plan_messages as pm
from gemeos.serve.connected_named import Asks
from gemeos.serve.ledger_messages import LedgerMessage
from gemeos.serve.scenario_messages import DroppedMessage
from gemeos.serve.site_messages import EventMessage
from gemeos.timeline.base import Event
from gemeos.units import instant, iso
from gemeos.units.instant import SECOND

ME = "me"
"""Over a connection only whoever the token names can approve."""


@final
class ConnectedPlans:
    """See ``gemeos.runtime.planned.PlansOfTwin``."""

    def __init__(self, connection: Asks, twin: str) -> None:
        """``connection`` to the site."""
        self._connection, self._twin = connection, twin
        self._root = f"/api/twins/{quote(twin, safe='')}"
        self._path = f"{self._root}/plans"

    def _one(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"

    def keep(self, plan: Plan, *, replacing: bool = False) -> PlanRecord:
        """See ``PlansOfTwin``. It is made by whoever the token names."""
        gain = plan.gain
        body = pm.PlanBody(
            name=plan.name,
            changes=plan.changes,
            expires_at=iso(plan.expires_at),
            state_at=iso(plan.state_at),
            cause=plan.cause,
            made_at=iso(plan.made_at),
            begins_at=None if plan.begins_at is None else iso(plan.begins_at),
            origin=plan.origin,
            model=plan.model,
            bands=[tell_plans.band(each, iso) for each in plan.bands],
            nothing=[tell_plans.band(each, iso) for each in plan.nothing],
            gain=None if gain is None else tell_plans.gain_of(gain),
            best=plan.best,
            recommended=plan.recommended,
            reasons=list(plan.reasons),
            against=list(plan.against),
            not_modelled=list(plan.not_modelled),
            seeds=list(plan.seeds),
            candidates=plan.candidates,
            promise=tell_plans.promise(plan.promise),
            cost=tell_plans.cost(plan.cost),
            latest=None if plan.latest is None else iso(plan.latest),
            loss=plan.loss,
            finalists=plan.finalists,
            rivals=plan.rivals,
            replacing=replacing,
        )
        told = self._connection.told("POST", self._path, pm.PlanMessage, msgspec.to_builtins(body))
        return _record(told)

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
        """See ``PlansOfTwin``."""
        body = {
            "name": name,
            "on": list(on),
            "share": share,
            "expires": expires,
            "replacing": replacing,
        }
        path = f"{self._root}/scenarios/{quote(scenario, safe='')}/plan"
        return _record(self._connection.told("POST", path, pm.PlanMessage, body))

    def of_optimisation(
        self,
        optimisation: str,
        *,
        on: Sequence[str] = (),
        share: float = 0.9,
        expires: str = "10 min",
        replacing: bool = False,
    ) -> PlanRecord:
        """See ``PlansOfTwin``."""
        body = {"on": list(on), "share": share, "expires": expires, "replacing": replacing}
        path = f"{self._root}/optimisations/{quote(optimisation, safe='')}/plan"
        return _record(self._connection.told("POST", path, pm.PlanMessage, body))

    def all(self) -> Sequence[PlanRecord]:
        """See ``PlansOfTwin``."""
        told = self._connection.asked(self._path, pm.PlansMessage)
        return [_record(each) for each in told.plans]

    def record(self, name: str) -> PlanRecord:
        """See ``PlansOfTwin``."""
        return _record(self._connection.asked(self._one(name), pm.PlanMessage))

    def undertaking(self, name: str) -> Undertaking | None:
        """See ``PlansOfTwin``."""
        return _undertaking(self._connection.asked(self._one(name), pm.PlanMessage))

    def approve(self, name: str, *, by: str | None = None) -> PlanRecord:
        """See ``PlansOfTwin``."""
        _only_me(by)
        path = f"{self._one(name)}/approve"
        return _record(self._connection.told("POST", path, pm.PlanMessage, {}))

    def apply(self, name: str, *, approve: str | None = None, dry_run: bool = True) -> Applied:
        """See ``PlansOfTwin``. ``approve`` is ``"me"``: whoever the token names."""
        _only_me(approve)
        body = {"dry_run": dry_run, "approve": approve is not None}
        told = self._connection.told("POST", f"{self._one(name)}/apply", pm.AppliedMessage, body)
        plan = _record(told.plan).plan
        return Applied(
            plan=plan,
            dry_run=told.dry_run,
            commands=tuple(_command(each, plan) for each in told.commands),
            against=tuple(told.against),
            undertaking=None if told.dry_run else _undertaking(told.plan),
        )

    def give_up(self, name: str, *, why: str = "") -> Undertaking | None:
        """See ``PlansOfTwin``."""
        path = f"{self._one(name)}/give-up"
        return _undertaking(self._connection.told("POST", path, pm.PlanMessage, {"why": why}))

    def drop(self, name: str) -> None:
        """See ``PlansOfTwin``."""
        self._connection.told("DELETE", self._one(name), DroppedMessage)

    def stop(self, *, why: str = "") -> Kill:
        """See ``PlansOfTwin``."""
        told = self._connection.told("POST", f"{self._root}/kill", pm.KillMessage, {"why": why})
        return kill_of(told)

    def release(self) -> bool:
        """See ``PlansOfTwin``."""
        path = f"{self._root}/kill"
        return self._connection.told("DELETE", path, pm.ReleasedMessage).released

    def why(self, control: str, at: When) -> Why:
        """See ``PlansOfTwin``."""
        told = self._connection.asked(
            f"{self._root}/why", pm.WhyMessage, control=control, at=hear.when(at)
        )
        return Why(
            twin=told.twin,
            control=told.control,
            at=instant(told.at),
            chain=tuple(_event(each) for each in told.chain),
            came_of_it=tuple(_event(each) for each in told.came_of_it),
        )

    def ledger(self) -> Ledger:
        """See ``PlansOfTwin``."""
        path = f"{self._root}/ledger"
        return tell_ledger.ledger_of(self._connection.asked(path, LedgerMessage))

    def dossier(self, name: str) -> bytes:
        """See ``PlansOfTwin``."""
        return self._connection.file(f"{self._one(name)}/dossier")


def _only_me(by: str | None) -> None:
    if by not in {None, ME}:
        raise AccessError(
            f"Over a connection whoever the token names approves: write {ME!r}, not {by!r}."
        )


def _record(told: pm.PlanMessage) -> PlanRecord:
    gain = told.gain
    plan = Plan(
        twin=told.twin,
        name=told.name,
        changes=told.changes,
        made_at=instant(told.made_at),
        actor=told.actor,
        cause=told.cause,
        expires_at=instant(told.expires_at),
        state_at=instant(told.state_at),
        begins_at=None if told.begins_at is None else instant(told.begins_at),
        origin=told.origin,
        model=told.model,
        bands=tuple(tell_plans.band_of(each) for each in told.bands),
        nothing=tuple(tell_plans.band_of(each) for each in told.nothing),
        gain=None if gain is None else tell_plans.gain_heard(gain),
        best=told.best,
        recommended=told.recommended,
        reasons=tuple(told.reasons),
        against=tuple(told.against),
        not_modelled=tuple(told.not_modelled),
        seeds=tuple(told.seeds),
        candidates=told.candidates,
        promise=tell_plans.promise_of(told.promise),
        cost=tell_plans.cost_heard(told.cost),
        latest=None if told.latest is None else instant(told.latest),
        loss=told.loss,
        finalists=told.finalists,
        rivals=told.rivals,
    )
    approvals = tuple(
        Approval(told.id, each.actor, Role(each.role), instant(each.at), each.event)
        for each in told.approvals
    )
    return PlanRecord(plan, approvals, told.event)


def _undertaking(message: pm.PlanMessage) -> Undertaking | None:
    told = message.undertaking
    if told is None:
        return None
    plan = _record(message).plan
    return Undertaking(
        plan=message.id,
        name=plan.name,
        twin=plan.twin,
        actor=told.actor,
        begun_at=instant(told.begun_at),
        watch_until=instant(told.watch_until),
        settle=round(told.settle_s * SECOND),
        lasting=round(told.lasting_s * SECOND),
        issued=tuple(_issued(each, plan) for each in told.commands),
        watches=tuple(
            Watch(
                band,
                each.ratio,
                each.compared,
                each.outside,
                None if each.until is None else instant(each.until),
            )
            for band, each in zip(plan.bands, told.watches, strict=True)
        ),
        stage=Stage(told.stage),
        reason=told.reason,
        event=told.event,
    )


def _issued(told: pm.IssuedMessage, plan: Plan) -> Issued:
    return Issued(
        command=_command(told.command, plan),
        before=told.before,
        tolerance=told.tolerance,
        state=CommandState(told.state),
        is_undo=told.undo,
        since=instant(told.since),
        why=told.why,
        stands=told.stands,
        event=told.event,
    )


def _command(told: pm.CommandMessage, plan: Plan) -> Command:
    return Command(
        id=told.id,
        plan=plan.id,
        twin=plan.twin,
        control=told.control,
        value=told.value,
        unit=told.unit,
        valid_from=instant(told.valid_from),
        expires_at=instant(told.expires_at),
        actor=told.actor,
        cause=told.cause,
        choices=told.choices,
    )


def _event(told: EventMessage) -> Event:
    return Event(
        kind=told.kind,
        twin=told.twin,
        valid_at=instant(told.valid_at),
        actor=told.actor,
        cause=told.cause,
        body=told.body,
        known_at=instant(told.known_at),
        number=told.number,
    )


def kill_of(told: pm.KillMessage) -> Kill:
    """A kill switch as it was told."""
    return Kill(told.twin, told.actor, told.why, instant(told.at))
