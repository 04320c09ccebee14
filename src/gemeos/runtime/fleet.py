"""Twins of one type, kept in step: readings in, states by event time out.

A fleet is driven by one thread at a time; ``state_at`` may be asked on any. What it holds is a
function of the readings that it took in, never of the order in which they came (contract 1): a
reading that lies in the past rewinds its twin to a kept state before it, and everything after it is
gone through again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import RLock

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, UInt64

from gemeos.assimilate.base import Follows
from gemeos.ensemble.noise import twin_key
from gemeos.ensemble.state import NEVER, TwinState, newborn
from gemeos.errors import AssimilationError, SchemaError, TooFewMembersError, UnknownNameError
from gemeos.foresee.forecast import Path
from gemeos.foresee.issue import readings_ahead
from gemeos.foresee.once import Once
from gemeos.runtime.channels import Bound, Routes, channels_of
from gemeos.runtime.checkpoint import Checkpoints
from gemeos.runtime.enrolment import Enrolment, consts_of
from gemeos.runtime.lookback import Lookback, Through
from gemeos.runtime.school import Foresight, school
from gemeos.runtime.taken import Looking, Passing, Settled, Taken
from gemeos.runtime.window import Windows, rows_of
from gemeos.schema.reading import LARGEST, Quality, Readings, SeriesBook
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Crew
from gemeos.units.instant import Instant, Span


class Fleet:
    """Twins of one model and filter, as one array."""

    def __init__(
        self,
        cycle: Follows,
        enrolled: Sequence[Enrolment],
        *,
        members: int,
        seed: int,
        horizon: Span,
        foresight: Foresight | None = None,
    ) -> None:
        """Twins before their first reading.

        Args:
            cycle: The model with its filter.
            enrolled: The twins; their order in arrays.
            members: Size of each ensemble; at least 3.
            seed: Of all noise, together with each twin's name.
            horizon: How far back, in event time, a late reading is taken in.
            foresight: What forecasts rest on beside the model; by default nothing.

        Raises:
            SchemaError: a constant is missing or unknown, or a binding does not fit.
        """
        if members < 3:
            raise SchemaError(
                f"An ensemble needs at least 3 members to have a spread; not {members}."
            )
        self.cycle = cycle
        self.schema: Schema = cycle.stepper.schema
        self.names = tuple(e.name for e in enrolled)
        self.members = members
        self.horizon = horizon
        self._place = {name: i for i, name in enumerate(self.names)}
        if len(self._place) != len(self.names):
            raise SchemaError(f"Two twins of one name among {', '.join(sorted(self.names))}.")
        self.channels = tuple(channels_of(self.schema, e.name, e.bindings) for e in enrolled)
        self._routes = Routes(self.channels)
        keys = np.array([twin_key(seed, e.name) for e in enrolled], np.uint64)
        consts = np.array([consts_of(self.schema, e) for e in enrolled], self.schema.precision)
        self.crew = Crew(self.names, keys, consts.reshape(len(enrolled), len(self.schema.consts)))
        self.channel_rows = max((len(c) for c in self.channels), default=0)
        """Rows of monitors that each twin has: as many as the one with most channels needs."""
        self.school = school(
            cycle.stepper,
            foresight or Foresight(),
            self.channels,
            foretell=Once() if cycle.takes_long else readings_ahead,
        )
        self._live = self._newborn(keys)
        self._checkpoints = Checkpoints(self._live)
        self._windows = Windows(len(enrolled), self.schema.step)
        bound = Bound(self.schema, self.channels)
        self.corrects: Bool[np.ndarray, "twin channel"] = bound.corrects
        """See ``Bound``."""
        self._through = Through(cycle, self.school, self.crew, bound, self._windows)
        self._lookback = Lookback(self._through, self._checkpoints)
        self._past = RLock()
        """Guards what questions of the past look at: kept states and readings. Never held for as
        long as members move."""
        self._rewound: dict[int, int] = {}
        """Where twins stood that are on their way back there."""
        self._failures: dict[int, tuple[int, AssimilationError]] = {}

    def _newborn(self, keys: UInt64[np.ndarray, " some"]) -> TwinState:
        return newborn(
            self.schema,
            keys,
            members=self.members,
            channels=self.channel_rows,
            unlearned=self.school.unlearned,
            room=self.cycle.room,
        )

    @property
    def takes_long(self) -> bool:
        """Whether it has to be kept in step apart from other twins."""
        return self.cycle.takes_long

    def halt(self) -> None:
        """Have what it is at end soon, with ``StoppedError``, and all that is asked afterwards."""
        self.cycle.halt()

    def close(self) -> None:
        """Let go of processes that move members, where there are any."""
        self.cycle.close()

    @property
    def identity(self) -> str:
        """Hash of model, filter, lessons and memories: what an estimate rests on."""
        return f"{self.cycle.identity}{self.school.identity}"

    def place(self, twin: str) -> int:
        """The twin's place in arrays.

        Raises:
            UnknownNameError: no such twin.
        """
        try:
            return self._place[twin]
        except KeyError:
            raise UnknownNameError("twin", twin, self._place) from None

    def genesis(self, twin: str) -> TwinState:
        """The twin before its first reading."""
        return self._newborn(self.crew.keys[[self.place(twin)]])

    def restore(self, twins: Sequence[str], state: TwinState) -> None:
        """Begin again from final states (keyframes), one a twin; readings up to them come too late.

        ``runtime.keyframe.unpacked`` gives them the fleet's rows of monitors.
        """
        places = np.array([self.place(twin) for twin in twins])
        self._live.put(places, state)
        with self._past:
            self._checkpoints.restore(places, state)
            for place in places.tolist():
                self._windows.forget(place)
                self._rewound.pop(place, None)

    def state(self, twin: str) -> TwinState:
        """A copy of the twin's state at its newest reading."""
        return self._live.take([self.place(twin)])

    def monitors(self, twin: str) -> Float64[np.ndarray, "channel monitor"]:
        """A copy of what is remembered of each of the twin's channels."""
        place = self.place(twin)
        return self._live.monitors[place, : len(self.channels[place])].copy()

    def everyone(self) -> TwinState:
        """A copy of the states of all twins at their newest readings, in the order of names."""
        return self._live.take(range(len(self.names)))

    def boundary(self, twin: str) -> Instant | None:
        """The instant at or before which readings come too late; None while none does."""
        tick = int(self._checkpoints.boundary[self.place(twin)])
        return None if tick == NEVER else tick * self.schema.step

    def newest(self, twin: str) -> Instant | None:
        """The grid instant of the twin's newest reading; None before the first."""
        tick = int(self._live.tick[self.place(twin)])
        return None if tick == NEVER else tick * self.schema.step

    @property
    def checkpoints_held(self) -> Int64[np.ndarray, " twin"]:
        """How many earlier states of each twin are kept."""
        return self._checkpoints.held

    def state_at(self, twin: str, at: Instant) -> TwinState | None:
        """The filtered state at the first grid instant not before ``at``, from readings up to it.

        None where ``at`` lies before the horizon: the timeline has to be asked. What the twin has
        not gone through yet is not gone through here: nobody waits for an instant that takes long.
        """
        place = self.place(twin)
        with self._past:
            # One that stands still says why: at the instant that broke it.
            reached = None if place in self._failures else self._reached(place)
            way = self._lookback.way(place, at, reached)
        return None if way is None else self._lookback.gone(way)

    def ahead(self, twin: str, state: TwinState, moved: TwinState) -> TwinState:
        """``moved``, which is ``state`` of the twin moved on without readings, to ask."""
        return self.school.ahead(np.array([self.place(twin)]), state, moved)

    def followed(self, twin: str, ticks: Sequence[int], within: int) -> list[int]:
        """Those of the ticks at which a reading is applied, or at most ``within`` steps after."""
        asked = np.array(ticks, np.int64)
        if len(asked) == 0:
            return []
        heard = np.array(self._windows.ticks(self.place(twin), int(asked.min())), np.int64)
        behind = np.append(heard, NEVER)[np.searchsorted(heard, asked)]
        return asked[(behind != NEVER) & (behind <= asked + within)].tolist()

    def states_at(self, twin: str, ticks: Sequence[int]) -> Iterator[TwinState]:
        """The filtered states at rising grid instants, gone through once.

        Those before the horizon are left out; one before the first reading is unborn.
        """
        return (state for _, state in self.states_together({twin: ticks}))

    def states_together(
        self, asked: Mapping[str, Sequence[int]]
    ) -> Iterator[tuple[tuple[str, ...], TwinState]]:
        """``states_at`` of several twins at once, each at rising grid instants of its own.

        Yields:
            Names and states: each twin's first instant, then each one's second, and so on.
        """
        places = {self.place(name): ticks for name, ticks in asked.items()}
        for twins, state in self._lookback.together(places, self._live):
            yield tuple(self.names[t] for t in twins.tolist()), state

    def take(self, readings: Readings, book: SeriesBook, passing: Passing | None = None) -> Taken:
        """Take readings in, in whatever order they came; ``passing`` looks on."""
        with self._past:
            taken, dirty = self._put(readings, book)
        self._follow(dirty, passing)
        return taken

    def exchange(
        self,
        twin: str,
        state: TwinState,
        readings: Readings,
        book: SeriesBook,
        passing: Passing | None = None,
    ) -> None:
        """``restore`` one twin, and ``take`` what lies behind that state.

        To whoever asks for the past meanwhile the twin reaches as far as before.
        """
        place = self.place(twin)
        with self._past:
            reached = self._reached(place)
            self.restore([twin], state)
            _, dirty = self._put(readings, book)
            self._rewound[place] = reached
        self._follow(dirty, passing)
        self._rewound.pop(place, None)

    def _reached(self, place: int) -> int:
        """How far the twin has gone through its readings, once at least."""
        return max(int(self._live.tick[place]), self._rewound.get(place, NEVER))

    def _put(self, readings: Readings, book: SeriesBook) -> tuple[Taken, Mapping[int, int]]:
        """Put readings at their places, and twins back to before the first that is new.

        Also answers the first ticks of twins, by their places, at which something changed.
        """
        fed = self._routes.fed(readings.series, book)
        valid_at = readings.valid_at[fed.reading]
        fresh = (readings.quality != Quality.RETAINED)[fed.reading] & (valid_at >= fed.since)
        tick = -(-valid_at // self.schema.step)
        late = fresh & (tick <= self._checkpoints.boundary[fed.twin])
        too_late = [
            (self.names[twin], at)
            for twin, at in zip(fed.twin[late].tolist(), valid_at[late].tolist(), strict=True)
        ]
        which = fresh & ~late
        taken = fed.reading[which]
        inserted = self._windows.insert(
            fed.twin[which],
            rows_of(
                fed.channel[which],
                readings.sample[taken],
                valid_at[which],
                readings.valid_from[taken],
                readings.revision[taken],
                (readings.quality[taken] == Quality.GOOD)
                & (np.abs(readings.value[taken]) <= LARGEST),
                readings.value[taken],
            ),
        )
        dirty = inserted.since
        taken = Taken(
            changed={self.names[t]: dirty[t] * self.schema.step for t in sorted(dirty)},
            rewound=tuple(self.names[t] for t in self._taken_back(dirty)),
            too_late=tuple(too_late),
            duplicates=inserted.duplicates,
        )
        return taken, dirty

    def go_on(self, passing: Passing | None = None) -> Mapping[str, Instant]:
        """Bring on who was kept from it by what was raised, and answer since when they changed."""
        held = {t: self._windows.ticks(t, int(tick) + 1) for t, tick in enumerate(self._live.tick)}
        dirty = {t: ticks[0] for t, ticks in held.items() if ticks and t not in self._failures}
        self._follow(dirty, passing)
        return {self.names[t]: dirty[t] * self.schema.step for t in sorted(dirty)}

    def _taken_back(self, dirty: Mapping[int, int]) -> list[int]:
        """Bring dirty twins back to before their first changed tick; answers who had to."""
        for twin, tick in dirty.items():
            # It stands before the step that broke it; a change up to there may lead elsewhere.
            if twin in self._failures and tick <= self._failures[twin][0]:
                del self._failures[twin]
        twins = np.fromiter(dirty, np.int64, len(dirty))
        since = np.fromiter(dirty.values(), np.int64, len(dirty))
        back = self._live.tick[twins] >= since
        if back.any():
            who, to = twins[back], since[back]
            self._rewound.update((t, self._reached(t)) for t in who.tolist())
            earlier = self._checkpoints.before(who, to)
            self._live.put(who, earlier)
            self._checkpoints.rewound(who, earlier.cycles)
        return sorted(twins[back].tolist())

    def _follow(self, dirty: Mapping[int, int], passing: Passing | None) -> None:
        """Bring the dirty twins to their newest readings."""
        twins = np.array(sorted(dirty), np.int64)
        pending = [
            (t, self._windows.ticks(t, tick + 1))
            for t, tick in zip(twins.tolist(), self._live.tick[twins].tolist(), strict=True)
        ]
        turn = 0
        while True:
            now = [
                (t, ticks[turn])
                for t, ticks in pending
                if turn < len(ticks) and t not in self._failures
            ]
            if not now:
                break
            going = np.array([t for t, _ in now], np.int64)
            look = None if passing is None else Looking(passing, dirty)
            self._cycle(going, [tick for _, tick in now], look)
            turn += 1
        if self._rewound:
            for twin in dirty:
                self._rewound.pop(twin, None)

    def _cycle(
        self, twins: Int64[np.ndarray, " some"], ticks: Sequence[int], look: Looking | None
    ) -> None:
        read = self._through.read(twins, ticks)
        # All of them in their order, as ever when all report at once, need not be copied.
        everyone = len(twins) == len(self.names)
        state = self._live if everyone else self._live.take(twins)
        try:
            if look is not None:
                look.at(twins, state, read.tick)
            after = self._through.after(twins, state, read)
        except TooFewMembersError as error:
            self._one_by_one(twins, ticks, look, error)
            return
        with self._past:
            self._checkpoints.save(twins, state)
        if everyone:
            self._live = after
        else:
            self._live.put(twins, after)

    def _one_by_one(
        self,
        twins: Int64[np.ndarray, " some"],
        ticks: Sequence[int],
        look: Looking | None,
        error: TooFewMembersError,
    ) -> None:
        """One of these twins has no estimate any more: find it, and let the others go on."""
        if len(twins) == 1:
            self._failures[int(twins[0])] = (ticks[0], error)
            return
        for place, twin in enumerate(twins):
            self._cycle(np.array([twin]), [ticks[place]], look)

    def failure(self, twin: str) -> AssimilationError | None:
        """Why the twin stands still: too many members failed. A correction may mend it."""
        return self._failures.get(self.place(twin), (0, None))[1]

    def corrected(
        self,
        twins: Sequence[str],
        states: TwinState,
        variable: str,
        members: Float64[np.ndarray, "state lead member"],
    ) -> Float64[np.ndarray, "state lead level"]:
        """Forecasts at the scored leads as earlier ones taught to read them; see ``School``.

        ``twins`` names the one of each state. Of twins that are not held to their forecasts: no
        levels.
        """
        places = np.array([self.place(twin) for twin in twins], np.int64)
        return self.school.corrected(places, states, variable, members)

    def told_as_learned(
        self, twin: str, state: TwinState, path: Path
    ) -> tuple[Float[np.ndarray, "time variable member"], tuple[str, ...]]:
        """A forecast with its scored sensors as they will be read, and their names."""
        return self.school.told(self.place(twin), state, path)

    def settle(self, every: Span) -> list[Settled]:
        """Make states final that have left the horizon, where the last such is ``every`` older.

        Returns:
            The states at the new boundaries, to be stored; readings up to them are forgotten here.
        """
        step = self.schema.step
        boundary = self._checkpoints.boundary
        newest = self._live.tick
        final = np.where(newest == NEVER, NEVER, newest - self.horizon // step)
        # Before the first boundary its first reading counts, not its birth: recovery renews that.
        first = np.array(
            [self._windows.first(t, otherwise=NEVER) for t in range(len(self.names))], np.int64
        )
        oldest = np.where(boundary == NEVER, first, boundary)
        due = (newest != NEVER) & (oldest != NEVER) & (final - oldest >= every // step)
        who = np.flatnonzero(due)
        if len(who) == 0:
            return []
        settled = []
        with self._past:
            state = self._checkpoints.settle(who, final[who])
            for i, twin in enumerate(who):
                if state.tick[i] == boundary[twin]:
                    continue
                self._windows.forget(int(twin), int(state.tick[i]))
                settled.append(Settled(self.names[twin], state.take([i])))
        return settled
