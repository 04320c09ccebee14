"""How a user declares a model: a class of floats, its fields told by specifiers.

::

    @model(dt="0.1 s")
    class Tank:
        level: float = state("m", normal(2.0, 0.1), noise=1e-3)
        leak: float = param("1/s", lognormal(0.01, 0.2))
        inflow: float = input("m/s")

        def step(self, dt: float) -> "Tank":
            return Tank(level=self.level + dt * (self.inflow - self.leak * self.level))

        @sensor("kPa", noise=0.1)
        def pressure(self) -> float:
            return 9.81 * self.level

``step`` and the outputs are written for one member, in the units declared beside the fields.
Only the declaration is read here; ``gemeos.simulate.compile_model`` makes it run.

Type checkers learn from ``typing.dataclass_transform`` that the constructor takes every state by
name and nothing else: they read ``init`` in the specifiers' signatures, and nobody passes it.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import (
    Any,
    Generic,
    Literal,
    NoReturn,
    TypeVar,
    cast,
    dataclass_transform,
    final,
    overload,
)

from gemeos.errors import DeclarationError, SchemaError, nearest
from gemeos.schema.prior import LogNormal, Normal, Prior, Uniform
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
    coordinate_of,
)
from gemeos.units import known_unit, span
from gemeos.units.instant import SECOND

M = TypeVar("M")

_DECLARATION = "__gemeos_declaration__"


def normal(mean: float, sd: float) -> Normal:
    """A Gaussian prior, both numbers in the variable's unit."""
    return Normal(float(mean), float(sd))


def lognormal(median: float, sigma: float) -> LogNormal:
    """A prior for what is positive: ``sigma`` 0.1 is about ten per cent either way."""
    return LogNormal(float(median), float(sigma))


def uniform(least: float, most: float) -> Uniform:
    """A prior without preference between two bounds, which stay bounds afterwards."""
    return Uniform(float(least), float(most))


def where(condition: bool, then: float, otherwise: float) -> float:  # noqa: FBT001 - as numpy's
    """``then`` where ``condition`` holds. Both are computed; an ``if`` says the same."""
    return then if condition else otherwise


@dataclass(frozen=True, slots=True)
class _Place:
    """A line of the user's source."""

    file: str
    line: int

    @staticmethod
    def of_caller(depth: int) -> _Place:
        """Where the function that asks was called from, ``depth`` calls further out."""
        frame = inspect.currentframe()
        for _ in range(depth + 1):
            frame = frame.f_back if frame is not None else None
        if frame is None:
            return _Place("<unknown>", 0)
        return _Place(frame.f_code.co_filename, frame.f_lineno)


@contextmanager
def _told_at(place: _Place) -> Iterator[None]:
    """A ``SchemaError`` from within is told at the user's line, unless it already is."""
    try:
        yield
    except DeclarationError:
        raise
    except SchemaError as error:
        source = linecache.getline(place.file, place.line)
        column = len(source) - len(source.lstrip())
        raise DeclarationError(
            str(error), file=place.file, line=place.line, source=source, column=column
        ) from error


@dataclass(frozen=True, slots=True)
class _Spec:
    """What a specifier really returns: a variable that does not know its name yet."""

    make: Callable[[str], Variable]
    place: _Place


def _field(unit: str, make: Callable[[str], Variable]) -> float:
    known_unit(unit)  # here, so that the traceback shows the field's own line
    return cast("float", _Spec(make, _Place.of_caller(2)))


def _bounds(given: Bounds | None) -> Bounds:
    if given is None:
        return (None, None)
    least, most = given
    return (None if least is None else float(least), None if most is None else float(most))


def _number(given: float | None) -> float | None:
    return None if given is None else float(given)


def state(
    unit: str,
    prior: Prior,
    *,
    noise: float = 0.0,
    bounds: Bounds | None = None,
    init: Literal[True] = True,  # noqa: ARG001 - for type checkers
) -> float:
    """A variable that ``step`` moves. ``noise`` and ``bounds`` as in ``variable.State``."""
    return _field(unit, lambda name: State(name, unit, prior, float(noise), _bounds(bounds)))


def param(
    unit: str,
    prior: Prior,
    *,
    drift: float = 0.0,
    bounds: Bounds | None = None,
    init: Literal[False] = False,  # noqa: ARG001 - for type checkers
) -> float:
    """An unknown that is estimated with the state. ``drift`` as in ``variable.Param``."""
    return _field(unit, lambda name: Param(name, unit, prior, float(drift), _bounds(bounds)))


