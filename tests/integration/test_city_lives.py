"""A district's twin in a site: the plant, the broker and the site are processes of their own.

Two junctions with signals, which SUMO's own tool makes. The cabinets know of a rule that the twin
was not told of: no cycle is longer than 110 s.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gemeos.act.undertaking import Stage, Undertaking
from gemeos.errors import GemeosError, GuardError
from gemeos.runtime.phase import Phase
from gemeos.serve.client import ConnectedTwin, Connection, connect
from gemeos_plants.broker import start_broker
from tests.integration.sumo_networks import sumo_program

pytestmark = pytest.mark.timeout(170)
_T = TypeVar("_T")
SPEED = 10
LONGEST_CYCLE_S = 110
SIGNALS = ("A0", "B0")
SITE = """
[site]
name = "two"
[clock]
start = "2026-03-02T07:00Z"
speed = {speed}
label = "simulated plant"
[serve]
port = 0
[link.plant]
kind = "mqtt"
broker = "{broker}"
client_id = "two-{pid}"
[[link.plant.message]]
topic = "city/reading/{{detector}}/{{quantity}}"
valid_from = "/valid_from"
sequence = "/seq"
unit = "/unit"
[[link.plant.message]]
topic = "city/standing/{{signal}}/{{what}}"
unit = "/unit"
[link.plant.plant]
clock = "city/clock"
time = "/now"
end = "city/finished"
committed = "city/committed"
[twin.city]
type = "gemeos.twins.traffic.twin:twin"
members = 8
lateness = "2 min"
leads = ["2 min"]
with = {{ district = "{district}", window = "2 min", stride = "2 min", warm_up = "1 min" }}
[twin.city.apply]
oldest_state = "20 min"
lasting = "30 min"
watch = "30 min"
settle = "3 min"
[actuator.cabinets]
kind = "mqtt"
broker = "{broker}"
client_id = "cabinets-{pid}"
[actuator.cabinets.topics]
command = "city/command/{{place}}"
acknowledgement = "city/acknowledgement"
reported = "city/reported/{{place}}"
ask = "city/ask/{{place}}"
heartbeat = "city/heartbeat"
"""


def district(folder: Path, *more: str) -> Path:
    """Two junctions side by side, 200 m apart, a loop before each stop line."""
    folder.mkdir()
    net = folder / "two.net.xml"
    subprocess.run(
        [
            *(sumo_program("netgenerate"), "--grid", "--grid.x-number", "2"),
            *("--grid.y-number", "1", "--grid.length", "200", "--grid.attach-length", "200"),
            *("--default-junction-type", "traffic_light", "--no-turnarounds", "true"),
            *("--default.lanenumber", "1", "--output-file", net),
        ],
        check=True,
        capture_output=True,
        timeout=50,
    )
    root = ET.parse(net).getroot()  # noqa: S314 - made here
    lanes = {
        f"{c.attrib['from']}_{c.attrib['fromLane']}"
        for c in root.iter("connection")
        if "tl" in c.attrib
    }
    loops = [
        f'[[detectors]]\nname = "D{lane}"\nlane = "{lane}"\nposition_m = -30.0\n'
        for lane in sorted(lanes)
    ]
    told = 'name = "Two"\nnetwork = "two.net.xml"\n'
    (folder / "district.toml").write_text("\n".join([told, *more, *loops]))
    return folder


@dataclass
class Ears:
    """What the plant says of its signals."""

    url: str
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[Ears]:
        host, port = self.url.removeprefix("mqtt://").split(":")
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="ears")
        topics = [(f"city/{kind}", 1) for kind in ("ordered/#", "running/#", "acknowledgement")]
        client.on_connect = lambda client, *_: client.subscribe(topics)
        client.on_message = lambda *told: self.heard.append(
            (told[-1].topic.removeprefix("city/"), json.loads(told[-1].payload))
        )
        client.connect(host, int(port))
        client.loop_start()
        try:
            yield self
        finally:
            client.disconnect()
            client.loop_stop()

    def durations(self, kind: str, signal: str) -> list[float]:
        """The latest."""
        told = [body for topic, body in list(self.heard) if topic == f"{kind}/{signal}"]
        return told[-1]["durations"] if told else []


def until(asked: Callable[[], _T | None], within_s: float = 60.0) -> _T:
    deadline = time.monotonic() + within_s
    while True:
        if found := asked():
            return found
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)


@contextmanager
def process(*module: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as told:
        running = subprocess.Popen(
            [sys.executable, "-m", *module], stdout=told, stderr=subprocess.STDOUT
        )
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(15)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


@contextmanager
def city(folder: Path) -> Iterator[tuple[Connection, Ears, subprocess.Popen[bytes], Path]]:
    known = district(folder / "known")
    real = district(folder / "real", f"[limits]\nmaximum_cycle_s = {LONGEST_CYCLE_S}")
    reveal, log = folder / "reveal.json", folder / "site.log"
    with start_broker(None, folder / "broker") as broker, Ears(broker.url).open() as ears:
        toml = folder / "site.toml"
        toml.write_text(
            SITE.format(speed=SPEED, broker=broker.url, pid=os.getpid(), district=known.as_posix())
        )
        plant = ("gemeos_plants.traffic", "--broker", broker.url, "--district", str(real))
        more = ("--reveal", str(reveal), "--speed", str(SPEED), "--parent", str(os.getpid()))
        with (
            process(*plant, *more, log=folder / "plant.log"),
            process("gemeos", "up", str(toml), log=log) as site,
        ):
            found = until(lambda: re.search(r"answers at (http://\S+)", log.read_text()))
            with connect(found[1]) as connection:
                yield connection, ears, site, reveal


def in_step(twin: ConnectedTwin) -> bool:
    try:
        return twin.trust().phase is Phase.IN_STEP
    except GemeosError:
        return False


def applied(twin: ConnectedTwin, name: str) -> bool:
    """Whether the guard let it pass; it may still wait for the next reading."""
    try:
        twin.apply(name, approve="me", dry_run=False)
    except GuardError:
        return False
    return True


def ended(twin: ConnectedTwin, name: str) -> Undertaking | None:
    """It, once it is no longer under way."""
    found = twin.plans.undertaking(name)
    return None if found is None or found.stage is Stage.UNDER_WAY else found


@pytest.mark.timed
def test_that_a_district_is_followed_asked_set_and_left_to_itself(tmp_path: Path) -> None:
    with city(tmp_path) as (site, ears, process_of_site, _):
        twin = site["city"]
        until(lambda: in_step(twin))
        first, other = SIGNALS
        fixed = until(lambda: ears.durations("ordered", first))

        # Counts ahead, with doubt.
        ahead = twin.forecast("4 min", every="1 min")
        counts = [name for name in ahead.variables if name.startswith("count_")]
        assert len(counts) == 8
        low, high = ahead[counts[0]].interval(0.9)
        assert (high[-1] > low[-1]).all()

        # Another plan of a signal: less green for one road is less that comes through.
        slow = {f"{first}_phase0": "15 s"}
        assert twin.scenario("slow", slow, until="4 min", every="1 min").variables
        assert twin.compare("slow", on="running").mean.shape == (4,)
        # What is applied reaches the cabinet, which says so.
        twin.plans.of_scenario("slow", on=["running"], expires="30 min")
        until(lambda: applied(twin, "slow"))
        until(lambda: ears.durations("ordered", first)[:1] == [15.0])
        assert any(
            topic == "acknowledgement" and body["accepted"] for topic, body in list(ears.heard)
        )
        until(lambda: ears.durations("running", first)[:1] == [15.0])
        until(lambda: twin.now()[f"{first}_phase0"].mean[-1] == 15.0)

        # The cabinet has a rule that the twin was not told of.
        long = {f"{other}_phase0": "75 s"}
        twin.scenario("long", long, until="2 min", every="1 min")
        twin.plans.of_scenario("long", on=["running"], expires="30 min")
        until(lambda: applied(twin, "long"))
        undertaking = until(lambda: ended(twin, "long"))
        assert f"{LONGEST_CYCLE_S} s" in " ".join(i.why for i in undertaking.issued)
        assert ears.durations("ordered", other) == fixed

        # Nobody sees the city any more: the fixed programmes come back.
        process_of_site.send_signal(signal.SIGKILL)
        died = time.monotonic()
        until(lambda: ears.durations("ordered", first) == fixed, within_s=10)
        assert time.monotonic() - died < 5.0
