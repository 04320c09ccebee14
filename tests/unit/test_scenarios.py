"""Scenarios as they are kept: made again bit for bit, within budgets, whatever ended the site."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import gemeos as gm
from gemeos.ensemble.compare import compare
from gemeos.errors import (
    BusyError,
    GemeosError,
    InputError,
    NotReadyError,
    OutOfReachError,
    StoppedError,
    TimelineError,
    UnknownNameError,
)
from gemeos.runtime import scenarios as rules
from gemeos.runtime.run import RunningSite
from gemeos.runtime.scenario import KIND, Progress, ScenarioRecord
from gemeos.runtime.shelf import Shelf
from gemeos.runtime.twin import DEFAULT_MEMBERS
from gemeos.schema.reading import Reading, Series
from gemeos.testing.played import Batch, PlayedLink
from gemeos.timeline.base import Record
from gemeos.units.instant import SECOND

START = 1_750_000_000 * SECOND
PATIENCE_S = 60.0


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01)
    leak: float = gm.param("1/s", gm.lognormal(0.01, 0.3))
    inflow: float = gm.input("m/s", default=0.02)
    valve: float = gm.control("1", bounds=(0, 1), default=1.0)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + dt * (self.inflow * self.valve - self.leak * self.level))

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


@gm.model(dt="1 s")
class Leaner:
    """The same tank by another's formula."""

    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.01)
    leak: float = gm.param("1/s", gm.lognormal(0.01, 0.3))
    inflow: float = gm.input("m/s", default=0.02)
    valve: float = gm.control("1", bounds=(0, 1), default=1.0)

    def step(self, dt: float) -> Leaner:
        fed = self.inflow * math.sqrt(self.valve)
        return Leaner(level=self.level + dt * (fed - self.leak * self.level))

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level


@contextmanager
def running(
    store: Path | None = None, model: type = Tank, members: int = DEFAULT_MEMBERS
) -> Iterator[RunningSite]:
    twin = gm.Twin("tank", model, members=members).bind("l:g", to="gauge")
    rows = [Reading(Series("l", "g"), START + s * SECOND, 2.0) for s in range(50)]
    link = PlayedLink("l", [Batch(rows, START + 49 * SECOND)])
    clock = gm.Replay(START, 1.0, "made for a test")
    with gm.run(gm.Site("s", twins=(twin,), links=(link,), clock=clock, store=store)) as site:
        assert link.played.wait(PATIENCE_S)
        yield site


