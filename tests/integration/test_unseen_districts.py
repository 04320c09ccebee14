"""Districts of other kinds than those that the twin was built on; SUMO's own tools make them."""

from __future__ import annotations

import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from gemeos.engines.sumo.programs import run_program
from gemeos.errors import InputError, SchemaError
from gemeos.testing.contracts.engine import T0, told
from gemeos.twins.traffic import District, read_district, read_network
from gemeos.twins.traffic.decisions import cabinets
from gemeos.twins.traffic.demand.assumed import ASSUMED, believed
from gemeos.twins.traffic.demand.unknowns import USUAL
from gemeos.twins.traffic.demand.ways import ways_of
from gemeos.twins.traffic.lived import plant
from gemeos.twins.traffic.physics import described
from gemeos.twins.traffic.places import places_of
from gemeos.twins.traffic.signals import (
    Fixed,
    Kind,
    Timed,
    controlled,
    opened,
    violations,
    written,
)
from gemeos.twins.traffic.signals.figures import of_district
from gemeos.twins.traffic.signals.plans import cycle_s, fitted, plan_of, shortest_cycle
from gemeos.twins.traffic.sources import Wanted, bring
from gemeos.units.instant import SECOND
from gemeos_plants.traffic import district as plants
from gemeos_plants.traffic.controller import Controller, Rules
from tests.integration.sumo_networks import sumo_program

MAP = """<osm version="0.6">
  <bounds minlat="51.500" minlon="-0.140" maxlat="51.512" maxlon="-0.116"/>
  <node id="1" lat="51.506" lon="-0.136"/>
  <node id="2" lat="51.506" lon="-0.132"><tag k="highway" v="traffic_signals"/></node>
  <node id="3" lat="51.506" lon="-0.128"/>
  <node id="4" lat="51.503" lon="-0.132"/>
  <node id="5" lat="51.5063" lon="-0.1275"/>
  <node id="6" lat="51.506" lon="-0.127"/>
  <node id="7" lat="51.5057" lon="-0.1275"/>
  <node id="8" lat="51.506" lon="-0.122"/>
  <way id="10"><nd ref="1"/><nd ref="2"/><tag k="highway" v="primary"/><tag k="lanes" v="4"/>
    <tag k="lanes:forward" v="2"/><tag k="lanes:backward" v="2"/><tag k="oneway" v="no"/>
    <tag k="maxspeed" v="30 mph"/><tag k="bus:lanes:forward" v="designated|yes"/>
    <tag k="vehicle:lanes:forward" v="no|yes"/></way>
  <way id="11"><nd ref="2"/><nd ref="3"/><tag k="highway" v="primary"/><tag k="lanes" v="2"/></way>
  <way id="12"><nd ref="4"/><nd ref="2"/><tag k="highway" v="secondary"/></way>
  <way id="13"><nd ref="3"/><nd ref="{a}"/><nd ref="6"/><nd ref="{b}"/><nd ref="3"/>
    <tag k="junction" v="roundabout"/><tag k="highway" v="primary"/></way>
  <way id="14"><nd ref="6"/><nd ref="8"/><tag k="highway" v="primary"/></way>
</osm>"""
"""A signal, a bus lane beside the kerb, and a roundabout, driven over the north first, or last."""


ENDS = ("B0right0", "B1right1")


def net(folder: Path, *options: str) -> Path:
    """Two signals by two with roads that lead out."""
    path = folder / "made.net.xml"
    subprocess.run(
        [
            *(sumo_program("netgenerate"), "--grid", "--grid.number", "2", "--grid.length", "150"),
            *("--grid.attach-length", "150", "--default-junction-type", "traffic_light"),
            *("--output-file", path),
            *options,
        ],
        check=True,
        capture_output=True,
        timeout=50,
    )
    return path


@pytest.mark.parametrize("left", [False, True])
def test_that_a_map_tells_by_its_roundabouts_where_traffic_keeps(
    left: bool, tmp_path: Path
) -> None:
    sumo_program("netconvert")
    path = tmp_path / "town.osm"
    # Over the north to the east is clockwise.
    path.write_text(MAP.format(a=5 if left else 7, b=7 if left else 5))
    network = bring([path], tmp_path / "town").network
    assert network.left_hand is left
    if left:
        west = network.edges["10"]
        buses = [lane for lane in west.lanes if lane.admits("bus") and not lane.admits()]
        assert len(buses) == 1
        assert buses[0].speed_m_per_s == pytest.approx(30 * 1609.344 / 3600, abs=0.01)
    # Of the secondary road the map tells no speed: within towns one drives 50 km/h.
    assert network.edges["12"].lanes[-1].speed_m_per_s == pytest.approx(50 / 3.6, abs=0.01)


