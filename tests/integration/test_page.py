"""The status pages: what is on them, for whom, safely, also without a script."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx
import numpy as np
import pytest
from typing_extensions import override

import gemeos as gm
from gemeos.act.undertaking import Stage
from gemeos.cli.main import main
from gemeos.ensemble.marginal import told as told_of
from gemeos.errors import GuardError
from gemeos.foresee.verdict import Advice
from gemeos.runtime.asked import HindcastQuestion, ScenarioQuestion, SearchQuestion
from gemeos.runtime.scenario import Progress
from gemeos.runtime.twin import Twin
from gemeos.schema.phase import Phase
from gemeos.schema.plan import Band, Gain, Promise
from gemeos.schema.role import Role
from gemeos.serve import page_plans, page_scenarios
from gemeos.serve.auth import TokenFile
from gemeos.serve.client import connect
from gemeos.serve.view import RENEW_MS, SOON_MS
from gemeos.testing.device import Device, DeviceLink
from gemeos.testing.served import Serving, served
from gemeos.testing.valve import PLACE, Tank, feed, made, over, until, valve_site, valve_twin
from gemeos.timeline.base import Event, ForecastRows
from gemeos.units.instant import SECOND

ELSEWHERE: Final = {"x-forwarded-for": "203.0.113.9"}
EVIL: Final = "<img/src=x>'\"&"
EMPTY: Final = frozenset({"meta", "link", "br", "img", "path", "rect", "circle"})
TAGS: Final = frozenset(
    {
        "a",
        "article",
        "b",
        "body",
        "br",
        "circle",
        "code",
        "dd",
        "defs",
        "desc",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "g",
        "h1",
        "h2",
        "h3",
        "h4",
        "head",
        "header",
        "html",
        "li",
        "link",
        "main",
        "meta",
        "nav",
        "p",
        "path",
        "pattern",
        "rect",
        "script",
        "section",
        "span",
        "svg",
        "table",
        "tbody",
        "td",
        "text",
        "th",
        "thead",
        "time",
        "title",
        "tr",
        "ul",
    }
)


@dataclass
class _Read(HTMLParser):
    """A page as a browser reads it."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """What is seen, in a line."""
        return " ".join("".join(f" {w}" for w in self.words).split())


def read(html: str) -> _Read:
    told = _Read()
    told.feed(html)
    told.close()
    assert told.open == []
    return told


def seen(client: httpx.Client, at: str, **headers: str) -> str:
    answer = client.get(at, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return read(answer.text).text


@dataclass(frozen=True)
class Plant:
    """The site, its device, and somebody on the machine who looks at it."""

    serving: Serving
    device: Device
    tokens: TokenFile
    client: httpx.Client


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    device = Device({PLACE: 1.0}, "m^3/s")
    tokens = TokenFile(Path(tmp_path_factory.mktemp("site")) / "tokens.json")
    twin = valve_twin(watch="1 s").watch("flood", "level > 1.5 m", within="2 s", likely=0.3)
    with (
        served(valve_site(twin, DeviceLink("plc", device)), tokens=tokens) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        until(lambda: device.cut is not None)
        feed(serving, count=60)
        yield Plant(serving, device, tokens, client)


@contextmanager
def fed(plant: Plant) -> Iterator[None]:
    """Readings come all the while, and the twin is in step: one that is blind advises nothing."""
    ends = threading.Event()

    def feeding() -> None:
        while not ends.wait(0.03):
            feed(plant.serving)

    thread = threading.Thread(target=feeding)
    thread.start()
    try:
        until(lambda: plant.serving.host.questions.trust("tank").phase is Phase.IN_STEP)
        yield
    finally:
        ends.set()
        thread.join()


def forked(plant: Plant, name: str, **changes: str) -> None:
    """A scenario that is through."""
    scenarios = plant.serving.host.scenarios
    told = changes or {"level": "3 m"}
    asked = ScenarioQuestion(name=name, changes=told, until="2 s", every="200 ms", replacing=True)
    scenarios.begin("tank", asked)
    assert scenarios.record("tank", name, wait_s=20).progress is Progress.DONE


def text_of(plant: Plant, at: str, wanted: str) -> str:
    """The page's text once ``wanted`` is on it."""
    ends = time.monotonic() + 15
    while wanted not in (told := seen(plant.client, at)) and time.monotonic() < ends:
        time.sleep(0.05)
    assert wanted in told
    return told