def test_that_a_scenario_is_made_again_bit_for_bit_after_a_restart(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    with running(store) as site:
        first = site["tank"].scenario(
            "shut",
            {"valve": "ramp to 0 over 1 min when level > 1.9 m"},
            until="10 min",
            members=300,
        )
        record = site["tank"].scenarios.record("shut")
    with running(store) as site:
        again = site["tank"].scenarios.estimate("shut")
        assert again.values.tobytes() == first.values.tobytes()
        assert (again.kind, again.provenance) == (first.kind, first.provenance)
        assert site["tank"].scenarios.record("shut") == record
        # And what it is compared with is what it would have been compared with then.
        assert site["tank"].compare("shut", on="level").mean[-1] < -0.5


def test_that_one_that_comes_out_otherwise_is_told_instead_of_shown(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    with running(store) as site:
        site["tank"].scenario("shut", valve="0", until="10 min")
    with running(store) as site:
        shelf = Shelf(site.host, KIND, ScenarioRecord)
        found, state = shelf.found("tank", "shut")
        shelf.put(replace(found, digest="0" * 32), state)
        with pytest.raises(OutOfReachError, match="came out otherwise"):
            site["tank"].scenarios.estimate("shut")


def test_that_another_model_does_not_make_an_old_scenario(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    with running(store) as site:
        site["tank"].scenario("shut", valve="0", until="10 min")
    with running(store, Leaner) as site:
        with pytest.raises(OutOfReachError, match="was made by model"):
            site["tank"].scenarios.estimate("shut")
        assert site["tank"].scenarios.record("shut").progress is Progress.DONE


def test_that_one_that_the_site_stopped_under_is_run_when_it_is_asked_for(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    with running(store) as site:
        site["tank"].scenarios.begin("long", until="60 d", every="1 d", members=20_000)
        site["tank"].scenarios.begin("next", {"valve": "0"}, until="10 min")
    with running(store) as site:
        states = {r.name: r.progress for r in site["tank"].scenarios.all()}
        assert states == {"long": Progress.INTERRUPTED, "next": Progress.INTERRUPTED}
        told = site["tank"].scenarios.estimate("next")
        assert site["tank"].scenarios.record("next").progress is Progress.DONE
        fresh = site["tank"].scenario("fresh", {"valve": "0"}, until="10 min")
        assert told.values.tobytes() == fresh.values.tobytes()


def test_that_the_first_members_do_not_depend_on_how_many_there_are() -> None:
    with running() as site:
        twin = site["tank"]
        many = twin.scenario("many", valve="0", until="5 min", members=1000)
        few = twin.scenario("few", valve="0", until="5 min", members=70)
        assert many.values[:, :, :70].tobytes() == few.values.tobytes()


def test_that_a_budget_of_time_ends_with_fewer_members_and_they_are_told() -> None:
    with running() as site:
        twin = site["tank"]
        twin.scenario("warm", until="1 h", every="1 h")
        twin.scenario("short", until="1 h", every="1 h", members=100_000, budget="0.3 s")
        record = twin.scenarios.record("short")
        assert record.progress is Progress.DONE
        assert 64 <= record.ran < 100_000
        assert record.ran % 64 == 0
        estimate = twin.scenarios.estimate("short")
        assert estimate.values.shape[2] == record.ran


def test_that_early_answers_are_the_members_that_are_through() -> None:
    with running() as site:
        whatifs = site["tank"].scenarios
        whatifs.begin("long", {"valve": "0"}, until="1 h", every="1 min", members=40_000)
        early = None
        while early is None:
            try:
                early = whatifs.estimate("long", early=True)
            except NotReadyError:
                time.sleep(0.01)
        size = early.values.shape[2]
        assert 64 <= size < 40_000
        whatifs.cancel("long")
        record = whatifs.record("long")
        whole = whatifs.estimate("long")
        assert whole.values.shape[2] == record.ran >= size
        assert whole.values[:, :, :size].tobytes() == early.values.tobytes()


def test_that_too_many_that_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_WAITING", 2)
    with running() as site:
        whatifs = site["tank"].scenarios
        for name in ("a", "b"):
            whatifs.begin(name, until="60 d", every="1 d", members=20_000)
        with pytest.raises(BusyError, match="2 scenarios are under way"):
            whatifs.begin("c", until="1 min")
        assert [r.name for r in whatifs.all()] == ["a", "b"]
        for name in ("b", "a"):
            assert whatifs.cancel(name).progress is Progress.CANCELLED


def test_that_a_scenario_in_which_all_members_fail_says_why() -> None:
    @gm.model(dt="1 s")
    class Brittle:
        x: float = gm.state("m", gm.normal(1.0, 0.1))
        load: float = gm.control("m", bounds=(-10, 10), default=0.0)

        def step(self, dt: float) -> Brittle:
            return Brittle(x=self.x + dt * (0.0 if self.load < 5 else self.load * 1e38 * 1e38))

        @gm.sensor("m", noise=0.5)
        def gauge(self) -> float:
            return self.x

    with running(model=Brittle) as site:
        twin = site["tank"]
        with pytest.raises(StoppedError, match="not a number"):
            twin.scenario("broken", load="9 m after 3 s", until="10 s")
        record = twin.scenarios.record("broken")
        assert record.progress is Progress.FAILED
        assert record.failed == 64
        assert twin.now()["x"].mean[0] == pytest.approx(2.0, abs=1.0)


def test_that_what_was_done_to_a_scenario_is_in_the_log_with_who_did_it() -> None:
    with running() as site:
        twin = site["tank"]
        twin.scenario("shut", valve="0", until="1 min")
        twin.scenarios.drop("shut")
        events = site.host.timeline.events(twin="tank")
        told = [(e.kind, e.actor, e.body["name"]) for e in events if e.kind.startswith("scenario")]
        assert told == [
            ("scenario_dropped", "program", "shut"),
            ("scenario_begun", "program", "shut"),
        ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"members": 1}, "2 to 100000 members"),
        ({"members": 100_000, "until": "1 h", "every": "1 s"}, "coarser 'every'"),
        ({"budget": "0 s"}, "budget of no time"),
        ({"known_by": "2025-06-15T15:08:00Z"}, "say at which moment"),
        ({"at": START + 3600 * SECOND}, "ask for a forecast"),
        ({"at": START - 3600 * SECOND}, "had no reading by"),
        ({"until": "30 d", "every": "1 s"}, "coarser 'every'"),
    ],
)
def test_that_what_cannot_be_asked_is_refused_with_what_could(
    asked: dict[str, object], told: str
) -> None:
    with running() as site, pytest.raises((InputError, OutOfReachError), match=told):
        site["tank"].scenarios.begin("x", **{"until": "1 min", **asked})  # type: ignore[arg-type]


def at_once(calls: Sequence[Callable[[], object]]) -> list[GemeosError | None]:
    """What each raised, all called at one time."""
    raised: list[GemeosError | None] = [None] * len(calls)
    start = threading.Barrier(len(calls))

    def call(place: int) -> None:
        start.wait(PATIENCE_S)
        try:
            calls[place]()
        except GemeosError as error:
            raised[place] = error

    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert not any(t.is_alive() for t in threads)
    return raised


def test_that_of_many_that_take_a_name_at_once_one_gets_it() -> None:
    with running() as site:
        whatifs = site["tank"].scenarios
        begins = [
            partial(whatifs.begin, "a", {"valve": f"{v / 8}"}, until="1 min") for v in range(8)
        ]
        raised = at_once(begins)
        assert raised.count(None) == 1
        assert sum("already" in str(e) for e in raised) == 7
        won = raised.index(None)
        assert whatifs.record("a").changes == {"valve": str(won / 8)}
        assert whatifs.estimate("a")["valve"].mean[-1] == won / 8


def test_that_many_who_replace_drop_and_ask_at_once_leave_the_last_one_or_none() -> None:
    with running() as site:
        whatifs = site["tank"].scenarios
        calls: list[Callable[[], object]] = [
            partial(whatifs.begin, "a", {"valve": f"{v / 8}"}, until="1 min", replacing=True)
            for v in range(6)
        ]
        calls += [lambda: whatifs.drop("a"), lambda: whatifs.cancel("a")]
        calls += [lambda: whatifs.estimate("a", wait_s=PATIENCE_S)] * 3
        for error in at_once(calls):
            assert error is None or isinstance(
                error, UnknownNameError | StoppedError | NotReadyError
            ), error
        if whatifs.all():
            told = whatifs.record("a").changes["valve"]
            if whatifs.record("a").progress is not Progress.CANCELLED:
                assert whatifs.estimate("a")["valve"].mean[-1] == float(told)


@contextmanager
def held_up(site: RunningSite) -> Iterator[None]:
    """Something else has its turn for longer than anybody waits."""
    over = threading.Event()
    work = site.host.compute.background(partial(over.wait, PATIENCE_S))
    try:
        yield
    finally:
        over.set()
        work.result(PATIENCE_S)


def test_that_asking_again_and_again_for_one_answer_queues_it_once() -> None:
    with running() as site:
        whatifs = site["tank"].scenarios
        whatifs.begin("shut", {"valve": "0"}, until="1 min")
        whatifs.estimate("shut")
        with held_up(site):
            for _ in range(20):
                with pytest.raises(NotReadyError, match="made again"):
                    whatifs.compare("shut", on="level", wait_s=0.001)
            assert site.host.scenarios.waiting == 1
        assert whatifs.compare("shut", on="level").mean[-1] < 0


def test_that_answers_that_are_made_again_wait_in_the_same_bounded_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "MOST_WAITING", 1)
    with running() as site:
        whatifs = site["tank"].scenarios
        for name in ("a", "b"):
            whatifs.begin(name, {"valve": "0"}, until=f"{1 + (name == 'b')} min")
            whatifs.estimate(name)
        with held_up(site):
            with pytest.raises(NotReadyError):
                whatifs.compare("a", on="level", wait_s=0.001)
            with pytest.raises(BusyError):
                whatifs.compare("b", on="level", wait_s=0.001)


