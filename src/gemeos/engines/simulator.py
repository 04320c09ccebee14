"""An engine whose whole state can be written, as the simulator of living twins.

Each member is written into the engine, run one step and read; nothing is kept between two calls.
So filter, forecasts, scenarios and searches work with it as with a declared model.
"""

from __future__ import annotations

import hashlib
import queue
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field
from typing import Final, Self, final

import numpy as np
from jaxtyping import Float

from gemeos.engines.hosted import HostedEngine
from gemeos.engines.placed import Asked, Placed, Rows
from gemeos.engines.spec import Kind, Role, Spec
from gemeos.errors import SchemaError, StoppedError
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Variable
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.simulate.outcome import blank_failed, end_failed
from gemeos.units.instant import SECOND

ADAPTER: Final = "engine 1"
USUAL_WORKERS: Final = 2
BATCH: Final = 16
"""Members that a process is given at once: whoever else asks waits for no more than that."""
_AT_ONCE: Final = 4
"""Calls that can be under way beside each other without waiting for a thread."""


@dataclass(eq=False)
class _Calls:
    """What is asked by one who may have to stop before others."""

    halted: threading.Event = field(default_factory=threading.Event)
    using: set[Placed] = field(default_factory=set)
    """Processes that work for him."""
    lender: EngineSimulator | None = None
    """Whose end would be that of the processes."""


