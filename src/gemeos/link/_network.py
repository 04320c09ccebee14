"""paho's client on a thread of its own, driven so that the socket is read only when wanted.

paho's own loop selects once a packet and cannot be told to stop reading; its documented parts
(``loop_read``, ``loop_write``, ``loop_misc``) can be called by somebody else, which is done here.
"""

from __future__ import annotations

import logging
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gemeos.errors import LinkError
from gemeos.link.broker import REFUSED_FOR_GOOD, Broker, MqttVersion, refusal

logger = logging.getLogger(__name__)

_BURST: Final = 512
_SELECT: Final = 0.5
_LAST_WORDS: Final = 2.0
"""Seconds that closing waits for the broker's answers, and then once more to send good-bye."""
_NO_TOPIC: Final = "gemeos-none"
"""A topic that nobody subscribed to."""


@dataclass(frozen=True, slots=True)
class Ears:
    """What the thread calls."""

    heard: Callable[[paho.MQTTMessage, int], None]
    """A message, and the number of the connection that brought it."""
    full: Callable[[], bool]
    paused: Callable[[], None]
    """What came at once has been told."""
    ready: Callable[[], None]
    """Connected and subscribed for the first time."""
    broken: Callable[[LinkError], None]
    ended: Callable[[], None]
    """The thread is done; nothing follows."""


