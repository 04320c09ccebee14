"""The engine's contract on an engine in memory and on one in a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from gemeos.engines.base import Engine
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.spec import Values
from gemeos.testing.contracts.engine import (
    Drive,
    EngineContract,
    FailingEngineContract,
    Mischief,
)
from gemeos.units.instant import SECOND
from tests.contracts.mischief_engine import opened
from tests.contracts.oscillator_engine import OscillatorEngine

LIMIT_S = 3


class TestOscillatorInMemory(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        engine = OscillatorEngine()
        yield engine
        engine.close()

    @pytest.fixture
    def drive(self) -> Drive:
        return Drive(7, {"push": 0.5}, {"push": -2.0}, {"stiffness": 9.0}, seed_shows=True)


class TestCounterInAProcess(EngineContract, FailingEngineContract):
    @pytest.fixture(scope="class")
    @staticmethod
    def open_one() -> Iterator[HostedEngine]:
        with opened(limit=LIMIT_S * SECOND) as engine:
            yield engine

    @pytest.fixture
    def engine(self, open_one: HostedEngine) -> Iterator[Engine]:
        with open_one.another() as engine:
            yield engine

    @pytest.fixture
    def limit_s(self) -> float:
        return LIMIT_S

    @pytest.fixture
    def drive(self) -> Drive:
        return Drive(5, {"rate": 2.0}, {"rate": 3.0}, {"first": 10.0})

    @pytest.fixture
    def mischief(self) -> Callable[[Mischief], Values]:
        return lambda kind: {"mischief": kind.value}
