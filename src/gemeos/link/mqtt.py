"""Readings from an MQTT broker (3.1.1 and 5): nothing that was acknowledged is ever lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, ParamSpec, Self, final

import numpy as np
from paho.mqtt.client import MQTTMessage

from gemeos.clock import Clock
from gemeos.errors import LinkError
from gemeos.link._network import Ears, Network
from gemeos.link.base import Arrival
from gemeos.link.broker import Broker, MqttVersion, Tls
from gemeos.link.decode import Decoder
from gemeos.link.inbox import Bounds, Inbox, LossyInbox, PatientInbox
from gemeos.link.message import KEPT_OF_PAYLOAD, Decoded, Message
from gemeos.units import iso

P = ParamSpec("P")

__all__ = ["Broker", "MqttSource", "MqttVersion", "Tls"]

_SLICE: Final = 512
"""Messages decoded before others on the event loop get their turn."""
_CLOSING: Final = 10.0
"""Seconds that the thread is given to say good-bye."""


@dataclass(frozen=True, slots=True)
class _Token:
    acks: tuple[int, ...]
    sequences: tuple[int, ...]


@final
class MqttSource:
    """A broker's messages, decoded; each is acknowledged to the broker once it is durable.

    QoS 1, a fixed client id and a session that the broker keeps: what was not acknowledged comes
    again, after a lost connection or in the next process. While the inbox is full the socket is
    not read. A lossy source subscribes with QoS 0 and never holds the broker up.

    It reconnects by itself. ``LinkError`` is raised when the first connection fails, and when the
    broker refuses us for good (password, rights, certificate).
    """

    def __init__(
        self,
        broker: Broker,
        decoder: Decoder,
        clock: Clock,
        *,
        bounds: Bounds | None = None,
        lossy: bool = False,
    ) -> None:
        """Nothing is connected before the source is entered.

        Args:
            broker: Where it is.
            decoder: Of this link; what it subscribes to are its formats and the plant's topics.
            clock: Stamps what comes, and the notices of what is durable.
            bounds: Of what may wait.
            lossy: The newest counts: of what waits too long the oldest is dropped and counted.
        """
        self._broker = broker
        self._decoder = decoder
        self._clock = clock
        self._lossy = LossyInbox(bounds or Bounds()) if lossy else None
        self._inbox: Inbox = PatientInbox(bounds or Bounds())
        if self._lossy is not None:
            self._inbox = self._lossy
        self._most_payload = decoder.limits.payload
        self._finished = False
        self._closed = False
        self._broken: LinkError | None = None
        self._network: Network | None = None
        self._news = asyncio.Event()
        self._told = False
        self._held = False
        self.duplicates = 0
        """Messages that came again although they were stored, and were dropped."""

    @property
    def name(self) -> str:
        """The link's name."""
        return self._decoder.link

    @property
    def finished(self) -> bool:
        """The plant said that its record is at the end, and everything before was handed out."""
        return self._finished

    @property
    def dropped(self) -> Mapping[str, int]:
        """Messages that a lossy source dropped, by channel, or by topic where that tells none."""
        if self._lossy is None:
            return {}
        counted: dict[str, int] = {}
        for topic, count in self._lossy.dropped.copy().items():
            name = self._decoder.channel(topic) or topic
            counted[name] = counted.get(name, 0) + count
        return counted

    @property
    def waiting(self) -> int:
        """Messages in the inbox."""
        return len(self._inbox)

    async def __aenter__(self) -> Self:
        """Connect and subscribe.

        Raises:
            LinkError: the broker cannot be reached, or refuses us.
        """
        loop = asyncio.get_running_loop()
        plant = self._decoder.plant
        filters = [each.filter for each in self._decoder.formats]
        filters += [topic for topic in (plant.clock, plant.end) if topic is not None]
        ready: asyncio.Future[None] = loop.create_future()
        self._ended = asyncio.Event()

        def tell(what: Callable[P, object]) -> Callable[P, None]:
            def told(*args: P.args, **_: P.kwargs) -> None:
                with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
                    loop.call_soon_threadsafe(what, *args)

            return told

        def is_ready() -> None:
            if not ready.done():
                ready.set_result(None)

        def is_broken(error: LinkError) -> None:
            self._broken = error
            self._news.set()
            if not ready.done():
                ready.set_exception(error)

        def has_ended() -> None:
            self._ended.set()
            if not self._closed and self._broken is None:
                is_broken(LinkError(f"Link {self.name!r}: its network thread has failed."))

        self._tell_news = tell(self._hear_news)
        ears = Ears(
            heard=self._heard,
            full=self._full,
            paused=self._paused,
            ready=tell(is_ready),
            broken=tell(is_broken),
            ended=tell(has_ended),
        )
        qos = 0 if self._lossy is not None else 1
        self._network = Network(self.name, self._broker, filters, qos, ears)
        self._network.start()
        try:
            await ready
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
        """Send what is acknowledged, then disconnect. The broker keeps the session."""
        await self._close()

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """What waits in the inbox, a batch at a time.

        Raises:
            LinkError: the broker refuses us for good.
        """
        while not (self._finished or self._closed):
            messages = self._inbox.take()
            if self._held and not self._inbox.full and self._network is not None:
                self._held = False
                self._network.wake()
            if messages:
                decoded = await self._decoded(messages)
                self.duplicates += decoded.duplicates
                yield Arrival(
                    readings=decoded.readings,
                    refused=decoded.refused,
                    receipts=decoded.receipts,
                    plant_time=decoded.plant_time,
                    tokens=(_Token(tuple(m.ack for m in messages if m.ack), decoded.sequences),),
                )
                self._finished = decoded.ended
            elif self._broken is not None:
                raise self._broken
            else:
                self._news.clear()
                if not len(self._inbox):
                    await self._news.wait()

    async def acknowledge(self, arrival: Arrival) -> None:
        """Acknowledge its messages to the broker, and tell the plant which are durable."""
        if self._network is None:
            return
        plant = self._decoder.plant
        for token in arrival.tokens:
            if isinstance(token, _Token):
                self._network.acknowledge(token.acks)
                if plant.committed is not None and token.sequences:
                    notice = {
                        "committed": ranges(token.sequences),
                        "known_at": iso(self._clock.now()),
                    }
                    self._network.publish(plant.committed, json.dumps(notice))
        self._network.wake()

    async def _decoded(self, messages: list[Message]) -> Decoded:
        runs = []
        for start in range(0, len(messages), _SLICE):
            runs.append(self._decoder.decode_all(messages[start : start + _SLICE]))
            await asyncio.sleep(0)
        return runs[0] if len(runs) == 1 else Decoded.joined(runs)

    async def _close(self) -> None:
        self._closed = True
        self._news.set()
        network, self._network = self._network, None
        if network is None:
            return
        network.stop()
        try:
            async with asyncio.timeout(_CLOSING):
                await self._ended.wait()
        except TimeoutError:
            return  # it hangs in a connect; the thread is a daemon and ends by itself
        network.join()

    # What follows is called on the network's thread.

    def _heard(self, message: MQTTMessage, connection: int) -> None:
        payload = bytes(message.payload)
        size = len(payload)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "\ufffd"
        gone = self._inbox.put(
            Message(
                topic,
                payload if size <= self._most_payload else payload[:KEPT_OF_PAYLOAD],
                size,
                self._clock.wall(),
                message.retain,
                message.dup,
                (connection << 16) | message.mid if message.qos else 0,
            )
        )
        if gone and self._network is not None:
            # Only what was queued before the subscription became a lossy one has a number.
            self._network.acknowledge([gone])

    def _full(self) -> bool:
        if not self._inbox.full:
            return False
        self._held = True
        # Taken in between: then nobody would wake us.
        return self._inbox.full

    def _paused(self) -> None:
        if len(self._inbox) and not self._told:
            self._told = True
            self._tell_news()

    def _hear_news(self) -> None:
        self._told = False
        self._news.set()


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Runs of consecutive numbers, as [first, last], in ascending order."""
    ordered = np.unique(np.fromiter(numbers, np.int64))
    if not len(ordered):
        return []
    breaks = np.flatnonzero(np.diff(ordered) != 1)
    firsts = ordered[np.concatenate([[0], breaks + 1])]
    lasts = ordered[np.concatenate([breaks, [len(ordered) - 1]])]
    return [[int(a), int(b)] for a, b in zip(firsts, lasts, strict=True)]
