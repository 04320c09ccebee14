"""Commands to devices behind an MQTT broker, and what they answer (3.1.1 and 5).

All payloads are JSON. A command is published once with QoS 1::

    {
        "id": "9f..",
        "value": 1.5,
        "unit": "m^3/s",
        "valid_from": "...",
        "expires_at": "...",
        "twin": "tank",
        "control": "valve",
        "plan": "4a..",
        "actor": "ada",
        "cause": "plan open",
    }

and answered on the topic of acknowledgements by ``{"id": "9f..", "accepted": true}`` or
``{"id": "9f..", "accepted": false, "reason": "..."}``. With MQTT 5 the id is the correlation data,
too, and the answer may carry it there instead. A device drops a command that it had before, or
that has expired; it answers it all the same.

What a control stands at is published retained, ``{"value": 1.5, "unit": "m^3/s", "command":
"9f.."}``; asked by ``{"id": "c1.."}``, the device publishes it anew with ``"answers": "c1.."``.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Final, ParamSpec, Self, final
from uuid import uuid4

import msgspec
import paho.mqtt.client as paho
from msgspec import Meta
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gemeos.errors import LinkError, SettingsError
from gemeos.link._answers import Answers
from gemeos.link._network import client_of
from gemeos.link.broker import Broker, MqttVersion, refusal
from gemeos.schema.command import (
    Accepted,
    Acknowledgement,
    Command,
    Refused,
    Reported,
    Silent,
    Unsent,
)
from gemeos.units import iso
from gemeos.units.instant import SECOND, Instant

P = ParamSpec("P")

_READY: Final = 10.0
"""Seconds for a connection to come about."""
_CLOSING: Final = 5.0
_MOST: Final = 65_536
"""Bytes of a payload that are read."""
BEAT_LASTS_S: Final = 3.0
"""How long a plant may count itself seen after a heartbeat; they come once a second."""
PLACE: Final = "{place}"
TWIN: Final = "{twin}"


@dataclass(frozen=True, slots=True)
class DeviceTopics:
    """Where devices hear and speak. ``{place}`` is the device's name of a control."""

    command: str
    """As in ``farm/command/{place}``."""
    acknowledgement: str
    """One topic for all of them, as in ``farm/acknowledgement``."""
    reported: str
    """Ends with the place, as in ``farm/reported/{place}``; retained."""
    ask: str
    """As in ``farm/ask/{place}``."""
    heartbeat: str | None = None
    """As in ``farm/heartbeat``; may name the ``{twin}``. Where it stops, plants fall back."""

    def __post_init__(self) -> None:
        for kind, topic in (("command", self.command), ("ask", self.ask)):
            if topic.count(PLACE) != 1:
                raise SettingsError(f"{kind} = {topic!r} has to name the {PLACE} once.")
        if not self.reported.endswith("/" + PLACE) or self.reported.count(PLACE) != 1:
            raise SettingsError(f"reported = {self.reported!r} has to end with '/{PLACE}'.")
        if PLACE in self.acknowledgement:
            raise SettingsError(f"acknowledgement = {self.acknowledgement!r} is one topic for all.")
        topics = (self.command, self.acknowledgement, self.reported, self.ask, self.heartbeat or "")
        if any(sign in topic for topic in topics for sign in "+#"):
            raise SettingsError("Topics of devices have no wildcards.")


class _Acknowledged(msgspec.Struct):
    accepted: bool
    id: Annotated[str, Meta(max_length=200)] = ""
    reason: Annotated[str, Meta(max_length=2000)] = "no reason is told"


class _Told(msgspec.Struct):
    value: float
    unit: Annotated[str, Meta(max_length=100)] = ""
    command: Annotated[str, Meta(max_length=200)] | None = None
    answers: Annotated[str, Meta(max_length=200)] | None = None


