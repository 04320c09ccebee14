"""What the page shows of a wind farm: declared, no HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gemeos.twins.windfarm.farm import Farm


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart or row of numbers: variables of one unit."""

    title: str
    unit: str
    variables: tuple[str, ...]
    """Names as in the schema; each is shown with its spread."""


SCORED_LEADS: Final = ("10 min", "1 h", "6 h", "24 h")
"""How far ahead the power of each turbine is forecast as it goes, and held to it."""


def panels(farm: Farm) -> tuple[Panel, ...]:
    """What is shown, most asked first."""
    names = [t.name for t in farm.turbines]

    def of_each(variable: str) -> tuple[str, ...]:
        return tuple(f"{name}.{variable}" for name in names)

    return (
        Panel("Power of the farm", "kW", ("farm.power", "farm.potential")),
        Panel("Free wind", "m/s", ("air.speed",)),
        Panel("Wind from", "deg", ("air.heading",)),
        Panel("Power of the turbines", "kW", of_each("power")),
        Panel("Wind at the turbines", "m/s", of_each("speed")),
        Panel("Taken by wakes", "kW", ("farm.wake_loss", *of_each("wake_loss"))),
        Panel("Lost while held back", "kW", ("farm.lost_power", *of_each("lost_power"))),
        Panel("Performance", "", of_each("performance")),
        Panel("Nacelle transfer", "", of_each("transfer")),
        Panel("Vane offset", "deg", of_each("vane_offset")),
    )
