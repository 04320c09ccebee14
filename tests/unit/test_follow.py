"""What follows from what happens to a plan while it is carried out."""

from __future__ import annotations

import pytest

from gemeos.act.base import Conduct, Move
from gemeos.act.follow import (
    Answered,
    Astray,
    Happening,
    Intended,
    Killed,
    Missed,
    Note,
    Passed,
    Restarted,
    Stands,
    after,
)
from gemeos.act.setpoints import commands_of
from gemeos.act.undertaking import Stage, Undertaking, begun, doubtful, due, moves_of, noted
from gemeos.schema.command import (
    ALLOWED,
    Accepted,
    CommandState,
    Refused,
    Silent,
    Unsent,
)
from gemeos.testing.plans import NOW, plan, rules
from gemeos.units.instant import SECOND

S = CommandState
CONDUCT = Conduct()


def started(text: str = "1.5 m^3/s") -> Undertaking:
    made = plan({"valve": text})
    commands = commands_of(made, rules(), {"valve": 1.0}, CONDUCT, now=NOW, actor="ada")
    return begun(
        plan=made.id,
        name=made.name,
        twin=made.twin,
        actor="ada",
        commands=commands,
        before={"valve": 1.0},
        tolerance={"valve": 0.02},
        watches=(),
        now=NOW,
        watch=CONDUCT.watch,
        settle=CONDUCT.settle,
        lasting=CONDUCT.lasting,
    )


def follow(
    undertaking: Undertaking, *happenings: Happening, at_s: float = 0
) -> tuple[Undertaking, list[Note]]:
    notes: list[Note] = []
    for each in happenings:
        undertaking, told = after(undertaking, each, NOW + round(at_s * SECOND))
        notes += told
    return undertaking, notes


def first(undertaking: Undertaking) -> str:
    return undertaking.issued[0].command.id


def states(undertaking: Undertaking) -> list[CommandState]:
    return [i.state for i in undertaking.issued]


def taken(undertaking: Undertaking) -> Undertaking:
    one = first(undertaking)
    told, _ = follow(undertaking, Intended(one), Answered(Accepted(one)), Stands("valve", 1.5))
    return told


def test_that_every_way_through_a_commands_life_ends() -> None:
    def ends(state: CommandState, gone: tuple[CommandState, ...]) -> set[CommandState]:
        assert state not in gone, f"{state} comes again after {gone}"
        following = ALLOWED[state]
        if not following:
            return {state}
        return set().union(*(ends(each, (*gone, state)) for each in following))

    assert set(ALLOWED) == set(S)
    assert ends(S.DECIDED, ()) == {S.DROPPED, S.REFUSED, S.OVERRIDDEN, S.UNDONE}


def test_that_nothing_but_an_intent_leads_out_of_decided_to_the_device() -> None:
    assert ALLOWED[S.DECIDED] == {S.INTENDED, S.DROPPED}
    assert not any(
        S.INTENDED in following for s, following in ALLOWED.items() if s is not S.DECIDED
    )


def test_that_a_plan_that_takes_and_keeps_to_its_forecast_is_kept() -> None:
    undertaking = taken(started())
    assert states(undertaking) == [S.TAKEN]
    kept, notes = follow(undertaking, Passed(), at_s=1800)
    assert kept.stage is Stage.KEPT
    assert [n.kind for n in notes] == ["plan_kept"]


def test_that_before_the_window_is_over_a_plan_is_not_kept() -> None:
    undertaking, notes = follow(taken(started()), Passed(), at_s=1799)
    assert undertaking.stage is Stage.UNDER_WAY
    assert notes == []


def test_that_an_intended_command_is_never_due_again() -> None:
    undertaking = started()
    command = due(undertaking, NOW)
    assert command is not None
    undertaking, _ = follow(undertaking, Intended(command.command.id))
    assert due(undertaking, NOW) is None
    undertaking, _ = follow(undertaking, Restarted())
    assert due(undertaking, NOW) is None


