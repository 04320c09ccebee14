"""The twin of all figures: two masses on springs, told as any user would.

Four states, one unknown parameter that is estimated with them, two sensors. Everything that is on
by default stays on: relaxation of the spread, monitors of every channel, the joint parameter.
"""

from __future__ import annotations

from collections.abc import Sequence

import gemeos as gm
from gemeos.simulate import Simulator, compile_model
from gemeos.units.instant import SECOND, Instant

LINK = "broker"
SENSORS = ("left", "right")
STEP_US = SECOND // 10
ROWS = 5
"""States and the parameter: what an ensemble of it has."""
MEMBERS = 32


@gm.model(dt="0.1 s")
class Pair:
    """Two masses, each moved by springs of one unknown stiffness, and by noise."""

    x: float = gm.state("m", gm.normal(0.0, 0.5), noise=0.02)
    v: float = gm.state("m/s", gm.normal(0.0, 0.5), noise=0.05)
    y: float = gm.state("m", gm.normal(0.0, 0.5), noise=0.02)
    w: float = gm.state("m/s", gm.normal(0.0, 0.5), noise=0.05)
    k: float = gm.param("1/s^2", gm.lognormal(1.0, 0.2), drift=1e-3)

    def step(self, dt: float) -> Pair:
        """Semi-implicit Euler."""
        v = self.v + dt * (self.k * (self.y - 2.0 * self.x) - 0.1 * self.v)
        w = self.w + dt * (self.k * (self.x - self.y) - 0.1 * self.w)
        return Pair(x=self.x + dt * v, v=v, y=self.y + dt * w, w=w)

    @gm.sensor("m", noise=0.1)
    def left(self) -> float:
        """Where the first mass is."""
        return self.x

    @gm.sensor("m", noise=0.1)
    def right(self) -> float:
        """Where the second one is."""
        return self.y


@gm.model(dt="0.1 s")
class QuietPair:
    """The same without noise: what a tick costs beside drawing random numbers."""

    x: float = gm.state("m", gm.normal(0.0, 0.5))
    v: float = gm.state("m/s", gm.normal(0.0, 0.5))
    y: float = gm.state("m", gm.normal(0.0, 0.5))
    w: float = gm.state("m/s", gm.normal(0.0, 0.5))
    k: float = gm.param("1/s^2", gm.lognormal(1.0, 0.2))

    def step(self, dt: float) -> QuietPair:
        """Semi-implicit Euler."""
        v = self.v + dt * (self.k * (self.y - 2.0 * self.x) - 0.1 * self.v)
        w = self.w + dt * (self.k * (self.x - self.y) - 0.1 * self.w)
        return QuietPair(x=self.x + dt * v, v=v, y=self.y + dt * w, w=w)

    @gm.sensor("m", noise=0.1)
    def left(self) -> float:
        """Where the first mass is."""
        return self.x

    @gm.sensor("m", noise=0.1)
    def right(self) -> float:
        """Where the second one is."""
        return self.y


def pairs(
    twins: int,
    model: type = Pair,
    *,
    members: int = MEMBERS,
    horizon: str | None = None,
    channels_a_sensor: int = 1,
) -> tuple[gm.Twin, ...]:
    """Twins ``0``, ``1`` and so on; channels ``broker:0/left`` or, of several, ``0/left-0``."""
    # Compiled once: a fleet of one type has one model.
    simulator: Simulator = compile_model(model)
    made = []
    for i in range(twins):
        twin = gm.Twin(str(i), simulator, members=members, horizon=horizon)
        for channel, sensor in channels(i, channels_a_sensor):
            twin.bind(f"{LINK}:{channel}", to=sensor)
        made.append(twin)
    return tuple(made)


def channels(twin: int, channels_a_sensor: int = 1) -> Sequence[tuple[str, str]]:
    """(channel, sensor) of what is bound to a twin."""
    if channels_a_sensor == 1:
        return [(f"{twin}/{sensor}", sensor) for sensor in SENSORS]
    return [
        (f"{twin}/{sensor}-{n}", sensor) for sensor in SENSORS for n in range(channels_a_sensor)
    ]


def first_instant(now: Instant) -> Instant:
    """An instant of the grid two hours before ``now``: room for event time to run ahead."""
    return (now - 7200 * SECOND) // STEP_US * STEP_US
