"""Elementary functions of one float32 that a compiler can turn into vector instructions.

Calls into the C library are scalar, and its last digit differs from machine to machine. These are
branch-free, use additions, multiplications, divisions and bit patterns alone, and so give the
same bits wherever IEEE 754 holds. How near they are to the exact values is tested and told in
``tests/unit/test_kernels.py``.

Not run as they stand here: ``printed_numba`` puts this text before each model's own, where
``njit`` compiles it. Two rules of numba's follow: every operation must keep its type (uint32 +
uint32 would be uint64), and ``view`` wants the scalar's type named before it.
"""
# ruff: noqa: PLR0124, FURB136 - x == x is how NaN is told; and min and max are calls

from __future__ import annotations

import numpy as np

LOG2_E = np.float32(1.4426950408889634)
LN_2_HIGH = np.float32(0.693359375)
"""ln 2 in 10 bits, so that its product with an exponent is exact (Cody & Waite 1980, ch. 6)."""
LN_2_LOW = np.float32(0.6931471805599453 - 0.693359375)
ROUNDER = np.float32(12582912.0)
"""1.5 * 2^23: what is added to it and taken away again is rounded to the nearest integer."""
ROUNDER_BITS = np.uint32(0x4B400000)

QUARTERS = np.float64(0.6366197723675814)
"""2/pi."""
HALF_PI_HIGH = np.float64(1.5707963267341256)
"""pi/2 in 33 bits."""
HALF_PI_LOW = np.float64(6.077100506506192e-11)
"""pi/2 less ``HALF_PI_HIGH``."""
ROUNDER_64 = np.float64(6755399441055744.0)
"""1.5 * 2^52."""
PI = np.float32(3.141592653589793)
HALF_PI = np.float32(1.5707963267948966)
QUARTER_PI = np.float32(0.7853981633974483)
FARTHEST = np.float32(1e15)
"""Beyond it an angle is taken as this: neighbouring float32 are whole turns apart from 1e8 on."""


def _expm1_of_rest(x: np.float32, k: np.float32) -> np.float32:
    """e^r - 1 for r = x - k ln 2, |r| <= 0.35; its series to the seventh power."""
    r = (x - k * LN_2_HIGH) - k * LN_2_LOW
    q = np.float32(1 / 720) + r * np.float32(1 / 5040)
    q = np.float32(1 / 120) + r * q
    q = np.float32(1 / 24) + r * q
    q = np.float32(1 / 6) + r * q
    q = np.float32(0.5) + r * q
    return r + (r * r) * q


def exp(x: np.float32) -> np.float32:
    """e^x."""
    bound = x if x > np.float32(-104) else np.float32(-104)
    bound = bound if bound < np.float32(89) else np.float32(89)
    rounded = np.float32(bound * LOG2_E + ROUNDER)
    scaled = np.float32(1) + _expm1_of_rest(bound, rounded - ROUNDER)
    # 2^k in two factors, put together from their bits: itself it may lie outside of float32.
    k = np.int32(np.uint32(rounded.view(np.uint32) - ROUNDER_BITS))
    half = np.int32(k >> np.int32(1))
    one = np.uint32(np.uint32(half + np.int32(127)) << np.uint32(23))
    other = np.uint32(np.uint32(np.int32(k - half) + np.int32(127)) << np.uint32(23))
    scaled = (scaled * one.view(np.float32)) * other.view(np.float32)
    return scaled if x == x else x


def expm1(x: np.float32) -> np.float32:
    """e^x - 1."""
    bound = x if x > np.float32(-20) else np.float32(-20)
    bound = bound if bound < np.float32(89) else np.float32(89)
    rounded = np.float32(bound * LOG2_E + ROUNDER)
    k = np.uint32(rounded.view(np.uint32) - ROUNDER_BITS)
    p = _expm1_of_rest(bound, rounded - ROUNDER)
    # Half of 2^k, which can be held where 2^k cannot.
    bits = np.uint32(np.uint32(k + np.uint32(126)) << np.uint32(23))
    half = bits.view(np.float32)
    y = half * p + (half - np.float32(0.5))
    y = p if k == np.uint32(0) else y + y
    return y if x == x else x


def log(x: np.float32) -> np.float32:
    """Natural logarithm.

    With s = f/(2 + f), ln(1 + f) = f - f^2/2 + s (f^2/2 + 2 s^2/3 + 2 s^4/5 + ...).
    """
    subnormal = x < np.float32(1.1754944e-38)
    scaled = x * np.float32(8388608.0)
    normal = np.float32(scaled if subnormal else x)
    # Exponent and mantissa, parted so that the mantissa lies between sqrt(1/2) and sqrt(2).
    bits = np.uint32(normal.view(np.uint32) + np.uint32(0x3F800000 - 0x3F3504F3))
    exponent = np.int32(np.int32(bits >> np.uint32(23)) - np.int32(127))
    mantissa = np.uint32(np.uint32(bits & np.uint32(0x007FFFFF)) + np.uint32(0x3F3504F3))
    k = np.float32(exponent) - (np.float32(23) if subnormal else np.float32(0))
    f = mantissa.view(np.float32) - np.float32(1)
    s = f / (np.float32(2) + f)
    z = s * s
    r = np.float32(2 / 7) + z * np.float32(2 / 9)
    r = np.float32(2 / 5) + z * r
    r = np.float32(2 / 3) + z * r
    r = z * r
    square = np.float32(0.5) * f * f
    y = k * LN_2_HIGH - ((square - (s * (square + r) + k * LN_2_LOW)) - f)
    y = x if x == np.float32(np.inf) else y
    y = np.float32(-np.inf) if x == np.float32(0) else y
    return y if x >= np.float32(0) else np.float32(np.nan)


