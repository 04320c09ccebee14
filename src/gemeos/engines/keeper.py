"""Whoever makes the simulations of a model, and has few processes for them; see ``lineage``."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, TypeVar, cast, final

import msgspec
from typing_extensions import TypeIs

from gemeos.engines.base import SupportsFork, SupportsInterrupt, SupportsSnapshot
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.lineage import (
    ANCHOR_EVERY,
    Origin,
    Outputs,
    Packed,
    Simulation,
    Stretch,
    names_along,
)
from gemeos.engines.outcome import Crashed, Ended, Failed, NotFinite, TimedOut, Told
from gemeos.engines.spec import Fork, Kind, Snapshot, Spec, Value, not_finite
from gemeos.ensemble import simulation as port
from gemeos.errors import EngineError, InputError, TimelineError
from gemeos.simulate.company import Run
from gemeos.units.instant import Instant

MOST_LIVING: Final = 160
"""Processes of one model that wait to be forked; beyond, those not used for longest go."""
WORKERS: Final = 2
"""Simulations that run at once."""
LOOK_S: Final = 0.05
"""How often those under way are looked at where somebody does."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is read of every simulation after each stretch."""

    names: tuple[str, ...]
    counters: frozenset[str] = frozenset()
    """Totals that only grow: told is by how much."""


@dataclass(frozen=True, slots=True)
class _Read:
    outputs: Outputs
    totals: dict[str, float]


