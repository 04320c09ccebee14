"""FMUs whose state can be written are simulators: pure, by member, and kept in step."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import gemeos as gm
from gemeos.engines.fmi import Fmi, Interface, opened
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.simulator import EngineSimulator
from gemeos.errors import InputError, SchemaError, StoppedError
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const, Control, Input, Param, Sensor, State, Variable, Virtual
from gemeos.simulate.arrays import Array, ArraySimulator
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.testing.contracts.simulator import SimulatorContract, assert_equal_bits
from gemeos.testing.truth import followed
from gemeos.units.instant import SECOND, Span
from tests.integration.fmus.building import built, compiled

STEP: Span = SECOND // 10
STATES = (
    State("x", "m", gm.normal(1.0, 0.3), noise=0.003),
    State("v", "m/s", gm.normal(0.0, 0.3), noise=0.003),
)
STIFFNESS = Param("stiffness", "1/s^2", gm.lognormal(4.0, 0.3))
DAMPING = Const("damping", "1/s", 0.2)
FORCE = Control("force", "m/s^2", (-5.0, 5.0), 0.0)
PLACE = Sensor("place", "m", 0.05)
VARIABLES = (*STATES, STIFFNESS, DAMPING, FORCE, PLACE, Virtual("accel", "m/s^2"))
NAMES = {"place": "x"}


@pytest.fixture(scope="module")
def spring_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("spring"), "spring")


@pytest.fixture(scope="module")
def engine(spring_path: Path) -> Iterator[HostedEngine]:
    with opened(Fmi(str(spring_path), logs=False), limit=SECOND) as made:
        yield made


def spring(
    engine: HostedEngine, variables: tuple[Variable, ...] = VARIABLES, *, workers: int = 2
) -> EngineSimulator:
    schema = Schema("spring", STEP, variables)
    names = {k: v for k, v in NAMES.items() if k in {x.name for x in variables}}
    another = engine.another()
    try:
        return EngineSimulator(another, schema, names=names, workers=workers)
    except BaseException:
        another.close()
        raise


@pytest.fixture(scope="module")
def simulator(engine: HostedEngine) -> Iterator[EngineSimulator]:
    with spring(engine) as made:
        yield made


class TestSpring(SimulatorContract):
    @pytest.fixture
    def simulator(self, simulator: EngineSimulator) -> EngineSimulator:
        return simulator


class TestBouncingBall(SimulatorContract):
    """Events are no memory: all that the ball goes on from is where it is and how fast."""

    @pytest.fixture(scope="class")
    @staticmethod
    def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSimulator]:
        path = built(tmp_path_factory.mktemp("ball"), "ball", "pythonfmu3")
        ball = Schema(
            "ball",
            STEP // 2,
            (
                State("h", "m", gm.lognormal(0.4, 0.3)),
                State("v", "m/s", gm.normal(-2.0, 1.0)),
                Param("bounce", "1", gm.uniform(0.5, 0.9)),
                Input("wind", "m/s^2", 0.0),
                Sensor("height", "m", 0.01),
            ),
        )
        engine = opened(Fmi(str(path), step=STEP // 2, logs=False))
        with EngineSimulator(engine, ball, names={"height": "h"}) as made:
            yield made


def members(rng: np.random.Generator, count: int, twins: int = 1) -> tuple[Members, Driven, Consts]:
    """Of springs that are pushed differently."""
    values = np.stack(
        [
            rng.normal(1.0, 0.3, (twins, count)),
            rng.normal(0.0, 0.3, (twins, count)),
            4.0 * np.exp(rng.normal(0.0, 0.3, (twins, count))),
        ],
        axis=1,
    ).astype(np.float32)
    driven = rng.uniform(-1, 1, (twins, 1, count)).astype(np.float32)
    return values, driven, np.full((twins, 1), 0.2, np.float32)


def test_that_members_move_and_are_read_as_the_equation_says(simulator: EngineSimulator) -> None:
    values, driven, consts = members(np.random.default_rng(1), 20)
    for damping in (0.2, 1.0):
        consts[:] = damping
        moved = simulator.step(values, driven, consts)[0].astype(float)
        x0, v0, k = values[0].astype(float)
        force = driven[0, 0].astype(float)
        rest = force / k  # where the force holds the spring
        x, v = swung(x0 - rest, v0, k, damping=damping, t=0.1)
        x = x + rest
        np.testing.assert_allclose(moved, [x, v], rtol=2e-6, atol=2e-6)
        read = simulator.observe(values, driven, consts)[0]
        np.testing.assert_array_equal(read[0], values[0, 0])
        np.testing.assert_allclose(read[1], force - k * x0 - damping * v0, rtol=1e-5, atol=1e-5)


def test_that_neither_the_number_of_processes_nor_how_they_begin_shows(
    spring_path: Path, engine: HostedEngine, simulator: EngineSimulator
) -> None:
    asked = members(np.random.default_rng(2), 37, twins=2)
    expected = simulator.step(*asked)
    with opened(Fmi(str(spring_path), logs=False), fork=False) as spawned:
        for from_, workers in ((engine, 1), (engine, 3), (spawned, 1)):
            with spring(from_, workers=workers) as other:
                assert_equal_bits(other.step(*asked), expected)
                assert other.identity == simulator.identity


@pytest.mark.timed
def test_that_a_member_that_crashes_hangs_or_is_refused_is_nan_and_nothing_else_is(
    engine: HostedEngine,
) -> None:
    values, driven, consts = members(np.random.default_rng(3), 40)
    with spring(engine) as made:
        expected = made.step(values, driven, consts)
        struck = values.copy()
        struck[0, 0, 5], struck[0, 0, 21], struck[0, 1, 30] = 2000.0, -2000.0, 2000.0
        began = time.perf_counter()
        moved = made.step(struck, driven, consts)
        took = time.perf_counter() - began
        expected[:, :, [5, 21, 30]] = np.nan
        assert_equal_bits(moved, expected)
        assert took < 5
        assert made.first_error is not None
        assert_equal_bits(made.step(values, driven, consts)[0, :, 6], expected[0, :, 6])


def test_that_killing_its_processes_costs_nothing_but_time(simulator: EngineSimulator) -> None:
    asked = members(np.random.default_rng(4), 100)
    expected = simulator.step(*asked)
    assert len(simulator.pids) == 2
    killed = 0
    for after_s in (0.0, 0.004, 0.01, 0.02):
        answers: list[np.ndarray] = []
        asking = threading.Thread(target=lambda a=answers: a.append(simulator.step(*asked)))
        pids = simulator.pids
        asking.start()
        time.sleep(after_s)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed += 1
        asking.join(20)
        assert_equal_bits(answers[0], expected)
    assert killed >= 4


def test_that_several_threads_ask_at_once_and_each_has_its_own_answer(
    simulator: EngineSimulator,
) -> None:
    asked = [members(np.random.default_rng(seed), 25) for seed in range(6)]
    expected = [simulator.step(*each) for each in asked]
    answers: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(target=lambda i=i: answers.update({i: simulator.step(*asked[i])}))
        for i in range(len(asked))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for i, each in enumerate(expected):
        assert_equal_bits(answers[i], each)


def test_that_an_fmu_that_hides_something_is_refused_with_what_it_is(
    tmp_path: Path, engine: HostedEngine
) -> None:
    saw = compiled(tmp_path, "saw")
    with opened(Fmi(str(saw), step=SECOND // 4)) as toothed:
        with pytest.raises(InputError, match="discrete variables that may remember: doubled"):
            toothed.placed()
        assert any("plans an event at 1 s" in why for why in toothed.spec.capabilities.hidden)
    decay = built(tmp_path, "decay", "pythonfmu3")
    with (
        opened(Fmi(str(decay), step=STEP, interface=Interface.CO_SIMULATION)) as decaying,
        pytest.raises(InputError, match="keeps its states to itself"),
    ):
        decaying.placed()
    assert engine.spec.capabilities.hidden == ()


def test_that_a_memory_that_is_not_declared_shows_when_it_is_tried(tmp_path: Path) -> None:
    # A valve that opens below a level and closes above another, which no variable tells.
    valve = built(tmp_path, "valve", "pythonfmu3")
    with opened(Fmi(str(valve), step=STEP)) as basin:
        (why,) = basin.spec.capabilities.hidden
    assert "something that it does not tell" in why
    assert "level" in why


def test_that_a_model_that_depends_on_the_time_shows_when_it_is_tried(tmp_path: Path) -> None:
    tide = built(tmp_path, "tide", "pythonfmu3")
    with opened(Fmi(str(tide), step=STEP)) as sea:
        (why,) = sea.spec.capabilities.hidden
    assert why.startswith("the time")


def test_that_a_schema_that_does_not_fit_is_told(engine: HostedEngine) -> None:
    for variables, told in (
        (VARIABLES[1:], "leaves out states of spring: x"),
        ((*VARIABLES, Const("force_", "1", 1.0)), "no variable 'force_'"),
        ((*STATES, Const("force", "1", 1.0)), "'force' is input of spring, not param"),
    ):
        with pytest.raises(SchemaError, match=told):
            spring(engine, variables)


def test_that_a_closed_simulator_says_so(engine: HostedEngine) -> None:
    made = spring(engine)
    pids = made.pids
    made.close()
    made.close()
    with pytest.raises(StoppedError, match="closed"):
        made.step(*members(np.random.default_rng(5), 3))
    assert pids == ()


class SpringInNumpy:
    """The same spring in closed form; its damping is 0.2 and nothing pushes it."""

    identity = "spring in closed form"

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    def step_batch(self, values: Array, driven: Array, consts: Array, dt: float) -> Array:
        del driven, consts
        x, v = swung(*values.astype(np.float64), damping=0.2, t=dt)
        return np.stack([x, v])

    def observe_batch(self, values: Array, driven: Array, consts: Array) -> Array:
        del driven, consts
        return values[:1]


def swung(x0: Array, v0: Array, k: Array, *, damping: float, t: float) -> tuple[Array, Array]:
    """Where a spring around 0 is after ``t``: y'' + c y' + k y = 0."""
    half = damping / 2
    turn = np.sqrt(k - half**2)
    b = (v0 + half * x0) / turn
    fade = np.exp(-half * t)
    x = fade * (x0 * np.cos(turn * t) + b * np.sin(turn * t))
    v = -half * x + fade * turn * (b * np.cos(turn * t) - x0 * np.sin(turn * t))
    return x, v


