"""The guard: what speaks against a plan is told whole, and what is not known speaks against it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gemeos.act.approve import Approval
from gemeos.act.base import Conduct, Move, Rate, Situation
from gemeos.act.guard import against_commands, against_plan, against_situation
from gemeos.act.setpoints import commands_of
from gemeos.errors import SettingsError
from gemeos.schema.command import Command
from gemeos.schema.phase import Phase
from gemeos.schema.plan import Plan
from gemeos.schema.role import Role
from gemeos.testing.plans import CONDUCT, NOW, plan, rules, situation
from gemeos.units.instant import SECOND


def approval(made: Plan, actor: str = "ada", role: Role = Role.APPROVER) -> Approval:
    return Approval(made.id, actor, role, NOW)


def commands(text: str = "1.5 m^3/s") -> tuple[Command, ...]:
    return commands_of(
        plan({"valve": text}), rules(), {"valve": 1.0}, CONDUCT, now=NOW, actor="ada"
    )


def test_that_an_approved_plan_in_good_order_may_be_applied() -> None:
    made = plan()
    assert against_plan(made, [approval(made)], CONDUCT, situation()) == []
    assert against_situation("tank", CONDUCT, situation()) == []
    assert against_commands(commands(), rules(), situation()) == []


def test_that_nothing_known_is_enough_to_refuse() -> None:
    unknown = Situation(now=NOW, phase=Phase.STOPPED)
    assert against_plan(plan(), [], CONDUCT, unknown)
    assert against_situation("tank", CONDUCT, unknown)
    assert against_commands(commands(), {}, unknown) == ["No actuator is declared for valve."]
    assert against_commands((), rules(), situation()) == ["There is nothing to send."]


def test_that_all_reasons_are_told_and_not_the_first() -> None:
    made = plan(recommended=False, against=("it gains nothing",), state_at=NOW - 700 * SECOND)
    late = situation(now=made.expires_at, applied="kept")
    told = " ".join(against_plan(made, [], CONDUCT, late))
    for part in ("0 of 1 approvals", "applied before (kept)", "it gains nothing", "expired at"):
        assert part in told
    assert "1300 s old" in told.replace(",", "")


def test_that_a_plan_expires_at_its_expiry_and_not_after_it() -> None:
    made = plan(state_at=NOW)
    ends = made.expires_at
    before, at = situation(now=ends - 1), situation(now=ends)
    assert against_plan(made, [approval(made)], CONDUCT, before) == []
    assert "expired" in against_plan(made, [approval(made)], CONDUCT, at)[0]


@pytest.mark.parametrize("phase", [p for p in Phase if p is not Phase.IN_STEP])
def test_that_a_twin_that_is_not_in_step_does_not_act(phase: Phase) -> None:
    (told,) = against_situation("tank", CONDUCT, situation(phase=phase))
    assert told == f"tank is {phase.value}; only a twin that is in step acts."


def test_that_an_old_reading_a_missing_estimate_and_a_kill_switch_refuse() -> None:
    old = situation(state_at=NOW - 601 * SECOND)
    assert "at most 10 min" in against_situation("tank", CONDUCT, old)[0]
    assert against_situation("tank", CONDUCT, situation(estimate=None)) == ["tank has no estimate."]
    assert against_situation("tank", CONDUCT, situation(killed=("Stopped by ada.",))) == [
        "Stopped by ada."
    ]


@pytest.mark.parametrize(("text", "allowed"), [("2 m^3/s", True), ("2.001 m^3/s", False)])
def test_that_declared_bounds_hold(text: str, allowed: bool) -> None:
    assert (against_commands(commands(text), rules(), situation()) == []) is allowed


def test_that_limits_of_the_rules_hold_beside_the_declared_ones() -> None:
    (told,) = against_commands(commands(), rules(most=1.4), situation())
    assert told == "valve would be set to 1.5 m^3/s; allowed are 0 to 1.4 m^3/s."
    assert against_commands(commands(), rules(most=math.nan), situation())


def test_that_every_command_of_a_schedule_is_within_limits() -> None:
    schedule = commands("1.5 m^3/s; 2.5 m^3/s after 20 s")
    assert "2.5" in against_commands(schedule, rules(), situation())[0]


@pytest.mark.parametrize(
    ("earlier_s", "allowed"),
    [
        (600, True),  # left the window
        (599, False),  # 0.6 and 0.5 within 10 min
    ],
)
def test_that_moves_within_the_time_of_the_rate_add_up(
    earlier_s: int,
    allowed: bool,
) -> None:
    ruled = rules(rate=Rate(1.0, 600 * SECOND))
    moved = situation(moves={"valve": (Move(NOW - earlier_s * SECOND, 0.6),)})
    assert (against_commands(commands(), ruled, moved) == []) is allowed


def test_that_the_rate_counts_the_steps_of_the_plan_itself() -> None:
    there_and_back = commands("1.6 m^3/s for 60 s")  # 0.6 up and 0.6 down
    ruled = rules(rate=Rate(1.0, 600 * SECOND))
    (told,) = against_commands(there_and_back, ruled, situation())
    assert told.startswith("valve would be moved by 1.2 m^3/s within 10 min")


def test_that_a_control_that_does_not_say_where_it_stands_is_not_moved() -> None:
    (told,) = against_commands(commands(), rules(), situation(standing={}))
    assert told == "Its device does not say where valve stands."


def test_that_an_interlock_holds_back_by_the_chance_in_the_present_estimate() -> None:
    ruled = rules(interlocks=["P(wind > 11 m/s) < 0.5"])
    assert against_commands(commands(), ruled, situation((10.0, 10.5))) == []
    (told,) = against_commands(commands(), ruled, situation((10.0, 12.0)))  # one of two members
    assert told == "valve is interlocked: P(wind > 11 m/s) < 0.5 does not hold, it is 0.5."


@pytest.mark.parametrize("interlock", ["P(gale > 11 m/s) < 0.5", "P(wind > 11 kg) < 0.5"])
def test_that_an_interlock_that_cannot_be_known_holds_back(interlock: str) -> None:
    (told,) = against_commands(commands(), rules(interlocks=[interlock]), situation())
    assert told.startswith("valve is interlocked")


def test_that_a_control_belongs_to_one_plan_at_a_time() -> None:
    told = against_commands(commands(), rules(), situation(busy={"valve": "raise"}))
    assert told == ["valve is held by the plan raise."]


def test_that_an_approval_counts_for_the_plan_that_was_approved_and_no_other() -> None:
    other = plan({"valve": "1.9 m^3/s"})
    (told,) = against_plan(plan(), [approval(other)], CONDUCT, situation())
    assert told.startswith("0 of 1 approvals")


def test_that_named_approvers_are_the_only_ones() -> None:
    made, named = plan(), Conduct(approvers=("ada", "grace"))
    assert against_plan(made, [approval(made, "eve", Role.ADMIN)], named, situation())
    assert against_plan(made, [approval(made, "grace")], named, situation()) == []


def test_that_a_lesser_role_cannot_approve() -> None:
    made = plan()
    assert against_plan(made, [approval(made, "ada", Role.OPERATOR)], CONDUCT, situation())
    with pytest.raises(SettingsError, match="cannot approve"):
        Conduct(role=Role.VIEWER)


def test_that_four_eyes_are_two_people_neither_of_whom_made_the_plan() -> None:
    made, four = plan(), Conduct(four_eyes=True)
    ada, grace, kim = (approval(made, name) for name in ("ada", "grace", "kim"))
    assert against_plan(made, [ada, ada], four, situation())
    assert against_plan(made, [ada, kim], four, situation())  # kim made it
    assert against_plan(made, [ada, grace], four, situation()) == []


def test_that_a_command_past_its_time_is_not_sent() -> None:
    (command,) = commands()
    late = replace(command, valid_from=NOW - 9, expires_at=NOW)
    assert "expired" in against_commands([late], rules(), situation())[0]
