"""Forks that are run in another process come out the same, and survive what becomes of it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gemeos as gm
from gemeos.ensemble.state import TwinState, newborn
from gemeos.errors import InputError, StoppedError, WorkerError
from gemeos.foresee.drive import InputMemory
from gemeos.foresee.executor import Batch, InProcess
from gemeos.foresee.fork import Played
from gemeos.foresee.intervene import NOTHING, acts
from gemeos.runtime.carried import model_of, packed, stepper_of, unpacked
from gemeos.runtime.executors import Executors
from gemeos.schema.intervention import Written, changes
from gemeos.simulate import compile_model
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Crew
from gemeos.simulate.batched import BatchedSimulator
from gemeos.simulate.frontend import lower

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="there are no such processes")
pytestmark = POSIX
TICK = 1_750_000_000
MEMBERS = 16
PATIENCE_S = 50.0
KEYS = np.array([11], np.uint64)


@gm.model(dt="1 s")
class Basin:
    """One of everything that can be declared."""

    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01, bounds=(0, None))
    heat: float = gm.state("K", gm.normal(290.0, 1.0), noise=0.01)
    leak: float = gm.param("1/s", gm.lognormal(0.01, 0.3), drift=1e-3)
    share: float = gm.param("1", gm.uniform(0.2, 0.8))
    area: float = gm.const("m^2", default=2.0)
    inflow: float = gm.input("m/s", default=0.02)
    valve: float = gm.control("1", bounds=(0, 1), default=1.0)

    def step(self, dt: float) -> Basin:
        fed = self.inflow * self.valve / self.area
        level = self.level + dt * (fed - self.leak * self.level)
        return Basin(level=level, heat=self.heat + dt * 0.001 * (280.0 - self.heat * self.share))

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level

    @gm.sensor("m", noise=0.05, mean_over="1 min")
    def average(self) -> float:
        return self.level

    @gm.virtual("K")
    def cold(self) -> float:
        return 300.0 - self.heat


CHANGES: list[Mapping[str, Written]] = [
    {},
    {"valve": "0.5", "inflow": "times 1.5"},
    {"valve": "ramp to 0 over 1 min when level > 1.9 m"},
    {"level": "1.5 m", "area": "3 m^2"},
]


def stepper() -> Stepper:
    return Stepper(BatchedSimulator(lower(Basin)))


def origin(span: int | None = None) -> TwinState:
    schema = lower(Basin).schema
    memory = None if span is None else InputMemory(schema, span)
    state = newborn(schema, KEYS, members=MEMBERS, channels=3)
    state = replace(state, tick=np.array([TICK]), born=np.array([TICK]))
    if memory is None:
        return state
    rng = np.random.default_rng(1)
    means = 0.02 + 0.01 * rng.random((1, 1, memory.spans))
    return replace(state, input_means=means, input_sums=np.zeros((1, 1, 2)))


def batch(*, steps: int = 400, span: int | None = None, every: int = 40) -> Batch:
    schema = lower(Basin).schema
    crew = Crew(("basin",), KEYS, np.full((1, 1), 2.0, schema.precision))
    made = tuple(acts(schema, changes(each)) for each in CHANGES)
    numbers = np.array([0, 1, 0, 5])
    return Batch(origin(span), crew, numbers, made, steps, every, span)


def plain(steps: int) -> Batch:
    """One fork in which nothing is done, for as long as it is wanted."""
    asked = batch(steps=steps, every=steps)
    return replace(asked, numbers=np.array([0]), acts=(NOTHING,))


def same(one: Played, other: Played) -> bool:
    return (
        one.values.tobytes() == other.values.tobytes()
        and one.values.dtype == other.values.dtype
        and one.values.shape == other.values.shape
        and one.ticks.tobytes() == other.ticks.tobytes()
        and one.failures == other.failures
        and one.failed.tobytes() == other.failed.tobytes()
    )


def unwatched(_: int) -> None:
    """Whoever runs it need not tell."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Executors]:
    executors = Executors(worth=0, start_s=PATIENCE_S)
    yield executors
    executors.close()


@pytest.fixture
def fresh() -> Iterator[Executors]:
    executors = Executors(worth=0, start_s=PATIENCE_S)
    yield executors
    executors.close()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_that_a_process_tells_to_the_last_bit_what_this_one_does(shared: Executors) -> None:
    asked = batch()
    here, there = (e.played(stepper(), asked, unwatched) for e in (InProcess(), shared))
    assert len(shared.processes) == 1
    assert same(here, there)
    # Changes were made, and members differ: the sameness is not that of nothing.
    assert len({here.values[i].tobytes() for i in range(4)}) == 4