def test_that_the_next_step_waits_for_its_time_and_for_the_step_before_it() -> None:
    undertaking = started("1.5 m^3/s; 1.6 m^3/s after 20 s")
    one = first(undertaking)
    undertaking, _ = follow(undertaking, Intended(one), Answered(Accepted(one)))
    assert due(undertaking, NOW + 20 * SECOND) is None
    undertaking, _ = follow(undertaking, Stands("valve", 1.5))
    assert due(undertaking, NOW + 19 * SECOND) is None
    following = due(undertaking, NOW + 20 * SECOND)
    assert following is not None
    assert following.command.value == 1.6


def test_that_a_device_that_refuses_ends_the_plan_with_nothing_to_restore() -> None:
    undertaking = started("1.5 m^3/s; 1.6 m^3/s after 20 s")
    one = first(undertaking)
    undertaking, notes = follow(undertaking, Intended(one), Answered(Refused(one, "maintenance")))
    assert undertaking.stage is Stage.UNDONE
    assert states(undertaking) == [S.REFUSED, S.DROPPED]
    assert [n.kind for n in notes][:2] == ["command", "device_refused"]
    assert "maintenance" in undertaking.reason


def test_that_silence_is_told_as_a_failure_and_the_device_is_asked() -> None:
    undertaking = started()
    one = first(undertaking)
    undertaking, notes = follow(undertaking, Intended(one), Answered(Silent(one, 5.0)))
    assert notes[1].kind == "device_silent"
    assert "did not answer within 5 s" in notes[1].told
    assert undertaking.stage is Stage.UNDOING
    assert doubtful(undertaking) == ("valve",)
    assert due(undertaking, NOW) is None


def test_that_after_silence_a_value_that_took_is_restored() -> None:
    undertaking = started()
    one = first(undertaking)
    undertaking, _ = follow(
        undertaking, Intended(one), Answered(Silent(one, 5.0)), Stands("valve", 1.5)
    )
    undo = due(undertaking, NOW)
    assert undo is not None
    assert (undo.is_undo, undo.command.value) == (True, 1.0)
    assert undo.command.id != one


def test_that_after_silence_a_value_that_did_not_move_is_left_alone() -> None:
    undertaking = started()
    one = first(undertaking)
    undertaking, _ = follow(
        undertaking, Intended(one), Answered(Silent(one, 5.0)), Stands("valve", 1.0)
    )
    assert undertaking.stage is Stage.UNDONE
    assert states(undertaking) == [S.NOT_TAKEN]


def test_that_a_device_that_answers_nothing_at_all_is_a_failure_somebody_must_look_at() -> None:
    undertaking = started()
    one = first(undertaking)
    undertaking, _ = follow(undertaking, Intended(one), Answered(Silent(one, 5.0)))
    undertaking, _ = follow(undertaking, Stands("valve", None), at_s=9)
    assert undertaking.stage is Stage.UNDOING  # it may still say
    undertaking, _ = follow(undertaking, Stands("valve", None), at_s=10)
    undo = due(undertaking, NOW + 10 * SECOND)
    assert undo is not None
    undertaking, _ = follow(
        undertaking, Intended(undo.command.id), Answered(Silent(undo.command.id, 5.0)), at_s=15
    )
    undertaking, notes = follow(undertaking, Stands("valve", None), at_s=25)
    assert undertaking.stage is Stage.FAILED
    assert notes[-1].kind == "plan_failed"
    assert "Look at the device" in undertaking.reason


def test_that_an_accepted_value_that_is_not_reached_is_restored() -> None:
    undertaking = started()
    one = first(undertaking)
    undertaking, _ = follow(undertaking, Intended(one), Answered(Accepted(one)))
    undertaking, _ = follow(undertaking, Stands("valve", 1.2), at_s=9)
    assert undertaking.stage is Stage.UNDER_WAY  # it moves
    undertaking, notes = follow(undertaking, Stands("valve", 1.2), at_s=10)
    assert notes[0].kind == "not_taken"
    undo = due(undertaking, NOW + 10 * SECOND)
    assert undo is not None
    assert undo.command.value == 1.0


def test_that_leaving_the_band_restores_and_says_why() -> None:
    undertaking, notes = follow(taken(started()), Astray("level left its band."), at_s=60)
    assert notes == [Note("undo", "level left its band.")]
    undo = due(undertaking, NOW + 60 * SECOND)
    assert undo is not None
    undertaking, notes = follow(
        undertaking,
        Intended(undo.command.id),
        Answered(Accepted(undo.command.id)),
        Stands("valve", 1.0),
        at_s=61,
    )
    assert undertaking.stage is Stage.UNDONE
    assert states(undertaking) == [S.UNDONE, S.TAKEN]
    assert undertaking.reason == "level left its band."
    assert [n.kind for n in notes] == ["command", "acknowledged", "taken", "undone", "plan_undone"]


