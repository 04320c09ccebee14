"""What sensors read in a given state, and which readings say that a turbine is held back.

All rules go by what was read at the same instant, by event time. They are pure functions of what
drives the model, which is part of the twin's state: nothing is remembered elsewhere.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from gemeos.simulate.base import Driven
from gemeos.twins.windfarm.farm import Farm, TurbineType
from gemeos.twins.windfarm.schema import ECHOES_A_TURBINE, INPUTS_A_TURBINE

STANDARD_DENSITY: Final = 1.225
"""kg/m3; the density that power curves are given for: IEC 61400-12-1:2017, 9.1.5."""
GAS_CONSTANT_DRY_AIR: Final = 287.05
"""J/(kg K): IEC 61400-12-1:2017, eq. 8."""
STANDARD_TEMPERATURE_C: Final = 15.0
PLAUSIBLE_TEMPERATURE_C: Final = (-40.0, 50.0)
"""Beyond it a reading is a broken sensor's (the record has -273.2), and 15 degC is taken."""

THERMOMETERS_AGREE: Final = 4.0
"""Kelvin; in 2014 99.9 % of readings are nearer to the turbines' median."""

JUDGED_FROM: Final = 4.5
"""Nacelle wind in m/s above which a turbine that gives little is held back. Below it idling with
feathered blades is normal."""
UPPER: Final = 0.75
"""Share of the anemometers that read less than what the farm's wind is taken to be."""
FEATHERED_DEG: Final = 60.0
"""Mean pitch beyond which the rotor stood: blades of a stopped turbine are at 90 degrees, of one
that waits for wind at 45, of a running one below 10 at any wind up to 15 m/s (2014)."""
TURNED_OUT_DEG: Final = 15.0
"""Mean pitch beyond which the turbine did not run all of the interval, or not for all it could."""
VANES_FROM: Final = 2.5
"""m/s of nacelle wind, below which vanes are compared with nothing."""
STANDS_AT_DEG: Final = 75.0
"""Mean pitch at which nothing is given; from there to none turned out, power falls by line: in 2014
it was 0.60 of the curve at 15 to 20 degrees, 0.62 to 30, 0.45 to 40, 0.36 to 50, 0.30 to 60."""
LEAST_SHARE: Final = 0.6
"""Of the curve at the nacelle's own wind; less is not scatter: in 2014 the 1st percentile of
running turbines lies at 0.73 of the curve at 7 m/s."""
MARGIN: Final = 0.02
"""Of rated power, taken off besides: near cut-in shares scatter more."""
AT_ITS_LIMIT: Final = 0.9
"""Of a limit; a turbine that gives as much is held by that and by nothing else. Controllers keep a
little below what they are given: one or two percent."""
NO_CAP: Final = 1e6
"""kW; more than any turbine gives."""


def inputs_of(
    farm: Farm, driven: Driven, names: tuple[str, ...] = INPUTS_A_TURBINE
) -> dict[str, Float[np.ndarray, "twin turbine #member"]]:
    """What drives each turbine, by name."""
    each = len(INPUTS_A_TURBINE)
    turbines = len(farm.turbines)
    told = driven[:, : turbines * each]  # echoes and controls stand behind
    by_turbine = told.reshape(driven.shape[0], turbines, each, driven.shape[2])
    return {name: by_turbine[:, :, INPUTS_A_TURBINE.index(name), :] for name in names}


def is_stood(farm: Farm, driven: Driven) -> Bool[np.ndarray, "twin turbine #member"]:
    """Where somebody stopped the turbine: its blades say nothing of what it could do."""
    return _echoed(farm, driven, "heard_running") < driven.dtype.type(0.5)


def at_its_limit(farm: Farm, driven: Driven) -> Bool[np.ndarray, "twin turbine #member"]:
    """Where it gives what somebody limited it to: its blades are turned out for that."""
    kind = driven.dtype.type
    limit = _echoed(farm, driven, "heard_limit")
    rated = np.array([farm.type_of(t).rated_power_kw for t in farm.turbines], driven.dtype)
    gives = inputs_of(farm, driven, ("heard_power",))["heard_power"]
    return (limit < rated[None, :, None]) & (gives >= kind(AT_ITS_LIMIT) * limit)


def _echoed(farm: Farm, driven: Driven, name: str) -> Float[np.ndarray, "twin turbine #member"]:
    """Where reality has a control."""
    turbines, each = len(farm.turbines), len(ECHOES_A_TURBINE)
    first = turbines * len(INPUTS_A_TURBINE) + tuple(ECHOES_A_TURBINE).index(name)
    return driven[:, first : first + turbines * each : each]


def density_speed_factor(
    farm: Farm, temperature: Float[np.ndarray, "twin told #member"]
) -> Float[np.ndarray, "twin turbine #member"]:
    """What the wind is multiplied by before the curve is read: IEC 61400-12-1:2017, eq. 10.

    Air pressure from height by the ISA standard atmosphere (ISO 2533:1975, eq. 12). The
    temperature is told of each turbine, or one of all.
    """
    kind = temperature.dtype.type
    low, high = PLAUSIBLE_TEMPERATURE_C
    plausible = (temperature > kind(low)) & (temperature < kind(high))
    celsius = np.where(plausible, temperature, kind(STANDARD_TEMPERATURE_C))
    height = np.array(
        [t.elevation_m + farm.type_of(t).hub_height_m for t in farm.turbines], np.float64
    )
    pressure = 101_325.0 * (1.0 - 0.0065 * height / 288.15) ** 5.25588
    scale = (pressure / (GAS_CONSTANT_DRY_AIR * STANDARD_DENSITY)).astype(temperature.dtype)
    return np.cbrt(scale[None, :, None] / (celsius + kind(273.15)))


