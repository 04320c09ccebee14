"""Moving an ensemble whose members are simulations that somebody else wrote.

A member is rows of numbers, its parameters, and a simulation (``lineage``). Parameters walk as they
are declared to drift, and are set anew for every step, beside inputs and controls. What an engine
draws by chance is its own: forks of one simulation meet the same chances.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from threading import Event
from typing import Final, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Shaped

from gemeos.engines.keeper import Keeper
from gemeos.engines.lineage import Simulation, Stretch
from gemeos.engines.outcome import Ended
from gemeos.engines.spec import Value
from gemeos.ensemble import simulation as port
from gemeos.ensemble.noise import standard_normal, stream_key
from gemeos.ensemble.state import NEVER, TwinState, natural
from gemeos.errors import StoppedError, TooFewMembersError
from gemeos.schema.schema import Schema
from gemeos.simulate.advance import by_member
from gemeos.simulate.base import Crew
from gemeos.simulate.company import Company, Failure
from gemeos.simulate.outcome import LEAST_LIVING
from gemeos.simulate.process import spread_of_rows, streams_of_rows
from gemeos.units.instant import Instant

_SEEDS: Final = 0x7FFF_FFFF
"""Engines take seeds of 31 bits."""

Params: TypeAlias = Float[np.ndarray, "param member"]
"""Natural values."""
Simulations: TypeAlias = Shaped[np.ndarray, " member"]
_Went: TypeAlias = Simulation | Ended
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wiring:
    """How what is declared hangs together with the variables of an engine."""

    schema: Schema
    set_by: Callable[[Mapping[str, float]], Mapping[str, Value]]
    """What is set in the engine, of the params, inputs and controls by their names."""
    scale: tuple[float, ...]
    """By which numbers of the engine are multiplied to be outputs, one an output."""
    absent: tuple[tuple[float, float] | None, ...]
    """By output: which number says that there is none, and what is told then."""
    begins: Callable[[Instant], Mapping[str, Value]]
    """What a simulation that begins at that instant is begun with."""
    warm_up: int
    """Steps that a simulation has run when its twin is born; at least 1."""

    def outputs(
        self, told: Float64[np.ndarray, "*step output"]
    ) -> Float64[np.ndarray, "*step output"]:
        """What numbers of the engine are as outputs."""
        found = told * np.array(self.scale)
        for place, absent in enumerate(self.absent):
            if absent is not None:
                found[..., place][told[..., place] == absent[0]] = absent[1]
        return found


@dataclass(frozen=True)
class EngineStepper:
    """Implements ``simulate.base.GoesInCompany``, and ``assimilate.windowed.Reruns``."""

    wiring: Wiring
    keeper: Keeper
    halted: Event = field(default_factory=Event, compare=False, repr=False)
    """Set when nothing more is to be run."""
    company: Company | None = field(default=None, compare=False, repr=False)
    """Who is run, of one fork; None for everybody, of any."""

    @property
    def schema(self) -> Schema:
        """What is declared."""
        return self.wiring.schema

    @cached_property
    def told_names(self) -> tuple[str, ...]:
        """As the port says."""
        schema = self.schema
        return tuple(v.name for v in (*schema.estimated, *schema.driven, *schema.outputs))

    @property
    def at_once(self) -> int:
        """As the port says."""
        return self.keeper.workers

    def alone(self, company: Company) -> EngineStepper:
        """As the port says."""
        return replace(self, company=company)

    @cached_property
    def _spread(self) -> Float64[np.ndarray, " row"]:
        return spread_of_rows(self.schema)

    @cached_property
    def _noisy(self) -> Int64[np.ndarray, " noisy"]:
        return np.flatnonzero(self._spread > 0)

    def takes(self, simulation: port.Simulation) -> bool:
        """Whether members can go on from it."""
        return self.keeper.takes(simulation)

    def halt(self) -> None:
        """Have runs end soon: those of single members that are under way go on to their ends."""
        self.halted.set()

    def close(self) -> None:
        """End all processes of the model."""
        self.keeper.close()

    def told(self, state: TwinState, crew: Crew) -> Float[np.ndarray, "twin variable member"]:
        """As the port says."""
        state = self.begun(state, crew)
        values = natural(self.schema, state.members)
        driven = np.broadcast_to(
            by_member(state.driven).astype(values.dtype),
            (len(state), len(self.schema.driven), values.shape[2]),
        )
        return np.concatenate([values, driven, self.observed(state, crew, state.members)], axis=1)

    def observed(
        self,
        state: TwinState,  # noqa: ARG002 - as the port: what drives is in the outputs already
        crew: Crew,  # noqa: ARG002
        members: Float[np.ndarray, "twin row member"],
    ) -> Float[np.ndarray, "twin output member"]:
        """As the port says: they are kept with the members."""
        return members[:, self.schema.row_of_outputs :, :]

    def begun(self, state: TwinState, crew: Crew) -> TwinState:
        """Twins that are born have simulations: those without any begin where they stand.

        Raises:
            TooFewMembersError: too many could not be begun.
        """
        here = state.simulations[:, 0, 0]
        new = [i for i in range(len(state)) if here[i] is None and state.born[i] != NEVER]
        if not new:
            return state
        some, wiring, schema = state.take(new), self.wiring, self.schema
        step = schema.step
        size = state.members.shape[2]
        begun = np.full((len(new), size), None, object)
        for twin, tick in enumerate(some.tick.tolist()):
            t0 = (tick - wiring.warm_up) * step
            for member, seed in enumerate(_seeds(crew.keys[new[twin]], size)):
                begun[twin, member] = self.keeper.begun(wiring.begins(t0), seed, t0)
        params = natural(schema, some.members)[:, len(schema.states) :]
        driven = by_member(some.driven)
        ways = []
        for twin, tick in enumerate(some.tick.tolist()):
            held = np.repeat(params[twin][None], wiring.warm_up, axis=0)
            ways.append(self._ways(held, driven[twin][None], (tick - wiring.warm_up) * step))
        went = self._run(begun, ways)
        some = self._arrived(some, crew.take(np.array(new)), went, some.members)
        some.simulations[:, :, :] = some.simulations[:, :1, :]
        whole = state.take(range(len(state)))
        whole.put(new, some)
        return whole

    def step(self, state: TwinState, crew: Crew) -> TwinState:
        """As the port says."""
        return self.advance(state, crew, state.tick + 1)

    def advance(self, state: TwinState, crew: Crew, until: Int64[np.ndarray, " twin"]) -> TwinState:
        """As the port says."""
        state = self.begun(state, crew)
        behind = np.flatnonzero(state.tick < until)
        if len(behind) == 0:
            return state
        some, mine = state.take(behind), crew.take(behind)
        walks = self._walks(some, mine, until[behind])
        if self.company is not None:
            return self._gone_together(self.company, some, walks[0], until[behind])
        went = self._run(some.simulations[:, 0], self._ways_of(some, walks))
        if _any_failed(went) and (until[behind] > some.tick + 1).any():
            # Whose place a failed one takes is decided at the step in which it failed.
            nearer = np.minimum(state.tick + 1, until)
            return self.advance(self.advance(state, crew, nearer), crew, until)
        members = some.members.copy()
        for twin, walk in enumerate(walks):
            members[twin, self._of_params] = walk[-1]
        some = replace(some, tick=until[behind].copy())
        some = self._arrived(some, mine, went, members)
        if len(behind) == len(state):
            return some
        whole = state.take(range(len(state)))
        whole.put(behind, some)
        return whole

    def failing(self, state: TwinState, crew: Crew) -> Bool[np.ndarray, "twin member"]:
        """As the port says."""
        state = self.begun(state, crew)
        walks = self._walks(state, crew, state.tick + 1)
        went = self._run(state.simulations[:, 0], self._ways_of(state, walks))
        return np.array([[not isinstance(w, Simulation) for w in of_twin] for of_twin in went])

    def ran(
        self,
        simulations: Simulations,
        params: Params,
        driven: Float64[np.ndarray, "step driven"],
        since: int,
    ) -> Float64[np.ndarray, "step output member"]:
        """What members would give at each step with these params held; NaN of those that fail.

        Args:
            simulations: Where they stand.
            params: Natural values.
            driven: In each step.
            since: The tick at which they stand.
        """
        ways = self._held_ways(params, driven, since)
        told = self._each(
            [partial(self.keeper.told, s, w) for s, w in zip(simulations, ways, strict=True)]
        )
        out = np.full((len(driven), len(self.wiring.scale), len(ways)), np.nan)
        for member, each in enumerate(told):
            if isinstance(each, list):
                out[:, :, member] = self.wiring.outputs(np.array(each, np.float64))
        return out

    def went(
        self,
        simulations: Simulations,
        params: Params,
        driven: Float64[np.ndarray, "step driven"],
        since: int,
    ) -> tuple[Simulations, Float64[np.ndarray, "output member"]]:
        """Where members come to, None of those that fail, and their outputs there; see ``ran``."""
        ways = self._held_ways(params, driven, since)
        (went,) = self._run(simulations[None], [ways])
        there = np.full(len(went), None, object)
        outputs = np.full((len(self.wiring.scale), len(went)), np.nan)
        for member, each in enumerate(went):
            if isinstance(each, Simulation):
                there[member] = each
                outputs[:, member] = self.wiring.outputs(np.array(each.outputs))
        return there, outputs

    @cached_property
    def _of_params(self) -> slice:
        return slice(len(self.schema.states), len(self.schema.estimated))

    def _walks(
        self, state: TwinState, crew: Crew, until: Int64[np.ndarray, " twin"]
    ) -> list[Float[np.ndarray, "instant param member"]]:
        """Coordinates of the params at each instant of the way, the first among them."""
        walks = []
        kind, size = self.schema.precision, state.members.shape[2]
        spread = self._spread[self._noisy].astype(kind)[:, None]
        for twin, (tick, end) in enumerate(zip(state.tick.tolist(), until.tolist(), strict=True)):
            begin = state.members[twin, : len(self.schema.estimated)]
            walk = np.zeros((max(end - tick, 0) + 1, *begin.shape), kind)
            walk[0] = begin
            if len(self._noisy) and end > tick:
                ticks = np.arange(tick + 1, end + 1)
                keys = np.full(len(ticks), crew.keys[twin])
                streams = streams_of_rows(self.schema)[self._noisy]
                drawn = standard_normal(keys, ticks, streams, size).astype(kind)
                walk[1:, self._noisy] = spread * drawn
            # Added up one after the other: the same bits as step by step.
            walks.append(np.cumsum(walk, axis=0, dtype=kind)[:, self._of_params])
        return walks

    def _ways_of(
        self, state: TwinState, walks: Sequence[Float[np.ndarray, "instant param member"]]
    ) -> list[list[list[Stretch]]]:
        driven = by_member(state.driven)
        return [
            self._ways(self._natural(walk[:-1]), driven[twin][None], tick * self.schema.step)
            for twin, (walk, tick) in enumerate(zip(walks, state.tick.tolist(), strict=True))
        ]

    def _natural(
        self, walk: Float[np.ndarray, "step param member"]
    ) -> Float[np.ndarray, "step param member"]:
        told = np.empty_like(walk)
        for place, param in enumerate(self.schema.params):
            told[:, place] = param.coordinate.outward(walk[:, place])
        return told

    def _held_ways(
        self, params: Params, driven: Float64[np.ndarray, "step driven"], since: int
    ) -> list[list[Stretch]]:
        held = np.repeat(params[None], len(driven), axis=0)
        return self._ways(held, driven[:, :, None], since * self.schema.step)

    def _ways(
        self,
        params: Float[np.ndarray, "step param member"],
        driven: Float64[np.ndarray, "#step driven #member"],
        begin: Instant,
    ) -> list[list[Stretch]]:
        """What is set in each member's engine in each step."""
        steps, _, size = params.shape
        names = [v.name for v in (*self.schema.params, *self.schema.driven)]
        driven = np.broadcast_to(driven, (steps, driven.shape[1], size))
        whole = np.concatenate([params.astype(np.float64), driven], axis=1)
        ends = [begin + (k + 1) * self.schema.step for k in range(steps)]
        return [
            [
                Stretch(dict(self.wiring.set_by(dict(zip(names, values, strict=True)))), end)
                for values, end in zip(whole[:, :, member].tolist(), ends, strict=True)
            ]
            for member in range(size)
        ]

    def _run(
        self,
        simulations: Shaped[np.ndarray, "twin member"],
        ways: Sequence[Sequence[Sequence[Stretch]]],
    ) -> list[list[_Went]]:
        size = simulations.shape[1]
        calls = [
            partial(self.keeper.moved, simulations[twin, member], way)
            for twin, of_twin in enumerate(ways)
            for member, way in enumerate(of_twin)
        ]
        went = self._each(calls)
        return [went[first : first + size] for first in range(0, len(went), size)]

    def _gone_together(
        self,
        company: Company,
        state: TwinState,
        walk: Float[np.ndarray, "instant param member"],
        until: Int64[np.ndarray, " twin"],
    ) -> TwinState:
        """One fork at ``until``, with those that go; the others stay behind."""
        going, tick = company.going, int(state.tick[0])
        driven = by_member(state.driven)[0][None]
        if driven.shape[2] > 1:
            driven = driven[:, :, going]
        ways = self._ways(self._natural(walk[:-1])[:, :, going], driven, tick * self.schema.step)
        runs = {member: company.run(len(way)) for member, way in zip(going, ways, strict=True)}
        calls = [
            partial(self.keeper.moved, state.simulations[0, 0, member], way, runs[member])
            for member, way in zip(going, ways, strict=True)
        ]
        went = self._each(calls, partial(company.look, runs))
        members, simulations = state.members.copy(), state.simulations.copy()
        members[0, self._of_params] = walk[-1]
        for member, there in zip(going, went, strict=True):
            if runs[member].given_up:
                company.slow.add(member)
            elif isinstance(there, Simulation):
                simulations[0, 0, member] = there
                outputs = self.wiring.outputs(np.array(there.outputs))
                members[0, self.schema.row_of_outputs :, member] = outputs
            else:
                company.failed[member] = Failure(tick + runs[member].gone + 1, str(there))
        company.arrived(runs)
        return replace(state, tick=until.copy(), members=members, simulations=simulations)

    def _each(
        self, calls: Sequence[Callable[[], _T]], look: Callable[[], None] | None = None
    ) -> list[_T]:
        """The answers of all calls.

        Raises:
            StoppedError: it was halted.
        """

        def unless_halted(call: Callable[[], _T]) -> _T:
            if self.halted.is_set():
                raise StoppedError(f"{self.schema.name} is stopped: no member is run any more.")
            return call()

        return self.keeper.each([partial(unless_halted, call) for call in calls], look)

    def _arrived(
        self,
        state: TwinState,
        crew: Crew,
        went: Sequence[Sequence[_Went]],
        members: Float[np.ndarray, "twin row member"],
    ) -> TwinState:
        """The state with simulations and outputs; living ones in place of those that failed."""
        simulations, members = state.simulations.copy(), members.copy()
        failed = np.zeros(len(state), np.int64)
        for twin, of_twin in enumerate(went):
            size = len(of_twin)
            alive = [m for m, each in enumerate(of_twin) if isinstance(each, Simulation)]
            failed[twin] = size - len(alive)
            if len(alive) < LEAST_LIVING * size:
                why = next(str(e) for e in of_twin if not isinstance(e, Simulation))
                raise TooFewMembersError(crew.names[twin], size - len(alive), size, why)
            for member in range(size):
                # The nearest living one above, around the end: a choice that needs no dice.
                source = alive[int(np.searchsorted(alive, member)) % len(alive)]
                if source != member:
                    members[twin, :, member] = members[twin, :, source]
                    simulations[twin, 1:, member] = simulations[twin, 1:, source]
                there = of_twin[source]
                if isinstance(there, Simulation):
                    simulations[twin, 0, member] = there
                    outputs = self.wiring.outputs(np.array(there.outputs))
                    members[twin, self.schema.row_of_outputs :, member] = outputs
        return replace(
            state, members=members, simulations=simulations, failed=state.failed + failed
        )


def _any_failed(went: Sequence[Sequence[_Went]]) -> bool:
    return any(not isinstance(each, Simulation) for of_twin in went for each in of_twin)


def _seeds(key: np.uint64, members: int) -> list[int]:
    """One for each member of a twin: the same in every run, and whatever the number of members."""
    return [stream_key(f"engine {key}", str(member)) & _SEEDS for member in range(members)]
