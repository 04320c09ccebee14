"""A running site: the path of every reading, from its source to the states that it changes."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, groupby
from threading import Lock

from gemeos.clock import Clock, ReplayClock, SystemClock
from gemeos.ensemble.state import TwinState
from gemeos.errors import UnknownNameError
from gemeos.link.base import Arrival, Source
from gemeos.runtime.alerts import Alerts
from gemeos.runtime.apply import Applying
from gemeos.runtime.compute import Compute
from gemeos.runtime.executors import Executors
from gemeos.runtime.feed import Feed
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.heal import Pending, Rerun, continued, exchanged, rerun
from gemeos.runtime.hindcasts import Hindcasts
from gemeos.runtime.keyframe import packed
from gemeos.runtime.optimisations import Optimisations
from gemeos.runtime.phase import Phase
from gemeos.runtime.plans import Plans
from gemeos.runtime.questions import Questions
from gemeos.runtime.remember import Memory
from gemeos.runtime.resume import restored, stored
from gemeos.runtime.scenarios import Scenarios
from gemeos.runtime.school import Foresight
from gemeos.runtime.scores import Scores
from gemeos.runtime.site import Link, LinkContext, Replay, Site
from gemeos.runtime.supervise import supervised
from gemeos.runtime.taken import Passing, Taken, Together
from gemeos.runtime.twin import Twin, together
from gemeos.runtime.twin_plans import TwinPlans
from gemeos.runtime.whatif import TwinWhatIfs
from gemeos.schema.reading import Readings
from gemeos.timeline.base import Commit, Event, Keyframe, Timeline
from gemeos.units.instant import Instant

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
"""How often phases and the loop's lag are looked at."""


