"""Plans as commands; values worked out by hand."""

from __future__ import annotations

import pytest

from gemeos.act.base import Conduct
from gemeos.act.setpoints import commands_of
from gemeos.errors import InterventionError
from gemeos.schema.command import Command
from gemeos.testing.plans import NOW, plan, rules
from gemeos.units.instant import SECOND


def commands(text: str, *, standing: float | None = 1.0, pace_s: int = 60) -> list[Command]:
    stands = {} if standing is None else {"valve": standing}
    ruled = rules(pace=pace_s * SECOND)
    told = commands_of(plan({"valve": text}), ruled, stands, Conduct(), now=NOW, actor="ada")
    return list(told)


def course(text: str, *, standing: float | None = 1.0, pace_s: int = 60) -> list[tuple[int, float]]:
    made = commands(text, standing=standing, pace_s=pace_s)
    return [((c.valid_from - NOW) // SECOND, c.value) for c in made]


def test_that_a_value_is_one_command_in_the_controls_unit() -> None:
    assert course("90 m^3/min") == [(0, 1.5)]


def test_that_a_value_for_a_while_goes_back_to_where_the_control_stood() -> None:
    assert course("1.5 m^3/s after 10 s for 30 s") == [(10, 1.5), (40, 1.0)]


def test_that_a_ramp_goes_in_steps_of_the_pace_and_ends_at_its_end() -> None:
    assert course("ramp to 2 m^3/s over 100 s", pace_s=25) == [
        (25, 1.25),
        (50, 1.5),
        (75, 1.75),
        (100, 2.0),
    ]


def test_that_a_profile_meets_its_points_and_the_line_between_them() -> None:
    text = "profile 0 s: 1 m^3/s, 60 s: 2 m^3/s, 120 s: 2 m^3/s"
    assert course(text, pace_s=30) == [(0, 1.0), (30, 1.5), (60, 2.0)]


def test_that_of_two_changes_at_one_time_the_later_counts() -> None:
    assert course("1.2 m^3/s; 1.8 m^3/s after 20 s") == [(0, 1.2), (20, 1.8)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1.5 m^3/s when wind > 3 m/s", "waits for a condition"),
        ("times 0.5", "no value that could be set"),
        ("renewed", "no value that could be set"),
    ],
)
def test_that_what_cannot_be_commanded_is_told(text: str, told: str) -> None:
    with pytest.raises(InterventionError, match=told):
        commands(text)


@pytest.mark.parametrize("text", ["ramp to 2 m^3/s over 10 s", "2 m^3/s for 10 s"])
def test_that_nothing_is_guessed_where_the_device_does_not_say_where_it_stands(text: str) -> None:
    with pytest.raises(InterventionError, match="its device does not say where"):
        commands(text, standing=None)


def test_that_a_plan_of_too_many_commands_is_told() -> None:
    with pytest.raises(InterventionError, match="may have 500"):
        commands("ramp to 2 m^3/s over 600 s", pace_s=1)


def test_that_the_same_step_of_the_same_plan_has_the_same_key_and_no_other_has() -> None:
    first, again = commands("1.5 m^3/s; 1.7 m^3/s after 20 s"), commands("1.5 m^3/s")
    assert len({c.id for c in first}) == 2
    assert commands("1.5 m^3/s")[0].id == again[0].id
    assert first[0].id != again[0].id  # another plan


def test_that_a_command_may_be_sent_for_a_while_only() -> None:
    (command,) = commands("1.5 m^3/s after 10 s")
    assert command.valid_from == NOW + 10 * SECOND
    assert command.expires_at == NOW + 70 * SECOND
