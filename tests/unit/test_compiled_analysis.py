"""The filter compiled by numba does what it does in numpy, instant by instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from jaxtyping import Float

import gemeos as gm
from gemeos.assimilate.analyst import InNumpy
from gemeos.assimilate.cycle import Cycle
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.assimilate.fast import Compiled, analyst
from gemeos.assimilate.inflate import AdaptiveRelaxation, Inflation, RelaxToPriorSpread
from gemeos.assimilate.observe import NO_CHANNEL, Observed
from gemeos.ensemble.noise import twin_key
from gemeos.ensemble.state import NEVER, Monitor, TwinState, Verdict, newborn
from gemeos.runtime.twin import together
from gemeos.schema.reading import Reading, Readings, Series, SeriesBook
from gemeos.schema.variable import Sensor
from gemeos.simulate import BatchedSimulator, Simulator, compile_model
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Crew
from gemeos.simulate.fast import FastSimulator
from gemeos.simulate.frontend import LoweredModel, lower
from gemeos.simulate.kernels import usual_folder
from gemeos.testing.lorenz import lorenz_96
from gemeos.units.instant import SECOND

pytest.importorskip("numba")

MEMBERS = 24
START = 1_700_000_000


def buoy(spread: float) -> type:
    """Every kind of sensor, bounded rows, an input that must be heard first."""

    @gm.model(dt="1 s")
    class Buoy:
        x: float = gm.state("m", gm.normal(3.0, 0.5 * spread), noise=0.1 * spread)
        heading: float = gm.state("deg", gm.normal(170.0, 20.0), noise=2.0)
        charge: float = gm.state("V", gm.lognormal(5.0, 0.4))
        share: float = gm.state("", gm.uniform(0.0, 1.0), bounds=(0.0, 1.0))
        k: float = gm.param("1/s", gm.lognormal(0.1, 0.3), drift=0.01)
        wind: float = gm.input("m/s")

        def step(self, dt: float) -> Buoy:
            return Buoy(
                x=self.x + dt * (self.wind - self.k * self.x),
                heading=self.heading + dt * self.wind,
                charge=self.charge * (1.0 + 0.01 * dt),
                share=self.share,
            )

        @gm.sensor("m", noise=0.2)
        def place(self) -> float:
            return self.x

        @gm.sensor("deg", noise=3.0)
        def compass(self) -> float:
            return self.heading

        @gm.sensor("V", noise=0.5)
        def volts(self) -> float:
            # Not a number for some members of some twins.
            return self.charge + 0.0 * (self.charge - 4.0) ** 0.5

        @gm.sensor("m", noise=0.2, mean_over="3 s")
        def mean_place(self) -> float:
            return self.x

        @gm.sensor("m", noise=0.5, counter_over="2 s")
        def way(self) -> float:
            return self.x

        @gm.virtual("m")
        def depth(self) -> float:
            return 10.0 - self.x

    return Buoy


CHANNELS = (0, 0, 1, 2, 3, 4, -1)
"""The sensor of each channel; the last one is of the input."""


def crew_of(twins: int) -> Crew:
    names = tuple(f"b{i}" for i in range(twins))
    keys = np.array([twin_key(3, n) for n in names], np.uint64)
    return Crew(names, keys, np.zeros((twins, 0)))


def read_at(second: int, twins: int, rng: np.random.Generator, readings: int = 9) -> Observed:
    """Some channels of each twin, some twice; padded; a few spikes; a few off the grid."""
    shape = (twins, readings)
    channel = np.full(shape, NO_CHANNEL, np.int32)
    for twin in range(twins):
        some = np.sort(rng.integers(0, len(CHANNELS), rng.integers(0, readings + 1)))
        channel[twin, : len(some)] = some
    sensor = np.where(channel == NO_CHANNEL, -1, np.array(CHANNELS, np.int32)[channel])
    near = np.array([3.0, 170.0 + 360.0, 5.5, 3.0, 6.0 * second, 1.0])[sensor]
    value = near + rng.normal(0, 1, shape) * np.array([0.3, 20.0, 0.5, 0.3, 0.5, 0.5])[sensor]
    value = np.where(rng.random(shape) < 0.05, value + 5.0, value)
    # A quarter of the twins have a compass that stands still and a gauge that reads nothing.
    broken = (np.arange(twins) % 4 == 1)[:, None] & (second > 15)
    value = np.where(broken & (sensor == 1), 40.0, value)
    value = np.where(broken & (sensor == 2), 0.0, value)
    early = np.where(rng.random(shape) < 0.1, SECOND // 4, 0)
    tick = START + second
    wind = np.full((twins, 1), 0.3)
    # The last twin is never told what drives it.
    wind[-1] = np.nan
    return Observed(
        tick=np.full(twins, tick, np.int64),
        channel=channel,
        sensor=sensor.astype(np.int32),
        value=value,
        variance=np.array([0.04, 9.0, 0.25, 0.04, 0.25, 1.0])[sensor],
        valid_at=(tick * SECOND - early).astype(np.int64),
        driven_before=np.full((twins, 1), np.nan),
        driven_after=wind,
    )


def unborn(simulator: Simulator, crew: Crew) -> TwinState:
    return newborn(simulator.schema, crew.keys, members=MEMBERS, channels=len(CHANNELS))


def both(simulator: Simulator, inflation: Inflation | None = None) -> tuple[Cycle, Cycle]:
    schema = simulator.schema
    params = tuple(range(len(schema.states), len(schema.estimated)))
    method = SerialSquareRoot(params, inflation or AdaptiveRelaxation())
    compiled = analyst(method, schema)
    assert isinstance(compiled, Compiled)
    return Cycle(Stepper(simulator), method), Cycle(Stepper(simulator), method, compiled)


def assert_agree(one: TwinState, other: TwinState, precise: float) -> None:
    """Members within ``precise`` of themselves or of their spread, all else nearly as near."""
    spread = one.members.std(axis=2, keepdims=True)
    size = np.maximum(np.abs(one.members), spread)
    assert (np.abs(other.members - one.members) <= precise * size).all()
    assert (one.monitors[:, :, Monitor.VERDICT] == other.monitors[:, :, Monitor.VERDICT]).all()
    for field in fields(TwinState):
        if field.name not in {"members", "simulations"}:
            np.testing.assert_allclose(
                getattr(other, field.name),
                getattr(one, field.name),
                rtol=precise,
                # How far a reading lies from what the others say is a small difference of large
                # numbers, divided by what little the others know.
                atol=1e3 * precise if field.name == "monitors" else precise,
                err_msg=field.name,
            )


def lowered(spread: float) -> LoweredModel:
    """A buoy whose compass begins anew at 360 degrees."""
    form = lower(buoy(spread))
    variables = tuple(
        replace(v, wraps=360.0) if isinstance(v, Sensor) and v.name == "compass" else v
        for v in form.schema.variables
    )
    return replace(form, schema=replace(form.schema, variables=variables))


MODELS: dict[str, Callable[[], Simulator]] = {
    "compiled": lambda: FastSimulator(lowered(1.0), usual_folder()),
    "in numpy": lambda: BatchedSimulator(lowered(1.0)),
    "double": lambda: BatchedSimulator(lowered(1e-5)),
}
INFLATIONS: dict[str, Inflation] = {
    "adaptive": AdaptiveRelaxation(),
    "fixed": RelaxToPriorSpread(0.3),
    "none": RelaxToPriorSpread(0.0),
}


@pytest.mark.parametrize("inflation", INFLATIONS)
@pytest.mark.parametrize("model", MODELS)
def test_that_each_instant_agrees_with_numpy_from_the_same_state(
    model: str, inflation: str
) -> None:
    simulator = MODELS[model]()
    slow, fast = both(simulator, INFLATIONS[inflation])
    crew, rng = crew_of(40), np.random.default_rng(7)
    state = unborn(simulator, crew)
    seen: set[int] = set()
    for second in range(60):
        read = read_at(second, len(state), rng)
        after = slow(state, crew, read)
        precise = 1e-5 if state.members.dtype == np.float32 else 1e-10
        assert_agree(after, fast(state, crew, read), precise)
        seen |= set(after.monitors[:, :, Monitor.VERDICT].ravel().astype(int).tolist())
        state = after
    # The comparison is worth something: faults were named, ensembles lost, a twin never born.
    assert seen == set(Verdict)
    assert state.recovered.sum() > 0
    assert state.born[-1] == NEVER
    assert (state.assimilated[:-1] > 50).all()


def test_that_a_chaotic_array_model_agrees_too() -> None:
    simulator = lorenz_96()
    slow, fast = both(simulator)
    crew = crew_of(3)
    outputs = len(simulator.schema.sensors)
    state = newborn(simulator.schema, crew.keys, members=MEMBERS, channels=outputs)
    rng = np.random.default_rng(1)
    place = np.tile(np.arange(outputs, dtype=np.int32), (3, 1))
    for n in range(20):
        tick = np.full(3, 1000 + n, np.int64)
        read = Observed(
            tick=tick,
            channel=place,
            sensor=place,
            value=rng.normal(2.0, 3.0, place.shape),
            variance=np.ones(place.shape),
            valid_at=np.broadcast_to(tick[:, None] * simulator.schema.step, place.shape),
            driven_before=np.full((3, 0), np.nan),
            driven_after=np.full((3, 0), np.nan),
        )
        after = slow(state, crew, read)
        assert_agree(after, fast(state, crew, read), 1e-4)
        state = after


def followed(cycle: Cycle, crew: Crew, reads: list[Observed]) -> TwinState:
    state = unborn(cycle.stepper.simulator, crew)
    for read in reads:
        state = cycle(state, crew, read)
    return state


def some_of(read: Observed, twins: np.ndarray, readings: int) -> Observed:
    """Of those twins, padded to another length."""
    changed = {}
    for field in fields(Observed):
        array = getattr(read, field.name)[twins]
        if array.ndim == 2 and field.name[:6] != "driven":
            more = np.full((len(twins), readings - array.shape[1]), 0, array.dtype)
            if field.name in {"channel", "sensor"}:
                more -= 1
            array = np.concatenate([array, more + (field.name == "variance")], axis=1)
        changed[field.name] = array
    return Observed(**changed)


@pytest.mark.parametrize("model", MODELS)
def test_that_neither_batch_nor_padding_nor_parts_change_a_bit(model: str) -> None:
    simulator = MODELS[model]()
    _, fast = both(simulator)
    crew, rng = crew_of(300), np.random.default_rng(2)
    reads = [read_at(second, 300, rng) for second in range(12)]
    whole = followed(fast, crew, reads)
    # Three hundred go through in parts; these go alone, among more padding.
    _, rows, _ = whole.members.shape
    assert fast.compiled is not None
    assert fast.compiled.twins_at_once(whole) < 300 or rows < 8
    for twins in (np.array([0, 7, 299]), np.array([150]), np.arange(290, 300)):
        alone = followed(fast, crew.take(twins), [some_of(r, twins, 14) for r in reads])
        assert alone.digest() == whole.take(twins).digest()


@pytest.mark.parametrize("model", MODELS)
def test_that_permuted_members_agree_within_single_precision(model: str) -> None:
    simulator = MODELS[model]()
    _, fast = both(simulator)
    crew, rng = crew_of(10), np.random.default_rng(5)
    state = followed(fast, crew, [read_at(second, 10, rng) for second in range(8)])
    read = read_at(8, 10, rng)
    order = rng.permutation(MEMBERS)
    assert fast.compiled is not None
    after = []
    for members in (state.members, state.members[:, :, order]):
        now = replace(state, tick=read.tick, members=np.ascontiguousarray(members))
        after.append(fast.compiled(fast.stepper, state, now, crew, read))
    one, other = after
    # The turn belongs to a member's place: it changes neither means nor spreads.
    spread = one.members.std(axis=2)
    size = np.maximum(np.abs(one.members).max(axis=2), spread)
    assert (np.abs(one.members.mean(axis=2) - other.members.mean(axis=2)) <= 1e-5 * size).all()
    np.testing.assert_allclose(other.members.std(axis=2), spread, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(other.monitors, one.monitors, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(one.assimilated, other.assimilated)


def test_that_its_identity_is_another_than_numpys_and_the_same_again() -> None:
    simulator = compile_model(buoy(1.0))
    slow, fast = both(simulator)
    _, again = both(simulator)
    assert fast.identity != slow.identity
    assert fast.identity == again.identity
    _, other = both(simulator, RelaxToPriorSpread(0.1))
    assert other.identity != fast.identity


def test_that_an_inflation_of_ones_own_runs_in_numpy() -> None:
    class Mine(AdaptiveRelaxation):
        pass

    schema = compile_model(buoy(1.0)).schema
    assert isinstance(analyst(SerialSquareRoot((), Mine()), schema), InNumpy)


def test_that_readings_given_are_not_written_to() -> None:
    simulator = MODELS["in numpy"]()
    _, fast = both(simulator)
    crew, rng = crew_of(5), np.random.default_rng(3)
    state = followed(fast, crew, [read_at(0, 5, rng)])
    read = read_at(1, 5, rng)
    digest = state.digest()
    kept = {f.name: getattr(read, f.name).copy() for f in fields(Observed)}
    fast(state, crew, read)
    assert state.digest() == digest
    for name, array in kept.items():
        np.testing.assert_array_equal(getattr(read, name), array)


def test_that_what_lay_in_memory_before_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # All members stand below the sensor's floor and would read the same: nothing is learned, and
    # so nothing is turned.
    @gm.model(dt="1 s")
    class Floor:
        x: float = gm.state("m", gm.normal(-9.0, 0.5), noise=0.1)

        def step(self, dt: float) -> Floor:  # noqa: ARG002
            return Floor(x=self.x)

        @gm.sensor("m", noise=0.2)
        def gauge(self) -> float:
            return max(self.x, 0.0)

    as_ever = Compiled._room

    def littered(self: Compiled, rows: int, readings: int, size: int) -> Float[np.ndarray, " any"]:
        return np.full_like(as_ever(self, rows, readings, size), np.nan)

    monkeypatch.setattr(Compiled, "_room", littered)
    twin = gm.Twin("t", Floor, members=MEMBERS).bind("l:gauge", to="gauge")
    fleet, book = together([twin], horizon=twin.horizon), SeriesBook()
    series = Series("l", "gauge")
    rows = [Reading(series, (START + s) * SECOND, 0.0) for s in range(5)]
    fleet.take(Readings.of(rows, book), book)
    assert fleet.failure("t") is None
    state = fleet.state("t")
    assert np.isfinite(state.members).all()
    assert state.failed[0] == 0
