"""The tests that every simulator inherits.

Write a class that inherits ``SimulatorContract`` and has a fixture ``simulator``. Members are drawn
from the schema's priors; where a model cannot go on from those, or needs inputs and constants of
another size, give the fixtures ``values``, ``driven`` and ``consts`` as well, all of three twins
or more and five members or more. ``failing`` is one member with which the model cannot go on.

"Equal" always means to the last bit: shard size and the order of members must not show.
"""
# ruff: noqa: S101, D102 - these are tests, inherited by those who write a simulator

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from jaxtyping import Float

from gemeos.schema.variable import Control
from gemeos.simulate.base import Consts, Driven, Members, Simulator

TWINS = 3
MEMBERS = 11
"""Neither a power of two nor a multiple of one: vector units have a remainder to deal with."""

Rows: TypeAlias = Float[np.ndarray, "twin row member"]
Call: TypeAlias = Callable[[Members, Driven, Consts], Rows]


def assert_equal_bits(one: np.ndarray, other: np.ndarray) -> None:
    """The same numbers to the last bit, the sign of zero included."""
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    np.testing.assert_array_equal(one, other)
    assert one.tobytes() == other.tobytes()


class SimulatorContract:
    """What ``gemeos.simulate.base.Simulator`` promises."""

    @pytest.fixture
    def values(self, simulator: Simulator) -> Members:
        """Members from the priors, inside their bounds."""
        deviates = np.random.default_rng(20260701)
        rows = []
        for variable in simulator.schema.estimated:
            drawn = variable.prior.at(deviates.standard_normal((TWINS, MEMBERS)))
            coordinate = variable.coordinate
            rows.append(coordinate.outward(coordinate.inward(drawn)))
        return np.stack(rows, axis=1).astype(simulator.schema.precision)

    @pytest.fixture
    def driven(self, simulator: Simulator, values: Members) -> Driven:
        """Inputs around zero, or their defaults; controls within their bounds."""
        deviates = np.random.default_rng(20260702)
        rows = np.zeros((len(values), len(simulator.schema.driven), 1))
        for place, variable in enumerate(simulator.schema.driven):
            if isinstance(variable, Control):
                least, most = (b if b is not None else 1.0 for b in variable.bounds)
                rows[:, place, 0] = deviates.uniform(least, most, len(values))
            elif variable.default is not None:
                rows[:, place, 0] = variable.default
            else:
                rows[:, place, 0] = deviates.standard_normal(len(values))
        return rows.astype(simulator.schema.precision)

    @pytest.fixture
    def consts(self, simulator: Simulator, values: Members) -> Consts:
        """Their defaults, or one."""
        known = [1.0 if c.default is None else c.default for c in simulator.schema.consts]
        return np.tile(np.array(known, simulator.schema.precision), (len(values), 1))

    @pytest.fixture
    def failing(self, simulator: Simulator) -> Float[np.ndarray, " variable"]:
        """One member that has failed before."""
        return np.full(len(simulator.schema.estimated), np.nan, simulator.schema.precision)

    @pytest.fixture(params=["step", "observe"])
    def call(self, simulator: Simulator, request: pytest.FixtureRequest) -> Call:
        """Either method: both promise the same."""
        return simulator.step if request.param == "step" else simulator.observe

    def test_that_states_and_outputs_have_their_places_and_the_schemas_precision(
        self, simulator: Simulator, values: Members, driven: Driven, consts: Consts
    ) -> None:
        schema = simulator.schema
        twins, _, members = values.shape
        states = simulator.step(values, driven, consts)
        outputs = simulator.observe(values, driven, consts)
        assert states.shape == (twins, len(schema.states), members)
        assert outputs.shape == (twins, len(schema.outputs), members)
        assert states.dtype == outputs.dtype == schema.precision

    def test_that_members_of_the_prior_can_go_on(
        self, call: Call, values: Members, driven: Driven, consts: Consts
    ) -> None:
        assert np.isfinite(call(values, driven, consts)).all()

    def test_that_no_argument_is_changed_or_handed_back(
        self, call: Call, values: Members, driven: Driven, consts: Consts
    ) -> None:
        arguments = (values, driven, consts)
        before = [a.copy() for a in arguments]
        result = call(*arguments)
        result[...] = 7.0
        for argument, copy in zip(arguments, before, strict=True):
            assert_equal_bits(argument, copy)

    def test_that_equal_questions_have_equal_answers_whatever_was_asked_between(
        self, call: Call, values: Members, driven: Driven, consts: Consts
    ) -> None:
        first = call(values, driven, consts)
        kept = first.copy()
        call(values[:, :, ::-1].copy(), driven, consts)
        again = call(values, driven, consts)
        assert_equal_bits(first, kept)
        assert_equal_bits(again, kept)

    def test_that_the_order_of_members_does_not_show(
        self, call: Call, values: Members, driven: Driven, consts: Consts
    ) -> None:
        order = np.random.default_rng(3).permutation(values.shape[2])
        result = call(values[:, :, order].copy(), driven, consts)
        assert_equal_bits(result, call(values, driven, consts)[:, :, order].copy())

    def test_that_a_member_does_not_feel_the_others(
        self, call: Call, values: Members, driven: Driven, consts: Consts
    ) -> None:
        changed = values.copy()
        changed[:, :, 1:] = values[:, :, 1:2]
        result = call(changed, driven, consts)[:, :, 0]
        assert_equal_bits(result, call(values, driven, consts)[:, :, 0])

    def test_that_a_twin_alone_fares_as_in_company(
        self, call: Call, values: Members, driven: Driven, consts: Consts
    ) -> None:
        together = call(values, driven, consts)
        for size in range(1, len(values)):
            starts = range(0, len(values), size)
            parts = [slice(start, start + size) for start in starts]
            apart = [call(values[p], driven[p], consts[p]) for p in parts]
            assert_equal_bits(np.concatenate(apart), together)

    def test_that_driving_all_alike_is_driving_each_so(
        self, call: Call, values: Members, driven: Driven, consts: Consts
    ) -> None:
        each = np.repeat(driven[:, :, :1], values.shape[2], axis=2)
        assert_equal_bits(call(values, each, consts), call(values, driven[:, :, :1], consts))

    def test_that_a_failing_member_becomes_nan_and_the_others_do_not_feel_it(
        self,
        simulator: Simulator,
        values: Members,
        driven: Driven,
        consts: Consts,
        failing: Float[np.ndarray, " variable"],
    ) -> None:
        place = 2
        struck = values.copy()
        struck[1, :, place] = failing
        expected = simulator.step(values, driven, consts)
        expected[1, :, place] = np.nan
        assert_equal_bits(simulator.step(struck, driven, consts), expected)

    def test_that_a_failed_member_reads_nothing_and_the_others_do_not_feel_it(
        self, simulator: Simulator, values: Members, driven: Driven, consts: Consts
    ) -> None:
        struck = values.copy()
        struck[1, :, 2] = np.nan
        expected = simulator.observe(values, driven, consts)
        expected[1, :, 2] = np.nan
        assert_equal_bits(simulator.observe(struck, driven, consts), expected)
