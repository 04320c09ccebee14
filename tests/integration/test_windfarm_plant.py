"""The plant as a process, behind a real broker; a bare client plays the site."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import duckdb
import paho.mqtt.client as mqtt
import psutil
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gemeos_plants import windfarm
from gemeos_plants.broker import Broker, start_broker, start_mosquitto
from gemeos_plants.line import Address, Line
from gemeos_plants.windfarm.cursor import Cursor
from gemeos_plants.windfarm.mischief import NONE, Mischief, departures
from gemeos_plants.windfarm.plant import COMMITTED, Ending, Patience, Plant
from gemeos_plants.windfarm.record import EXTRACT, TAGS, load, micros

DAY = 144 * 4 * 7
START, END = "2014-03-14T00:00Z", "2014-03-15T00:00Z"
TRANSPORT = 30_000_000


@dataclass
class Site:
    """Takes what the plant sends, and says what is durable if it is asked to."""

    url: str
    notices: bool = True
    """Whether it commits, and says so, at once."""
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Every message, in the order of arrival: topic below the farm's, content."""
    committed: set[int] = field(default_factory=set)

    def __enter__(self) -> Self:
        host, port = self.url.removeprefix("mqtt://").split(":")
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self._unnoticed: list[int] = []
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="site")
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = self._on_message
        self.client.reconnect_delay_set(1, 1)
        self.client.connect(host, int(port))
        self.client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe("lahauteborne/#", qos=1)

    def _on_message(self, *heard: Any) -> None:  # noqa: ANN401 -- the library's three arguments
        message: mqtt.MQTTMessage = heard[-1]
        topic = message.topic.removeprefix("lahauteborne/")
        if topic == "committed":
            return
        content = json.loads(message.payload)
        with self._lock:
            self.heard.append((topic, content))
            if "/" in topic:
                self._unnoticed.append(content["seq"])
        # A commit a step, as a site that commits what has come together would do.
        if self.notices and topic in ("clock", "finished"):
            self.notice()

    def notice(self) -> None:
        """Say that everything heard and not yet spoken of is durable, duplicates included."""
        with self._lock:
            numbers, self._unnoticed = self._unnoticed, []
        self.committed.update(numbers)
        if numbers:
            self.say([[seq, seq] for seq in numbers])

    def say(self, ranges: object) -> None:
        payload = json.dumps({"committed": ranges, "known_at": "2014-03-14T00:00:00Z"})
        self.client.publish(COMMITTED, payload, qos=1)

    def readings(self) -> list[dict[str, Any]]:
        with self._lock:
            return [content for topic, content in self.heard if "/" in topic]

    def numbers(self) -> list[int]:
        return [reading["seq"] for reading in self.readings()]

    def said(self, topic: str) -> list[dict[str, Any]]:
        with self._lock:
            return [content for heard, content in self.heard if heard == topic]


def _until(true: Callable[[], bool], within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.02)


def _available(kind: str) -> None:
    if kind == "iotcore":
        there = importlib.util.find_spec("iotcore") is not None
    else:
        there = any((Path(p) / kind).exists() for p in (*os.get_exec_path(), "/usr/sbin"))
    if not there:
        message = f"{kind} is not installed"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(params=["iotcore", "mosquitto"])
def either_broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    _available(request.param)
    start = start_broker if request.param == "iotcore" else start_mosquitto
    with start(None, tmp_path / "broker") as broker:
        assert broker.kind == request.param
        yield broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with start_broker(None, tmp_path / "broker") as running:
        yield running


def _plant(broker: Broker, cursor: Path, *more: str, speed: str = "max") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "gemeos_plants.windfarm", "--broker", broker.url]
    command += ["--speed", speed, "--cursor", str(cursor), "--parent", str(os.getpid())]
    if "--start" not in more:
        command += ["--start", START, "--end", END]
    return subprocess.Popen([*command, *more], stderr=subprocess.DEVNULL)


def _position(cursor: Path) -> int:
    return int(json.loads(cursor.read_text())["position"]) if cursor.exists() else -1


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(10)


def test_that_every_reading_of_a_day_arrives_as_recorded(
    either_broker: Broker, tmp_path: Path
) -> None:
    with Site(either_broker.url) as site:
        plant = _plant(either_broker, tmp_path / "cursor")
        try:
            assert plant.wait(50) == 0
        finally:
            _end(plant)
        heard = site.heard
        arrived = {
            (*topic.split("/"), reading["valid_from"], reading["valid_at"], reading["value"])
            for topic, reading in heard
            if "/" in topic
        }
        number = len(site.numbers())
        assert site.said("finished")[-1] == {
            "last": "2014-03-14T23:50:00Z",
            "seq": max(site.numbers()),
        }
    data = Path(windfarm.__path__[0]) / "data" / EXTRACT
    recorded = set()
    with duckdb.connect() as base:
        for turbine, stamp, before, *values in base.execute(
            "SELECT Wind_turbine_name, strftime(Date_time, '%Y-%m-%dT%H:%M:%SZ'), "  # noqa: S608 -- constants
            "strftime(Date_time - INTERVAL 10 MINUTE, '%Y-%m-%dT%H:%M:%SZ'), "
            + ", ".join(f"{tag}::VARCHAR::DOUBLE" for tag in TAGS)
            + f" FROM read_parquet('{data}') WHERE Date_time::DATE = DATE '2014-03-14'"
        ).fetchall():
            recorded |= {
                (turbine, tag, before, stamp, value)
                for tag, value in zip(TAGS, values, strict=True)
            }
    assert len(recorded) == DAY
    assert arrived == recorded
    # One in a hundred comes twice; five standard deviations are 32.
    assert 8 < number - DAY < 73
    assert _position(tmp_path / "cursor") == max(r["seq"] for _, r in heard if "seq" in r) + 1