def log1p(x: np.float32) -> np.float32:
    """ln(1 + x): the logarithm of the rounded sum, and what the rounding took away."""
    u = np.float32(1) + x
    of_small = x - (u - np.float32(1))
    of_large = np.float32(1) - (u - x)
    y = log(u)
    mended = y + (of_small if x < np.float32(1) else of_large) / u
    return mended if (u > np.float32(0)) & (u < np.float32(np.inf)) else y


def tanh(x: np.float32) -> np.float32:
    """With e = e^|2x| - 1: e/(e + 2), and the sign of x."""
    size = abs(x)
    size = size if size < np.float32(10) else np.float32(10)
    e = expm1(size + size)
    y = e / (e + np.float32(2))
    y = -y if x < np.float32(0) else y
    y = x if x == np.float32(0) else y
    return y if x == x else x


def _turned(x: np.float32, ahead: int) -> np.float32:
    """Sine of x + ``ahead`` quarter turns, by the series about the nearest quarter turn."""
    bound = x if x < FARTHEST else FARTHEST
    wide = np.float64(bound if bound > -FARTHEST else -FARTHEST)
    rounded = np.float64(wide * QUARTERS + ROUNDER_64)
    quarter = np.int32(np.int32(rounded.view(np.int64)) + np.int32(ahead))
    k = rounded - ROUNDER_64
    # In double precision, so that the rest is right to its last bit for |x| up to 1e6.
    r = np.float32((wide - k * HALF_PI_HIGH) - k * HALF_PI_LOW)
    q = r * r
    sine = np.float32(-1 / 5040) + q * np.float32(1 / 362880)
    sine = np.float32(1 / 120) + q * sine
    sine = np.float32(-1 / 6) + q * sine
    sine = r + r * (q * sine)
    cosine = np.float32(1 / 40320) + q * np.float32(-1 / 3628800)
    cosine = np.float32(-1 / 720) + q * cosine
    cosine = np.float32(1 / 24) + q * cosine
    cosine = (np.float32(1) - np.float32(0.5) * q) + (q * q) * cosine
    y = cosine if np.int32(quarter & np.int32(1)) == np.int32(1) else sine
    y = -y if np.int32(quarter & np.int32(2)) == np.int32(2) else y
    return y + (x - x)  # not a number for infinity


def sin(x: np.float32) -> np.float32:
    """Sine."""
    return x if x == np.float32(0) else _turned(x, 0)


def cos(x: np.float32) -> np.float32:
    """Cosine."""
    return _turned(x, 1)


def tan(x: np.float32) -> np.float32:
    """Tangent."""
    y = _turned(x, 0) / _turned(x, 1)
    return x if x == np.float32(0) else y


def atan2(y: np.float32, x: np.float32) -> np.float32:
    """Angle of the point (x, y): the arc of the smaller part over the larger, then its octant."""
    across, along = abs(x), abs(y)
    steep = along > across
    large = along if steep else across
    small = across if steep else along
    t = small / (large if large > np.float32(0) else np.float32(1))
    # Both infinite is half way, as for C.
    t = np.float32(1) if small == np.float32(np.inf) else t
    outer = t > np.float32(0.41421356)
    turned = (t - np.float32(1)) / (t + np.float32(1))
    z = turned if outer else t
    q = z * z
    series = np.float32(1 / 17) + q * np.float32(-1 / 19)
    series = np.float32(-1 / 15) + q * series
    series = np.float32(1 / 13) + q * series
    series = np.float32(-1 / 11) + q * series
    series = np.float32(1 / 9) + q * series
    series = np.float32(-1 / 7) + q * series
    series = np.float32(1 / 5) + q * series
    series = np.float32(-1 / 3) + q * series
    arc = z + z * (q * series)
    arc = QUARTER_PI + arc if outer else arc
    arc = HALF_PI - arc if steep else arc
    # The sign of a zero counts: -0 lies to the left.
    left = np.uint32(np.float32(x).view(np.uint32) >> np.uint32(31)) == np.uint32(1)
    below = np.uint32(np.float32(y).view(np.uint32) >> np.uint32(31)) == np.uint32(1)
    arc = PI - arc if left else arc
    arc = -arc if below else arc
    return arc if (x == x) & (y == y) else x + y


def atan(x: np.float32) -> np.float32:
    """Arc tangent."""
    return atan2(x, np.float32(1))


def asin(x: np.float32) -> np.float32:
    """Arc sine: the angle whose other side is the root of 1 - x^2."""
    side = np.sqrt((np.float32(1) - x) * (np.float32(1) + x))
    return atan2(x, side)


def acos(x: np.float32) -> np.float32:
    """Arc cosine, likewise."""
    side = np.sqrt((np.float32(1) - x) * (np.float32(1) + x))
    return atan2(side, x)


def hypot(x: np.float32, y: np.float32) -> np.float32:
    """Length of (x, y); in double precision, where no square overflows."""
    a, b = np.float64(x), np.float64(y)
    length = np.float32(np.sqrt(a * a + b * b))
    # Infinite in one direction is infinite, whatever the other one is.
    endless = (abs(x) == np.float32(np.inf)) | (abs(y) == np.float32(np.inf))
    return np.float32(np.inf) if endless else length
