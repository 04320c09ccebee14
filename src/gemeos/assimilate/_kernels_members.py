"""What is done with the members of one twin at one instant, row by row: ``esrf`` and ``turn``.

Printed and compiled by ``printed_analysis``, never run as it stands here. The same steps as in
numpy under the same names, with one difference in form: a row is held as what it was, its
anomalies, and how far its mean moved. A row that no reading moves keeps every bit.

Rows lie one behind the other in one flat work array ``w``, each ``pitch`` numbers long: a whole
number of the longest vectors, with zeros behind the members. Sums along the members are taken by
``total``, ``product`` and ``products`` alone: there, and nowhere else, the compiler may choose the
order, which is the same for every twin of a size.
"""
# ruff: noqa: PLR0913, PLR0917 - kernels take flat arrays and where things lie in them

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from gemeos.simulate._kernels_noise import deviate, uniform_pair

    Rows: TypeAlias = np.ndarray[tuple[int], np.dtype[np.floating]]
    Ensemble: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.floating]]
    Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]

    # What the printer puts beside this text.
    KIND = np.float64
    ROUNDINGS = EPS = TINY = GREATEST = 0.0
    EPS_ = KIND(0)

U = np.uint64
"""An index without sign: see ``simulate._kernels_drive``."""


def total(w: Rows, at: int, pitch: int) -> np.floating:
    """Sum of a row."""
    sum_ = KIND(0)
    for i in range(pitch):
        sum_ += w[U(at + i)]
    return sum_


def product(w: Rows, a: int, b: int, pitch: int) -> np.floating:
    """Sum of the products of two rows."""
    sum_ = KIND(0)
    for i in range(pitch):
        sum_ += w[U(a + i)] * w[U(b + i)]
    return sum_


def products(w: Rows, a: int, b: int, c: int, pitch: int) -> tuple[np.floating, np.floating]:
    """Sums of the products of a row with two others."""
    first, second = KIND(0), KIND(0)
    for i in range(pitch):
        here = w[U(a + i)]
        first += here * w[U(b + i)]
        second += here * w[U(c + i)]
    return first, second


def shifted(of: Ensemble, t: int, row: int, w: Rows, at: int, pitch: int) -> None:
    """A row's members less the first, into ``w``."""
    size = of.shape[2]
    base = of[t, row, 0]
    for i in range(size):
        w[U(at + i)] = of[t, row, U(i)] - base
    for i in range(size, pitch):
        w[U(at + i)] = KIND(0)


def finite(of: Ensemble, t: int, row: int, w: Rows, at: int, pitch: int) -> bool:
    """Whether all members of a row are numbers; ``w`` holds it ``shifted``."""
    # What is not finite is not after subtracting either, and makes its square so; finite ones
    # can overflow as well, and only then is every one of them looked at.
    if np.isfinite(product(w, at, at, pitch)):
        return True
    all_ = True
    for i in range(of.shape[2]):
        all_ = all_ and np.isfinite(of[t, row, i])
    return all_


def centred(w: Rows, at: int, size: int, pitch: int) -> np.floating:
    """Make a row's numbers anomalies; gives the mean that they had."""
    mean = total(w, at, pitch) / KIND(size)
    for i in range(size):
        w[U(at + i)] -= mean
    return mean


def floored(
    given: float,
    w: Rows,
    seen: int,
    pitch: int,
    mean: float,
    spread: np.floating,
    less_one: np.floating,
) -> np.floating:
    """A reading's variance as the members' precision can hold it: ``esrf._noise``."""
    # No member lies farther out than this; only where the floor might count it is looked for.
    size = abs(mean) + np.sqrt(np.float64(spread) * np.float64(less_one))
    if given < (ROUNDINGS * EPS * size) ** 2 * 1.001 + TINY:
        size = 0.0
        for i in range(pitch):
            size = max(size, abs(mean + np.float64(w[U(seen + i)])))
    return KIND(min(max(given, (ROUNDINGS * EPS * size) ** 2 + TINY), GREATEST))


def gains(
    w: Rows,
    rows: int,
    covariance: int,
    variance: int,
    garroted: int,
    gain: int,
    spread: np.floating,
    noise: np.floating,
    limit: np.floating,
) -> None:
    """What one unit of surprise moves each row by: ``esrf`` and ``localise.believable``."""
    for r in range(rows):
        here = w[U(covariance + r)]
        needed = limit * w[U(variance + r)] * spread
        square = here * here
        enough = square > needed
        believed = (square - needed if enough else KIND(0)) / (square if enough else KIND(1))
        believed = believed if w[U(garroted + r)] > KIND(0) else KIND(1)
        w[U(gain + r)] = here / (spread + noise) * believed


