"""The wind farm that is set, and its site that limits a turbine: for tests.

As a process that is killed the site is

``steered_site.py PORT STORE``
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt import publish

from gemeos.errors import GemeosError
from gemeos.runtime.run import RunningSite, run
from gemeos.runtime.settings import read
from gemeos.runtime.site import Site
from gemeos.schema.command import CommandState
from gemeos.schema.plan import Plan
from gemeos.units.instant import SECOND

START = "2014-03-14T00:00Z"
SPEED = 900
"""A machine that has much to do takes seconds for what a plan asks: hours of the site, so all that
limits a plan in time is days here."""
PLACE = "R80711/power_limit"
LONGEST_S = 40.0
TOML = """
[site]
name = "steered"
[clock]
start = "{start}"
speed = {speed}
label = "recorded, for a test"
[link.scada]
kind = "mqtt"
broker = "mqtt://127.0.0.1:{port}"
client_id = "steered-{pid}"
unwanted = ["*/Wa_avg"]
[[link.scada.message]]
topic = "lahauteborne/{{turbine}}/{{tag}}"
value = "/value"
valid_at = "/valid_at"
valid_from = "/valid_from"
sequence = "/seq"
revision = "/seq"
unit = "/unit"
[[link.scada.message]]
topic = "lahauteborne/setpoint/{{turbine}}/{{control}}"
value = "/value"
valid_at = "/valid_at"
unit = "/unit"
[link.scada.plant]
clock = "lahauteborne/clock"
time = "/now"
end = "lahauteborne/finished"
committed = "lahauteborne/committed"
[twin.farm]
type = "gemeos.twins.windfarm:twin"
lateness = "10 min"
horizon = "6 h"
with = {{ farm = "la_haute_borne" }}
[[twin.farm.bind]]
channel = "scada:R80711/power_limit"
to = "R80711.power_limit"
[[twin.farm.act]]
place = "farm:R80711/power_limit"
to = "R80711.power_limit"
{yaw}[twin.farm.apply]
oldest_state = "48 h"
lasting = "48 h"
watch = "{watch}"
settle = "{settle}"
[actuator.farm]
kind = "mqtt"
broker = "mqtt://127.0.0.1:{port}"
client_id = "steering-{pid}"
[actuator.farm.topics]
command = "lahauteborne/command/{{place}}"
acknowledgement = "lahauteborne/acknowledgement"
reported = "lahauteborne/reported/{{place}}"
ask = "lahauteborne/ask/{{place}}"
heartbeat = "lahauteborne/heartbeat"
"""


YAW = """
[[twin.farm.bind]]
channel = "scada:R80721/yaw_offset"
to = "R80721.yaw_offset"
[[twin.farm.act]]
place = "farm:R80721/yaw_offset"
to = "R80721.yaw_offset"
"""


class FarmProcess:
    """The plant's process, and the lines of what it did."""

    def __init__(self, port: int, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process, self._told = port, process, folder / "told.jsonl"

    def did(self, what: str) -> list[dict[str, Any]]:
        if not self._told.exists():
            return []
        lines = [json.loads(line) for line in self._told.read_text().splitlines()]
        return [line for line in lines if line["what"] == what]

    def until(self, what: str) -> dict[str, Any]:
        ends = time.monotonic() + LONGEST_S
        while not (found := self.did(what)):
            assert time.monotonic() < ends, f"the farm did not: {what}"
            assert self.process.poll() is None
            time.sleep(0.02)
        return found[-1]

    def local(self, what: str, value: object) -> None:
        publish.single(f"lahauteborne/local/{what}", json.dumps(value), qos=1, port=self.port)


@contextmanager
def farm_process(
    port: int, folder: Path, *, start: str = START, speed: int = SPEED
) -> Iterator[FarmProcess]:
    """The farm behind that broker, as long as the block lasts."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gemeos_plants.windfarm"),
            *("--broker", f"mqtt://127.0.0.1:{port}", "--cursor", str(folder / "cursor.json")),
            *("--speed", str(speed), "--start", start, "--no-mischief"),
            *("--obey", "--told", str(folder / "told.jsonl"), "--parent", str(os.getpid())),
        ]
    )
    try:
        yield FarmProcess(port, folder, process)
    finally:
        process.terminate()
        process.wait(10)


def site_of(
    port: int,
    folder: Path,
    *,
    start: str = START,
    speed: int = SPEED,
    watch: str = "96 h",
    settle: str = "48 h",
    yaw: bool = False,
) -> Site:
    """As site.toml declares it; in memory. With ``yaw``, R80721 may be turned as well."""
    path = folder / "site.toml"
    told = {"start": start, "speed": speed, "watch": watch, "settle": settle}
    more = YAW if yaw else ""
    path.write_text(TOML.format(port=port, pid=os.getpid(), yaw=more, **told))
    return read(path).site


def limited(running: RunningSite, within_s: float = 40.0) -> Plan:
    """Wait until the twin may act, and limit the turbine.

    Raises:
        TimeoutError: it never may.
    """
    ends, told = time.monotonic() + within_s, "nothing was heard"
    while time.monotonic() < ends:
        time.sleep(0.1)
        now = running.host.clock.now()
        try:
            plan = Plan(
                twin="farm",
                name="limit",
                changes={"R80711.power_limit": "500 kW"},
                made_at=now - SECOND,
                actor="kim",
                cause="made by hand",
                expires_at=now + 48 * 3600 * SECOND,
                state_at=now - SECOND,
            )
            running.host.plans.keep(plan, actor="kim", replacing=True)
            running["farm"].apply("limit", approve="ada", dry_run=False)
        except GemeosError as error:
            told = str(error)
            continue
        if _is_taken(running, plan, ends):
            return plan
        told = "the farm would not: it had not heard yet that it is seen"
    raise TimeoutError(told)


def _is_taken(running: RunningSite, plan: Plan, ends: float) -> bool:
    """Whether the farm took it."""
    while time.monotonic() < ends:
        undertaking = running.host.applying.undertakings.of(plan.id)
        if undertaking is not None:
            state = undertaking.issued[0].state
            if state is CommandState.TAKEN:
                return True
            if undertaking.stage.is_over:
                return False
        time.sleep(0.05)
    return False


def main() -> None:
    """Limit it, and stay."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    with run(site_of(port, folder)) as running:
        limited(running)
        time.sleep(50.0)


if __name__ == "__main__":
    main()
