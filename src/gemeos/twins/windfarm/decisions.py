"""What may be changed on a wind farm, and how far. Nothing is decided here yet.

The farm's record has no set-points, so no control is declared and no plan can be made; whoever
adds steering or curtailment begins with these limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """How far something may be set."""

    what: str
    unit: str
    least: float
    most: float
    source: str


LIMITS: Final = (
    Limit(
        "yaw offset from the wind",
        "deg",
        -25.0,
        25.0,
        "a choice: as far as the yaw optimiser of FLORIS 4 searches by default, to either side",
    ),
    Limit(
        "curtailed power, as a share of rated power",
        "",
        0.0,
        1.0,
        "what a turbine gives lies between standstill and its rated power",
    ),
)
