"""What the plant's turbines do when they are set: worked by hand, and never what was not set."""

from __future__ import annotations

import math

import pytest

from gemeos_plants.windfarm.obey import (
    AS_EVER,
    PLACES_M,
    RATED_KW,
    REST,
    History,
    Measured,
    Rules,
    Set,
    obeyed,
)
from gemeos_plants.windfarm.record import TAGS, load
from gemeos_plants.windfarm.steered import Steered

CALM = Measured(power=1000.0, wind=9.0, vane=1.0, pitch=0.0, heading=300.0, direction=301.0)
ALL = dict.fromkeys(PLACES_M, CALM)
EAST, NORTH = PLACES_M["R80790"]
FROM = math.degrees(math.atan2(-EAST, -NORTH)) % 360.0
"""The wind direction in which R80711 stands right in front of R80790."""
IN_LINE = {
    name: Measured(1000.0, 9.0, 0.0, 0.0, FROM % 360.0, FROM) for name in ("R80711", "R80790")
}


def test_that_nobody_who_is_not_set_measures_anything_else() -> None:
    assert obeyed(ALL, {}) == ALL
    assert obeyed(ALL, {"R80711": AS_EVER}) == ALL


def test_that_a_turned_turbine_loses_by_its_own_power_of_the_cosine_and_tells_where_it_points() -> (
    None
):
    told = obeyed(ALL, {"R80711": Set(yaw_offset=20.0)})["R80711"]
    assert told.power == pytest.approx(1000.0 * math.cos(math.radians(20.0)) ** 1.6)
    assert (told.vane, told.heading) == (21.0, 280.0)


def test_that_a_limited_turbine_keeps_a_little_below_and_turns_its_blades() -> None:
    told = obeyed(ALL, {"R80711": Set(power_limit=800.0)})["R80711"]
    # The blades turn by 8 degrees for all that is not taken, here a fifth.
    assert told.power == pytest.approx(784.0)
    assert told.pitch == pytest.approx(1.6)
    free = obeyed(ALL, {"R80711": Set(power_limit=1200.0)})["R80711"]
    assert (free.power, free.pitch) == (1000.0, 0.0)


def test_that_a_stopped_turbine_takes_what_it_needs_and_leaves_the_wind_to_the_one_behind() -> None:
    told = obeyed(IN_LINE, {"R80711": Set(running=0.0)})
    assert told["R80711"].power == -4.0
    # 421 m behind, Jensen: (41 / (41 + 0.06 * 421))^2 = 0.383; without thrust nothing is missing.
    apart = math.hypot(EAST, NORTH)
    share = (41.0 / (41.0 + 0.06 * apart)) ** 2
    gained = (1.0 - (1.0 - math.sqrt(1.0 - 0.05 * 0.78)) * share) / (
        1.0 - (1.0 - math.sqrt(1.0 - 0.78)) * share
    )
    assert told["R80790"].wind == pytest.approx(9.0 * gained, rel=1e-3)
    assert told["R80790"].power == pytest.approx(min(1000.0 * gained**3, RATED_KW), rel=3e-3)


def test_that_turning_to_either_side_frees_the_one_right_behind_alike() -> None:
    left, right = (
        obeyed(IN_LINE, {"R80711": Set(yaw_offset=yaw)})["R80790"].power for yaw in (20.0, -20.0)
    )
    assert left == pytest.approx(right, rel=1e-6)
    assert left > 1000.0


def test_that_who_stands_in_front_feels_nothing_of_who_is_behind() -> None:
    told = obeyed(IN_LINE, {"R80790": Set(running=0.0)})
    assert told["R80711"] == IN_LINE["R80711"]


def test_that_the_wake_of_a_turbine_turned_counter_clockwise_goes_to_the_right() -> None:
    # 8 degrees at 421 m are 59 m: one on the right then stands in it, one on the left beside it.
    told = {}
    for side in (-8.0, 8.0):
        direction = FROM - side  # the wind veers: the one behind comes to the other side
        winds = {n: Measured(1000.0, 9.0, 0.0, 0.0, direction, direction) for n in IN_LINE}
        moved = obeyed(winds, {"R80711": Set(yaw_offset=20.0)})["R80790"].power
        blows = math.radians(direction + 180.0)
        across = EAST * math.cos(blows) - NORTH * math.sin(blows)
        told[across > 0.0] = moved
    assert told[False] > 1000.0 > told[True]


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("R80711/yaw_offset", 20.0, ""),
        ("R80711/yaw_offset", 24.0, "loads: at most 20 deg"),
        ("R80721/yaw_offset", -5.0, "16 m/s is too much to be turned out of it"),
        ("R80721/yaw_offset", 0.0, ""),
        ("R80711/power_limit", 300.0, "between 400 and 2050 kW only"),
        ("R80711/power_limit", 400.0, ""),
        ("R80711/running", 0.4, "it runs or it stands"),
        ("R80711/running", 0.0, ""),
        ("R80736/running", 1.0, "it stands for ten minutes"),
    ],
)
def test_that_a_turbine_refuses_by_its_own_rules(place: str, value: float, told: str) -> None:
    rules = Rules(winds={"R80711": 9.0, "R80721": 16.0}, now=REST * 10)
    rules.moved("R80736/running", 0.0)
    rules.now += REST // 2
    assert told in rules.refusal(place, value)
    assert bool(told) == bool(rules.refusal(place, value))


def test_that_after_its_rest_a_turbine_starts() -> None:
    rules = Rules(now=REST)
    rules.moved("R80736/running", 0.0)
    rules.now += REST
    assert rules.refusal("R80736/running", 1.0) == ""


def test_that_an_interval_is_what_was_set_in_each_piece_of_it() -> None:
    history = History()
    assert history.pieces(0, 100) == [(1.0, {})]
    history.move("R80711/power_limit", 25, 800.0)
    history.move("R80711/yaw_offset", 25, 10.0)
    history.move("R80711/power_limit", 75, RATED_KW)
    turned = Set(yaw_offset=10.0)
    limited = Set(yaw_offset=10.0, power_limit=800.0)
    assert history.pieces(0, 100) == [
        (0.25, {}),
        (0.5, {"R80711": limited}),
        (0.25, {"R80711": turned}),
    ]
    assert history.pieces(100, 200) == [(1.0, {"R80711": turned})]


def test_that_readings_of_the_time_before_it_was_set_stay_as_recorded_also_when_sent_again() -> (
    None
):
    record = load()
    power = next(
        seq
        for seq in range(0, len(record), len(TAGS))
        if record.turbine[seq // len(TAGS)] == "R80711"
        and (record.reading(seq).value or 0.0) > 1200.0
    )
    steered = Steered(record, None, None)
    set_at = record.reading(power).valid_at - 600_000_000
    steered.at(set_at)
    steered.device.override("R80711/power_limit", 500.0)
    # 2 % below what it is given; what was measured before it was set is what it was.
    assert steered.value(power) == 490.0
    assert steered.value(power - 4 * len(TAGS)) == record.reading(power - 4 * len(TAGS)).value
    # Set back halfway through the ten minutes, it measures the mean of both.
    steered.at(set_at + 300_000_000)
    steered.device.override("R80711/power_limit", RATED_KW)
    recorded = record.reading(power).value
    assert recorded is not None
    assert steered.value(power) == pytest.approx((490.0 + recorded) / 2.0, abs=0.01)
    assert steered.value(power + len(TAGS) - 1) == record.reading(power + len(TAGS) - 1).value
