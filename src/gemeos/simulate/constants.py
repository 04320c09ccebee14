"""Numbers that are known when a model is compiled: those that its module holds, and their range."""

from __future__ import annotations

import ast
import numbers

import numpy as np

from gemeos.simulate.frame import Several, Value
from gemeos.simulate.lowered import Atom, Number, Truth
from gemeos.simulate.source import WAY_OUT, Source


def constant_of(found: object, told: str, node: ast.AST, source: Source) -> Value:
    """A number, a truth, or a tuple of them, that the user's module holds under ``told``.

    Raises:
        DeclarationError: it is something else.
    """
    match found:
        case bool() | np.bool_():
            return Truth(bool(found))
        case int():
            return Number(found)
        case numbers.Real():
            return Number(float(found))
        case tuple():
            return Several(tuple(constant_of(f, told, node, source) for f in found))
        case _:
            raise source.refusal(
                node,
                f"{told!r} is a {type(found).__name__}, which cannot be compiled: numbers and "
                f"tuples of numbers can. ({WAY_OUT}.)",
            )


def check_held(atom: Atom, precision: np.dtype[np.floating], node: ast.AST, source: Source) -> None:
    """Refuse a known number that ``precision`` would round to zero or to infinity.

    Raises:
        DeclarationError: it would; ``node`` is to blame.
    """
    if not isinstance(atom, Number) or atom.value == 0 or not np.isfinite(float(atom.value)):
        return
    range_ = np.finfo(precision)
    least, most = float(range_.tiny), float(range_.max)
    if not least <= abs(atom.value) <= most:
        raise source.refusal(
            node,
            f"{atom.value!r} cannot be held in {precision} ({least:.2g} to {most:.2g}); choose "
            "units in which it is nearer to one.",
        )
