"""Where twins of a fleet stood: gone to anew, from the nearest state before that is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from jaxtyping import Int64

from gemeos.assimilate.base import Follows
from gemeos.assimilate.observe import Observed
from gemeos.ensemble.state import NEVER, TwinState
from gemeos.runtime.channels import Bound
from gemeos.runtime.checkpoint import Checkpoints
from gemeos.runtime.school import School
from gemeos.runtime.window import Rows, Windows
from gemeos.simulate.base import Crew
from gemeos.units.instant import Instant


@final
@dataclass(frozen=True, slots=True, eq=False)
class Through:
    """How states come through readings; the same on every way, live or looked back."""

    cycle: Follows
    school: School
    crew: Crew
    bound: Bound
    windows: Windows

    def read(self, twins: Int64[np.ndarray, " some"], ticks: Sequence[int]) -> Observed:
        """What is read of twins at instants, one a twin."""
        return self.bound.gathered(twins, ticks, *self.windows.at(twins.tolist(), ticks))

    def after(
        self, twins: Int64[np.ndarray, " some"], state: TwinState, read: Observed
    ) -> TwinState:
        """Those twins after the readings of an instant, and after what lay before it."""
        crew = self.crew if len(twins) == len(self.crew.keys) else self.crew.take(twins)
        return self.cycle(self.school.caught_up(twins, state, crew, read.tick), crew, read)


class Way(NamedTuple):
    """From a kept state of one twin to an instant."""

    twin: Int64[np.ndarray, "1"]
    state: TwinState
    steps: Sequence[tuple[int, Int64[np.ndarray, " row"], Rows]]
    """Instants with readings on the way."""
    until: int


@final
class Lookback:
    """See the module. Twins are told by their places."""

    def __init__(self, through: Through, checkpoints: Checkpoints) -> None:
        """``checkpoints`` has the kept states; they and the windows belong to the fleet."""
        self._through = through
        self._windows = through.windows
        self._checkpoints = checkpoints

    def way(self, place: int, at: Instant, reached: int | None) -> Way | None:
        """How to get to the first grid instant not before ``at``, from readings up to it.

        Nothing is moved, but what others change is looked at: a moment for the fleet's lock.

        Args:
            place: The twin's.
            at: The instant.
            reached: No reading after that tick is gone through; None for no such end.

        Returns:
            None where ``at`` lies before the horizon.
        """
        one, until = np.array([place]), self._windows.tick(at)
        if until <= int(self._checkpoints.boundary[place]):
            return None
        state = self._checkpoints.before(one, np.array([until]))
        last = until if reached is None else min(until, reached)
        since = int(state.tick[0]) + 1 if state.tick[0] != NEVER else NEVER
        steps = []
        for tick in self._windows.ticks(place, since):
            if tick > last or not self._windows.is_reached(place, tick, at):
                break
            steps.append((tick, *self._windows.at([place], [tick], until=at)))
        return Way(one, state, steps, until)

    def gone(self, way: Way) -> TwinState:
        """The state at its end; unborn where no reading lies before. As long as it takes."""
        twin, state, steps, until = way
        through = self._through
        for tick, of, rows in steps:
            state = through.after(twin, state, through.bound.gathered(twin, [tick], of, rows))
        if state.born[0] == NEVER:
            return state
        moved = through.cycle.stepper.advance(state, through.crew.take(twin), np.array([until]))
        return through.school.ahead(twin, state, moved)

    def together(
        self, asked: Mapping[int, Sequence[int]], live: TwinState
    ) -> Iterator[tuple[Int64[np.ndarray, " some"], TwinState]]:
        """Filtered states of several twins at once, each at rising grid instants of its own.

        Those before the horizon are left out; one before the first reading is unborn.

        Args:
            asked: Ticks by place.
            live: Where all twins stand.

        Yields:
            Places and states: each twin's first instant, then each one's second, and so on.
        """
        boundary = self._checkpoints.boundary
        behind: dict[int, deque[int]] = {}
        for place, ticks in asked.items():
            after = deque(t for t in ticks if t > int(boundary[place]))
            if after:
                behind[place] = after
        twins = np.array(sorted(behind), np.int64)
        if not len(twins):
            return
        first = np.array([behind[t][0] for t in twins.tolist()], np.int64)
        state = self._checkpoints.before(twins, first)
        there = np.flatnonzero(live.tick[twins] <= first)
        if len(there):
            # Where it stands already needs no way there.
            state.put(there, live.take(twins[there]))
        pending = [
            deque(self._windows.ticks(t, tick + 1 if tick != NEVER else NEVER))
            for t, tick in zip(twins.tolist(), state.tick.tolist(), strict=True)
        ]
        moved = state
        while len(twins):
            until = np.array([behind[t].popleft() for t in twins.tolist()], np.int64)
            state, moved = self._brought(twins, state, moved, pending, until)
            yield twins, self._through.school.ahead(twins, state, moved)
            more = [i for i, t in enumerate(twins.tolist()) if behind[t]]
            if len(more) < len(twins):
                state, moved, twins = state.take(more), moved.take(more), twins[more]
                pending = [pending[i] for i in more]

    def _brought(
        self,
        twins: Int64[np.ndarray, " some"],
        state: TwinState,
        moved: TwinState,
        pending: Sequence[deque[int]],
        until: Int64[np.ndarray, " some"],
    ) -> tuple[TwinState, TwinState]:
        """``state`` of those twins after their ``pending`` instants up to ``until``, and there.

        Two states: what goes through readings must stand where the last one left it, as the live
        twin does; where it was ``moved`` on from there, the next way without readings begins.
        """
        through = self._through
        while True:
            due = [i for i, ticks in enumerate(pending) if ticks and ticks[0] <= until[i]]
            if not due:
                break
            some, ticks = twins[due], [pending[i].popleft() for i in due]
            after = through.after(some, state.take(due), through.read(some, ticks))
            state, moved = _exchanged(state, due, after), _exchanged(moved, due, after)
        born = np.flatnonzero(state.born != NEVER)
        if len(born) == 0:
            return state, moved
        ahead = through.cycle.stepper.advance(
            moved.take(born), through.crew.take(twins[born]), until[born]
        )
        return state, _exchanged(moved, born.tolist(), ahead)


def _exchanged(state: TwinState, places: Sequence[int], by: TwinState) -> TwinState:
    """``state`` with those at ``places`` exchanged; nothing of ``state`` itself is written to."""
    if len(places) == len(state):
        return by
    whole = state.take(range(len(state)))
    whole.put(places, by)
    return whole
