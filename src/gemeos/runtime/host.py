"""A running site: the path of every reading, from its source to the states that it changes."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from concurrent import futures
from functools import partial
from threading import Lock

from gemeos.clock import Clock, ReplayClock, SystemClock
from gemeos.ensemble.state import TwinState
from gemeos.errors import AssimilationError, UnknownNameError
from gemeos.link.base import Arrival, Source
from gemeos.runtime.alerts import Alerts
from gemeos.runtime.apply import Applying
from gemeos.runtime.beside import Beside
from gemeos.runtime.compute import Compute
from gemeos.runtime.executors import Executors
from gemeos.runtime.feed import Feed
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.hindcasts import Hindcasts
from gemeos.runtime.lane import Lane, cause_of, fleets_of
from gemeos.runtime.optimisations import Optimisations
from gemeos.runtime.phase import Phase
from gemeos.runtime.plans import Plans
from gemeos.runtime.questions import Questions
from gemeos.runtime.scenarios import Scenarios
from gemeos.runtime.scores import Scores
from gemeos.runtime.site import Link, LinkContext, Replay, Site
from gemeos.runtime.strand import Strand
from gemeos.runtime.supervise import supervised
from gemeos.runtime.twin import Twin
from gemeos.runtime.twin_plans import TwinPlans
from gemeos.runtime.whatif import TwinWhatIfs
from gemeos.schema.reading import Readings
from gemeos.timeline.base import Commit, Event, Timeline
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
        fleets = fleets_of(site.twins)
        self._fleet_of = {name: f for f in fleets for name in f.names}
        self.scores = Scores(site.twins, self._fleet_of, timeline)
        self.alerts = Alerts(self, site.twins, self._tell_alert)
        self._path = Lane(self, [f for f in fleets if not f.takes_long], self.compute)
        self._beside = tuple(
            Beside(self, f, self.compute.strand(f.names[0])) for f in fleets if f.takes_long
        )
        self._lanes: tuple[Lane, ...] = (self._path, *self._beside)
        self._lane_of = {name: lane for lane in self._lanes for name in lane.names}
        self._counting = Lock()
        self._sources: dict[str, Source] = {}
        self._ended: set[str] = set()
        self._too_late: Counter[str] = Counter()
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

    @property
    def together(self) -> list[tuple[str, ...]]:
        """The names of twins by the threads that they have in common, the path's first."""
        return [lane.names for lane in self._lanes]

    def strand(self, twin: str) -> Strand:
        """The threads on which it is changed, asked and acted by."""
        return self._lane_of[self.twin(twin).name].strand

    def snapshot(self, twin: str) -> TwinState:
        """A copy of the twin's state at its newest reading that was taken in."""
        return self._lane_of[self.twin(twin).name].snapshot(twin)

    def everyone(self, fleet: Fleet) -> TwinState:
        """A copy of the states of all its twins."""
        return self._lane_of[fleet.names[0]].everyone(fleet)

    def state_at(self, twin: str, when: Instant) -> TwinState | None:
        """The twin's filtered state then; None where that lies before the horizon."""
        return self._lane_of[self.twin(twin).name].state_at(twin, when)

    def apart(self, twin: str) -> Fleet:
        """One more fleet of the twin alone, for which nothing comes too late."""
        return self._lane_of[self.twin(twin).name].apart(twin)

    def failure(self, twin: str) -> AssimilationError | None:
        """Why the twin stands still; None where it does not."""
        return self._lane_of[self.twin(twin).name].failure(twin)

    def waiting(self, twin: str) -> Instant | None:
        """``valid_at`` of its newest reading that corrects it, where stored ones wait."""
        return self._lane_of[self.twin(twin).name].waiting(twin)

    def is_finished(self, twin: str) -> bool:
        """Every source that the twin is bound to ended, and what they brought is taken in."""
        links = {b.series.link for b in self.twin(twin).bindings}
        return bool(links) and links <= self._ended and self.waiting(twin) is None

    def count(self, what: str, many: int) -> None:
        """Note what happened to so many readings."""
        with self._counting:
            self.counted[what] += many

    def too_late_by(self, twin: str, many: int) -> None:
        """So many readings of the twin came too late."""
        with self._counting:
            self._too_late[twin] += many

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

        Those that take long are put back to their keyframes, and go on from there while the site
        runs: nobody waits for them. ``progress`` is told how many readings of how many have been
        gone through.
        """
        newest = self.timeline.latest(None, 2**62)
        if isinstance(self.clock, ReplayClock) and len(newest):
            self.clock.follow(int(newest.valid_at.max()))
        self.alerts.resume()
        for lane in self._lanes:
            lane.resume(progress)
        self.applying.resume()

    async def run(self) -> None:
        """Follow every link until all end."""
        self._loop = asyncio.get_running_loop()
        for told in self.site.idle_limits:
            logger.warning("%s", told)
        what_ifs = TwinWhatIfs(self.scenarios, self.optimisations, self.hindcasts, self.alerts)
        plans = partial(TwinPlans, self)
        for twin in self._twins.values():
            twin.attach(self.questions, what_ifs)
            twin.let_apply(plans)
        beside = (
            *(
                asyncio.create_task(
                    supervised(of, partial(run, self.feed.publish)), name=f"gemeos-{of}"
                )
                for lane in self._beside
                for of, run in (
                    (f"following {', '.join(lane.names)}", lane.follow),
                    (f"healing {', '.join(lane.names)}", partial(self._mend, lane)),
                )
            ),
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
            for lane in self._beside:
                await lane.through()
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
        for lane in self._lanes:
            lane.halt()
        self.compute.close()
        self.executor.close()
        for lane in self._lanes:
            lane.close()
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
        for lane in self._beside:
            lane.wake()
        changed = await self.compute.on_path(self._assimilate, arrival.readings, commit)
        self.feed.publish(changed)

    def _store(self, arrival: Arrival) -> Commit | None:
        """Make it durable; only now may it be acknowledged."""
        if not (len(arrival.readings) or arrival.refused or arrival.receipts):
            return None
        self.count("commits", 1)
        self.count("refused", len(arrival.refused))
        commit = self.timeline.append(
            arrival.readings,
            known_at=self.clock.now(),
            refused=arrival.refused,
            receipts=arrival.receipts,
        )
        for lane in self._beside:
            lane.heard(arrival.readings, commit)
        return commit

    def _assimilate(self, readings: Readings, commit: Commit | None) -> set[str]:
        """Bring the twins of the path that the readings concern to their new states."""
        changed = self._path.take(readings, cause_of(commit.number if commit else None))
        self.count("readings", len(readings))
        return changed

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
        """Take in what came too late for the twins of the path."""
        await self._path.heal(self.feed.publish)

    async def _mend(self, lane: Beside, told: Callable[[Collection[str]], None]) -> None:
        """The same for those beside it, again and again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await lane.heal(told)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until all that is stored is taken in beside the path, too; False if it took longer.

        For threads other than the loop's.
        """
        return all(lane.wait(timeout_s) for lane in self._beside)

    def catch_up(self, timeout_s: float) -> bool:
        """Have those beside the path go through what is stored; False if it takes longer.

        For a site that is asked and not run. Whoever cannot go on says so where it is asked.
        """
        going = [lane.strand.path(lane.go_through) for lane in self._beside]
        return not futures.wait(going, timeout_s).not_done

    def _tell_alert(self, twin: str) -> None:
        """From the path's thread to the loop's subscribers."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.feed.publish, [twin])

    def _all_phases(self) -> Iterator[tuple[str, Phase]]:
        for lane in self._lanes:
            for fleet in lane.fleets:
                yield from self.questions.phases(fleet)

    def _tell_phases(self) -> set[str]:
        """Note which twins are in another phase than before; a silence changes one, too."""
        told = []
        for name, phase in self._all_phases():
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
