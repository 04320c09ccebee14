"""The ledger: what was applied is scored once, whatever becomes of its name or of the site."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gemeos.act.undertaking import Stage
from gemeos.clock import ReplayClock
from gemeos.ensemble.state import TwinState
from gemeos.errors import ConditionError, InputError, NotReadyError, UnknownNameError
from gemeos.runtime.dossier import Dossier
from gemeos.runtime.ledger_row import LedgerRow
from gemeos.runtime.recheck import rechecked
from gemeos.runtime.run import RunningSite, run
from gemeos.schema.phase import Phase
from gemeos.schema.plan import Gain, Promise
from gemeos.testing.device import Device
from gemeos.testing.kettles import Kettles
from gemeos.testing.valve import PLACE, acting, bare_twin, feed, made, over, until, valve_twin
from gemeos.units.instant import SECOND


def promise(of: str = "mean(level)", until_s: float = 1.0) -> Promise:
    gain = Gain("maximise mean(level)", "m", 0.1, 0.0, 0.2, 0.9)
    return Promise(of, "maximise", round(until_s * SECOND), SECOND // 10, gain, 16)


def device() -> Device:
    return Device({PLACE: 1.0}, "m^3/s")


def row_of(running: RunningSite) -> LedgerRow:
    (row,) = running["tank"].ledger().rows
    return row


def scored(running: RunningSite) -> LedgerRow:
    """The one row, once it is scored, readings coming all the while."""

    def is_there() -> bool:
        feed(running)
        return row_of(running).score is not None

    until(is_there)
    return row_of(running)


def test_that_a_plan_without_a_promise_is_listed_without() -> None:
    with acting(device(), twin=valve_twin(watch="1 s")) as running:
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        over(running, plan)
        row = row_of(running)
    assert (row.name, row.by, row.approved_by) == ("open", "ada", ("ada",))
    assert (row.promise, row.score) == (None, None)
    assert row.told == "kept; it promised nothing"


def test_that_a_plan_that_was_given_up_is_told_as_such_and_not_held_against_its_promise() -> None:
    with acting(device()) as running:
        plan = made(running, promise=promise())
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: running.host.timeline.events(kind="taken"))
        running["tank"].plans.give_up("open", why="a test")
        assert over(running, plan).stage is Stage.UNDONE
        row = scored(running)
        ledger = running.ledger()
    assert row.score is not None
    assert row.score.inside is None
    assert row.score.notes[0].startswith("not carried out whole: program gave it up: a test.")
    assert (ledger.judged, ledger.kept) == (0, 0)
    assert ledger.told == "No plan can be held against its promise yet."


def test_that_what_readings_cannot_tell_is_not_called_kept() -> None:
    # The valve moves nothing in this tank: whatever is read says nothing of the plan.
    with acting(device(), twin=valve_twin(watch="1 s")) as running:
        plan = made(running, promise=promise())
        running["tank"].apply(plan, approve="ada", dry_run=False)
        row = scored(running)
        (event,) = running.host.timeline.events(kind="plan_scored")
    assert row.stage is Stage.KEPT
    assert row.score is not None
    assert row.score.delivered is not None
    assert row.score.delivered.mean == pytest.approx(0.0, abs=1e-9)
    assert row.score.inside is None
    assert row.score.notes == ("what was read hardly tells what it brought",)
    assert event.body["plan"] == "open"
    assert event.actor == "runtime"


def test_that_a_site_that_ends_before_the_horizon_scores_after_its_next_start_once(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store.duckdb"
    with acting(device(), twin=valve_twin(watch="1 s"), store=store) as running:
        plan = made(running, promise=promise(until_s=3.0))
        running["tank"].apply(plan, approve="ada", dry_run=False)
        over(running, plan)
        assert row_of(running).score is None
        with pytest.raises(NotReadyError, match="is not scored"):
            running.host.applying.ledgers.again("tank", "open")
        # Neither the name nor what is made of it later is what was applied.
        running["tank"].plans.drop("open")
    with acting(device(), twin=valve_twin(watch="1 s"), store=store) as running:
        first = scored(running)
        assert running.host.applying.ledgers.again("tank", "open") == first.score
    with acting(device(), twin=valve_twin(watch="1 s"), store=store) as running:
        assert scored(running) == first
        assert len(running.host.timeline.events(kind="plan_scored")) == 1
        assert running.host.applying.ledgers.again("tank", "open") == first.score
        with pytest.raises(UnknownNameError, match="no applied plan 'closed'"):
            running.host.applying.ledgers.again("tank", "closed")


def test_that_a_promise_that_could_not_be_scored_is_not_kept() -> None:
    with acting(device()) as running:
        plans = running["tank"].plans
        with pytest.raises(UnknownNameError):
            plans.keep(made(running, promise=promise("mean(lever)")))
        with pytest.raises(ConditionError):
            plans.keep(made(running, promise=promise("mean(level")))
        with pytest.raises(InputError, match="at least one instant"):
            plans.keep(made(running, promise=replace(promise(), every=SECOND // 100)))


def test_that_a_plan_of_a_scenario_promises_what_its_comparison_shows() -> None:
    with acting(device()) as running:
        tank = running["tank"]
        tank.scenario("opened", {"valve": "1.4 m^3/s"}, until="2 s", every="1 s")
        without = tank.plans.of_scenario("opened", name="silent").plan
        kept = tank.plans.of_scenario("opened", on=["gauge"]).plan
    assert without.promise is None
    assert kept.promise is not None
    assert (kept.promise.objective, kept.promise.sense) == ("mean(gauge)", "maximise")
    assert kept.promise.until == 2 * SECOND
    # Member by member nothing is gained: the valve moves nothing.
    gain = kept.promise.gain
    assert (gain.mean, gain.low, gain.high) == (0.0, 0.0, 0.0)


def test_that_a_plan_that_another_one_overlapped_is_not_held_against_its_promise() -> None:
    with acting(device(), twin=valve_twin(watch="1 s")) as running:
        first = made(running, promise=promise(until_s=4.0))
        running["tank"].apply(first, approve="ada", dry_run=False)
        assert over(running, first).stage is Stage.KEPT
        second = made(running, "1.2 m^3/s", name="other")
        running["tank"].apply(second, approve="ada", dry_run=False)
        over(running, second)

        def scored_first() -> bool:
            feed(running)
            return running["tank"].ledger().rows[0].score is not None

        until(scored_first)
        told = running["tank"].ledger().rows
    assert [row.name for row in told] == ["open", "other"]
    assert told[0].score is not None
    assert told[0].score.inside is None
    assert "other was applied meanwhile" in told[0].score.notes


def test_that_a_plan_that_was_never_applied_has_a_dossier_too() -> None:
    with acting(device()) as running:
        kept = running["tank"].plans.keep(made(running))
        dossier = Dossier.from_bytes(running["tank"].plans.dossier("open"))
    told = dossier.told
    assert told.plan == kept
    assert (told.applied, told.undertaking, told.score) == (None, None, None)
    assert [event.kind for event in told.events] == ["plan"]
    assert told.twin.model == "gemeos.testing.valve:Tank"
    words = {each.what: (each.word, each.told) for each in rechecked(dossier, bare_twin("tank"))}
    assert words["plan"][0] == "the same"
    assert words["forecast"] == ("not checked", "it was made by hand")
    assert words["ledger"] == ("not checked", "it has not been scored")


def test_that_time_that_strides_while_a_twin_is_looked_at_does_not_make_it_blind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kettles = Kettles(1)
    with run(kettles.site()) as running:
        host = running.host
        kettles.live(host, 80)
        assert host.questions.phase("k0") is Phase.IN_STEP
        looked = host.snapshot

        def strides(twin: str) -> TwinState:
            """The path comes in between: an hour more is taken in behind the copy."""
            state = looked(twin)
            assert isinstance(host.clock, ReplayClock)
            host.clock.follow(kettles.now + 3600 * SECOND)
            return state

        monkeypatch.setattr(host, "snapshot", strides)
        assert host.questions.phase("k0") is Phase.IN_STEP
        assert host.questions.phase("k0") is Phase.BLIND