def test_that_a_filter_finds_the_hidden_stiffness_as_it_does_with_the_same_model_in_numpy(
    engine: HostedEngine,
) -> None:
    with spring(engine, (*STATES, STIFFNESS, PLACE)) as made:
        truth = ArraySimulator(SpringInNumpy(made.schema))
        cycles = [gm.Twin("spring", each).cycle() for each in (made, truth)]
        by_fmu, by_numpy = (
            list(
                followed(cycle, twins=5, members=24, instants=48, seed=11, truth=cycles[1].stepper)
            )
            for cycle in cycles
        )
    for one, other in zip(by_fmu, by_numpy, strict=True):
        np.testing.assert_allclose(one.state.members, other.state.members, rtol=1e-3, atol=1e-3)
    last = by_fmu[-1]
    stiffness = last.state.members[:, 2, :]  # its logarithm
    spread = stiffness.std(axis=1, ddof=1)
    miss = stiffness.mean(axis=1) - np.log(last.truth[:, 2])
    assert (spread < 0.1).all()  # before the first reading 0.3
    assert (np.abs(miss) < 4 * spread).all()
    assert np.sqrt((miss**2).mean()) < 0.08
    # Also of the speed, which is never read, the spread tells the error.
    errors = np.array([each.error for each in by_fmu[16:]])
    spreads = np.array([each.spread for each in by_fmu[16:]])
    assert 0.6 < np.sqrt((errors**2).mean() / (spreads**2).mean()) < 1.6
