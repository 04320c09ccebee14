"""What the twin makes of signals, obeyed and watched by a plant that shares no code with it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from gemeos.engines.hosted import HostedEngine
from gemeos.testing.contracts.engine import told
from gemeos.twins.traffic.decisions import Cabinets, cabinets
from gemeos.twins.traffic.district import read_district
from gemeos.twins.traffic.lived import Course, orders, plant, trials
from gemeos.twins.traffic.physics import described
from gemeos.twins.traffic.signals import Service, controlled, violations, written
from gemeos.units.instant import SECOND
from gemeos_plants.traffic.controller import Controller, Rules
from gemeos_plants.traffic.district import District, read
from gemeos_plants.traffic.watch import Watch
from tests.integration.two_junctions import district

pytestmark = pytest.mark.timeout(170)
PLANS = 40
LIVED_S = 400


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A district of two junctions."""
    return district(tmp_path_factory.mktemp("two") / "two")


def rules_of(there: District, signal: str) -> Rules:
    limits = there.limits_of(signal)
    return Rules(
        limits.minimum_green_s,
        limits.maximum_green_s,
        limits.minimum_cycle_s,
        limits.maximum_cycle_s,
    )


def drawn(places: Cabinets, chance: random.Random) -> dict[str, str]:
    """Any plan that the twin may choose."""
    return {p.control: f"{chance.uniform(p.least, p.most):.0f} s" for p in places.places}


def test_that_whatever_the_twin_may_choose_breaks_no_limit_in_the_cabinets(two: Path) -> None:
    known, there = read_district(two), read(two)
    chance = random.Random(1)  # noqa: S311
    junctions = controlled(known.network, known.limits)
    places = cabinets(junctions, known.limits)
    boxes = {i: Controller(p, rules_of(there, i), 0.0) for i, p in there.programs.items()}
    watches = {i: Watch(box.programs, box.rules) for i, box in boxes.items()}
    shown: Mapping[str, list[tuple[float, str]]] = {i: [] for i in boxes}
    # One plan after the other: what lies between two of them is watched, too.
    for second in range(PLANS * LIVED_S):
        if second % LIVED_S == 0:
            for order in orders(places, drawn(places, chance)):
                boxes[order["signal"]].order(
                    durations=order["durations"], offset_s=order["offset_s"]
                )
        for name, box in boxes.items():
            watches[name].saw(box.state, 1.0)
            if not shown[name] or shown[name][-1][1] != box.state:
                shown[name].append((float(second), box.state))
            box.advance(1.0, second + 1.0)
    assert {name: watch.breaches for name, watch in watches.items()} == dict.fromkeys(boxes, 0)
    for name, junction in junctions.items():
        assert len(shown[name]) > PLANS
        assert violations(junction.limits, shown[name], PLANS * LIVED_S) == []


def test_that_the_lights_of_the_adaptive_rule_break_nothing_that_the_plant_watches(
    two: Path,
) -> None:
    known, there = read_district(two), read(two)
    junctions = controlled(known.network, known.limits)
    made = described(known)
    model = made.model
    assert model.values is not None
    usual = dict.fromkeys((p.name for p in model.params), 0.0)
    demand = model.values(usual | {p.control: p.default for p in made.cabinets.places})
    opened = model.opened()
    assert isinstance(opened, HostedEngine)
    with opened as engine:
        told(engine.reset({}, 5, 0))
        told(engine.set(demand))
        told(engine.set({f"signal.{i}.policy": written(Service()) for i in junctions}))
        told(engine.advance(900 * SECOND))
        read_out = told(engine.get([f"signal.{i}.shown" for i in junctions]))
    model.close()
    for name in junctions:
        log = msgspec.json.decode(
            str(read_out[f"signal.{name}.shown"]), type=list[tuple[float, str]]
        )
        # More than its programme would have: it decides.
        assert len(log) > 40
        watch = Watch(there.programs[name], rules_of(there, name))
        for (since, state), (until, _) in zip(log, [*log[1:], (900.0, "")], strict=True):
            for _ in range(round(until - since)):
                watch.saw(state, 1.0)
        # It has no cycle of its own: all else is held to.
        assert {k: n for k, n in watch.seen.items() if k != "cycle"} == {}