@pytest.mark.parametrize("end", ["drop", "cancel"])
def test_that_one_that_is_ended_while_it_is_made_again_says_so(tmp_path: Path, end: str) -> None:
    store = tmp_path / "s.duckdb"
    with running(store) as site:
        site["tank"].scenario("shut", {"valve": "0"}, until="1 min")
    with running(store) as site:
        whatifs = site["tank"].scenarios
        with held_up(site):
            with pytest.raises(NotReadyError):
                whatifs.estimate("shut", wait_s=0.001)
            ask = threading.Timer(0.3, getattr(whatifs, end), ("shut",))
            ask.start()
            kept = site.host.scenarios
            record, state = kept._found("tank", "shut")
            with pytest.raises(StoppedError, match="was ended before it was made again"):
                kept._values(record, state, PATIENCE_S)
            ask.join(PATIENCE_S)
            assert not ask.is_alive()
        if end == "cancel":
            assert whatifs.record("shut").progress is Progress.DONE
            assert whatifs.estimate("shut")["level"].mean[-1] < 2.0


def test_that_nothing_is_begun_that_would_keep_a_site_from_stopping() -> None:
    with running() as site:
        whatifs = site["tank"].scenarios
        site.host.scenarios.close()
        with pytest.raises(StoppedError, match="The site stops"):
            whatifs.begin("long", until="1 min")
        assert whatifs.record("long").progress is Progress.INTERRUPTED


