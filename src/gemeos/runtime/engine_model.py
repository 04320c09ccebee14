"""Declaring a twin that somebody else's simulator moves.

An engine has thousands of variables; a twin is tied to a few. Here is said which: what is unknown
and to be found, what comes from outside, what can be set, what is read. ``gm.Twin`` takes it as it
takes every other model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from types import FunctionType, MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from jaxtyping import Float64

from gemeos.assimilate.bridge import Bridge
from gemeos.assimilate.es_mda import EsMda
from gemeos.assimilate.windowed import WindowedCycle
from gemeos.engines.base import SupportsFork
from gemeos.engines.keeper import MOST_LIVING, Asked, Keeper
from gemeos.engines.lineage import ANCHOR_EVERY
from gemeos.engines.spec import Kind, Role, Spec, Value
from gemeos.engines.stepper import EngineStepper, Wiring
from gemeos.errors import SchemaError, UnknownNameError
from gemeos.schema.prior import Prior
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Bounds, Control, Input, Param, Sensor, Variable, Virtual
from gemeos.units import span
from gemeos.units.instant import SECOND, Instant, Span

Sets: TypeAlias = str | Mapping[str, float]
"""A variable of the engine, or several with what each is multiplied by."""
_NOTHING: Final[Mapping[str, Value]] = MappingProxyType({})
FEW_PARAMS: Final = 3
"""So many are all told of by all readings: no correlation is cut off (``EsMda``)."""


@dataclass(frozen=True, slots=True)
class EngineParam:
    """What nobody knows and the readings are to tell: a demand, a friction."""

    name: str
    unit: str
    prior: Prior
    sets: Sets = ""
    """What it sets; empty where ``EngineModel.values`` says so."""
    drift: float = 0.0
    """As of ``schema.variable.Param``."""
    bounds: Bounds = (None, None)


@dataclass(frozen=True, slots=True)
class EngineInput:
    """What comes from outside, and is read."""

    name: str
    unit: str
    sets: Sets = ""
    default: float | None = None


@dataclass(frozen=True, slots=True)
class EngineControl:
    """What we may set."""

    name: str
    unit: str = "1"
    sets: Sets = ""
    bounds: Bounds = (None, None)
    default: float | None = None
    choices: tuple[str, ...] = ()
    """For a variable of the engine that is a text, such as a signal's program: what it may be.
    People set one of these; readings and devices tell its number, from 0."""


@dataclass(frozen=True, slots=True)
class EngineSensor:
    """What a real sensor would read."""

    name: str
    unit: str
    of: str
    """A variable of the engine."""
    scale: float = 1.0
    """What that is multiplied by."""
    counter: bool = False
    """It is a total that only grows: read is how much it grew in a step."""
    noise: float | None = None
    """Standard deviation of one reading's error."""
    by_chance: bool = False
    """What is read comes one by one, as vehicles do: the simulator's own chance scatters it by the
    root of how many they are. The members then meet other chances in every run. A run of equal
    readings is a fault where so many were unlikely (``assimilate.fault_counts``)."""
    absent: tuple[float, float] | None = None
    """A number by which the engine says that there is nothing to read, as SUMO says a speed of -1
    where nobody passes, and what is taken to be read instead. A member must tell something, for
    the real sensor may have."""
    virtual: bool = False
    """No such sensor is there: it is only told."""
    bounds: Bounds = (None, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class EngineModel:
    """A model for ``gm.Twin``: an engine, and what of it is tied to the twin."""

    name: str
    opened: Callable[[], SupportsFork]
    """An engine of the model, not begun, as in ``lambda: sumo.opened(network)``."""
    step: str
    """The twin's own, a whole number of the engine's."""
    window: str
    """How long a stretch of readings the parameters are fitted to."""
    stride: str
    """How often they are."""
    params: Sequence[EngineParam]
    sensors: Sequence[EngineSensor]
    inputs: Sequence[EngineInput] = ()
    controls: Sequence[EngineControl] = ()
    values: Callable[[Mapping[str, float]], Mapping[str, Value]] | None = None
    """What is set in the engine, beside what ``sets`` says, of all params, inputs and controls by
    their names."""
    begins_with: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)
    """Params that the engine takes only at its beginning."""
    begins_at: Callable[[Instant], Mapping[str, Value]] | None = None
    """The same, of those that hang upon when a simulation begins, such as the time of day."""
    warm_up: str = ""
    """How long a simulation has run when its twin is born; by default a step."""
    average: str = ""
    """Readings are averaged over so long before they are fitted; by default each is fitted. Of a
    simulator with chance there should be far fewer of them than members."""
    smoother: EsMda | None = None
    """By default four steps; without cut-off where there are few params."""
    bridge: Bridge | None = None
    """Before each fit members are chosen by how well they foresaw what was read: for engines whose
    state may go wrong for good, as queues that never dissolve (``assimilate.bridge``)."""
    reach: Mapping[str, Mapping[str, float]] | None = None
    """By param, then by sensor: share of its gain that a reading may have on the param, from 0 to
    1; 0 of sensors that are left out. By default every reading tells of every param. With an
    ``EsMda(local=True)`` each param is fitted to what reaches it alone."""
    files: Sequence[Path] = ()
    """What the engine reads: another content is another model."""
    most_processes: int = MOST_LIVING

    def __post_init__(self) -> None:
        if not self.params or not any(not s.virtual for s in self.sensors):
            raise SchemaError(
                f"{self.name} needs a param to be found and a sensor that tells of it."
            )
        for told in (self.window, self.stride, self.average or self.step):
            self._steps(told)
        if span(self.window) % span(self.stride):
            raise SchemaError(
                f"{self.name}: a window of {self.window} is not a whole number of strides of "
                f"{self.stride}."
            )
        _ = self.schema

    @cached_property
    def schema(self) -> Schema:
        """What is declared."""
        declared: list[Variable] = [
            Param(p.name, p.unit, p.prior, p.drift, p.bounds) for p in self.params
        ]
        declared += [Input(i.name, i.unit, i.default) for i in self.inputs]
        declared += [
            Control(
                c.name,
                c.unit,
                _bounds_of(c),
                0.0 if c.choices and c.default is None else c.default,
                c.choices,
            )
            for c in self.controls
        ]
        declared += [_sensor(s) for s in self._outputs]
        return Schema(self.name, span(self.step), tuple(declared), keeps_outputs=True)

    @property
    def tied(self) -> tuple[EngineParam | EngineInput | EngineControl, ...]:
        """What sets something in the engine."""
        return (*self.params, *self.inputs, *self.controls)

    @cached_property
    def _outputs(self) -> tuple[EngineSensor, ...]:
        """In the order of ``schema.outputs``."""
        return (
            *(s for s in self.sensors if not s.virtual),
            *(s for s in self.sensors if s.virtual),
        )

    @cached_property
    def identity(self) -> str:
        """Hash of the declaration, the engine's spec and the files that it reads.

        Raises:
            As ``cycle``.
        """
        seen = hashlib.sha256(f"engine model 1 {self.schema.fingerprint}".encode())
        wired = (self.params, self.inputs, self.controls, self._outputs, self.warm_up)
        settings = (self.window, self.stride, self.average, ANCHOR_EVERY, self.values is None)
        begins_at = None if self.begins_at is None else sorted(self.begins_at(0).items())
        begins = (sorted(self.begins_with.items()), begins_at)
        seen.update(repr((wired, begins, settings)).encode())
        spec = self._keeper.spec
        self._check(spec)
        seen.update(repr(spec).encode())
        seen.update(self._of_files)
        return seen.hexdigest()

    @cached_property
    def _of_files(self) -> bytes:
        return b"".join(hashlib.sha256(Path(f).read_bytes()).digest() for f in self.files)

    @cached_property
    def _keeper(self) -> Keeper:
        """One for all fleets of the model: what one of them has run the others need not."""
        counters = frozenset(s.of for s in self._outputs if s.counter)
        asked = Asked(tuple(s.of for s in self._outputs), counters)
        return Keeper(self.opened, asked, identity=self._of_files.hex(), most=self.most_processes)

    @property
    def told(self) -> str:
        """Which engine it is, and what opens it, for people."""
        opened = self.opened.func if isinstance(self.opened, partial) else self.opened
        made = opened if isinstance(opened, type | FunctionType) else type(opened)
        spec = self._keeper.spec
        version = spec.version.removeprefix(spec.name).strip()
        return f"{made.__module__}:{made.__qualname__}, engine {spec.name} {version}"

    @property
    def repeats(self) -> bool:
        """Whether its simulations, begun again, come to the same numbers, as it says of itself."""
        return self._keeper.spec.capabilities.deterministic

    @property
    def processes(self) -> int:
        """How many simulations have a process that waits."""
        return self._keeper.living

    def close(self) -> None:
        """End all of its processes, where it was never run; a site that stops does so by itself."""
        self._keeper.close()

    def cycle(self) -> WindowedCycle:
        """What keeps twins of it in step.

        Raises:
            EngineError: the engine cannot be opened, or a twin of it could not be kept.
            UnknownNameError: it has no such variable.
            SchemaError: its grid does not fit.
        """
        identity, spec = self.identity, self._keeper.spec
        warm_up = max(self._steps(self.warm_up), 1) if self.warm_up else 1
        wiring = Wiring(
            self.schema,
            _Setting(self, spec),
            tuple(s.scale for s in self._outputs),
            tuple(s.absent for s in self._outputs),
            self._begins,
            warm_up,
        )
        few = len(self.params) <= FEW_PARAMS
        return WindowedCycle(
            EngineStepper(wiring, self._keeper),
            identity,
            window=self._steps(self.window),
            stride=self._steps(self.stride),
            bridge=self.bridge,
            smoother=self.smoother or (EsMda(cut_off=0.0) if few else EsMda()),
            average=self._steps(self.average) if self.average else 1,
            counts=tuple(abs(s.scale) if s.by_chance else 0.0 for s in self._outputs),
            reach=self._reached(),
        )

    def _begins(self, at: Instant) -> Mapping[str, Value]:
        """What a simulation that begins then is begun with."""
        return {**self.begins_with, **(self.begins_at(at) if self.begins_at else {})}

    def _reached(self) -> Float64[np.ndarray, "param sensor"] | None:
        """As the cycle has it.

        Raises:
            UnknownNameError: there is no such param or sensor.
        """
        if self.reach is None:
            return None
        rows = {p.name: i for i, p in enumerate(self.params)}
        columns = {s.name: i for i, s in enumerate(self._outputs) if not s.virtual}
        found = np.zeros((len(rows), len(columns)))
        for param, of_sensors in self.reach.items():
            if param not in rows:
                raise UnknownNameError("param", param, rows, where=self.name)
            for sensor, share in of_sensors.items():
                if sensor not in columns:
                    raise UnknownNameError("sensor", sensor, columns, where=self.name)
                found[rows[param], columns[sensor]] = share
        return found

    def _steps(self, told: str) -> int:
        length, step = span(told), span(self.step)
        if length < step or length % step:
            raise SchemaError(f"{self.name}: {told} is not a whole number of steps of {self.step}.")
        return length // step

    def _check(self, spec: Spec) -> None:
        step: Span = span(self.step)
        if step % spec.step:
            raise SchemaError(
                f"{self.name} goes in steps of {self.step}, and {spec.name} in steps of "
                f"{spec.step / SECOND:g} s: a whole number of these is needed."
            )
        spec.params(self._begins(0))
        for each in self.tied:
            spec.check_known(_targets(each.sets))
            texts = [n for n in _targets(each.sets) if spec.by_name[n].kind is Kind.TEXT]
            if texts and not (isinstance(each, EngineControl) and each.choices):
                raise SchemaError(f"{', '.join(texts)} is a text: give {each.name} its choices.")
            fixed = [n for n in _targets(each.sets) if _is_fixed(spec, n)]
            if fixed:
                raise SchemaError(
                    f"{', '.join(fixed)} of {spec.name} cannot be set once it runs, so {each.name} "
                    "cannot be found by it. What is known of it belongs into 'begins_with'."
                )


