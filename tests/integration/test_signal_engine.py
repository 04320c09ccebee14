"""SUMO with rules at its signals keeps the engine's contract, and the signals keep their limits."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gemeos.engines.base import Engine
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Failed
from gemeos.engines.spec import Values
from gemeos.errors import InputError
from gemeos.testing.contracts.engine import T0, Drive, EngineContract, told
from gemeos.twins.traffic import read_network
from gemeos.twins.traffic.signals import (
    Controlled,
    Fixed,
    Kind,
    Numbers,
    Pressure,
    Rule,
    Service,
    Timed,
    Wave,
    controlled,
    opened,
    optimise_now,
    rule_of,
    violations,
    written,
)
from gemeos.twins.traffic.signals.limits import states_of
from gemeos.twins.traffic.signals.plans import fitted, plan_of, program_of
from gemeos.twins.traffic.signals.sheet import Hours, xml
from gemeos.units.instant import SECOND
from tests.integration.sumo_networks import crossing, sumo_program
from tests.unit.test_signal_limits import wander

MINUTE = 60 * SECOND


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("signals")


@pytest.fixture(scope="module")
def city(folder: Path) -> Iterator[tuple[HostedEngine, Mapping[str, Controlled]]]:
    sumo = crossing(folder)
    junctions = controlled(read_network(Path(sumo.net)))
    with opened(sumo, junctions) as engine:
        yield engine, junctions


class TestSignals(EngineContract):
    @pytest.fixture
    def engine(self, city: tuple[HostedEngine, Mapping[str, Controlled]]) -> Iterator[Engine]:
        with city[0].another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        held: Values = {"signal.B1.policy": written(Service()), "flow.south": 400.0}
        others: Values = {"signal.B1.policy": written(Wave()), "flow.south": 0.0}
        # No more vehicles: of those that find no room to depart SUMO's own file loses when they
        # were routed last. Whole minutes: a restored detector begins its minute anew.
        return Drive(120, held, others, {"demand_scale": 1.0}, seed_shows=True)


def shown(engine: HostedEngine, junctions: Mapping[str, Controlled]) -> dict[str, list[str]]:
    """By signal: what is broken since the beginning."""
    names = [f"signal.{i}.shown" for i in junctions]
    texts = told(engine.get(names)).values()
    logs = [msgspec.json.decode(str(t), type=list[tuple[float, str]]) for t in texts]
    end = (engine.now - T0) / SECOND
    return {
        i: [str(v) for v in violations(junction.limits, log, end)]
        for (i, junction), log in zip(junctions.items(), logs, strict=True)
    }


def test_that_signals_keep_their_limits_whatever_rule_comes_after_another(
    city: tuple[HostedEngine, Mapping[str, Controlled]],
) -> None:
    engine, junctions = city
    rules: list[Rule] = [Fixed(), Service(), Wave(), Fixed(), Pressure(), Service(), Fixed()]
    with engine.another() as one:
        told(one.reset({}, 3, T0))
        for turn, rule in enumerate(rules):
            told(one.set({f"signal.{i}.policy": written(rule) for i in junctions}))
            told(one.advance(T0 + (turn + 1) * 170 * SECOND))
        assert {i: v for i, v in shown(one, junctions).items() if v} == {}
        told(one.advance(one.now + 3 * MINUTE))
        # All have given back: SUMO's own clock runs the programmes again.
        programs = told(one.get([f"signal.{i}.program" for i in junctions])).values()
        assert set(programs) == {"0"}
        assert {i: v for i, v in shown(one, junctions).items() if v} == {}


def test_that_a_rule_without_limits_is_seen_to_break_them(
    city: tuple[HostedEngine, Mapping[str, Controlled]],
) -> None:
    engine, junctions = city
    with engine.another() as one:
        told(one.reset({}, 3, T0))
        told(one.set({f"signal.{i}.policy": written(Wave(limited=False)) for i in junctions}))
        told(one.advance(T0 + 10 * MINUTE))
        assert any(shown(one, junctions).values())


def test_that_the_rule_does_better_than_the_programme(
    city: tuple[HostedEngine, Mapping[str, Controlled]],
) -> None:
    engine, junctions = city
    delays = []
    for rule in (Fixed(), Service()):
        with engine.another() as one:
            told(one.reset({}, 3, T0))
            told(one.set({f"signal.{i}.policy": written(rule) for i in junctions}))
            told(one.advance(T0 + 15 * MINUTE))
            delays.append(float(told(one.get(["trips.delay"]))["trips.delay"]))
    assert delays[1] < 0.7 * delays[0]


def test_that_who_sets_lights_takes_the_rule_away(
    city: tuple[HostedEngine, Mapping[str, Controlled]],
) -> None:
    engine, _ = city
    with engine.another() as one:
        told(one.reset({}, 3, T0))
        told(one.set({"signal.B1.policy": written(Service())}))
        told(one.advance(T0 + MINUTE))
        told(one.set({"signal.B1.phase": 0}))
        told(one.advance(T0 + 3 * MINUTE))
        read = told(one.get(["signal.B1.policy", "signal.B1.phase"]))
        assert rule_of(str(read["signal.B1.policy"])) == Fixed()
        assert read["signal.B1.phase"] == 0


@pytest.mark.parametrize("text", ["?", '{"type":"best"}', '{"type":"service","headway_s":0}'])
def test_that_what_is_no_rule_is_the_engines_refusal(
    city: tuple[HostedEngine, Mapping[str, Controlled]], text: str
) -> None:
    with city[0].another() as one:
        told(one.reset({}, 3, T0))
        assert isinstance(one.set({"signal.B1.policy": text}), Failed)


def test_that_better_rules_are_found_on_forks_of_the_present(
    city: tuple[HostedEngine, Mapping[str, Controlled]],
) -> None:
    engine, junctions = city
    origins = [engine.another() for _ in range(10)]
    try:
        for seed, one in enumerate(origins):
            told(one.reset({}, seed, T0))
            told(one.advance(T0 + 5 * MINUTE))
        before = [told(one.get(["state.hash"])) for one in origins]
        choices = Numbers(tuple(junctions))
        advice = optimise_now(origins, choices, junctions, within_s=5.0, ahead=2 * MINUTE)
        # The programmes give half of the time to roads on which nobody drives.
        assert advice.verdict.is_recommended
        assert set(advice.rules) == set(junctions)
        # Each fork of search and check was looked at, and each origin of the check twice.
        assert advice.watched >= advice.runs
        assert advice.violations == ()
        assert [told(one.get(["state.hash"])) for one in origins] == before
        # Asked of signals that must stay green for longer than any rule leaves them.
        stern = {
            name: replace(
                j, stages=replace(j.stages, limits=replace(j.limits, minimum_green_s=long))
            )
            for name, j in junctions.items()
            for long in [(500.0,) * j.limits.size]
        }
        broke = optimise_now(origins, choices, stern, within_s=5.0, ahead=2 * MINUTE).violations
        assert {each.kind for each in broke} == {Kind.GREEN}
        with pytest.raises(InputError, match="too few"):
            optimise_now(origins[:9], choices, junctions)
        with pytest.raises(InputError, match="time"):
            optimise_now(origins, choices, junctions, within_s=0.0)
    finally:
        for one in origins:
            one.close()


def test_that_sumo_shows_what_the_sheet_says(
    folder: Path, city: tuple[HostedEngine, Mapping[str, Controlled]]
) -> None:
    _, junctions = city
    (order,) = {plan_of(j).order for j in [junctions["B1"]]}
    greens = fitted(junctions["B1"].stages, order, [1.0, 3.0], 70)
    plan = Timed(order, tuple(greens), 13)
    file = folder / "sheet.add.xml"
    file.write_text(xml(junctions, [Hours("day", {"B1": plan})]))
    sumo = crossing(folder)
    sumo = msgspec.structs.replace(sumo, additional=(*sumo.additional, str(file)))
    program = program_of(junctions["B1"].stages, plan, "day")
    with opened(sumo, dict(junctions)) as engine:
        told(engine.reset({}, 3, T0))
        told(engine.advance(T0 + 4 * MINUTE))
        text = str(told(engine.get(["signal.B1.shown"]))["signal.B1.shown"])
    log = msgspec.json.decode(text, type=list[tuple[float, str]])
    assert log[1:] == list(states_of(program, 0.0, 240.0))[1:]
    assert violations(junctions["B1"].limits, log, 240.0) == []


def test_that_a_cycle_of_ones_own_is_followed(
    city: tuple[HostedEngine, Mapping[str, Controlled]],
) -> None:
    engine, junctions = city
    junction = junctions["B1"]
    order = plan_of(junction).order
    plan = Timed(order, tuple(fitted(junction.stages, order, [1.0, 3.0], 70)), 13)
    with engine.another() as one:
        told(one.reset({}, 3, T0))
        told(one.set({"signal.B1.policy": written(plan)}))
        told(one.advance(T0 + 8 * MINUTE))
        text = str(told(one.get(["signal.B1.shown"]))["signal.B1.shown"])
    log = msgspec.json.decode(text, type=list[tuple[float, str]])
    assert violations(junction.limits, log, 480.0) == []
    # After two cycles it is in step.
    expected = [c for c in states_of(program_of(junction.stages, plan), 0.0, 480.0) if c[0] > 150]
    assert [c for c in log if c[0] > 150] == expected


def test_that_people_with_lights_of_their_own_finish_whatever_is_wished(tmp_path: Path) -> None:
    net = tmp_path / "walked.net.xml"
    subprocess.run(
        [
            *(sumo_program("netgenerate"), "--grid", "--grid.number", "2", "--grid.length", "150"),
            *("--grid.attach-length", "100", "--default-junction-type", "traffic_light"),
            *("--default.lanenumber", "2", "--sidewalks.guess.from-permissions", "true"),
            *("--sidewalks.guess", "true", "--crossings.guess", "true", "--output-file", net),
        ],
        check=True,
        capture_output=True,
        timeout=50,
    )
    junctions = controlled(read_network(net))
    assert junctions
    for junction in junctions.values():
        assert junction.limits.pedestrians
        log, changes = wander(junction, 1000, 1, 0.0)
        assert changes > 20
        assert [str(v) for v in violations(junction.limits, log, 1000)] == []
        # Four lanes of 3.2 m take 12.8 s at 1 m/s; the programme that SUMO makes leaves 8 s.
        own = violations(junction.limits, list(states_of(junction.program, 0, 300)), 300)
        assert {v.kind for v in own} == {Kind.CLEARING}
