"""Fit a wind farm's description to a year of its record: ``python tools/fit_windfarm.py FOLDER``.

Prints what stands in ``farms/la_haute_borne``: the curve, each turbine's transfer and speed-up, and
the dynamics of the wind. Only 2014 is read. Needs scipy; takes some minutes.

Not fitted here but chosen, by walks through 2014 (nowcasts without own power or without all
channels, with tables fitted on the half of the year that was not walked through): ``power_noise``,
``wind_noise``, ``vane_noise``, ``temperature_noise``, prior spreads and drifts of parameters,
``deviation_hours``. ``deviation_sd`` and ``deviation_km`` are those of the mean square difference
of local winds by distance; ``stop_hours`` and ``run_hours`` of how long blades stayed feathered in
wind (0.82 of them an hour later, 0.48 six, 0.30 twelve) and how often turbines so stopped for an
hour. ``north_deg`` and ``expansion`` are the best of a grid, by the spread of what is left of the
local winds after wakes and speed-up (22 to 28 degrees, 0.02 to 0.07).
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from gemeos.twins.windfarm.farm import REFERENCE_SPEED, Farm, farm
from gemeos.twins.windfarm.physics import STEEP_WITHIN
from gemeos.twins.windfarm.record import read_record
from gemeos.twins.windfarm.wake import combined, deficit

HEIGHT_M = 491.0
QUIET, STRETCH = 5.8, 0.13
MEMORIES = np.array([6.0, 36.0, 432.0])
LEADS = (1, 6, 18, 36, 72, 144)
WEIGHTS = np.array([0.5, 1.0, 1.0, 1.5, 1.0, 0.7])
STEEPNESS_HELD = 20.0
"""Held to zero as by so many rows at e times the reference speed."""
TURN = math.radians(12.0) ** 2 / 6.0


def density_factor(celsius: np.ndarray) -> np.ndarray:
    """As ``sensors.density_speed_factor``."""
    plausible = np.where((celsius > -30) & (celsius < 45), celsius, 15.0)
    pressure = 101_325.0 * (1.0 - 0.0065 * HEIGHT_M / 288.15) ** 5.25588
    return (pressure / (287.05 * 1.225 * (plausible + 273.15))) ** (1 / 3)


def curve(v: dict[str, np.ndarray]) -> np.ndarray:
    """Rows of speed, power, thrust: bin means of running turbines, pooled, at standard density.

    Above the last bin with 30 values the curve is led to rated power; thrust by Frandsen (2007),
    Riso-R-1188, C_T = 3.5 (2 U - 3.5)/U^2, at most 0.85.
    """
    wind = v["wind"] * density_factor(v["temperature"])
    rows = []
    for speed in np.arange(0.0, 15.01, 0.5):
        near = (np.abs(wind - speed) < 0.25) & ((v["pitch"] < 30) | (v["wind"] < 4.5))
        power = v["power"][near & np.isfinite(v["power"])]
        if len(power) <= 30:
            continue
        if speed > 4:
            power = power[power > 0.6 * np.median(power) - 40]
        rows.append((speed, 0.0 if speed < 3 else max(power.mean(), 0.0)))
    table = np.array(rows)
    table[:, 1] = np.maximum.accumulate(table[:, 1])
    ends = [[16, 2045], [17, 2050], [24, 2050], [24.5, 2050], [25, 0], [40, 0]]
    table = np.vstack([table, ends])
    speed = table[:, 0]
    thrust = np.minimum(0.85, 3.5 * (2 * np.maximum(speed, 3) - 3.5) / np.maximum(speed, 3) ** 2)
    thrust = np.where((speed < 3) | (speed >= 25), 0.0, np.where(speed <= 6, 0.85, thrust))
    return np.column_stack([table, thrust])


def site(v: dict[str, np.ndarray], table: np.ndarray, described: Farm) -> Farm:
    """With transfer by wind and speed-up by sector, from winds told by power in partial load."""
    factor = density_factor(v["temperature"])
    low = (table[:, 0] >= 3) & (table[:, 0] <= 15)
    local = np.interp(v["power"], table[low, 1], table[low, 0]) / factor
    due = np.interp(v["wind"] * factor, table[:, 0], table[:, 1])
    good = (
        (v["pitch"] < 15) & (v["power"] > 80) & (v["power"] < 1900) & (v["power"] > 0.6 * due - 40)
    )
    rows = good.all(axis=1)
    local, wind = local[rows], v["wind"][rows]
    transfer = [
        tuple(
            (
                float(c),
                round(float(np.median((wind / local)[np.abs(local[:, i] - c) < 0.75, i])), 4),
            )
            for c in range(4, 12)
        )
        for i in range(len(described.turbines))
    ]
    angle = np.radians(v["vane"][rows] + v["yaw"][rows])
    north = described.turbines[0].north_deg
    direction = np.degrees(np.angle(np.exp(1j * angle).mean(axis=1))) + north
    hats = sectors(direction)
    each = np.zeros((2 * hats.shape[1], local.shape[1]))
    free = local.mean(axis=1)
    for _ in range(4):
        alone = np.log(local) - np.log(1.0 - taken(described, table, direction, free))
        steep = hats * np.log(np.clip(free, *STEEP_WITHIN) / REFERENCE_SPEED)[:, None]
        columns = np.hstack([hats, steep])
        free = np.exp((alone - columns @ each).mean(axis=1))
        apart = alone - np.log(free)[:, None]
        held = np.diag([0.0] * hats.shape[1] + [STEEPNESS_HELD] * hats.shape[1])
        each = np.linalg.solve(columns.T @ columns + held, columns.T @ apart)
        each -= each.mean(axis=1, keepdims=True)
    speed_up, steepness = np.split(each, 2)
    turbines = tuple(
        replace(
            t,
            transfer=pairs,
            speed_up=tuple(np.exp(speed_up[:, i]).round(3).tolist()),
            steepness=tuple(steepness[:, i].round(3).tolist()),
        )
        for i, (t, pairs) in enumerate(zip(described.turbines, transfer, strict=True))
    )
    return replace(described, turbines=turbines)


def fitted(v: dict[str, np.ndarray], described: Farm) -> Farm:
    """The farm with curve, transfer and speed-up fitted to those rows."""
    table = curve(v)
    types = {
        name: replace(of_type, speed=table[:, 0], power=table[:, 1], thrust=table[:, 2])
        for name, of_type in described.types.items()
    }
    return site(v, table, replace(described, types=types))


def sectors(direction: np.ndarray) -> np.ndarray:
    """Hat functions of twelve sectors."""
    place = (direction % 360) / 30.0
    low, part = np.floor(place).astype(int) % 12, place - np.floor(place)
    hats = np.zeros((len(direction), 12))
    hats[np.arange(len(direction)), low] = 1 - part
    hats[np.arange(len(direction)), (low + 1) % 12] += part
    return hats


def taken(
    described: Farm, table: np.ndarray, direction: np.ndarray, free: np.ndarray
) -> np.ndarray:
    """Share of the wind that wakes take at each turbine."""
    thrust = np.interp(free, table[:, 0], table[:, 2])
    radians = np.radians(direction)
    east, north = -np.sin(radians), -np.cos(radians)
    place = described.east_north_m
    out = np.zeros((len(direction), len(place)))
    for i in range(len(place)):
        apart = place[i] - np.delete(place, i, axis=0)
        each = [
            deficit(
                dx * east + dy * north,
                dx * north - dy * east,
                thrust=thrust,
                expansion=np.full_like(thrust, described.numbers.expansion),
                diameter=described.type_of(described.turbines[i]).rotor_diameter_m,
            )
            for dx, dy in apart
        ]
        out[:, i] = combined(np.array(each).T[:, :, None])[:, 0]
    return out


def waves(celsius: np.ndarray) -> np.ndarray:
    """Daily and half-daily waves of temperature, filtered: the states ``air.day_wave`` and so on.

    A Kalman filter of the model's own form; its four spreads are the best of a grid of 18.
    """
    turn = 2 * math.pi / 144
    move = np.eye(6)
    for row, periods in ((1, 1), (3, 2)):
        c, s = math.cos(periods * turn), math.sin(periods * turn)
        move[row : row + 2, row : row + 2] = [[c, s], [-s, c]]
    move[5, 5] = 0.8
    seen = np.array([1.0, 1, 0, 1, 0, 1])
    chance = np.diag(np.array([0.15, 0.06, 0.06, 0.03, 0.03, 0.1]) ** 2)
    mean, spread = np.array([celsius[0], 0, 0, 0, 0, 0]), np.diag([100.0, 25, 25, 4, 4, 1])
    out = np.empty((len(celsius), 4))
    for i, value in enumerate(celsius):
        mean, spread = move @ mean, move @ spread @ move.T + chance
        gain = spread @ seen / (seen @ spread @ seen + 0.05**2)
        mean = mean + gain * (value - seen @ mean)
        spread = spread - np.outer(gain, seen @ spread)
        out[i] = mean[1:5]
    return out


def ahead(
    p: np.ndarray, level: np.ndarray, means: np.ndarray, th: np.ndarray, wave: np.ndarray
) -> np.ndarray:
    """Expected level at every lead, from many instants at once: the model without chance."""
    z, s = level.copy(), means.copy()
    o = wave.copy()
    c1, s1, c2, s2 = np.cos(th), np.sin(th), np.cos(2 * th), np.sin(2 * th)
    kept, turn = np.exp(-1 / MEMORIES), 2 * math.pi / 144
    climate, long, days = np.exp(p[:3])
    out = []
    for step in range(1, LEADS[-1] + 1):
        to = p[4] + p[5] * c1 + p[6] * s1 + p[7] * c2 + p[8] * s2
        to = to + (z - p[4]) * (p[9] * c1 + p[10] * s1) + o @ p[11:15]
        z = (
            z
            + climate * (to - z)
            + p[3] * (s[:, 0] - z)
            + long * (s[:, 1] - z)
            + days * (s[:, 2] - z)
        )
        s = kept * s + (1 - kept) * z[:, None]
        for row, periods in ((0, 1), (2, 2)):
            c, q = math.cos(periods * turn), math.sin(periods * turn)
            o[:, row], o[:, row + 1] = (
                c * o[:, row] + q * o[:, row + 1],
                c * o[:, row + 1] - q * o[:, row],
            )
        c1, s1 = c1 * math.exp(-TURN / 2), s1 * math.exp(-TURN / 2)
        c2, s2 = c2 * math.exp(-2 * TURN), s2 * math.exp(-2 * TURN)
        if step in LEADS:
            out.append(z.copy())
    return np.array(out).T


def dynamics(v: dict[str, np.ndarray], north: float) -> None:
    """Pulls of the wind's level: least squares of its forecasts at six leads, lightly held to 0."""
    wind = np.nanmean(v["wind"], axis=1)
    wind = np.where(np.isfinite(wind), wind, np.nanmean(wind))
    level = np.sign(wind - QUIET) * np.log1p(STRETCH * np.abs(wind - QUIET)) / STRETCH
    th = np.angle(np.nanmean(np.exp(1j * np.radians(v["vane"] + v["yaw"] + north)), axis=1))
    th = np.where(np.isfinite(th), th, 0.0)
    celsius = np.nanmedian(np.where(v["temperature"] > -30, v["temperature"], np.nan), axis=1)
    known = np.flatnonzero(np.isfinite(celsius))
    wave = waves(np.interp(np.arange(len(celsius)), known, celsius[known]))
    means = np.empty((len(level), 3))
    kept, mean = np.exp(-1 / MEMORIES), np.full(3, level[0])
    for i, value in enumerate(level):
        mean = kept * mean + (1 - kept) * value
        means[i] = mean
    rows = np.arange(500, len(level) - LEADS[-1] - 10, 18)
    truth = level[rows[:, None] + np.array(LEADS)]
    usual = ((truth - level[rows, None]) ** 2).mean(axis=0)

    def loss(p: np.ndarray) -> float:
        off = ((truth - ahead(p, level[rows], means[rows], th[rows], wave[rows])) ** 2).mean(axis=0)
        held = 0.02 * (p[5:11] ** 2).sum() + 0.04 * (p[11:15] ** 2).sum()
        return float((WEIGHTS * np.log(off / usual)).sum() + held)

    first = np.array([*np.log([0.008, 0.008, 0.008]), 0.0, -0.5, *np.zeros(10)])
    p = minimize(loss, first, method="L-BFGS-B", options={"maxiter": 60}).x
    apart = math.copysign(math.expm1(STRETCH * abs(p[4])) / STRETCH, p[4])
    climate, long, days = np.exp(p[:3])
    print("pull_of_memory =", [round(float(x), 5) for x in (p[3], long, days)])  # noqa: T201
    print("pull_of_climate =", round(float(climate), 5))  # noqa: T201
    print("middle_speed =", round(QUIET + apart, 3))  # noqa: T201
    print("pull_by_direction =", p[5:9].round(3).tolist())  # noqa: T201
    print("pull_by_level =", p[9:11].round(3).tolist())  # noqa: T201
    print("pull_by_day =", p[11:15].round(3).tolist())  # noqa: T201
    off = truth - ahead(p, level[rows], means[rows], th[rows], wave[rows])
    print("spread left at", LEADS, off.std(axis=0).round(3))  # noqa: T201


def main(folder: Path) -> None:
    """Read 2014 and print."""
    described = farm("la_haute_borne")
    record = read_record(folder, described, dt.date(2014, 1, 1), dt.date(2015, 1, 1))
    values = dict(record.values)
    now = fitted(values, described)
    for of_type in now.types.values():
        for row in zip(of_type.speed, of_type.power, of_type.thrust, strict=True):
            print("{:.1f},{:.1f},{:.3f}".format(*row))  # noqa: T201
    for turbine in now.turbines:
        print(turbine.name, "transfer =", [list(pair) for pair in turbine.transfer])  # noqa: T201
        print(turbine.name, "speed_up =", list(turbine.speed_up))  # noqa: T201
        print(turbine.name, "steepness =", list(turbine.steepness))  # noqa: T201
    dynamics(values, described.turbines[0].north_deg)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