def test_that_a_map_without_roundabouts_is_believed_where_it_was_told(tmp_path: Path) -> None:
    sumo_program("netconvert")
    path = tmp_path / "town.osm"
    text = MAP.format(a=5, b=7).replace('<tag k="junction" v="roundabout"/>', "")
    path.write_text(text)
    assert not bring([path], tmp_path / "right").network.left_hand
    told_left = bring([path], tmp_path / "left", Wanted(left_hand=True))
    assert told_left.network.left_hand
    assert "Traffic keeps left: so it was said." in told_left.sources


def test_that_where_traffic_keeps_left_turns_to_the_right_cross_those_who_walk(
    tmp_path: Path,
) -> None:
    network = read_network(net(tmp_path, "--lefthand", "true"))
    for name, junction in controlled(network).items():
        ways = network.signals[name].links
        walks = junction.limits.walks
        turns = [ways[link][0].direction for walk in walks for link, _ in walk.turning]
        # Each arm has one turn into it from the arm across.
        assert turns == ["r"] * len(walks)
        assert len(walks) == 4


def test_that_rings_of_nema_are_left_to_sumo_by_twin_and_plant(tmp_path: Path) -> None:
    made = net(tmp_path, "--tls.default-type", "NEMA", "--default.lanenumber", "2")
    district = bring([made], tmp_path / "town", Wanted(loops_before_m=30.0))
    assert district.signals["A0"].program.kind == "NEMA"
    assert controlled(district.network) == {}
    assert not set(plants.read(tmp_path / "town").programs) & {"A0", "A1", "B0", "B1"}


