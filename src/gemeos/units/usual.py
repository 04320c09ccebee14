"""Units that are known without asking pint: it takes a fifth of a second to be ready.

A site that is started again must be live soon, and most declare nothing but these. A test holds
each against pint, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SECONDS: Final[Mapping[str, float]] = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "day": 86_400.0,
    "days": 86_400.0,
    "week": 604_800.0,
    "weeks": 604_800.0,
}
"""Units of time, as spans are written."""

USUAL: Final = frozenset(
    {
        *SECONDS,
        *("", "1", "percent", "%", "ppm", "count", "rad", "deg", "rpm", "1/s", "1/s^2", "1/m"),
        *("rad/s", "rad/s^2", "deg/s", "1/min", "1/h", "Hz", "kHz", "MHz"),
        *("m", "mm", "cm", "um", "km", "m^2", "m^3", "l", "ml", "m/s", "km/h", "mm/s", "m/s^2"),
        *("m^3/s", "m^3/h", "l/s", "l/min", "l/h"),
        *("kg", "g", "mg", "t", "kg/s", "kg/h", "kg/m^3", "g/m^3", "N", "kN", "N*m", "kN*m"),
        *("Pa", "hPa", "kPa", "MPa", "GPa", "bar", "mbar"),
        *("K", "kelvin", "degC", "K/s", "W/K", "W/m^2", "J/K"),
        *("J", "kJ", "MJ", "Wh", "kWh", "MWh", "W", "kW", "MW"),
        *("V", "mV", "kV", "A", "mA", "ohm", "F", "C", "A*h"),
        *("byte", "kB", "MB", "GB", "kB/s", "MB/s"),
    }
)
"""Whatever else pint reads is known, too."""


def known_unit(text: str) -> None:
    """Refuse a unit that is not known. An empty text or "1" is a plain number.

    Raises:
        UnitError: no such unit; the message repeats what was written.
    """
    if text in USUAL:
        return
    # Imported here: see above.
    from gemeos.units.registry import unit_of  # noqa: PLC0415

    unit_of(text)
