"""``python -m gemeos_plants.device``: a device that is set over MQTT, as a process of its own.

It takes a command once: one that it had before, or that has expired, it answers and does not obey.
While somebody tells it that its twin sees it, it stands where it was set; after ``--patience``
seconds without that it goes back to its fixed programme by itself, whatever became of the twin, of
the network or of the broker. Its faults are those that devices have: ``--fault``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gemeos_plants.parent import Parent

PATIENCE_S: Final = 3.0
"""With a heartbeat a second and half a second to notice, a plant is back in five."""
LOOK_S: Final = 0.1
REMEMBERED: Final = 1000
"""Commands that are known again."""
FAULTS: Final = (
    "none",
    "refuses",
    "twice",
    "late",
    "never",
    "deaf",
    "other-id",
    "garbage",
    "stuck",
)


@final
class Device:
    """Places with values, each with its fixed programme. ``told`` keeps a line of all it did."""

    def __init__(self, fixed: dict[str, float], told: Path | None, patience_s: float) -> None:
        """``fixed`` by place: where it goes back to."""
        self.fixed = fixed
        self.values = dict(fixed)
        self.set_by: dict[str, str | None] = dict.fromkeys(fixed)
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._told = told
        self._patience_s = patience_s
        self._seen_at: float | None = None
        self._lock = threading.RLock()

    def tell(self, what: str, **more: object) -> None:
        """Keep a line of what was done, for whoever looks later."""
        if self._told is not None:
            with self._told.open("a") as file:
                file.write(json.dumps({"what": what, "at": time.time(), **more}) + "\n")

    def seen(self) -> None:
        """The twin sees us."""
        with self._lock:
            self._seen_at = time.monotonic()
            self.tell("seen")

    def is_unseen(self) -> bool:
        """Whether nobody has told for too long."""
        return self._seen_at is None or time.monotonic() - self._seen_at > self._patience_s

    def fall_back(self) -> list[str]:
        """Go back to the fixed programme where nobody sees; the places that moved."""
        with self._lock:
            if not self.is_unseen():
                return []
            moved = [p for p, value in self.values.items() if value != self.fixed[p]]
            for place in moved:
                self.values[place], self.set_by[place] = self.fixed[place], None
                self.tell("fallback", place=place, value=self.fixed[place])
        return moved

    def override(self, place: str, value: float) -> None:
        """Somebody at the device sets it."""
        with self._lock:
            self.values[place], self.set_by[place] = value, None
            self.tell("override", place=place, value=value)

    def obey(self, place: str, command: dict[str, Any], *, moves: bool) -> dict[str, Any]:
        """The answer; moves where the command is new, in time, and for a place that there is."""
        with self._lock:
            key = str(command["id"])
            self.tell("command", id=key, place=place, value=command["value"])
            if key in self._known:
                return self._known[key]
            answer: dict[str, Any] = {"id": key, "accepted": True}
            if place not in self.values:
                answer = {"id": key, "accepted": False, "reason": f"there is no {place}"}
            elif datetime.now(UTC) >= datetime.fromisoformat(command["expires_at"]):
                answer = {"id": key, "accepted": False, "reason": "it has expired"}
            elif moves:
                self.values[place], self.set_by[place] = float(command["value"]), key
                # Who was never seen waits as long from here on.
                self._seen_at = time.monotonic() if self._seen_at is None else self._seen_at
                self.tell("moved", id=key, place=place, value=command["value"])
            self._known[key] = answer
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
            return answer


@final
class Line:
    """The device's end of the broker."""

    def __init__(self, device: Device, root: str, fault: str, late_s: float, *, v5: bool) -> None:
        """``root`` is what all topics begin with."""
        self._device, self._root = device, root
        self.fault, self._late_s, self._v5 = fault, late_s, v5
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
        )
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._device.tell("subscribed")
        self.client.on_message = self._heard

    def _connected(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(f"{self._root}/{kind}/#", 1) for kind in ("command", "ask", "local")])
        client.subscribe(f"{self._root}/heartbeat", 0)
        for place in self._device.values:
            self.report(place)

    def report(self, place: str, answers: str | None = None) -> None:
        """Where it stands, retained."""
        body: dict[str, Any] = {
            "value": self._device.values[place],
            "command": self._device.set_by[place],
        }
        if answers is not None:
            body["answers"] = answers
        self.client.publish(f"{self._root}/reported/{place}", json.dumps(body), 1, retain=True)

    def _heard(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        kind, _, place = message.topic.removeprefix(f"{self._root}/").partition("/")
        try:
            body = json.loads(message.payload)
            if kind == "heartbeat":
                self._device.seen()
            elif kind == "local" and place == "fault":
                self.fault = str(body)
                self._device.tell("fault", of=self.fault)
            elif kind == "local":
                self._device.override(place, float(body))
                self.report(place)
            elif kind == "ask" and self.fault != "mute" and place in self._device.values:
                self.report(place, str(body["id"]))
            elif kind == "command":
                self._command(place, body, message)
        except (ValueError, KeyError, TypeError) as error:
            self._device.tell("unreadable", why=str(error))

    def _command(self, place: str, body: dict[str, Any], message: paho.MQTTMessage) -> None:
        fault, key = self.fault, str(body["id"])
        if fault in {"deaf", "refuses"}:
            self._device.tell("command", id=key, place=place, value=body["value"])
            if fault == "refuses":
                self._answer({"id": key, "accepted": False, "reason": "maintenance"}, message)
            return
        answer = self._device.obey(place, body, moves=fault != "stuck")
        if place in self._device.values:
            self.report(place)
        match fault:
            case "never":
                return
            case "late":
                threading.Timer(self._late_s, self._answer, (answer, message)).start()
            case "other-id":
                self._answer({**answer, "id": "another"}, None)
            case "garbage":
                self.client.publish(f"{self._root}/acknowledgement", b"\xff{not json", 1)
            case _:
                self._answer(answer, message)
                if fault == "twice":
                    self._answer(answer, message)

    def _answer(self, answer: dict[str, Any], message: paho.MQTTMessage | None) -> None:
        """With MQTT 5 the correlation data tells what is answered, and the payload need not."""
        properties = None
        if self._v5 and message is not None and message.properties is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            # paho sets what a packet holds as attributes that no checker knows.
            properties.CorrelationData = getattr(message.properties, "CorrelationData", b"")
            answer = {name: value for name, value in answer.items() if name != "id"}
        self.client.publish(
            f"{self._root}/acknowledgement", json.dumps(answer), 1, properties=properties
        )


def _place(text: str) -> tuple[str, float]:
    place, _, value = text.partition("=")
    return place, float(value)


def main() -> int:
    """Run until it is told to end, or whoever started it is gone."""
    parser = argparse.ArgumentParser(prog="python -m gemeos_plants.device", description=__doc__)
    parser.add_argument("places", nargs="+", type=_place, metavar="PLACE=VALUE")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--root", default="plant", help="what all topics begin with")
    parser.add_argument("--patience", type=float, default=PATIENCE_S)
    parser.add_argument("--fault", choices=FAULTS, default="none")
    parser.add_argument("--late", type=float, default=1.0, help="seconds, for --fault late")
    parser.add_argument("--told", type=Path, help="a file that gets a line of all it does")
    parser.add_argument("--mqtt5", action="store_true")
    parser.add_argument("--parent", type=int, help="end when this process has ended")
    args = parser.parse_args()
    device = Device(dict(args.places), args.told, args.patience)
    line = Line(device, args.root, args.fault, args.late, v5=args.mqtt5)
    parent, over = Parent(args.parent), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    signal.signal(signal.SIGINT, lambda *_: over.set())
    line.client.connect(args.host, args.port, 30)
    line.client.loop_start()
    device.tell("started")
    # Not the network's thread: it has to fall back also while that hangs.
    while not (over.wait(LOOK_S) or parent.gone):
        for place in device.fall_back():
            line.report(place)
    line.client.disconnect()
    line.client.loop_stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
