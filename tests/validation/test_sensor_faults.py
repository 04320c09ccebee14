"""Bad sensors and drifting models, told apart: identical-twin experiments with known faults.

A damped oscillation is read by four sensors of its two states. Sixty-four twins at once give the
rates. From instant 100 on the first sensor, or the plant, goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from jaxtyping import Float64, Int64

from gemeos.assimilate.cycle import Cycle
from gemeos.assimilate.esrf import SerialSquareRoot
from gemeos.ensemble.state import Drift, Monitor, Verdict
from gemeos.simulate.advance import Stepper
from gemeos.testing.linear import Linear
from gemeos.testing.truth import Read, Spoiled, followed

TWINS, MEMBERS, FROM = 64, 32, 100
NOISE = 0.3


def oscillator(turn: float = 0.15, noise: float = 0.1) -> Linear:
    c, s = 0.995 * np.cos(turn), 0.995 * np.sin(turn)
    return Linear(
        matrix=np.array([[c, s], [-s, c]]),
        observation=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5], [1.0, -1.0]]),
        prior_mean=np.zeros(2),
        prior_sd=np.full(2, 2.0),
        step_noise_sd=np.full(2, noise),
        sensor_noise_sd=NOISE,
    )


@dataclass(frozen=True)
class Told:
    verdict: Float64[np.ndarray, "instant twin channel"]
    error: Float64[np.ndarray, "instant twin"]
    drifting: Float64[np.ndarray, "instant twin"]
    recovered: Int64[np.ndarray, " twin"]

    def delay(self, verdict: Verdict) -> Float64[np.ndarray, " twin"]:
        """Readings until the first channel was so named; infinite where it never was."""
        named = self.verdict[FROM:, :, 0] == verdict
        return np.where(named.any(axis=0), named.argmax(axis=0) + 1.0, np.inf)


def told(
    spoiled: Spoiled, *, instants: int = 200, truth: Linear | None = None, seed: int = 5
) -> Told:
    cycle = Cycle(Stepper(oscillator()), SerialSquareRoot())
    states = list(
        followed(
            cycle,
            twins=TWINS,
            members=MEMBERS,
            instants=instants,
            seed=seed,
            spoiled=spoiled,
            truth=None if truth is None else Stepper(truth),
        )
    )
    return Told(
        np.array([now.state.monitors[:, :, Monitor.VERDICT] for now in states]),
        np.array([now.error for now in states]),
        np.array([now.state.drift[:, Drift.REJECTED] for now in states]),
        states[-1].state.recovered,
    )


def first(
    change: Callable[[Float64[np.ndarray, " twin"], int], Float64[np.ndarray, " twin"]],
) -> Spoiled:
    """The first sensor's readings, changed from ``FROM`` on."""

    def spoiled(read: Read, instant: int) -> Read:
        if instant >= FROM:
            read = read.copy()
            read[:, 0] = change(read[:, 0], instant)
        return read

    return spoiled


def test_that_sound_sensors_are_accused_less_than_once_in_ten_thousand_readings() -> None:
    cycle = Cycle(Stepper(oscillator()), SerialSquareRoot())
    accused, drifting = np.zeros(4), np.zeros(200)
    was = np.zeros((200, 4))
    last = None
    for now in followed(cycle, twins=200, members=16, instants=400, seed=9):
        verdict = now.state.monitors[:, :, Monitor.VERDICT]
        accused += ((verdict != Verdict.SOUND) & (was == Verdict.SOUND)).sum(axis=0)
        drifting = np.maximum(drifting, now.state.drift[:, Drift.REJECTED])
        was, last = verdict, now.state
    assert last is not None
    # 80,000 readings a channel, so eight false accusations would be one in ten thousand.
    assert (accused < 8).all()
    # At one per cent two of 200 are expected at most; seven or more would come in 1 of 200 runs.
    assert drifting.sum() < 7
    assert last.recovered.sum() == 0


def test_that_a_sensor_that_falls_to_its_floor_is_named_dead_within_three_samples() -> None:
    # What it reads at the floor lies more than five expected deviations below what it could read.
    dead = told(first(lambda read, _: np.full_like(read, -4.0)), instants=130)
    assert (dead.delay(Verdict.DEAD) <= 3).mean() > 0.9
    assert (dead.verdict[FROM + 3 :, :, 0] != Verdict.SOUND).mean() > 0.95
    assert (dead.verdict[:, :, 1:] == Verdict.SOUND).all()
    assert dead.error[FROM:].mean() < 1.2 * dead.error[50:FROM].mean()


def test_that_zero_where_the_ensemble_expects_much_is_dead_too() -> None:
    offset = Linear(
        matrix=np.array([[1.0]]),
        observation=np.array([[1.0], [1.0]]),
        prior_mean=np.array([8.0]),
        prior_sd=np.array([0.5]),
        step_noise_sd=np.array([0.02]),
        sensor_noise_sd=NOISE,
    )
    cycle = Cycle(Stepper(offset), SerialSquareRoot())
    fallen = first(lambda read, _: np.zeros_like(read))
    seen = list(
        followed(cycle, twins=50, members=MEMBERS, instants=FROM + 3, seed=1, spoiled=fallen)
    )
    verdict = seen[-1].state.monitors[:, :, Monitor.VERDICT]
    assert (verdict[:, 0] == Verdict.DEAD).all()
    assert (verdict[:, 1] == Verdict.SOUND).all()


