"""``python -m gemeos_plants.device``: a device that is set over MQTT, as a process of its own.

It takes a command once: one that it had before, or that has expired, it answers and does not obey.
While somebody tells it that its twin sees it, it stands where it was set; where that was told too
long ago (each heartbeat says how long it lasts) it goes back to its fixed programme by itself,
whatever became of the twin, of the network or of the broker. Its faults are those that devices
have: ``--fault``.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
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
    "cut",
)
"""``cut``: neither commands are heard nor sensors, where there are any; heartbeats are."""


Refuses = Callable[[str, float], str]
"""Why a place will not go there, by the plant's own rules; empty where it will."""


def obedient(place: str, value: float) -> str:  # noqa: ARG001 -- as a plant's rules are asked
    """The rules of a device that has none."""
    return ""


@final
class Device:
    """Places with values, each with its fixed programme. ``told`` keeps a line of all it did."""

    def __init__(
        self,
        fixed: dict[str, float],
        told: Path | None,
        patience_s: float | None,
        *,
        refuses: Refuses = obedient,
        now: Callable[[], datetime] | None = None,
        moved: Callable[[str, float], None] | None = None,
    ) -> None:
        """It stands where its fixed programme has it.

        Args:
            fixed: By place: where it goes back to.
            told: A file that gets a line of all it did.
            patience_s: How long it stays where it was set without being seen; None as long as a
                heartbeat says that it lasts.
            refuses: The plant's own rules.
            now: The plant's time, for what has expired; by default the machine's.
            moved: Called with each place that moves, whoever moves it.
        """
        self.fixed = fixed
        self._refuses, self._now, self._moved = refuses, now, moved
        self.values = dict(fixed)
        self.set_by: dict[str, str | None] = dict.fromkeys(fixed)
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._told = told
        self._patience_s = patience_s
        self._lasts_s = PATIENCE_S if patience_s is None else patience_s
        self._seen_at: float | None = None
        self._lock = threading.RLock()

    def tell(self, what: str, **more: object) -> None:
        """Keep a line of what was done, for whoever looks later."""
        if self._told is not None:
            with self._told.open("a") as file:
                file.write(json.dumps({"what": what, "at": time.time(), **more}) + "\n")

    def _time(self) -> datetime:
        return datetime.now(UTC) if self._now is None else self._now()

    def _move(self, place: str, value: float, set_by: str | None) -> None:
        self.values[place], self.set_by[place] = value, set_by
        if self._moved is not None:
            self._moved(place, value)

    def seen(self, lasts_s: float | None = None) -> None:
        """The twin sees us; ``lasts_s`` is how long it says that this holds."""
        with self._lock:
            self._seen_at = time.monotonic()
            if lasts_s is not None and self._patience_s is None:
                self._lasts_s = lasts_s
            self.tell("seen")

    def is_unseen(self) -> bool:
        """Whether nobody has told for too long."""
        return self._seen_at is None or time.monotonic() - self._seen_at > self._lasts_s

    def fall_back(self) -> list[str]:
        """Go back to the fixed programme where nobody sees; the places that moved."""
        with self._lock:
            if not self.is_unseen():
                return []
            moved = [p for p, value in self.values.items() if value != self.fixed[p]]
            for place in moved:
                self._move(place, self.fixed[place], None)
                unseen = None if self._seen_at is None else time.monotonic() - self._seen_at
                self.tell("fallback", place=place, value=self.fixed[place], unseen_s=unseen)
        return moved

    def override(self, place: str, value: float) -> None:
        """Somebody at the device sets it."""
        with self._lock:
            self._move(place, value, None)
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
            elif self._time() >= datetime.fromisoformat(command["expires_at"]):
                answer = {"id": key, "accepted": False, "reason": "it has expired"}
            elif why := self._refuses(place, float(command["value"])):
                answer = {"id": key, "accepted": False, "reason": why}
                self.tell("refused", id=key, place=place, value=command["value"], why=why)
            elif moves:
                self._move(place, float(command["value"]), key)
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
                lasts = body.get("lasts_s") if isinstance(body, dict) else None
                self._device.seen(None if lasts is None else float(lasts))
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
        if fault in {"deaf", "refuses", "cut"}:
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


@final
class Watchman:
    """Has a device fall back where nobody sees it, and tells the broker.

    A thread of its own, not the network's: it has to fall back also while that hangs.
    """

    def __init__(self, device: Device, line: Line) -> None:
        """Not started yet."""
        self._device, self._line = device, line
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchman", daemon=True)

    def __enter__(self) -> Watchman:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            for place in self._device.fall_back():
                self._line.report(place)


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
    parser.add_argument("--patience", type=float, help="seconds; by default as heartbeats say")
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
    with Watchman(device, line):
        while not (over.wait(LOOK_S) or parent.gone):
            pass
    line.client.disconnect()
    line.client.loop_stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
