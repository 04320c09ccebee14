"""The form between a model's source and its printers: straight-line operations on scalars.

A model's methods are lowered once (``frontend``) and printed for numpy (``batched``) or whatever
else runs them. There are no branches, loops, calls or locals left: an ``if`` has become
``SELECT``, a helper has been pulled in. Every operation is pure, so equal ones are computed once.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, Final, TypeAlias, final


class Kind(Enum):
    """What a value is."""

    NUMBER = auto()
    TRUTH = auto()


class Function(Enum):
    """What an operation does. Comparisons and logic give truths, the rest numbers."""

    NEGATIVE = "negative"
    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    FLOOR_DIVIDE = "floor_divide"
    """Rounded towards minus infinity, as Python's ``//``."""
    REMAINDER = "remainder"
    """With the divisor's sign, as Python's ``%``."""
    POWER = "power"
    LESS = "less"
    LESS_EQUAL = "less_equal"
    GREATER = "greater"
    GREATER_EQUAL = "greater_equal"
    EQUAL = "equal"
    NOT_EQUAL = "not_equal"
    AND = "and"
    OR = "or"
    NOT = "not"
    SELECT = "select"
    """(truth, a, b): a where the truth holds, else b; a and b are of one kind."""
    MIN = "min"
    """NaN if either is: a failed member must not be revived by a clamp."""
    MAX = "max"
    """NaN if either is."""
    ABS = "abs"
    SQRT = "sqrt"
    EXP = "exp"
    EXPM1 = "expm1"
    LOG = "log"
    LOG1P = "log1p"
    SIN = "sin"
    COS = "cos"
    TAN = "tan"
    ASIN = "asin"
    ACOS = "acos"
    ATAN = "atan"
    ATAN2 = "atan2"
    TANH = "tanh"
    HYPOT = "hypot"
    FLOOR = "floor"
    CEIL = "ceil"
    COPYSIGN = "copysign"


TRUTHS: Final = frozenset(
    {
        Function.LESS,
        Function.LESS_EQUAL,
        Function.GREATER,
        Function.GREATER_EQUAL,
        Function.EQUAL,
        Function.NOT_EQUAL,
        Function.AND,
        Function.OR,
        Function.NOT,
    }
)
"""Functions whose result is a truth. ``SELECT`` has the kind of what it selects."""


@dataclass(frozen=True, slots=True)
class Number:
    """Known when the model is compiled."""

    kind: ClassVar[Kind] = Kind.NUMBER
    value: float
    """An int stays one while lowering (``range`` needs it)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """Known when the model is compiled."""

    kind: ClassVar[Kind] = Kind.TRUTH
    value: bool


@dataclass(frozen=True, slots=True)
class Read:
    """The value of a declared state, param, const, input or control."""

    kind: ClassVar[Kind] = Kind.NUMBER
    name: str


@dataclass(frozen=True, slots=True)
class Temp:
    """The result of the operation at ``index``."""

    index: int
    kind: Kind


Atom: TypeAlias = Number | Truth | Read | Temp

YES: Final = Truth(value=True)
NO: Final = Truth(value=False)


@dataclass(frozen=True, slots=True)
class Operation:
    """One function of atoms that were known before it."""

    function: Function
    arguments: tuple[Atom, ...]


@dataclass(frozen=True, slots=True)
class Lowered:
    """One method: its operations in order (the i-th is ``Temp(i)``), and what it returns."""

    operations: tuple[Operation, ...]
    results: tuple[Atom, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the variables that are read, in the order of first use."""
        used = [a for o in self.operations for a in o.arguments] + list(self.results)
        return tuple(dict.fromkeys(a.name for a in used if isinstance(a, Read)))


_FOLDED: Final[dict[Function, Callable[..., float]]] = {
    Function.NEGATIVE: operator.neg,
    Function.ADD: operator.add,
    Function.SUBTRACT: operator.sub,
    Function.MULTIPLY: operator.mul,
    Function.DIVIDE: operator.truediv,
    Function.FLOOR_DIVIDE: operator.floordiv,
    Function.REMAINDER: operator.mod,
    Function.POWER: operator.pow,
    Function.LESS: operator.lt,
    Function.LESS_EQUAL: operator.le,
    Function.GREATER: operator.gt,
    Function.GREATER_EQUAL: operator.ge,
    Function.EQUAL: operator.eq,
    Function.NOT_EQUAL: operator.ne,
    Function.NOT: operator.not_,
    Function.MIN: min,
    Function.MAX: max,
    Function.ABS: abs,
    Function.SQRT: math.sqrt,
    Function.EXP: math.exp,
    Function.EXPM1: math.expm1,
    Function.LOG: math.log,
    Function.LOG1P: math.log1p,
    Function.SIN: math.sin,
    Function.COS: math.cos,
    Function.TAN: math.tan,
    Function.ASIN: math.asin,
    Function.ACOS: math.acos,
    Function.ATAN: math.atan,
    Function.ATAN2: math.atan2,
    Function.TANH: math.tanh,
    Function.HYPOT: math.hypot,
    Function.FLOOR: math.floor,
    Function.CEIL: math.ceil,
    Function.COPYSIGN: math.copysign,
}