def test_that_so_it_is_where_inputs_are_foreseen_and_few_rows_are_asked(shared: Executors) -> None:
    asked = replace(batch(span=60), rows=(5, 0))
    here, there = (e.played(stepper(), asked, unwatched) for e in (InProcess(), shared))
    assert there.values.shape == (4, 10, 2, MEMBERS)
    assert same(here, there)


def test_that_so_it_is_of_a_compiled_model(shared: Executors) -> None:
    model = Stepper(compile_model(Basin))
    asked = batch()
    assert same(*(e.played(model, asked, unwatched) for e in (InProcess(), shared)))


def test_that_a_model_is_carried_without_its_source() -> None:
    carried = model_of(stepper())
    assert carried is not None
    made = stepper_of(carried)
    assert made.simulator.identity == stepper().simulator.identity
    assert made.schema == lower(Basin).schema
    assert b"def step" not in carried.packed


def test_that_one_that_came_out_otherwise_is_not_taken() -> None:
    carried = model_of(stepper())
    assert carried is not None
    with pytest.raises(WorkerError, match="another model"):
        stepper_of(replace(carried, identity="of another"))


def test_that_only_what_is_listed_is_carried() -> None:
    with pytest.raises(WorkerError, match="object cannot be handed"):
        packed((1, object()))
    kept = (np.float32(0.1), float("nan"), {"a": (None, True, b"x")}, np.zeros((0, 2), object))
    again = unpacked(packed(kept))
    assert isinstance(again, tuple)
    assert type(again[0]) is np.float32
    assert again[0] == kept[0]
    assert np.isnan(again[1])
    assert again[2] == kept[2]
    assert again[3].shape == (0, 2)


def test_that_a_fork_that_fails_is_a_value_as_it_is_here(shared: Executors) -> None:
    state = origin()
    lost = state.members.copy()
    lost[:, 0, 2:] = np.nan
    asked = replace(batch(), state=replace(state, members=lost))
    here, there = (e.played(stepper(), asked, unwatched) for e in (InProcess(), shared))
    assert there.failures == here.failures
    assert all("members of basin failed" in str(why) for why in there.failures[:3])
    assert there.failures[3] is None  # its levels were set anew at once


def test_that_what_cannot_be_asked_is_the_same_error(shared: Executors) -> None:
    with pytest.raises(InputError, match="at least one instant ahead"):
        shared.played(stepper(), replace(batch(), every=1000), unwatched)


def test_that_one_that_is_ended_leaves_a_process_that_is_of_use(shared: Executors) -> None:
    shared.played(stepper(), batch(), unwatched)
    (before,) = shared.processes

    def ends(tick: int) -> None:
        if tick > TICK:
            raise StoppedError("enough")

    with pytest.raises(StoppedError, match="enough"):
        shared.played(stepper(), plain(100_000), ends)
    assert shared.processes == [before]
    assert same(*(e.played(stepper(), batch(), unwatched) for e in (InProcess(), shared)))


def test_that_what_a_killed_process_left_is_run_by_another_one(
    fresh: Executors, caplog: pytest.LogCaptureFixture
) -> None:
    fresh.played(stepper(), plain(400), unwatched)
    (victim,) = fresh.processes
    asked = plain(3000)

    def kills(_: int) -> None:
        if not is_gone(victim):
            os.kill(victim, signal.SIGKILL)

    there = fresh.played(stepper(), asked, kills)
    assert f"is gone ({-signal.SIGKILL})" in caplog.text
    assert victim not in fresh.processes
    assert same(InProcess().played(stepper(), asked, unwatched), there)


def test_that_what_kills_two_processes_is_told_and_not_run_again(fresh: Executors) -> None:
    killed = list[int]()

    def kills(tick: int) -> None:
        if tick > TICK:
            (pid,) = fresh.processes
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)

    with pytest.raises(WorkerError, match="ended 2 times"):
        fresh.played(stepper(), plain(100_000), kills)
    assert len(set(killed)) == 2
    assert fresh.processes == []
    assert same(*(e.played(stepper(), plain(9), unwatched) for e in (InProcess(), fresh)))