def shown_by_cabinets(
    there: District, told_at: Mapping[int, list[dict[str, object]]], until: int
) -> dict[str, list[tuple[float, str]]]:
    """Second by second, with orders as they come."""
    boxes = {i: Controller(p, rules_of(there, i), 0.0) for i, p in there.programs.items()}
    shown: dict[str, list[tuple[float, str]]] = {i: [] for i in boxes}
    for second in range(until):
        for order in told_at.get(second, []):
            boxes[str(order["signal"])].order(
                durations=order["durations"],  # type: ignore[arg-type]
                offset_s=order.get("offset_s"),  # type: ignore[arg-type]
            )
        for name, box in boxes.items():
            if not shown[name] or shown[name][-1][1] != box.state:
                shown[name].append((float(second), box.state))
            box.advance(1.0, second + 1.0)
    return shown


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_that_the_twin_runs_orders_as_the_cabinets_do_to_the_second(two: Path, seed: int) -> None:
    made, there, chance = described(two), read(two), random.Random(seed)  # noqa: S311
    model, places = made.model, made.cabinets
    assert model.values is not None
    usual: dict[str, float] = dict.fromkeys((p.name for p in model.params), 0.0)
    usual |= {p.control: p.default for p in places.places}
    plans = [drawn(places, chance) for _ in range(3)]
    at = [200, 200 + chance.randrange(200, 500), 1100]
    opened = model.opened()
    assert isinstance(opened, HostedEngine)
    with opened as engine:
        told(engine.reset({}, 5, 0))
        told(engine.set(model.values(usual)))
        for second, plan in zip(at, plans, strict=True):
            told(engine.advance(second * SECOND))
            values = {name: float(value.removesuffix(" s")) for name, value in plan.items()}
            told(engine.set(model.values(usual | values)))
        told(engine.advance(2000 * SECOND))
        logs = told(engine.get([f"signal.{i}.shown" for i in places.junctions]))
    model.close()
    orders_at = {s: orders(places, plan) for s, plan in zip(at, plans, strict=True)}
    expected = shown_by_cabinets(there, orders_at, 2000)
    for name in places.junctions:
        log = msgspec.json.decode(str(logs[f"signal.{name}.shown"]), type=list[tuple[float, str]])
        assert log == expected[name]


def test_that_a_copy_of_the_plant_goes_the_same_way_unless_it_is_ordered(
    two: Path, tmp_path: Path
) -> None:
    with plant(two, tmp_path, seed=3) as real:
        real.live(4)
        same = real.twice(2, [])
        assert same["with"]["lost_s"] == same["without"]["lost_s"]
        assert same["with"]["shown"] == same["without"]["shown"]
        long = {"signal": "A0", "durations": [80.0, 3.0, 8.0, 3.0], "offset_s": 0.0}
        other = real.twice(5, [long])
        assert other["with"]["refused"] == []
        assert other["with"]["lost_s"] != other["without"]["lost_s"]
        assert sum(other["with"]["breaches"].values()) == 0
        # Who stands loses that time; and nobody can stand longer than there was time.
        for lived in other.values():
            assert 0 < lived["longest_s"] <= min(5 * 60, sum(lived["lost_s"]))
        wrong = {"signal": "A0", "durations": [2.0, 3.0, 42.0, 3.0]}
        assert "phase 0 lasts" in real.twice(1, [wrong])["with"]["refused"][0]


def test_that_a_plan_found_in_a_site_is_judged_obeyed_and_breaks_nothing(two: Path) -> None:
    course = Course(minutes=6, ahead=3, origins=1, budget="10 s")
    (tried,) = trials(two, course, seed=3)
    assert tried.found.gains[0].members == course.members // 2
    assert tried.found.gains[0].low is not None
    assert tried.refused == ()
    assert sum(tried.breaches.values()) == 0
    assert tried.violations == 0
    assert tried.foreseen.shape == (course.members,)
    assert tried.came.sum() > 0
    # Cycles of 90 s, of which each arm is red for cars for 45: nobody who walks is let go for more
    # than half of it, nor waits longer than a cycle. By d = (C - g)^2 / (2 C) that is 11 to 45 s.
    assert tried.walking_usual is not None
    assert 90 / 8 <= tried.walking_usual.mean_s <= 90 / 2
    assert 90 / 2 <= tried.walking_usual.longest_s <= 90
    assert tried.walking is not None
    assert 0 < tried.longest_s <= 180
