"""The plant of city traffic as a process behind a broker, and what its loops tell, kept in order.

The plant lives as fast as its readings are committed. So when enough has been heard no more is
committed: it stands still, keeps what it drew to itself, and writes it down when it is told that
the last score is made.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import numpy as np
import paho.mqtt.client as mqtt
from jaxtyping import Float64
from paho.mqtt.enums import CallbackAPIVersion

from gemeos.errors import LinkError
from gemeos.runtime.children import broker, child, free_port
from gemeos.twins.traffic.demand.trial import Day

ROOT: Final = "city"
START: Final = "2026-03-02T00:00Z"
PATIENCE_S: Final = 120.0
"""Without any reading, after which the plant is given up."""
STOP_S: Final = 20.0
AT_ONCE: Final = 64
"""Readings in one notice of what is committed: far fewer than the plant lets wait."""


class Heard:
    """What loops told so far, minute by minute. Written to by the client's thread."""

    def __init__(self, loops: tuple[str, ...], minutes: int) -> None:
        """Room for so many minutes."""
        self._place = {name: i for i, name in enumerate(loops)}
        self._minutes = minutes
        self._counts = np.full((minutes, len(loops)), np.nan)
        self._speeds = np.full((minutes, len(loops)), -1.0)
        """Of loops over which nobody came in a minute nothing is told."""
        self._start = datetime.fromisoformat(START)
        self.news = threading.Event()
        self.full = threading.Event()

    def take(self, topic: str, told: Mapping[str, Any]) -> int | None:
        """Keep a reading; its number, if it is to be committed."""
        name, _, quantity = topic.removeprefix(f"{ROOT}/reading/").rpartition("/")
        at = datetime.fromisoformat(told["valid_at"])
        minute = round((at - self._start).total_seconds() / 60.0) - 1
        place = self._place.get(unquote(name))
        self.news.set()
        if minute >= self._minutes:
            # Readings come in order: all before it are here.
            self.full.set()
            return None
        if place is not None:
            into = self._counts if quantity == "count" else self._speeds
            into[minute, place] = -1.0 if told["value"] is None else float(told["value"])
        return int(told["seq"])

    def between(self, first: int, last: int) -> Day:
        """The minutes from ``first`` up to ``last``.

        Raises:
            LinkError: something is missing.
        """
        counts, speeds = self._counts[first:last], self._speeds[first:last]
        if not np.isfinite(counts).all():
            raise LinkError("The plant did not tell of every loop in every minute.")
        return Day(_copied(counts), _copied(speeds))


def _copied(values: Float64[np.ndarray, "minute loop"]) -> Float64[np.ndarray, "minute loop"]:
    return np.array(values, np.float64)


@contextmanager
def lived(district: Path, loops: tuple[str, ...], minutes: int, reveal: Path) -> Iterator[Heard]:
    """A plant of its own for that district; at the end it is told that all is scored.

    Args:
        district: Its folder.
        loops: Whose readings are kept.
        minutes: How long it lives before it stands still.
        reveal: Where it writes what it drew, once the block is left.

    Raises:
        LinkError: broker or plant end, or fall silent, before all was heard.
    """
    folder = reveal.parent
    port = free_port()
    heard = Heard(loops, minutes)
    plant = (
        *("gemeos_plants.traffic", "--broker", f"mqtt://127.0.0.1:{port}"),
        *("--district", str(district), "--reveal", str(reveal)),
        *("--start", START, "--speed", "max"),
    )
    with broker(folder, port):
        client = _connected(port, heard)
        try:
            with child("plant", folder, plant) as living:
                while not heard.full.wait(1.0):
                    if living.poll() is not None:
                        raise LinkError(f"The plant ended; see {folder / 'plant.log'}.")
                    if not heard.news.wait(PATIENCE_S):
                        raise LinkError("The plant has not told anything for two minutes.")
                    heard.news.clear()
                yield heard
                client.publish(f"{ROOT}/end", json.dumps({"id": "scored"}), qos=1)
                with suppress(subprocess.TimeoutExpired):
                    living.wait(STOP_S)
        finally:
            client.disconnect()
            client.loop_stop()


def _connected(port: int, heard: Heard) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="validation")
    subscribed = threading.Event()

    waiting: list[int] = []

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        number = heard.take(message.topic, json.loads(message.payload))
        if number is not None:
            waiting.append(number)
        if len(waiting) >= AT_ONCE:
            notice = json.dumps({"committed": [[n, n] for n in waiting]})
            waiting.clear()
            client.publish(f"{ROOT}/committed", notice, qos=1)

    def on_connect(*_: object) -> None:
        client.subscribe(f"{ROOT}/reading/#", 1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: subscribed.set()
    client.on_message = on_message
    client.connect("127.0.0.1", port)
    client.loop_start()
    if not subscribed.wait(STOP_S):
        raise LinkError("The broker of the validation does not answer.")
    return client
