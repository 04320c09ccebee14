"""Plans carried out on a device that may do anything; the site runs as it does for its users."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import cycle
from pathlib import Path

import pytest

from gemeos.act.undertaking import Stage
from gemeos.errors import GuardError
from gemeos.runtime.devices import Devices
from gemeos.runtime.twin import Twin
from gemeos.schema.command import CommandState
from gemeos.schema.plan import Band
from gemeos.schema.role import Role
from gemeos.testing.device import Device, Mood
from gemeos.testing.valve import PLACE, Tank, acting, feed, made, over, until, valve_twin
from gemeos.units.instant import SECOND

S = CommandState


def device(mood: Mood = Mood.GOOD) -> Device:
    return Device({PLACE: 1.0}, "m^3/s", mood)


def test_that_a_plan_that_takes_is_watched_and_kept() -> None:
    plc = device()
    with acting(plc, twin=valve_twin(watch="1 s")) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        ended = over(running, plan)
        assert ended.stage is Stage.KEPT
        assert [i.state for i in ended.issued] == [S.TAKEN]
    assert plc.values == {PLACE: 1.5}
    (command,) = plc.received
    assert (command.plan, command.actor, command.unit) == (plan.id, "ada", "m^3/s")


def test_that_a_device_is_told_in_its_own_unit() -> None:
    plc = Device({PLACE: 1000.0}, "L/s")
    twin = valve_twin(watch="1 s")
    twin._actuations = {}
    twin.actuate(f"plc:{PLACE}", to="valve", unit="L/s")
    with acting(plc, twin=twin) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        assert over(running, plan).stage is Stage.KEPT
    assert plc.values[PLACE] == pytest.approx(1500.0)


def test_that_a_device_that_refuses_ends_the_plan() -> None:
    plc = device(Mood.REFUSES)
    with acting(plc) as running:
        plan = made(running, "1.5 m^3/s; 1.6 m^3/s after 1 s")
        running["tank"].apply(plan, approve="ada", dry_run=False)
        ended = over(running, plan)
    assert ended.stage is Stage.UNDONE
    assert "The device refuses: maintenance" in ended.reason
    assert len(plc.received) == 1


def test_that_a_device_that_answers_twice_counts_once() -> None:
    plc = device(Mood.TWICE)
    with acting(plc, twin=valve_twin(watch="1 s")) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        assert over(running, plan).stage is Stage.KEPT
        assert len(running.host.timeline.events(kind="acknowledged")) == 1


@pytest.mark.parametrize("mood", [Mood.LATE, Mood.NEVER, Mood.OTHER_ID, Mood.GARBAGE])
def test_that_a_device_that_does_not_answer_in_time_has_failed_and_what_moved_is_restored(
    mood: Mood,
) -> None:
    plc = device(mood)
    with acting(plc) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: plc.received)
        plc.mood = Mood.GOOD  # it answers again when it is to be restored
        ended = over(running, plan)
        (event,) = running.host.timeline.events(kind="device_silent")
    assert ended.stage is Stage.UNDONE
    assert "did not answer within 0.2 s" in str(event.body["told"])
    assert [i.state for i in ended.issued] == [S.UNDONE, S.TAKEN]
    assert plc.values == {PLACE: 1.0}
    assert len({command.id for command in plc.received}) == 2


def test_that_a_device_that_heard_nothing_moves_nothing() -> None:
    plc = device(Mood.DEAF)
    with acting(plc) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        ended = over(running, plan)
    assert ended.stage is Stage.UNDONE
    assert [i.state for i in ended.issued] == [S.NOT_TAKEN]
    assert len(plc.received) == 1


def test_that_a_device_that_says_nothing_at_all_any_more_is_a_failure_to_be_looked_at() -> None:
    plc = device(Mood.NEVER)
    with acting(plc) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: plc.received)
        plc.is_mute = True
        ended = over(running, plan)
    assert ended.stage is Stage.FAILED
    assert "Look at the device" in ended.reason


def test_that_an_accepted_command_that_moves_nothing_is_found_out() -> None:
    plc = device(Mood.STUCK)
    with acting(plc) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        ended = over(running, plan)
    assert ended.stage is Stage.UNDONE
    assert "its device reports 1" in ended.reason


def test_that_a_plan_past_its_expiry_is_refused() -> None:
    plc = device()
    with acting(plc) as running:
        now = running.host.clock.now()
        old = made(running, made_at=now - 10 * SECOND, expires_at=now - SECOND)
        with pytest.raises(GuardError, match="It expired at"):
            running["tank"].apply(old, approve="ada", dry_run=False)
    assert plc.received == []


def test_that_a_plan_played_again_is_refused_also_under_another_name_of_the_record() -> None:
    plc = device()
    with acting(plc, twin=valve_twin(watch="1 s")) as running:
        tank, plan = running["tank"], made(running)
        tank.apply(plan, approve="ada", dry_run=False)
        over(running, plan)
        with pytest.raises(GuardError, match=r"applied before \(kept\)"):
            tank.apply(plan, dry_run=False)
        tank.plans.drop("open")
        with pytest.raises(GuardError, match=r"applied before \(kept\)"):
            tank.apply(plan, approve="ada", dry_run=False)
    assert len(plc.received) == 1


def test_that_of_two_plans_for_one_control_at_once_one_is_applied() -> None:
    plc = device()
    with acting(plc) as running:
        tank = running["tank"]
        for name, value in (("a", "1.5 m^3/s"), ("b", "1.7 m^3/s")):
            tank.plans.keep(made(running, value, name=name))
            tank.plans.approve(name, by="ada")

        def tried(name: str) -> str:
            try:
                tank.apply(name, dry_run=False)
            except GuardError as error:
                return str(error)
            return "applied"

        with ThreadPoolExecutor(2) as pool:
            told = sorted(pool.map(tried, ["a", "b"]), key=len)
        assert told[0] == "applied"
        assert "valve is held by the plan" in told[1]
        until(lambda: plc.received)
        feed(running)
    assert len(plc.received) == 1


def test_that_one_plan_applied_twice_at_once_is_sent_once() -> None:
    plc = device()
    with acting(plc) as running:
        tank = running["tank"]
        tank.plans.keep(made(running))
        tank.plans.approve("open", by="ada")

        def tried(_: int) -> bool:
            try:
                tank.apply("open", dry_run=False)
            except GuardError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(tried, range(4))) == 1
        until(lambda: plc.received)
        feed(running)
    assert len(plc.received) == 1


def band(running_now: int, low: float, high: float) -> Band:
    times = tuple(running_now + second * SECOND // 4 for second in range(40))
    return Band("gauge", "m", 0.9, times, (low,) * 40, (high,) * 40)


def test_that_reality_that_leaves_the_band_restores_the_value_from_before() -> None:
    plc = device()
    with acting(plc) as running:
        now = running.host.clock.now()
        plan = made(running, bands=(band(now, 4.0, 5.0),))  # the gauge reads 2
        running["tank"].apply(plan, approve="ada", dry_run=False)
        ended = over(running, plan)
    assert ended.stage is Stage.UNDONE
    assert "gauge was outside of its band of 90% in" in ended.reason
    assert ended.watches[0].outside == ended.watches[0].compared >= 3
    assert plc.values == {PLACE: 1.0}


def test_that_reality_within_the_band_keeps_the_plan() -> None:
    plc = device()
    with acting(plc, twin=valve_twin(watch="2 s")) as running:
        now = running.host.clock.now()
        plan = made(running, bands=(band(now, 1.5, 2.5),))
        running["tank"].apply(plan, approve="ada", dry_run=False)
        ended = over(running, plan)
    assert ended.stage is Stage.KEPT
    (watch,) = ended.watches
    assert watch.outside == 0
    assert watch.compared >= 4


def test_that_a_twin_that_goes_blind_in_the_window_restores_and_leaves_the_plant_alone() -> None:
    plc = device()
    with acting(plc) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: plc.values[PLACE] == 1.5)
        # No reading from here on: blind after five intervals and the declared lateness.
        found = running.host.applying.undertakings
        until(lambda: (u := found.of(plan.id)) is not None and u.stage.is_over)
        ended = found.of(plan.id)
        assert ended is not None
        assert ended.stage is Stage.UNDONE
        assert "tank is blind" in ended.reason
        beats = len(plc.beats)
        assert beats >= 1
        until(lambda: running.host.clock.now() - ended.issued[-1].since > 2 * SECOND)
        assert len(plc.beats) <= beats + 1


def test_that_a_twin_that_drifts_in_the_window_restores() -> None:
    plc = device()
    # Readings may be late, so that a slow machine does not make it blind before it drifts.
    twin = Twin("tank", Tank(), members=16, horizon="60 s", lateness="20 s")
    twin.bind("inbox:tank", to="gauge")
    twin.actuate(f"plc:{PLACE}", to="valve", tolerance="0.01 m^3/s")
    twin.conducted(watch="30 min", settle="1 s", answer_within="200 ms")
    with acting(plc, twin=twin) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: plc.values[PLACE] == 1.5)
        found, turn = running.host.applying.undertakings, cycle([1.6, 2.4])

        def is_over() -> bool:
            # Eight times the gauge's noise, by turns above and below where the level stood.
            feed(running, level=next(turn))
            return (u := found.of(plan.id)) is not None and u.stage.is_over

        until(is_over)
        ended = found.of(plan.id)
        assert ended is not None
        assert ended.stage is Stage.UNDONE
        assert ended.reason.startswith("tank is drifting: nobody sees what the plan does.")
    assert plc.values == {PLACE: 1.0}


def test_that_an_override_at_the_device_cancels_the_plan_and_is_not_fought() -> None:
    plc = device()
    with acting(plc) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: running.host.timeline.events(kind="taken"))
        plc.override(PLACE, 0.3)
        ended = over(running, plan)
        told = running["tank"].why("valve", running.host.clock.now())
    assert ended.stage is Stage.OVERRIDDEN
    assert plc.values == {PLACE: 0.3}
    assert len(plc.received) == 1
    assert told.moved is not None
    assert (told.moved.kind, told.moved.actor) == ("override", "device")
    assert told.moved.body["value"] == 0.3


def test_that_somebody_can_give_a_plan_up_and_what_moved_is_restored() -> None:
    plc = device()
    with acting(plc) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: running.host.timeline.events(kind="taken"))
        running["tank"].plans.give_up("open", why="too loud")
        ended = over(running, plan)
    assert ended.stage is Stage.UNDONE
    assert ended.reason == "program gave it up: too loud."
    assert plc.values == {PLACE: 1.0}


def test_that_without_a_connection_nothing_is_sent_also_not_when_it_is_back() -> None:
    plc = device()
    with acting(plc) as running:
        cut, loop = plc.cut, running.host.applying._loop
        assert cut is not None
        assert loop is not None
        plc.is_gone = True
        loop.call_soon_threadsafe(cut.set)
        until(lambda: plc.cut is None)
        feed(running)
        with pytest.raises(GuardError, match="Its device does not say where valve stands"):
            running["tank"].apply(made(running), approve="ada", dry_run=False)
        plc.is_gone = False
        until(lambda: plc.cut is not None)
        feed(running)
        assert running["tank"].apply("open").against == ()
    assert plc.received == []


def test_that_after_a_stop_between_command_and_answer_the_device_is_asked_and_nothing_sent_twice(
    tmp_path: Path,
) -> None:
    plc, store = device(Mood.NEVER), tmp_path / "store.duckdb"
    twin = valve_twin(answer_within="60 s")
    with acting(plc, twin=twin, store=store) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: plc.received)
    with acting(plc, twin=valve_twin(answer_within="60 s"), store=store) as running:
        found = running.host.applying.undertakings

        def taken() -> bool:
            feed(running)
            return (u := found.of(plan.id)) is not None and u.issued[0].state is S.TAKEN

        until(taken)
        assert running.host.timeline.events(kind="command_in_doubt")
        asked = found.of(plan.id)
        assert asked is not None
        assert asked.stage is Stage.UNDER_WAY
    assert len(plc.received) == 1


def test_that_why_it_moved_is_one_query_from_the_command_to_the_forecast() -> None:
    plc = device()
    with acting(plc) as running:
        tank = running["tank"]
        tank.scenarios.begin("opened", {"valve": "1.5 m^3/s"}, until="10 s", every="1 s")
        kept = tank.plans.of_scenario("opened", name="open")
        before = running.host.clock.now()
        feed(running)
        tank.plans.approve("open", by="ada")
        running.host.applying.apply("tank", "open", actor="olaf", role=Role.OPERATOR, dry_run=False)
        until(lambda: running.host.timeline.events(kind="taken"))
        told = tank.why("valve", running.host.clock.now())
        assert [e.kind for e in told.chain] == [
            "scenario_begun",
            "plan",
            "plan_approved",
            "plan_applied",
            "command",
        ]
        assert [e.actor for e in told.chain] == ["program", "program", "ada", "olaf", "olaf"]
        assert [e.kind for e in told.came_of_it] == ["acknowledged", "taken"]
        assert told.chain[1].body["origin"] == kept.plan.origin != ""
        assert "valve = 1.5" in str(told)
        assert tank.why("valve", before).moved is None
        (watched,) = kept.plan.bands
        assert watched.variable == "gauge"
        assert len(watched.valid_at) == 10


def test_that_what_a_search_advises_becomes_a_plan_and_what_it_does_not_advise_is_refused() -> None:
    plc = device()
    with acting(plc) as running:
        tank = running["tank"]
        choices = {"valve": "0.5 m^3/s .. 1.5 m^3/s"}

        def is_over(name: str) -> bool:
            feed(running)
            return tank.optimisations.record(name).progress.is_over

        # The level does not depend on the valve: nothing is gained by turning it.
        for name, aim in (("vain", "mean(max(level))"), ("low", "mean(max(valve))")):
            tank.optimisations.begin(
                name, choices, until="5 s", every="1 s", minimise=aim, budget="200 runs"
            )
            until(partial(is_over, name))
        vain = tank.plans.of_optimisation("vain").plan
        assert not vain.recommended
        low = tank.plans.of_optimisation("low").plan
        assert low.recommended
        assert low.gain is not None
        assert low.gain.mean == pytest.approx(0.5, abs=0.01)
        assert low.candidates == tank.optimisations.record("low").tried
        feed(running)
        with pytest.raises(GuardError, match="It is not recommended: The gain may be nothing"):
            tank.apply("vain", approve="ada", dry_run=False)
        tank.apply("low", approve="ada", dry_run=False)
        until(lambda: running.host.timeline.events(kind="taken"))
        told = tank.why("valve", running.host.clock.now())
        assert [e.kind for e in told.chain][:2] == ["optimisation_begun", "plan"]
    assert plc.values[PLACE] == pytest.approx(0.5, abs=0.01)


def test_that_a_scenario_of_something_else_than_controls_is_no_plan() -> None:
    with acting(device()) as running:
        tank = running["tank"]
        tank.scenarios.begin("fuller", {"level": "3 m"}, until="1 s")
        with pytest.raises(Exception, match="changes level; a plan sets controls"):
            tank.plans.of_scenario("fuller")


def test_that_the_devices_are_reached_from_the_one_call_alone() -> None:
    with acting(device()) as running:
        held = [v for v in vars(running.host.applying).values() if isinstance(v, Devices)]
        assert len(held) == 1
        others = [v for k, v in vars(running.host).items() if k != "applying"]
        assert not any(isinstance(v, Devices) for v in others)


def test_that_reality_is_held_against_what_is_foreseen_when_the_plan_is_applied() -> None:
    """Whoever approves takes time: what was foreseen for a start before it says nothing of now."""
    plc = device()
    with acting(plc, twin=valve_twin(watch="1 s")) as running:
        tank = running["tank"]
        tank.scenarios.begin("opened", {"valve": "1.5 m^3/s"}, until="10 s", every="1 s")
        plan = tank.plans.of_scenario("opened", name="open").plan
        time.sleep(1.0)
        feed(running, count=10)
        asked_at = running.host.clock.now()
        tank.plans.apply("open", approve="ada", dry_run=False)
        begun = running.host.applying.undertakings.of(plan.id)
        assert begun is not None
        (watch,), (first,) = begun.watches, plan.bands
        assert watch.band.valid_at[0] > asked_at + SECOND // 2 > first.valid_at[0]
        assert (watch.band.share, len(watch.band.valid_at)) == (first.share, len(first.valid_at))
        again = tank.scenarios.record("applied-open")
        assert (again.actor, again.changes) == ("ada", plan.changes)
        assert plan == tank.plans.record("open").plan


def test_that_bands_that_somebody_made_are_kept_to() -> None:
    plc = device()
    with acting(plc, twin=valve_twin(watch="1 s")) as running:
        now = running.host.clock.now()
        band = Band("gauge", "m", 0.9, (now + SECOND, now + 9 * SECOND), (0.0, 0.0), (9.0, 9.0))
        plan = made(running, bands=(band,))
        time.sleep(0.5)
        feed(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        begun = running.host.applying.undertakings.of(plan.id)
        assert begun is not None
        assert [watch.band for watch in begun.watches] == [band]
