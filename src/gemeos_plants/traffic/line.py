"""The plant's connection to the broker: MQTT 3.1.1, everything but the heartbeat at QoS 1."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

logger = logging.getLogger(__name__)

# rumqttd was seen to hang with 500 on their way to it.
_ON_THE_WAY: Final = 64
_WAITING: Final = 256
_HEARD: Final = 10_000
_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class AddressError(ValueError):
    """That is not the address of a broker."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that somebody sent to the plant."""

    topic: str
    payload: bytes


class Line:
    """One connection, used from one thread; the client library has another of its own."""

    def __init__(self, url: str, listen_to: Sequence[tuple[str, int]]) -> None:
        """To the broker at ``mqtt://[user:password@]host[:port]`` or ``mqtts://``, once opened.

        Args:
            url: Where the broker is.
            listen_to: Topics, each with its QoS.

        Raises:
            AddressError: it is no such address.
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise AddressError(f"{url!r} is not a broker; write it as in 'mqtt://127.0.0.1:1883'.")
        self._address = parts.hostname, parts.port or _PORTS[parts.scheme]
        self._topics = list(listen_to)
        # Held only around the fields below, never while the library is called.
        self._changed = threading.Condition()
        self._heard: deque[Heard] = deque(maxlen=_HEARD)
        self._acknowledged = self._published = 0
        self.connections = 0
        """How often it stood, subscriptions included."""
        self._connected = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"traffic-{os.getpid()}",
            clean_session=True,
            protocol=mqtt.MQTTv311,
        )
        self._client.max_inflight_messages_set(_ON_THE_WAY)
        self._client.reconnect_delay_set(1, 5)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()

    def open(self) -> None:
        """Begin to connect; does not wait until it is done."""
        self._client.connect_async(*self._address, keepalive=30)
        self._client.loop_start()

    def close(self) -> None:
        """Say goodbye and end the library's thread."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def ready(self) -> bool:
        """Whether it stands and takes another message."""
        return self._connected and self._published - self._acknowledged < _WAITING

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send it at QoS 1."""
        self._client.publish(topic, payload, qos=1, retain=retain)
        self._published += 1

    def drained(self, within_s: float) -> bool:
        """Wait until the broker has acknowledged everything; False if it has not in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._acknowledged >= self._published, timeout=within_s
            )

    def heard(self, wait_s: float) -> list[Heard]:
        """What was said; waits up to ``wait_s`` for anything at all to happen."""
        with self._changed:
            if wait_s > 0 and not self._heard:
                self._changed.wait(wait_s)
            heard = list(self._heard)
            self._heard.clear()
        return heard

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(self._topics)

    def _on_subscribe(self, *_: object) -> None:
        logger.info("Connected to the broker at %s:%d.", *self._address)
        with self._changed:
            self._connected = True
            self.connections += 1
            self._changed.notify_all()

    def _on_disconnect(self, *_: object) -> None:
        with self._changed:
            self._connected = False
            self._changed.notify_all()

    def _on_publish(self, *_: object) -> None:
        with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:  # noqa: ANN401 -- the library's signature
        if message.retain:
            # The word of somebody who may be gone.
            return
        with self._changed:
            self._heard.append(Heard(message.topic, bytes(message.payload)))
            self._changed.notify_all()