class Host:
    """One site while it runs.

    1. ``resume`` brings every twin to where the timeline's readings lead. 2. ``run`` follows the
    sources until all of them end, or until it is cancelled. 3. ``close`` lets go of the store.
    Questions may be asked from any thread between 1 and 3.
    """

    def __init__(self, site: Site, timeline: Timeline) -> None:
        """Twins of one model, size, seed and horizon are held as one array."""
        self.site = site
        self.timeline = timeline
        self.clock: Clock = (
            ReplayClock(site.clock.start, speed=site.clock.speed)
            if isinstance(site.clock, Replay)
            else SystemClock()
        )
        self.compute = Compute()
        self.executor = Executors()
        self.feed = Feed()
        self.questions = Questions(self)
        self.scenarios = Scenarios(self)
        self.optimisations = Optimisations(self)
        self.hindcasts = Hindcasts(self)
        self.plans = Plans(self)
        self.applying = Applying(self, self.plans)
        self.loop_lag_s = 0.0
        self.counted: Counter[str] = Counter()
        """Readings taken in, duplicates, too late ones, refused ones, commits."""
        self._twins = {t.name: t for t in site.twins}
        self._fleets = fleets_of(site.twins)
        self._fleet_of = {name: f for f in self._fleets for name in f.names}
        self._memory = Memory(site.twins, self._fleet_of)
        self.scores = Scores(site.twins, self._fleet_of, timeline)
        self.alerts = Alerts(self, site.twins, self._tell_alert)
        self._lock = Lock()
        self._sources: dict[str, Source] = {}
        self._ended: set[str] = set()
        self._too_late: Counter[str] = Counter()
        self._pending = Pending()
        self._phases: dict[str, Phase] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def twin(self, name: str) -> Twin:
        """The declared twin.

        Raises:
            UnknownNameError: no such twin.
        """
        try:
            return self._twins[name]
        except KeyError:
            raise UnknownNameError("twin", name, self._twins, where=self.site.name) from None

    def fleet(self, twin: str) -> Fleet:
        """The fleet that holds the twin."""
        return self._fleet_of[self.twin(twin).name]

    def snapshot(self, twin: str) -> TwinState:
        """A copy of the twin's state at its newest reading."""
        with self._lock:
            return self.fleet(twin).state(twin)

    def everyone(self, fleet: Fleet) -> TwinState:
        """A copy of the states of all its twins."""
        with self._lock:
            return fleet.everyone()

    def state_at(self, twin: str, when: Instant) -> TwinState | None:
        """The twin's filtered state then; None where that lies before the horizon."""
        with self._lock:
            return self.fleet(twin).state_at(twin, when)

    def is_finished(self, twin: str) -> bool:
        """Every source that the twin is bound to ended."""
        links = {b.series.link for b in self.twin(twin).bindings}
        return bool(links) and links <= self._ended

    def too_late(self, twin: str) -> int:
        """Readings from before the horizon, since the site started."""
        return self._too_late[twin]

    def has_ended(self, link: str) -> bool:
        """The link's source said that nothing more will come."""
        return link in self._ended

    def link(self, name: str) -> Source | None:
        """The open source of that link; None while it is not open."""
        return self._sources.get(name)

    def resume(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring every twin to where the stored readings lead.

        ``progress`` is told how many readings of how many have been gone through.
        """
        newest = self.timeline.latest(None, 2**62)
        if isinstance(self.clock, ReplayClock) and len(newest):
            self.clock.follow(int(newest.valid_at.max()))
        self.alerts.resume()
        for fleet in self._fleets:
            since = restored(fleet, self.timeline)
            for piece, done, total in stored(fleet, self._twins, since, self.timeline):
                taken = fleet.take(piece, self.timeline.book, self._passing(fleet))
                self.alerts.note(self.alerts.passing(fleet))
                self._keep(fleet, taken)
                if progress is not None:
                    progress(done, total)
        self.scores.resume()
        self._pending.remembered(self._twins, self.timeline)
        self.applying.resume()

    async def run(self) -> None:
        """Follow every link until all end."""
        self._loop = asyncio.get_running_loop()
        futures = TwinWhatIfs(self.scenarios, self.optimisations, self.hindcasts, self.alerts)
        plans = partial(TwinPlans, self)
        for twin in self._twins.values():
            twin.attach(self.questions, futures)
            twin.let_apply(plans)
        beside = (
            asyncio.create_task(self._look(), name="gemeos-look"),
            asyncio.create_task(
                supervised("what is applied", self.applying.run), name="gemeos-applying"
            ),
        )
        try:
            async with asyncio.TaskGroup() as group:
                for link in self.site.links:
                    group.create_task(
                        supervised(f"link {link.name}", partial(self._follow, link)),
                        name=f"gemeos-link-{link.name}",
                    )
            self.feed.publish(self._tell_phases())
            await self.applying.wound_up()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

    def close(self) -> None:
        """Let go of twins, threads and store. Everything acknowledged is durable already."""
        for twin in self._twins.values():
            twin.attach(None, None)
            twin.let_apply(None)
        self.applying.ledgers.close()
        self.scenarios.close()
        self.optimisations.close()
        self.hindcasts.close()
        self.compute.close()
        self.executor.close()
        for fleet in self._fleets:
            fleet.close()
        self.timeline.close()

    async def _follow(self, link: Link) -> None:
        """The path of one reading, for all of one link's."""
        context = await self.compute.on_path(self._context, link)
        async with link.open(context) as source:
            self._sources[link.name] = source
            try:
                async for arrival in source.arrivals():
                    await self._take_in(source, arrival)
            finally:
                del self._sources[link.name]
        if source.finished:
            self._ended.add(link.name)
            logger.info("link %s is finished", link.name)

    def _context(self, link: Link) -> LinkContext:
        """What the link has to know to open its source."""
        mine = tuple(
            b for t in self._twins.values() for b in t.bindings if b.series.link == link.name
        )
        numbers = [self.timeline.book.number(b.series) for b in mine]
        stored = self.timeline.latest(numbers, 2**62)
        return LinkContext(
            bindings=mine,
            units={
                (b.twin, b.variable): self.fleet(b.twin).schema.variable(b.variable).unit
                for b in mine
            },
            book=self.timeline.book,
            clock=self.clock,
            receipts=self.timeline.receipts(),
            newest=int(stored.valid_at.max()) if len(stored) else None,
        )

    async def _take_in(self, source: Source, arrival: Arrival) -> None:
        if arrival.plant_time is not None and isinstance(self.clock, ReplayClock):
            self.clock.follow(arrival.plant_time)
        commit = await self.compute.on_path(self._store, arrival)
        await source.acknowledge(arrival)
        changed = await self.compute.on_path(self._assimilate, arrival.readings, commit)
        self.feed.publish(changed)

    def _store(self, arrival: Arrival) -> Commit | None:
        """Make it durable; only now may it be acknowledged."""
        if not (len(arrival.readings) or arrival.refused or arrival.receipts):
            return None
        self.counted["commits"] += 1
        self.counted["refused"] += len(arrival.refused)
        return self.timeline.append(
            arrival.readings,
            known_at=self.clock.now(),
            refused=arrival.refused,
            receipts=arrival.receipts,
        )

    def _assimilate(self, readings: Readings, commit: Commit | None) -> set[str]:
        """Bring the twins that the readings concern to their new states."""
        changed: set[str] = set()
        for fleet in self._fleets:
            with self._lock:
                taken = fleet.take(readings, self.timeline.book, self._passing(fleet))
            changed.update(taken.changed)
            self._count(taken, commit)
            self._keep(fleet, taken)
            self.alerts.look(taken.changed)
        self.counted["readings"] += len(readings)
        return changed

    def _passing(self, fleet: Fleet) -> Passing:
        """Who looks on while its twins go by."""
        memory, witness = self._memory.passing(fleet), self.alerts.passing(fleet)
        return memory if witness is None else Together((memory, witness))

    def _count(self, taken: Taken, commit: Commit | None) -> None:
        self.counted["duplicates"] += taken.duplicates
        self.counted["too_late"] += len(taken.too_late)
        self.counted["rewinds"] += len(taken.rewound)
        events = []
        for twin, many in groupby(sorted(taken.too_late), key=lambda late: late[0]):
            times = [valid_at for _, valid_at in many]
            self._too_late[twin] += len(times)
            self._pending.add(twin, times[0])
            events.append(
                Event(
                    kind="late_reading",
                    twin=twin,
                    valid_at=times[0],
                    actor="runtime",
                    cause=f"commit {commit.number if commit else '-'}",
                    body={"readings": len(times), "oldest_us": times[0], "newest_us": times[-1]},
                )
            )
        self.timeline.put_events(events, known_at=self.clock.now())

    def _keep(self, fleet: Fleet, taken: Taken) -> None:
        """What is remembered of the twins that changed: rows, forecasts, states that are final."""
        now = self.clock.now()
        with self._lock:
            rows = self._memory.rows(taken.changed)
        self.timeline.put_summaries(rows, known_at=now)
        # Before states become final: what was due long ago is forecast from the states then.
        self.scores.renew(taken, now)
        with self._lock:
            settled = fleet.settle(self.site.keyframes_every)
        self.timeline.put_keyframes(
            [
                Keyframe(
                    twin=final.twin,
                    valid_at=int(final.state.tick[0]) * fleet.schema.step,
                    known_at=now,
                    model=fleet.identity,
                    state=packed(fleet, final.twin, final.state),
                )
                for final in settled
            ]
        )

    async def _look(self) -> None:
        """Watch the loop's lag, and tell when a phase changes."""
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(LOOK_EVERY_S)
            self.loop_lag_s = loop.time() - before - LOOK_EVERY_S
            self.feed.publish(await self.compute.on_path(self._tell_phases))
            await self.heal()

    async def heal(self) -> None:
        """Take in what came too late, twin by twin, beside the path until the last moment."""
        while (waiting := await self.compute.on_path(self._pending.take)) is not None:
            name, late = waiting
            boundary = await self.compute.on_path(self.fleet(name).boundary, name)
            if boundary is None or late > boundary:
                continue
            ahead = await self.compute.beside(
                rerun,
                self._twins[name],
                self.timeline,
                late=late,
                until=boundary,
                known_at=self.clock.now(),
                watched=self.alerts.watched(name),
            )
            await self.compute.on_path(self._exchange, ahead, late)
            self.feed.publish([name])

    def _exchange(self, ahead: Rerun, late: Instant) -> None:
        name, fleet = ahead.twin, self.fleet(ahead.twin)
        boundary = fleet.boundary(name)
        if boundary is not None and boundary > ahead.until:
            ahead = continued(ahead, self._twins[name], self.timeline, boundary)
        with self._lock:
            exchanged(ahead, fleet, self.timeline, self._passing(fleet))
            amended = self._memory.between(ahead.fleet, name, late, ahead.until)
            rows = self._memory.rows({name: ahead.until})
        now = self.clock.now()
        for row in (amended, *(r for _, r in rows)):
            if row is not None:
                self.timeline.put_summary(name, row, known_at=now)
        self.alerts.look([name], ahead.witness)
        self.timeline.put_event(
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

    def _tell_alert(self, twin: str) -> None:
        """From the path's thread to the loop's subscribers."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.feed.publish, [twin])

    def _tell_phases(self) -> set[str]:
        """Note which twins are in another phase than before; a silence changes one, too."""
        told = []
        for name, phase in chain.from_iterable(map(self.questions.phases, self._fleets)):
            before = self._phases.get(name)
            if phase is before:
                continue
            self._phases[name] = phase
            logger.info("%s is %s", name, phase.value)
            told.append(
                Event(
                    kind="phase",
                    twin=name,
                    valid_at=self.clock.now(),
                    actor="runtime",
                    cause="what is known of its readings",
                    body={"phase": phase.value, "before": before.value if before else None},
                )
            )
        self.timeline.put_events(told, known_at=self.clock.now())
        return {event.twin for event in told}


def fleets_of(twins: Sequence[Twin]) -> list[Fleet]:
    """Twins that differ in nothing but name, constants and bindings together, as declared."""
    groups: dict[tuple[str, int, int, int, Foresight], list[Twin]] = {}
    for twin in twins:
        alike = (twin.simulator.identity, twin.members, twin.seed, twin.horizon, twin.foresight)
        groups.setdefault(alike, []).append(twin)
    return [together(alike, horizon=alike[0].horizon) for alike in groups.values()]
