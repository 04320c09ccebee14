"""The tests that every actuator inherits.

Write a class that inherits ``ActuatorContract`` and has a fixture ``rig``: a device with one place,
and this actuator's end of it. The suite looks at what the device has, never at the actuator's own
idea of it.
"""
# ruff: noqa: S101, D102 - tests that others inherit; their names are their sentences

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod

import pytest

from gemeos.errors import LinkError
from gemeos.link.base import Actuator
from gemeos.schema.command import Accepted, Command, Refused, Reported, Silent, Unsent
from gemeos.testing.device import Mood
from gemeos.units.instant import SECOND, Instant

FIRST = 1.0
"""What the place stands at in the beginning."""
PATIENCE_S = 5.0
SHORT_S = 0.4


class ActuatorRig(ABC):
    """Both ends of one connection."""

    place: str

    @abstractmethod
    def now(self) -> Instant:
        """By the device's clock."""

    @abstractmethod
    def opened(self) -> Actuator:
        """An actuator, not entered yet."""

    @abstractmethod
    def behave(self, mood: Mood) -> None:
        """How the device answers from now on. Late is later than ``SHORT_S``."""

    @abstractmethod
    def stands(self) -> float:
        """Where the place stands, at the device."""

    @abstractmethod
    def received(self) -> list[str]:
        """Ids of the commands that reached the device, in their order."""

    @abstractmethod
    def beaten(self) -> int:
        """Heartbeats that reached the device."""

    @abstractmethod
    def cut(self) -> None:
        """Break the connection."""


class ActuatorContract:
    """What every actuator promises."""

    @staticmethod
    def command(rig: ActuatorRig, key: str = "one", value: float = 1.5) -> Command:
        now = rig.now()
        return Command(
            id=key,
            plan="p",
            twin="tank",
            control="valve",
            value=value,
            unit="",
            valid_from=now,
            expires_at=now + 60 * SECOND,
            actor="ada",
            cause="a test",
        )

    async def test_that_a_command_is_acknowledged_by_its_id_and_obeyed(
        self, rig: ActuatorRig
    ) -> None:
        async with rig.opened() as actuator:
            told = await actuator.send(self.command(rig), rig.place, within_s=PATIENCE_S)
        assert told == Accepted("one")
        assert rig.stands() == 1.5
        assert rig.received() == ["one"]

    async def test_that_the_device_says_where_it_stands_and_by_which_command(
        self, rig: ActuatorRig
    ) -> None:
        async with rig.opened() as actuator:
            before = await actuator.ask(rig.place, within_s=PATIENCE_S)
            await actuator.send(self.command(rig), rig.place, within_s=PATIENCE_S)
            after = await actuator.ask(rig.place, within_s=PATIENCE_S)
        assert before == Reported(FIRST, "", None)
        assert after == Reported(1.5, "", "one")

    async def test_that_a_place_that_is_not_there_says_nothing(self, rig: ActuatorRig) -> None:
        async with rig.opened() as actuator:
            assert await actuator.ask("nowhere", within_s=SHORT_S) is None

    async def test_that_a_refusal_comes_with_its_reason(self, rig: ActuatorRig) -> None:
        rig.behave(Mood.REFUSES)
        async with rig.opened() as actuator:
            told = await actuator.send(self.command(rig), rig.place, within_s=PATIENCE_S)
        assert told == Refused("one", "maintenance")
        assert rig.stands() == FIRST

    async def test_that_of_two_answers_the_first_counts_and_the_next_command_has_its_own(
        self, rig: ActuatorRig
    ) -> None:
        rig.behave(Mood.TWICE)
        async with rig.opened() as actuator:
            first = await actuator.send(self.command(rig), rig.place, within_s=PATIENCE_S)
            rig.behave(Mood.REFUSES)
            await asyncio.sleep(0.1)
            second = await actuator.send(
                self.command(rig, "two", 1.7), rig.place, within_s=PATIENCE_S
            )
        assert first == Accepted("one")
        assert second == Refused("two", "maintenance")

    @pytest.mark.parametrize("mood", [Mood.LATE, Mood.NEVER, Mood.OTHER_ID, Mood.GARBAGE])
    async def test_that_what_is_no_answer_in_time_is_silence_and_nothing_is_sent_again(
        self, rig: ActuatorRig, mood: Mood
    ) -> None:
        rig.behave(mood)
        began = time.monotonic()
        async with rig.opened() as actuator:
            told = await actuator.send(self.command(rig), rig.place, within_s=SHORT_S)
            assert time.monotonic() - began < SHORT_S + PATIENCE_S
            await asyncio.sleep(2 * SHORT_S)
            stands = await actuator.ask(rig.place, within_s=PATIENCE_S)
        assert isinstance(told, Silent)
        assert (told.command, told.waited_s) == ("one", SHORT_S)
        assert bool(told.heard) is (mood in {Mood.OTHER_ID, Mood.GARBAGE})
        assert rig.received() == ["one"]
        assert stands is not None
        assert stands.value == 1.5

    async def test_that_a_late_answer_is_not_taken_for_the_next_commands(
        self, rig: ActuatorRig
    ) -> None:
        rig.behave(Mood.LATE)
        async with rig.opened() as actuator:
            await actuator.send(self.command(rig), rig.place, within_s=0.05)
            rig.behave(Mood.NEVER)
            told = await actuator.send(self.command(rig, "two", 1.7), rig.place, within_s=2.0)
        assert isinstance(told, Silent)

    async def test_that_a_command_that_is_sent_again_moves_nothing(self, rig: ActuatorRig) -> None:
        async with rig.opened() as actuator:
            await actuator.send(self.command(rig), rig.place, within_s=PATIENCE_S)
            await actuator.send(self.command(rig, "two", 1.7), rig.place, within_s=PATIENCE_S)
            again = await actuator.send(self.command(rig), rig.place, within_s=PATIENCE_S)
        assert again == Accepted("one")
        assert rig.stands() == 1.7

    async def test_that_a_heartbeat_reaches_the_device(self, rig: ActuatorRig) -> None:
        async with rig.opened() as actuator:
            await actuator.beat("tank", rig.now())
            ends = time.monotonic() + PATIENCE_S
            while not rig.beaten() and time.monotonic() < ends:  # noqa: ASYNC110 -- elsewhere
                await asyncio.sleep(0.02)
        assert rig.beaten() == 1

    async def test_that_a_lost_connection_is_told_and_sends_nothing_later(
        self, rig: ActuatorRig
    ) -> None:
        async with rig.opened() as actuator:
            rig.cut()
            async with asyncio.timeout(PATIENCE_S):
                with pytest.raises(LinkError):
                    await actuator.lost()
            try:
                told = await actuator.send(self.command(rig), rig.place, within_s=SHORT_S)
            except LinkError:
                told = Unsent("one", "lost")
            assert isinstance(told, Unsent)
            assert await actuator.ask(rig.place, within_s=SHORT_S) is None
        assert rig.received() == []
