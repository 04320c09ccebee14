"""What the farm's turbines do when they are set: the plant's own physics and its own rules.

The record tells what the turbines did as they ran. Where one is turned out of the wind, limited or
stopped, what it and those behind it would have measured is worked out from that; a turbine that
nobody sets measures what was recorded, to the last digit. None of this is the twin's: wakes are
those of N. O. Jensen, turned aside as Jimenez has it, and a turned rotor loses with another power
of the cosine.

References:
    Jensen (1983), A note on wind generator interaction, Riso-M-2411 (a cosine across the wake);
    Jimenez, Crespo & Migoya (2010), Wind Energy 13, 559-572 (wakes behind turned rotors).
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from threading import Lock
from typing import Final

RATED_KW: Final = 2050.0
ROTOR_M: Final = 82.0
RATED_WIND: Final = 13.0
"""From here on a turbine gives its rated power, m/s."""
PLACES_M: Final = {
    "R80711": (0.0, 0.0),
    "R80721": (162.0, -801.0),
    "R80736": (575.0, -1201.0),
    "R80790": (206.0, -367.0),
}
"""East and north of the first, from their published coordinates."""
COSINE: Final = 1.6
"""A choice of the plant's own; published ones lie between 1 and 3."""
THRUST: Final = 0.78
"""Below rated wind."""
SPREAD: Final = 0.06
"""How fast a wake widens."""
TURNS_BACK: Final = 0.1
"""How fast the angle of a turned wake decays."""
FIXED: Final = {"yaw_offset": 0.0, "power_limit": RATED_KW, "running": 1.0}
"""The farm's fixed programme."""
UNITS: Final = {"yaw_offset": "deg", "power_limit": "kW", "running": ""}

MOST_YAW_DEG: Final = 20.0
MOST_YAW_WIND: Final = 15.0
LEAST_LIMIT_KW: Final = 400.0
REST: Final = 600 * 1_000_000
"""A turbine that was stopped stands for at least so long, in microseconds of plant time."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one turbine measures over ten minutes; NaN where the record has nothing."""

    power: float
    """kW."""
    wind: float
    """m/s, at the nacelle."""
    vane: float
    """Wind direction less heading of the nacelle, degrees."""
    pitch: float
    heading: float
    """Of the nacelle, degrees."""
    direction: float
    """Of the wind, degrees."""


@dataclass(frozen=True, slots=True)
class Set:
    """What a turbine is set to."""

    yaw_offset: float = FIXED["yaw_offset"]
    """Degrees, positive counter-clockwise seen from above."""
    power_limit: float = FIXED["power_limit"]
    running: float = FIXED["running"]


AS_EVER: Final = Set()


def obeyed(as_run: Mapping[str, Measured], settings: Mapping[str, Set]) -> dict[str, Measured]:
    """What turbines measure that are set so, where the record says what they measured as they ran.

    Args:
        as_run: By turbine.
        settings: By turbine; those that are left out run as ever.
    """
    told = {}
    for name, measured in as_run.items():
        gained = 1.0
        for other, theirs in settings.items():
            if other != name and other in as_run and theirs != AS_EVER:
                gained *= _less_wake(other, name, as_run[other], theirs)
        told[name] = _own(_in_wind(measured, gained), settings.get(name, AS_EVER))
    return told


def _own(measured: Measured, to: Set) -> Measured:
    """What the turbine itself makes of it."""
    if to == AS_EVER:
        return measured
    turned = replace(
        measured,
        vane=measured.vane + to.yaw_offset,
        heading=(measured.heading - to.yaw_offset) % 360.0,
    )
    if to.running < 0.5:
        return replace(turned, power=-4.0, pitch=86.0)
    power = measured.power
    if power > 0.0 and measured.wind < RATED_WIND:
        power *= math.cos(math.radians(to.yaw_offset)) ** COSINE
    if to.power_limit < RATED_KW and power > to.power_limit:
        # The controller keeps a little below what it is given.
        turned = replace(turned, pitch=measured.pitch + 8.0 * (1.0 - to.power_limit / power))
        power = 0.98 * to.power_limit
    return replace(turned, power=power)


def _in_wind(measured: Measured, gained: float) -> Measured:
    """The same turbine in that many times its wind."""
    if gained == 1.0 or not math.isfinite(gained):
        return measured
    power = measured.power
    if power > 0.0:
        power = max(power, min(power * gained**3, RATED_KW)) if gained > 1.0 else power * gained**3
    return replace(measured, power=power, wind=measured.wind * gained)


