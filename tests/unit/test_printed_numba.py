"""Compiled models compute what the numpy path computes, to the bit where no series takes part."""

from __future__ import annotations

import logging
import math
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemeos.ensemble.noise import standard_normal, streams, twin_key
from gemeos.ensemble.state import TwinState, newborn
from gemeos.errors import TooFewMembersError
from gemeos.schema import declare as gm
from gemeos.simulate import BatchedSimulator, FastSimulator, compile_model
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Consts, Crew, Driven, Members, MovesEnsembles
from gemeos.simulate.fast import NotCompiled, compiled
from gemeos.simulate.frontend import LoweredModel, lower
from gemeos.simulate.kernels import loaded, usual_folder
from gemeos.simulate.lowered import Function, Lowered
from gemeos.testing.contracts.simulator import assert_equal_bits
from gemeos.testing.zoo import DOUBLE, SINGLE, ZOO, deck, valve

pytest.importorskip("numba")

BY_SERIES = {
    Function.EXP,
    Function.EXPM1,
    Function.LOG,
    Function.LOG1P,
    Function.SIN,
    Function.COS,
    Function.TAN,
    Function.ASIN,
    Function.ACOS,
    Function.ATAN,
    Function.ATAN2,
    Function.TANH,
    Function.HYPOT,
    Function.POWER,
}
"""Functions of which numpy's own last digit differs from machine to machine."""

SPECIAL = [0.0, -0.0, math.inf, -math.inf, math.nan, 1e-40, -300.0, 3.0]


def fast(lowered: LoweredModel) -> FastSimulator:
    return FastSimulator(lowered, usual_folder())


def arrays(lowered: LoweredModel, *, twins: int = 5, members: int = 150) -> tuple:  # type: ignore[type-arg]
    """Members of both signs, more than two tiles of them, some of them without a future."""
    schema, rng = lowered.schema, np.random.default_rng(11)
    states = rng.uniform(-1.5, 1.5, (twins, len(schema.states), members))
    params = rng.uniform(0.4, 1.8, (twins, len(schema.params), members))
    values = np.concatenate([states, params], axis=1)
    for place, special in enumerate(SPECIAL):
        values[place % twins, place % values.shape[1], 7 * place] = special
    driven = rng.uniform(-1, 1, (twins, len(schema.driven), 1))
    consts = rng.uniform(0.5, 1.5, (twins, len(schema.consts)))
    return tuple(a.astype(schema.precision) for a in (values, driven, consts))


def is_exact(form: Lowered) -> bool:
    return not any(o.function in BY_SERIES for o in form.operations)


@pytest.mark.parametrize("spread", [SINGLE, DOUBLE])
@pytest.mark.parametrize("make", ZOO)
def test_that_the_compiled_model_agrees_with_the_numpy_path(
    make: Callable[[float], type], spread: float
) -> None:
    lowered = lower(make(spread))
    given: tuple[Members, Driven, Consts] = arrays(lowered)
    one, other = fast(lowered), BatchedSimulator(lowered)
    rounding = float(np.finfo(lowered.schema.precision).eps)
    for form, call, reference in (
        (lowered.step, one.step, other.step),
        (lowered.observe, one.observe, other.observe),
    ):
        result, expected = call(*given), reference(*given)
        if is_exact(form):
            assert_equal_bits(result, expected)
        else:
            # Some roundings of terms that may cancel, each not far above one.
            assert np.isnan(result[np.isnan(expected)]).all()
            wrong = np.abs(result - expected) / np.fmax(np.abs(expected), 1)
            assert np.nanmax(wrong) < 8 * rounding


def test_that_some_of_the_zoo_is_compared_to_the_bit() -> None:
    exact = [make.__name__ for make in ZOO if is_exact(lower(make(SINGLE)).step)]
    assert {"valve", "silo"} <= set(exact)


@gm.model(dt="1 s")
class Still:
    """Nothing but noise: a member is its own deviate."""

    a: float = gm.state("", gm.normal(0, 1), noise=1.0)
    b: float = gm.state("", gm.normal(0, 1), noise=1.0)
    c: float = gm.state("", gm.normal(0, 1))
    d: float = gm.param("", gm.normal(0, 1), drift=1.0)

    def step(self, dt: float) -> Still:  # noqa: ARG002
        return Still(a=0.0, b=0.0, c=self.c)


