"""Hidden traffic of a small town, found from its loops and foreseen, beside SUMO's own files."""

from __future__ import annotations

import math
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import pytest

from gemeos.engines.sumo import Sumo, opened
from gemeos.testing.contracts.engine import told
from gemeos.twins.traffic.demand import marks
from gemeos.twins.traffic.demand.guess import guessed
from gemeos.twins.traffic.demand.trial import Day, Plan, Results, trial
from gemeos.twins.traffic.demand.ways import Way, ways_of
from gemeos.twins.traffic.district import District, SignalLimits
from gemeos.twins.traffic.network import Detector
from gemeos.twins.traffic.physics import Described, described
from gemeos.twins.traffic.reading import read_network
from gemeos.units.instant import SECOND
from tests.integration.sumo_networks import sumo_program

MINUTES: Final = 45
TRIPS: Final = {
    ("left0A0", "C0right0"): 300,
    ("left0A0", "B2top1"): 120,
    ("left1A1", "C1right1"): 240,
    ("bottom1B0", "B2top1"): 300,
    ("bottom1B0", "C1right1"): 120,
}
"""Vehicles an hour that the files tell of."""
HIDDEN: Final = {"left0A0": 1.5, "left1A1": 0.7, "bottom1B0": 1.2}
"""What comes for each of them."""
TODAY: Final = 0.85
"""Of yesterday's."""
LOOPS: Final = (
    *("left0A0", "C0right0", "A0B0", "left1A1", "bottom1B0"),
    *("C1right1", "B0C0", "B1C1", "B1B2"),
)
"""Withheld are the second and the sixth: where roads lead out."""
OTHERS: Final = """<routes>
  <vType id="real" carFollowModel="EIDM" tau="1.3" speedFactor="normc(0.95,0.1,0.5,1.5)"/>
  {}
</routes>"""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> District:
    """A grid of three by three junctions with signals, and roads that lead out."""
    folder = tmp_path_factory.mktemp("town")
    net, trips = folder / "town.net.xml", folder / "town.rou.xml"
    subprocess.run(
        [
            *(sumo_program("netgenerate"), "--grid", "--grid.number", "3", "--grid.length", "200"),
            *("--grid.attach-length", "200", "--default-junction-type", "traffic_light"),
            *("--default.lanenumber", "1", "--output-file", net),
        ],
        check=True,
        capture_output=True,
        timeout=50,
    )
    flows = "".join(
        f'<flow id="{i}" begin="0" end="3600" number="{number}" from="{a}" to="{b}"/>'
        for i, ((a, b), number) in enumerate(TRIPS.items())
    )
    trips.write_text(f"<routes>{flows}</routes>")
    network = read_network(net)
    loops = {f"loop {e}": Detector(f"loop {e}", f"{e}_0", 120.0, 60.0) for e in LOOPS}
    described = {f: getattr(network, f) for f in network.__dataclass_fields__}
    return District(
        "town", folder, net, type(network)(**{**described, "detectors": loops}), routes=(trips,)
    )


def real_day(town: District, folder: Path, seed: int, factor: float) -> Day:
    """What the loops tell where other drivers than the twin's come by chance."""
    flows = "".join(
        f'<flow id="{i}" type="real" begin="0" end="9000" departSpeed="max" from="{a}" to="{b}" '
        f'period="exp({number * HIDDEN[a] * factor / 3600:.6f})"/>'
        for i, ((a, b), number) in enumerate(TRIPS.items())
    )
    routes = folder / f"real{seed}.rou.xml"
    routes.write_text(OTHERS.format(flows))
    loops = town.write_detectors(folder / "real.add.xml")
    names = [
        f"detector.{name}.interval_{what}" for what in ("count", "speed") for name in town.detectors
    ]
    settings = Sumo(net=str(town.net), routes=(str(routes),), additional=(str(loops),))
    rows = []
    with opened(msgspec.structs.replace(settings, begin_s=0.0)) as real:
        told(real.reset({}, seed, 0))
        for minute in range(1, MINUTES + 1):
            told(real.advance(minute * 60 * SECOND))
            read = told(real.get(names))
            rows.append([float(read[name]) for name in names])
    both = np.array(rows)
    return Day(both[:, : len(LOOPS)], both[:, len(LOOPS) :])