def _less_wake(front: str, behind: str, measured: Measured, to: Set) -> float:
    """How many times its wind the turbine behind has, with the one in front set so."""
    apart = [b - f for b, f in zip(PLACES_M[behind], PLACES_M[front], strict=True)]
    if not all(map(math.isfinite, (measured.direction, measured.wind, measured.power))):
        return 1.0
    blows_to = math.radians(measured.direction + 180.0)
    along = apart[0] * math.sin(blows_to) + apart[1] * math.cos(blows_to)
    across = apart[0] * math.cos(blows_to) - apart[1] * math.sin(blows_to)
    if along < ROTOR_M or measured.power <= 0.0:
        return 1.0
    before = _deficit(along, across, THRUST, 0.0, measured.wind)
    share = 0.05 if to.running < 0.5 else min(1.0, to.power_limit / max(measured.power, 1.0))
    yaw = math.radians(to.yaw_offset)
    after = _deficit(along, across, THRUST * share * math.cos(yaw) ** 2, yaw, measured.wind)
    return (1.0 - after) / (1.0 - before)


def _deficit(along: float, across: float, thrust: float, yaw: float, wind: float) -> float:
    """Share of the wind that is missing; ``across`` is to the right, looking downwind."""
    if wind > RATED_WIND:
        thrust *= (RATED_WIND / wind) ** 2
    # Turned counter-clockwise the rotor pushes the air to the right.
    angle = 0.5 * thrust * math.cos(yaw) ** 2 * math.sin(yaw)
    aside = across - angle * along / (1.0 + TURNS_BACK * along / ROTOR_M)
    wide = 0.5 * ROTOR_M + SPREAD * along
    if abs(aside) >= 2.0 * wide:
        return 0.0
    across_it = 0.5 * (1.0 + math.cos(math.pi * aside / (2.0 * wide)))
    return (1.0 - math.sqrt(1.0 - thrust)) * (0.5 * ROTOR_M / wide) ** 2 * across_it


@dataclass
class History:
    """When each place was set to what, in plant time: a reading sent again is the same again."""

    _moved: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def move(self, place: str, at: int, value: float) -> None:
        """It stands there from ``at`` on; ``place`` as in ``R80711/yaw_offset``."""
        with self._lock:
            self._moved.setdefault(place, []).append((at, value))

    def pieces(self, since: int, until: int) -> list[tuple[float, dict[str, Set]]]:
        """Shares of that time and what turbines were set to in each."""
        moved = self._copied()
        edges = {since, until}
        edges.update(at for s in moved.values() for at, _ in s if since < at < until)
        times = sorted(edges)
        return [
            ((end - begin) / (until - since), _settings(moved, begin))
            for begin, end in pairwise(times)
        ]

    def at(self, when: int) -> dict[str, Set]:
        """What turbines were set to then; those that nobody ever set are left out."""
        return _settings(self._copied(), when)

    def _copied(self) -> dict[str, list[tuple[int, float]]]:
        with self._lock:
            return {place: list(several) for place, several in self._moved.items()}


def _settings(moved: Mapping[str, list[tuple[int, float]]], at: int) -> dict[str, Set]:
    told: dict[str, Set] = {}
    for place, several in moved.items():
        turbine, _, control = place.partition("/")
        number = bisect_right([when for when, _ in several], at)
        if number:
            so_far = told.get(turbine, AS_EVER)
            told[turbine] = replace(so_far, **{control: several[number - 1][1]})
    return told


@dataclass
class Rules:
    """Why a turbine will not: told before anything moves."""

    winds: dict[str, float] = field(default_factory=dict)
    """What each measured last, m/s."""
    stopped_at: dict[str, int] = field(default_factory=dict)
    now: int = 0
    """Plant time."""

    def refusal(self, place: str, value: float) -> str:
        """In words; empty where it will."""
        turbine, _, control = place.partition("/")
        wind = self.winds.get(turbine, 0.0)
        match control:
            case "yaw_offset" if abs(value) > MOST_YAW_DEG:
                return f"loads: at most {MOST_YAW_DEG:g} deg out of the wind"
            case "yaw_offset" if value and wind > MOST_YAW_WIND:
                return f"{wind:g} m/s is too much to be turned out of it"
            case "power_limit" if not LEAST_LIMIT_KW <= value <= RATED_KW:
                return f"it runs steadily between {LEAST_LIMIT_KW:g} and {RATED_KW:g} kW only"
            case "running" if value not in {0.0, 1.0}:
                return "it runs or it stands"
            case "running" if value and self.now - self.stopped_at.get(turbine, -REST) < REST:
                return "it stands for ten minutes before it may start again"
            case _:
                return ""

    def moved(self, place: str, value: float) -> None:
        """Remember when a turbine was stopped."""
        turbine, _, control = place.partition("/")
        if control == "running" and value == 0.0:
            self.stopped_at[turbine] = self.now
