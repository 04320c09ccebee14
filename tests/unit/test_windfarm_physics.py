"""What a wind farm does in a given state: worked by hand from its description."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import Float32

from gemeos.ensemble.state import natural, newborn
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Input
from gemeos.twins.windfarm import Wakes, WindFarm, farm
from gemeos.twins.windfarm.farm import Farm
from gemeos.twins.windfarm.physics import FIRST_A_TURBINE
from gemeos.twins.windfarm.schema import AIR, NOT_HEARD

FARM = farm("la_haute_borne")
MODEL = WindFarm(FARM)
SCHEMA = MODEL.schema
NO_CONSTS = np.zeros((1, 0), np.float32)
STANDARD_C = 15.0


def state(schema: Schema = SCHEMA, **values: float) -> Float32[np.ndarray, "1 variable 3"]:
    """Three equal members in standard air; what is not named is at its prior's middle."""
    names = [v.name for v in schema.estimated]
    column = np.array([v.prior.typical for v in schema.estimated], np.float32)
    for name, value in {"air__warmth": STANDARD_C, **values}.items():
        column[names.index(name.replace("__", "."))] = value
    return np.repeat(column[None, :, None], 3, axis=2)


def driven(**values: float) -> Float32[np.ndarray, "1 driven 1"]:
    names = [v.name for v in SCHEMA.driven]
    column = np.array([v.default for v in SCHEMA.driven], np.float32)
    for name, value in values.items():
        column[names.index(name.replace("__", "."))] = value
    return column[None, :, None]


def outputs(
    model: WindFarm,
    values: Float32[np.ndarray, "1 variable 3"],
    inputs: Float32[np.ndarray, "1 driven 1"],
) -> dict[str, float]:
    told = model.observe(values, inputs, NO_CONSTS)[0, :, 0]
    return {v.name: float(x) for v, x in zip(model.schema.outputs, told, strict=True)}


def plain(described: Farm = FARM) -> WindFarm:
    """The farm at sea level: density, speed-up and anemometers take nothing and add nothing."""
    turbines = tuple(
        replace(
            t,
            elevation_m=-80.0,
            speed_up=(1.0,),
            steepness=(0.0,),
            transfer=((0.0, 1.0),),
            north_deg=0.0,
        )
        for t in described.turbines
    )
    return WindFarm(replace(described, turbines=turbines))


def stepped(
    model: WindFarm,
    values: Float32[np.ndarray, "1 variable 3"],
    inputs: Float32[np.ndarray, "1 driven 1"],
) -> Float32[np.ndarray, "1 variable 3"]:
    """One interval on, but in the same air: only what each turbine is told to do has changed."""
    moved = model.step(values, inputs, NO_CONSTS)
    after = values.copy()
    after[:, FIRST_A_TURBINE : moved.shape[1]] = moved[:, FIRST_A_TURBINE:]
    return after


def level_of(speed: float) -> float:
    """The stretched level at which the free wind is ``speed`` (without the rounding near calm)."""
    n = FARM.numbers
    apart = speed - n.quiet_speed
    return math.copysign(math.log1p(n.stretch * abs(apart)) / n.stretch, apart)


def test_that_a_level_is_told_back_as_the_wind_it_stands_for() -> None:
    for speed in (4.0, 5.8, 8.0, 14.0):
        out = outputs(MODEL, state(air__level=level_of(speed)), driven())
        # The rounding near calm adds 0.25 c^2 / v: 0.016 at 4 m/s.
        assert out["air.speed"] == pytest.approx(speed, abs=0.02)


def test_that_a_turbine_in_free_standard_air_gives_its_curve() -> None:
    model = plain()
    out = outputs(
        model, state(model.schema, air__level=level_of(8.0), air__direction=240.0), driven()
    )
    expected = np.interp(8.0, FARM.types["MM82"].speed, FARM.types["MM82"].power)
    # 240 degrees is across the row: no wake reaches anyone; the slope is 0.3 kW per mm/s.
    for turbine in FARM.turbines:
        assert out[f"{turbine.name}.power"] == pytest.approx(expected, rel=0.01)
        assert out[f"{turbine.name}.wake_loss"] == pytest.approx(0.0, abs=1.0)
    assert out["farm.power"] == pytest.approx(4 * expected, rel=0.01)