def test_that_what_cannot_be_handed_over_is_run_here_and_said_once(
    fresh: Executors, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    @gm.model(dt="1 s", compile=False)
    class Python:
        level: float = gm.state("m", gm.normal(2.0, 0.5))

        def step(self, dt: float) -> Python:
            return Python(level=self.level * 0.5**dt)

    model = Stepper(compile_model(Python))
    state = newborn(model.schema, KEYS, members=4, channels=0)
    state = replace(state, tick=np.array([TICK]), born=np.array([TICK]))
    crew = Crew(("p",), KEYS, np.zeros((1, 0), model.schema.precision))
    asked = Batch(state, crew, np.array([0]), (NOTHING,), 10, 1)
    for _ in range(2):
        told = fresh.played(model, asked, unwatched)
        # Half of the level is left after each step: 2^-10 of it after ten.
        np.testing.assert_allclose(told.values[0, -1, 0], state.members[0, 0] / 1024, rtol=1e-6)
    assert fresh.processes == []
    assert caplog.text.count("cannot be handed to another process") == 1


@pytest.mark.parametrize("program", ["/bin/false", "/nowhere/python"])
def test_that_where_no_process_can_be_had_the_site_does_it(
    fresh: Executors,
    program: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(sys, "executable", program)
    here = InProcess().played(stepper(), plain(400), unwatched)
    for _ in range(2):
        assert same(here, fresh.played(stepper(), plain(400), unwatched))
    assert caplog.text.count("There are no processes for what-ifs") == 1
    assert fresh.processes == []


def test_that_nobody_waits_long_for_a_process_that_does_not_come_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(slow))
    executors = Executors(worth=0, start_s=0.2)
    try:
        here = InProcess().played(stepper(), plain(400), unwatched)
        for _ in range(2):
            assert same(here, executors.played(stepper(), plain(400), unwatched))
        (pid,) = executors.processes  # the one that still comes
    finally:
        executors.close()
    assert is_gone(pid)


def test_that_no_process_is_started_for_little_work() -> None:
    executors = Executors(worth=100_000, start_s=PATIENCE_S)
    try:
        # Few members count as 256: of 300 steps that makes 76,800.
        executors.played(stepper(), plain(300), unwatched)
        assert executors.processes == []
        executors.played(stepper(), plain(300), unwatched)
        assert executors.processes == []  # it is too little to wait for one
        executors.played(stepper(), plain(500), unwatched)
        assert len(executors.processes) == 1
    finally:
        executors.close()


def test_that_several_have_a_process_each_up_to_the_bound() -> None:
    executors = Executors(worth=0, most=2, start_s=PATIENCE_S)
    seen = list[int]()

    class Inner:
        """Asks while it is asked itself."""

        def __init__(self, depth: int) -> None:
            self.depth = depth

        def __call__(self, _: int) -> None:
            seen.append(len(executors.processes))
            if self.depth and max(seen) < 2:
                executors.played(stepper(), plain(3000), Inner(self.depth - 1))

    try:
        executors.played(stepper(), plain(3000), Inner(2))
        assert max(seen) == 2
        assert len(executors.processes) == 2
    finally:
        executors.close()


def test_that_closing_leaves_no_process_and_work_goes_on_here() -> None:
    executors = Executors(worth=0, start_s=PATIENCE_S)
    executors.played(stepper(), plain(400), unwatched)
    (pid,) = executors.processes
    executors.close()
    assert is_gone(pid)
    assert same(*(e.played(stepper(), plain(9), unwatched) for e in (InProcess(), executors)))
    assert executors.processes == []


ORPHAN = """
import numpy as np, sys
from tests.unit.test_executors import plain, stepper
from gemeos.runtime.executors import Executors
executors = Executors(worth=0, start_s=60)
def watch(_):
    print(*executors.processes, flush=True)
executors.played(stepper(), plain(1_000_000), watch)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process in a long call")
def test_that_a_process_dies_with_the_site_in_the_middle_of_its_work() -> None:
    site = subprocess.Popen([sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True)
    try:
        assert site.stdout is not None
        pid = int(site.stdout.readline())
        assert not is_gone(pid)
    finally:
        site.kill()
        site.communicate()
    assert until(lambda: is_gone(pid))


def until(holds: Callable[[], bool], longest_s: float = 10.0) -> bool:
    end = time.monotonic() + longest_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True
