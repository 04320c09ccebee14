"""Fixed plans: made of stages, kept within limits, typed in by people and read by SUMO."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from gemeos.errors import InputError
from gemeos.foresee.space import Candidate, Continuous
from gemeos.twins.traffic import read_network
from gemeos.twins.traffic.signals import Controlled, Timed, controlled, rule_of, written
from gemeos.twins.traffic.signals.checker import Kind
from gemeos.twins.traffic.signals.limits import states_of
from gemeos.twins.traffic.signals.plans import (
    broken,
    cycle_s,
    fitted,
    plan_of,
    program_of,
    shortest_cycle,
    stage_at,
)
from gemeos.twins.traffic.signals.sheet import Hours, comma_separated, text, xml
from gemeos.twins.traffic.signals.tune import Cycles, Greens, fewest
from tests.unit.traffic_files import corner


@pytest.fixture
def junctions(tmp_path: Path) -> dict[str, Controlled]:
    """Stages GGrr and rrGG; 3 s from the first to the second, 7 s back."""
    return controlled(read_network(corner(tmp_path) / "corner.net.xml"))


PLAN = Timed((0, 1), (20, 15), 5)


def test_that_a_plan_is_its_greens_and_the_ways_between(junctions: dict[str, Controlled]) -> None:
    program = program_of(junctions["lights"].stages, PLAN, "day")
    assert [(p.duration_s, p.state) for p in program.phases] == [
        (20, "GGrr"),
        (3, "yyrr"),
        (15, "rrGG"),
        (4, "rrGr"),
        (3, "rryr"),
    ]
    assert cycle_s(junctions["lights"].stages, PLAN) == program.cycle_s == 45
    assert broken(junctions["lights"], PLAN) == []


def test_that_the_clock_of_a_plan_is_that_of_its_programme(
    junctions: dict[str, Controlled],
) -> None:
    stages = junctions["lights"].stages
    program = program_of(stages, PLAN)
    changes = list(states_of(program, 1000.0, 1090.0))
    for at, state in changes:
        asked = stage_at(stages, PLAN, at)
        if state in stages.states:
            assert stages.states[asked] == state
        else:
            # Between two stages it is the next that is gone to.
            after = next((s for t, s in changes if t > at and s in stages.states), None)
            assert after is None or stages.states[asked] == after


@pytest.mark.parametrize(
    ("plan", "kind"),
    [(Timed((0, 1), (3, 20)), Kind.GREEN), (Timed((0, 1), (60, 60)), Kind.CYCLE)],
)
def test_that_a_plan_that_breaks_a_limit_is_found(
    junctions: dict[str, Controlled], plan: Timed, kind: Kind
) -> None:
    assert kind in {v.kind for v in broken(junctions["lights"], plan)}
    with pytest.raises(InputError, match=kind.value):
        xml(junctions, [Hours("day", {"lights": plan})])


def test_that_greens_fill_the_cycle(junctions: dict[str, Controlled]) -> None:
    stages = junctions["lights"].stages
    # 10 s of ways, 5 s of green at least for each stage: 20 s.
    assert shortest_cycle(stages, (0, 1)) == 20
    assert fitted(stages, (0, 1), (1.0, 1.0), 61) in ([26, 25], [25, 26])
    assert fitted(stages, (0, 1), (3.0, 1.0), 60) == [35, 15]
    with pytest.raises(InputError, match="too short"):
        fitted(stages, (0, 1), (1.0, 1.0), 19)


def test_that_whatever_is_chosen_keeps_the_limits(recorded_data: Path) -> None:
    network = read_network(recorded_data / "resco" / "cologne8" / "cologne8.net.xml")
    junctions = controlled(network)
    greens = Greens.of(junctions)
    greens.space.check(greens.start)
    rng = np.random.default_rng(1)
    chosen = [greens.start]
    for _ in range(5):
        values = {
            a.name: float(rng.uniform(a.least, a.most))
            for a in greens.space.axes
            if isinstance(a, Continuous)
        }
        chosen.append(Candidate.of(values))
    for one in chosen:
        plans = greens.rules(one)
        assert set(plans) == set(junctions)
        for name, plan in plans.items():
            assert isinstance(plan, Timed)
            assert [str(v) for v in broken(junctions[name], plan)] == []


def test_that_plain_plans_keep_the_limits_too(recorded_data: Path) -> None:
    for name in ("cologne8", "ingolstadt7"):
        network = read_network(recorded_data / "resco" / name / f"{name}.net.xml")
        junctions = controlled(network)
        cycles = Cycles.of(junctions)
        cycles.space.check(cycles.start)
        assert cycles.space.size == 24
        for one in cycles.space.candidates():
            for signal, plan in cycles.rules(one).items():
                assert isinstance(plan, Timed)
                assert [str(v) for v in broken(junctions[signal], plan)] == [], (signal, plan)


def test_that_stages_are_left_out_that_nobody_needs(recorded_data: Path) -> None:
    network = read_network(recorded_data / "resco" / "cologne1" / "cologne1.net.xml")
    (junction,) = controlled(network).values()
    # Left turns may go in the stages of their roads, after giving way.
    assert fewest(junction.stages, (0, 1, 2, 3)) == (0, 2)
    assert Cycles.of({"x": junction}, may_skip=False).space.size == 12


def test_that_the_own_programme_is_a_plan(recorded_data: Path) -> None:
    network = read_network(recorded_data / "resco" / "cologne1" / "cologne1.net.xml")
    (junction,) = controlled(network).values()
    plan = plan_of(junction)
    assert plan == Timed((0, 1, 2, 3), (29, 6, 29, 6), 0)
    again = program_of(junction.stages, plan)
    assert [(p.duration_s, p.state) for p in again.phases] == [
        (p.duration_s, p.state) for p in junction.program.phases
    ]


def test_that_a_sheet_can_be_typed_in(junctions: dict[str, Controlled]) -> None:
    sheet = text(junctions, [Hours("day", {"lights": PLAN}, "06:00", "22:00")])
    assert "Signal lights, plan day, 06:00 to 22:00" in sheet
    assert "cycle 45 s, offset 5 s" in sheet
    # The light of the west is green from 23 s to 42 s of the cycle: the crossing ends before it.
    assert ["2", "23", "42", "3", "5"] in [line.split() for line in sheet.splitlines()]
    rows = list(
        csv.DictReader(comma_separated(junctions, [Hours("day", {"lights": PLAN})]).splitlines())
    )
    assert [(r["kind"], r["lights"], r["seconds"]) for r in rows] == [
        ("green", "GGrr", "20"),
        ("yellow", "yyrr", "3"),
        ("green", "rrGG", "15"),
        ("clearing", "rrGr", "4"),
        ("yellow", "rryr", "3"),
    ]


def test_that_sumos_file_reproduces_the_plan(
    junctions: dict[str, Controlled], tmp_path: Path
) -> None:
    path = tmp_path / "plan.add.xml"
    path.write_text(xml(junctions, [Hours("day", {"lights": PLAN})]))
    read = read_network(tmp_path / "corner.net.xml", [path]).signals["lights"].program
    mine = program_of(junctions["lights"].stages, PLAN, "day")
    assert read.id == "day"
    assert read.offset_s == mine.offset_s
    assert [(p.duration_s, p.state) for p in read.phases] == [
        (p.duration_s, p.state) for p in mine.phases
    ]


def test_that_stages_that_are_not_there_are_refused(junctions: dict[str, Controlled]) -> None:
    with pytest.raises(InputError, match="stages 0 to 1, not 7"):
        program_of(junctions["lights"].stages, replace_order(PLAN))
    with pytest.raises(InputError, match="two stages"):
        Timed((0,), (5,))
    assert rule_of(written(PLAN)) == PLAN


def replace_order(plan: Timed) -> Timed:
    return Timed((0, 7), plan.greens_s, plan.offset_s)
