"""Plans: kept, approved, applied, given up; kill switches; and why a control moved."""

from __future__ import annotations

from typing import Any, Final

from gemeos.errors import AccessError
from gemeos.runtime.plan import Kill, PlanRecord
from gemeos.runtime.switches import WHOLE_SITE
from gemeos.runtime.twin_plans import TwinPlans
from gemeos.serve import plan_messages as pm
from gemeos.serve import tell_plans
from gemeos.serve.auth import Role
from gemeos.serve.messages import Staleness
from gemeos.serve.routes.operation import AskedTime, Call, Operation, Query
from gemeos.serve.scenario_messages import DroppedMessage


class WhyQuery(Query, frozen=True, kw_only=True):
    """Which control, and when."""

    control: str
    at: AskedTime


def _plans(call: Call[Any]) -> TwinPlans:
    """Those of the twin, for whoever asks."""
    actor = call.actor
    return TwinPlans(call.served.host, call.twin, actor=actor.name, role=actor.role)


def every(call: Call[Query]) -> pm.PlansMessage:
    """All of a twin's."""
    records = _plans(call).all()
    stale = call.served.tell.staleness_of(call.twin)
    return pm.PlansMessage(
        twin=call.twin,
        plans=[_message(call, each, stale) for each in records],
        source=call.served.host.site.source,
        staleness=stale,
    )


def keep(call: Call[Query]) -> pm.PlanMessage:
    """Keep one that somebody made."""
    body: pm.PlanBody = call.body
    host = call.served.host
    made = tell_plans.plan_of(body, call.twin, call.actor.name, host.clock.now(), host.site.instant)
    return _message(call, _plans(call).keep(made, replacing=body.replacing))


def of_scenario(call: Call[Query]) -> pm.PlanMessage:
    """Make one of a scenario."""
    body: pm.PlanOfScenarioBody = call.body
    record = _plans(call).of_scenario(
        call.path["scenario"],
        name=body.name,
        on=body.on,
        share=body.share,
        expires=body.expires,
        replacing=body.replacing,
    )
    return _message(call, record)


def of_optimisation(call: Call[Query]) -> pm.PlanMessage:
    """Make one of what a search found."""
    body: pm.PlanOfOptimisationBody = call.body
    record = _plans(call).of_optimisation(
        call.path["optimisation"],
        on=body.on,
        share=body.share,
        expires=body.expires,
        replacing=body.replacing,
    )
    return _message(call, record)


def one(call: Call[Query]) -> pm.PlanMessage:
    """What it is, who approved it, and how far it is."""
    return _message(call, _plans(call).record(call.path["plan"]))


def approve(call: Call[Query]) -> pm.PlanMessage:
    """Let it be applied."""
    return _message(call, _plans(call).approve(call.path["plan"]))


def apply(call: Call[Query]) -> pm.AppliedMessage:
    """Have the guard judge it, and unless it is a dry run, carry it out."""
    body: pm.ApplyBody = call.body
    plans, name = _plans(call), call.path["plan"]
    told = plans.apply(
        name, approve=call.actor.name if body.approve else None, dry_run=body.dry_run
    )
    time = call.served.tell.time
    return pm.AppliedMessage(
        plan=_message(call, plans.record(name)),
        dry_run=told.dry_run,
        commands=[tell_plans.command(each, time) for each in told.commands],
        against=list(told.against),
        source=call.served.host.site.source,
        staleness=call.served.tell.staleness_of(call.twin),
    )


def give_up(call: Call[Query]) -> pm.PlanMessage:
    """End it, and restore what it moved."""
    body: pm.WhyBody = call.body
    plans, name = _plans(call), call.path["plan"]
    plans.give_up(name, why=body.why)
    return _message(call, plans.record(name))


def drop(call: Call[Query]) -> DroppedMessage:
    """Delete it."""
    _plans(call).drop(call.path["plan"])
    return DroppedMessage(twin=call.twin, name=call.path["plan"], now=_now(call))


def why(call: Call[WhyQuery]) -> pm.WhyMessage:
    """The chain of causes."""
    told = _plans(call).why(call.query.control, call.query.at)
    tell = call.served.tell
    return pm.WhyMessage(
        twin=told.twin,
        control=told.control,
        at=tell.time(told.at),
        chain=[tell.event(each) for each in told.chain],
        came_of_it=[tell.event(each) for each in told.came_of_it],
        told=str(told),
        source=call.served.host.site.source,
        staleness=tell.staleness_of(call.twin),
    )


def stop_twin(call: Call[Query]) -> pm.KillMessage:
    """Engage the twin's kill switch."""
    body: pm.WhyBody = call.body
    return _kill(call, _plans(call).stop(why=body.why))


def release_twin(call: Call[Query]) -> pm.ReleasedMessage:
    """Release it."""
    return pm.ReleasedMessage(released=_plans(call).release(), now=_now(call))


def stop_site(call: Call[Query]) -> pm.KillMessage:
    """Engage the site's kill switch."""
    body: pm.WhyBody = call.body
    switches = call.served.host.applying.switches
    actor = call.actor
    _whole(call)
    return _kill(call, switches.engage(WHOLE_SITE, actor=actor.name, role=actor.role, why=body.why))


