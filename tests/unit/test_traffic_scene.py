"""What is to be seen of a district: its map, and the cycles of its signals."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from gemeos.schema.scene import Road, Shows, Stretch
from gemeos.twins.traffic import ground as ground_module
from gemeos.twins.traffic import read_district
from gemeos.twins.traffic.cycles import cycle_of, numbers, signals_of
from gemeos.twins.traffic.decisions import Cabinets, cabinets
from gemeos.twins.traffic.district import District
from gemeos.twins.traffic.ground import DRIVEN, VEHICLES, ground_of, simplified
from gemeos.twins.traffic.network import Edge, Lane, Phase, Program
from gemeos.twins.traffic.signals.junction import controlled
from tests.unit.traffic_files import corner


@pytest.fixture
def district(tmp_path: Path) -> District:
    return read_district(corner(tmp_path))


def set_by_plans(district: District) -> Cabinets:
    return cabinets(controlled(district.network, district.limits), district.limits)


def test_that_detectors_stand_where_they_lie_in_their_lanes(district: District) -> None:
    found = ground_of(district, {"in": "count_in", "up": "count_up"}, {"in": "speed_in"})
    marks = {mark.name: mark for mark in found.marks}
    # 20 m before the end of a lane of 90 m that runs along y = 99.
    assert marks["in"].at == (70.0, 99.0)
    assert marks["in"].reads == {VEHICLES: "count_in", DRIVEN: "speed_in"}
    assert marks["in"].road == "Weststrasse, west, lane 0"
    # Nothing tells how this lane runs: it is told, and not put anywhere.
    assert marks["up"].at is None
    assert marks["up"].reads == {VEHICLES: "count_up"}
    assert marks["out"].reads == {}


def test_that_a_signal_stands_between_its_stop_lines_and_roads_without_a_shape_are_left_out(
    district: District,
) -> None:
    found = ground_of(district, {})
    assert found.signals == {"lights": (90.0, 99.0)}
    assert found.roads == (Road(((0.0, 99.0), (90.0, 99.0)), 1),)


def test_that_a_line_keeps_its_bends_and_loses_what_nobody_sees() -> None:
    bend = [(0.0, 0.0), (5.0, 0.1), (10.0, 0.0), (10.0, 10.0)]
    assert simplified(bend, 0.5) == ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0))
    assert simplified(bend, 0.05) == tuple(bend)
    # A ring comes back to where it began.
    ring = [(math.cos(a * math.pi / 8), math.sin(a * math.pi / 8)) for a in range(17)]
    assert len(simplified(ring, 0.3)) > 3


def test_that_a_large_district_is_drawn_within_bounds_and_says_what_is_left_out(
    district: District, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground_module, "MOST_ROADS", 3)
    monkeypatch.setattr(ground_module, "MOST_POINTS", 12)
    wave = [(float(x), math.sin(x / 3.0)) for x in range(60)]
    edges = {
        f"e{n}": Edge(
            f"e{n}", "a", "b", (Lane(f"e{n}_0", 10.0 * n, 9.0, shape=tuple(wave[: 20 + n])),)
        )
        for n in range(1, 6)
    }
    large = replace(district, network=replace(district.network, edges=edges, detectors={}))
    found = ground_of(large, {})
    assert found.left_out == 2
    assert len(found.roads) == 3
    assert sum(len(road.points) for road in found.roads) <= 12
    # The longest are kept, with both of their ends.
    assert [road.points[-1][0] for road in found.roads] == [24.0, 23.0, 22.0]


def test_that_lights_that_always_show_the_same_are_one_row_of_a_cycle(district: District) -> None:
    (signal,) = signals_of(district.network, set_by_plans(district))
    assert signal.name == "lights"
    assert signal.cycle is not None
    cycle = signal.cycle({})
    # The programme of the night: 20 s, 4 s of yellow, 10 s.
    assert (cycle.lasts_s, cycle.offset_s) == (34.0, 0.0)
    south, west = cycle.lights
    assert (south.name, south.told) == ("0-1", "from south")
    assert south.stretches == (
        Stretch(0.0, 20.0, Shows.GREEN),
        Stretch(20.0, 24.0, Shows.YELLOW),
        Stretch(24.0, 34.0, Shows.RED),
    )
    assert (west.name, west.told) == ("2-3", "from Weststrasse; crossing")
    assert west.stretches == (Stretch(0.0, 24.0, Shows.RED), Stretch(24.0, 34.0, Shows.GREEN))


def test_that_a_plan_is_drawn_with_the_seconds_that_it_orders(district: District) -> None:
    (signal,) = signals_of(district.network, set_by_plans(district))
    assert signal.cycle is not None
    assert signal.controls["lights_phase0"] == 20.0
    usual = dict(signal.controls)
    cycle = signal.cycle({**usual, "lights_phase0": 26.0, "lights_offset": 5.0})
    assert (cycle.lasts_s, cycle.offset_s) == (40.0, 5.0)
    assert cycle.lights[0].stretches[0] == Stretch(0.0, 26.0, Shows.GREEN)
    # What stands as the programme has it is the programme.
    assert signal.cycle(usual) == signal.cycle({})


def test_that_a_programme_of_rings_is_told_and_not_drawn(district: District) -> None:
    network = district.network
    rings = Program("lights", "r", (Phase(10.0, "GGrr"), Phase(10.0, "rrGG")), kind="NEMA")
    held = replace(network.signals["lights"], programs=(rings,))
    changed = replace(network, signals={"lights": held})
    none = Cabinets({}, (), {})
    (signal,) = signals_of(changed, none)
    assert signal.cycle is None
    assert "NEMA" in signal.told
    assert signal.controls == {}


def test_that_red_and_yellow_and_lights_that_are_off_are_told_apart(district: District) -> None:
    network = district.network
    odd = Program("lights", "odd", (Phase(4.0, "urOG"), Phase(6.0, "GrOG")))
    cycle = cycle_of(network, network.signals["lights"], odd)
    shown = {lights.name: [s.shows for s in lights.stretches] for lights in cycle.lights}
    assert shown == {
        "0": [Shows.YELLOW, Shows.GREEN],
        "1": [Shows.RED],
        "2": [Shows.OFF],
        "3": [Shows.GREEN],
    }
    assert cycle.lights[0].least_green_s is None


def test_that_numbers_in_a_row_are_told_by_their_ends() -> None:
    assert numbers([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"
