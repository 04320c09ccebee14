"""The loops around a printed model: twins, steps, tiles of members; noise, failures, sums.

Put before each printed model by ``printed_numba``, where ``njit`` compiles it; see
``_kernels_elementary``. What is computed is what ``advance.Stepper`` says in numpy.

A twin's members go through the model in tiles, as rows of one flat work array ``w``: row r of a
tile begins at ``r * TILE``. All addresses in the model's loop then differ by known constants,
and the compiler needs no check for overlap, of which it would give up making more than a few.

Few and long functions, because each one costs numba a tenth of a second.
"""
# ruff: noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - see above; and kernels take flat arrays

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from gemeos.simulate._kernels_noise import deviate, noise_word, uniform_pair

    Rows: TypeAlias = np.ndarray[tuple[int], np.dtype[np.floating]]
    Table: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.floating]]
    Ensemble: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.floating]]
    Numbers: TypeAlias = np.ndarray[tuple[int], np.dtype[Any]]

    # What the printer puts beside this text.
    KIND = np.float64
    TILE = VALUES = STATES = DRIVEN = OUTPUTS = SUMS = 0
    AT_DRIVEN = AT_AHEAD = AT_OUTPUTS = AT_FLAW = AT_UNITS = AT_TURNS = 0

    def outward(w: Rows, n: int) -> None: ...
    def inward(w: Rows, n: int) -> None: ...
    def step_tile(w: Rows, n: int, consts: Rows) -> None: ...
    def observe_tile(w: Rows, n: int, consts: Rows) -> None: ...
    def sums_tile(w: Rows, n: int, consts: Rows) -> None: ...


U = np.uint64
"""An index without sign, for sums of more than a loop's own counter: numba counts a negative one
from the end, and LLVM gathers numbers one by one where it cannot prove that there is none."""


def _gathered(w: Rows, values: Ensemble, driven: Ensemble, t: int, first: int, n: int) -> None:
    """Put into ``w`` a tile's values and what drives it."""
    for r in range(VALUES):
        for i in range(n):
            w[U(r * TILE + i)] = values[t, r, U(first + i)]
    alike = driven.shape[2] == 1
    for r in range(DRIVEN):
        if alike:
            one = driven[t, r, 0]
            for i in range(n):
                w[U(AT_DRIVEN + r * TILE + i)] = one
        else:
            for i in range(n):
                w[U(AT_DRIVEN + r * TILE + i)] = driven[t, r, U(first + i)]


