"""How the wind goes on, and what turbines make of it: the simulator of a wind farm."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property
from importlib.metadata import version
from statistics import NormalDist
from typing import Final, assert_never

import numpy as np
from jaxtyping import Float, Float64

from gemeos.engines.floris import Floris
from gemeos.schema.schema import Schema
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.twins.windfarm.farm import REFERENCE_SPEED, SWING_SPEED, Farm
from gemeos.twins.windfarm.floris_wakes import floris_of, taken_by_floris
from gemeos.twins.windfarm.gaussian_wakes import taken_by_gaussian
from gemeos.twins.windfarm.schema import (
    AIR,
    NOT_HEARD,
    PARAMS_A_TURBINE,
    STATES_A_TURBINE,
    WARMTH,
    windfarm_schema,
)
from gemeos.twins.windfarm.sensors import (
    NO_CAP,
    calm,
    cap,
    density_speed_factor,
    feathered,
    idle_share,
    inputs_of,
    is_stood,
    on_curve,
    plausible_temperature,
)
from gemeos.twins.windfarm.steering import Controls, controls_of, derated_thrust, facing

CALM_ROUNDING: Final = 0.5
"""m/s. The level of the wind is a sum of Gaussian processes and may fall below zero; the wind may
not. It bends to zero over about this range, and is the level itself well above it."""
WARM_SPELL_HOURS: Final = 0.75
"""Memory of what passes in the air's temperature: the best of the values tried on 2014."""
SWERVE_ROW: Final = len(AIR) + 1 + len(WARMTH)
"""Row of the state ``air.swerve``."""
SHEAR_ROW: Final = SWERVE_ROW + 1
"""Row of the state ``air.shear``."""
FIRST_A_TURBINE: Final = SHEAR_ROW + 1
"""Row of the first state that each turbine has its own of."""
DAY_S: Final = 86_400.0
METER_CLASS: Final = 0.005
"""Error of a power transducer as a share of rated power: class 0.5, IEC 61400-12-1:2017, 7.1."""
STEEP_WITHIN: Final = (3.0, 15.0)
"""m/s. Beyond, speed-up is that of the nearer end: too little was seen there."""
LEAST_KW: Final = 1.0
"""Of what a turbine could give, below which a limit is not told as a share of it."""
CALM_BETWEEN: Final = (3.5, 5.5)
"""m/s. Below, turbines differ as in a calm, ``Numbers.calm_unrest``; above, as in a wind."""
LARGEST_SWING: Final = 1.5
"""Of ``Numbers.swing_sd``; in lighter winds vanes are hardly compared."""
STANDING_DOUBT: Final = 0.2
"""Share of the wind by which the anemometer behind a standing rotor may be off: from January to
November 2014 it read 0.95 of the middle of the three that ran, with a spread of 0.14. In ice it
reads half: such a one is named in some hours, and moves little until then."""
REVISION: Final = "5"
"""Changed whenever other numbers come out of the same farm description."""


class Wakes(Enum):
    """Whose wakes a farm has."""

    NONE = "none"
    GAUSSIAN = "gaussian"
    """Our own, see ``wake``."""
    FLORIS = "floris"
    """Those of FLORIS's default model, see ``floris_wakes``; takes ``gemeos[floris]``."""


