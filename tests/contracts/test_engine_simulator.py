"""An engine that hides nothing is a simulator as any other, whatever becomes of its processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

import gemeos as gm
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.simulator import EngineSimulator
from gemeos.errors import InputError, SchemaError, StoppedError
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Const, Control, Param, Sensor, State, Variable, Virtual
from gemeos.simulate.base import Consts, Driven, Members
from gemeos.testing.contracts.engine import T0, told
from gemeos.testing.contracts.simulator import SimulatorContract, assert_equal_bits
from gemeos.units.instant import SECOND
from tests.contracts.placed_engine import STEP, opened

STATES = (State("x", "m", gm.normal(1.0, 0.3)), State("v", "m/s", gm.normal(0.0, 0.3)))
VARIABLES: tuple[Variable, ...] = (
    *STATES,
    Param("stiffness", "1/s^2", gm.lognormal(4.0, 0.3)),
    Const("loose", "1", 1.0),
    Control("push", "m/s^2", (-5.0, 5.0), 0.0),
    Sensor("place", "m", 0.05),
    Virtual("speed", "m/s"),
)
NAMES = {"push": "force", "place": "x", "speed": "v"}


@pytest.fixture(scope="module")
def engine() -> Iterator[HostedEngine]:
    with opened() as made:
        yield made


def swing(
    engine: HostedEngine, variables: tuple[Variable, ...] = VARIABLES, *, workers: int = 2
) -> EngineSimulator:
    schema = Schema("swing", STEP, variables)
    return EngineSimulator(engine.another(), schema, names=NAMES, workers=workers)


@pytest.fixture(scope="module")
def simulator(engine: HostedEngine) -> Iterator[EngineSimulator]:
    with swing(engine) as made:
        yield made


class TestSwing(SimulatorContract):
    @pytest.fixture
    def simulator(self, simulator: EngineSimulator) -> EngineSimulator:
        return simulator


def members(seed: int, count: int, twins: int = 1) -> tuple[Members, Driven, Consts]:
    rng = np.random.default_rng(seed)
    values = rng.normal((1.0, 0.0, 4.0), 0.3, (twins, count, 3)).transpose(0, 2, 1)
    driven = rng.uniform(-1, 1, (twins, 1, count))
    consts = np.ones((twins, 1), np.float32)
    return np.ascontiguousarray(values, np.float32), driven.astype(np.float32), consts


def moved(values: Members, driven: Driven) -> Members:
    """Leap-frog, in the arithmetic of the engine."""
    x, v, k = values.astype(np.float64).transpose(1, 0, 2)
    v = v + 0.1 * (driven[:, 0].astype(np.float64) - k * x)
    return np.stack([x + 0.1 * v, v], axis=1).astype(np.float32)


def test_that_each_member_goes_its_own_way_with_its_own_params_and_inputs(
    simulator: EngineSimulator,
) -> None:
    values, driven, consts = members(1, 40, twins=3)
    assert_equal_bits(simulator.step(values, driven, consts), moved(values, driven))
    held = simulator.step(values, driven, 0 * consts)
    assert_equal_bits(held, values[:, :2])
    read = simulator.observe(values, driven, consts)
    assert_equal_bits(read, values[:, :2])


@pytest.mark.parametrize("workers", [1, 3])
def test_that_the_number_of_processes_does_not_show(engine: HostedEngine, workers: int) -> None:
    values, driven, consts = members(2, 70)
    with swing(engine, workers=workers) as made:
        assert_equal_bits(made.step(values, driven, consts), moved(values, driven))
        assert len(made.pids) <= workers


@pytest.mark.timed
def test_that_members_that_end_their_process_hang_or_are_refused_are_nan(
    engine: HostedEngine,
) -> None:
    values, driven, consts = members(3, 40)
    values[0, 0, 5], values[0, 0, 21], values[0, 1, 30] = 2000.0, -2000.0, 2000.0
    expected = moved(values, driven)
    expected[:, :, [5, 21, 30]] = np.nan
    with swing(engine) as made:
        assert made.first_error is None
        began = time.perf_counter()
        assert_equal_bits(made.step(values, driven, consts), expected)
        assert time.perf_counter() - began < 15
        assert made.first_error is not None


def test_that_processes_killed_from_outside_cost_nothing_but_time(
    simulator: EngineSimulator,
) -> None:
    values, driven, consts = members(4, 400)
    simulator.step(values, driven, consts)
    for after_s in (0.0, 0.002, 0.006):
        answers: list[np.ndarray] = []
        asking = threading.Thread(
            target=lambda a=answers: a.append(simulator.step(values, driven, consts))
        )
        pids = simulator.pids
        asking.start()
        time.sleep(after_s)
        for pid in pids:
            # One that was killed before, and not asked for since, is not there any more.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        asking.join(30)
        assert_equal_bits(answers[0], moved(values, driven))


def test_that_an_engine_that_hides_something_is_refused_with_its_reasons() -> None:
    with (
        opened(("the weather", "its mood")) as engine,
        pytest.raises(InputError, match="into swing: the weather; its mood"),
    ):
        swing(engine)


def test_that_a_schema_that_is_not_the_engines_is_told(engine: HostedEngine) -> None:
    label = Virtual("label", "1")
    for variables, why in (
        (VARIABLES[1:], "leaves out states of swing: x"),
        ((*VARIABLES, Const("stif", "1", 1.0)), "Did you mean 'stiffness'"),
        ((*STATES, Const("push", "1", 1.0)), "'force' is input of swing, not param"),
        ((*VARIABLES, label), "'label' of swing is a text"),
    ):
        with pytest.raises(SchemaError, match=why):
            swing(engine, variables)
    with pytest.raises(SchemaError, match=r"steps of 1 s, its engine of 0\.1 s"):
        EngineSimulator(engine.another(), Schema("swing", SECOND, VARIABLES), names=NAMES)
    with pytest.raises(SchemaError, match="one process or more"):
        swing(engine, workers=0)


def test_that_the_identity_tells_models_apart(engine: HostedEngine) -> None:
    schema = Schema("swing", STEP, VARIABLES)
    made = [
        EngineSimulator(engine.another(), schema, names=NAMES, identity=text)
        for text in ("a", "a", "b")
    ]
    first, same, other = (each.identity for each in made)
    assert first == same != other
    for each in made:
        each.close()


def test_that_what_is_closed_says_so(engine: HostedEngine) -> None:
    made = swing(engine)
    made.close()
    made.close()
    with pytest.raises(StoppedError, match="swing is closed"):
        made.step(*members(5, 3))


@pytest.mark.timed
def test_that_one_who_stops_ends_his_own_calls_alone(engine: HostedEngine) -> None:
    values, driven, consts = members(6, 40)
    struck = values.copy()
    struck[0, 0, :] = -2000.0  # each hangs: a batch for seventeen seconds, then row by row
    with swing(engine) as made:
        one, other = made.lent(), made.lent()
        said: list[str] = []

        def ask() -> None:
            with pytest.raises(StoppedError, match="stopped") as refused:
                one.step(struck, driven, consts)
            said.append(str(refused.value))

        asking = threading.Thread(target=ask)
        asking.start()
        ends = time.monotonic() + 10
        while not made.pids:
            assert time.monotonic() < ends
            time.sleep(0.01)
        began = time.monotonic()
        one.halt()
        asking.join(20)
        assert said
        assert time.monotonic() - began < 10
        with pytest.raises(StoppedError, match="stopped"):
            one.step(values, driven, consts)
        assert_equal_bits(other.step(values, driven, consts), moved(values, driven))
        assert other.identity == made.identity


def test_that_its_processes_end_with_the_site_and_begin_again_with_the_next(
    engine: HostedEngine,
) -> None:
    with swing(engine) as made:
        values, driven, consts = members(5, 40)
        for _ in range(2):
            with gm.run(gm.Twin("s", made, members=8, consts={"loose": 1.0})):
                assert_equal_bits(made.step(values, driven, consts), moved(values, driven))
                pids = made.pids
                assert pids
            assert made.pids == ()
            for pid in pids:
                with pytest.raises(ProcessLookupError):
                    os.kill(pid, 0)


def test_that_a_nudged_swing_is_replayed_as_it_was(engine: HostedEngine) -> None:
    with engine.another() as one, engine.another() as other:
        told(one.reset({}, 1, T0))
        told(one.advance(T0 + STEP))
        told(one.nudge({"x": 0.5}))
        told(one.advance(T0 + 2 * STEP))
        told(other.restore(told(one.snapshot())))
        assert told(one.get(["x", "v"])) == told(other.get(["x", "v"]))
        assert told(one.get(["x"]))["x"] != 1.0
