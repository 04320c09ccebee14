"""How a twin of an FMU is written down: what the FMU says of itself, and guesses, told as such."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gemeos.engines.fmi.settings import Fmi, Interface
from gemeos.engines.fmi.units import unit_of
from gemeos.engines.spec import Kind, Role, Spec, Value, Variable
from gemeos.errors import InputError, SchemaError, UnknownNameError
from gemeos.units import span_told
from gemeos.units.instant import SECOND

SHARE: Final = 0.1
"""Of a start value, that is guessed to be its doubt."""
SHARE_READ: Final = 0.01
"""Of a value at the start, that is guessed to be the noise of its sensor."""
SHARE_STEP: Final = 0.01
"""Of a state's doubt, that one step is guessed to add."""
SIGMA: Final = 0.2
"""Of a parameter that is estimated: about 20 per cent."""
MEMBERS: Final = 64
MEMBERS_OF_A_WINDOW: Final = 24
WINDOW: Final = 40
"""Steps that params are fitted to."""
STRIDE: Final = 10
"""Steps between two fits."""
GUESSED: Final = "guessed"


@dataclass(frozen=True, slots=True)
class Row:
    """One variable of the twin, as it is written down."""

    role: str
    name: str
    theirs: str
    unit: str
    keys: tuple[tuple[str, str], ...]
    """Written ``key = value``."""
    notes: tuple[str, ...] = ()
    """Comments above it."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """An FMU that can be kept in step, by its states or by its params."""

    spec: Spec
    rows: tuple[Row, ...]
    decide: tuple[str, ...]
    """What nobody but the user can know, a line each."""
    left: tuple[str, ...]
    """Variables that can be set and are not used: texts, and those without a start."""
    fmi: Fmi
    hidden: tuple[str, ...]
    """What the FMU keeps to itself; empty if its whole state can be written."""

    @property
    def members(self) -> int:
        """Where each is a simulation of its own, fewer."""
        return MEMBERS_OF_A_WINDOW if self.hidden else MEMBERS

    def of_role(self, *roles: str) -> list[Row]:
        """Variables of the twin."""
        return [row for row in self.rows if row.role in roles]

    def model_toml(self, fmu: str) -> str:
        """The description; ``fmu`` is the file's path beside it."""
        lines = [
            f"# A twin of {self.spec.name}, described by `gemeos adopt`.",
            "# What is guessed is said so: those numbers are yours to decide.",
            "",
            "[fmu]",
            f"path = {json.dumps(fmu)}",
            f"step = {json.dumps(span_told(self.spec.step))}",
        ]
        if self.fmi.interface is Interface.CO_SIMULATION:
            lines.append('interface = "CoSimulation"')
        else:
            lines.append(f"substeps = {self.fmi.substeps}  # of the Runge-Kutta method in one step")
        if self.hidden:
            window, stride = WINDOW * self.spec.step, STRIDE * self.spec.step
            lines += [
                f"window = {json.dumps(span_told(window))}  # {GUESSED}: params are fitted to it",
                f"stride = {json.dumps(span_told(stride))}  # {GUESSED}: so often",
            ]
        if self.fmi.memoryless:
            lines.append("memoryless = true  # what is discrete follows from states and inputs")
        for row in self.rows:
            lines += ["", *(f"# {note}" for note in row.notes), f"[{row.role}.{row.name}]"]
            if row.theirs != row.name:
                lines.append(f"fmu = {json.dumps(row.theirs)}")
            lines.append(f"unit = {json.dumps(row.unit)}")
            lines += [f"{key} = {value}" for key, value in row.keys]
        return "\n".join(lines) + "\n"

    def site_toml(self, name: str) -> str:
        """A site with this one twin, and examples of what it can be bound to."""
        lines = [
            "[site]",
            f"name = {json.dumps(name)}",
            f"store = {json.dumps(name + '.duckdb')}",
            "",
            f"[twin.{name}]",
            'model = "model.toml"',
            f"members = {self.members}",
            "",
            "# Where readings come from is yours to say. An example, for a broker on this machine:",
            "# [link.plant]",
            '# kind = "mqtt"',
            '# broker = "mqtt://127.0.0.1:1883"',
            "# [[link.plant.message]]",
            f'# topic = "{name}/{{tag}}"',
            '# value = "/value"',
            '# valid_at = "/valid_at"',
        ]
        for row in self.of_role("sensor", "input", "control"):
            lines += [
                "",
                f"# [[twin.{name}.bind]]",
                f'# channel = "plant:{row.name}"',
                f'# to = "{row.name}"',
                f"# unit = {json.dumps(row.unit)}",
            ]
        return "\n".join(lines) + "\n"


