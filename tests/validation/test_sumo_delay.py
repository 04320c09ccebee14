"""Delay of the RESCO maps as the engine tells it, against SUMO's own trip files.

Ault, Sharon (2021), Reinforcement Learning Benchmarks for Traffic Signal Control, NeurIPS Datasets
and Benchmarks: delay is the mean over all trips of time loss and depart delay, and for a trip that
never began the time since it should have. Their values for fixed signals (cologne1 56.6 s,
cologne8 63.8 s, ingolstadt1 39.4 s) were had with SUMO 1.9, whose insertion differed: they are no
bar for a newer one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gemeos.engines.sumo import Sumo, opened
from gemeos.testing.contracts.engine import T0, told
from gemeos.units.instant import SECOND
from tests.integration.sumo_networks import sumo_program

HOUR = 3600 * SECOND
NO_TELEPORT = ("--time-to-teleport", "-1")


@pytest.mark.parametrize("name", ["cologne1", "cologne8", "ingolstadt1"])
def test_that_delay_is_that_of_sumos_trip_file(
    name: str, recorded_data: Path, tmp_path: Path
) -> None:
    config, trips = recorded_data / "resco" / name / f"{name}.sumocfg", tmp_path / "trips.xml"
    program: list[str | Path] = [sumo_program("sumo"), "-c", config, "--seed", "2", *NO_TELEPORT]
    outputs = ("--tripinfo-output.write-unfinished", "--tripinfo-output.write-undeparted")
    command = [*program, "--tripinfo-output", trips, *outputs]
    subprocess.run(command, check=True, capture_output=True, timeout=50)
    every = ET.parse(trips).getroot().findall("tripinfo")  # noqa: S314 - SUMO's own file
    lost = [float(t.get("timeLoss", "nan")) + float(t.get("departDelay", "nan")) for t in every]
    with opened(Sumo(str(config), options=NO_TELEPORT)) as engine:
        told(engine.reset({}, 2, T0))
        told(engine.advance(T0 + HOUR))
        names = ["trips.delay", "vehicles.departed", "vehicles.waiting"]
        delay, departed, waiting = (float(v) for v in told(engine.get(names)).values())
    assert departed == sum(float(t.get("depart", "-1")) >= 0 for t in every)
    assert departed + waiting == len(every) > 1700
    # The file has two digits of each trip, and SUMO cuts its means to three.
    assert delay == pytest.approx(sum(lost) / len(lost), abs=0.02)
