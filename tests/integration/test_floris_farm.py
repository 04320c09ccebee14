"""A living farm with FLORIS's wakes: what FLORIS says, for all members at once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import numpy as np
import pytest

from gemeos.engines.floris import Floris, Machine, Steady
from gemeos.errors import InputError, SettingsError, UnknownNameError
from gemeos.twins import windfarm
from gemeos.twins.windfarm import Wakes, WindFarm
from gemeos.twins.windfarm.floris_wakes import floris_of, taken_by_floris
from gemeos.twins.windfarm.steering import Controls
from tests.conftest import missing
from tests.integration.test_windfarm_plans import row

DIAMETER_M = 125.88
APART_M = 5 * DIAMETER_M
WEST = 270.0


@pytest.fixture(scope="module", autouse=True)
def floris() -> None:
    if find_spec("floris") is None:
        missing("FLORIS, of the extra gemeos[floris]")


def nrel() -> Machine:
    """FLORIS's own description of the NREL 5 MW turbine."""
    from floris import FlorisModel  # noqa: PLC0415 - an extra

    model = FlorisModel("defaults")
    (kind,) = model.core.farm.turbine_definitions[:1]
    table = kind["power_thrust_table"]
    return Machine(
        "nrel",
        kind["hub_height"],
        kind["rotor_diameter"],
        *(tuple(map(float, table[k])) for k in ("wind_speed", "power", "thrust_coefficient")),
    )


def in_a_row(*east: float) -> Steady:
    places = tuple((at, 0.0) for at in east)
    return Steady(Floris(places, machines=(nrel(),) * len(places)))