def test_that_a_million_deviates_are_those_of_the_reference_to_the_bit() -> None:
    twins, members = 345, 1_000
    keys = np.array([twin_key(3, f"t{i}") for i in range(twins)], np.uint64)
    tick = np.arange(twins, dtype=np.int64) * 1_000_003 - 5_000
    start = np.zeros((twins, 4, members), np.float32)
    moved = fast(lower(Still)).moved(
        start, np.empty((twins, 0, 1)), np.empty((twins, 0)), keys, tick, np.ones(twins, np.int64)
    )
    drawn = standard_normal(keys, tick + 1, streams("step", ["a", "b", "d"]), members)
    assert drawn.size > 1_000_000
    assert_equal_bits(np.ascontiguousarray(moved.members[:, [0, 1, 3]]), drawn)
    assert (moved.members[:, 2] == 0).all()


@gm.model(dt="0.5 s")
class Basin:
    """All kinds of coordinates, a sum that runs, members that fail; arithmetic alone."""

    level: float = gm.state("m", gm.normal(1, 0.3), noise=0.25)
    flow: float = gm.state("m/s", gm.normal(0, 0.5), noise=0.1)
    width: float = gm.param("m", gm.normal(2, 0.2), drift=0.01)
    inflow: float = gm.input("m/s", default=0.3)
    area: float = gm.const("m^2", default=2.0)

    def step(self, dt: float) -> Basin:
        out = self.flow / self.area
        level = self.level + dt * (self.inflow - out)
        # A member that runs dry cannot go on.
        root = math.sqrt(level)
        return Basin(level=level, flow=0.9 * self.flow + 0.03 * root * self.width)

    @gm.sensor("m", mean_over="2 s")
    def gauge(self) -> float:
        return self.level * self.width

    @gm.sensor("m")
    def height(self) -> float:
        return self.level


@gm.model(dt="0.5 s")
class Bounded:
    """Every coordinate, in both precisions (``spread``)."""

    share: float = gm.state("", gm.normal(0.4, 0.1), noise=0.1, bounds=(0, 1))
    stock: float = gm.state("kg", gm.lognormal(5, 0.3), noise=0.05)
    rate: float = gm.param("1/s", gm.lognormal(0.2, 0.1), drift=0.02)
    mix: float = gm.param("", gm.normal(2, 0.2), drift=0.02, bounds=(1, 3))

    def step(self, dt: float) -> Bounded:
        gone = dt * self.rate * self.share * self.stock
        return Bounded(share=self.share - 0.05 * gone, stock=self.stock - gone + 0.2 * self.mix)

    @gm.sensor("kg", mean_over="2 s")
    def scale(self) -> float:
        return self.stock * self.mix


def started(
    model: type, *, twins: int = 6, members: int = 70, steps: int = 0
) -> tuple[TwinState, Crew]:
    """Twins at instants of their own, drawn from their priors."""
    schema = gm.schema_of(model)
    keys = np.array([twin_key(1, f"t{i}") for i in range(twins)], np.uint64)
    state = newborn(schema, keys, members=members, channels=0)
    tick = 1_000 + 3 * np.arange(twins, dtype=np.int64) + steps
    known = np.array([[1.0 if c.default is None else c.default for c in schema.consts]])
    crew = Crew(
        tuple(f"t{i}" for i in range(twins)),
        keys,
        np.repeat(known, twins, axis=0).astype(schema.precision),
    )
    return replace(state, tick=tick, born=tick.copy()), crew


def steppers(model: type) -> tuple[Stepper, Stepper]:
    lowered = lower(model)
    return Stepper(fast(lowered)), Stepper(BatchedSimulator(lowered))


def test_that_moving_compiled_is_moving_in_numpy_to_the_bit_where_nothing_is_bounded() -> None:
    one, other = steppers(Basin)
    state, crew = started(Basin)
    until = state.tick + np.array([0, 1, 2, 5, 9, 20])
    moved, expected = one.advance(state, crew, until), other.advance(state, crew, until)
    assert expected.failed.sum() > 5  # otherwise nothing is said of members that fail
    assert moved.digest() == expected.digest()


def test_that_bounded_coordinates_agree_with_numpys_to_rounding() -> None:
    one, other = steppers(Bounded)
    state, crew = started(Bounded)
    for _ in range(20):  # each from the same state: differences may grow with the model
        moved, expected = one.step(state, crew), other.step(state, crew)
        np.testing.assert_allclose(moved.members, expected.members, rtol=1e-6, atol=1e-6)
        state = expected


