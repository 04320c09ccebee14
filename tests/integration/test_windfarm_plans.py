"""Yaw set-points for the wind as a twin knows it: taken where they are shown to gain, else not.

The first farm is three turbines in a row, described here, in a steady wind along the row that
carries little turbulence: there wakes are narrow, and turning them aside is known to gain. The
second is the recorded one, where the wind's direction is known to some eight degrees.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

import gemeos as gm
from gemeos.foresee.verdict import Advice
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.twins import windfarm
from gemeos.twins.windfarm import decisions
from gemeos.twins.windfarm.farm import EARTH_RADIUS_M, Farm
from gemeos.units.instant import SECOND
from tests.conftest import missing
from tests.integration.test_windfarm_scenarios import BEHIND, FARM, PATIENCE_S, UPWIND, batches

BEGIN = 1_400_000_400 * SECOND
"""A whole multiple of ten minutes."""
HOURS = 4
HEADING, SPEED = 180.0, 6.5
APART_M = 5 * 82.0
NAMES = ("South", "Middle", "North")

pytestmark = pytest.mark.timeout(150)


def row() -> Farm:
    """Three of the recorded farm's turbines, the first in the south, in calm and steady air."""
    degrees = np.degrees(APART_M / EARTH_RADIUS_M)
    some = replace(
        FARM.turbines[0],
        north_deg=0.0,
        elevation_m=0.0,
        speed_up=(1.0,),
        steepness=(0.0,),
        transfer=((0.0, 1.0),),
    )
    turbines = tuple(
        replace(some, name=name, latitude_deg=48.0 + i * float(degrees), longitude_deg=5.0)
        for i, name in enumerate(NAMES)
    )
    numbers = replace(
        FARM.numbers,
        turn_sd=2.0,
        swerve_sd=0.5,
        swing_sd=0.5,
        deviation_sd=0.01,
        vane_offset_sd=0.5,
        vane_noise=1.0,
        expansion=0.015,
        expansion_sd=0.05,
    )
    return replace(FARM, name="Row", turbines=turbines, numbers=numbers)


def steady() -> list[Batch]:
    """What the row's channels say in a light wind from the south; power is not told."""
    rng = np.random.default_rng(3)
    told = {"Ws_avg": SPEED, "Va_avg": 0.0, "Ba_avg": -1.0, "Ya_avg": HEADING, "Ot_avg": 12.0}
    noise = {"Ws_avg": 0.05, "Va_avg": 0.5, "Ba_avg": 0.01, "Ya_avg": 0.0, "Ot_avg": 0.1}
    out = []
    for step in range(6 * HOURS):
        at = BEGIN + step * 600 * SECOND
        readings = [
            Reading(
                Series("scada", f"{name}/{tag}"),
                at,
                value + noise[tag] * float(rng.normal()),
                valid_from=at - 600 * SECOND,
            )
            for name in NAMES
            # Of the wind only the first is heard: what the others have in the wake is to be told.
            for tag, value in told.items()
            if tag != "Ws_avg" or name == NAMES[0]
        ]
        out.append(Batch(readings, at))
    return out


@contextmanager
def running(farm: Farm, told: list[Batch], *, wakes: str = "gaussian") -> Iterator[RunningSite]:
    link = PlayedLink("scada", told)
    clock = gm.Replay(told[0].plant_time, 1.0, "made for a test")
    twin = windfarm.twin("farm", farm=farm, members=64, wakes=wakes)
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock)) as site:
        assert link.played.wait(PATIENCE_S)
        yield site


def assert_turned_where_that_gains(wakes: str) -> None:
    farm = row()
    with running(farm, steady(), wakes=wakes) as site:
        plan = site["farm"].optimise(
            over=decisions.steering(farm),
            until="10 min",
            every="10 min",
            maximise=decisions.MOST_POWER,
            budget="400 runs",
        )
        assert plan.advice is Advice.CHANGE
        (gain,) = plan.gains
        assert gain.low is not None
        assert gain.low > 0.0
        assert plan.winner is not None
        offsets = {name: float(text.split()[0]) for name, text in plan.winner.items()}
        assert abs(offsets["South.yaw_offset"]) > 10.0
        # The last one has nobody behind it: every degree would only cost.
        assert abs(offsets["North.yaw_offset"]) < 6.0
        tried = site["farm"].scenario("plan", plan.winner, until="10 min", every="10 min")
        assert tried["farm.power"].mean[-1] > 0.0
        more = site["farm"].compare("plan", on="farm.power")
        assert more.mean_interval()[0][-1] > 0.0


def test_that_the_wake_of_a_row_is_turned_aside_where_that_is_shown_to_gain() -> None:
    assert_turned_where_that_gains("gaussian")


def test_that_a_wake_of_floriss_is_turned_aside_as_well() -> None:
    if find_spec("floris") is None:
        missing("floris of the extra gemeos[floris]")
    assert_turned_where_that_gains("floris")


def test_that_nothing_is_turned_in_a_wind_whose_direction_is_not_known_well_enough() -> None:
    """Turning by 15 degrees costs 11 % of what one gives; the wake is missed half of the time."""
    with running(FARM, batches()) as site:
        twin = site["farm"]
        plan = twin.optimise(
            over=decisions.steering(FARM, [UPWIND]),
            until="10 min",
            every="10 min",
            maximise=decisions.MOST_POWER,
            budget="200 runs",
        )
        assert plan.advice is Advice.NOTHING
        assert plan.winner is not None
        assert abs(float(plan.winner[f"{UPWIND}.yaw_offset"].split()[0])) < 3.0
        for degrees in (-15.0, 15.0):
            name = f"turned-{degrees:g}"
            changes = decisions.turned(FARM, {UPWIND: degrees})
            twin.scenario(name, changes, until="10 min", every="10 min")
            assert twin.compare(name, on="farm.power").mean_interval()[1][-1] < 0.0
            assert twin.compare(name, on=f"{BEHIND}.power").mean[-1] > 0.0