@pytest.fixture(scope="module")
def followed(town: District, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("real")
    yesterday, today = real_day(town, folder, 4711, 1.0), real_day(town, folder, 815, TODAY)
    plan = Plan(members=10, forecasters=5, warm=3, issued=2, leads=(1, 2, 4), seed=7)
    return trial(town, yesterday, today, plan)


def test_that_ways_are_those_of_the_files_and_others_beside_them(town: District) -> None:
    ways = ways_of(town.net, town.routes)
    assert sum(way.hourly for way in ways) == pytest.approx(sum(TRIPS.values()), rel=0.01)
    assert {way.ends for way in ways} == set(TRIPS)
    assert len(ways) > len(TRIPS)
    assert all(way.edges[0] == way.ends[0] and way.hourly > 0 for way in ways)


def test_that_the_first_guess_meets_counts_half_of_the_way() -> None:
    ways = (Way("a", ("in", "left"), 100.0), Way("b", ("in", "right"), 100.0))
    guess = guessed(ways, {"left": 150.0, "right": 50.0})
    # One factor for both leaves 100 and 100; routeSampler picks 150 and 50.
    assert guess == pytest.approx([125.0, 75.0], abs=3.0)


@pytest.mark.timeout(240)
def test_that_counts_of_loops_that_are_withheld_are_told(followed: Results) -> None:
    came = np.array(followed.came)[3:9].reshape(2, 3, -1).sum(axis=1)[:, ~followed.fed]
    seen = np.array(followed.told)[3:9].reshape(2, 3, -1).sum(axis=1)[:, ~followed.fed]
    assert came.min() > 20
    assert float((marks.geh(seen, came, 15) < 5).mean()) >= 0.85
    assert followed.failed == 0


@pytest.mark.timeout(240)
def test_that_the_hidden_demand_is_found(followed: Results) -> None:
    for edge, hidden in HIDDEN.items():
        files = sum(number for (first, _), number in TRIPS.items() if first == edge)
        true = files * hidden * TODAY
        # Half an hour of arrivals by chance, two deviations, and a twentieth for the model.
        within = 2 * math.sqrt(true / 0.5) + 0.05 * true
        assert followed.rates[edge] == pytest.approx(true, abs=within), edge


@pytest.mark.timeout(240)
def test_that_forecasts_are_scored_beside_those_without_a_model(followed: Results) -> None:
    issues = {key: len(rows) for key, rows in followed.scores.items()}
    assert set(issues) == {
        (who, lead) for who in ("twin", "last", "mean", "yesterday") for lead in (1, 2, 4)
    }
    crps = {
        who: float(np.mean([np.mean(followed.scores[who, lead]) for lead in (1, 2, 4)]))
        for who in ("twin", "last", "yesterday")
    }
    assert crps["twin"] < crps["last"]
    assert crps["twin"] < crps["yesterday"]


@pytest.mark.timeout(240)
def test_that_a_city_begins_with_what_was_counted_and_again_with_the_same(
    town: District, tmp_path: Path
) -> None:
    """Twice as many came from one side as the files say, and half as many from another."""
    factors = {"left0A0": 2.0, "left1A1": 0.5}
    known = replace(town, limits={i: SignalLimits() for i in town.signals})
    table = tmp_path / "counted.csv"
    channels = [f"loop {edge}/count" for edge in factors]
    hourly = [
        sum(number for (first, _), number in TRIPS.items() if first == edge) * factor
        for edge, factor in factors.items()
    ]
    table.write_text(
        "\n".join(
            [",".join(["time", *channels])]
            + [f"2026-03-02T{h:02}:00Z,{hourly[0]:g},{hourly[1]:g}" for h in range(6, 10)]
        )
    )
    files, counted, again = (described(d) for d in (known, *2 * [replace(known, counts=(table,))]))

    def coming(made: Described, edge: str) -> float:
        ways = zip(made.unknowns.ways, made.unknowns.expected, strict=True)
        spread = np.exp(0.5 * (made.unknowns.sigma**2 @ made.unknowns.of))
        means = dict(zip((w.name for w in made.unknowns.ways), spread, strict=True))
        return sum(rate * means[way.name] for way, rate in ways if way.edges[0] == edge)

    for edge, rate in zip(factors, hourly, strict=True):
        # What the doubt about files leaves of four hours' counts: a twelfth.
        assert coming(counted, edge) == pytest.approx(rate, rel=1 / 12)
    assert coming(files, "left0A0") == pytest.approx(hourly[0] / 2, rel=0.01)
    assert counted.unknowns.expected.tolist() == again.unknowns.expected.tolist()
    assert counted.model.identity == again.model.identity
    assert counted.model.identity != files.model.identity
    for made in (files, counted, again):
        made.model.close()