def test_that_cold_air_gives_more_by_the_cube_root_of_its_density() -> None:
    model = plain()
    warm, cold = (
        outputs(
            model,
            state(model.schema, air__level=level_of(8.0), air__direction=240.0, air__warmth=c),
            driven(R80711__heard_temperature=30.0),
        )["R80711.potential"]
        for c in (15.0, -10.0)
    )
    # What its own thermometer said last does not matter: it may have been silent for months.
    factor = (288.15 / 263.15) ** (1 / 3)
    speed, power = FARM.types["MM82"].speed, FARM.types["MM82"].power
    expected = np.interp(8.0 * factor, speed, power) / np.interp(8.0, speed, power)
    assert cold / warm == pytest.approx(expected, rel=2e-3)


def test_that_the_turbine_straight_behind_loses_what_the_wake_takes() -> None:
    """Wind from 331 degrees puts R80790 behind R80711, 421 m away: Bastankhah by hand."""
    model = plain()
    out = outputs(
        model, state(model.schema, air__level=level_of(8.0), air__direction=331.0), driven()
    )
    place = FARM.east_north_m
    blowing = np.array([-math.sin(math.radians(331.0)), -math.cos(math.radians(331.0))])
    apart = place[3] - place[0]
    downstream = float(apart @ blowing)
    across = float(apart @ np.array([blowing[1], -blowing[0]]))
    width = FARM.numbers.expansion * downstream + 82.0 / math.sqrt(8.0)
    thrust = float(np.interp(8.0, FARM.types["MM82"].speed, FARM.types["MM82"].thrust))
    greatest = 1.0 - math.sqrt(1.0 - thrust / (8.0 * (width / 82.0) ** 2))
    taken = greatest * math.exp(-0.5 * (across / width) ** 2)
    assert out["R80790.speed"] == pytest.approx(8.0 * (1.0 - taken), rel=2e-3)
    assert out["R80711.speed"] == pytest.approx(8.0, rel=2e-3)
    assert out["R80790.wake_loss"] > 100.0


def test_that_a_stopped_turbine_makes_no_wake_and_gives_nothing() -> None:
    model = plain()
    inputs = driven(R80711__pitch=90.0, R80711__heard_wind=8.0)
    values = state(model.schema, air__level=level_of(8.0), air__direction=331.0)
    out = outputs(model, stepped(model, values, inputs), inputs)
    assert out["R80711.power"] == 0.0
    assert out["R80711.lost_power"] == pytest.approx(out["R80711.potential"])
    assert out["R80790.speed"] == pytest.approx(8.0, rel=0.02)


@pytest.mark.parametrize(
    ("pitch", "heard", "cap"),
    [(-1.0, 300.0, 300.0), (20.0, 300.0, 300.0), (90.0, -3.0, 0.0), (-1.0, 700.0, None)],
)
def test_that_a_held_back_turbine_gives_what_it_gives(
    pitch: float, heard: float, cap: float | None
) -> None:
    """At 8 m/s the curve says 880 kW: 300 is iced or curtailed, 700 is scatter."""
    inputs = driven(R80711__pitch=pitch, R80711__heard_wind=8.0, R80711__heard_power=heard)
    values = state(air__level=level_of(9.0), R80711__news=2.0)
    out = outputs(MODEL, values, inputs)
    expected = out["R80711.potential"] if cap is None else cap
    assert out["R80711.power"] == pytest.approx(expected)


def test_that_members_agree_on_a_held_back_turbine_so_that_nothing_is_learned() -> None:
    values = state(air__level=level_of(9.0), R80711__news=2.0)
    performance = [v.name for v in SCHEMA.estimated].index("R80711.performance")
    values[0, performance] = [0.9, 1.0, 1.1]
    inputs = driven(R80711__heard_wind=8.0, R80711__heard_power=300.0)
    power = MODEL.observe(values, inputs, NO_CONSTS)[0, 0]
    assert (power == power[0]).all()


