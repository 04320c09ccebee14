"""The few functions of numpy that numba or the C library would compute in another way.

Put before each printed model by ``printed_numba``, where ``njit`` compiles it; see
``_kernels_elementary``. ``KIND`` is the model's float32 or float64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from math import copysign as _copysign

    # What the printer puts beside this text.
    KIND = np.float64

    def copysign(size: np.floating, sign: np.floating) -> np.floating:
        return KIND(_copysign(size, sign))


def pick(which: bool, a: np.floating, b: np.floating) -> np.floating:  # noqa: FBT001
    """``np.where``; both are known, so that this becomes one instruction and no branch."""
    return a if which else b


def smaller(a: np.floating, b: np.floating) -> np.floating:
    """``np.minimum``: NaN if either is, and the second of two zeros."""
    return a if (a < b) | (a != a) else b  # noqa: PLR0124 - how NaN is told


def greater(a: np.floating, b: np.floating) -> np.floating:
    """``np.maximum``: NaN if either is, and the second of two zeros."""
    return a if (a > b) | (a != a) else b  # noqa: PLR0124


def floor_divide(a: np.floating, b: np.floating) -> np.floating:
    """``np.floor_divide``: the quotient of what the remainder leaves, made whole."""
    rest = np.fmod(a, b)
    share = (a - rest) / b
    share = share - KIND(1) if (rest != KIND(0)) & ((b < KIND(0)) != (rest < KIND(0))) else share
    whole = np.floor(share)
    whole = whole + KIND(1) if share - whole > KIND(0.5) else whole
    # A quotient of nothing keeps its sign.
    whole = copysign(KIND(0), a / b) if share == KIND(0) else whole
    return a / b if b == KIND(0) else whole


def remainder(a: np.floating, b: np.floating) -> np.floating:
    """``np.remainder``: with the divisor's sign."""
    rest = np.fmod(a, b)
    turned = rest + b if (b < KIND(0)) != (rest < KIND(0)) else rest
    whole = rest if b == KIND(0) else copysign(KIND(0), b)
    return whole if rest == KIND(0) else turned
