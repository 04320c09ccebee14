"""A twin of an FMU, described in a file: what ``gemeos adopt`` writes, and people go on with.

::

    [fmu]
    path = "spring.fmu"  # beside this file
    step = "100 ms"
    substeps = 10

    [state.x]  # moved by the FMU, corrected by readings
    unit = "m"
    prior = "normal(1, 0.1)"  # or lognormal(median, sigma), uniform(least, most)
    noise = 1e-3  # m per square root of a second
    bounds = [0, inf]

    [param.stiffness]  # unknown, estimated with the state
    unit = "1/s^2"
    prior = "lognormal(4, 0.2)"
    drift = 0.0

    [const.damping]  # known
    unit = "1/s"
    value = 0.2

    [input.force]  # from outside
    unit = "m/s^2"
    default = 0.0

    [control.valve]  # as an input, and plans may set it
    unit = "1"
    bounds = [0, 1]
    default = 0.0

    [sensor.x_read]  # what a real sensor reads
    fmu = "x"  # what the FMU calls it, where that differs
    unit = "m"
    noise = 0.02  # of one reading
    mean_over = "1 min"  # for a sensor that reports averages

    [virtual.energy]  # a sensor that is not there
    unit = "J"

An FMU that keeps its states to itself is kept in step by its params, fitted to a window of
readings that slides. It has no ``[state]``, and in ``[fmu]``::

    interface = "CoSimulation"
    window = "1 min"  # that params are fitted to
    stride = "15 s"  # how often they are
"""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gemeos.engines.fmi.settings import Fmi, Interface, opened
from gemeos.engines.hosted import USUAL_LIMIT
from gemeos.engines.simulator import USUAL_WORKERS, EngineSimulator
from gemeos.errors import GemeosError, SchemaError
from gemeos.schema.declare import lognormal, normal, uniform
from gemeos.schema.prior import Prior
from gemeos.schema.schema import Schema
from gemeos.schema.variable import (
    Bounds,
    Const,
    Control,
    Input,
    Measure,
    Param,
    Sensor,
    State,
    Variable,
    Virtual,
)
from gemeos.units import span
from gemeos.units.instant import SECOND, Span

_PRIORS: Final[Mapping[str, Callable[[float, float], Prior]]] = {
    "normal": normal,
    "lognormal": lognormal,
    "uniform": uniform,
}
_NUMBER: Final = r"\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*"
_PRIOR: Final = re.compile(rf"\s*(\w+)\s*\({_NUMBER},{_NUMBER}\)\s*")