def test_that_a_stuck_sensor_is_named_when_the_plant_moves_away_from_it() -> None:
    held: dict[str, Float64[np.ndarray, " twin"]] = {}

    def stay(read: Float64[np.ndarray, " twin"], instant: int) -> Float64[np.ndarray, " twin"]:
        if instant == FROM:
            held["value"] = read.copy()
        return held["value"]

    stuck = told(first(stay), instants=220)
    # A quarter of the period is ten instants; half of the plants swing far enough in the first.
    assert np.median(stuck.delay(Verdict.STUCK)) < 30
    assert np.isfinite(stuck.delay(Verdict.STUCK)).mean() > 0.85
    assert (stuck.verdict[:, :, 1:] == Verdict.SOUND).mean() > 0.99
    assert stuck.error[FROM:].mean() < 1.3 * stuck.error[50:FROM].mean()


def test_that_a_constant_which_the_model_expects_too_is_no_fault() -> None:
    at_rest = Linear(
        matrix=np.array([[0.5]]),
        observation=np.array([[1.0], [1.0]]),
        prior_mean=np.array([0.0]),
        prior_sd=np.array([1.0]),
        step_noise_sd=np.array([0.05]),
        sensor_noise_sd=NOISE,
    )
    cycle = Cycle(Stepper(at_rest), SerialSquareRoot())
    zero = first(lambda read, _: np.zeros_like(read))
    for now in followed(cycle, twins=50, members=MEMBERS, instants=300, seed=1, spoiled=zero):
        assert (now.state.monitors[:, :, Monitor.VERDICT] == Verdict.SOUND).all()


def test_that_a_biased_sensor_is_named_and_taken_back_when_its_bias_is_gone() -> None:
    def off(read: Float64[np.ndarray, " twin"], instant: int) -> Float64[np.ndarray, " twin"]:
        return read + (5 * NOISE if instant < FROM + 50 else 0.0)

    biased = told(first(off), instants=220)
    assert (biased.delay(Verdict.BIASED) <= 12).mean() > 0.95
    assert (biased.verdict[:, :, 1:] == Verdict.SOUND).all()
    assert (biased.verdict[-1] == Verdict.SOUND).mean() > 0.95
    # Before it is named its neighbours suffer with it: taken for a drift in one of ten at most.
    assert biased.drifting.max(axis=0).mean() < 0.1


def test_that_a_spiking_sensor_is_named_and_moves_nothing() -> None:
    rng = np.random.default_rng(0)

    def jump(read: Float64[np.ndarray, " twin"], _: int) -> Float64[np.ndarray, " twin"]:
        return read + np.where(rng.random(TWINS) < 0.1, 20.0 * rng.choice([-1, 1], TWINS), 0.0)

    spiking = told(first(jump), instants=260)
    assert np.isfinite(spiking.delay(Verdict.SPIKING)).all()
    assert (spiking.verdict[:, :, 1:] == Verdict.SOUND).all()
    assert spiking.error[FROM:].mean() < 1.1 * spiking.error[50:FROM].mean()


@pytest.mark.parametrize("gross", [1e3, 1e9])
def test_that_one_gross_reading_on_every_channel_at_once_wrecks_nothing(gross: float) -> None:
    def once(read: Read, instant: int) -> Read:
        return read + (gross if instant == FROM else 0.0)

    hit, spared = told(once, instants=120), told(lambda read, _: read, instants=120)
    np.testing.assert_allclose(hit.error[FROM:].mean(), spared.error[FROM:].mean(), rtol=0.05)
    assert hit.recovered.sum() == 0


def test_that_a_plant_that_jumps_is_found_again_and_no_sensor_is_blamed() -> None:
    rest = Linear(
        matrix=np.array([[0.995]]),
        observation=np.array([[1.0], [1.0], [1.0], [1.0]]),
        prior_mean=np.zeros(1),
        prior_sd=np.full(1, 2.0),
        step_noise_sd=np.full(1, 0.1),
        sensor_noise_sd=NOISE,
    )
    cycle = Cycle(Stepper(rest), SerialSquareRoot())

    # As if the plant itself had jumped: all sensors agree on the new place.
    def moved(read: Read, instant: int) -> Read:
        return read + (8.0 * 0.995 ** (instant - FROM) if instant >= FROM else 0.0)

    *_, last = followed(cycle, twins=50, members=MEMBERS, instants=FROM + 20, seed=4, spoiled=moved)
    shifted = last.state.members.astype(np.float64).mean(axis=2)[:, 0] - last.truth[:, 0]
    # Twenty instants of four sensors know the place to 0.1.
    np.testing.assert_allclose(shifted, 8.0 * 0.995**19, atol=0.5)
    assert (last.state.recovered >= 1).all()
    assert (last.state.monitors[:, :, Monitor.VERDICT] == Verdict.SOUND).all()


def test_that_a_model_that_is_wrong_is_called_drifting_and_no_sensor_is_blamed() -> None:
    # The plant is driven three times as hard as the model knows, and turns a third faster.
    wrong = told(lambda read, _: read, instants=300, truth=oscillator(turn=0.2, noise=0.6))
    assert wrong.drifting.max(axis=0).mean() > 0.9
    assert (wrong.verdict == Verdict.SOUND).mean() > 0.97
