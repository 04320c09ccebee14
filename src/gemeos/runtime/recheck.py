"""Working out anew what a dossier tells: from the file and the model alone, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np

from gemeos.clock import SystemClock
from gemeos.ensemble.estimate import Estimate, Scenario
from gemeos.ensemble.provenance import Provenance
from gemeos.ensemble.state import TwinState
from gemeos.errors import OutOfReachError
from gemeos.foresee.executor import InProcess
from gemeos.foresee.goal import Goal
from gemeos.foresee.intervene import NOTHING, Acts, acts
from gemeos.foresee.search import Members
from gemeos.foresee.space import Candidate
from gemeos.foresee.verdict import verdict
from gemeos.runtime.dossier import Dossier
from gemeos.runtime.engine_model import EngineModel
from gemeos.runtime.enrolment import Enrolment
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.forking import Answer, Forking, Job
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.optimisations import with_verdict
from gemeos.runtime.promise import promise_of
from gemeos.runtime.scenario import ScenarioRecord
from gemeos.runtime.scoring import Past, scored
from gemeos.runtime.trial import Trial
from gemeos.runtime.twin import Twin
from gemeos.schema.intervention import changes
from gemeos.schema.variable import Const


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was worked out anew."""

    what: str
    same: bool | None
    """None where it could not be worked out."""
    told: str

    @property
    def word(self) -> str:
        """For a list."""
        return {True: "the same", False: "ANOTHER", None: "not checked"}[self.same]


def fleet_of(dossier: Dossier, twin: Twin) -> Fleet:
    """The twin's fleet of one, built again.

    Args:
        dossier: Says how the twin was declared.
        twin: Has the model; of the rest nothing counts.

    Raises:
        OutOfReachError: this is another model, or another filter; or an engine that does not
            repeat itself.
    """
    told = dossier.told.twin
    if isinstance(twin.simulator, EngineModel) and not twin.simulator.repeats:
        raise OutOfReachError(
            f"{twin.simulator.told} says of itself that it does not repeat itself: what it told "
            "cannot be worked out anew. That nobody changed the file its hashes have shown."
        )
    fleet = Fleet(
        twin.cycle(),
        [Enrolment(told.name, told.consts, told.bindings)],
        members=told.members,
        seed=told.seed,
        horizon=2**62,
        foresight=told.foresight,
    )
    if fleet.identity != told.identity:
        raise OutOfReachError(
            f"This dossier was made by the model {told.model} with the identity "
            f"{told.identity[:16]}; the one given has the identity {fleet.identity[:16]}. "
            "Give the model as it was then, an engine of the same version with the same files, and "
            "the same version of Gemeos."
        )
    return fleet


def rechecked(dossier: Dossier, twin: Twin) -> list[Finding]:
    """Work out forecast, promise, verdict and score anew.

    Raises:
        OutOfReachError: as ``fleet_of``.
    """
    return list(_Checking(dossier, fleet_of(dossier, twin)).all())


