"""Plans over HTTP and on the command line: who may what, and that both ways say the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gemeos.act.undertaking import Stage
from gemeos.cli.main import main
from gemeos.errors import AccessError, GuardError, UnknownNameError
from gemeos.runtime.dossier import Dossier
from gemeos.schema.plan import Band, Gain, Promise
from gemeos.serve.auth import Role, TokenFile
from gemeos.serve.client import Connection, connect
from gemeos.testing.device import Device, DeviceLink
from gemeos.testing.served import Serving, served
from gemeos.testing.valve import PLACE, feed, made, over, until, valve_site, valve_twin
from gemeos.units.instant import SECOND


@pytest.fixture
def device() -> Device:
    return Device({PLACE: 1.0}, "m^3/s")


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


@pytest.fixture
def serving(device: Device, tokens: TokenFile) -> Iterator[Serving]:
    twin = valve_twin(watch="2 s")
    with served(valve_site(twin, DeviceLink("plc", device)), tokens=tokens) as serving:
        until(lambda: device.cut is not None)
        feed(serving, count=60)
        yield serving


@pytest.fixture
def people(serving: Serving, tokens: TokenFile) -> Iterator[dict[str, Connection]]:
    """A viewer, an operator and two approvers."""
    roles = {"eve": Role.VIEWER, "olaf": Role.OPERATOR, "ada": Role.APPROVER, "kim": Role.APPROVER}
    opened = {
        name: connect(serving.url, token=tokens.create(name, role)) for name, role in roles.items()
    }
    yield opened
    for connection in opened.values():
        connection.close()


def test_that_a_viewers_token_sees_plans_and_applies_none(
    serving: Serving, people: dict[str, Connection], device: Device
) -> None:
    tank = people["kim"]["tank"]
    kept = tank.plans.keep(made(serving))
    tank.plans.approve("open")
    viewer = people["eve"]["tank"].plans
    assert viewer.record("open").plan == kept.plan
    for attempt in (
        lambda: viewer.apply("open", dry_run=False),
        lambda: viewer.apply("open"),
        lambda: viewer.approve("open"),
        lambda: viewer.give_up("open"),
        lambda: viewer.drop("open"),
        lambda: viewer.keep(made(serving, name="other")),
        viewer.stop,
        viewer.release,
    ):
        with pytest.raises(AccessError, match="eve is viewer"):
            attempt()
    assert device.received == []


def test_that_an_operator_applies_what_an_approver_approved_and_nothing_else(
    serving: Serving, people: dict[str, Connection], device: Device
) -> None:
    operator, approver = people["olaf"]["tank"].plans, people["ada"]["tank"].plans
    now = serving.host.clock.now()
    times = tuple(now + second * SECOND // 2 for second in range(20))
    band = Band("gauge", "m", 0.9, times, (1.5,) * 20, (2.5,) * 20)
    kept = operator.keep(made(serving, actor="somebody else", bands=(band,)))
    assert kept.plan.actor == "olaf"
    with pytest.raises(GuardError, match="0 of 1 approvals"):
        operator.apply("open", dry_run=False)
    with pytest.raises(AccessError, match="olaf is operator; this needs approver"):
        operator.approve("open")
    with pytest.raises(AccessError, match="whoever the token names"):
        approver.approve("open", by="grace")
    assert approver.approve("open").approved_by == ("ada",)
    feed(serving)
    dry = operator.apply("open")
    assert (dry.dry_run, dry.against, dry.undertaking) == (True, (), None)
    assert device.received == []
    told = operator.apply("open", dry_run=False)
    assert told.undertaking is not None
    assert told.commands[0].id == told.undertaking.issued[0].command.id
    ended = over(serving, kept.plan)
    assert ended.stage is Stage.KEPT
    assert operator.undertaking("open") == ended
    assert [c.actor for c in device.received] == ["olaf"]
    why = people["eve"]["tank"].why("valve", serving.host.clock.now())
    assert [e.kind for e in why.chain] == ["plan", "plan_approved", "plan_applied", "command"]
    assert [e.actor for e in why.chain] == ["olaf", "ada", "olaf", "olaf"]
    embedded = serving.host.twin("tank").why("valve", why.at)
    assert why.chain == embedded.chain
    assert str(why) == str(embedded)


def test_that_a_plan_of_a_scenario_is_the_same_from_elsewhere(
    serving: Serving, people: dict[str, Connection]
) -> None:
    tank = people["ada"]["tank"]
    tank.scenario("opened", {"valve": "1.4 m^3/s"}, until="5 s", every="1 s")
    kept = tank.plans.of_scenario("opened", on=["level"])
    assert kept == serving.host.plans.record("tank", "opened")
    assert kept.plan.cause == "scenario opened"
    assert [band.variable for band in kept.plan.bands] == ["level"]
    feed(serving)
    assert tank.apply(kept, approve="me").against == ()
    tank.plans.drop("opened")
    assert list(tank.plans.all()) == []
    with pytest.raises(UnknownNameError, match="no plan 'opened'"):
        tank.plans.record("opened")


def test_that_the_ledger_says_the_same_here_there_and_on_the_command_line(
    serving: Serving,
    people: dict[str, Connection],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    gain = Gain("maximise mean(level)", "m", 0.1, 0.0, 0.2, 0.9)
    promise = Promise("mean(level)", "maximise", SECOND, SECOND // 10, gain, 16)
    tank = people["ada"]["tank"]
    kept = tank.plans.keep(made(serving, promise=promise))
    assert kept == serving.host.plans.record("tank", "open")
    feed(serving)
    tank.apply("open", approve="me", dry_run=False)
    over(serving, kept.plan)
    until(lambda: serving.host.applying.ledgers.row("tank", "open").score)
    here = serving.host.twin("tank").ledger()
    assert here.rows[0].score is not None
    assert people["eve"]["tank"].ledger() == here
    assert people["eve"].ledger() == here
    assert main(["ledger", "--url", serving.url]) == 0
    told = capsys.readouterr().out
    assert "inside?" in told
    assert "No plan can be held against its promise yet." in told
    file = tmp_path / "open.dossier"
    assert main(["dossier", "open", "--to", str(file), "--url", serving.url]) == 0
    assert f"{file}: {file.stat().st_size} bytes" in capsys.readouterr().out.replace("\n", "")
    assert Dossier.from_bytes(file.read_bytes()).told.score == here.rows[0].score
    checked = ["dossier", str(file), "--check", "--model", "gemeos.testing.valve:bare_twin"]
    assert main(checked) == 0
    assert "ledger" in capsys.readouterr().out


def test_that_two_pairs_of_eyes_are_wanted_where_the_site_says_so(
    device: Device, tokens: TokenFile
) -> None:
    twin = valve_twin(watch="2 s").conducted(four_eyes=True, answer_within="200 ms")
    with served(valve_site(twin, DeviceLink("plc", device)), tokens=tokens) as serving:
        until(lambda: device.cut is not None)
        feed(serving, count=60)
        roles = {"kim": Role.APPROVER, "ada": Role.APPROVER, "grace": Role.APPROVER}
        kim, ada, grace = (
            connect(serving.url, token=tokens.create(name, role)) for name, role in roles.items()
        )
        with kim, ada, grace:
            kim["tank"].plans.keep(made(serving))
            with pytest.raises(GuardError, match="kim made the plan"):
                kim["tank"].plans.approve("open")
            ada["tank"].plans.approve("open")
            # Whoever has approved once counts once.
            with pytest.raises(GuardError, match="1 of 2 approvals are there"):
                ada["tank"].apply("open", approve="me", dry_run=False)
            assert device.received == []
            feed(serving)
            grace["tank"].apply("open", approve="me", dry_run=False)
            until(lambda: device.received)
            record = kim["tank"].plans.record("open")
            assert record.approved_by == ("ada", "grace")


def test_that_kill_switches_are_thrown_by_operators_and_released_by_approvers(
    serving: Serving, people: dict[str, Connection], device: Device
) -> None:
    operator, approver = people["olaf"]["tank"], people["ada"]["tank"]
    kill = operator.plans.stop(why="smoke")
    assert (kill.twin, kill.actor, kill.why) == ("tank", "olaf", "smoke")
    with pytest.raises(GuardError, match="kill switch of tank is engaged by olaf: smoke"):
        approver.apply(made(serving), approve="me", dry_run=False)
    with pytest.raises(AccessError, match="olaf is operator; this needs approver"):
        operator.plans.release()
    assert approver.plans.release()
    assert not approver.plans.release()
    assert device.received == []


def test_that_the_switch_of_the_whole_site_is_thrown_and_released_alike_by_all(
    serving: Serving, people: dict[str, Connection], capsys: pytest.CaptureFixture[str]
) -> None:
    operator, approver = people["olaf"], people["ada"]
    kill = operator.stop_site(why="smoke")
    assert (kill.twin, kill.actor, kill.why) == ("", "olaf", "smoke")
    assert [(each.twin, each.actor) for each in approver.stopped()] == [("", "olaf")]
    with pytest.raises(GuardError, match="kill switch of the site is engaged by olaf: smoke"):
        approver["tank"].apply(made(serving), approve="me", dry_run=False)
    with pytest.raises(AccessError, match="olaf is operator; this needs approver"):
        operator.release_site()
    # That of a twin is another one.
    assert not approver["tank"].plans.release()
    assert approver.release_site()
    assert not approver.release_site()
    assert main(["stop", "--all", "--because", "smoke", "--url", serving.url]) == 0
    assert "kill switch of the site is engaged by local: smoke" in capsys.readouterr().out
    assert main(["stop", "--all", "--twin", "tank", "--url", serving.url]) == 1
    assert "the other of one twin" in capsys.readouterr().err
    assert main(["stop", "--all", "--release", "--url", serving.url]) == 0
    assert "Released" in capsys.readouterr().out
    assert operator.stopped() == []


def test_that_the_command_line_tells_applies_and_says_why(
    serving: Serving, device: Device, capsys: pytest.CaptureFixture[str]
) -> None:
    serving.host.plans.keep(made(serving), actor="kim")
    feed(serving)
    assert main(["apply", "open", "--url", serving.url]) == 1
    told = capsys.readouterr()
    assert "0 of 1 approvals" in told.out
    assert "Nothing was sent" in told.out
    assert main(["apply", "open", "--approve", "--url", serving.url]) == 0
    assert "It would be sent" in capsys.readouterr().out
    assert device.received == []
    feed(serving)
    assert main(["apply", "open", "--approve", "--really", "--url", serving.url]) == 0
    assert "taken" in capsys.readouterr().out
    assert device.values == {PLACE: 1.5}
    assert main(["why", "valve", "--url", serving.url]) == 0
    assert "command by local: valve = 1.5" in capsys.readouterr().out
    assert main(["plans", "--url", serving.url]) == 0
    assert "open" in capsys.readouterr().out
    assert main(["stop", "--because", "smoke", "--url", serving.url]) == 0
    assert serving.host.applying.switches.engaged("tank")
    assert main(["stop", "--release", "--url", serving.url]) == 0
    assert not serving.host.applying.switches.engaged("tank")


def test_that_the_command_line_lists_tells_and_drops_searches_and_hindcasts(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str, code: int = 0) -> str:
        assert main([*words, "--url", serving.url]) == code, capsys.readouterr().err
        return capsys.readouterr().out

    assert said("optimisations") == "tank has no optimisations yet.\n"
    search = ("optimise", "valve=0 m^3/s .. 2 m^3/s", "--maximise", "mean(level)", "--until")
    said(*search, "10 s", "--budget", "100 runs", "--name", "higher")
    # Nothing moves the level: no valve is better than another.
    assert "No recommendation" in said("optimisations", "--show", "higher")
    assert "higher" in said("optimisations")
    # The same name again is refused, unless it is to be replaced; another seed is another search.
    words = ("10 s", "--budget", "100 runs", "--name", "higher", "--seed", "7", "--present", "")
    said(*search, *words, code=1)
    said(*search, *words, "--replace")
    record = serving.host.optimisations.record("tank", "higher")
    assert (record.seed, record.present) == (7, "")
    said("optimisations", "--drop", "higher")
    assert said("optimisations") == "tank has no optimisations yet.\n"
    assert said("hindcasts", "tank") == "tank has no hindcasts yet.\n"
    said("hindcasts", "--show", "flood", code=1)


def test_that_a_plan_of_a_search_tells_what_it_cost_and_until_when_it_is_of_use(
    serving: Serving, people: dict[str, Connection], capsys: pytest.CaptureFixture[str]
) -> None:
    tank = people["kim"]["tank"]
    feed(serving)
    tank.optimisations.begin(
        "low",
        {"valve": "0.5 m^3/s, 0.8 m^3/s"},
        until="80 s",
        every="10 s",
        minimise="mean(max(valve))",
        budget="60 runs",
        cost="mean(valve) * 3 s/m^3",
    )

    def is_over() -> bool:
        feed(serving)
        return tank.optimisations.record("low").progress.is_over

    until(is_over)
    assert main(["optimisations", "--show", "low", "--url", serving.url]) == 0
    assert "Cost: mean(valve) * 3 s/m^3 = 1.5, -1.5 (-1.5 to -1.5)" in capsys.readouterr().out
    feed(serving)
    kept = tank.plans.of_optimisation("low").plan
    found = tank.optimisations.record("low")
    assert kept == people["eve"]["tank"].plans.record("low").plan
    assert kept.id == serving.host.plans.record("tank", "low").plan.id
    assert kept.cost is not None
    assert (kept.cost.runs, kept.cost.checked) == (found.ran, found.fresh)
    assert kept.cost.took == found.took > 0
    # The valve stands at 1 m^3/s: three a second, half of it saved. 0.5 is less than 0.8 for all.
    assert kept.cost.price == found.price
    assert kept.cost.price is not None
    assert (kept.cost.price.plan, kept.cost.price.nothing) == (1.5, 3.0)
    assert kept.best == found.chances[0] == 1.0
    # The first instant that is looked at is ten seconds ahead: set later, the valve was at 1 there.
    assert kept.latest == found.latest == found.forked_at + 10 * SECOND
    assert kept.expires_at == kept.latest
    assert (
        kept.not_modelled
        == found.unmodelled
        == (
            "how devices carry it out: valve is where told, at once and all the time",
            "what the model leaves out: members differ by what it says it does not know",
        )
    )
    assert (kept.finalists, kept.rivals) == (len(found.chances), found.rivals)
    assert found.rivals is not None
    chance = "Of 2 finalists it is the best with chance 100%"
    for told in (chance, f"found by {found.ran} runs", "costs: ", "begun by "):
        assert told in repr(kept)
    for where in ("plans", "optimisations"):
        page = httpx.get(f"{serving.url}/twins/tank/{where}/low").text
        assert "mean(valve) * 3 s/m^3 = 1.5, -1.5 (-1.5 to -1.5) beside nothing" in page
    # Made and sent by a program, it is the same.
    again = replace(kept, name="sent")
    assert replace(tank.plans.keep(again).plan, name="low", actor=kept.actor) == kept


def test_that_the_command_line_asks_for_what_depends_on_another_choice(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    # The tank has one control; of the other the words are read, and told to be out of order.
    over = "valve=0 m^3/s, 2 m^3/s if pump = 3 kW"
    asked = ("optimise", over, "--minimise", "level", "--until", "10 s", "--url", serving.url)
    assert main(asked) == 1
    assert "Before valve the space has no choice 'pump'" in capsys.readouterr().err


def test_that_the_command_line_makes_plans_of_scenarios(
    serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    made_of = ["scenario", "valve=1.2 m^3/s", "--until", "10 s", "--name", "wider"]
    assert main([*made_of, "--url", serving.url]) == 0
    assert main(["plan", "--scenario", "wider", "--name", "w", "--url", serving.url]) == 0
    assert "1.2 m^3/s" in serving.host.plans.record("tank", "w").plan.changes["valve"]
    assert main(["approve", "w", "--url", serving.url]) == 0
    assert "w is approved by local." in capsys.readouterr().out
    capsys.readouterr()
    both = ["plan", "--optimisation", "wider", "--name", "w", "--url", serving.url]
    assert main(both) == 1
    assert "leave out --name" in capsys.readouterr().err
    assert main(["plan", "--optimisation", "wide", "--url", serving.url]) == 1
    assert "wide" in capsys.readouterr().err