@pytest.mark.parametrize(
    "name", ["a\x00b", "\x1b[2J", "..", ".", "\ud800", "a\u202eb", "a\tb", "", "x" * 101]
)
def test_that_a_name_can_be_printed_and_sent(name: str) -> None:
    with running() as site, pytest.raises(InputError, match="cannot name a scenario") as told:
        site["tank"].scenarios.begin(name, until="1 min")
    assert str(told.value).isprintable()
    with running() as site:
        assert site["tank"].scenarios.begin("태풍-200", until="1 min").name == "태풍-200"


@gm.model(dt="1 s")
class Brittle:
    """Breaks under load in members whose flaw is large."""

    x: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.01)
    flaw: float = gm.state("m", gm.normal(0.0, 1.0))
    load: float = gm.control("m/s", bounds=(0, 10), default=0.0)

    def step(self, dt: float) -> Brittle:
        breaks = self.load > 5 and self.flaw > 0.5
        push = self.load * 1e38 * 1e38 if breaks else self.load
        return Brittle(x=self.x - dt * push, flaw=self.flaw)

    @gm.sensor("m", noise=5.0)
    def gauge(self) -> float:
        return self.x


def test_that_members_that_fail_are_left_out_counted_and_paired_with_nothing() -> None:
    with running(model=Brittle) as site:
        twin = site["tank"]
        whole = twin.scenario("nothing", until="5 s", every="1 s", members=256)
        told = twin.scenario("load", load="9 m/s", until="5 s", every="1 s", members=256)
        breaking = whole["flaw"].members[0] > 0.5
        assert breaking.any()
        assert told.provenance.left_out == tuple(np.flatnonzero(breaking))
        assert twin.scenarios.record("load").failed == breaking.sum()
        assert (told["flaw"].members <= 0.5).all()
        # The noise is the same: those that are left have gone 9 m further each second, exactly.
        for one in (twin.compare("load", on="x"), compare(whole, told, on="x")):
            assert one.difference.members.shape == (5, 256 - breaking.sum())
            assert one.mean == pytest.approx([-9, -18, -27, -36, -45], abs=1e-4)
            assert one.difference.sd == pytest.approx([0] * 5, abs=1e-4)


