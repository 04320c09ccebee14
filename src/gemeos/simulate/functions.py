"""The functions that a declared model may call, found by the object that the name stands for."""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from gemeos.schema.declare import where
from gemeos.simulate.lowered import Function


@dataclass(frozen=True, slots=True)
class Supported:
    """One function under all the names it goes by."""

    name: str
    """As it is told to the user."""
    function: Function
    objects: tuple[object, ...]
    least: int = 1
    """Fewest arguments."""
    most: int = 1
    """Most arguments; of more than ``least``, the function is applied from left to right."""


_ANY_NUMBER: Final = 64

SUPPORTED: Final = (
    Supported("min", Function.MIN, (builtins.min, np.minimum), 2, _ANY_NUMBER),
    Supported("max", Function.MAX, (builtins.max, np.maximum), 2, _ANY_NUMBER),
    Supported("abs", Function.ABS, (builtins.abs, math.fabs, np.abs, np.fabs)),
    Supported("gm.where", Function.SELECT, (where, np.where), 3, 3),
    Supported("math.sqrt", Function.SQRT, (math.sqrt, np.sqrt)),
    Supported("math.exp", Function.EXP, (math.exp, np.exp)),
    Supported("math.expm1", Function.EXPM1, (math.expm1, np.expm1)),
    Supported("math.log", Function.LOG, (math.log, np.log)),
    Supported("math.log1p", Function.LOG1P, (math.log1p, np.log1p)),
    Supported("math.sin", Function.SIN, (math.sin, np.sin)),
    Supported("math.cos", Function.COS, (math.cos, np.cos)),
    Supported("math.tan", Function.TAN, (math.tan, np.tan)),
    Supported("math.asin", Function.ASIN, (math.asin, np.arcsin)),
    Supported("math.acos", Function.ACOS, (math.acos, np.arccos)),
    Supported("math.atan", Function.ATAN, (math.atan, np.arctan)),
    Supported("math.atan2", Function.ATAN2, (math.atan2, np.arctan2), 2, 2),
    Supported("math.tanh", Function.TANH, (math.tanh, np.tanh)),
    Supported("math.hypot", Function.HYPOT, (math.hypot, np.hypot), 2, 2),
    Supported("math.floor", Function.FLOOR, (math.floor, np.floor)),
    Supported("math.ceil", Function.CEIL, (math.ceil, np.ceil)),
    Supported("math.copysign", Function.COPYSIGN, (math.copysign, np.copysign), 2, 2),
)


def supported(called: object) -> Supported | None:
    """The entry for ``called``, or None."""
    return next((s for s in SUPPORTED if any(o is called for o in s.objects)), None)


def supported_names() -> str:
    """What can be called, as a sentence needs it."""
    names = ", ".join(s.name.removeprefix("math.") for s in SUPPORTED)
    return f"{names} (from math or numpy), and functions of your own"
