"""Two junctions with signals, which SUMO's own tool makes: plant, broker and site are processes.

The cabinets know of a rule that the twin was not told of: no cycle is longer than 110 s.
"""

from __future__ import annotations

import json
import os
import re
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
from paho.mqtt.enums import CallbackAPIVersion

from gemeos.act.undertaking import Stage, Undertaking
from gemeos.errors import GemeosError, GuardError
from gemeos.runtime.phase import Phase
from gemeos.serve.client import ConnectedTwin, Connection, connect
from gemeos_plants.broker import start_broker
from tests.integration.sumo_networks import sumo_program

_T = TypeVar("_T")
SPEED = 10
LONGEST_CYCLE_S = 110
STRIDE_MIN = 2
START = "2026-03-02T07:00Z"
"""Of the plant's traffic: cycles stand by it."""
SIGNALS = ("A0", "B0")
SITE = """
[site]
name = "two"
[clock]
start = "{start}"
speed = {speed}
label = "simulated plant"
[serve]
port = 0
[link.plant]
kind = "mqtt"
broker = "{broker}"
client_id = "two-{pid}"
[[link.plant.message]]
topic = "{readings}/{{detector}}/{{quantity}}"
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
members = {members}
lateness = "2 min"
leads = ["2 min"]
[twin.city.with]
district = "{district}"
begins = "{start}"
window = "2 min"
stride = "{stride} min"
warm_up = "1 min"
[twin.city.apply]
oldest_state = "20 min"
lasting = "30 min"
watch = "{watch}"
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


ALONG: tuple[tuple[str, str], ...] = (("left0A0", "B0right0"), ("right0B0", "A0left0"))
"""Ways from west to east and back, by their first and last road."""
ACROSS: tuple[tuple[str, str], ...] = (
    *(("top0A0", "A0bottom0"), ("bottom0A0", "A0top0")),
    *(("top1B0", "B0bottom1"), ("bottom1B0", "B0top1")),
)
"""Ways from north to south and back."""


@dataclass(frozen=True)
class Rush:
    """Traffic across, and programmes that were made for traffic along."""

    across: int = 450
    """Vehicles an hour on each way from north to south or back."""
    along: int = 100
    greens_s: tuple[int, int] = (12, 50)
    """For those who go across, and for those who go along: 12 s of 68 let some 330 an hour pass."""


def district(folder: Path, *more: str, rush: Rush | None = None) -> Path:
    """Two junctions side by side, 200 m apart, a loop before each stop line.

    Without ``rush`` programmes are SUMO's and demand is assumed.
    """
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
    tree = ET.parse(net)  # noqa: S314 - made here
    root = tree.getroot()
    told = ['name = "Two"', 'network = "two.net.xml"']
    if rush is not None:
        for program in root.iter("tlLogic"):
            for phase, length in zip(program.findall("phase")[::2], rush.greens_s, strict=True):
                phase.set("duration", str(length))
        tree.write(net)
        (folder / "two.rou.xml").write_text(_flows(rush))
        told.append('routes = ["two.rou.xml"]')
    lanes = {
        f"{c.attrib['from']}_{c.attrib['fromLane']}"
        for c in root.iter("connection")
        if "tl" in c.attrib
    }
    loops = [
        f'[[detectors]]\nname = "D{lane}"\nlane = "{lane}"\nposition_m = -30.0\n'
        for lane in sorted(lanes)
    ]
    (folder / "district.toml").write_text("\n".join([*told, *more, *loops]))
    return folder


def _flows(rush: Rush) -> str:
    """Of an hour."""
    many = {**dict.fromkeys(ACROSS, rush.across), **dict.fromkeys(ALONG, rush.along)}
    flows = (
        f'<flow id="f{n}" from="{first}" to="{last}" begin="0" end="3600" number="{number}"/>'
        for n, ((first, last), number) in enumerate(many.items())
    )
    return f"<routes>{''.join(flows)}</routes>"


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


@contextmanager
def uplink(url: str) -> Iterator[Callable[[], None]]:
    """What detectors say comes to ``uplink/reading`` as well, until what this yields is called."""
    host, port = url.removeprefix("mqtt://").split(":")
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="uplink")
    client.on_connect = lambda client, *_: client.subscribe("city/reading/#", 1)

    def relay(client: mqtt.Client, _: object, told: mqtt.MQTTMessage) -> None:
        client.publish(told.topic.replace("city", "uplink", 1), told.payload, qos=1)

    client.on_message = relay
    client.connect(host, int(port))
    client.loop_start()

    def cut() -> None:
        client.unsubscribe("city/reading/#")

    try:
        yield cut
    finally:
        client.disconnect()
        client.loop_stop()


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
def city(
    folder: Path,
    *,
    members: int = 8,
    rush: Rush | None = None,
    watch: str = "30 min",
    readings: str = "city/reading",
) -> Iterator[tuple[Connection, Ears, subprocess.Popen[bytes], Path]]:
    known = district(folder / "known", rush=rush)
    rule = f"[limits]\nmaximum_cycle_s = {LONGEST_CYCLE_S}"
    real = district(folder / "real", rule, rush=rush)
    reveal, log = folder / "reveal.json", folder / "site.log"
    with start_broker(None, folder / "broker") as broker, Ears(broker.url).open() as ears:
        toml = folder / "site.toml"
        told = {"broker": broker.url, "pid": os.getpid(), "district": known.as_posix()}
        more = {"members": members, "watch": watch, "readings": readings, "stride": STRIDE_MIN}
        toml.write_text(SITE.format(start=START, speed=SPEED, **told, **more))
        plant = ("gemeos_plants.traffic", "--broker", broker.url, "--district", str(real))
        life = ("--reveal", str(reveal), "--speed", str(SPEED), "--parent", str(os.getpid()))
        with (
            process(*plant, *life, log=folder / "plant.log"),
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
