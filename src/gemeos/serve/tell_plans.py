"""Plans as messages."""

from __future__ import annotations

from collections.abc import Callable

from gemeos.act.undertaking import Issued, Undertaking
from gemeos.errors import InputError
from gemeos.runtime.plan import PlanRecord
from gemeos.schema.command import Command
from gemeos.schema.plan import Band, Cost, Gain, Plan, Price, Promise
from gemeos.serve import plan_messages as pm
from gemeos.serve.messages import Staleness
from gemeos.units import instant
from gemeos.units.instant import SECOND, Instant


def plan(
    record: PlanRecord,
    undertaking: Undertaking | None,
    source: str,
    staleness: Staleness,
    time: Callable[[Instant], str],
) -> pm.PlanMessage:
    """Times are told by ``time``."""
    told = record.plan
    gain = told.gain
    return pm.PlanMessage(
        id=told.id,
        twin=told.twin,
        name=told.name,
        changes=told.changes,
        made_at=time(told.made_at),
        actor=told.actor,
        cause=told.cause,
        expires_at=time(told.expires_at),
        state_at=time(told.state_at),
        begins_at=None if told.begins_at is None else time(told.begins_at),
        origin=told.origin,
        model=told.model,
        bands=[band(each, time) for each in told.bands],
        nothing=[band(each, time) for each in told.nothing],
        gain=None if gain is None else gain_of(gain),
        best=told.best,
        recommended=told.recommended,
        reasons=list(told.reasons),
        against=list(told.against),
        not_modelled=list(told.not_modelled),
        seeds=list(told.seeds),
        candidates=told.candidates,
        promise=promise(told.promise),
        cost=cost(told.cost),
        latest=None if told.latest is None else time(told.latest),
        loss=told.loss,
        finalists=told.finalists,
        rivals=told.rivals,
        approvals=[
            pm.ApprovalMessage(
                actor=each.actor, role=each.role.value, at=time(each.at), event=each.event
            )
            for each in record.approvals
        ],
        event=record.event,
        undertaking=None if undertaking is None else carried(undertaking, time),
        source=source,
        staleness=staleness,
    )


def gain_of(told: Gain) -> pm.PlanGainMessage:
    """With its doubt."""
    return pm.PlanGainMessage(
        of=told.of,
        unit=told.unit,
        mean=told.mean,
        low=told.low,
        high=told.high,
        share=told.share,
    )


def gain_heard(told: pm.PlanGainMessage) -> Gain:
    """The gain that a message tells."""
    return Gain(told.of, told.unit, told.mean, told.low, told.high, told.share)


def price(told: Price | None) -> pm.PriceMessage | None:
    """What a plan costs."""
    if told is None:
        return None
    return pm.PriceMessage(
        of=told.of,
        unit=told.unit,
        plan=told.plan,
        nothing=told.nothing,
        low=told.low,
        high=told.high,
        share=told.share,
    )


def price_heard(told: pm.PriceMessage | None) -> Price | None:
    """The price that a message tells."""
    if told is None:
        return None
    return Price(told.of, told.unit, told.plan, told.nothing, told.low, told.high, told.share)


def cost(told: Cost | None) -> pm.CostMessage | None:
    """What it took, and what it costs."""
    if told is None:
        return None
    return pm.CostMessage(
        runs=told.runs, checked=told.checked, took_s=told.took / SECOND, price=price(told.price)
    )


def cost_heard(told: pm.CostMessage | None) -> Cost | None:
    """The cost that a message tells."""
    if told is None:
        return None
    return Cost(told.runs, told.checked, round(told.took_s * SECOND), price_heard(told.price))


def promise(told: Promise | None) -> pm.PromiseMessage | None:
    """What a plan will have brought."""
    if told is None:
        return None
    return pm.PromiseMessage(
        objective=told.objective,
        sense="minimise" if told.sense == "minimise" else "maximise",
        until_s=told.until / SECOND,
        every_s=told.every / SECOND,
        gain=gain_of(told.gain),
        members=told.members,
    )


