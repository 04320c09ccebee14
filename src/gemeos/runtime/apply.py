"""The one call by which a plan becomes commands, and what follows until it is over (contract 7).

A plan passes the guard; a dry run ends there and tells what would be sent. Else what is about to be
sent is made durable, sent once, and the device's answer is awaited, asked after and watched. The
decisions are ``gemeos.act``'s; here they are given the situation, written down and carried out. Of
an exception anywhere nothing follows: no command is sent, and the plan is taken up again from what
was written down, by asking its devices first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar, final

from gemeos.act.approve import Approval
from gemeos.act.follow import (
    Answered,
    Astray,
    Intended,
    Killed,
    Missed,
    Passed,
    Restarted,
    Stands,
)
from gemeos.act.guard import against_commands, against_plan, against_situation
from gemeos.act.setpoints import commands_of
from gemeos.act.undertaking import Issued, Undertaking, begun, doubtful, due
from gemeos.act.verify import Watch
from gemeos.errors import AccessError, GemeosError, GuardError, NotReadyError, StoppedError
from gemeos.runtime.devices import Devices
from gemeos.runtime.ledger_row import AppliedPlan
from gemeos.runtime.ledgers import Ledgers
from gemeos.runtime.plan import Applied, PlanRecord
from gemeos.runtime.plans import Plans
from gemeos.runtime.reality import Running, compared_with_reality
from gemeos.runtime.supervise import supervised
from gemeos.runtime.switches import Switches
from gemeos.runtime.undertakings import Undertakings
from gemeos.schema.command import Command
from gemeos.schema.phase import Phase
from gemeos.schema.plan import Band, Plan
from gemeos.schema.role import Role
from gemeos.timeline.base import Event
from gemeos.units.instant import Instant

LOOK_EVERY_S: Final = 0.5
"""How often a plan that is under way is looked at."""
APPLY_S: Final = 30.0
"""How long ``apply`` waits for the guard, which may be behind a device that does not answer."""
WIND_UP_S: Final = 30.0
"""How long a site whose sources all ended stays for the plans that are under way."""
BLINDED: Final = frozenset({Phase.BLIND, Phase.DRIFTING, Phase.FINISHED, Phase.STOPPED})
"""Phases in which nobody can see whether a plan does what it should."""

_T = TypeVar("_T")


@final
class Applying:
    """Plans being carried out. ``run`` belongs to the site's loop; all else may be asked anywhere.

    1. ``resume`` reads what was under way. 2. ``run`` holds the actuators and carries on, until it
    is cancelled. What is under way then is taken up again by the next start.
    """

    def __init__(self, running: Running, plans: Plans) -> None:
        """``running`` is the site; ``plans`` are its plans."""
        self._running = running
        self._plans = plans
        self.switches = Switches(running)
        self.undertakings = Undertakings(running, self.switches)
        self.ledgers = Ledgers(running, self.undertakings)
        self._devices = Devices(running, self.switches)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By twin: one decision at a time."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def resume(self) -> None:
        """Know again what was under way, what was moved, and which kill switches are engaged."""
        self.switches.resume()
        self.undertakings.resume()
        self.ledgers.resume()

    def apply(
        self,
        twin: str,
        name: str,
        *,
        actor: str,
        role: Role,
        approve: bool = False,
        dry_run: bool = True,
        bands: Sequence[Band] | None = None,
    ) -> Applied:
        """Have the guard judge a plan that is kept, and, unless it is a dry run, carry it out.

        Comes back when it has begun; ``undertakings`` tell how far it is.

        Args:
            twin: Whose it is.
            name: Of the plan.
            actor: Who applies it.
            role: What that person may.
            approve: That person approves it, too. In a dry run this is not written down.
            dry_run: Go all the way to the sending, and tell what would be sent.
            bands: What reality is held against, where the plan's own are of an earlier moment.

        Raises:
            AccessError: a viewer applies nothing.
            GuardError: something speaks against it; nothing was sent. In a dry run only where the
                approval would not count.
            UnknownNameError: there is none of the name.
            NotReadyError: it could not be judged in time; nothing was sent.
        """
        operates(actor, role)
        record = self._plans.record(twin, name)
        assumed: tuple[Approval, ...] = ()
        if approve and dry_run:
            assumed = (self._plans.approval(record, actor, role),)
        elif approve:
            record = self._plans.approve(twin, name, actor=actor, role=role)
        record = replace(record, approvals=(*record.approvals, *assumed))
        held = record.plan.bands if bands is None else bands
        return self._on_loop(self._apply(record, actor, held, dry_run=dry_run))

    def give_up(self, plan: Plan, *, actor: str, role: Role, why: str = "") -> Undertaking | None:
        """End a plan that is under way and restore what it moved; None where it never was.

        Raises:
            AccessError: a viewer ends nothing.
        """
        operates(actor, role)
        told = f"{actor} gave it up{why and f': {why}'}."
        return self._on_loop(self._give_up(plan, told))

    def _on_loop(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        loop = self._loop
        if loop is None or not loop.is_running():
            coroutine.close()
            raise StoppedError("The site is not running, so nothing can be applied.")
        # Without a limit of its own: whoever stops waiting would not know what is sent later.
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    async def _give_up(self, plan: Plan, why: str) -> Undertaking | None:
        async with self._turns[plan.twin]:
            undertaking = self.undertakings.of(plan.id)
            if undertaking is None:
                return None
            return await self.undertakings.happen(undertaking, Astray(why))

    async def _apply(
        self, record: PlanRecord, actor: str, bands: Sequence[Band], *, dry_run: bool
    ) -> Applied:
        """Judged in time, or not applied; what is begun is begun whole."""
        try:
            async with asyncio.timeout(APPLY_S) as limit:
                return await self._begun(record, actor, bands, limit, dry_run=dry_run)
        except TimeoutError as error:
            raise NotReadyError(
                f"The plan {record.plan.name} was not judged within {APPLY_S:g} s, and nothing was "
                "sent: its device, or another plan's, does not answer. Try it again."
            ) from error

    async def _begun(
        self,
        record: PlanRecord,
        actor: str,
        bands: Sequence[Band],
        limit: asyncio.Timeout,
        *,
        dry_run: bool,
    ) -> Applied:
        plan = record.plan
        async with self._turns[plan.twin]:
            standing = {
                control: value
                for control in plan.changes
                if (value := await self._devices.ask(plan.twin, control)) is not None
            }
            commands, against, now = await self._running.strand(plan.twin).for_acting(
                self._judged, record, standing, actor
            )
            limit.reschedule(None)
            kind = "plan_dry_run" if dry_run else "plan_refused" if against else "plan_applied"
            number = await self.undertakings.tell(_asked_for(record, actor, kind, against, now))
            if dry_run:
                return Applied(plan, dry_run, commands, against)
            if against:
                raise GuardError(f"The plan {plan.name}", against)
            twin = self._running.twin(plan.twin)
            rules = {control: a.rules for control, a in twin.actuations.items()}
            before = {control: standing[control] for control in plan.changes}
            undertaking = begun(
                plan=plan.id,
                name=plan.name,
                twin=plan.twin,
                actor=actor,
                commands=commands,
                before=before,
                tolerance={control: rules[control].tolerance for control in plan.changes},
                watches=[Watch(band) for band in bands],
                now=now,
                watch=twin.conduct.watch,
                settle=twin.conduct.settle,
                lasting=twin.conduct.lasting,
            )
            await self.ledgers.open(AppliedPlan(record, actor, now, before))
            undertaking = await self.undertakings.write(replace(undertaking, event=number))
            self._carry_on(undertaking)
        return Applied(plan, dry_run, commands, (), undertaking)

    def _judged(
        self, record: PlanRecord, standing: dict[str, float], actor: str
    ) -> tuple[tuple[Command, ...], tuple[str, ...], Instant]:
        """What would be sent, everything that speaks against it, and the moment of judging."""
        plan = record.plan
        twin = self._running.twin(plan.twin)
        conduct, rules = twin.conduct, {c: a.rules for c, a in twin.actuations.items()}
        situation = self.undertakings.situation(plan, standing)
        against = against_plan(plan, record.approvals, conduct, situation)
        against += against_situation(plan.twin, conduct, situation)
        against += [f"No actuator is declared for {c}." for c in plan.changes if c not in rules]
        commands: tuple[Command, ...] = ()
        try:
            commands = commands_of(plan, rules, standing, conduct, now=situation.now, actor=actor)
        except GemeosError as error:
            against.append(str(error))
        against += against_commands(commands, rules, situation)
        return commands, tuple(dict.fromkeys(against)), situation.now

    async def run(self) -> None:
        """Hold the actuators, tell plants that they are seen, carry on what is under way."""
        self._loop = asyncio.get_running_loop()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for link in self._running.site.actuators:
                    group.create_task(
                        supervised(f"actuator {link.name}", partial(self._devices.hold, link)),
                        name=f"gemeos-actuator-{link.name}",
                    )
                group.create_task(
                    supervised("the plants' heartbeat", self._devices.beat),
                    name="gemeos-heartbeat",
                )
                group.create_task(supervised("the ledger", self.ledgers.run), name="gemeos-ledger")
                for undertaking in self.undertakings.under_way():
                    self._carry_on(undertaking)
        finally:
            self._loop, self._group = None, None

    async def wound_up(self) -> None:
        """Wait until no plan is under way, or too long: what nobody sees any more is undone."""
        if self._tasks:
            # Of what takes longer the next start takes care.
            await asyncio.wait(self._tasks, timeout=WIND_UP_S)
        await self.ledgers.catch_up(last=True)

    def _carry_on(self, undertaking: Undertaking) -> None:
        if self._group is None:
            raise StoppedError("The site is being stopped.")
        task = self._group.create_task(
            supervised(f"plan {undertaking.name}", partial(self._carry, undertaking.plan)),
            name=f"gemeos-plan-{undertaking.name}",
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, plan: str) -> None:
        """One undertaking until it is over. Begun again after a failure, its devices are asked."""
        undertaking = self.undertakings.of(plan)
        while undertaking is not None and not undertaking.stage.is_over:
            async with self._turns[undertaking.twin]:
                # Under its turn no other task has one in between intent and answer: an intent
                # without an answer is what a failure or a kill left behind.
                known = self.undertakings.of(plan) or undertaking
                known = await self.undertakings.happen(known, Restarted())
                undertaking = await self._look(known)
            if not undertaking.stage.is_over:
                await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, undertaking: Undertaking) -> Undertaking:
        """What is so, what follows from it, and what is due."""
        happen = self.undertakings.happen
        undertaking = await self._stopped(await self._asked(undertaking))
        phase = await self._running.strand(undertaking.twin).for_acting(
            self._running.questions.phase, undertaking.twin
        )
        if phase in BLINDED:
            why = f"{undertaking.twin} is {phase.value}: nobody sees what the plan does."
            undertaking = await happen(undertaking, Astray(why))
        undertaking = await self._watched(undertaking)
        while (issued := due(undertaking, self._running.clock.now())) is not None:
            undertaking = await self._sent(undertaking, issued)
            undertaking = await self._stopped(await self._asked(undertaking))
        return await happen(undertaking, Passed())

    async def _stopped(self, undertaking: Undertaking) -> Undertaking:
        engaged = self.switches.engaged(undertaking.twin)
        if not engaged:
            return undertaking
        return await self.undertakings.happen(undertaking, Killed(" ".join(engaged)))

    async def _asked(self, undertaking: Undertaking) -> Undertaking:
        for control in doubtful(undertaking):
            value = await self._devices.ask(undertaking.twin, control)
            undertaking = await self.undertakings.happen(undertaking, Stands(control, value))
        return undertaking

    async def _watched(self, undertaking: Undertaking) -> Undertaking:
        watches = await self._running.strand(undertaking.twin).for_acting(
            compared_with_reality, self._running, undertaking
        )
        if watches == undertaking.watches:
            return undertaking
        undertaking = await self.undertakings.write(replace(undertaking, watches=watches))
        for watch in watches:
            if watch.left:
                undertaking = await self.undertakings.happen(undertaking, Astray(watch.told))
        return undertaking

    async def _sent(self, undertaking: Undertaking, issued: Issued) -> Undertaking:
        """Judge once more, write down, send once, take what came of it."""
        happen, command = self.undertakings.happen, issued.command
        against = await self._against(undertaking, issued)
        if against:
            return await happen(undertaking, Missed(command.id, " ".join(against)))
        undertaking = await happen(undertaking, Intended(command.id))
        acknowledgement = await self._devices.send(undertaking.twin, command)
        return await happen(undertaking, Answered(acknowledgement))

    async def _against(self, undertaking: Undertaking, issued: Issued) -> list[str]:
        """Why this one command is not sent now; empty where it is."""
        command, twin = issued.command, self._running.twin(undertaking.twin)
        if issued.is_undo:
            # What restores is sent whatever the twin sees; a kill switch stops it, too.
            is_late = self._running.clock.now() >= command.expires_at
            late = ["It could not be sent in time."] if is_late else []
            return [*self.switches.engaged(twin.name), *late]
        value = await self._devices.ask(twin.name, command.control)
        standing = {} if value is None else {command.control: value}
        situation = await self._running.strand(undertaking.twin).for_acting(
            self.undertakings.situation, undertaking, standing
        )
        rules = {control: a.rules for control, a in twin.actuations.items()}
        return [
            *against_situation(twin.name, twin.conduct, situation),
            *against_commands([command], rules, situation),
        ]


def operates(actor: str, role: Role) -> None:
    """See that somebody with that role may set devices at all.

    Raises:
        AccessError: a viewer may not.
    """
    if not role.includes(Role.OPERATOR):
        raise AccessError(f"{actor} is {role.value}; applying a plan needs {Role.OPERATOR.value}.")


def _asked_for(
    record: PlanRecord, actor: str, kind: str, against: tuple[str, ...], now: Instant
) -> Event:
    approved = ", ".join(f"event {each.event}" for each in record.approvals if each.event)
    return Event(
        kind=kind,
        twin=record.plan.twin,
        valid_at=now,
        actor=actor,
        cause=approved or f"event {record.event}",
        body={
            "plan": record.plan.name,
            "plan_id": record.plan.id,
            "against": " ".join(against),
        },
    )