@final
class Network:
    """The thread."""

    def __init__(
        self, link: str, broker: Broker, filters: Sequence[str], qos: int, ears: Ears
    ) -> None:
        """``filters`` are subscribed to with ``qos``. Nothing happens before ``start``.

        Raises:
            LinkError: files of TLS that cannot be read.
        """
        self._link = link
        self._broker = broker
        self._filters = list(dict.fromkeys(filters))
        self._qos = qos
        self._ears = ears
        self._client = self._made()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.settimeout(0)
        self._wake_write.settimeout(0)
        self._thread = threading.Thread(target=self._run, name=f"mqtt {link}", daemon=True)
        self._outbox: deque[tuple[str, str] | Sequence[int]] = deque()
        self._stopping = threading.Event()
        self._connection = 0
        self._packets = 0
        self._unsent = 0
        """Notices that the broker has not confirmed; paho sends them again after a connect."""
        self._asked = 0
        """Questions of this connection that the broker has not answered."""
        self._leaving: float | None = None
        self._left = False
        self._signed = 0.0
        self._subscribed = False
        self._was_ready = False
        self._refused: str | None = None
        self._fatal: LinkError | None = None

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is to be sent, say good-bye, end the thread. Does not wait for it."""
        self._stopping.set()
        self.wake()

    def join(self) -> None:
        """Wait for the thread, which has said that it is done, and let go of its sockets."""
        if self._thread.ident is not None:
            self._thread.join()
        self._wake_read.close()
        self._wake_write.close()

    def acknowledge(self, acks: Sequence[int]) -> None:
        """Tell the broker that these messages are ours now, in this order."""
        if acks:
            self._outbox.append(acks)

    def publish(self, topic: str, text: str) -> None:
        """Publish once at least (QoS 1)."""
        self._outbox.append((topic, text))

    def wake(self) -> None:
        """Look at the outbox, and whether there is room again."""
        # Full: it is being woken anyway. Closed: it has ended.
        with suppress(OSError):
            self._wake_write.send(b"\0")

    def _made(self) -> paho.Client:
        client = client_of(self._link, self._broker, lasting=True)
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_unsubscribe = self._on_unsubscribe
        # With somebody to tell, paho queues packets instead of sending each at once.
        client.on_socket_register_write = _nothing
        return client

    def _run(self) -> None:
        wait = self._broker.first_wait
        try:
            while not self._stopping.is_set():
                self._refused = None
                lost = self._connected_once()
                if self._fatal is not None:
                    self._ears.broken(self._fatal)
                    return
                if self._stopping.is_set():
                    return
                if self._subscribed:
                    wait = self._broker.first_wait
                    logger.warning(
                        "Link %s: lost %s (%s); trying again.", self._link, self._broker, lost
                    )
                self._subscribed = False
                self._stopping.wait(wait)
                wait = min(2 * wait, self._broker.longest_wait)
        finally:
            self._ears.ended()

    def _connected_once(self) -> str:
        """Connect and serve until the connection is lost; why it was."""
        broker = self._broker
        try:
            if broker.version is MqttVersion.V5:
                properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
                properties.SessionExpiryInterval = broker.session_expiry
                self._client.connect(
                    broker.host,
                    broker.port,
                    broker.keepalive,
                    clean_start=False,
                    properties=properties,
                )
            else:
                self._client.connect(broker.host, broker.port, broker.keepalive)
            rc = self._serve()
        except ssl.SSLCertVerificationError as error:
            why = f"its certificate is not to be trusted: {error.verify_message}"
            self._fatal = LinkError(f"Link {self._link!r}: the broker {broker}: {why}.")
            return why
        except (OSError, ValueError) as error:
            why = str(error)
        else:
            why = self._refused or paho.error_string(rc)
        if not self._was_ready and not self._stopping.is_set():
            told = self._refused or f"cannot be reached: {why}"
            self._fatal = LinkError(f"Link {self._link!r}: the broker {broker} {told}.")
        return why

    def _serve(self) -> MQTTErrorCode:
        """Read and write until the connection is lost, or all is said after ``stop``."""
        client, sock = self._client, self._client.socket()
        events, rc = 0, MQTTErrorCode.MQTT_ERR_SUCCESS
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake_read, selectors.EVENT_READ)
            while rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._empty_outbox()
                if self._stopping.is_set():
                    self._leave()
                if client.socket() is None:
                    break
                events = self._watch(selector, sock, events)
                # What TLS has decrypted already, no selector sees.
                pending = isinstance(sock, ssl.SSLSocket) and sock.pending() and self._wanted()
                ready = selector.select(0 if pending else _SELECT)
                mask = next((m for key, m in ready if key.fileobj is sock), 0)
                if len(ready) > bool(mask):
                    self._forget_wakes()
                if pending or mask & selectors.EVENT_READ:
                    rc = self._read()
                if rc == MQTTErrorCode.MQTT_ERR_SUCCESS and client.want_write():
                    rc = client.loop_write()
                if rc == MQTTErrorCode.MQTT_ERR_SUCCESS and client.socket() is not None:
                    rc = client.loop_misc() if self._wanted() else self._sign_of_life()
        return rc

    def _sign_of_life(self) -> MQTTErrorCode:
        """Keep the broker from giving us up while its answers are not read.

        paho's ping would be answered behind all that is held up, and paho would hang up for it.
        """
        now = time.monotonic()
        if now - self._signed >= self._broker.keepalive / 2:
            self._signed = now
            self._ask()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _ask(self) -> None:
        """Send what the broker answers, and what changes nothing."""
        self._asked += 1
        self._client.unsubscribe(_NO_TOPIC)

    def _leave(self) -> None:
        """Say good-bye once the broker has answered, or has had its time to."""
        now = time.monotonic()
        if self._leaving is None:
            self._leaving = now
            if self._subscribed:
                # Its answer proves that every acknowledgement before it was read: a connection
                # that follows at once with our name would make the broker drop what it has not.
                self._ask()
        waited = now - self._leaving
        said_all = not (self._unsent or self._asked or self._client.want_write())
        if not self._left and (said_all or not self._subscribed or waited > _LAST_WORDS):
            self._client.disconnect()
            self._left = True
        if waited > 2 * _LAST_WORDS and self._client.socket() is not None:
            self._client.socket().close()  # type: ignore[union-attr]  # it is not None

    def _watch(self, selector: selectors.BaseSelector, sock: object, before: int) -> int:
        """Let the selector look for what is wanted now."""
        events = selectors.EVENT_READ if self._wanted() else 0
        if self._client.want_write():
            events |= selectors.EVENT_WRITE
        if events != before:
            if not before:
                selector.register(sock, events)  # type: ignore[arg-type]
            elif not events:
                selector.unregister(sock)  # type: ignore[arg-type]
            else:
                selector.modify(sock, events)  # type: ignore[arg-type]
        return events

    def _wanted(self) -> bool:
        # Until it is subscribed, and when it says good-bye, what comes are answers.
        return not self._subscribed or self._stopping.is_set() or not self._ears.full()

    def _read(self) -> MQTTErrorCode:
        """Packets that are there already, without asking the system for each whether it is."""
        client, full = self._client, self._ears.full
        rc = MQTTErrorCode.MQTT_ERR_SUCCESS
        for _ in range(_BURST):
            before = self._packets
            rc = client.loop_read()
            if rc != MQTTErrorCode.MQTT_ERR_SUCCESS or self._packets == before or full():
                break
        self._ears.paused()
        return rc

    def _forget_wakes(self) -> None:
        with suppress(BlockingIOError):
            self._wake_read.recv(4096)

    def _empty_outbox(self) -> None:
        while self._outbox:
            sent = self._outbox.popleft()
            if isinstance(sent, tuple) and isinstance(sent[0], str):
                self._unsent += 1
                self._client.publish(sent[0], str(sent[1]), qos=1)
            else:
                self._send_acks(sent)  # type: ignore[arg-type]

    def _send_acks(self, acks: Iterable[int]) -> None:
        # Those of an earlier connection are void: the broker has sent these messages again.
        for ack in acks:
            if ack >> 16 == self._connection:
                self._client.ack(ack & 0xFFFF, 1)

    def _on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        self._packets += 1
        if not self._subscribed:
            # The broker's answer may come behind all that it held for us.
            self._back()
        if not self._stopping.is_set():
            self._ears.heard(message, self._connection)

    def _on_connect(
        self,
        client: paho.Client,
        _data: object,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refused = refusal(reason, self._broker)
            if reason.getName() in REFUSED_FOR_GOOD:
                self._fatal = LinkError(
                    f"Link {self._link!r}: the broker {self._broker} {self._refused}."
                )
            return
        self._connection += 1
        self._asked = 0
        if self._was_ready and flags.session_present:
            self._back()
            return
        if self._was_ready:
            logger.warning(
                "Link %s: %s has forgotten our session; what it still held for us is lost.",
                self._link,
                self._broker,
            )
        client.subscribe([(each, self._qos) for each in self._filters])

    def _on_subscribe(
        self,
        _client: paho.Client,
        _data: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        for asked, reason in zip(self._filters, reasons, strict=False):
            if reason.is_failure:
                self._fatal = LinkError(
                    f"Link {self._link!r}: the broker {self._broker} does not let us subscribe to "
                    f"{asked!r}: {reason}."
                )
                self._client.disconnect()
                return
        self._back()

    def _back(self) -> None:
        if self._subscribed:
            return
        self._subscribed = True
        if self._was_ready:
            logger.warning("Link %s: %s is back.", self._link, self._broker)
        else:
            self._was_ready = True
            self._ears.ready()

    def _on_publish(self, *_: object) -> None:
        self._packets += 1
        self._unsent -= 1

    def _on_unsubscribe(self, *_: object) -> None:
        self._packets += 1
        self._asked -= 1


def _nothing(*_: object) -> None:
    """Nobody needs to be told: the thread asks ``want_write`` each time round."""


def client_of(link: str, broker: Broker, *, lasting: bool) -> paho.Client:
    """A client of paho for that broker, not connected.

    ``lasting``: the broker keeps the session, and what comes is acknowledged by us.

    Raises:
        LinkError: files of TLS that cannot be read.
    """
    v5 = broker.version is MqttVersion.V5
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=None if v5 else not lasting,
        protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
        reconnect_on_failure=False,
        manual_ack=lasting,
    )
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls is not None:
        try:
            context = ssl.create_default_context(cafile=broker.tls.ca)
            if broker.tls.certificate is not None:
                context.load_cert_chain(broker.tls.certificate, broker.tls.key)
        except OSError as error:
            raise LinkError(f"Link {link!r}: the TLS files cannot be used: {error}.") from error
        client.tls_set_context(context)
    return client
