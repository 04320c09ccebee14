"""Each simulator of a declared model keeps the port's promises, and computes what Python does."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gemeos.schema import declare as gm
from gemeos.schema.schema import Schema
from gemeos.simulate import BatchedSimulator, FastSimulator, MembersSimulator, compile_model
from gemeos.simulate.base import Consts, Driven, Members, Simulator
from gemeos.simulate.frontend import lower
from gemeos.simulate.kernels import usual_folder
from gemeos.testing.contracts.simulator import SimulatorContract, assert_equal_bits
from gemeos.testing.zoo import DOUBLE, SINGLE, ZOO, deck, valve, wave

Arrays = tuple[Members, Driven, Consts]


def batched(cls: type) -> Simulator:
    return BatchedSimulator(lower(cls))


def fast(cls: type) -> Simulator:
    pytest.importorskip("numba")
    return FastSimulator(lower(cls), usual_folder())


PRINTED = (batched, fast)
COMPUTED = (*PRINTED, MembersSimulator)


def drawn(schema: Schema, *, twins: int = 4, members: int = 37) -> Arrays:
    """States of both signs, params and constants above zero, inputs of both signs."""
    deviates = np.random.default_rng(7)
    states = deviates.uniform(-1.5, 1.5, (twins, len(schema.states), members))
    params = deviates.uniform(0.4, 1.8, (twins, len(schema.params), members))
    driven = deviates.uniform(-1, 1, (twins, len(schema.driven), 1))
    consts = deviates.uniform(0.5, 1.5, (twins, len(schema.consts)))
    values = np.concatenate([states, params], axis=1)
    kind = schema.precision
    return values.astype(kind), driven.astype(kind), consts.astype(kind)


def assert_agree(one: np.ndarray, other: np.ndarray, tolerance: float) -> None:
    """Within ``tolerance`` of each number, or of the row's largest where terms cancel."""
    for row in range(one.shape[1]):
        largest = np.abs(other[:, row]).max()
        assert_allclose(one[:, row], other[:, row], rtol=tolerance, atol=tolerance * largest)


@pytest.mark.parametrize(("spread", "tolerance"), [(SINGLE, 1e-6), (DOUBLE, 1e-12)])
@pytest.mark.parametrize("make", ZOO)
@pytest.mark.parametrize("computed", PRINTED)
def test_that_the_printed_form_computes_what_plain_python_does(
    computed: Callable[[type], Simulator],
    make: Callable[[float], type],
    spread: float,
    tolerance: float,
) -> None:
    cls = make(spread)
    printed, plain = computed(cls), MembersSimulator(cls)
    assert printed.schema.precision == (np.float32 if spread == SINGLE else np.float64)
    arrays = drawn(printed.schema)
    expected = plain.step(*arrays)
    assert np.isfinite(expected).all(), plain.first_error
    assert_agree(printed.step(*arrays), expected, tolerance)
    assert_agree(printed.observe(*arrays), plain.observe(*arrays), tolerance)


def test_that_every_way_through_the_branches_is_taken_by_the_drawn_members() -> None:
    # Otherwise the comparison above would say little: count the distinct outcomes by hand.
    values, driven, _ = drawn(gm.schema_of(valve(SINGLE)))
    p = values[:, 0] + 0.5 * (driven[:, 0] - 0.1 * values[:, 0])
    mode, limit = values[:, 1], values[:, 2]
    ways = [
        mode > 1,
        (mode <= 1) & (p > 0) & (p < limit),
        (mode <= 1) & (p <= -limit),
        (mode <= 1) & (-limit < p) & (p <= 0) & (mode < -0.5),
        (mode <= 1) & (-limit < p) & (p <= 0) & (mode > -0.5),
    ]
    assert all(way.sum() >= 5 for way in ways)


