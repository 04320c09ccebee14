"""What an FMU's description says of its variables, and how values go in and out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, final

from gemeos.engines.spec import Kind, Role, Value, Values, Variable

Fmu: TypeAlias = Any
"""An instance of FMPy's; its types say less than this module."""
Described: TypeAlias = Any
"""FMPy's ``ModelVariable``."""

KINDS: Final = {
    **dict.fromkeys(("Real", "Float64", "Float32"), Kind.REAL),
    **dict.fromkeys(("Integer", "Enumeration"), Kind.INTEGER),
    **{f"{u}Int{bits}": Kind.INTEGER for u in ("", "U") for bits in (8, 16, 32, 64)},
    "Boolean": Kind.BOOLEAN,
    "String": Kind.TEXT,
}
"""Of FMI 2's and 3's types. Binaries and clocks cannot be set or read here, nor can arrays."""
_CAST: Final[dict[Kind, Callable[[float], Value]]] = {
    Kind.REAL: float,
    Kind.INTEGER: round,
    Kind.BOOLEAN: lambda number: number >= 0.5,
}
PYTHON: Final = {Kind.REAL: float, Kind.INTEGER: int, Kind.BOOLEAN: bool}


@final
class Table:
    """The scalar variables of one FMU."""

    def __init__(self, description: Any) -> None:  # noqa: ANN401 - FMPy's ModelDescription
        self._fmi3 = description.fmiVersion.startswith("3")
        self.states: tuple[str, ...] = tuple(
            unknown.variable.derivative.name
            for unknown in description.derivatives
            if unknown.variable.derivative is not None
        )
        """The continuous ones, in the order of the FMU's vector."""
        self.discrete: tuple[str, ...] = tuple(
            v.name
            for v in description.modelVariables
            if v.previous is not None
            or v.type == "Clock"
            or (v.variability == "discrete" and v.causality in {"local", "output"})
        )
        """Those that may remember something between two instants."""
        self._described: dict[str, Described] = {
            v.name: v
            for v in description.modelVariables
            if v.type in KINDS and not v.dimensions and _role(v, self.states) is not None
        }

    def variables(self) -> tuple[Variable, ...]:
        """For the spec."""
        return tuple(self._variable(v) for v in self._described.values())

    def read(self, fmu: Fmu, names: Sequence[str]) -> list[Value]:
        """With one call of the FMU for each type."""
        found: Values = {}
        for kind, some in self._by_type(names):
            references = [self._described[name].valueReference for name in some]
            for name, value in zip(some, getattr(fmu, f"get{kind}")(references), strict=True):
                found[name] = self._ours(name, value)
        return [found[name] for name in names]

    def write(self, fmu: Fmu, values: Values) -> None:
        """With one call of the FMU for each type."""
        for kind, some in self._by_type(values):
            references = [self._described[name].valueReference for name in some]
            getattr(fmu, f"set{kind}")(references, [values[name] for name in some])

    def cast(self, numbers: Mapping[str, float]) -> Values:
        """Numbers as values of the variables' kinds."""
        return {
            name: _CAST[KINDS[self._described[name].type]](number)
            for name, number in numbers.items()
        }

    def _by_type(self, names: Iterable[str]) -> Iterable[tuple[str, list[str]]]:
        groups: dict[str, list[str]] = {}
        for name in names:
            kind = self._described[name].type
            if kind == "Enumeration":  # handed over as whole numbers
                kind = "Int64" if self._fmi3 else "Integer"
            groups.setdefault(kind, []).append(name)
        return groups.items()

    def _ours(self, name: str, value: Any) -> Value:  # noqa: ANN401 - what ctypes hands out
        kind = KINDS[self._described[name].type]
        if kind is Kind.TEXT:
            return value.decode() if isinstance(value, bytes) else str(value)
        return PYTHON[kind](value)

    def _variable(self, v: Described) -> Variable:
        kind = KINDS[v.type]
        declared = v.declaredType
        role = _role(v, self.states)
        assert role is not None  # noqa: S101 - for mypy: the others were left out
        return Variable(
            v.name,
            role,
            v.unit or (declared.unit if declared is not None else None) or "",
            kind,
            (_number(v.min), _number(v.max)) if kind in PYTHON else (None, None),
            start=_start(v.start, kind),
            tunable=role is Role.PARAM and v.variability == "tunable",
            inner=v.causality not in {"parameter", "input", "output"},
            about=v.description or "",
        )


def _role(v: Described, states: tuple[str, ...]) -> Role | None:
    if v.name in states:
        return Role.STATE
    match v.causality:
        case "parameter":
            return Role.PARAM
        case "input":
            return Role.INPUT
        case "output" | "local" | "calculatedParameter" | None:
            return Role.OUTPUT
        case _:  # the independent variable is the time; structural parameters change shapes
            return None


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _start(text: Any, kind: Kind) -> Value | None:  # noqa: ANN401 - text, or a list of it
    if isinstance(text, list):
        text = text[0] if text else None
    if text is None or kind is Kind.TEXT:
        return text
    if kind is Kind.BOOLEAN:
        return str(text).lower() in {"true", "1"}
    return int(text) if kind is Kind.INTEGER else float(text)
