"""What signals must keep: read from a network, found to be broken, kept by whatever is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gemeos.errors import InputError
from gemeos.twins.traffic import SignalLimits, read_network
from gemeos.twins.traffic.signals.checker import Kind, violations
from gemeos.twins.traffic.signals.junction import Controlled, controlled, phase_at
from gemeos.twins.traffic.signals.light import Light
from gemeos.twins.traffic.signals.limits import Limits, Log, limits_of, states_of
from tests.unit.traffic_files import corner


@pytest.fixture
def lights(tmp_path: Path) -> Controlled:
    """Links 0 and 1 from the south, 2 from the west, 3 a crossing of 6.4 m in the way of 1."""
    return controlled(read_network(corner(tmp_path) / "corner.net.xml"))["lights"]


def kinds(limits: Limits, log: Log, end_s: float) -> set[tuple[Kind, tuple[int, ...]]]:
    return {(v.kind, v.links) for v in violations(limits, log, end_s)}


def test_that_limits_are_what_the_programme_shows_and_the_settings_say(tmp_path: Path) -> None:
    network = read_network(corner(tmp_path) / "corner.net.xml")
    limits = limits_of(network, network.signals["lights"], SignalLimits(minimum_green_s=7))
    assert limits.minimum_green_s == (7.0, 7.0, 7.0, 4.0)
    # The programme shows 3 s, but none to the west: there 13.89 m/s ask for 3 s, RiLSA 2.4.
    assert limits.yellow_s == (3.0, 3.0, 3.0, 0.0)
    assert limits.pedestrians == {3}
    apart = {(c.first, c.second): c.apart_s for c in limits.conflicts}
    assert apart[3, 1] == pytest.approx(6.4)  # at 1 m/s
    assert apart[0, 2] == 3
    assert limits.maximum_cycle_s == limits.longest_red_s == 120


def test_that_a_programme_that_breaks_limits_is_found_out(lights: Controlled) -> None:
    log = list(states_of(lights.program, 7, 7 + 3 * 60))
    found = kinds(lights.limits, log, 187)
    assert found == {(Kind.YELLOW, (2,)), (Kind.CLEARING, (3, 1))}


def test_that_a_plan_that_keeps_all_is_not_accused(lights: Controlled) -> None:
    keeps = [(0.0, "rrGG"), (10.0, "rrGr"), (14.0, "rryr"), (17.0, "GGrr"), (25.0, "yyrr")]
    assert violations(lights.limits, [*keeps, (28.0, "rrGG")], 40) == []


@pytest.mark.parametrize(
    ("log", "broken"),
    [
        ([(0.0, "rrGr"), (9.0, "rryr"), (12.0, "GGrr"), (16.0, "yyrr")], (Kind.GREEN, (0,))),
        ([(0.0, "GGrr"), (9.0, "rrrr"), (12.0, "rrGr")], (Kind.YELLOW, (0,))),
        ([(0.0, "GGrr"), (9.0, "yyrr"), (11.0, "rrrr"), (13.0, "rrGr")], (Kind.YELLOW, (0,))),
        ([(0.0, "GGrr"), (9.0, "yyrr"), (10.0, "yyGr")], (Kind.CLEARING, (0, 2))),
        ([(0.0, "GGGr"), (9.0, "yyyr")], (Kind.CONFLICT, (0, 2))),
        ([(0.0, "rrGG"), (9.0, "rryr"), (12.0, "GGrr")], (Kind.CLEARING, (3, 1))),
        ([(0.0, "GGrr"), (9.0, "yyrr"), (12.0, "rrrr"), (130.0, "rrGr")], (Kind.RED, (0,))),
        ([(0.0, "rrGr"), (1.0, "rrGG"), (4.0, "rrGr")], (Kind.GREEN, (3,))),
        ([(0.0, "GGr")], (Kind.LIGHTS, ())),
    ],
)
def test_that_what_breaks_a_limit_is_found(
    lights: Controlled, log: Log, broken: tuple[Kind, tuple[int, ...]]
) -> None:
    assert broken in kinds(lights.limits, log, 140)


def test_that_a_log_out_of_order_is_refused(lights: Controlled) -> None:
    with pytest.raises(InputError, match="rising"):
        violations(lights.limits, [(5.0, "GGrr"), (5.0, "yyrr")], 9)


def test_that_people_finish_before_cars_set_off(lights: Controlled) -> None:
    states, between = lights.stages.states, lights.stages.between
    assert states == ("GGrr", "rrGG")
    assert between[0][1] == ("yyrr",) * 3
    # 6.4 m take 7 s at 1 m/s: the crossing is red for so long, the last 3 s with yellow.
    assert between[1][0] == ("rrGr",) * 4 + ("rryr",) * 3


def wander(junction: Controlled, seconds: int, seed: int, begin: float) -> tuple[Log, int]:
    """What a signal shows that is asked for any stage at any time; and how often it changed."""
    rng = np.random.default_rng(seed)
    now, state, changes = begin, "", 0
    light = Light(junction.stages, junction.stages.states[0], now)
    log: list[tuple[float, str]] = []
    while now < begin + seconds:
        if not light.seen.left:
            forced = light.forced(now)
            stage = forced if forced >= 0 else int(rng.integers(len(junction.stages.states)))
            # Often it is asked at once, sometimes nothing is asked for minutes.
            wants = forced >= 0 or rng.random() < rng.choice([0.01, 1.0])
            may = light.may_go(stage, now) and (forced >= 0 or light.stays_feasible(stage, now))
            if wants and may:
                light.go(stage)
                changes += 1
        if (shown := light.step(now)) != state:
            log.append((now, shown))
            state = shown
        now += 1.0
    return log, changes


@pytest.mark.parametrize("seed", range(3))
def test_that_no_wish_breaks_a_limit(lights: Controlled, seed: int) -> None:
    log, changes = wander(lights, 3000, seed, 0.0)
    assert changes > 30
    assert violations(lights.limits, log, 3000) == []


@pytest.mark.parametrize("name", ["cologne1", "cologne8", "ingolstadt7"])
def test_that_no_wish_breaks_a_limit_of_recorded_networks(name: str, recorded_data: Path) -> None:
    network = read_network(recorded_data / "resco" / name / f"{name}.net.xml")
    for junction in controlled(network).values():
        log, changes = wander(junction, 1500, 7, 25200.0)
        assert changes > 15
        assert [str(v) for v in violations(junction.limits, log, 26700)] == []


def test_that_recorded_programmes_keep_the_limits_that_are_read_of_them(
    recorded_data: Path,
) -> None:
    network = read_network(recorded_data / "resco" / "cologne1" / "cologne1.net.xml")
    (junction,) = controlled(network).values()
    log = list(states_of(junction.program, 25200, 28800))
    assert violations(junction.limits, log, 28800) == []
    # Four arms, each crossed over four lanes of 3.2 m, and 4 s before the last sets off.
    assert [w.needs_s for w in junction.limits.walks] == pytest.approx([16.8] * 4)
    short = replace(junction.program.phases[0], duration_s=8.0)
    phases = (short, *junction.program.phases[1:])
    hasty = list(states_of(replace(junction.program, phases=phases), 25200, 28800))
    assert {v.kind for v in violations(junction.limits, hasty, 28800)} == {Kind.WALKING}


def test_that_people_who_may_never_cross_are_found(recorded_data: Path) -> None:
    network = read_network(recorded_data / "resco" / "cologne1" / "cologne1.net.xml")
    (junction,) = controlled(network).values()
    main, left, side, _ = junction.stages.states
    # All links have green in time, but to the arms of the main road only with left turns, when
    # nobody can cross: the side road's green is cut out.
    log: list[tuple[float, str]] = []
    for at in range(0, 400, 40):
        log += [(at + 0.0, main), (at + 20.0, left)]
    found = [v for v in violations(junction.limits, log, 400) if v.kind is Kind.WAIT]
    assert len(found) == 2
    assert all(v.shown_s == 400 and v.needed_s == 300 for v in found)
    assert not [v for v in violations(junction.limits, [(0.0, side)], 280) if v.kind is Kind.WAIT]


def test_that_a_programme_is_found_by_the_clock(lights: Controlled) -> None:
    # It begins at 7 s, and its cycle is 60 s.
    assert phase_at(lights.program, 67.0) == ("GGrr", 98.0)
    assert phase_at(lights.program, 66.0) == ("rrGG", 67.0)
    assert phase_at(lights.program, 99.5) == ("yyrr", 101.0)
