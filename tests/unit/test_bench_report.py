"""What a run of the figures writes down, and what it prints."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from tools.bench.progress import Progress
from tools.bench.report import Check, at_least, at_most, failed, table, write


def test_that_a_goal_is_met_at_its_bound_and_missed_beyond() -> None:
    assert at_least("rate", 0.6, 0.6, "of a peer", "").ok
    assert not at_least("rate", 0.599, 0.6, "of a peer", "").ok
    assert at_most("late", 1.5, 1.5, "x in order", "").ok
    assert not at_most("late", 1.501, 1.5, "x in order", "").ok


def test_that_what_is_no_number_is_a_miss_either_way() -> None:
    assert not at_least("rate", math.nan, 0.6, "", "").ok
    assert not at_most("late", math.nan, 1.5, "", "").ok
    assert not failed("kill", "mosquitto is not installed").ok


def test_that_a_goal_says_its_bound_and_what_it_is_a_ratio_to() -> None:
    assert at_least("rate", 1.0, 0.6, "of a bare consumer", "").goal == ">= 0.6 of a bare consumer"
    assert at_most("lost", 0, 0, "", "").goal == "<= 0"


def test_that_each_check_is_written_with_its_five_fields(tmp_path: Path) -> None:
    target = tmp_path / "build" / "bench.json"
    write([at_most("late reading", 1.25, 1.5, "x in order", "medians of 5")], target)
    assert json.loads(target.read_text()) == {
        "checks": [
            {
                "name": "late reading",
                "measured": 1.25,
                "goal": "<= 1.5 x in order",
                "ok": True,
                "how": "medians of 5",
            }
        ]
    }


def test_that_a_figure_that_could_not_be_measured_is_null_in_the_file(tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    write([failed("mqtt rate", "mosquitto is not installed")], target)
    (check,) = json.loads(target.read_text())["checks"]
    assert check["measured"] is None
    assert check["ok"] is False
    assert check["how"] == "mosquitto is not installed"


def test_that_a_miss_is_printed_as_a_miss_with_its_goal_and_reason() -> None:
    printed = table(
        [
            Check("append", 0.8, ">= 0.5 of bare", ok=True, how="in turns"),
            Check("tick", 61.23, "<= 10 x a copy", ok=False, how="94 ms\nthe filter is numpy"),
            Check("lost", 0.0, "<= 0", ok=True, how="50 kills"),
        ]
    )
    assert printed.splitlines() == [
        "ok   append: 0.8 (goal >= 0.5 of bare)",
        "       in turns",
        "MISS tick: 61.2 (goal <= 10 x a copy)",
        "       94 ms",
        "       the filter is numpy",
        "ok   lost: 0 (goal <= 0)",
        "       50 kills",
        "2 of 3 goals met.",
    ]


def test_that_progress_tells_what_is_left_of_all_subjects(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = Progress({"append": 30.0, "tick": 90.0})
    progress.begin("append")
    progress.begin("tick")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "[1/2] append: begins; about 2 min 00 s left"
    assert told[1].startswith("[2/2] tick: begins; about 1 min ")
