"""A device as a process of its own behind a real broker: for tests, ended by its pid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final

from paho.mqtt import publish

from gemeos.link.actuate_mqtt import DeviceTopics
from gemeos.link.broker import MqttVersion
from gemeos.runtime.actuator_links import MqttActuatorLink

ROOT: Final = "plant"
TOPICS: Final = DeviceTopics(
    command=f"{ROOT}/command/{{place}}",
    acknowledgement=f"{ROOT}/acknowledgement",
    reported=f"{ROOT}/reported/{{place}}",
    ask=f"{ROOT}/ask/{{place}}",
    heartbeat=f"{ROOT}/heartbeat",
)
PATIENCE_S: Final = 20.0


@final
class DeviceProcess:
    """``python -m gemeos_plants.device``. What it did is read from the file that it keeps."""

    def __init__(
        self,
        port: int,
        folder: Path,
        *,
        place: str = "tank/valve",
        value: float = 1.0,
        patience_s: float = 60.0,
        late_s: float = 1.0,
        mqtt5: bool = False,
    ) -> None:
        """``port`` is the broker's."""
        self.port, self.place = port, place
        self._told = folder / "device.jsonl"
        self._arguments = [
            *(sys.executable, "-m", "gemeos_plants.device", f"{place}={value}"),
            *("--port", str(port), "--root", ROOT, "--told", str(self._told)),
            *("--patience", str(patience_s), "--late", str(late_s), "--parent", str(os.getpid())),
            *(["--mqtt5"] if mqtt5 else []),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._arguments)  # noqa: S603 -- as made above
        # To both of what it subscribes to: what is sent before would be lost.
        self.until("subscribed", 2)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(PATIENCE_S)

    def did(self, what: str | None = None) -> list[dict[str, Any]]:
        """The lines of what it did, of one sort."""
        if not self._told.exists():
            return []
        lines = [json.loads(line) for line in self._told.read_text().splitlines(keepends=False)]
        return [line for line in lines if what in {None, line["what"]}]

    def until(self, what: str, times: int = 1, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait until it did that so often; the last line of it.

        Raises:
            TimeoutError: it did not.
        """
        ends = time.monotonic() + patience_s
        while len(found := self.did(what)) < times:
            if time.monotonic() > ends:
                raise TimeoutError(f"The device did {len(found)} of {times} {what}: {self.did()}.")
            time.sleep(0.01)
        return found[times - 1]

    @property
    def stands(self) -> float | None:
        """Where its place stands by what it did; None where it never moved."""
        moved = [line for line in self.did() if line["what"] in {"moved", "fallback", "override"}]
        return float(moved[-1]["value"]) if moved else None

    def local(self, what: str, value: object) -> None:
        """Do something at the device itself: set a place, or give it a ``fault``."""
        publish.single(f"{ROOT}/local/{what}", json.dumps(value), qos=1, port=self.port)

    def link(self, *, mqtt5: bool = False, name: str = "plc") -> MqttActuatorLink:
        """The site's end of it."""
        return MqttActuatorLink(
            name=name,
            broker=f"mqtt://127.0.0.1:{self.port}",
            topics=TOPICS,
            client_id=f"act-{os.getpid()}",
            version=MqttVersion.V5 if mqtt5 else MqttVersion.V311,
        )
