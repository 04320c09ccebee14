"""Scenarios: forks of a twin that are kept under a name."""

from __future__ import annotations

from typing import Final

from gemeos.ensemble.compare import Comparison
from gemeos.runtime.asked import ScenarioQuestion
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.serve import messages as m
from gemeos.serve import scenario_messages as sm
from gemeos.serve import tell
from gemeos.serve.auth import Role
from gemeos.serve.routes.operation import Call, Operation, Query, listed
from gemeos.serve.routes.twins import EstimateQuery
from gemeos.units import zone
from gemeos.units.instant import SECOND

WAIT_S: Final = 0.02
"""How long an answer is waited for before the asker is told to ask again: threads are few, and
while somebody waits on one nobody is told on it what is so now."""


class ScenarioQuery(EstimateQuery, frozen=True, kw_only=True):
    """What is to be told of it."""

    early: bool = False
    """True: of one that is still run, the members that are through."""


class CompareQuery(Query, frozen=True, kw_only=True):
    """Which variable, and with what."""

    on: str
    against: str | None = None
    """Another scenario; by default the fork in which nothing is changed."""
    members: bool = False


def begin(call: Call[Query]) -> sm.ScenarioMessage:
    """Fork the twin; it is run when it is its turn."""
    body: sm.ScenarioBody = call.body
    asked = ScenarioQuestion(
        name=body.name,
        changes=body.changes,
        until=body.until,
        every=body.every,
        members=body.members,
        at=body.at,
        known_by=body.known_by,
        budget=body.budget,
        replacing=body.replacing,
    )
    record = call.served.host.scenarios.begin(call.twin, asked, actor=call.actor.name)
    return _message(call, record)


def every(call: Call[Query]) -> sm.ScenariosMessage:
    """All of a twin's."""
    records = call.served.host.scenarios.all(call.twin)
    stale = call.served.tell.staleness_of(call.twin)
    return sm.ScenariosMessage(
        twin=call.twin,
        scenarios=[_message(call, r, stale) for r in records],
        source=call.served.host.site.source,
        staleness=stale,
    )


def one(call: Call[Query]) -> sm.ScenarioMessage:
    """What it is, and how far."""
    return _message(call, call.served.host.scenarios.record(call.twin, call.path["scenario"]))


def estimate(call: Call[ScenarioQuery]) -> m.EstimateMessage:
    """Its members over time."""
    query = call.query
    told = call.served.host.scenarios.estimate(
        call.twin, call.path["scenario"], early=query.early, wait_s=WAIT_S
    )
    return call.served.tell.estimate(
        told, variables=listed(query.variables), members=query.members, packed=call.packed
    )


def compare(call: Call[CompareQuery]) -> sm.ComparisonMessage:
    """The paired difference."""
    query = call.query
    told = call.served.host.scenarios.compare(
        call.twin, call.path["scenario"], on=query.on, against=query.against, wait_s=WAIT_S
    )
    return _comparison(call, told, query.on)


def cancel(call: Call[Query]) -> sm.ScenarioMessage:
    """End it."""
    ended = call.served.host.scenarios.cancel(
        call.twin, call.path["scenario"], actor=call.actor.name
    )
    return _message(call, ended)


def drop(call: Call[Query]) -> sm.DroppedMessage:
    """Delete it."""
    call.served.host.scenarios.drop(call.twin, call.path["scenario"], actor=call.actor.name)
    now = call.served.tell.time(call.served.host.clock.now())
    return sm.DroppedMessage(twin=call.twin, name=call.path["scenario"], now=now)


def _message(
    call: Call[Query], record: ScenarioRecord, stale: m.Staleness | None = None
) -> sm.ScenarioMessage:
    time = call.served.tell.time
    return sm.ScenarioMessage(
        twin=record.twin,
        name=record.name,
        changes=record.changes,
        forked_at=time(record.forked_at),
        known_at=time(record.known_at),
        until_s=record.until / SECOND,
        every_s=record.every / SECOND,
        members=record.members,
        budget_s=None if record.budget is None else record.budget / SECOND,
        model=record.model,
        origin=record.origin,
        actor=record.actor,
        created=time(record.created),
        progress=record.progress.value,
        done=call.served.host.scenarios.fraction(record.twin, record.name),
        ran=record.ran,
        failed=record.failed,
        slow=record.slow,
        slow_beside=record.slow_beside,
        took_s=record.took / SECOND,
        digest=record.digest,
        reason=record.reason,
        source=call.served.host.site.source,
        staleness=stale or call.served.tell.staleness_of(call.twin),
    )


def _comparison(call: Call[CompareQuery], told: Comparison, on: str) -> sm.ComparisonMessage:
    members, packed = call.query.members, call.packed
    low, high = told.mean_interval(0.95)
    before, after = (
        call.served.tell.estimate(each, variables=[on], members=members, packed=packed)
        for each in (told.before, told.after)
    )
    return sm.ComparisonMessage(
        on=on,
        before=before,
        after=after,
        times=tell.times_told(told.difference.times, zone(told.after.zone)),
        difference=tell.numbers(told.difference, members=members, packed=packed),
        mean_low=tell.series(low),
        mean_high=tell.series(high),
        members=told.difference.members.shape[1],
        source=call.served.host.site.source,
        staleness=call.served.tell.staleness_of(call.twin),
    )


_ALL: Final = "/api/twins/{twin}/scenarios"
_ONE: Final = f"{_ALL}/{{scenario}}"
OPERATIONS: Final = (
    Operation(
        _ALL,
        "beginScenario",
        "Fork a twin, change something in the fork, and have it run",
        begin,
        sm.ScenarioMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(sm.ScenarioBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        _ALL,
        "listScenarios",
        "The scenarios of a twin, and how far each is",
        every,
        sm.ScenariosMessage,
        problems=(404,),
    ),
    Operation(
        _ONE,
        "readScenario",
        "What a scenario is, and how far",
        one,
        sm.ScenarioMessage,
        problems=(404,),
    ),
    Operation(
        f"{_ONE}/estimate",
        "readScenarioEstimate",
        "What would be: its members over time",
        estimate,
        m.EstimateMessage,
        ScenarioQuery,
        problems=(404, 409),
    ),
    Operation(
        f"{_ONE}/compare",
        "compareScenario",
        "The paired difference to another scenario, or to where nothing is changed",
        compare,
        sm.ComparisonMessage,
        CompareQuery,
        problems=(404, 409),
    ),
    Operation(
        f"{_ONE}/cancel",
        "cancelScenario",
        "End a scenario that is run; the members that are through count",
        cancel,
        sm.ScenarioMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(sm.CancelBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        _ONE,
        "dropScenario",
        "Delete a scenario",
        drop,
        sm.DroppedMessage,
        method="DELETE",
        role=Role.OPERATOR,
        problems=(404, 409),
    ),
)
