"""Which channel of which link is which variable of which twin."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

from gemeos.errors import SchemaError
from gemeos.schema.reading import Series
from gemeos.units import known_unit
from gemeos.units.instant import Instant

_PLACE: Final = re.compile(r"\{\w+\}")


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """How the channels of one quantity are called, over parts that are alike, and their unit."""

    channel: str
    """With one word in braces where the part's name stands, as in ``{turbine}/P_avg``."""
    unit: str
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        known_unit(self.unit)
        if len(_PLACE.findall(self.channel)) != 1:
            raise SchemaError(
                f"The channel {self.channel!r} does not say where the part's name stands, as "
                f"'{{turbine}}/power' does."
            )

    def of(self, part: str) -> str:
        """The channel of that part."""
        return _PLACE.sub(lambda _: part, self.channel)


@dataclass(frozen=True, slots=True)
class Binding:
    """One channel bound to one sensor, input or control of a twin.

    A raw number ``r`` of the channel is ``r * scale + offset`` in ``unit``; the link turns it into
    the declared unit of the variable. Several channels may be bound to one sensor.
    """

    series: Series
    twin: str
    variable: str
    """Name of a sensor, an input or a control of the twin's schema."""
    unit: str | None = None
    """Unit of the channel after ``scale`` and ``offset``; None for the variable's own."""
    scale: float = 1.0
    offset: float = 0.0
    noise: float | None = None
    """Standard deviation of one reading in the variable's unit; None for the sensor's own."""
    since: Instant | None = None
    """Readings before this belong to the sensor that was here before, and are not used."""
    period: float | None = None
    """How often a reading is expected, in seconds; None to learn it from the readings."""

    def __post_init__(self) -> None:
        if self.unit is not None:
            known_unit(self.unit)
        if not (math.isfinite(self.scale) and self.scale != 0 and math.isfinite(self.offset)):
            raise SchemaError(f"Binding {self.series}: scale {self.scale}, offset {self.offset}.")
        if self.noise is not None and not (math.isfinite(self.noise) and self.noise > 0):
            raise SchemaError(
                f"Binding {self.series}: the noise of a reading is a standard deviation above "
                f"zero; it is {self.noise}."
            )
