"""What an exported twin is inside its FMU: the model's methods as they are written, in floats.

Imported by whoever runs the FMU, and by ``export`` when it writes the description. pythonfmu calls
what runs an FMU a slave; so does FMI 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar
from xml.etree.ElementTree import Element, SubElement

from pythonfmu import Fmi2Causality, Fmi2Initial, Fmi2Slave, Fmi2Variability, Real
from pythonfmu.default_experiment import DefaultExperiment

from gemeos.schema.declare import declaration_of
from gemeos.schema.variable import Bounds, Const, Control, Input, Param, Sensor, State, Virtual

ROUNDING = 1e-6
"""Share of a step by which the importer's steps may miss a whole number of ours."""


class TwinSlave(Fmi2Slave):  # type: ignore[misc]
    """One member. Subclassed, in the FMU, for one model."""

    model: ClassVar[type]
    """Decorated with ``model``."""
    known: ClassVar[Mapping[str, float]] = MappingProxyType({})
    """Start values of constants, params and states that are not the declared ones."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - pythonfmu's own
        """Every variable of the schema, under its name."""
        super().__init__(**kwargs)
        declaration = declaration_of(self.model)
        schema = self._schema = declaration.schema
        self._move = declaration.step
        self.default_experiment = DefaultExperiment(
            start_time=0.0, stop_time=1000 * schema.step_s, step_size=schema.step_s
        )
        self._values: dict[str, float] = {}
        told = {
            v.name: method for v, method in zip(schema.outputs, declaration.outputs, strict=True)
        }
        for v in schema.variables:
            match v:
                case State() | Param():
                    self._hold(v.name, v.prior.typical, param=isinstance(v, Param))
                case Const(default=default):
                    self._hold(v.name, default, param=True)
                case Input(default=default) | Control(default=default):
                    self._values[v.name] = self.known.get(v.name, default or 0.0)
                    self._register(v.name, Fmi2Causality.input, Fmi2Variability.continuous)
                case Sensor() | Virtual():
                    self.register_variable(
                        Real(
                            v.name,
                            causality=Fmi2Causality.output,
                            variability=Fmi2Variability.continuous,
                            initial=Fmi2Initial.calculated,
                            getter=self._reading(told[v.name]),
                            setter=_ignored,
                        ),
                        nested=False,
                    )

    def do_step(self, current_time: float, step_size: float) -> bool:  # noqa: ARG002 - FMI's own
        """A whole number of the model's steps; with any other the FMU refuses."""
        dt = self._schema.step_s
        steps = round(step_size / dt)
        if steps < 1 or abs(step_size / dt - steps) > ROUNDING * steps:
            raise ValueError(
                f"{self.model.__name__} goes in steps of {dt:g} s, not {step_size:g} s"
            )
        for _ in range(steps):
            ahead = self._move(self._member(), dt)
            if type(ahead) is not self.model:
                raise TypeError(f"step returned {ahead!r} instead of {self.model.__name__}(...)")
            self._values.update({v.name: float(vars(ahead)[v.name]) for v in self._schema.states})
        return True

    def to_xml(self, model_options: Mapping[str, str] = MappingProxyType({})) -> Element:
        """The description that pythonfmu makes, with units and bounds."""
        root = super().to_xml(dict(model_options))
        units = sorted({v.unit for v in self._schema.variables} - {"", "1"})
        if units:
            definitions = Element("UnitDefinitions")
            for unit in units:
                SubElement(definitions, "Unit", name=unit)
            # The schema of FMI wants it behind the interfaces.
            root.insert(list(root).index(root.find("CoSimulation")) + 1, definitions)
        for scalar in root.iter("ScalarVariable"):
            v = self._schema.variable(scalar.attrib["name"])
            real = scalar.find("Real")
            if v.unit in units:
                real.set("unit", v.unit)
            bounds: Bounds = v.bounds if isinstance(v, Control | State | Param) else (None, None)
            for key, bound in zip(("min", "max"), bounds, strict=True):
                if bound is not None:
                    real.set(key, repr(bound))
        return root

    def _get_fmu_state(self) -> dict[str, float]:
        return dict(self._values)

    def _set_fmu_state(self, state: Mapping[str, float]) -> None:
        self._values = dict(state)

    def _hold(self, name: str, value: float | None, *, param: bool) -> None:
        self._values[name] = self.known.get(name, value or 0.0)
        if param:
            self._register(name, Fmi2Causality.parameter, Fmi2Variability.tunable)
        else:
            self._register(name, Fmi2Causality.local, Fmi2Variability.continuous, Fmi2Initial.exact)

    def _register(
        self, name: str, causality: object, variability: object, initial: object = None
    ) -> None:
        self.register_variable(
            Real(
                name,
                causality=causality,
                variability=variability,
                initial=initial,
                getter=lambda: self._values[name],
                setter=lambda value: self._values.__setitem__(name, float(value)),
            ),
            nested=False,
        )

    def _reading(self, method: Callable[[Any], float]) -> Callable[[], float]:
        return lambda: float(method(self._member()))

    def _member(self) -> object:
        member: object = object.__new__(self.model)
        vars(member).update(self._values)
        return member


def _ignored(value: float) -> None:
    """What follows from the others is not set."""
    del value
