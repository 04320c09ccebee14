from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from gemeos.foresee.goal import Goal, Samples
from gemeos.foresee.rival import rivalry
from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import GainTold, OptimisationRecord
from gemeos.runtime.scenario import Progress
from gemeos.units.instant import SECOND

LOSS = Goal.of({"loss": "kW"}, minimise="loss")
MEMBERS = 64


def of(*costs: Sequence[float] | np.ndarray) -> Samples:
    rows = np.array(costs, float)[:, None]
    return Samples(rows, np.empty((len(costs), 0, rows.shape[2])))


def spread(mean: float, sd: float) -> np.ndarray:
    """Members with just that mean and that standard deviation: half on either side."""
    return np.where(np.arange(MEMBERS) % 2 == 0, mean + sd, mean - sd)


def lost_of(mean: float, sd: float) -> float:
    """E max(X, 0) of a normal X."""
    at = mean / sd
    density = math.exp(-0.5 * at * at) / math.sqrt(2.0 * math.pi)
    return sd * density + mean * 0.5 * math.erfc(-at / math.sqrt(2.0))


@pytest.mark.parametrize("behind", [-0.1, 0.0, 0.1, 0.3])
def test_that_the_loss_is_that_of_the_normal_difference_of_two_means(behind: float) -> None:
    # The winner costs `behind` more, give or take 0.8 in each member: 0.1 in the mean of 64.
    found = rivalry(LOSS, of(spread(10.0 + behind, 0.8), np.full(MEMBERS, 10.0)), seed=1)
    # 400 draws of a value that scatters by at most 0.1: a standard error of 0.005.
    assert found.loss == pytest.approx(lost_of(behind, 0.1), abs=0.015)
    assert found.chances[0] == pytest.approx(0.5 * math.erfc(behind / 0.1 / math.sqrt(2)), abs=0.13)


def test_that_a_small_chance_among_equals_is_a_small_loss() -> None:
    # Ten finalists with luck that they share, and 0.001 kW between them that is beyond doubt.
    luck = np.random.default_rng(3).normal(scale=5.0, size=MEMBERS)
    found = rivalry(LOSS, of(*(10.0 + luck - 0.001 * place for place in range(10))), seed=1)
    assert found.chances[0] == 0.0
    assert found.loss == pytest.approx(0.009, rel=1e-6)
    assert found.rivals == 9


def test_that_the_chance_and_the_loss_are_of_expected_values_and_not_of_single_members() -> None:
    # In every second member the other is better by 1, in the others worse by 3. In reality it is
    # as likely as not the better one, and by 0.5 on average; as a choice it never is.
    turn = np.where(np.arange(MEMBERS) % 2 == 0, -1.0, 3.0)
    found = rivalry(LOSS, of(np.full(MEMBERS, 10.0), 10.0 + turn), seed=1)
    # Its mean is 1 worse, with 2 / sqrt(64) = 0.25 of doubt: four of them.
    assert found.chances[0] > 0.99
    assert found.loss < 0.005
    assert found.rivals == 0


def test_that_finalists_shown_to_be_worse_are_no_rivals() -> None:
    # 0.1 of doubt in each mean: 0.1 behind is within it, 1.0 behind is not, equal is.
    rows = [spread(10.0, 0.0), spread(10.1, 0.8), spread(11.0, 0.8), spread(10.0, 0.0)]
    assert rivalry(LOSS, of(*rows), seed=1).rivals == 2


def test_that_what_is_to_be_large_is_lost_where_it_is_smaller() -> None:
    much = Goal.of({"loss": "kW"}, maximise="loss")
    found = rivalry(much, of(np.full(MEMBERS, 9.0), np.full(MEMBERS, 10.0)), seed=1)
    assert (found.chances, found.loss, found.rivals) == ((0.0, 1.0), 1.0, 1)


def test_that_copies_of_a_state_know_no_more_than_states() -> None:
    # Four states, each run 16 times with the same outcome: the doubt is that of four members.
    states = np.array([-0.8, 0.8, -0.8, 0.8])
    rows = of(10.0 + np.tile(states, 16), np.full(MEMBERS, 10.0))
    few = rivalry(LOSS, rows, seed=1, origins=4)
    # The mean of four draws of -0.8 or 0.8 is that times (k - 2) / 2, with k of them of four:
    # E max = 0.8 (1/16 x 1 + 4/16 x 1/2) = 0.15.
    assert few.loss == pytest.approx(0.15, abs=0.05)
    assert rivalry(LOSS, rows, seed=1).loss == pytest.approx(lost_of(0.0, 0.1), abs=0.015)


def test_that_no_loss_is_told_where_most_members_fail() -> None:
    failed = np.where(np.arange(MEMBERS) < 60, np.nan, 10.0)
    samples = of(failed, failed)
    assert math.isnan(rivalry(LOSS, samples, seed=1).loss)


RECORD = OptimisationRecord(
    twin="boiler",
    name="warm",
    over={"heater": "0 W .. 300 W"},
    minimise=("mean(off)",),
    maximise=(),
    subject_to=(),
    until=300 * SECOND,
    every=SECOND,
    budget="300 runs",
    seed=1,
    present="",
    forked_at=0,
    known_at=0,
    model="",
    origin="",
    actor="",
    created=0,
    progress=Progress.DONE,
    winner={"heater": "90 W"},
    advice=Advice.CHANGE,
    gains=(GainTold("minimise mean(off)", "K", 2.0, 5.0, 3.0, 2.0, 4.0, 64),),
    chances=(0.02, 0.5, 0.3, 0.18),
)


def test_that_a_small_chance_is_told_with_what_it_may_cost() -> None:
    told = replace(RECORD, loss=0.031, rivals=3).told.splitlines()
    assert told[1] == (
        "Of 4 finalists it is the best with chance 2%; another one may be better, by 0.031 K on "
        "average."
    )


def test_that_a_record_from_before_there_were_losses_tells_its_chance_alone() -> None:
    assert RECORD.told.splitlines()[1] == "Of 4 finalists it is the best with chance 2%."
    assert "may be better" not in RECORD.told
