"""What an engine says of itself: its variables, its grid of time, what it can do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Final, TypeAlias

from gemeos.errors import InputError, SchemaError, TimeError, UnknownNameError
from gemeos.schema.variable import Bounds
from gemeos.units.instant import SECOND, Instant, Span

Value: TypeAlias = bool | int | float | str
"""Of one variable, in its unit."""
Values: TypeAlias = dict[str, Value]


class Role(Enum):
    """What may be done with a variable."""

    PARAM = "param"
    """Given at ``reset``; fixed from then on unless it is tunable."""
    INPUT = "input"
    """From outside; set at any time, held until set again."""
    CONTROL = "control"
    """As an input, and ours to choose."""
    STATE = "state"
    """Moved by the engine; part of what it goes on from."""
    OUTPUT = "output"
    """Follows from the others."""


SETTABLE: Final = frozenset({Role.INPUT, Role.CONTROL})


class Kind(Enum):
    """What values a variable has."""

    REAL = "real"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TEXT = "text"


class Snapshot(Enum):
    """What ``snapshot`` and ``restore`` are worth."""

    EXACT = "exact"
    """What is restored goes on to the last bit as the original does."""
    REPLAY = "replay"
    """Exact if the engine is deterministic: it is run again from ``reset`` with all that was set.
    It costs as much time as the run did."""
    APPROX = "approx"
    """Something is lost; the adapter's documentation says what."""
    NONE = "none"


class Fork(Enum):
    """What ``fork`` is worth."""

    IN_PROCESS = "in_process"
    """A copy in memory."""
    PROCESS = "process"
    """The system copies the process: exact, and done in milliseconds."""
    RESTORE = "restore"
    """A new process restores a snapshot: slower, and as exact as snapshots are."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Variable:
    """One thing that can be set or read."""

    name: str
    role: Role
    unit: str = ""
    """As the engine writes it; empty for numbers without unit and where it tells none."""
    kind: Kind = Kind.REAL
    bounds: Bounds = (None, None)
    """Least and most that can be given; outside is refused."""
    resolution: float = 0.0
    """What is told may be off by this much after a restore, in the unit; what the engine goes on
    from is not. 0 for nearly all."""
    start: Value | None = None
    """Its value unless something else is given; None where that is not known beforehand."""
    tunable: bool = False
    """Of a param: whether it can be set at any time, as an input can."""
    inner: bool = False
    """It is told, and meant for those who look into the model, not for those who use it."""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What can be relied on. Declared, never tried out."""

    snapshot: Snapshot = Snapshot.NONE
    fork: Fork = Fork.NONE
    nudge: frozenset[str] = frozenset()
    """The variables that ``nudge`` can write: the engine goes on from what is written."""
    deterministic: bool = True
    """Equal seed, params and inputs give equal numbers, to the last bit, on the same machine."""
    hidden: tuple[str, ...] = ("it does not say that its states are all that it goes on from",)
    """What it goes on from beside time, params, inputs and what ``nudge`` can write, each with its
    reason. Empty: there is nothing else, so members of an ensemble can be written into it."""


@dataclass(frozen=True)
class Spec:
    """What an engine is: every name that can be asked, and its grid of time."""

    name: str
    version: str
    step: Span
    """The engine lives on the instants ``t0`` plus whole multiples of this."""
    variables: tuple[Variable, ...]
    capabilities: Capabilities = Capabilities()

    def __post_init__(self) -> None:
        if len(self.by_name) != len(self.variables):
            raise SchemaError(f"Engine {self.name!r} has two variables of one name.")
        if self.step <= 0:
            raise SchemaError(f"Engine {self.name!r} has steps of {self.step} us.")
        self.check_known(self.capabilities.nudge)

    @cached_property
    def by_name(self) -> dict[str, Variable]:
        """The variables by their names."""
        return {v.name: v for v in self.variables}

    @cached_property
    def _may_be_set(self) -> frozenset[str]:
        return frozenset(v.name for v in self.variables if v.role in SETTABLE or v.tunable)

    @property
    def names(self) -> tuple[str, ...]:
        """All that can be read."""
        return tuple(v.name for v in self.variables)

    def of_role(self, *roles: Role) -> tuple[Variable, ...]:
        """The variables of these roles."""
        return tuple(v for v in self.variables if v.role in roles)

    def check_known(self, names: Iterable[str]) -> None:
        """Refuse what is not there.

        Raises:
            UnknownNameError: with the nearest that is.
        """
        for name in names:
            if name not in self.by_name:
                raise self._unknown("variable", name, self.by_name)

    def params(self, given: Mapping[str, Value]) -> Values:
        """``given`` as ``reset`` may take it.

        Raises:
            UnknownNameError: no such param.
            InputError: not a value that it can have.
        """
        return self._checked(given, "param", frozenset(v.name for v in self.of_role(Role.PARAM)))

    def settable(self, given: Mapping[str, Value]) -> Values:
        """``given`` as ``set`` may take it; raises as ``params`` does."""
        return self._checked(given, "input or control", self._may_be_set)

    def nudged(self, given: Mapping[str, Value]) -> Values:
        """``given`` as ``nudge`` may take it; raises as ``params`` does."""
        return self._checked(given, "state that can be nudged", self.capabilities.nudge)

    def elapsed(self, t0: Instant, now: Instant, then: Instant) -> Span:
        """How long after ``t0`` is ``then``, which must lie on the grid and not before ``now``.

        Raises:
            TimeError: it does not.
        """
        if then < now:
            raise TimeError(
                f"{self.name} is {(now - then) / SECOND:g} s past that time already. It only goes "
                "forward: fork or keep a snapshot to return to."
            )
        if (then - t0) % self.step:
            raise TimeError(
                f"{self.name} goes in steps of {self.step / SECOND:g} s from its start; "
                f"{(then - t0) / SECOND:g} s after it lies between two of them."
            )
        return then - t0

    def _checked(self, given: Mapping[str, Value], kind: str, allowed: frozenset[str]) -> Values:
        for name, value in given.items():
            if name not in allowed:
                raise self._unknown(kind, name, allowed)
            _check_value(self.by_name[name], value)
        # A number of numpy's is a number of Python's that cannot be sent.
        return {n: float(v) if isinstance(v, float) else v for n, v in given.items()}

    def _unknown(self, kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
        return UnknownNameError(kind, name, known, where=f"Engine {self.name!r}")


def not_finite(values: Mapping[str, Value]) -> tuple[str, ...]:
    """The names of those that are NaN or infinite."""
    return tuple(
        name for name, v in values.items() if isinstance(v, float) and not math.isfinite(v)
    )


_TAKEN: Final[dict[Kind, tuple[type, ...]]] = {
    Kind.REAL: (float, int),
    Kind.INTEGER: (int,),
    Kind.BOOLEAN: (bool,),
    Kind.TEXT: (str,),
}


def _check_value(variable: Variable, value: Value) -> None:
    wrong_bool = isinstance(value, bool) and variable.kind is not Kind.BOOLEAN
    if wrong_bool or not isinstance(value, _TAKEN[variable.kind]):
        raise InputError(f"{variable.name!r} is {variable.kind.value}; {value!r} is not.")
    if isinstance(value, str):
        return
    if not math.isfinite(value):
        raise InputError(f"{variable.name!r} cannot be set to {value}.")
    least, most = variable.bounds
    if (least is not None and value < least) or (most is not None and value > most):
        raise InputError(
            f"{variable.name!r} lies between {_told(least)} and {_told(most)} {variable.unit}; "
            f"{value} does not."
        )


def _told(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:g}"
