"""A twin that somebody else's simulator moves, kept in step by a window that slides.

Its state cannot be written, so no reading corrects it at once. At each instant the members are
moved on, what was read is compared with what they would have read, and kept. Whenever a stride of
time is over, the parameters are fitted to all that was read within the window, and each member is
run again, from where the window begins to now, with the parameters that it then has: that is the
present. Between two strides the parameters walk as they are declared to drift.

So each reading is used in as many windows as the window has strides; the errors count so many
times as much in each (``sliding``). What tells a broken sensor from a model that drifts is the
same as for every other twin: a filter is asked what it would make of each instant, and its answer
is remembered of the channels alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from gemeos.assimilate.analyst import InNumpy, Met, met_with
from gemeos.assimilate.bound import limits
from gemeos.assimilate.bridge import Bridge
from gemeos.assimilate.cycle import born, driven_by
from gemeos.assimilate.es_mda import Draws, EsMda
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.assimilate.fault import lost
from gemeos.assimilate.observe import Observed
from gemeos.assimilate.observed import Observed as Window
from gemeos.assimilate.parts import part
from gemeos.assimilate.recover import recovered
from gemeos.assimilate.sliding import SlidingWindow, Walked
from gemeos.assimilate.temper import tempered
from gemeos.ensemble.simulation import Simulation
from gemeos.ensemble.state import NEVER, Told, TwinState, WindowRoom, joined
from gemeos.errors import AssimilationError, TooFewMembersError
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Crew, Steps
from gemeos.simulate.outcome import LEAST_LIVING

Natural = Float[np.ndarray, "param member"]
Simulations = Shaped[np.ndarray, " member"]


class Reruns(Steps, Protocol):
    """Moves members that can be run again from where they stood."""

    def begun(self, state: TwinState, crew: Crew) -> TwinState:
        """Twins that are born, with simulations where they had none."""
        ...

    def ran(
        self,
        simulations: Simulations,
        params: Natural,
        driven: Float64[np.ndarray, "step driven"],
        since: int,
    ) -> Float64[np.ndarray, "step output member"]:
        """What members would give at each step with these params held; NaN of those that fail.

        Nothing of it is kept.
        """
        ...

    def went(
        self,
        simulations: Simulations,
        params: Natural,
        driven: Float64[np.ndarray, "step driven"],
        since: int,
    ) -> tuple[Simulations, Float64[np.ndarray, "output member"]]:
        """Where members come to, None of those that fail, and their outputs there."""
        ...

    def takes(self, simulation: Simulation) -> bool:
        """Whether members can go on from it."""
        ...

    def halt(self) -> None:
        """Have runs under way end soon, with ``StoppedError``."""
        ...

    def close(self) -> None:
        """Let go of processes."""
        ...


@dataclass(frozen=True)
class WindowedCycle:
    """Implements ``base.Follows``."""

    stepper: Reruns
    model: str
    """Identity of the model."""
    window: int
    """In steps."""
    stride: int
    """In steps; the window is a whole number of them."""
    smoother: EsMda
    bridge: Bridge | None = None
    """How members are chosen before each fit; None for not at all."""
    average: int = 1
    """Steps over which the readings of a channel are averaged before they are fitted."""
    counts: tuple[float, ...] = ()
    """Of each sensor the size of one count, where what it reads comes by chance, as vehicles do;
    0 of the others."""
    reach: Float64[np.ndarray, "param sensor"] | None = None
    """Share of its gain that a reading of a sensor may have on a parameter; None for all."""

    @property
    def identity(self) -> str:
        """As the port says."""
        told = f"{self.window}/{self.stride}/{self.average}/{self.counts}"
        if self.bridge is not None:
            told += f"/{self.bridge.identity}"
        if self.reach is not None:
            told += f"/{hashlib.sha256(self.reach.tobytes()).hexdigest()[:16]}"
        return f"{self.model}+windowed/{told}/{self.smoother.identity}+{self.analyst.identity}"

    @property
    def room(self) -> WindowRoom:
        """A stride more than the window: what ends one may come late."""
        return WindowRoom(places=2, slots=self.window + self.stride)

    @cached_property
    def schema(self) -> Schema:
        """What is declared."""
        return self.stepper.schema

    @cached_property
    def analyst(self) -> InNumpy:
        """Says what a filter would make of an instant."""
        params = range(len(self.schema.states), len(self.schema.estimated))
        return InNumpy(SerialSquareRoot(tuple(params)), self.schema, self.counts)

    @cached_property
    def _sliding(self) -> SlidingWindow:
        # The stepper has them walk already.
        params = tuple(replace(p, drift=0.0) for p in self.schema.params)
        length, uses = self.stride * self.schema.step, self.window // self.stride
        return SlidingWindow(params, length, uses, self.smoother, self.bridge)

    def takes(self, simulation: Simulation) -> bool:
        """As the port says."""
        return self.stepper.takes(simulation)

    @property
    def takes_long(self) -> bool:
        """As the port says: a fit runs each member through the window several times."""
        return True

    def halt(self) -> None:
        """As the port says."""
        self.stepper.halt()

    def close(self) -> None:
        """As the port says."""
        self.stepper.close()

    def __call__(self, state: TwinState, crew: Crew, read: Observed) -> TwinState:
        """As the port says."""
        each = (slice(i, i + 1) for i in range(len(state)))
        return joined([self._cycled(part(state, i), crew.part(i), part(read, i)) for i in each])

    def _cycled(self, state: TwinState, crew: Crew, read: Observed) -> TwinState:
        """One twin. What is held of a channel rests on the readings before this instant."""
        since = int(state.tick[0])
        if state.born[0] == NEVER:
            return self._waited(state, crew, read)
        before, state = self._forecast(state, crew, read)
        state = recovered(self.schema, state, crew, lost(state.monitors))
        state = self._kept(state, read, met_with(self.stepper, before, state, crew, read))
        state = self._watched(before, state, crew, read)
        over = int(state.tick[0]) // self.stride > since // self.stride
        return self._fitted(state, crew) if over else state

    def _waited(self, state: TwinState, crew: Crew, read: Observed) -> TwinState:
        """A twin that is not born yet, and may be now."""
        driven = driven_by(driven_by(state.driven, read.driven_before), read.driven_after)
        state = replace(state, tick=read.tick, driven=driven, cycles=state.cycles + 1)
        state = self.stepper.begun(born(state, read), crew)
        return self._watched(state, state, crew, read)

    def _watched(
        self, before: TwinState, state: TwinState, crew: Crew, read: Observed
    ) -> TwinState:
        """With what a filter's analysis tells of channels and of drift; members stay."""
        told = self.analyst(self.stepper, before, state, crew, read)
        return replace(
            state,
            monitors=told.monitors,
            drift=told.drift,
            assimilated=told.assimilated,
            relaxation=told.relaxation,
        )

    def _forecast(
        self, state: TwinState, crew: Crew, read: Observed
    ) -> tuple[TwinState, TwinState]:
        """The twin one step before ``read.tick``, and at it, with what drove it noted."""
        tick = int(read.tick[0])
        state = self.stepper.begun(state, crew)
        state = self._in_reach(state, crew, tick)
        silent = range(int(state.tick[0]) + 1, tick)
        window_read, window_driven = state.window_read.copy(), state.window_driven.copy()
        for each in silent[-self.room.slots :]:
            window_read[0, each % self.room.slots] = np.nan
            window_driven[0, each % self.room.slots] = state.driven[0]
        before = self.stepper.advance(state, crew, read.tick - 1)
        before = replace(before, driven=driven_by(before.driven, read.driven_before))
        after = self.stepper.step(before, crew)
        window_read[0, tick % self.room.slots] = np.nan
        window_driven[0, tick % self.room.slots] = before.driven[0]
        return before, replace(
            after,
            driven=driven_by(after.driven, read.driven_after),
            cycles=after.cycles + 1,
            window_read=window_read,
            window_driven=window_driven,
        )

    def _in_reach(self, state: TwinState, crew: Crew, tick: int) -> TwinState:
        """With a window that begins no longer before ``tick`` than is noted."""
        begin = tick - self.room.slots
        if self._begin(state) >= begin:
            return state
        if begin < state.tick[0]:
            return self._rolled(state, crew, begin)
        # A silence longer than the window: it begins within it.
        silent = self.stepper.advance(state, crew, np.array([begin]))
        simulations = silent.simulations.copy()
        simulations[:, 1] = simulations[:, 0]
        return replace(silent, simulations=simulations)

    def _begin(self, state: TwinState) -> int:
        """The tick at which the window begins."""
        return int(state.simulations[0, 1, 0].at // self.schema.step)

    def _ticks(self, state: TwinState) -> Int64[np.ndarray, " tick"]:
        """Of the window."""
        return np.arange(self._begin(state) + 1, int(state.tick[0]) + 1)

    def _kept(self, state: TwinState, read: Observed, met: Met) -> TwinState:
        """With what was read at this instant noted: what corrects, by channel."""
        trusted = met.trusted[0]
        if not trusted.any():
            return state
        given = tempered(met.surprise, met.spread, met.weighed, met.trusted, read.channel)
        length = self.schema.step
        share = (read.valid_at - (read.tick[:, None] - 1) * length) / length
        expected = met.expected[0].mean(axis=1, dtype=np.float64)
        window_read = state.window_read.copy()
        slot = window_read[0, int(state.tick[0]) % self.room.slots]
        for channel in np.unique(read.channel[0, trusted]).tolist():
            mine = trusted & (read.channel[0] == channel)
            sensor, count = int(read.sensor[0, mine][0]), int(mine.sum())
            unit = self.counts[sensor] if self.counts else 0.0
            slot[channel, Told.VALUE] = met.value[0, mine].mean()
            slot[channel, Told.VARIANCE] = given[0, mine].sum() / count**2
            slot[channel, Told.SHARE] = share[0, mine].mean()
            # What comes one by one, each for itself, scatters by the root of how many they are.
            slot[channel, Told.SCATTER] = unit * max(float(expected[mine].mean()), unit)
            slot[channel, Told.SENSOR] = sensor
        return replace(state, window_read=window_read)

    def _fitted(self, state: TwinState, crew: Crew) -> TwinState:
        """The parameters fitted to the window, and the members run again up to now."""
        tick = int(state.tick[0])
        begin = max(self._begin(state), (tick // self.stride + 1) * self.stride - self.window)
        ticks = self._ticks(state)
        readings = self._readings(state, ticks)
        if not readings:
            return self._rolled(state, crew, begin)
        runs = _Runs(self, state, crew.names[0], readings, ticks, begin)
        draws = Draws(int(crew.keys[0]), crew.names[0], tick)
        rows = slice(len(self.schema.states), len(self.schema.estimated))
        walked = Walked(state.members[0, rows].astype(np.float64))
        try:
            slid = self._sliding.slid(walked, self._observed(readings), runs, draws)
        except TooFewMembersError:
            raise
        except AssimilationError as error:
            size = state.members.shape[2]
            raise TooFewMembersError(crew.names[0], size, size, str(error)) from error
        least, most = limits(self.schema)
        members = state.members.copy()
        members[0, rows] = slid.state.params
        # Spread that was lost to chance is given back, as much as innovations say is missing.
        inflation = self.analyst.assimilator.inflation
        share = inflation.strength(state.relaxation)
        params = inflation.inflated(members[:, rows], state.members[:, rows], share)
        members[:, rows] = np.clip(params, least[rows, None], most[rows, None])
        members[0, self.schema.row_of_outputs :] = runs.outputs
        failed = state.failed + sum(slid.smoothed.failed) + slid.state.failed
        return replace(state, members=members, simulations=runs.rolled[None], failed=failed)

    def _readings(self, state: TwinState, ticks: Int64[np.ndarray, " tick"]) -> list[_Averaged]:
        """What was read within the window, averaged as declared."""
        told = state.window_read[0, ticks % self.room.slots]
        readings = []
        block = (ticks - 1) // self.average
        for channel in range(told.shape[1]):
            of_channel = told[:, channel]
            there = np.isfinite(of_channel[:, Told.VALUE])
            for number in np.unique(block[there]).tolist():
                which = np.flatnonzero(there & (block == number))
                some = of_channel[which]
                readings.append(
                    _Averaged(
                        name=f"{channel} {int(ticks[which[-1]])}",
                        sensor=int(some[0, Told.SENSOR]),
                        steps=which,
                        share=some[:, Told.SHARE],
                        value=float(some[:, Told.VALUE].mean()),
                        variance=float(some[:, Told.VARIANCE].sum()) / len(which) ** 2,
                        scatter=float(some[:, Told.SCATTER].sum()) / len(which) ** 2,
                    )
                )
        return readings

    def _observed(self, readings: list[_Averaged]) -> Window:
        scatter = np.array([r.scatter for r in readings])
        reach = None if self.reach is None else self.reach[:, [r.sensor for r in readings]]
        return Window(
            tuple(r.name for r in readings),
            np.array([r.value for r in readings]),
            np.array([r.variance for r in readings]),
            scatter if scatter.any() else None,
            reach=reach,
        )

    def _rolled(self, state: TwinState, crew: Crew, begin: int) -> TwinState:
        """With a window that begins at ``begin``, and nothing fitted."""
        first = self._begin(state)
        if begin <= first:
            return state
        driven = state.window_driven[0, np.arange(first + 1, begin + 1) % self.room.slots]
        rows = slice(len(self.schema.states), len(self.schema.estimated))
        params = self._sliding.natural(state.members[0, rows].astype(np.float64))
        there, _ = self.stepper.went(state.simulations[0, 1], params, driven, first)
        origin = sources(there, crew.names[0])
        simulations, members = state.simulations.copy(), state.members.copy()
        simulations[0, 1] = there[origin]
        # A member without a beginning is another one from now on, in all that it is.
        simulations[0, 0] = simulations[0, 0, origin]
        members[0] = members[0][:, origin]
        lost_now = int((origin != np.arange(len(origin))).sum())
        return replace(
            state, simulations=simulations, members=members, failed=state.failed + lost_now
        )


class _Averaged(NamedTuple):
    """Readings of one channel that are fitted as one."""

    name: str
    sensor: int
    steps: Int64[np.ndarray, " which"]
    """Of the window."""
    share: Float64[np.ndarray, " which"]
    value: float
    variance: float
    scatter: float


class _Runs:
    """Implements ``sliding.Runs`` for the window of one twin."""

    def __init__(
        self,
        cycle: WindowedCycle,
        state: TwinState,
        name: str,
        readings: list[_Averaged],
        ticks: Int64[np.ndarray, " tick"],
        begin: int,
    ) -> None:
        self._stepper = cycle.stepper
        self._name = name
        self._start = state.simulations[0, 1]
        self._since = int(ticks[0]) - 1
        self._driven = state.window_driven[0, ticks % cycle.room.slots]
        self._readings = readings
        self._begin = begin
        self.rolled = state.simulations[0]
        """Both places of each member, once it was rolled on."""
        self.outputs: Float64[np.ndarray, "output member"] = np.zeros((0, 0))

    def predict(self, values: Natural, draw: int) -> Float64[np.ndarray, "reading member"]:
        """As the port says: with another ``draw`` members change the simulations they run from."""
        start = np.roll(self._start, -draw)
        out = self._stepper.ran(start, values, self._driven, self._since)
        before = np.concatenate([out[:1], out[:-1]])
        told = np.empty((len(self._readings), out.shape[2]))
        for place, r in enumerate(self._readings):
            here, there = before[r.steps, r.sensor], out[r.steps, r.sensor]
            told[place] = (here + r.share[:, None] * (there - here)).mean(axis=0)
        return told

    def choose(self, origin: Int64[np.ndarray, " member"]) -> None:
        """As the port says."""
        self._start = self._start[origin]

    def advance(self, values: Natural) -> Int64[np.ndarray, " member"]:
        """As the port says; the present is run from where the next window begins."""
        begins, rest = self._driven[: self._begin - self._since], self._driven
        start = self._start
        if len(begins):
            start, _ = self._stepper.went(start, values, begins, self._since)
            rest = self._driven[len(begins) :]
        origin = sources(start, self._name)
        start, values = start[origin], values[:, origin]
        now, outputs = self._stepper.went(start, values, rest, self._since + len(begins))
        again = sources(now, self._name)
        self.rolled = np.stack([now[again], start[again]])
        self.outputs = outputs[:, again]
        return origin[again]


def sources(there: Simulations, name: str) -> Int64[np.ndarray, " member"]:
    """Which member each goes on from: itself, or the nearest living one above, around the end.

    Raises:
        TooFewMembersError: fewer than half are left.
    """
    size = len(there)
    alive = np.flatnonzero([each is not None for each in there])
    if len(alive) < LEAST_LIVING * size:
        what = "a simulation that could not be run again"
        raise TooFewMembersError(name, size - len(alive), size, what)
    return alive[np.searchsorted(alive, np.arange(size)) % len(alive)]
