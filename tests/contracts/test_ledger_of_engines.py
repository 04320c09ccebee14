"""A plan for a twin that an engine moves is held against its promise as any other."""

from __future__ import annotations

import numpy as np

from gemeos.act.undertaking import Issued, Stage, Undertaking
from gemeos.engines.outcome import Told
from gemeos.runtime.ledger_row import AppliedPlan
from gemeos.runtime.plan import PlanRecord
from gemeos.runtime.scoring import Past, scored
from gemeos.schema.command import Command, CommandState
from gemeos.schema.plan import Gain, Plan, Promise
from gemeos.schema.reading import Reading, Readings, SeriesBook
from gemeos.units.instant import SECOND
from tests.contracts.tank_engine import TankEngine
from tests.contracts.test_engine_twin import (
    HIDDEN,
    NOISE,
    START,
    STEP,
    fleet,
    model,
    reading,
    tank,
)

SHUT, WHOLE = 30, 42
"""Instants: when the valve is shut, and how many there are."""


def lived() -> tuple[list[Reading], list[float], list[float]]:
    """What is read, the true course from the shutting on, and the one that nobody saw."""
    rng = np.random.default_rng(3)
    courses: list[list[float]] = []
    for shuts in (True, False):
        truth = TankEngine()
        truth.reset({}, 99, START - STEP)
        truth.set({"leak": HIDDEN})
        course = []
        for k in range(WHOLE):
            if shuts and k == SHUT:
                truth.set({"valve": "shut"})
            truth.advance(START + k * STEP)
            told = truth.get(["level"])
            assert isinstance(told, Told)
            course.append(float(told.value["level"]))
        truth.close()
        courses.append(course)
    rows = [reading(k, x + NOISE * float(rng.normal())) for k, x in enumerate(courses[0])]
    return rows, courses[0][SHUT:], courses[1][SHUT:]


def test_that_what_a_plan_brought_an_engines_original_is_found() -> None:
    rows, real, untouched = lived()
    true = float(np.mean(untouched) - np.mean(real))
    book, begun = SeriesBook(), START + (SHUT - 1) * STEP
    ahead = (WHOLE - SHUT) * STEP
    promised = Gain("minimise mean(gauge)", "m", true, true - 0.05, true + 0.05, 0.9)
    promise = Promise("mean(gauge)", "minimise", ahead, STEP, promised, 16)
    plan = Plan(
        twin="tank",
        name="shut",
        changes={"valve": "2"},
        made_at=begun,
        actor="kim",
        cause="made by hand",
        expires_at=begun + 60 * SECOND,
        state_at=begun,
        promise=promise,
    )
    command = Command(
        "c1", plan.id, "tank", "valve", 2.0, "", begun, begun + STEP, "ada", "plan shut"
    )
    undertaking = Undertaking(
        plan=plan.id,
        name="shut",
        twin="tank",
        actor="ada",
        begun_at=begun,
        watch_until=begun + STEP,
        settle=STEP,
        lasting=STEP,
        issued=(Issued(command, 0.0, 0.01, CommandState.TAKEN, since=begun),),
        stage=Stage.KEPT,
    )
    with fleet(tank(model(), members=32)) as held:
        held.take(Readings.of(rows[:SHUT], book), book)
        before = held.state("tank")
        past = Past(before, before, Readings.of(rows[SHUT:], book), book, begun + ahead)
        applied = AppliedPlan(PlanRecord(plan), "ada", begun, {"valve": 0.0})
        score = scored(held, applied, promise, undertaking, (), past)
        assert score == scored(held, applied, promise, undertaking, (), past)
    assert score.notes == ()
    assert score.delivered is not None
    assert score.delivered.low < true < score.delivered.high
    assert score.delivered.high - score.delivered.low < 0.5 * true
    assert score.inside is True
    assert score.effect is not None
    assert abs(score.effect - 1.0) < 0.2