def const(
    unit: str,
    *,
    default: float | None = None,
    init: Literal[False] = False,  # noqa: ARG001 - for type checkers
) -> float:
    """Known, one value a twin. Without ``default`` every twin must give it."""
    return _field(unit, lambda name: Const(name, unit, _number(default)))


def input(  # noqa: A001 - the user's word for it is gm.input
    unit: str,
    *,
    default: float | None = None,
    echo: str | None = None,
    init: Literal[False] = False,  # noqa: ARG001 - for type checkers
) -> float:
    """From outside, held between readings. ``default`` is used until the first reading.

    With ``echo``, the name of a control, it tells where reality has that one.
    """
    return _field(unit, lambda name: Input(name, unit, _number(default), echo))


def control(
    unit: str,
    *,
    bounds: Bounds,
    default: float | None = None,
    init: Literal[False] = False,  # noqa: ARG001 - for type checkers
) -> float:
    """From outside, and ours to set within ``bounds``."""
    return _field(unit, lambda name: Control(name, unit, _bounds(bounds), _number(default)))


@final
class Out(Generic[M]):
    """One output of a model: itself on the class, a number on a member."""

    def __init__(
        self, method: Callable[[M], float], unit: str, make: Callable[[str], Sensor | Virtual]
    ) -> None:
        """``make`` gives the variable, once the name is known."""
        known_unit(unit)
        self.method = method
        """What the user wrote below the decorator."""
        self.unit = unit
        self.make = make
        self.place = _Place.of_caller(2)
        self.name = method.__name__
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type[M], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[M]) -> Out[M]: ...
    @overload
    def __get__(self, instance: M, owner: type[M]) -> float: ...
    def __get__(self, instance: M | None, owner: type[M]) -> Out[M] | float:
        return self if instance is None else self.method(instance)


def sensor(
    unit: str,
    *,
    noise: float | None = None,
    mean_over: str | None = None,
    sum_over: str | None = None,
    counter_over: str | None = None,
    bounds: Bounds | None = None,
) -> Callable[[Callable[[M], float]], Out[M]]:
    """Marks the method that tells what a real sensor would read in this state.

    Args:
        unit: Of what the method returns, and of ``noise``.
        noise: Standard deviation of one reading; a binding may give its own.
        mean_over: The sensor reports averages over this span, as in ``"10 min"``.
        sum_over: It reports integrals over this span; the method returns the rate per second.
        counter_over: It reports a growing total at this span; the method returns the rate.
        bounds: Least and most that it can read: corrected forecasts keep to them.

    Raises:
        SchemaError: more than one of the three spans.
        TimeError: a span that cannot be read.
    """
    given = {
        Measure.MEAN: mean_over,
        Measure.SUM: sum_over,
        Measure.COUNTER: counter_over,
    }
    asked = [(measure, text) for measure, text in given.items() if text is not None]
    if len(asked) > 1:
        raise SchemaError("A sensor reads one of mean_over, sum_over and counter_over, not two.")
    measure, over = Measure.INSTANT, 0.0
    for one, text in asked:
        measure, over = one, span(text) / SECOND
    sd = _number(noise)
    return lambda method: Out(
        method, unit, lambda name: Sensor(name, unit, sd, measure, over, None, _bounds(bounds))
    )


def virtual(unit: str) -> Callable[[Callable[[M], float]], Out[M]]:
    """Marks the method that tells what a sensor that is not there would read."""
    return lambda method: Out(method, unit, lambda name: Virtual(name, unit))


@dataclass(frozen=True, slots=True)
class Declaration:
    """All that a decorated class declares."""

    schema: Schema
    compiles: bool
    """False where the user asked to run the methods as they are, member by member."""
    step: FunctionType
    outputs: tuple[FunctionType, ...]
    """In the order of ``schema.outputs``."""


@final
class _Field:
    """Stands on the class for a declared field; members carry the number in their ``__dict__``."""

    def __init__(self, variable: Variable) -> None:
        self._variable = variable

    def __get__(self, instance: object | None, owner: type) -> Variable:
        if instance is None:
            return self._variable
        role = type(self._variable).__name__.lower()
        raise AttributeError(
            f"{self._variable.name!r} is a {role}: what step returns carries the states alone."
        )