def test_that_a_power_heard_long_ago_holds_nobody_back() -> None:
    inputs = driven(R80711__pitch=-1.0, R80711__heard_wind=8.0, R80711__heard_power=300.0)
    values = state(air__level=level_of(9.0))
    once = MODEL.step(values, inputs, NO_CONSTS)
    names = [v.name for v in SCHEMA.states]
    before, news = names.index("R80711.power_before"), names.index("R80711.news")
    assert once[0, before, 0] == 300.0
    assert once[0, news, 0] == 2.0
    twice = MODEL.step(np.concatenate([once, values[:, len(names) :]], axis=1), inputs, NO_CONSTS)
    assert twice[0, news, 0] == 0.0


def test_that_a_broken_thermometer_is_compared_with_nothing() -> None:
    heard = {f"{t.name}__heard_temperature": 12.0 for t in FARM.turbines}
    heard["R80721__heard_temperature"] = -273.2
    out = outputs(MODEL, state(), driven(**heard))
    assert math.isnan(out["R80721.temperature"])
    assert math.isfinite(out["R80711.temperature"])


def test_that_a_vane_reads_wind_less_nacelle() -> None:
    values = state(air__direction=725.0, R80711__vane_offset=2.0)
    out = outputs(MODEL, values, driven(R80711__yaw=340.0))
    north = FARM.turbines[0].north_deg
    assert out["R80711.vane"] == pytest.approx(725.0 - 340.0 - north + 2.0, abs=1e-3)
    assert math.isnan(out["R80721.vane"])
    assert out["air.heading"] == pytest.approx(5.0, abs=1e-3)


def test_that_daily_waves_return_after_a_day() -> None:
    names = [v.name for v in SCHEMA.states]
    values = state(air__day_wave=3.0, air__day_wave_before=-1.0, air__half_day_wave=0.5)
    now = values
    quarter = None
    for step in range(144):
        now = np.concatenate(
            [MODEL.step(now, driven(), NO_CONSTS), values[:, len(names) :]], axis=1
        )
        if step == 35:
            quarter = now[0, names.index("air.day_wave_before"), 0]
    rows = [names.index(n) for n in ("air.day_wave", "air.day_wave_before", "air.half_day_wave")]
    assert now[0, rows, 0] == pytest.approx([3.0, -1.0, 0.5], abs=1e-3)
    # Six hours on, what was a quarter of a period before is what then was: minus, as cos turns.
    assert quarter == pytest.approx(-3.0, abs=1e-3)


@pytest.mark.no_cover
def test_that_the_wind_forgets_and_settles_at_its_middle() -> None:
    """Without chance, direction held and no daily wave, the level goes to where it is drawn to."""
    values = state(air__level=4.0, air__mean_short=4.0, air__mean_long=4.0, air__mean_days=4.0)
    for _ in range(144 * 60):
        moved = MODEL.step(values, driven(), NO_CONSTS)
        values = np.concatenate([moved, values[:, moved.shape[1] :]], axis=1)
    n = FARM.numbers
    # At 180 degrees: cos D = -1, cos 2D = 1; solve to = m - (c1 + lc (to - m)) + c2.
    drawn = n.middle + (-n.pull_by_direction[0] + n.pull_by_direction[2]) / (1 + n.pull_by_level[0])
    assert values[0, 0, 0] == pytest.approx(drawn, abs=1e-3)
    assert values[0, len(AIR) - 1, 0] == pytest.approx(drawn, abs=1e-3)