@dataclass(frozen=True)
class WindFarm:
    """The simulator: wind, direction and local deviations go on; curves and wakes say the power.

    The level of a member's wind is drawn to its own running means and to a middle that depends on
    direction and day; on the unstretched scale its changes grow away from the quietest wind. Each
    turbine stands in that wind times its exposure (lasting) and its deviation (passing), less the
    wakes of the others. What is set of a turbine changes its power and its wake, see ``steering``;
    its ``potential`` is what it could give in the wind it stands in, if nothing were set.
    """

    farm: Farm
    wakes: Wakes = Wakes.GAUSSIAN
    """Whose wakes; none, for telling what they are worth."""
    still: bool = False
    """Parameters do not drift: as good for forecasts, and faster."""

    @cached_property
    def schema(self) -> Schema:
        """What is declared."""
        return windfarm_schema(self.farm, still=self.still)

    @cached_property
    def identity(self) -> str:
        """Hash of the farm's description and of this model's revision."""
        told = hashlib.sha256(f"{REVISION}{self._wakes_told}{self.schema.fingerprint}".encode())
        told.update(repr((self.farm.numbers, self.farm.turbines)).encode())
        told.update(np.ascontiguousarray(self.farm.east_north_m).tobytes())
        for name, kind in sorted(self.farm.types.items()):
            told.update(name.encode())
            for f in fields(kind):
                value = getattr(kind, f.name)
                told.update(
                    value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
                )
        return f"windfarm-{told.hexdigest()[:16]}"

    @property
    def _wakes_told(self) -> str:
        """What identities are made of; those of before stay."""
        match self.wakes:
            case Wakes.GAUSSIAN | Wakes.NONE:
                return str(self.wakes is Wakes.GAUSSIAN)
            case Wakes.FLORIS:
                return f"floris {version('floris')}"
            case _:
                assert_never(self.wakes)

    @cached_property
    def _floris(self) -> Floris:
        return floris_of(self.farm)

    @cached_property
    def _north(self) -> Float[np.ndarray, " turbine"]:
        return np.array([t.north_deg for t in self.farm.turbines], np.float64)

    @cached_property
    def shared(self) -> Float64[np.ndarray, "turbine turbine"]:
        """How each turbine's share of the wind goes with each of the states ``deviation``.

        They are independent and of unit spread; together they make a field whose covariance falls
        off exponentially with distance, less its mean over the farm, which is the free wind's. It
        is the symmetric root of that covariance, so that each state is mostly its own turbine's.
        In 2014 half the mean square difference of two turbines, by distance from 420 to 1330 m,
        is (0.050, 0.051, 0.056, 0.061, 0.065, 0.073) squared; this gives 0.049 to 0.072.
        """
        place = self.farm.east_north_m / 1000.0
        apart = np.sqrt(((place[:, None] - place[None, :]) ** 2).sum(axis=2))
        n = self.farm.numbers
        alike = n.deviation_sd**2 * np.exp(-apart / n.deviation_km)
        centred = np.eye(len(place)) - 1.0 / len(place)
        size, way = np.linalg.eigh(centred @ alike @ centred)
        return (way * np.sqrt(np.maximum(size, 0.0))) @ way.T

    def free_speed(self, values: Members) -> Float[np.ndarray, "twin member"]:
        """Wind of the farm as a whole, undisturbed, in m/s; never negative."""
        n, kind = self.farm.numbers, values.dtype.type
        apart = np.sign(values[:, 0]) * np.expm1(kind(n.stretch) * np.abs(values[:, 0]))
        speed = kind(n.quiet_speed) + apart / kind(n.stretch)
        return kind(0.5) * (speed + np.sqrt(speed * speed + kind(CALM_ROUNDING**2)))

    def step(
        self,
        values: Members,
        driven: Driven,
        consts: Consts,  # noqa: ARG002
    ) -> Float[np.ndarray, "twin state member"]:
        """One interval on."""
        n, kind = self.farm.numbers, values.dtype.type
        hours = self.farm.interval_s / 3600.0
        states = len(self.schema.states)
        out = np.empty((values.shape[0], states, values.shape[2]), values.dtype)
        level = values[:, 0]
        moved = level + kind(n.pull_of_climate) * (self._middle(values) - level)
        for row, pull in enumerate(n.pull_of_memory, start=1):
            moved = moved + kind(pull) * (values[:, row] - level)
        out[:, 0] = moved
        for row, memory in enumerate(n.memory_hours, start=1):
            kept = kind(math.exp(-hours / memory))
            out[:, row] = kept * values[:, row] + (kind(1) - kept) * moved
        out[:, 4:6] = values[:, 4:6]
        out[:, 6] = kind(math.exp(-hours / WARM_SPELL_HOURS)) * values[:, 6]
        for row, periods in ((7, 1.0), (9, 2.0)):
            turned = 2.0 * math.pi * periods * self.farm.interval_s / DAY_S
            along, across = kind(math.cos(turned)), kind(math.sin(turned))
            out[:, row] = along * values[:, row] + across * values[:, row + 1]
            out[:, row + 1] = along * values[:, row + 1] - across * values[:, row]
        short = kind(math.exp(-hours / n.deviation_hours))
        out[:, SWERVE_ROW] = short * values[:, SWERVE_ROW]
        lasting = kind(math.exp(-hours / n.shear_hours))
        out[:, SHEAR_ROW] = lasting * values[:, SHEAR_ROW]
        first, each = FIRST_A_TURBINE, len(self.farm.turbines)
        deviation, swing, shear, chance, idle, before, told_before, news = (
            slice(first + i * each, first + (i + 1) * each) for i in range(len(STATES_A_TURBINE))
        )
        out[:, deviation] = short * values[:, deviation]
        out[:, swing] = short * values[:, swing]
        out[:, shear] = lasting * values[:, shear]
        out[:, chance] = 0.0
        heard = inputs_of(self.farm, driven)
        told = heard["heard_power"] + heard["heard_wind"] + heard["pitch"]
        is_told = told != values[:, told_before]
        out[:, idle] = np.where(
            is_told,
            idle_share(self.farm, driven),
            self._goes_on(values[:, idle], values[:, chance]),
        )
        # Nobody stops what stands already.
        out[:, idle] = np.where(is_stood(self.farm, driven), kind(0), out[:, idle])
        power_is_new = heard["heard_power"] != values[:, before]
        out[:, before], out[:, told_before] = heard["heard_power"], told
        out[:, news] = np.where(power_is_new, 2, is_told)
        return out

    def _goes_on(
        self,
        idle: Float[np.ndarray, "twin turbine member"],
        chance: Float[np.ndarray, "twin turbine member"],
    ) -> Float[np.ndarray, "twin turbine member"]:
        """1 where a turbine stands that nothing is heard of, else 0: it stops and starts by chance.

        A chain of two states: of those that stood, some start in each interval, of those that ran,
        a few stop.
        """
        n, hours = self.farm.numbers, self.farm.interval_s / 3600.0
        starts = chance.dtype.type(_exceeded(hours / n.stop_hours))
        stops = chance.dtype.type(_exceeded(hours / n.run_hours))
        return np.where(idle > 0.5, chance < starts, chance > stops).astype(idle.dtype)

    def _middle(self, values: Members) -> Float[np.ndarray, "twin member"]:
        """Where the level is drawn to: by direction, and by the daily wave of temperature."""
        n, kind = self.farm.numbers, values.dtype.type
        radians = values[:, 4] * kind(math.pi / 180.0)
        east, north = np.sin(radians), np.cos(radians)
        level = values[:, 0] - kind(n.middle)
        c1, s1, c2, s2 = (kind(v) for v in n.pull_by_direction)
        lc, ls = (kind(v) for v in n.pull_by_level)
        to = kind(n.middle) + (c1 + lc * level) * north + (s1 + ls * level) * east
        to = to + c2 * (north * north - east * east) + s2 * kind(2) * east * north
        for row, pull in enumerate(n.pull_by_day):
            to = to + kind(pull) * values[:, 7 + row]
        return to

    def observe(
        self,
        values: Members,
        driven: Driven,
        consts: Consts,  # noqa: ARG002
    ) -> Float[np.ndarray, "twin output member"]:
        """What sensors and virtual sensors are in this state."""
        farm, kind, n = self.farm, values.dtype.type, self.farm.numbers
        turbines = len(farm.turbines)
        first, states = FIRST_A_TURBINE, len(self.schema.states)
        own = values[:, first:states].reshape(
            len(values), len(STATES_A_TURBINE), turbines, values.shape[2]
        )
        deviation, swing, shear, chance, idle, _, _, news = (
            own[:, i] for i in range(len(STATES_A_TURBINE))
        )
        # Where nothing was told members stand or run; what they hear of others mixes them a little.
        idle = np.where(news > kind(0.5), idle, idle > kind(0.5))
        asked = controls_of(farm, driven)
        idle = idle + (kind(1) - idle) * (kind(1) - asked.running)
        params = values[:, states:].reshape(
            len(values), turbines, len(PARAMS_A_TURBINE), values.shape[2]
        )
        exposure, performance, transfer, vane_offset, expansion = (
            params[:, :, i] for i in range(len(PARAMS_A_TURBINE))
        )
        free, direction = self.free_speed(values), values[:, len(AIR)] + values[:, SWERVE_ROW]
        passing = np.zeros_like(deviation)
        for place, share in enumerate(self.shared.T.astype(kind)):
            passing = passing + share[None, :, None] * deviation[:, place, None, :]
        local = free[:, None, :] * self._speed_up(direction, free) * exposure
        local = np.maximum(local + self._apart(free)[:, None, :] * passing, kind(0))
        air = (values[:, 5] + values[:, 6] + values[:, 7] + values[:, 9])[:, None, :]
        # Not what was heard last: a turbine that is silent for a season stands in today's air.
        factor = density_speed_factor(farm, air)
        in_common, alone_sd = (kind(sd) for sd in n.shear_sd)
        caught = factor * np.exp(in_common * values[:, SHEAR_ROW, None] + alone_sd * shear)
        alone = performance * on_curve(farm, local * caught)
        able = self._turned(alone, performance, local * caught, asked)
        thrust = self._thrust(local, able, asked) * (kind(1) - idle)
        taken = self._taken(local, thrust, direction, expansion, idle, asked)
        behind = local * (kind(1) - taken)
        potential = performance * on_curve(farm, behind * caught)
        able = self._turned(potential, performance, behind * caught, asked)
        able = np.minimum(able, asked.limit)
        power = self._given(able, chance, idle, cap(farm, driven, news > kind(1.5)))
        told = inputs_of(farm, driven, ("yaw",))["yaw"]
        yaw = np.where(told > kind(0.5 * NOT_HEARD), told, kind(np.nan))
        yaw = np.where(calm(farm, driven), kind(np.nan), yaw)
        vane = direction[:, None, :] - yaw - self._north[None, :, None].astype(kind) + vane_offset
        vane = vane + self._swing(behind) * swing
        warm = np.where(plausible_temperature(farm, driven), air, kind(np.nan))
        nacelle = transfer * behind * self._transfer(behind)
        doubtful = nacelle * (kind(1) + kind(STANDING_DOUBT) * chance)
        nacelle = np.where(feathered(farm, driven), doubtful, nacelle)
        sensed = np.stack([power, nacelle, vane, warm], axis=2)
        lost, wake_loss = potential - power, alone - potential
        virtual = np.stack([behind, potential, wake_loss, lost], axis=2)
        size = values.shape[2]
        return np.concatenate(
            [
                sensed.reshape(len(values), -1, size),
                np.stack([free, np.mod(direction, kind(360))], axis=1),
                virtual.reshape(len(values), -1, size),
                np.stack([x.sum(axis=1) for x in (power, potential, wake_loss, lost)], axis=1),
            ],
            axis=1,
        )

    def _turned(
        self,
        faced: Float[np.ndarray, "twin turbine member"],
        performance: Float[np.ndarray, "twin turbine member"],
        speed: Float[np.ndarray, "twin turbine member"],
        asked: Controls,
    ) -> Float[np.ndarray, "twin turbine member"]:
        """What is left of the power ``faced`` of turbines that are turned out of that wind."""
        if not asked.turns:
            return faced
        return performance * on_curve(self.farm, speed * facing(asked.yaw))

    def _thrust(
        self,
        local: Float[np.ndarray, "twin turbine member"],
        able: Float[np.ndarray, "twin turbine member"],
        asked: Controls,
    ) -> Float[np.ndarray, "twin turbine member"]:
        """Coefficients of turbines that run; those that may give less push the wind less.

        Of a turned one it falls with the cosine, as in FLORIS's model of turbines.
        """
        thrust = on_curve(self.farm, local, "thrust")
        if asked.turns:
            thrust = thrust * np.cos(asked.yaw)
        if not np.isfinite(asked.limit).any():
            return thrust
        share = asked.limit / np.maximum(able, able.dtype.type(LEAST_KW))
        return derated_thrust(thrust, share)

    def _apart(self, free: Float[np.ndarray, "twin member"]) -> Float[np.ndarray, "twin member"]:
        """Wind that the differences between turbines are a share of."""
        n = self.farm.numbers
        unrest = np.interp(free, CALM_BETWEEN, (n.calm_unrest, 1.0)).astype(free.dtype)
        return np.maximum(free, free.dtype.type(n.deviation_calm) * unrest)

    def _swing(
        self, speed: Float[np.ndarray, "twin turbine member"]
    ) -> Float[np.ndarray, "twin turbine member"]:
        """How far vanes swing in these winds, degrees."""
        kind = speed.dtype.type
        light = np.square(kind(SWING_SPEED) / np.maximum(speed, kind(1)))
        return kind(self.farm.numbers.swing_sd) * np.minimum(light, kind(LARGEST_SWING))

    def _given(
        self,
        potential: Float[np.ndarray, "twin turbine member"],
        chance: Float[np.ndarray, "twin turbine member"],
        idle: Float[np.ndarray, "twin turbine member"],
        most: Float[np.ndarray, "twin turbine member"],
    ) -> Float[np.ndarray, "twin turbine member"]:
        """Power of each turbine as it is doing.

        Where it stands or is held back, it gives what its meter says, give or take the meter's own
        error, which is chance and has to do with nothing that is to be learned.
        """
        kind = potential.dtype.type
        rated = np.array(
            [self.farm.type_of(t).rated_power_kw for t in self.farm.turbines], potential.dtype
        )
        meter = kind(METER_CLASS) * rated[None, :, None] * chance
        held = np.minimum(potential, most + meter)
        running = potential * (kind(1) - idle)
        return np.where(most < kind(NO_CAP), held, np.where(idle > kind(0.99), meter, running))

    def _speed_up(
        self, direction: Float[np.ndarray, "twin member"], free: Float[np.ndarray, "twin member"]
    ) -> Float[np.ndarray, "twin turbine member"]:
        """What the site makes of the free wind at each turbine, by direction and speed."""
        out = np.empty(
            (direction.shape[0], len(self.farm.turbines), direction.shape[1]), direction.dtype
        )
        speed = np.log(np.clip(free, *STEEP_WITHIN) / free.dtype.type(REFERENCE_SPEED))
        for place, turbine in enumerate(self.farm.turbines):
            steep = _of_sectors(turbine.steepness, direction)
            out[:, place] = _of_sectors(turbine.speed_up, direction) * np.exp(steep * speed)
        return out

    def _transfer(
        self, speed: Float[np.ndarray, "twin turbine member"]
    ) -> Float[np.ndarray, "twin turbine member"]:
        """What nacelle anemometers read per wind."""
        out = np.empty_like(speed)
        for place, turbine in enumerate(self.farm.turbines):
            at, ratio = np.array(turbine.transfer).T
            out[:, place] = np.interp(speed[:, place], at, ratio)
        return out

    def _taken(
        self,
        local: Float[np.ndarray, "twin turbine member"],
        thrust: Float[np.ndarray, "twin turbine member"],
        direction: Float[np.ndarray, "twin member"],
        expansion: Float[np.ndarray, "twin turbine member"],
        idle: Float[np.ndarray, "twin turbine member"],
        asked: Controls,
    ) -> Float[np.ndarray, "twin turbine member"]:
        """Share of each turbine's wind that the wakes of the others take."""
        match self.wakes:
            case Wakes.NONE:
                return np.zeros_like(local)
            case Wakes.GAUSSIAN:
                return taken_by_gaussian(self.farm, thrust, direction, expansion, asked)
            case Wakes.FLORIS:
                return taken_by_floris(self._floris, local, direction, expansion, idle, asked)
            case _:
                assert_never(self.wakes)


def _of_sectors(
    sectors: tuple[float, ...], direction: Float[np.ndarray, "twin member"]
) -> Float[np.ndarray, "twin member"]:
    """Told in equal sectors, the first about north; between their middles by line."""
    middles = 360.0 / len(sectors) * np.arange(len(sectors))
    return np.interp(direction, middles, np.array(sectors), period=360.0).astype(direction.dtype)


def _exceeded(share: float) -> float:
    """What a standard normal number exceeds with that chance."""
    return NormalDist().inv_cdf(1.0 - min(share, 1.0 - 1e-12))
