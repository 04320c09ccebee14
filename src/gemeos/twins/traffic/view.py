"""What somebody wants to see of a district first, and which forecasts are scored."""

from __future__ import annotations

from typing import Final

from gemeos.schema.scene import Scene
from gemeos.twins.traffic.cycles import signals_of
from gemeos.twins.traffic.ground import ground_of
from gemeos.twins.traffic.physics import Described

SCORED_LEADS: Final = ("5 min", "15 min", "30 min")
SHOWN: Final = ("lost", "running", "waiting", "delay")


def scene_of(made: Described) -> Scene:
    """Its map with its detectors, and the cycles of its signals."""
    return Scene(
        ground_of(made.district, made.counts, made.speeds),
        signals_of(made.district.network, made.cabinets),
    )
