"""What can be read of a network: name, unit and the call of libsumo that tells it.

A name is ``GROUP.ID.QUANTITY``. Speeds of edges and lanes without vehicles are what may be driven
there; a detector over which nobody drove in the last step tells a speed of -1, as SUMO says it.
``interval_count`` and ``interval_speed`` are of the detector's last whole period, as its file
gives it; a restored simulation begins the period under way anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gemeos.engines.spec import Kind, Role, Value

Lib: TypeAlias = Any
"""The module libsumo, which has no types."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """One thing that every element of a group tells."""

    unit: str
    read: Callable[[Lib, str], Value]
    kind: Kind = Kind.REAL
    role: Role = Role.OUTPUT


COUNT: Final = Kind.INTEGER

GROUPS: Final[dict[str, dict[str, Quantity]]] = {
    "edge": {
        "count": Quantity("", lambda s, i: s.edge.getLastStepVehicleNumber(i), COUNT),
        "halting": Quantity("", lambda s, i: s.edge.getLastStepHaltingNumber(i), COUNT),
        "speed": Quantity("m/s", lambda s, i: s.edge.getLastStepMeanSpeed(i)),
        "occupancy": Quantity("", lambda s, i: s.edge.getLastStepOccupancy(i)),
        "waiting": Quantity("s", lambda s, i: s.edge.getWaitingTime(i)),
        "travel_time": Quantity("s", lambda s, i: s.edge.getTraveltime(i)),
    },
    "lane": {
        "count": Quantity("", lambda s, i: s.lane.getLastStepVehicleNumber(i), COUNT),
        "halting": Quantity("", lambda s, i: s.lane.getLastStepHaltingNumber(i), COUNT),
        "speed": Quantity("m/s", lambda s, i: s.lane.getLastStepMeanSpeed(i)),
        "occupancy": Quantity("", lambda s, i: s.lane.getLastStepOccupancy(i)),
    },
    "detector": {
        "count": Quantity("", lambda s, i: s.inductionloop.getLastStepVehicleNumber(i), COUNT),
        "speed": Quantity("m/s", lambda s, i: s.inductionloop.getLastStepMeanSpeed(i)),
        "occupancy": Quantity("%", lambda s, i: s.inductionloop.getLastStepOccupancy(i)),
        "interval_count": Quantity(
            "", lambda s, i: s.inductionloop.getLastIntervalVehicleNumber(i), COUNT
        ),
        "interval_speed": Quantity("m/s", lambda s, i: s.inductionloop.getLastIntervalMeanSpeed(i)),
    },
    "area": {
        "count": Quantity("", lambda s, i: s.lanearea.getLastStepVehicleNumber(i), COUNT),
        "queue": Quantity("", lambda s, i: s.lanearea.getLastStepHaltingNumber(i), COUNT),
        "speed": Quantity("m/s", lambda s, i: s.lanearea.getLastStepMeanSpeed(i)),
        "occupancy": Quantity("%", lambda s, i: s.lanearea.getLastStepOccupancy(i)),
    },
}


def ids_of(lib: Lib, group: str) -> list[str]:
    """The elements of a group, those inside junctions left out."""
    domains = {
        "edge": lib.edge,
        "lane": lib.lane,
        "detector": lib.inductionloop,
        "area": lib.lanearea,
    }
    return [i for i in domains[group].getIDList() if not i.startswith(":")]


def split(name: str) -> tuple[str, str, str]:
    """Group, id and quantity; an id may have dots of its own."""
    group, _, rest = name.partition(".")
    middle, _, quantity = rest.rpartition(".")
    return group, middle, quantity