def promised(plant: Plant, name: str) -> None:
    """A plan with all that a plan can have."""
    now = plant.serving.host.clock.now()
    times = tuple(now + each * SECOND for each in range(1, 4))
    plan = made(
        plant.serving,
        name=name,
        cause="optimisation calm",
        bands=(Band("gauge", "m", 0.9, times, (1.5,) * 3, (2.5,) * 3),),
        nothing=(Band("gauge", "m", 0.9, times, (1.0,) * 3, (2.0,) * 3),),
        gain=Gain("mean(level)", "m", 0.5, 0.25, 0.75, 0.95),
        promise=Promise(
            "mean(level)",
            "maximise",
            2 * SECOND,
            SECOND,
            Gain("maximise mean(level)", "m", 0.4, 0.125, 0.875, 0.9),
            16,
        ),
        best=0.62,
        reasons=("it is better",),
        not_modelled=("the rain",),
        candidates=40,
    )
    plant.serving.host.plans.keep(plan, actor="kim", replacing=True)


def test_that_a_scenario_is_drawn_beside_doing_nothing_with_words_for_it(plant: Plant) -> None:
    forked(plant, "higher")
    at = "/twins/tank/scenarios/higher"
    told = text_of(plant, at, "90 % of differences within")
    html = read(plant.client.get(at).text)
    charts = [attrs for tag, attrs in html.tags if tag == "svg"]
    assert charts
    assert all(attrs["role"] == "img" for attrs in charts)
    ids = [attrs["id"] for _, attrs in html.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for attrs in charts:
        assert set((attrs["aria-labelledby"] or "").split()) <= set(ids)
    # What both bands and the difference come to stands in the table, too.
    compared = plant.serving.host.scenarios.compare("tank", "higher", on="gauge")
    mean, _, interval = told_of(compared.difference, -1)
    assert f"{mean} {interval.replace('..', 'to')}" in told
    # The level was 2 m, and nothing but luck moves it.
    assert float(mean) == pytest.approx(1.0, abs=0.2)
    assert "doing nothing" in told
    assert "level = 3" in told


def test_that_another_variable_can_be_asked_for_and_an_unknown_one_is_told(plant: Plant) -> None:
    forked(plant, "higher")
    at = "/twins/tank/scenarios/higher"
    told = text_of(plant, f"{at}?on=level", "level, m")
    assert "At the end moved doing nothing" in told
    # Only what was asked for is drawn.
    drawn = read(plant.client.get(f"{at}?on=level").text).tags
    assert sum(tag == "svg" for tag, _ in drawn) == 2
    refused = plant.client.get(f"{at}?on=nonsense")
    assert refused.status_code == 404
    assert "nonsense" in read(refused.text).text


def test_that_what_a_scenario_does_not_move_is_named_and_what_it_moves_comes_first(
    plant: Plant,
) -> None:
    # The valve moves nothing in this tank.
    forked(plant, "still", valve="0.5 m^3/s")
    told = text_of(plant, "/twins/tank/scenarios/still", "Not moved in any member (2): ")
    assert "moved doing nothing" not in told
    assert "gemeos plan --twin tank --scenario still" in told
    forked(plant, "higher")
    told = text_of(plant, "/twins/tank/scenarios/higher", "At the end moved")
    assert "Not moved" not in told
    assert "gemeos plan" not in told


def test_that_a_search_tells_its_advice_gain_and_last_moment(plant: Plant) -> None:
    searches = plant.serving.host.optimisations
    with fed(plant):
        searches.begin(
            "tank",
            SearchQuestion(
                name="calm",
                over={"valve": "0 m^3/s, 1 m^3/s, 2 m^3/s"},
                until="1 s",
                minimise="mean(level)",
                budget="60 runs",
                replacing=True,
            ),
        )
        record = searches.record("tank", "calm", wait_s=30)
    assert record.progress is Progress.DONE
    assert record.winner is not None
    told = seen(plant.client, "/twins/tank/optimisations/calm")
    # The valve moves nothing in this tank, so nothing is to be gained; a plan of another test may
    # be in force.
    advice = {Advice.NOTHING: "refused: do nothing", Advice.KEEP: "keep the present plan"}
    assert record.advice in advice
    assert advice[record.advice] in told
    assert record.reasons[0] in told
    assert "gemeos plan --twin tank --optimisation calm" in told
    assert "POST /api/twins/tank/optimisations/calm/plan" in told
    assert "mean(level)" in told
    assert f"calm {advice[record.advice]}" in seen(plant.client, "/twins/tank")


def test_that_a_plan_tells_promise_doubt_and_the_exact_words_to_decide_on_it(plant: Plant) -> None:
    promised(plant, "open")
    told = seen(plant.client, "/twins/tank/plans/open")
    assert "waits for approval" in told
    assert "0.4 m (90%: 0.125 to 0.875)" in told
    assert "0.5 m (95%: 0.25 to 0.75)" in told
    assert "62% of the finalists" in told
    assert "it is better" in told
    assert "Not modelled: the rain" in told
    assert "0 of 1 approvals are there" in told
    assert f"gemeos apply open --twin tank --approve --really --url {plant.serving.url}" in told
    assert "POST /api/twins/tank/plans/open/apply" in told
    assert "it should read 1.5 to 2.5 m with the plan, and 1 to 2 m if nothing is done" in told
    overview = seen(plant.client, "/")
    assert "waits for approval plan open tank" in overview


def test_that_a_plan_made_by_hand_is_not_said_to_be_recommended(plant: Plant) -> None:
    now = plant.serving.host.clock.now()
    by_hand = made(
        plant.serving,
        name="hand",
        cause="scenario higher",
        reasons=("made by hand",),
        bands=(Band("gauge", "m", 0.9, (now, now + SECOND), (1.5,) * 2, (2.5,) * 2),),
    )
    plant.serving.host.plans.keep(by_hand, actor="kim", replacing=True)
    told = seen(plant.client, "/twins/tank/plans/hand")
    assert "Because: made by hand" in told
    assert "Recommended" not in told


def test_that_the_command_line_on_the_page_is_understood(
    plant: Plant, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(plant.serving, count=5)
    promised(plant, "typed")
    told = seen(plant.client, "/twins/tank/plans/typed")
    words = re.search(r"gemeos (apply typed --twin tank --url \S+)", told)
    assert words
    assert main(words[1].split()) == 1
    assert "0 of 1 approvals are there" in capsys.readouterr().out
    approving = re.search(r"gemeos (approve typed --twin tank --url \S+)", told)
    assert approving
    main(approving[1].split())
    assert capsys.readouterr().out == "typed is approved by local.\n"
    assert "approved, not applied" in seen(plant.client, "/twins/tank/plans/typed")


def test_that_an_applied_plan_is_followed_into_the_ledger(plant: Plant) -> None:
    host = plant.serving.host

    def is_begun() -> bool:
        # Between tests nothing is heard of the tank, and a twin that is blind acts on nothing.
        feed(plant.serving)
        promised(plant, "followed")
        with suppress(GuardError):
            host.applying.apply(
                "tank", "followed", actor="ada", role=Role.APPROVER, approve=True, dry_run=False
            )
            return True
        return False

    until(is_begun)
    plan = host.plans.record("tank", "followed").plan
    at = f"/twins/tank/applied/{plan.id}"
    told = text_of(plant, at, "taken")
    assert "1.5 m^3/s" in told
    assert "gemeos apply followed --twin tank --give-up" in told
    assert over(plant.serving, plan).stage is Stage.KEPT
    # Another plan of that name does not hide what became of this one.
    promised(plant, "followed")
    assert "kept" in seen(plant.client, at)
    assert "waits for approval" in seen(plant.client, "/twins/tank/plans/followed")
    ledger = seen(plant.client, "/ledger")
    assert "followed tank" in ledger
    assert "0.4 m (90%: 0.125 to 0.875)" in ledger
    html = read(plant.client.get("/ledger").text)
    assert at in [attrs.get("href") for _, attrs in html.tags]


def test_that_an_alert_that_is_on_comes_first_with_its_own_record(plant: Plant) -> None:
    def is_on() -> bool:
        feed(plant.serving)
        return any(each.is_on for each in plant.serving.host.alerts.of("tank"))

    until(is_on)
    told = seen(plant.client, "/")
    assert "Waits for somebody what of told since alert flood tank level > 1.5 m" in told
    (standing,) = plant.serving.host.alerts.of("tank")
    assert f"{standing.misses} misses, {standing.false_alarms} false alarms" in told
    record = seen(plant.client, "/twins/tank")
    assert "hits misses false alarms median lead" in record
    assert "flood on" in record


def test_that_a_hindcast_tells_hits_misses_and_false_alarms(plant: Plant) -> None:
    hindcasts, clock = plant.serving.host.hindcasts, plant.serving.host.clock
    feed(plant.serving, count=5)
    # Where it begins something must have been known already.
    known_at = clock.now()
    until(lambda: clock.now() > known_at + 2 * SECOND)
    now = clock.now()
    hindcasts.begin(
        "tank",
        HindcastQuestion(
            name="before",
            condition="level > 1.5 m",
            within="1 s",
            since=now - 2 * SECOND,
            until=now,
            every="500 ms",
        ),
    )
    record = hindcasts.record("tank", "before", wait_s=30)
    told = seen(plant.client, "/twins/tank")
    assert f"before {record.progress.value} level > 1.5 m, from" in told


def test_that_a_twin_is_drawn_as_it_was_held_to_be_as_it_was_read_and_as_it_was_forecast() -> None:
    device = Device({PLACE: 1.0}, "m^3/s")
    twin = Twin(
        "tank", Tank(), members=16, horizon="60 s", lateness="2 s", leads=("1 s", "60 s")
    ).bind("inbox:tank", to="gauge")
    with (
        served(valve_site(twin, DeviceLink("plc", device))) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        feed(serving, level=2.0, count=60)
        timeline, now = serving.host.timeline, serving.host.clock.now()
        # Evenly spaced from 4 to 5: 5 and 95 % of them lie at 4.05 and 4.95.
        rows = ForecastRows(
            "tank",
            "gauge",
            np.full(2, now - SECOND),
            np.array([now, now + 60 * SECOND]),
            4.0 + (np.tile(np.arange(100.0), (2, 1)) + 0.5) / 100.0,
            np.full((2, 1), np.nan),
        )
        serving.host.compute.path(timeline.put_forecasts, rows, known_at=now).result(9)
        at = "/twins/tank?on=gauge"
        wanted = "4.5, 90 % within 4.05 to 4.95 m"
        ends = time.monotonic() + 15
        while wanted not in (told := seen(client, at)) and time.monotonic() < ends:
            time.sleep(0.05)
        assert wanted in told
        html = read(client.get(at).text)
        kinds = [attrs.get("class") for tag, attrs in html.tags if tag in {"path", "circle"}]
        assert kinds.count("band one") == 1
        assert kinds.count("band other") == 1
        assert kinds.count("line one") == 2  # in the chart, and in its key
        assert kinds.count("seen") == 60
        assert kinds.count("zero") == 1  # now
        # The tank stood at 2 m for six seconds: what is held is near it, with its doubt.
        held = re.search(r"At [\d:]+: ([\d.]+), 90 % within ([\d.]+) to ([\d.]+) m", told)
        assert held
        assert float(held[2]) < float(held[1]) < float(held[3])
        assert float(held[1]) == pytest.approx(2.0, abs=0.15)
        # The others are named; nobody holds their future against anything.
        assert "No forecast of it is kept" in seen(client, "/twins/tank?on=level")
        assert client.get("/twins/tank?on=nonsense").status_code == 404


@gm.model(dt="100 ms")
class Double:
    """One level, told twice and once otherwise."""

    level: float = gm.state("m", gm.normal(2.0, 0.5), noise=0.05)

    def step(self, dt: float) -> Double:
        return Double(level=self.level + 0.0 * dt)

    @gm.sensor("m", noise=0.05)
    def gauge(self) -> float:
        return self.level

    @gm.virtual("m")
    def again(self) -> float:
        return self.level

    @gm.virtual("m")
    def depth(self) -> float:
        return 10.0 - self.level


def test_that_what_is_the_same_course_again_is_not_drawn_first() -> None:
    twin = Twin("tank", Double, members=16, horizon="60 s").bind("inbox:tank", to="gauge")
    with (
        served(valve_site(twin, DeviceLink("plc", Device({PLACE: 1.0}, "m^3/s")))) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        feed(serving, level=2.0, count=60)
        until(lambda: "At " in seen(client, "/twins/tank"))
        html = read(client.get("/twins/tank").text)
        titles = [w for w in html.words if w.endswith(": past, present and future")]
        assert titles == [
            "gauge: past, present and future",
            "depth: past, present and future",
        ]


def test_that_changes_of_phase_in_a_row_are_one_line(plant: Plant) -> None:
    timeline, now = plant.serving.host.timeline, plant.serving.host.clock.now()
    turns = [
        Event("phase", "tank", now + place, "runtime", "a test", {"phase": f"phase-{place}"})
        for place in range(5)
    ]
    whole = {"told": "f" * 40, "model": f"abcdefgh{'1.0, ' * 50}"}
    others = [Event("mark", "tank", now - 1, "kim", "a test", whole)]
    plant.serving.host.compute.path(timeline.put_events, [*others, *turns], known_at=now).result(9)
    told = seen(plant.client, "/")
    assert re.search(r"phase-4; (4|5|6|7|8) further changes of phase since", told)
    assert "phase-3" not in told
    # Of a hash the beginning is enough to know it by.
    assert "told ffffffff…, model abcdefgh…" in told
    assert "1.0, 1.0" not in told


def test_that_an_engaged_kill_switch_stands_on_every_page(plant: Plant) -> None:
    switches = plant.serving.host.applying.switches
    switches.engage("tank", actor="olaf", role=Role.OPERATOR, why=EVIL)
    try:
        for at in ("/", "/ledger", "/twins/tank"):
            answer = plant.client.get(at).text
            assert "<img" not in answer
            told = read(answer).text
            assert f"The kill switch of tank is engaged by olaf: {EVIL}." in told
            assert "gemeos stop --twin tank --release" in told
    finally:
        switches.release("tank", actor="ada", role=Role.APPROVER)
    assert "Nothing is sent." not in seen(plant.client, "/")


def test_that_names_and_reasons_are_shown_and_never_run(plant: Plant) -> None:
    name = "<script>alert(1)<b>'\"&"
    plan = made(
        plant.serving, name=name, cause=EVIL, reasons=(EVIL,), not_modelled=(EVIL,), actor=EVIL
    )
    kept = plant.serving.host.plans
    kept.keep(plan, actor=EVIL)
    refused = made(plant.serving, name="refused", recommended=False, against=(EVIL,))
    kept.keep(refused, actor=EVIL)
    forked(plant, name)
    for at in pages_of(plant):
        html = plant.client.get(at).text
        assert "<img" not in html
        assert "<script>" not in html
        for tag, attrs in read(html).tags:
            assert tag in TAGS
            # The policy of the site forbids both; nothing should rely on that.
            assert "style" not in attrs
            assert not [word for word in attrs if word.startswith("on")]
    one = "/twins/tank/plans/%3Cscript%3Ealert(1)%3Cb%3E'%22&"
    assert EVIL in seen(plant.client, one)
    kept.drop("tank", name, actor="kim")
    kept.drop("tank", "refused", actor="kim")
    plant.serving.host.scenarios.drop("tank", name)


def pages_of(plant: Plant) -> list[str]:
    """Every page that can be come to from the first by links."""
    found, waiting = ["/"], ["/"]
    while waiting:
        here = waiting.pop()
        for tag, attrs in read(plant.client.get(here).text).tags:
            if tag != "a":
                continue
            there = urlsplit(urljoin(here, attrs["href"] or ""))
            at = there.path + (f"?{there.query}" if there.query else "")
            if at in found or at.startswith(("/api/", "/metrics", "/openapi")):
                continue
            found.append(at)
            waiting.append(at)
    return found


def test_that_every_link_of_every_page_leads_somewhere_and_to_what_a_twin_has(
    plant: Plant,
) -> None:
    promised(plant, "linked")
    forked(plant, "linked")
    # Plans of other tests tell of a search that is made by another one still.
    plant.serving.host.plans.keep(
        made(plant.serving, name="linked", cause="scenario linked"), actor="kim", replacing=True
    )
    found = pages_of(plant)
    assert {"/twins/tank", "/twins/tank/plans/linked", "/twins/tank/scenarios/linked"} <= set(found)
    for at in found:
        if "/optimisations/" not in at:
            assert plant.client.get(at).status_code == 200, at


def test_that_links_within_a_page_have_their_place(plant: Plant) -> None:
    overview = read(plant.client.get("/").text)
    wanted = {
        urlsplit(attrs["href"] or "").fragment
        for tag, attrs in overview.tags
        if tag == "a" and (attrs["href"] or "").startswith("/twins/tank#")
    }
    ids = {attrs.get("id") for _, attrs in read(plant.client.get("/twins/tank").text).tags}
    assert wanted == {
        "course",
        "alerts",
        "plans",
        "ledger",
        "scenarios",
        "searches",
        "channels",
        "forecasts",
    }
    assert wanted <= ids


def test_that_many_plans_and_scenarios_are_bounded_and_told_with_a_link(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_plans, "MOST_SHOWN", 2)
    monkeypatch.setattr(page_scenarios, "MOST_SHOWN", 1)
    for name in ("many-1", "many-2", "many-3"):
        promised(plant, name)
    forked(plant, "many-1")
    forked(plant, "many-2")
    count = len(plant.serving.host.plans.all("tank"))
    told = seen(plant.client, "/twins/tank")
    assert f"The newest 2 of {count} plans are shown." in told
    assert "many-3" in told
    assert "many-1" not in told
    html = read(plant.client.get("/twins/tank").text)
    assert "/api/twins/tank/plans" in [attrs.get("href") for _, attrs in html.tags]


def test_that_what_is_not_there_is_told_as_a_page(plant: Plant) -> None:
    for at in (
        "/twins/nobody",
        "/twins/tank/plans/none",
        "/twins/tank/scenarios/none",
        "/twins/tank/optimisations/none",
        "/twins/tank/applied/none",
    ):
        answer = plant.client.get(at)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")
        assert "This cannot be shown" in read(answer.text).text


def test_that_a_viewer_reads_all_pages_and_a_scope_hides_other_twins(plant: Plant) -> None:
    promised(plant, "open")
    viewer = {**ELSEWHERE, "authorization": f"Bearer {plant.tokens.create('eve', Role.VIEWER)}"}
    assert "eve, viewer" in seen(plant.client, "/twins/tank/plans/open", **viewer)
    secret = plant.tokens.create("guest", Role.VIEWER, scope=["another"])
    guest = {**ELSEWHERE, "authorization": f"Bearer {secret}"}
    for at in ("/twins/tank", "/twins/tank/plans/open", "/twins/nobody"):
        assert plant.client.get(at, headers=guest).status_code == 403
    for at in ("/", "/ledger"):
        assert "tank" not in seen(plant.client, at, **guest)
    assert plant.client.get("/ledger", headers=ELSEWHERE).status_code == 401


def test_that_no_page_can_act(plant: Plant) -> None:
    promised(plant, "open")
    for at in ("/", "/ledger", "/twins/tank", "/twins/tank/plans/open"):
        html = read(plant.client.get(at).text)
        assert not {"form", "button", "input"} & {tag for tag, _ in html.tags}
        assert plant.client.post(at, json={}).status_code == 405


def test_that_who_follows_the_stream_hears_of_plans_that_others_make(plant: Plant) -> None:
    heard: list[str] = []
    begun = threading.Event()

    def follow() -> None:
        with connect(plant.serving.url) as connection:
            for change in connection.changes("tank"):
                heard.append(change.twin)
                begun.set()
                if len(heard) > 1:
                    return

    following = threading.Thread(target=follow)
    following.start()
    assert begun.wait(10)
    with connect(plant.serving.url) as other:
        other["tank"].plans.keep(made(plant.serving, name="heard-of"))
    following.join(10)
    assert heard == ["tank", "tank"]


def test_that_a_page_tells_how_soon_it_should_be_renewed(plant: Plant) -> None:
    html = read(plant.client.get("/").text)
    (main_part,) = [attrs for tag, attrs in html.tags if tag == "main"]
    assert main_part["data-renew-ms"] in {str(RENEW_MS), str(SOON_MS)}


@pytest.fixture
def empty() -> Iterator[Serving]:
    device = Device({PLACE: 1.0}, "m^3/s")
    with served(valve_site(valve_twin(), DeviceLink("plc", device))) as serving:
        yield serving


def test_that_what_there_is_none_of_is_said_in_a_sentence(
    empty: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    told: dict[str, str] = {}
    for command in ("plans", "ledger", "scenarios"):
        main([command, "--url", empty.url])
        told[command] = capsys.readouterr().out
    assert told == {
        "plans": "tank has no plan yet.\n",
        "ledger": "No plan was applied yet.\n",
        "scenarios": "tank has no scenario yet.\n",
    }
    with httpx.Client(base_url=empty.url, trust_env=False) as client:
        text = seen(client, "/twins/tank")
        assert text.count("None yet") == 4
        assert "None yet: no plan was applied." in seen(client, "/ledger")
        assert "Nothing: no alert is on" in seen(client, "/")
