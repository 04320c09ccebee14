"""What rules ask for, in situations that are worked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from gemeos.errors import InputError
from gemeos.twins.traffic import read_network
from gemeos.twins.traffic.signals import Controlled, Pressure, Service, Wave, controlled
from gemeos.twins.traffic.signals.light import Light
from gemeos.twins.traffic.signals.rules import Queue, greedy, rule_of, service, shares
from tests.unit.traffic_files import corner

SOUTH, WEST = 0, 1
"""Stages: GGrr and rrGG."""
FREE = 13.0


@pytest.fixture
def junction(tmp_path: Path) -> Controlled:
    return controlled(read_network(corner(tmp_path) / "corner.net.xml"))["lights"]


def standing(count: int, behind: float = 0.0) -> Queue:
    """A queue that has stood for 10 s, a vehicle every 7 m."""
    return Queue(
        distance_m=[7.0 * k for k in range(count)],
        speed=[0.0] * count,
        share=[1.0] * count,
        stood_s=[10.0] * count,
        behind=[behind, behind],
    )


def coming(distance_m: float) -> Queue:
    return Queue(distance_m=[distance_m], speed=[FREE], share=[1.0], stood_s=[0.0])


def queues(junction: Controlled, south: Queue, west: Queue) -> list[Queue]:
    by_lane = {"south_0": south, "west_0": west}
    return [by_lane.get(lane.lane, Queue()) for lane in junction.lanes]


def asked(junction: Controlled, south: Queue, west: Queue, *, shown_for: float = 30.0) -> int:
    """What ``Service`` asks for while the south has had green for so long."""
    rule = Service()
    light = Light(junction.stages, "GGrr", 0.0)
    states, lanes = junction.stages.states, junction.lanes
    seen = queues(junction, south, west)
    return service(rule, shares(rule, states, lanes), lanes, seen, light, shown_for)


def test_that_the_wave_goes_where_most_are(junction: Controlled) -> None:
    states, lanes = junction.stages.states, junction.lanes
    # Each vehicle from the south counts for both of its links: 2 x 2 against 3, and against 5.
    for west, stage in ((3, SOUTH), (5, WEST)):
        seen = queues(junction, standing(2), standing(west))
        assert greedy(Wave(), states, lanes, seen) == stage


def test_that_pressure_takes_off_what_stands_behind(junction: Controlled) -> None:
    states, lanes = junction.stages.states, junction.lanes
    free = queues(junction, standing(2), standing(5))
    assert greedy(Pressure(), states, lanes, free) == WEST
    jammed = queues(junction, standing(2), standing(5, behind=4.0))
    assert greedy(Pressure(), states, lanes, jammed) == SOUTH


def test_that_green_goes_to_who_waits_where_nobody_else_is(junction: Controlled) -> None:
    assert asked(junction, Queue(), standing(1)) == WEST
    assert asked(junction, Queue(), Queue()) == SOUTH


def test_that_a_queue_that_moves_is_let_through_first(junction: Controlled) -> None:
    moving = Queue([5.0, 15.0, 25.0, 35.0], [6.0] * 4, [1.0] * 4, [0.0] * 4)
    assert asked(junction, moving, standing(2)) == SOUTH
    assert asked(junction, coming(180.0), standing(6)) == WEST


def test_that_nobody_is_given_green_long_before_he_comes(junction: Controlled) -> None:
    # The way to green takes 3 s: at 13 m/s one who is 190 m away comes 14.6 s from now.
    assert asked(junction, Queue(), coming(190.0)) == SOUTH
    assert asked(junction, Queue(), coming(60.0)) == WEST


def test_that_a_lane_that_stands_at_green_does_not_hold_it(junction: Controlled) -> None:
    assert asked(junction, standing(6), standing(3), shown_for=2.0) == SOUTH
    assert asked(junction, standing(6), standing(3), shown_for=30.0) == WEST


def test_that_who_has_stood_too_long_comes_first(junction: Controlled) -> None:
    moving = Queue([5.0, 15.0, 25.0, 35.0], [6.0] * 4, [1.0] * 4, [0.0] * 4)
    tired = standing(1)
    assert asked(junction, moving, tired) == SOUTH
    tired.stood_s = [Service().patience_s + 1.0]
    assert asked(junction, moving, tired) == WEST


@pytest.mark.parametrize(
    "text", ["", "{}", '{"type":"service","stay":-1}', '{"type":"service","headway_s":0}']
)
def test_that_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="rule"):
        rule_of(text)