def stretched(
    w: Rows,
    rows: int,
    covariance: int,
    variance: int,
    gain: int,
    factor: int,
    weight: np.floating,
    size: int,
) -> None:
    """By how much anomalies are to be multiplied, for sampling: ``inflate.stretched``."""
    one = KIND(1)
    for r in range(rows):
        lost = w[U(gain + r)] * w[U(covariance + r)]
        had = w[U(variance + r)]
        share = lost / (had if had > KIND(0) else one)
        share = min(one - EPS, share)
        square = share / (weight if weight > KIND(0) else one)
        rest = one - square
        back = KIND(2) * weight * (rest * rest) / KIND(size - 1)
        back = back if share > KIND(0) else KIND(0)
        left = one - share
        now = left + back
        w[U(factor + r)] = np.sqrt((min(one, now)) / left)


def corrected(
    w: Rows,
    rows: int,
    anomalies: int,
    pitch: int,
    gain: int,
    factor: int,
    seen: int,
    reduced: np.floating,
) -> None:
    """Every row's anomalies after one reading; ``seen`` is a copy of what it would have read."""
    for r in range(rows):
        share = reduced * w[U(gain + r)]
        more = w[U(factor + r)]
        at = anomalies + r * pitch
        for i in range(pitch):
            w[U(at + i)] = (w[U(at + i)] - share * w[U(seen + i)]) * more


def blended(w: Rows, after: int, before: int, length: int, share: np.floating) -> None:
    """``inflate.blended``: a share of the anomalies taken from those before."""
    for i in range(length):
        now = w[U(after + i)]
        w[U(after + i)] = now + share * (w[U(before + i)] - now)


def stretched_back(
    w: Rows, after: int, before: int, rows: int, size: int, pitch: int, share: np.floating
) -> None:
    """``inflate.stretched_back``: each row stretched by a share of the spread that it lost."""
    for r in range(rows):
        at = after + r * pitch
        was = before + r * pitch
        had = np.sqrt(product(w, was, was, pitch) / KIND(size))
        has = np.sqrt(product(w, at, at, pitch) / KIND(size))
        lost = had - has if had > has else KIND(0)
        if has > EPS_ * had:
            more = share * lost / has
            for i in range(pitch):
                w[U(at + i)] += more * w[U(at + i)]


def plane(
    w: Rows, first: int, second: int, size: int, pitch: int, word: Numbers, counters: Numbers
) -> None:
    """Two orthogonal directions of length 1 among the members, both without mean: ``turn``."""
    for d in range(2):
        at, turns = (first, second) if d == 0 else (second, second + pitch)
        low = np.uint32(word[d] & np.uint64(0xFFFFFFFF))
        high = np.uint32(word[d] >> np.uint64(32))
        for i in range(size):
            unit, turn = uniform_pair(low, high, counters[U(i)])
            w[U(at + i)] = KIND(unit)
            w[U(turns + i)] = KIND(turn)
        for i in range(size):
            w[U(at + i)] = KIND(deviate(np.float32(w[U(at + i)]), np.float32(w[U(turns + i)])))
        for i in range(size, pitch):
            w[U(at + i)] = KIND(0)
        centred(w, at, size, pitch)
        if d == 1:
            along = product(w, first, second, pitch)
            for i in range(pitch):
                w[U(second + i)] -= along * w[U(first + i)]
        length = np.sqrt(product(w, at, at, pitch))
        for i in range(pitch):
            w[U(at + i)] /= length


def turned(
    members: Ensemble,
    t: int,
    r: int,
    w: Rows,
    after: int,
    before: int,
    first: int,
    second: int,
    pitch: int,
    moved: np.floating,
    learned: np.floating,
    least: np.floating,
    most: np.floating,
    out: Ensemble,
) -> None:
    """A row as it was, with its mean moved and its anomalies exchanged and turned, in bounds."""
    size = members.shape[2]
    ahead, aside = KIND(0), KIND(0)
    if learned > KIND(0):
        along, across = products(w, after, first, second, pitch)
        cosine_less_one = KIND(-2) * learned
        sine = KIND(2) * np.sqrt(learned * (KIND(1) - learned))
        ahead = cosine_less_one * along - sine * across
        aside = sine * along + cosine_less_one * across
    for i in range(size):
        anomaly = w[U(after + i)] - w[U(before + i)]
        anomaly += ahead * w[U(first + i)] + aside * w[U(second + i)]
        y = members[t, r, U(i)] + (moved + anomaly)
        y = max(y, least)
        out[t, r, U(i)] = min(y, most)
