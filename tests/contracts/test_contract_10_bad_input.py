"""Contract 10: bad input gets a clear error and nothing is lost, through a real broker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

import gemeos as gm
from gemeos.runtime.run import RunningSite
from gemeos.testing.mosquitto import Mosquitto, program
from gemeos.units import instant, iso
from gemeos.units.instant import SECOND
from tests.conftest import missing

LIMIT = 65_536


@gm.model(dt="1 s")
class Tank:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.05)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + 0.0 * dt)

    @gm.sensor("m", noise=0.1)
    def gauge(self) -> float:
        return self.level


def link(name: str, port: int, root: str) -> gm.MqttLink:
    return gm.MqttLink(
        name=name,
        broker=f"mqtt://127.0.0.1:{port}",
        client_id=f"bad-input-{name}",
        message=(gm.MessageFormat(topic=f"{root}/{{channel}}", unit="/unit"),),
        largest_payload=LIMIT,
    )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    if program() is None:
        missing("mosquitto")
    with Mosquitto(tmp_path) as running:
        yield running


def declared(broker: Mosquitto, folder: Path) -> gm.Site:
    tank = gm.Twin("tank", Tank, members=16, horizon="1 h").bind("one:gauge", to="gauge")
    other = gm.Twin("other", Tank, members=16, horizon="1 h").bind("two:gauge", to="gauge")
    return gm.Site(
        "bad-input",
        twins=(tank, other),
        links=(link("one", broker.port, "a"), link("two", broker.port, "b")),
        store=folder / "store.duckdb",
    )


@pytest.fixture
def site(broker: Mosquitto, tmp_path: Path) -> Iterator[RunningSite]:
    with gm.run(declared(broker, tmp_path)) as running:
        until(lambda: len(running.host._sources) == 2)
        yield running


@pytest.fixture
def publisher(broker: Mosquitto) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2, "publisher")
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def until(done: Callable[[], bool], *, within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def now_us() -> int:
    return instant(iso(time.time_ns() // 1000))


def told(value: object, at_us: int, **more: object) -> bytes:
    return json.dumps({"value": value, "valid_at": iso(at_us), "unit": "m", **more}).encode()


NOW = now_us() - 60 * SECOND
BAD: list[tuple[str, str, bytes, str]] = [
    ("unknown channel", "a/gaug", told(1.0, NOW), "Did you mean 'gauge'?"),
    ("wrong unit", "a/gauge", told(1.0, NOW, unit="kg"), "kg"),
    ("no unit where one is declared", "a/gauge", b'{"value": 1}', "unit"),
    (
        "not a number",
        "a/gauge",
        b'{"value": NaN, "valid_at": "2026-01-01T00:00Z", "unit": "m"}',
        "NaN",
    ),
    ("a word for a number", "a/gauge", told("high", NOW), "high"),
    ("a time from 1970", "a/gauge", told(1.0, 5 * SECOND), "1970"),
    ("a time from tomorrow", "a/gauge", told(1.0, NOW + 86_400 * SECOND), "ahead"),
    (
        "a time without zone",
        "a/gauge",
        b'{"value": 1, "valid_at": "2026-01-01T00:00", "unit": "m"}',
        "offset",
    ),
    ("no time", "a/gauge", b'{"value": 1, "unit": "m"}', "valid_at"),
    ("no value", "a/gauge", json.dumps({"valid_at": iso(NOW), "unit": "m"}).encode(), "value"),
    ("malformed JSON", "a/gauge", b'{"value": 1,', "JSON"),
    ("no JSON at all", "a/gauge", b"\x00\xff\xfe poison", "JSON"),
    ("an empty payload", "a/gauge", b"", "empty"),
    ("a payload just over the limit", "a/gauge", b"[" + b"1" * LIMIT, str(LIMIT)),
]


def test_that_every_kind_of_bad_input_is_told_and_the_good_before_and_after_counts(
    site: RunningSite, publisher: paho.Client
) -> None:
    publisher.publish("a/gauge", told(2.0, NOW), qos=1)
    for _, topic, payload, _ in BAD:
        publisher.publish(topic, payload, qos=1).wait_for_publish(10)
    publisher.publish("a/gauge", told(2.1, NOW + SECOND), qos=1).wait_for_publish(10)

    until(lambda: site["tank"].trust().assimilated == 2)
    until(lambda: site.host.timeline.refused_count() == len(BAD))
    rows = list(reversed(site.host.timeline.refused(limit=100)))
    for (what, _, payload, word), row in zip(BAD, rows, strict=True):
        assert word in row.reason, f"{what}: {row.reason}"
        assert row.link == "one"
        assert row.size == len(payload)
        assert row.payload == payload[:4096], what


def test_that_what_was_refused_is_still_told_after_a_restart(
    broker: Mosquitto, publisher: paho.Client, tmp_path: Path
) -> None:
    with gm.run(declared(broker, tmp_path)) as site:
        until(lambda: len(site.host._sources) == 2)
        publisher.publish("a/gaug", told(1.0, NOW), qos=1).wait_for_publish(10)
        until(lambda: site.host.timeline.refused_count() == 1)
    with gm.run(declared(broker, tmp_path)) as again:
        assert again.host.timeline.refused()[0].channel == "gaug"


def test_that_a_retained_message_is_kept_and_never_taken_for_a_fresh_one(
    broker: Mosquitto, publisher: paho.Client
) -> None:
    publisher.publish("a/gauge", told(9.0, NOW), qos=1, retain=True).wait_for_publish(10)
    tank = gm.Twin("tank", Tank, members=16).bind("one:gauge", to="gauge")
    with gm.run(gm.Site("s", twins=(tank,), links=(link("one", broker.port, "a"),))) as site:
        everything = (None, -(2**62), 2**62)
        until(lambda: len(site.host.timeline.range(*everything)) == 1)
        publisher.publish("a/gauge", told(2.0, NOW + SECOND), qos=1).wait_for_publish(10)
        until(lambda: tank.trust().assimilated == 1)
        assert tank.trust().channels[0].last_value == 2.0


def test_that_two_sources_with_the_same_channel_are_two_series(
    site: RunningSite, publisher: paho.Client
) -> None:
    for n in range(5):
        publisher.publish("a/gauge", told(2.0, NOW + n * SECOND), qos=1)
        publisher.publish("b/gauge", told(-1.0, NOW + n * SECOND), qos=1).wait_for_publish(10)
    until(lambda: all(site[t].trust().assimilated == 5 for t in ("tank", "other")))
    assert site["tank"].trust().channels[0].last_value == 2.0
    assert site["other"].trust().channels[0].last_value == -1.0


def test_that_a_source_whose_clock_jumps_back_is_sorted_by_its_own_times(
    site: RunningSite, publisher: paho.Client
) -> None:
    times = [0, 1, 2, -30, -29, 3]
    for n, second in enumerate(times):
        publisher.publish("a/gauge", told(float(n), NOW + second * SECOND), qos=1)
    until(lambda: site["tank"].trust().assimilated == len(times))
    trust = site["tank"].trust()
    assert trust.newest == NOW + 3 * SECOND
    assert trust.channels[0].last_value == 5.0
    assert trust.too_late == 0
