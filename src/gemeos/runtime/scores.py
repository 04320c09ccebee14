"""Forecasts of running twins as issued, and their scores against what was then read.

Issued at fixed instants of event time, from the state at that instant, as soon as its readings
are there; stored; scored from the store when the truth is read, and again when the truth is
corrected. Nothing feeds back from them: no state knows that they exist.

What is told is a function of the stored forecasts and readings, so a start after a kill tells the
same as if there had been none. The store is asked, and written to, for many twins at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias, TypeVar

import numpy as np
from jaxtyping import Float64, Int64

from gemeos.ensemble.state import NEVER, Monitor, TwinState, joined
from gemeos.errors import AssimilationError
from gemeos.foresee.issue import slack
from gemeos.foresee.outcome import More, extended
from gemeos.foresee.score import LeadScore
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.gauge import EVER, KEPT, Gauge, gauges_of, noise_of, told, truths, turned_out
from gemeos.runtime.taken import Taken
from gemeos.runtime.twin import Twin
from gemeos.schema.reading import Readings
from gemeos.timeline.base import ForecastRows, Timeline
from gemeos.units.instant import Instant

logger = logging.getLogger(__name__)

AT_ONCE = 64
"""States that are gathered, at least, before forecasts are issued from them ..."""
MOST_AT_ONCE = 512
"""... and forecast together at most; also twins, or variables, that the store is asked of."""
FEW_AT_ONCE = 16
"""The same where a long past is asked for."""
LONG = 64
"""Intervals between issues from which on a past is long."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A variable whose forecasts are to be held against what was read."""

    gauge: Gauge
    since: Instant
    """Those valid after this."""


