"""A turbine is turned out of the wind by a scenario's plan, at the plant, which reports it.

Along two that stand behind each other the recorded farm loses by that, as its twin knows it: see
``docs/validation/windfarm-plans.md``. So the plan is of a scenario, not of a search.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gemeos.errors import GemeosError
from gemeos.runtime.run import RunningSite, run
from gemeos.schema.command import CommandState
from gemeos.testing.mosquitto import Mosquitto
from gemeos.twins.windfarm import decisions
from gemeos.twins.windfarm.farm import farm as farm_of
from tests.integration.steered_site import farm_process, site_of

SPEED = 300
PATIENCE_S = 60.0
TURNED = 15.0
CONTROL = "R80721.yaw_offset"
pytestmark = [pytest.mark.timed, pytest.mark.timeout(200)]


def taken(running: RunningSite) -> tuple[str, float]:
    """The value that was sent and where the turbine reports to stand, once it took it."""
    ends, told, number = time.monotonic() + PATIENCE_S, "", 0
    farm = running["farm"]
    while time.monotonic() < ends:
        time.sleep(0.5)
        number += 1
        name = f"turned-{number}"
        try:
            changes = decisions.turned(farm_of("la_haute_borne"), {"R80721": TURNED})
            farm.scenario(name, changes, until="1 h", every="10 min")
            plan = farm.plans.of_scenario(name, on=["R80721.power"], expires="48 h").plan
            farm.plans.apply(plan.name, approve="ada", dry_run=False)
        except GemeosError as error:
            told = str(error)
            continue
        while time.monotonic() < ends:
            undertaking = running.host.applying.undertakings.of(plan.id)
            if undertaking is not None and undertaking.issued[0].state is CommandState.TAKEN:
                (issued,) = undertaking.issued
                assert issued.stands is not None
                return issued.command.control, issued.stands
            if undertaking is not None and undertaking.stage.is_over:
                told = undertaking.reason
                break
            time.sleep(0.05)
    raise TimeoutError(told)


def test_that_a_turned_turbine_is_turned_at_the_plant_and_reported_by_it(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    start = "2014-03-11T13:50Z"
    with farm_process(mosquitto.port, tmp_path, start=start, speed=SPEED) as farm:
        farm.until("subscribed")
        site = site_of(
            farm.port, tmp_path, start=start, speed=SPEED, watch="1 h", settle="20 min", yaw=True
        )
        with run(site) as running:
            assert taken(running) == (CONTROL, TURNED)
            moved = farm.until("moved")
            assert (moved["place"], moved["value"]) == ("R80721/yaw_offset", TURNED)
