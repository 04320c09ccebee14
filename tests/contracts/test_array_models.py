"""Array models keep the port's promises; their failures stay with the members that fail."""
# ruff: noqa: ARG002 - the methods have the arguments that the port gives them

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from gemeos.errors import SchemaError
from gemeos.schema import declare as gm
from gemeos.schema.schema import Schema
from gemeos.schema.variable import Input, Sensor, State, Virtual
from gemeos.simulate import ArraySimulator, compile_model
from gemeos.simulate.arrays import Array
from gemeos.simulate.base import Simulator
from gemeos.testing.contracts.simulator import SimulatorContract
from gemeos.units.instant import SECOND

ROD = Schema(
    "Rod",
    SECOND,
    (
        *(State(f"t{i}", "degC", gm.normal(20, 5)) for i in range(5)),
        Input("outside", "degC", default=10.0),
        Sensor("end", "degC"),
        Virtual("mean", "degC"),
    ),
)
MELTS = 900.0


class Rod:
    """Heat along a rod of five cells; refuses to melt."""

    schema = ROD

    def __init__(self, conduction: float = 0.1) -> None:
        self.conduction = np.full((4, 1), conduction, np.float32)

    def step_batch(self, values: Array, driven: Array, consts: Array, dt: float) -> Array:
        assert consts.shape == (0,)
        if (values > MELTS).any():
            raise ArithmeticError("it melts")
        flow = self.conduction * np.diff(values, axis=0)
        ahead = values.copy()
        ahead[:-1] += dt * flow
        ahead[1:] -= dt * flow
        ahead[0] += dt * np.float32(0.1) * (driven[0] - values[0])
        return ahead

    def observe_batch(self, values: Array, driven: Array, consts: Array) -> Array:
        assert driven.ndim == 2
        assert consts.ndim == 1
        return np.stack([values[-1], (values[0] + values[1] + values[4]) / 3])


class BatchedRod:
    """The same for all twins at once."""

    schema = ROD
    batched = True
    identity = "rod 1"

    def step_batch(self, values: Array, driven: Array, consts: Array, dt: float) -> Array:
        assert consts.shape == (len(values), 0)
        if (values > MELTS).any():
            raise ArithmeticError("it melts")
        flow = np.float32(0.1) * np.diff(values, axis=1)
        ahead = values.copy()
        ahead[:, :-1] += dt * flow
        ahead[:, 1:] -= dt * flow
        ahead[:, 0] += dt * np.float32(0.1) * (driven[:, 0] - values[:, 0])
        return ahead

    def observe_batch(self, values: Array, driven: Array, consts: Array) -> Array:
        assert driven.ndim == 3
        assert consts.ndim == 2
        return np.stack([values[:, -1], (values[:, 0] + values[:, 1] + values[:, 4]) / 3], axis=1)


class RodContract(SimulatorContract):
    @pytest.fixture
    def failing(self) -> Array:
        return np.array([20, 20, 1000, 20, 20], np.float32)


class TestArrayModelOfOneTwin(RodContract):
    @pytest.fixture
    def simulator(self) -> Simulator:
        return compile_model(Rod)


class TestArrayModelOfAllTwins(RodContract):
    @pytest.fixture
    def simulator(self) -> Simulator:
        return compile_model(BatchedRod())


def test_that_an_array_model_that_errs_is_told_with_its_members() -> None:
    simulator = ArraySimulator(Rod())
    values = np.full((2, 5, 3), 20, np.float32)
    values[1, 2, 1] = 1000
    driven, consts = np.full((2, 1, 1), 10, np.float32), np.empty((2, 0), np.float32)
    simulator.step(values, driven, consts)
    assert "twin 1: ArithmeticError: it melts" in str(simulator.first_error)


def test_that_an_array_model_cannot_write_into_the_ensemble() -> None:
    class Rude(Rod):
        def observe_batch(self, values: Array, driven: Array, consts: Array) -> Array:
            values += 1
            return values[:2]

    values = np.full((1, 5, 3), 20, np.float32)
    simulator = ArraySimulator(Rude())
    outputs = simulator.observe(values, np.zeros((1, 1, 1)), np.empty((1, 0)))
    assert_array_equal(values, np.full((1, 5, 3), 20))
    assert np.isnan(outputs).all()
    assert "read-only" in str(simulator.first_error)


def test_that_an_array_of_the_wrong_shape_is_refused_with_both_shapes() -> None:
    class Short(Rod):
        def observe_batch(self, values: Array, driven: Array, consts: Array) -> Array:
            return values[:1]

    told = r"Short.observe_batch returned an array of shape \(1, 3\); .* is \(2, 3\) here"
    with pytest.raises(SchemaError, match=told):
        ArraySimulator(Short()).observe(np.zeros((1, 5, 3)), np.zeros((1, 1, 1)), np.empty((1, 0)))


def test_that_data_held_by_an_array_model_is_part_of_its_identity() -> None:
    assert ArraySimulator(Rod(0.1)).identity == ArraySimulator(Rod(0.1)).identity
    assert ArraySimulator(Rod(0.1)).identity != ArraySimulator(Rod(0.2)).identity

    class Opaque(Rod):
        def __init__(self) -> None:
            super().__init__()
            self.table = {"a": 1.0}

    with pytest.raises(SchemaError, match=r"Opaque.table is a dict.*'identity'"):
        ArraySimulator(Opaque())


def test_that_a_class_that_is_no_model_is_told_what_one_is() -> None:
    class Nothing:
        pass

    with pytest.raises(SchemaError, match=r"Nothing has no 'schema'.*@gm.model"):
        compile_model(Nothing)
