"""The hindcasts of one twin of a running site from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from typing_extensions import override

from gemeos.foresee.choices import Asked as Choices
from gemeos.foresee.choices import text_of
from gemeos.runtime.advice import DEFAULT_RUNS
from gemeos.runtime.asked import When
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.scenario import Progress
from gemeos.runtime.searching import several
from gemeos.serve import hear, tell_advice
from gemeos.serve import hindcast_messages as hm
from gemeos.serve.connected_named import Asks, ConnectedNamed
from gemeos.units import instant


@final
class ConnectedHindcasts(ConnectedNamed[HindcastRecord, hm.HindcastMessage]):
    """See ``gemeos.runtime.asked.Hindsight``."""

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

    def begin(  # noqa: PLR0913 -- as the protocol
        self,
        name: str,
        condition: str = "",
        *,
        within: str,
        since: When,
        until: When,
        likely: float = 0.5,
        every: str | None = None,
        over: Mapping[str, Choices] | None = None,
        minimise: str | Sequence[str] = (),
        maximise: str | Sequence[str] = (),
        subject_to: str | Sequence[str] = (),
        look_every: str | None = None,
        budget: str = DEFAULT_RUNS,
        seed: int = 0,
        replacing: bool = False,
    ) -> HindcastRecord:
        """See ``Hindsight``."""
        body = {
            "name": name,
            "condition": condition,
            "within": within,
            "since": hear.when(since),
            "until": hear.when(until),
            "likely": likely,
            "every": every,
            "over": {each: text_of(choices, over or {}) for each, choices in (over or {}).items()},
            "minimise": several(minimise),
            "maximise": several(maximise),
            "subject_to": several(subject_to),
            "look_every": look_every,
            "budget": budget,
            "seed": seed,
            "replacing": replacing,
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
