"""Prints what follows a step as one self-contained module that numba compiles.

It is the same for every model of one precision, so a machine compiles it twice at most. The
constants come from the modules whose steps the kernels repeat.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Final

import numpy as np

from gemeos.assimilate import (
    _kernels_channels,
    _kernels_drive,
    _kernels_members,
    diagnose,
    drift,
    esrf,
    fault,
    inflate,
    localise,
    temper,
    turn,
)
from gemeos.assimilate.observe import NO_CHANNEL
from gemeos.ensemble.state import Drift, Monitor, Verdict
from gemeos.simulate import _kernels_noise
from gemeos.simulate.printed_numba import STRICT, entries, kernel_text

PRINTER: Final = "numba 3"
"""To be raised when the kernels come to compute other numbers."""

VECTOR: Final = 32
"""Rows are padded to multiples of so many members: what a processor's loop takes at once."""

OF_A_READING: Final = (
    "MEAN",
    "SPREAD",
    "DISTANCE",
    "WEIGHED",
    "GIVEN",
    "SURPRISE_NOW",
    "DOUBT",
    "RESIDUAL",
    "LEFT",
    "EACH",
    "TOGETHER",
    "VALUE",
    "SLOT",
    "TRUSTED",
    "VERDICT_THEN",
)
"""What the kernels note of each reading, rows of their table ``v``."""

_IN_ANY_ORDER: Final = ("total", "product", "products")
"""Sums along the members: the compiler may add in an order that suits the processor."""

_ENTRIES: Final = {
    "prepared": "b1({3}, {1}, {1}, f8[:, :, ::1], f8[::1], b1[::1])",
    "analysed": "void({3}, {3}, i8[:, ::1], i4[:, ::1], i4[:, ::1], f8[:, ::1], f8[:, ::1], "
    "f8[:, ::1], i8[:, ::1], b1[:, ::1], b1[::1], b1[::1], u8[::1], i8[::1], {1}, {1}, {1}, "
    "f8[::1], f8[::1], u4[::1], {1}, f8[:, ::1], f8[:, ::1], u8[::1], f8[:, :, ::1], f8[::1], "
    "f8[:, ::1], i8[::1], {3}, f8[:, :, ::1])",
}


def printed(precision: np.dtype[np.floating], spiking: float, *, cached: bool) -> str:
    """Source of the module: functions ``prepared`` and ``analysed`` of ``_kernels_drive``.

    Args:
        precision: Of the members.
        spiking: By how much more the readings of a spiking channel vary than declared.
        cached: Whether numba shall keep what it compiles beside the module's file.
    """
    free = STRICT.replace("fastmath=False", "fastmath=SUMMED")
    any_order = f"njit({free}, no_cpython_wrapper=True, forceinline=True)"
    return "\n".join(
        [
            "import numpy as np",
            "from numba import njit",
            "SUMMED = {'reassoc', 'contract'}",
            f"INLINED = njit({STRICT}, no_cpython_wrapper=True, forceinline=True)",
            *_constants(precision, spiking),
            *kernel_text(_kernels_noise, "INLINED"),
            *kernel_text(_kernels_channels, "INLINED"),
            *kernel_text(_kernels_members, "INLINED", dict.fromkeys(_IN_ANY_ORDER, any_order)),
            *kernel_text(_kernels_drive, "INLINED", entries(_ENTRIES, cached=cached)),
            "",
        ]
    )


def _constants(precision: np.dtype[np.floating], spiking: float) -> Iterator[str]:
    kind, about = precision.type.__name__, np.finfo(precision)
    yield f"KIND, KIND_ = np.{kind}, {kind!r}"
    yield f"EPS, TINY = {float(about.eps)!r}, {float(about.tiny)!r}"
    yield f"GREATEST = {esrf.most(precision)!r}"
    yield "EPS_ = KIND(EPS)"
    yield f"VECTOR, NO_CHANNEL, SPIKING_VARIANCE = {VECTOR}, {NO_CHANNEL}, {spiking!r}"
    first, second = turn.PLANE.tolist()
    yield f"PLANE_FIRST, PLANE_SECOND = np.uint32({first}), np.uint32({second})"
    yield from (f"{m.name} = {int(m)}" for m in Monitor)
    yield from (f"DRIFT_{d.name} = {int(d)}" for d in Drift)
    yield from (f"{v.name} = {float(v)!r}" for v in Verdict)
    yield from (f"{name} = {place}" for place, name in enumerate(OF_A_READING))
    for module, names in _NAMED.items():
        yield from (f"{called} = {float(vars(module)[name])!r}" for name, called in names.items())


def _alike(names: Sequence[str], **others: str) -> dict[str, str]:
    return {**{n: n for n in names}, **others}


_NAMED: Final[dict[ModuleType, dict[str, str]]] = {
    esrf: _alike(["ROUNDINGS"]),
    localise: _alike(["TIMES_SAMPLING_ERROR"]),
    temper: _alike(["LEAST_SHARE"], FAR="TEMPER_FAR"),
    inflate: _alike(["LARGEST_SQUARE", "MEAN_SQUARE"]),
    diagnose: {"MEMORY": "DIAGNOSE_MEMORY"},
    drift: _alike(
        ["TOLERATED", "BET", "LEVEL", "READINGS_TO_PASS"],
        LARGEST="DRIFT_LARGEST",
    ),
    fault: _alike(
        [
            "BACK",
            "UNLIKELY_RUN",
            "FAR_IN_A_RUN",
            "PASSED_BY",
            "LONG_RUN",
            "MOVED_BY",
            "KNOWN_FLOOR",
            "READINGS_TO_RETURN",
            "TOLERATED_BIAS",
            "BIAS_LIMIT",
            "OFTEN",
            "SELDOM",
            "SPIKE_LIMIT",
            "LOST_SLOPE",
            "LOST_COST",
            "LARGEST_LOST",
            "LOST_LIMIT",
            "A_FEW",
            "SILENT",
        ],
        MEMORY="FAULT_MEMORY",
        FAR="FAULT_FAR",
        LARGEST="FAULT_LARGEST",
    ),
}
"""Constants of modules, and what the kernels call them."""