def release_site(call: Call[Query]) -> pm.ReleasedMessage:
    """Release it."""
    switches, actor = call.served.host.applying.switches, call.actor
    _whole(call)
    released = switches.release(WHOLE_SITE, actor=actor.name, role=actor.role)
    return pm.ReleasedMessage(released=released, now=_now(call))


def stopped(call: Call[Query]) -> pm.KillsMessage:
    """Those that are engaged."""
    kills = call.served.host.applying.switches.all()
    seen = [each for each in kills if each.twin == WHOLE_SITE or call.actor.sees(each.twin)]
    return pm.KillsMessage(engaged=[_kill(call, each) for each in seen], now=_now(call))


def _whole(call: Call[Query]) -> None:
    if call.actor.scope is not None:
        raise AccessError(
            f"{call.actor.name} may see some twins only; the switch of the site is for those "
            "whose token names all."
        )


def _message(
    call: Call[Query], record: PlanRecord, stale: Staleness | None = None
) -> pm.PlanMessage:
    host, tell = call.served.host, call.served.tell
    undertaking = host.applying.undertakings.of(record.plan.id)
    age = stale or tell.staleness_of(call.twin)
    return tell_plans.plan(record, undertaking, host.site.source, age, tell.time)


def _now(call: Call[Any]) -> str:
    return call.served.tell.time(call.served.host.clock.now())


def _kill(call: Call[Query], kill: Kill) -> pm.KillMessage:
    time = call.served.tell.time
    at, now = time(kill.at), _now(call)
    return pm.KillMessage(twin=kill.twin, actor=kill.actor, why=kill.why, at=at, now=now)


_ALL: Final = "/api/twins/{twin}/plans"
_ONE: Final = f"{_ALL}/{{plan}}"
_KILL: Final = "/api/twins/{twin}/kill"
OPERATIONS: Final = (
    Operation(
        _ALL,
        "listPlans",
        "The plans of a twin, who approved them, and how far each is",
        every,
        pm.PlansMessage,
        problems=(404,),
    ),
    Operation(
        _ALL,
        "keepPlan",
        "Keep a plan; nothing is sent",
        keep,
        pm.PlanMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(pm.PlanBody,),
        problems=(404, 415),
    ),
    Operation(
        "/api/twins/{twin}/scenarios/{scenario}/plan",
        "planOfScenario",
        "Make a plan of a scenario, and keep it; nothing is sent",
        of_scenario,
        pm.PlanMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(pm.PlanOfScenarioBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        "/api/twins/{twin}/optimisations/{optimisation}/plan",
        "planOfOptimisation",
        "Make a plan of what a search found, and keep it; nothing is sent",
        of_optimisation,
        pm.PlanMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(pm.PlanOfOptimisationBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        _ONE,
        "readPlan",
        "A plan, who approved it, and how far it is",
        one,
        pm.PlanMessage,
        problems=(404,),
    ),
    Operation(
        f"{_ONE}/approve",
        "approvePlan",
        "Let a plan be applied",
        approve,
        pm.PlanMessage,
        method="POST",
        role=Role.APPROVER,
        takes=(pm.ApproveBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        f"{_ONE}/apply",
        "applyPlan",
        "Have the guard judge a plan, and carry it out with dry_run false",
        apply,
        pm.AppliedMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(pm.ApplyBody,),
        problems=(404, 409, 415),
    ),
    Operation(
        f"{_ONE}/give-up",
        "giveUpPlan",
        "End a plan that is under way, and restore what it moved",
        give_up,
        pm.PlanMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(pm.WhyBody,),
        problems=(404, 415),
    ),
    Operation(
        _ONE,
        "dropPlan",
        "Delete a plan; what was applied of it stays known",
        drop,
        DroppedMessage,
        method="DELETE",
        role=Role.OPERATOR,
        problems=(404,),
    ),
    Operation(
        "/api/twins/{twin}/why",
        "readWhy",
        "Why a control stood where it did at a moment",
        why,
        pm.WhyMessage,
        WhyQuery,
        problems=(404,),
    ),
    Operation(
        _KILL,
        "stopTwin",
        "Engage a twin's kill switch: nothing is sent any more, nothing restored",
        stop_twin,
        pm.KillMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(pm.WhyBody,),
        problems=(404, 415),
    ),
    Operation(
        _KILL,
        "releaseTwin",
        "Release a twin's kill switch",
        release_twin,
        pm.ReleasedMessage,
        method="DELETE",
        role=Role.APPROVER,
        problems=(404,),
    ),
    Operation(
        "/api/kill",
        "readKills",
        "The kill switches that are engaged",
        stopped,
        pm.KillsMessage,
    ),
    Operation(
        "/api/kill",
        "stopSite",
        "Engage the kill switch of the whole site",
        stop_site,
        pm.KillMessage,
        method="POST",
        role=Role.OPERATOR,
        takes=(pm.WhyBody,),
        problems=(415,),
    ),
    Operation(
        "/api/kill",
        "releaseSite",
        "Release the kill switch of the whole site",
        release_site,
        pm.ReleasedMessage,
        method="DELETE",
        role=Role.APPROVER,
    ),
)