@final
class MqttActuator:
    """See ``gemeos.link.base.Actuator``. A session of its own, forgotten with the connection."""

    def __init__(self, name: str, broker: Broker, topics: DeviceTopics) -> None:
        """Nothing is connected before it is entered.

        Args:
            name: As in site.toml.
            broker: Where it is; the client id is not to be used by anybody else.
            topics: Of its devices.
        """
        self._name = name
        self._broker = broker
        self._topics = topics
        self._acknowledged: Answers[Acknowledgement] = Answers()
        self._reported: Answers[Reported] = Answers()
        self._lost: asyncio.Future[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._ended = threading.Event()
        self._client: paho.Client | None = None

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    @property
    def strays(self) -> int:
        """Messages that answered nothing that was waited for."""
        return self._acknowledged.strays + self._reported.strays

    async def __aenter__(self) -> Self:
        """Connect and subscribe.

        Raises:
            LinkError: the broker cannot be reached, or refuses us.
        """
        loop = asyncio.get_running_loop()
        self._lost, self._ready = loop.create_future(), loop.create_future()
        # Nobody may be waiting for either when it comes.
        self._lost.add_done_callback(_seen)
        self._ready.add_done_callback(_seen)
        client = self._client = client_of(self._name, self._broker, lasting=False)

        def tell(what: Callable[P, None]) -> Callable[P, None]:
            def told(*args: P.args, **_: P.kwargs) -> None:
                with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                    loop.call_soon_threadsafe(what, *args)

            return told

        tell_ready, tell_lost, tell_heard = (
            tell(self._is_ready),
            tell(self._is_lost),
            tell(self._heard),
        )
        filters = [self._topics.acknowledgement, self._topics.reported.replace(PLACE, "#")]

        def connected(
            _client: paho.Client, _data: object, _flags: object, reason: ReasonCode, _p: object
        ) -> None:
            if reason.is_failure:
                tell_lost(f"the broker {self._broker} {refusal(reason, self._broker)}")
                client.disconnect()
            else:
                client.subscribe([(each, 1) for each in filters])

        def subscribed(
            _client: paho.Client, _data: object, _mid: int, reasons: list[ReasonCode], _p: object
        ) -> None:
            refused = [str(reason) for reason in reasons if reason.is_failure]
            if refused:
                tell_lost(f"the broker {self._broker} does not let us listen: {refused[0]}")
                client.disconnect()
            else:
                tell_ready()

        def heard(_client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
            properties = message.properties
            key = getattr(properties, "CorrelationData", b"") if properties is not None else b""
            with suppress(UnicodeDecodeError):
                tell_heard(message.topic, bytes(message.payload), bytes(key), message.retain)

        client.on_connect = connected
        client.on_subscribe = subscribed
        client.on_message = heard
        # paho blocks; a daemon, for it may hang in a connect when everything else ends.
        threading.Thread(
            target=self._run, args=(client, tell_lost), name=f"act {self._name}", daemon=True
        ).start()
        try:
            async with asyncio.timeout(_READY):
                await self._ready
        except TimeoutError as error:
            await self._close()
            raise LinkError(f"{self._name}: {self._broker} does not answer.") from error
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say good-bye. The broker keeps nothing for us."""
        await self._close()

    async def send(self, command: Command, place: str, *, within_s: float) -> Acknowledgement:
        """See the port."""
        body = {
            "id": command.id,
            "value": command.value,
            "unit": command.unit,
            "valid_from": iso(command.valid_from),
            "expires_at": iso(command.expires_at),
            "twin": command.twin,
            "control": command.control,
            "plan": command.plan,
            "actor": command.actor,
            "cause": command.cause,
        }
        properties = None
        if self._broker.version is MqttVersion.V5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.CorrelationData = command.id.encode()
            properties.ResponseTopic = self._topics.acknowledgement
            # The broker drops what it still holds by then; site time may run at another pace, so
            # it is the device that decides.
            lasts = (command.expires_at - command.valid_from) // SECOND
            properties.MessageExpiryInterval = max(1, int(lasts))
        self._acknowledged.expect(command.id)
        why = self._publish(self._topics.command.replace(PLACE, place), body, properties)
        if why:
            self._acknowledged.forget(command.id)
            return Unsent(command.id, why)
        found = await self._acknowledged.within(command.id, within_s)
        return found or Silent(command.id, within_s, self._acknowledged.told)

    async def ask(self, place: str, *, within_s: float) -> Reported | None:
        """See the port."""
        key = uuid4().hex
        self._reported.expect(key)
        if self._publish(self._topics.ask.replace(PLACE, place), {"id": key}):
            self._reported.forget(key)
            return None
        return await self._reported.within(key, within_s)

    async def beat(self, twin: str, at: Instant) -> None:
        """See the port."""
        if self._topics.heartbeat is not None:
            topic = self._topics.heartbeat.replace(TWIN, twin)
            body = {"twin": twin, "at": iso(at), "lasts_s": BEAT_LASTS_S}
            properties = None
            if self._broker.version is MqttVersion.V5:
                # One that waited at the broker would tell of a twin that may be gone.
                properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
                properties.MessageExpiryInterval = int(BEAT_LASTS_S)
            self._publish(topic, body, properties, qos=0)

    async def lost(self) -> None:
        """See the port."""
        assert self._lost is not None  # noqa: S101 -- it was entered
        await asyncio.shield(self._lost)

    def _publish(
        self, topic: str, body: object, properties: Properties | None = None, *, qos: int = 1
    ) -> str:
        """Why it did not leave; empty where it did."""
        client = self._client
        if client is None or not client.is_connected():
            return f"there is no connection to {self._broker}"
        told = client.publish(topic, msgspec.json.encode(body), qos=qos, properties=properties)
        return "" if told.rc == paho.MQTT_ERR_SUCCESS else paho.error_string(told.rc)

    def _is_ready(self) -> None:
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def _is_lost(self, why: str) -> None:
        for future in (self._ready, self._lost):
            if future is not None and not future.done():
                future.set_exception(LinkError(f"Actuator {self._name!r}: {why}."))

    def _heard(self, topic: str, payload: bytes, key: bytes, retained: bool) -> None:  # noqa: FBT001
        """An answer, or something that is none. A retained message is of the past: no answer."""
        if retained:
            return
        try:
            if len(payload) > _MOST:
                raise msgspec.ValidationError(f"{len(payload)} bytes")
            if topic == self._topics.acknowledgement:
                told = msgspec.json.decode(payload, type=_Acknowledged)
                name = key.decode() or told.id
                answer: Acknowledgement = (
                    Accepted(name) if told.accepted else Refused(name, told.reason)
                )
                self._acknowledged.hear(name, answer)
            else:
                stands = msgspec.json.decode(payload, type=_Told)
                if stands.answers is not None:
                    self._reported.hear(
                        stands.answers, Reported(stands.value, stands.unit, stands.command)
                    )
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            answers = (
                self._acknowledged if topic == self._topics.acknowledgement else self._reported
            )
            answers.stray(f"what cannot be read: {payload[:60]!r}")

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        client.disconnect()
        loop = asyncio.get_running_loop()
        ends = loop.time() + _CLOSING
        while not self._ended.is_set() and loop.time() < ends:  # noqa: ASYNC110 -- of a thread
            await asyncio.sleep(0.01)

    def _run(self, client: paho.Client, tell_lost: Callable[[str], None]) -> None:
        """The thread: one connection, from its beginning to its end."""
        broker = self._broker
        try:
            if broker.version is MqttVersion.V5:
                client.connect(broker.host, broker.port, broker.keepalive, clean_start=True)
            else:
                client.connect(broker.host, broker.port, broker.keepalive)
            why = paho.error_string(client.loop_forever())
        except (OSError, ValueError) as error:
            why = str(error)
        finally:
            self._ended.set()
        tell_lost(f"the connection to {broker} ended: {why}")


def _seen(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()
