"""The wind farm's plant as a process that is set, and that goes back by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import publish

from gemeos.runtime.run import run
from gemeos.testing.mosquitto import Mosquitto
from tests.integration.steered_site import (
    LONGEST_S,
    PLACE,
    FarmProcess,
    farm_process,
    limited,
    site_of,
)

HERE = Path(__file__).parent


@pytest.fixture
def farm(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[FarmProcess]:
    with farm_process(mosquitto.port, tmp_path) as farm:
        yield farm


def test_that_the_farm_refuses_by_its_own_rules(farm: FarmProcess) -> None:
    farm.until("subscribed")
    time.sleep(1.0)  # of both that it subscribes to
    command = {"id": "c1", "value": 24.0, "expires_at": "2030-01-01T00:00:00Z"}
    topic = "lahauteborne/command/R80711/yaw_offset"
    publish.single(topic, json.dumps(command), qos=1, port=farm.port)
    assert farm.until("refused")["why"] == "loads: at most 20 deg out of the wind"
    assert farm.did("moved") == []


@pytest.mark.timed
@pytest.mark.timeout(120)
def test_that_the_farm_runs_by_its_own_programme_5_s_after_the_twin_dies(
    farm: FarmProcess, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.steered_site", str(farm.port), str(tmp_path)],
        cwd=HERE.parents[1],
    )
    try:
        moved = farm.until("moved")
        assert (moved["place"], moved["value"]) == (PLACE, 500.0)
        time.sleep(4.0)  # seen all the while, it stays where it was set
        assert farm.did("fallback") == []
        killed = time.time()
        os.kill(child.pid, signal.SIGKILL)
        back = farm.until("fallback")
    finally:
        child.kill()
        child.wait()
    assert (back["place"], back["value"]) == (PLACE, 2050.0)
    assert back["at"] - killed <= 5.0
    assert back["unseen_s"] <= 5.0


@pytest.mark.timed
@pytest.mark.timeout(120)
def test_that_the_farm_runs_by_its_own_programme_5_s_after_the_twin_goes_blind(
    farm: FarmProcess, tmp_path: Path
) -> None:
    with run(site_of(farm.port, tmp_path)) as running:
        plan = limited(running)
        farm.until("moved")
        # Sensors fall silent, and so does the way of commands: the undoing must not be what
        # brings it back. Its clock goes on.
        farm.local("fault", "cut")
        ends = time.monotonic() + LONGEST_S
        while running.host.questions.phase("farm").value != "blind":
            assert time.monotonic() < ends
            time.sleep(0.02)
        blind = time.time()
        back = farm.until("fallback")
        assert running.host.applying.undertakings.of(plan.id) is not None
    assert (back["place"], back["value"]) == (PLACE, 2050.0)
    assert back["at"] - blind <= 5.0
    assert back["unseen_s"] <= 5.0
