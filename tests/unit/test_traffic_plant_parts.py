"""Parts of the city's plant that need neither SUMO nor a broker."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from gemeos_plants.traffic.district import DistrictError, read
from gemeos_plants.traffic.drawn import MODELS, Drawn, Wave, draw, drawn_from
from gemeos_plants.traffic.outbox import Outbox
from tests.unit.traffic_files import corner


def said(*ranges: tuple[int, int]) -> bytes:
    return json.dumps({"committed": ranges}).encode()


def test_that_readings_are_numbered_and_kept_until_they_are_committed() -> None:
    box = Outbox(silence_s=10)
    sent = [json.loads(box.put("t", {"value": v}, now=0.0)[1]) for v in (5, 6, 7)]
    assert sent == [{"seq": 0, "value": 5}, {"seq": 1, "value": 6}, {"seq": 2, "value": 7}]
    assert (len(box), box.last) == (3, 2)
    assert box.committed(said((0, 0), (2, 10**12)), now=1.0)
    assert len(box) == 1
    assert [json.loads(p)["seq"] for _, p in box.again(1.0, all_of_it=True)] == [1]


def test_that_what_nobody_speaks_of_is_sent_again_after_the_silence_and_not_before() -> None:
    box = Outbox(silence_s=10)
    box.put("a", {}, now=0.0)
    box.put("b", {}, now=8.0)
    assert box.again(9.9, all_of_it=False) == []
    # The second is 3 s old only.
    assert [topic for topic, _ in box.again(11.0, all_of_it=False)] == ["a"]
    assert box.again(20.9, all_of_it=False) == []
    assert [topic for topic, _ in box.again(21.0, all_of_it=False)] == ["a", "b"]
    # News of one makes it wait for the others.
    box.committed(said((0, 0)), now=30.0)
    assert box.again(39.0, all_of_it=False) == []


@pytest.mark.parametrize(
    "wrong", [b"", b"[]", b'{"committed": 3}', b'{"committed": [[1]]}', b"\xff"]
)
def test_that_what_is_no_notice_commits_nothing(wrong: bytes) -> None:
    box = Outbox()
    box.put("a", {}, now=0.0)
    assert not box.committed(wrong, now=1.0)
    assert len(box) == 1


def test_that_the_plant_reads_the_same_district_as_the_twin(tmp_path: Path) -> None:
    district = read(corner(tmp_path))
    assert {(loop.id, loop.lane, loop.position_m) for loop in district.loops} == {
        ("in", "west_0", -20.0),
        ("up", "south_0", 30.0),
        ("out", "east_0", 45.0),
    }
    day, night = district.programs["lights"]
    assert (day.durations, day.offset_s) == ((31.0, 3.0, 26.0), 7.0)
    assert (day.phases[0].minimum_s, day.phases[0].maximum_s) == (5.0, 50.0)
    assert night.durations == (20.0, 4.0, 10.0)
    limits = district.limits_of("lights")
    assert (limits.minimum_green_s, limits.maximum_cycle_s) == (7.0, 120.0)
    assert district.limits_of("others").maximum_cycle_s == 180.0


def test_that_departures_of_all_forms_are_counted_by_their_ends(tmp_path: Path) -> None:
    folder = corner(tmp_path, **{"begin_s = 25200": 'routes = ["all.rou.xml"]\nbegin_s = 0'})
    (folder / "all.rou.xml").write_text(
        """<routes>
          <vType id="car"/>
          <route id="r" edges="west east"/>
          <vehicle id="1" depart="10" route="r"/>
          <vehicle id="2" depart="0:05:10"><route edges="south north"/></vehicle>
          <trip id="3" depart="20" from="west" to="east"/>
          <trip id="4" depart="triggered" from="west" to="east"/>
          <flow id="5" begin="0" end="600" number="6" from="south" to="east"/>
          <flow id="6" begin="600" end="900" period="100" from="south" to="east"/>
          <flow id="7" begin="0" end="3600" vehsPerHour="12" route="r"/>
          <flow id="8" begin="900" end="1200" period="exp(0.02)" from="west" to="north"/>
          <flow id="9" begin="1200" end="1500" probability="0.01" from="west" to="north"/>
          <vehicle id="10" depart="1500"><routeDistribution>
            <route edges="south east" probability="0.2"/>
            <route edges="west north" probability="0.8"/>
          </routeDistribution></vehicle>
          <flow id="11" begin="0" end="60" number="5" fromTaz="1" toTaz="2"/>
          <trip id="12" depart="0" fromJunction="w" toJunction="e"/>
          <trip id="13" depart="0" fromJunction="w" toJunction="nowhere"/>
        </routes>"""
    )
    trips = read(folder).trips
    assert trips["south", "north"] == {1: 1}
    # Six over ten minutes, three in the next five.
    assert trips["south", "east"] == {0: 3, 1: 3, 2: 3}
    # Six by chance, three by another, and one whose likelier way this is.
    assert trips["west", "north"] == {3: 6, 4: 3, 5: 1}
    assert set(trips) == {(a, b) for a in ("west", "south") for b in ("north", "east")}
    # At the beginning two, and one between junctions that have one road each; and one each five
    # minutes. Of zones and junctions that nobody describes nothing is known.
    assert trips["west", "east"] == {0: 4, **dict.fromkeys(range(1, 12), 1)}


def test_that_trips_between_zones_come_from_all_their_roads_by_weight(tmp_path: Path) -> None:
    told = 'routes = ["zones.rou.xml"]\nbegin_s = 0'
    folder = corner(tmp_path, **{"begin_s = 25200": told, '"night.add.xml"]': '"zones.add.xml"]'})
    (folder / "zones.add.xml").write_text(
        """<additional><taz id="1">
          <tazSource id="west" weight="3"/><tazSource id="south" weight="1"/></taz>
        <taz id="2" edges="east north"/></additional>"""
    )
    (folder / "zones.rou.xml").write_text(
        '<routes><flow id="f" begin="0" end="300" number="40" fromTaz="1" toTaz="2"/></routes>'
    )
    trips = read(folder).trips
    out, into = Counter[str](), Counter[str]()
    for (begin, end), counts in trips.items():
        assert set(counts) == {0}
        out[begin] += counts[0]
        into[end] += counts[0]
    assert out == {"west": 30, "south": 10}
    assert into == {"east": 20, "north": 20}


def test_that_a_folder_without_a_district_is_told(tmp_path: Path) -> None:
    with pytest.raises(DistrictError, match="does not describe a district"):
        read(tmp_path)


def test_that_what_is_drawn_is_another_model_and_never_the_same() -> None:
    drawn = [drawn_from(random.Random(seed)) for seed in range(50)]  # noqa: S311
    assert {d.model for d in drawn} == set(MODELS)
    assert "Krauss" not in MODELS
    for one in drawn:
        assert sum(d.share for d in one.drivers) == pytest.approx(1.0)
        assert 0.7 <= one.scale <= 1.0
    assert draw() != draw()


def test_that_demand_goes_by_its_waves() -> None:
    wave = Wave(height=0.5, hours=2.0, ahead=0.0)
    drawn = Drawn("IDM", (), 2.0, (wave,), 0.1, 0.1, 2, 1)
    # A sine of half a turn an hour: nothing at the beginning and after an hour, e^0.5 between.
    assert drawn.demand(0.0) == pytest.approx(2.0)
    assert drawn.demand(1.0) == pytest.approx(2.0)
    assert drawn.demand(0.5) == pytest.approx(2.0 * 1.6487212707)
