"""Declared models of every kind that can be compiled, to compare printed forms on.

Each is a function that makes the class: the relative spread of one parameter decides whether its
schema needs float32 (``SINGLE``) or float64 (``DOUBLE``). None means anything.
"""
# ruff: noqa: C901, ARG002 - many branches in one place, and steps that ignore dt, are the point

from __future__ import annotations

import math
from math import hypot as distance
from typing import ClassVar, Final

import numpy as np

from gemeos.schema import declare as gm

SINGLE: Final = 0.1
"""A relative spread that float32 holds."""
DOUBLE: Final = 1e-6
"""One that needs float64 (``Schema.precision``)."""
GRAVITY = 9.81
STAGES = (0.25, 0.5, 1.5)
FRICTION_IS_ON = True


def drag(v: float, cd: float) -> float:
    """Against the motion, with its square."""
    if v > 0:
        return -cd * v * v
    return cd * v * v


def deck(spread: float) -> type:
    """The example of the design note, without its vector."""

    @gm.model(dt="0.01 s")
    class Deck:
        x: float = gm.state("m", gm.normal(0, 0.01), noise=1e-4)
        v: float = gm.state("m/s", gm.normal(0, 0.1), noise=2e-3)
        k: float = gm.param("1/s^2", gm.lognormal(40, spread), drift=1e-3)
        cd: float = gm.const("1/m")
        wind: float = gm.input("m/s^2")
        damper: float = gm.control("m/s^2", bounds=(-5, 5))

        def step(self, dt: float) -> Deck:
            a = self.wind + self.damper - self.k * math.sin(self.x) + drag(self.v, self.cd)
            v = self.v + dt * a
            return Deck(x=min(max(self.x + dt * v, -2.0), 2.0), v=v)

        @gm.sensor("m/s^2")
        def accel(self) -> float:
            return self.wind - self.k * self.x

    return Deck


def valve(spread: float) -> type:
    """Branches of every kind: early returns, elif, nested, in a helper and in a loop."""

    def regime(p: float, limit: float) -> float:
        if p < -limit:
            return -1.0
        elif p > limit:  # noqa: RET505 - an elif behind a return is what is tested
            if p > 2 * limit:
                return 2.0
            shift = 0.5
        elif not (p > 0 or limit > 1.0) and p != 0:
            shift = -0.25
        else:
            return p
        return shift + p

    @gm.model(dt="0.5 s")
    class Valve:
        p: float = gm.state("bar", gm.normal(0.4, 1))
        mode: float = gm.state("", gm.normal(0, 1))
        limit: float = gm.param("bar", gm.lognormal(0.6, spread))
        supply: float = gm.input("bar", default=0.1)

        def step(self, dt: float) -> Valve:
            """Nothing is meant by it."""
            p = self.p + dt * (self.supply - 0.1 * self.p)
            if self.mode > 1.0:
                return Valve(p=regime(p, self.limit), mode=self.mode - 1)
            if 0 < p < self.limit and self.mode:
                mode = 0.5 * self.mode
            elif p <= -self.limit or self.supply >= 0.5:
                mode = self.mode**2
                p = -p if self.mode < 0 else p / 2
            else:
                mode = regime(self.mode, self.limit)
                if mode < -0.5:
                    return Valve(p=-0.125, mode=mode)
                p += mode
            for stage in STAGES:
                if p > stage:
                    p -= stage
                    if mode == 0:
                        return Valve(p=p, mode=stage)
            return Valve(p=p, mode=mode)

        @gm.sensor("bar", mean_over="1 s")
        def gauge(self) -> float:
            return regime(self.p, self.limit)

        @gm.virtual("")
        def is_open(self) -> float:
            return self.p > self.limit

    return Valve


