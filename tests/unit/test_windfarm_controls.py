"""What turning, limiting and stopping a turbine does: worked by hand from the cited formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float32

from gemeos.errors import InputError, UnknownNameError
from gemeos.twins.windfarm import WindFarm, decisions, farm
from gemeos.twins.windfarm.steering import derated_thrust
from gemeos.twins.windfarm.wake import bent, deficit

FARM = replace(
    farm("la_haute_borne"),
    turbines=tuple(
        replace(t, elevation_m=-80.0, speed_up=(1.0,), steepness=(0.0,), transfer=((0.0, 1.0),))
        for t in farm("la_haute_borne").turbines
    ),
)
MODEL = WindFarm(FARM)
SCHEMA = MODEL.schema
CURVE = FARM.types["MM82"]
NO_CONSTS = np.zeros((1, 0), np.float32)
DIAMETER = 82.0
BEHIND_M = 421.0
"""R80790 stands so far behind R80711 in a wind from 330.6 degrees."""


def told(*, speed: float = 8.0, heading: float = 330.6, **set_to: float) -> dict[str, float]:
    """What three equal members say in standard air, all else at its prior's middle."""
    n = FARM.numbers
    apart = speed - n.quiet_speed
    level = math.copysign(math.log1p(n.stretch * abs(apart)) / n.stretch, apart)
    here = {"air.level": level, "air.direction": heading, "air.warmth": 15.0}
    state = np.array([here.get(v.name, v.prior.typical) for v in SCHEMA.estimated], np.float32)
    out = MODEL.observe(np.repeat(state[None, :, None], 3, axis=2), driven(**set_to), NO_CONSTS)
    return {v.name: float(x) for v, x in zip(SCHEMA.outputs, out[0, :, 0], strict=True)}


def driven(**set_to: float) -> Float32[np.ndarray, "1 driven 1"]:
    names = [v.name for v in SCHEMA.driven]
    column = np.array([v.default for v in SCHEMA.driven], np.float32)
    for name, value in set_to.items():
        column[names.index(name.replace("__", "."))] = value
    return column[None, :, None]


def by_hand(*, degrees: float, across_m: float, thrust: float) -> tuple[float, float]:
    """Bend of the wake in metres and the share of the wind it takes there.

    Bastankhah & Porte-Agel (2016), eqs. 6.12, 6.16, 7.1, 7.2 and 7.4; turbulence from the expansion
    by Niayifar & Porte-Agel (2016), eq. 15.
    """
    k, yaw, far = FARM.numbers.expansion, math.radians(degrees), BEHIND_M / DIAMETER
    cosine, thrust = math.cos(yaw), thrust * math.cos(yaw)
    slowed = math.sqrt(1.0 - thrust)
    turbulence = (k - 0.003678) / 0.3837
    near = cosine * (1 + slowed) / math.sqrt(2) / (2.32 * turbulence + 0.154 * (1 - slowed))
    assert 2.0 < near < far
    angle = 0.3 * yaw / cosine * (1.0 - math.sqrt(1.0 - thrust * cosine))
    wide, high = (k * (far - near) + c / math.sqrt(8.0) for c in (cosine, 1.0))
    root, size = math.sqrt(thrust), 1.6 * math.sqrt(8.0 * wide * high / cosine)
    bend = angle * near + (
        (angle / 14.7)
        * math.sqrt(cosine / (k * k * thrust))
        * (2.9 + 1.3 * slowed - thrust)
        * math.log((1.6 + root) * (size - root) / ((1.6 - root) * (size + root)))
    )
    wide, high = (k * far + c / math.sqrt(8.0) for c in (cosine, 1.0))
    greatest = 1.0 - math.sqrt(1.0 - thrust * math.cos(yaw) / (8.0 * wide * high))
    aside = across_m / DIAMETER - bend
    return bend * DIAMETER, greatest * math.exp(-0.5 * (aside / wide) ** 2)


def power_at(speed: float) -> float:
    return float(np.interp(speed, CURVE.speed, CURVE.power))


def thrust_at(speed: float) -> float:
    return float(np.interp(speed, CURVE.speed, CURVE.thrust))


