"""Who wants to know what changed. A slow listener misses intermediate changes, never the last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Subscription:
    """The names of twins that changed since they were last asked for."""

    def __init__(self, only: frozenset[str] | None) -> None:
        """``only`` narrows it to those twins."""
        self._only = only
        self._changed: set[str] = set()
        self._news = asyncio.Event()

    def tell(self, twins: Iterable[str]) -> None:
        """These changed."""
        self._changed.update(t for t in twins if self._only is None or t in self._only)
        if self._changed:
            self._news.set()

    async def changed(self) -> frozenset[str]:
        """Wait until something changed; answers all that did, each once."""
        await self._news.wait()
        self._news.clear()
        told = frozenset(self._changed)
        self._changed.clear()
        return told


class Feed:
    """All subscriptions of a site. Lives on the event loop."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    @contextmanager
    def subscribed(self, only: Iterable[str] | None = None) -> Iterator[Subscription]:
        """A subscription for as long as the block lasts."""
        subscription = Subscription(None if only is None else frozenset(only))
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    def publish(self, twins: Iterable[str]) -> None:
        """These twins have another state than before."""
        told = tuple(twins)
        for subscription in self._subscriptions:
            subscription.tell(told)
