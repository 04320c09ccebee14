"""The city's plant as a process, behind a real broker; a bare client plays the site."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gemeos.clock import SystemClock
from gemeos.link.actuate_mqtt import DeviceTopics
from gemeos.link.channels import Channels
from gemeos.link.decode import Decoder
from gemeos.link.format import MessageFormat, PlantTopics
from gemeos.runtime.actuator_links import MqttActuatorLink
from gemeos.schema.binding import Binding
from gemeos.schema.command import Accepted, Command, Refused
from gemeos.schema.reading import Series, SeriesBook
from gemeos.twins.traffic import read_district
from gemeos.units.instant import SECOND, instant
from gemeos_plants.broker import Broker, start_broker
from gemeos_plants.traffic.controller import Controller, Phase, Program, Rules
from gemeos_plants.traffic.demo import carried
from gemeos_plants.traffic.district import read
from tests.integration.sumo_networks import sumo_program

LATER = "2100-01-01T00:00:00Z"


@dataclass
class Site:
    """Takes what the plant sends, says what is durable, and beats."""

    url: str
    notices: bool = True
    heard: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list)
    """Topic below the root, content, and whether it was retained."""

    def __enter__(self) -> Self:
        host, port = self.url.removeprefix("mqtt://").split(":")
        self._lock, subscribed = threading.Lock(), threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="site")
        self.client.on_connect = lambda client, *_: client.subscribe("city/#", 1)
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_message = self._on_message
        self.client.connect(host, int(port))
        self.client.loop_start()
        assert subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, *heard: Any) -> None:  # noqa: ANN401 -- the library's three arguments
        message: mqtt.MQTTMessage = heard[-1]
        topic = message.topic.removeprefix("city/")
        if topic.split("/")[0] in ("committed", "heartbeat", "command", "ask", "end"):
            return
        content = json.loads(message.payload)
        with self._lock:
            self.heard.append((topic, content, message.retain))
        if self.notices and topic.startswith("reading/"):
            self.say("committed", {"committed": [[content["seq"], content["seq"]]]})

    def say(self, topic: str, body: object) -> None:
        self.client.publish(f"city/{topic}", json.dumps(body), qos=1)

    def said(self, topic: str) -> list[dict[str, Any]]:
        with self._lock:
            return [content for heard, content, _ in self.heard if heard == topic]

    def readings(self) -> list[tuple[str, dict[str, Any]]]:
        with self._lock:
            return [(t, c) for t, c, _ in self.heard if t.startswith("reading/")]

    def command(self, place: str, value: object, key: str, expires: str = LATER) -> dict[str, Any]:
        """The plant's answer."""
        before = len(self.said("acknowledgement"))
        self.say(f"command/{place}", {"id": key, "value": value, "expires_at": expires})
        until(lambda: len(self.said("acknowledgement")) > before)
        return self.said("acknowledgement")[-1]

    @contextmanager
    def beating(self) -> Iterator[None]:
        """A heartbeat twice a second, until it ends."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(0.5):
                self.client.publish("city/heartbeat", b"{}", 0)

        beats = threading.Thread(target=beat)
        beats.start()
        try:
            yield
        finally:
            over.set()
            beats.join()


def until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    sumo_program("sumo")
    with start_broker(None, tmp_path / "broker") as running:
        yield running


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    folder = tmp_path / "grid"
    folder.mkdir()
    return carried(folder)


@contextmanager
def plant(broker: Broker, reveal: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "gemeos_plants.traffic", "--broker", broker.url]
    command += ["--reveal", str(reveal), "--parent", str(os.getpid()), *more]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def test_that_what_is_counted_arrives_and_is_what_sumo_has_counted(
    broker: Broker, grid: Path, tmp_path: Path
) -> None:
    own, reveal = tmp_path / "own", tmp_path / "reveal.json"
    own.mkdir()
    more = ("--district", str(grid), "--sumo-output", str(own), "--speed", "max", "--until", "300")
    with Site(broker.url) as site, plant(broker, reveal, *more) as process:
        assert process.wait(50) == 0
        until(lambda: bool(site.said("finished")))
        told = {(t, c["valid_at"]): c for t, c in site.readings()}
        last = site.said("finished")[-1]
        clock = [c["now"] for c in site.said("clock")]
    loops = read(grid).loops
    assert last == {"last": "2026-03-02T07:05:00Z", "seq": len(told) - 1}
    assert clock == sorted(clock)
    intervals = re.findall(
        r'begin="([\d.]+)" .*?id="([^"]+)" nVehContrib="(\d+)"',
        (own / "e1.xml").read_text(),
    )
    assert len(intervals) == 5 * len(loops)
    counted = 0
    for begin, loop, vehicles in intervals:
        minute = round(float(begin)) // 60
        at = f"2026-03-02T07:{minute + 1:02d}:00Z"
        name = f"reading/{loop}"
        count, speed = told.pop((f"{name}/count", at)), told.pop((f"{name}/speed", at), None)
        assert count["value"] == int(vehicles)
        assert count["valid_from"] == f"2026-03-02T07:{minute:02d}:00Z"
        # Where nobody passed there is no speed.
        assert (speed is None) == (int(vehicles) == 0)
        if speed is not None:
            assert 0 < speed["value"] < 30
        counted += int(vehicles)
    assert counted > 50
    assert not told
    revealed = json.loads(reveal.read_text())
    assert sum(revealed["lived"]["passed"].values()) == counted
    assert set(revealed["lived"]["breaches"].values()) == {0}


def test_that_cabinets_tell_anew_where_they_stand_to_who_came_late(
    broker: Broker, grid: Path, tmp_path: Path
) -> None:
    more = ("--district", str(grid), "--speed", "max", "--until", "301")
    with Site(broker.url) as site, plant(broker, tmp_path / "reveal.json", *more) as process:
        assert process.wait(50) == 0
        until(lambda: bool(site.said("finished")))
        told = [(t, c["valid_at"], c["value"]) for t, c, _ in site.heard if "standing/" in t]
    at_first = {(t, value) for t, at, value in told if at == "2026-03-02T07:00:00Z"}
    again = {(t, value) for t, at, value in told if at == "2026-03-02T07:05:00Z"}
    # Two stages and an offset of each of six signals.
    assert len(again) == 18
    assert again == at_first


def test_that_nobody_learns_what_was_drawn_before_the_end_and_no_life_is_lived_twice(
    broker: Broker, grid: Path, tmp_path: Path
) -> None:
    drawn = []
    for turn in range(2):
        reveal = tmp_path / f"reveal{turn}.json"
        more = ("--district", str(grid), "--speed", "max")
        with Site(broker.url) as site, plant(broker, reveal, *more) as process:
            until(lambda: len(site.readings()) > 100)
            assert not reveal.exists()
            # Not by its arguments nor by its environment either.
            told = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            told += Path(f"/proc/{process.pid}/environ").read_bytes()
            site.say("end", {"id": "last-score"})
            assert process.wait(40) == 0
        kept = json.loads(reveal.read_text())["drawn"]
        assert str(kept["seed"]).encode() not in told
        assert kept["model"] in ("IDM", "EIDM")
        drawn.append(kept)
    assert drawn[0] != drawn[1]
    with plant(broker, tmp_path / "reveal0.json", "--district", str(grid)) as process:
        assert process.wait(20) == 1


@pytest.mark.timed
def test_that_signals_obey_refuse_report_and_fall_back_when_nobody_sees_them(
    broker: Broker, grid: Path, tmp_path: Path
) -> None:
    reveal = tmp_path / "reveal.json"
    more = ("--district", str(grid), "--speed", "20")
    # 42 s of green for each road, and 3 s of yellow between.
    fixed = [42.0, 3.0, 42.0, 3.0]
    with Site(broker.url) as site, plant(broker, reveal, *more) as process:
        until(lambda: bool(site.said("ordered/0/0") and site.said("running/1/1")))
        assert site.said("ordered/0/0")[-1]["durations"] == fixed
        assert site.said("reported/0/0/phase/0")[-1] == {"value": 42, "command": None}
        with site.beating():
            wanted = [30.0, 3.0, 54.0, 3.0]
            assert site.command("0/0/timing", wanted, "a") == {"id": "a", "accepted": True}
            until(lambda: site.said("ordered/0/0")[-1]["durations"] == wanted)
            for phase, seconds in ((0, 30), (2, 54)):
                told = site.said(f"reported/0/0/phase/{phase}")[-1]
                assert told == {"value": seconds, "command": "a"}
            until(lambda: site.said("running/0/0")[-1]["durations"] == wanted)
            # Taken once: the same again is answered, and not obeyed.
            assert site.command("0/0/timing", fixed, "a")["accepted"]
            assert site.command("1/1/phase/2", 50, "b") == {"id": "b", "accepted": True}
            until(lambda: site.said("ordered/1/1")[-1]["durations"] == [42, 3, 50, 3])
            for place, value, why in (
                ("0/0/phase/0", 4, "phase 0 lasts 5 to 120 s, not 4 s"),
                ("0/0/phase/1", 2, "phase 1 is between stages"),
                ("0/0/timing", [120, 3, 120, 3], "a cycle of 246 s"),
                ("0/0/program", 1, "there are programmes 0 to 0"),
                ("9/9/timing", fixed, "there is no 9/9/timing"),
            ):
                answer = site.command(place, value, f"{place}{value}")
                assert not answer["accepted"]
                assert why in answer["reason"]
            late = site.command("0/0/timing", fixed, "late", "2026-03-02T07:00:00Z")
            assert late == {"id": "late", "accepted": False, "reason": "it has expired"}
            site.say("ask/0/0/phase/2", {"id": "q1"})
            until(lambda: site.said("reported/0/0/phase/2")[-1].get("answers") == "q1")
            assert site.said("reported/0/0/phase/2")[-1]["value"] == 54
            silent = time.monotonic()
        until(lambda: site.said("ordered/0/0")[-1]["durations"] == fixed)
        # The patience of three seconds, and not more than five in all.
        assert 2.0 < time.monotonic() - silent < 5.0
        until(lambda: site.said("ordered/1/1")[-1]["durations"] == fixed)
        assert site.said("reported/0/0/phase/2")[-1] == {"value": 42, "command": None}
        until(lambda: site.said("running/0/0")[-1]["durations"] == fixed)
        unseen = site.command("0/0/phase/0", 50, "unseen")
        assert unseen["reason"] == "the twin was not heard for 3 s"
        site.say("end", {"id": "end"})
        assert process.wait(40) == 0
    told = json.loads(reveal.read_text())
    assert told["commands"]["refused"] == 7
    assert told["commands"]["obeyed"] == 2
    assert told["commands"]["fallbacks"] == 1
    assert set(told["lived"]["breaches"].values()) == {0}


def test_that_what_is_not_committed_is_sent_again_and_the_plant_waits(
    broker: Broker, grid: Path, tmp_path: Path
) -> None:
    reveal = tmp_path / "reveal.json"
    more = (
        "--district",
        str(grid),
        "--speed",
        "max",
        "--window",
        "10",
        "--until",
        "120",
        "--silence",
        "2",
    )
    with Site(broker.url, notices=False) as site, plant(broker, reveal, *more) as process:
        until(lambda: len(site.readings()) >= 10)
        time.sleep(1.0)
        first = len(site.readings())
        # It stands still: one interval is whole, and there is no other.
        assert len({c["valid_at"] for _, c in site.readings()}) == 1
        until(lambda: len(site.readings()) >= 2 * first, within_s=20)
        numbers = [c["seq"] for _, c in site.readings()]
        assert sorted(numbers[:first]) == sorted(numbers[first : 2 * first])
        site.notices = True
        site.say("committed", {"committed": [[0, max(numbers)]]})
        assert process.wait(30) == 0
        assert len({c["valid_at"] for _, c in site.readings()}) == 2


def test_that_a_site_reads_what_the_plant_counts_without_refusing_any(
    broker: Broker, grid: Path, tmp_path: Path
) -> None:
    more = ("--district", str(grid), "--speed", "max", "--until", "120")
    with Site(broker.url) as site, plant(broker, tmp_path / "reveal.json", *more) as process:
        assert process.wait(50) == 0
        until(lambda: bool(site.said("finished")))
        said = site.readings()
    loops = [loop.id for loop in read(grid).loops]
    units = {"count": "", "speed": "m/s"}
    bindings = [
        Binding(Series("plant", f"{loop}/{quantity}"), "grid", f"{loop}.{quantity}", unit=unit)
        for loop in loops
        for quantity, unit in units.items()
    ]
    book = SeriesBook()
    declared = {
        ("grid", f"{loop}.{quantity}"): unit for loop in loops for quantity, unit in units.items()
    }
    decoder = Decoder(
        [
            MessageFormat(
                "city/reading/{detector}/{quantity}",
                valid_from="/valid_from",
                sequence="/seq",
                unit="/unit",
            )
        ],
        Channels("plant", bindings, declared, book),
        SystemClock(),
        plant=PlantTopics(clock="city/clock", time="/now", end="city/finished"),
    )
    for topic, content in said:
        decoded = decoder.decode(f"city/{topic}", json.dumps(content).encode())
        assert decoded.refused == ()
        [reading] = decoded.readings.rows(book)
        assert reading.value == content["value"]
        assert reading.valid_at == instant(content["valid_at"])


async def test_that_the_sites_own_actuator_sets_stages_and_hears_refusals(
    broker: Broker, grid: Path, tmp_path: Path
) -> None:
    link = MqttActuatorLink(
        name="cabinets",
        broker=broker.url,
        topics=DeviceTopics(
            command="city/command/{place}",
            acknowledgement="city/acknowledgement",
            reported="city/reported/{place}",
            ask="city/ask/{place}",
            heartbeat="city/heartbeat",
        ),
        client_id="act-grid",
    )
    now = instant("2026-03-02T07:00Z")

    def wanted(seconds: float) -> Command:
        return Command(
            id=f"c{seconds}",
            plan="p",
            twin="grid",
            control="s",
            value=seconds,
            unit="s",
            valid_from=now,
            expires_at=now + 7 * 86_400 * SECOND,
            actor="ada",
            cause="plan p",
        )

    more = ("--district", str(grid), "--speed", "20")
    with Site(broker.url) as site, plant(broker, tmp_path / "reveal.json", *more):
        until(lambda: bool(site.said("ordered/0/0")))
        async with link.actuator() as actuator:
            await actuator.beat("grid", now)
            place = "0/0/phase/2"
            assert isinstance(await actuator.send(wanted(50.0), place, within_s=10), Accepted)
            stands = await actuator.ask(place, within_s=10)
            assert stands is not None
            assert (stands.value, stands.command) == (50.0, "c50.0")
            refused = await actuator.send(wanted(3.0), place, within_s=10)
            assert isinstance(refused, Refused)
            assert refused.reason == "phase 2 lasts 5 to 120 s, not 3 s"


def test_that_the_grid_of_the_demo_is_a_district_for_a_twin_too(
    tmp_path: Path,
) -> None:
    sumo_program("sumo")
    folder = tmp_path / "grid"
    command = [sys.executable, "-m", "gemeos_plants.traffic.demo", str(folder)]
    assert subprocess.run(command, check=False, timeout=20).returncode == 0
    district = read_district(folder)
    assert set(district.detectors) == {loop.id for loop in read(folder).loops}
    assert set(district.signals) == set(read(folder).programs)
    assert not [name for name in district.detectors if set(name) & set("/+#%")]
    assert "EPL-2.0" in district.attribution
    again = subprocess.run(command, check=False, timeout=20, capture_output=True)
    assert again.returncode == 1


def test_that_a_cabinet_left_alone_shows_what_sumo_shows(tmp_path: Path) -> None:
    program = Program(
        "own",
        (Phase(20, "GGrrGGrr"), Phase(3, "yyrryyrr"), Phase(31, "rrGGrrGG"), Phase(4, "rryyrryy")),
        offset_s=17,
    )
    rows = "".join(f'<phase duration="{p.duration_s}" state="{p.state}"/>' for p in program.phases)
    shown = tmp_path / "shown.xml"
    (tmp_path / "own.add.xml").write_text(
        f'<additional><tlLogic id="0/0" type="static" programID="own" offset="17">{rows}</tlLogic>'
        f'<timedEvent type="SaveTLSStates" source="0/0" dest="{shown}"/></additional>'
    )
    grid = read(carried(tmp_path))
    assert len(grid.programs["0/0"][0].phases[0].state) == 8
    command = [str(sumo_program("sumo")), "-n", str(grid.net), "--begin", "5", "--end", "205"]
    command += ["-a", str(tmp_path / "own.add.xml"), "--xml-validation", "never"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    states = dict(re.findall(r'time="([\d.]+)" .*?state="(\w+)"', shown.read_text()))
    controller = Controller((program,), Rules(), 5.0)
    assert len(states) == 200
    for at, state in states.items():
        assert controller.state == state, at
        controller.advance(1.0, float(at) + 1)


def test_that_nothing_is_lost_when_the_broker_is(grid: Path, tmp_path: Path) -> None:
    sumo_program("sumo")
    reveal = tmp_path / "reveal.json"
    more = ("--district", str(grid), "--speed", "100", "--until", "240", "--silence", "2")
    numbers: set[int] = set()
    with (
        start_broker(None, tmp_path / "first") as first,
        Site(first.url) as site,
        plant(first, reveal, *more) as process,
    ):
        until(lambda: len(site.readings()) > 0)
        first.close()
        time.sleep(1.0)
        numbers |= {c["seq"] for _, c in site.readings()}
        site.client.disconnect()
        with start_broker(first.port, tmp_path / "second") as second, Site(second.url) as again:
            assert process.wait(40) == 0
            until(lambda: bool(again.said("finished")))
            numbers |= {c["seq"] for _, c in again.readings()}
            last = again.said("finished")[-1]["seq"]
    assert numbers == set(range(last + 1))
    assert json.loads(reveal.read_text())["lived"]["elapsed_s"] == 240