@final
class EngineSimulator:
    """Implements ``simulate.base.Simulator``. For any thread, and for several at once.

    Params and consts are params of the engine, tunable or not: it is initialised anew for each
    member. The model's own time begins with every step, so a model that depends on time has
    something hidden and is refused.
    """

    def __init__(
        self,
        engine: HostedEngine,
        schema: Schema,
        *,
        names: Mapping[str, str] | None = None,
        identity: str = "",
        workers: int = USUAL_WORKERS,
    ) -> None:
        """Take over the engine; it is closed with the simulator, and if there is none.

        Args:
            engine: Opened, and not needed for anything else.
            schema: States, params, consts, what drives and outputs, with what the engine calls
                them. Its step is the engine's.
            names: By variable of the schema: what the engine calls it, where that differs.
            identity: A text that changes with the model behind the engine, such as a hash of its
                file.
            workers: Processes that move members at once.

        Raises:
            InputError: the engine hides something that it goes on from; with the reasons.
            SchemaError: a variable is not the engine's, or cannot be used so.
        """
        self._engine = engine
        self._schema = schema
        self._names = dict(names or {})
        try:
            self._check(engine.spec, workers)
            self._processes = [engine.placed() for _ in range(workers)]
        except BaseException:
            engine.close()
            raise
        spec = engine.spec
        called = self._called
        known = (called(schema.params) + called(schema.consts), called(schema.driven))
        states, outputs = called(schema.states), called(schema.outputs)
        self._step = Asked(*known, states, states, schema.step)
        self._observe = Asked(*known, states, outputs, 0)
        told = (ADAPTER, schema.fingerprint, sorted(self._names.items()), spec.name, spec.version)
        self._identity = hashlib.sha256(f"{told} {identity}".encode()).hexdigest()
        self._free: queue.SimpleQueue[Placed] = queue.SimpleQueue()
        for process in self._processes:
            self._free.put(process)
        self._resting = threading.Lock()
        self._threads = ThreadPoolExecutor(_AT_ONCE * workers, "gemeos-engine")
        self._calls = _Calls()
        self._ending = weakref.finalize(self, _end, engine, self._processes, self._threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def schema(self) -> Schema:
        """What is declared."""
        return self._schema

    @property
    def identity(self) -> str:
        """Hash of the schema, of what the engine says of itself, and of what was given."""
        return self._identity

    @property
    def first_error(self) -> str | None:
        """Why a member failed first, or None."""
        return next((p.why for p in self._processes if p.why), None)

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the processes that there are just now, for whoever watches processes."""
        return tuple(p.pid for p in self._processes if p.pid is not None)

    def lent(self) -> Self:
        """As the port says."""
        lent = copy(self)
        lent._calls = _Calls(lender=self)  # noqa: SLF001 - nobody else has it yet
        return lent

    def halt(self) -> None:
        """As the port says."""
        self._calls.halted.set()
        for process in tuple(self._calls.using):
            process.interrupt()

    def step(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin state member"]:
        """The states one step later; NaN for a member with which the engine cannot go on.

        Raises:
            StoppedError: it is closed, or halted.
        """
        states = self._moved(self._step, values, driven, consts)
        end_failed(values, states)
        return states

    def observe(
        self, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin output member"]:
        """What each output is.

        Raises:
            StoppedError: it is closed, or halted.
        """
        outputs = self._moved(self._observe, values, driven, consts)
        blank_failed(values, outputs)
        return outputs

    def rest(self) -> None:
        """End all processes, each when it is free; what is asked afterwards begins them anew."""
        if not self._ending.alive:
            return
        with self._resting:  # two at once would wait for each other's processes
            for process in [self._free.get() for _ in self._processes]:
                process.rest()
                self._free.put(process)
            self._engine.rest()

    def close(self) -> None:
        """End all processes, for good. Twice does nothing."""
        self._ending()

    def _moved(
        self, asked: Asked, values: Members, driven: Driven, consts: Consts
    ) -> Float[np.ndarray, "twin row member"]:
        if not self._ending.alive:
            raise StoppedError(f"The engine of {self._schema.name} is closed.")
        twins, _, members = values.shape
        states = len(self._schema.states)
        whole = (
            values[:, states:],
            np.broadcast_to(consts[:, :, None], (*consts.shape, members)),
            np.broadcast_to(driven, (twins, driven.shape[1], members)),
            values[:, :states],
        )
        # [twin, variable, member] -> a row for each member of each twin
        rows = np.concatenate(whole, axis=1).astype(np.float64).transpose(0, 2, 1)
        rows = rows.reshape(twins * members, -1)
        out = np.full((len(rows), len(asked.asked)), np.nan)
        sound = np.flatnonzero(np.isfinite(rows).all(axis=1))
        if len(asked.asked):
            out[sound] = self._run(asked, rows[sound])
        ordered = out.reshape(twins, members, -1).transpose(0, 2, 1)
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(ordered, self._schema.precision)

    def _run(self, asked: Asked, rows: Rows) -> Rows:
        """Batches, each by whichever process is free first."""
        out = np.empty((len(rows), len(asked.asked)))
        batches = deque(slice(i, i + BATCH) for i in range(0, len(rows), BATCH))
        taking, calls = threading.Lock(), self._calls

        def lane() -> None:
            while True:
                with taking:
                    if not batches:
                        return
                    batch = batches.popleft()
                process = self._free.get()
                calls.using.add(process)
                try:
                    out[batch] = process.moved(asked, rows[batch], calls.halted.is_set)
                finally:
                    calls.using.discard(process)
                    self._free.put(process)

        lanes = min(len(self._processes), len(batches))
        others = [self._threads.submit(lane) for _ in range(lanes - 1)]
        lane()
        for other in others:
            other.result()
        return out

    def _called(self, variables: Iterable[Variable]) -> tuple[str, ...]:
        return tuple(self._names.get(v.name, v.name) for v in variables)

    def _check(self, spec: Spec, workers: int) -> None:
        schema = self._schema
        if workers < 1:
            raise SchemaError(f"{schema.name} needs one process or more to be run, not {workers}.")
        if schema.step != spec.step:
            raise SchemaError(
                f"{schema.name} has steps of {schema.step_s:g} s, its engine of "
                f"{spec.step / SECOND:g} s."
            )
        spec.check_known(self._called(schema.variables))
        uses: tuple[tuple[Iterable[Variable], tuple[Role, ...]], ...] = (
            (schema.states, (Role.STATE,)),
            ((*schema.params, *schema.consts), (Role.PARAM,)),
            (schema.driven, (Role.INPUT, Role.CONTROL)),
        )
        for variables, roles in uses:
            for name in self._called(variables):
                if spec.by_name[name].role not in roles:
                    raise SchemaError(
                        f"{name!r} is {spec.by_name[name].role.value} of {spec.name}, not "
                        f"{' or '.join(r.value for r in roles)}."
                    )
        for name in self._called(schema.variables):
            if spec.by_name[name].kind is Kind.TEXT:
                raise SchemaError(f"{name!r} of {spec.name} is a text; only numbers can be used.")
        lacking = spec.capabilities.nudge - set(self._called(schema.states))
        if lacking:
            raise SchemaError(
                f"{schema.name} leaves out states of {spec.name}: {', '.join(sorted(lacking))}."
            )


def _end(engine: HostedEngine, processes: list[Placed], threads: ThreadPoolExecutor) -> None:
    threads.shutdown(wait=True, cancel_futures=True)
    for process in processes:
        process.close()
    engine.close()
