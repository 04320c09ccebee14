"""Is the wind farm twin kept in step? Identical-twin experiment.

A hidden farm is made by the model itself, with parameters drawn from their priors; the twin gets
its noisy readings and nothing else. Ten farms side by side give the statistics. Nacelle
anemometers are taken as calibrated to half a per cent here: otherwise a weak turbine and an
anemometer that reads too much are the same thing to any filter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from jaxtyping import Float64

from gemeos.assimilate.observe import Observed
from gemeos.ensemble.noise import twin_key
from gemeos.ensemble.score import crps, crps_of_quantiles
from gemeos.ensemble.state import TwinState, natural, newborn
from gemeos.schema.schema import Schema
from gemeos.simulate.advance import Stepper
from gemeos.simulate.base import Crew
from gemeos.twins.windfarm import MEMBERS, WindFarm, bound, farm
from gemeos.twins.windfarm.baselines import Persistence
from gemeos.twins.windfarm.schema import INPUTS_A_TURBINE, SENSORS_A_TURBINE

FARMS = 10
DAYS = 8
TICKS = 144 * DAYS
FIRST = 2_300_000
BURN_IN = 144
EVERY = 6
LEAD = 36
LEVELS = (np.arange(64) + 0.5) / 64

pytestmark = pytest.mark.timeout(180)


def model() -> WindFarm:
    described = farm("la_haute_borne")
    numbers = replace(described.numbers, transfer_sd=0.005, performance_sd=0.06)
    return WindFarm(replace(described, numbers=numbers))


def crew(name: str, seed: int, simulator: WindFarm) -> Crew:
    names = tuple(f"{name}{i}" for i in range(FARMS))
    keys = np.array([twin_key(seed, n) for n in names], np.uint64)
    return Crew(names, keys, np.zeros((FARMS, 0), simulator.schema.precision))


def begun(stepper: Stepper, people: Crew, members: int) -> TwinState:
    state = newborn(stepper.schema, people.keys, members=members, channels=16)
    tick = np.full(FARMS, FIRST, np.int64)
    return replace(state, tick=tick, born=tick.copy())


@dataclass(frozen=True)
class Experiment:
    """What was hidden, and what the twin held."""

    performance_truth: Float64[np.ndarray, "farm turbine"]
    performance: Float64[np.ndarray, "farm turbine member"]
    speed_truth: Float64[np.ndarray, "time farm"]
    speed: Float64[np.ndarray, "time farm member"]
    power_truth: Float64[np.ndarray, "tick farm"]
    issues: list[int]
    ahead: Float64[np.ndarray, "time farm member"]


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    simulator = model()
    schema, stepper = simulator.schema, Stepper(simulator)
    outputs = [v.name for v in schema.outputs]
    estimated = [v.name for v in schema.estimated]
    performance = [estimated.index(f"{t.name}.performance") for t in simulator.farm.turbines]
    speed, power = outputs.index("air.speed"), outputs.index("farm.power")
    hidden_crew, twin_crew = crew("hidden", 1, simulator), crew("twin", 2, simulator)
    hidden = begun(stepper, hidden_crew, 3)
    cycle = bound("truth", simulator).cycle()
    state = begun(stepper, twin_crew, MEMBERS)
    rng = np.random.default_rng(11)
    noise = np.array([s.noise or 0.0 for s in schema.sensors])
    yaw = np.full((FARMS, len(simulator.farm.turbines)), 200.0)
    speed_truth, held_speed, power_truth, issues, ahead = [], [], [], [], []
    for step in range(TICKS):
        hidden = stepper.step(hidden, hidden_crew)
        direction = hidden.members[:, 4, :1].astype(np.float64)
        turned = np.abs((direction - yaw + 180.0) % 360.0 - 180.0) > 15.0
        yaw = np.where(turned, direction % 360.0, yaw)
        driven = inputs(hidden, yaw)
        # Something new is told each time: else the hidden farm would be silent, and stop by chance.
        driven[:, :, INPUTS_A_TURBINE.index("heard_wind")] = 5.0 + step % 2
        set_points = hidden.driven[:, driven[0].size :]
        hidden = replace(
            hidden, driven=np.concatenate([driven.reshape(FARMS, -1), set_points], axis=1)
        )
        seen = stepper.observed(hidden, hidden_crew, hidden.members)[:, :, 0].astype(np.float64)
        readings = seen[:, : len(noise)] + noise * rng.standard_normal((FARMS, len(noise)))
        by_turbine = readings.reshape(FARMS, -1, len(SENSORS_A_TURBINE))
        driven[:, :, INPUTS_A_TURBINE.index("heard_power")] = by_turbine[:, :, 0]
        driven[:, :, INPUTS_A_TURBINE.index("heard_wind")] = by_turbine[:, :, 1]
        state = cycle(state, twin_crew, heard(readings, driven, schema, FIRST + step + 1))
        power_truth.append(seen[:, power])
        if step >= BURN_IN and step % EVERY == 0:
            speed_truth.append(seen[:, speed])
            held_speed.append(stepper.observed(state, twin_crew, state.members)[:, speed])
        if step >= BURN_IN and step % LEAD == 0 and step + LEAD < TICKS:
            later = stepper.advance(state, twin_crew, state.tick + LEAD)
            ahead.append(stepper.observed(later, twin_crew, later.members)[:, power])
            issues.append(step)
    return Experiment(
        natural(schema, hidden.members)[:, performance, 0].astype(np.float64),
        natural(schema, state.members)[:, performance].astype(np.float64),
        np.array(speed_truth),
        np.array(held_speed, np.float64),
        np.array(power_truth),
        issues,
        np.array(ahead, np.float64),
    )


def inputs(
    hidden: TwinState, yaw: Float64[np.ndarray, "farm turbine"]
) -> Float64[np.ndarray, "farm turbine input"]:
    """What drives the hidden farm: blades at work, nacelles that follow, air of 10 degrees."""
    del hidden
    driven = np.zeros((*yaw.shape, len(INPUTS_A_TURBINE)))
    driven[:, :, INPUTS_A_TURBINE.index("pitch")] = -1.0
    driven[:, :, INPUTS_A_TURBINE.index("yaw")] = yaw
    driven[:, :, INPUTS_A_TURBINE.index("heard_temperature")] = 10.0
    driven[:, :, INPUTS_A_TURBINE.index("heard_power")] = 2050.0
    return driven


def heard(
    readings: Float64[np.ndarray, "farm sensor"],
    driven: Float64[np.ndarray, "farm turbine input"],
    schema: Schema,
    tick: int,
) -> Observed:
    noise = np.array([s.noise or 0.0 for s in schema.sensors])
    place = np.tile(np.arange(len(noise), dtype=np.int32), (FARMS, 1))
    after = np.full((FARMS, len(schema.driven)), np.nan)  # set-points are not told
    after[:, : driven[0].size] = driven.reshape(FARMS, -1)
    return Observed(
        tick=np.full(FARMS, tick, np.int64),
        channel=place,
        sensor=place,
        value=readings,
        variance=np.tile(noise**2, (FARMS, 1)),
        valid_at=np.full(place.shape, tick * schema.step, np.int64),
        driven_before=np.full_like(after, np.nan),
        driven_after=after,
    )


def test_that_hidden_performance_is_recovered_within_two_spreads(experiment: Experiment) -> None:
    spread = experiment.performance.std(axis=2, ddof=1)
    off = np.abs(experiment.performance.mean(axis=2) - experiment.performance_truth)
    # 95 % of 40 are 38; the chance of fewer than 34 is below 3 % even if all were independent.
    assert (off < 2.0 * spread).sum() >= 34
    assert spread.mean() < 0.5 * 0.06


def test_that_the_free_wind_is_not_doubted_too_little_nor_told_to_one_side(
    experiment: Experiment,
) -> None:
    """The filter keeps the ensemble wider than its error, by about a half: ranks make a dome."""
    rank = (experiment.speed < experiment.speed_truth[:, :, None]).sum(axis=2)
    share = np.histogram(rank, 5, (0, MEMBERS + 1))[0] / rank.size
    # 1,680 ranks, which remember each other for some hours: about 300 independent ones, 0.023.
    assert share[[0, -1]].max() < 0.2 + 0.023
    assert share[[0, -1]].min() > 0.1
    assert np.abs(share - share[::-1]).max() < 0.07


def test_that_six_hours_ahead_beats_persistence_with_its_errors(experiment: Experiment) -> None:
    rated = model().farm.rated_power_kw
    truth = np.maximum(experiment.power_truth, 0.0)
    # All farms' series one after the other: joints are 9 of 11,520 instants.
    table = Persistence.fitted(truth.T.reshape(-1), LEAD, LEVELS, rated)
    now = truth[experiment.issues]
    later = truth[np.array(experiment.issues) + LEAD]
    mine = crps(experiment.ahead, later).mean()
    other = crps_of_quantiles(table.quantiles(now.reshape(-1)), LEVELS, later.reshape(-1)).mean()
    assert mine < other
