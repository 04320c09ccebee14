"""FMI 2 model exchange with an FMU in C: events of the state and of the time, in closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from gemeos.engines.fmi import Fmi, Interface, opened
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.spec import Role, Snapshot
from gemeos.errors import EngineError, InputError
from gemeos.testing.contracts.engine import T0, told
from gemeos.units.instant import SECOND
from tests.integration.fmus.building import compiled


@pytest.fixture(scope="module")
def saw_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(compiled(tmp_path_factory.mktemp("saw"), "saw"))


@pytest.fixture(scope="module")
def open_saw(saw_path: str) -> Iterator[HostedEngine]:
    with opened(Fmi(saw_path, step=SECOND // 4)) as engine:
        yield engine


@pytest.fixture
def saw(open_saw: HostedEngine) -> Iterator[HostedEngine]:
    with open_saw.another() as engine:
        told(engine.reset({}, 1, T0))
        yield engine


def x(engine: HostedEngine) -> float:
    value = told(engine.get(["x"]))["x"]
    assert isinstance(value, float)
    return value


def test_that_the_spec_tells_the_states_that_can_be_nudged(saw: HostedEngine) -> None:
    spec = saw.spec
    assert spec.by_name["x"].role is Role.STATE
    assert spec.by_name["x"].unit == "m"
    assert spec.by_name["kick"].bounds == (0.0, None)
    assert spec.capabilities.nudge == {"x"}
    assert spec.capabilities.snapshot is Snapshot.REPLAY


def test_that_it_doubles_at_a_half_and_gains_one_at_its_time(saw: HostedEngine) -> None:
    # x = exp(-t) until ln 2, then twice that; at 1 s it is 2/e and gains 1.
    kicked = 2 / math.e + 1
    for elapsed, expected in (
        (0.5, math.exp(-0.5)),
        (0.75, 2 * math.exp(-0.75)),
        (1.0, kicked),
        (1.75, kicked * math.exp(-0.75)),
        (2.5, 2 * kicked * math.exp(-1.5)),
    ):
        told(saw.advance(T0 + round(elapsed * SECOND)))
        assert x(saw) == pytest.approx(expected, rel=1e-7), elapsed
    assert told(saw.get(["doubled"])) == {"doubled": 2}


def test_that_an_event_between_two_substeps_happens_at_its_own_time(saw: HostedEngine) -> None:
    kick = 0.4321
    told(saw.reset({"kick": kick}, 1, T0))
    told(saw.advance(T0 + SECOND // 2))
    expected = (math.exp(-kick) + 1) * math.exp(kick - 0.5)
    assert x(saw) == pytest.approx(expected, rel=1e-9)


def test_that_a_fork_and_a_replay_meet_their_origin_to_the_last_bit(saw: HostedEngine) -> None:
    told(saw.advance(T0 + SECOND // 2))
    told(saw.nudge({"x": 0.75}))
    assert x(saw) == 0.75
    kept = told(saw.snapshot())
    with told(saw.fork()) as fork, saw.another() as replayed:
        told(replayed.restore(kept))
        ends = []
        for engine in (saw, fork, replayed):
            told(engine.advance(T0 + 3 * SECOND))
            ends.append(told(engine.get(engine.spec.names)))
        assert ends[0] == ends[1] == ends[2]


def test_that_a_parameter_outside_its_bounds_is_refused(saw: HostedEngine) -> None:
    with pytest.raises(InputError, match="'kick' lies between 0 and any"):
        saw.reset({"kick": -1.0}, 1, T0)


def test_that_an_interface_that_it_lacks_is_told_with_those_it_has(saw_path: str) -> None:
    with pytest.raises(EngineError, match=r"its interfaces are \['ModelExchange'\]"):
        opened(Fmi(saw_path, step=SECOND, interface=Interface.CO_SIMULATION))
