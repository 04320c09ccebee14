"""A plan that was searched for is put into force at the farm, and one that the farm refuses is not.

The plant has rules and physics of its own; the twin's model knows neither.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gemeos.act.undertaking import Stage, Undertaking
from gemeos.errors import GemeosError
from gemeos.foresee.verdict import Advice
from gemeos.runtime.ledger_row import LedgerRow
from gemeos.runtime.optimisation import OptimisationRecord
from gemeos.runtime.run import RunningSite, run
from gemeos.schema.command import CommandState
from gemeos.schema.plan import Plan
from gemeos.testing.mosquitto import Mosquitto
from gemeos.units.instant import SECOND
from gemeos_plants.windfarm.record import load
from tests.integration.steered_site import PLACE, FarmProcess, farm_process, site_of

START = "2014-03-11T13:50Z"
"""R80711 gave 887 kW or more from then on, for six hours."""
SPEED = 300
LIMIT = "R80711.power_limit"
PATIENCE_S = 60.0
pytestmark = [pytest.mark.timed, pytest.mark.timeout(240)]


@pytest.fixture
def farm(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[FarmProcess]:
    with farm_process(mosquitto.port, tmp_path, start=START, speed=SPEED) as farm:
        yield farm


def over(running: RunningSite, plan: Plan) -> Undertaking:
    ends = time.monotonic() + PATIENCE_S
    while True:
        undertaking = running.host.applying.undertakings.of(plan.id)
        if undertaking is not None and undertaking.stage.is_over:
            return undertaking
        assert time.monotonic() < ends, str(undertaking)
        time.sleep(0.1)


def sought(running: RunningSite) -> OptimisationRecord:
    """As soon as the twin is in step and has heard the strong wind."""
    ends, told = time.monotonic() + PATIENCE_S, ""
    while time.monotonic() < ends:
        time.sleep(0.5)
        try:
            found = running["farm"].optimise(
                "half",
                over={LIMIT: "400 kW .. 2050 kW"},
                until="1 h",
                every="10 min",
                minimise="mean(abs(R80711.power - 500 kW))",
                budget="60 runs",
                replacing=True,
            )
        except GemeosError as error:
            told = str(error)
            continue
        if found.advice is Advice.CHANGE:
            return found
        told = found.told
    raise TimeoutError(told)


def applied(running: RunningSite, plan: Plan) -> None:
    ends, told = time.monotonic() + PATIENCE_S, ""
    while time.monotonic() < ends:
        try:
            running["farm"].plans.apply(plan.name, approve="ada", dry_run=False)
        except GemeosError as error:
            told = str(error)
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(told)


def scored(running: RunningSite, name: str) -> LedgerRow:
    """The ledger's row of that plan, once it tells what was delivered."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        (row,) = running["farm"].plans.ledger().rows
        assert row.name == name
        if row.score is not None:
            return row
        assert time.monotonic() < ends, row.told
        time.sleep(0.1)


def nearer_by(begun: int) -> float:
    """How far from 500 kW the turbine was in the hour after that as the record has it, in kW.

    Held at some 500 it is not far from it any more: so much nearer it was.
    """
    told = load()
    power = [
        each.value
        for each in map(told.reading, range(told.first(begun), told.first(begun + 3600 * SECOND)))
        if (each.turbine, each.tag) == ("R80711", "P_avg") and each.value is not None
    ]
    return float(np.mean(np.abs(np.array(power) - 500.0)))


def test_that_a_searched_plan_is_obeyed_and_scored_and_a_refused_one_taken_back(
    farm: FarmProcess, tmp_path: Path
) -> None:
    farm.until("subscribed")
    site = site_of(farm.port, tmp_path, start=START, speed=SPEED, watch="1 h", settle="20 min")
    with run(site) as running:
        found = sought(running)
        # The twin's turbine gives all that it may: it is to be limited to what is wanted.
        assert found.winner is not None
        assert float(found.winner[LIMIT].split()[0]) == pytest.approx(500.0, abs=50.0)
        plans = running["farm"].plans
        plan = plans.of_optimisation(found.name, on=["R80711.power"], expires="48 h").plan
        applied(running, plan)
        ended = over(running, plan)
        moved = farm.until("moved")
        assert (moved["place"], moved["value"]) == (PLACE, ended.issued[0].command.value)
        # The wind stays strong, so the turbine keeps to its limit and the plan to its band. Only
        # the average in which it came to be limited may lie outside: one does not end a plan.
        assert ended.stage is Stage.KEPT, ended.reason
        assert ended.issued[0].state is CommandState.TAKEN
        assert ended.reason.startswith("The watch window is over.")
        row = scored(running, found.name)
        assert row.promise is not None
        assert row.promise.gain.mean > 0.0
        assert row.score is not None
        got = row.score.delivered
        assert got is not None, row.told
        assert (got.unit, got.share) == ("kW", row.promise.gain.share)
        assert got.low is not None
        assert got.high is not None
        assert 0.0 < got.low < got.mean < got.high
        # What the record has of that hour is the truth; of a turbine that is held back the twin
        # knows the wind as anemometers tell it, and what it gave in such a wind before.
        assert got.mean == pytest.approx(nearer_by(row.applied_at), rel=0.2)
        assert row.score.readings > 0
        now = running.host.clock.now()
        low = Plan(
            twin="farm",
            name="low",
            changes={LIMIT: "250 kW"},
            made_at=now,
            actor="kim",
            cause="made by hand",
            expires_at=now + 48 * 3600 * SECOND,
            state_at=now,
        )
        plans.keep(low)
        applied(running, low)
        refused = over(running, low)
        assert refused.stage is Stage.UNDONE
        assert "it runs steadily between 400 and 2050 kW only" in refused.reason
        assert [line["value"] for line in farm.did("refused")] == [250.0]
        # What it had before it has still.
        assert farm.did("moved")[-1]["value"] != 250.0
