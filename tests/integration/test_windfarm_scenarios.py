"""What is asked of the farm as it was on 1 January 2014: turn one, curtail all, stop one.

A twin hears six hours of the recorded farm. The wind then blew at 7 m/s from 184 degrees, so that
R80790 stood in the wake of R80721, 436 m behind it. What is expected is worked out member by
member from each member's own wind, by the formulas that ``tests/unit/test_windfarm_controls.py``
cites.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest
from jaxtyping import Float64

import gemeos as gm
from gemeos.ensemble.estimate import Estimate
from gemeos.errors import InterventionError
from gemeos.runtime.run import RunningSite
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.twins import windfarm
from gemeos.twins.windfarm import decisions
from gemeos.units.instant import SECOND
from gemeos_plants import windfarm as plant
from gemeos_plants.windfarm.record import EXTRACT

TABLE = Path(plant.__path__[0]) / "data" / EXTRACT
FARM = windfarm.farm("la_haute_borne")
CURVE = FARM.types["MM82"]
SINCE, UNTIL = "2014-01-01T08:40", "2014-01-01T14:40"
UPWIND, BEHIND, BESIDE = "R80721", "R80790", "R80736"
DIAMETER = 82.0
PATIENCE_S = 50.0


def batches() -> list[Batch]:
    columns = [form.channel.split("/")[-1] for form in FARM.channels.values()]
    with duckdb.connect() as database:
        rows = database.execute(
            f"SELECT Wind_turbine_name, Date_time, {', '.join(columns)} "  # noqa: S608
            "FROM read_parquet($table) WHERE Date_time "
            "BETWEEN $since::TIMESTAMP AND $until::TIMESTAMP ORDER BY 2, 1",
            {"table": str(TABLE), "since": SINCE, "until": UNTIL},
        ).fetchall()
    found: dict[int, list[Reading]] = {}
    for turbine, stamp, *values in rows:
        at = round(stamp.replace(tzinfo=dt.UTC).timestamp()) * SECOND
        found.setdefault(at, []).extend(
            Reading(Series("scada", f"{turbine}/{column}"), at, value, valid_from=at - 600 * SECOND)
            for column, value in zip(columns, values, strict=True)
            if value is not None
        )
    return [Batch(readings, at) for at, readings in found.items()]


@pytest.fixture(scope="module")
def site() -> Iterator[RunningSite]:
    told = batches()
    link = PlayedLink("scada", told)
    clock = gm.Replay(told[0].plant_time, 1.0, "recorded 2014")
    twin = windfarm.twin("farm", farm=FARM, members=64)
    with gm.run(gm.Site("la-haute-borne", twins=(twin,), links=(link,), clock=clock)) as running:
        assert link.played.wait(PATIENCE_S)
        asked(running, "as-it-is")
        yield running


def asked(site: RunningSite, name: str, changes: dict[str, str] | None = None) -> Estimate:
    return site["farm"].scenario(name, changes, until="20 min", every="10 min")


def of(estimate: Estimate, name: str) -> Float64[np.ndarray, " member"]:
    """Where each member's ``name`` ends."""
    return np.asarray(estimate[name].members[-1], np.float64)


def taken(
    told: Estimate, degrees: float = 0.0, share: Float64[np.ndarray, " member"] | float = 1.0
) -> Float64[np.ndarray, " member"]:
    """Share of its wind that R80721's wake takes from R80790, by each member's own numbers."""
    induction = np.linspace(0.0, 1.0 / 3.0, 10_001)
    given = induction * (1.0 - induction) ** 2  # C_P / 4, rising
    names = [t.name for t in FARM.turbines]
    apart = FARM.east_north_m[names.index(BEHIND)] - FARM.east_north_m[names.index(UPWIND)]
    heading = np.radians(of(told, "air.heading"))
    flow = -np.stack([np.sin(heading), np.cos(heading)])
    along, to_right = apart @ flow, apart @ np.stack([flow[1], -flow[0]])
    yaw, k = math.radians(degrees), of(told, f"{UPWIND}.wake_expansion")
    thrust = np.interp(of(told, f"{UPWIND}.speed"), CURVE.speed, CURVE.thrust)
    least = np.interp(0.5 * (1.0 - np.sqrt(1.0 - thrust)), induction, given) * share
    left = np.interp(least, given, induction)
    thrust = 4.0 * left * (1.0 - left) * math.cos(yaw)
    far, cosine, slowed = along / DIAMETER, math.cos(yaw), np.sqrt(1.0 - thrust)
    near = cosine * (1.0 + slowed) / math.sqrt(2.0)
    near /= 2.32 * (k - 0.003678) / 0.3837 + 0.154 * (1.0 - slowed)
    beyond = k * np.maximum(far - near, 0.0)
    wide, high = (beyond + c / math.sqrt(8.0) for c in (cosine, 1.0))
    root, size = np.sqrt(thrust), 1.6 * np.sqrt(8.0 * wide * high / cosine)
    bend = np.sqrt(cosine / (k * k * thrust)) / 14.7 * (2.9 + 1.3 * slowed - thrust)
    bend *= np.log((1.6 + root) * (size - root) / ((1.6 - root) * (size + root)))
    bend += np.minimum(far, near)
    bend *= 0.3 * yaw / cosine * (1.0 - np.sqrt(1.0 - thrust * cosine))
    wide, high = (k * far + c / math.sqrt(8.0) for c in (cosine, 1.0))
    greatest = 1.0 - np.sqrt(1.0 - thrust * cosine / (8.0 * wide * high))
    return greatest * np.exp(-0.5 * ((to_right / DIAMETER - bend) / wide) ** 2)


