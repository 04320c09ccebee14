"""The live stream: each client is told what changed, at its pace, and never less than the last.

One task looks at each changed twin once and encodes it once; all clients are given the same bytes.
What a client has not read yet is replaced by what is newer, so that a slow one holds at most one
event a twin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Final, final

import msgspec

from gemeos.errors import BusyError
from gemeos.runtime.host import Host
from gemeos.serve.limits import Limits
from gemeos.serve.metrics import Metrics
from gemeos.serve.teller import Teller

MEDIA: Final = "text/event-stream"
RETRY_MS: Final = 3000
"""What a browser waits before it connects again."""


@final
class Client:
    """What one client has not been sent yet."""

    def __init__(self, twins: Iterable[str]) -> None:
        """``twins`` are those that it follows."""
        self.twins = frozenset(twins)
        self.pending: dict[str, bytes] = {}
        self.news = asyncio.Event()

    def tell(self, twin: str, event: bytes) -> None:
        """The newest of that twin."""
        # Moved to the end: the twin that waits longest is sent first.
        self.pending.pop(twin, None)
        self.pending[twin] = event
        self.news.set()

    def taken(self) -> bytes:
        """All that waits."""
        told = b"".join(self.pending.values())
        self.pending.clear()
        self.news.clear()
        return told


@final
class Broadcast:
    """All clients of the stream. Lives on the event loop; ``run`` runs as long as the server."""

    def __init__(self, host: Host, limits: Limits, metrics: Metrics) -> None:
        self._host = host
        self._limits = limits
        self._metrics = metrics
        self._clients: set[Client] = set()
        self._wanted = asyncio.Event()
        self._number = 0
        self.closed = False

    async def run(self) -> None:
        """Tell clients what changes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for twins in self._host.together:
                group.create_task(self._run(twins), name="gemeos-stream")

    async def _run(self, twins: Collection[str]) -> None:
        """Of twins that wait for each other, and for no others."""
        with self._host.feed.subscribed(twins) as subscription:
            while True:
                changed = await subscription.changed()
                for twin in sorted(changed):
                    await self._tell(twin, [c for c in self._clients if twin in c.twins])
                await asyncio.sleep(1 / self._limits.stream_hz)

    async def _tell(self, twin: str, clients: Iterable[Client]) -> None:
        # Nobody watches: nothing is asked.
        told = list(clients)
        if told:
            event = await self._event(twin)
            for client in told:
                client.tell(twin, event)

    async def _event(self, twin: str) -> bytes:
        teller = Teller(self._host)

        def encoded() -> bytes:
            return msgspec.json.encode(teller.summary(twin))

        told = await self._host.strand(twin).beside(encoded)
        self._number += 1
        return b"id: %d\nevent: twin\ndata: %s\n\n" % (self._number, told)

    async def events(self, twins: Iterable[str]) -> AsyncIterator[bytes]:
        """What one client is sent: every twin as it is, then every change.

        That the present comes first makes an id that was missed harmless: nothing is left to
        make good for.

        Raises:
            BusyError: there are as many clients as there may be.
        """
        client = Client(twins)
        self._clients.add(client)
        self._metrics.streams.inc()
        try:
            yield b"retry: %d\n\n" % RETRY_MS
            for names in self._host.together:
                for twin in sorted(client.twins.intersection(names)):
                    if self.closed:
                        return
                    client.tell(twin, await self._event(twin))
                    yield client.taken()
            while not self.closed:
                try:
                    async with asyncio.timeout(self._limits.ping_s):
                        await client.news.wait()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                yield client.taken()
        finally:
            self._clients.discard(client)
            self._metrics.streams.dec()

    def check_room(self) -> None:
        """Go on only if one more client can be served.

        Raises:
            BusyError: there are too many.
        """
        if len(self._clients) >= self._limits.streams:
            raise BusyError("streams", len(self._clients), self._limits.streams)

    def close(self) -> None:
        """End all streams: each ends after what it is sending."""
        self.closed = True
        for client in self._clients:
            client.news.set()
