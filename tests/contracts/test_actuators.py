"""The contract of an actuator, shown on the device of this process."""

from __future__ import annotations

import asyncio

import pytest

from gemeos.clock import SystemClock
from gemeos.link.base import Actuator
from gemeos.testing.contracts.actuator import FIRST, SHORT_S, ActuatorContract, ActuatorRig
from gemeos.testing.device import Device, DeviceActuator, Mood
from gemeos.units.instant import Instant


class InProcess(ActuatorRig):
    place = "tank/valve"

    def __init__(self) -> None:
        self._device = Device({self.place: FIRST})
        self._device.late_s = 2 * SHORT_S

    def now(self) -> Instant:
        return SystemClock().now()

    def opened(self) -> Actuator:
        return DeviceActuator("plc", self._device)

    def behave(self, mood: Mood) -> None:
        self._device.mood = mood

    def stands(self) -> float:
        return self._device.values[self.place]

    def received(self) -> list[str]:
        return [command.id for command in self._device.received]

    def beaten(self) -> int:
        return len(self._device.beats)

    def cut(self) -> None:
        cut = self._device.cut
        assert isinstance(cut, asyncio.Event)
        cut.set()
        self._device.is_mute = True


class TestDeviceInThisProcess(ActuatorContract):
    @pytest.fixture
    def rig(self) -> InProcess:
        return InProcess()
