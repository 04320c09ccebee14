"""A device in this process, with the faults that devices have: for tests without a broker."""

from __future__ import annotations

import asyncio
from enum import Enum
from types import TracebackType
from typing import Self, final

from gemeos.errors import LinkError
from gemeos.link._answers import Answers
from gemeos.schema.command import Accepted, Acknowledgement, Command, Refused, Reported, Silent
from gemeos.units.instant import Instant


class Mood(Enum):
    """How a device answers a command."""

    GOOD = "good"
    REFUSES = "refuses"
    TWICE = "twice"
    LATE = "late"
    """Obeys, and answers after ``late_s``."""
    NEVER = "never"
    """Obeys, and says nothing."""
    DEAF = "deaf"
    """Neither obeys nor answers."""
    OTHER_ID = "other id"
    """Obeys, and answers to an id that nobody asked with."""
    GARBAGE = "garbage"
    """Obeys, and answers what cannot be read."""
    STUCK = "stuck"
    """Accepts, and does not move."""


@final
class Device:
    """What is on the other side: places with values. It drops a command that it had before."""

    def __init__(self, values: dict[str, float], unit: str = "", mood: Mood = Mood.GOOD) -> None:
        """``values`` by place, in ``unit``."""
        self.values = values
        self.unit = unit
        self.mood = mood
        self.late_s = 0.5
        self.is_mute = False
        """It does not say where it stands."""
        self.set_by: dict[str, str | None] = {}
        self.received: list[Command] = []
        """Every command that reached it, also again."""
        self.beats: list[tuple[str, Instant]] = []
        self.is_gone = False
        """No connection to it can be had."""
        self.cut: asyncio.Event | None = None
        """Set, the connection is lost."""

    def override(self, place: str, value: float) -> None:
        """Somebody at the device sets it."""
        self.values[place], self.set_by[place] = value, None

    def take(self, command: Command, place: str) -> list[tuple[float, str, Acknowledgement | None]]:
        """What it sends back: after how many seconds, to which id, what (None is garbage)."""
        is_again = any(each.id == command.id for each in self.received)
        self.received.append(command)
        if self.mood is Mood.DEAF:
            return []
        if self.mood is Mood.REFUSES:
            return [(0.0, command.id, Refused(command.id, "maintenance"))]
        if not is_again and self.mood is not Mood.STUCK:
            self.values[place], self.set_by[place] = command.value, command.id
        accepted = Accepted(command.id)
        answers: dict[Mood, list[tuple[float, str, Acknowledgement | None]]] = {
            Mood.TWICE: [(0.0, command.id, accepted), (0.01, command.id, accepted)],
            Mood.LATE: [(self.late_s, command.id, accepted)],
            Mood.NEVER: [],
            Mood.OTHER_ID: [(0.0, "another", Accepted("another"))],
            Mood.GARBAGE: [(0.0, command.id, None)],
        }
        return answers.get(self.mood, [(0.0, command.id, accepted)])


@final
class DeviceActuator:
    """See ``gemeos.link.base.Actuator``."""

    def __init__(self, name: str, device: Device) -> None:
        """``device`` outlives it, as devices do."""
        self._name, self._device = name, device
        self._answers: Answers[Acknowledgement] = Answers()
        self._cut = asyncio.Event()

    @property
    def name(self) -> str:
        """See the port."""
        return self._name

    @property
    def strays(self) -> int:
        """What came that answered nothing."""
        return self._answers.strays

    async def __aenter__(self) -> Self:
        if self._device.is_gone:
            raise LinkError(f"{self._name} cannot be reached.")
        self._device.cut = self._cut
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._device.cut = None

    async def send(self, command: Command, place: str, *, within_s: float) -> Acknowledgement:
        """See the port."""
        if self._cut.is_set():
            raise LinkError(f"{self._name} is lost.")
        self._answers.expect(command.id)
        loop = asyncio.get_running_loop()
        for delay_s, key, answer in self._device.take(command, place):
            loop.call_later(delay_s, self._hear, key, answer)
        found = await self._answers.within(command.id, within_s)
        return found or Silent(command.id, within_s, self._answers.told)

    def _hear(self, key: str, answer: Acknowledgement | None) -> None:
        if answer is None:
            self._answers.stray("what cannot be read")
        else:
            self._answers.hear(key, answer)

    async def ask(self, place: str, *, within_s: float) -> Reported | None:
        """See the port."""
        device = self._device
        if device.is_mute:
            await asyncio.sleep(min(within_s, 0.01))
            return None
        if place not in device.values:
            return None
        return Reported(device.values[place], device.unit, device.set_by.get(place))

    async def beat(self, twin: str, at: Instant) -> None:
        """See the port."""
        self._device.beats.append((twin, at))

    async def lost(self) -> None:
        """See the port."""
        await self._cut.wait()
        raise LinkError(f"{self._name} is lost.")


@final
class DeviceLink:
    """The declaration of a connection to such a device."""

    def __init__(self, name: str, device: Device) -> None:
        """``name`` is how ``twin.actuate`` calls it."""
        self.name, self._device = name, device

    def actuator(self) -> DeviceActuator:
        """See ``ActuatorLink``."""
        return DeviceActuator(self.name, self._device)
