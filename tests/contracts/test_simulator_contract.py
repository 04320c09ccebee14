"""The contract for simulators catches those that break it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gemeos.schema.schema import Schema
from gemeos.simulate import BatchedSimulator
from gemeos.simulate.base import Consts, Driven, Members, Simulator
from gemeos.simulate.frontend import lower
from gemeos.testing.contracts.simulator import SimulatorContract
from gemeos.testing.zoo import SINGLE, deck

GOOD = BatchedSimulator(lower(deck(SINGLE)))
Rows = np.ndarray
Spoilt = Callable[[Members, Driven, Consts], Rows]


class Spoiler:
    """A good simulator whose step is replaced."""

    def __init__(self, step: Spoilt) -> None:
        self._step = step

    @property
    def schema(self) -> Schema:
        return GOOD.schema

    @property
    def identity(self) -> str:
        return "spoilt"

    def step(self, values: Members, driven: Driven, consts: Consts) -> Rows:
        return self._step(values, driven, consts)

    def observe(self, values: Members, driven: Driven, consts: Consts) -> Rows:
        return GOOD.observe(values, driven, consts)


def in_double(values: Members, driven: Driven, consts: Consts) -> Rows:
    return GOOD.step(values, driven, consts).astype(np.float64)


def in_place(values: Members, driven: Driven, consts: Consts) -> Rows:
    values[:, :2] = GOOD.step(values, driven, consts)
    return values[:, :2]


def handed_back(values: Members, driven: Driven, consts: Consts) -> Rows:  # noqa: ARG001
    return values[:, :2]


def pulled_to_the_mean(values: Members, driven: Driven, consts: Consts) -> Rows:
    states = GOOD.step(values, driven, consts)
    return states + np.float32(1e-6) * states.mean(axis=2, keepdims=True)


def pulled_to_the_mean_of_all_twins(values: Members, driven: Driven, consts: Consts) -> Rows:
    states = GOOD.step(values, driven, consts)
    return states + np.float32(1e-6) * states[:, :, :1].mean(axis=0)


def by_place(values: Members, driven: Driven, consts: Consts) -> Rows:
    states = GOOD.step(values, driven, consts)
    return states + np.float32(1e-6) * np.arange(states.shape[2], dtype=np.float32)


def revived(values: Members, driven: Driven, consts: Consts) -> Rows:
    return np.nan_to_num(GOOD.step(values, driven, consts))


class _Remembering:
    """Adds a little more with each call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, values: Members, driven: Driven, consts: Consts) -> Rows:
        self.calls += 1
        return GOOD.step(values, driven, consts) + np.float32(1e-6 * self.calls)


def alike_by_mean(values: Members, driven: Driven, consts: Consts) -> Rows:
    if driven.shape[2] == 1:
        return GOOD.step(values, driven, consts)
    return GOOD.step(values, driven, consts) * np.float32(1.000001)


CAUGHT: dict[Callable[..., Rows], str] = {
    in_double: "test_that_states_and_outputs_have_their_places_and_the_schemas_precision",
    in_place: "test_that_no_argument_is_changed_or_handed_back",
    handed_back: "test_that_no_argument_is_changed_or_handed_back",
    pulled_to_the_mean: "test_that_a_member_does_not_feel_the_others",
    pulled_to_the_mean_of_all_twins: "test_that_a_twin_alone_fares_as_in_company",
    by_place: "test_that_the_order_of_members_does_not_show",
    revived: "test_that_a_failing_member_becomes_nan_and_the_others_do_not_feel_it",
    _Remembering(): "test_that_equal_questions_have_equal_answers_whatever_was_asked_between",
    alike_by_mean: "test_that_driving_all_alike_is_driving_each_so",
}


def arrays() -> tuple[Members, Driven, Consts]:
    """Three twins with other members, driven otherwise."""
    deviates = np.random.default_rng(5)
    values = deviates.uniform(0.2, 1.4, (3, 3, 11)).astype(np.float32)
    driven = deviates.uniform(-1, 1, (3, 2, 1)).astype(np.float32)
    return values, driven, np.ones((3, 1), np.float32)


def asked(simulator: Simulator, test: str) -> None:
    """Run one test of the contract."""
    values, driven, consts = arrays()
    contract = SimulatorContract()
    if "precision" in test:
        getattr(contract, test)(simulator, values, driven, consts)
    elif "failing" in test:
        getattr(contract, test)(simulator, values, driven, consts, np.full(3, np.nan, np.float32))
    else:
        getattr(contract, test)(simulator.step, values, driven, consts)


@pytest.mark.parametrize("spoilt", list(CAUGHT))
def test_that_a_broken_promise_is_caught(spoilt: Spoilt) -> None:
    asked(GOOD, CAUGHT[spoilt])
    with pytest.raises(AssertionError):
        asked(Spoiler(spoilt), CAUGHT[spoilt])
