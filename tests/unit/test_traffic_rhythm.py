"""How demand rises and falls by files, and which moment they speak of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from gemeos.engines.sumo import Sumo
from gemeos.engines.sumo.inside import BEGIN
from gemeos.errors import SettingsError, UnknownNameError
from gemeos.twins.traffic.calendar import Calendar
from gemeos.twins.traffic.demand.rhythm import NONE_KNOWN, rhythm_of
from gemeos.twins.traffic.district import District
from gemeos.units import instant
from gemeos.units.instant import SECOND

BEGAN = "2026-03-02T07:00Z"


def evenly(road: str, begin: float, end: float, count: int) -> list[tuple[float, str]]:
    return [(begin + (k + 0.5) * (end - begin) / count, road) for k in range(count)]


def test_that_even_demand_has_no_rhythm_worth_the_name() -> None:
    told = rhythm_of([*evenly("a", 0, 3600, 720), (0.0, "a"), (3600.0, "a")])
    assert told.turns[0] == 0
    assert told.turns[-1] == 3600
    assert told.of("a") == pytest.approx([1.0] * 13, abs=0.02)


def test_that_a_road_with_many_vehicles_has_its_own_rhythm_and_one_with_few_the_districts() -> None:
    # All of "a" come in the second half hour of two, nine of "b" in the first one.
    many = evenly("a", 1800, 3600, 900)
    few = evenly("b", 0, 1800, 9)
    told = rhythm_of([(0.0, "c"), *many, *few, (3600.0, "c")])
    half = len(told.turns) // 2
    assert told.of("a")[0] < 0.15
    assert told.of("a")[half + 2] == pytest.approx(2.0, abs=0.1)
    # (own + 10 whole) / (mean + 10): 1.5 and about 10 * 0.02 over 0.75 + 10.
    assert told.of("b")[1] == pytest.approx((1.5 + 10 * 0.02) / 10.75, abs=0.03)
    # Roads without a vehicle in the files go as the district does.
    assert told.of("unknown")[half + 2] == pytest.approx(2.0, abs=0.1)
    assert told.of("a")[-1] == told.of("unknown")[-1] == 1.0


def test_that_a_quarter_of_an_hour_or_less_tells_of_no_rhythm() -> None:
    assert rhythm_of(evenly("a", 0, 800, 500)) == NONE_KNOWN
    assert rhythm_of([]) == NONE_KNOWN


def test_that_the_models_time_begins_where_all_fixed_cycles_stand_as_they_did() -> None:
    cycles = {i: SimpleNamespace(program=SimpleNamespace(cycle_s=c)) for i, c in CYCLES.items()}
    district = cast("District", SimpleNamespace(signals=cycles, begin_s=25_200.0))
    calendar = Calendar.of(district, BEGAN)
    began = float(cast("float", calendar.begin(instant(BEGAN))[BEGIN]))
    for cycle in CYCLES.values():
        assert (began - 25_200.0) % cycle == pytest.approx(0.0, abs=1e-6)
    # Ten minutes before, as for a warm-up, and two days before.
    for before in (600, 172_800):
        now = float(cast("float", calendar.begin(instant(BEGAN) - before * SECOND)[BEGIN]))
        assert now >= 0
        for cycle in CYCLES.values():
            assert (began - before - now) % cycle == pytest.approx(0.0, abs=1e-6)


CYCLES = {"north": 90.0, "south": 72.5}


def test_that_a_course_of_demand_that_does_not_fit_is_refused() -> None:
    flows: dict[str, tuple[str, ...]] = {"west": ("a", "b")}
    with pytest.raises(SettingsError, match="rise"):
        Sumo(net="x", flows=flows, turns=(60.0, 0.0))
    with pytest.raises(SettingsError, match="2 factors"):
        Sumo(net="x", flows=flows, turns=(0.0, 60.0), course={"west": (1.0,)})
    with pytest.raises(UnknownNameError, match="west"):
        Sumo(net="x", flows=flows, turns=(0.0,), course={"wset": (1.0,)})
    assert Sumo(net="x", flows=flows, turns=(0.0,), course={"west": (2.0,)}).turns == (0.0,)