def test_that_with_one_turbine_out_the_next_has_its_wind_back(site: RunningSite) -> None:
    twin = site["farm"]
    before = twin.scenarios.estimate("as-it-is")
    after = asked(site, "one-out", decisions.out(FARM, [UPWIND]))
    lost = taken(before)
    assert lost.max() > 0.15
    # Its wake was all that was taken, but in the few members whose wind turned as far as another.
    back = of(after, f"{BEHIND}.speed") / of(before, f"{BEHIND}.speed")
    assert back == pytest.approx(1.0 / (1.0 - lost), rel=5e-3)
    # What stands gives its meter's error: half a per cent of 2,050 kW.
    assert np.abs(of(after, f"{UPWIND}.power")).max() < 5 * 0.005 * 2050.0
    gained = twin.compare("one-out", on=f"{BEHIND}.power")
    assert gained.mean_interval(0.95)[0][-1] > 0.0
    cost = twin.compare("one-out", on="farm.power")
    assert cost.mean[-1] < 0.0
    assert (of(after, f"{BESIDE}.power") == of(before, f"{BESIDE}.power")).all()


def test_that_turning_by_twenty_degrees_costs_one_and_frees_the_next(site: RunningSite) -> None:
    twin = site["farm"]
    before = twin.scenarios.estimate("as-it-is")
    after = asked(site, "turned", decisions.turned(FARM, {UPWIND: 20.0}))
    ratio = of(after, f"{BEHIND}.speed") / of(before, f"{BEHIND}.speed")
    assert ratio == pytest.approx((1.0 - taken(after, 20.0)) / (1.0 - taken(before)), rel=2e-3)
    # cos(20)^1.88 = 0.89 where power goes with the cube of the wind.
    own = of(after, f"{UPWIND}.power").mean() / of(before, f"{UPWIND}.power").mean()
    assert own == pytest.approx(0.89, abs=0.025)
    assert (of(after, f"{UPWIND}.potential") == of(before, f"{UPWIND}.potential")).all()


def test_that_a_curtailed_farm_gives_no_more_and_makes_less_wake(site: RunningSite) -> None:
    twin = site["farm"]
    before = twin.scenarios.estimate("as-it-is")
    after = asked(site, "curtailed", decisions.curtailed(FARM, 1200.0))
    assert of(after, "farm.power").max() <= 1200.0 + 1e-3
    for turbine in FARM.turbines:
        least = np.minimum(of(before, f"{turbine.name}.power"), 300.0)
        assert (of(after, f"{turbine.name}.power") >= least - 1e-3).all()
    ratio = of(after, f"{BEHIND}.speed") / of(before, f"{BEHIND}.speed")
    share = np.minimum(300.0 / of(before, f"{UPWIND}.power"), 1.0)
    expected = (1.0 - taken(before, share=share)) / (1.0 - taken(before))
    # From further east R80736, 912 m off at 156 degrees, throws its wake there too.
    alone = of(before, "air.heading") > 156.0 + 20.0
    assert alone.mean() > 0.5
    assert ratio[alone] == pytest.approx(expected[alone], rel=2e-3)
    assert ratio.max() > 1.1


def test_that_what_no_turbine_can_do_is_refused(site: RunningSite) -> None:
    with pytest.raises(InterventionError, match=r"-25 \.\. 25 deg"):
        asked(site, "too-far", {f"{UPWIND}.yaw_offset": "40 deg"})
