"""Contract 7: foresee cannot reach a link; one guarded call can, and refuses wherever it can."""

from __future__ import annotations

import asyncio
import time
import tomllib
from pathlib import Path
from typing import NoReturn

import pytest

import gemeos
from gemeos.act.undertaking import Stage
from gemeos.errors import AccessError, GuardError, NotReadyError
from gemeos.runtime import apply as applied
from gemeos.runtime.devices import Devices
from gemeos.runtime.undertakings import Undertakings
from gemeos.schema.role import Role
from gemeos.testing.device import Device
from gemeos.testing.valve import PLACE, acting, feed, made, over, until
from gemeos.timeline.memory import MemoryTimeline

PROJECT = Path(gemeos.__file__).parents[2]


def device() -> Device:
    return Device({PLACE: 1.0}, "m^3/s")


def contracts() -> dict[str, dict[str, list[str]]]:
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return {each["id"]: each for each in told["tool"]["importlinter"]["contracts"]}


def test_that_the_import_contracts_keep_foresee_from_links_store_and_act() -> None:
    apart = contracts()["foresee-cannot-reach-a-link"]
    assert apart["source_modules"] == ["gemeos.foresee"]
    assert set(apart["forbidden_modules"]) >= {"gemeos.link", "gemeos.timeline", "gemeos.act"}
    layers = contracts()["layers"]["layers"]
    assert "act | foresee" in layers


def test_that_by_default_nothing_is_sent_and_what_would_be_is_told() -> None:
    plc = device()
    with acting(plc) as running:
        told = running["tank"].apply(made(running), approve="ada")
        assert told.dry_run
        assert told.against == ()
        assert [(c.control, c.value, c.unit) for c in told.commands] == [("valve", 1.5, "m^3/s")]
    assert plc.received == []
    assert plc.values == {PLACE: 1.0}


def test_that_a_dry_run_tells_everything_that_speaks_against_it_and_approves_nothing() -> None:
    plc = device()
    with acting(plc) as running:
        tank, plan = running["tank"], made(running, "3 m^3/s")
        told = tank.apply(plan, approve="ada")
        assert told.against == ("valve would be set to 3 m^3/s; allowed are 0 to 2 m^3/s.",)
        assert tank.plans.record("open").approvals == ()
        assert "0 of 1 approvals" in tank.apply("open").against[0]


def test_that_a_plan_that_nobody_approved_is_not_applied() -> None:
    plc = device()
    with acting(plc) as running:
        with pytest.raises(GuardError, match="0 of 1 approvals"):
            running["tank"].apply(made(running), dry_run=False)
        (event,) = running.host.timeline.events(kind="plan_refused")
        assert "0 of 1 approvals" in str(event.body["against"])
    assert plc.received == []


def test_that_a_viewer_applies_nothing_and_an_operator_approves_nothing() -> None:
    plc = device()
    with acting(plc) as running:
        host, plan = running.host, made(running)
        host.plans.keep(plan, actor="kim")
        with pytest.raises(AccessError, match="eve is viewer"):
            host.applying.apply("tank", "open", actor="eve", role=Role.VIEWER, dry_run=False)
        with pytest.raises(GuardError, match="olaf is operator; approving needs approver"):
            host.applying.apply(
                "tank", "open", actor="olaf", role=Role.OPERATOR, approve=True, dry_run=False
            )
        host.plans.approve("tank", "open", actor="ada", role=Role.APPROVER)
        told = host.applying.apply("tank", "open", actor="olaf", role=Role.OPERATOR, dry_run=False)
        assert told.undertaking is not None
        until(lambda: plc.received)


