"""Chaotic models with published scores: Lorenz (1963) and Lorenz (1996)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Sensor, State
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.units.instant import SECOND


@dataclass(frozen=True)
class Chaotic:
    """A model without noise, every variable of which can be read. One unit of time is a second."""

    name: str
    slope: Callable[[Members], Members]
    """Time derivative of every member."""
    dt: float
    """Step of the fourth-order Runge-Kutta scheme."""
    steps: int
    """How many such steps lead from one instant to the next."""
    noise_sd: float
    """Of a reading."""
    climate: tuple[Normal, ...]
    """Of each variable: what is believed of it before the first reading."""

    @cached_property
    def schema(self) -> Schema:
        """States x0, x1, ... and their sensors y0, y1, ..."""
        states = [State(f"x{i}", "", p) for i, p in enumerate(self.climate)]
        sensors = [Sensor(f"y{i}", "", self.noise_sd) for i in range(len(self.climate))]
        step = round(self.steps * self.dt * SECOND)
        return Schema(self.name, step, (*states, *sensors))

    @property
    def identity(self) -> str:
        """Of this model."""
        return f"{self.name}-{self.dt}-{self.steps}-{self.schema.fingerprint}"

    def step(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """From one instant to the next."""
        h = values.dtype.type(self.dt)
        half, sixth = h / values.dtype.type(2), h / values.dtype.type(6)
        for _ in range(self.steps):
            a = self.slope(values)
            b = self.slope(values + half * a)
            c = self.slope(values + half * b)
            d = self.slope(values + h * c)
            values = values + sixth * (a + b + b + c + c + d)
        return values

    def observe(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """Every variable itself."""
        return values


def lorenz_63() -> Chaotic:
    """Lorenz (1963), J. Atmos. Sci. 20, 130-141, eqs. 25-27, with 10, 28 and 8/3.

    Read every 0.25 time units with variance 2, as Sakov, Oliver & Bertino (2012), Mon. Wea. Rev.
    140, 1988-2004, sec. 4. The climate is that of a long run, to two digits.
    """
    climate = (Normal(0.0, 7.9), Normal(0.0, 9.0), Normal(24.0, 8.6))
    return Chaotic("lorenz63", _slope_63, 0.01, 25, 2.0**0.5, climate)


def lorenz_96(variables: int = 40) -> Chaotic:
    """Lorenz (1996), ECMWF Seminar on Predictability 1, 1-18, eq. 1, forced by 8.

    Read every 0.05 time units with variance 1, as Sakov & Oke (2008), Mon. Wea. Rev. 136,
    1042-1053, sec. 6. The climate is that of a long run, to two digits.
    """
    return Chaotic("lorenz96", _slope_96, 0.05, 1, 1.0, (Normal(2.3, 3.6),) * variables)


def _slope_63(values: Members) -> Members:
    kind = values.dtype.type
    x, y, z = values[:, 0], values[:, 1], values[:, 2]
    of_z = x * y - kind(8 / 3) * z
    return np.stack([kind(10) * (y - x), x * (kind(28) - z) - y, of_z], axis=1)


def _slope_96(values: Members) -> Members:
    ahead, behind = np.roll(values, -1, axis=1), np.roll(values, 1, axis=1)
    return (ahead - np.roll(values, 2, axis=1)) * behind - values + values.dtype.type(8)
