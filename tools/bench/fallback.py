"""The wind farm's plant when its twin is gone: seconds until its own programme runs again.

Plant, broker and site are those of ``tests/integration/test_windfarm_falls_back.py``: the plant is
a process of its own that knows nothing of Gemeos, and its clock says when it went back.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from gemeos.clock import SystemClock
from gemeos.runtime.run import run as running_site
from gemeos.testing.mosquitto import program
from gemeos.units.instant import SECOND
from tests.integration.steered_site import (
    LONGEST_S,
    PLACE,
    FarmProcess,
    farm_process,
    limited,
    site_of,
)
from tools.bench.mqtt import broker
from tools.bench.report import Check, at_most, failed
from tools.bench.run import Run

GOAL_S: Final = 5.0
HELD_S: Final = 4.0
"""So long the plant stays where it was set while it sees its twin, before that is killed."""
FREE_KW: Final = 2050.0
"""What its own programme allows a turbine of 2.05 MW."""
NAMES: Final = (
    "plant on its own programme after kill -9 of the site, seconds",
    "plant on its own programme after its twin went blind, seconds",
)


def fallback(run: Run) -> Sequence[Check]:
    """Limit a turbine, take its twin away, and wait for the plant to go back by itself."""
    if program() is None:
        return [failed(name, "mosquitto is not installed") for name in NAMES]
    times = run.count(5, 1)
    found = []
    for name, away in zip(NAMES, (_killed, _blind), strict=True):
        seconds = []
        for n in range(times):
            with (
                broker(run, "fallback") as (mosquitto, folder),
                farm_process(mosquitto.port, folder) as farm,
            ):
                seconds.append(away(farm, folder))
            run.progress.say(f"gone back {n + 1} of {times} times")
        how = run.how(
            f"longest of {times} (all: {', '.join(f'{s:.2f}' for s in seconds)} s); the recorded "
            "farm as a process behind a broker, a turbine limited to 500 kW by a plan, until its "
            "limit is gone, by the plant's own record"
        )
        found.append(at_most(name, max(seconds), GOAL_S, "s", how))
    return found


def _killed(farm: FarmProcess, folder: Path) -> float:
    site = subprocess.Popen(  # noqa: S603 -- our own module
        [sys.executable, "-m", "tests.integration.steered_site", str(farm.port), str(folder)]
    )
    try:
        farm.until("moved")
        time.sleep(HELD_S)
        _held(farm)
        away = SystemClock().wall() / SECOND
        os.kill(site.pid, signal.SIGKILL)
        return _gone_back(farm.until("fallback")) - away
    finally:
        site.kill()
        site.wait()


def _blind(farm: FarmProcess, folder: Path) -> float:
    with running_site(site_of(farm.port, folder)) as running:
        limited(running)
        farm.until("moved")
        _held(farm)
        # Sensors fall silent, and so does the way of commands: it is not undone from here.
        farm.local("fault", "cut")
        ends = time.monotonic() + LONGEST_S
        while running.host.questions.phase("farm").value != "blind":
            if time.monotonic() > ends:
                raise TimeoutError(f"The twin was not blind within {LONGEST_S:g} s.")
            time.sleep(0.02)
        away = SystemClock().wall() / SECOND
        return _gone_back(farm.until("fallback")) - away


def _held(farm: FarmProcess) -> None:
    if farm.did("fallback"):
        raise RuntimeError("The plant went back while its twin was there.")


def _gone_back(told: dict[str, Any]) -> float:
    """When, by the plant's clock, in seconds of the epoch."""
    if (told["place"], told["value"]) != (PLACE, FREE_KW):
        raise RuntimeError(f"The plant went back to something else: {told}.")
    return float(told["at"])