@dataclass_transform(
    kw_only_default=True,
    frozen_default=True,
    eq_default=False,
    field_specifiers=(state, param, const, input, control),
)
def model(
    *,
    dt: str,
    compile: bool = True,  # noqa: A002 - the user's word for it
) -> Callable[[type[M]], type[M]]:
    """Makes a class the model of one member.

    Args:
        dt: The step of the model's grid, as in ``"0.1 s"``.
        compile: False runs the methods as they are, one member at a time: slow, but anything
            that Python can do is allowed.

    Raises:
        DeclarationError: the class contradicts itself; told at the line of its decorator.
        TimeError: ``dt`` is not a length of time.
    """
    step = span(dt)

    def decorate(cls: type[M]) -> type[M]:
        with _told_at(_Place.of_caller(1)):
            variables = _variables(cls)
            schema = Schema(cls.__name__, step, tuple(variables.values()))
            method = vars(cls).get("step")
            if not isinstance(method, FunctionType):
                raise SchemaError(
                    f"{cls.__name__} has no method 'step(self, dt: float)': what moves its states?"
                )
        outs = {name: found for name, found in vars(cls).items() if isinstance(found, Out)}
        outputs = tuple(cast("FunctionType", outs[v.name].method) for v in schema.outputs)
        for name, variable in variables.items():
            if name not in outs:
                setattr(cls, name, _Field(variable))
        _make_constructible(cls, tuple(v.name for v in schema.states))
        setattr(cls, _DECLARATION, Declaration(schema, compile, method, outputs))
        return cls

    return decorate


def _variables(cls: type) -> dict[str, Variable]:
    """Every declared variable by name, in the order of the class body."""
    for base in cls.__mro__[1:]:
        if is_declared(base) or any(isinstance(v, _Spec | Out) for v in vars(base).values()):
            raise SchemaError(
                f"{cls.__name__} inherits variables from {base.__name__}: a model declares all "
                "of its own. Share formulas as functions instead."
            )
    annotations = inspect.get_annotations(cls)
    variables: dict[str, Variable] = {}
    for name, found in vars(cls).items():
        if isinstance(found, _Spec | Out):
            with _told_at(found.place):
                if isinstance(found, _Spec) and name not in annotations:
                    raise SchemaError(
                        f"{cls.__name__}.{name} needs its type: write '{name}: float = ...', or "
                        "type checkers do not see it."
                    )
                variables[name] = variable = found.make(name)
                if isinstance(variable, State | Param):
                    coordinate_of(variable.prior, variable.bounds)  # do they fit each other?
    for name, annotation in annotations.items():
        if name not in variables and "ClassVar" not in str(annotation):
            raise SchemaError(
                f"{cls.__name__}.{name} is annotated but not declared: give it a state, param, "
                "const, input or control, or put a fixed number above the class."
            )
    return variables


def _make_constructible(cls: type, states: tuple[str, ...]) -> None:
    """Give ``cls`` a constructor of its states, and keep members from being changed."""
    wanted = frozenset(states)

    def init(self: object, **given: float) -> None:
        for name in sorted(given.keys() - wanted):
            raise TypeError(f"{cls.__name__} has no state {name!r}.{nearest(name, wanted)}")
        for name in sorted(wanted - given.keys()):
            raise TypeError(f"State {name!r} is missing from {cls.__name__}(...).")
        self.__dict__.update(given)

    def refuse_change(self: object, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"{type(self).__name__}.{name} cannot be set to {value!r}: a step must not change "
            f"self, it returns {cls.__name__}({', '.join(f'{s}=...' for s in states)})."
        )

    def told(self: object) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{cls.__name__}({values})"

    namespace = {"__init__": init, "__setattr__": refuse_change, "__repr__": told}
    for name, function in namespace.items():
        setattr(cls, name, function)


def declaration_of(cls: type) -> Declaration:
    """What the decorator ``model`` found in ``cls``.

    Raises:
        SchemaError: ``cls`` is not decorated.
    """
    found: Any = vars(cls).get(_DECLARATION)
    if not isinstance(found, Declaration):
        raise SchemaError(
            f"{cls.__name__} is not a declared model: put @gm.model(dt=...) above it."
        )
    return found


def is_declared(cls: type) -> bool:
    """Whether ``cls`` itself carries the decorator ``model``."""
    return _DECLARATION in vars(cls)


def schema_of(cls: type) -> Schema:
    """The schema that ``cls`` declares.

    Raises:
        SchemaError: ``cls`` is not decorated.
    """
    return declaration_of(cls).schema
