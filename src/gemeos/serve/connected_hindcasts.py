"""The hindcasts of one twin of a running site from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from typing_extensions import override

from gemeos.foresee.choices import texts_of
from gemeos.runtime.asked import HindcastQuestion
from gemeos.runtime.futures import Hindsight
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.scenario import Progress
from gemeos.runtime.searching import several
from gemeos.serve import hear, tell_advice
from gemeos.serve import hindcast_messages as hm
from gemeos.serve.connected_named import Asks, ConnectedNamed
from gemeos.units import instant


@final
class ConnectedHindcasts(ConnectedNamed[HindcastRecord, hm.HindcastMessage], Hindsight):
    """See ``gemeos.runtime.futures.Hindsight``."""

    def __init__(self, connection: Asks, twin: str) -> None:
        """``connection`` to the site."""
        super().__init__(connection, twin, "hindcasts", hm.HindcastMessage)

    @override
    def _record(self, told: hm.HindcastMessage) -> HindcastRecord:
        return _record(told)

    @override
    def _listed(self) -> Sequence[hm.HindcastMessage]:
        return self._connection.asked(self._path, hm.HindcastsMessage).hindcasts

    @override
    def _done(self, told: hm.HindcastMessage) -> float:
        return told.done

    @override
    def ask(self, question: HindcastQuestion) -> HindcastRecord:
        """See ``Hindsight``."""
        body = {
            "name": question.name,
            "condition": question.condition,
            "within": hear.length(question.within),
            "since": hear.when(question.since),
            "until": hear.when(question.until),
            "likely": question.likely,
            "every": hear.maybe_length(question.every),
            "over": texts_of(question.over),
            "minimise": several(question.minimise),
            "maximise": several(question.maximise),
            "subject_to": several(question.subject_to),
            "look_every": hear.maybe_length(question.look_every),
            "budget": question.budget,
            "seed": question.seed,
            "replacing": question.replacing,
        }
        return self._begun(body)


def _record(told: hm.HindcastMessage) -> HindcastRecord:
    return HindcastRecord(
        twin=told.twin,
        name=told.name,
        condition=told.condition,
        within=hear.span_of(told.within_s),
        likely=told.likely,
        every=hear.span_of(told.every_s),
        since=instant(told.since),
        until=instant(told.until),
        model=told.model,
        actor=told.actor,
        created=instant(told.created),
        progress=Progress(told.progress),
        issues=told.issues,
        hits=told.hits,
        misses=told.misses,
        false_alarms=told.false_alarms,
        leads=tuple(hear.span_of(s) for s in told.leads_s),
        brier=told.brier,
        brier_skill=told.brier_skill,
        occurrences=tuple((instant(o.first), instant(o.last)) for o in told.occurrences),
        warnings=tuple((instant(w.first), instant(w.last)) for w in told.warnings),
        reason=told.reason,
        advice=None if told.advice is None else tell_advice.advice_of(told.advice),
    )
