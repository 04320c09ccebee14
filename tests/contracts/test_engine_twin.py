"""A twin that somebody else's simulator moves lives as every other twin does.

The engine is a tank: what flows in each second less a share of what is in it. At rest the level is
inflow (1 - leak) / leak. The truth is another of its simulations, with a leak that nobody is told.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import pytest

import gemeos as gm
from gemeos.cli.main import main
from gemeos.clock import ReplayClock
from gemeos.engines.base import SupportsFork
from gemeos.engines.outcome import Told
from gemeos.engines.stepper import EngineStepper
from gemeos.ensemble.state import NEVER, Monitor, TwinState, Verdict
from gemeos.errors import EngineError, SchemaError, UnknownNameError
from gemeos.foresee.goal import Goal
from gemeos.foresee.search import Members
from gemeos.foresee.space import Candidate
from gemeos.link.base import Arrival
from gemeos.runtime.fleet import Fleet
from gemeos.runtime.host import Host
from gemeos.runtime.run import RunningSite
from gemeos.runtime.trial import Trial
from gemeos.runtime.twin import together
from gemeos.schema.reading import Quality, Reading, Readings, Series, SeriesBook
from gemeos.serve.client import connect
from gemeos.testing.played import Batch, PlayedLink
from gemeos.testing.served import served
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units.instant import SECOND
from tests.contracts.tank_engine import TankEngine

START: Final = 1_750_000_020 * SECOND
"""A whole minute."""
STEP: Final = 10 * SECOND
HIDDEN: Final = 0.02
INFLOW: Final = 0.02
NOISE: Final = 0.05
INSTANTS: Final = 40
PATIENCE_S: Final = 60.0


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    yield
    gc.collect()
    assert len(TankEngine.open_ones) == 0


def model(*, spread: float = 0.5, gust: float = 0.0, drift: float = 1e-4) -> gm.EngineModel:
    return gm.EngineModel(
        name="tank",
        opened=TankEngine,
        step="10 s",
        window="2 min",
        stride="1 min",
        params=[
            gm.EngineParam("leak", "1/s", gm.lognormal(0.01, spread), sets="leak", drift=drift)
        ],
        inputs=[gm.EngineInput("inflow", "m/s", sets="inflow", default=INFLOW)],
        controls=[gm.EngineControl("valve", sets="valve", choices=("open", "half", "shut"))],
        sensors=[
            gm.EngineSensor("gauge", "m", of="level", noise=NOISE),
            gm.EngineSensor("drained", "m", of="drained", counter=True, virtual=True),
        ],
        begins_with={"gust": gust},
    )


def tank(of: gm.EngineModel, *, members: int = 16, leads: Sequence[str] = ()) -> gm.Twin:
    return gm.Twin("tank", of, members=members, horizon="1 h", leads=leads).bind("l:g", to="gauge")


def reading(k: int, value: float, **more: object) -> Reading:
    return Reading(Series("l", "g"), START + k * STEP, value, **more)  # type: ignore[arg-type]


def log(instants: int = INSTANTS, *, leak: float = HIDDEN, seed: int = 3) -> list[Reading]:
    """What is read of the truth, which began where its twin will."""
    truth, rng = TankEngine(), np.random.default_rng(seed)
    truth.reset({}, 99, START - STEP)
    truth.set({"leak": leak})
    rows = []
    for k in range(instants):
        truth.advance(START + k * STEP)
        told = truth.get(["level"])
        assert isinstance(told, Told)
        rows.append(reading(k, float(told.value["level"]) + NOISE * float(rng.normal())))
    truth.close()
    return rows


@contextmanager
def fleet(twin: gm.Twin) -> Iterator[Fleet]:
    held = together([twin], horizon=twin.horizon)
    try:
        yield held
    finally:
        held.close()


def taken(of: Fleet, batches: Sequence[Sequence[Reading]]) -> TwinState:
    book = SeriesBook()
    for batch in batches:
        of.take(Readings.of(list(batch), book), book)
    return of.state("tank")


@contextmanager
def running(
    twin: gm.Twin, rows: Sequence[Reading], store: Path | None = None
) -> Iterator[RunningSite]:
    link = PlayedLink("l", [Batch([row], row.valid_at) for row in rows])
    clock = gm.Replay(START, 1.0, "made for a test")
    site = gm.Site(
        "s", twins=(twin,), links=(link,), clock=clock, store=store, keyframes_every=60 * SECOND
    )
    with gm.run(site) as live:
        assert link.played.wait(PATIENCE_S)
        assert live.caught_up(PATIENCE_S)
        yield live


def level_after(seconds: int, level: float, leak: float, inflow: float = INFLOW) -> float:
    """The engine's recursion l' = (l + inflow) (1 - leak), solved."""
    rest = inflow * (1 - leak) / leak
    return rest + (level - rest) * (1 - leak) ** seconds


def test_that_a_hidden_parameter_is_found_and_what_follows_is_foreseen() -> None:
    with running(tank(model()), log(), None) as site:
        now = site["tank"].now()
        leak = now["leak"]
        # It was believed to be half as large, within a factor of e^(1/2).
        assert abs(float(leak.mean[-1]) - HIDDEN) < 3 * float(leak.sd[-1])
        assert float(leak.sd[-1]) < 0.1 * HIDDEN
        level = level_after(INSTANTS * 10, 2.0, HIDDEN)
        assert float(now["gauge"].mean[-1]) == pytest.approx(level, abs=0.03)
        ahead = site["tank"].forecast("5 min", every="1 min")
        assert ahead["gauge"].mean[-1] == pytest.approx(
            level_after(INSTANTS * 10 + 300, 2.0, HIDDEN), abs=0.03
        )
        # Each second a share of what is in it leaves: in ten seconds at rest what came in.
        assert ahead["drained"].mean[-1] == pytest.approx(10 * INFLOW, abs=0.01)
        past = site["tank"].at("2025-06-15T15:10:20Z")
        assert past["leak"].sd[-1] > now["leak"].sd[-1]
        assert site["tank"].trust().failed_members == 0


@pytest.mark.parametrize("seed", [1, 2])
def test_that_a_permuted_log_with_corrections_ends_in_the_equal_state(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = log(25)
    rows += [replace(rows[i], value=rows[i].value + 1.0, revision=2) for i in (4, 11, 17)]
    rows += [replace(rows[11], value=math.nan, revision=3, quality=Quality.RETRACTED)]
    in_order = sorted(rows, key=lambda r: (r.valid_at, r.revision))
    with fleet(tank(model(gust=0.01), members=8, leads=("1 min",))) as one:
        want = taken(one, [in_order])
    mixed = [rows[i] for i in rng.permutation(len(rows))]
    with fleet(tank(model(gust=0.01), members=8, leads=("1 min",))) as other:
        got = taken(other, [mixed[i : i + 6] for i in range(0, len(mixed), 6)])
    assert got.digest() == want.digest()


def test_that_a_silence_longer_than_the_window_is_gone_through() -> None:
    rows = [row for row in log(60) if not 12 <= (row.valid_at - START) // STEP < 48]
    with fleet(tank(model())) as of:
        state = taken(of, [[row] for row in rows])
        told = of.cycle.stepper.told(state, of.crew)
    assert float(told[0, 0].mean()) == pytest.approx(HIDDEN, rel=0.1)
    with fleet(tank(model())) as of:
        assert taken(of, [rows[30:], rows[:10], rows[10:30]]).digest() == state.digest()


def test_that_a_state_goes_through_bytes_and_goes_on_equally() -> None:
    rows = log(30)
    with fleet(tank(model(gust=0.01), members=8)) as of:
        half = taken(of, [rows[:20]])
        whole = taken(of, [rows])
    again = TwinState.from_bytes(half.to_bytes())
    assert again.digest() == half.digest()
    with fleet(tank(model(gust=0.01), members=8)) as other:
        other.restore(["tank"], again)
        assert taken(other, [rows]).digest() == whole.digest()


def test_that_a_restart_leads_to_the_same_state(tmp_path: Path) -> None:
    rows = log()
    short = tank(model(gust=0.01), members=8)
    short.horizon = 60 * SECOND
    store = tmp_path / "s.duckdb"
    with running(short, rows, store) as site:
        want = site.host.snapshot("tank").digest()
        boundary = site.host.fleet("tank").boundary("tank")
        assert boundary is not None
        assert boundary > START
    with running(short, (), store) as site:
        assert site.host.snapshot("tank").digest() == want
        # It began at the keyframe, so with simulations out of bytes, and went on from there.
        assert site.host.fleet("tank").boundary("tank") == boundary


def test_that_kill_9_loses_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    lived = subprocess.run(
        [sys.executable, "-c", KILLED, str(store)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert lived.returncode == -signal.SIGKILL, lived.stderr
    again = tank(model(gust=0.01), members=8)
    again.horizon = 60 * SECOND
    with running(again, (), store) as site:
        assert site.host.snapshot("tank").digest() == lived.stdout.strip()


KILLED: Final = """
import os, signal, sys
from pathlib import Path
from tests.contracts.test_engine_twin import SECOND, log, model, running, tank

