"""Hindcasts: what a twin would have warned of or advised, with only what was known then."""

from __future__ import annotations

from typing import Any, Final

from gemeos.runtime.asked import HindcastQuestion
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.serve import hindcast_messages as hm
from gemeos.serve import tell_advice
from gemeos.serve.auth import Role
from gemeos.serve.messages import Staleness
from gemeos.serve.routes.operation import Call, Operation, Query
from gemeos.serve.scenario_messages import CancelBody, DroppedMessage
from gemeos.units.instant import SECOND


def begin(call: Call[Query]) -> hm.HindcastMessage:
    """Have it gone through when it is its turn."""
    body: hm.HindcastBody = call.body
    asked = HindcastQuestion(
        name=body.name,
        condition=body.condition,
        within=body.within,
        since=body.since,
        until=body.until,
        likely=body.likely,
        every=body.every,
        over=body.over,
        minimise=body.minimise,
        maximise=body.maximise,
        subject_to=body.subject_to,
        look_every=body.look_every,
        budget=body.budget,
        seed=body.seed,
        replacing=body.replacing,
    )
    record = call.served.host.hindcasts.begin(call.twin, asked, actor=call.actor.name)
    return _message(call, record)


def every(call: Call[Query]) -> hm.HindcastsMessage:
    """All of a twin's."""
    records = call.served.host.hindcasts.all(call.twin)
    stale = call.served.tell.staleness_of(call.twin)
    return hm.HindcastsMessage(
        twin=call.twin,
        hindcasts=[_message(call, r, stale) for r in records],
        source=call.served.host.site.source,
        staleness=stale,
    )


def one(call: Call[Query]) -> hm.HindcastMessage:
    """What it is, and what came of it."""
    return _message(call, call.served.host.hindcasts.record(call.twin, call.path["hindcast"]))


def cancel(call: Call[Query]) -> hm.HindcastMessage:
    """End it."""
    name = call.path["hindcast"]
    ended = call.served.host.hindcasts.cancel(call.twin, name, actor=call.actor.name)
    return _message(call, ended)


def drop(call: Call[Query]) -> DroppedMessage:
    """Delete it."""
    name = call.path["hindcast"]
    call.served.host.hindcasts.drop(call.twin, name, actor=call.actor.name)
    now = call.served.tell.time(call.served.host.clock.now())
    return DroppedMessage(twin=call.twin, name=name, now=now)


def _message(
    call: Call[Any], record: HindcastRecord, stale: Staleness | None = None
) -> hm.HindcastMessage:
    time = call.served.tell.time
    return hm.HindcastMessage(
        twin=record.twin,
        name=record.name,
        condition=record.condition,
        within_s=record.within / SECOND,
        likely=record.likely,
        every_s=record.every / SECOND,
        since=time(record.since),
        until=time(record.until),
        model=record.model,
        actor=record.actor,
        created=time(record.created),
        progress=record.progress.value,
        done=call.served.host.hindcasts.fraction(record.twin, record.name),
        issues=record.issues,
        hits=record.hits,
        misses=record.misses,
        false_alarms=record.false_alarms,
        leads_s=[lead / SECOND for lead in record.leads],
        brier=record.brier,
        brier_skill=record.brier_skill,
        occurrences=[hm.StretchMessage(first=time(a), last=time(b)) for a, b in record.occurrences],
        warnings=[hm.StretchMessage(first=time(a), last=time(b)) for a, b in record.warnings],
        reason=record.reason,
        advice=None if record.advice is None else tell_advice.advice(record.advice, time),
        source=call.served.host.site.source,
        staleness=stale or call.served.tell.staleness_of(call.twin),
    )


_ALL: Final = "/api/twins/{twin}/hindcasts"
_ONE: Final = f"{_ALL}/{{hindcast}}"
OPERATIONS: Final = (
    Operation(
        _ALL,
        "beginHindcast",
        "Go through a stretch of the past with only what was known then",
        begin,
        hm.HindcastMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(hm.HindcastBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        _ALL,
        "listHindcasts",
        "The hindcasts of a twin, and what came of each",
        every,
        hm.HindcastsMessage,
        problems=(404,),
    ),
    Operation(
        _ONE,
        "readHindcast",
        "A hindcast: hits, misses, false alarms, how early; or what advice would have brought",
        one,
        hm.HindcastMessage,
        problems=(404,),
    ),
    Operation(
        f"{_ONE}/cancel",
        "cancelHindcast",
        "End a hindcast",
        cancel,
        hm.HindcastMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(CancelBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        _ONE,
        "dropHindcast",
        "Delete a hindcast",
        drop,
        DroppedMessage,
        method="DELETE",
        role=Role.OPERATOR,
        problems=(404, 409),
    ),
)
