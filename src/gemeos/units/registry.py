"""The units that are accepted: pint's, checked once when something is declared.

Imported where it is needed, not at the start: pint and its registry take 0.25 s.

Inside kernels there are plain floats in the declared unit. pint costs about 10 us an operation,
so nothing here is called per reading or per member.
"""

from __future__ import annotations

from functools import cache
from tokenize import TokenError

import pint

from gemeos.errors import UnitError

LONGEST_UNIT = 64
"""Characters. pint reads a unit as an expression, and long ones take it long."""
# It reads with Python's own tokenizer and evaluator, and lets through whatever they raise.
_WHAT_PINT_RAISES = (
    pint.PintError,
    TokenError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


@cache
def registry() -> pint.UnitRegistry[float]:
    """The one registry, built on first use."""
    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def unit_of(text: str) -> pint.Unit:
    """The unit that ``text`` names. An empty text or "1" is a plain number.

    Raises:
        UnitError: no such unit; the message repeats what was written.
    """
    if text.strip() in {"", "1"}:
        return registry().Unit("")
    try:
        if len(text) > LONGEST_UNIT:
            raise ValueError
        return registry().Unit(text)
    except _WHAT_PINT_RAISES as error:
        raise UnitError(
            f"{text[:LONGEST_UNIT]!r} is not a unit that is known here. "
            "Write it as in 'm/s', 'kW', 'degC', 'MPa', '1/s^2', or '' for a plain number."
        ) from error


def converted(source: str, target: str) -> tuple[float, float]:
    """``(scale, offset)`` from ``source`` to ``target``; see ``gemeos.units.conversion``.

    Raises:
        UnitError: unknown units, or units of different dimensions.
    """
    have, want = unit_of(source), unit_of(target)
    if have == want:
        return 1.0, 0.0
    make = registry().Quantity
    try:
        at_zero = float(make(0.0, have).to(want).magnitude)
        at_one = float(make(1.0, have).to(want).magnitude)
    except (pint.DimensionalityError, pint.OffsetUnitCalculusError) as error:
        raise UnitError(
            f"{source or 'a plain number'} cannot be turned into {target or 'a plain number'}: "
            f"the one is {have.dimensionality}, the other {want.dimensionality}."
        ) from error
    return at_one - at_zero, at_zero
