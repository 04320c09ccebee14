"""The plant of city traffic as a process behind a broker, and what its loops tell, kept in order.

The plant lives as fast as its readings are committed. So when enough has been heard no more is
committed: it stands still, keeps what it drew to itself, and writes it down when it is told that
the last score is made.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
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
    port = _free_port()
    heard = Heard(loops, minutes)
    broker = ("gemeos_plants.broker", "--port", str(port), "--directory", str(folder / "broker"))
    plant = (
        *("gemeos_plants.traffic", "--broker", f"mqtt://127.0.0.1:{port}"),
        *("--district", str(district), "--reveal", str(reveal)),
        *("--start", START, "--speed", "max"),
    )
    with _child("broker", folder, broker) as behind:
        client = _connected(port, behind, heard)
        try:
            with _child("plant", folder, plant) as child:
                while not heard.full.wait(1.0):
                    if child.poll() is not None:
                        raise LinkError(f"The plant ended; see {folder / 'plant.log'}.")
                    if not heard.news.wait(PATIENCE_S):
                        raise LinkError("The plant has not told anything for two minutes.")
                    heard.news.clear()
                yield heard
                client.publish(f"{ROOT}/end", json.dumps({"id": "scored"}), qos=1)
                with suppress(subprocess.TimeoutExpired):
                    child.wait(STOP_S)
        finally:
            client.disconnect()
            client.loop_stop()


def _connected(port: int, broker: subprocess.Popen[bytes], heard: Heard) -> mqtt.Client:
    _wait_for(port, broker)
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, broker: subprocess.Popen[bytes]) -> None:
    quiet = threading.Event()
    for _ in range(round(STOP_S / 0.1)):
        if broker.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            quiet.wait(0.1)
        else:
            return
    raise LinkError("The broker of the validation did not come up.")


@contextmanager
def _child(name: str, folder: Path, module: tuple[str, ...]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of our own making, ended with the block; its output is in a file."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, "-m", *module, "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