@dataclass
class _Writing:
    """Rows as they come together."""

    spec: Spec
    begun: Mapping[str, float]
    rows: list[Row] = field(default_factory=list)
    decide: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def row(
        self, role: str, v: Variable, keys: Iterable[tuple[str, str]], notes: Sequence[str] = ()
    ) -> None:
        """One more."""
        unit = unit_of(v.unit)
        told = [v.about] if v.about else []
        if unit is None:
            told.append(
                f"The FMU's unit {json.dumps(v.unit)} is not known: it counts as a plain number."
            )
            self.decide.append(f"the unit of {v.name}: {v.unit!r} is not known")
        name = self._name(v.name, role)
        told += [note.replace("NAME", name) for note in notes]
        self.rows.append(Row(role, name, v.name, unit or "", tuple(keys), tuple(told)))

    def _name(self, theirs: str, role: str) -> str:
        """An identifier that is not taken."""
        name = re.sub(r"\W+", "_", theirs).strip("_") or role
        if name[0].isdigit():
            name = f"_{name}"
        if name in self.taken:
            name = f"{name}_read" if role == "sensor" else f"{name}_{role}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def adoption(
    spec: Spec,
    begun: Mapping[str, float],
    fmi: Fmi,
    *,
    estimate: Sequence[str] = (),
    controls: Sequence[str] = (),
    decide: Sequence[str] = (),
) -> Adoption:
    """How the twin of an FMU is written down.

    Args:
        spec: What the FMU says of itself.
        begun: By variable that can be read: its value at the start.
        fmi: How it is opened.
        estimate: Params that are unknown.
        controls: Inputs that plans may set.
        decide: What else is the user's to decide.
    """
    hidden = spec.capabilities.hidden
    writing = _Writing(spec, begun, decide=[*decide])
    _describe(writing, estimate, controls, states=not hidden)
    return Adoption(
        spec, tuple(writing.rows), tuple(writing.decide), tuple(writing.left), fmi, hidden
    )


def check(file: str, spec: Spec, estimate: Sequence[str], controls: Sequence[str]) -> None:
    """Refuse choices that do not fit, and FMUs that cannot be kept in step.

    Raises:
        InputError: it cannot be kept in step; with what is missing.
        SchemaError: a choice does not fit.
        UnknownNameError: no such param or input.
    """
    _check_names(spec, estimate, controls)
    if spec.capabilities.hidden:
        _check_window(file, spec, estimate)


def _check_window(file: str, spec: Spec, estimate: Sequence[str]) -> None:
    """An FMU that keeps its state to itself needs params that are fitted in place of it."""
    why = "; ".join(spec.capabilities.hidden)
    tunable = [v.name for v in spec.of_role(Role.PARAM) if v.tunable and v.kind is Kind.REAL]
    keeps = (
        f"{file} can be simulated ({spec.version}), but no reading can correct its state: {why}."
    )
    if not tunable:
        raise InputError(
            f"{keeps} It could be kept in step by its params, but none of them can be set while it "
            "runs (variability tunable). What it takes: such params, or the same model exported "
            "for model exchange. Until then run it with gemeos.engines.fmi.opened."
        )
    if not estimate:
        raise InputError(
            f"{keeps} It can be kept in step by its params, which are then fitted to a window of "
            f"readings: say which are unknown, as in --estimate {tunable[0]}. There are: "
            f"{', '.join(tunable)}."
        )
    for name in estimate:
        if name not in tunable:
            raise SchemaError(
                f"{name} of {file} cannot be set while it runs, so it cannot be fitted. There are: "
                f"{', '.join(tunable)}."
            )


def _check_names(spec: Spec, estimate: Sequence[str], controls: Sequence[str]) -> None:
    for asked, kind, role in (
        (estimate, "param", Role.PARAM),
        (controls, "input", Role.INPUT),
    ):
        known = [v.name for v in spec.of_role(role) if v.kind is not Kind.TEXT]
        for name in asked:
            if name not in known:
                raise UnknownNameError(kind, name, known, where=spec.name)
    for name in estimate:
        if spec.by_name[name].kind is not Kind.REAL:
            raise SchemaError(
                f"{name} is {spec.by_name[name].kind.value}: only reals are estimated."
            )
    for name in controls:
        if None in spec.by_name[name].bounds:
            raise SchemaError(
                f"The FMU tells no bounds of {name}. Adopt it as an input, and move it to "
                f"[control.{name}] with bounds in model.toml."
            )