twin = tank(model(gust=0.01), members=8)
twin.horizon = 60 * SECOND
with running(twin, log(25), Path(sys.argv[1])) as site:
    print(site.host.snapshot("tank").digest(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_that_what_came_too_late_is_healed() -> None:
    rows = log(30)
    late = rows[8:12]

    def host_of() -> Host:
        twin = tank(model(gust=0.01), members=8)
        twin.horizon = 60 * SECOND
        clock = gm.Replay(START, 1.0, "a test's own time")
        link = gm.HttpLink(name="l")
        site = gm.Site("s", twins=(twin,), links=(link,), clock=clock, keyframes_every=60 * SECOND)
        host = Host(site, MemoryTimeline())
        host.resume()
        return host

    def take(host: Host, some: list[Reading]) -> None:
        assert isinstance(host.clock, ReplayClock)
        host.clock.follow(some[-1].valid_at)
        arrival = Arrival(Readings.of(some, host.timeline.book))
        host._assimilate(arrival.readings, host._store(arrival))
        (lane,) = host._beside
        while not lane.is_idle:
            lane.turn()

    host, calm = host_of(), host_of()
    for row in rows:
        take(calm, [row])
        if row not in late:
            take(host, [row])
    take(host, late)
    assert host.snapshot("tank").digest() != calm.snapshot("tank").digest()
    asyncio.run(host._beside[0].heal(lambda _: None))
    assert host.snapshot("tank").digest() == calm.snapshot("tank").digest()
    host.close()
    calm.close()


def test_that_it_is_asked_what_it_would_have_warned_of() -> None:
    with running(tank(model(), members=8), log(40)) as site:
        told = site["tank"].hindcast(
            "gauge < 1.05 m", within="1 min", every="20 s", since=START, until=START + 39 * STEP
        )
        # From 2 m it falls below 1.05 m in the third minute, and stays there; by then it is known
        # how fast it falls.
        assert (told.hits, told.misses) == (1, 0)


def test_that_a_scenario_is_paired_with_doing_nothing() -> None:
    with running(tank(model(gust=0.02)), log()) as site:
        shut = site["tank"].scenario("shut", valve="2", until="2 min", every="1 min")
        nothing = site["tank"].forecast("2 min", every="1 min", raw=True)
        gain = site["tank"].compare("shut", on="gauge")
        # The gusts are the same on both sides and cancel: what came in is missing, and nothing
        # else. Where each member's leak is nearly the same, so is the difference.
        missing = level_after(120, 0.0, HIDDEN)
        assert float(gain.mean[-1]) == pytest.approx(-missing, rel=0.1)
        apart = float(nothing["gauge"].sd[-1])
        assert float((shut["gauge"].members - nothing["gauge"].members)[-1].std()) < 0.5 * apart
        # And a fork in which nothing is changed is the twin itself.
        same = site["tank"].scenario("same", until="2 min", every="1 min")
        assert (same["gauge"].members == nothing["gauge"].members).all()
        assert site["tank"].now()["valve"].mean[-1] == 0.0


def test_that_simulations_that_break_in_a_scenario_are_left_out_on_both_sides() -> None:
    with running(tank(model(), members=16), log(12)) as site:
        leaks = site["tank"].now()["leak"].members[-1]
        # It breaks above 0.5: about half of the members, and it is known which.
        wild = float(0.5 / np.median(leaks))
        broken = int((leaks * wild > 0.5).sum())
        assert 4 <= broken <= 12
        site["tank"].scenario("wild", leak=f"times {wild}", until="1 min", every="1 min")
        record = site["tank"].scenarios.record("wild")
        assert (record.ran, record.failed) == (16, broken)
        told = site["tank"].compare("wild", on="gauge")
        assert told.difference.members.shape[-1] == 16 - broken
        assert np.isfinite(told.difference.members).all()
        # The twin itself notices nothing of it.
        assert site["tank"].trust().failed_members == 0


def test_that_each_simulation_waits_for_its_own_condition() -> None:
    with running(tank(model(gust=0.02), members=16), log()) as site:
        twin = site["tank"]
        ahead = twin.forecast("4 min", every="10 s", raw=True)["gauge"].members
        nothing = np.concatenate([twin.now()["gauge"].members[-1:], ahead])
        highest = nothing.max(axis=0)
        limit = float(np.median(highest))
        words = f"2 when gauge > {limit} m"
        later = twin.scenario("later", valve=words, until="4 min", every="10 s")
        told = later["gauge"].members
        # Where it never came to that nothing has changed; where it did, it has from then on.
        calm, early = highest < limit, (nothing[:12] > limit).any(axis=0)
        assert calm.sum() >= 4
        assert early.sum() >= 2
        assert (told[:, calm] == ahead[:, calm]).all()
        assert (told[-1, early] < ahead[-1, early]).all()
        for member in np.flatnonzero(early):
            first = int(np.argmax(nothing[:, member] > limit))
            assert (told[:first, member] == ahead[:first, member]).all()


def test_that_a_simulation_is_forked_where_it_was_with_what_was_known_then() -> None:
    rows = log(40)
    with running(tank(model(), members=16), rows) as site:
        then = START + 20 * STEP
        past = site["tank"].scenario(
            "then", valve="2", at=then, known_by=then, until="1 min", every="1 min"
        )
        record = site["tank"].scenarios.record("then")
        assert record.forked_at == then
        nothing = site["tank"].compare("then", on="gauge").before
        # What came a minute later lies where it was expected, known or not.
        came = next(r.value for r in rows if r.valid_at == then + 6 * STEP)
        low, high = nothing["gauge"].interval(0.99)
        assert low[-1] - 3 * NOISE < came < high[-1] + 3 * NOISE
        assert float(past["gauge"].mean[-1]) < float(nothing["gauge"].mean[-1])


def test_that_more_members_than_the_twin_has_are_others() -> None:
    with running(tank(model(gust=0.02), members=8), log(20)) as site:
        told = site["tank"].scenario("wide", until="1 min", every="1 min", members=24)
        last = told["gauge"].members[-1]
        assert len(last) == 24
        assert len(np.unique(last)) == 24


def test_that_a_choice_is_shown_on_the_page_by_its_text() -> None:
    link = PlayedLink("l", [Batch([row], row.valid_at) for row in log(6)])
    clock = gm.Replay(START, 1.0, "made for a test")
    twin = gm.Twin("tank", model(), members=16, show=("valve",)).bind("l:g", to="gauge")
    with served(gm.Site("s", (twin,), (link,), clock=clock)) as serving:
        ends, told = time.monotonic() + PATIENCE_S, ""
        while ">open</td>" not in told and time.monotonic() < ends:
            time.sleep(0.05)
            told = httpx.get(f"{serving.url}/twins/tank", trust_env=False, timeout=20).text
    # By default the control is its first choice.
    assert ">open</td>" in told


def test_that_the_valve_that_keeps_the_level_up_is_found() -> None:
    with running(tank(model(), members=32), log()) as site:
        found = site["tank"].optimise(
            over={"valve": ["0", "1", "2"]},
            until="2 min",
            every="1 min",
            minimise="last(abs(gauge - 0.5 m))",
            budget="60 runs",
        )
        assert found.winner is not None
        # Half open it comes to rest at half of 0.98 m.
        assert found.winner["valve"] == "half"
        assert found.is_recommended


def test_that_a_search_of_simulations_keeps_to_its_time_and_is_judged() -> None:
    with running(tank(model(), members=16), log()) as site:
        found = site["tank"].optimise(
            over={"valve": ["0", "1", "2"]},
            until="2 min",
            every="1 min",
            minimise="last(abs(gauge - 0.5 m))",
            budget="4 s",
        )
        # One run that was begun may end late.
        assert found.took < 6 * SECOND
        assert found.fresh >= 8
        assert found.gains
        assert found.gains[0].members == 8
        assert found.gains[0].low is not None
        assert {tried.runs % 2 for tried in found.candidates} == {0}


def test_that_what_a_member_gives_does_not_depend_on_how_many_are_asked() -> None:
    with fleet(tank(model(gust=0.02), members=16)) as of:
        for row in log(4):
            taken(of, [[row]])
        goal = Goal.of({"gauge": "m"}, minimise="mean(last(gauge))")
        trial = Trial(of, "tank", of.state("tank"), goal, until=12, every=6, at=lambda: None)
        shut = Candidate.of({"valve": 2.0})
        assert (trial.block, trial.origins) == (2, 8)
        for fresh in (False, True):
            whole = trial.evaluate([shut], Members(0, 18, fresh=fresh)).parts
            assert len(np.unique(whole)) == 18
            for first, count in ((0, 2), (6, 4), (16, 2)):
                some = trial.evaluate([shut], Members(first, count, fresh=fresh)).parts
                np.testing.assert_array_equal(some, whole[:, :, first : first + count])


def test_that_it_is_asked_over_http_and_the_command_line_as_every_twin_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    link = PlayedLink("l", [Batch(log(20), START + 19 * STEP)])
    clock = gm.Replay(START, 1.0, "made for a test")
    site = gm.Site("s", twins=(tank(model(), members=8),), links=(link,), clock=clock)
    with served(site) as serving, connect(serving.url) as connection:
        assert link.played.wait(PATIENCE_S)
        assert serving.host.wait(PATIENCE_S)
        twin = connection["tank"]
        assert float(twin.now()["leak"].mean[-1]) == pytest.approx(HIDDEN, rel=0.3)
        assert twin.trust().assimilated == 20
        shut = twin.scenario("shut", valve="2", until="1 min", every="1 min")
        assert (shut["inflow"].members == np.float32(INFLOW)).all()
        assert float(twin.compare("shut", on="drained").mean[-1]) < -0.01
        url = ["--url", serving.url]
        assert main(["forecast", "1 min", *url]) == 0
        assert "gauge" in capsys.readouterr().out
        assert main(["trust", "tank", *url]) == 0
        assert "l/g" in capsys.readouterr().out


def test_that_members_that_fail_are_told_and_replaced() -> None:
    with fleet(tank(model(spread=3.0), members=24)) as of:
        state = taken(of, [[row] for row in log(12)])
        told = of.cycle.stepper.told(state, of.crew)
    # P(leak > 0.5 | median 0.01, sigma 3) = P(z > 1.3) = 10 %: two of 24 burst at the start.
    assert 1 <= int(state.failed[0]) <= 12
    assert np.isfinite(told).all()


def test_that_a_biased_sensor_is_told_from_the_model() -> None:
    twin = tank(model(), members=24).bind("l:h", to="gauge").bind("l:i", to="gauge")
    rng = np.random.default_rng(8)
    rows = log(80)
    rows += [
        Reading(Series("l", name), row.valid_at, value)
        for k, row in enumerate(list(rows))
        for name, value in (
            ("h", row.value + NOISE * float(rng.normal())),
            ("i", row.value + NOISE * float(rng.normal()) + (1.0 if k > 20 else 0.0)),
        )
    ]
    with fleet(twin) as of:
        state = taken(of, [rows])
        verdicts = of.monitors("tank")[:, Monitor.VERDICT]
        told = of.cycle.stepper.told(state, of.crew)
    assert verdicts.tolist() == [Verdict.SOUND, Verdict.SOUND, Verdict.BIASED]
    assert float(told[0, 0].mean()) == pytest.approx(HIDDEN, rel=0.15)


def test_that_its_forecasts_are_scored() -> None:
    with running(tank(model(), leads=("30 s", "1 min")), log(60)) as site:
        scores = {s.lead: s for s in site["tank"].trust().scores}
        assert set(scores) == {30 * SECOND, 60 * SECOND}
        assert all(s.count > 10 for s in scores.values())


def test_that_processes_are_bounded_and_end_with_the_site() -> None:
    of = replace(model(), most_processes=20)
    with running(tank(of, members=8), log(30)) as site:
        site["tank"].scenario("wide", until="2 min", every="10 s", members=40)
        assert of.processes <= 20
        assert len(TankEngine.open_ones) <= 20 + 2
    assert of.processes == 0
    # What is held of it can still be asked for: it is begun anew.
    assert site.host.fleet("tank").state("tank").born[0] != NEVER


@pytest.mark.parametrize("same", [True, False], ids=["same engine", "other files"])
def test_that_another_model_goes_on_from_simulations_of_the_same_engine(
    tmp_path: Path, same: bool
) -> None:
    store = tmp_path / "s.duckdb"
    first = tank(model(), members=8)
    first.horizon = 60 * SECOND
    rows = log(30)
    with running(first, rows, store):
        pass
    (tmp_path / "pipes").write_text("of lead")
    files = [] if same else [tmp_path / "pipes"]
    second = tank(replace(model(), stride="2 min", files=files), members=12)
    second.horizon = 60 * SECOND
    with running(second, (), store) as site:
        # The leak is carried over by its name; the water in the tank is the engine's alone.
        (told,) = site.host.timeline.events(kind="model_changed")
        assert told.body["kept"] == "leak"
        assert told.body["dropped"] == ("" if same else "its simulations, which begin anew")
        now = site["tank"].now()
        assert float(now["leak"].mean[-1]) == pytest.approx(HIDDEN, rel=0.15 if same else 0.5)
        level = level_after(300, 2.0, HIDDEN)
        # Begun anew a minute before, it would still be above 1.2 m.
        assert not same or float(now["gauge"].mean[-1]) == pytest.approx(level, abs=0.1)


def test_that_a_declaration_that_does_not_fit_is_refused_with_the_nearest() -> None:
    with pytest.raises(SchemaError, match="whole number of strides"):
        replace(model(), window="90 s")
    with pytest.raises(SchemaError, match="whole number of steps"):
        replace(model(), stride="15 s")
    with pytest.raises(SchemaError, match="a param to be found"):
        replace(model(), params=[])
    wrong = replace(model(), params=[gm.EngineParam("leak", "1/s", gm.lognormal(1, 1), sets="lek")])
    with pytest.raises(UnknownNameError, match="'leak'"):
        wrong.cycle()
    fixed = replace(
        model(), params=[gm.EngineParam("gust", "m/s", gm.lognormal(1, 1), sets="gust")]
    )
    with pytest.raises(SchemaError, match="cannot be set once it runs"):
        fixed.cycle()
    text = replace(model(), controls=[gm.EngineControl("valve", sets="valve", bounds=(0, 1))])
    with pytest.raises(SchemaError, match="give valve its choices"):
        text.cycle()
    for each in (wrong, fixed, text):
        each.close()


def test_that_an_engine_that_cannot_be_opened_says_why() -> None:
    def broken() -> SupportsFork:
        raise EngineError("tank", "no water")

    with pytest.raises(EngineError, match="no water"):
        replace(model(), opened=broken).cycle()


def test_that_where_an_engine_has_nothing_to_read_a_member_still_tells_something() -> None:
    of = dataclasses.replace(
        model(),
        sensors=[
            gm.EngineSensor("gauge", "m", of="level", noise=NOISE),
            gm.EngineSensor("drained", "m", of="drained", absent=(0.0, -7.0), virtual=True),
        ],
        controls=[gm.EngineControl("valve", sets="valve", choices=("open", "half", "shut"))],
        params=[
            gm.EngineParam("leak", "1/s", gm.normal(0.0, 1e-9), sets="leak", bounds=(0.0, 1.0))
        ],
    )
    stepper = of.cycle().stepper
    assert isinstance(stepper, EngineStepper)
    wiring = stepper.wiring
    told = np.array([[1.5, 0.0], [1.5, 2.0]])
    of.close()
    assert wiring.outputs(told).tolist() == [[1.5, -7.0], [1.5, 2.0]]
    assert told.tolist() == [[1.5, 0.0], [1.5, 2.0]]


def test_that_what_an_engine_is_begun_with_may_hang_upon_the_moment() -> None:
    seen: list[int] = []

    def gust(at: int) -> dict[str, float]:
        seen.append(at)
        return {"gust": 0.0}

    with fleet(tank(dataclasses.replace(model(), begins_at=gust))) as held:
        taken(held, [log(3)])
    # Once for the declaration, at no moment, and once where the twin was born: a step before.
    assert {0, START - STEP} <= set(seen)