def test_that_a_turned_turbine_gives_less_by_the_cosine_and_the_next_one_more() -> None:
    before, after = told(), told(R80711__yaw_offset=20.0)
    free = before["R80711.speed"]
    left = power_at(free * math.cos(math.radians(20.0)) ** (1.88 / 3.0))
    assert after["R80711.power"] == pytest.approx(left, rel=1e-5)
    # Where power goes with the cube of the wind that is cos^1.88 of it: 0.89. This curve of means
    # over ten minutes is a little flatter at 8 m/s.
    assert after["R80711.power"] / before["R80711.power"] == pytest.approx(0.89, abs=0.02)
    assert after["R80711.potential"] == before["R80711.potential"]
    _, straight = by_hand(degrees=0.0, across_m=0.0, thrust=thrust_at(free))
    bend, aside = by_hand(degrees=20.0, across_m=0.0, thrust=thrust_at(free))
    assert 0.15 * DIAMETER < bend < 0.6 * DIAMETER
    assert before["R80790.speed"] == pytest.approx(free * (1.0 - straight), rel=1e-4)
    # It stands within half a metre of the line.
    assert after["R80790.speed"] == pytest.approx(free * (1.0 - aside), rel=5e-4)
    assert after["R80790.power"] > before["R80790.power"]


def test_that_the_wake_of_a_turbine_turned_counter_clockwise_goes_to_the_right() -> None:
    """In a wind from 332 R80790 stands to the left of the line behind R80711, from 329 right.

    The rotor pushes the air against the way it faces. Turned counter-clockwise it faces more to
    the left of somebody who looks downwind from behind it, so the air is pushed to the right.
    """
    line = FARM.east_north_m[3] - FARM.east_north_m[0]
    for heading, offset in ((329.0, 20.0), (332.5, -20.0)):
        flow = -np.array([math.sin(math.radians(heading)), math.cos(math.radians(heading))])
        to_right = float(line @ np.array([flow[1], -flow[0]]))
        assert math.copysign(1.0, to_right) == math.copysign(1.0, offset)
        for degrees in (offset, -offset):
            out = told(heading=heading, R80711__yaw_offset=degrees)
            free = out["R80711.speed"]
            _, taken = by_hand(degrees=degrees, across_m=to_right, thrust=thrust_at(free))
            assert out["R80790.speed"] == pytest.approx(free * (1.0 - taken), rel=1e-4)


def test_that_the_axis_of_a_wake_goes_straight_and_bends_back_behind_the_near_wake() -> None:
    """Eq. 7.4 begins where eq. 6.12 ends, but for its rounded constants.

    For small angles its slope is 9.051 / 14.7 (2.9 + 1.3 sqrt(1 - C) - C) / (2.56 - C) of the
    first angle: 0.938 for C = 0.8. The near wake is, by eq. 6.16 with a turbulence of (0.05 -
    0.003678) / 0.3837 = 0.1207, (1 + 0.4472) / (1.4142 (2.32 0.1207 + 0.154 0.5528)) = 2.803 long.
    """
    yaw, thrust = 0.02, 0.8
    at = np.array([1.0, 2.79, 2.81, 2.83, 20.0, 40.0])
    told = bent(at, thrust=np.array([thrust]), expansion=np.array([0.05]), yaw=np.array([yaw]))
    angle = 0.3 * yaw * (1.0 - math.sqrt(1.0 - thrust))
    assert told[:2] == pytest.approx(angle * at[:2], rel=1e-3)
    assert (told[3] - told[2]) / 0.02 / angle == pytest.approx(0.938, abs=0.015)
    assert 0 < told[5] - told[4] < told[4] - told[3]


def test_that_a_turned_wake_still_takes_what_momentum_says() -> None:
    """At the rotor, on its axis, 1 - sqrt(1 - C): eq. 7.1 with both widths at their first."""
    yaw = math.radians(20.0)
    taken = deficit(
        np.array([1e-9]),
        np.array([0.0]),
        thrust=np.array([0.75]),
        expansion=np.array([0.05]),
        diameter=80.0,
        yaw=np.array([yaw]),
    )
    assert taken[0] == pytest.approx(0.5, abs=1e-9)


def test_that_a_limited_turbine_gives_no_more_and_pushes_the_wind_less() -> None:
    full = told()["R80711.power"]
    after = told(R80711__power_limit=0.576 * full)
    assert after["R80711.power"] == pytest.approx(0.576 * full, rel=1e-5)
    assert after["R80711.lost_power"] == pytest.approx(0.424 * full, rel=1e-3)
    free = after["R80711.speed"]
    thrust = derated_thrust(np.array([[[thrust_at(free)]]]), np.array([[[0.576]]])).item()
    _, taken = by_hand(degrees=0.0, across_m=0.0, thrust=thrust)
    assert after["R80790.speed"] == pytest.approx(free * (1.0 - taken), rel=1e-4)
    assert after["R80790.speed"] > told()["R80790.speed"]


