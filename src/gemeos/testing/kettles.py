"""Kettles that are heated, and a twin of each: plants with models of their own, for the ledger."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemeos.runtime.host import Host
from gemeos.runtime.links import HttpLink
from gemeos.runtime.site import Replay, Site
from gemeos.runtime.twin import Twin
from gemeos.schema.prior import LogNormal, Normal
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Input, Param, Sensor, State
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.testing.device import Device, DeviceLink
from gemeos.units.instant import SECOND, Instant

STEP = 2 * SECOND
START: Instant = 1_400_000_000 * SECOND
LOSS, HEAT = 0.02, 0.5
"""Medians of what the twins hold possible: 1/s, and K/s for each kW."""
LOSS_SPREAD, HEAT_SPREAD = 0.2, 0.2
JITTER = 0.05
"""Of the temperature, in K after a step."""
NOISE = 0.3
"""Of the thermometer, in K."""
AROUND = 290.0


class Kettle:
    """It is heated, and loses what it is warmer than what is around it."""

    schema = Schema(
        "kettle",
        STEP,
        (
            State("water", "K", Normal(300.0, 5.0), noise=JITTER),
            Param("loss", "1/s", LogNormal(LOSS, LOSS_SPREAD)),
            Param("heat", "K/kJ", LogNormal(HEAT, HEAT_SPREAD)),
            Input("around", "K", default=AROUND),
            Control("power", "kW", (0.0, 3.0), default=0.0),
            Sensor("thermometer", "K", noise=NOISE),
        ),
    )
    identity = "kettle-of-a-test"

    def step(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """Euler's step; the plant has its own."""
        water, loss, heat = values[:, 0], values[:, 1], values[:, 2]
        warmed = heat * driven[:, 1] - loss * (water - driven[:, 0])
        moved: Members = (water + STEP / SECOND * warmed)[:, None]
        return moved

    def observe(self, values: Members, driven: Driven, consts: Consts) -> Members:  # noqa: ARG002
        """The thermometer reads the water."""
        return np.array(values[:, :1])


def kettle_twin(name: str) -> Twin:
    """The twin of one, nothing bound."""
    return Twin(name, Kettle(), members=64, horizon="10 min", lateness="1 s")


@dataclass
class Plant:
    """The kettle itself: solved exactly between two readings, with luck of its own."""

    loss: float
    heat: float
    luck: np.random.Generator
    water: float = 300.0
    beside: float = 300.0
    """The same kettle with the same luck, in which nothing was ever set: nobody else knows it."""
    courses: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))
    """Of both, step by step."""

    def on(self, power: float, unset: float, around: float) -> None:
        """One step on."""
        luck = self.luck.normal(scale=JITTER)
        self.water = self._moved(self.water, power, around) + luck
        self.beside = self._moved(self.beside, unset, around) + luck
        self.courses[0].append(self.water)
        self.courses[1].append(self.beside)

    def _moved(self, water: float, power: float, around: float) -> float:
        rest = around + self.heat * power / self.loss
        return rest + (water - rest) * float(np.exp(-self.loss * STEP / SECOND))


class Kettles:
    """Many of them, each with its twin and a heater that plans set."""

    def __init__(self, count: int, *, power: float = 1.0, seed: int = 1, gain: float = 1.0) -> None:
        """Parameters are drawn from what the twins hold possible.

        Args:
            count: How many.
            power: What their heaters stand at.
            seed: Of the plants; nothing of the twins depends on it.
            gain: What becomes of a heater's power once a plan has set it: 1 where plants are as
                twins think.
        """
        draw = np.random.default_rng(seed)
        self.names = [f"k{i}" for i in range(count)]
        self.power, self.gain = power, gain
        self.plants = [
            Plant(
                LOSS * float(np.exp(LOSS_SPREAD * draw.normal())),
                HEAT * float(np.exp(HEAT_SPREAD * draw.normal())),
                np.random.default_rng(draw.integers(2**63)),
            )
            for _ in self.names
        ]
        self.device = Device({f"{name}/power": power for name in self.names}, "kW")
        self.around = np.random.default_rng(draw.integers(2**63))
        self.now = START
        self._outside = AROUND

    def site(self, **conduct: str) -> Site:
        """The site, on a replayed clock."""
        twins = []
        for name in self.names:
            twin = kettle_twin(name)
            twin.bind(f"in:{name}/t", to="thermometer").bind("in:around", to="around")
            twin.bind(f"in:{name}/p", to="power")
            twin.actuate(f"plc:{name}/power", to="power", tolerance="0.01 kW")
            twins.append(twin.conducted(settle="5 s", **conduct))  # type: ignore[arg-type]
        links = (HttpLink(name="in"),)
        actuators = (DeviceLink("plc", self.device),)
        clock = Replay(START, 1.0, "kettles of a test")
        return Site("kettles", tuple(twins), links, actuators, clock)

    def live(self, host: Host, seconds: int) -> None:
        """Let all go on, and have what they measure taken in."""
        rows: list[Reading] = []
        for _ in range(seconds * SECOND // STEP):
            self.now += STEP
            self._outside += float(self.around.normal(scale=0.1))
            rows.append(Reading(Series("in", "around"), self.now, self._outside))
            for name, plant in zip(self.names, self.plants, strict=True):
                stands = self.device.values[f"{name}/power"]
                power = self.power + self.gain * (stands - self.power)
                plant.on(power, self.power, self._outside)
                read = plant.water + plant.luck.normal(scale=NOISE)
                rows.append(Reading(Series("in", f"{name}/t"), self.now, read))
                rows.append(Reading(Series("in", f"{name}/p"), self.now, stands))
        self._taken(host, rows)

    def _taken(self, host: Host, rows: Sequence[Reading]) -> None:
        readings = Readings.of(rows, host.timeline.book)
        now = self.now

        def taken() -> None:
            # Time moves last: whoever looks meanwhile must not find a twin that hears nothing.
            commit = host.timeline.append(readings, known_at=now)
            host._assimilate(readings, commit)  # noqa: SLF001 -- as a link's task does
            host.clock.follow(now)  # type: ignore[attr-defined]  # it is a replayed one

        host.compute.path(taken).result(30.0)

    def scored(self, host: Host) -> bool:
        """Whether every plan is; time goes on while it is asked."""
        self.live(host, STEP // SECOND)
        time.sleep(0.1)
        return all(row.score for row in host.applying.ledgers.of().rows)

    def gains(self, seconds: int, every: int, wanted: float) -> Mapping[str, float]:
        """By how much nearer to ``wanted`` each was on average over the last seconds, truly.

        Looked at as an objective does that looks so often: from the first look on.
        """
        last, each = seconds * SECOND // STEP, every * SECOND // STEP
        told = {}
        for name, plant in zip(self.names, self.plants, strict=True):
            courses = [np.array(c[-last:])[each - 1 :: each] for c in plant.courses]
            away = [np.abs(course - wanted) for course in courses]
            real, beside = (float((0.5 * (a[1:] + a[:-1])).mean()) for a in away)
            told[name] = beside - real
        return told
