"""Values on their way to another process: a batch of forks, and the model that moves them.

Only what is listed here is carried, and made again by its constructor: nothing that comes in can
have code run. A declared model is carried as its lowered form, straight-line operations without
the user's source, so that it does not matter where that was written. What a user computes in
Python itself, as in an array model, cannot be carried.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec
import numpy as np

from gemeos.ensemble import clause
from gemeos.ensemble.state import TwinState
from gemeos.errors import WorkerError
from gemeos.foresee import intervene
from gemeos.foresee.executor import Batch
from gemeos.schema import part, prior, variable
from gemeos.schema.schema import Schema
from gemeos.simulate import lowered
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Crew, Simulator, Steps
from gemeos.simulate.batched import BatchedSimulator
from gemeos.simulate.fast import FastSimulator, NotCompiled, compiled
from gemeos.simulate.frontend import LoweredModel
from gemeos.units.quantity import Quantity

_KINDS: Final[tuple[type, ...]] = (
    Batch,
    TwinState,
    Crew,
    intervene.Acts,
    intervene.Act,
    intervene.Place,
    intervene.Held,
    intervene.Line,
    intervene.Scaled,
    intervene.Redrawn,
    clause.Condition,
    clause.Comparison,
    clause.Not,
    clause.AllOf,
    clause.AnyOf,
    clause.Relation,
    clause.Name,
    clause.Number,
    clause.Magnitude,
    clause.Difference,
    Quantity,
    Schema,
    variable.State,
    variable.Param,
    variable.Const,
    variable.Input,
    variable.Control,
    variable.Sensor,
    variable.Virtual,
    variable.Measure,
    prior.Normal,
    prior.LogNormal,
    prior.Uniform,
    part.Part,
    part.Related,
    part.Relation,
    LoweredModel,
    lowered.Lowered,
    lowered.Operation,
    lowered.Function,
    lowered.Kind,
    lowered.Number,
    lowered.Truth,
    lowered.Read,
    lowered.Temp,
)
_NUMBER_OF: Final = {kind: number for number, kind in enumerate(_KINDS)}

_Plain: TypeAlias = Any
"""What MessagePack knows."""


class _Tag(IntEnum):
    """What a list that came is: its first element."""

    TUPLE = 0
    TABLE = 1
    ARRAY = 2
    EMPTY = 3
    """An array of objects without any."""
    SCALAR = 4
    ENUM = 5
    VALUE = 6


@dataclass(frozen=True, slots=True)
class CarriedModel:
    """What moves members, as a value."""

    identity: str
    """Of the simulator; what is made of it must have the same."""
    is_compiled: bool
    """By numba; else it is printed for numpy."""
    packed: bytes
    """Its lowered form."""
    kernels: str | None
    """The folder that keeps what was compiled."""


def packed(value: object) -> bytes:
    """The value in bytes.

    Raises:
        WorkerError: something in it cannot be carried.
    """
    try:
        return msgspec.msgpack.encode(_plain(value))
    except OverflowError as error:
        raise WorkerError(f"A number is too large to be handed over: {error}.") from error


def unpacked(body: bytes) -> object:
    """The value that ``packed`` put into bytes."""
    return _made(msgspec.msgpack.decode(body))


def model_of(steps: Steps) -> CarriedModel | None:
    """The model as a value; None where it cannot be one."""
    simulator = steps.simulator if isinstance(steps, Stepper) else None
    match simulator:
        case FastSimulator():
            folder = simulator.folder
            kernels = None if folder is None else str(folder)
        case BatchedSimulator():
            kernels = None
        case _:
            return None
    body = packed(simulator.lowered)
    return CarriedModel(simulator.identity, isinstance(simulator, FastSimulator), body, kernels)


def stepper_of(model: CarriedModel) -> Stepper:
    """The model made again.

    Raises:
        WorkerError: it did not become the same.
    """
    form = unpacked(model.packed)
    if not isinstance(form, LoweredModel):
        raise WorkerError(f"A {type(form).__name__} is no model.")
    made: Simulator | NotCompiled
    if model.is_compiled:
        made = compiled(form, None if model.kernels is None else Path(model.kernels))
        if isinstance(made, NotCompiled):
            raise WorkerError(f"{form.schema.name} is not compiled: {made.reason}")
    else:
        made = BatchedSimulator(form)
    if made.identity != model.identity:
        raise WorkerError(f"{form.schema.name} came out as another model.")
    return Stepper(made)


def _plain(value: object) -> _Plain:  # noqa: PLR0911 -- a match of all kinds
    match value:
        case Enum() if type(value) in _NUMBER_OF:
            return [_Tag.ENUM, _NUMBER_OF[type(value)], _plain(value.value)]
        case None | bool() | str() | bytes():
            return value
        case np.generic():
            return [_Tag.SCALAR, value.dtype.str, value.tobytes()]
        case int() | float():
            return value
        case tuple() | list():
            return [_Tag.TUPLE, *map(_plain, value)]
        case dict():
            return [_Tag.TABLE, {str(k): _plain(v) for k, v in value.items()}]
        case np.ndarray() if not value.dtype.hasobject:
            return [_Tag.ARRAY, value.dtype.str, value.shape, np.ascontiguousarray(value).tobytes()]
        case np.ndarray() if value.size == 0:
            return [_Tag.EMPTY, value.shape]
        case _ if is_dataclass(value) and type(value) in _NUMBER_OF:
            held = (_plain(getattr(value, f.name)) for f in fields(value))
            return [_Tag.VALUE, _NUMBER_OF[type(value)], *held]
        case _:
            raise WorkerError(f"A {type(value).__name__} cannot be handed to another process.")


def _made(plain: _Plain) -> Any:  # noqa: ANN401, PLR0911 -- whatever was carried
    if not isinstance(plain, list):
        return plain
    match plain:
        case [_Tag.TUPLE, *rest]:
            return tuple(map(_made, rest))
        case [_Tag.TABLE, table]:
            return {name: _made(held) for name, held in table.items()}
        case [_Tag.ARRAY, kind, shape, raw]:
            return np.frombuffer(raw, np.dtype(kind)).reshape(shape).copy()
        case [_Tag.EMPTY, shape]:
            return np.full(shape, None, object)
        case [_Tag.SCALAR, kind, raw]:
            return np.frombuffer(raw, np.dtype(kind))[0]
        case [_Tag.ENUM, number, held]:
            return _KINDS[number](_made(held))
        case [_Tag.VALUE, number, *held]:
            return _KINDS[number](*map(_made, held))
        case _:
            raise WorkerError("What came is no value.")
