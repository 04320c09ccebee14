"""Where messages wait between the network's thread and the event loop. Bounded."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final, Protocol, final

from gemeos.link.message import Message

_OVERHEAD: Final = 300
"""Bytes of a waiting message beside its payload, roughly."""
_MOST_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, and how much is handed out at once."""

    messages: int = 20_000
    payload: int = 16 << 20
    """Bytes."""
    batch_messages: int = 8_192
    batch_payload: int = 4 << 20
    """Bytes; a single larger message is handed out alone."""


class Inbox(Protocol):
    """One thread puts, another takes."""

    @property
    def full(self) -> bool:
        """Nothing more should be read now."""
        ...

    def put(self, message: Message) -> int:
        """Let it wait. Answers the ``ack`` of a message that had to go for it, or 0."""
        ...

    def take(self) -> list[Message]:
        """What waits, oldest first, up to the bound of a batch."""
        ...

    def __len__(self) -> int: ...


@final
class PatientInbox:
    """Tells when it is full, and loses nothing."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: deque[Message] = deque()
        # Two counters, each written by one thread only, need no lock.
        self._in = 0
        self._out = 0

    @property
    def full(self) -> bool:
        """Whether a bound is reached."""
        return (
            len(self._waiting) >= self._bounds.messages
            or self._in - self._out >= self._bounds.payload
        )

    def put(self, message: Message) -> int:
        """Let it wait, also when full: whoever puts asks ``full`` before it reads on."""
        self._in += len(message.payload) + _OVERHEAD
        self._waiting.append(message)
        return 0

    def take(self) -> list[Message]:
        """What waits, oldest first."""
        taken, size = [], 0
        most = self._bounds.batch_payload
        for _ in range(min(len(self._waiting), self._bounds.batch_messages)):
            message = self._waiting.popleft()
            taken.append(message)
            size += len(message.payload) + _OVERHEAD
            if size >= most:
                break
        self._out += size
        return taken

    def __len__(self) -> int:
        return len(self._waiting)


@final
class LossyInbox:
    """Never full: for a new message an old one of the same topic goes, and is counted."""

    full = False

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._lock = threading.Lock()
        self._by_topic: dict[str, deque[tuple[int, Message]]] = {}
        self._several: dict[str, None] = {}
        """Topics with more than one waiting, in the order in which they came to that."""
        self._count = 0
        self._size = 0
        self._number = 0
        self.dropped: Counter[str] = Counter()
        """Messages that went, by topic; beyond 10,000 topics together under ''."""

    def put(self, message: Message) -> int:
        """Let it wait; the oldest of its topic goes for it, or of a topic with several."""
        with self._lock:
            gone = 0
            if self._count >= self._bounds.messages or self._size >= self._bounds.payload:
                gone = self._drop(message.topic)
            self._number += 1
            queue = self._by_topic.setdefault(message.topic, deque())
            queue.append((self._number, message))
            if len(queue) == 2:
                self._several[message.topic] = None
            self._count += 1
            self._size += len(message.payload) + _OVERHEAD
            return gone

    def take(self) -> list[Message]:
        """What waits, oldest first."""
        with self._lock:
            ordered = sorted(entry for queue in self._by_topic.values() for entry in queue)
            taken, size = [], 0
            for _, message in ordered[: self._bounds.batch_messages]:
                taken.append(message)
                self._remove(message.topic)
                size += len(message.payload) + _OVERHEAD
                if size >= self._bounds.batch_payload:
                    break
            return taken

    def __len__(self) -> int:
        return self._count

    def _drop(self, topic: str) -> int:
        # The newest of each topic stays as long as some topic has older ones.
        if topic not in self._by_topic:
            topic = next(iter(self._several or self._by_topic))
        message = self._remove(topic)
        known = topic in self.dropped or len(self.dropped) < _MOST_COUNTED
        self.dropped[topic if known else ""] += 1
        return message.ack

    def _remove(self, topic: str) -> Message:
        queue = self._by_topic[topic]
        _, message = queue.popleft()
        if len(queue) == 1:
            self._several.pop(topic, None)
        elif not queue:
            del self._by_topic[topic]
        self._count -= 1
        self._size -= len(message.payload) + _OVERHEAD
        return message