class _Fmu(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    step: str | None = None
    substeps: int = 10
    begin: float | None = None
    memoryless: bool = False
    interface: Interface = Interface.MODEL_EXCHANGE
    window: str | None = None
    stride: str | None = None
    limit: str | None = None
    """The longest that one step of one member may take."""
    workers: int = USUAL_WORKERS
    """Processes that move members at once."""


class _One(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    unit: str = ""
    fmu: str = ""


class _State(_One, frozen=True, kw_only=True):
    prior: str
    noise: float = 0.0
    bounds: Bounds = (None, None)


class _Param(_One, frozen=True, kw_only=True):
    prior: str
    drift: float = 0.0
    bounds: Bounds = (None, None)


class _Const(_One, frozen=True, kw_only=True):
    value: bool | int | float


class _Input(_One, frozen=True, kw_only=True):
    default: float | None = None


class _Control(_One, frozen=True, kw_only=True):
    bounds: Bounds
    default: float | None = None


class _Sensor(_One, frozen=True, kw_only=True):
    noise: float | None = None
    mean_over: str | None = None
    sum_over: str | None = None
    counter_over: str | None = None
    wraps: float | None = None
    bounds: Bounds = (None, None)


class _Virtual(_One, frozen=True, kw_only=True):
    pass


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fmu: _Fmu
    state: dict[str, _State] = {}
    param: dict[str, _Param] = {}
    const: dict[str, _Const] = {}
    input: dict[str, _Input] = {}
    control: dict[str, _Control] = {}
    sensor: dict[str, _Sensor] = {}
    virtual: dict[str, _Virtual] = {}


@dataclass(frozen=True, slots=True)
class Described:
    """What a description says, before the FMU is looked at."""

    fmi: Fmi
    variables: tuple[Variable, ...]
    names: Mapping[str, str]
    """By variable: what the FMU calls it."""
    begins: Mapping[str, bool | int | float]
    """By what the FMU calls it: values of the constants, as they are written."""
    limit: Span
    workers: int
    window: tuple[str, str] | None
    """Length and stride, for an FMU that keeps its states to itself."""


def read_description(path: Path) -> Described:
    """What the file says.

    Raises:
        SchemaError: it is missing, is not understood, or contradicts itself.
    """
    try:
        told = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
        return _described(told, path.resolve().parent)
    except FileNotFoundError as error:
        raise SchemaError(f"There is no {path}. `gemeos adopt model.fmu` writes one.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path} is not TOML: {error}.") from error
    except msgspec.ValidationError as error:
        raise SchemaError(f"{path} does not describe an FMU's twin: {error}.") from error
    except GemeosError as error:
        raise SchemaError(f"{path}: {error}") from error


def simulator(described: Described) -> EngineSimulator:
    """The simulator of the FMU that is described, with its processes.

    Raises:
        SchemaError: the FMU has no such variables, or they do not fit together.
        InputError: the FMU hides something that it goes on from.
        EngineError: the FMU cannot be run here.
    """
    fmi = described.fmi
    engine = opened(fmi, limit=described.limit)
    try:
        schema = Schema(Path(fmi.path).stem, engine.spec.step, described.variables)
        settings = msgspec.structs.replace(fmi, path="")
        inside = hashlib.sha256(Path(fmi.path).read_bytes()).hexdigest()
        return EngineSimulator(
            engine,
            schema,
            names=described.names,
            identity=f"{inside} {settings!r}",
            workers=described.workers,
        )
    except BaseException:
        engine.close()
        raise


def _described(told: _File, here: Path) -> Described:
    fmu = told.fmu
    fmi = Fmi(
        str(here / fmu.path),
        step=None if fmu.step is None else span(fmu.step),
        interface=fmu.interface,
        begin_s=fmu.begin,
        substeps=fmu.substeps,
        # What is logged of each member of each step would be read by nobody.
        logs=False,
        memoryless=fmu.memoryless,
    )
    variables: tuple[Variable, ...] = (
        *(
            State(n, v.unit, prior(v.prior), v.noise, _bounds(v.bounds))
            for n, v in told.state.items()
        ),
        *(
            Param(n, v.unit, prior(v.prior), v.drift, _bounds(v.bounds))
            for n, v in told.param.items()
        ),
        *(Const(n, v.unit, float(v.value)) for n, v in told.const.items()),
        *(Input(n, v.unit, v.default) for n, v in told.input.items()),
        *(Control(n, v.unit, _bounds(v.bounds), v.default) for n, v in told.control.items()),
        *(_sensor(n, v) for n, v in told.sensor.items()),
        *(Virtual(n, v.unit) for n, v in told.virtual.items()),
    )
    tables: tuple[Mapping[str, _One], ...] = (
        told.state,
        told.param,
        told.const,
        told.input,
        told.control,
        told.sensor,
        told.virtual,
    )
    names = {n: v.fmu for table in tables for n, v in table.items() if v.fmu}
    limit = USUAL_LIMIT if fmu.limit is None else span(fmu.limit)
    begins = {v.fmu or n: v.value for n, v in told.const.items()}
    return Described(fmi, variables, names, begins, limit, fmu.workers, _window(told))


def _window(told: _File) -> tuple[str, str] | None:
    window, stride = told.fmu.window, told.fmu.stride
    if window is None or stride is None:
        if told.fmu.interface is Interface.CO_SIMULATION or (window, stride) != (None, None):
            raise SchemaError("An FMU that keeps its states to itself needs window and stride.")
        return None
    if told.state:
        raise SchemaError(
            f"What is fitted to a window has no states of its own: {', '.join(told.state)}."
        )
    if told.fmu.step is None:
        raise SchemaError("What is fitted to a window needs a step.")
    return window, stride


def _sensor(name: str, told: _Sensor) -> Sensor:
    spans = {
        Measure.MEAN: told.mean_over,
        Measure.SUM: told.sum_over,
        Measure.COUNTER: told.counter_over,
    }
    asked = [(measure, text) for measure, text in spans.items() if text is not None]
    if len(asked) > 1:
        raise SchemaError(f"Sensor {name!r} has one of mean_over, sum_over, counter_over, not two.")
    measure, text = asked[0] if asked else (Measure.INSTANT, None)
    over = 0.0 if text is None else span(text) / SECOND
    return Sensor(name, told.unit, told.noise, measure, over, told.wraps, _bounds(told.bounds))


def _bounds(told: Bounds) -> Bounds:
    """TOML has no nothing: an end that is infinite is none."""
    least, most = (None if e is None or math.isinf(e) else float(e) for e in told)
    return least, most


def prior(text: str) -> Prior:
    """What ``normal(1, 0.1)`` says.

    Raises:
        SchemaError: it says nothing.
    """
    found = _PRIOR.fullmatch(text)
    if found is None or found[1] not in _PRIORS:
        raise SchemaError(
            f"{text!r} is no prior: write normal(mean, sd), lognormal(median, sigma) or "
            "uniform(least, most)."
        )
    return _PRIORS[found[1]](float(found[2]), float(found[3]))
