"""Questions to running twins. A question works on a copy and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gemeos.ensemble.estimate import Estimate, Filtered, Forecast, Kind, Provenance
from gemeos.ensemble.state import NEVER, Monitor, TwinState
from gemeos.errors import AssimilationError, InputError, OutOfReachError
from gemeos.foresee.forecast import forecast
from gemeos.runtime.asked import When
from gemeos.runtime.base import Declares, Houses, Remembers
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.keyframe import unpacked
from gemeos.runtime.phase import Phase
from gemeos.runtime.remembered import Remembered
from gemeos.runtime.scores import Scores
from gemeos.runtime.standing import Heard, heard_of, phase_by
from gemeos.runtime.trust import Trust, channel_trust
from gemeos.schema.reading import Readings
from gemeos.simulate.base import Crew
from gemeos.units import iso, span
from gemeos.units.instant import Instant, Span

MOST_STEPS_BEHIND = 200_000
"""How far ``now`` moves members on without a reading; further, the answer stays where it is."""


class Running(Remembers, Declares, Houses, Protocol):
    """What questions need of the running site."""

    @property
    def scores(self) -> Scores:
        """How forecasts turned out."""
        ...

    def snapshot(self, twin: str) -> TwinState:
        """A copy of its state at its newest reading."""
        ...

    def everyone(self, fleet: Fleet) -> TwinState:
        """A copy of the states of all its twins."""
        ...

    def state_at(self, twin: str, when: Instant) -> TwinState | None:
        """Its filtered state then; None where that lies before the horizon."""
        ...

    def apart(self, twin: str) -> Fleet:
        """One more fleet of it alone, to go through its past with."""
        ...

    def failure(self, twin: str) -> AssimilationError | None:
        """Why it stands still; None where it does not."""
        ...

    def waiting(self, twin: str) -> Instant | None:
        """``valid_at`` of its newest reading that corrects it, where stored ones wait."""
        ...

    def is_finished(self, twin: str) -> bool:
        """Every source that it is bound to ended."""
        ...

    def too_late(self, twin: str) -> int:
        """Readings from before the horizon, since the site started."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """What an answer is made from."""

    state: TwinState
    """A batch of one, born."""
    known_at: Instant
    digest: str = ""
    """Hash of the state at its last reading; forks of one hash are paired."""

    @property
    def heard_until(self) -> Instant | None:
        """``valid_at`` of its newest reading; None without one."""
        last = self.state.monitors[0][:, Monitor.LAST_AT]
        heard = last[np.isfinite(last)]
        return int(heard.max()) if len(heard) else None


class Questions:
    """Answers for every twin of a site. May be asked from any thread."""

    def __init__(self, running: Running) -> None:
        """``running`` lets them look."""
        self._running = running
        self._asked: dict[str, tuple[str, TwinState]] = {}
        """By twin: hash of its newest state, and where ``now`` moved that to."""

    def instant(self, when: When) -> Instant:
        """The moment that was asked for, read in the site's zone where it names no offset."""
        return when if isinstance(when, int) else self._running.site.instant(when)

    def now(self, twin: str) -> Estimate:
        """The newest state, moved on to site time without readings."""
        origin = self.present(twin)
        return self._estimate(twin, origin.state, Filtered(), origin.known_at)

    def present(self, twin: str) -> Origin:
        """Where what lies ahead is forked from: the newest state, moved on to site time."""
        fleet = self._running.fleet(twin)
        state = self._born(twin, self._running.snapshot(twin))
        now = self._running.clock.now()
        digest = state.digest()
        ahead = self._ahead(twin, fleet, state, digest, now // fleet.schema.step)
        return Origin(ahead, now, digest)

    def past(self, twin: str, when: When, known_by: When | None) -> Origin:
        """The same of a past moment.

        Raises:
            As ``at``.
        """
        at, now = self.instant(when), self._running.clock.now()
        by = None if known_by is None else self.instant(known_by)
        self._check_past(twin, at, now)
        state = None if by is not None else self._running.state_at(twin, at)
        if state is None:
            state = self._from_the_timeline(twin, at, by)
        if state.born[0] == NEVER:
            raise OutOfReachError(
                f"{twin} had no reading by {iso(at)}"
                f"{'' if by is None else f' that was known by {iso(by)}'}."
            )
        return Origin(state, now if by is None else by, state.digest())

    def _ahead(self, twin: str, fleet: Fleet, state: TwinState, base: str, until: int) -> TwinState:
        """``state`` moved on without readings; a silent twin goes on from where it was asked last.

        Noise is keyed by the instant, so that going there in one stride or in two is the same.
        """
        if not 0 < until - int(state.tick[0]) <= MOST_STEPS_BEHIND:
            return state
        moved = state
        asked = self._asked.get(twin)
        if asked is not None and asked[0] == base and int(asked[1].tick[0]) <= until:
            moved = asked[1]
        moved = fleet.cycle.stepper.advance(moved, crew_of(fleet, twin), np.array([until]))
        self._asked[twin] = (base, moved)
        return fleet.ahead(twin, state, moved)

    def at(self, twin: str, when: When, *, known_by: When | None = None) -> Estimate:
        """The filtered state at the first grid instant not before ``when``.

        Raises:
            OutOfReachError: before the twin's first reading, or long after its last.
            InputError: it lies ahead.
        """
        origin = self.past(twin, when, known_by)
        return self._estimate(twin, origin.state, Filtered(), origin.known_at)

    def _check_past(self, twin: str, at: Instant, now: Instant) -> None:
        """Refuse what would move members on and on: the path waits while they are looked at."""
        fleet = self._running.fleet(twin)
        newest = fleet.newest(twin)
        if at > max(now, now if newest is None else newest):
            raise InputError(
                f"{iso(at)} lies ahead of site time {iso(now)}: ask for a forecast of {twin}."
            )
        if newest is not None and at - newest > MOST_STEPS_BEHIND * fleet.schema.step:
            raise OutOfReachError(
                f"{twin} had no reading after {iso(newest)}; nothing can be told of {iso(at)}."
            )

    def _from_the_timeline(self, twin: str, at: Instant, by: Instant | None) -> TwinState:
        """Compute the state again, from the newest keyframe that still stands."""
        declared, timeline = self._running.twin(twin), self._running.timeline
        fleet = self._running.apart(twin)
        numbers = [timeline.book.number(b.series) for b in declared.bindings]
        since, before = -(2**62), at
        while (keyframe := timeline.keyframe_before(twin, before, known_by=by)) is not None:
            # Less one: a replayed clock may stand still, and commits of its instant be later ones.
            changed = timeline.changed_since(
                numbers, keyframe.known_at - 1, keyframe.valid_at, known_by=by
            )
            if changed is None and keyframe.model == fleet.identity:
                fleet.restore([twin], unpacked(fleet, twin, keyframe.state))
                since = keyframe.valid_at
                break
            before = min(keyframe.valid_at - 1, changed or keyframe.valid_at)
        fleet.take(timeline.range(numbers, since, at, known_by=by), timeline.book)
        state = fleet.state_at(twin, at)
        return fleet.state(twin) if state is None else state

    def forecast(
        self,
        twin: str,
        until: str | Span,
        *,
        every: str | Span | None = None,
        raw: bool = False,
    ) -> Estimate:
        """Where the twin goes if nobody intervenes; ``raw`` as in ``Twin.forecast``."""
        fleet = self._running.fleet(twin)
        step = fleet.schema.step
        ahead = until if isinstance(until, int) else span(until)
        pace = step if every is None else every if isinstance(every, int) else span(every)
        if ahead < step or pace < step:
            raise InputError(
                f"{twin} moves in steps of {step / 1e6:g} s: neither the reach nor 'every' of a "
                "forecast can be shorter."
            )
        origin = self.present(twin)
        state, now = origin.state, origin.known_at
        path = forecast(
            fleet.cycle.stepper,
            state,
            crew_of(fleet, twin),
            until=int(state.tick[0]) + ahead // step,
            every=pace // step,
            inputs=None if raw else fleet.school.inputs,
        )
        values, corrected = (path.values, ()) if raw else fleet.told_as_learned(twin, state, path)
        kind = Forecast(now, corrected)
        return self.answer(twin, path.ticks * step, values, kind, origin)

    def range(
        self,
        twin: str,
        since: When,
        until: When,
        *,
        variables: Sequence[str] | None = None,
        known_by: When | None = None,
    ) -> Remembered:
        """Remembered means and spreads."""
        fleet = self._running.fleet(twin)
        names = fleet.cycle.stepper.told_names if variables is None else tuple(variables)
        units = tuple(fleet.schema.variable(name).unit for name in names)
        rows = self._running.timeline.summary(
            twin,
            names,
            self.instant(since),
            self.instant(until),
            known_by=None if known_by is None else self.instant(known_by),
        )
        heard = self._heard(twin, self._running.snapshot(twin))
        return Remembered(
            variable=rows.variable,
            valid_at=rows.valid_at,
            mean=rows.mean,
            sd=rows.sd,
            quantiles=rows.quantiles,
            twin=twin,
            units=units,
            source=self._running.site.source,
            zone=self._running.site.zone,
            now=self._running.clock.now(),
            newest=heard.newest,
        )

    def readings(self, twin: str, since: When, until: When) -> Readings:
        """The readings of every channel bound to the twin."""
        timeline = self._running.timeline
        numbers = [timeline.book.number(b.series) for b in self._running.twin(twin).bindings]
        return timeline.range(numbers, self.instant(since), self.instant(until))

    def trust(self, twin: str) -> Trust:
        """How well the twin is in step."""
        fleet = self._running.fleet(twin)
        state = self._running.snapshot(twin)
        channels = fleet.channels[fleet.place(twin)]
        told = channel_trust(channels, state.monitors[0])
        heard = self._heard(twin, state)
        now = self._running.clock.now()
        return Trust(
            twin=twin,
            phase=self._phase(twin, heard, now),
            source=self._running.site.source,
            now=now,
            newest=heard.newest,
            members=fleet.members,
            failed_members=int(state.failed[0]),
            assimilated=int(state.assimilated[0]),
            too_late=self._running.too_late(twin),
            model=fleet.identity,
            channels=told,
            recovered=int(state.recovered[0]),
            scores=self._running.scores.of(twin),
        )

    def phases(self, fleet: Fleet) -> Iterator[tuple[str, Phase]]:
        """Of all its twins: looked at again and again, so from one copy of their states."""
        now = self._running.clock.now()  # first: see ``phase``
        state = self._running.everyone(fleet)
        for name, heard in zip(fleet.names, heard_of(state, fleet.corrects), strict=True):
            yield name, self._phase(name, heard, now)

    def phase(self, twin: str) -> Phase:
        """Of one twin."""
        # The time before the state: else a replayed clock that strides meanwhile makes a twin that
        # hears all look blind, and what it does is undone.
        now = self._running.clock.now()
        return self._phase(twin, self._heard(twin, self._running.snapshot(twin)), now)

    def _heard(self, twin: str, state: TwinState) -> Heard:
        """What its state says; ``state`` is of this twin alone."""
        fleet = self._running.fleet(twin)
        (heard,) = heard_of(state, fleet.corrects[[fleet.place(twin)]])
        return heard

    def _phase(self, twin: str, heard: Heard, now: Instant) -> Phase:
        return phase_by(
            self._running.twin(twin),
            heard,
            now,
            running=self._running.failure(twin) is None,
            finished=self._running.is_finished(twin),
            waiting=self._running.waiting(twin),
        )

    def _born(self, twin: str, state: TwinState) -> TwinState:
        failure = self._running.failure(twin)
        if failure is not None:
            raise failure
        if state.born[0] != NEVER:
            return state
        if self._running.waiting(twin) is not None:
            raise AssimilationError(
                f"{twin} has no estimate yet: it is going through its first readings."
            )
        fleet = self._running.fleet(twin)
        unheard = [
            v.name for v, x in zip(fleet.schema.driven, state.driven[0], strict=True) if np.isnan(x)
        ]
        waits = f"a first reading of {', '.join(unheard)}" if unheard else "its first reading"
        raise AssimilationError(f"{twin} has no estimate yet: it waits for {waits}.")

    def _estimate(self, twin: str, state: TwinState, kind: Kind, known_at: Instant) -> Estimate:
        fleet = self._running.fleet(twin)
        told = fleet.cycle.stepper.told(state, crew_of(fleet, twin))
        times = state.tick * fleet.schema.step
        return self.answer(twin, times, told, kind, Origin(state, known_at))

    def answer(
        self,
        twin: str,
        times: np.ndarray,
        values: np.ndarray,
        kind: Kind,
        origin: Origin,
        left_out: tuple[int, ...] = (),
    ) -> Estimate:
        """Members of all that can be told of a twin, with where they come from."""
        fleet = self._running.fleet(twin)
        names = fleet.cycle.stepper.told_names
        return Estimate(
            twin=twin,
            kind=kind,
            times=times,
            variables=names,
            units=tuple(fleet.schema.variable(n).unit for n in names),
            values=values,
            provenance=Provenance(
                model=fleet.identity,
                members=fleet.members,
                data_until=origin.heard_until,
                known_at=origin.known_at,
                source=self._running.site.source,
                origin=origin.digest,
                left_out=left_out,
            ),
            zone=self._running.site.zone,
        )


def crew_of(fleet: Fleet, twin: str) -> Crew:
    """The twin's own, a batch of one."""
    return fleet.crew.take(np.array([fleet.place(twin)]))
