"""FMUs keep the engine's contract, and move as their equations say."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from gemeos.engines.base import Engine
from gemeos.engines.fmi import Fmi, Interface, opened
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Failed
from gemeos.engines.spec import Fork, Kind, Role, Snapshot, Values
from gemeos.errors import EngineError, InputError, UnknownNameError
from gemeos.testing.contracts.engine import (
    T0,
    Drive,
    EngineContract,
    FailingEngineContract,
    Mischief,
    all_of,
    told,
)
from gemeos.units.instant import SECOND, span
from tests.integration.fmus.building import built

STATE = {"canGetAndSetFMUstate": "true", "canSerializeFMUstate": "true"}
STATE_3 = {name.replace("state", "State"): yes for name, yes in STATE.items()}
"""As FMI 3 spells it."""
LIMIT_S = 3


class Misbehaving(FailingEngineContract):
    """FMUs that do what ``fmus/misbehaving.py`` says."""

    @pytest.fixture
    def limit_s(self) -> float:
        return LIMIT_S

    @pytest.fixture
    def mischief(self) -> Callable[[Mischief], Values]:
        return lambda kind: {"mischief": kind.value}


class TankContract(EngineContract, Misbehaving):
    options: ClassVar[dict[str, str]]

    @pytest.fixture(scope="class")
    @classmethod
    def tank(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedEngine]:
        path = built(tmp_path_factory.mktemp("tank"), "tank", "pythonfmu", **cls.options)
        with opened(Fmi(str(path)), limit=LIMIT_S * SECOND) as engine:
            yield engine

    @pytest.fixture
    def engine(self, tank: HostedEngine) -> Iterator[Engine]:
        with tank.another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        return Drive(6, {"inflow": 1.5}, {"inflow": 0.25}, {"first": 3.0})


class TestFmi2ThatWritesItsState(TankContract):
    options = STATE

    def test_that_its_own_state_makes_its_snapshots(self, engine: Engine) -> None:
        assert engine.spec.capabilities.snapshot is Snapshot.EXACT


class TestFmi2ByReplay(TankContract):
    options: ClassVar[dict[str, str]] = {}

    def test_that_its_snapshots_are_replays(self, engine: Engine) -> None:
        assert engine.spec.capabilities.snapshot is Snapshot.REPLAY


class TestFmi3ModelExchange(EngineContract):
    """Free fall in closed form: the method is exact for it, its events to the last digits."""

    @pytest.fixture(scope="class")
    @staticmethod
    def ball(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedEngine]:
        path = built(tmp_path_factory.mktemp("ball"), "ball", "pythonfmu3")
        with opened(Fmi(str(path), step=span("50 ms"))) as engine:
            yield engine

    @pytest.fixture
    def engine(self, ball: HostedEngine) -> Iterator[Engine]:
        with ball.another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        return Drive(12, {"wind": 0.5}, {"wind": -0.5}, {"bounce": 0.8})

    def test_that_a_ball_bounces_when_and_as_high_as_it_must(self, engine: Engine) -> None:
        g, bounce = 10.0, 0.5
        told(engine.reset({"g": g, "bounce": bounce}, 1, T0))
        first = math.sqrt(2 / g)  # from h = 1 m
        for elapsed in (0.4, 0.5, 0.7, 0.85):
            told(engine.advance(T0 + round(elapsed * SECOND)))
            at, speed = elapsed, 0.0
            if elapsed < first:
                height = 1 - g * at**2 / 2
            else:
                at -= first
                speed = bounce * g * first
                if at > 2 * speed / g:
                    at -= 2 * speed / g
                    speed *= bounce
                height = speed * at - g * at**2 / 2
            assert read(engine, "h") == pytest.approx(height, abs=1e-12)

    def test_that_a_nudged_ball_falls_from_where_it_was_put(self, engine: Engine) -> None:
        assert engine.spec.capabilities.nudge == {"h", "v"}
        told(engine.reset({"g": 10.0}, 1, T0))
        told(engine.advance(T0 + SECOND // 10))
        assert isinstance(engine, HostedEngine)
        told(engine.nudge({"h": 5.0, "v": 1.0}))
        told(engine.advance(T0 + SECOND // 2))
        assert read(engine, "h") == pytest.approx(5.0 + 0.4 - 10.0 * 0.16 / 2, abs=1e-12)


class Decaying:
    """A decay, which a class opens in its own way."""

    @pytest.fixture
    def engine(self, decay: HostedEngine) -> Iterator[Engine]:
        with decay.another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        return Drive(6, {"gain": 1.5}, {"gain": 0.25}, {"rate": 2.0})


class TestFmi3CoSimulation(Decaying, EngineContract, Misbehaving):
    options: ClassVar[dict[str, str]] = {}

    @pytest.fixture(scope="class")
    @classmethod
    def decay(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedEngine]:
        path = built(tmp_path_factory.mktemp("decay"), "decay", "pythonfmu3", **cls.options)
        with opened(Fmi(str(path), step=SECOND // 10), limit=LIMIT_S * SECOND) as engine:
            yield engine

    def test_that_its_snapshots_are_what_it_declares(self, engine: Engine) -> None:
        of = Snapshot.EXACT if self.options else Snapshot.REPLAY
        assert engine.spec.capabilities.snapshot is of


class TestFmi3ThatWritesItsState(TestFmi3CoSimulation):
    options: ClassVar[dict[str, str]] = STATE_3


class TestFmi3ModelExchangeThatFails(Decaying, Misbehaving):
    """Here it is asked for derivatives, several times a step."""

    @pytest.fixture(scope="class")
    @staticmethod
    def decay(decay_path: str) -> Iterator[HostedEngine]:
        exchange = Fmi(decay_path, step=SECOND // 10, interface=Interface.MODEL_EXCHANGE)
        with opened(exchange, limit=LIMIT_S * SECOND) as engine:
            yield engine


@pytest.fixture(scope="module")
def decay_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(built(tmp_path_factory.mktemp("decay"), "decay", "pythonfmu3"))


@pytest.fixture(scope="module")
def tank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedEngine]:
    path = built(tmp_path_factory.mktemp("tank"), "tank", "pythonfmu", **STATE)
    with opened(Fmi(str(path), seed_param="pump")) as engine:
        yield engine


def read(engine: Engine, name: str) -> float:
    value = told(engine.get([name]))[name]
    assert isinstance(value, float)
    return value


def test_that_the_spec_says_what_the_description_says(tank: HostedEngine) -> None:
    spec = tank.spec
    assert spec.step == 250_000  # the FMU's own proposal
    assert spec.capabilities.fork is Fork.PROCESS
    told_roles = {v.name: v.role for v in spec.variables}
    assert told_roles == {
        "inflow": Role.INPUT,
        "leak": Role.PARAM,
        "first": Role.PARAM,
        "pump": Role.PARAM,
        "mischief": Role.INPUT,
        "level": Role.OUTPUT,
        "now": Role.OUTPUT,
    }
    assert spec.by_name["leak"].start == 0.5
    assert spec.by_name["leak"].tunable
    assert spec.by_name["pump"].kind is Kind.INTEGER
    assert spec.by_name["mischief"].kind is Kind.TEXT


def test_that_a_tank_fills_and_leaks_as_its_equation_says(tank: HostedEngine) -> None:
    with tank.another() as engine:
        told(engine.reset({"first": 3.0, "leak": 0.5}, 42, T0))
        assert read(engine, "level") == 3.0
        assert told(engine.get(["pump"])) == {"pump": 42}  # where the seed goes
        told(engine.set({"inflow": 2.0}))
        told(engine.advance(T0 + 4 * SECOND))
        # level(t) = inflow/leak + (first - inflow/leak) exp(-leak t)
        expected = 4.0 - math.exp(-2.0)
        assert read(engine, "level") == pytest.approx(expected, rel=1e-14)
        assert read(engine, "now") == 9.0  # its own time begins at 5 s
        told(engine.set({"leak": 1.0, "inflow": 0.0}))  # a tunable parameter, at any time
        told(engine.advance(T0 + 6 * SECOND))
        assert read(engine, "level") == pytest.approx(expected * math.exp(-2.0), rel=1e-14)


def test_that_a_fixed_parameter_cannot_be_set_later(tank: HostedEngine) -> None:
    with tank.another() as engine:
        told(engine.reset({}, 1, T0))
        with pytest.raises(UnknownNameError, match="'first'"):
            engine.set({"first": 1.0})
        with pytest.raises(InputError, match="integer"):
            engine.reset({"pump": 1.5}, 1, T0)


def test_that_what_an_fmu_refuses_is_a_value_with_its_words(tank: HostedEngine) -> None:
    with tank.another() as engine:
        told(engine.reset({}, 1, T0))
        told(engine.set({"mischief": "discard"}))
        refused = engine.advance(T0 + SECOND)
        assert isinstance(refused, Failed)
        assert "the valve is stuck" in refused.said


def test_that_both_interfaces_of_one_fmu_decay_alike(decay_path: str) -> None:
    for interface, tolerance in (
        (Interface.CO_SIMULATION, 1e-14),
        (None, 1e-14),
        (Interface.MODEL_EXCHANGE, 1e-8),
    ):
        with opened(Fmi(decay_path, step=SECOND // 10, interface=interface)) as engine:
            told(engine.reset({"rate": 2.0}, 1, T0))
            told(engine.set({"gain": 1.0}))
            told(engine.advance(T0 + SECOND))
            expected = 0.5 + 0.5 * math.exp(-2.0)
            assert read(engine, "x") == pytest.approx(expected, rel=tolerance)


def test_that_model_exchange_converges_with_fourth_order(decay_path: str) -> None:
    errors = []
    for substeps in (4, 8, 16):
        exchange = Fmi(
            decay_path, step=SECOND, interface=Interface.MODEL_EXCHANGE, substeps=substeps
        )
        with opened(exchange) as engine:
            told(engine.reset({}, 1, T0))
            told(engine.advance(T0 + 2 * SECOND))
            errors.append(abs(read(engine, "x") - math.exp(-2.0)))
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert all(3.9 < order < 4.3 for order in orders), orders


def test_that_a_long_proposed_end_does_not_matter_and_forks_share_nothing(
    tank: HostedEngine,
) -> None:
    with tank.another() as engine:
        told(engine.reset({}, 1, T0))
        told(engine.advance(T0 + SECOND))
        with told(engine.fork()) as fork:
            told(fork.set({"inflow": 9.0}))
            told(fork.advance(T0 + 5 * SECOND))
            assert read(engine, "level") == pytest.approx(2.0 * math.exp(-0.5), rel=1e-14)
            assert all_of(fork) != all_of(engine)


def test_that_without_fork_the_state_is_handed_over(tmp_path: Path) -> None:
    path = built(tmp_path, "tank", "pythonfmu", **STATE)
    with opened(Fmi(str(path)), fork=False) as engine:
        told(engine.reset({"first": 8.0}, 1, T0))
        told(engine.advance(T0 + SECOND))
        with told(engine.fork()) as fork:
            told(fork.advance(T0 + 2 * SECOND))
            assert read(fork, "level") == pytest.approx(8.0 * math.exp(-1.0), rel=1e-14)
            assert read(engine, "level") == pytest.approx(8.0 * math.exp(-0.5), rel=1e-14)


def test_that_an_fmu_without_a_step_asks_for_one(decay_path: str) -> None:
    with pytest.raises(EngineError, match="proposes no step size"):
        opened(Fmi(decay_path))


def test_that_what_is_no_fmu_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no file"):
        opened(Fmi(str(tmp_path / "none.fmu")))
    empty = tmp_path / "empty.fmu"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(EngineError, match=r"empty\.fmu cannot be opened"):
        opened(Fmi(str(empty)))
