"""``ensemble.noise.standard_normal`` once more, for one row of one twin: the same bits.

Put before each printed model by ``printed_numba``, where ``njit`` compiles it; see
``_kernels_elementary``. What the formulas are and why stands in ``ensemble.noise``: whoever
changes one of the two changes both, and a test compares a million deviates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    Pair: TypeAlias = tuple[np.float32, np.float32]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
LOG_2 = np.float32(0.6931471805599453)
TWO_PI = np.float32(6.283185307179586)


def _splitmix(word: np.uint64) -> np.uint64:
    word = np.uint64(word + GOLDEN)
    word = np.uint64(np.uint64(word ^ np.uint64(word >> np.uint64(30))) * FIRST_FACTOR)
    word = np.uint64(np.uint64(word ^ np.uint64(word >> np.uint64(27))) * SECOND_FACTOR)
    return np.uint64(word ^ np.uint64(word >> np.uint64(31)))


def noise_word(key: np.uint64, tick: np.int64, stream: np.uint32) -> np.uint64:
    """The key of one row's deviates at one instant."""
    return _splitmix(np.uint64(_splitmix(np.uint64(key ^ _splitmix(np.uint64(tick)))) ^ stream))


def _mixed(word: np.uint32) -> np.uint32:
    word = np.uint32(np.uint32(word ^ np.uint32(word >> np.uint32(16))) * np.uint32(0x7FEB352D))
    word = np.uint32(np.uint32(word ^ np.uint32(word >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(word ^ np.uint32(word >> np.uint32(16)))


def uniform_pair(low: np.uint32, high: np.uint32, counter: np.uint32) -> Pair:
    """Two numbers between 0 and 1 for the member with twice its number in ``counter``.

    ``counter`` is read from an array: counted, LLVM makes it 64 bits wide, for which it takes
    512-bit registers, and these made everything else in the loop half as fast.
    """
    odd = np.uint32(counter + np.uint32(1))
    first = _mixed(np.uint32(_mixed(np.uint32(counter + low)) ^ high))
    second = _mixed(np.uint32(_mixed(np.uint32(odd + low)) ^ high))
    # Through int32, which holds 23 bits as well and has the older instruction.
    whole, turns = np.int32(first >> np.uint32(9)), np.int32(second >> np.uint32(9))
    unit = (np.float32(whole) + np.float32(0.5)) * np.float32(2.0**-23)
    turn = (np.float32(turns) + np.float32(0.5)) * np.float32(2.0**-23)
    return unit, turn


def deviate(unit: np.float32, turn: np.float32) -> np.float32:
    """The standard normal deviate of a ``uniform_pair``."""
    bits = np.float32(unit).view(np.uint32)
    exponent = np.int32(np.int32(bits >> np.uint32(23)) - np.int32(126))
    fraction = np.uint32(np.uint32(bits & np.uint32(0x007FFFFF)) | np.uint32(0x3F000000))
    mantissa = fraction.view(np.float32)
    small = mantissa < np.float32(0.70710678)
    doubled = mantissa + mantissa
    lower = np.int32(exponent - np.int32(1))
    mantissa = doubled if small else mantissa
    scale = np.float32(lower if small else exponent)
    s = (mantissa - np.float32(1)) / (mantissa + np.float32(1))
    q = s * s
    series = np.float32(1 / 7) + q * np.float32(1 / 9)
    series = np.float32(1 / 5) + q * series
    series = np.float32(1 / 3) + q * series
    series = np.float32(1) + q * series
    radius = np.sqrt(np.float32(-2.0) * (scale * LOG_2 + np.float32(2) * s * series))
    x = TWO_PI * (np.float32(0.25) - abs(turn - np.float32(0.5)))
    q = x * x
    series = np.float32(1 / 362880) + q * np.float32(-1 / 39916800)
    series = np.float32(-1 / 5040) + q * series
    series = np.float32(1 / 120) + q * series
    series = np.float32(-1 / 6) + q * series
    series = np.float32(1) + q * series
    return radius * -(x * series)