@final
class Keeper:
    """Makes the simulations of one model, and bounds their processes. For any thread."""

    def __init__(
        self,
        opened: Callable[[], SupportsFork],
        asked: Asked,
        *,
        identity: str = "",
        most: int = MOST_LIVING,
        workers: int = WORKERS,
    ) -> None:
        """Nothing is opened yet.

        Args:
            opened: An engine of the model, not begun.
            asked: What is read of it.
            identity: Of what the engine's spec does not tell: another one, other lineages.
            most: Processes that wait.
            workers: Simulations that run at once.
        """
        self._opened = opened
        self._asked = asked
        self._identity = identity
        self._most = most
        self._workers = workers
        self._first: SupportsFork | None = None
        """Not begun: others come from it."""
        self._spec: Spec | None = None
        self._lock = threading.RLock()
        self._known: weakref.WeakValueDictionary[str, Simulation] = weakref.WeakValueDictionary()
        self._living: OrderedDict[int, weakref.ref[Simulation]] = OrderedDict()
        """By ``id``; those used last at the end."""

    @property
    def spec(self) -> Spec:
        """Of the engine.

        Raises:
            EngineError: it cannot be opened, or cannot be kept in step.
        """
        with self._lock:
            if self._spec is None:
                spec = self._source().spec
                _check(spec, self._asked)
                self._spec = spec
            return self._spec

    @property
    def tag(self) -> str:
        """Hash of the engine and of what it reads: with another one nothing can be gone on from."""
        told = (self.spec.name, self.spec.version, self._identity)
        return hashlib.sha256(msgspec.msgpack.encode(told)).hexdigest()

    def takes(self, simulation: port.Simulation) -> bool:
        """Whether it is of this engine, whatever was asked of it."""
        match simulation:
            case Simulation():
                return simulation.tag == self.tag
            case port.Stored():
                try:
                    told = msgspec.msgpack.decode(simulation.kept, type=Packed)
                except msgspec.DecodeError:
                    return False
                return told.engine == self.tag
            case _:
                return False

    @property
    def living(self) -> int:
        """Processes that wait."""
        with self._lock:
            return len(self._alive())

    def begun(self, params: Mapping[str, Value], seed: int, t0: Instant) -> Simulation:
        """One that begins at ``t0``; no process is begun before it is gone on from."""
        spec = self.spec
        told = msgspec.msgpack.encode(
            (spec.name, spec.version, self._identity, sorted(params.items()), seed, t0)
        )
        identity = hashlib.sha256(told).hexdigest()
        return self._kept(
            Simulation(identity, t0, 0, self.tag, origin=Origin(dict(params), seed, t0))
        )

    @property
    def workers(self) -> int:
        """Simulations that run at once."""
        return self._workers

    def moved(
        self, start: port.Simulation, way: Sequence[Stretch], run: Run | None = None
    ) -> Simulation | Ended:
        """The simulation at the end of the way, or why there is none.

        ``run`` is told how it goes on, and may end it.
        """
        here = self._of(start)
        names = names_along(here.identity, way)
        with self._lock:
            there = self._known.get(names[-1]) if names else here
        if there is not None and (there.outputs or not names):
            return there
        engine = self._doubled(here)
        if not _is_engine(engine):
            return engine
        if run is None:
            return self._ran(engine, here, way, names)
        run.begin(_interrupt_of(engine))
        try:
            return self._ran(engine, here, way, names, run)
        finally:
            run.end()

    def told(self, start: port.Simulation, way: Sequence[Stretch]) -> list[Outputs] | Ended:
        """What is read after each stretch of the way; nothing of it is kept."""
        here = self._of(start)
        engine = self._doubled(here)
        if not _is_engine(engine):
            return engine
        told: list[Outputs] = []
        try:
            ended = self._each_told(engine, way, told.append)
        finally:
            engine.close()
        return ended or told

    def each(
        self, calls: Sequence[Callable[[], _T]], look: Callable[[], None] | None = None
    ) -> list[_T]:
        """The answers of all calls, a few at once; the order is theirs.

        ``look`` is called now and then on this thread while others run them.
        """
        if look is None and (self._workers < 2 or len(calls) < 2):
            return [call() for call in calls]
        with ThreadPoolExecutor(self._workers, "gemeos-simulations") as pool:
            under_way = [pool.submit(call) for call in calls]
            try:
                while look is not None and wait(under_way, LOOK_S).not_done:
                    look()
                return [each.result() for each in under_way]
            finally:
                for each in under_way:
                    each.cancel()

    def close(self) -> None:
        """End every process. What is gone on from afterwards is begun again."""
        with self._lock:
            alive, first = self._alive(), self._first
            self._living.clear()
            self._first = None
        for each in alive:
            with each.lock:
                each.let_go()
        if first is not None:
            first.close()

    def _of(self, simulation: port.Simulation) -> Simulation:
        if isinstance(simulation, Simulation):
            return simulation
        if isinstance(simulation, port.Stored):
            if not isinstance(simulation.opened, Simulation):
                simulation.opened = self._found(simulation)
            return simulation.opened
        raise InputError(f"{type(simulation).__name__} is no simulation of {self.spec.name}.")

    def _found(self, stored: port.Stored) -> Simulation:
        try:
            told = msgspec.msgpack.decode(stored.kept, type=Packed)
        except msgspec.DecodeError as error:
            raise TimelineError(f"A stored simulation cannot be read: {error}.") from error
        if told.engine != self.tag:
            raise TimelineError(
                f"A stored simulation is of another engine than {self.spec.name}, or other files."
            )
        here = Simulation(
            told.base, told.at, told.depth, self.tag, origin=told.origin, kept=told.kept
        )
        for name, stretch in zip(
            names_along(told.base, told.stretches), told.stretches, strict=True
        ):
            here = Simulation(
                name, stretch.until, here.depth + 1, self.tag, before=here, stretch=stretch
            )
        here.outputs = told.outputs
        if here.identity != stored.identity:
            raise TimelineError("A stored simulation is not the one that it is said to be.")
        return self._kept(here)

    def _kept(self, simulation: Simulation) -> Simulation:
        """It, or the same one that there is already."""
        with self._lock:
            there = self._known.get(simulation.identity)
            if there is not None and (there.outputs or not simulation.outputs):
                return there
            self._known[simulation.identity] = simulation
            return simulation

    def _doubled(self, simulation: Simulation) -> SupportsFork | Ended:
        """A process that stands where it does, of one's own."""
        failed: Ended = Failed("there is no process")
        with simulation.lock:
            for _ in range(2):
                engine = simulation.engine
                if engine is None:
                    again = self._again(simulation)
                    if not _is_engine(again):
                        return again
                    engine = again
                    simulation.hold(engine)
                self._used(simulation)
                forked = engine.fork()
                if isinstance(forked, Told):
                    return forked.value
                failed = forked
                if isinstance(forked, Failed):
                    break
                simulation.let_go()  # it died while it waited: it can be had again
        return failed

    def _again(self, simulation: Simulation) -> SupportsFork | Ended:
        """A process that stands there, from the nearest one that can be had."""
        before, stretch = simulation.before, simulation.stretch
        if simulation.kept is None and before is not None and stretch is not None:
            engine = self._doubled(before) if before.engine is not None else self._again(before)
            if not _is_engine(engine):
                return engine
            ended = _gone(engine, stretch)
            if ended is not None:
                engine.close()
            return ended or engine
        engine = self._another()
        if simulation.kept is not None:
            began = cast("SupportsSnapshot", engine).restore(simulation.kept)
        elif simulation.origin is not None:
            origin = simulation.origin
            began = engine.reset(origin.params, origin.seed, origin.t0)
        else:
            raise EngineError(self.spec.name, "nothing tells how a simulation began")
        if isinstance(began, Told):
            return engine
        engine.close()
        return began

    def _ran(
        self,
        engine: SupportsFork,
        here: Simulation,
        way: Sequence[Stretch],
        names: Sequence[str],
        run: Run | None = None,
    ) -> Simulation | Ended:
        """Take the engine along the way; it belongs to what stands at the end, or is closed."""
        total = self._totals(engine)
        for name, stretch in zip(names, way, strict=True):
            read = self._after(engine, stretch, total)
            if not isinstance(read, _Read):
                engine.close()
                return read
            total = read.totals
            if run is not None:
                run.gone += 1
            here = Simulation(
                name,
                stretch.until,
                here.depth + 1,
                self.tag,
                outputs=read.outputs,
                before=here,
                stretch=stretch,
            )
            if self._is_anchor(here.depth):
                anchored = self._anchored(engine, here)
                if not _is_engine(anchored):
                    engine.close()
                    return anchored
                engine = anchored
                if run is not None:
                    run.change(_interrupt_of(engine))
        there = self._kept(here)
        with there.lock:
            if there.engine is None:
                there.hold(engine)
                self._used(there)
            else:
                engine.close()
        self._trim()
        return there

    def _each_told(
        self, engine: SupportsFork, way: Sequence[Stretch], note: Callable[[Outputs], None]
    ) -> Ended | None:
        total = self._totals(engine)
        for stretch in way:
            read = self._after(engine, stretch, total)
            if not isinstance(read, _Read):
                return read
            total = read.totals
            note(read.outputs)
        return None

    def _totals(self, engine: SupportsFork) -> dict[str, float] | Ended:
        if not self._asked.counters:
            return {}
        read = engine.get(self._asked.counters)
        if not isinstance(read, Told):
            return read
        return {name: float(value) for name, value in read.value.items()}

    def _after(
        self, engine: SupportsFork, stretch: Stretch, total: dict[str, float] | Ended
    ) -> _Read | Ended:
        """What is read once the engine went through a stretch, with these totals before it."""
        if not isinstance(total, dict):
            return total
        ended = _gone(engine, stretch)
        if ended is not None:
            return ended
        read = engine.get(dict.fromkeys(self._asked.names))
        if not isinstance(read, Told):
            return read
        now = {name: float(value) for name, value in read.value.items()}
        if lost := not_finite(now):
            return NotFinite(lost)
        outputs = tuple(now[name] - total.get(name, 0.0) for name in self._asked.names)
        return _Read(outputs, {name: now[name] for name in self._asked.counters})

    def _is_anchor(self, depth: int) -> bool:
        worth = self.spec.capabilities.snapshot
        return depth % ANCHOR_EVERY == 0 and worth in {Snapshot.EXACT, Snapshot.APPROX}

    def _anchored(self, engine: SupportsFork, simulation: Simulation) -> SupportsFork | Ended:
        """The engine to go on with, once the simulation is written down."""
        writing = cast("SupportsSnapshot", engine)
        kept = writing.snapshot()
        if not isinstance(kept, Told):
            return kept
        if self.spec.capabilities.snapshot is Snapshot.APPROX:
            restored = self._another()
            began = cast("SupportsSnapshot", restored).restore(kept.value)
            engine.close()
            if not isinstance(began, Told):
                restored.close()
                return began
            engine = restored
        simulation.kept, simulation.before, simulation.stretch = kept.value, None, None
        return engine

    def _source(self) -> SupportsFork:
        with self._lock:
            if self._first is None:
                self._first = self._opened()
            return self._first

    def _another(self) -> SupportsFork:
        first = self._source()
        return first.another() if isinstance(first, HostedEngine) else self._opened()

    def _used(self, simulation: Simulation) -> None:
        with self._lock:
            self._living[id(simulation)] = weakref.ref(simulation)
            self._living.move_to_end(id(simulation))

    def _alive(self) -> list[Simulation]:
        """Those that have a process; the registry without the others."""
        alive = []
        for key, ref in list(self._living.items()):
            each = ref()
            if each is None or each.engine is None:
                del self._living[key]
            else:
                alive.append(each)
        return alive

    def _trim(self) -> None:
        """Let go of the processes that were not used for longest, if there are too many."""
        with self._lock:
            if len(self._living) <= self._most:
                return
            alive = self._alive()
            for each in alive[: max(len(alive) - self._most, 0)]:
                # One that is being forked is in use: it is passed over.
                if each.lock.acquire(blocking=False):
                    try:
                        each.let_go()
                        del self._living[id(each)]
                    finally:
                        each.lock.release()


