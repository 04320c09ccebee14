"""The MQTT source against a real broker: lost connections, killed processes, refused passwords."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt import publish
from paho.mqtt.enums import CallbackAPIVersion

from gemeos.clock import SystemClock
from gemeos.errors import LinkError
from gemeos.link.base import Arrival
from gemeos.link.channels import Channels
from gemeos.link.decode import Decoder
from gemeos.link.format import MessageFormat, PlantTopics
from gemeos.link.inbox import Bounds
from gemeos.link.message import Limits
from gemeos.link.mqtt import Broker, MqttSource, MqttVersion, Tls
from gemeos.schema.binding import Binding
from gemeos.schema.reading import Quality, Series, SeriesBook
from gemeos.testing.mosquitto import Mosquitto
from gemeos.units import instant

PLAIN = MessageFormat("farm/{turbine}/{tag}", sequence="/seq")
UNDATED = MessageFormat("farm/{turbine}/{tag}", first_arrival=True)
NAMES = [f"T{number}/P" for number in range(10)]
PATIENCE = 20.0
RIGHT, WRONG = "right-one", "wrong-one"


def decoder(
    form: MessageFormat = PLAIN,
    link: str = "scada",
    book: SeriesBook | None = None,
    **settings: Any,  # noqa: ANN401
) -> Decoder:
    bindings = [Binding(Series(link, name), "farm", "power") for name in NAMES]
    book = SeriesBook() if book is None else book
    channels = Channels(link, bindings, {("farm", "power"): "kW"}, book)
    return Decoder([form], channels, SystemClock(), **settings)


def source(
    broker: Mosquitto | Broker,
    decodes: Decoder | None = None,
    *,
    bounds: Bounds | None = None,
    lossy: bool = False,
) -> MqttSource:
    there = broker if isinstance(broker, Broker) else Broker("127.0.0.1", broker.port)
    return MqttSource(there, decodes or decoder(), SystemClock(), bounds=bounds, lossy=lossy)


def send(
    broker: Mosquitto, said: Sequence[object], topic: str = "farm/T1/P", *, retain: bool = False
) -> None:
    """Publish with QoS 1 and return once the broker has it."""
    payloads = [s if isinstance(s, bytes) else json.dumps(s).encode() for s in said]
    messages: list[publish.MessageDict | publish.MessageTuple] = [
        {"topic": topic, "payload": payload, "qos": 1, "retain": retain} for payload in payloads
    ]
    publish.multiple(messages, hostname="127.0.0.1", port=broker.port)


def dated(numbers: range) -> list[object]:
    return [
        {"value": n, "valid_at": f"2026-07-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z"}
        for n in numbers
    ]


async def take(
    from_: MqttSource, readings: int, *, refused: int = 0, acknowledge: bool = True
) -> list[Arrival]:
    """Arrivals until there are so many readings and refused rows."""
    arrivals = []
    async with asyncio.timeout(PATIENCE):
        async for arrival in from_.arrivals():
            arrivals.append(arrival)
            if acknowledge:
                await from_.acknowledge(arrival)
            readings -= len(arrival.readings)
            refused -= len(arrival.refused)
            if readings <= 0 and refused <= 0:
                break
    return arrivals


def values(arrivals: Sequence[Arrival]) -> list[float]:
    return [value for arrival in arrivals for value in arrival.readings.value.tolist()]


async def until(so: Callable[[], bool]) -> None:
    """Wait for what nobody announces."""
    async with asyncio.timeout(PATIENCE):
        while not so():  # noqa: ASYNC110  the other side is another process
            await asyncio.sleep(0.02)


async def nothing_comes(from_: MqttSource, *, for_s: float = 0.5) -> None:
    came: list[Arrival] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(for_s):
            came.append(await anext(from_.arrivals()))
    assert [(values([arrival]), arrival.refused) for arrival in came] == []


RECEIVES_AND_HANGS = """
import asyncio, sys
sys.path.insert(0, {folder!r})
from test_mqtt_link import UNDATED, PLAIN, Broker, decoder, source

async def main():
    async with source(Broker("127.0.0.1", {port}), decoder({form})) as mine:
        print("ready", flush=True)
        async for arrival in mine.arrivals():
            print(arrival.readings.value.tolist(), [r.hex() for r in arrival.receipts], flush=True)
            await asyncio.sleep(3600)  # committed perhaps, acknowledged never

