"""Prints a lowered model as one self-contained module that numba compiles.

The module holds everything its kernels call, for numba does not notice changes in other files:
the texts of ``_kernels_elementary`` (float32 only; float64 calls the C library),
``_kernels_arithmetic``, ``_kernels_noise`` and ``_kernels_drive``, and between them the model.
Comments, annotations and names of locals are not in it: its hash changes only with what is
computed.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final, assert_never, final

import numpy as np

from gemeos.schema.coordinate import Above, Between, Coordinate, Whole
from gemeos.schema.schema import Schema
from gemeos.simulate import (
    _kernels_arithmetic,
    _kernels_drive,
    _kernels_elementary,
    _kernels_noise,
)
from gemeos.simulate.frontend import LoweredModel
from gemeos.simulate.lowered import Atom, Function, Lowered, Number, Read, Temp, Truth

PRINTER: Final = "numba 2"
"""To be raised when the same lowered form comes to compute other numbers."""

TILE: Final = 64
"""Members that go through the model's loop at once: a multiple of every vector's length, few
enough for the rows of a large model to stay in the nearest cache."""

_TEXTS: Final[dict[Function, str]] = {
    Function.NEGATIVE: "-{}",
    Function.ADD: "{} + {}",
    Function.SUBTRACT: "{} - {}",
    Function.MULTIPLY: "{} * {}",
    Function.DIVIDE: "{} / {}",
    Function.FLOOR_DIVIDE: "floor_divide({}, {})",
    Function.REMAINDER: "remainder({}, {})",
    Function.POWER: "{} ** {}",
    Function.LESS: "{} < {}",
    Function.LESS_EQUAL: "{} <= {}",
    Function.GREATER: "{} > {}",
    Function.GREATER_EQUAL: "{} >= {}",
    Function.EQUAL: "{} == {}",
    Function.NOT_EQUAL: "{} != {}",
    Function.AND: "{} & {}",
    Function.OR: "{} | {}",
    Function.NOT: "not {}",
    # A call and not Python's own "if": that would part the model's one block into three for each,
    # in which numba gets lost after some hundreds.
    Function.SELECT: "pick({}, {}, {})",
    Function.MIN: "smaller({}, {})",
    Function.MAX: "greater({}, {})",
    Function.ABS: "abs({})",
    Function.SQRT: "sqrt({})",
    Function.EXP: "exp({})",
    Function.EXPM1: "expm1({})",
    Function.LOG: "log({})",
    Function.LOG1P: "log1p({})",
    Function.SIN: "sin({})",
    Function.COS: "cos({})",
    Function.TAN: "tan({})",
    Function.ASIN: "asin({})",
    Function.ACOS: "acos({})",
    Function.ATAN: "atan({})",
    Function.ATAN2: "atan2({}, {})",
    Function.TANH: "tanh({})",
    Function.HYPOT: "hypot({}, {})",
    Function.FLOOR: "np.floor({})",
    Function.CEIL: "np.ceil({})",
    Function.COPYSIGN: "copysign({}, {})",
}

_FROM_MATH: Final = "copysign, sqrt"
_FROM_MATH_IN_DOUBLE: Final = (
    "acos, asin, atan, atan2, cos, exp, expm1, hypot, log, log1p, sin, tan, tanh"
)

STRICT: Final = "error_model='numpy', fastmath=False, no_cfunc_wrapper=True, _nrt=False"
"""fastmath is said everywhere: left out, a function takes its caller's. What is called from
nowhere but here needs no wrappers, which cost a third of the time to compile. And nothing here
makes arrays: without numba's counting of references the filter runs and compiles a fifth faster."""

_ENTRIES: Final = {
    "moved": "void({3}, {3}, {2}, u8[::1], i8[::1], i8[::1], u4[::1], u4[::1], {1}, i8[::1], f8, "
    "{1}, {1}, {3}, i8[::1], i8[::1])",
    "step": "void({3}, {3}, {2}, {1}, {3})",
    "observe": "void({3}, {3}, {2}, {1}, b1, {3})",
}
"""Signatures of what is called from outside: {n} is an array of the model's kind with n axes."""


