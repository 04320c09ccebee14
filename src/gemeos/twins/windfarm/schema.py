"""What is declared of a wind farm: the free wind, each turbine, and what is asked of them.

The level of the wind wanders, drawn to its own means over an hour, some hours and some days, and
to a middle that depends on direction and time of day. Directions are kept unwrapped: they go
beyond 360 degrees and never jump.
"""

from __future__ import annotations

import math
from typing import Final

from gemeos.schema.part import Part, Related, Relation
from gemeos.schema.prior import LogNormal, Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Input, Measure, Param, Sensor, State, Variable, Virtual
from gemeos.twins.windfarm.decisions import controls
from gemeos.twins.windfarm.farm import Farm, Turbine
from gemeos.units.instant import SECOND

MONTH_S: Final = 30 * 86_400.0

AIR: Final = ("air.level", "air.mean_short", "air.mean_long", "air.mean_days")
"""States of the free wind's speed: its level on a stretched scale, and running means of it. What
the wind remembers is kept as means of what was, not as parts of a sum that no sensor tells apart:
members agree on such means, so that chance correlations in a small ensemble cannot move them."""
DIRECTION: Final = "air.direction"
WARMTH: Final = (
    "air.warmth",
    "air.warm_spell",
    "air.day_wave",
    "air.day_wave_before",
    "air.half_day_wave",
    "air.half_day_wave_before",
)
"""States of the air's temperature: a slow level, what passes in an hour, and waves of 24 and 12
hours with what they were a quarter of their period before. They tell the time of day as the air
feels it: the model has no clock, and the swing of the wind follows the waves."""
SWERVE: Final = "air.swerve"
"""What passes in the direction within the hour. Direction itself wanders on from where it is; a
front turns it in ten minutes by more than that makes believe."""
SHEAR: Final = "air.shear"
"""How much more wind the rotors of the farm catch than blows at their hubs; lasts for hours."""

STATES_A_TURBINE: Final = (
    "deviation",
    "swing",
    "shear",
    "chance",
    "idle",
    "power_before",
    "told_before",
    "news",
)
"""A part of what passes across the farm, see ``physics.WindFarm.shared``; the same of direction, as
its vane swings in it; how much more wind its rotor catches than those of the farm; pure chance, new
at each step; the share of the interval that the turbine stood; its power as heard a step ago; the
same of all that tells how it is doing; and whether what is heard now is another: 0 nothing is, 1
not the power, 2 the power too. Inputs are held when nothing comes: what stays the same to the last
digit is old, and says nothing of how the turbine is now (a dead channel, or a forecast)."""
PARAMS_A_TURBINE: Final = ("exposure", "performance", "transfer", "vane_offset", "wake_expansion")
INPUTS_A_TURBINE: Final = ("pitch", "yaw", "heard_temperature", "heard_power", "heard_wind")
ECHOES_A_TURBINE: Final = {
    "heard_offset": "yaw_offset",
    "heard_limit": "power_limit",
    "heard_running": "running",
}
"""What the farm says a turbine is set to. Pitch and power are heard as the condition that it is in;
those of a turbine that is limited or was stopped on purpose are no sign of a worse one."""
SENSORS_A_TURBINE: Final = ("power", "wind", "vane", "temperature")
VIRTUALS_A_TURBINE: Final = ("speed", "potential", "wake_loss", "lost_power")
FARM_VIRTUALS: Final = ("farm.power", "farm.potential", "farm.wake_loss", "farm.lost_power")

NOT_HEARD: Final = -1e6
"""Value of an input that was never heard. No farm reads it."""


def windfarm_schema(farm: Farm, *, still: bool = False) -> Schema:
    """The declared variables of that farm.

    ``still`` gives parameters no drift and the air's temperature no chance, which over the hours
    of a forecast is next to nothing, and saves most of the random numbers.
    """
    variables: list[Variable] = [*_air(farm, still=still)]
    variables += _states(farm)
    for turbine in farm.turbines:
        variables += _params(farm, turbine, still=still)
    for turbine in farm.turbines:
        units = {"pitch": "deg", "yaw": "deg", "heard_temperature": "degC", "heard_wind": "m/s"}
        variables += [
            Input(f"{turbine.name}.{name}", units.get(name, "kW"), default=NOT_HEARD)
            for name in INPUTS_A_TURBINE
        ]
    variables += _echoes(farm)
    variables += controls(farm)
    for turbine in farm.turbines:
        variables += _sensors(farm, turbine)
    variables += [Virtual("air.speed", "m/s"), Virtual("air.heading", "deg")]
    for turbine in farm.turbines:
        units = {"speed": "m/s"}
        variables += [
            Virtual(f"{turbine.name}.{name}", units.get(name, "kW")) for name in VIRTUALS_A_TURBINE
        ]
    variables += [Virtual(name, "kW") for name in FARM_VIRTUALS]
    return Schema(
        "windfarm",
        round(farm.interval_s * SECOND),
        tuple(variables),
        parts=_parts(farm),
        related=tuple(Related("air", Relation.FEEDS, t.name) for t in farm.turbines)
        + tuple(Related(t.name, Relation.FEEDS, "farm") for t in farm.turbines),
    )


