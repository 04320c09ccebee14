"""What is said of plans that were lived at a plant, from what the plant told."""

from __future__ import annotations

import numpy as np
import pytest

from gemeos.foresee.verdict import Advice
from gemeos.runtime.optimisation import GainTold, OptimisationRecord
from gemeos.runtime.scenario import Progress
from gemeos.twins.traffic.lived import Course, Tried
from gemeos.twins.traffic.lived_checks import checks
from gemeos.twins.traffic.signals.pedestrians import Delay
from gemeos.units.instant import SECOND

RECORD = OptimisationRecord(
    twin="city",
    name="plan",
    over={"A_phase0": "10 s, 20 s"},
    minimise=("mean(lost)",),
    maximise=(),
    subject_to=(),
    until=600 * SECOND,
    every=60 * SECOND,
    budget="45 s",
    seed=0,
    present="",
    forked_at=60 * SECOND,
    known_at=90 * SECOND,
    heard_until=30 * SECOND,
    model="",
    origin="",
    actor="",
    created=95 * SECOND,
    progress=Progress.DONE,
    advice=Advice.CHANGE,
    gains=(GainTold("minimise mean(lost)", "s", 2.0, 5.0, 3.0, 2.0, 4.0, 16),),
    took=40 * SECOND,
)


def tried(*, longest_s: float, walking: Delay | None, usual: Delay | None) -> Tried:
    return Tried(
        RECORD,
        foreseen=np.array([100.0, 200.0]),
        delivered=150.0,
        lost=1000.0,
        counts=np.array([[1.0, 3.0]]),
        came=np.array([2.0]),
        refused=(),
        breaches={},
        violations=0,
        walking=walking,
        walking_usual=usual,
        longest_s=longest_s,
        longest_usual_s=80.0,
    )


@pytest.mark.parametrize(("longest_s", "ok"), [(300.0, True), (301.0, False)])
def test_that_nobody_may_stand_longer_than_five_minutes(longest_s: float, ok: bool) -> None:
    rows = [tried(longest_s=s, walking=None, usual=None) for s in (20.0, longest_s)]
    (check,) = (c for c in checks("x", rows, Course()) if "vehicle stood" in c.name)
    assert check.ok is ok
    assert check.measured == f"{longest_s:.0f} s; without plans 80 s"


def test_that_those_who_walk_stand_beside_those_who_drive() -> None:
    rows = [
        tried(longest_s=1.0, walking=Delay(20.0, 60.0, 4), usual=Delay(18.0, 50.0, 4)),
        tried(longest_s=1.0, walking=Delay(30.0, 310.0, 4), usual=Delay(20.0, 50.0, 4)),
    ]
    (check,) = (c for c in checks("x", rows, Course()) if "pedestrians" in c.name)
    assert check.measured == "with plans 25.0 s, without 19.0 s; longest red 310 s"
    assert check.ok is False


def test_that_where_nobody_walks_nothing_is_said_of_it() -> None:
    told = checks("x", [tried(longest_s=1.0, walking=None, usual=None)], Course())
    assert not [c for c in told if "pedestrians" in c.name]


def test_that_the_age_of_a_state_counts_from_when_it_was_asked() -> None:
    assert RECORD.age == 35 * SECOND
    assert RECORD.heard_ago == 65 * SECOND
