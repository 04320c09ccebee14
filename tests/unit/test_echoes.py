"""Inputs that tell where reality has a control: they follow what is heard, and no thought."""

from __future__ import annotations

import numpy as np
import pytest

from gemeos.assimilate.observe import NO_CHANNEL, Observed, steady
from gemeos.errors import UnknownNameError
from gemeos.foresee.relive import Setting
from gemeos.runtime.channels import Bound, channels_of
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.scoring import not_before
from gemeos.runtime.window import Windows, rows_of
from gemeos.schema.binding import Binding
from gemeos.schema.prior import Normal
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Control, Input, Measure, Sensor, State, Variable
from gemeos.twins.windfarm import WindFarm, bound, farm
from gemeos.twins.windfarm.schema import windfarm_schema
from gemeos.twins.windfarm.sensors import NO_CAP, cap, idle_share
from gemeos.units.instant import SECOND

STEP = 600
FARM = farm("la_haute_borne")
SCHEMA = windfarm_schema(FARM)


def declared(*more: Variable) -> Schema:
    return Schema(
        "tank",
        STEP * SECOND,
        (
            State("level", "m", Normal(1.0, 1.0)),
            Control("valve", "m^3/s", (0.0, 2.0), default=1.0),
            Sensor("flow", "m^3/s", 0.1, Measure.MEAN, float(STEP)),
            Sensor("gauge", "m", 0.1),
            *more,
        ),
    )


ECHOED = declared(Input("heard_valve", "m^3/s", default=1.0, echo="valve"))


def test_that_an_echo_of_no_control_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="valve"):
        declared(Input("heard", "m", default=0.0, echo="valves"))


def test_that_schemas_that_differ_by_an_echo_only_do_not_mean_the_same() -> None:
    plain = declared(Input("heard_valve", "m^3/s", default=1.0))
    assert plain.fingerprint != ECHOED.fingerprint


def test_that_what_is_heard_of_a_control_is_heard_by_its_echo_too() -> None:
    series = Series("plant", "valve")
    channels = channels_of(ECHOED, "tank", [Binding(series, "tank", "valve")])
    windows, at = Windows(1, ECHOED.step), np.array([7 * STEP * SECOND])
    none, first = np.zeros(1, np.int64), np.zeros(1, np.int32)
    rows = rows_of(first, first, at, at, none, np.ones(1, np.bool_), np.array([0.3]))
    windows.insert(none, rows)
    read = Bound(ECHOED, [channels]).gathered(none, [7], *windows.at([0], [7]))
    assert [v.name for v in ECHOED.driven] == ["heard_valve", "valve"]
    assert read.driven_after.tolist() == [[0.3, 0.3]]


def read_while(valve: float) -> Observed:
    """Flow and gauge at an instant at which the valve is told to stand there."""
    return Observed(
        tick=np.array([7]),
        channel=np.array([[0, 1]], np.int32),
        sensor=np.array([[0, 1]], np.int32),
        value=np.array([[0.7, 1.0]]),
        variance=np.full((1, 2), 0.01),
        valid_at=np.full((1, 2), 7 * STEP * SECOND),
        driven_before=np.full((1, 2), np.nan),
        driven_after=np.array([[valve, valve]]),
    )


def test_that_an_average_over_a_step_in_which_a_control_moved_is_not_compared() -> None:
    stood = np.array([[1.0, 1.0]])
    assert steady(ECHOED, stood, read_while(1.0)).compared.tolist() == [[True, True]]
    moved = steady(ECHOED, stood, read_while(0.3))
    # What is read at an instant is so then, wherever the valve stood before.
    assert moved.compared.tolist() == [[False, True]]
    assert moved.channel.tolist() == [[NO_CHANNEL, 1]]
    # Where no input depends on it, members know of no condition that could be mistaken.
    assert steady(declared(), stood[:, :1], read_while(0.3)).compared.all()


def heard(**told: float) -> np.ndarray:
    """All turbines in a wind of 10 m/s that are heard so."""
    usual = {"pitch": -1.0, "heard_temperature": 10.0, "heard_power": 1500.0, "heard_wind": 10.0}
    values = {**usual, **told}
    row = [values.get(v.name.split(".")[1], v.default or 0.0) for v in SCHEMA.driven]
    return np.array(row, np.float32)[None, :, None]


def test_that_a_turbine_that_was_stopped_on_purpose_does_not_stand_of_its_own() -> None:
    stands = {"pitch": 86.0, "heard_power": -4.0}
    assert (idle_share(FARM, heard(**stands)) == 1.0).all()
    assert (idle_share(FARM, heard(**stands, heard_running=0.0)) == 0.0).all()
    # A thought is none: the turbine that only is to be stopped stands of its own.
    assert (idle_share(FARM, heard(**stands, running=0.0)) == 1.0).all()


def test_that_a_turbine_at_its_limit_is_not_held_back_by_anything_else() -> None:
    news = np.ones((1, len(FARM.turbines), 1), np.bool_)
    held = {"pitch": 16.0, "heard_power": 490.0}
    # A third of what its wind is good for, blades turned out: it may give what its meter says.
    assert (cap(FARM, heard(**held), news) == 490.0).all()
    assert (cap(FARM, heard(**held, heard_limit=500.0), news) == NO_CAP).all()
    assert (idle_share(FARM, heard(**held, heard_limit=500.0)) == 0.0).all()
    # One that gives a third of its limit has a reason of its own.
    assert (cap(FARM, heard(**held, heard_limit=1500.0), news) == 490.0).all()


def test_that_a_report_from_before_a_control_was_set_does_not_undo_the_setting() -> None:
    declared = bound("farm", WindFarm(FARM), members=8)
    declared.bind("scada:limit", to="R80711.power_limit")
    fleet = Fleet(
        declared.cycle(), [declared.enrolment], members=8, seed=1, horizon=declared.horizon
    )
    place = [v.name for v in SCHEMA.driven].index("R80711.power_limit")
    minute, wind = 60 * SECOND, "R80711/Ws_avg"
    # On a grid of ten minutes: set at 12:04; told at 11:55, 12:01, 12:04, 12:11 and at 12:03 of
    # the wind.
    noon = 72 * 600 * SECOND
    told = [("limit", -5), ("limit", 1), (wind, 3), ("limit", 4), ("limit", 11)]
    book = SeriesBook()
    rows = [Reading(Series("scada", c), noon + at * minute, 5.0) for c, at in told]
    setting = Setting(noon + 4 * minute, place, 500.0)
    left = not_before([setting], fleet, "farm", Readings.of(rows, book), book)
    # 11:55 counts at noon, from when on the step is gone through with the setting.
    assert (left.valid_at // minute - noon // minute).tolist() == [3, 11]
    of_another = Setting(noon + 4 * minute, place + 1, 500.0)
    assert len(not_before([of_another], fleet, "farm", Readings.of(rows, book), book)) == 5
