"""``gemeos sheet``: what was found for signals, as a controller engineer types it in."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import pytest

from gemeos.cli.main import main
from gemeos.testing.device import Device, DeviceLink
from gemeos.testing.served import served
from gemeos.testing.valve import PLACE, made, valve_site, valve_twin
from tests.conftest import missing


@pytest.fixture(scope="module")
def district(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grid of streets whose signals show 42 s and 42 s of green, with 3 s of yellow between."""
    if find_spec("libsumo") is None:
        missing("SUMO, of the extra gemeos[sumo]")
    from gemeos_plants.traffic.demo import carried  # noqa: PLC0415 - an extra

    return carried(tmp_path_factory.mktemp("grid"))


def told(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(["sheet", *words]) == code
    captured = capsys.readouterr()
    return captured.err if code else captured.out


def test_that_settings_become_a_sheet(district: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("--district", str(district), "s0_0_phase0=55 s", "s0_0_offset=10")
    text = told(capsys, *settings, "--hours", "06:00-22:00", "--name", "day")
    assert "Signal 0/0, plan day, 06:00 to 22:00" in text
    # 55 + 3 + 42 + 3 seconds.
    assert "cycle 103 s, offset 10 s" in text
    # Only what is set otherwise is typed in.
    assert text.count("Signal ") == 1
    rows = list(csv.DictReader(told(capsys, *settings, "--as", "csv").splitlines()))
    assert [(r["kind"], r["seconds"]) for r in rows] == [
        ("green", "55"),
        ("yellow", "3"),
        ("green", "42"),
        ("yellow", "3"),
    ]
    assert '<phase duration="55"' in told(capsys, *settings, "--as", "sumo")


def test_that_what_no_cabinet_takes_is_refused(
    district: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> str:
        return told(capsys, "--district", str(district), *words, code=1)

    assert "signal 0/0 allows 12 to 75 s" in refused("s0_0_phase0=95 s")
    assert "Did you mean 's0_0_phase" in refused("s0_0_phas=40 s")
    assert "is not one time" in refused("s0_0_phase0=ramp to 40 s over 1 min")
    assert "either --plan NAME or settings" in refused()
    assert "06:00-22:00" in refused("s0_0_phase0=55 s", "--hours", "morning")


def test_that_the_settings_are_those_of_a_plan_of_the_site(
    district: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan of another twin sets what no signal has."""
    device = Device({PLACE: 1.0}, "m^3/s")
    with served(valve_site(valve_twin(), DeviceLink("plc", device))) as serving:
        serving.host.plans.keep(made(serving, "90 s"), actor="kim")
        words = ("--district", str(district), "--plan", "open", "--url", serving.url)
        assert "no control 'valve'" in told(capsys, *words, code=1)