class _Setting:
    """What is set in the engine, of what the twin holds."""

    def __init__(self, model: EngineModel, spec: Spec) -> None:
        self._more = model.values
        self._plain: list[tuple[str, str, float]] = []
        self._chosen: list[tuple[str, str, tuple[str, ...]]] = []
        for each in model.tied:
            if isinstance(each, EngineControl) and each.choices:
                self._chosen += [(each.name, n, each.choices) for n in _targets(each.sets)]
            else:
                self._plain += [(each.name, n, f) for n, f in _targets(each.sets).items()]
        self._bounds = {v.name: v.bounds for v in spec.variables}
        self._kinds = {v.name: v.kind for v in spec.variables}

    def __call__(self, told: Mapping[str, float]) -> Mapping[str, Value]:
        sets: dict[str, Value] = {}
        for name, target, factor in self._plain:
            least, most = self._bounds[target]
            value = told[name] * factor
            value = value if least is None else max(value, least)
            value = value if most is None else min(value, most)
            match self._kinds[target]:
                case Kind.INTEGER:
                    sets[target] = round(value)
                case Kind.BOOLEAN:
                    sets[target] = value >= 0.5
                case _:
                    sets[target] = value
        for name, target, choices in self._chosen:
            sets[target] = choices[min(max(round(told[name]), 0), len(choices) - 1)]
        return sets if self._more is None else {**sets, **self._more(told)}


def _targets(sets: Sets) -> Mapping[str, float]:
    if isinstance(sets, str):
        return {sets: 1.0} if sets else {}
    return sets


def _is_fixed(spec: Spec, name: str) -> bool:
    variable = spec.by_name[name]
    return variable.role not in {Role.INPUT, Role.CONTROL} and not variable.tunable


def _bounds_of(control: EngineControl) -> Bounds:
    return (0.0, len(control.choices) - 1.0) if control.choices else control.bounds


def _sensor(declared: EngineSensor) -> Sensor | Virtual:
    if declared.virtual:
        return Virtual(declared.name, declared.unit)
    return Sensor(declared.name, declared.unit, declared.noise, bounds=declared.bounds)