class _Checking:
    """One dossier being gone through."""

    def __init__(self, dossier: Dossier, fleet: Fleet) -> None:
        self._dossier, self._told, self._fleet = dossier, dossier.told, fleet
        self.clock = SystemClock()
        self.executor = InProcess()

    def fleet(self, twin: str) -> Fleet:  # noqa: ARG002 -- as forks ask; there is one
        return self._fleet

    def all(self) -> Iterator[Finding]:
        plan = self._told.plan.plan
        yield Finding("plan", plan.id == self._told.plan_id, f"id {plan.id}")
        yield from self._forecast()
        yield self._verdict()
        yield self._score()

    def _forecast(self) -> Iterator[Finding]:
        record, state = self._told.scenario, self._dossier.states.get("scenario")
        plan = self._told.plan.plan
        if record is None or state is None or not record.digest:
            yield Finding("forecast", None, "it was made by hand")
            return
        if record.origin != plan.origin:
            yield Finding("forecast", None, f"{record.name} was begun anew before it was applied")
            return
        asked = replace(record, members=record.ran, budget=None)
        answer = self._played(asked, state, acts(self._fleet.schema, changes(record.changes)))
        digest = "" if answer is None else sha256(answer.values.tobytes()).hexdigest()[:32]
        yield Finding("forecast", digest == record.digest, f"digest {digest}")
        if plan.promise is None or answer is None:
            return
        count = answer.values.shape[2] + len(answer.left_out)
        slow = (*record.slow, *(record.slow_beside or ()))
        beside = replace(asked, changes={}, members=count, slow=slow)
        nothing = self._played(beside, state, NOTHING)
        if nothing is None:
            yield Finding("promise", same=False, told="doing nothing fails")
            return
        promise = promise_of(
            self._fleet.schema,
            plan.promise.objective,
            plan.promise.sense,
            nothing=self._estimate(record, nothing),
            plan=self._estimate(record, answer),
            until=record.until,
            every=record.every,
        )
        yield Finding("promise", promise == plan.promise, str(promise and promise.gain))

    def _played(self, record: ScenarioRecord, state: TwinState, made: Acts) -> Answer | None:
        job = Job(record.twin, record.name, record, state, made, kept=False, hurries=False)
        Forking(self).run(job)
        return job.answer

    def _estimate(self, record: ScenarioRecord, answer: Answer) -> Estimate:
        schema, names = self._fleet.schema, self._fleet.cycle.stepper.told_names
        count = len(answer.values)
        return Estimate(
            twin=record.twin,
            kind=Scenario(record.name),
            times=record.forked_at
            + np.arange(1, count + 1) * record.every // schema.step * schema.step,
            variables=names,
            units=tuple(schema.variable(n).unit for n in names),
            values=answer.values,
            provenance=Provenance(
                model=record.model,
                members=self._fleet.members,
                data_until=None,
                known_at=record.known_at,
                source=self._told.source,
                origin=record.origin,
                left_out=answer.left_out,
            ),
        )

    def _verdict(self) -> Finding:
        record, state = self._told.optimisation, self._dossier.states.get("optimisation")
        if record is None or state is None or not record.finalists:
            return Finding("verdict", None, "no search led to it")
        if record.present and not record.in_force:
            # As records were before they told what the present plan sets.
            return Finding("verdict", None, f"it was held against {record.present}, another plan")
        again = self._judged(record, state)
        same = again == record
        return Finding("verdict", same, f"{again.advice and again.advice.value}: {again.told}")

    def _judged(self, record: OptimisationRecord, state: TwinState) -> OptimisationRecord:
        schema = self._fleet.schema
        units = {v.name: v.unit for v in schema.variables if not isinstance(v, Const)}
        goal = Goal.of(
            units,
            minimise=record.minimise,
            maximise=record.maximise,
            subject_to=record.subject_to,
        )
        trial = Trial(
            self._fleet,
            record.twin,
            state,
            goal,
            until=record.until // schema.step,
            every=record.every // schema.step,
            at=lambda: None,
        )
        decided = verdict(
            goal,
            [Candidate.of(each) for each in record.finalists],
            trial.evaluate,
            members=Members(record.first_fresh, record.fresh, fresh=True),
            seed=record.seed,
            present=Candidate.of(record.in_force) if record.in_force else None,
            origins=trial.origins,
        )
        return with_verdict(record, self._fleet, decided)

    def _score(self) -> Finding:
        told, states = self._told, self._dossier.states
        if told.score is None or told.applied is None or told.undertaking is None:
            return Finding("ledger", None, "it has not been scored")
        promise, readings = told.plan.plan.promise, self._dossier.readings
        if promise is None or readings is None or not {"before", "after"} <= states.keys():
            return Finding("ledger", None, "what was read is not in it")
        past = Past(
            states["before"],
            states["after"],
            readings,
            self._dossier.book,
            told.score.known_by,
        )
        again = scored(self._fleet, told.applied, promise, told.undertaking, told.others, past)
        return Finding("ledger", again == told.score, str(again.delivered))
