"""Forecasts of running twins as issued, and their scores against what was then read.

Issued at fixed instants of event time, from the state at that instant, as soon as its readings
are there; stored; scored from the store when the truth is read, and again when the truth is
corrected. Nothing feeds back from them: no state knows that they exist.

What is told is a function of the stored forecasts and readings, so a start after a kill tells the
same as if there had been none.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.ensemble.state import NEVER, Monitor, TwinState, joined
from gemeos.errors import AssimilationError
from gemeos.foresee.issue import Scoring, readings_ahead, slack
from gemeos.foresee.score import HISTORY, LeadScore, Outcomes, Turned, extended, lead_score
from gemeos.runtime.channels import Channel
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.taken import Taken
from gemeos.runtime.twin import Twin
from gemeos.schema.reading import LARGEST, Quality, Readings
from gemeos.schema.variable import Sensor
from gemeos.timeline.base import ForecastRows, Timeline
from gemeos.units.instant import Instant, Span

logger = logging.getLogger(__name__)

TOLD = 1024
"""Intervals between issues that scores look back on. Older ones are in the timeline."""
KEPT = TOLD + 2 * HISTORY
"""How far back outcomes are held: what is told first needs a history, too."""
AT_ONCE = 64
"""Most instants of one twin that are issued as one batch."""
_EVER = 2**62


@dataclass(slots=True)
class _Gauge:
    """One scored variable of one twin."""

    sensor: Sensor
    place: int
    """In ``schema.sensors``."""
    channels: tuple[Channel, ...]
    """Bound to it."""
    numbers: tuple[int, ...]
    """Their series."""
    outcomes: dict[Span, Outcomes]
    """By lead."""
    issued: Instant = -_EVER
    """The newest instant that forecasts were issued at."""
    looked: Instant = -_EVER
    """Up to here every truth that was read has been held against its forecasts."""
    told: dict[Span, LeadScore | None] = field(default_factory=dict)
    """What was worked out since ``outcomes`` changed."""


@dataclass(frozen=True, slots=True)
class Due:
    """Instants at which a twin's forecasts are to be issued."""

    twin: str
    states: TwinState
    """The twin at each of them; born."""
    until: Instant
    """The last one, also if the twin had no state then."""


