"""A district as files describe it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from gemeos.errors import SchemaError, UnknownNameError
from gemeos.twins.traffic import SignalLimits, read_district, read_network
from tests.unit.traffic_files import LOOPS, NET, PROGRAMS, corner


def net(folder: Path, text: str = NET) -> Path:
    path = folder / "corner.net.xml"
    path.write_text(text)
    return path


def test_that_roads_ways_and_crossings_are_read_as_they_are_written(tmp_path: Path) -> None:
    network = read_network(net(tmp_path))
    assert list(network.edges) == ["west", "east", "south", "north"]
    assert network.edges["west"].name == "Weststrasse"
    assert (network.edges["south"].begins, network.edges["south"].ends) == ("s", "x")
    assert [lane.length_m for lane in network.edges["south"].lanes] == [90.0, 90.0]
    assert network.lanes["south_1"].admits("bus")
    assert not network.lanes["south_1"].admits("passenger")
    assert network.lanes["east_0"].admits("passenger")
    assert not network.lanes["east_0"].admits("tram")
    crossing = network.crossings[":x_c0"]
    assert (crossing.junction, crossing.edges, crossing.length_m) == ("x", ("east",), 6.4)
    assert (crossing.signal, crossing.links) == ("lights", (3,))
    assert list(network.junctions) == ["w", "x"]


def test_that_a_way_across_is_as_long_as_all_lanes_within(tmp_path: Path) -> None:
    ways = {(c.from_lane, c.to_lane): c for c in read_network(net(tmp_path)).connections}
    assert ways["south_0", "north_0"].length_m == 12.5
    # It waits in the middle: 4 m and 3.5 m.
    assert ways["south_0", "east_0"].length_m == 7.5
    assert ways["south_0", "east_0"].direction == "r"
    assert ways["south_0", "east_0"].link == 1


def test_that_a_signal_knows_its_links_programmes_and_conflicts(tmp_path: Path) -> None:
    programs = tmp_path / "night.add.xml"
    programs.write_text(PROGRAMS)
    network = read_network(net(tmp_path), [programs])
    signal = network.signals["lights"]
    assert [p.id for p in signal.programs] == ["0", "night"]
    assert signal.program.id == "night"
    assert signal.program.cycle_s == 34
    day = signal.named("0")
    assert (day.offset_s, day.cycle_s) == (7, 60)
    assert (day.phases[0].minimum_s, day.phases[0].maximum_s) == (5, 50)
    assert [p.gives_green for p in day.phases] == [True, False, True]
    assert [[c.to_edge for c in held] for held in signal.links] == [
        ["north"],
        ["east"],
        ["east"],
        [],
    ]
    assert [c.id for c in signal.crossings] == [":x_c0"]
    # West crosses north and merges with the right turn; the crossing meets both that go east.
    pairs = {(0, 2), (1, 2), (1, 3), (2, 3)}
    assert network.conflicts("lights") == pairs | {(b, a) for a, b in pairs}
    with pytest.raises(UnknownNameError, match=r"no programme 'nihgt'.* Did you mean 'night'"):
        signal.named("nihgt")


def test_that_entries_and_exits_are_where_nobody_leads_and_where_nobody_goes_on(
    tmp_path: Path,
) -> None:
    network = read_network(net(tmp_path))
    assert network.sources() == ("west", "south")
    assert network.sinks() == ("east", "north")
    assert network.next_edges("south") == ("north", "east")
    # Trams may not go east.
    assert network.next_edges("south", "tram") == ("north",)


def test_that_places_on_earth_can_be_had_back(tmp_path: Path) -> None:
    told = read_network(net(tmp_path)).coordinates
    assert told.are_known
    assert told.projected(100.0, 50.0) == (600.0, 4050.0)


def test_that_a_packed_network_is_the_same_network(tmp_path: Path) -> None:
    packed = tmp_path / "corner.net.xml.gz"
    packed.write_bytes(gzip.compress(NET.encode()))
    assert read_network(packed) == read_network(net(tmp_path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<routes></routes>", "it is <routes>, not <net>"),
        ("<net></net>", "has no roads"),
        ("<net><edge", "cannot be read: unclosed token"),
        (f'<!DOCTYPE net [<!ENTITY a "b">]>{NET}', "document type of its own"),
        (NET.replace(' from="w"', ""), "<edge 'west'> does not say its 'from'"),
        (NET.replace('length="90"', 'length="long"', 1), "could not convert string to float"),
        (NET.replace('"GGrr"', '"GGr"'), "different numbers of lights"),
        (NET.replace('"yyrr"', '"zzrr"'), "no light shows z"),
        (NET.replace('linkIndex="3"', 'linkIndex="4"'), "has 4 lights, and connection 4 asks"),
        (NET.replace('fromLane="0" toLane="0" via=":x_2_0"', 'fromLane="3" toLane="0"'), "west_3"),
    ],
)
def test_that_a_file_that_is_no_network_is_told(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=told):
        read_network(net(tmp_path, text))


def test_that_a_programme_of_a_signal_that_is_not_there_is_told(tmp_path: Path) -> None:
    programs = tmp_path / "night.add.xml"
    programs.write_text(PROGRAMS.replace("lights", "light"))
    with pytest.raises(UnknownNameError, match=r"no signal 'light'.*Did you mean 'lights'"):
        read_network(net(tmp_path), [programs])


def test_that_a_district_is_read_with_detectors_of_files_and_of_its_own(tmp_path: Path) -> None:
    district = read_district(corner(tmp_path))
    assert district.name == "Corner"
    assert {d.id: d.position_m for d in district.detectors.values()} == {
        "in": 70.0,
        "up": 30.0,
        "out": 45.0,
    }
    assert district.channels["speed"].of("up") == "loop/up/v"
    assert district.limits == {
        "lights": SignalLimits(minimum_green_s=7, maximum_cycle_s=120, source="by hand")
    }
    assert [d.id for d in district.network.detectors_on("south")] == ["up"]
    assert district.additional == (tmp_path / "night.add.xml",)


def test_that_the_engine_is_told_files_and_times_and_counts_without_writing_files(
    tmp_path: Path,
) -> None:
    district = read_district(corner(tmp_path))
    written = district.write_detectors(tmp_path / "own.add.xml", only=["up"])
    sumo = district.sumo(detectors=written, options=("--time-to-teleport", "-1"))
    assert sumo.net == str(tmp_path / "corner.net.xml")
    assert sumo.additional == (str(tmp_path / "night.add.xml"), str(written))
    assert sumo.begin_s == 25200
    assert sumo.step == 1_000_000
    again = read_network(district.net, [written]).detectors
    assert list(again) == ["up"]
    assert (again["up"].position_m, again["up"].period_s) == (30.0, 60.0)
    assert 'file="NUL"' in written.read_text()


@pytest.mark.parametrize(
    ("what", "by", "told"),
    [
        ('"corner.net.xml"', '"cornr.net.xml"', "Did you mean 'corner.net.xml'"),
        ('lane = "east_0"', 'lane = "east_1"', "no lane 'east_1'.*Did you mean 'east_0'"),
        ('name = "out"', 'name = "in"', "two detectors 'in'"),
        ("position_m = 45", "position_m = 91", "91 m into lane 'east_0', which is 90 m long"),
        ("position_m = 45", "", "'position_m' is missing"),
        ("begin_s", "begins_s", "no key 'begins_s'.*Did you mean 'begin_s'"),
        ("signals.lights", "signals.lightz", "no signal 'lightz'.*Did you mean 'lights'"),
        ("maximum_cycle_s", "maximum_cylce_s", "Did you mean 'maximum_cycle_s'"),
        ("minimum_green_s = 7", "minimum_green_s = 130", "minimum_green_s 130 is above"),
        ("loop/{detector}/q", "loop/q", "does not say where the part's name stands"),
        ("speed = {", "sped = {", "no quantity 'sped'.*Did you mean 'speed'"),
        ('unit = "km/h"', 'unit = "kmh"', "kmh"),
        ('["night.add.xml"]', '"night.add.xml"', "additional is a list of files"),
        ('["night.add.xml"]', '["loops.add.xml"]', "under 'detector_files'"),
        ("interval_s = 60", "interval_s = 0", "must be positive|over 0 s"),
        ("begin_s = 25200", "begin_s = 25200\nend_s = 25200", "before it begins"),
        ("name =", "name", "does not describe a district"),
    ],
)
def test_that_what_is_wrong_with_a_description_is_told(
    what: str, by: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(SchemaError, match=told):
        read_district(corner(tmp_path, **{what: by}))


def test_that_a_folder_without_a_description_is_told(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="There is no district at"):
        read_district(tmp_path)


def test_that_the_streets_of_bologna_are_read_as_their_files_count_them(
    recorded_data: Path,
) -> None:
    folder = recorded_data / "traffic-bologna" / "bologna-pasubio"
    files = [folder / f"pasubio_{kind}.add.xml" for kind in ("tls", "detectors")]
    network = read_network(folder / "pasubio_buslanes.net.xml", files)
    # The numbers of the data's own description.
    assert len(network.edges) == 111
    assert len(network.signals) == 8
    assert len(network.detectors) == 64
    assert {s.program.id for s in network.signals.values()} == {"utopia"}
    # Signal 218: 44 3 2 3 2 3 2 21 5 3 2 seconds.
    assert network.signals["218"].program.cycle_s == 90
    assert network.detectors["2.19_0.127_8_1__l0"].position_m == 105


def test_that_signals_of_railways_and_programmes_that_adapt_are_read(tmp_path: Path) -> None:
    rails = '<tlLogic id="rails" type="rail_signal" programID="0" offset="0"/>'
    text = NET.replace('<junction id="w"', f'{rails}<junction id="w"', 1)
    text = text.replace('type="static"', 'type="actuated"').replace('duration="31" ', "")
    signals = read_network(net(tmp_path, text)).signals
    assert list(signals) == ["lights"]
    assert signals["lights"].program.kind == "actuated"
    # What the file says at least of it.
    assert signals["lights"].program.phases[0].duration_s == 5


def test_that_loops_under_either_name_are_loops(tmp_path: Path) -> None:
    loops = tmp_path / "loops.add.xml"
    loops.write_text(LOOPS)
    found = read_network(net(tmp_path), [loops]).detectors
    assert [d.period_s for d in found.values()] == [1800, 60]