def test_that_members_do_not_mix() -> None:
    born = newborn(SCHEMA, np.array([7], np.uint64), members=8, channels=0)
    values = natural(SCHEMA, born.members)
    inputs = driven(R80711__heard_wind=8.0)
    order = np.array([3, 1, 7, 0, 2, 6, 5, 4])
    turned = MODEL.observe(values[:, :, order], inputs, NO_CONSTS)
    assert np.array_equal(
        turned, MODEL.observe(values, inputs, NO_CONSTS)[:, :, order], equal_nan=True
    )
    turned = MODEL.step(values[:, :, order], inputs, NO_CONSTS)
    assert np.array_equal(turned, MODEL.step(values, inputs, NO_CONSTS)[:, :, order])


def test_that_another_description_is_another_model() -> None:
    other = replace(FARM, numbers=replace(FARM.numbers, expansion=0.06))
    moved = replace(FARM, turbines=(replace(FARM.turbines[0], north_deg=1.0), *FARM.turbines[1:]))
    told = {WindFarm(f).identity for f in (FARM, other, moved)}
    assert len(told) == 3
    assert WindFarm(FARM, wakes=Wakes.NONE).identity not in told


def test_that_an_input_that_was_never_heard_means_nothing() -> None:
    inputs = [v for v in SCHEMA.driven if isinstance(v, Input) and v.echo is None]
    assert all(v.default == NOT_HEARD for v in inputs)
    out = outputs(MODEL, state(air__level=level_of(8.0)), driven())
    assert out["farm.lost_power"] == 0.0


def test_that_an_iced_anemometer_does_not_hide_that_its_turbine_stands() -> None:
    """As on 28 December 2014: two stood with 2.5 m/s told while the others ran at 7."""
    heard = {f"{t.name}__heard_wind": 7.0 for t in FARM.turbines}
    heard |= {"R80711__heard_wind": 2.5, "R80711__pitch": 90.0}
    inputs = driven(**heard)
    out = outputs(MODEL, stepped(MODEL, state(air__level=level_of(7.0)), inputs), inputs)
    assert out["R80711.power"] == 0.0
    assert out["R80736.power"] > 300.0


def test_that_two_iced_anemometers_of_four_do_not_hide_that_their_turbines_stand() -> None:
    """The middle of 2.7, 3.0, 5.8 and 6.1 m/s, as on that day, is no wind to run in."""
    told = zip(FARM.turbines, (2.7, 3.0, 5.8, 6.1), (90.0, 90.0, -1.0, -1.0), strict=True)
    heard: dict[str, float] = {}
    for turbine, wind, pitch in told:
        heard |= {f"{turbine.name}__heard_wind": wind, f"{turbine.name}__pitch": pitch}
    inputs = driven(**heard)
    out = outputs(MODEL, stepped(MODEL, state(air__level=level_of(6.0)), inputs), inputs)
    assert out["R80711.power"] == out["R80721.power"] == 0.0
    assert out["R80736.power"] > 200.0


def test_that_the_anemometer_behind_a_standing_rotor_is_doubted_and_no_other_is() -> None:
    values = many(4000, air__level=level_of(7.0), air__direction=240.0)
    names = [v.name for v in SCHEMA.estimated]
    rng = np.random.default_rng(6)
    for turbine in FARM.turbines:
        values[0, names.index(f"{turbine.name}.chance")] = rng.standard_normal(4000)
    told = MODEL.observe(values, driven(R80711__pitch=90.0, R80711__heard_wind=3.0), NO_CONSTS)[0]
    outs = [v.name for v in SCHEMA.outputs]
    standing, running = (told[outs.index(f"{name}.wind")] for name in ("R80711", "R80736"))
    # Half of the wind, as in ice, lies two and a half deviations away.
    assert standing.std() / standing.mean() == pytest.approx(0.2, rel=0.05)
    assert np.ptp(running) == 0.0