def printed(lowered: LoweredModel, *, cached: bool) -> str:
    """Source of the module: functions ``moved``, ``step`` and ``observe`` of ``_kernels_drive``.

    Args:
        lowered: What is printed.
        cached: Whether numba shall keep what it compiles beside the module's file.
    """
    double = lowered.schema.precision == np.float64
    model = _Model(lowered.schema)
    model.tile("step_tile", lowered.step, model.at_ahead, guarded=False)
    model.tile("observe_tile", lowered.observe, model.at_outputs, guarded=True)
    sums = Lowered(
        lowered.observe.operations,
        tuple(lowered.observe.results[i] for i in lowered.schema.running),
    )
    model.tile("sums_tile", sums, model.at_outputs, guarded=True)
    model.coordinates()
    names = f"{_FROM_MATH}, {_FROM_MATH_IN_DOUBLE}" if double else _FROM_MATH
    return "\n".join(
        [
            f"from math import {names}",
            "import numpy as np",
            "from numba import njit",
            f"PART = njit({STRICT}, no_cpython_wrapper=True)",
            f"INLINED = njit({STRICT}, no_cpython_wrapper=True, forceinline=True)",
            *model.sizes,
            *([] if double else kernel_text(_kernels_elementary, "INLINED")),
            *kernel_text(_kernels_arithmetic, "INLINED"),
            *kernel_text(_kernels_noise, "INLINED"),
            *model.text,
            *kernel_text(_kernels_drive, "PART", entries(_ENTRIES, cached=cached)),
            "",
        ]
    )


