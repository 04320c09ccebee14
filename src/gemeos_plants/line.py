"""A plant's connection to the broker: MQTT 3.1.1, all that it says at QoS 1.

It reconnects by itself. What was on its way when the connection broke is sent again by the client
library, and once more by the plant: the site drops what it has.
"""

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
from paho.mqtt.reasoncodes import ReasonCode

logger = logging.getLogger(__name__)

# rumqttd was seen to hang with 500 on their way to it; its own limit is 100 unless raised.
_ON_THE_WAY: Final = 64
_WAITING: Final = 256
_HEARD: Final = 10_000


class AddressError(ValueError):
    """That is not the address of a broker."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is."""

    host: str
    port: int
    user: str | None = None
    password: str | None = None
    encrypted: bool = False

    @staticmethod
    def parse(url: str) -> Address:
        """The address in ``mqtt://[user:password@]host[:port]``, or ``mqtts://`` for TLS.

        Raises:
            AddressError: it is not one.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise AddressError(f"{url!r} names no port: {error}.") from error
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise AddressError(
                f"{url!r} is not a broker. Write it as in 'mqtt://127.0.0.1:1883' or 'mqtts://host'."
            )
        encrypted = parts.scheme == "mqtts"
        return Address(
            host=parts.hostname,
            port=port or (8883 if encrypted else 1883),
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            encrypted=encrypted,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that somebody sent to the plant."""

    topic: str
    payload: bytes


class Line:
    """One connection, used from one thread; the client library has another of its own."""

    def __init__(self, address: Address, name: str, listen_to: Sequence[tuple[str, int]]) -> None:
        """To the broker at ``address``, once opened.

        Args:
            address: Where the broker is.
            name: How the broker knows the plant, beside its process number.
            listen_to: Topics, each with its QoS.
        """
        self._address = address
        self._topics = list(listen_to)
        # Held only around the fields below, never while the library is called: it calls back with
        # locks of its own held.
        self._changed = threading.Condition()
        self._heard: deque[Heard] = deque(maxlen=_HEARD)
        self._acknowledged = 0
        self._connections = 0
        self._connected = False
        self._published = 0
        self._closing = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{name}-{os.getpid()}",
            clean_session=True,
            protocol=mqtt.MQTTv311,
        )
        self._client.max_inflight_messages_set(_ON_THE_WAY)
        self._client.reconnect_delay_set(1, 5)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._client.on_subscribe = self._on_subscribe
        if address.user is not None:
            self._client.username_pw_set(address.user, address.password)
        if address.encrypted:
            self._client.tls_set()

    def open(self) -> None:
        """Begin to connect; does not wait until it is done."""
        self._client.connect_async(self._address.host, self._address.port, keepalive=30)
        self._client.loop_start()

    def close(self) -> None:
        """Say goodbye and end the library's thread."""
        self._closing = True
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connections(self) -> int:
        """How often the connection stood, its subscription included. A change means: anew."""
        return self._connections

    @property
    def ready(self) -> bool:
        """Whether it stands and takes another message."""
        return self._connected and self._published - self._acknowledged < _WAITING

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send it, at QoS 1. Asked for only while ``ready``."""
        # Counted, not listed by number: the acknowledgement may come before this call is back.
        self._client.publish(topic, payload, qos=1, retain=retain)
        self._published += 1

    def drained(self, within_s: float) -> bool:
        """Wait until the broker has acknowledged everything; False if it has not in time."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._acknowledged >= self._published,
                timeout=within_s,
            )

    def heard(self, wait_s: float) -> list[Heard]:
        """What was heard; waits up to ``wait_s`` for anything at all to happen."""
        with self._changed:
            if wait_s > 0 and not self._heard:
                self._changed.wait(wait_s)
            heard = list(self._heard)
            self._heard.clear()
        return heard

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: Any,  # noqa: ANN401, ARG002 -- the library's signature
        flags: mqtt.ConnectFlags,  # noqa: ARG002 -- the library's signature
        reason: ReasonCode,
        properties: Any,  # noqa: ANN401, ARG002 -- the library's signature
    ) -> None:
        if reason.is_failure:
            logger.error("The broker at %s refuses the plant: %s.", self._address, reason)
            return
        client.subscribe(self._topics)

    def _on_subscribe(self, *_: object) -> None:
        # Only now: a notice that came before the subscription would be lost.
        logger.info("Connected to the broker at %s.", self._address)
        with self._changed:
            self._connected = True
            self._connections += 1
            self._changed.notify_all()

    def _on_connect_fail(self, *_: object) -> None:
        logger.warning("No broker answers at %s; trying again.", self._address)

    def _on_disconnect(self, *_: object) -> None:
        with self._changed:
            lost, self._connected = self._connected, False
            self._changed.notify_all()
        if lost and not self._closing:
            logger.warning("The connection to the broker at %s has ended.", self._address)

    def _on_publish(self, *_: object) -> None:
        with self._changed:
            self._acknowledged += 1
            self._changed.notify_all()

    def _on_message(
        self,
        client: mqtt.Client,  # noqa: ARG002 -- the library's signature
        userdata: Any,  # noqa: ANN401, ARG002 -- the library's signature
        message: mqtt.MQTTMessage,
    ) -> None:
        if message.retain:
            # The word of a site that may be gone, with its store: not to be relied on.
            return
        with self._changed:
            self._heard.append(Heard(message.topic, bytes(message.payload)))
            self._changed.notify_all()
