"""The hindcasts of one twin of a running site from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final
from urllib.parse import quote

from gemeos.errors import NotReadyError
from gemeos.runtime.asked import When
from gemeos.runtime.hindcast_record import HindcastRecord
from gemeos.runtime.scenario import Progress
from gemeos.serve import hear
from gemeos.serve import hindcast_messages as hm
from gemeos.serve.connected_scenarios import Asks, waited
from gemeos.serve.scenario_messages import DroppedMessage
from gemeos.units import instant


@final
class ConnectedHindcasts:
    """See ``gemeos.runtime.asked.Hindsight``."""

    def __init__(self, connection: Asks, twin: str) -> None:
        """``connection`` to the site."""
        self._connection = connection
        self._path = f"/api/twins/{quote(twin, safe='')}/hindcasts"

    def begin(  # noqa: PLR0913 -- as the protocol
        self,
        name: str,
        condition: str,
        *,
        within: str,
        since: When,
        until: When,
        likely: float = 0.5,
        every: str | None = None,
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
            "replacing": replacing,
        }
        return _record(self._connection.told("POST", self._path, hm.HindcastMessage, body))

    def all(self) -> Sequence[HindcastRecord]:
        """See ``Hindsight``."""
        told = self._connection.asked(self._path, hm.HindcastsMessage)
        return [_record(each) for each in told.hindcasts]

    def record(self, name: str, *, wait_s: float | None = None) -> HindcastRecord:
        """See ``Hindsight``."""

        def answer() -> HindcastRecord:
            told = self._connection.asked(self._one(name), hm.HindcastMessage)
            record = _record(told)
            if wait_s is not None and not record.progress.is_over:
                raise NotReadyError(
                    f"{name} is {told.progress}, {told.done:.0%} done. Ask again later."
                )
            return record

        return answer() if wait_s is None else waited(answer, wait_s)

    def progress(self, name: str) -> float:
        """See ``Hindsight``."""
        return self._connection.asked(self._one(name), hm.HindcastMessage).done

    def cancel(self, name: str) -> HindcastRecord:
        """See ``Hindsight``."""
        path = f"{self._one(name)}/cancel"
        return _record(self._connection.told("POST", path, hm.HindcastMessage, {}))

    def drop(self, name: str) -> None:
        """See ``Hindsight``."""
        self._connection.told("DELETE", self._one(name), DroppedMessage)

    def _one(self, name: str) -> str:
        return f"{self._path}/{quote(name, safe='')}"


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
    )