def test_that_an_override_cancels_the_plan_and_is_not_fought() -> None:
    undertaking, notes = follow(
        taken(started("1.5 m^3/s; 1.6 m^3/s after 20 s")), Stands("valve", 0.3), at_s=5
    )
    assert undertaking.stage is Stage.OVERRIDDEN
    assert states(undertaking) == [S.OVERRIDDEN, S.DROPPED]
    assert notes[0].kind == "override"
    assert due(undertaking, NOW + 100 * SECOND) is None


def test_that_an_override_while_it_is_undone_is_not_fought_either() -> None:
    undertaking, _ = follow(taken(started()), Astray("left"), Stands("valve", 0.3))
    assert undertaking.stage is Stage.UNDONE
    assert due(undertaking, NOW) is None
    assert states(undertaking) == [S.OVERRIDDEN, S.DROPPED]


def test_that_a_kill_switch_ends_it_without_another_command() -> None:
    undertaking, notes = follow(taken(started()), Killed("ada stopped all."))
    assert undertaking.stage is Stage.STOPPED
    assert notes[-1].told == "ada stopped all. Controls stay where they are; nothing is restored."
    assert due(undertaking, NOW + 100 * SECOND) is None
    undoing, _ = follow(taken(started()), Astray("left"), Killed("ada stopped all."))
    assert undoing.stage is Stage.STOPPED
    assert due(undoing, NOW) is None


def test_that_after_a_restart_the_truth_is_asked_and_a_value_that_took_is_watched_on() -> None:
    undertaking = started()
    one = first(undertaking)
    undertaking, notes = follow(undertaking, Intended(one), Restarted())
    assert notes[-1].kind == "command_in_doubt"
    assert doubtful(undertaking) == ("valve",)
    undertaking, _ = follow(undertaking, Stands("valve", 1.5))
    assert undertaking.stage is Stage.UNDER_WAY
    assert states(undertaking) == [S.TAKEN]


def test_that_after_a_restart_a_value_that_did_not_take_ends_the_plan() -> None:
    undertaking = started()
    one = first(undertaking)
    undertaking, _ = follow(undertaking, Intended(one), Restarted(), Stands("valve", 1.0))
    assert undertaking.stage is Stage.UNDONE
    assert states(undertaking) == [S.NOT_TAKEN]


@pytest.mark.parametrize("unsent", [True, False])
def test_that_a_step_that_did_not_leave_ends_the_plan(unsent: bool) -> None:
    undertaking = started()
    one = first(undertaking)
    if unsent:
        happenings: list[Happening] = [Intended(one), Answered(Unsent(one, "no broker"))]
    else:
        happenings = [Missed(one, "no broker")]
    undertaking, _ = follow(undertaking, *happenings)
    assert undertaking.stage is Stage.UNDONE
    assert states(undertaking) == [S.DROPPED]
    assert "no broker" in undertaking.reason


def test_that_what_is_over_stays_over() -> None:
    over, _ = follow(taken(started()), Killed("stop"))
    for each in (Passed(), Astray("x"), Stands("valve", 9.0), Restarted(), Killed("again")):
        assert after(over, each, NOW) == (over, ())


def test_that_the_number_of_an_event_is_kept_with_what_it_tells_of() -> None:
    undertaking = started()
    told = noted(noted(undertaking, "", 7), first(undertaking), 8)
    assert (told.event, told.issued[0].event) == (7, 8)


def test_that_moves_of_all_plans_of_a_twin_count_and_those_that_did_not_leave_do_not() -> None:
    first_plan, second = taken(started("1.5 m^3/s; 1.6 m^3/s after 20 s")), started("0.4 m^3/s")
    assert moves_of([first_plan, second]) == {"valve": (Move(NOW, 0.5),)}
    one = first(second)
    second, _ = follow(second, Intended(one))
    assert moves_of([first_plan, second]) == {"valve": (Move(NOW, 0.5), Move(NOW, 0.6))}