@pytest.mark.parametrize("model", [Basin, Bounded])
def test_that_steps_in_one_call_are_the_same_as_in_several(model: type) -> None:
    stepper, _ = steppers(model)
    state, crew = started(model)
    until = state.tick + 12
    at_once = stepper.advance(state, crew, until)
    between = stepper.advance(state, crew, state.tick + np.array([0, 3, 12, 1, 7, 5]))
    assert stepper.advance(between, crew, until).digest() == at_once.digest()
    singly = state
    for _ in range(12):
        singly = stepper.step(singly, crew)
    assert singly.digest() == at_once.digest()
    alone = [stepper.advance(state.take([i]), crew.take(np.array([i])), until[[i]]) for i in (0, 5)]
    assert [a.digest() for a in alone] == [at_once.take([i]).digest() for i in (0, 5)]


def test_that_moving_leaves_the_state_as_it_was_and_one_that_is_there_stays() -> None:
    stepper, _ = steppers(Basin)
    state, crew = started(Basin)
    before = state.digest()
    moved = stepper.advance(state, crew, state.tick + np.array([0, 1, 0, 0, 0, 0]))
    assert state.digest() == before
    assert moved.take([0, 2]).digest() == state.take([0, 2]).digest()
    assert stepper.advance(state, crew, state.tick) is state


def test_that_too_few_living_members_end_both_ways_in_the_same_words() -> None:
    words = []
    for stepper in steppers(Basin):
        state, crew = started(Basin)
        state.members[3, 0, :40] = -9.0
        with pytest.raises(TooFewMembersError) as caught:
            stepper.advance(state, crew, state.tick + 2)
        words.append(str(caught.value))
    assert words[0] == words[1]
    assert "t3" in words[0]


def test_that_the_compiled_simulator_declares_what_it_can_and_the_others_do_not() -> None:
    lowered = lower(Basin)
    assert isinstance(fast(lowered), MovesEnsembles)
    assert not isinstance(BatchedSimulator(lowered), MovesEnsembles)


def test_that_the_two_paths_have_two_identities_and_each_has_one() -> None:
    lowered = lower(deck(SINGLE))
    assert fast(lowered).identity == fast(lower(deck(SINGLE))).identity
    assert fast(lowered).identity != BatchedSimulator(lowered).identity
    assert fast(lowered).identity != fast(lower(valve(SINGLE))).identity


def test_that_arrays_of_any_kind_and_layout_are_taken() -> None:
    lowered = lower(valve(SINGLE))
    simulator = fast(lowered)
    values, driven, consts = arrays(lowered)
    expected = simulator.step(values, driven, consts)
    fixed = values.copy()
    fixed.flags.writeable = False
    wide = np.repeat(values, 2, axis=2)[:, :, ::2]
    for other in (np.asfortranarray(values), fixed, wide, values.astype(np.float64)):
        assert_equal_bits(simulator.step(other, driven, consts), expected)
    assert len(simulator._kernels.step.signatures) == 1


def test_that_the_model_and_its_noise_are_vector_instructions() -> None:
    if platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("the names of the instructions are those of x86-64")
    simulator = FastSimulator(lower(Still), None)  # what comes from the folder has no text
    text = "\n".join(simulator._kernels.moved.inspect_asm().values())
    # Of the noise: its hash, its logarithm, its root. Scalars end in ss, as in vdivss.
    for instruction in (r"pmulld|pmuludq", "divps", "sqrtps"):
        assert re.search(rf"\bv?({instruction})\b", text), instruction
    assert "gather" not in re.sub(r"_gathered\w*", "", text)


def test_that_other_threads_run_while_twins_are_moved() -> None:
    simulator = fast(lower(Still))
    twins, steps = 8, 20_000
    start = np.zeros((twins, 4, 64), np.float32)
    keys, tick = np.arange(twins, dtype=np.uint64), np.zeros(twins, np.int64)
    nothing = np.empty((twins, 0))
    mover = threading.Thread(
        target=simulator.moved,
        args=(start, nothing[:, :, None], nothing, keys, tick, np.full(twins, steps)),
    )
    counted = 0
    mover.start()
    while mover.is_alive():
        counted += 1
        time.sleep(0)
    mover.join()
    # A call that kept the lock would be over before this thread has counted to three.
    assert counted > 100


START = """
import sys
from pathlib import Path
from numba.core import event
compiled = []
class Count(event.Listener):
    def on_start(self, event):
        compiled.append(event)
    def on_end(self, event):
        pass
event.register("numba:compile", Count())
import numpy as np
from gemeos.simulate import compile_model
from gemeos.testing import zoo
simulator = compile_model(zoo.plant(getattr(zoo, sys.argv[2])), kernels=Path(sys.argv[1]))
schema = simulator.schema
sizes = (len(schema.estimated), 70), (len(schema.driven), 70), (len(schema.consts),)
drawn = np.random.default_rng(3)
given = [drawn.uniform(0.5, 1.5, (2, *size)).astype(schema.precision) for size in sizes]
print(type(simulator).__name__, simulator.identity, simulator.step(*given).tobytes().hex())
print(len(compiled), "numba.np.arraymath" in sys.modules)
"""


