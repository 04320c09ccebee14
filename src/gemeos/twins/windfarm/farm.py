"""A wind farm as files describe it: turbines, types with their curves, channels, fitted numbers.

Another farm needs a ``farm.toml`` and its tables beside it, and no Python. ``farms/`` holds the
farms that the package carries.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float64

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.schema.binding import ChannelForm

CARRIED: Final = Path(__file__).parent / "farms"
"""Folder of the farms that come with the package."""

REFERENCE_SPEED: Final = 7.0
"""m/s, at which speed-up is told."""

SWING_SPEED: Final = 3.0
"""m/s, at which the swing of vanes is told."""

EARTH_RADIUS_M: Final = 6_371_000.0

TAGS: Final = ("power", "wind", "vane", "pitch", "yaw", "temperature")
"""What may be told of each turbine; ``power`` and ``wind`` must be."""


@dataclass(frozen=True, eq=False)
class TurbineType:
    """What turbines of one type have in common."""

    name: str
    hub_height_m: float
    rotor_diameter_m: float
    rated_power_kw: float
    speed: Float64[np.ndarray, " point"]
    """Wind speeds of the curves, m/s, rising, at the standard density of 1.225 kg/m3."""
    power: Float64[np.ndarray, " point"]
    """Mean power over an interval of that mean wind, kW."""
    thrust: Float64[np.ndarray, " point"]
    """Thrust coefficient."""

    def __post_init__(self) -> None:
        for what in ("hub_height_m", "rotor_diameter_m", "rated_power_kw"):
            if not getattr(self, what) > 0:
                raise SchemaError(f"Type {self.name}: {what} must be positive.")
        if len(self.speed) < 2 or not (np.diff(self.speed) > 0).all():
            raise SchemaError(f"The curve of {self.name} needs rising wind speeds.")
        if not ((self.thrust >= 0) & (self.thrust < 1)).all():
            raise SchemaError(f"The thrust coefficients of {self.name} must lie within 0 and 1.")


@dataclass(frozen=True)
class Turbine:
    """One turbine of a farm."""

    name: str
    type: str
    latitude_deg: float
    longitude_deg: float
    elevation_m: float = 0.0
    north_deg: float = 0.0
    """Added to what the nacelle says of its position: where its north really is."""
    transfer: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    """What its nacelle anemometer reads per wind that its curve is told in: pairs of wind, m/s, and
    that ratio; between them by line. The parameter ``transfer`` drifts about it."""
    speed_up: tuple[float, ...] = (1.0,)
    """Its wind per free wind of the farm without wakes, in equal sectors of direction whose first
    is centred on north; between their middles by line. At ``REFERENCE_SPEED``."""
    steepness: tuple[float, ...] = (0.0,)
    """Power of the free wind, as a multiple of ``REFERENCE_SPEED``, that this goes with besides, in
    such sectors: what hills, forests and the air's layers make of the wind differs with its speed.
    """

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise SchemaError(f"{self.name!r} cannot name a turbine: letters, digits and '_'.")
        ratios = [ratio for _, ratio in self.transfer]
        if not (ratios and min(ratios) > 0 and self.speed_up and min(self.speed_up) > 0):
            raise SchemaError(f"{self.name}: transfer and speed-up must be positive.")
        if not self.steepness:
            raise SchemaError(f"{self.name}: steepness needs a sector at least.")

    @staticmethod
    def of(told: Mapping[str, Any]) -> Turbine:
        """From a table ``[[turbines]]``."""
        return Turbine(**{k: _frozen(v) for k, v in told.items()})


def _frozen(value: Any) -> Any:  # noqa: ANN401 -- whatever a TOML value is
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class Numbers:
    """What was fitted: see the table ``[fitted]`` of the farm for how.

    Noise and spreads of the wind are those of the interval means that the farm reports.
    """

    quiet_speed: float
    """The wind at which changes are smallest, m/s."""
    stretch: float
    """By how much changes grow per m/s away from it: the level of the wind is told on a scale that
    is stretched by it, so that changes of level are alike everywhere."""
    level_noise: float
    """Standard deviation that an hour adds to the level, stretched m/s."""
    memory_hours: tuple[float, float, float]
    """Over which the wind remembers itself: times of three running means of the level."""
    pull_of_memory: tuple[float, float, float]
    """Share of the distance to each of them that the level goes in an interval."""
    pull_of_climate: float
    """Share of the distance to its long-term middle, the same."""
    middle_speed: float
    """Long-term middle of the wind, m/s."""
    pull_by_direction: tuple[float, float, float, float]
    """How far the middle moves with cos D, sin D, cos 2D, sin 2D of the direction."""
    pull_by_level: tuple[float, float]
    """The same, times the level's distance from the middle and cos D, sin D."""
    pull_by_day: tuple[float, float, float, float]
    """The same, per kelvin of the daily and half-daily waves of temperature, each as it is
    and as it was a quarter of its period before."""
    turn_sd: float
    """Standard deviation of the change of direction in an hour, degrees."""
    swerve_sd: float
    """Standard deviation of what passes in the direction, degrees; as long as ``deviation_hours``.
    Wider than it usually is, so that a front is followed before all vanes are accused together: in
    2014 the direction turned by 60 degrees and more in ten minutes 29 times in winds above 2.5 m/s.
    """
    deviation_sd: float
    """Standard deviation of what passes across the farm, at one place, as a share of the wind."""
    deviation_km: float
    """Distance over which its correlation falls to 1/e: neighbours have more in common."""
    deviation_hours: float
    """The same in time."""
    deviation_calm: float
    """Wind in m/s below which differences between turbines shrink no more with the wind: in 2014
    their spread was 0.07 of winds from 5 to 13 m/s, and 0.5 m/s of all winds from 0.5 to 4."""
    calm_unrest: float
    """How many times that they differ in calms: in January to April 2014 by 0.4 to 0.6 m/s below 4
    m/s and by 0.3 at 5, and each ten minutes anew."""
    shear_sd: tuple[float, float]
    """Spread of the wind that rotors catch against that at their hubs, as a share, as far as it
    lasts: shear, veer and turbulence. What all have in common, and what one has for itself. In
    January to April 2014 what turbines' power and their nacelle wind said of it differed by 0.017
    in common and by 0.018 besides; an hour later 0.37 and 0.15 of those variances were still there,
    three hours later 0.23 and 0.07."""
    shear_hours: float
    """How long that lasts."""
    swing_sd: float
    """By how much one vane swings against the farm's direction in a wind of ``SWING_SPEED``, beyond
    ``vane_noise``, degrees; it falls with the square of the wind."""
    stop_hours: float
    """How long a turbine that is no longer heard stands on, on average, if it stood."""
    run_hours: float
    """How long one that ran goes on, on average, before it stops."""
    exposure_sd: float
    """Prior spread of a turbine's lasting share of the free wind, logarithm."""
    performance_sd: float
    transfer_sd: float
    expansion: float
    """Prior median of the wake expansion: growth of the wake's width per distance."""
    expansion_sd: float
    """Its prior spread, logarithm."""
    vane_offset_sd: float
    """Prior spread of the vane's offset, degrees."""
    drift_month: float
    """Standard deviation by which exposure, performance and transfer drift in 30 days, log."""
    vane_drift_month: float
    """The same of the vane's offset, degrees."""
    power_noise: float
    """Of one power reading against curve and local wind, kW."""
    wind_noise: float
    """Of one nacelle wind reading, m/s."""
    vane_noise: float
    """Of one vane reading against the common direction, degrees."""
    temperature_noise: float
    """Of one reading of the outside temperature, kelvin."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, tuple):
                good = all(math.isfinite(v) for v in value)
            else:
                good = math.isfinite(value) and value >= 0
            if not good:
                raise SchemaError(f"[fitted] {f.name} cannot be {value}.")

    @property
    def middle(self) -> float:
        """The same on the stretched scale, from ``quiet_speed``."""
        apart = self.middle_speed - self.quiet_speed
        return math.copysign(math.log1p(self.stretch * abs(apart)) / self.stretch, apart)

    @staticmethod
    def of(told: Mapping[str, Any]) -> Numbers:
        """From the table ``[fitted]``."""
        values: dict[str, Any] = {f.name: _frozen(told[f.name]) for f in fields(Numbers)}
        return Numbers(**values)


@dataclass(frozen=True)
class Farm:
    """Everything that is known of a farm before the first reading."""

    name: str
    turbines: tuple[Turbine, ...]
    types: Mapping[str, TurbineType]
    channels: Mapping[str, ChannelForm]
    """By tag, see ``TAGS``."""
    numbers: Numbers
    interval_s: float
    """Length of the intervals that readings are means of."""
    attribution: str = ""
    """Whose data it is; shown wherever they are."""

    def __post_init__(self) -> None:
        if not self.turbines:
            raise SchemaError(f"{self.name} has no turbine.")
        names = [t.name for t in self.turbines]
        if len(set(names)) != len(names):
            raise SchemaError(f"{self.name} names a turbine twice: {', '.join(names)}.")
        for turbine in self.turbines:
            if turbine.type not in self.types:
                raise UnknownNameError("turbine type", turbine.type, self.types, where=self.name)
        for tag in self.channels:
            if tag not in TAGS:
                raise UnknownNameError("tag", tag, TAGS, where=f"{self.name} [channels]")
        for tag in ("power", "wind"):
            if tag not in self.channels:
                raise SchemaError(f"{self.name} does not say which channels are {tag!r}.")

    def type_of(self, turbine: Turbine) -> TurbineType:
        """Its type."""
        return self.types[turbine.type]

    @cached_property
    def rated_power_kw(self) -> float:
        """Of all turbines together."""
        return sum(self.type_of(t).rated_power_kw for t in self.turbines)

    @cached_property
    def east_north_m(self) -> Float64[np.ndarray, "turbine 2"]:
        """Where turbines stand, in metres from the middle of the farm.

        Equirectangular projection: off by less than a metre over ten kilometres.
        """
        latitude = np.radians([t.latitude_deg for t in self.turbines])
        longitude = np.radians([t.longitude_deg for t in self.turbines])
        north = (latitude - latitude.mean()) * EARTH_RADIUS_M
        east = (longitude - longitude.mean()) * EARTH_RADIUS_M * math.cos(latitude.mean())
        return np.stack([east, north], axis=1)


def farm(which: str) -> Farm:
    """The farm of that name that comes with the package, or the one in that file or folder.

    Raises:
        SchemaError: there is none, or it does not fit together.
    """
    path = Path(which)
    if path.is_dir():
        path /= "farm.toml"
    if path.is_file():
        return read_farm(path)
    carried = {p.name: p / "farm.toml" for p in CARRIED.iterdir() if (p / "farm.toml").is_file()}
    if which not in carried:
        raise UnknownNameError("farm", which, carried, where="the package, nor is it a file")
    return read_farm(carried[which])


def read_farm(path: Path) -> Farm:
    """The farm that a ``farm.toml`` describes.

    Raises:
        SchemaError: it cannot be read, or does not fit together.
    """
    try:
        with path.open("rb") as file:
            told = tomllib.load(file)
        types = {
            name: _type(name, dict(of_type), path.parent) for name, of_type in told["types"].items()
        }
        return Farm(
            name=str(told["name"]),
            turbines=tuple(Turbine.of(t) for t in told["turbines"]),
            types=types,
            channels={tag: ChannelForm(**c) for tag, c in told["channels"].items()},
            numbers=Numbers.of(told["fitted"]),
            interval_s=float(told["interval_s"]),
            attribution=str(told.get("attribution", "")),
        )
    except (OSError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise SchemaError(f"{path} does not describe a farm: {error}.") from error
    except KeyError as missing:
        raise SchemaError(f"{path} does not describe a farm: {missing} is missing.") from missing


def _type(name: str, told: dict[str, object], folder: Path) -> TurbineType:
    speed, power, thrust = read_curve(folder / str(told["curve"]))
    return TurbineType(
        name=name,
        hub_height_m=float(str(told["hub_height_m"])),
        rotor_diameter_m=float(str(told["rotor_diameter_m"])),
        rated_power_kw=float(str(told["rated_power_kw"])),
        speed=speed,
        power=power,
        thrust=thrust,
    )


def read_curve(
    path: Path,
) -> tuple[
    Float64[np.ndarray, " point"], Float64[np.ndarray, " point"], Float64[np.ndarray, " point"]
]:
    """Speed, power and thrust coefficient from a table with these headings and their units."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    headings = ("speed_m_per_s", "power_kw", "thrust_coefficient")
    speed, power, thrust = (np.array([float(r[h]) for r in rows]) for h in headings)
    return speed, power, thrust