asyncio.run(main())
"""


def killed_between_receipt_and_acknowledgement(
    broker: Mosquitto, form: str, said: Sequence[object]
) -> str:
    """Run a consumer, kill it when it has received; what it told of that."""
    script = RECEIVES_AND_HANGS.format(
        folder=str(Path(__file__).parent), port=broker.port, form=form
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as consumer:
        assert consumer.stdout is not None
        try:
            assert consumer.stdout.readline().strip() == "ready"
            send(broker, said)
            return consumer.stdout.readline()
        finally:
            os.kill(consumer.pid, signal.SIGKILL)


async def test_that_a_message_comes_again_when_its_consumer_was_killed_before_acknowledging(
    mosquitto: Mosquitto,
) -> None:
    told = killed_between_receipt_and_acknowledgement(mosquitto, "PLAIN", dated(range(1)))
    assert told.startswith("[0.0]")
    async with source(mosquitto) as mine:
        assert values(await take(mine, 1)) == [0.0]
    async with source(mosquitto) as mine:
        await nothing_comes(mine)


async def test_that_a_redelivered_message_without_time_is_no_second_reading(
    mosquitto: Mosquitto,
) -> None:
    told = killed_between_receipt_and_acknowledgement(mosquitto, "UNDATED", [{"value": 7}])
    receipts = [bytes.fromhex(text) for text in told.split("[")[2].strip("]\n'").split("', '")]
    assert len(receipts) == 1
    # It was stored before the kill: the timeline has its receipt.
    async with source(mosquitto, decoder(UNDATED, receipts=receipts)) as mine:
        [arrival] = await take(mine, 0)
        assert len(arrival.readings) == 0
        assert mine.duplicates == 1
        # Heard and equal is a reading all the same.
        send(mosquitto, [{"value": 7}])
        assert values(await take(mine, 1)) == [7.0]
    async with source(mosquitto, decoder(UNDATED)) as mine:
        await nothing_comes(mine)


async def test_that_a_redelivered_message_without_time_that_was_not_stored_is_kept(
    mosquitto: Mosquitto,
) -> None:
    killed_between_receipt_and_acknowledgement(mosquitto, "UNDATED", [{"value": 7}])
    async with source(mosquitto, decoder(UNDATED)) as mine:
        [arrival] = await take(mine, 1)
        assert values([arrival]) == [7.0]
        assert len(arrival.receipts) == 1
        assert mine.duplicates == 0


async def test_that_a_retained_message_is_marked(mosquitto: Mosquitto) -> None:
    send(mosquitto, dated(range(1)), retain=True)
    async with source(mosquitto) as mine:
        [remembered] = await take(mine, 1)
        assert remembered.readings.quality.tolist() == [Quality.RETAINED]
        send(mosquitto, dated(range(1, 2)), retain=True)
        [fresh] = await take(mine, 1)
        assert fresh.readings.quality.tolist() == [Quality.GOOD]


async def test_that_poison_and_giants_are_refused_once_and_do_not_stop_the_rest(
    mosquitto: Mosquitto,
) -> None:
    giant = b'{"value": 1, "x": "' + b"y" * 3_000_000 + b'"}'
    async with source(mosquitto, decoder(limits=Limits(payload=1 << 20))) as mine:
        send(mosquitto, [b"\x00\xff", giant, b"", *dated(range(1))])
        arrivals = await take(mine, 1, refused=3)
        refused = [row for arrival in arrivals for row in arrival.refused]
        assert values(arrivals) == [0.0]
        assert [row.size for row in refused] == [2, len(giant), 0]
        assert refused[1].payload == giant[:4096]
    async with source(mosquitto) as mine:
        await nothing_comes(mine)


async def test_that_refused_messages_come_again_until_they_are_acknowledged(
    mosquitto: Mosquitto,
) -> None:
    async with source(mosquitto) as mine:
        send(mosquitto, [b"poison"])
        await take(mine, 0, refused=1, acknowledge=False)
    async with source(mosquitto) as mine:
        assert len((await take(mine, 0, refused=1))[0].refused) == 1
    async with source(mosquitto) as mine:
        await nothing_comes(mine)


async def test_that_one_channel_name_at_two_links_is_two_series(mosquitto: Mosquitto) -> None:
    book = SeriesBook()
    here, there = (
        Broker("127.0.0.1", mosquitto.port, "one"),
        Broker("127.0.0.1", mosquitto.port, "two"),
    )
    async with (
        source(here, decoder(link="north", book=book)) as north,
        source(there, decoder(link="south", book=book)) as south,
    ):
        send(mosquitto, dated(range(1)))
        [from_north], [from_south] = await take(north, 1), await take(south, 1)
        told = {book.series(int(a.readings.series[0])) for a in (from_north, from_south)}
        assert told == {Series("north", "T1/P"), Series("south", "T1/P")}


async def test_that_a_broker_that_comes_back_is_found_again(
    mosquitto_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="gemeos.link")
    with Mosquitto(mosquitto_folder, persistence=True) as broker:
        there = Broker("127.0.0.1", broker.port, first_wait=0.05, longest_wait=0.2)
        async with source(there) as mine:
            send(broker, dated(range(1)))
            assert values(await take(mine, 1)) == [0.0]
            broker.stop()
            await asyncio.sleep(0.6)  # several attempts fail
            broker.start()
            send(broker, dated(range(1, 3)))
            assert values(await take(mine, 2)) == [1.0, 2.0]
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if "lost" in line and "trying again" in line]) == 1
    assert len([line for line in lines if "is back" in line]) == 1


async def test_that_what_was_not_acknowledged_comes_again_after_the_broker_was_away(
    mosquitto_folder: Path,
) -> None:
    with Mosquitto(mosquitto_folder, persistence=True) as broker:
        there = Broker("127.0.0.1", broker.port, first_wait=0.05, longest_wait=0.2)
        async with source(there) as mine:
            send(broker, dated(range(3)))
            before = await take(mine, 3, acknowledge=False)
            broker.stop()
            broker.start()
            again = await take(mine, 3, acknowledge=False)
            assert values(again) == values(before) == [0.0, 1.0, 2.0]
            for arrival in (*before, *again):
                await mine.acknowledge(arrival)
        async with source(there) as mine:
            await nothing_comes(mine)


async def test_that_acknowledgements_of_a_lost_connection_do_not_touch_the_next(
    mosquitto_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Without persistence the broker numbers its packets from 1 again: an acknowledgement of the
    # old packet 1 would throw away the new one.
    with Mosquitto(mosquitto_folder, persistence=False) as broker:
        there = Broker("127.0.0.1", broker.port, first_wait=0.05, longest_wait=0.2)
        async with source(there) as mine:
            send(broker, dated(range(1)))
            before = await take(mine, 1, acknowledge=False)
            broker.stop()
            broker.start()
            await until(lambda: "is back" in caplog.text)
            assert "has forgotten our session" in caplog.text
            send(broker, dated(range(1, 2)))
            after = await take(mine, 1, acknowledge=False)
            assert values(after) == [1.0]
            await mine.acknowledge(before[0])
        async with source(there) as mine:
            assert values(await take(mine, 1)) == [1.0]


@pytest.mark.parametrize("version", list(MqttVersion), ids=lambda version: version.value)
async def test_that_the_plant_is_heard_and_told_what_is_durable(
    mosquitto: Mosquitto, version: MqttVersion
) -> None:
    plant = PlantTopics(clock="plant/clock", end="plant/end", committed="plant/committed")
    heard: list[dict[str, Any]] = []
    listener = paho.Client(CallbackAPIVersion.VERSION2)
    listener.on_message = lambda _client, _data, message: heard.append(json.loads(message.payload))
    listener.connect("127.0.0.1", mosquitto.port)
    listener.subscribe("plant/committed", 1)
    listener.loop_start()
    there = Broker("127.0.0.1", mosquitto.port, version=version)
    arrivals = []
    async with source(there, decoder(plant=plant)) as mine, asyncio.timeout(PATIENCE):
        good = [{**row, "seq": 10 + n} for n, row in enumerate(dated(range(3)))]  # type: ignore[dict-item]
        send(mosquitto, good)
        send(mosquitto, [{"value": None, "seq": 13}, {**good[0], "seq": 20}])
        send(mosquitto, [{"time": "2026-07-01T00:00:03Z"}], "plant/clock")
        send(mosquitto, [b""], "plant/end")
        async for arrival in mine.arrivals():
            assert not mine.finished
            arrivals.append(arrival)
            await mine.acknowledge(arrival)
    assert mine.finished
    assert values(arrivals) == [0.0, 1.0, 2.0, 0.0]
    assert [a.plant_time for a in arrivals if a.plant_time] == [instant("2026-07-01T00:00:03Z")]
    await until(lambda: sum(b + 1 - a for h in heard for a, b in h["committed"]) == 5)
    listener.disconnect()
    listener.loop_stop()
    told = {n for h in heard for first, last in h["committed"] for n in range(first, last + 1)}
    assert told == {10, 11, 12, 13, 20}
    assert all(instant(h["known_at"]) > instant("2026-01-01T00:00Z") for h in heard)


async def test_that_a_full_inbox_holds_the_broker_up_and_loses_nothing(
    mosquitto: Mosquitto,
) -> None:
    bounds = Bounds(messages=100, batch_messages=50)
    async with source(mosquitto, bounds=bounds) as mine:
        send(mosquitto, dated(range(3000)))
        await until(lambda: mine.waiting >= 100)
        await asyncio.sleep(0.3)
        assert mine.waiting == 100
        arrivals = await take(mine, 3000)
        assert max(len(arrival.readings) for arrival in arrivals) <= 50
        assert values(arrivals) == [float(n) for n in range(3000)]


async def test_that_a_connection_that_is_held_up_for_long_is_not_given_up(
    mosquitto: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    there = Broker("127.0.0.1", mosquitto.port, keepalive=1)
    async with source(there, bounds=Bounds(messages=10, batch_messages=10)) as mine:
        send(mosquitto, dated(range(100)))
        await asyncio.sleep(4)  # the broker gives up after 1.5 s without a sign, paho after 2
        assert values(await take(mine, 100)) == [float(n) for n in range(100)]
        assert mine.waiting == 0
    assert "lost" not in caplog.text


async def test_that_a_lossy_source_keeps_the_newest_of_each_channel_and_counts_the_rest(
    mosquitto: Mosquitto,
) -> None:
    bounds = Bounds(messages=100, batch_messages=1000)
    async with source(mosquitto, bounds=bounds, lossy=True) as mine:
        send(mosquitto, dated(range(1)), "farm/T2/P")
        for start in range(0, 2000, 500):
            send(mosquitto, dated(range(start, start + 500)))
        await until(lambda: sum(mine.dropped.values()) == 1901)
        kept = sorted(values(await take(mine, 100)))
        assert mine.dropped == {"T1/P": 1901}
        assert kept == [0.0, *[float(n) for n in range(1901, 2000)]]


async def test_that_a_wrong_password_is_told_in_a_sentence(mosquitto_folder: Path) -> None:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    passwords = mosquitto_folder / "passwords"
    subprocess.run(  # noqa: ASYNC221  nothing else is to run meanwhile
        [tool, "-b", "-c", str(passwords), "operator", RIGHT], check=True
    )
    passwords.chmod(0o644)
    lines = ["allow_anonymous false", f"password_file {passwords}"]
    with Mosquitto(mosquitto_folder, extra=lines) as broker:
        for version in MqttVersion:
            wrong = Broker(
                "127.0.0.1", broker.port, user="operator", password=WRONG, version=version
            )
            with pytest.raises(LinkError, match=r"'scada'.*refuses user 'operator': is the pass"):
                async with source(wrong):
                    pass
            nobody = Broker("127.0.0.1", broker.port, version=version)
            with pytest.raises(LinkError, match="wants a user and a password"):
                async with source(nobody):
                    pass
            right = Broker("127.0.0.1", broker.port, user="operator", password=RIGHT)
            async with source(right):
                pass
            assert RIGHT not in repr(right)


async def test_that_a_missing_broker_is_told_in_a_sentence() -> None:
    with pytest.raises(LinkError, match=r"'scada': the broker 127.0.0.1:1 cannot be reached"):
        async with source(Broker("127.0.0.1", 1)):
            pass


def certificates(folder: Path) -> None:
    """A CA, and a certificate of it for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], check=True, capture_output=True, cwd=folder)

    for name in ("ca", "other"):
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.crt")  # fmt: skip
    run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=broker", "-keyout", "broker.key",
        "-out", "broker.csr")  # fmt: skip
    (folder / "names").write_text("subjectAltName = IP:127.0.0.1\n")
    run("x509", "-req", "-in", "broker.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "2",
        "-CAcreateserial", "-extfile", "names", "-out", "broker.crt")  # fmt: skip
    for key in folder.glob("*.key"):
        key.chmod(0o644)


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_that_tls_connects_with_the_right_ca_and_refuses_the_wrong_one(
    mosquitto_folder: Path,
) -> None:
    certificates(mosquitto_folder)
    lines = [
        "allow_anonymous true",
        f"cafile {mosquitto_folder}/ca.crt",
        f"certfile {mosquitto_folder}/broker.crt",
        f"keyfile {mosquitto_folder}/broker.key",
    ]
    with Mosquitto(mosquitto_folder, extra=lines) as broker:
        right = Broker("127.0.0.1", broker.port, tls=Tls(ca=f"{mosquitto_folder}/ca.crt"))
        async with source(right) as mine:
            messages: list[publish.MessageDict | publish.MessageTuple] = [
                {"topic": "farm/T1/P", "payload": json.dumps(said), "qos": 1}
                for said in dated(range(500))
            ]
            publish.multiple(
                messages,
                hostname="127.0.0.1",
                port=broker.port,
                tls={"ca_certs": f"{mosquitto_folder}/ca.crt"},
            )
            assert values(await take(mine, 500)) == [float(n) for n in range(500)]
        wrong = Broker("127.0.0.1", broker.port, tls=Tls(ca=f"{mosquitto_folder}/other.crt"))
        with pytest.raises(LinkError, match="certificate is not to be trusted"):
            async with source(wrong):
                pass
        missing = Broker("127.0.0.1", broker.port, tls=Tls(ca=f"{mosquitto_folder}/none.crt"))
        with pytest.raises(LinkError, match="TLS files cannot be used"):
            async with source(missing):
                pass
