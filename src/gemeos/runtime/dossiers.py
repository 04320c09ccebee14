"""Gathering the dossier of a plan from a running site's memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final, Protocol

from gemeos.ensemble.state import TwinState
from gemeos.errors import UnknownNameError
from gemeos.runtime import reality
from gemeos.runtime.apply import Applying
from gemeos.runtime.dossier import FORMAT, Declared, Dossier, Known, Told, packed_readings
from gemeos.runtime.engine_model import EngineModel
from gemeos.runtime.ledger_row import APPLIED, AppliedPlan
from gemeos.runtime.ledgers import Sources, sources_of
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.plan import unpacked
from gemeos.runtime.plans import Plans
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.runtime.twin import Twin
from gemeos.schema.plan import Plan
from gemeos.timeline.base import Event

MOST_EVENTS: Final = 20_000
"""Of a twin, since the plan was made, that are looked through."""
_BEGUN: Final = {"optimisation_begun", "scenario_begun"}


class Running(reality.Running, Protocol):
    """What gathering needs of the running site."""

    @property
    def plans(self) -> Plans:
        """Those of all twins."""
        ...

    @property
    def applying(self) -> Applying:
        """What is carried out."""
        ...


def gathered(running: Running, twin: str, name: str) -> Dossier:
    """The dossier of the newest plan of that name that was applied; else of the one that is kept.

    Raises:
        UnknownNameError: there is none of the name.
    """
    timeline, applying = running.timeline, running.applying
    rows = [row for row in applying.ledgers.of(twin).rows if row.name == name]
    if rows:
        stored = timeline.record(APPLIED, twin, rows[-1].plan)
        if stored is None:
            raise UnknownNameError("applied plan", name, [], where=twin)
        applied = unpacked(stored, AppliedPlan)
        record, sources = applied.record, Sources.from_bytes(stored.attachment)
        score = rows[-1].score
    else:
        applied, score = None, None
        record = running.plans.record(twin, name)
        sources = sources_of(timeline, record.plan)
    plan = record.plan
    declared, fleet = running.twin(twin), running.fleet(twin)
    numbers = [timeline.book.number(b.series) for b in declared.bindings]
    since = plan.state_at - declared.conduct.oldest_state
    read = timeline.range(numbers, since, plan.state_at, known_by=plan.made_at)
    states = {
        source.kind: TwinState.from_bytes(source.state) for source in sources.each if source.state
    }
    readings, book = None, timeline.book
    if applied is not None and score is not None:
        past = applying.ledgers.past(applied, score.known_by)
        states |= {"before": past.before, "after": past.after}
        readings, book = past.readings, past.book
    events = tuple(_events(running, plan))
    told = Told(
        format=FORMAT,
        gemeos=version("gemeos"),
        site=running.site.name,
        source=running.site.source,
        written_at=max((event.known_at for event in events), default=plan.made_at),
        twin=Declared(
            name=twin,
            model=_where(declared),
            identity=fleet.identity,
            members=declared.members,
            seed=declared.seed,
            consts=dict(declared.enrolment.consts),
            bindings=declared.bindings,
            foresight=declared.foresight,
        ),
        plan=record,
        plan_id=plan.id,
        known=Known(
            since=since,
            until=plan.state_at,
            known_by=plan.made_at,
            readings=len(read),
            sha256=hashlib.sha256(packed_readings(read, timeline.book)).hexdigest(),
        ),
        optimisation=sources.of("optimisation", OptimisationRecord),
        scenario=sources.of("scenario", ScenarioRecord),
        applied=applied,
        undertaking=applying.undertakings.of(plan.id),
        others=() if applied is None else tuple(applying.ledgers.others(applied)),
        score=score,
        events=events,
    )
    return Dossier(told, states, readings, book)


def _events(running: Running, plan: Plan) -> Iterator[Event]:
    """All that was done to it and to what it was made of, the oldest first."""
    made_of = {plan.cause.rpartition(" ")[2], f"plan-{plan.name}"}
    found = running.timeline.events(twin=plan.twin, limit=MOST_EVENTS)
    for event in sorted(found, key=lambda each: each.number):
        is_of_it = event.body.get("plan_id") == plan.id
        is_source = event.kind in _BEGUN and event.body.get("name") in made_of
        if is_of_it or (is_source and event.valid_at <= plan.made_at):
            yield event


def _where(twin: Twin) -> str:
    if isinstance(twin.simulator, EngineModel):
        return twin.simulator.told
    made = twin.model or type(twin.simulator)
    return f"{made.__module__}:{made.__qualname__}"
