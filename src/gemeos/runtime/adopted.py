"""What a twin of an FMU is moved by: a simulator, or an engine that is fitted to a window."""

from __future__ import annotations

from pathlib import Path

from gemeos.engines.fmi.described import Described, read_description, simulator
from gemeos.engines.fmi.settings import opened
from gemeos.errors import SchemaError
from gemeos.runtime.engine_model import (
    EngineControl,
    EngineInput,
    EngineModel,
    EngineParam,
    EngineSensor,
)
from gemeos.schema.variable import Const, Control, Input, Measure, Param, Sensor, State, Virtual
from gemeos.simulate.base import Simulator
from gemeos.units import span_told


def adopted(path: Path) -> Simulator | EngineModel:
    """The model of the FMU that the file describes.

    Raises:
        SchemaError: the description is missing, is not understood, or does not fit the FMU.
        InputError: the FMU hides something that it goes on from, and has no window.
        EngineError: the FMU cannot be run here.
    """
    described = read_description(path)
    return (
        simulator(described) if described.window is None else _fitted(described, *described.window)
    )


def _fitted(described: Described, window: str, stride: str) -> EngineModel:
    fmi, names = described.fmi, described.names
    params: list[EngineParam] = []
    inputs: list[EngineInput] = []
    controls: list[EngineControl] = []
    sensors: list[EngineSensor] = []
    for v in described.variables:
        theirs = names.get(v.name, v.name)
        match v:
            case Param():
                params.append(EngineParam(v.name, v.unit, v.prior, theirs, v.drift, v.bounds))
            case Const():
                continue
            case Input():
                inputs.append(EngineInput(v.name, v.unit, theirs, v.default))
            case Control():
                controls.append(EngineControl(v.name, v.unit, theirs, v.bounds, v.default))
            case Sensor(measure=measure):
                if measure is not Measure.INSTANT:
                    raise SchemaError(
                        f"Sensor {v.name!r} covers an interval: what is fitted to a window reads "
                        "instants."
                    )
                bounds = v.bounds
                sensors.append(EngineSensor(v.name, v.unit, theirs, noise=v.noise, bounds=bounds))
            case Virtual():
                sensors.append(EngineSensor(v.name, v.unit, theirs, virtual=True))
            case State():
                raise SchemaError(
                    f"{v.name!r} is a state, and what is fitted to a window has none."
                )
    return EngineModel(
        name=Path(fmi.path).stem,
        opened=lambda: opened(fmi, limit=described.limit),
        step=span_told(fmi.step or 0),
        window=window,
        stride=stride,
        params=params,
        sensors=sensors,
        inputs=inputs,
        controls=controls,
        begins_with=dict(described.begins),
        files=[Path(fmi.path)],
    )
