"""The declared variables of a twin, checked as a whole and given their places in arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.schema.part import Part, Related
from gemeos.schema.variable import (
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
from gemeos.units.instant import SECOND, Span

_Role = TypeVar("_Role", State, Param, Const, Input, Control, Sensor, Virtual)

SPREAD_THAT_NEEDS_DOUBLE = 1e-5
"""Below this ratio of spread to mean, float32 has fewer than two digits left for the spread."""


@dataclass(frozen=True)
class Schema:
    """What is declared: variables, parts, relations, and the step of the model's grid.

    Axes of every array follow the order of declaration: *row* is states, then params, then one
    running sum for each sensor that covers an interval longer than a step, then the outputs where
    they are kept; *driven* is inputs,
    then controls; *output* is sensors, then virtuals.
    """

    name: str
    step: Span
    """Microseconds between two instants of the grid; instants are its multiples since 1970."""
    variables: tuple[Variable, ...]
    parts: tuple[Part, ...] = ()
    related: tuple[Related, ...] = ()
    keeps_outputs: bool = False
    """The model cannot be asked again what its outputs are: those of the last step are kept with
    the ensemble. Such a model may move states that nobody but it knows."""

    def __post_init__(self) -> None:
        if self.step <= 0:
            raise SchemaError(f"{self.name}: the step must be longer than nothing.")
        names = [v.name for v in self.variables]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise SchemaError(f"{self.name} declares {', '.join(twice)} more than once.")
        if not (self.states or self.keeps_outputs):
            raise SchemaError(f"{self.name} declares no state: there is nothing to keep in step.")
        self._check_intervals()
        self._check_parts()
        self._check_echoes()

    def _check_intervals(self) -> None:
        for sensor in self.sensors:
            if round(sensor.over * SECOND) % self.step:
                raise SchemaError(
                    f"{self.name}: sensor {sensor.name!r} covers {sensor.over} s, which is not a "
                    f"whole number of steps of {self.step / SECOND} s."
                )

    def _check_parts(self) -> None:
        part_names = {p.name for p in self.parts}
        for variable in self.variables:
            part, _, _ = variable.name.rpartition(".")
            if part and part not in part_names:
                raise UnknownNameError("part", part, part_names, where=self.name)
        for pair in self.related:
            for end in (pair.source, pair.target):
                if end not in part_names:
                    raise UnknownNameError("part", end, part_names, where=self.name)

    def _check_echoes(self) -> None:
        controls = [v.name for v in self._of(Control)]
        for each in self._of(Input):
            if each.echo is not None and each.echo not in controls:
                raise UnknownNameError("control", each.echo, controls, where=self.name)

    def _of(self, role: type[_Role]) -> tuple[_Role, ...]:
        return tuple(v for v in self.variables if isinstance(v, role))

    @cached_property
    def states(self) -> tuple[State, ...]:
        """Moved by the model."""
        return self._of(State)

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """Estimated beside the state."""
        return self._of(Param)

    @cached_property
    def consts(self) -> tuple[Const, ...]:
        """Known, one value a twin."""
        return self._of(Const)

    @cached_property
    def driven(self) -> tuple[Input | Control, ...]:
        """What comes from outside: inputs, then controls."""
        return (*self._of(Input), *self._of(Control))

    @cached_property
    def echoes(self) -> tuple[tuple[int, int], ...]:
        """Places in ``driven``: of a control, and of an input that tells where reality has it."""
        places = {v.name: place for place, v in enumerate(self.driven)}
        return tuple(
            (places[v.echo], places[v.name]) for v in self._of(Input) if v.echo is not None
        )

    @cached_property
    def sensors(self) -> tuple[Sensor, ...]:
        """What real sensors read."""
        return self._of(Sensor)

    @cached_property
    def virtuals(self) -> tuple[Virtual, ...]:
        """Sensors that are not there."""
        return self._of(Virtual)

    @cached_property
    def estimated(self) -> tuple[State | Param, ...]:
        """States, then params: the rows that a model is given."""
        return (*self.states, *self.params)

    @cached_property
    def outputs(self) -> tuple[Sensor | Virtual, ...]:
        """Sensors, then virtuals: the rows that a model observes."""
        return (*self.sensors, *self.virtuals)

    @cached_property
    def running(self) -> tuple[int, ...]:
        """Places in ``sensors`` of those that need a running sum over several steps."""
        return tuple(
            i
            for i, s in enumerate(self.sensors)
            if s.measure is not Measure.INSTANT and round(s.over * SECOND) > self.step
        )

    @property
    def rows(self) -> int:
        """How many rows an ensemble of this schema has."""
        return self.row_of_outputs + (len(self.outputs) if self.keeps_outputs else 0)

    @property
    def row_of_outputs(self) -> int:
        """The first row of the outputs, where they are kept."""
        return len(self.estimated) + len(self.running)

    @property
    def step_s(self) -> float:
        """The step in seconds, as models are given it."""
        return self.step / SECOND

    @cached_property
    def precision(self) -> np.dtype[np.floating]:
        """float32, or float64 where a prior's spread would drown in float32's rounding."""
        for variable in self.estimated:
            size, spread = abs(variable.prior.typical), variable.prior.spread
            if size > 0 and 0 < spread / size < SPREAD_THAT_NEEDS_DOUBLE:
                return np.dtype(np.float64)
        return np.dtype(np.float32)

    @cached_property
    def _by_name(self) -> dict[str, Variable]:
        return {v.name: v for v in self.variables}

    def variable(self, name: str) -> Variable:
        """The variable of that name.

        Raises:
            UnknownNameError: there is none; the message names the nearest.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownNameError("variable", name, self._by_name, where=self.name) from None

    @cached_property
    def fingerprint(self) -> str:
        """Hash of everything declared. Two schemas with one fingerprint mean the same."""
        told = repr((self.name, self.step, self.variables, self.parts, self.related))
        told += " keeps outputs" if self.keeps_outputs else ""
        # Only of those that have them, and so the others mean what they meant before there were.
        told += "".join(repr(v.choices) for v in self._of(Control) if v.choices)
        told += f" echoes {self.echoes}" if self.echoes else ""
        return hashlib.sha256(told.encode()).hexdigest()[:16]