def kernel_text(
    module: ModuleType, decorator: str, others: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Constants and functions of a module without what the compiler does not look at.

    Args:
        module: Where they stand.
        decorator: Of its functions.
        others: Other decorators, by the functions' names.
    """
    named = others or {}
    for node in ast.parse(inspect.getsource(module)).body:
        match node:
            case ast.Assign():
                yield ast.unparse(node)
            case ast.FunctionDef(name=name):
                if ast.get_docstring(node) is not None:
                    del node.body[0]
                node.returns = None
                for argument in node.args.args:
                    argument.annotation = None
                yield f"@{named.get(name, decorator)}"
                yield ast.unparse(node)
            case _:
                continue


def entries(signatures: Mapping[str, str], *, cached: bool) -> Mapping[str, str]:
    """Decorators of what is called from outside, by name.

    Args:
        signatures: Of each; {n} is an array of the module's kind with n axes.
        cached: Whether numba shall keep what it compiles.
    """
    # An explicit signature: another kind or layout is an error, not a silent second compilation.
    arrays = ("", "KIND_[::1]", "KIND_[:, ::1]", "KIND_[:, :, ::1]")
    return {
        name: f"njit({answer.format(*arrays)!r}.replace('KIND_', KIND_), {STRICT}, "
        f"nogil=True, cache={cached})"
        for name, answer in signatures.items()
    }


@final
@dataclass(frozen=True, slots=True)
class _Spot:
    """Where in the work array a variable's row begins, or which constant of the twin it is."""

    at: int
    is_const: bool = False


@final
class _Model:
    """The part of the module that is one model's own."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._constants: dict[str, str] = {}
        self._functions: list[str] = []
        values, driven = len(schema.estimated), len(schema.driven)
        ahead, outputs = values + len(schema.running), len(schema.outputs)
        self._at_driven = values * TILE
        self.at_ahead = self._at_driven + driven * TILE
        self.at_outputs = self.at_ahead + ahead * TILE
        self._at_flaw = self.at_outputs + outputs * TILE
        self._at_units = self._at_flaw + TILE
        self._at_turns = self._at_units + values * TILE
        self._spots = {
            **{v.name: _Spot(i * TILE) for i, v in enumerate(schema.estimated)},
            **{v.name: _Spot(self._at_driven + i * TILE) for i, v in enumerate(schema.driven)},
            **{v.name: _Spot(i, is_const=True) for i, v in enumerate(schema.consts)},
        }

    @property
    def sizes(self) -> list[str]:
        """The constants of ``_kernels_drive``."""
        schema, kind = self._schema, self._schema.precision.type.__name__
        values = len(schema.estimated)
        return [
            f"KIND, KIND_ = np.{kind}, {kind!r}",
            f"TILE, VALUES, STATES = {TILE}, {values}, {len(schema.states)}",
            f"DRIVEN, OUTPUTS = {len(schema.driven)}, {len(schema.outputs)}",
            f"SUMS, WORK = {len(schema.running)}, {self._at_turns + values * TILE}",
            f"AT_DRIVEN, AT_AHEAD = {self._at_driven}, {self.at_ahead}",
            f"AT_OUTPUTS, AT_FLAW = {self.at_outputs}, {self._at_flaw}",
            f"AT_UNITS, AT_TURNS = {self._at_units}, {self._at_turns}",
        ]

    @property
    def text(self) -> list[str]:
        """Constants, then functions."""
        return [*(f"{name} = {value}" for value, name in self._constants.items()), *self._functions]

    def _constant(self, value: float) -> str:
        # Text, so that infinities and NaN can be written as well.
        return self._constants.setdefault(f"KIND({str(value)!r})", f"c{len(self._constants)}")

    def tile(self, name: str, form: Lowered, first: int, *, guarded: bool) -> None:
        """A function that puts results for all members of a tile into rows from ``first`` on.

        Args:
            name: What it is called.
            form: Its operations, one line each; those that no result needs are left out.
            first: Where the first result's row begins.
            guarded: A result that is not finite, or of a member with a value that is not, becomes
                NaN. Otherwise the row of the flaw tells: zero, or NaN for a member in which any
                value or result is not finite.
        """
        needed = _needed(form)
        reads = dict.fromkeys(
            a.name
            for a in (*(a for i in needed for a in form.operations[i].arguments), *form.results)
            if isinstance(a, Read)
        )
        consts = [r for r in reads if self._spots[r].is_const]
        names = {v.name: f"v{i}" for i, v in enumerate(self._schema.estimated)}
        names |= {r: f"d{self._spots[r].at}" for r in reads if r not in names}
        names |= {r: f"k{self._spots[r].at}" for r in consts}

        def text(atom: Atom) -> str:
            match atom:
                case Temp(index):
                    return f"t{index}"
                case Read(name):
                    return names[name]
                case Number(value):
                    return self._constant(value)
                case Truth(value):
                    return str(value)

        head = [f"{names[r]} = consts[{self._spots[r].at}]" for r in consts]
        rows = {told: self._spots[name].at for name, told in names.items() if name not in consts}
        body = [f"{told} = w[{at} + i]" for told, at in rows.items()]
        body += [f"flaw = {self._constant(0.0)}"]
        body += [f"flaw += {names[v.name]} - {names[v.name]}" for v in self._schema.estimated]
        for index in needed:
            operation = form.operations[index]
            told = _TEXTS[operation.function].format(*(text(a) for a in operation.arguments))
            body.append(f"t{index} = {told}")
        for place, result in enumerate(form.results):
            told, spot = text(result), f"w[{first + place * TILE} + i]"
            if guarded:
                body.append(f"f{place} = ({told} - {told}) + flaw")
                is_good = f"f{place} == {self._constant(0.0)}"
                told = f"pick({is_good}, {told}, {self._constant(np.nan)})"
            else:
                body.append(f"flaw += {told} - {told}")
            body.append(f"{spot} = {told}")
        if not guarded:
            body.append(f"w[{self._at_flaw} + i] = flaw")
        lines = [*head, "for i in range(n):", *(f"    {line}" for line in body)]
        self._define(name, "w, n, consts", lines if form.results else [])

    def coordinates(self) -> None:
        """``outward`` for every value, ``inward`` for the new states."""
        out: list[str] = []
        for row, variable in enumerate(self._schema.estimated):
            out += self._loop(row * TILE, self._outward(variable.coordinate))
        self._define("outward", "w, n", out)
        into: list[str] = []
        for row, state in enumerate(self._schema.states):
            into += self._loop(self.at_ahead + row * TILE, self._inward(state.coordinate))
        self._define("inward", "w, n", into)

    def _outward(self, coordinate: Coordinate) -> Sequence[str]:
        """``schema.coordinate``'s ``outward`` of y, in y."""
        match coordinate:
            case Whole():
                return ()
            case Above(least):
                return (f"y = exp(y) + {self._constant(least)}",)
            case Between(least, most):
                half = self._constant(0.5)
                return (
                    f"y = {half} + {half} * tanh({half} * y)",
                    f"y = {self._constant(least)} + {self._constant(most - least)} * y",
                )
            case _:
                assert_never(coordinate)

    def _inward(self, coordinate: Coordinate) -> Sequence[str]:
        """``schema.coordinate``'s ``inward`` of y, in y."""
        range_ = np.finfo(self._schema.precision)
        match coordinate:
            case Whole():
                return ()
            case Above(least):
                tiny = self._constant(float(range_.tiny))
                return (f"y = log(greater(y - {self._constant(least)}, {tiny}))",)
            case Between(least, most):
                edge = self._schema.precision.type(4) * range_.eps
                low = self._constant(float(edge))
                high = self._constant(float(self._schema.precision.type(1) - edge))
                return (
                    f"y = (y - {self._constant(least)}) / {self._constant(most - least)}",
                    f"y = smaller(greater(y, {low}), {high})",
                    "y = log(y) - log1p(-y)",
                )
            case _:
                assert_never(coordinate)

    @staticmethod
    def _loop(at: int, body: Sequence[str]) -> list[str]:
        if not body:
            return []
        inside = [f"y = w[{at} + i]", *body, f"w[{at} + i] = y"]
        return ["for i in range(n):", *(f"    {line}" for line in inside)]

    def _define(self, name: str, arguments: str, lines: Sequence[str]) -> None:
        body = "\n".join(f"    {line}" for line in lines or ["pass"])
        self._functions.append(f"@PART\ndef {name}({arguments}):\n{body}")


def _needed(form: Lowered) -> list[int]:
    """Operations that a result needs, in order."""
    needed = {a.index for a in form.results if isinstance(a, Temp)}
    for index in range(len(form.operations) - 1, -1, -1):
        if index in needed:
            arguments = form.operations[index].arguments
            needed |= {a.index for a in arguments if isinstance(a, Temp)}
    return sorted(needed)
