"""What is unknown of a district, as its twin declares it: the factors of ``demand.unknowns``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from gemeos.runtime.engine_model import EngineParam
from gemeos.schema.prior import Normal
from gemeos.twins.traffic.demand.follow import Memory
from gemeos.twins.traffic.demand.unknowns import (
    BUSY,
    HEADWAY,
    SPEED,
    Doubt,
    Unknowns,
    unknowns_of,
)
from gemeos.twins.traffic.demand.ways import Way
from gemeos.units.instant import SECOND, Span

MOST_PARAMS: Final = 48
"""Beyond, only what carries more vehicles has a factor of its own."""


def factors(ways: Sequence[Way], doubt: Doubt) -> Unknowns:
    """As many factors as can be told apart by some tens of members."""
    busy = BUSY
    while len((found := unknowns_of(ways, doubt, busy=busy)).names) > MOST_PARAMS:
        busy *= 1.25
    return found


def declared(unknowns: Unknowns, names: Mapping[str, str]) -> list[EngineParam]:
    """Each by its name in the twin."""
    return [
        EngineParam(names[name], "", Normal(0.0, float(sigma)), drift=float(sigma) * _walk(name))
        for name, sigma in zip(unknowns.names, unknowns.sigma, strict=True)
    ]


def _walk(name: str) -> float:
    """Of the root of a second: as fast as ``Memory`` forgets, in standard deviations."""
    memory = Memory()
    lasts: Span = memory.drivers if name in (SPEED, HEADWAY) else memory.demand
    return math.sqrt(2.0 / (lasts / SECOND))
