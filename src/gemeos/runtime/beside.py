"""A lane beside the path, for twins whose cycles take long.

What waits for it is durable already. It is held while it is little; beyond, only since when is
remembered, and the store is asked: a lane that falls behind goes through the stored readings as a
start does. A start is the same, with all that was stored behind the keyframes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from gemeos.ensemble.state import NEVER, TwinState
from gemeos.errors import AssimilationError, StoppedError
from gemeos.runtime.channels import Routes
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.lane import EVER, Lane, Running, cause_of, numbers_of
from gemeos.runtime.resume import restored
from gemeos.runtime.strand import Strand
from gemeos.runtime.taken import Taken
from gemeos.schema.reading import Quality, Readings
from gemeos.timeline.base import Commit, Event
from gemeos.units.instant import Instant, Span

MOST_HELD: Final = 20_000
"""Readings that wait without the store being asked for them."""
AT_ONCE: Final = 1000
"""Steps of event time that are read from the store together."""


@dataclass(frozen=True, slots=True)
class _Portion:
    """What is taken in before anybody sees the twins again."""

    readings: Readings
    known_at: Instant
    """With it all is taken in that was known by then."""
    commit: int | None = None
    """None: it was read from the store, and some of it may have been taken in before."""


@final
class Beside(Lane):
    """One fleet. ``heard`` belongs to the site's path, ``turn`` to the strand's."""

    def __init__(self, running: Running, fleet: Fleet, strand: Strand) -> None:
        """As ``Lane``, of a single fleet."""
        super().__init__(running, [fleet], strand)
        self._fleet = fleet
        self._routes = Routes(fleet.channels)
        self._shown = fleet.everyone()
        """What questions see: the states as they were before what is under way."""
        self._trouble: AssimilationError | None = None
        self._is_resuming = False
        self._unhealed: dict[str, Instant] = {}
        self._portions: deque[_Portion] = deque()
        self._awake = asyncio.Event()
        self._calm = asyncio.Event()
        self._news = threading.Condition()
        # Below: what it guards.
        self._held: deque[_Portion] = deque()
        self._many = 0
        self._behind: dict[str, Instant] = {}
        """By twin: what is valid after this is to be read from the store."""
        self._newest: dict[str, Instant] = {}
        self._known_at = running.clock.now()
        """It has heard of all that was known by then."""
        self._is_busy = False

    @property
    def is_idle(self) -> bool:
        """All that is stored has been taken in."""
        with self._news:
            return self._is_idle()

    def _is_idle(self) -> bool:
        return not (self._held or self._portions or self._behind or self._is_busy)

    def wait(self, timeout_s: float | None) -> bool:
        """Wait until it is idle; False if that took longer. For threads without a loop."""
        with self._news:
            return self._news.wait_for(self._is_idle, timeout_s)

    async def through(self) -> None:
        """Wait until it is through with what it was woken for, or stands still."""
        await self._calm.wait()

    def heard(self, readings: Readings, commit: Commit) -> None:
        """These are durable now; told in the order of commits."""
        fed = self._routes.fed(readings.series, self._running.timeline.book)
        mine = np.unique(fed.reading)
        fresh = (readings.quality != Quality.RETAINED)[fed.reading]
        # What drives a twin shows nobody that it is seen: it must not look less blind by it.
        sees = fresh & self._fleet.corrects[fed.twin, fed.channel]
        newest = self._by_twin(fed.twin[sees], readings.valid_at[fed.reading[sees]], max)
        with self._news:
            self._known_at = commit.known_at
            if not len(mine):
                return
            self._newest = _merged(self._newest, newest, max)
            self._held.append(_Portion(readings[mine], commit.known_at, commit.number))
            self._many += len(mine)
            if not self._behind and self._many <= MOST_HELD:
                return
            for each in self._held:
                self._behind = _merged(self._behind, self._oldest(each.readings), min)
            self._held.clear()
            self._many = 0

    def wake(self) -> None:
        """There may be something to take in. On the loop."""
        self._calm.clear()
        self._awake.set()

    def _oldest(self, readings: Readings) -> dict[str, Instant]:
        fed = self._routes.fed(readings.series, self._running.timeline.book)
        return self._by_twin(fed.twin, readings.valid_at[fed.reading] - 1, min)

    def _by_twin(
        self,
        twin: Int64[np.ndarray, " reading"],
        at: Int64[np.ndarray, " reading"],
        choose: Callable[[Instant, Instant], Instant],
    ) -> dict[str, Instant]:
        found: dict[str, Instant] = {}
        for place, instant in zip(twin.tolist(), at.tolist(), strict=True):
            name = self._fleet.names[place]
            found[name] = choose(instant, found.get(name, instant))
        return found

    @override
    def waiting(self, twin: str) -> Instant | None:
        with self._news:
            return None if self._is_idle() else self._newest.get(twin)

    @override
    def failure(self, twin: str) -> AssimilationError | None:
        return super().failure(twin) or self._trouble

    @override
    def snapshot(self, twin: str) -> TwinState:
        return self._shown.take([self._fleet.place(twin)])

    @override
    def everyone(self, fleet: Fleet) -> TwinState:
        return self._shown.take(range(len(fleet.names)))

    @override
    def resume(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Put twins back to their keyframes. The readings behind these are what waits first."""
        timeline = self._running.timeline
        twins = {name: self._running.twin(name) for name in self.names}
        keyframes = timeline.keyframes_newest(self.names)
        since = restored(self._fleet, timeline)
        for name, keyframe in keyframes.items():
            # Stored, and not taken in before the end: the store alone knows of it.
            mine = numbers_of({name: twins[name]}, timeline)
            late = timeline.changed_since(
                mine, keyframe.known_at - 1, keyframe.valid_at, known_by=None
            )
            if since[name] == keyframe.valid_at and late is not None:
                self._unhealed[name] = late
        latest = timeline.latest(numbers_of(twins, timeline), EVER)
        fed = self._routes.fed(latest.series, timeline.book)
        sees = self._fleet.corrects[fed.twin, fed.channel]
        newest = self._by_twin(fed.twin[sees], latest.valid_at[fed.reading[sees]], max)
        self._show(self._fleet)
        self._is_resuming = True
        with self._news:
            self._behind, self._newest = dict(since), newest
            self._known_at = self._running.clock.now()

    def _resumed(self) -> None:
        """Twins are where the stored readings led."""
        self._is_resuming = False
        self._running.scores.resume(self.names)
        self.pending.remembered(self.names, self._running.timeline)
        for name, late in self._unhealed.items():
            self.pending.add(name, late)

    async def follow(self, told: Callable[[Collection[str]], None]) -> None:
        """Take in what waits, whenever something does; ``told`` hears of twins that changed."""
        while True:
            self._awake.clear()
            try:
                while not self.is_idle:
                    told(await self.strand.on_path(self.turn))
            finally:
                self._calm.set()
            await self._awake.wait()

    def go_through(self) -> None:
        """Take in all that waits, while nobody follows."""
        while not self.is_idle:
            self.turn()

    def turn(self) -> Collection[str]:
        """Take in the next of what waits; answers who is another than before."""
        with self._news:
            self._is_busy = True
        try:
            return self._turned()
        finally:
            with self._news:
                self._is_busy = False
                self._news.notify_all()

    def _turned(self) -> Collection[str]:
        if not self._portions:
            self._find()
        changed: Collection[str] = ()
        if self._portions:
            try:
                changed = self._taken_in(self._portions[0])
            except StoppedError:
                raise
            except Exception as error:
                # It stands before what broke it, and is tried again; others need not know more.
                self._stands_still(error)
                raise
            self._trouble = None
            self._portions.popleft()
        with self._news:
            is_through = self._is_resuming and not (self._portions or self._behind)
        if is_through:
            self._resumed()
        return changed

    def _find(self) -> None:
        """The next portions, of what is held or out of the store."""
        with self._news:
            behind, self._behind = self._behind, {}
            known_at = self._known_at
            held = self._held.popleft() if self._held and not behind else None
            self._many -= 0 if held is None else len(held.readings)
        if held is not None:
            self._portions.extend(self._split(held))
        elif behind:
            self._portions.extend(self._split(_Portion(self._stored(behind, known_at), known_at)))

    def _stored(self, behind: Mapping[str, Instant], known_at: Instant) -> Readings:
        """The next readings behind those instants; the rest goes on waiting."""
        timeline, step = self._running.timeline, self._fleet.schema.step
        boundary = {name: self._fleet.boundary(name) for name in behind}
        final = {name: at for name, at in boundary.items() if at is not None}
        late = tuple((name, at + 1) for name, at in behind.items() if at < final.get(name, -EVER))
        if late:
            missed = Taken(changed={}, rewound=(), too_late=late, duplicates=0)
            self._count(missed, "readings that waited in the store")
            self._keep(self._fleet, missed, known_at)
        since = {name: max(at, final.get(name, at)) for name, at in behind.items()}
        numbers = numbers_of({name: self._running.twin(name) for name in since}, timeline)
        begin = min(since.values())
        if begin == -EVER:
            first = timeline.changed_since(numbers, -EVER, EVER, known_by=None)
            if first is None:
                # What is stored from here on is heard of: to look for it from the year 1970 on, a
                # thousand steps at a time, would take hours.
                return timeline.range(numbers, 0, 0)
            begin = first - 1
        newest = self._last_stored(numbers, EVER)
        until = begin + AT_ONCE * step
        readings = timeline.range(numbers, begin, until)
        if not len(readings) and until < newest:
            begin = self._before_next(numbers, begin, newest)
            until = begin + AT_ONCE * step
            readings = timeline.range(numbers, begin, until)
        if until < newest:
            rest = {name: max(at, until) for name, at in since.items()}
            with self._news:
                self._behind = _merged(self._behind, rest, min)
        return readings

    def _last_stored(self, numbers: Sequence[int], until: Instant) -> Instant:
        """The newest instant that something was read at, of those up to ``until``."""
        latest = self._running.timeline.latest(numbers, until)
        return int(latest.valid_at.max(initial=-EVER))

    def _before_next(self, numbers: Sequence[int], begin: Instant, newest: Instant) -> Instant:
        """The end of a silence that begins with a thousand steps behind ``begin``.

        It lies a whole number of a thousand steps behind ``begin``, so that whoever goes on from it
        takes in the same at once as if he had gone through the silence, too.
        """
        pace = AT_ONCE * self._fleet.schema.step
        silent, heard = 1, 2
        while begin + heard * pace < newest and self._is_silent(numbers, begin, heard * pace):
            silent, heard = heard, 2 * heard
        while heard - silent > 1:
            between = (silent + heard) // 2
            if self._is_silent(numbers, begin, between * pace):
                silent = between
            else:
                heard = between
        return begin + silent * pace

    def _is_silent(self, numbers: Sequence[int], begin: Instant, stretch: Span) -> bool:
        return self._last_stored(numbers, begin + stretch) <= begin

    def _split(self, whole: _Portion) -> Iterator[_Portion]:
        """What lies in the past at once, as it is gone through once; then instant by instant."""
        readings, step = whole.readings, self._fleet.schema.step
        if not len(readings):
            return
        newest = max((self._fleet.newest(n) or NEVER for n in self.names), default=NEVER)
        tick = np.maximum(-(-readings.valid_at // step), newest // step)
        order = np.argsort(tick, kind="stable")
        for some in np.split(order, np.flatnonzero(np.diff(tick[order])) + 1):
            yield replace(whole, readings=readings[some])

    def _taken_in(self, portion: _Portion) -> Collection[str]:
        fleet, alerts = self._fleet, self._running.alerts
        passing = self._passing(fleet)
        with self._lock:
            since = {} if self._trouble is None else fleet.go_on(passing)
            taken = fleet.take(portion.readings, self._running.timeline.book, passing)
        taken = replace(taken, changed=_merged(since, taken.changed, min))
        if portion.commit is None:
            # What was taken in before is none that came twice, nor one that came late.
            taken = replace(taken, too_late=(), duplicates=0)
        self._show(fleet)
        self._count(taken, cause_of(portion.commit))
        self._keep(fleet, taken, portion.known_at)
        if self._is_resuming:
            alerts.note(alerts.passing(fleet))
        else:
            alerts.look(taken.changed)
        return taken.changed

    @override
    def _show(self, fleet: Fleet) -> None:
        self._shown = fleet.everyone()

    def _stands_still(self, error: Exception) -> None:
        """Have it told at once: in the twins' phase, and in an event of each."""
        was, now = self._trouble, self._running.clock.now()
        self._trouble = AssimilationError(f"{', '.join(self.names)} stands still: {error}")
        if was is None:
            events = [
                Event(
                    kind="stands_still",
                    twin=name,
                    valid_at=now,
                    actor="runtime",
                    cause=str(error) or type(error).__name__,
                    body={},
                )
                for name in self.names
            ]
            self._running.timeline.put_events(events, known_at=now)


def _merged(
    one: Mapping[str, Instant],
    other: Mapping[str, Instant],
    choose: Callable[[Instant, Instant], Instant],
) -> dict[str, Instant]:
    both = dict(one)
    for name, at in other.items():
        both[name] = choose(at, both.get(name, at))
    return both
