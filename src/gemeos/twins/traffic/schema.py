"""What is unknown of a district, as its twin declares it: the factors of ``demand.unknowns``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from gemeos.runtime.engine_model import EngineParam
from gemeos.schema.prior import Normal
from gemeos.twins.traffic.demand.follow import Memory
from gemeos.twins.traffic.demand.unknowns import (
    BUSY,
    Doubt,
    Unknowns,
    unknowns_of,
)
from gemeos.twins.traffic.demand.ways import Way
from gemeos.units.instant import SECOND, Span

TAU_S: Final = 1.2
"""Headway that drivers are expected to keep, in seconds. With SUMO's 1.0 some 2,000 an hour pass a
lane at green; the Highway Capacity Manual (6th edition, chapter 19) has 1,900 at best, and less
with lorries and those who turn."""
ACCEL: Final = 1.8
"""m/s2 that drivers are expected to accelerate at most: in the middle between SUMO's 2.6, which is
what cars can do, and 1.0 of Treiber & Kesting (2013), Traffic Flow Dynamics, table 11.2."""
ACCEL_DOUBT: Final = 0.25
"""Of its logarithm."""
SHARE: Final = 0.7
"""Of the doubt of each factor that is left where a twin has to begin with them. A rate is in doubt
by four of them at once: whole, by USUAL, it would be a factor of two, and members with twice the
vehicles that a road can take are jammed before anything is counted."""
MOST_PARAMS: Final = 48
"""Beyond, only what carries more vehicles has a factor of its own."""


def factors(ways: Sequence[Way], doubt: Doubt, *, share: float = SHARE) -> Unknowns:
    """As many factors as can be told apart by some tens of members.

    Args:
        ways: All.
        doubt: Of the demand.
        share: Of it, that is left.
    """
    doubt = replace(
        doubt,
        whole=share * doubt.whole,
        end=share * doubt.end,
        pair=share * doubt.pair,
        way=share * doubt.way,
        accelerate=ACCEL_DOUBT,
    )
    busy = BUSY
    while len((found := unknowns_of(ways, doubt, busy=busy)).names) > MOST_PARAMS:
        busy *= 1.25
    # What is expected is the mean, and the median of factors with normal logarithms is less.
    above = 0.5 * (found.sigma**2 @ found.of)
    return replace(found, expected=found.expected * np.exp(-above), tau=TAU_S, accel=ACCEL)


def declared(unknowns: Unknowns, names: Mapping[str, str]) -> list[EngineParam]:
    """Each by its name in the twin."""
    return [
        EngineParam(names[name], "", Normal(0.0, float(sigma)), drift=float(sigma) * _walk())
        for name, sigma in zip(unknowns.names, unknowns.sigma, strict=True)
    ]


def _walk() -> float:
    """Of the root of a second: as fast as ``Memory`` forgets demand, in standard deviations.

    Drivers change slower. But what they are found to do stands for all in which the model is not
    like them, and what that is worth changes with the traffic; held for two days they would be
    believed to a few hundredths within half an hour.
    """
    lasts: Span = Memory().demand
    return math.sqrt(2.0 / (lasts / SECOND))