def _is_engine(what: SupportsFork | Ended) -> TypeIs[SupportsFork]:
    return not isinstance(what, (Crashed, TimedOut, NotFinite, Failed))


def _interrupt_of(engine: SupportsFork) -> Callable[[], None] | None:
    return engine.interrupt if isinstance(engine, SupportsInterrupt) else None


def _gone(engine: SupportsFork, stretch: Stretch) -> Ended | None:
    """Take the engine through a stretch; what it refuses to be set to is its failure."""
    try:
        held = engine.set(stretch.values) if stretch.values else Told(None)
    except InputError as error:
        return Failed(str(error))
    if not isinstance(held, Told):
        return held
    moved = engine.advance(stretch.until)
    return None if isinstance(moved, Told) else moved


def _check(spec: Spec, asked: Asked) -> None:
    can = spec.capabilities
    spec.check_known(asked.names)
    texts = [name for name in asked.names if spec.by_name[name].kind is Kind.TEXT]
    if texts:
        raise InputError(f"{', '.join(texts)} of {spec.name} is a text: no sensor reads it.")
    if can.fork is Fork.NONE:
        raise EngineError(spec.name, "it cannot be forked, so a twin of it cannot look ahead")
    if can.snapshot in {Snapshot.NONE, Snapshot.REPLAY} and not can.deterministic:
        raise EngineError(
            spec.name,
            "it has no snapshots and does not go the same way twice: a twin of it could not be "
            "kept over a restart",
        )
