"""How long pedestrians wait, against the formula for equal cycles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gemeos.twins.traffic import read_network
from gemeos.twins.traffic.network import Phase
from gemeos.twins.traffic.signals.junction import controlled
from gemeos.twins.traffic.signals.pedestrians import Delay, delay, of_cycle, together
from tests.unit.traffic_files import corner


def test_that_delay_is_that_of_the_manual_where_cycles_are_equal(tmp_path: Path) -> None:
    limits = controlled(read_network(corner(tmp_path) / "corner.net.xml"))["lights"].limits
    log = [(60.0 * k + at, s) for k in range(10) for at, s in ((0.0, "GGrr"), (40.0, "rrGG"))]
    told = delay(limits, log, 600.0)
    # (C - g)^2 / (2 C) with C = 60 s and g = 20 s.
    assert told is not None
    assert told.mean_s == pytest.approx(40**2 / 120)
    assert (told.longest_s, told.crossings) == (40.0, 1)


def test_that_who_crosses_without_lights_sets_off_in_time(recorded_data: Path) -> None:
    network = read_network(recorded_data / "resco" / "cologne1" / "cologne1.net.xml")
    limits = next(iter(controlled(network).values())).limits
    main, side = "rrrrrGGGggrrrrrGGGgg", "GGGggrrrrrGGGggrrrrr"
    log = [(60.0 * k + at, s) for k in range(10) for at, s in ((0.0, main), (30.0, side))]
    told = delay(limits, log, 600.0)
    assert told is not None
    # Each arm is free of cars for 30 s of 60 s, and 12.8 s before the end nobody sets off: r is
    # 42.8 s, but for the ends of the log, where one half of the arms has 30 s and 12.8 s instead.
    whole, parts = 42.8**2, 30**2 + 12.8**2
    assert told.longest_s == pytest.approx(42.8)
    expected = (2 * 10 * whole + 2 * (9 * whole + parts)) / (4 * 2 * 600)
    assert told.mean_s == pytest.approx(expected)


def test_that_of_a_programme_that_runs_on_each_red_counts_whole(recorded_data: Path) -> None:
    network = read_network(recorded_data / "resco" / "cologne1" / "cologne1.net.xml")
    junction = next(iter(controlled(network).values()))
    main, side = "rrrrrGGGggrrrrrGGGgg", "GGGggrrrrrGGGggrrrrr"
    phases = (Phase(20.0, main), Phase(30.0, side), Phase(10.0, main))
    told = of_cycle(junction.limits, replace(junction.program, phases=phases))
    # As above, r is 42.8 s of 60 s, without ends of a log.
    assert told is not None
    assert told.mean_s == pytest.approx(42.8**2 / 120)
    assert told.longest_s == pytest.approx(42.8)
    assert told.crossings == 4


def test_that_crossings_count_alike() -> None:
    assert together([Delay(10.0, 30.0, 1), Delay(20.0, 25.0, 3)]) == Delay(17.5, 30.0, 4)
    assert together([]) is None
