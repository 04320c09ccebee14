"""The MQTT actuator against a device process, through a real broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemeos.act.undertaking import Stage
from gemeos.clock import SystemClock
from gemeos.errors import LinkError, SettingsError
from gemeos.link.actuate_mqtt import DeviceTopics
from gemeos.link.base import Actuator
from gemeos.runtime.run import run
from gemeos.schema.command import CommandState
from gemeos.testing.contracts.actuator import FIRST, SHORT_S, ActuatorContract, ActuatorRig
from gemeos.testing.device import Mood
from gemeos.testing.device_process import TOPICS, DeviceProcess
from gemeos.testing.mosquitto import Mosquitto
from gemeos.testing.valve import feed, made, over, until, valve_site, valve_twin
from gemeos.units.instant import Instant

HERE = Path(__file__).parent


class Behind(ActuatorRig):
    """A device behind the broker."""

    def __init__(self, broker: Mosquitto, device: DeviceProcess, *, mqtt5: bool) -> None:
        self._broker, self._device, self._mqtt5 = broker, device, mqtt5
        self.place = device.place
        self._faults = 0

    def now(self) -> Instant:
        return SystemClock().now()

    def opened(self) -> Actuator:
        return self._device.link(mqtt5=self._mqtt5).actuator()

    def behave(self, mood: Mood) -> None:
        self._device.local("fault", mood.value.replace(" ", "-"))
        self._faults += 1
        self._device.until("fault", self._faults)

    def stands(self) -> float:
        stands = self._device.stands
        return FIRST if stands is None else stands

    def received(self) -> list[str]:
        return [str(line["id"]) for line in self._device.did("command")]

    def beaten(self) -> int:
        return len(self._device.did("seen"))

    def cut(self) -> None:
        self._broker.stop(kill=True)


@pytest.fixture
def device(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[DeviceProcess]:
    with DeviceProcess(mosquitto.port, tmp_path, late_s=2 * SHORT_S) as device:
        yield device


class TestMqtt311(ActuatorContract):
    @pytest.fixture
    def rig(self, mosquitto: Mosquitto, device: DeviceProcess) -> Behind:
        return Behind(mosquitto, device, mqtt5=False)


class TestMqtt5(ActuatorContract):
    @pytest.fixture
    def rig(self, mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Behind]:
        with DeviceProcess(mosquitto.port, tmp_path, late_s=2 * SHORT_S, mqtt5=True) as device:
            yield Behind(mosquitto, device, mqtt5=True)


async def test_that_a_broker_that_is_not_there_is_told(tmp_path: Path) -> None:
    absent = DeviceProcess(1, tmp_path)
    with pytest.raises(LinkError, match=r"Actuator 'plc': the connection to 127\.0\.0\.1:1 ended"):
        async with absent.link().actuator():
            pass


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"command": "farm/command"}, "has to name the {place} once"),
        ({"reported": "farm/{place}/reported"}, "has to end with"),
        ({"acknowledgement": "farm/{place}"}, "one topic for all"),
        ({"heartbeat": "farm/#"}, "no wildcards"),
    ],
)
def test_that_topics_that_cannot_be_are_told(wrong: dict[str, str], told: str) -> None:
    right = {name: getattr(TOPICS, name) for name in DeviceTopics.__slots__}
    with pytest.raises(SettingsError, match=told):
        DeviceTopics(**{**right, **wrong})


def test_that_a_plan_is_carried_out_on_a_device_behind_a_broker(device: DeviceProcess) -> None:
    twin = valve_twin(watch="1 s", answer_within="5 s")
    with run(valve_site(twin, device.link())) as running:
        device.until("seen")
        feed(running, count=60)
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        assert over(running, plan).stage is Stage.KEPT
    assert device.stands == 1.5
    assert len(device.did("command")) == 1


def test_that_an_override_at_the_device_is_heard_through_the_broker(
    device: DeviceProcess,
) -> None:
    twin = valve_twin(answer_within="5 s")
    with run(valve_site(twin, device.link())) as running:
        device.until("seen")
        feed(running, count=60)
        plan = made(running)
        running["tank"].apply(plan, approve="ada", dry_run=False)
        until(lambda: running.host.timeline.events(kind="taken"))
        device.local(device.place, 0.3)
        assert over(running, plan).stage is Stage.OVERRIDDEN
    assert device.stands == 0.3


@pytest.fixture
def plant(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[DeviceProcess]:
    """A device with the patience that plants have."""
    with DeviceProcess(mosquitto.port, tmp_path, patience_s=3.0) as device:
        yield device


def site(device: DeviceProcess, store: Path, *more: str) -> subprocess.Popen[bytes]:
    """A site as a process of its own, which can be killed."""
    return subprocess.Popen(
        [sys.executable, str(HERE / "killed_apply.py"), str(device.port), str(store), *more]
    )


@pytest.mark.timed
def test_that_the_plant_is_back_in_its_fixed_programme_5_s_after_the_twin_dies(
    plant: DeviceProcess, tmp_path: Path
) -> None:
    child = site(plant, tmp_path / "store.duckdb", "--apply")
    try:
        plant.until("moved")
        time.sleep(1.5)  # seen all the while, it stays where it was set
        assert plant.stands == 1.5
        killed = time.time()
        os.kill(child.pid, signal.SIGKILL)
        back = plant.until("fallback")
    finally:
        child.kill()
        child.wait()
    assert back["value"] == 1.0
    assert back["at"] - killed <= 5.0


@pytest.mark.timed
def test_that_the_plant_is_back_in_its_fixed_programme_5_s_after_the_twin_goes_blind(
    plant: DeviceProcess,
) -> None:
    with run(valve_site(valve_twin(answer_within="5 s"), plant.link())) as running:
        plant.until("seen")
        feed(running, count=60)
        # The undoing, which would be first, must not be what brings it back.
        running["tank"].apply(made(running), approve="ada", dry_run=False)
        plant.until("moved")
        plant.local("fault", "deaf")
        while running.host.questions.phase("tank").value != "blind":
            time.sleep(0.02)
        blind = time.time()
        back = plant.until("fallback")
    assert back["at"] - blind <= 5.0


def test_that_after_a_kill_between_command_and_answer_the_device_is_asked_and_nothing_sent_twice(
    device: DeviceProcess, tmp_path: Path
) -> None:
    store = tmp_path / "store.duckdb"
    device.local("fault", "never")
    device.until("fault")
    child = site(device, store, "--apply")
    try:
        device.until("command")
        os.kill(child.pid, signal.SIGKILL)
    finally:
        child.kill()
        child.wait()
    twin = valve_twin(answer_within="60 s")
    with run(valve_site(twin, device.link(), store=store)) as running:
        plan = running.host.plans.record("tank", "open").plan
        found = running.host.applying.undertakings

        def taken() -> bool:
            feed(running)
            undertaking = found.of(plan.id)
            return undertaking is not None and undertaking.issued[0].state is CommandState.TAKEN

        until(taken)
        assert [e.kind for e in running.host.timeline.events(kind="command_in_doubt")]
        told = running["tank"].why("valve", running.host.clock.now())
        assert [e.kind for e in told.came_of_it] == ["command_in_doubt", "taken"]
    assert len(device.did("command")) == 1