class Scores:
    """Of all twins of a site that declare leads.

    On the thread that owns the twins: ``due`` while they are locked, then ``renew``. ``of`` on
    any thread.
    """

    def __init__(
        self, twins: Sequence[Twin], fleets: Mapping[str, Fleet], timeline: Timeline
    ) -> None:
        """``fleets`` by the names of their twins."""
        self._timeline = timeline
        self._fleets = fleets
        self._lock = Lock()
        self._scoring = {t.name: t.scoring for t in twins if t.scoring is not None}
        self._gauges = {
            name: _gauges(fleets[name], name, scoring, timeline)
            for name, scoring in self._scoring.items()
        }
        self._resumed = False

    def resume(self) -> None:
        """Score what the timeline has, once the twins are where its readings lead."""
        self._resumed = True
        for name, gauges in self._gauges.items():
            for gauge in gauges:
                self._score(name, gauge, -_EVER)

    def due(self, changed: Mapping[str, Instant]) -> list[Due]:
        """What is to be issued now that these twins changed. Their fleets must not move."""
        found = (self._due(name) for name in changed if self._gauges.get(name))
        return [due for due in found if due is not None]

    def _due(self, name: str) -> Due | None:
        fleet, scoring = self._fleets[name], self._scoring[name]
        newest = fleet.newest(name)
        if newest is None:
            return None
        until = newest // scoring.every * scoring.every
        if until == newest and not _is_complete(fleet, name, newest):
            until -= scoring.every
        since = self._issued(name, scoring, newest) + scoring.every
        since = max(since, until - KEPT * scoring.every)
        if since > until:
            return None
        step = fleet.schema.step
        ticks: Sequence[int] = range(since // step, until // step + 1, scoring.every // step)
        # In a silence nobody asked for forecasts, and those that end in it are never scored.
        ticks = fleet.followed(name, ticks, scoring.leads[-1] // step)
        try:
            states = [s for s in fleet.states_at(name, ticks) if s.born[0] != NEVER]
        except AssimilationError:
            logger.warning("%s could not be forecast", name, exc_info=True)
            return None
        return Due(name, joined(states), until) if states else None

    def _issued(self, name: str, scoring: Scoring, newest: Instant) -> Instant:
        """The newest instant at which every variable's forecasts are issued and stored."""
        for gauge in self._gauges[name]:
            if gauge.issued == -_EVER:
                oldest = newest // scoring.every * scoring.every - KEPT * scoring.every
                rows = self._timeline.forecasts(name, gauge.sensor.name, oldest, _EVER)
                mine = rows.issued_at[rows.issued_at % scoring.every == 0]
                gauge.issued = int(mine.max(initial=oldest - scoring.every))
        return min(gauge.issued for gauge in self._gauges[name])

    def renew(self, taken: Taken, due: Sequence[Due], known_at: Instant) -> None:
        """Issue what is due, and score whatever the new readings are the truth of."""
        for each in due:
            self._issue(each, known_at)
        if not self._resumed:
            return
        since = {
            name: at - self._fleets[name].schema.step
            for name, at in taken.changed.items()
            if name in self._gauges
        }
        for name, at in taken.too_late:
            if name in self._gauges:
                since[name] = min(at - 1, since.get(name, at))
        for name, changed in since.items():
            for gauge in self._gauges[name]:
                self._score(name, gauge, changed)

    def _issue(self, due: Due, known_at: Instant) -> None:
        fleet, scoring, gauges = (
            self._fleets[due.twin],
            self._scoring[due.twin],
            self._gauges[due.twin],
        )
        step = fleet.schema.step
        leads = np.array(scoring.leads, np.int64)
        for first in range(0, len(due.states), AT_ONCE):
            states = due.states.take(range(first, min(first + AT_ONCE, len(due.states))))
            at = states.tick * step
            places = np.full(len(states), fleet.place(due.twin))
            try:
                members = readings_ahead(
                    fleet.cycle.stepper,
                    states,
                    fleet.crew.take(places),
                    leads=[lead // step for lead in scoring.leads],
                    sensors=[g.place for g in gauges],
                    noise=[_noise(g, int(at[0])) for g in gauges],
                    inputs=fleet.school.inputs,
                )
            except AssimilationError:
                logger.warning("%s could not be forecast", due.twin, exc_info=True)
                continue
            for column, gauge in enumerate(gauges):
                own = members[:, :, column, :].astype(np.float64)
                told = fleet.corrected(due.twin, states, gauge.sensor.name, own)
                rows = ForecastRows(
                    twin=due.twin,
                    variable=gauge.sensor.name,
                    issued_at=np.repeat(at, len(leads)),
                    valid_at=(at[:, None] + leads).ravel(),
                    members=own.reshape(-1, own.shape[2]),
                    corrected=told.reshape(-1, told.shape[2]),
                )
                self._store(gauge, rows, known_at)
        for gauge in gauges:
            gauge.issued = max(gauge.issued, due.until)

    def _store(self, gauge: _Gauge, rows: ForecastRows, known_at: Instant) -> None:
        """Those that are new, and numbers. A truth that is known already is looked at again."""
        new = (rows.issued_at > gauge.issued) & np.isfinite(rows.members).all(axis=1)
        if not new.any():
            return
        rows = ForecastRows(
            rows.twin,
            rows.variable,
            rows.issued_at[new],
            rows.valid_at[new],
            rows.members[new],
            rows.corrected[new],
        )
        self._timeline.put_forecasts(rows, known_at=known_at)
        gauge.looked = min(gauge.looked, int(rows.valid_at.min()) - 1)

    def _score(self, name: str, gauge: _Gauge, changed: Instant) -> None:
        """Score forecasts valid after what was looked at, or after the earliest change."""
        scoring = self._scoring[name]
        since = gauge.looked
        if changed < since and scoring.due_after(changed) <= since:
            since = changed
        newest = self._fleets[name].newest(name)
        if since > -_EVER and newest is not None and scoring.due_after(since) > newest:
            return
        latest = self._timeline.latest(gauge.numbers, _EVER)
        if not len(latest):
            return
        heard = int(latest.valid_at.max())
        oldest = heard - KEPT * scoring.every
        since = max(since, oldest)
        times, values = self._read(gauge, since - scoring.leads[-1])
        if not len(times):
            return
        heard = int(times[-1])
        rows = self._timeline.forecasts(name, gauge.sensor.name, since, heard)
        with self._lock:
            for lead in scoring.leads:
                known = gauge.outcomes[lead]
                known = known[(known.valid_at > oldest) & (known.valid_at <= since)]
                within = slack(gauge.sensor, lead, self._fleets[name].schema.step)
                new = _turned_out(rows, scoring, lead, times, values, within)
                gauge.outcomes[lead] = extended(known, new, lead=lead, wraps=gauge.sensor.wraps)
            gauge.told.clear()
        gauge.looked = heard

    def _read(
        self, gauge: _Gauge, since: Instant
    ) -> tuple[Int64[np.ndarray, " time"], Float64[np.ndarray, " time"]]:
        """What was read from ``since`` on, and last before it; one value an instant."""
        numbers = gauge.numbers
        both = Readings.joined(
            [
                self._timeline.latest(numbers, since),
                self._timeline.range(numbers, since, _EVER),
            ]
        )
        good = (both.quality == Quality.GOOD) & (np.abs(both.value) <= LARGEST)
        for channel, number in zip(gauge.channels, numbers, strict=True):
            good &= (both.series != number) | (both.valid_at >= channel.since)
        rows = both[good]
        # Of several channels at one instant, the one that is bound first.
        bound = {number: place for place, number in reversed(list(enumerate(numbers)))}
        place = np.array([bound[int(n)] for n in rows.series], np.int64)
        order = np.lexsort((rows.sample, place, rows.valid_at))
        times, first = np.unique(rows.valid_at[order], return_index=True)
        return times, rows.value[order][first]

    def of(self, twin: str) -> tuple[LeadScore, ...]:
        """By variable and lead, those that have a scored forecast."""
        if twin not in self._gauges:
            return ()
        scoring, told = self._scoring[twin], []
        with self._lock:
            for gauge in self._gauges[twin]:
                for lead in scoring.leads:
                    if lead not in gauge.told:
                        gauge.told[lead] = _told(gauge, scoring, lead)
                    told.append(gauge.told[lead])
        return tuple(score for score in told if score is not None)


def _gauges(fleet: Fleet, twin: str, scoring: Scoring, timeline: Timeline) -> tuple[_Gauge, ...]:
    """The scored variables that something is bound to: without readings there is no truth."""
    found = []
    for name in scoring.variables:
        place = next(i for i, s in enumerate(fleet.schema.sensors) if s.name == name)
        channels = tuple(c for c in fleet.channels[fleet.place(twin)] if c.sensor == place)
        if channels:
            numbers = tuple(timeline.book.number(c.binding.series) for c in channels)
            none = {lead: Outcomes.none() for lead in scoring.leads}
            found.append(_Gauge(fleet.schema.sensors[place], place, channels, numbers, none))
    return tuple(found)


def _is_complete(fleet: Fleet, twin: str, at: Instant) -> bool:
    """Every bound channel has been read at ``at``: nothing more is to come for that instant."""
    channels = len(fleet.channels[fleet.place(twin)])
    last = fleet.state(twin).monitors[0][:channels, Monitor.LAST_AT]
    return bool((last >= at).all())


def _noise(gauge: _Gauge, at: Instant) -> float:
    """Standard deviation of one reading of the channel that is bound then."""
    since = [c for c in gauge.channels if c.since <= at] or gauge.channels
    return float(np.sqrt(since[0].variance))


def _turned_out(
    rows: ForecastRows,
    scoring: Scoring,
    lead: Span,
    times: Int64[np.ndarray, " time"],
    values: Float64[np.ndarray, " time"],
    within: Span,
) -> Turned:
    """The forecasts at that lead whose truth was read, and what had been read at their issue.

    The truth of an instant is what was read then; else, once a later reading says that nothing
    more will come, what was read last before, at most ``within`` earlier.
    """
    mine = (rows.valid_at - rows.issued_at == lead) & (rows.issued_at % scoring.every == 0)
    mine &= np.isfinite(rows.members).sum(axis=1) >= 2
    valid_at, members, corrected = rows.valid_at[mine], rows.members[mine], rows.corrected[mine]
    truth = np.searchsorted(times, valid_at, side="right") - 1
    last = np.searchsorted(times, valid_at - lead, side="right") - 1
    came = (last >= 0) & (valid_at - times[truth] < within)
    came &= (times[truth] == valid_at) | (truth < len(times) - 1)
    return Turned(
        valid_at[came], members[came], corrected[came], values[truth[came]], values[last[came]]
    )


def _told(gauge: _Gauge, scoring: Scoring, lead: Span) -> LeadScore | None:
    outcomes = gauge.outcomes[lead]
    newest = outcomes.valid_at.max(initial=-_EVER)
    return lead_score(
        outcomes[outcomes.valid_at > newest - TOLD * scoring.every],
        variable=gauge.sensor.name,
        unit=gauge.sensor.unit,
        lead=lead,
        every=scoring.every,
    )