class Scores:
    """Of all twins of a site that declare leads.

    ``renew`` on the thread that owns the twins, which may be another for others; ``of`` on any.
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
            name: gauges_of(fleets[name], name, scoring, timeline)
            for name, scoring in self._scoring.items()
        }
        self._resumed: set[str] = set()

    def resume(self, twins: Sequence[str]) -> None:
        """Score what the timeline has of these, once they are where its readings lead."""
        mine = [name for name in twins if name in self._gauges]
        self._resumed.update(mine)
        self._score(_Look(g, -EVER) for name in mine for g in self._gauges[name])

    def renew(self, taken: Taken, known_at: Instant) -> None:
        """Issue what is due, and score whatever the new readings are the truth of.

        No state may become final meanwhile.
        """
        self._issue([name for name in taken.changed if self._gauges.get(name)], known_at)
        since = {
            name: at - self._fleets[name].schema.step
            for name, at in taken.changed.items()
            if name in self._resumed
        }
        for name, at in taken.too_late:
            if name in self._resumed:
                since[name] = min(at - 1, since.get(name, at))
        looks = (
            self._look(gauge, changed)
            for name, changed in since.items()
            for gauge in self._gauges[name]
        )
        self._score(look for look in looks if look is not None)

    def _issue(self, names: Sequence[str], known_at: Instant) -> None:
        """Forecasts of these twins, as many at once as belong to one fleet."""
        fleets: dict[Fleet, list[str]] = {}
        for name in names:
            fleets.setdefault(self._fleets[name], []).append(name)
        for fleet, of_fleet in fleets.items():
            for some in _pieces(of_fleet, MOST_AT_ONCE):
                self._find_issued(fleet, some)
                until = {name: self._until(fleet, name) for name in some}
                self._issue_until(fleet, until, known_at)

    def _find_issued(self, fleet: Fleet, names: Sequence[str]) -> None:
        """Look up how far forecasts were issued before this start, once of each variable."""
        new = [g for n in names for g in self._gauges[n] if g.issued == -EVER]
        for some in _pieces(new, FEW_AT_ONCE):
            oldest = [self._oldest(fleet, gauge.twin) for gauge in some]
            stored = self._timeline.all_forecasts(
                [
                    (gauge.twin, gauge.sensor.name, at, EVER)
                    for gauge, at in zip(some, oldest, strict=True)
                    if at is not None
                ]
            )
            found = {(rows.twin, rows.variable): rows for rows in stored}
            for gauge, at in zip(some, oldest, strict=True):
                if at is None:
                    continue
                every = self._scoring[gauge.twin].every
                rows = found[gauge.twin, gauge.sensor.name]
                mine = rows.issued_at[rows.issued_at % every == 0]
                gauge.issued = int(mine.max(initial=at - every))

    def _oldest(self, fleet: Fleet, name: str) -> Instant | None:
        """The first instant that forecasts would still be issued at."""
        newest, every = fleet.newest(name), self._scoring[name].every
        return None if newest is None else newest // every * every - KEPT * every

    def _until(self, fleet: Fleet, name: str) -> Instant | None:
        """The last instant whose readings are all there."""
        newest, every = fleet.newest(name), self._scoring[name].every
        if newest is None:
            return None
        until = newest // every * every
        return until - every if until == newest and not _is_complete(fleet, name, newest) else until

    def _due(self, fleet: Fleet, name: str, until: Instant | None) -> Sequence[int]:
        """The ticks at which the twin's forecasts are to be issued, and were not yet."""
        scoring = self._scoring[name]
        if until is None:
            return ()
        since = min(gauge.issued for gauge in self._gauges[name]) + scoring.every
        since = max(since, until - KEPT * scoring.every)
        if since > until:
            return ()
        step = fleet.schema.step
        ticks: Sequence[int] = range(since // step, until // step + 1, scoring.every // step)
        # In a silence nobody asked for forecasts, and those that end in it are never scored.
        return fleet.followed(name, ticks, scoring.leads[-1] // step)

    def _issue_until(
        self, fleet: Fleet, until: Mapping[str, Instant | None], known_at: Instant
    ) -> None:
        """Go along the states at what is due, and issue from some before the next are made.

        A long backlog has many, and a state is far larger than the forecasts from it.
        """
        due = {name: self._due(fleet, name, last) for name, last in until.items()}
        due = {name: ticks for name, ticks in due.items() if ticks}
        begun: set[str] = set()
        names: list[str] = []
        states: list[TwinState] = []
        try:
            for of_twins, state in fleet.states_together(due):
                born = np.flatnonzero(state.born != NEVER)
                names += [of_twins[i] for i in born.tolist()]
                states.append(state if len(born) == len(state) else state.take(born))
                if len(names) >= AT_ONCE:
                    self._issue_from(fleet, names, _together(states), known_at)
                    begun.update(names)
                    names, states = [], []
            if names:
                self._issue_from(fleet, names, _together(states), known_at)
                begun.update(names)
        except AssimilationError:
            if len(due) > 1:
                # One of them cannot go on: find it, and let the others be forecast.
                for name in due:
                    self._issue_until(fleet, {name: until[name]}, known_at)
                return
            logger.warning("%s could not be forecast", next(iter(due)), exc_info=True)
            return
        for name in begun:
            last = until[name]
            for gauge in self._gauges[name]:
                gauge.issued = gauge.issued if last is None else max(gauge.issued, last)

    def _issue_from(
        self, fleet: Fleet, names: Sequence[str], states: TwinState, known_at: Instant
    ) -> None:
        """Forecasts from each of the states, which are of the twins named, some of one twin."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for row, name in enumerate(names):
            alike.setdefault(tuple(g.place for g in self._gauges[name]), []).append(row)
        several: list[ForecastRows] = []
        for rows in alike.values():
            for some in _pieces(rows, MOST_AT_ONCE):
                own = states if len(some) == len(states) else states.take(some)
                several += self._forecast(fleet, [names[i] for i in some], own)
        self._timeline.put_all_forecasts(several, known_at=known_at)
        at = states.tick * fleet.schema.step
        for name, instant in zip(names, at.tolist(), strict=True):
            for gauge in self._gauges[name]:
                gauge.issued = max(gauge.issued, instant)

    def _forecast(
        self, fleet: Fleet, names: Sequence[str], states: TwinState
    ) -> list[ForecastRows]:
        """What twins with the same scored sensors expect, by twin and variable."""
        step, scoring = fleet.schema.step, self._scoring[names[0]]
        at = states.tick * step
        gauges = [self._gauges[name] for name in names]
        try:
            members = fleet.school.foretell(
                fleet.cycle.stepper,
                states,
                fleet.crew.take(np.array([fleet.place(name) for name in names])),
                leads=[lead // step for lead in scoring.leads],
                sensors=[g.place for g in gauges[0]],
                noise=np.array(
                    [
                        [noise_of(g, instant) for g in of_twin]
                        for of_twin, instant in zip(gauges, at.tolist(), strict=True)
                    ]
                ),
                inputs=fleet.school.inputs,
            )
        except AssimilationError:
            rows = _by_name(names)
            if len(rows) > 1:
                alone = (
                    self._forecast(fleet, [name] * len(own), states.take(own)) for name, own in rows
                )
                return [each for of_twin in alone for each in of_twin]
            logger.warning("%s could not be forecast", names[0], exc_info=True)
            return []
        several = []
        for column, sensor in enumerate(g.sensor for g in gauges[0]):
            own = members[:, :, column, :].astype(np.float64)
            corrected = fleet.corrected(names, states, sensor.name, own)
            for name, mine in _by_name(names):
                gauge = self._gauges[name][column]
                several += self._new(gauge, at[mine], own[mine], corrected[mine])
        return several

    def _new(
        self,
        gauge: Gauge,
        at: Int64[np.ndarray, " state"],
        members: Float64[np.ndarray, "state lead member"],
        corrected: Float64[np.ndarray, "state lead level"],
    ) -> list[ForecastRows]:
        """Those that are new, and numbers. A truth that is known already is looked at again."""
        leads = np.array(self._scoring[gauge.twin].leads, np.int64)
        new = np.isfinite(members).all(axis=2) & (at > gauge.issued)[:, None]
        if not new.any():
            return []
        valid_at = (at[:, None] + leads)[new]
        gauge.looked = min(gauge.looked, int(valid_at.min()) - 1)
        issued_at = np.repeat(at, new.sum(axis=1))
        return [
            ForecastRows(
                gauge.twin, gauge.sensor.name, issued_at, valid_at, members[new], corrected[new]
            )
        ]

    def _look(self, gauge: Gauge, changed: Instant) -> _Look | None:
        """Forecasts valid after what was looked at, or after the earliest change; if any are."""
        scoring = self._scoring[gauge.twin]
        since = gauge.looked
        if changed < since and scoring.due_after(changed) <= since:
            since = changed
        newest = self._fleets[gauge.twin].newest(gauge.twin)
        if since > -EVER and newest is not None and scoring.due_after(since) > newest:
            return None
        return _Look(gauge, since)

    def _score(self, looks: Iterator[_Look]) -> None:
        """Hold forecasts against what was read, of some variables at a time."""
        near: list[_Look] = []
        far: list[_Look] = []
        for look in looks:
            twin = look.gauge.twin
            newest = self._fleets[twin].newest(twin)
            long = newest is None or newest - look.since > LONG * self._scoring[twin].every
            (far if long else near).append(look)
        for some in (*_pieces(near, MOST_AT_ONCE), *_pieces(far, FEW_AT_ONCE)):
            self._hold(some)

    def _hold(self, looks: Sequence[_Look]) -> None:
        read = list(self._read(looks))
        rows = self._timeline.all_forecasts(
            [(g.twin, g.sensor.name, since, int(times[-1])) for g, since, _, times, _ in read]
        )
        several: list[More] = []
        for (gauge, since, oldest, times, values), of_gauge in zip(read, rows, strict=True):
            scoring = self._scoring[gauge.twin]
            for lead in scoring.leads:
                known = gauge.outcomes[lead]
                known = known[(known.valid_at > oldest) & (known.valid_at <= since)]
                within = slack(gauge.sensor, lead, self._fleets[gauge.twin].schema.step)
                new = turned_out(of_gauge, scoring, lead, times, values, within)
                several.append(More(known, new, lead, gauge.sensor.wraps))
        found = iter(extended(several))
        with self._lock:
            for gauge, _, _, times, _ in read:
                # Leads in their order, as above.
                gauge.outcomes.update(zip(self._scoring[gauge.twin].leads, found, strict=False))
                gauge.told.clear()
                gauge.looked = int(times[-1])

    def _read(self, looks: Sequence[_Look]) -> Iterator[_Read]:
        """What was read that the forecasts are held against."""
        every = sorted({n for look in looks for n in look.gauge.numbers})
        latest = self._timeline.latest(every, EVER)
        newest = dict(zip(latest.series.tolist(), latest.valid_at.tolist(), strict=True))
        begin: dict[Instant, list[tuple[Gauge, Instant, Instant]]] = {}
        for look in looks:
            heard = [newest[n] for n in look.gauge.numbers if n in newest]
            if heard:
                scoring = self._scoring[look.gauge.twin]
                oldest = max(heard) - KEPT * scoring.every
                since = max(look.since, oldest)
                known = begin.setdefault(since - scoring.leads[-1], [])
                known.append((look.gauge, since, oldest))
        for since_then, some in begin.items():
            numbers = sorted({n for gauge, _, _ in some for n in gauge.numbers})
            # From then on, and what was read last before.
            both = Readings.joined(
                [
                    self._timeline.latest(numbers, since_then),
                    self._timeline.range(numbers, since_then, EVER),
                ]
            )
            both = both[np.argsort(both.series, kind="stable")]
            for gauge, since, oldest in some:
                first = np.searchsorted(both.series, gauge.numbers, side="left")
                end = np.searchsorted(both.series, gauge.numbers, side="right")
                own = [both[a:b] for a, b in zip(first.tolist(), end.tolist(), strict=True)]
                times, values = truths(gauge, Readings.joined(own))
                if len(times):
                    yield gauge, since, oldest, times, values

    def of(self, twin: str) -> tuple[LeadScore, ...]:
        """By variable and lead, those that have a scored forecast."""
        if twin not in self._gauges:
            return ()
        scoring, found = self._scoring[twin], []
        with self._lock:
            for gauge in self._gauges[twin]:
                for lead in scoring.leads:
                    if lead not in gauge.told:
                        gauge.told[lead] = told(gauge, scoring, lead)
                    found.append(gauge.told[lead])
        return tuple(score for score in found if score is not None)


_Read: TypeAlias = tuple[
    Gauge, Instant, Instant, Int64[np.ndarray, " time"], Float64[np.ndarray, " time"]
]
"""Of a gauge: since when, what is too old, when was read, and what."""
_Any = TypeVar("_Any")


def _pieces(whole: Sequence[_Any], size: int) -> Iterator[Sequence[_Any]]:
    for first in range(0, len(whole), size):
        yield whole[first : first + size]


def _together(states: Sequence[TwinState]) -> TwinState:
    return states[0] if len(states) == 1 else joined(states)


def _by_name(names: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Each name, and where it stands."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return list(places.items())


def _is_complete(fleet: Fleet, twin: str, at: Instant) -> bool:
    """Every bound channel has been read at ``at``: nothing more is to come for that instant."""
    return bool((fleet.monitors(twin)[:, Monitor.LAST_AT] >= at).all())