def at(speed: float, states: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wind along the row, with FLORIS's usual turbulence."""
    return np.full(states, WEST), np.full(states, speed), np.full(states, 0.06)


def test_that_a_machine_told_by_its_curves_is_the_one_of_floriss_library() -> None:
    from floris import FlorisModel  # noqa: PLC0415 - an extra

    own = FlorisModel("defaults")
    own.set(
        layout_x=[0.0, APART_M, 2 * APART_M],
        layout_y=[0.0, 0.0, 0.0],
        wind_shear=0.0,
        wind_directions=[WEST],
        wind_speeds=[8.0],
        turbulence_intensities=[0.06],
        yaw_angles=np.array([[20.0, -15.0, 0.0]]),
    )
    own.run()
    expected = own.get_turbine_powers()[0] / 1000.0
    told = in_a_row(0.0, APART_M, 2 * APART_M).power(*at(8.0), np.array([[20.0, -15.0, 0.0]]))[0]
    assert told == pytest.approx(expected, rel=1e-9)


def test_that_one_that_stands_is_as_if_it_were_not_there() -> None:
    yaw = np.zeros((1, 3))
    limit = np.array([[0.0, np.inf, np.inf]])
    power, wind, thrust = in_a_row(0.0, APART_M, 2 * APART_M).all(*at(8.0), yaw, limit)[:, 0]
    alone = in_a_row(APART_M, 2 * APART_M).all(*at(8.0), np.zeros((1, 2)))[:, 0]
    assert power[0] == pytest.approx(0.0, abs=1e-3)
    assert thrust[0] == pytest.approx(0.0, abs=1e-6)
    assert power[1:] == pytest.approx(alone[0], rel=1e-6)
    assert wind[1:] == pytest.approx(alone[1], rel=1e-6)


def test_that_a_limit_is_kept_and_leaves_more_to_those_behind() -> None:
    whole, limited = (
        in_a_row(0.0, APART_M).all(*at(8.0), np.zeros((1, 2)), np.array([[most, np.inf]]))[0, 0]
        for most in (np.inf, 800.0)
    )
    assert limited[0] == pytest.approx(800.0)
    assert limited[1] > whole[1]


def test_that_a_limit_ends_with_the_call_that_set_it() -> None:
    row, free = in_a_row(0.0, APART_M), np.zeros((1, 2))
    before = row.power(*at(8.0), free)
    row.all(*at(8.0), free, np.array([[800.0, np.inf]]))
    assert row.power(*at(8.0), free).tolist() == before.tolist()


def test_that_only_machines_can_be_limited() -> None:
    library = Steady(Floris(((0.0, 0.0), (APART_M, 0.0))))
    with pytest.raises(InputError, match="Only turbines that are told as machines"):
        library.all(*at(8.0), np.zeros((1, 2)), np.array([[800.0, np.inf]]))


def test_that_no_wind_and_a_storm_have_numbers() -> None:
    told = in_a_row(0.0, APART_M).all(
        np.full(3, WEST),
        np.array([0.5, 2.0, 39.0]),
        np.full(3, 0.06),
        np.zeros((3, 2)),
        np.array([[np.inf, 0.0], [500.0, 0.0], [500.0, np.inf]]),
    )
    assert np.isfinite(told).all()
    assert told[0].max() == pytest.approx(0.0, abs=1e-3)


@pytest.fixture(scope="module")
def members() -> Mapping[str, np.ndarray]:
    """Three turbines in a row to the north, a wind about the south."""
    rng = np.random.default_rng(5)
    count = 40
    return {
        "local": (7.0 + 0.5 * rng.normal(size=(1, 3, count))).astype(np.float32),
        "direction": (180.0 + 5.0 * rng.normal(size=(1, count))).astype(np.float32),
        "expansion": np.full((1, 3, count), 0.03, np.float32),
        "idle": np.zeros((1, 3, count), np.float32),
    }


def asked(*degrees: float) -> Controls:
    yaw = np.radians(np.array(degrees, np.float32))[None, :, None]
    return Controls(yaw, np.full_like(yaw, np.inf), np.ones_like(yaw))


def test_that_a_member_is_told_the_same_in_any_company(members: Mapping[str, np.ndarray]) -> None:
    there = floris_of(row())
    whole = taken_by_floris(there, **members, asked=asked(20.0, 10.0, 0.0))
    some = {name: values[..., 17:19] for name, values in members.items()}
    few = taken_by_floris(there, **some, asked=asked(20.0, 10.0, 0.0))
    assert whole[..., 17:19].tobytes() == few.tobytes()


@pytest.mark.parametrize("failed", ["local", "direction", "expansion", "idle"])
def test_that_a_member_that_failed_has_no_number_and_leaves_the_others_alone(
    members: Mapping[str, np.ndarray], failed: str
) -> None:
    there, turned = floris_of(row()), asked(20.0, 10.0, 0.0)
    sound = taken_by_floris(there, **members, asked=turned)
    lost = members[failed].copy()
    lost[..., 17] = np.nan
    told = taken_by_floris(there, **{**members, failed: lost}, asked=turned)
    others = np.arange(told.shape[-1]) != 17
    assert np.isnan(told[..., 17]).all()
    assert told[..., others].tobytes() == sound[..., others].tobytes()


def test_that_turning_the_first_one_lets_more_wind_to_those_behind(
    members: Mapping[str, np.ndarray],
) -> None:
    there = floris_of(row())
    still = taken_by_floris(there, **members, asked=asked(0.0, 0.0, 0.0))
    turned = taken_by_floris(there, **members, asked=asked(25.0, 0.0, 0.0))
    assert (still[0, 0] == 0).all()  # nobody stands before it
    assert still[0, 1].mean() > turned[0, 1].mean() + 0.02
    stand = {**members, "idle": members["idle"] + 1}
    assert (taken_by_floris(there, **stand, asked=asked(0.0, 0.0, 0.0)) < 1e-6).all()


def test_that_whose_wakes_it_has_is_part_of_what_a_farm_is() -> None:
    assert len({WindFarm(row(), wakes=each).identity for each in Wakes}) == len(Wakes)


def test_that_other_wakes_are_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"'florid'.*Did you mean 'floris'"):
        windfarm.twin("farm", farm=row(), wakes="florid")
    with pytest.raises(SettingsError, match="2 places and 1 machines"):
        Floris(((0.0, 0.0), (1.0, 0.0)), machines=(nrel(),))
