"""What waits at an open link, and what it had to let go: overload that can be seen."""

from __future__ import annotations

from typing import NamedTuple

from gemeos.link.base import Source
from gemeos.link.http import InboxSource
from gemeos.link.mqtt import MqttSource


class Queue(NamedTuple):
    """Of one link, since it was opened."""

    waiting: int
    """Messages, or readings that were sent over HTTP, that are not taken in yet."""
    dropped: int
    """Messages that a lossy link let go because newer ones came."""


def queue_of(source: Source | None) -> Queue:
    """Of that source; nothing waits where none is open, or where it is asked only when wanted."""
    match source:
        case MqttSource():
            return Queue(source.waiting, sum(source.dropped.values()))
        case InboxSource():
            return Queue(source.waiting, 0)
        case _:
            return Queue(0, 0)
