"""SUMO with rules at its signals keeps the engine's contract, and the signals keep their limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from gemeos.engines.base import Engine
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Failed
from gemeos.engines.spec import Values
from gemeos.testing.contracts.engine import T0, Drive, EngineContract, told
from gemeos.twins.traffic import read_network
from gemeos.twins.traffic.signals import (
    Controlled,
    Fixed,
    Pressure,
    Rule,
    Service,
    Wave,
    controlled,
    opened,
    rule_of,
    violations,
    written,
)
from gemeos.units.instant import SECOND
from tests.integration.sumo_networks import crossing

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
        # No more vehicles: of those without room to depart SUMO's own file loses when they were
        # routed last.
        return Drive(90, held, others, {"demand_scale": 1.0}, seed_shows=True)


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