def test_that_yellow_lasts_as_long_where_steps_are_half_a_second(tmp_path: Path) -> None:
    town = tmp_path / "town"
    made = bring([net(tmp_path)], town, Wanted(loops_before_m=30.0))
    file = town / "district.toml"
    file.write_text("step_s = 0.5\n" + file.read_text())
    junctions = controlled(made.network)
    settings = msgspec.structs.replace(made.sumo(), step=SECOND // 2)
    name, junction = next(iter(junctions.items()))
    order = range(len(junction.stages.states))
    cycle = shortest_cycle(junction.stages, order) + 9
    greens = fitted(junction.stages, order, [1.0] * len(order), cycle)
    rule = written(Timed(tuple(order), tuple(greens), 5))
    with opened(settings, junctions) as engine:
        told(engine.reset({}, 1, T0))
        told(engine.set({f"signal.{name}.policy": rule}))
        told(engine.advance(T0 + 300 * SECOND))
        text = told(engine.get([f"signal.{name}.shown"]))[f"signal.{name}.shown"]
    log = msgspec.json.decode(str(text), type=list[tuple[float, str]])
    assert [str(v) for v in violations(junction.limits, log, 300.0)] == []
    greens_came_up = [at for at, state in log if state == junction.stages.states[0]]
    assert greens_came_up[-1] - greens_came_up[-2] == cycle


def test_that_a_step_that_no_second_is_made_of_is_told(tmp_path: Path) -> None:
    made = bring([net(tmp_path)], tmp_path / "town")
    with pytest.raises(SchemaError, match=r"step_s cannot be 0\.3"):
        District("town", tmp_path, made.net, made.network, step_s=0.3)


def test_that_trips_from_junction_to_junction_are_driven_by_twin_and_plant(tmp_path: Path) -> None:
    made, routes = net(tmp_path), tmp_path / "between.trips.xml"
    routes.write_text(
        "<routes>"
        + "".join(
            f'<trip id="{i}" depart="{7200 + 10 * i}" fromJunction="left0" toJunction="right1"/>'
            for i in range(60)
        )
        + "</routes>"
    )
    district = bring([made, routes], tmp_path / "town")
    assert (district.begin_s, district.end_s) == (7200.0, 7800.0)
    ways = ways_of(district.net, district.routes)
    assert {way.ends for way in ways} == {("left0A0", "B1right1")}
    # One each ten seconds.
    assert sum(way.hourly for way in ways) == pytest.approx(360.0, rel=1e-3)
    trips = plants.read(tmp_path / "town").trips
    assert trips == {("left0A0", "B1right1"): Counter({24: 30, 25: 30})}


def test_that_a_district_without_trips_has_ways_that_are_in_more_doubt(tmp_path: Path) -> None:
    made = bring([net(tmp_path)], tmp_path / "town")
    ways, doubt = believed(made)
    assert doubt == ASSUMED != USUAL
    # 150 an hour over each of eight lanes that lead in.
    assert sum(way.hourly for way in ways) == pytest.approx(8 * 150, rel=0.01)


def test_that_nothing_that_is_brought_has_sumo_write_files(tmp_path: Path) -> None:
    more = tmp_path / "more.add.xml"
    more.write_text(
        '<additional><laneAreaDetector id="q" lane="A0B0_0" pos="0" endPos="-1" period="60" '
        'file="queue.xml"/><edgeData id="d" file="dump.xml" period="60"/>'
        '<timedEvent type="SaveTLSStates" source="A0" dest="lights.xml"/></additional>'
    )
    district = bring([net(tmp_path), more], tmp_path / "town")
    before = {p.name for p in (tmp_path / "town").iterdir()}
    files = ["-a", ",".join(map(str, district.additional))]
    run_program("sumo", ["-n", district.net, *files, "--end", "120", "--no-step-log", "true"])
    assert {p.name for p in (tmp_path / "town").iterdir()} == before


@pytest.fixture(scope="module")
def adapting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A district whose signals adapt themselves."""
    folder = tmp_path_factory.mktemp("adapting")
    bring(
        [net(folder, "--tls.default-type", "actuated")],
        folder / "town",
        Wanted(loops_before_m=30.0),
    )
    return folder / "town"


def begins(log: Sequence[tuple[float, str]], state: str) -> list[float]:
    """Times from one coming up of a state to the next."""
    ups = [at for at, shown in log if shown == state]
    return [round(b - a) for a, b in pairwise(ups)]


def test_that_a_plant_adapts_its_signals_until_a_plan_is_ordered(
    adapting: Path, tmp_path: Path
) -> None:
    phases = read_district(adapting).signals["A0"].program.phases
    order = [p.duration_s for p in phases]
    order[0] -= 10
    with plant(adapting, tmp_path, seed=3) as living:
        living.live(2)
        told_of = living.twice(12, [{"signal": "A0", "durations": order}])
    cycles = {way: begins(of["shown"]["A0"], phases[0].state) for way, of in told_of.items()}
    assert len(set(cycles["without"])) > 3
    # Once it has found its offset, each cycle is as long as ordered.
    assert cycles["with"][-1] == sum(order)
    assert not told_of["with"]["refused"]
    assert not any(sum(of["breaches"].values()) for of in told_of.values())


def test_that_the_twin_gives_a_signal_back_to_its_programme_that_adapts(adapting: Path) -> None:
    district = read_district(adapting)
    junctions = controlled(district.network)
    junction, policy = junctions["A0"], "signal.A0.policy"
    with opened(district.sumo(), junctions) as engine:
        told(engine.reset({}, 1, T0))
        plan = plan_of(junction)
        told(engine.set({policy: written(plan)}))
        told(engine.advance(T0 + 400 * SECOND))
        told(engine.set({policy: written(Fixed())}))
        told(engine.advance(T0 + 800 * SECOND))
        text = told(engine.get(["signal.A0.shown"]))["signal.A0.shown"]
    log = msgspec.json.decode(str(text), type=list[tuple[float, str]])
    first = junction.program.phases[0].state
    held = begins([row for row in log if 100 <= row[0] <= 400], first)
    free = begins([row for row in log if row[0] >= 600], first)
    assert set(held) == {cycle_s(junction.stages, plan)}
    # Nobody comes, so all stages last as short as they may.
    assert free
    assert max(free) < min(held)
    assert [v for v in violations(junction.limits, log, 800.0) if v.kind is Kind.YELLOW] == []


def test_that_rules_are_compared_in_a_district_of_ones_own(tmp_path: Path) -> None:
    routes = tmp_path / "some.rou.xml"
    routes.write_text(
        '<routes><flow id="a" begin="600" end="780" period="4" from="left0A0" to="B0right0"/>'
        '<flow id="b" begin="600" end="780" period="6" from="bottom0A0" to="A1top0"/></routes>'
    )
    bring([net(tmp_path), routes], tmp_path / "town")
    district = read_district(tmp_path / "town")
    told_of = {c.name: c for c in of_district(district, seeds=[1, 2])}
    # As long as its trips last, which is less than an hour.
    assert all("2 seeds, 180 s each" in c.how for n, c in told_of.items() if "against" in n)
    assert told_of["signals, made: limits that were broken"].measured == "0"
    nobody = bring([net(tmp_path)], tmp_path / "empty")
    with pytest.raises(InputError, match="no files of trips"):
        of_district(nobody)


def test_that_folders_of_districts_are_found_and_several_configurations_told(
    tmp_path: Path,
) -> None:
    for name, count in (("one", 1), ("two", 2), ("none", 0)):
        (tmp_path / name).mkdir()
        for number in range(count):
            (tmp_path / name / f"{number}.sumocfg").write_text("<configuration/>")
    assert places_of(tmp_path) == [tmp_path / "one"]
    with pytest.raises(InputError, match=r"two has 2 configurations of SUMO.*gemeos import"):
        places_of(tmp_path / "two")


@pytest.mark.parametrize("flow", [False, True])
def test_that_trips_between_zones_come_from_all_their_roads_at_twin_and_plant(
    flow: bool, tmp_path: Path
) -> None:
    zones, routes = tmp_path / "zones.add.xml", tmp_path / "between.rou.xml"
    zones.write_text(
        '<additional><taz id="w"><tazSource id="left0A0" weight="3"/><tazSource id="left1A1" '
        'weight="1"/></taz><taz id="e" edges="B0right0 B1right1"/></additional>'
    )
    trips = (f'<trip id="{i}" depart="{9 * i}" fromTaz="w" toTaz="e"/>' for i in range(400))
    told_as = (
        '<flow id="f" begin="0" end="3600" period="9" fromTaz="w" toTaz="e"/>'
        if flow
        else "".join(trips)
    )
    routes.write_text(f"<routes>{told_as}</routes>")
    district = bring([net(tmp_path), zones, routes], tmp_path / "town")
    by_twin: dict[tuple[str, str], float] = defaultdict(float)
    for way in ways_of(district.net, district.routes, district.additional):
        by_twin[way.ends] += way.hourly
    of = plants.read(tmp_path / "town").trips
    by_plant = {pair: sum(counts.values()) for pair, counts in of.items()}
    expected = {(a, b): n for a, n in (("left0A0", 150), ("left1A1", 50)) for b in ENDS}
    assert by_plant == expected
    assert dict(by_twin) == pytest.approx(expected, rel=0.03)


def test_that_plant_and_twin_agree_on_what_may_be_set_where_people_have_lights(
    tmp_path: Path,
) -> None:
    crossings = ("--sidewalks.guess", "true", "--crossings.guess", "true")
    made = bring([net(tmp_path, *crossings)], tmp_path / "town", Wanted(loops_before_m=30.0))
    by_twin = {p.at_device for p in described(made).cabinets.places if p.phase is not None}
    programs = plants.read(tmp_path / "town").programs
    assert made.network.crossings
    by_plant = set()
    for signal, held in made.signals.items():
        walking = dict.fromkeys((k for c in held.crossings for k in c.links), 10.0)
        rules = Rules(walking=walking)
        stages = Controller(programs[signal], rules, 0.0).stages(0)
        by_plant |= {f"{signal}/phase/{k}" for k in stages}
    assert by_twin == by_plant


def test_that_what_is_ordered_is_foreseen_as_cabinets_run_it_where_people_have_lights(
    tmp_path: Path,
) -> None:
    crossings = ("--sidewalks.guess", "true", "--crossings.guess", "true")
    made = bring([net(tmp_path, *crossings)], tmp_path / "town", Wanted(loops_before_m=30.0))
    junctions = controlled(made.network)
    program = junctions["A0"].program
    places = cabinets(junctions, made.limits, ["A0"])
    place = next(p for p in places.places if p.phase == 0)
    longer = {p.control: p.default + 4.0 * (p is place) for p in places.places}
    with opened(made.sumo(), junctions) as engine:
        told(engine.reset({}, 1, T0))
        told(engine.set(places.rules(longer)))
        told(engine.advance(T0 + 900 * SECOND))
        text = told(engine.get(["signal.A0.shown"]))["signal.A0.shown"]
    log = msgspec.json.decode(str(text), type=list[tuple[float, str]])
    # Those who walk need longer to finish than the programme gives them, so plans of the twin's
    # own would give them more; a cabinet does not.
    shown = [round(b[0] - a[0]) for a, b in pairwise(log)]
    states = [p.state for p in program.phases]
    last = [(s, seconds) for (_, s), seconds in zip(log, shown, strict=False)][-3 * len(states) :]
    own = {p.state: round(p.duration_s) for p in program.phases}
    own[states[0]] += 4
    assert {s for s, _ in last} == set(states)
    assert all(seconds == own[s] for s, seconds in last)