def test_that_rotors_catch_more_or_less_than_blows_at_their_hubs_together_and_each_alone() -> None:
    model = plain()
    middle = {"air__level": level_of(8.0), "air__direction": 240.0}
    usual = outputs(model, state(model.schema, **middle), driven())
    shared = outputs(model, state(model.schema, **middle, air__shear=2.0), driven())
    single = outputs(model, state(model.schema, **middle, R80711__shear=2.0), driven())
    curve = FARM.types["MM82"]
    for out, sd in ((shared, FARM.numbers.shear_sd[0]), (single, FARM.numbers.shear_sd[1])):
        caught = np.interp(usual["R80711.speed"] * math.exp(2.0 * sd), curve.speed, curve.power)
        assert out["R80711.power"] == pytest.approx(caught, rel=2e-3)
        assert out["R80711.wind"] == usual["R80711.wind"]
    assert single["R80736.power"] == usual["R80736.power"]
    assert shared["R80736.power"] > 1.02 * usual["R80736.power"]


@pytest.mark.parametrize(("speed", "share"), [(3.0, 1.0), (6.0, 0.25), (12.0, 0.0625)])
def test_that_vanes_swing_less_by_the_square_of_the_wind(speed: float, share: float) -> None:
    model = plain()
    inputs = driven(R80711__yaw=200.0, R80711__heard_wind=speed, R80721__heard_wind=speed)
    middle = {"air__level": level_of(speed), "air__direction": 240.0}
    still, swung = (
        outputs(model, state(model.schema, **middle, R80711__swing=swing), inputs)["R80711.vane"]
        for swing in (0.0, 1.0)
    )
    # The rounding near calm makes 3 m/s 3.02: swing there is less by 1.4 per cent.
    assert swung - still == pytest.approx(share * FARM.numbers.swing_sd, rel=0.02)


def test_that_what_passes_in_the_direction_is_forgotten_and_the_direction_is_not() -> None:
    names = [v.name for v in SCHEMA.states]
    rows = [names.index("air.direction"), names.index("air.swerve")]
    values = state(air__direction=200.0, air__swerve=60.0)
    after = MODEL.step(values, driven(), NO_CONSTS)[0, rows, 0]
    # Ten minutes of 18: exp(-10/18).
    assert after == pytest.approx([200.0, 60.0 * math.exp(-10.0 / 18.0)], rel=1e-5)
    assert outputs(MODEL, values, driven())["air.heading"] == pytest.approx(260.0, abs=1e-3)


def test_that_a_turbine_that_waits_for_wind_is_not_held_back() -> None:
    heard = {f"{t.name}__heard_wind": 2.0 for t in FARM.turbines}
    heard |= {f"{t.name}__pitch": 45.0 for t in FARM.turbines}
    inputs = driven(**heard)
    out = outputs(MODEL, stepped(MODEL, state(air__level=level_of(6.0)), inputs), inputs)
    assert out["farm.lost_power"] == 0.0


def many(members: int, **values: float) -> Float32[np.ndarray, "1 variable member"]:
    return np.repeat(state(SCHEMA, **values)[:, :, :1], members, axis=2)


@pytest.mark.parametrize("pitch", [90.0, 20.0])
def test_that_a_turbine_that_stands_or_is_held_back_is_shown_with_its_meter_s_own_doubt(
    pitch: float,
) -> None:
    """A power transducer of class 0.5 is off by half a per cent of the rated 2,050 kW: 10 kW."""
    inputs = driven(R80711__pitch=pitch, R80711__heard_wind=8.0, R80711__heard_power=300.0)
    values = many(4000, air__level=level_of(9.0), R80711__news=2.0)
    chance = [v.name for v in SCHEMA.estimated].index("R80711.chance")
    values[0, chance] = np.random.default_rng(3).standard_normal(4000)
    power = MODEL.observe(values, inputs, NO_CONSTS)[0, 0]
    assert power.mean() == pytest.approx(300.0, abs=1.0)
    assert power.std() == pytest.approx(0.005 * 2050.0, rel=0.05)


def test_that_blades_that_were_out_for_a_part_of_the_interval_cost_that_part() -> None:
    """Its power is not heard. At 75 degrees nothing is given: 30 degrees on average cost 0.4."""
    inputs = driven(R80711__pitch=30.0, R80711__heard_wind=8.0)
    values = stepped(MODEL, state(air__level=level_of(8.0)), inputs)
    out = outputs(MODEL, values, inputs)
    assert out["R80711.power"] == pytest.approx(0.6 * out["R80711.potential"], rel=1e-4)