@pytest.mark.parametrize(
    ("thrust", "share", "expected"),
    [
        # Inductions 1/3, 1/4 and 1/4 become 0.2, 0.1 and 0: a (1 - a)^2 is 4/27, 0.140625 before
        # and 0.128, 0.081 and 0 after; 4 a (1 - a) is 0.64, 0.36 and 0.
        (8.0 / 9.0, 0.128 * 27.0 / 4.0, 0.64),
        (0.75, 0.081 / 0.140625, 0.36),
        (0.75, 0.0, 0.0),
        (0.75, 1.0, 0.75),
        (0.95, 7.0, 0.95),
    ],
)
def test_that_less_power_takes_the_thrust_of_the_lesser_induction(
    thrust: float, share: float, expected: float
) -> None:
    given = derated_thrust(np.array([[[thrust]]]), np.array([[[share]]]))
    assert given.item() == pytest.approx(expected, abs=1e-7)


def test_that_a_limit_at_rated_power_is_none() -> None:
    """A turbine that does better than its curve stays as it is: 3 % above rated power."""
    names = [v.name for v in SCHEMA.estimated]
    state = np.array([v.prior.typical for v in SCHEMA.estimated], np.float32)
    state[names.index("air.level")] = 8.0
    state[names.index("R80711.performance")] = 1.03
    values = np.repeat(state[None, :, None], 3, axis=2)
    assert MODEL.observe(values, driven(), NO_CONSTS)[0, 0, 0] == pytest.approx(
        1.03 * CURVE.power.max(), rel=1e-5
    )
    below = driven(R80711__power_limit=2049.0)
    assert MODEL.observe(values, below, NO_CONSTS)[0, 0, 0] == 2049.0


def test_that_behind_a_stopped_turbine_the_wind_is_whole_again() -> None:
    after = told(R80711__running=0.0)
    assert after["R80711.power"] == 0.0
    assert after["R80790.speed"] == pytest.approx(8.0, rel=1e-3)
    half = told(R80711__running=0.5)
    assert half["R80711.power"] == pytest.approx(0.5 * told()["R80711.power"], rel=1e-5)
    assert told()["R80790.speed"] < half["R80790.speed"] < after["R80790.speed"]


def test_that_what_is_set_on_one_farm_changes_no_bit_of_another_beside_it() -> None:
    state = np.array([v.prior.typical for v in SCHEMA.estimated], np.float32)
    rng = np.random.default_rng(2)
    values = (state[None, :, None] * rng.uniform(0.7, 1.3, (2, 1, 5))).astype(np.float32)
    consts = np.zeros((2, 0), np.float32)
    changed = driven(R80711__yaw_offset=20.0, R80721__power_limit=300.0, R80736__running=0.0)
    alone = MODEL.observe(values, np.repeat(driven(), 2, axis=0), consts)
    beside = MODEL.observe(values, np.concatenate([driven(), changed]), consts)
    assert np.array_equal(alone[0], beside[0], equal_nan=True)
    assert not np.array_equal(alone[1], beside[1], equal_nan=True)


def test_that_decisions_are_written_as_changes_of_what_they_name() -> None:
    assert decisions.turned(FARM, {"R80721": 20.0}) == {"R80721.yaw_offset": "20 deg"}
    assert decisions.out(FARM, ["R80711"]) == {"R80711.running": "0"}
    some = decisions.curtailed(FARM, 1000.0, ["R80711", "R80790"])
    assert some == {"R80711.power_limit": "500 kW", "R80790.power_limit": "500 kW"}
    assert set(decisions.curtailed(FARM, 9e9).values()) == {"2050 kW"}
    assert decisions.steering(FARM, ["R80711"]) == {"R80711.yaw_offset": ("-25 deg", "25 deg")}
    assert len(decisions.steering(FARM)) == 4
    with pytest.raises(UnknownNameError, match="R80712"):
        decisions.out(FARM, ["R80712"])
    with pytest.raises(InputError, match="0 turbines"):
        decisions.curtailed(FARM, 100.0, [])