def test_that_the_clock_passes_no_reading_but_the_late_ones_and_no_reading_passes_the_clock(
    broker: Broker, tmp_path: Path
) -> None:
    with Site(broker.url) as site:
        plant = _plant(broker, tmp_path / "cursor")
        try:
            assert plant.wait(50) == 0
        finally:
            _end(plant)
        heard = list(site.heard)
    record = load()
    first, beyond = record.first(micros(START)), record.first(micros(END))
    plan = departures(record, Mischief(), first, beyond)
    due = dict(zip(reversed(plan.seq.tolist()), reversed(plan.at.tolist()), strict=True))
    late = {seq for seq, at in due.items() if at > record.reading(seq).valid_at + TRANSPORT}
    assert late
    waiting = sorted(due, key=lambda seq: due[seq], reverse=True)
    now, arrived = 0, set()
    for topic, content in heard:
        if topic == "clock":
            assert micros(content["now"]) >= now
            assert content["speed"] is None
            now = micros(content["now"])
            while waiting and due[waiting[-1]] <= now:
                assert waiting.pop() in arrived
        elif "/" in topic:
            assert micros(content["valid_at"]) <= now
            arrived.add(content["seq"])
    assert not waiting


@pytest.mark.timed
def test_that_plant_time_keeps_its_speed_and_ticks_each_second(
    broker: Broker, tmp_path: Path
) -> None:
    with Site(broker.url) as site:
        plant = _plant(broker, tmp_path / "cursor", speed="60")
        try:
            _until(lambda: len(site.said("clock")) >= 2)
            begun = time.monotonic(), micros(site.said("clock")[-1]["now"]), len(site.said("clock"))
            time.sleep(5)
            lived = (micros(site.said("clock")[-1]["now"]) - begun[1]) / 1e6
            wall = time.monotonic() - begun[0]
            assert abs(lived / wall - 60) < 20
            assert len(site.said("clock")) - begun[2] >= 4
            assert site.said("clock")[-1]["speed"] == 60
            plant.terminate()
            assert plant.wait(10) == 0
        finally:
            _end(plant)


def test_that_the_cursor_moves_on_the_sites_word_and_on_nothing_else(
    broker: Broker, tmp_path: Path
) -> None:
    cursor = tmp_path / "cursor"
    first = load().first(micros(START))
    with Site(broker.url, notices=False) as site:
        plant = _plant(broker, cursor, "--no-mischief")
        try:
            _until(lambda: len(set(site.numbers())) == DAY)
            assert _position(cursor) == first
            site.say("nonsense")
            site.say([[first + 5, first + 9]])
            site.say([[0, first - 1], [first + DAY, 10**12]])
            time.sleep(1)
            assert _position(cursor) == first
            site.say([[first, first + 4]])
            _until(lambda: _position(cursor) == first + 10)
            assert plant.poll() is None
            assert site.said("finished")
            site.notice()
            assert plant.wait(10) == 0
            assert _position(cursor) == first + DAY
        finally:
            _end(plant)


def test_that_a_full_window_stops_plant_time_until_the_site_commits(
    broker: Broker, tmp_path: Path
) -> None:
    with Site(broker.url, notices=False) as site:
        plant = _plant(broker, tmp_path / "cursor", "--no-mischief", "--window", "100")
        try:
            _until(lambda: len(site.numbers()) == 100)
            time.sleep(2.5)
            assert len(site.numbers()) == 100
            # 100 readings are three whole steps and some of the fourth: 00:30 there, not yet sent.
            assert {c["now"] for c in site.said("clock")[-2:]} == {"2014-03-14T00:30:00Z"}
            site.notices = True
            site.notice()
            assert plant.wait(40) == 0
            assert len(set(site.numbers())) == DAY
        finally:
            _end(plant)


@pytest.mark.timed
def test_that_what_is_not_noticed_is_sent_again(broker: Broker, tmp_path: Path) -> None:
    record = load()
    first = record.first(micros(START))
    plant = Plant(
        record,
        departures(record, NONE, first, first + 280),
        Cursor(tmp_path / "cursor", record.sha256, 0),
        Line(Address.parse(broker.url), "lahauteborne", [(COMMITTED, 1)]),
        speed=None,
        stopped=lambda: False,
        patience=Patience(silence_s=1.0),
    )
    endings: list[Ending] = []
    with Site(broker.url, notices=False) as site:
        thread = threading.Thread(target=lambda: endings.append(plant.run()))
        thread.start()
        _until(lambda: len(site.numbers()) == 3 * 280)
        assert sorted(site.numbers()) == sorted(3 * list(range(first, first + 280)))
        same = {json.dumps(reading) for reading in site.readings()}
        assert len(same) == 280
        site.notice()
        thread.join(20)
    assert endings == [Ending.FINISHED]