def plausible_temperature(farm: Farm, driven: Driven) -> Bool[np.ndarray, "twin turbine #member"]:
    """Where a thermometer agrees with the middle of all of them."""
    kind = driven.dtype.type
    heard = inputs_of(farm, driven)["heard_temperature"]
    middle = np.median(heard, axis=1, keepdims=True)
    low, high = PLAUSIBLE_TEMPERATURE_C
    near = np.abs(heard - middle) < kind(THERMOMETERS_AGREE)
    return near & (heard > kind(low)) & (heard < kind(high))


def on_curve(
    farm: Farm, speed: Float[np.ndarray, "twin turbine member"], what: str = "power"
) -> Float[np.ndarray, "twin turbine member"]:
    """Power in kW, or the thrust coefficient, of each turbine's type at these winds."""
    out = np.empty_like(speed)
    for place, turbine in enumerate(farm.turbines):
        curve: TurbineType = farm.type_of(turbine)
        column = curve.power if what == "power" else curve.thrust
        out[:, place, :] = np.interp(speed[:, place, :], curve.speed, column)
    return out


def windy(farm: Farm, driven: Driven) -> Bool[np.ndarray, "twin turbine #member"]:
    """Where a healthy turbine would run: by its own anemometer, or by the upper quartile of all.

    An iced anemometer reads low on just those turbines that ice has stopped, and two such in four
    would draw the middle down with them.
    """
    heard = inputs_of(farm, driven)["heard_wind"]
    upper = np.quantile(heard, UPPER, axis=1, keepdims=True).astype(driven.dtype)
    return np.maximum(heard, upper) > driven.dtype.type(JUDGED_FROM)


def calm(farm: Farm, driven: Driven) -> Bool[np.ndarray, "twin 1 #member"]:
    """Where the middle of all anemometers says that vanes point anywhere."""
    kind = driven.dtype.type
    middle = np.median(inputs_of(farm, driven)["heard_wind"], axis=1, keepdims=True)
    return (middle < kind(VANES_FROM)) & (middle >= kind(0))


def stopped(farm: Farm, driven: Driven) -> Bool[np.ndarray, "twin turbine #member"]:
    """Where blades are feathered although the wind would do.

    Such a turbine makes no wake.
    """
    return feathered(farm, driven) & windy(farm, driven)


def feathered(farm: Farm, driven: Driven) -> Bool[np.ndarray, "twin turbine #member"]:
    """Where the rotor stands, whatever the wind: its anemometer may stand in ice too."""
    return inputs_of(farm, driven)["pitch"] > driven.dtype.type(FEATHERED_DEG)


def idle_share(farm: Farm, driven: Driven) -> Float[np.ndarray, "twin turbine #member"]:
    """Share of the interval that each turbine stood, as its blades tell.

    1 where it is stopped. Blades that were turned out on average were out for a part of the time.
    Where that was done on purpose it did not stand of its own: one that is stopped ran before.
    """
    kind = driven.dtype.type
    pitch = inputs_of(farm, driven)["pitch"]
    out = (pitch > kind(TURNED_OUT_DEG)) & windy(farm, driven)
    part = np.where(out, np.minimum(pitch / kind(STANDS_AT_DEG), kind(1)), kind(0))
    share = np.where(stopped(farm, driven), kind(1), part)
    return np.where(is_stood(farm, driven) | at_its_limit(farm, driven), kind(0), share)


def cap(
    farm: Farm, driven: Driven, is_new: Bool[np.ndarray, "twin turbine member"]
) -> Float[np.ndarray, "twin turbine member"]:
    """Most power that each turbine may give as it is held back now, kW; ``NO_CAP`` where it runs.

    Goes by what its meter says. Held back are: stopped (feathered blades), curtailed, starting or
    stopping (blades turned out), iced or otherwise blocked (well below the curve at its own nacelle
    wind, blades at work).
    In all of them the turbine is expected to give what it gives, and no more: members that could
    give more then agree, so that neither wind nor performance is learned from it. One that was
    stopped or limited on purpose is not among them: what that does is in the model.
    """
    kind = driven.dtype.type
    told = inputs_of(farm, driven)
    wind, power = told["heard_wind"], told["heard_power"]
    factor = density_speed_factor(farm, told["heard_temperature"])
    rated = np.array([farm.type_of(t).rated_power_kw for t in farm.turbines], driven.dtype)
    due = on_curve(farm, np.broadcast_to(wind * factor, wind.shape))
    too_little = power < kind(LEAST_SHARE) * due - kind(MARGIN) * rated[None, :, None]
    out = told["pitch"] > kind(TURNED_OUT_DEG)
    held = is_new & windy(farm, driven) & (too_little & (wind > kind(JUDGED_FROM)) | out)
    held = held & ~is_stood(farm, driven) & ~at_its_limit(farm, driven)
    return np.where(held, np.maximum(power, 0), kind(NO_CAP))
