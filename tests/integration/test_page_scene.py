"""The map of a twin and its signals on the pages: what is held where, and who set what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import httpx
import pytest

from gemeos.errors import UnknownNameError
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.schema.scene import Cycle, Ground, Lights, Mark, Road, Scene, Shows, Signal, Stretch
from gemeos.serve import page_signals
from gemeos.testing.device import Device, DeviceLink
from gemeos.testing.served import Serving, served
from gemeos.testing.valve import PLACE, STEP, bare_twin, feed, made, until, valve_site, valve_twin
from tests.integration.test_page import TAGS, read


def cycle(told: Mapping[str, float]) -> Cycle:
    """Green for ten seconds for each unit of the valve, then as long red."""
    ends = 10.0 * told.get("valve", 1.0)
    course = (Stretch(0.0, ends, Shows.GREEN), Stretch(ends, 2.0 * ends, Shows.RED))
    return Cycle(2.0 * ends, 3.0, (Lights("0-1", "from the <hill>", course, 5.0),))


SCENE = Scene(
    Ground(
        roads=(Road(((0.0, 0.0), (100.0, 50.0))),),
        marks=(
            Mark("loop", (10.0, 5.0), "on the <hill>", {"level": "gauge"}),
            Mark("lost", None, "nobody knows", {"level": "gauge"}),
        ),
        signals={"K<1>": (50.0, 25.0)},
        attribution="Drawn by hand",
        left_out=7,
    ),
    (
        Signal("K<1>", cycle, {"valve": 1.0}, "day"),
        Signal("ring", None, {}, "r", "Its rows do not make one cycle."),
    ),
)


@dataclass(frozen=True)
class Plant:
    """The site, and somebody on the machine who looks at it."""

    serving: Serving
    client: httpx.Client

    def page(self, at: str) -> str:
        """Its text; all that is on it is allowed there."""
        answer = self.client.get(at)
        assert answer.status_code == 200, answer.text
        told = read(answer.text)
        assert {tag for tag, _ in told.tags} <= TAGS
        assert not any(name.startswith("on") for _, attrs in told.tags for name in attrs)
        return told.text


@pytest.fixture(scope="module")
def plant() -> Iterator[Plant]:
    twin = valve_twin(watch="1 s").draw(SCENE)
    device = Device({PLACE: 1.0}, "m^3/s")
    with (
        served(valve_site(twin, DeviceLink("plc", device))) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        until(lambda: device.cut is not None)
        feed(serving, level=2.0, count=60)
        yield Plant(serving, client)


def test_that_the_page_of_a_twin_has_its_map_and_says_where_the_rest_is(plant: Plant) -> None:
    told = plant.page("/twins/tank")
    assert "level, m" in told
    assert "Roads themselves have no value" in told
    assert "Drawn by hand. Of 8 roads the 1 longest are drawn." in told
    html = read(plant.client.get("/twins/tank").text)
    links = [attrs.get("href") for tag, attrs in html.tags if tag == "a"]
    assert "/twins/tank/map" in links
    assert "/twins/tank/signals" in links
    assert "/twins/tank#map" in links


def test_that_the_map_is_told_as_a_table_with_its_doubt(plant: Plant) -> None:
    told = plant.page("/twins/tank/map")
    found = re.search(r"on the <hill> ([\d.]+), ([\d.]+) to ([\d.]+) m", told)
    assert found
    mean, low, high = map(float, found.groups())
    # The tank stood at 2 m for six seconds.
    assert low < mean < high
    assert mean == pytest.approx(2.0, abs=0.15)
    # What nobody can place is in the table, too.
    assert "nobody knows" in told
    assert "K<1> 20 s 3 s its own programme day" in told
    assert "ring - - its own programme r: nothing of it can be set" in told


def test_that_what_is_not_heard_for_long_is_said_to_be_silent() -> None:
    twin = valve_twin().draw(SCENE)
    device = Device({PLACE: 1.0}, "m^3/s")
    with (
        served(valve_site(twin, DeviceLink("plc", device))) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        silent = Plant(serving, client)
        assert "2 of 2 detectors are silent" in silent.page("/twins/tank/map")
        assert "class='silent'" in client.get("/twins/tank/map").text
        feed(serving, count=60)
        until(lambda: "2 of 2" not in silent.page("/twins/tank/map"))
        # Its usual interval is a tenth of a second; five of them are soon over.
        until(lambda: "silent: " in silent.page("/twins/tank/map"))


def test_that_a_signal_tells_its_cycle_and_that_its_place_was_never_heard(plant: Plant) -> None:
    told = plant.page("/twins/tank/signals")
    assert "Signal K<1>" in told
    assert "its own programme day, as is believed: where it stands was never heard" in told
    assert "now: 20 s, offset 3 s" in told
    assert "0-1 from the <hill> 5 s 0 to 10 s 0 s" in told
    assert "Its rows do not make one cycle." in told


def test_that_a_plan_that_waits_is_drawn_beside_what_runs(plant: Plant) -> None:
    plan = made(plant.serving, "1.5 m^3/s", name="wider")
    plant.serving.host.plans.keep(plan, actor="kim", replacing=True)
    told = plant.page("/twins/tank/signals?on=K<1>")
    assert "now: 20 s, offset 3 s" in told
    assert "plan wider: 30 s, offset 3 s" in told
    assert "0 to 10 s 0 to 15 s" in told
    of_plan = plant.page("/twins/tank/plans/wider")
    assert "Signal plans" in of_plan
    assert "plan wider: 30 s, offset 3 s" in of_plan
    plant.serving.host.plans.drop("tank", "wider", actor="kim")


def test_that_a_plan_whose_end_cannot_be_said_is_not_drawn(plant: Plant) -> None:
    plan = replace(made(plant.serving, name="odd"), changes={"valve": "times 1.2"})
    plant.serving.host.plans.keep(plan, actor="kim", replacing=True)
    told = plant.page("/twins/tank/signals")
    assert "Plan odd does not set numbers that stay: it is not drawn." in told
    plant.serving.host.plans.drop("tank", "odd", actor="kim")


def test_that_many_signals_are_bounded_and_each_can_be_asked_for(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_signals, "MOST_SIGNALS", 1)
    told = plant.page("/twins/tank/signals")
    assert "1 of 2 signals are drawn." in told
    html = read(plant.client.get("/twins/tank/signals").text)
    links = [attrs.get("href") for tag, attrs in html.tags if tag == "a"]
    assert "/twins/tank/signals?on=ring" in links
    assert plant.client.get("/twins/tank/signals?on=ring").status_code == 200
    assert plant.client.get("/twins/tank/signals?on=nonsense").status_code == 404


def test_that_a_twin_without_a_scene_has_neither() -> None:
    twin = bare_twin("tank").bind("inbox:tank", to="gauge")
    with (
        served(valve_site(twin, DeviceLink("plc", Device({PLACE: 1.0}, "m^3/s")))) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        for at in ("map", "signals"):
            assert client.get(f"/twins/tank/{at}").status_code == 404
        assert "/twins/tank/map" not in client.get("/twins/tank").text


def test_that_a_scene_names_only_what_is_there() -> None:
    ground = Ground((), (Mark("a", None, "", {"level": "nonsense"}),))
    with pytest.raises(UnknownNameError, match="nonsense"):
        bare_twin("tank").draw(Scene(ground))
    with pytest.raises(UnknownNameError, match="gate"):
        bare_twin("tank").draw(Scene(Ground((), ()), (Signal("s", cycle, {"gate": 1.0}),)))


def test_that_a_plan_in_force_is_named_and_its_own_programme_stands_beside() -> None:
    device = Device({PLACE: 1.0}, "m^3/s")
    twin = valve_twin(watch="10 s").bind("inbox:valve", to="valve").draw(SCENE)
    with (
        served(valve_site(twin, DeviceLink("plc", device))) as serving,
        httpx.Client(base_url=serving.url, trust_env=False, timeout=20) as client,
    ):
        until(lambda: device.cut is not None)
        feed(serving, level=2.0, count=60)
        living = Plant(serving, client)
        told(serving, "valve", 1.0)
        until(lambda: "K<1>" in living.page("/twins/tank/signals"))
        until(lambda: "set by its own programme day now" in living.page("/twins/tank/signals"))
        # Somebody turns it by hand, and nobody applied a plan.
        told(serving, "valve", 1.5)
        until(lambda: "somebody else than this twin" in living.page("/twins/tank/signals"))
        shown = living.page("/twins/tank/signals")
        assert "now: 30 s, offset 3 s" in shown
        assert "its own programme: 20 s, offset 3 s" in shown
        plan = made(serving, "1.5 m^3/s", name="wider")
        serving.host.plans.keep(plan, actor="kim", replacing=True)
        # What it would make of it runs already: it is not drawn twice.
        assert "plan wider: " not in living.page("/twins/tank/signals")


def told(serving: Serving, channel: str, value: float) -> None:
    """A reading of now."""
    host = serving.host
    rows = [Reading(Series("inbox", channel), host.clock.now() // STEP * STEP, value)]
    readings = Readings.of(rows, host.timeline.book)

    def taken() -> None:
        commit = host.timeline.append(readings, known_at=host.clock.now())
        host._assimilate(readings, commit)

    host.compute.path(taken).result(20.0)