def promise_of(told: pm.PromiseMessage | None) -> Promise | None:
    """The promise that a message tells."""
    if told is None:
        return None
    return Promise(
        told.objective,
        told.sense,
        round(told.until_s * SECOND),
        round(told.every_s * SECOND),
        gain_heard(told.gain),
        told.members,
    )


def band(told: Band, time: Callable[[Instant], str]) -> pm.BandMessage:
    """Columns."""
    return pm.BandMessage(
        variable=told.variable,
        unit=told.unit,
        share=told.share,
        times=[time(at) for at in told.valid_at],
        low=list(told.low),
        high=list(told.high),
    )


def command(told: Command, time: Callable[[Instant], str]) -> pm.CommandMessage:
    """One command."""
    return pm.CommandMessage(
        id=told.id,
        control=told.control,
        value=told.value,
        unit=told.unit,
        valid_from=time(told.valid_from),
        expires_at=time(told.expires_at),
        actor=told.actor,
        cause=told.cause,
        choices=told.choices,
    )


def carried(told: Undertaking, time: Callable[[Instant], str]) -> pm.UndertakingMessage:
    """How far a plan is."""
    return pm.UndertakingMessage(
        stage=told.stage.value,
        reason=told.reason,
        actor=told.actor,
        begun_at=time(told.begun_at),
        watch_until=time(told.watch_until),
        settle_s=told.settle / SECOND,
        lasting_s=told.lasting / SECOND,
        commands=[_issued(each, time) for each in told.issued],
        watches=[
            pm.WatchMessage(
                variable=each.band.variable,
                compared=each.compared,
                outside=each.outside,
                ratio=each.ratio,
                until=None if each.until is None else time(each.until),
            )
            for each in told.watches
        ],
        event=told.event,
    )


def _issued(told: Issued, time: Callable[[Instant], str]) -> pm.IssuedMessage:
    return pm.IssuedMessage(
        command=command(told.command, time),
        state=told.state.value,
        undo=told.is_undo,
        before=told.before,
        tolerance=told.tolerance,
        stands=told.stands,
        since=time(told.since),
        why=told.why,
        event=told.event,
    )


def plan_of(
    body: pm.PlanBody, twin: str, actor: str, now: Instant, read: Callable[[str], Instant]
) -> Plan:
    """The plan that somebody sent; made by whoever sent it, whatever the body says.

    Raises:
        InputError: it is none.
    """
    made_at = now if body.made_at is None else read(body.made_at)
    if made_at > now:
        raise InputError(f"The plan {body.name} is said to be made in the future.")
    gain = body.gain
    return Plan(
        twin=twin,
        name=body.name,
        changes=body.changes,
        made_at=made_at,
        actor=actor,
        cause=body.cause,
        expires_at=read(body.expires_at),
        state_at=read(body.state_at),
        begins_at=None if body.begins_at is None else read(body.begins_at),
        origin=body.origin,
        model=body.model,
        bands=tuple(band_of(each, read) for each in body.bands),
        nothing=tuple(band_of(each, read) for each in body.nothing),
        gain=None if gain is None else gain_heard(gain),
        best=body.best,
        recommended=body.recommended,
        reasons=tuple(body.reasons),
        against=tuple(body.against),
        not_modelled=tuple(body.not_modelled),
        seeds=tuple(body.seeds),
        candidates=body.candidates,
        promise=promise_of(body.promise),
        cost=cost_heard(body.cost),
        latest=None if body.latest is None else read(body.latest),
        loss=body.loss,
        finalists=body.finalists,
        rivals=body.rivals,
    )


def band_of(told: pm.BandMessage, read: Callable[[str], Instant] = instant) -> Band:
    """The band that a message tells."""
    return Band(
        told.variable,
        told.unit,
        told.share,
        tuple(read(at) for at in told.times),
        tuple(told.low),
        tuple(told.high),
    )