def test_that_a_stopped_turbine_that_falls_silent_starts_again_as_turbines_do() -> None:
    """Of 20,000 that stood, exp(-1) still stand after the mean time, but for those that stop."""
    size = 20_000
    inputs = driven(R80711__pitch=90.0, R80711__heard_wind=8.0)
    values = stepped(MODEL, many(size, air__level=level_of(8.0)), inputs)
    names = [v.name for v in SCHEMA.estimated]
    idle, chance = names.index("R80711.idle"), names.index("R80711.chance")
    assert (values[0, idle] == 1.0).all()
    rng = np.random.default_rng(5)
    for _ in range(round(FARM.numbers.stop_hours * 6)):
        values[0, chance] = rng.standard_normal(size)
        values = stepped(MODEL, values, inputs)
    still = float(values[0, idle].mean())
    # Steps of 1/48: (47/48)^48 = 0.364; 1 in 3,600 stops at each step, 0.006 by then.
    assert still == pytest.approx(0.364 + 0.006, abs=0.011)


def test_that_neighbours_have_more_in_common_than_turbines_far_apart() -> None:
    """Half the mean square difference of an exponential field, whatever mean is taken off."""
    n, place = FARM.numbers, FARM.east_north_m / 1000.0
    covariance = MODEL.shared @ MODEL.shared.T
    for i in range(4):
        for j in range(i):
            apart = math.dist(place[i], place[j])
            half = (covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]) / 2
            expected = n.deviation_sd**2 * (1.0 - math.exp(-apart / n.deviation_km))
            assert half == pytest.approx(expected, rel=1e-9)
    assert np.abs(covariance.sum(axis=0)).max() < 1e-12


def test_that_a_steep_turbine_gains_on_the_free_wind() -> None:
    """Told to go with (free/7)^0.1 besides: 1 at 7 m/s, 1.0718 at 14."""
    model = plain()
    turbines = (
        replace(model.farm.turbines[0], speed_up=(1.1,), steepness=(0.1,)),
        *model.farm.turbines[1:],
    )
    model = WindFarm(replace(model.farm, turbines=turbines))
    for speed, share in ((7.0, 1.1), (14.0, 1.1 * 2**0.1)):
        values = state(model.schema, air__level=level_of(speed), air__direction=240.0)
        out = outputs(model, values, driven())
        assert out["R80711.speed"] / out["R80736.speed"] == pytest.approx(share, rel=2e-3)


def test_that_turbines_differ_by_half_as_much_again_in_a_calm_as_in_a_moderate_wind() -> None:
    model, apart = plain(), {}
    for speed in (3.0, 6.0, 13.0):
        values = state(model.schema, air__level=level_of(speed), air__direction=240.0)
        values[0, [v.name for v in SCHEMA.estimated].index("R80711.deviation")] = 1.0
        out = outputs(model, values, driven())
        apart[speed] = out["R80711.speed"] - out["R80736.speed"]
    assert apart[3.0] == pytest.approx(1.5 * apart[6.0], rel=1e-4)
    assert apart[13.0] == pytest.approx(apart[6.0] * 13.0 / FARM.numbers.deviation_calm, rel=2e-3)


def test_that_vanes_in_a_calm_are_compared_with_nothing() -> None:
    heard = {f"{t.name}__heard_wind": 1.5 for t in FARM.turbines}
    heard |= {f"{t.name}__yaw": 200.0 for t in FARM.turbines}
    assert math.isnan(outputs(MODEL, state(), driven(**heard))["R80711.vane"])
    # One anemometer of four that stands still is not a calm.
    heard |= {f"{t.name}__heard_wind": 6.0 for t in FARM.turbines[1:]}
    assert math.isfinite(outputs(MODEL, state(), driven(**heard))["R80711.vane"])
