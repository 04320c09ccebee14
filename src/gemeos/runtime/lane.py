"""Twins that one thread keeps in step: what they do with readings, and what is kept of them.

A site has one lane for most of its twins, the path itself, and one beside it (``runtime.beside``)
for each fleet whose cycles take long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from threading import Lock
from typing import Final, Protocol
from weakref import WeakSet

from gemeos.ensemble.state import TwinState
from gemeos.errors import AssimilationError
from gemeos.runtime.alerts import Alerts
from gemeos.runtime.base import Declares, Remembers
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.heal import Pending, Rerun, continued, exchanged, rerun
from gemeos.runtime.keyframe import packed
from gemeos.runtime.remember import Memory
from gemeos.runtime.resume import restored, stored
from gemeos.runtime.scores import Scores
from gemeos.runtime.strand import Strand
from gemeos.runtime.taken import Passing, Taken, Together
from gemeos.runtime.twin import Twin, together
from gemeos.schema.reading import Readings
from gemeos.timeline.base import Event, Keyframe, Timeline
from gemeos.units.instant import Instant

EVER: Final = 2**62


class Running(Remembers, Declares, Protocol):
    """What a lane needs of the running site."""

    @property
    def scores(self) -> Scores:
        """How forecasts turned out."""
        ...

    @property
    def alerts(self) -> Alerts:
        """What twins watch for."""
        ...

    def count(self, what: str, many: int) -> None:
        """Note what happened to so many readings."""
        ...

    def too_late_by(self, twin: str, many: int) -> None:
        """So many readings of the twin came too late."""
        ...


class Lane:
    """Some fleets of a site, and who owns them.

    What changes twins belongs to the strand's path; ``snapshot``, ``everyone`` and ``state_at`` to
    any thread. The last waits for nobody.
    """

    def __init__(self, running: Running, fleets: Sequence[Fleet], strand: Strand) -> None:
        """Twins as they were declared, before their first reading."""
        self.fleets = tuple(fleets)
        self.strand = strand
        self.pending = Pending()
        """What came too late. Belongs to the strand's path."""
        self._running = running
        self._fleet_of = {name: f for f in self.fleets for name in f.names}
        self._memory = Memory([running.twin(name) for name in self.names], self._fleet_of)
        self._lock = Lock()
        self._apart: WeakSet[Fleet] = WeakSet()
        self._ending = Lock()
        """Guards these, and that it ends."""
        self._ends = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of its twins."""
        return tuple(self._fleet_of)

    def snapshot(self, twin: str) -> TwinState:
        """A copy of the twin's state at its newest reading."""
        with self._lock:
            return self._fleet_of[twin].state(twin)

    def everyone(self, fleet: Fleet) -> TwinState:
        """A copy of the states of all its twins."""
        with self._lock:
            return fleet.everyone()

    def state_at(self, twin: str, when: Instant) -> TwinState | None:
        """The twin's filtered state then; None where that lies before the horizon."""
        return self._fleet_of[twin].state_at(twin, when)

    def apart(self, twin: str) -> Fleet:
        """One more fleet of that twin alone, for which nothing comes too late.

        It stands before the first reading, and is the caller's; it is halted with the lane.
        """
        fleet = together([self._running.twin(twin)], horizon=EVER)
        with self._ending:
            self._apart.add(fleet)
            ends = self._ends
        if ends:
            fleet.halt()
        return fleet

    def failure(self, twin: str) -> AssimilationError | None:
        """Why the twin stands still."""
        return self._fleet_of[twin].failure(twin)

    def waiting(self, twin: str) -> Instant | None:  # noqa: ARG002 - here nothing waits
        """``valid_at`` of the newest reading that corrects it, where stored ones wait."""
        return None

    def resume(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring every twin to where the stored readings lead; see ``Host.resume``."""
        timeline, alerts = self._running.timeline, self._running.alerts
        twins = {name: self._running.twin(name) for name in self.names}
        for fleet in self.fleets:
            since = restored(fleet, timeline)
            for piece, done, total in stored(fleet, twins, since, timeline):
                taken = fleet.take(piece, timeline.book, self._passing(fleet))
                alerts.note(alerts.passing(fleet))
                self._keep(fleet, taken, self._running.clock.now())
                if progress is not None:
                    progress(done, total)
        self._running.scores.resume(self.names)
        self.pending.remembered(twins, timeline)

    def take(self, readings: Readings, cause: str) -> set[str]:
        """Bring the twins that the readings concern to their new states; answers which."""
        changed: set[str] = set()
        for fleet in self.fleets:
            with self._lock:
                taken = fleet.take(readings, self._running.timeline.book, self._passing(fleet))
            changed.update(taken.changed)
            self._count(taken, cause)
            self._keep(fleet, taken, self._running.clock.now())
            self._running.alerts.look(taken.changed)
        return changed

    def _passing(self, fleet: Fleet) -> Passing:
        """Who looks on while its twins go by."""
        memory, witness = self._memory.passing(fleet), self._running.alerts.passing(fleet)
        return memory if witness is None else Together((memory, witness))

    def _count(self, taken: Taken, cause: str) -> None:
        self._running.count("duplicates", taken.duplicates)
        self._running.count("too_late", len(taken.too_late))
        self._running.count("rewinds", len(taken.rewound))
        events = []
        for twin, many in groupby(sorted(taken.too_late), key=lambda late: late[0]):
            times = [valid_at for _, valid_at in many]
            self._running.too_late_by(twin, len(times))
            self.pending.add(twin, times[0])
            events.append(
                Event(
                    kind="late_reading",
                    twin=twin,
                    valid_at=times[0],
                    actor="runtime",
                    cause=cause,
                    body={"readings": len(times), "oldest_us": times[0], "newest_us": times[-1]},
                )
            )
        self._running.timeline.put_events(events, known_at=self._running.clock.now())

    def _keep(self, fleet: Fleet, taken: Taken, known_at: Instant) -> None:
        """What is remembered of the twins that changed: rows, forecasts, states that are final.

        Every reading known by ``known_at`` has been taken in.
        """
        timeline, now = self._running.timeline, self._running.clock.now()
        with self._lock:
            rows = self._memory.rows(taken.changed)
        timeline.put_summaries(rows, known_at=now)
        # Before states become final: what was due long ago is forecast from the states then.
        self._running.scores.renew(taken, now)
        with self._lock:
            settled = fleet.settle(self._running.site.keyframes_every)
        timeline.put_keyframes(
            [
                Keyframe(
                    twin=final.twin,
                    valid_at=int(final.state.tick[0]) * fleet.schema.step,
                    known_at=known_at,
                    model=fleet.identity,
                    state=packed(fleet, final.twin, final.state),
                )
                for final in settled
            ]
        )

    def _show(self, fleet: Fleet) -> None:
        """Its twins are others than before."""

    async def heal(self, told: Callable[[Sequence[str]], None]) -> None:
        """Take in what came too late, twin by twin, beside the path until the last moment."""
        strand = self.strand
        while (waiting := await strand.on_path(self.pending.take)) is not None:
            name, late = waiting
            boundary = await strand.on_path(self._fleet_of[name].boundary, name)
            if boundary is None or late > boundary:
                continue
            ahead = await strand.beside(self._gone_through, name, late, boundary)
            await strand.on_path(self._exchange, ahead, late)
            told([name])

    def _gone_through(self, name: str, late: Instant, boundary: Instant) -> Rerun:
        twin = self._running.twin(name)
        return rerun(
            twin,
            self.apart(name),
            self._running.timeline,
            late=late,
            until=boundary,
            known_at=self._running.clock.now(),
            watched=self._running.alerts.watched(name),
        )

    def _exchange(self, ahead: Rerun, late: Instant) -> None:
        name, fleet, timeline = ahead.twin, self._fleet_of[ahead.twin], self._running.timeline
        boundary = fleet.boundary(name)
        if boundary is not None and boundary > ahead.until:
            ahead = continued(ahead, self._running.twin(name), timeline, boundary)
        with self._lock:
            exchanged(ahead, fleet, timeline, self._passing(fleet))
            amended = self._memory.between(ahead.fleet, name, late, ahead.until)
            rows = self._memory.rows({name: ahead.until})
        self._show(fleet)
        now = self._running.clock.now()
        for row in (amended, *(r for _, r in rows)):
            if row is not None:
                timeline.put_summary(name, row, known_at=now)
        self._running.alerts.look([name], ahead.witness)
        timeline.put_event(
            Event(
                kind="healed",
                twin=name,
                valid_at=late,
                actor="runtime",
                cause="readings that came too late",
                body={"from_us": late, "until_us": ahead.until, "known_at_us": ahead.known_at},
            ),
            known_at=now,
        )

    def halt(self) -> None:
        """Have what takes long end soon, with ``StoppedError``."""
        with self._ending:
            self._ends = True
            everyone = (*self.fleets, *self._apart)
        for fleet in everyone:
            fleet.halt()

    def close(self) -> None:
        """Let go of processes."""
        for fleet in self.fleets:
            fleet.close()


def cause_of(commit: int | None) -> str:
    """As events name it."""
    return f"commit {'-' if commit is None else commit}"


def fleets_of(twins: Sequence[Twin]) -> list[Fleet]:
    """Twins that differ in nothing but name, constants and bindings together, as declared."""
    groups: dict[tuple[object, ...], list[Twin]] = {}
    for twin in twins:
        alike = (twin.simulator.identity, twin.members, twin.seed, twin.horizon, twin.foresight)
        groups.setdefault(alike, []).append(twin)
    return [together(alike, horizon=alike[0].horizon) for alike in groups.values()]


def numbers_of(twins: Mapping[str, Twin], timeline: Timeline) -> list[int]:
    """Of all series that are bound to these twins."""
    return sorted({timeline.book.number(b.series) for t in twins.values() for b in t.bindings})