def cart(spread: float) -> type:
    """Helpers of every kind: functions, methods, defaults, tuples, constants, other outputs."""

    def turned(x: float, y: float, angle: float = 0.25) -> tuple[float, float]:
        c, s = math.cos(angle), math.sin(angle)
        return c * x - s * y, s * x + c * y

    @gm.model(dt="20 ms")
    class Cart:
        AXLES: ClassVar[int] = 2
        x: float = gm.state("m", gm.normal(1, 1))
        y: float = gm.state("m", gm.normal(0, 1))
        mass: float = gm.param("kg", gm.lognormal(1, spread))
        slope: float = gm.input("")

        def force(self, x: float, *, scale: float = 2.0) -> float:
            if FRICTION_IS_ON:
                return scale * x - self.friction
            return undefined_elsewhere  # type: ignore[name-defined]  # noqa: F821

        @property
        def friction(self) -> float:
            return 0.1 * self.mass * GRAVITY

        @staticmethod
        def doubled(x: float) -> float:
            return x + x

        def step(self, dt: float) -> Cart:
            x, y = turned(self.x, self.y)
            (a, b), total = turned(x, y, angle=self.slope), 0.0
            for i in range(1, 4):
                total += STAGES[i - 1] * self.force(a, scale=i) + i**2
            for _ in range(self.AXLES):
                total = self.doubled(total) / 3
            return Cart(y=b + dt * total / self.mass, x=x * math.pi)

        @gm.sensor("N", noise=0.5)
        def load(self) -> float:
            return self.mass * GRAVITY + self.doubled(self.grip)

        @gm.virtual("N")
        def grip(self) -> float:
            return self.friction * (self.x > self.y)

    return Cart


def silo(spread: float) -> type:
    """Limits and steps: min, max, abs, floors, remainders and signs."""

    @gm.model(dt="1 min")
    class Silo:
        level: float = gm.state("m", gm.normal(0.5, 1))
        turn: float = gm.state("", gm.normal(0, 3))
        width: float = gm.param("m", gm.lognormal(0.7, spread))

        def step(self, dt: float) -> Silo:
            level = max(0.0, min(self.level * 1.5, 1.0, self.width))
            steps = math.floor(self.turn / self.width) + math.ceil(self.turn)
            left = self.turn % self.width - self.turn // 0.3
            left += math.copysign(self.level, self.turn) + abs(self.turn) + math.fabs(level)
            return Silo(
                level=np.minimum(level + steps, np.maximum(2.0, left)) + np.abs(left),
                turn=gm.where(self.turn > 0, -self.turn, +left) + float(self.level >= 0.5),
            )

        @gm.sensor("m^3")
        def content(self) -> float:
            return self.width**3 + self.width**2 * self.level + self.width**1.5

        @gm.virtual("")
        def one(self) -> float:
            return 1

    return Silo


def wave(spread: float) -> type:
    """Every transcendental function, by both of its names."""

    @gm.model(dt="0.1 s")
    class Wave:
        a: float = gm.state("", gm.normal(0, 1))
        b: float = gm.state("", gm.normal(0, 1))
        g: float = gm.param("", gm.lognormal(1, spread))

        def step(self, dt: float) -> Wave:
            near = math.tanh(self.a) * 0.9
            far = math.exp(self.b) + np.expm1(self.g) + math.e
            return Wave(
                a=math.sin(self.a) + np.cos(self.b) + math.tan(near) + np.tanh(self.g),
                b=math.sqrt(far) + np.log(far) + math.log1p(far) + distance(self.a, self.b),
            )

        @gm.sensor("")
        def angle(self) -> float:
            near = math.tanh(self.b) * 0.9
            inverse = math.asin(near) + np.arccos(near) + math.atan(self.a)
            return inverse + math.atan2(self.a, self.g) + np.arctan2(self.b, self.g)

        @gm.virtual("")
        def size(self) -> float:
            other = np.hypot(self.a, self.g) + np.sqrt(self.g) + np.exp(near_one())
            return other + np.arcsin(0.3) + self.g**self.a

    return Wave


def near_one() -> float:
    """Known when the model is compiled."""
    return math.log(math.e) - math.cos(0.0) * 1e-3


def plant(spread: float) -> type:
    """Constants, inputs and controls, also in places where no member's own number takes part."""

    @gm.model(dt="10 s")
    class Plant:
        heat: float = gm.state("kJ", gm.normal(1, 1))
        loss: float = gm.param("1/s", gm.lognormal(0.01, spread))
        outside: float = gm.input("degC")
        sun: float = gm.input("W/m^2", default=0)
        area: float = gm.const("m^2")
        glass: float = gm.const("", default=0.8)
        heater: float = gm.control("kW", bounds=(0, 2), default=0)

        def step(self, dt: float) -> Plant:
            gain = math.exp(-self.sun) * self.area * self.glass + self.heater
            fixed = Plant(heat=self.heat + dt * (gain - self.loss * self.heat))
            return Plant(heat=fixed.heat / (1 + self.area))

        @gm.sensor("kW")
        def meter(self) -> float:
            dim = not self.sun > 0.2
            return self.heater if self.heater > 0.5 and dim else 0.05

        @gm.virtual("degC")
        def inside(self) -> float:
            return self.outside + (self.heat**-1) ** 2

    return Plant


ZOO: Final = (deck, valve, cart, silo, wave, plant)