def test_that_a_plan_under_which_members_break_is_not_recommended() -> None:
    with running(model=Brittle) as site:
        found = site["tank"].optimise(
            over={"load": "0 m/s, 9 m/s"}, until="5 s", minimise="mean(last(x))", budget="20 runs"
        )
        assert not found.is_recommended
        assert "More of its members fail." in found.reasons


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"subject_to": "P(x > 1 m) < 1e-12"}, "members, and 200000 are run at most"),
        ({"minimise": "cvar(0.999999, last(x))"}, "members, and 200000 are run at most"),
        ({"until": "100 years"}, "shorter reach"),
    ],
)
def test_that_a_search_that_would_not_end_is_refused(asked: dict[str, str], told: str) -> None:
    question = {"until": "5 s", "minimise": "mean(last(x))", "budget": "50 runs", **asked}
    with running(model=Brittle) as site, pytest.raises(InputError, match=told):
        site["tank"].optimisations.begin("a", {"load": "0 m/s .. 9 m/s"}, **question)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("members", "minimise", "needs"),
    [(15, "mean(last(level))", 16), (64, "quantile(0.95, last(level))", 200)],
)
def test_that_a_twin_with_too_few_members_for_advice_is_told_before_the_search(
    members: int, minimise: str, needs: int
) -> None:
    # Half of them judge: eight for a mean, and five of a hundred beyond a 95th percentile.
    with running(members=members) as site:
        with pytest.raises(InputError) as refused:
            site["tank"].optimisations.begin(
                "a", {"valve": "0, 1"}, until="1 min", minimise=minimise, budget="20 runs"
            )
        told = str(refused.value)
        assert f"tank has {members} members" in told
        assert f"fewer than {needs}" in told
        assert "[twin.tank]" in told
        assert site["tank"].optimisations.all() == []


def test_that_sixteen_members_are_enough_for_advice() -> None:
    with running(members=16) as site:
        found = site["tank"].optimise(
            over={"valve": "0, 1"}, until="1 min", minimise="mean(last(level))", budget="20 runs"
        )
        assert found.gains[0].members == 8
        # Shut, nothing flows in, so that the level is lower beyond doubt.
        assert found.is_recommended


def test_that_what_came_of_a_search_is_told_where_the_store_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running() as site:
        timeline, put = site.host.timeline, site.host.timeline.put_record

        def only_beginnings(record: Record) -> None:
            if b"waiting" not in record.body:
                raise TimelineError("No room is left.")
            put(record)

        monkeypatch.setattr(timeline, "put_record", only_beginnings)
        found = site["tank"].optimise(
            over={"valve": "0, 1"}, until="1 min", minimise="mean(last(level))", budget="20 runs"
        )
        assert found.progress is Progress.DONE
        assert found.is_recommended
        assert found.reason == "It could not be kept: No room is left."
        told = site["tank"].scenario("shut", valve="0", until="1 min")
        assert told["level"].mean[-1] < 2.0
        assert site["tank"].scenarios.record("shut").progress is Progress.DONE


def test_that_a_comparison_comes_to_whoever_asks_again_and_again() -> None:
    with running() as site:
        twin = site["tank"]
        twin.scenario("shut", {"valve": "0"}, until="10 min", every="1 min", members=5_000)
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                told = twin.scenarios.compare("shut", on="level", wait_s=0.001)
            except NotReadyError:
                assert time.monotonic() < end
                time.sleep(0.01)
                continue
            break
        assert told.difference.members.shape[1] == 5_000
