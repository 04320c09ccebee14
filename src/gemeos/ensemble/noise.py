"""Random numbers that are a function of what they are for, never of when they were drawn.

A deviate is keyed by (seed, twin, integer time on the grid, stream, member). Forks therefore share
their origin's numbers, a replay draws the same ones, and neither the number of members, the order
of arrival nor the size of a shard changes any of them (contract 3).

Everything is computed with elementary float32 operations only, so that a compiled printer of the
same formulas gives the same bits: no libm function, whose last digit depends on the machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64, UInt32, UInt64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_BLOCKS = np.uint64(0xB10C_0000_0000_0000)
_LOG_2 = np.float32(0.6931471805599453)
_TWO_PI = np.float32(6.283185307179586)


def twin_key(seed: int, twin: str) -> int:
    """64-bit key of one twin's noise."""
    digest = hashlib.sha256(f"{seed}\x00{twin}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def stream_key(purpose: str, name: str) -> int:
    """32-bit key of one variable's noise for one purpose; the same in every schema."""
    digest = hashlib.sha256(f"{purpose}\x00{name}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def streams(purpose: str, names: Sequence[str]) -> UInt32[np.ndarray, " row"]:
    """``stream_key`` of each name."""
    return np.array([stream_key(purpose, n) for n in names], np.uint32)


def apart(
    keys: UInt64[np.ndarray, " twin"], block: Int64[np.ndarray, " twin"]
) -> UInt64[np.ndarray, " twin"]:
    """Keys of further members of the same twins; block 0 has the twin's own.

    A deviate tells members apart by their place in the array. More of them than an ensemble holds
    are several blocks, each with the same places and a key of its own.
    """
    further = _splitmix(keys ^ _splitmix(_BLOCKS + block.astype(np.uint64)))
    return np.where(block == 0, keys, further)


def standard_normal(
    keys: UInt64[np.ndarray, " twin"],
    ticks: Int64[np.ndarray, " twin"],
    stream: UInt32[np.ndarray, " row"],
    members: int,
) -> Float32[np.ndarray, "twin row member"]:
    """Standard normal deviates for every twin at its own tick.

    Two rounds of the 32-bit mixer "lowbias32" over (member, 64-bit key), then Box & Muller (1958),
    Ann. Math. Statist. 29, 610-611; only the cosine half is used, so that a member's deviate does
    not depend on how many members there are. Largest possible value: 5.9.
    """
    word = _splitmix(_splitmix(keys ^ _splitmix(ticks.astype(np.uint64)))[:, None] ^ stream)
    low = (word & np.uint64(0xFFFFFFFF)).astype(np.uint32)[:, :, None]
    high = (word >> np.uint64(32)).astype(np.uint32)[:, :, None]
    counter = np.arange(0, 2 * members, 2, dtype=np.uint32)
    first = _mixed(_mixed(counter + low) ^ high)
    second = _mixed(_mixed(counter + np.uint32(1) + low) ^ high)
    radius = np.sqrt(np.float32(-2.0) * _log(_unit(first)))
    return radius * _cosine_of_turns(_unit(second))


def _splitmix(word: UInt64[np.ndarray, "*any"]) -> UInt64[np.ndarray, "*any"]:
    """Finaliser of splitmix64: Steele, Lea & Flood (2014), OOPSLA, fig. 17."""
    word = word + _GOLDEN
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _mixed(word: UInt32[np.ndarray, "*any"]) -> UInt32[np.ndarray, "*any"]:
    """The bijection "lowbias32" of C. Wellons' hash prospector (2018), bias 0.17."""
    word = (word ^ (word >> np.uint32(16))) * np.uint32(0x7FEB352D)
    word = (word ^ (word >> np.uint32(15))) * np.uint32(0x846CA68B)
    return word ^ (word >> np.uint32(16))


def _unit(word: UInt32[np.ndarray, "*any"]) -> Float32[np.ndarray, "*any"]:
    """The upper 24 bits as a number strictly between 0 and 1."""
    return ((word >> np.uint32(9)).astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-23)


def _log(unit: Float32[np.ndarray, "*any"]) -> Float32[np.ndarray, "*any"]:
    """Natural logarithm for 0 < unit < 1, within 3e-7 relative to max(1, |log|).

    With unit = m 2^e and s = (m - 1)/(m + 1): log m = 2 (s + s^3/3 + s^5/5 + ...), Abramowitz &
    Stegun 4.1.27; |s| <= 0.172 for m between sqrt(1/2) and sqrt(2), so five terms suffice.
    """
    bits = unit.view(np.uint32)
    exponent = (bits >> np.uint32(23)).astype(np.int32) - np.int32(126)
    mantissa = ((bits & np.uint32(0x007FFFFF)) | np.uint32(0x3F000000)).view(np.float32)
    small = mantissa < np.float32(0.70710678)
    mantissa = np.where(small, mantissa + mantissa, mantissa)
    exponent = np.where(small, exponent - np.int32(1), exponent).astype(np.float32)
    s = (mantissa - np.float32(1)) / (mantissa + np.float32(1))
    q = s * s
    series = np.float32(1 / 7) + q * np.float32(1 / 9)
    series = np.float32(1 / 5) + q * series
    series = np.float32(1 / 3) + q * series
    series = np.float32(1) + q * series
    return exponent * _LOG_2 + np.float32(2) * s * series


def _cosine_of_turns(turns: Float32[np.ndarray, "*any"]) -> Float32[np.ndarray, "*any"]:
    """cos(2 pi turns) for 0 < turns < 1, within 3e-7.

    cos(2 pi v) = -sin(2 pi (1/4 - |v - 1/2|)), whose argument stays within a quarter turn, where
    the Taylor series of the sine to the 11th power is off by less than 6e-8.
    """
    x = _TWO_PI * (np.float32(0.25) - np.abs(turns - np.float32(0.5)))
    q = x * x
    series = np.float32(1 / 362880) + q * np.float32(-1 / 39916800)
    series = np.float32(-1 / 5040) + q * series
    series = np.float32(1 / 120) + q * series
    series = np.float32(-1 / 6) + q * series
    series = np.float32(1) + q * series
    return -(x * series)