def test_that_a_plant_killed_in_the_middle_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    cursor = tmp_path / "cursor"
    first = load().first(micros(START))
    with Site(broker.url) as site:
        for part in (0.3, 0.6):
            plant = _plant(broker, cursor)
            try:
                _until(lambda part=part: len(site.committed) > part * DAY)  # type: ignore[misc]
                plant.kill()
                plant.wait(10)
            finally:
                _end(plant)
            assert _position(cursor) <= min(set(range(first, first + DAY)) - site.committed)
        plant = _plant(broker, cursor)
        try:
            assert plant.wait(40) == 0
        finally:
            _end(plant)
        assert site.committed == set(range(first, first + DAY))
        # Between the kills the cursor moved: the day was not sent three times.
        assert len(site.numbers()) < 2 * DAY


def test_that_a_plant_that_starts_after_the_end_says_so_once_more_and_ends(
    broker: Broker, tmp_path: Path
) -> None:
    short = ("--start", START, "--end", "2014-03-14T01:00Z")
    sent: list[int] = []
    for _ in range(2):
        with Site(broker.url) as site:
            plant = _plant(broker, tmp_path / "cursor", *short)
            try:
                assert plant.wait(30) == 0
            finally:
                _end(plant)
            _until(lambda site=site: bool(site.said("finished")))  # type: ignore[misc]
            sent.append(len(set(site.numbers())))
    assert sent == [6 * 4 * 7, 0]


def test_that_the_plant_comes_back_when_the_broker_was_killed(tmp_path: Path) -> None:
    first = load().first(micros(START))
    broker = start_broker(None, tmp_path / "broker")
    with broker, Site(broker.url) as site:
        plant = _plant(broker, tmp_path / "cursor", "--window", "300")
        try:
            _until(lambda: len(site.committed) > 0.2 * DAY)
            psutil.Process(broker.pid).kill()
            broker.process.wait(10)
            with start_broker(broker.port, tmp_path / "broker"):
                assert plant.wait(50) == 0
                assert site.committed == set(range(first, first + DAY))
        finally:
            _end(plant)


def test_that_the_plant_does_not_outlive_its_parent(broker: Broker, tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'gemeos_plants.windfarm', "
        f"'--broker', {broker.url!r}, '--cursor', {str(tmp_path / 'cursor')!r}, "
        "'--parent', str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with (
        Site(broker.url) as site,
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as parent,
    ):
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        _until(lambda: bool(site.numbers()))
        parent.kill()
        parent.wait(10)
        _until(lambda: not _runs(child), within_s=10)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_that_a_closed_broker_leaves_nothing_behind(either_broker: Broker) -> None:
    pids = [either_broker.pid]
    if either_broker.watcher is not None:
        pids.append(either_broker.watcher.pid)
    assert all(_runs(pid) for pid in pids)
    either_broker.close()
    assert not any(_runs(pid) for pid in pids)


@pytest.mark.parametrize("kind", ["iotcore", "mosquitto"])
def test_that_a_broker_ends_when_its_starter_is_killed(kind: str, tmp_path: Path) -> None:
    _available(kind)
    start = "start_broker" if kind == "iotcore" else "start_mosquitto"
    code = (
        "import pathlib, time\n"
        f"from gemeos_plants.broker import {start} as start\n"
        f"broker = start(None, pathlib.Path({str(tmp_path)!r}))\n"
        "print(broker.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert _runs(pid)
        starter.kill()
        starter.wait(10)
        _until(lambda: not _runs(pid), within_s=10)


def test_that_a_large_message_passes(either_broker: Broker) -> None:
    with Site(either_broker.url) as site:
        text = "x" * (7 * 1024 * 1024)
        site.client.publish("lahauteborne/large", json.dumps({"text": text}), qos=1)
        _until(lambda: site.said("large") == [{"text": text}])


def test_that_a_taken_port_is_told(broker: Broker, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"{broker.port}: name another port"):
        start_broker(broker.port, tmp_path)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--broker", "http://host"), "is not a broker"),
        (("--speed", "0"), "a speed is above zero"),
        (("--start", "2014-03-14T00:00"), "names no offset"),
        (("--start", "2015-03-14T00:00Z"), "from 2014-01-01T00:00:00Z to 2014-06-30T23:50:00Z"),
    ],
)
def test_that_a_wrong_argument_is_told_in_a_sentence(
    more: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "gemeos_plants.windfarm", "--broker", "mqtt://127.0.0.1:1"]
    done = subprocess.run(
        [*command, "--cursor", str(tmp_path / "cursor"), *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