@pytest.mark.parametrize("computed", COMPUTED)
def test_that_one_step_is_what_the_formula_says(computed: Callable[[type], Simulator]) -> None:
    # By hand: a = 0.5 - 0.1 - 40 sin(0.1) - 0.2 * 0.3^2 = -3.61133666587, dt = 0.01 s.
    arrays = (
        np.array([[[0.1], [0.3], [40.0]]], np.float32),
        np.array([[[0.5], [-0.1]]], np.float32),
        np.array([[0.2]], np.float32),
    )
    a = -3.61133666587
    v = 0.3 + 0.01 * a
    simulator = computed(deck(SINGLE))
    assert_allclose(simulator.step(*arrays)[0, :, 0], [0.1 + 0.01 * v, v], rtol=2e-7)
    assert_allclose(simulator.observe(*arrays)[0, :, 0], [0.5 - 40 * 0.1], rtol=2e-7)


@pytest.mark.parametrize("computed", PRINTED)
def test_that_one_members_numbers_do_not_depend_on_blocks_or_layout(
    computed: Callable[[type], Simulator],
) -> None:
    simulator = computed(wave(SINGLE))
    values, driven, consts = drawn(simulator.schema, twins=1200, members=33)
    whole = simulator.step(values, driven, consts)  # several blocks
    strided = np.asfortranarray(values)
    assert_equal_bits(simulator.step(strided, driven, consts), whole)
    for twin, member in [(0, 0), (555, 17), (1199, 32)]:
        alone = values[twin : twin + 1, :, member : member + 1]
        own = slice(twin, twin + 1)
        result = simulator.step(alone, driven[own], consts[own])
        assert_equal_bits(result[0, :, 0], whole[twin, :, member].copy())


@gm.model(dt="1 s")
class Tank:
    """Cannot go on below zero: in Python the root raises, in numpy it is NaN."""

    level: float = gm.state("m", gm.lognormal(2, 0.1))
    other: float = gm.state("m", gm.normal(1, 0.1))
    inflow: float = gm.input("m/s", default=0.1)

    def step(self, dt: float) -> Tank:
        flow = math.sqrt(self.level)
        return Tank(level=max(0.0, self.level + dt * (self.inflow - 0.1 * flow)), other=self.other)

    @gm.sensor("m")
    def depth(self) -> float:
        return self.level

    @gm.virtual("1/m")
    def inverse(self) -> float:
        return 1 / (self.other - 4)


class DrawnContract(SimulatorContract):
    @pytest.fixture
    def values(self, simulator: Simulator) -> Members:
        return drawn(simulator.schema)[0]

    @pytest.fixture
    def driven(self, simulator: Simulator) -> Driven:
        return drawn(simulator.schema)[1]

    @pytest.fixture
    def consts(self, simulator: Simulator) -> Consts:
        return drawn(simulator.schema)[2]


class TestPrintedZoo(DrawnContract):
    @pytest.fixture(params=[SINGLE, DOUBLE], ids=["single", "double"])
    def spread(self, request: pytest.FixtureRequest) -> float:
        spread: float = request.param
        return spread

    @pytest.fixture(params=PRINTED)
    def computed(self, request: pytest.FixtureRequest) -> Callable[[type], Simulator]:
        computed: Callable[[type], Simulator] = request.param
        return computed

    @pytest.fixture(params=ZOO)
    def simulator(
        self,
        request: pytest.FixtureRequest,
        computed: Callable[[type], Simulator],
        spread: float,
    ) -> Simulator:
        return computed(request.param(spread))


class EmptyTank(SimulatorContract):
    @pytest.fixture
    def failing(self, simulator: Simulator) -> np.ndarray:
        return np.array([-1.0, 1.0], simulator.schema.precision)


class TestTank(EmptyTank):
    @pytest.fixture(params=COMPUTED)
    def simulator(self, request: pytest.FixtureRequest) -> Simulator:
        simulator: Simulator = request.param(Tank)
        return simulator


def tanks(*levels: float) -> Arrays:
    """One twin, a member for each level; the other state is 1 m."""
    values = np.ones((1, 2, len(levels)), np.float32)
    values[0, 0] = levels
    return values, np.full((1, 1, 1), 0.1, np.float32), np.empty((1, 0), np.float32)


