"""Units as FMUs write them, as Gemeos reads them."""

from __future__ import annotations

import re
from typing import Final

from gemeos.errors import UnitError
from gemeos.units import known_unit

_POWER: Final = re.compile(r"(?<=[A-Za-z])(-?\d+)")


def unit_of(theirs: str) -> str | None:
    """The same unit in our words; None if it is not known.

    Modelica writes ``m/s2`` and ``W/(m2.K)``: powers without a sign, products as points.
    """
    for text in (theirs, _POWER.sub(r"^\1", theirs.replace(".", "*"))):
        try:
            known_unit(text)
        except UnitError:
            continue
        return text
    return None
