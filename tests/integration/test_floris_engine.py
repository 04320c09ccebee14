"""FLORIS keeps the engine's contract, and means by yaw what the wind farm twin means by it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pytest

from gemeos.engines.base import Engine
from gemeos.engines.floris import Floris, Steady, opened
from gemeos.engines.hosted import HostedEngine
from gemeos.errors import EngineError, InputError, SettingsError
from gemeos.testing.contracts.engine import T0, Drive, EngineContract, told
from tests.conftest import missing

DIAMETER = 126.0
"""m, of the NREL 5 MW turbine: Jonkman et al. (2009), NREL/TP-500-38060, table 1-1."""
PAIR = Floris(places=((0.0, 0.0), (5 * DIAMETER, -0.5 * DIAMETER)))


@pytest.fixture(scope="module")
def farm() -> Iterator[HostedEngine]:
    if find_spec("floris") is None:
        missing("FLORIS, of the extra gemeos[floris]")
    with opened(PAIR) as engine:
        yield engine


class TestFloris(EngineContract):
    @pytest.fixture
    def engine(self, farm: HostedEngine) -> Iterator[Engine]:
        with farm.another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        held = {"wind.speed": 9.0, "wind.direction": 280.0, "T1.yaw": 20.0}
        others = {"wind.speed": 7.0, "wind.direction": 100.0, "T1.yaw": -5.0}
        return Drive(4, dict(held), dict(others))


def test_that_a_turned_turbine_gives_less_and_bends_its_wake_as_the_twin_says(
    farm: HostedEngine,
) -> None:
    """Wind from the west; T2 stands to the right of the line behind T1, looking downwind."""
    with farm.another() as engine:
        told(engine.reset({}, 1, T0))
        found = {}
        for yaw in (-20.0, 0.0, 20.0):
            told(engine.set({"T1.yaw": yaw}))
            values = told(engine.get(["T1.power", "T2.power", "farm.power"]))
            found[yaw] = [float(v) for v in values.values()]
    # FLORIS's turbine goes with cos^1.88 of the yaw where power goes with the cube of the wind.
    assert found[20.0][0] / found[0.0][0] == pytest.approx(
        math.cos(math.radians(20.0)) ** 1.88, rel=0.01
    )
    assert found[-20.0][1] > found[0.0][1] > found[20.0][1]
    assert all(two[2] == pytest.approx(two[0] + two[1]) for two in found.values())


def test_that_many_states_at_once_are_what_each_is_alone(farm: HostedEngine) -> None:
    rng = np.random.default_rng(4)
    direction, speed = rng.uniform(230.0, 310.0, 6), rng.uniform(5.0, 12.0, 6)
    yaw, turbulence = rng.uniform(-25.0, 25.0, (6, 2)), np.full(6, 0.06)
    steady = Steady(PAIR)
    together = steady.power(direction, speed, turbulence, yaw)
    with farm.another() as engine:
        told(engine.reset({}, 1, T0))
        for i in range(6):
            wind = {"wind.speed": float(speed[i]), "wind.direction": float(direction[i])}
            told(engine.set({**wind, "T1.yaw": float(yaw[i, 0]), "T2.yaw": float(yaw[i, 1])}))
            alone = told(engine.get(["T1.power", "T2.power"]))
            assert list(alone.values()) == pytest.approx(together[i].tolist(), rel=1e-12)
    with pytest.raises(InputError, match="2 turbines"):
        steady.power(direction, speed, turbulence, yaw[:, :1])


def test_that_what_is_no_farm_is_refused() -> None:
    with pytest.raises(SettingsError, match="a place for each"):
        Floris(places=())
    with pytest.raises(SettingsError, match="1 different names"):
        Floris(places=((0.0, 0.0), (1.0, 0.0)), names=("A", "A"))
    with pytest.raises(SettingsError, match="positive span"):
        Floris(places=((0.0, 0.0),), step=0)


def test_that_a_file_that_floris_cannot_read_is_told(farm: HostedEngine) -> None:
    assert farm.spec.name == "FLORIS"
    with pytest.raises(EngineError, match="nowhere"):
        opened(Floris(places=((0.0, 0.0),), config="/nowhere.yaml"))
