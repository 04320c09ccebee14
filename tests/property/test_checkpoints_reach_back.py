"""Kept states: dense for the near past, sparse for the far one, never a void one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gemeos.ensemble.state import NEVER, TwinState, newborn
from gemeos.runtime.checkpoint import Checkpoints
from gemeos.schema.prior import Normal
from gemeos.schema.schema import Schema
from gemeos.schema.variable import State

SCHEMA = Schema("one", 1, (State("x", "", Normal(0, 1)),))
ONE = np.array([0])


def at(tick: int, cycles: int) -> TwinState:

    born = newborn(SCHEMA, np.array([1], np.uint64), members=3, channels=0)
    return replace(born, tick=np.array([tick]), cycles=np.array([cycles]))


@pytest.mark.no_cover
@settings(max_examples=60, deadline=None)
@example(cycles=281, back=25)
@given(cycles=st.integers(2, 3000), back=st.integers(1, 1000))
def test_that_a_rewind_goes_through_at_most_one_and_a_half_times_the_cycles_it_must(
    cycles: int, back: int
) -> None:
    checkpoints = Checkpoints(at(NEVER, 0))
    for n in range(1, cycles):  # the state before cycle n + 1 stands at tick n
        checkpoints.save(ONE, at(n, n))
    wanted = max(cycles - back, 1)
    found = checkpoints.before(ONE, np.array([wanted]))
    tick = max(int(found.tick[0]), 0)
    must = cycles - wanted + 1
    assert tick < wanted
    assert cycles - tick <= 1.5 * must


@settings(max_examples=60, deadline=None)
@given(moves=st.lists(st.one_of(st.integers(1, 40), st.integers(-60, -1)), min_size=1, max_size=60))
def test_that_a_state_behind_a_rewind_is_never_handed_out(moves: list[int]) -> None:
    checkpoints = Checkpoints(at(NEVER, 0))
    # What is true: (cycles -> tick) of the states before each cycle on the present path.
    path: dict[int, int] = {0: NEVER}
    cycles, tick = 0, 0
    for move in moves:
        if move > 0:
            for _ in range(move):
                checkpoints.save(ONE, at(path[cycles], cycles))
                tick += 1 + (move % 3)
                cycles += 1
                path[cycles] = tick
        elif cycles:
            dirty = max(path[cycles] + move, 1)
            earlier = checkpoints.before(ONE, np.array([dirty]))
            cycles = int(earlier.cycles[0])
            assert path[cycles] == int(earlier.tick[0])
            assert int(earlier.tick[0]) < dirty
            checkpoints.rewound(ONE, earlier.cycles)
            path = {c: t for c, t in path.items() if c <= cycles}
            tick = max(path[cycles], 0)


def test_that_what_was_zero_throughout_is_kept_from_when_it_is_not() -> None:
    checkpoints = Checkpoints(at(NEVER, 0))
    # The third takes the place of the first, and the last that of the second; -0 has a bit, too.
    for n, evidence in ((1, 0.0), (2, 0.5), (7, 0.0), (14, -0.0)):
        state = replace(at(n, n), forecast_drift=np.array([[evidence, 0.0, 0.0]]))
        checkpoints.save(ONE, state)
        assert checkpoints.before(ONE, np.array([n + 1])).digest() == state.digest()