def _describe(
    writing: _Writing, estimate: Sequence[str], controls: Sequence[str], *, states: bool
) -> None:
    spec = writing.spec
    for v in spec.of_role(Role.STATE) if states else ():
        _state(writing, v)
    for v in spec.of_role(Role.PARAM):
        if v.name in estimate:
            _param(writing, v)
    for v in spec.of_role(Role.PARAM):
        if v.name not in estimate:
            _const(writing, v)
    for v in spec.of_role(Role.INPUT):
        _driven(writing, v, control=v.name in controls)
    if not states:
        writing.decide.append("how long the window is, and how often params are fitted to it")
    read = [v for v in spec.of_role(Role.STATE, Role.OUTPUT) if _is_told(v)]
    for v in read or spec.of_role(Role.STATE):
        _sensor(writing, v)


def _is_told(v: Variable) -> bool:
    return not v.inner and v.kind is not Kind.TEXT


def _state(writing: _Writing, v: Variable) -> None:
    start = writing.begun[v.name]
    sd = doubt(start)
    noise = SHARE_STEP * sd / math.sqrt(writing.spec.step / SECOND)
    keys = [
        ("prior", f'"normal({start:g}, {sd:g})"  # {GUESSED}: what is believed before a reading'),
        ("noise", f"{noise:.3g}  # {GUESSED}: the model's error, per square root of a second"),
    ]
    writing.row("state", v, [*keys, *_bounds(v, start)])
    writing.decide.append(f"how uncertain {v.name} is at first, and how wrong the model gets it")


def doubt(start: float) -> float:
    """Guessed, of a state that begins there."""
    return SHARE * abs(start) or 1.0


def _param(writing: _Writing, v: Variable) -> None:
    start = _number(v.start)
    if start > 0:
        prior = f"lognormal({start:g}, {SIGMA:g})"
    else:
        prior = f"normal({start:g}, {SIGMA * abs(start) or 1.0:g})"
    keys = [
        ("prior", f'"{prior}"  # {GUESSED}'),
        ("drift", "0.0  # how far it wanders, per square root of a second"),
    ]
    writing.row("param", v, [*keys, *_bounds(v, start)])
    writing.decide.append(f"the prior of {v.name}: {prior} is guessed")


def _const(writing: _Writing, v: Variable) -> None:
    if v.kind is Kind.TEXT or v.start is None:
        writing.left.append(v.name)
        return
    notes: tuple[str, ...] = ()
    if v.kind is Kind.REAL and (v.tunable or not writing.spec.capabilities.hidden):
        notes = ("To have it estimated: [param.NAME] with a prior in place of the value.",)
    writing.row("const", v, [("value", _literal(v.start))], notes)


def _driven(writing: _Writing, v: Variable, *, control: bool) -> None:
    if v.kind is Kind.TEXT:
        writing.left.append(v.name)
        return
    default = [] if v.start is None else [("default", _written(_number(v.start)))]
    if control:
        least, most = v.bounds
        bounds = f"[{_written(least or 0.0)}, {_written(most or 0.0)}]"
        writing.row("control", v, [("bounds", bounds), *default])
        return
    notes = ("To let plans set it: [control.NAME] with bounds.",)
    writing.row("input", v, default, notes)


def _sensor(writing: _Writing, v: Variable) -> None:
    value = writing.begun[v.name]
    noise = SHARE_READ * abs(value) or SHARE_READ
    keys = [("noise", f"{noise:.3g}  # {GUESSED}: of one reading")]
    writing.row("sensor", v, keys)
    writing.decide.append(f"the noise of {v.name}, and the channel that reads it")


def _bounds(v: Variable, start: float) -> list[tuple[str, str]]:
    """As the FMU has them, where a filter can keep to them: both, or the lower one."""
    least, most = v.bounds
    if least is None or not least < start or (most is not None and not start < most):
        return []
    top = "inf" if most is None else _written(most)
    return [("bounds", f"[{_written(least)}, {top}]")]


def _number(value: Value | None) -> float:
    return 0.0 if value is None or isinstance(value, str) else float(value)


def _literal(value: Value) -> str:
    return json.dumps(value)


def _written(number: float) -> str:
    return repr(float(number))
