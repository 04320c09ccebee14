"""Searches for plans on forks of a twin."""

from __future__ import annotations

from typing import Any, Final

from gemeos.runtime.asked import SearchQuestion
from gemeos.runtime.optimisation import GainTold, OptimisationRecord
from gemeos.serve import optimisation_messages as om
from gemeos.serve import tell_plans
from gemeos.serve.auth import Role
from gemeos.serve.messages import Staleness
from gemeos.serve.routes.operation import Call, Operation, Query
from gemeos.serve.scenario_messages import CancelBody, DroppedMessage
from gemeos.units.instant import SECOND


def begin(call: Call[Query]) -> om.OptimisationMessage:
    """Fork the twin; it is searched when it is its turn."""
    body: om.OptimisationBody = call.body
    asked = SearchQuestion(
        name=body.name,
        over=body.over,
        until=body.until,
        minimise=body.minimise,
        maximise=body.maximise,
        subject_to=body.subject_to,
        every=body.every,
        budget=body.budget,
        cost=body.cost,
        present=body.present,
        seed=body.seed,
        replacing=body.replacing,
    )
    record = call.served.host.optimisations.begin(call.twin, asked, actor=call.actor.name)
    return _message(call, record, whole=True)


def every(call: Call[Query]) -> om.OptimisationsMessage:
    """All of a twin's."""
    records = call.served.host.optimisations.all(call.twin)
    stale = call.served.tell.staleness_of(call.twin)
    return om.OptimisationsMessage(
        twin=call.twin,
        optimisations=[_message(call, r, stale, whole=False) for r in records],
        source=call.served.host.site.source,
        staleness=stale,
    )


def one(call: Call[Query]) -> om.OptimisationMessage:
    """What it is, and what it comes to."""
    name = call.path["optimisation"]
    return _message(call, call.served.host.optimisations.record(call.twin, name), whole=True)


def cancel(call: Call[Query]) -> om.OptimisationMessage:
    """End it."""
    name = call.path["optimisation"]
    ended = call.served.host.optimisations.cancel(call.twin, name, actor=call.actor.name)
    return _message(call, ended, whole=True)


def drop(call: Call[Query]) -> DroppedMessage:
    """Delete it."""
    name = call.path["optimisation"]
    call.served.host.optimisations.drop(call.twin, name, actor=call.actor.name)
    now = call.served.tell.time(call.served.host.clock.now())
    return DroppedMessage(twin=call.twin, name=name, now=now)


def _message(
    call: Call[Any],
    record: OptimisationRecord,
    stale: Staleness | None = None,
    *,
    whole: bool,
) -> om.OptimisationMessage:
    time = call.served.tell.time
    return om.OptimisationMessage(
        twin=record.twin,
        name=record.name,
        over=record.over,
        minimise=list(record.minimise),
        maximise=list(record.maximise),
        subject_to=list(record.subject_to),
        until_s=record.until / SECOND,
        every_s=record.every / SECOND,
        budget=record.budget,
        seed=record.seed,
        present=record.present,
        in_force=record.in_force,
        forked_at=time(record.forked_at),
        known_at=time(record.known_at),
        heard_until=None if record.heard_until is None else time(record.heard_until),
        model=record.model,
        origin=record.origin,
        actor=record.actor,
        created=time(record.created),
        progress=record.progress.value,
        done=call.served.host.optimisations.fraction(record.twin, record.name),
        runs=record.runs,
        ran=record.ran,
        method=record.method,
        ending=record.ending,
        tried=record.tried,
        candidates=[
            om.TriedMessage(values=t.values, runs=t.runs, value=t.value, excess=t.excess)
            for t in (record.candidates if whole else ())
        ],
        winner=record.winner,
        advice=None if record.advice is None else record.advice.value,
        reasons=list(record.reasons),
        gains=[_gain(g) for g in record.gains],
        over_present=[_gain(g) for g in record.over_present],
        fresh=record.fresh,
        first_fresh=record.first_fresh,
        finalists=list(record.finalists),
        chances=list(record.chances),
        loss=record.loss,
        rivals=record.rivals,
        latest=None if record.latest is None else time(record.latest),
        unmodelled=list(record.unmodelled),
        cost=record.cost,
        price=tell_plans.price(record.price),
        took_s=record.took / SECOND,
        reason=record.reason,
        source=call.served.host.site.source,
        staleness=stale or call.served.tell.staleness_of(call.twin),
    )


def _gain(told: GainTold) -> om.GainMessage:
    return om.GainMessage(
        objective=told.objective,
        unit=told.unit,
        winner=told.winner,
        nothing=told.nothing,
        gain=told.gain,
        low=told.low,
        high=told.high,
        members=told.members,
    )


_ALL: Final = "/api/twins/{twin}/optimisations"
_ONE: Final = f"{_ALL}/{{optimisation}}"
OPERATIONS: Final = (
    Operation(
        _ALL,
        "beginOptimisation",
        "Search for a plan on forks of a twin",
        begin,
        om.OptimisationMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(om.OptimisationBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        _ALL,
        "listOptimisations",
        "The optimisations of a twin, and what each comes to",
        every,
        om.OptimisationsMessage,
        problems=(404,),
    ),
    Operation(
        _ONE,
        "readOptimisation",
        "An optimisation: what was tried, what is advised, and why",
        one,
        om.OptimisationMessage,
        problems=(404,),
    ),
    Operation(
        f"{_ONE}/cancel",
        "cancelOptimisation",
        "End an optimisation that is run; nothing is advised then",
        cancel,
        om.OptimisationMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(CancelBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        _ONE,
        "dropOptimisation",
        "Delete an optimisation",
        drop,
        DroppedMessage,
        method="DELETE",
        role=Role.OPERATOR,
        problems=(404, 409),
    ),
)