@pytest.mark.parametrize("computed", COMPUTED)
def test_that_a_clamp_does_not_revive_a_member_that_failed(
    computed: Callable[[type], Simulator],
) -> None:
    states = computed(Tank).step(*tanks(4.0, -1.0, math.nan))
    # 4 + 0.1 - 0.1 * sqrt(4) = 3.9; max(0.0, nan) would be 0.
    assert_allclose(states[0, :, 0], [3.9, 1.0], rtol=1e-6)
    assert_array_equal(states[0, :, 1:], np.full((2, 2), np.nan))


@gm.model(dt="1 s")
class Switch:
    """Its states and output are numbers whatever it is given: NaN takes the last branch."""

    x: float = gm.state("", gm.normal(0, 1))

    def step(self, dt: float) -> Switch:
        return Switch(x=dt if self.x > 0 else -dt)

    @gm.virtual("")
    def whole(self) -> float:
        return math.floor(self.x)

    @gm.virtual("")
    def sign(self) -> float:
        return 1 if self.x > 0 else -1


@pytest.mark.parametrize("computed", COMPUTED)
def test_that_a_branch_does_not_revive_a_member_that_failed(
    computed: Callable[[type], Simulator],
) -> None:
    simulator = computed(Switch)
    empty = np.empty((1, 0, 1), np.float32)
    arrays = np.array([[[2.5, math.nan, -math.inf]]], np.float32), empty, empty[:, :, 0]
    assert_array_equal(simulator.step(*arrays), np.array([[[1.0, np.nan, np.nan]]]))
    expected = np.array([[[2.0, np.nan, np.nan], [1.0, np.nan, np.nan]]])
    assert_array_equal(simulator.observe(*arrays), expected)


def test_that_a_member_that_failed_before_is_not_blamed_on_the_model() -> None:
    simulator = MembersSimulator(Switch)
    empty = np.empty((1, 0, 1), np.float32)
    simulator.observe(np.full((1, 1, 2), np.nan, np.float32), empty, empty[:, :, 0])
    assert simulator.first_error is None  # math.floor would refuse NaN


@pytest.mark.parametrize("computed", COMPUTED)
def test_that_an_output_without_value_does_not_spoil_the_others(
    computed: Callable[[type], Simulator],
) -> None:
    values, driven, consts = tanks(4.0, 5.0)
    values[0, 1] = [4.0, 6.0]  # one over zero for the first
    outputs = computed(Tank).observe(values, driven, consts)
    assert_array_equal(outputs[0], np.array([[4.0, 5.0], [np.nan, 0.5]], np.float32))


def test_that_the_first_error_names_the_line_the_twin_and_the_member() -> None:
    simulator = MembersSimulator(Tank)
    assert simulator.first_error is None
    simulator.step(*tanks(4.0, math.nan, -1.0, -2.0))
    told = str(simulator.first_error)
    assert "test_simulators.py" in told
    assert "in step, twin 0, member 2: ValueError: math domain error" in told
    assert f":{Tank.step.__code__.co_firstlineno + 1} " in told


@gm.model(dt="1 s", compile=False)
class Bisection:
    """Finds a root by a loop whose end is not known beforehand."""

    x: float = gm.state("", gm.lognormal(2, 0.1))

    def step(self, dt: float) -> Bisection:  # noqa: ARG002
        low, high = 0.0, max(1.0, self.x)
        while high - low > 1e-9:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if middle**2 < self.x else (low, middle)
        return Bisection(x=low)


class TestWhatIsNotCompiled(SimulatorContract):
    @pytest.fixture
    def simulator(self) -> Simulator:
        return compile_model(Bisection)


def test_that_what_cannot_be_compiled_runs_member_by_member_when_asked() -> None:
    simulator = compile_model(Bisection)
    assert isinstance(simulator, MembersSimulator)
    empty = np.empty((1, 0, 1), np.float32)
    values = np.array([[[4.0, 9.0]]], np.float32)
    assert_allclose(simulator.step(values, empty, empty[:, :, 0])[0, 0], [2.0, 3.0], rtol=1e-6)
    assert simulator.observe(values, empty, empty[:, :, 0]).shape == (1, 0, 2)