def _echoes(farm: Farm) -> list[Variable]:
    """Behind all other inputs, those of each turbine side by side."""
    of = {control.name: control for control in controls(farm)}
    told = [
        (f"{turbine.name}.{name}", of[f"{turbine.name}.{control}"])
        for turbine in farm.turbines
        for name, control in ECHOES_A_TURBINE.items()
    ]
    return [Input(name, c.unit, default=c.default, echo=c.name) for name, c in told]


def _parts(farm: Farm) -> tuple[Part, ...]:
    turbines = [
        Part(
            t.name,
            "turbine",
            {
                "latitude_deg": t.latitude_deg,
                "longitude_deg": t.longitude_deg,
                "elevation_m": t.elevation_m,
                "hub_height_m": farm.type_of(t).hub_height_m,
                "rotor_diameter_m": farm.type_of(t).rotor_diameter_m,
            },
        )
        for t in farm.turbines
    ]
    return (Part("air", "air"), *turbines, Part("farm", "farm"))


def reverting_noise(sd: float, hours: float, step_s: float) -> float:
    """Noise per square root of a second that keeps a mean-reverting process at ``sd``.

    With a step's memory a = exp(-step/time) one step must add sd sqrt(1 - a^2) (Gillespie 1996,
    Phys. Rev. E 54, 2084-2091, eq. 3.5b).
    """
    remembered = math.exp(-step_s / (hours * 3600.0)) if hours > 0 else 0.0
    return sd * math.sqrt((1.0 - remembered**2) / step_s)


def _air(farm: Farm, *, still: bool) -> list[Variable]:
    n = farm.numbers
    warming = 0.0 if still else 1.0 / math.sqrt(600.0)
    return [
        State("air.level", "m/s", Normal(n.middle, 2.0), noise=n.level_noise / 60.0),
        *(State(name, "m/s", Normal(n.middle, 1.0)) for name in AIR[1:]),
        State(DIRECTION, "deg", Normal(180.0, 100.0), noise=n.turn_sd / 60.0),
        State("air.warmth", "degC", Normal(10.0, 8.0), noise=0.15 * warming),
        State("air.warm_spell", "delta_degC", Normal(0.0, 0.3), noise=0.1 * warming),
        *(
            State(name, "delta_degC", Normal(0.0, sd), noise=0.02 * sd * warming)
            for name, sd in zip(WARMTH[2:], (3.0, 3.0, 1.5, 1.5), strict=True)
        ),
        State(
            SWERVE,
            "deg",
            Normal(0.0, n.swerve_sd),
            noise=reverting_noise(n.swerve_sd, n.deviation_hours, farm.interval_s),
        ),
        State(
            SHEAR,
            "",
            Normal(0.0, 1.0),
            noise=reverting_noise(1.0, n.shear_hours, farm.interval_s),
        ),
    ]


def _states(farm: Farm) -> list[Variable]:
    """The states that each turbine has, one after the other, in the order STATES_A_TURBINE."""
    fresh = reverting_noise(1.0, 0.0, farm.interval_s)
    passing = reverting_noise(1.0, farm.numbers.deviation_hours, farm.interval_s)
    lasting = reverting_noise(1.0, farm.numbers.shear_hours, farm.interval_s)
    standard, known, unheard = Normal(0.0, 1.0), Normal(0.0, 0.0), Normal(NOT_HEARD, 0.0)
    names = [t.name for t in farm.turbines]
    return [
        *(State(f"{name}.deviation", "", standard, noise=passing) for name in names),
        *(State(f"{name}.swing", "", standard, noise=passing) for name in names),
        *(State(f"{name}.shear", "", standard, noise=lasting) for name in names),
        *(State(f"{name}.chance", "", standard, noise=fresh) for name in names),
        *(State(f"{name}.idle", "", known) for name in names),
        *(State(f"{name}.power_before", "kW", unheard) for name in names),
        *(State(f"{name}.told_before", "", unheard) for name in names),
        *(State(f"{name}.news", "", known) for name in names),
    ]


def _params(farm: Farm, turbine: Turbine, *, still: bool) -> list[Variable]:
    n, name = farm.numbers, turbine.name
    drift = 0.0 if still else n.drift_month / math.sqrt(MONTH_S)
    vane_drift = 0.0 if still else n.vane_drift_month / math.sqrt(MONTH_S)
    return [
        Param(f"{name}.exposure", "", LogNormal(1.0, n.exposure_sd), drift=drift),
        Param(f"{name}.performance", "", LogNormal(1.0, n.performance_sd), drift=drift),
        Param(f"{name}.transfer", "", LogNormal(1.0, n.transfer_sd), drift=drift),
        Param(f"{name}.vane_offset", "deg", Normal(0.0, n.vane_offset_sd), drift=vane_drift),
        Param(f"{name}.wake_expansion", "", LogNormal(n.expansion, n.expansion_sd), drift=drift),
    ]


def _sensors(farm: Farm, turbine: Turbine) -> list[Variable]:
    n, name, over = farm.numbers, turbine.name, farm.interval_s
    return [
        Sensor(f"{name}.power", "kW", n.power_noise, Measure.MEAN, over),
        Sensor(f"{name}.wind", "m/s", n.wind_noise, Measure.MEAN, over),
        Sensor(f"{name}.vane", "deg", n.vane_noise, Measure.MEAN, over, wraps=360.0),
        Sensor(f"{name}.temperature", "degC", n.temperature_noise, Measure.MEAN, over),
    ]
