"""A number with its unit, as people write it: ``200 km/h``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from gemeos.errors import UnitError
from gemeos.units.usual import SECONDS, known_unit

_NUMBER_AND_UNIT = re.compile(
    r"\s*(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(?P<unit>.*?)\s*"
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and the unit it is in."""

    number: float
    """The value, in ``unit``."""
    unit: str
    """A unit that is known; empty for a plain number."""

    def __str__(self) -> str:
        """As ``quantity`` reads it back, to the last bit."""
        return f"{self.number!r} {self.unit}".rstrip()

    def within(self, unit: str) -> float:
        """The same quantity as a plain number of ``unit``.

        Raises:
            UnitError: the two units are not of the same dimension.
        """
        scale, offset = conversion(self.unit, unit)
        return self.number * scale + offset


def quantity(text: str) -> Quantity:
    """Read ``"200 km/h"``.

    Raises:
        UnitError: no number in front, or the unit is not known.
    """
    found = _NUMBER_AND_UNIT.fullmatch(text)
    if found is None:
        raise UnitError(f"{text!r} is not a number with a unit. Write it as in '200 km/h'.")
    unit = found["unit"]
    known_unit(unit)
    return Quantity(float(found["number"]), unit)


@lru_cache(maxsize=4096)
def conversion(source: str, target: str) -> tuple[float, float]:
    """``(scale, offset)`` such that ``number_in_source * scale + offset`` is in ``target``.

    Raises:
        UnitError: unknown units, or units of different dimensions.
    """
    if source == target:
        known_unit(source)
        return 1.0, 0.0
    if target == "s" and source in SECONDS:
        return SECONDS[source], 0.0
    # Imported here: pint is slow to be ready, and most sites start without it.
    from gemeos.units.registry import converted  # noqa: PLC0415

    return converted(source, target)
