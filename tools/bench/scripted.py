"""A link that follows a script: it measures how long the site takes over each arrival."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Self, TypeAlias

from gemeos.link.base import Arrival, Source
from gemeos.runtime.site import LinkContext
from gemeos.schema.reading import Readings, SeriesBook
from tools.bench.model import LINK

Script: TypeAlias = Callable[[SeriesBook], Iterator[tuple[str, Readings]]]
"""What arrives, one after the other, each under a name."""


class ScriptedLink:
    """The declaration of the link."""

    name = LINK

    def __init__(self, script: Script) -> None:
        """Followed once."""
        self._script = script
        self.spent: list[tuple[str, float]] = []
        """Of each arrival its name and the seconds until the site asked for the next one: it was
        durable, assimilated, and remembered then."""

    def open(self, context: LinkContext) -> Source:
        """The source."""
        return _Scripted(self._script(context.book), self.spent)


class _Scripted:
    name = LINK

    def __init__(
        self, script: Iterator[tuple[str, Readings]], spent: list[tuple[str, float]]
    ) -> None:
        self._script, self._spent = script, spent
        self.finished = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    async def arrivals(self) -> AsyncIterator[Arrival]:
        """The script."""
        for name, readings in self._script:
            began = time.perf_counter()
            yield Arrival(readings)
            self._spent.append((name, time.perf_counter() - began))
        self.finished = True

    async def acknowledge(self, arrival: Arrival) -> None:
        """Nobody waits for it."""