@final
class Builder:
    """Collects operations; what is known already is computed at once, in double precision."""

    def __init__(self) -> None:
        self._operations: list[Operation] = []
        self._known: dict[str, Temp] = {}

    def __len__(self) -> int:
        return len(self._operations)

    def apply(self, function: Function, *arguments: Atom) -> Atom:
        """The atom that holds ``function`` of ``arguments``.

        Raises:
            ArithmeticError, ValueError: the arguments are known and the function has no value
                there, as one divided by zero.
        """
        shorter = _shortened(function, arguments)
        if shorter is not None:
            return shorter
        if function is Function.SELECT and arguments[1].kind is Kind.TRUTH:
            logical = self._logical(*arguments)
            if logical is not None:
                return logical
        operation = Operation(function, tuple(_real(a) for a in arguments))
        # By its text: 0.0 and -0.0 are equal, yet one divided by them is not.
        key = repr(operation)
        found = self._known.get(key)
        if found is None:
            found = Temp(len(self._operations), _kind(function, arguments))
            self._operations.append(operation)
            self._known[key] = found
        return found

    def number(self, atom: Atom) -> Atom:
        """A truth as one or zero; a number as it is."""
        if atom.kind is Kind.NUMBER:
            return atom
        return self.apply(Function.SELECT, atom, Number(1), Number(0))

    def _logical(self, test: Atom, then: Atom, otherwise: Atom) -> Atom | None:
        """A choice between truths, one of them known, without ``SELECT``."""
        match then, otherwise:
            case Truth(value), other:
                if value:
                    return self.apply(Function.OR, test, other)
                return self.apply(Function.AND, self.apply(Function.NOT, test), other)
            case other, Truth(value):
                if value:
                    return self.apply(Function.OR, self.apply(Function.NOT, test), other)
                return self.apply(Function.AND, test, other)
            case _:
                return None

    def lowered(self, results: Sequence[Atom]) -> Lowered:
        """What ``results`` need, and nothing else, numbered from zero."""
        needed: set[int] = {a.index for a in results if isinstance(a, Temp)}
        for index in range(len(self._operations) - 1, -1, -1):
            if index in needed:
                arguments = self._operations[index].arguments
                needed |= {a.index for a in arguments if isinstance(a, Temp)}
        places = {index: place for place, index in enumerate(sorted(needed))}

        def moved(atom: Atom) -> Atom:
            return Temp(places[atom.index], atom.kind) if isinstance(atom, Temp) else _real(atom)

        kept = [self._operations[index] for index in sorted(needed)]
        return Lowered(
            tuple(Operation(o.function, tuple(moved(a) for a in o.arguments)) for o in kept),
            tuple(moved(a) for a in results),
        )


def _real(atom: Atom) -> Atom:
    return Number(float(atom.value)) if isinstance(atom, Number) else atom


def _kind(function: Function, arguments: Sequence[Atom]) -> Kind:
    if function is Function.SELECT:
        return arguments[1].kind
    return Kind.TRUTH if function in TRUTHS else Kind.NUMBER


def _shortened(function: Function, arguments: tuple[Atom, ...]) -> Atom | None:
    """The result where it is known without computing anything per member, else None."""
    match function, arguments:
        case Function.SELECT, (Truth(value), then, otherwise):
            return then if value else otherwise
        case Function.SELECT, (_, then, otherwise):
            return then if repr(then) == repr(otherwise) else None
        case Function.AND, (Truth(value), other) | (other, Truth(value)):
            return other if value else NO
        case Function.OR, (Truth(value), other) | (other, Truth(value)):
            return YES if value else other
        case _:
            return _folded(function, arguments)


def _folded(function: Function, arguments: tuple[Atom, ...]) -> Atom | None:
    values = [a.value for a in arguments if isinstance(a, Number | Truth)]
    if len(values) < len(arguments) or function not in _FOLDED:
        return None
    value = _FOLDED[function](*values)
    if isinstance(value, complex):
        raise ValueError("the result is not a real number")  # noqa: TRY004 - as math.sqrt does
    return Truth(bool(value)) if function in TRUTHS else Number(value)
