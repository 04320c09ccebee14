"""What cities have, made into districts: what is kept, and what is told to be wrong."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import pytest

from gemeos.engines.sumo import programs
from gemeos.errors import EngineError, SchemaError, UnknownNameError
from gemeos.twins.traffic import District, read_district
from gemeos.twins.traffic.sources import Wanted, bring
from tests.conftest import missing
from tests.integration.sumo_networks import sumo_program
from tests.unit.node_links import EAST, HALL, MIDDLE, NORTH, SOUTH, WEST, node_links
from tests.unit.traffic_files import LOOPS, NET, PROGRAMS


@pytest.fixture(autouse=True)
def _tools() -> None:
    sumo_program("netconvert")
    for package in ("pyproj", "shapefile"):
        if find_spec(package) is None:
            missing(f"{package}, of the extra gemeos[city]")


def seoul(folder: Path, signals: str = "guess") -> District:
    shapes = folder / "shapes"
    shapes.mkdir()
    wanted = Wanted(name="서울", signals=signals)
    return bring([node_links(shapes)], folder / "seoul", wanted)


def test_that_korean_nodes_lie_where_their_grid_says(tmp_path: Path) -> None:
    from pyproj import Transformer  # noqa: PLC0415 - an extra

    network = seoul(tmp_path).network
    middle = network.junctions[MIDDLE]
    told_as = network.coordinates.projected(middle.x_m, middle.y_m)
    assert told_as == pytest.approx(HALL, abs=0.01)
    # City hall, by whoever publishes the grid: 126.9780 E, 37.5665 N.
    longitude, latitude = network.coordinates.on_earth(middle.x_m, middle.y_m)
    assert (longitude, latitude) == pytest.approx((126.9780, 37.5665), abs=1e-5)
    back = Transformer.from_crs("EPSG:4326", "EPSG:5186", always_xy=True)
    assert back.transform(longitude, latitude) == pytest.approx(HALL, abs=0.01)


@pytest.mark.parametrize("grid", ["EPSG:5179", "EPSG:5174"])
def test_that_older_grids_lie_at_the_same_place(grid: str, tmp_path: Path) -> None:
    from pyproj import CRS, Transformer  # noqa: PLC0415 - an extra

    shapes = tmp_path / "shapes"
    shapes.mkdir()
    origin = Transformer.from_crs("EPSG:5186", grid, always_xy=True).transform(*HALL)
    node_links(shapes, origin, CRS.from_user_input(grid).to_wkt("WKT1_ESRI"))
    network = bring([shapes], tmp_path / "seoul").network
    middle = network.junctions[MIDDLE]
    place = network.coordinates.on_earth(middle.x_m, middle.y_m)
    # 5174 is on another ellipsoid: what pyproj makes of that is good to a metre or two.
    assert place == pytest.approx((126.9780, 37.5665), abs=3e-5)


def test_that_shapes_in_another_grid_than_told_are_refused(tmp_path: Path) -> None:
    from pyproj import Transformer  # noqa: PLC0415 - an extra

    shapes = tmp_path / "shapes"
    shapes.mkdir()
    origin = Transformer.from_crs("EPSG:5186", "EPSG:5179", always_xy=True).transform(*HALL)
    node_links(shapes, origin, "")
    with pytest.raises(SchemaError, match="not in Korea"):
        bring([shapes], tmp_path / "wrong", Wanted(projection="EPSG:5186"))
    assert bring([shapes], tmp_path / "right", Wanted(projection="EPSG:5179")).signals


def test_that_korean_roads_keep_lanes_speeds_names_and_directions(tmp_path: Path) -> None:
    network = seoul(tmp_path).network
    roads = {(e.begins, e.ends): e for e in network.edges.values()}
    # One way alone from west to east; both ways from south to north.
    assert set(roads) == {
        (WEST, MIDDLE),
        (MIDDLE, EAST),
        (SOUTH, MIDDLE),
        (MIDDLE, SOUTH),
        (NORTH, MIDDLE),
        (MIDDLE, NORTH),
    }
    assert roads[SOUTH, MIDDLE].name == "세종대로"
    assert roads[WEST, MIDDLE].name == "을지로"
    driven = [sum(lane.admits() for lane in roads[way].lanes) for way in roads]
    assert driven == [2, 2, 3, 3, 3, 3]
    # The pavement that is assumed beside each is for walking alone, and outermost.
    for road in roads.values():
        assert road.lanes[0].admits("pedestrian")
        assert not road.lanes[0].admits("passenger")
    # 50 km/h as told, and as is usual in a city where nothing is told.
    for road in roads.values():
        assert road.lanes[0].speed_m_per_s == pytest.approx(50 / 3.6, abs=0.01)
    # Both ways are drawn as one line of 300 m: half the road to each side of it, so that the lanes
    # of one lie east, those of the other west.
    up, down = roads[SOUTH, MIDDLE], roads[MIDDLE, SOUTH]
    assert min(x for lane in up.lanes for x, _ in lane.shape) > network.junctions[MIDDLE].x_m
    assert max(x for lane in down.lanes for x, _ in lane.shape) < network.junctions[MIDDLE].x_m


def test_that_turns_that_are_forbidden_are_not_there_and_turning_back_only_where_told(
    tmp_path: Path,
) -> None:
    network = seoul(tmp_path).network
    ends = {i: (e.begins, e.ends) for i, e in network.edges.items()}
    ways = {(ends[c.from_edge][0], ends[c.to_edge][1]) for c in network.connections}
    assert ways == {
        (WEST, EAST),
        (WEST, NORTH),  # to the south is forbidden
        (SOUTH, NORTH),
        (SOUTH, EAST),
        (NORTH, SOUTH),
        (NORTH, EAST),
        (NORTH, NORTH),  # the only one who may turn back
    }


@pytest.mark.parametrize(
    ("wanted", "signals"), [("guess", {MIDDLE}), ("none", set()), (MIDDLE, {MIDDLE})]
)
def test_that_signals_stand_where_they_are_wanted(
    wanted: str, signals: set[str], tmp_path: Path
) -> None:
    network = seoul(tmp_path, signals=wanted).network
    assert {c.signal for c in network.connections} - {""} == signals
    assert set(network.signals) == signals


def test_that_pedestrians_cross_under_the_signal_and_the_description_says_that_it_is_assumed(
    tmp_path: Path,
) -> None:
    district = seoul(tmp_path)
    crossings = district.network.crossings.values()
    # Over each of the four roads.
    assert sorted(len(c.edges) for c in crossings) == [1, 1, 2, 2]
    assert {c.signal for c in crossings} == {MIDDLE}
    assert district.signals[MIDDLE].crossings == tuple(crossings)
    conflicts = district.network.conflicts(MIDDLE)
    for crossing in crossings:
        [light] = crossing.links
        held = {
            c.from_edge
            for i, j in conflicts
            if i == light
            for c in district.signals[MIDDLE].links[j]
        }
        assert held
    assert any("crossings" in line and "assumed" in line for line in district.sources)


def test_that_detectors_can_be_assumed_before_signals(tmp_path: Path) -> None:
    shapes = tmp_path / "shapes"
    shapes.mkdir()
    district = bring([node_links(shapes)], tmp_path / "seoul", Wanted(loops_before_m=30))
    # Three approaches with two, three and three lanes.
    assert len(district.detectors) == 8
    for detector in district.detectors.values():
        length = district.network.lanes[detector.lane].length_m
        assert detector.position_m == pytest.approx(length - 30, abs=0.01)
    assert any("assumed" in line for line in district.sources)


def test_that_a_box_takes_a_part_of_larger_shapes(tmp_path: Path) -> None:
    shapes = tmp_path / "shapes"
    shapes.mkdir()
    # 200 m to each side of city hall east to west, and all 300 m north and south.
    box = (126.9780 - 0.00226, 37.5600, 126.9780 + 0.00226, 37.5700)
    network = bring([node_links(shapes)], tmp_path / "part", Wanted(within=box)).network
    assert {e.name for e in network.edges.values()} == {"세종대로"}
    with pytest.raises(SchemaError, match="has no link there"):
        bring([shapes], tmp_path / "none", Wanted(within=(0.0, 0.0, 1.0, 1.0)))


def _without(folder: Path, name: str) -> None:
    (folder / name).unlink()


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("MOCT_LINK.prj", "say in what its coordinates are, as in EPSG:5186"),
        ("MOCT_NODE.shp", "Node-link shapes are two files"),
        ("MOCT_LINK.dbf", r"has no MOCT_LINK\.dbf beside it"),
    ],
)
def test_that_shapes_that_are_not_whole_are_told(lost: str, said: str, tmp_path: Path) -> None:
    node_links(tmp_path)
    _without(tmp_path, lost)
    with pytest.raises(SchemaError, match=said):
        bring([tmp_path], tmp_path / "out")
    if lost.endswith(".prj"):
        district = bring([tmp_path], tmp_path / "out", Wanted(projection="EPSG:5186"))
        assert district.network.coordinates.are_known


def test_that_a_field_that_is_not_there_is_told(tmp_path: Path) -> None:
    import shapefile  # noqa: PLC0415 - an extra

    node_links(tmp_path)
    with shapefile.Writer(str(tmp_path / "MOCT_NODE"), shapefile.POINT) as nodes:
        nodes.field("NODEID", "C", size=10)
        nodes.point(*HALL)
        nodes.record(MIDDLE)
    with pytest.raises(UnknownNameError, match=r"no field 'NODE_ID'.*Did you mean 'NODEID'"):
        bring([tmp_path], tmp_path / "out")


def test_that_a_node_that_nobody_describes_is_told(tmp_path: Path) -> None:
    import shapefile  # noqa: PLC0415 - an extra

    node_links(tmp_path)
    with shapefile.Writer(str(tmp_path / "MOCT_NODE"), shapefile.POINT) as nodes:
        nodes.field("NODE_ID", "C", size=10)
        nodes.point(*HALL)
        nodes.record(MIDDLE)
    with pytest.raises(UnknownNameError, match=f"no node '{WEST}'"):
        bring([tmp_path], tmp_path / "out")


def test_that_a_network_of_sumo_keeps_programmes_and_gives_up_its_loops(tmp_path: Path) -> None:
    (tmp_path / "corner.net.xml").write_text(NET)
    mixed = PROGRAMS.replace("</additional>", "") + LOOPS.replace("<additional>", "")
    (tmp_path / "all.add.xml").write_text(mixed)
    (tmp_path / "corner.rou.xml").write_text(
        '<routes><trip id="t" depart="0" from="west" to="east"/></routes>'
    )
    district = bring(sorted(tmp_path.iterdir()), tmp_path / "corner")
    assert district.signals["lights"].program.id == "night"
    assert set(district.detectors) == {"in", "up"}
    assert district.detectors["in"].position_m == 70
    assert "inductionLoop" not in district.additional[0].read_text()
    assert [p.name for p in district.routes] == ["corner.rou.xml"]
    assert read_district(tmp_path / "corner").network == district.network


def test_that_a_packed_network_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "corner.net.xml.gz").write_bytes(gzip.compress(NET.encode()))
    district = bring([tmp_path / "corner.net.xml.gz"], tmp_path / "corner")
    assert district.name == "corner"
    assert district.net.read_text() == NET


def test_that_a_configuration_of_sumo_tells_files_and_times(tmp_path: Path) -> None:
    (tmp_path / "corner.net.xml").write_text(NET)
    (tmp_path / "night.add.xml").write_text(PROGRAMS)
    (tmp_path / "corner.rou.xml").write_text(
        '<routes><trip id="t" depart="25300" from="west" to="east"/></routes>'
    )
    (tmp_path / "corner.sumocfg").write_text(
        '<configuration><input><net-file value="corner.net.xml"/>'
        '<route-files value="corner.rou.xml"/><additional-files value="night.add.xml"/></input>'
        '<time><begin value="25200"/><end value="28800"/></time></configuration>'
    )
    district = bring([tmp_path / "corner.sumocfg"], tmp_path / "corner")
    assert (district.begin_s, district.end_s) == (25200, 28800)
    assert district.signals["lights"].program.id == "night"
    assert [p.name for p in district.routes] == ["corner.rou.xml"]
    (tmp_path / "corner.rou.xml").unlink()
    with pytest.raises(SchemaError, match=r"There is no file .*corner\.rou\.xml"):
        bring([tmp_path / "corner.sumocfg"], tmp_path / "again")


def test_that_a_configuration_is_read_in_every_form_that_sumo_reads(tmp_path: Path) -> None:
    # As older tools write it: no sections, short names, a network of any name; steps of its own.
    (tmp_path / "streets.xml").write_text(NET)
    (tmp_path / "corner.rou.xml").write_text(
        '<routes><flow id="t" begin="25230" end="27001" number="9" from="west" to="east"/></routes>'
    )
    (tmp_path / "old.sumocfg").write_text(
        '<configuration><n v="streets.xml"/><routes value="corner.rou.xml"/>'
        '<step-length value="0.25"/><end value="-1"/></configuration>'
    )
    district = bring([tmp_path / "old.sumocfg"], tmp_path / "old")
    assert district.name == "streets"
    assert [p.name for p in district.routes] == ["corner.rou.xml"]
    assert district.step_s == 0.25
    # It tells no beginning: the minute in which the first sets out. And no end.
    assert (district.begin_s, district.end_s) == (25200, None)
    text = (tmp_path / "old.sumocfg").read_text().replace("0.25", "0.7")
    (tmp_path / "old.sumocfg").write_text(text)
    again = bring([tmp_path / "old.sumocfg"], tmp_path / "again")
    assert again.step_s == 1.0
    assert "SUMO's step of 0.7 s is not taken: signals move each second." in again.sources


def test_that_routes_tell_when_a_district_begins_where_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "corner.net.xml").write_text(NET)
    (tmp_path / "corner.rou.xml").write_text(
        '<routes><trip id="a" depart="triggered" from="west" to="east"/>'
        '<trip id="b" depart="7:00:50" from="west" to="east"/>'
        '<trip id="c" depart="25870" from="west" to="east"/></routes>'
    )
    files = [tmp_path / "corner.net.xml", tmp_path / "corner.rou.xml"]
    district = bring(files, tmp_path / "corner")
    # 7:00:50 is second 25250; the whole minutes about it and about 25870.
    assert (district.begin_s, district.end_s) == (25200, 25920)


def test_that_what_is_no_source_is_told_and_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(SchemaError, match=r"notes\.txt: none is a network of SUMO"):
        bring([tmp_path / "notes.txt"], tmp_path / "out")
    with pytest.raises(SchemaError, match="There is no file"):
        bring([tmp_path / "none.osm"], tmp_path / "out")
    (tmp_path / "corner.net.xml").write_text(NET)
    with pytest.raises(SchemaError, match="name another folder"):
        bring([tmp_path / "corner.net.xml"], tmp_path)


def test_that_a_program_that_fails_or_lasts_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="netconvert ended with code 1"):
        programs.run_program("netconvert", ["--osm-files", tmp_path / "none.osm"])
    with pytest.raises(EngineError, match="was not done after"):
        programs.run_program("netgenerate", ["--grid", "--grid.number", "60"], limit_s=0.05)
    with pytest.raises(EngineError, match="netconverter cannot be run"):
        programs.run_program("netconverter", [])
