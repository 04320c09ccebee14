"""What may be set on a wind farm, how far, and what for.

Three controls of each turbine: how far its nacelle is turned out of the wind, how much power it
may give, and for what share of an interval it runs. At their defaults nothing is set. How plants
obey is not the twin's affair: a control that is bound to the plant's own report of its set-point
is what the turbine does, not what it was told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gemeos.errors import InputError, UnknownNameError
from gemeos.schema.variable import Control
from gemeos.twins.windfarm.farm import Farm, Turbine

CONTROLS_A_TURBINE: Final = ("yaw_offset", "power_limit", "running")


@dataclass(frozen=True, slots=True)
class Limit:
    """How far something may be set."""

    what: str
    unit: str
    least: float
    most: float
    source: str


YAW: Final = Limit(
    "yaw offset from the wind",
    "deg",
    -25.0,
    25.0,
    "a choice: as far as the yaw optimiser of FLORIS 4 searches by default, to either side",
)
"""Wind direction less heading of the nacelle, as its vane reads: positive where the nacelle is
turned counter-clockwise, seen from above. The wake then goes to the right, looking downwind."""
POWER: Final = Limit(
    "power limit, as a share of rated power",
    "",
    0.0,
    1.0,
    "what a turbine gives lies between standstill and its rated power",
)
RUNNING: Final = Limit(
    "share of the interval that the turbine runs",
    "",
    0.0,
    1.0,
    "0 stands, 1 runs as it would",
)
LIMITS: Final = (YAW, POWER, RUNNING)

MOST_POWER: Final = "mean(farm.power)"
"""To be large: what is sold by the kilowatt-hour, on average over members and time."""
EVENEST_POWER: Final = "cvar(0.9, mean(farm.power))"
"""To be large: the worst tenth of what may come, where too little must be bought elsewhere."""


def controls(farm: Farm) -> tuple[Control, ...]:
    """What is declared of each turbine, in the order ``CONTROLS_A_TURBINE``."""
    return tuple(c for turbine in farm.turbines for c in _controls(farm, turbine))


def _controls(farm: Farm, turbine: Turbine) -> tuple[Control, ...]:
    rated, name = farm.type_of(turbine).rated_power_kw, turbine.name
    limited = (POWER.least * rated, POWER.most * rated)
    return (
        Control(f"{name}.yaw_offset", "deg", (YAW.least, YAW.most), default=0.0),
        Control(f"{name}.power_limit", "kW", limited, default=rated),
        Control(f"{name}.running", "", (RUNNING.least, RUNNING.most), default=1.0),
    )


def steering(farm: Farm, turbines: Iterable[str] | None = None) -> dict[str, tuple[str, str]]:
    """What a search for yaw offsets chooses from: ``twin.optimise(over=steering(farm))``.

    Args:
        farm: Whose.
        turbines: Which may be turned; by default all.

    Raises:
        UnknownNameError: no such turbine.
    """
    edges = (f"{YAW.least:g} deg", f"{YAW.most:g} deg")
    return {f"{name}.yaw_offset": edges for name in _named(farm, turbines)}


def turned(farm: Farm, offsets: Mapping[str, float]) -> dict[str, str]:
    """The scenario in which turbines are turned out of the wind by so many degrees.

    Raises:
        UnknownNameError: no such turbine.
    """
    _named(farm, offsets)
    return {f"{name}.yaw_offset": f"{degrees:g} deg" for name, degrees in offsets.items()}


def curtailed(farm: Farm, most_kw: float, turbines: Iterable[str] | None = None) -> dict[str, str]:
    """The scenario in which so many turbines together may give at most ``most_kw``.

    Each is limited to the same share of its rated power.

    Raises:
        UnknownNameError: no such turbine.
        InputError: no turbine, or less than nothing.
    """
    rated = {t.name: farm.type_of(t).rated_power_kw for t in farm.turbines}
    some = _named(farm, turbines)
    if not some or most_kw < 0:
        raise InputError(f"{len(some)} turbines cannot be limited to {most_kw:g} kW.")
    share = min(most_kw / sum(rated[name] for name in some), POWER.most)
    return {f"{name}.power_limit": f"{share * rated[name]:.9g} kW" for name in some}


def out(farm: Farm, turbines: Iterable[str]) -> dict[str, str]:
    """The scenario in which these turbines stand.

    Raises:
        UnknownNameError: no such turbine.
    """
    return {f"{name}.running": "0" for name in _named(farm, turbines)}


def _named(farm: Farm, turbines: Iterable[str] | None) -> list[str]:
    names = [t.name for t in farm.turbines]
    some = names if turbines is None else list(turbines)
    for name in some:
        if name not in names:
            raise UnknownNameError("turbine", name, names, where=farm.name)
    return some
