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
from typing import Any

import pytest
from paho.mqtt import publish

from gemeos.runtime.run import run
from gemeos.testing.mosquitto import Mosquitto
from tests.integration.steered_site import PLACE, SPEED, START, limited, site_of

HERE = Path(__file__).parent
LONGEST_S = 40.0


class Farm:
    """The plant's process, and the lines of what it did."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self._told = port, folder / "told.jsonl"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gemeos_plants.windfarm"),
                *("--broker", f"mqtt://127.0.0.1:{port}", "--cursor", str(folder / "cursor.json")),
                *("--speed", str(SPEED), "--start", START, "--no-mischief"),
                *("--obey", "--told", str(self._told), "--parent", str(os.getpid())),
            ]
        )

    def did(self, what: str) -> list[dict[str, Any]]:
        if not self._told.exists():
            return []
        lines = [json.loads(line) for line in self._told.read_text().splitlines()]
        return [line for line in lines if line["what"] == what]

    def until(self, what: str) -> dict[str, Any]:
        ends = time.monotonic() + LONGEST_S
        while not (found := self.did(what)):
            assert time.monotonic() < ends, f"the farm did not: {what}"
            assert self.process.poll() is None
            time.sleep(0.02)
        return found[-1]

    def local(self, what: str, value: object) -> None:
        publish.single(f"lahauteborne/local/{what}", json.dumps(value), qos=1, port=self.port)


@pytest.fixture
def farm(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Farm]:
    farm = Farm(mosquitto.port, tmp_path)
    try:
        yield farm
    finally:
        farm.process.terminate()
        farm.process.wait(10)


def test_that_the_farm_refuses_by_its_own_rules(farm: Farm) -> None:
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
    farm: Farm, tmp_path: Path
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
    farm: Farm, tmp_path: Path
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
