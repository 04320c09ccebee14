"""A boiler to make a twin of: a process of its own that knows nothing of Gemeos.

    python examples/boiler_plant.py [--port 8123] [--post URL] [--obey BROKER_PORT]

Three bodies that heat each other, steam that is let off now and then, and a slow thermometer that
tells tenths of a degree: more than the twin's model in ``boiler.py`` knows. All chance is drawn
from the system's entropy, so no two runs are alike.

GET / answers the readings as JSON; PUT /heater with a number as its body sets the heater's power
in watts. With --post it also sends its readings to that address every second. With --obey the
heater is set over MQTT, too, by the broker at that port: see ``gemeos_plants.device``.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import threading
import time
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gemeos_plants.device import Device, Line, Watchman

STEP_S = 0.05
MOST_W = 600.0
chance = random.SystemRandom()


class Plant:
    """What goes on in there; moved by one thread, looked at and set by others."""

    def __init__(self) -> None:
        self.heater = 70.0
        self.element, self.water, self.casing = 88.5, 83.0, 74.0
        self.room = chance.uniform(20, 23)
        self.steam = 0.0
        self.told = self.water

    def move(self) -> None:
        """On by one step."""
        into_water = 12.0 * (self.element - self.water)
        into_casing = 7.0 * (self.water - self.casing)
        away = 0.45 * max(self.casing - self.room, 0.0) ** 1.25  # what rises as warm air
        away += 2e-10 * ((self.casing + 273) ** 4 - (self.room + 273) ** 4)  # what is radiated
        # Puffs of some seconds, now and then.
        self.steam *= math.exp(-STEP_S / 4)
        if chance.random() < STEP_S / 20:
            self.steam += chance.expovariate(1 / 6)
        self.element += STEP_S * (self.heater - into_water) / 40
        self.water += STEP_S * (into_water - into_casing - self.steam) / 420
        self.casing += STEP_S * (into_casing - away) / 110
        self.told += STEP_S * (self.water - self.told) / 1.5

    def run(self) -> None:
        """As fast as the clock on the wall."""
        at = time.monotonic()
        while True:
            self.move()
            at += STEP_S
            time.sleep(max(0.0, at - time.monotonic()))

    def readings(self) -> dict[str, float]:
        """What its instruments tell."""
        return {
            "thermometer": round(self.told + chance.gauss(0, 0.1), 1),
            "room": round(self.room, 1),
            "heater": self.heater,
        }


plant = Plant()


class Answers(BaseHTTPRequestHandler):
    """HTTP."""

    def do_GET(self) -> None:
        """The readings."""
        self._answer(200, plant.readings())

    def do_PUT(self) -> None:
        """Set the heater."""
        try:
            watts = float(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        except ValueError:
            watts = math.nan
        if self.path != "/heater" or not 0 <= watts <= MOST_W:
            self._answer(400, {"error": f"PUT /heater takes 0 .. {MOST_W:g} watts."})
            return
        plant.heater = watts
        self._answer(200, plant.readings())

    def _answer(self, status: int, told: dict[str, float] | dict[str, str]) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: it is asked every second."""


def post(url: str) -> None:
    """The readings of every second, as they are."""
    while True:
        told = plant.readings()
        now = datetime.now(UTC).isoformat()  # noqa: TID251 -- no twin: by the clock on its wall
        columns = {"channel": list(told), "valid_at": [now] * len(told), "value": [*told.values()]}
        sent = urllib.request.Request(  # noqa: S310 -- whoever starts it gives the address
            url, json.dumps(columns).encode(), {"Content-Type": "application/json"}
        )
        try:
            urllib.request.urlopen(sent, timeout=5).close()  # noqa: S310
        except OSError as error:
            print(f"{url}: {error}", flush=True)
        time.sleep(1)


def refuses(_place: str, watts: float) -> str:
    """The heater's own rule."""
    return "" if 0 <= watts <= MOST_W else f"it takes 0 .. {MOST_W:g} W"


def moved(_place: str, watts: float) -> None:
    plant.heater = watts


def obeying(port: int) -> Watchman:
    """The heater as a device; without heartbeats it goes back to where it was."""
    device = Device({"heater": plant.heater}, None, None, refuses=refuses, moved=moved)
    line = Line(device, "boiler", "none", 0.0, v5=False)
    line.client.connect_async("127.0.0.1", port, 30)
    line.client.loop_start()
    return Watchman(device, line)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--post", metavar="URL")
    parser.add_argument("--obey", type=int, metavar="BROKER_PORT")
    args = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", args.port), Answers)
    threading.Thread(target=plant.run, daemon=True).start()
    if args.post:
        threading.Thread(target=post, args=(args.post,), daemon=True).start()
    print(f"The boiler answers at http://127.0.0.1:{server.server_port}", flush=True)
    with ExitStack() as watched:
        if args.obey is not None:
            watched.enter_context(obeying(args.obey))
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.server_close()


if __name__ == "__main__":
    main()
