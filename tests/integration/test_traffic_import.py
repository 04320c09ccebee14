"""What cities have, made into districts; each then runs."""

from __future__ import annotations

import bz2
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from gemeos.cli import main
from gemeos.engines.sumo import opened
from gemeos.testing.contracts.engine import T0, told
from gemeos.twins.traffic import District
from gemeos.twins.traffic.sources import Wanted, bring
from gemeos.units.instant import SECOND
from gemeos_plants.traffic import district as plants
from tests.conftest import missing
from tests.integration.sumo_networks import sumo_program
from tests.unit.node_links import node_links

MAP = """<osm version="0.6">
  <bounds minlat="37.560" minlon="126.970" maxlat="37.572" maxlon="126.986"/>
  <node id="1" lat="37.566" lon="126.974"/>
  <node id="2" lat="37.566" lon="126.978"><tag k="highway" v="traffic_signals"/></node>
  <node id="3" lat="37.566" lon="126.982"/>
  <node id="4" lat="37.563" lon="126.978"/>
  <node id="5" lat="37.569" lon="126.978"/>
  <way id="10"><nd ref="1"/><nd ref="2"/><nd ref="3"/>
    <tag k="highway" v="primary"/><tag k="lanes" v="4"/><tag k="maxspeed" v="50"/></way>
  <way id="11"><nd ref="4"/><nd ref="2"/><nd ref="5"/>
    <tag k="highway" v="secondary"/><tag k="oneway" v="yes"/><tag k="maxspeed" v="30"/></way>
</osm>"""


@pytest.fixture(autouse=True)
def _tools() -> None:
    sumo_program("netconvert")
    for package in ("pyproj", "shapefile"):
        if find_spec(package) is None:
            missing(f"{package}, of the extra gemeos[city]")


def runs(district: District, begins: str, ends: str, folder: Path) -> int:
    """How many vehicles arrive in five minutes, of one each five seconds."""
    routes = folder / "trial.rou.xml"
    routes.write_text(
        f'<routes><flow id="f" from="{begins}" to="{ends}" begin="{district.begin_s}" end="1e6" '
        'period="5"/></routes>'
    )
    loops = district.write_detectors(folder / "trial.add.xml")
    with opened(district.sumo(routes=[routes], detectors=loops)) as engine:
        told(engine.reset({}, 1, T0))
        told(engine.advance(T0 + 300 * SECOND))
        arrived = told(engine.get(["vehicles.arrived"]))["vehicles.arrived"]
    assert isinstance(arrived, int)
    return arrived


def seoul(folder: Path, signals: str = "guess") -> District:
    shapes = folder / "shapes"
    shapes.mkdir()
    wanted = Wanted(name="서울", signals=signals)
    return bring([node_links(shapes)], folder / "seoul", wanted)


def test_that_a_district_of_korean_shapes_runs(tmp_path: Path) -> None:
    district = seoul(tmp_path)
    assert district.zone == "Asia/Seoul"
    # 60 depart; the way takes some 45 s and half of a cycle of 90 s.
    assert 35 <= runs(district, "1020001300", "1020001600", tmp_path) <= 55


@pytest.mark.parametrize("packed", [False, True])
def test_that_a_map_of_openstreetmap_becomes_a_district_that_runs(
    packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / ("hall.osm.bz2" if packed else "hall.osm")
    path.write_bytes(bz2.compress(MAP.encode()) if packed else MAP.encode())
    district = bring([path], tmp_path / "hall", Wanted(zone="Asia/Seoul"))
    assert district.name == "hall"
    assert "OpenStreetMap contributors" in district.attribution
    roads = {i: e for i, e in district.network.edges.items() if e.admits()}
    # The way with four lanes has two each way; the other is one-way.
    assert len(roads) == 6
    speeds = sorted({e.lanes[-1].speed_m_per_s for e in roads.values()})
    assert speeds == pytest.approx([30 / 3.6, 50 / 3.6], abs=0.01)
    assert len(district.signals) == 1
    assert district.network.crossings
    assert runs(district, "11#0", "11#1", tmp_path) > 10


def test_that_the_scenario_of_bologna_comes_whole(recorded_data: Path, tmp_path: Path) -> None:
    folder = recorded_data / "traffic-bologna" / "bologna-pasubio"
    district = bring([folder / "run.sumocfg"], tmp_path / "pasubio")
    # The numbers of the data's own description.
    assert len(district.network.edges) == 111
    assert len(district.detectors) == 64
    assert {s.program.id for s in district.signals.values()} == {"utopia"}
    assert len(district.signals) == 8
    assert sorted(p.name for p in district.routes) == ["pasubio.rou.xml", "pasubio_busses.rou.xml"]
    trips = plants.read(tmp_path / "pasubio").trips
    # 8681 private vehicles, and 8776 with buses.
    assert sum(sum(counts.values()) for counts in trips.values()) == 8776


def test_that_the_command_says_what_it_has_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shapes = tmp_path / "shapes"
    shapes.mkdir()
    node_links(shapes)
    folder = tmp_path / "seoul"
    command = ["import", "traffic", str(shapes), "--to", str(folder), "--name", "서울", "--json"]
    assert main([*command, "--loops-before", "30"]) == 0
    told_as = json.loads(capsys.readouterr().out)
    assert (told_as["name"], told_as["edges"], told_as["signals"]) == ("서울", 6, 1)
    assert told_as["on_earth"] is True
    assert main(command) == 1
    assert "name another folder" in capsys.readouterr().err
