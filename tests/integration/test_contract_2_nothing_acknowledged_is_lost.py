"""Contract 2: nothing acknowledged is lost, nothing counts twice, kill -9 at any moment."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from gemeos.errors import StoreHeldError
from gemeos.runtime.host import Host
from gemeos.runtime.run import timeline_of
from gemeos.schema.reading import Reading, Readings, Series
from gemeos.testing.mosquitto import Mosquitto, program
from gemeos.timeline.memory import MemoryTimeline
from gemeos.units import iso
from tests.conftest import missing

CHILD = Path(__file__).with_name("killed_site.py")
READINGS = 4000
KILLS = 4


def _child_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("killed_site", CHILD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["killed_site"] = module
    spec.loader.exec_module(module)
    return module


def _log(start_us: int, twins: int) -> list[tuple[str, int, float]]:
    """(channel, valid_at, value) in the order of sending: a little out of order, 1 % late."""
    rng = np.random.default_rng(17)
    rows = []
    for n in range(READINGS):
        tag = "valve" if n % 40 == 0 else "gauge"
        channel = f"{n % twins}/{tag}"
        rows.append((channel, start_us + n * 20_000, round(float(rng.normal(1.0, 0.3)), 4)))
    sent = np.arange(READINGS) + rng.integers(0, 5, READINGS)
    sent = np.where(rng.random(READINGS) < 0.01, sent + 200, sent)
    return [rows[i] for i in np.argsort(sent, kind="stable")]


def _stored(path: Path, until_s: float) -> Readings:
    """What the store holds; the killed child's lock goes with it, but not in the same instant."""
    end = time.monotonic() + until_s
    while True:
        try:
            timeline = timeline_of(path)
        except StoreHeldError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
            continue
        try:
            return timeline.range(None, -(2**62), 2**62)
        finally:
            timeline.close()


def _started(command: list[str]) -> subprocess.Popen[bytes]:
    """The site; it has subscribed before this returns, or is just resuming from its store."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    return child


def _killed(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()


@pytest.mark.timeout(180)
def test_that_no_acknowledged_reading_is_lost_or_counted_twice_and_the_state_is_the_same(
    tmp_path: Path,
) -> None:
    if program() is None:
        missing("mosquitto")
    child = _child_module()
    log = _log(child.START_US, child.TWINS)
    store = tmp_path / "store" / "tanks.duckdb"
    dice = random.Random(5)  # noqa: S311 -- when to kill, no secret
    with Mosquitto(tmp_path) as broker:
        command = [sys.executable, str(CHILD), str(broker.port), str(store)]
        running = _started(command)
        publisher = paho.Client(CallbackAPIVersion.VERSION2, "publisher")
        publisher.max_inflight_messages_set(500)
        publisher.connect("127.0.0.1", broker.port)
        publisher.loop_start()
        sent: list[paho.MQTTMessageInfo] = []
        kill_at = sorted(dice.sample(range(200, READINGS - 100), KILLS))
        try:
            for n, (channel, valid_at, value) in enumerate(log):
                payload = f'{{"value": {value}, "valid_at": "{iso(valid_at)}"}}'
                sent.append(publisher.publish(f"tanks/{channel}", payload, qos=1))
                if n in kill_at:
                    time.sleep(dice.random() * 0.2)
                    _killed(running)
                    running = _started(command)
            sent[-1].wait_for_publish(30)
            assert running.stdout is not None
            for told in running.stdout:  # the test's own time limit ends this
                if int(told) >= READINGS:
                    break
        finally:
            _killed(running)
            publisher.disconnect()
            publisher.loop_stop()

    kept = _stored(store, 5)
    timeline = timeline_of(store)
    try:
        book = timeline.book
        found = {
            (book.series(int(s)).channel, int(v), round(float(x), 4))
            for s, v, x in zip(kept.series, kept.valid_at, kept.value, strict=True)
        }
        assert found == set(log)
        assert len(kept) == READINGS

        disturbed = Host(child.site(1, None), timeline)
        disturbed.resume()
        calm = Host(child.site(1, None), MemoryTimeline())
        in_order = [
            Reading(Series("broker", c), v, x) for c, v, x in sorted(log, key=lambda r: r[1])
        ]
        calm.timeline.append(Readings.of(in_order, calm.timeline.book), known_at=0)
        calm.resume()
        for name in calm.site.twin_names:
            assert disturbed.snapshot(name).digest() == calm.snapshot(name).digest()
            assert int(calm.snapshot(name).assimilated[0]) == sum(
                c == f"{name[-1]}/gauge" for c, _, _ in log
            )
    finally:
        timeline.close()
