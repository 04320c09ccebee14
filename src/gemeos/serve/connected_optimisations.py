"""The optimisations of one twin of a running site from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from typing_extensions import override

from gemeos.errors import InputError
from gemeos.foresee.choices import texts_of
from gemeos.foresee.verdict import Advice
from gemeos.runtime.asked import SearchQuestion
from gemeos.runtime.futures import Searches
from gemeos.runtime.optimisation import GainTold, OptimisationRecord, Tried
from gemeos.runtime.scenario import Progress
from gemeos.runtime.searching import several
from gemeos.serve import hear, tell_plans
from gemeos.serve import optimisation_messages as om
from gemeos.serve.connected_named import Asks, ConnectedNamed
from gemeos.units import instant


@final
class ConnectedOptimisations(ConnectedNamed[OptimisationRecord, om.OptimisationMessage], Searches):
    """See ``gemeos.runtime.futures.Searches``."""

    def __init__(self, connection: Asks, twin: str) -> None:
        """``connection`` to the site."""
        super().__init__(connection, twin, "optimisations", om.OptimisationMessage)

    @override
    def _record(self, told: om.OptimisationMessage) -> OptimisationRecord:
        return _record(told)

    @override
    def _listed(self) -> Sequence[om.OptimisationMessage]:
        return self._connection.asked(self._path, om.OptimisationsMessage).optimisations

    @override
    def _done(self, told: om.OptimisationMessage) -> float:
        return told.done

    @override
    def ask(self, question: SearchQuestion) -> OptimisationRecord:
        """See ``Searches``."""
        if not question.over:
            raise InputError("There is nothing to choose: `over` names no control.")
        body = {
            "name": question.name,
            "over": texts_of(question.over),
            "until": hear.length(question.until),
            "minimise": several(question.minimise),
            "maximise": several(question.maximise),
            "subject_to": several(question.subject_to),
            "every": hear.maybe_length(question.every),
            "budget": question.budget,
            "cost": question.cost,
            "present": question.present,
            "seed": question.seed,
            "replacing": question.replacing,
        }
        return self._begun(body)


def _record(told: om.OptimisationMessage) -> OptimisationRecord:
    return OptimisationRecord(
        twin=told.twin,
        name=told.name,
        over=told.over,
        minimise=tuple(told.minimise),
        maximise=tuple(told.maximise),
        subject_to=tuple(told.subject_to),
        until=hear.span_of(told.until_s),
        every=hear.span_of(told.every_s),
        budget=told.budget,
        seed=told.seed,
        present=told.present,
        forked_at=instant(told.forked_at),
        known_at=instant(told.known_at),
        heard_until=None if told.heard_until is None else instant(told.heard_until),
        model=told.model,
        origin=told.origin,
        actor=told.actor,
        created=instant(told.created),
        progress=Progress(told.progress),
        runs=told.runs,
        ran=told.ran,
        method=told.method,
        ending=told.ending,
        tried=told.tried,
        candidates=tuple(Tried(t.values, t.runs, t.value, t.excess) for t in told.candidates),
        winner=told.winner,
        advice=None if told.advice is None else Advice(told.advice),
        reasons=tuple(told.reasons),
        gains=tuple(map(_gain, told.gains)),
        over_present=tuple(map(_gain, told.over_present)),
        fresh=told.fresh,
        first_fresh=told.first_fresh,
        finalists=tuple(told.finalists),
        chances=tuple(told.chances),
        loss=told.loss,
        rivals=told.rivals,
        latest=None if told.latest is None else instant(told.latest),
        unmodelled=tuple(told.unmodelled),
        in_force=told.in_force,
        cost=told.cost,
        price=tell_plans.price_heard(told.price),
        took=hear.span_of(told.took_s),
        reason=told.reason,
    )


def _gain(told: om.GainMessage) -> GainTold:
    return GainTold(
        objective=told.objective,
        unit=told.unit,
        winner=told.winner,
        nothing=told.nothing,
        gain=told.gain,
        low=told.low,
        high=told.high,
        members=told.members,
    )
