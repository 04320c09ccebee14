"""How tables look in a terminal: names are broken where people would."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gemeos.cli.show import broken, trust_table
from gemeos.ensemble.state import Verdict
from gemeos.runtime.trust import ChannelTrust, Trust
from gemeos.schema.phase import Phase
from gemeos.units.instant import SECOND

LONG = "detectors/pasubio_north_approach/flow_per_minute"


@pytest.mark.parametrize(
    ("name", "width", "lines"),
    [
        ("plant/heater", 12, ["plant/heater"]),
        ("plant/heater", 11, ["plant/", "heater"]),
        (LONG, 20, ["detectors/pasubio_", "north_approach/flow_", "per_minute"]),
        ("unbreakable", 4, ["unbreakable"]),
        ("", 4, [""]),
        ("a//b", 3, ["a//", "b"]),
    ],
)
def test_that_a_name_is_broken_behind_its_marks(name: str, width: int, lines: list[str]) -> None:
    assert broken(name, width).split("\n") == lines


def printed(width: int, channel: str, variable: str) -> list[str]:
    told = ChannelTrust(
        channel=channel,
        variable=variable,
        readings=14_322,
        last_at=0,
        last_value=12.345678,
        usual_interval=60 * SECOND,
        equal_run=0,
        innovation=-0.02,
        surprise=1.25,
        verdict=Verdict.SOUND,
    )
    trust = Trust(
        twin="city",
        phase=Phase.IN_STEP,
        source="live",
        now=10 * SECOND,
        newest=9 * SECOND,
        members=64,
        failed_members=0,
        assimilated=100,
        too_late=0,
        model="m",
        channels=(told,),
    )
    console = Console(width=width, file=io.StringIO())
    console.print(trust_table(trust, width))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [70, 80, 120])
def test_that_numbers_stay_whole_beside_long_names(width: int) -> None:
    lines = printed(width, LONG, "pasubio_north_approach.flow_per_minute")
    row = next(line for line in lines if "14322" in line)
    assert row.split()[-7:] == ["sound", "14322", "12.35", "60.0", "s", "-0.02", "1.25"]
    assert max(map(len, lines)) <= width


def test_that_short_names_take_one_line() -> None:
    lines = printed(80, "plant/heater", "heater")
    assert sum("plant" in line for line in lines) == 1
    assert lines[-1].startswith("plant/heater heater sound")
