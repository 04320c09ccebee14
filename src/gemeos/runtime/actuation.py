"""How a control is declared to be set: by which device, within what limits, with whose approval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from gemeos.act.base import DEFAULT_TOLERANCE, Conduct, Rate, Rules
from gemeos.ensemble.condition import parse_chance
from gemeos.errors import SchemaError, SettingsError
from gemeos.link.base import Actuator
from gemeos.schema.role import Role
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Bounds, Control
from gemeos.units import conversion, quantity, span

_ROUNDING: Final = 1e-9
"""Of limits that were told in another unit."""


class ActuatorLink(Protocol):
    """A connection to devices that is declared, and not yet open."""

    @property
    def name(self) -> str:
        """How ``twin.actuate`` names it."""
        ...

    def actuator(self) -> Actuator:
        """The actuator, not yet entered."""
        ...


@dataclass(frozen=True, slots=True)
class Actuation:
    """One control, tied to one place of a device."""

    actuator: str
    """Name of the actuator's link."""
    place: str
    """The device's name of the control."""
    rules: Rules
    unit: str
    """What the device counts in."""

    @property
    def idle_limits(self) -> tuple[str, ...]:
        """What is said of limits beyond the declared bounds, which are kept all the same."""
        control, (low, high) = self.rules.control, self.rules.control.bounds
        told = []
        if low is not None and -math.inf < self.rules.least < low - _ROUNDING * max(abs(low), 1.0):
            told.append(f"least = {self.rules.least:g} {control.unit}")
        if high is not None and high + _ROUNDING * max(abs(high), 1.0) < self.rules.most < math.inf:
            told.append(f"most = {self.rules.most:g} {control.unit}")
        return tuple(
            f"{control.name}: {each} changes nothing, since the model declares "
            f"{_told(control.bounds)} {control.unit}: no plan goes beyond that."
            for each in told
        )

    def outward(self, value: float) -> float:
        """A value of the declared unit as the device is told it."""
        scale, offset = conversion(self.rules.control.unit, self.unit)
        return value * scale + offset

    def inward(self, value: float, unit: str) -> float:
        """A value that the device reports, in the declared unit.

        Raises:
            UnitError: the device reports in a unit of another dimension.
        """
        scale, offset = conversion(unit or self.unit, self.rules.control.unit)
        return value * scale + offset


def actuation_of(  # noqa: PLR0913 -- each is one word of the declaration, by keyword
    schema: Schema,
    place: str,
    *,
    to: str,
    unit: str | None,
    least: str | None,
    most: str | None,
    rate: str | None,
    interlocks: Sequence[str],
    tolerance: str | None,
    pace: str,
) -> Actuation:
    """As ``Twin.actuate`` says it.

    Raises:
        SchemaError: no such control, or the text cannot be read.
        UnitError: a unit does not fit.
    """
    link, colon, name = place.partition(":")
    if not (colon and link and name):
        raise SchemaError(
            f"{place!r} does not name a place. Write actuator:place, as in 'plc:T2/yaw'."
        )
    control = schema.variable(to)
    if not isinstance(control, Control):
        raise SchemaError(
            f"{to} is a {type(control).__name__.lower()}; only what is declared as a control is "
            "ours to set."
        )
    told = control.unit if unit is None else unit
    conversion(control.unit, told)
    chances = tuple(parse_chance(each) for each in interlocks)
    units = {v.name: v.unit for v in schema.variables}
    for chance in chances:
        chance.condition.check(units)
    made = Rules(
        control=control,
        tolerance=_tolerance(control, tolerance),
        least=-math.inf if least is None else quantity(least).within(control.unit),
        most=math.inf if most is None else quantity(most).within(control.unit),
        rate=None if rate is None else _rate(rate, control.unit),
        interlocks=chances,
        pace=span(pace),
    )
    low, high = made.limits
    if not low <= high:
        raise SettingsError(
            f"{to}: its limits contradict each other: least {least or 'not given'}, most "
            f"{most or 'not given'}, and the model declares {_told(control.bounds)}. No value "
            f"keeps them all: from {low:g} to {high:g} {control.unit} there is none."
        )
    if made.pace <= 0:
        raise SettingsError(f"{to}: a pace of {pace!r} is none; it is the time between two steps.")
    return Actuation(link, name, made, told)


def _told(bounds: Bounds) -> str:
    low, high = ("no end" if end is None else f"{end:g}" for end in bounds)
    return f"{low} to {high}"


def conduct_of(  # noqa: PLR0913 -- each is one word of the declaration, by keyword
    *,
    approvers: Sequence[str],
    role: str,
    four_eyes: bool,
    oldest_state: str,
    watch: str,
    settle: str,
    answer_within: str,
    lasting: str,
) -> Conduct:
    """As ``Twin.conduct`` says it.

    Raises:
        SettingsError: no such role, or a time that is none.
    """
    try:
        least = Role(role)
    except ValueError as error:
        known = ", ".join(each.value for each in Role)
        raise SettingsError(f"There is no role {role!r}. There are: {known}.") from error
    return Conduct(
        approvers=tuple(approvers),
        role=least,
        four_eyes=four_eyes,
        oldest_state=span(oldest_state),
        watch=span(watch),
        settle=span(settle),
        answer_within=span(answer_within),
        lasting=span(lasting),
    )


def _rate(text: str, unit: str) -> Rate:
    most, per, within = text.partition(" per ")
    if not per:
        raise SettingsError(f"{text!r} is no rate. Write it as in '5 deg per 10 min'.")
    return Rate(quantity(most).within(unit) - quantity(f"0 {_own(most)}").within(unit), _of(within))


def _own(text: str) -> str:
    return quantity(text).unit


def _of(text: str) -> int:
    # "per minute" is as good as "per 1 minute".
    return span(text if text.strip()[:1].isdigit() else f"1 {text.strip()}")


def _tolerance(control: Control, told: str | None) -> float:
    if told is not None:
        # A difference: where a unit has a zero of its own, that does not count.
        return quantity(told).within(control.unit) - quantity(f"0 {_own(told)}").within(
            control.unit
        )
    least, most = control.bounds
    if least is None or most is None:
        raise SettingsError(
            f"{control.name} has no bounds on both sides, so its tolerance has to be told: "
            "tolerance='0.5 deg'."
        )
    return DEFAULT_TOLERANCE * (most - least)