@pytest.mark.parametrize("noise", ["SINGLE", "DOUBLE"])
def test_that_the_second_start_compiles_nothing_nor_makes_ready_to(
    tmp_path: Path, noise: str
) -> None:
    tmp_path.chmod(0o700)

    def begun() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", START, str(tmp_path), noise],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    first, second = begun(), begun()
    assert int(first[3]) > 10
    assert first[4] == "True"
    assert second == [*first[:3], "0", "False"]
    assert first[0] == "FastSimulator"
    assert len(first[2]) > 1000


BLOCKED = """
import importlib, pkgutil, sys
sys.modules["numba"] = None
import gemeos.simulate
for module in pkgutil.iter_modules(gemeos.simulate.__path__, "gemeos.simulate."):
    importlib.import_module(module.name)
from gemeos.testing.zoo import SINGLE, deck
print(type(gemeos.simulate.compile_model(deck(SINGLE))).__name__)
"""


def test_that_all_of_simulate_can_be_imported_and_runs_without_numba() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["BatchedSimulator"]


def test_that_importing_simulate_does_not_import_numba() -> None:
    code = "import sys, gemeos.simulate; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@gm.model(dt="1 s")
class Long:
    """More operations than numba compiles in useful time."""

    x: float = gm.state("", gm.normal(0, 1))

    def step(self, dt: float) -> Long:  # noqa: ARG002
        a = self.x
        for i in range(3_000):
            a = a * 0.5 + i
        return Long(x=a)


def test_that_what_numba_cannot_compile_runs_in_numpy_and_says_so_in_one_line(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level(logging.WARNING):
        simulator = compile_model(Long, kernels=tmp_path)
    assert isinstance(simulator, BatchedSimulator)
    (record,) = caplog.records
    said = record.getMessage()
    assert said.startswith("Long runs in numpy, not compiled: it has 6000 operations")
    assert "\n" not in said


def test_that_what_numba_refuses_is_told_as_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    # A printer that writes what numba knows nothing of; the model itself is sound.
    monkeypatch.setitem(
        sys.modules["gemeos.simulate.printed_numba"]._TEXTS, Function.ADD, "nowhere({}, {})"
    )
    refused = compiled(lower(Basin), None)
    assert isinstance(refused, NotCompiled)
    assert "nowhere" in refused.reason
    assert "\n" not in refused.reason


def one(cached: bool) -> str:
    return f"VALUE = 1\nCACHED = {cached}\n"


def test_that_a_kept_file_is_named_by_its_text_and_never_written_again(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    module = loaded(one, tmp_path)
    (path,) = tmp_path.glob("*.py")
    assert path.stem == module.__name__
    assert (module.VALUE, module.CACHED) == (1, True)
    before = path.stat()
    del sys.modules[module.__name__]
    time.sleep(0.01)
    assert loaded(one, tmp_path) is not module
    assert path.stat() == before or path.stat().st_mtime_ns == before.st_mtime_ns
    assert loaded(lambda cached: one(cached) + "#", tmp_path).__name__ != module.__name__
    assert len(list(tmp_path.iterdir())) == 2  # nothing half written is left


def test_that_a_kept_file_with_another_text_is_not_run(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    text = "VALUE = 'kept'\n"
    module = loaded(lambda _: text, tmp_path)
    (path,) = tmp_path.glob("*.py")
    path.write_text("VALUE = 'put there by somebody'\n")
    del sys.modules[module.__name__]
    assert loaded(lambda _: text, tmp_path).VALUE == "kept"
    assert path.read_text() == text


def test_that_nothing_is_kept_in_a_folder_that_others_may_write_to(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tmp_path.chmod(0o777)
    with caplog.at_level(logging.INFO):
        module = loaded(lambda cached: f"OPEN = {cached}\n", tmp_path)
    assert module.OPEN is False
    assert list(tmp_path.iterdir()) == []
    assert "others than this user" in caplog.text


def test_that_a_folder_that_cannot_be_made_only_costs_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.INFO):
        module = loaded(lambda cached: f"FILE = {cached}\n", tmp_path / "file")
    assert module.FILE is False
    assert "anew at every start" in caplog.text
