"""The tests that every source inherits.

Write a class that inherits ``SourceContract`` and has a fixture ``rig``: a far end that sends
readings of one channel, and this link's source at our end, opened as often as a process is
started. The suite looks at what arrives only.
"""
# ruff: noqa: S101, D102 - tests that others inherit; their names are their sentences

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence

import pytest

from gemeos.errors import LinkError
from gemeos.link.base import Arrival, Source
from gemeos.units.instant import SECOND, Instant, instant

START: Instant = instant("2026-07-01T00:00Z")
_PATIENCE = 30.0


def at(number: int) -> Instant:
    """When reading ``number`` is valid."""
    return START + number * SECOND


class SourceRig(ABC):
    """Both ends of one link."""

    most: int
    """No arrival may have more readings than this."""

    @abstractmethod
    async def send(self, values: Sequence[float]) -> None:
        """Send them all, the number ``i`` (of all ever sent) valid at ``at(i)``, then end.

        Does not wait until any is acknowledged. Whatever is not, the far end sends again to the
        next source that is opened.
        """

    @abstractmethod
    def opened(self) -> Source:
        """The source of a next process, not entered yet. The one before was left, or has died."""

    @abstractmethod
    def broken(self) -> Source | None:
        """A source whose far end does not exist; None where the kind cannot be broken."""


def _told(arrivals: Sequence[Arrival]) -> list[tuple[Instant, float]]:
    return [
        (int(when), float(value))
        for arrival in arrivals
        for when, value in zip(arrival.readings.valid_at, arrival.readings.value, strict=True)
    ]


async def _all_of(source: Source, *, acknowledged: bool = True) -> list[Arrival]:
    arrivals = []
    async with asyncio.timeout(_PATIENCE), source:
        async for arrival in source.arrivals():
            arrivals.append(arrival)
            if acknowledged:
                await source.acknowledge(arrival)
    return arrivals


class SourceContract:
    """What ``gemeos.link.base.Source`` promises."""

    async def test_that_all_that_was_sent_arrives_between_the_batches_too(
        self, rig: SourceRig
    ) -> None:
        values = [0.5 * number for number in range(5 * rig.most + 3)]
        await rig.send(values)
        told = _told(await _all_of(rig.opened()))
        assert sorted(told) == [(at(number), value) for number, value in enumerate(values)]

    async def test_that_an_arrival_is_bounded(self, rig: SourceRig) -> None:
        await rig.send([1.0] * (5 * rig.most))
        arrivals = await _all_of(rig.opened())
        assert max(len(arrival.readings) for arrival in arrivals) <= rig.most

    async def test_that_what_is_acknowledged_is_not_sent_again_and_what_is_not_is(
        self, rig: SourceRig
    ) -> None:
        values = [float(number) for number in range(4 * rig.most)]
        await rig.send(values)
        async with asyncio.timeout(_PATIENCE), rig.opened() as source:
            arrivals = source.arrivals()
            first = await anext(arrivals)
            await source.acknowledge(first)
            second = await anext(arrivals)
        assert len(first.readings)
        assert len(second.readings)
        again = _told(await _all_of(rig.opened()))
        expected = [(at(number), value) for number, value in enumerate(values)]
        assert sorted(again) == [entry for entry in expected if entry not in _told([first])]
        assert set(_told([second])) <= set(again)

    async def test_that_nothing_comes_again_once_all_is_acknowledged(self, rig: SourceRig) -> None:
        await rig.send([1.0, 2.0, 3.0])
        assert len(_told(await _all_of(rig.opened()))) == 3
        await rig.send([4.0])
        assert _told(await _all_of(rig.opened())) == [(at(3), 4.0)]

    async def test_that_a_source_at_its_end_says_that_it_is_finished(self, rig: SourceRig) -> None:
        await rig.send([1.0])
        source = rig.opened()
        assert not source.finished
        assert len(_told(await _all_of(source))) == 1
        assert source.finished

    async def test_that_a_source_that_was_left_ends_and_is_not_finished(
        self, rig: SourceRig
    ) -> None:
        await rig.send([1.0] * (4 * rig.most))
        source = rig.opened()
        async with asyncio.timeout(_PATIENCE):
            async with source:
                arrivals = source.arrivals()
                await anext(arrivals)
            assert len(_told([arrival async for arrival in arrivals])) < 3 * rig.most
        assert not source.finished

    async def test_that_a_broken_source_raises_a_link_error(self, rig: SourceRig) -> None:
        source = rig.broken()
        if source is None:
            pytest.skip("this kind of source has no far end that could be missing")
        with pytest.raises(LinkError, match=source.name):
            await _all_of(source)