def broken(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("made for a test")


def test_that_what_cannot_be_judged_in_time_is_not_applied_later_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plc = device()

    async def hanging(*_: object) -> None:
        await asyncio.sleep(1.0)

    with acting(plc) as running:
        running["tank"].plans.keep(made(running))
        with monkeypatch.context() as patch:
            patch.setattr(applied, "APPLY_S", 0.1)
            patch.setattr(Devices, "ask", hanging)
            with pytest.raises(NotReadyError, match="nothing was sent"):
                running["tank"].apply("open", approve="ada", dry_run=False)
        time.sleep(1.2)
        feed(running)
        assert running.host.applying.undertakings.under_way() == []
    assert plc.received == []


PLACES = {
    "the guard of the plan": (applied, "against_plan"),
    "the guard of the twin": (applied, "against_situation"),
    "the guard of the commands": (applied, "against_commands"),
    "the setpoints": (applied, "commands_of"),
    "the situation": (Undertakings, "situation"),
    "what is written down": (Undertakings, "write"),
    "what the devices say": (Devices, "ask"),
    "the memory": (MemoryTimeline, "put_event"),
}


@pytest.mark.parametrize("place", PLACES)
def test_that_an_exception_anywhere_means_that_nothing_is_sent(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plc = device()
    with acting(plc) as running:
        plan = made(running)
        running["tank"].plans.keep(plan)
        running["tank"].plans.approve("open", by="ada")
        with monkeypatch.context() as patch:
            patch.setattr(*PLACES[place], broken)
            with pytest.raises(RuntimeError, match="made for a test"):
                running["tank"].apply("open", dry_run=False)
    assert plc.received == []


def test_that_an_exception_between_the_steps_sends_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plc = device()
    with acting(plc) as running:
        plan = made(running)
        with monkeypatch.context() as patch:
            patch.setattr(applied, "due", broken)
            told = running["tank"].apply(plan, approve="ada", dry_run=False)
            assert told.undertaking is not None
            feed(running)
        assert plc.received == []


def test_that_the_kill_switch_stops_plans_and_their_undoing_until_it_is_released() -> None:
    plc = device()
    with acting(plc) as running:
        tank, plan = running["tank"], made(running)
        tank.apply(plan, approve="ada", dry_run=False)
        until(lambda: plc.values[PLACE] == 1.5)
        kill = tank.plans.stop(why="smoke")
        ended = over(running, plan)
        assert ended.stage is Stage.STOPPED
        assert "smoke" in ended.reason
        assert "nothing is restored" in ended.reason
        assert plc.values == {PLACE: 1.5}
        beats = len(plc.beats)
        with pytest.raises(GuardError, match="kill switch of tank is engaged by program: smoke"):
            tank.apply(made(running, "1.2 m^3/s", name="second"), approve="ada", dry_run=False)
        assert kill.told in str(tank.apply("second", approve="ada").against)
        assert len(plc.received) == 1
        assert len(plc.beats) <= beats + 1  # one may have been under way
        assert tank.plans.release()
        assert not tank.plans.release()
        feed(running)
        tank.apply("second", approve="ada", dry_run=False)
        until(lambda: plc.values[PLACE] == 1.2)


def test_that_the_kill_switch_of_the_site_stops_every_twin_and_outlives_a_restart(
    tmp_path: Path,
) -> None:
    plc, store = device(), tmp_path / "store.duckdb"
    with acting(plc, store=store) as running:
        running.host.applying.switches.engage("", actor="ada", role=Role.OPERATOR)
    with acting(plc, store=store) as running:
        with pytest.raises(GuardError, match="kill switch of the site is engaged by ada"):
            running["tank"].apply(made(running), approve="ada", dry_run=False)
        with pytest.raises(AccessError, match="olaf is operator; this needs approver"):
            running.host.applying.switches.release("", actor="olaf", role=Role.OPERATOR)
        with pytest.raises(AccessError, match="eve is viewer"):
            running.host.applying.switches.engage("tank", actor="eve", role=Role.VIEWER)
        # As a program does it, and as a connection does: tests/integration/test_http_plans.py.
        assert running.release_site()
        assert not running.release_site()
        kill = running.stop_site(why="smoke")
        assert (kill.twin, kill.actor, kill.why) == ("", "program", "smoke")
        assert list(running.stopped()) == [kill]
        with pytest.raises(GuardError, match="kill switch of the site is engaged by program"):
            running["tank"].apply(made(running, name="third"), approve="ada", dry_run=False)
    assert plc.received == []
