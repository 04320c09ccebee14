"""Alerts of a running site: asked at fixed instants, told when they turn, judged by what came.

The instants are those of event time, so that it does not matter when readings arrive; the fork for
the chance runs beside the path. What was told stands; what came of it is seen again where a late or
corrected reading changes the past. What is kept of an alert stands in the store under its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import zip_longest
from threading import Lock
from typing import Final, Protocol, final

from gemeos.ensemble.condition import Condition
from gemeos.ensemble.state import NEVER, TwinState
from gemeos.errors import GemeosError
from gemeos.runtime.alert import KIND, Alert, AlertRecord, AlertStanding
from gemeos.runtime.base import Houses, Works
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.hindcast import chance_of, holds_now
from gemeos.runtime.shelf import Shelf
from gemeos.runtime.twin import Twin
from gemeos.runtime.witness import Witness
from gemeos.timeline.base import Event
from gemeos.units import iso
from gemeos.units.instant import Instant

logger = logging.getLogger(__name__)

KEPT_EVERY: Final = 10
"""Issues of an alert that does not turn between two writings of its record: a site that is killed
forgets so many at most."""
MOST_UNDER_WAY: Final = 64
"""Chances that are worked out; beyond, an issue is left out, counted and told."""


class Running(Works, Houses, Protocol):
    """What alerts need of the running site."""


@final
class Alerts:
    """``look`` and what follows from it belong to who owns the twins; questions to any thread.

    Of each twin its owner alone changes what is held here.
    """

    def __init__(
        self, running: Running, twins: Iterable[Twin], told: Callable[[str], None]
    ) -> None:
        """``told`` hears of twins whose alerts turned."""
        self._running, self._told = running, told
        self._shelf = Shelf(running, KIND, AlertRecord)
        self._alerts: dict[str, Mapping[str, tuple[Alert, Condition]]] = {
            t.name: {n: (a, a.checked(t.schema, n)) for n, a in t.alerts.items()}
            for t in twins
            if t.alerts
        }
        self._witnesses: dict[Fleet, Witness] = {}
        self._records: dict[tuple[str, str], AlertRecord] = {}
        self._begun: dict[tuple[str, str], Instant] = {}
        """The newest instant that each was asked at, also where the answer is still to come."""
        self._counting = Lock()
        self.under_way = 0
        """Chances that are being worked out."""
        self.left_out = 0
        """Issues for which there was no time."""

    def resume(self) -> None:
        """Go on from what is stored."""
        for twin, alerts in self._alerts.items():
            stored = {r.name: r for r in self._shelf.all(twin)}
            for name, (alert, _) in alerts.items():
                before = stored.get(name)
                fresh = self._fresh(twin, name, alert)
                same = before is not None and (before.condition, before.within, before.likely) == (
                    fresh.condition,
                    fresh.within,
                    fresh.likely,
                )
                # Another alert of the same name has no past.
                self._records[twin, name] = before if before is not None and same else fresh

    def _fresh(self, twin: str, name: str, alert: Alert) -> AlertRecord:
        return AlertRecord(
            twin=twin,
            name=name,
            condition=alert.condition,
            within=alert.within,
            likely=alert.likely,
            model=self._running.fleet(twin).identity,
            created=self._running.clock.now(),
        )

    def passing(self, fleet: Fleet) -> Witness | None:
        """For ``Fleet.take``: notes what holds as twins go by; None where none watches."""
        if fleet not in self._witnesses:
            watched = {name: self.watched(name) for name in fleet.names if name in self._alerts}
            if not watched:
                return None
            self._witnesses[fleet] = Witness(fleet, watched)
        return self._witnesses[fleet]

    def watched(self, twin: str) -> Mapping[str, Condition]:
        """The conditions that a twin watches for, by the name of the alert."""
        return {name: condition for name, (_, condition) in self._alerts.get(twin, {}).items()}

    def note(self, witness: Witness | None) -> None:
        """Take over what was noted while twins went by."""
        for seen in () if witness is None else witness.taken():
            key = (seen.twin, seen.name)
            record = self._records[key]
            if seen.at < seen.since:
                record = record.back_to(seen.since)
            if seen.is_so is not None:
                record = record.seen(seen.at, is_so=seen.is_so)
            self._records[key] = record

    def look(self, changed: Iterable[str], healed: Witness | None = None) -> None:
        """See what holds in twins that changed, and ask those whose instant has come.

        ``healed`` has noted what held in a past that was gone through apart.
        """
        twins = [twin for twin in changed if twin in self._alerts]
        before = {(t, n): self._records[t, n] for t in twins for n in self._alerts[t]}
        self.note(healed)
        for fleet in {self._running.fleet(twin) for twin in twins}:
            self.note(self._witnesses.get(fleet))
        for (twin, name), as_it_was in before.items():
            alert, condition = self._alerts[twin][name]
            self._look(twin, name, alert, condition, as_it_was)

    def _look(
        self, twin: str, name: str, alert: Alert, condition: Condition, before: AlertRecord
    ) -> None:
        fleet = self._running.fleet(twin)
        state = fleet.state(twin)
        if state.born[0] == NEVER or fleet.failure(twin) is not None:
            return
        now = int(state.tick[0]) * fleet.schema.step
        # Only the newest instant: to warn of what lies behind would be no warning.
        issue = now // alert.every * alert.every
        if issue > self._newest(twin, name):
            then = fleet.state_at(twin, issue)
            if then is not None and then.born[0] != NEVER:
                self._ask(twin, name, issue, then, condition)
        is_so = holds_now(fleet, twin, state, condition)
        record = self._records[twin, name].seen(now, is_so=is_so)
        self._records[twin, name] = record
        if record.turned != before.turned:
            self._keep(record)
        if record.back_to(before.looked + 1).turned != before.turned:
            self._amended(record, before)

    def _amended(self, record: AlertRecord, before: AlertRecord) -> None:
        """Log that what came of earlier warnings is another than was thought."""
        pairs = zip_longest(before.turned, record.turned)
        changed = next((a or b for a, b in pairs if a != b), None)
        told: dict[str, str | float | int | None] = {"name": record.name}
        for word, score in (("before", before.score()), ("now", record.score())):
            if score is not None:
                told[f"hits_{word}"] = score.hits
                told[f"misses_{word}"] = score.misses
                told[f"false_alarms_{word}"] = score.false_alarms
        event = Event(
            kind="alert_amended",
            twin=record.twin,
            valid_at=record.looked if changed is None else changed,
            actor="runtime",
            cause="readings that came late",
            body=told,
        )
        self._running.timeline.put_event(event, known_at=self._running.clock.now())

    def _ask(
        self, twin: str, name: str, issue: Instant, then: TwinState, condition: Condition
    ) -> None:
        self._begun[twin, name] = issue
        with self._counting:
            is_busy = self.under_way >= MOST_UNDER_WAY
            self.left_out += is_busy
            self.under_way += not is_busy
        if is_busy:
            logger.warning("alert %s of %s is not asked at %s: no time", name, twin, iso(issue))
            return
        within = self._records[twin, name].within
        asked = self._running.strand(twin).aside(
            chance_of, self._running.fleet(twin), twin, then, condition, within=within
        )
        asked.add_done_callback(partial(self._hand_over, twin, name, issue))

    def _newest(self, twin: str, name: str) -> Instant:
        """When it was asked last; what was stored before this start counts."""
        issued = self._records[twin, name].issued
        return max(self._begun.get((twin, name), NEVER), issued[-1] if issued else NEVER)

    def _hand_over(self, twin: str, name: str, issue: Instant, asked: Future[float]) -> None:
        """From the thread that worked it out to the path's."""
        try:
            self._running.strand(twin).path(self._asked, twin, name, issue, asked)
        except RuntimeError:
            logger.info("%s of %s was not asked at %s: the site stops", name, twin, iso(issue))

    def _asked(self, twin: str, name: str, issue: Instant, asked: Future[float]) -> None:
        with self._counting:
            self.under_way -= 1
        before = self._records[twin, name]
        error = None if asked.cancelled() else asked.exception()
        if asked.cancelled() or error is not None:
            why = error if isinstance(error, GemeosError) else repr(error)
            logger.warning("alert %s of %s could not be asked: %s", name, twin, why)
            return
        record = before.asked(issue, asked.result())
        self._records[twin, name] = record
        # By the newest issue alone: where two end in another order, the older one tells nothing.
        turned = record.is_on is not before.is_on
        if turned or len(record.issued) % KEPT_EVERY == 0:
            self._keep(record)
        if turned:
            self._tell(record)

    def _keep(self, record: AlertRecord) -> None:
        self._running.timeline.put_record(self._shelf.packed(record))

    def _tell(self, record: AlertRecord) -> None:
        issue, chance = record.issued[-1], record.chance[-1]
        word = "on" if record.is_on else "off"
        logger.info("alert %s of %s is %s", record.name, record.twin, word)
        event = Event(
            kind="alert",
            twin=record.twin,
            valid_at=issue,
            actor="runtime",
            cause=f"the forecast from {iso(issue)}",
            body={
                "name": record.name,
                "is": word,
                "chance": chance,
                "condition": record.condition,
                "within_us": record.within,
            },
        )
        self._running.timeline.put_event(event, known_at=self._running.clock.now())
        self._told(record.twin)

    def of(self, twin: str) -> Sequence[AlertStanding]:
        """How the alerts of a twin stand, in the order of declaration."""
        self._running.fleet(twin)
        names = self._alerts.get(twin, {})
        return [AlertStanding.of(self._records[twin, name]) for name in names]