def moved(
    members: Ensemble,
    driven: Ensemble,
    consts: Table,
    keys: Numbers,
    ticks: Numbers,
    steps: Numbers,
    streams: Numbers,
    counters: Numbers,
    spread: Rows,
    covered: Numbers,
    least_living: float,
    w: Rows,
    dead: Numbers,
    out: Ensemble,
    failed: Numbers,
    lost: Numbers,
) -> None:
    """Each twin its own number of ``steps`` on from its own tick, into ``out``.

    ``ticks`` become those that were reached. A twin of which too few members live stops there,
    and ``lost`` says how many failed at once. ``w`` and ``dead`` are room to work in.
    """
    twins, rows, size = members.shape
    for t in range(twins):
        for r in range(rows):
            for i in range(size):
                out[t, r, i] = members[t, r, i]
        for _ in range(steps[t]):
            ticks[t] += 1
            bad = 0
            for first in range(0, size, TILE):
                n = min(TILE, size - first)
                _gathered(w, out, driven, t, first, n)
                # Ahead are coordinates: params as they are, to which noise is added; new states.
                for r in range(STATES, VALUES):
                    for i in range(n):
                        w[U(AT_AHEAD + r * TILE + i)] = w[U(r * TILE + i)]
                outward(w, n)
                step_tile(w, n, consts[t])
                inward(w, n)
                # In loops of their own, from which the processor gets more at once.
                drawn = 0
                for r in range(VALUES):
                    if spread[r] > KIND(0):
                        word = noise_word(keys[t], ticks[t], streams[r])
                        low = np.uint32(word & np.uint64(0xFFFFFFFF))
                        high = np.uint32(word >> np.uint64(32))
                        for i in range(n):
                            unit, turn = uniform_pair(low, high, counters[U(first + i)])
                            w[U(AT_UNITS + drawn + i)] = KIND(unit)
                            w[U(AT_TURNS + drawn + i)] = KIND(turn)
                        drawn += n
                for i in range(drawn):
                    unit, turn = np.float32(w[AT_UNITS + i]), np.float32(w[AT_TURNS + i])
                    w[AT_UNITS + i] = KIND(deviate(unit, turn))
                drawn = 0
                for r in range(VALUES):
                    at = AT_AHEAD + r * TILE
                    if spread[r] > KIND(0):
                        sd = spread[r]
                        for i in range(n):
                            w[U(at + i)] += sd * w[U(AT_UNITS + drawn + i)]
                        drawn += n
                    for i in range(n):
                        y = w[U(at + i)]
                        out[t, r, U(first + i)] = y
                        w[AT_FLAW + i] += y - y
                for r in range(VALUES, rows):
                    for i in range(n):
                        y = out[t, r, U(first + i)]
                        w[AT_FLAW + i] += y - y
                for i in range(n):
                    bad += 1 if w[AT_FLAW + i] != KIND(0) else 0
                for i in range(n):
                    dead[U(first + i)] = w[AT_FLAW + i]
            if bad > 0:
                if size - bad < least_living * size:
                    lost[t] = bad
                    break
                failed[t] += bad
                # The nearest living member above, around the end, stands in for a dead one.
                for i in range(size):
                    after = i
                    while dead[after] != KIND(0):
                        after = after + 1 if after + 1 < size else 0
                    if after != i:
                        for r in range(rows):
                            out[t, r, i] = out[t, r, after]
            if SUMS > 0:
                for first in range(0, size, TILE):
                    n = min(TILE, size - first)
                    _gathered(w, out, driven, t, first, n)
                    outward(w, n)
                    sums_tile(w, n, consts[t])
                    for r in range(SUMS):
                        begins = (ticks[t] - 1) % covered[r] == 0
                        for i in range(n):
                            before = KIND(0) if begins else out[t, VALUES + r, U(first + i)]
                            y = before + w[U(AT_OUTPUTS + r * TILE + i)]
                            out[t, VALUES + r, U(first + i)] = y


def step(values: Ensemble, driven: Ensemble, consts: Table, w: Rows, out: Ensemble) -> None:
    """New states of natural values; NaN where a member was not finite or is not now."""
    twins, _, size = values.shape
    for t in range(twins):
        for first in range(0, size, TILE):
            n = min(TILE, size - first)
            _gathered(w, values, driven, t, first, n)
            step_tile(w, n, consts[t])
            for r in range(STATES):
                for i in range(n):
                    y = w[U(AT_AHEAD + r * TILE + i)]
                    out[t, r, U(first + i)] = y if w[AT_FLAW + i] == KIND(0) else KIND(np.nan)


def observe(
    values: Ensemble,
    driven: Ensemble,
    consts: Table,
    w: Rows,
    are_coordinates: bool,  # noqa: FBT001
    out: Ensemble,
) -> None:
    """Outputs at values or coordinates; NaN where a member failed, or an output is not finite."""
    twins, _, size = values.shape
    for t in range(twins):
        for first in range(0, size, TILE):
            n = min(TILE, size - first)
            _gathered(w, values, driven, t, first, n)
            if are_coordinates:
                outward(w, n)
            observe_tile(w, n, consts[t])
            for r in range(OUTPUTS):
                for i in range(n):
                    out[t, r, U(first + i)] = w[U(AT_OUTPUTS + r * TILE + i)]
