"""Readings that were sent and that the site has not yet said to have kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

SILENCE_S: Final = 10.0
"""Without news for so long, everything of that age is sent again."""


@dataclass(slots=True)
class _Sent:
    topic: str
    payload: bytes
    at: float


class Outbox:
    """Numbers readings for good, and keeps them until they are committed.

    The plant cannot live the same hour twice: what is lost here is lost. So it stands still when
    too much is uncommitted, and sends again what nobody speaks of.
    """

    def __init__(self, silence_s: float = SILENCE_S) -> None:
        """``silence_s``: how long it waits for news."""
        self._silence_s = silence_s
        self._sent: dict[int, _Sent] = {}
        self._next = 0
        self._news_at = 0.0

    def __len__(self) -> int:
        return len(self._sent)

    @property
    def last(self) -> int:
        """Number of the newest reading; -1 before the first."""
        return self._next - 1

    def put(self, topic: str, body: dict[str, object], now: float) -> tuple[str, bytes]:
        """Topic and payload of a new reading, which gets its number."""
        if not self._sent:
            self._news_at = now
        payload = json.dumps({"seq": self._next, **body}, separators=(",", ":")).encode()
        self._sent[self._next] = _Sent(topic, payload, now)
        self._next += 1
        return topic, payload

    def committed(self, notice: bytes, now: float) -> bool:
        """Take the site's word ``{"committed": [[first, last], ...]}``; False for anything else."""
        try:
            ranges = [(int(first), int(last)) for first, last in json.loads(notice)["committed"]]
        except (ValueError, KeyError, TypeError):
            return False
        done = [seq for seq in self._sent if any(a <= seq <= b for a, b in ranges)]
        for seq in done:
            del self._sent[seq]
        if done:
            self._news_at = now
        return True

    def again(self, now: float, *, all_of_it: bool) -> list[tuple[str, bytes]]:
        """What has to be sent once more: all after a new connection, else what is too old."""
        if not all_of_it and now - self._news_at < self._silence_s:
            return []
        limit = 0.0 if all_of_it else self._silence_s
        old = [sent for sent in self._sent.values() if now - sent.at >= limit]
        for sent in old:
            sent.at = now
        self._news_at = now
        return [(sent.topic, sent.payload) for sent in old]
